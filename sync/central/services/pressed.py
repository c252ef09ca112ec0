"""What staff press on an entry: it can be undone, and is refused where their screen shows another state."""

from sync.central.days.open_journey import Opened
from sync.central.records.journeys import save
from sync.central.records.presses import Press, WayBack, add_press, entry_of, way_back
from sync.central.services.contradiction import Contradiction
from sync.central.services.errors import ApiError
from sync.central.services.once import ActionContext
from sync.central.services.standing import entry_now
from sync.journey.model import Decision, ExamId, Journey, QueueId, Role
from sync.journey.rules import meant

ONLY_THE_JOURNEY = WayBack()
_ENTRY_CHANGED = ApiError("entry_changed", "The entry is in another state by now.")


def save_decision(
    context: ActionContext,
    opened: Opened,
    decision: Decision,
    change: int | None = None,
    action: str | None = None,
    marks: WayBack = ONLY_THE_JOURNEY,
) -> None:
    """Writes a decision. That of staff on an entry can be undone from then on.

    `change` is the change number, where the transaction has taken it. `action` is what sockets are told; the action of
    the request where it is None. `marks` is the way back of what the caller changes beside the journey.
    """
    db, request = context.db, context.request
    change = save(db, opened.stored, decision, context.provenance, action or request.action_type, change)
    if context.requester.actor.role is Role.STAFF and _is_on_an_entry(context, decision):
        back = way_back(opened.journey, decision, marks)
        record_press(context, decision.journey, entry_of(decision), back, change)


def record_press(context: ActionContext, after: Journey, queue_id: str | None, back: WayBack, change: int) -> None:
    """Records the press of the request, which has led to a journey, with its way back and its change number."""
    request = context.request
    press = Press(
        request.action_id,
        after.patient_id,
        queue_id,
        request.action_type,
        context.requester.who,
        context.now_ms,
        change,
        after.site_day,
        back,
        after.journey_version if back.journey else None,
    )
    add_press(context.db, press)


def contradiction(context: ActionContext, journey: Journey, queue_id: str | None = None) -> Contradiction | None:
    """The refusal where the entry that staff mean is not in the state that their screen shows (`seen_state`).

    The entry is that of `queue_id`, or else the one that the payload means.
    """
    request, seen = context.request, context.request.named("seen_state")
    if seen is None or context.requester.actor.role is not Role.STAFF:
        return None
    queue_id, exam_id = queue_id or request.named("queue_id"), request.named("exam_id")
    entry = meant(
        context.centre.definitions,
        journey,
        QueueId(queue_id) if queue_id else None,
        ExamId(exam_id) if exam_id else None,
    )
    if entry is None or entry.state == seen:
        return None
    now = entry_now(context.db, entry.queue_id, context.site.site.timezone)
    return Contradiction(_ENTRY_CHANGED, journey, entry=now)


def _is_on_an_entry(context: ActionContext, decision: Decision) -> bool:
    """Whether a decision changes an entry, or cancels a booking without one."""
    rule = context.centre.definitions.actions.get(context.request.action_type)
    return bool(decision.entry_changes or (rule and rule.entry and decision.appointment_changes))
