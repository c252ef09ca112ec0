"""What staff change of an entry beside its state: its priority, its line, and one more call of its patient."""

from collections.abc import Callable

from sync.central.centre import Centre
from sync.central.days.open_journey import Opened
from sync.central.records.appointments import BookingRow, read_booking, set_booking_exam
from sync.central.records.entry_marks import PriorityMark, marks_of, write_priority
from sync.central.records.exams import read_exam
from sync.central.records.first_read import By, Wanted
from sync.central.records.journeys import save
from sync.central.records.presses import MovedBooking, WayBack
from sync.central.services.answers import Answer, refused
from sync.central.services.contradiction import Contradiction
from sync.central.services.current_state import CurrentState
from sync.central.services.errors import DECIDED_ELSEWHERE, NO_ENTRY, NO_EXAM, ApiError
from sync.central.services.once import ActionContext, Subject, once
from sync.central.services.perform_action import open_day, state_after
from sync.central.services.pressed import contradiction, save_decision
from sync.central.services.requester import Requester
from sync.central.services.requests import NO_REASON_GIVEN, ActionRequest
from sync.journey.meaning import calling
from sync.journey.model import Decision, Exam, Journey, QueueId, Refusal
from sync.journey.staff_changes import call_again as decide_call
from sync.journey.staff_changes import in_line_of, move_entry, set_priority

Outcome = CurrentState | Refusal | Contradiction | ApiError
END = "end"  # the place at the end of the line
_NO_KIND = ApiError("unknown_priority", "The rules have no priority of this kind.")
_IN_LINE = ApiError("already_in_line", "The patient has another live entry in the line of this exam.")


def give_priority(centre: Centre, requester: Requester, queue_id: str, request: ActionRequest) -> Answer:
    """Gives an entry the priority of a `kind` for a `reason`, or takes it back by an empty kind.

    Kind and reason stay at the centre.
    """
    kind, reason = request.named("kind") or "", (request.named("reason") or "").strip()

    def act(context: ActionContext, opened: Opened) -> Outcome:
        priority = centre.definitions.priorities.get(kind)
        if kind and priority is None:
            return _NO_KIND
        if priority and priority.needs_reason and not reason:
            return NO_REASON_GIVEN
        decision = set_priority(centre.definitions, opened.journey, QueueId(queue_id), kind, reason)
        if isinstance(decision, Refusal):
            return decision
        was = marks_of(context.db, queue_id).priority
        answer = _saved(context, opened, decision, WayBack(priority=was))
        write_priority(context.db, queue_id, PriorityMark(kind, reason if kind else ""))
        return answer

    return _press(centre, requester, queue_id, request, act)


def move(centre: Centre, requester: Requester, queue_id: str, request: ActionRequest) -> Answer:
    """Moves an entry to the line of `exam_id`, with its place or to the end (`place`), for a `reason`.

    Its booking goes with it. A document of the hospital that says the same exam as before leaves it there.
    """

    def act(context: ActionContext, opened: Opened) -> Outcome:
        exam = read_exam(context.db, str(request.named("exam_id")))
        if exam is None:
            return NO_EXAM
        if in_line_of(centre.definitions, opened.journey, exam, QueueId(queue_id)):
            return _IN_LINE
        end_ms = context.now_ms if request.named("place") == END else None
        reason = (request.named("reason") or "").strip() or request.action_type
        decision = move_entry(centre.definitions, opened.journey, QueueId(queue_id), exam, end_ms, reason)
        if isinstance(decision, Refusal):
            return decision
        booking = _booking_to_move(context, opened.journey, queue_id, exam)
        moved = MovedBooking(booking.appointment_id, booking.exam_id, exam.exam_id) if booking else None
        answer = _saved(context, opened, decision, WayBack(booking=moved))
        if booking is not None:
            set_booking_exam(context.db, booking, exam.exam_id)
        return answer

    return _press(centre, requester, queue_id, request, act)


def call_again(centre: Centre, requester: Requester, queue_id: str, request: ActionRequest) -> Answer:
    """Calls a patient who is called once more. The state stays; apps, boards and the hospital's system hear of it."""

    def act(context: ActionContext, opened: Opened) -> Outcome:
        rule = calling(centre.definitions)
        if rule is not None and rule.name in context.site.site.decided_elsewhere:
            return DECIDED_ELSEWHERE
        decision = decide_call(centre.definitions, opened.journey, QueueId(queue_id))
        if isinstance(decision, Refusal):
            return decision
        # It changes nothing that could be undone, and does not forbid to undo the call.
        save(context.db, opened.stored, decision, context.provenance, request.action_type)
        return state_after(context, decision)

    return _press(centre, requester, queue_id, request, act)


def _press(
    centre: Centre,
    requester: Requester,
    queue_id: str,
    request: ActionRequest,
    act: Callable[[ActionContext, Opened], Outcome],
) -> Answer:
    def find_subject(context: ActionContext) -> Subject | Answer:
        patient_id = context.found.patient_id
        return refused(NO_ENTRY) if patient_id is None else Subject(patient_id, patient_id)

    def act_as_seen(context: ActionContext, _: Subject) -> object:
        opened = open_day(context)
        return contradiction(context, opened.journey, queue_id) or act(context, opened)

    return once(
        centre, requester, request, find_subject, act_as_seen, wanted=Wanted(request.action_id, By.ENTRY, queue_id)
    )


def _saved(context: ActionContext, opened: Opened, decision: Decision, marks: WayBack) -> CurrentState:
    save_decision(context, opened, decision, marks=marks)
    return state_after(context, decision)


def _booking_to_move(context: ActionContext, journey: Journey, queue_id: str, exam: Exam) -> BookingRow | None:
    """The booking of an entry that is to follow to another exam; None where it has none, or it is there."""
    entry = journey.entry(QueueId(queue_id))
    booking = read_booking(context.db, entry.appointment_id) if entry and entry.appointment_id else None
    return None if booking is None or booking.exam_id == exam.exam_id else booking
