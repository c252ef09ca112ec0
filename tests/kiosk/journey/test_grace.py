"""At a kiosk without a network: a patient comes some minutes before the day of the booking begins, or after its end."""

from __future__ import annotations

from msgspec.structs import replace

from sync.journey.model import Appointment, Journey, VisitId
from sync.protocol import Code, Verdict, VerdictRow
from tests.kiosk.journey.small_kiosk import NEXT_DAY, SmallKiosk, journey
from tests.kiosk.samples import TODAY, at, booking, row

STEPS = ("scan_nfc", "register", "confirm_arrival")


def near(time_of_day: str) -> Appointment:
    """A booking of the early morning. The day begins at four."""
    return replace(booking(2, "BLOOD"), scheduled_ms=at(time_of_day, NEXT_DAY), last_day=NEXT_DAY)


def unbooked() -> Journey:
    """The journey of a patient without a booking of today."""
    return replace(journey(2, "UNREGISTERED", 1), appointments=())


def set_clock(kiosk: SmallKiosk, time_of_day: str) -> None:
    kiosk.clock.forward(at(time_of_day, NEXT_DAY) - kiosk.clock().wall_ms)


def exams(kiosk: SmallKiosk) -> list[tuple[str, str]]:
    status = kiosk.journeys.patient_status("P2")
    assert status is not None
    return [(entry.exam_id, entry.state) for entry in status.journey.entries]


def test_a_booking_of_the_next_day_is_used_minutes_before_that_day(kiosk: SmallKiosk):
    kiosk.pull(row(2, journey=unbooked(), tomorrow=(near("04:05"),)))
    set_clock(kiosk, "03:50")
    assert kiosk.tap(2, *STEPS)[-1].site_day == TODAY
    assert exams(kiosk) == [("BLOOD", "waiting")]
    set_clock(kiosk, "04:10")
    assert exams(kiosk) == [("BLOOD", "waiting")]


def test_a_booking_of_the_next_day_is_out_of_reach_hours_before_that_day(kiosk: SmallKiosk):
    kiosk.pull(row(2, journey=unbooked(), tomorrow=(near("04:05"), near("06:30"))))
    set_clock(kiosk, "02:00")
    kiosk.tap(2, *STEPS)
    assert exams(kiosk) == [("DESK", "waiting")]


def test_a_booking_of_the_last_hours_is_used_after_the_end_of_its_day(kiosk: SmallKiosk):
    kiosk.pull(row(2, journey=replace(unbooked(), appointments=(near("03:50"),))))
    set_clock(kiosk, "04:10")
    assert kiosk.tap(2, *STEPS)[-1].site_day == NEXT_DAY
    assert exams(kiosk) == [("BLOOD", "waiting")]


def test_a_booking_from_before_the_last_hours_is_not(kiosk: SmallKiosk):
    gone = replace(near("01:30"), last_day=TODAY)
    kiosk.pull(row(2, journey=replace(unbooked(), appointments=(gone,))))
    set_clock(kiosk, "04:10")
    kiosk.tap(2, *STEPS)
    assert exams(kiosk) == [("DESK", "waiting")]


def test_what_a_page_said_of_a_day_is_not_added_to_a_newer_journey_of_that_day(kiosk: SmallKiosk):
    kiosk.pull(row(2, journey=unbooked(), tomorrow=(near("10:00"),)))
    set_clock(kiosk, "09:00")
    (tapped,) = kiosk.tap(2)
    visit = VisitId(tapped.visit_id)
    newer = replace(unbooked(), site_day=NEXT_DAY, state="ARRIVED", visit_id=visit, journey_version=9)
    kiosk.ledger.retire(
        [
            VerdictRow(
                action_id=tapped.action_id,
                seq=tapped.seq,
                verdict=Verdict.APPLIED,
                code=Code.OK,
                patient_id="P2",
                visit_id=visit,
                journey=newer,
            )
        ]
    )
    status = kiosk.journeys.patient_status("P2")
    assert status is not None
    assert status.journey.appointments == ()
