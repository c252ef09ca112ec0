"""The worklist of an exam for the printer: who came today, who is still to come, and what staff have to know of each.

It is for the time in which nothing works. So it has everything of the day, and the order is that of the times.
"""

import msgspec

from sync.central.centre import Centre
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.board_entries import BoardEntry, entries_of_exam
from sync.central.records.exams import read_exam
from sync.central.records.site import SiteSettings, read_site
from sync.central.records.worklists import ExpectedBooking, expected_bookings
from sync.central.services.board_rows import BoardRow, RowMaker
from sync.central.services.errors import NO_EXAM, ApiError
from sync.central.services.told import Told, told_of
from sync.clock import iso
from sync.journey.definitions import Definitions


class WantedWorklist(msgspec.Struct, frozen=True, kw_only=True):
    """The exam whose worklist is wanted."""

    exam_id: str


class WorklistRow(msgspec.Struct, frozen=True):
    """A patient on a worklist: of an entry of today, or of a booking without an entry yet.

    - `queue_number` and `state` are those of the entry; empty, and null, for a booking whose patient has not come to
      this exam. `status` is then the status of the booking.
    - `at` is the time by which the row is sorted: that of the booking, or of the arrival without one. It is null for a
      booking of the whole day.
    - `is_over`: the entry has ended.
    """

    patient_id: str
    name: str
    masked_name: str
    birth_date: str | None
    language: str
    queue_number: str
    label_aliases: tuple[str, ...]
    state: str | None
    status: str | None
    room: str
    at: str | None
    booked_at: str | None
    arrived_at: str | None
    priority: int
    priority_kind: str
    priority_reason: str
    note: str
    is_over: bool


class Worklist(msgspec.Struct, frozen=True):
    """The worklist of an exam: everybody of today in the order of the times, those of the whole day last.

    `day` is the day of the site. `timestamp` is when it was read: it may be out of date after that.
    """

    site: str
    day: str
    exam_id: str
    title: str
    room: str
    rows: list[WorklistRow]
    timestamp: str


def read_worklist(centre: Centre, wanted: WantedWorklist) -> Told | ApiError:
    """The Worklist of an exam."""
    now_ms = centre.clock()
    with centre.store.read() as db:
        exam, site = read_exam(db, wanted.exam_id), read_site(db)
        if exam is None:
            return NO_EXAM
        day = site.day(now_ms)
        entries = entries_of_exam(db, day, exam.exam_id)
        expected = expected_bookings(db, exam.exam_id, day, centre.definitions.open_appointments)
    rows = [*_of_entries(centre.definitions, site, entries), *(_of_booking(each, site) for each in expected)]
    rows.sort(key=_place)
    zone = site.site.timezone
    told = Worklist(site.site.name, day, exam.exam_id, exam.title, exam.room, rows, iso(now_ms, zone))
    return told_of(told, AuditKind.LOOK_WORKLIST, [row.patient_id for row in rows])


def _place(row: WorklistRow) -> tuple[object, ...]:
    """By the time, those of the whole day last; of one time, those who have come first."""
    return row.at is None, row.at or "", row.arrived_at is None, row.arrived_at or "", row.queue_number, row.patient_id


def _of_entries(definitions: Definitions, site: SiteSettings, entries: list[BoardEntry]) -> list[WorklistRow]:
    made = RowMaker(definitions, site).rows(entries, ())
    return [_of_row(each.row, is_over=each.row.state not in definitions.live) for each in made]


def _of_row(row: BoardRow, *, is_over: bool) -> WorklistRow:
    return WorklistRow(
        patient_id=row.patient_id,
        name=row.name,
        masked_name=row.masked_name,
        birth_date=row.birth_date,
        language=row.language,
        queue_number=row.queue_number,
        label_aliases=row.label_aliases,
        state=row.state,
        status=None,
        room=row.room,
        at=row.booked_at or row.opened_at,
        booked_at=row.booked_at,
        arrived_at=row.opened_at,
        priority=row.priority,
        priority_kind=row.priority_kind,
        priority_reason=row.priority_reason,
        note=row.note,
        is_over=is_over,
    )


def _of_booking(booking: ExpectedBooking, site: SiteSettings) -> WorklistRow:
    at = None if booking.all_day else iso(booking.scheduled_ms, site.site.timezone)
    return WorklistRow(
        patient_id=booking.patient_id,
        name=booking.name,
        masked_name=booking.masked_name,
        birth_date=booking.birth_date,
        language=booking.language,
        queue_number="",
        label_aliases=(),
        state=None,
        status=booking.status,
        room="",
        at=at,
        booked_at=at,
        arrived_at=None,
        priority=0,
        priority_kind="",
        priority_reason="",
        note="",
        is_over=False,
    )
