"""A document that names every booking of a day: the others of that day are cancelled."""

from __future__ import annotations

import pytest

from sync.central.imports import take_complete_day
from sync.central.imports.outcomes import RowOutcome, TakenRow
from sync.central.maintenance.housekeeping import close_days
from sync.journey.model import STAFF
from tests.sync.central.centre import DAY, Centre, patient
from tests.sync.central.imports.test_take_booking import ANNA, BLOOD, NEXT_DAY, TO_WAITING, booking, cases, take

BEN = patient(2)


def day(centre: Centre, named: list[str], *, force: bool = False, check: bool = False, day: str = DAY) -> dict:
    return centre.do("import-day", day=day, named=named, force=force, check=check)


def all_but(centre: Centre, *left_out: str) -> list[str]:
    return [
        row["appointment_id"]
        for row in centre.rows("select appointment_id from appointments order by appointment_id")
        if row["appointment_id"] not in left_out
    ]


def cancelled(centre: Centre) -> list[str]:
    rows = centre.rows("select appointment_id from appointments where status = 'cancelled' order by appointment_id")
    return [row["appointment_id"] for row in rows]


def test_a_booking_that_is_left_out_is_cancelled_and_no_other(centre: Centre):
    take(centre, "later", patient_id=BEN, exam_id="blood", scheduled_at=f"{NEXT_DAY}T10:00")
    named = all_but(centre, BLOOD, "later")
    assert day(centre, named) == {"cancelled": 1, "refused": ""}
    assert cancelled(centre) == [BLOOD]
    assert day(centre, named) == {"cancelled": 0, "refused": ""}


def test_waiting_patients_wait_no_longer_and_called_ones_are_for_staff(centre: Centre):
    for each in (ANNA, BEN):
        centre.walk(each, *TO_WAITING)
    centre.act(BEN, "call_patient", STAFF)
    assert day(centre, all_but(centre, BLOOD, f"{DAY}-{BEN}-blood"))["cancelled"] == 2
    assert centre.state(ANNA)["journey_state"] == "COMPLETED"
    assert centre.state(BEN)["journey_state"] == "CALLED"
    assert [case["patient_id"] for case in cases(centre)] == [BEN]
    assert centre.do("check")["ok"]


def test_a_patient_who_missed_a_call_waits_no_longer_either(centre: Centre):
    centre.walk(ANNA, *TO_WAITING)
    centre.act(ANNA, "mark_no_show", STAFF)
    assert day(centre, all_but(centre, BLOOD))["cancelled"] == 1
    assert centre.state(ANNA)["journey_state"] == "COMPLETED"


def test_more_than_a_fifth_of_a_day_is_not_cancelled_without_force(centre: Centre):
    named = all_but(centre)[:25]  # of 32
    found = day(centre, named)
    assert found["cancelled"] == 0
    assert found["refused"].startswith(f"7 of 32 open bookings of {DAY} are not in the document")
    assert cancelled(centre) == []
    assert day(centre, all_but(centre)[:26])["cancelled"] == 6
    assert day(centre, [], force=True)["cancelled"] == 26


def test_others_come_between_the_portions_and_what_they_change_counts(centre: Centre, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(take_complete_day, "PORTION_S", 0)
    other = f"{DAY}-{BEN}-blood"
    seen: list[tuple[list[str], RowOutcome]] = []

    def move_the_other(_: object) -> None:
        if not seen:
            seen.append((cancelled(centre), take(centre, other, scheduled_at=f"{NEXT_DAY}T10:00")))

    with centre.store.news.listen(ANNA, move_the_other):
        assert day(centre, all_but(centre, BLOOD, other))["cancelled"] == 1
    assert seen == [([BLOOD], TakenRow(changed=True))]
    assert booking(centre, other)["status"] == "booked"


def test_a_check_counts_and_writes_nothing(centre: Centre):
    assert day(centre, all_but(centre, BLOOD), check=True) == {"cancelled": 1, "refused": ""}
    assert cancelled(centre) == []
    assert centre.rows("select kind from audit where kind = 'import-day'") == []


def test_a_day_that_has_ended_has_nothing_to_cancel(centre: Centre):
    centre.clock.set(NEXT_DAY, "09:00")
    assert day(centre, [], force=True) == {"cancelled": 0, "refused": ""}


@pytest.mark.parametrize("text", ["", "today", "2026-3-2", "20260302"])
def test_what_is_no_date_is_refused(centre: Centre, text: str):
    assert day(centre, [], day=text)["refused"]


def test_a_booking_that_is_named_again_stands_again(centre: Centre):
    day(centre, all_but(centre, BLOOD))
    take(centre, BLOOD)
    assert booking(centre)["status"] == "booked"


def test_a_booking_that_is_done_is_neither_cancelled_nor_counted(centre: Centre):
    centre.walk(ANNA, *TO_WAITING)
    for action in ("call_patient", "start_exam", "complete_exam"):
        centre.act(ANNA, action, STAFF)
    assert day(centre, all_but(centre, BLOOD)) == {"cancelled": 0, "refused": ""}
    assert booking(centre)["status"] == "completed"


def test_an_exam_that_went_on_overnight_is_none_of_the_new_days_bookings(centre: Centre):
    take(centre, "night", patient_id=ANNA, exam_id="sleep", scheduled_at=f"{DAY}T08:00")
    centre.walk(ANNA, *TO_WAITING)
    centre.clock.set(NEXT_DAY, "09:00")
    close_days(centre.parts, NEXT_DAY)
    assert day(centre, [], force=True, day=NEXT_DAY) == {"cancelled": 0, "refused": ""}
    centre.walk(ANNA, "call_patient", "start_exam", "complete_exam")
    assert booking(centre, "night")["status"] == "completed"
