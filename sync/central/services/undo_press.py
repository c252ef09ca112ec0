"""Undoes a press of staff on an entry, as long as nothing newer has happened to its patient."""

from sync.central.centre import Centre
from sync.central.days.open_journey import Opened
from sync.central.records.appointments import read_booking, set_booking_exam
from sync.central.records.entry_marks import marks_of, write_note, write_priority
from sync.central.records.exams import read_exam
from sync.central.records.first_read import By, Wanted
from sync.central.records.journeys import add_correction, mark_changed, save
from sync.central.records.last_changes import last_change_after
from sync.central.records.presses import MovedBooking, Press, end_press, read_press
from sync.central.services.answers import Answer, refused
from sync.central.services.contradiction import Contradiction
from sync.central.services.current_state import CurrentState
from sync.central.services.errors import DECIDED_ELSEWHERE, ApiError
from sync.central.services.once import ActionContext, Subject, once
from sync.central.services.perform_action import open_day, state_after
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.central.services.standing import change_after
from sync.journey.definitions import Definitions
from sync.journey.meaning import calling
from sync.journey.model import AppointmentId, BuiltIn, Decision, Journey
from sync.journey.staff_changes import with_booking_at
from sync.journey.take_back import Before, knows
from sync.journey.undo import undo

_NO_PRESS = ApiError("not_found", "There is no such press of today.")
_NOT_UNDOABLE = ApiError("not_undoable", "Something newer has happened, or the press was undone already.")


def undo_press(centre: Centre, requester: Requester, request: ActionRequest) -> Answer:
    """Undoes the press whose action id is `undoes` of the payload. Anybody who may press may undo.

    Answers with the patient's state after it.
    """
    undoes = str(request.named("undoes")).lower()

    def find_subject(context: ActionContext) -> Subject | Answer:
        patient_id = context.found.patient_id
        return refused(_NO_PRESS) if patient_id is None else Subject(patient_id, patient_id)

    def act(context: ActionContext, _: Subject) -> CurrentState | Contradiction | ApiError:
        opened, press = open_day(context), read_press(context.db, undoes)
        assert press is not None
        if _is_decided_elsewhere(context, press):
            return DECIDED_ELSEWHERE
        if press.is_undone or press.site_day != opened.journey.site_day:
            return _not_undoable(context, opened.journey, press)
        change = press.way_back.journey
        decision = _note_back(context, opened, press) if change is None else _back(context, opened, press, change)
        if decision is None:
            return _not_undoable(context, opened.journey, press)
        end_press(context.db, press, context.now_ms, opened.journey.journey_version)
        return state_after(context, decision)

    return once(centre, requester, request, find_subject, act, wanted=Wanted(request.action_id, By.PRESS, undoes))


def _is_decided_elsewhere(context: ActionContext, press: Press) -> bool:
    rule = calling(context.centre.definitions)
    action = rule.name if rule and press.action == BuiltIn.CALL_NEXT else press.action
    return action in context.site.site.decided_elsewhere


def _note_back(context: ActionContext, opened: Opened, press: Press) -> Decision | None:
    """Puts an earlier note back where the present one is still that of the press; None where it is not."""
    note, queue_id = press.way_back.note, press.queue_id
    if note is None or queue_id is None or marks_of(context.db, queue_id).note.action_id != press.action_id:
        return None
    write_note(context.db, queue_id, note)
    mark_changed(context.db, press.patient_id)
    return Decision(opened.journey, ())


def _back(context: ActionContext, opened: Opened, press: Press, change: Before) -> Decision | None:
    """Puts journey, entry, booking and priority back; None where something newer has happened."""
    db, definitions, journey = context.db, context.centre.definitions, opened.journey
    if not _is_last(definitions, journey, press, change):
        return None
    moved = press.way_back.booking
    if moved is not None:
        journey = _booking_back(context, journey, moved)
    decision = undo(definitions, journey, change)
    save(db, opened.stored, decision, context.provenance, BuiltIn.UNDO)
    if press.way_back.priority is not None and press.queue_id is not None:
        write_priority(db, press.queue_id, press.way_back.priority)
    if decision.journey.state != journey.state and decision.journey.visit_id is not None:
        # A kiosk may have built on the state before the undo. One that never knew it is judged as always.
        add_correction(db, decision.journey, change.journey_version + 1)
    return decision


def _is_last(definitions: Definitions, journey: Journey, press: Press, change: Before) -> bool:
    return press.holds_version == journey.journey_version and knows(definitions, [change])


def _booking_back(context: ActionContext, journey: Journey, moved: MovedBooking) -> Journey:
    """The journey with the booking at its exam before the press. One that the hospital has moved since stays."""
    booking, exam = read_booking(context.db, moved.appointment_id), read_exam(context.db, moved.exam_id)
    if booking is None or exam is None or booking.exam_id != moved.to:
        return journey
    set_booking_exam(context.db, booking, moved.exam_id)
    return with_booking_at(journey, AppointmentId(moved.appointment_id), exam)


def _not_undoable(context: ActionContext, journey: Journey, press: Press) -> Contradiction:
    later = last_change_after(context.db, journey.patient_id, press.change)
    return Contradiction(
        _NOT_UNDOABLE, journey, after=change_after(later, context.site.site.timezone) if later else None
    )
