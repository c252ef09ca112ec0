"""Bookings by hand: made, moved and cancelled at the desk.

They are rows as an import makes them, marked as made by hand, so that a document which names every booking of its day
does not cancel them. A document that names such a booking itself owns it from then on.
"""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from sync.central.centre import Centre
from sync.central.days.schedule import schedule
from sync.central.desk.context import by_hand
from sync.central.imports.change_booking import booking_in_line, change_booking
from sync.central.records.appointments import BookingRow, Schedule, read_booking
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.exams import is_exam
from sync.central.records.journeys import mark_changed
from sync.central.records.patients import patient_named
from sync.central.services.answers import Answer, refused
from sync.central.services.errors import NO_EXAM, UNKNOWN_PATIENT, ApiError
from sync.central.services.once import ActionContext, Subject, once
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.journey.meaning import cancellation, is_done, waits
from sync.journey.model import PatientId

BOOK, MOVE, CANCEL = "book_by_hand", "move_by_hand", "cancel_by_hand"  # the action types
_NO_BOOKING = ApiError("not_found", "There is no such booking.")
_OVER = ApiError("not_allowed", "The exam of the booking is done, or its day has ended.")
_CALLED = ApiError("not_allowed", "The patient is called or being seen for this booking: change the queue entry.")
_PAST = ApiError("malformed", "scheduled_at is of a day that has ended.")
_NO_CANCELLATION = ApiError("not_allowed", "The definitions of this site cancel no bookings.")


class BookedByHand(msgspec.Struct, frozen=True):
    """A booking that was made, moved or cancelled by hand."""

    appointment_id: str
    patient_id: str
    exam_id: str
    scheduled_at: str
    status: str


_Change = Callable[[ActionContext, BookingRow], BookingRow | ApiError]


def book_by_hand(centre: Centre, requester: Requester, patient_id: str, request: ActionRequest) -> Answer:
    """Books a patient for the exam and the time of the payload (`exam_id`, `scheduled_at`).

    Answers with a BookedByHand.
    """

    def find_subject(context: ActionContext) -> Subject | Answer:
        named = patient_named(context.db, patient_id)
        return refused(UNKNOWN_PATIENT) if named is None else Subject(patient_id, named)

    def act(context: ActionContext, subject: Subject) -> BookedByHand | ApiError:
        assert subject.patient_id is not None
        exam_id, when = _asked(context)
        if isinstance(exam_id, ApiError) or isinstance(when, ApiError):
            return exam_id if isinstance(exam_id, ApiError) else _error(when)
        assert exam_id is not None
        assert when is not None
        status, who = context.centre.definitions.fresh_appointment, context.requester.who
        booking = BookingRow(_new_id(context), subject.patient_id, exam_id, when, status, None, who)
        return _write(context, booking, None)

    return once(centre, requester, request, find_subject, act)


def move_booking(centre: Centre, requester: Requester, appointment_id: str, request: ActionRequest) -> Answer:
    """Gives a booking the exam or the time of the payload. A patient who waits for it follows it."""

    def change(context: ActionContext, before: BookingRow) -> BookingRow | ApiError:
        exam_id, when = _asked(context)
        if isinstance(exam_id, ApiError) or isinstance(when, ApiError):
            return exam_id if isinstance(exam_id, ApiError) else _error(when)
        after = replace(before, exam_id=exam_id or before.exam_id, schedule=when or before.schedule)
        if (after.exam_id, after.schedule) == (before.exam_id, before.schedule):
            return before
        if after.exam_id != before.exam_id:
            after = replace(
                after, said_exam_id=None
            )  # the next document has the last word, whatever the board has done
        fresh = context.centre.definitions.fresh_appointment
        is_moved = after.schedule.site_day != before.schedule.site_day or before.withdrawn is not None
        status = fresh if is_moved or _is_cancelled(context, before) else before.status
        return replace(after, status=status, withdrawn=None, made_by=context.requester.who)

    return _change(centre, requester, appointment_id, request, change)


def cancel_booking(centre: Centre, requester: Requester, appointment_id: str, request: ActionRequest) -> Answer:
    """Cancels a booking. The queue entry of a patient who waits for it ends."""

    def change(context: ActionContext, before: BookingRow) -> BookingRow | ApiError:
        rule = cancellation(context.centre.definitions)
        if rule is None or rule.no_entry is None:
            return _NO_CANCELLATION
        return replace(before, status=rule.no_entry)

    return _change(centre, requester, appointment_id, request, change)


def _change(
    centre: Centre, requester: Requester, appointment_id: str, request: ActionRequest, change: _Change
) -> Answer:
    def find_subject(context: ActionContext) -> Subject | Answer:
        found = read_booking(context.db, appointment_id)
        return refused(_NO_BOOKING) if found is None else Subject(appointment_id, PatientId(found.patient_id))

    def act(context: ActionContext, _: Subject) -> BookedByHand | ApiError:
        before = read_booking(context.db, appointment_id)
        assert before is not None
        if before.schedule.last_day < context.today or is_done(context.centre.definitions, before.status):
            return _OVER
        after = change(context, before)
        return after if isinstance(after, ApiError) else _write(context, after, before)

    return once(centre, requester, request, find_subject, act)


def _write(context: ActionContext, after: BookingRow, before: BookingRow | None) -> BookedByHand | ApiError:
    if after != before:
        making = by_hand(context)
        line = booking_in_line(making, after.appointment_id)
        if line is not None and not waits(context.centre.definitions, line[1]):
            return _CALLED
        change_booking(making, after, before, line)
        mark_changed(context.db, after.patient_id)
    note(
        context.db,
        context.requester.who,
        AuditKind.BOOK_BY_HAND,
        context.now_ms,
        patient_id=after.patient_id,
        action_id=context.request.action_id,
        detail={
            "appointment_id": after.appointment_id,
            "what": context.request.action_type,
            "reason": _reason(context),
        },
    )
    said = after.schedule.said
    return BookedByHand(after.appointment_id, after.patient_id, after.exam_id, said, after.status)


def _asked(context: ActionContext) -> tuple[str | ApiError | None, Schedule | ApiError | None]:
    """The exam and the time of the payload; None for one that it does not name."""
    exam_id, said = context.request.named("exam_id"), context.request.named("scheduled_at")
    if exam_id is not None and not is_exam(context.db, exam_id):
        return NO_EXAM, None
    if said is None:
        return exam_id, None
    try:
        when = schedule(context.site, said)
    except ValueError as error:
        return exam_id, ApiError("malformed", f"scheduled_at {error}.")
    return exam_id, (_PAST if when.last_day < context.today else when)


def _is_cancelled(context: ActionContext, booking: BookingRow) -> bool:
    rule = cancellation(context.centre.definitions)
    return rule is not None and booking.status == rule.no_entry


def _error(found: Schedule | ApiError | None) -> ApiError:
    assert isinstance(found, ApiError)
    return found


def _reason(context: ActionContext) -> str:
    return context.request.named("reason") or ""


def _new_id(context: ActionContext) -> str:
    """An id of a form that no hospital's booking has."""
    return f"desk-{context.centre.ids()}"
