"""Push and pull, step by step, between a kiosk's real store and a small centre on a real socket."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from kiosk.journey.ledger import Ledger
from kiosk.store.sqlite import Store
from sync.agent.client import CentralClient
from sync.agent.overlap import in_thread
from sync.agent.steps import OTHER_SITE, Puller, Pusher, StepResult
from sync.protocol import (
    MAX_BATCH,
    Code,
    EndCode,
    Intent,
    PullRequest,
    PushAnswer,
    PushRequest,
    Verdict,
    VerdictRow,
    chain_hash,
)
from tests.kiosk import samples
from tests.kiosk.parts import KioskParts
from tests.kiosk.samples import SITE_ID, Clock, cards, page, row

from .peers import Centre, ended, http, refusal


@dataclass
class Wire:
    """A kiosk with three patients, a centre, and both steps."""

    parts: KioskParts
    centre: Centre
    pusher: Pusher
    puller: Puller

    def __post_init__(self) -> None:
        self.store, self.journeys, self.ledger = self.parts.store, self.parts.journeys, self.parts.ledger

    def tap(self, *numbers: int) -> None:
        """These patients tap their cards, which opens a visit for each."""
        for number in numbers:
            tapped = self.journeys.tap(cards(number), ("scan_nfc",))
            assert tapped is not None
            assert tapped.action_ids

    def fill(self, count: int) -> None:
        """Adds `count` patients, each of whom taps."""
        rows = [row(number) for number in range(10, 10 + count)]
        self.ledger.adopt(page(*rows, from_cursor=1, cursor=2))
        self.tap(*range(10, 10 + count))

    def run_dry(self) -> list[StepResult]:
        """Pushes until there is nothing more to do at once. Returns the results."""
        steps = [self.pusher.run_once()]
        while steps[-1].again:
            assert len(steps) < 50
            steps.append(self.pusher.run_once())
        return steps

    def pushed(self) -> list[list[int]]:
        """The seqs of each push that arrived."""
        return [[seq_of(body.body) for body in push.actions] for push in self.centre.pushes]


def seq_of(body: msgspec.Raw) -> int:
    return msgspec.json.decode(body, type=Intent).seq


def empty_page(request: PullRequest) -> object:
    return page(from_cursor=request.cursor, cursor=request.cursor)


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    parts = samples.enrolled(tmp_path, Clock())
    with Centre() as centre:
        centre.page = empty_page
        client = CentralClient(centre.url, "token")
        yield Wire(parts, centre, Pusher(parts.ledger, client), Puller(parts.ledger, client, wait_s=0.0))
        client.close()
    parts.store.close()


@pytest.fixture
def blank(tmp_path: Path) -> Iterator[Ledger]:
    store = Store(tmp_path / "kiosk.db")
    yield KioskParts(store, Clock()).ledger
    store.close()


# Push.


def test_without_pending_actions_there_is_no_push(wire: Wire):
    assert wire.pusher.run_once() == StepResult()
    assert wire.centre.pushes == []


def test_before_enrolment_neither_step_makes_a_call(blank: Ledger):
    client = CentralClient("http://127.0.0.1:1")
    assert Pusher(blank, client).run_once() == StepResult()
    assert Puller(blank, client).run_once() == StepResult(failed=True, reason="not enrolled")


def test_a_push_names_kiosk_epoch_and_time_and_its_verdicts_retire_the_rows(wire: Wire):
    wire.tap(1, 2)
    result = wire.pusher.run_once()
    assert result == StepResult(frozenset({"P1", "P2"}), reached=True)
    assert wire.parts.pending() == 0
    (push,) = wire.centre.pushes
    assert (push.protocol_version, push.kiosk_id, push.epoch, push.server_incarnation) == (2, "kiosk-1", 1, "one")
    assert push.now == wire.journeys.clock()
    previous = ""
    for pushed in push.actions:
        previous = chain_hash(previous, bytes(pushed.body))
        assert pushed.hash == previous


def test_many_actions_are_pushed_in_batches(wire: Wire):
    wire.fill(2 * MAX_BATCH + 5)
    steps = wire.run_dry()
    assert [step.again for step in steps] == [True, True, False]
    assert [len(seqs) for seqs in wire.pushed()] == [MAX_BATCH, MAX_BATCH, 5]
    assert [seq for seqs in wire.pushed() for seq in seqs] == list(range(1, 2 * MAX_BATCH + 6))
    assert wire.parts.pending() == 0


def test_without_a_usable_answer_the_batch_is_halved_down_to_one_and_grows_again(wire: Wire):
    wire.fill(MAX_BATCH)
    wire.centre.on_push = lambda _: http("500 Oops", b"<html>", Connection="close")
    for _ in range(9):
        result = wire.pusher.run_once()
        assert (result.failed, result.reached, result.again) == (True, False, False)
    halves = [MAX_BATCH // 2**times for times in range(5)]
    assert [len(seqs) for seqs in wire.pushed()] == [halves[0], 0, halves[1], 0, halves[2], 0, halves[3], 0, halves[4]]
    assert wire.parts.pending() == MAX_BATCH
    wire.centre.on_push = lambda _: None
    wire.centre.pushes.clear()
    wire.run_dry()
    doubles = [MAX_BATCH // 2**times for times in range(5, 0, -1)]
    assert [len(seqs) for seqs in wire.pushed()] == [0, *doubles, MAX_BATCH - sum(doubles)]
    assert wire.parts.pending() == 0


def test_the_actions_of_a_batch_that_the_centre_cannot_read_go_one_by_one(wire: Wire):
    wire.fill(4)
    wire.pusher.limit = 4
    wire.centre.on_push = lambda _: refusal(EndCode.MALFORMED, 400)
    steps = [wire.pusher.run_once() for _ in range(3)]
    assert [(s.failed, s.reached, s.reason) for s in steps] == [(True, True, "malformed: no")] * 3
    assert [len(seqs) for seqs in wire.pushed()] == [4, 4, 1]


def test_a_lost_reply_does_not_check_in_twice(wire: Wire):
    wire.tap(1)

    def commit_and_hang_up(push: PushRequest) -> bytes:
        wire.centre.accept(push)
        return b""

    wire.centre.on_push = commit_and_hang_up
    assert wire.pusher.run_once().failed
    assert wire.parts.pending() == 1
    wire.centre.on_push = lambda _: None
    wire.run_dry()
    assert wire.parts.pending() == 0
    assert len(wire.centre.kept) == 1


@pytest.mark.parametrize("status", [200, 201, 400, 404, 409, 410, 500, 503])
def test_only_a_verdict_for_a_row_retires_it_and_no_status_does(wire: Wire, status: int):
    wire.tap(1)
    wire.centre.on_push = lambda _: (status, {"ok": True})
    assert wire.pusher.run_once().failed
    assert wire.parts.pending() == 1


def answer(*verdicts: VerdictRow, last_seq: int = 0) -> PushAnswer:
    return PushAnswer(
        site_id=SITE_ID,
        server_incarnation="one",
        last_seq=last_seq,
        backed_up_seq=0,
        verdicts=list(verdicts),
        versions=(2,),
    )


def test_an_answer_without_a_verdict_for_the_push_is_a_failure(wire: Wire):
    wire.tap(1)
    other = VerdictRow(action_id="somebody-elses", seq=1, verdict=Verdict.APPLIED, code=Code.OK)
    for nothing in (answer(), answer(other, last_seq=1)):
        wire.centre.on_push = lambda _, nothing=nothing: nothing
        result = wire.pusher.run_once()
        assert (result.failed, result.again, result.reached) == (True, False, True)
        assert wire.parts.pending() == 1


def test_verdicts_for_a_part_of_a_push_retire_that_part_alone(wire: Wire):
    wire.tap(1, 2, 3)

    def first_only(push: PushRequest) -> PushAnswer:
        whole = wire.centre.accept(push)
        return answer(*whole.verdicts[:1], last_seq=1)

    wire.centre.on_push = first_only
    assert [step.again for step in wire.run_dry()] == [True, True, False]
    assert wire.pushed() == [[1, 2, 3], [2, 3], [3]]
    assert wire.parts.pending() == 0


def test_the_last_action_in_the_centres_backups_is_noted(wire: Wire):
    wire.tap(1, 2)
    wire.centre.backed_up_seq = 1
    wire.run_dry()
    with wire.store.read() as db:
        assert db.execute("select backed_up_seq from identity").fetchone()[0] == 1


# Gaps.


def gap_until(wire: Wire, expected: int) -> None:
    """The centre has lost the actions from `expected` on, and asks for them."""

    def judge(push: PushRequest) -> object:
        nonlocal expected
        first = seq_of(push.actions[0].body)
        if first > expected:
            return refusal(EndCode.GAP, expected_seq=expected)
        accepted = wire.centre.accept(push)
        expected = accepted.last_seq + 1
        return accepted

    wire.centre.on_push = judge


def test_retired_actions_that_the_centre_misses_are_sent_again(wire: Wire):
    wire.tap(1, 2)
    wire.run_dry()
    wire.tap(3)
    wire.centre.pushes.clear()
    gap_until(wire, 1)
    steps = wire.run_dry()
    assert not any(step.failed for step in steps)
    assert wire.pushed() == [[3], [1, 2, 3]]
    assert wire.parts.pending() == 0


def test_a_long_gap_is_filled_batch_by_batch_after_one_refusal(wire: Wire):
    wire.fill(2 * MAX_BATCH + 50)
    wire.run_dry()
    wire.tap(1)
    wire.centre.pushes.clear()
    gap_until(wire, 1)
    assert not any(step.failed for step in wire.run_dry())
    assert [(seqs[0], len(seqs)) for seqs in wire.pushed()] == [
        (2 * MAX_BATCH + 51, 1),
        (1, MAX_BATCH),
        (MAX_BATCH + 1, MAX_BATCH),
        (2 * MAX_BATCH + 1, 51),
    ]


def test_a_gap_that_the_kiosk_cannot_fill_waits_for_the_backoff(wire: Wire):
    wire.tap(1)
    wire.centre.on_push = lambda _: refusal(EndCode.GAP, expected_seq=40)
    steps = wire.run_dry()
    assert [step.again for step in steps] == [True, False]
    assert steps[-1].failed
    assert "40" in steps[-1].reason
    assert wire.parts.pending() == 1
    # The next push begins with the pending action, and the centre may accept it now.
    wire.centre.on_push = lambda _: None
    wire.run_dry()
    assert wire.parts.pending() == 0


def test_a_repeated_gap_waits_for_the_backoff(wire: Wire):
    wire.tap(1, 2)
    wire.centre.on_push = lambda _: refusal(EndCode.GAP, expected_seq=1)
    steps = wire.run_dry()
    assert [(step.again, step.failed) for step in steps] == [(True, False), (False, True)]
    assert wire.pushed() == [[1, 2], [1, 2]]


def test_a_resend_without_progress_at_the_centre_is_a_failure(wire: Wire):
    wire.tap(1, 2)
    wire.run_dry()
    wire.tap(3)
    calls = iter([refusal(EndCode.GAP, expected_seq=1), answer(last_seq=0)])
    wire.centre.on_push = lambda _: next(calls)
    assert [(s.again, s.failed) for s in wire.run_dry()] == [(True, False), (False, True)]


def test_a_gap_without_a_number_is_a_plain_failure(wire: Wire):
    wire.tap(1)
    wire.centre.on_push = lambda _: refusal(EndCode.GAP)
    assert wire.pusher.run_once() == StepResult(failed=True, reached=True, reason="gap: no")


# Forks, and other refusals of a call.


def test_after_a_fork_the_pending_actions_are_sent_under_the_new_epoch_with_their_ids(wire: Wire):
    wire.tap(1)
    wire.run_dry()
    wire.tap(2, 3)
    before = [a.body for a in wire.ledger.batch(10, None)]
    wire.centre.on_push = lambda push: refusal(EndCode.FORK, epoch=2) if push.epoch == 1 else None
    steps = wire.run_dry()
    assert [(s.again, s.failed) for s in steps] == [(True, False), (False, False)]
    assert wire.parts.pending() == 0
    last = wire.centre.pushes[-1]
    assert last.epoch == 2
    old = [msgspec.json.decode(b, type=Intent) for b in before]
    new = [msgspec.json.decode(a.body, type=Intent) for a in last.actions]
    assert [i.action_id for i in new] == [i.action_id for i in old]
    assert [(i.epoch, i.seq) for i in new] == [(2, 1), (2, 2)]
    assert last.actions[0].hash == chain_hash("", bytes(last.actions[0].body))


def test_a_fork_after_a_fork_waits_for_the_backoff(wire: Wire):
    wire.tap(1)
    wire.centre.on_push = lambda push: refusal(EndCode.FORK, epoch=push.epoch + 1)
    assert [(s.again, s.failed) for s in wire.run_dry()] == [(True, False), (False, True)]
    assert wire.parts.pending() == 1
    wire.centre.on_push = lambda _: None
    wire.run_dry()
    assert wire.parts.pending() == 0


@pytest.mark.parametrize("epoch", [None, 0, 1])
def test_a_fork_that_leads_nowhere_changes_nothing(wire: Wire, epoch: int | None):
    wire.tap(1)
    wire.centre.on_push = lambda _: refusal(EndCode.FORK, epoch=epoch)
    assert wire.pusher.run_once() == StepResult(failed=True, reached=True, reason="fork: no")
    assert wire.journeys.identity is not None
    assert wire.journeys.identity.epoch == 1


def test_a_refused_call_keeps_everything_and_waits_as_the_centre_asks(wire: Wire):
    wire.tap(1)
    wire.centre.on_push = wire.centre.on_pull = lambda _: refusal(EndCode.TRY_LATER, 503, retry_after_s=12.0)
    expected = StepResult(failed=True, reached=True, retry_after_s=12.0, reason="try_later: no")
    assert wire.pusher.run_once() == expected
    assert wire.puller.run_once() == expected
    assert wire.parts.pending() == 1


def test_a_refused_cursor_begins_again_with_a_snapshot_and_keeps_everything(wire: Wire):
    wire.tap(1)
    asked: list[tuple[int, str]] = []

    def refuse_all_but_the_beginning(pull: PullRequest) -> object:
        asked.append((pull.cursor, pull.cursor_mac))
        return refusal(EndCode.BAD_CURSOR, 409) if pull.cursor else None

    own_page = wire.centre.page
    wire.centre.page = lambda pull: msgspec.structs.replace(own_page(pull), cursor=5, cursor_mac="proof")
    wire.puller.run_once()
    wire.centre.on_pull = refuse_all_but_the_beginning
    refused = wire.puller.run_once()
    assert (refused.again, refused.failed, refused.reached) == (True, False, True)
    wire.puller.run_once()
    assert asked == [(5, "proof"), (0, "")]
    assert wire.parts.pending() == 1


def test_a_centre_that_refuses_even_the_beginning_is_asked_again_after_a_wait(wire: Wire):
    wire.centre.on_pull = lambda _: refusal(EndCode.BAD_CURSOR, 409)
    first, second = wire.puller.run_once(), wire.puller.run_once()
    assert (first.again, second.again, second.failed, second.reason) == (True, False, True, "bad_cursor: no")


ELSEWHERE = "01900000-0000-7000-8000-0000000000b2"


@pytest.mark.parametrize(
    "answer",
    [
        refusal(EndCode.OTHER_SITE, site_id=ELSEWHERE),
        ended(site_id=ELSEWHERE),
        ended(site_id=None),
        refusal(EndCode.FORK, epoch=9, site_id=ELSEWHERE),
        refusal(EndCode.GAP, expected_seq=1, site_id=None),
        refusal(EndCode.BAD_CURSOR, site_id=ELSEWHERE),
    ],
    ids=lambda answer: f"{answer[1].code} {answer[1].site_id}",
)
def test_a_refusal_that_is_not_of_its_own_site_changes_nothing_and_counts_as_no_answer(wire: Wire, answer: object):
    wire.tap(1)
    before = wire.journeys.identity
    wire.centre.on_push = wire.centre.on_pull = lambda _: answer
    expected = StepResult(failed=True, reached=False, reason=OTHER_SITE)
    assert [wire.pusher.run_once(), wire.puller.run_once(), wire.pusher.run_once()] == [expected] * 3
    assert wire.journeys.identity == before
    assert wire.parts.patient_of_card(cards(1)) == "P1"
    assert wire.pushed() == [[1], [1]]


def test_verdicts_and_pages_of_another_site_are_not_adopted(wire: Wire):
    wire.tap(1)
    before = wire.journeys.identity
    own_page = wire.centre.page
    wire.centre.site_id, wire.centre.incarnation = ELSEWHERE, "two"
    wire.centre.page = lambda pull: msgspec.structs.replace(
        own_page(pull), site_id=ELSEWHERE, server_incarnation="two", reset=True, patients=()
    )
    expected = StepResult(failed=True, reached=False, reason=OTHER_SITE)
    assert [wire.pusher.run_once(), wire.puller.run_once()] == [expected] * 2
    assert (wire.journeys.identity, wire.parts.pending()) == (before, 1)
    assert wire.parts.patient_of_card(cards(2)) == "P2"


def test_an_ended_kiosk_forgets_its_patients_keeps_its_pending_actions_and_calls_no_more(wire: Wire):
    wire.tap(1)
    wire.centre.on_push = wire.centre.on_pull = lambda _: ended()
    result = wire.pusher.run_once()
    assert (result.failed, result.refusal) == (True, EndCode.ENDED)
    assert "P1" in result.touched
    again = wire.puller.run_once()
    assert (again.failed, again.refusal, again.touched) == (True, EndCode.ENDED, frozenset())
    assert wire.pusher.run_once() == StepResult()
    assert wire.parts.patient_of_card(cards(1)) is None
    assert wire.parts.pending() == 1
    assert (len(wire.centre.pushes), wire.centre.pulls) == (1, [])


OWN = ended()[1].token_sha256


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (ended(token_sha256=None), "not_ended: "),
        (ended(token_sha256="0" * 64), "not_ended: "),
        (refusal(EndCode.NOT_KNOWN, 401, token_sha256=None), "not_known: this kiosk's token does not reach"),
        (refusal(EndCode.NOT_KNOWN, 401, token_sha256="0" * 64), "not_known: this kiosk's token does not reach"),
        (refusal(EndCode.NOT_KNOWN, 401, token_sha256=OWN), "not_known: the centre does not know"),
        (refusal(EndCode.REPLACED, 401, token_sha256="0" * 64), "not_known: this kiosk's token does not reach"),
        (refusal(EndCode.REPLACED, 401, token_sha256=OWN), "replaced: a newer token of this kiosk is in use"),
        ((401, {"code": "fenced", "error": "no"}), "not_protocol: HTTP 401 "),
        ((403, {"error": "blocked"}), "not_protocol: HTTP 403 "),
    ],
)
def test_only_the_centres_word_about_the_very_token_ends_a_kiosk(wire: Wire, answer: object, reason: str):
    wire.tap(1)
    before = wire.journeys.identity
    wire.centre.on_push = wire.centre.on_pull = lambda _: answer
    for step in (wire.pusher.run_once(), wire.puller.run_once()):
        assert (step.failed, step.reached, step.touched) == (True, False, frozenset())
        assert step.reason.startswith(reason)
    assert wire.journeys.identity == before
    assert (wire.parts.patient_of_card(cards(1)), wire.parts.pending()) == ("P1", 1)


# Pull.


def test_a_pull_names_the_kiosks_cursor_and_adopts_the_page(wire: Wire):
    wire.centre.page = lambda request: page(row(7), from_cursor=request.cursor, cursor=5)
    assert wire.puller.run_once() == StepResult(frozenset({"P7"}), again=True, reached=True, is_current=True)
    assert wire.parts.patient_of_card(cards(7)) == "P7"
    (pull,) = wire.centre.pulls
    assert (pull.protocol_version, pull.kiosk_id, pull.epoch, pull.cursor) == (2, "kiosk-1", 1, 1)
    assert (pull.server_incarnation, pull.definitions_version) == ("one", 1)
    wire.centre.page = empty_page
    wire.puller.run_once()
    assert wire.centre.pulls[-1].cursor == 5


def test_after_an_empty_page_there_is_no_call_at_once(wire: Wire):
    assert wire.puller.run_once() == StepResult(reached=True, is_current=True)


@pytest.mark.parametrize("changes", [{"more": True}, {"cursor": 9}])
def test_a_page_without_patients_that_moves_the_cursor_is_followed_at_once(wire: Wire, changes: dict[str, object]):
    wire.centre.page = lambda request: page(from_cursor=request.cursor, **{"cursor": request.cursor, **changes})
    is_current = not changes.get("more", False)
    assert wire.puller.run_once() == StepResult(again=True, reached=True, is_current=is_current)


def test_a_page_that_does_not_start_at_the_cursor_is_discarded_as_a_failure(wire: Wire):
    wire.centre.page = lambda _: page(row(7), from_cursor=3, cursor=5)
    result = wire.puller.run_once()
    assert (result.failed, result.again, result.reached) == (True, False, True)
    assert wire.parts.patient_of_card(cards(7)) is None
    assert wire.journeys.identity is not None
    assert wire.journeys.identity.cursor == 1


def test_the_next_pull_waits_as_the_centre_asks(wire: Wire):
    wire.centre.page = lambda request: page(from_cursor=request.cursor, cursor=request.cursor, retry_after_s=4.0)
    assert wire.puller.run_once().retry_after_s == 4.0


def test_a_pull_without_an_answer_waits_as_the_header_asks(wire: Wire):
    wire.centre.on_pull = lambda _: http("503 Busy", b"<html>", Retry_After="3")
    result = wire.puller.run_once()
    assert (result.failed, result.reached, result.retry_after_s) == (True, False, 3.0)


def test_push_and_pull_at_the_same_time_lose_nothing(wire: Wire):
    wire.fill(60)
    numbers = iter(range(1000, 2000))

    def news(request: PullRequest) -> object:
        return page(row(next(numbers)), from_cursor=request.cursor, cursor=request.cursor + 1)

    wire.centre.page = news
    wire.pusher.limit = 1
    other = Puller(wire.ledger, CentralClient(wire.centre.url), wait_s=0.0)
    pulling = threading.Thread(target=lambda: [other.run_once() for _ in range(20)])
    pulling.start()
    wire.run_dry()
    pulling.join()
    other.client.close()
    assert wire.parts.pending() == 0
    assert len(wire.centre.kept) == 60
    assert wire.parts.patient_of_card(cards(1019)) == "P1019"


# The next batch beside the verdicts of the last one.


def test_the_next_batch_is_with_the_centre_before_the_verdicts_of_the_last_one_are_written(wire: Wire):
    wire.fill(MAX_BATCH + 30)
    first = wire.pusher.run_once()
    assert [len(push) for push in wire.pushed()] == [MAX_BATCH, 30]
    assert (first.again, wire.parts.pending()) == (True, 30)
    assert not wire.pusher.run_once().again
    assert (len(wire.pushed()), wire.parts.pending()) == (2, 0)


def test_a_batch_that_was_read_before_the_chain_was_renumbered_is_read_again(wire: Wire):
    wire.fill(3 * MAX_BATCH)
    wire.pusher.run_once()
    assert [len(push) for push in wire.pushed()] == [MAX_BATCH, MAX_BATCH], "and the third batch is read"
    wire.ledger.start_epoch(2)
    wire.run_dry()
    assert wire.parts.pending() == 0
    renumbered = [
        msgspec.json.decode(sent.body, type=Intent) for push in wire.centre.pushes[2:] for sent in push.actions
    ]
    assert {intent.epoch for intent in renumbered} == {push.epoch for push in wire.centre.pushes[2:]} == {2}


def test_an_action_that_was_done_since_the_next_batch_was_read_goes_with_the_batch_after_it(wire: Wire):
    wire.fill(2 * MAX_BATCH + 1)
    wire.pusher.run_once()
    wire.tap(1)
    wire.run_dry()
    assert [len(push) for push in wire.pushed()] == [MAX_BATCH, MAX_BATCH, 1, 1]
    assert [seq for seqs in wire.pushed() for seq in seqs] == list(range(1, 2 * MAX_BATCH + 3))
    assert wire.parts.pending() == 0


def test_an_answer_that_was_on_its_way_when_the_kiosk_was_ended_still_counts(wire: Wire):
    wire.fill(MAX_BATCH + 1)
    wire.pusher.run_once()
    wire.ledger.end()
    wire.pusher.run_once()
    assert wire.parts.pending() == 0
    assert wire.pusher.run_once() == StepResult()


def test_a_call_in_a_thread_of_its_own_gives_its_outcome_and_its_error():
    begun, may_end = threading.Event(), threading.Event()

    def call(_: object) -> int:
        begun.set()
        assert may_end.wait(30)
        return 7

    def fails(_: object) -> int:
        raise ValueError

    wait = in_thread(call)
    assert begun.wait(30)
    may_end.set()
    assert wait() == 7
    with pytest.raises(ValueError, match=r"^$"):
        in_thread(fails)()


def test_nothing_else_goes_on_until_the_request_of_a_call_in_a_thread_has_left():
    order, may_end = [], threading.Event()

    def call(has_left: Callable[[], None]) -> None:
        sum(range(2_000_000))  # longer than a thread keeps the interpreter
        order.append("sent")
        has_left()
        assert may_end.wait(30)

    wait = in_thread(call, leaves_within_s=30)
    order.append("goes on")
    may_end.set()
    wait()
    assert order == ["sent", "goes on"]


def test_a_call_that_ends_before_its_request_has_left_holds_up_nothing():
    assert in_thread(lambda _: 7, leaves_within_s=30)() == 7
