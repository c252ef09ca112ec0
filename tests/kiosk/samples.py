"""Invented values for tests of the kiosk: an enrolment, patients and pages of the roster, a clock."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from kiosk.store.identity import Identity
from kiosk.store.sqlite import Store
from sync.cards import CardHash, CardKey, CardKeys, canonical_card
from sync.clock import ClockReading, local_ms, read_clock
from sync.journey.definitions import shipped
from sync.journey.model import Appointment, AppointmentId, Exam, ExamId, Journey, PatientId, QueueEntry, QueueId
from sync.protocol import SUPPORTED_VERSIONS, BindingRow, Enrolment, PatientRow, PullAnswer, Site
from tests.kiosk.parts import KioskParts

TODAY = "2026-03-02"
TIMEZONE = "Asia/Seoul"
SITE_ID = "01900000-0000-7000-8000-0000000000a1"
KEYS = CardKeys((CardKey("k1", "11" * 32),))
DESK = Exam(ExamId("DESK"), "Reception", "접수 창구", "1층 안내")
SITE = Site(name="푸른 병원", timezone=TIMEZONE, day_starts_at="04:00", walk_in=DESK)
IDENTITY = Identity(SITE_ID, "kiosk-1", "", "본관 입구", "B", frozenset(), 1, 0, "one", 1, None, SITE, 1)
GRANTS = ("scan_nfc", "register", "confirm_arrival")


def at(time_of_day: str, day: str = TODAY) -> int:
    """Returns the UTC ms of a local time at the site."""
    return local_ms(day, time_of_day, TIMEZONE)


class Clock:
    """A clock that a test moves."""

    def __init__(self, wall_ms: int = at("09:00")) -> None:
        self.reading = ClockReading(wall_ms, 1_000_000, "boot-1", synchronised=True)

    def __call__(self) -> ClockReading:
        return self.reading

    def forward(self, ms: int) -> None:
        self.reading = replace(self.reading, wall_ms=self.reading.wall_ms + ms, mono_ms=self.reading.mono_ms + ms)


class RunningClock(Clock):
    """The clock of this machine, set to nine o'clock at its making."""

    def __init__(self) -> None:
        super().__init__()
        self._behind_ms = read_clock().wall_ms - self.reading.wall_ms

    def __call__(self) -> ClockReading:
        now = read_clock()
        return ClockReading(now.wall_ms - self._behind_ms, now.mono_ms, now.boot_id, now.synchronised)


def enrolment(**changes: Any) -> Enrolment:
    values: dict[str, Any] = {
        "site_id": SITE_ID,
        "kiosk_id": "kiosk-1",
        "epoch": 1,
        "name": "본관 입구",
        "ticket_prefix": "B",
        "actions": GRANTS,
        "token": "a-token",
        "card_keys": KEYS,
        "server_incarnation": "one",
        "site": SITE,
        "definitions": dict(shipped().document),
    }
    return Enrolment(**values | changes)


def uid(number: int) -> str:
    """Returns the canonical id of the n-th card."""
    return canonical_card("iso14443a", bytes.fromhex(f"04{number:012x}"))


def cards(number: int) -> tuple[CardHash, ...]:
    """Returns the hashes of the n-th card."""
    return KEYS.hashes(uid(number))


def booking(patient: int, exam: str = "XRAY", time_of_day: str = "10:00", status: str = "booked") -> Appointment:
    name, room = {"XRAY": ("영상 촬영", "3"), "BLOOD": ("채혈", "5")}[exam]
    return Appointment(
        AppointmentId(f"A{patient}-{exam}"), ExamId(exam), name, room, at(time_of_day), status, minutes=10
    )


def entry(number: str, exam: str = "XRAY", state: str = "waiting", opened: str = "08:50") -> QueueEntry:
    name, room = {"XRAY": ("영상 촬영", "3"), "BLOOD": ("채혈", "5")}[exam]
    return QueueEntry(QueueId(f"q-{number}"), ExamId(exam), name, room, state, number, 1, at(opened))


def row(patient: int, change: int = 1, **changes: Any) -> PatientRow:
    """Returns a patient with a card and, without `journey`, one booking today."""
    patient_id = PatientId(f"P{patient}")
    journey = Journey(patient_id, "UNREGISTERED", TODAY, appointments=(booking(patient),))
    values: dict[str, Any] = {
        "patient_id": patient_id,
        "masked_name": "홍*동",
        "language": "ko",
        "change": change,
        "bindings": tuple(BindingRow(f"b-{patient}", c.key_id, c.uid_hash) for c in cards(patient)),
        "journey": journey,
    }
    return PatientRow(**values | changes)


def page(*rows: PatientRow, from_cursor: int = 0, cursor: int = 1, **changes: Any) -> PullAnswer:
    values: dict[str, Any] = {
        "site_id": SITE_ID,
        "server_incarnation": "one",
        "from_cursor": from_cursor,
        "cursor_mac": "",
        "cursor": cursor,
        "reset": from_cursor == 0,
        "more": False,
        "patients": rows,
        "gone": (),
        "actions": GRANTS,
        "site": SITE,
        "now_ms": at("09:00"),
        "renamed": (),
        "blocked": (),
        "unblocked": (),
        "last_seq": None,
        "backed_up_seq": 0,
        "epoch": 1,
        "asked_cursor": from_cursor,
        "versions": tuple(SUPPORTED_VERSIONS),
    }
    return PullAnswer(**values | changes)


def enrolled(directory: Path, clock: Clock, *rows: PatientRow) -> KioskParts:
    """Returns an enrolled kiosk with a real store on disk and these patients (none: three of them)."""
    parts = KioskParts(Store(directory / "kiosk.db"), clock)
    parts.ledger.enrol(enrolment())
    parts.ledger.adopt(page(*(rows or (row(1), row(2), row(3)))))
    return parts
