"""What the state of a queue entry or of a booking means for people. Pure, as the rules are."""

from collections.abc import Iterator

from sync.journey.definitions import ActionRule, Definitions
from sync.journey.model import Appointment, Journey, NextExam, QueueEntry


def waits(definitions: Definitions, entry: QueueEntry) -> bool:
    """Whether an entry waits for its turn: its state is one to which a confirmed arrival leads."""
    return entry.state in definitions.waiting


def is_called(definitions: Definitions, entry: QueueEntry) -> bool:
    """Whether the patient of an entry is called: only staff move an entry from the line to its state."""
    state = definitions.queue_to_journey.get(entry.state)
    return any(state in rule.moves.values() for rule in _calls(definitions))


def calling(definitions: Definitions) -> ActionRule | None:
    """The action by which staff call a patient out of the line; None where the rules have none."""
    return next(_calls(definitions), None)


def ready(definitions: Definitions) -> frozenset[str]:
    """The states of an entry that is called in its turn: those in which a confirmed arrival opens one."""
    opening = (rule for rule in definitions.actions.values() if rule.opens_entry)
    return frozenset(definitions.journey_to_queue[state] for rule in opening for state in rule.moves.values())


def is_worth_offering(rule: ActionRule, journey: Journey, following: NextExam | None) -> bool:
    """Whether a screen offers an action that the rules allow. `following` is the exam that comes next.

    After an exam done today, an action that opens a queue entry needs a booking or a live number. While one of them is
    left, no button ends the visit.
    """
    opens_nothing = rule.opens_entry and journey.leg > 0 and following is None
    ends_too_soon = rule.visit == "close" and following is not None
    return not (opens_nothing or ends_too_soon)


def came_to_nothing(definitions: Definitions, appointment_status: str) -> bool:
    """Whether this status of a booking means that the patient missed it, or that it was cancelled."""
    cancelled = {rule.no_entry for rule in definitions.actions.values()}
    return appointment_status in cancelled | {definitions.day_end.appointments_to}


def cancellation(definitions: Definitions) -> ActionRule | None:
    """The action by which staff cancel a booking, with its entry or without one; None where the rules have none."""
    return next((rule for rule in definitions.actions.values() if rule.no_entry is not None), None)


def is_done(definitions: Definitions, appointment_status: str) -> bool:
    """Whether this status of a booking means that the exam was done."""
    ended = {definitions.queue_to_appointment[s] for s in definitions.queue_states if s not in definitions.live}
    return appointment_status in ended and not came_to_nothing(definitions, appointment_status)


def is_over(definitions: Definitions, appointment: Appointment) -> bool:
    """Whether a booking is over: its exam was done, or the booking was missed or cancelled."""
    return is_done(definitions, appointment.status) or came_to_nothing(definitions, appointment.status)


def _calls(definitions: Definitions) -> Iterator[ActionRule]:
    staff_only = (rule for rule in definitions.actions.values() if rule.by == {"staff"})
    return (rule for rule in staff_only if rule.entry and rule.entry.target in definitions.in_line)
