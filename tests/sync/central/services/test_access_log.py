"""The access log: one row for each look and its repeats, deleted after the time for which audit rows are kept."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from typing import Any

import pytest

from sync.central.maintenance.housekeeping import Housekeeping
from sync.central.maintenance.log_sealing import seal_log
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.looks import SAME_LOOK_MS
from sync.central.services.access_log import record
from sync.central.services.requester import Requester
from sync.central.services.told import told_of
from sync.clock import DAY_MS
from sync.journey.model import STAFF
from tests.sync.central.centre import Centre
from tests.sync.central.hearing import Hearing

PATIENTS = [f"P{number:02d}" for number in range(1, 21)]


def look(
    centre: Centre, patient_ids: list[str], at_ms: int, who: str = "staff:1", kind: str = "queue", address: str = "a"
) -> None:
    """A member of staff is told of patients, so many ms after the beginning."""
    told = told_of(None, AuditKind(f"look:{kind}"), patient_ids)
    record(replace(centre.parts, clock=lambda: at_ms), Requester(STAFF, who, "rest", address), told)


def looks(centre: Centre) -> list[dict[str, Any]]:
    rows = centre.rows(
        "select who, kind, patient_id, detail from audit where kind like 'look:%' order by at_ms, audit_id"
    )
    return [{**row, "detail": json.loads(row["detail"])} for row in rows]


def test_a_look_at_many_is_one_row_and_its_repeats_are_none(centre: Centre):
    for second in range(0, 595, 5):
        look(centre, PATIENTS, second * 1000)
    detail = {"from": "a", "channel": "rest", "patient_ids": PATIENTS}
    assert looks(centre) == [{"who": "staff:1", "kind": "look:queue", "patient_id": None, "detail": detail}]


def test_who_came_since_is_noted_and_after_a_while_everybody_is_again(centre: Centre):
    look(centre, PATIENTS[:3], 0)
    look(centre, PATIENTS[:4], 5_000)
    look(centre, PATIENTS[:3], SAME_LOOK_MS)
    assert [(row["patient_id"], row["detail"].get("patient_ids")) for row in looks(centre)] == [
        (None, PATIENTS[:3]),
        (PATIENTS[3], None),
        (None, PATIENTS[:3]),
    ]


@pytest.mark.parametrize("other", [("staff:2", "queue", "a"), ("staff:1", "history", "a"), ("staff:1", "queue", "b")])
def test_another_bearer_another_kind_and_another_place_are_looks_of_their_own(centre: Centre, other):
    for eye in (("staff:1", "queue", "a"), other, ("staff:1", "queue", "a"), other):
        look(centre, PATIENTS[:1], 0, *eye)
    noted = sorted((row["who"], row["kind"]) for row in looks(centre))
    assert noted == sorted([("staff:1", "look:queue"), (other[0], f"look:{other[1]}")])


def test_a_look_that_could_not_be_noted_is_noted_when_it_comes_again(centre: Centre):
    with centre.store.write() as db:
        db.execute("alter table audit rename to hidden")
    with pytest.raises(sqlite3.Error, match="audit"):
        look(centre, PATIENTS, 0)
    with centre.store.write() as db:
        db.execute("alter table hidden rename to audit")
    look(centre, PATIENTS, 0)
    assert len(looks(centre)) == 1


def test_the_memory_of_looks_holds_those_of_twenty_minutes_at_most(centre: Centre):
    for minute in range(120):
        look(centre, [f"P{minute}"], minute * 60_000, who=f"staff:{minute % 7}")
        assert centre.parts.looks.size() <= 20
    assert len(looks(centre)) == 120


def add(centre: Centre, kind: str, at_ms: int) -> None:
    """A row of one time, in a block of its own that was sealed then."""
    with centre.store.write() as db:
        note(db, "staff:1", kind, at_ms)
    seal_log(replace(centre.parts, clock=lambda: at_ms), at_once=True)


def test_the_background_forgets_as_it_is_told(centre: Centre):
    add(centre, "old", centre.clock() - 8 * DAY_MS)
    background = Housekeeping(centre.parts, tick_s=0.01, audit_days=7)
    centre.clock.now_ms += DAY_MS  # so that the day's end changes something
    with centre.store.read() as db:
        before = db.latest_change()
    hearing = Hearing(centre.store.news)
    background.start()
    assert hearing.wait(before, timeout_s=30)
    background.stop()
    assert centre.rows("select 1 from audit where kind = 'old'") == []
