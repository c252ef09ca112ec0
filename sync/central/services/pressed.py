"""What staff press on an entry: it can be undone, and is refused where their screen shows another state."""

from sync.central.days.open_journey import Opened
from sync.central.records.journeys import save
from sync.central.records.presses import add_press, press_of
from sync.central.services.contradiction import Contradiction
from sync.central.services.errors import ApiError
from sync.central.services.once import ActionContext
from sync.central.services.standing import entry_now
from sync.journey.model import Decision, ExamId, Journey, QueueId, Role
from sync.journey.rules import meant

_ENTRY_CHANGED = ApiError("entry_changed", "The entry is in another state by now.")


def save_decision(
    context: ActionContext, opened: Opened, decision: Decision, change: int | None = None, action: str | None = None
) -> None:
    """Writes a decision. That of staff on an entry can be undone from then on.

    `change` is the change number, where the transaction has taken it. `action` is what sockets are told; the action of
    the request where it is None.
    """
    db, request = context.db, context.request
    change = save(db, opened.stored, decision, context.provenance, action or request.action_type, change)
    if context.requester.actor.role is Role.STAFF and _is_on_an_entry(context, decision):
        who, now_ms = context.requester.who, context.now_ms
        press = press_of(opened.journey, decision, request.action_type, request.action_id, who, now_ms, change)
        add_press(db, press)


def contradiction(context: ActionContext, journey: Journey) -> Contradiction | None:
    """The refusal where the entry that staff mean is not in the state that their screen shows (`seen_state`)."""
    request, seen = context.request, context.request.named("seen_state")
    if seen is None or context.requester.actor.role is not Role.STAFF:
        return None
    queue_id, exam_id = request.named("queue_id"), request.named("exam_id")
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
