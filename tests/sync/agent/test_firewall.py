"""A firewall between kiosk and centre that dislikes one patient's bodies, in real HTTP and in the agent's own time.

The time of both ends moves by what the agent would wait: its longest backoff, and ten seconds for a call without an
answer.
"""

from __future__ import annotations

import base64
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from kiosk.appliance.status import status
from kiosk.store import outbox
from kiosk.store.outbox import OutboxRow
from kiosk.store.sqlite import Store
from sync.agent.client import READ_S, Accepted, CentralClient
from sync.agent.cycle import PULL, PUSH, SAFETY_TIMER_S, Agent
from sync.agent.driver import pause_s
from sync.agent.lookup import Lookups
from sync.agent.poison import TRIAL_EVERY_MS
from sync.agent.steps import LONG_POLL_S, StepResult
from sync.central.kiosks.take_in import take_in
from sync.central.maintenance.health import STUCK_AFTER_MS, UNANSWERED_AFTER_MS, check
from sync.central.operations.catalog import operations
from sync.ids import new_id
from sync.journey.model import PatientId
from sync.protocol import EnrolRequest, PushRequest
from sync.set_aside import read_lines
from tests.kiosk.parts import KioskParts
from tests.middlebox import RESET, Middlebox, Outcome, Request, Response
from tests.protocol.subjects import Site, site_clock
from tests.sync.central.wire import cards_of

ISOLATED_WITHIN_S = 120.0
SHORT_S = 0.3  # the real time of a call without an answer
OTHERS = 21


class Longest(random.Random):
    """The backoff at its longest."""

    def uniform(self, a: float, b: float) -> float:
        return max(a, b)


@dataclass
class Hospital:
    """A kiosk and its centre with a middlebox between them."""

    site: Site
    box: Middlebox
    parts: KioskParts
    agent: Agent
    kiosk_id: str
    gives_up_early: threading.Event

    def __post_init__(self) -> None:
        self.ledger, self._started_ms = self.parts.ledger, self.site.centre.time()
        self._due_ms = {PUSH: self._started_ms, PULL: self._started_ms}
        self._failures = {PUSH: 0, PULL: 0}
        self._idle_s = {PUSH: SAFETY_TIMER_S, PULL: LONG_POLL_S}
        self.reasons: set[str] = set()
        self.dropped = 0  # calls without any answer

    def check_in_everybody(self) -> None:
        """P1 checks in among others: 24 actions, of which P1's are in the middle."""
        for number in range(OTHERS):
            if number == OTHERS // 2:
                self.check_in("P1")
            name = PatientId(f"card-{new_id()}")
            self.parts.journeys.check_in_unknown(name, cards_of(f"x-{number}"), "scan_nfc", None)

    def check_in(self, patient_id: str) -> None:
        done = self.parts.journeys.tap(cards_of(patient_id), ("scan_nfc",))
        assert done is not None
        for action_type in ("register", "confirm_arrival"):
            assert self.parts.journeys.act(done.patient_id, action_type, None, {}).action_ids

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> float:
        """Lets that time of the agent pass. Returns the seconds that it took until `until` was true."""
        time = self.site.centre.time
        begin_ms = time()
        while time() < begin_ms + seconds * 1000 and not until():
            name = min(self._due_ms, key=lambda each: self._due_ms[each])
            time.now_ms = max(time(), self._due_ms[name])
            self._step(name)
        return (time() - begin_ms) / 1000

    def _step(self, name: str) -> None:
        time = self.site.centre.time
        before = self.dropped
        result: StepResult = self.agent.step(name)
        time.now_ms += int(READ_S * 1000) * (self.dropped - before)
        self._failures[name] = self._failures[name] + 1 if result.failed else 0
        wait_s = pause_s(result, self._failures[name], self._idle_s[name], Longest())
        self._due_ms[name] = time() + int(wait_s * 1000) + 1
        self.reasons.add(self.agent.reason)

    def rows(self) -> list[OutboxRow]:
        with self.parts.store.read() as db:
            return outbox.rows(db)

    def waiting(self) -> list[OutboxRow]:
        return [row for row in self.rows() if row.status == "pending"]

    def others_wait(self) -> int:
        return sum(row.patient_id != "P1" for row in self.waiting())

    def kiosk_faults(self) -> list[str]:
        with self.parts.store.read() as db:
            report = status(db, running=True, online=self.agent.online, reason=self.agent.reason, readers=(), faults=())
        assert msgspec.json.encode(report)
        return list(report["faults"])

    def health(self) -> tuple[bool, list[tuple[str, int, int]]]:
        """Whether all is well at the centre, and its stuck kiosks: id, waiting, refused."""
        with self.site.centre.store.read() as db:
            found = check(db, self.site.centre.definitions)
        return found.ok, [(each.kiosk_id, each.waiting, each.parked) for each in found.stuck_kiosks]

    def unanswered(self) -> list[str]:
        """The kiosks of which the centre knows that they get no answer to their pulls."""
        with self.site.centre.store.read() as db:
            return [each.kiosk_id for each in check(db, self.site.centre.definitions).unanswered_kiosks]

    def listed(self) -> dict[str, object] | None:
        """The backlog of the kiosk in the list of kiosks."""
        listed = operations(self.site.centre.parts)["kiosks"]({})
        (kiosk,) = [each for each in listed if each["kiosk_id"] == self.kiosk_id]
        return kiosk["backlog"]


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    site = Site(tmp_path / "centre.db")
    gives_up_early = threading.Event()
    with Middlebox(site.url) as box:
        first = CentralClient(box.url)
        made = first.enrol(EnrolRequest(code=site.code()))
        first.close()
        assert isinstance(made, Accepted), made
        store = Store(tmp_path / "kiosk.db")
        parts = KioskParts(store, site_clock(site))
        parts.ledger.enrol(made.answer)
        token = made.answer.token

        def connect() -> CentralClient:
            return CentralClient(box.url, token, deadline_s=SHORT_S if gives_up_early.is_set() else READ_S)

        agent = Agent(
            parts.ledger, connect, lambda _: None, Longest(), wait_s=0.0, monotonic=lambda: site.centre.time() / 1000
        )
        yield Hospital(site, box, parts, agent, made.answer.kiosk_id, gives_up_early)
        agent.stop()
        store.close()
    site.close()


def readable(request: Request) -> bool:
    """Whether a request names the patient P1 in the clear."""
    return b'"patient_id":"P1"' in request.body


def in_any_form(request: Request) -> bool:
    """Whether a request names the patient P1, in Base64 too."""
    if readable(request):
        return True
    if not request.path.endswith("/push"):
        return False
    push = msgspec.json.decode(request.body, type=PushRequest)
    pushed = [*push.actions, *([push.trial] if push.trial else [])]
    return any(b'"patient_id":"P1"' in base64.b64decode(each.opaque.body) for each in pushed if each.opaque)


PAGE = Response(200, (("Content-Type", "text/html"),), b"<html>Your request was blocked</html>")
WAYS: dict[str, Outcome] = {"403": 403, "406": 406, "500": 500, "a reset": RESET, "a page": PAGE}


@pytest.mark.parametrize("how", WAYS.values(), ids=WAYS.keys())
def test_a_body_that_the_firewall_refuses_goes_unread_and_the_rest_flows(hospital: Hospital, how: Outcome):
    hospital.run(5)
    hospital.check_in_everybody()
    hospital.box.block(readable, how)
    took_s = hospital.run(ISOLATED_WITHIN_S, until=lambda: not hospital.waiting())
    assert not hospital.waiting(), hospital.reasons
    assert took_s < ISOLATED_WITHIN_S
    assert {row.status for row in hospital.rows() if row.patient_id == "P1"} == {"applied"}
    assert hospital.site.centre.journey("P1").state == "WAITING"
    assert hospital.site.centre.open_cases() == ["unknown_card"] * OTHERS


def test_an_action_that_goes_unread_on_a_chain_that_has_forked_is_judged_like_any_other(hospital: Hospital):
    """Its hash does not follow, as that of a damaged record. The kiosk can read it: so the chain is another one."""
    hospital.run(5)
    hospital.check_in("P1")
    with hospital.parts.store.write() as db:
        db.execute("update outbox set hash = 'of a disk that was set back' where seq = 1")
    hospital.box.block(readable, 403)
    hospital.run(ISOLATED_WITHIN_S, until=lambda: not hospital.waiting())
    assert [row.status for row in hospital.rows()] == ["applied"] * 3
    assert hospital.site.centre.journey("P1").state == "WAITING"
    assert hospital.site.centre.open_cases() == ["fork"]


@pytest.mark.parametrize("how", WAYS.values(), ids=WAYS.keys())
def test_where_no_form_of_a_body_passes_the_rest_flows_within_two_minutes_and_both_ends_name_it(
    hospital: Hospital, how: Outcome
):
    hospital.run(5)
    hospital.check_in_everybody()
    hospital.box.block(in_any_form, how)
    assert hospital.run(ISOLATED_WITHIN_S, until=lambda: not hospital.others_wait()) < ISOLATED_WITHIN_S
    assert [row.patient_id for row in hospital.waiting()] == ["P1"] * 3
    assert any("does not let an action pass" in reason for reason in hospital.reasons)
    (fault,) = hospital.kiosk_faults()
    assert fault.startswith("the centre's network refuses 3 actions, the first of them ")
    assert hospital.waiting()[0].action_id in fault
    assert "P1" not in fault
    hospital.run(60)
    assert hospital.health() == (False, [(hospital.kiosk_id, 3, 3)])
    listed = hospital.listed()
    assert listed is not None
    assert (listed["waiting"], listed["parked"]) == (3, 3)
    assert hospital.agent.online


def test_the_same_where_the_firewall_drops_the_body_in_silence(hospital: Hospital):
    hospital.run(5)
    hospital.check_in_everybody()
    end = threading.Event()

    def holds(request: Request) -> bool:
        if not in_any_form(request):
            return False
        hospital.dropped += 1
        return end.wait(READ_S) or True

    hospital.box.block(holds, RESET)
    hospital.agent.stop()
    hospital.gives_up_early.set()
    hospital.agent = Agent(
        hospital.ledger,
        hospital.agent._connect,
        lambda _: None,
        Longest(),
        wait_s=0.0,
        monotonic=lambda: hospital.site.centre.time() / 1000,
    )
    took_s = hospital.run(ISOLATED_WITHIN_S, until=lambda: not hospital.others_wait())
    end.set()
    assert hospital.dropped > 5
    assert took_s < ISOLATED_WITHIN_S
    assert [row.patient_id for row in hospital.waiting()] == ["P1"] * 3


def park(hospital: Hospital) -> None:
    """P1's actions are parked, and all others are judged."""
    hospital.run(5)
    hospital.check_in_everybody()
    hospital.box.block(in_any_form, 403)
    hospital.run(ISOLATED_WITHIN_S, until=lambda: not hospital.others_wait())
    assert [row.parked_ms is not None for row in hospital.waiting()] == [True] * 3


def test_parked_actions_arrive_by_themselves_and_once_when_the_firewall_is_mended(hospital: Hospital):
    park(hospital)
    hospital.run(2 * TRIAL_EVERY_MS / 1000)
    assert len(hospital.waiting()) == 3, "the firewall still refuses them"
    hospital.box.let_pass()
    hospital.run(TRIAL_EVERY_MS / 1000 + 60, until=lambda: not hospital.waiting())
    assert {row.status for row in hospital.rows() if row.patient_id == "P1"} == {"applied"}
    moved = hospital.site.centre.rows("select action_id from transitions where patient_id = 'P1'")
    assert len({row["action_id"] for row in moved}) == len(moved) == 3
    hospital.run(60)
    assert hospital.kiosk_faults() == []
    assert hospital.listed() is None
    assert hospital.health() == (True, [])


def test_parked_actions_arrive_soon_where_what_refused_them_refused_pulls_as_well(hospital: Hospital):
    hospital.run(60)
    kept: dict[str, Response] = {}
    hospital.box.rewrite(lambda request, answer: kept.setdefault(request.path, answer))
    hospital.check_in("P1")
    hospital.run(60)
    name = PatientId(f"card-{new_id()}")
    hospital.parts.journeys.check_in_unknown(name, cards_of("x-1"), "scan_nfc", None)
    hospital.run(TRIAL_EVERY_MS / 1000 / 3)
    assert hospital.kiosk_faults()
    assert any(reason.startswith("stale: ") for reason in hospital.reasons)
    hospital.box.let_pass()
    took_s = hospital.run(TRIAL_EVERY_MS / 1000, until=lambda: not hospital.waiting())
    assert took_s <= ISOLATED_WITHIN_S
    assert [row.parked_ms for row in hospital.rows()] == [None] * 4


def test_later_actions_of_a_parked_patient_wait_behind_them_and_others_go_on(hospital: Hospital):
    park(hospital)
    assert hospital.parts.journeys.act(PatientId("P2"), "scan_nfc", None, {}).action_ids
    assert hospital.parts.journeys.tap(cards_of("P1"), ("scan_nfc",)) is not None
    epoch = hospital.parts.journeys.identity.epoch
    hospital.run(60)
    assert {row.patient_id for row in hospital.waiting()} == {"P1"}
    assert hospital.parts.journeys.identity.epoch == epoch, "they leave no further gap"


def test_an_action_that_was_set_aside_and_taken_in_waits_no_longer(hospital: Hospital, tmp_path: Path):
    park(hospital)
    file = tmp_path / "aside"
    ids = [row.action_id for row in hospital.waiting()]
    assert hospital.ledger.set_aside(file, ids[:1])
    contents = read_lines(file.read_bytes().splitlines())
    assert [each.action_id for each in contents.actions] == ids[:1]
    centre = hospital.site.centre
    with centre.store.write() as db:
        (verdict,) = take_in(db, centre.parts, contents.actions)
    assert verdict.verdict == "applied"
    hospital.run(60)
    assert [row.action_id for row in hospital.waiting()] == ids[1:]
    assert centre.journey("P1").state == "ARRIVED"
    hospital.box.let_pass()
    hospital.run(TRIAL_EVERY_MS / 1000 + 60, until=lambda: not hospital.waiting())
    assert [row.status for row in hospital.rows() if row.patient_id == "P1"] == ["applied"] * 3


def test_where_nothing_passes_it_is_the_network_and_nothing_is_isolated(hospital: Hospital):
    hospital.run(5)
    hospital.check_in_everybody()
    hospital.box.block(lambda _: True, 403)
    hospital.run(30 * 60)
    assert len(hospital.waiting()) == OTHERS + 3
    assert not any(row.parked_ms for row in hospital.rows())
    assert not hospital.agent.online
    hospital.box.let_pass()
    hospital.run(180, until=lambda: not hospital.waiting())
    assert hospital.site.centre.open_cases() == ["unknown_card"] * OTHERS


def test_a_kiosk_that_pulls_while_no_push_passes_is_found_by_the_check(hospital: Hospital):
    hospital.run(5)
    hospital.check_in("P1")
    hospital.box.block(lambda request: request.path.endswith("/push"), 403)
    hospital.run(60)
    assert hospital.health() == (True, []), "a minute is no fault"
    hospital.run(STUCK_AFTER_MS / 1000 + 60)
    assert hospital.health() == (False, [(hospital.kiosk_id, 3, 0)])
    hospital.box.let_pass()
    hospital.run(180, until=lambda: hospital.listed() is None)
    assert hospital.health() == (True, [])


# Answers.


def refusing_answers(*words: bytes) -> Callable[[Request, Response], Response]:
    """A filter that refuses each answer with one of these words in it."""

    def change(_: Request, answer: Response) -> Response:
        return Response(403, (), b"blocked") if any(word in answer.body for word in words) else answer

    return change


def test_a_page_with_a_row_that_a_filter_dislikes_arrives_sealed(hospital: Hospital):
    hospital.run(60)
    hospital.box.rewrite(refusing_answers(b'"patient_id":"P1"'))
    assert hospital.site.centre.staff("scan_nfc", "P1").done

    def knows() -> bool:
        found = hospital.parts.journeys.patient_status(PatientId("P1"))
        return found is not None and found.journey.state == "ARRIVED"

    assert hospital.run(ISOLATED_WITHIN_S, until=knows) < ISOLATED_WITHIN_S
    hospital.run(60)
    assert hospital.agent.reason == ""


def test_where_a_page_passes_in_no_form_the_kiosk_names_it_and_pushes_on(hospital: Hospital):
    hospital.run(60)
    hospital.box.rewrite(refusing_answers(b'"patients":', b'"sealed":'))
    hospital.check_in("P1")
    hospital.run(120)
    assert not hospital.waiting()
    assert "403" in hospital.agent.reason
    assert hospital.unanswered() == []
    hospital.run(2 * UNANSWERED_AFTER_MS / 1000)
    assert hospital.unanswered() == [hospital.kiosk_id]
    hospital.box.let_pass()
    hospital.run(180, until=lambda: not hospital.unanswered())
    assert hospital.health() == (True, [])


def test_a_kiosk_whose_pulls_are_refused_while_it_pushes_is_found_by_the_check(hospital: Hospital):
    hospital.run(60)
    hospital.box.block(lambda request: request.path.endswith("/pull"), RESET)
    for number in range(2 * UNANSWERED_AFTER_MS // 60_000):
        name = PatientId(f"card-{new_id()}")
        hospital.parts.journeys.check_in_unknown(name, cards_of(f"x-{number}"), "scan_nfc", None)
        hospital.run(60)
    assert hospital.unanswered() == [hospital.kiosk_id]
    hospital.box.let_pass()
    hospital.run(180, until=lambda: not hospital.unanswered())
    assert hospital.health() == (True, [])


def test_a_look_up_and_an_enrolment_pass_a_filter_that_reads_their_answers(hospital: Hospital):
    hospital.run(5)
    hospital.box.rewrite(refusing_answers(b'"patient_id":"P3"', b'"card_keys"'))
    lookups = Lookups(hospital.ledger, hospital.agent._connect, lambda *_: None)
    assert lookups.run_once(cards_of("P3"))
    assert hospital.parts.patient_of_card(cards_of("P3")) == "P3"
    client = CentralClient(hospital.box.url)
    made = client.enrol(EnrolRequest(code=hospital.site.code(), sealed=True))
    client.close()
    assert isinstance(made, Accepted)
