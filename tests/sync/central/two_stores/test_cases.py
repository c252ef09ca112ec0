"""A case for staff names its patient and its matter. The complete row of each kind of case is stated here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sync.central.maintenance.backup import back_up
from sync.central.maintenance.housekeeping import close_days, correct_all_future_days
from sync.central.records.cases import DAY_ENDED, DUPLICATE_NUMBER, FORK, GAP, REVERSED, TWO_VISITS
from sync.ids import new_id
from sync.protocol import Code
from tests.sync.central.two_stores.acts import chained, intent_of, push, rewrite_last
from tests.sync.central.wire import DAY, Centre, Kiosk

NEXT_DAY = "2026-03-03"


@dataclass
class Ends:
    """A centre and two kiosks of it."""

    centre: Centre
    kiosk: Kiosk
    other: Kiosk
    directory: Path

    def value(self, sql: str, **parameters: object) -> Any:
        """The one value that a query finds."""
        (row,) = self.centre.rows(sql, **parameters)
        (found,) = row.values()
        return found

    def visit(self, patient_id: str) -> Any:
        return self.centre.journey(patient_id).visit_id

    def last_action(self, kiosk: Kiosk) -> Any:
        """The id of the last action in a kiosk's outbox."""
        with kiosk.store.read() as db:
            return db.execute("select action_id from outbox order by epoch desc, seq desc limit 1").fetchone()[0]


@pytest.fixture
def ends(centre: Centre, kiosk: Kiosk, other: Kiosk, tmp_path: Path) -> Ends:
    return Ends(centre, kiosk, other, tmp_path)


def kiosk_id(kiosk: Kiosk) -> str:
    assert kiosk.journeys.identity is not None
    return kiosk.journeys.identity.kiosk_id


def a_fork(ends: Ends) -> dict[str, Any]:
    ends.kiosk.tap("P1")
    ends.kiosk.sync()
    with ends.kiosk.store.write() as db:
        db.execute("update identity set last_hash = 'other'")
    ends.kiosk.tap("P2")
    ends.kiosk.push()
    return {
        "code": FORK,
        "kiosk_id": kiosk_id(ends.kiosk),
        "detail": {"epoch": 1, "new_epoch": 2, "last_seq": 1},
        "matter": FORK,
    }


def a_gap(ends: Ends) -> dict[str, Any]:
    ends.kiosk.tap("P1")
    ends.kiosk.tap("P2")
    with ends.kiosk.store.write() as db:
        db.execute("delete from outbox where seq = 1")
    ends.kiosk.push()
    return {
        "code": GAP,
        "kiosk_id": kiosk_id(ends.kiosk),
        "detail": {"epoch": 1, "new_epoch": 2, "last_seq": 0},
        "matter": GAP,
    }


def a_merge_of_two_visits(ends: Ends) -> dict[str, Any]:
    for kiosk, patient_id in ((ends.kiosk, "P1"), (ends.other, "P2")):
        kiosk.check_in(patient_id)
        kiosk.sync()
    kept, ended = ends.visit("P1"), ends.visit("P2")
    assert ends.centre.staff("call_patient", "P2").done
    assert ends.centre.merge("P1", "P2").done
    return {
        "code": TWO_VISITS,
        "patient_id": "P1",
        "visit_id": ended,
        "detail": {
            "visits": [kept, ended],
            "journey_states": ["WAITING", "CALLED"],
            "patient_ids": ["P1", "P2"],
        },
    }


def a_number_printed_twice(ends: Ends) -> dict[str, Any]:
    ends.kiosk.check_in("P1")
    ends.kiosk.sync()
    ends.kiosk.check_in("P2")
    with ends.kiosk.store.write() as db:
        rewrite_last(db, queue_number="A-001")
    ends.kiosk.sync()
    entries = [ends.centre.journey(patient_id).entries[0].queue_id for patient_id in ("P1", "P2")]
    return {
        "code": DUPLICATE_NUMBER,
        "kiosk_id": kiosk_id(ends.kiosk),
        "patient_id": "P2",
        "action_id": ends.last_action(ends.kiosk),
        "detail": {"queue_number": "A-001", "queue_ids": entries},
    }


def a_day_that_a_wrong_clock_ended(ends: Ends) -> dict[str, Any]:
    ends.kiosk.check_in("P1")
    ends.kiosk.sync()
    visit_id = ends.visit("P1")
    ends.centre.time.pass_minutes(24 * 60)
    close_days(ends.centre.parts, NEXT_DAY)
    ends.centre.time.pass_minutes(-24 * 60)
    correct_all_future_days(ends.centre.parts, DAY)
    return {
        "code": DAY_ENDED,
        "patient_id": "P1",
        "visit_id": visit_id,
        "detail": {"journey_state": "WAITING", "leg": 1, "site_day": DAY},
    }


def an_action_that_is_none(ends: Ends) -> dict[str, Any]:
    pushed = chained([{**msgspec.to_builtins(intent_of(ends.kiosk)), "leg": "one"}])
    push(ends.centre, ends.kiosk, pushed)
    return {
        "code": Code.QUARANTINED,
        "kiosk_id": kiosk_id(ends.kiosk),
        "action_id": intent_of(ends.kiosk).action_id,
        "detail": {"epoch": 1, "seq": 1, "hash": pushed[0].hash, "reason": "not an intent"},
        "matter": "not an intent",
    }


def an_action_that_waits(ends: Ends) -> dict[str, Any]:
    visit_id = new_id()
    push(ends.centre, ends.kiosk, chained([intent_of(ends.kiosk, action_type="register", visit_id=visit_id)]))
    shown = {"journey_state": "UNREGISTERED", "leg": 0, "site_day": DAY, "queue_number": "", "exam_id": ""}
    shown |= {"appointment_ids": []}
    known = {"patient_id": "P1", "journey_state": "UNREGISTERED", "leg": 0, "visit_id": None, "journey_version": 0}
    return {
        "code": Code.NOT_ALLOWED,
        "kiosk_id": kiosk_id(ends.kiosk),
        "patient_id": "P1",
        "action_id": intent_of(ends.kiosk).action_id,
        "visit_id": visit_id,
        "detail": {
            "action_type": "register",
            "happened_ms": ends.centre.time(),
            "time_quality": "measured",
            "conflict": ends.value("select conflict from verdicts"),
            "shown": {**shown, "base_version": 0, "patient_id": "P1", "visit_id": visit_id},
            "known": known,
        },
    }


def answers_that_differ(ends: Ends) -> dict[str, Any]:
    for kiosk, answers in ((ends.kiosk, {"fasting": "yes"}), (ends.other, {"fasting": "no"})):
        kiosk.tap("P1")
        kiosk.act("P1", "register", answers=answers)
    ends.kiosk.sync()
    ends.other.sync()
    return {
        "code": Code.ANSWERS_DIFFER,
        "kiosk_id": kiosk_id(ends.other),
        "patient_id": "P1",
        "action_id": ends.last_action(ends.other),
        "visit_id": ends.visit("P1"),
        "detail": {"said": {"answers": {"fasting": "no"}}, "said_before": {"answers": {"fasting": "yes"}}},
    }


def an_action_that_a_restored_centre_reverses(ends: Ends) -> dict[str, Any]:
    backup = ends.directory / "backup.db"
    back_up(ends.centre.store, backup)
    ends.kiosk.tap("P1")
    ends.kiosk.act("P1", "register")
    ends.kiosk.sync()
    ends.centre.restore(backup)
    ends.other.pull()
    ends.other.tap("P1")
    ends.other.sync()
    assert ends.centre.correct("P1", "REGISTERED").done
    ends.kiosk.pull()
    ends.kiosk.sync()
    return {
        "code": REVERSED,
        "kiosk_id": kiosk_id(ends.kiosk),
        "patient_id": "P1",
        "action_id": ends.last_action(ends.kiosk),
        "visit_id": ends.visit("P1"),
        "detail": {"action_type": "register", "conflict": 16},
    }


KINDS: tuple[Callable[[Ends], dict[str, Any]], ...] = (
    a_fork,
    a_gap,
    a_merge_of_two_visits,
    a_number_printed_twice,
    a_day_that_a_wrong_clock_ended,
    an_action_that_is_none,
    an_action_that_waits,
    answers_that_differ,
    an_action_that_a_restored_centre_reverses,
)
# Their other columns are those of a waiting action.
NAMED_IN_PART = (answers_that_differ, an_action_that_a_restored_centre_reverses)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_case_names_whom_and_what_it_is_about(ends: Ends, kind: Callable[[Ends], dict[str, Any]]):
    stated = kind(ends)
    (row,) = [row for row in ends.centre.rows("select * from exceptions") if row["code"] == stated["code"]]
    detail = msgspec.json.decode(str(row.pop("detail")))
    del row["exception_id"]
    if kind in NAMED_IN_PART:
        detail = {name: detail[name] for name in stated["detail"]}
    assert detail == stated.pop("detail")
    nobodys = {"kiosk_id": None, "patient_id": None, "action_id": None, "visit_id": None}
    unsettled = {"settled_ms": None, "settled_by": None, "settlement": None}
    once = {"opened_ms": ends.centre.time(), "last_ms": ends.centre.time(), "count": 1, "matter": None}
    assert row == nobodys | unsettled | once | stated


@pytest.mark.parametrize("kind", [a_fork, a_gap], ids=lambda kind: kind.__name__)
def test_a_new_epoch_of_a_chain_is_audited_as_the_kiosks(ends: Ends, kind: Callable[[Ends], dict[str, Any]]):
    stated = kind(ends)
    (row,) = ends.centre.rows("select * from audit where kind = :kind", kind=stated["code"])
    assert (row["who"], row["at_ms"]) == (stated["kiosk_id"], ends.centre.time())
    assert msgspec.json.decode(str(row["detail"])) == stated["detail"]
