"""The screen as JSON: the field names are those of the centre's API."""

from __future__ import annotations

import json

import msgspec

from kiosk.front.screen import (
    Booking,
    CentralView,
    JourneyView,
    KioskView,
    PatientView,
    QueueLine,
    Screen,
    ScreenKind,
)
from sync.words.situation import Entry, Situation
from sync.words.table import say

LINE = QueueLine("q-1", "XRAY", "영상 촬영", "waiting", "B-001", "3", 2, 20)
SCREEN = Screen(
    frame=7,
    screen=ScreenKind.JOURNEY,
    kiosk=KioskView("kiosk-1", "본관 입구"),
    central=CentralView(True, "2026-03-02T09:00:00+09:00"),
    languages=("ko", "en"),
    patient=PatientView("P1", "홍*동", "ko"),
    journey=JourneyView(
        "WAITING",
        (LINE,),
        (Booking("A-1", "XRAY", "영상 촬영", "3", "2026-03-02T10:00:00+09:00", "waiting"),),
        ("confirm_arrival",),
        "2026-03-02T09:00:00+09:00",
    ),
    next_action=None,
    ticket=LINE,
    said=say(Situation("WAITING", Entry("waiting", "B-001", "영상 촬영", "3"))),
)


def test_a_journey_has_the_field_names_of_the_centres_public_interface():
    fields = json.loads(msgspec.json.encode(SCREEN))["journey"]
    assert set(fields) == {"journey_state", "queue_details", "appointments", "available_actions", "timestamp"}
    assert {"queue_id", "exam_id", "exam_name", "state", "queue_number", "estimated_wait_time"} <= set(
        fields["queue_details"][0]
    )
    assert {"appointment_id", "exam_id", "exam_name", "scheduled_at", "status"} <= set(fields["appointments"][0])


def test_a_screen_comes_out_of_the_wire_as_it_went_in():
    assert msgspec.json.decode(msgspec.json.encode(SCREEN), type=Screen) == SCREEN


def test_no_screen_has_a_place_for_more_of_a_person_than_the_masked_name_and_the_language():
    assert set(PatientView.__slots__) == {"patient_id", "masked_name", "language"}
