"""The kiosk's ledger: verdicts in portions, restores of the centre, enrolments and epochs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from kiosk.journey.portion import PORTION_MS, VERDICTS_AT_FIRST
from kiosk.journey.this_kiosk import NotEnrolled
from kiosk.store.sqlite import Store
from sync.clock import ClockReading
from sync.journey.model import PatientId, VisitId
from sync.protocol import Code, Intent, Verdict, VerdictRow, chain_hash
from tests.kiosk import samples
from tests.kiosk.journey.small_kiosk import SmallKiosk, journey
from tests.kiosk.parts import KioskParts
from tests.kiosk.samples import GRANTS, SITE, TODAY, Clock, cards, enrolment, page, row

PEOPLE = 3 * VERDICTS_AT_FIRST + 3


class SlowClock(Clock):
    """A clock that goes on with each look at it."""

    tick_ms = 0

    def __call__(self) -> ClockReading:
        self.forward(self.tick_ms)
        return self.reading


# Verdicts.


def pending(parts: KioskParts) -> list[VerdictRow]:
    """Taps all cards. Returns a verdict for each action."""
    for number in range(PEOPLE):
        parts.journeys.tap(samples.cards(number), ("scan_nfc",))
    with parts.store.read() as db:
        rows = db.execute("select action_id, seq, patient_id from outbox order by seq").fetchall()
    return [VerdictRow(**dict(row), verdict=Verdict.APPLIED, code=Code.OK) for row in rows]


def test_a_batch_of_verdicts_is_several_transactions(tmp_path: Path):
    parts = samples.enrolled(tmp_path, samples.Clock(), *(samples.row(n) for n in range(PEOPLE)))
    verdicts, statements = pending(parts), list[str]()
    with parts.store.read() as db:
        db.set_trace_callback(statements.append)
    touched = parts.ledger.retire(verdicts, backed_up_seq=PEOPLE)
    with parts.store.read() as db:
        db.set_trace_callback(None)
    assert statements.count("commit") == 3
    assert touched == {f"P{number}" for number in range(PEOPLE)}
    assert parts.pending() == 0
    assert parts.kiosk.identity is not None
    parts.store.close()


def test_a_transaction_takes_no_more_verdicts_than_the_disk_has_written_in_time(tmp_path: Path):
    slow = SlowClock()
    parts = samples.enrolled(tmp_path, slow, *(samples.row(n) for n in range(PEOPLE)))
    verdicts, statements = pending(parts), list[str]()
    slow.tick_ms = PORTION_MS
    with parts.store.read() as db:
        db.set_trace_callback(statements.append)
    parts.ledger.retire(verdicts)
    with parts.store.read() as db:
        db.set_trace_callback(None)
    assert statements.count("commit") == 4
    parts.store.close()


def test_what_was_settled_before_it_failed_stays_settled_and_the_rest_stays_pending(tmp_path: Path):
    parts = samples.enrolled(tmp_path, samples.Clock(), *(samples.row(n) for n in range(PEOPLE)))
    verdicts = pending(parts)
    broken = [*verdicts[: VERDICTS_AT_FIRST + 1], object(), *verdicts[VERDICTS_AT_FIRST + 1 :]]
    with pytest.raises(AttributeError):
        parts.ledger.retire(broken)  # type: ignore[arg-type]
    assert parts.pending() == PEOPLE - VERDICTS_AT_FIRST
    parts.ledger.retire(verdicts)
    assert parts.pending() == 0
    parts.store.close()


def test_an_answer_without_verdicts_still_tells_how_far_backups_reach(tmp_path: Path):
    parts = samples.enrolled(tmp_path, samples.Clock())
    assert parts.ledger.retire([], backed_up_seq=7) == frozenset()
    with parts.store.read() as db:
        assert db.execute("select backed_up_seq from identity").fetchone()[0] == 7
    parts.store.close()


def test_verdicts_of_a_centre_that_was_restored_since_are_worth_nothing(kiosk: SmallKiosk):
    (scan,) = kiosk.tap(1)
    verdict = kiosk.judge(scan, journey(1, "ARRIVED", 4))
    assert kiosk.ledger.retire([verdict], 1, incarnations=("older", "old")) == frozenset()
    assert (kiosk.parts.pending(), kiosk.one("select backed_up_seq from identity")) == (1, 0)
    assert kiosk.ledger.retire([verdict], 1, incarnations=("one", "two")) == {"P1"}
    assert kiosk.one("select backed_up_seq from identity") == 1


def test_how_far_backups_reach_in_another_epoch_says_nothing_of_this_one(kiosk: SmallKiosk):
    kiosk.ledger.retire([], 5, epoch=9)
    assert kiosk.one("select backed_up_seq from identity") == 0


# A centre restored from a backup.


def test_a_centre_that_has_less_than_it_answered_for_is_told_everything_again(kiosk: SmallKiosk):
    (scan,) = kiosk.tap(1)
    kiosk.ledger.retire([kiosk.judge(scan, journey(1, "ARRIVED", 1))], epoch=1)
    asked = {"epoch": 1, "answered_seq": kiosk.ledger.answered_seq()}
    assert asked["answered_seq"] == 1
    changed = kiosk.ledger.adopt(page(from_cursor=1, cursor=2, last_seq=0, epoch=1), **asked)
    assert (changed, kiosk.parts.pending(), kiosk.cursor) == ({"P1"}, 1, 0)
    assert kiosk.state("P1") == "ARRIVED"
    assert kiosk.ledger.answered_seq() == 0, "the loss is reported once"


def test_a_verdict_that_comes_with_a_page_says_nothing_of_how_far_the_chain_has_come(kiosk: SmallKiosk):
    (scan,) = kiosk.tap(1)
    kiosk.pull(verdicts=(kiosk.judge(scan, revision=1),), last_seq=0, epoch=1)
    assert kiosk.ledger.answered_seq() == 0
    page_after = page(from_cursor=2, cursor=3, last_seq=0, epoch=1)
    kiosk.ledger.adopt(page_after, epoch=1, answered_seq=kiosk.ledger.answered_seq())
    assert (kiosk.parts.pending(), kiosk.cursor) == (0, 3)


def test_after_a_restore_everything_waits_for_its_verdict_again(kiosk: SmallKiosk):
    first, second = kiosk.tap(1)[0], kiosk.tap(2)[0]
    kiosk.ledger.retire(
        [
            kiosk.judge(first, journey(1, "ARRIVED", 1, visit_id=VisitId(first.visit_id))),
            kiosk.judge(second, journey(2, "ARRIVED", 1, visit_id=VisitId(second.visit_id))),
        ],
        backed_up_seq=1,
    )
    assert kiosk.parts.pending() == 0
    kiosk.ledger.adopt(page(row(1), row(2), cursor=3, reset=True, server_incarnation="two", asked_cursor=1))
    assert kiosk.parts.pending() == 2
    # The centre has lost both visits. The screens show them, since their actions are pending again.
    assert (kiosk.state("P1"), kiosk.state("P2")) == ("ARRIVED", "ARRIVED")
    again = [msgspec.json.decode(p.body, type=Intent).action_id for p in kiosk.ledger.batch(9, None)]
    assert again == [first.action_id, second.action_id]
    assert kiosk.ledger.retire([kiosk.judge(second, journey(2, "ARRIVED", 1))]) == {"P2"}


# Enrolment and epochs.


def test_a_box_becomes_a_kiosk(tmp_path: Path):
    store = Store(tmp_path / "kiosk.db")
    parts = KioskParts(store, Clock())
    parts.ledger.enrol(enrolment())
    identity = parts.kiosk.identity
    assert identity is not None
    assert (identity.kiosk_id, identity.epoch, identity.cursor) == ("kiosk-1", 1, 0)
    assert parts.today == TODAY
    assert parts.ledger.batch(10, None) == []
    store.close()


def test_a_page_before_the_enrolment_is_refused(tmp_path: Path):
    store = Store(tmp_path / "kiosk.db")
    with pytest.raises(NotEnrolled):
        KioskParts(store, Clock()).ledger.adopt(page(row(1)))
    store.close()


def test_after_another_enrolment_pending_actions_go_on_under_the_new_name_and_the_roster_is_pulled_again(
    kiosk: SmallKiosk,
):
    done, pending = kiosk.tap(1)[0], kiosk.tap(2)[0]
    kiosk.ledger.retire([kiosk.judge(done)])
    kiosk.journeys.check_in_unknown(PatientId("card-9"), cards(9), "scan_nfc", None)
    kiosk.ledger.enrol(enrolment(kiosk_id="kiosk-2", epoch=4, ticket_prefix="C"))
    assert kiosk.knows() == {"card-9"}
    batch = kiosk.ledger.batch(10, None)
    bodies = [msgspec.json.decode(p.body, type=Intent) for p in batch]
    assert [(b.kiosk_id, b.epoch, b.seq) for b in bodies] == [("kiosk-2", 4, 1), ("kiosk-2", 4, 2)]
    assert bodies[0].action_id == pending.action_id
    assert batch[0].hash == chain_hash("", bytes(batch[0].body))
    assert kiosk.one("select count(*) from outbox where status = 'pending'") == 2
    assert kiosk.one("select epoch from outbox where status <> 'pending'") == 0, "in front of the new epochs"
    kiosk.ledger.adopt(page(row(2), row(3)))
    assert kiosk.state("P2") == "ARRIVED"
    assert kiosk.tap(3, *GRANTS)[-1].queue_number == "C-001"


@pytest.mark.parametrize(
    "changes",
    [
        {"definitions": {"version": 1}},
        {"definitions": {}},
        {"site": msgspec.structs.replace(SITE, timezone="nowhere")},
        {"site": msgspec.structs.replace(SITE, day_starts_at="4")},
    ],
)
def test_an_enrolment_that_cannot_be_used_changes_nothing(kiosk: SmallKiosk, changes: dict[str, Any]):
    kiosk.tap(1)
    with pytest.raises((ValueError, KeyError)):
        kiosk.ledger.enrol(enrolment(kiosk_id="kiosk-2", **changes))
    assert kiosk.journeys.identity is not None
    assert kiosk.journeys.identity.kiosk_id == "kiosk-1"
    assert kiosk.one("select kiosk_id from identity") == "kiosk-1"
    assert kiosk.state("P1") == "ARRIVED"


def test_under_a_new_epoch_taps_go_on_where_the_renumbered_ones_end(kiosk: SmallKiosk):
    kiosk.tap(1, "scan_nfc", "register")
    kiosk.ledger.start_epoch(7)
    assert kiosk.journeys.identity is not None
    assert kiosk.journeys.identity.epoch == 7
    (scan,) = kiosk.tap(2)
    assert (scan.epoch, scan.seq) == (7, 3)
    previous = ""
    for pushed in kiosk.ledger.batch(10, None):
        previous = chain_hash(previous, bytes(pushed.body))
        assert pushed.hash == previous
    assert kiosk.one("select detail from audit where kind = 'epoch'") == "epoch 7, 2 pending"


def test_what_waits_again_beside_a_parked_action_is_shown_as_done_again(kiosk: SmallKiosk):
    (held_up,), (judged,) = kiosk.tap(2), kiosk.tap(1)
    kiosk.ledger.retire([kiosk.judge(judged, journey(1, "UNREGISTERED", 5), verdict=Verdict.SUPERSEDED)])
    assert kiosk.state("P1") == "UNREGISTERED"
    kiosk.ledger.park(held_up.action_id, held_up.epoch)
    assert kiosk.state("P1") == "ARRIVED"
