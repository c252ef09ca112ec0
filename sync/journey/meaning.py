"""What the state of a queue entry or of a booking means for the people who look at it. Pure, as the rules are."""

from sync.journey.definitions import Definitions
from sync.journey.model import Appointment, QueueEntry


def waits(definitions: Definitions, entry: QueueEntry) -> bool:
    """Whether the turn of an entry is still to come: it stands where a confirmed arrival leads to."""
    state = definitions.queue_to_journey.get(entry.state)
    return any(state in rule.moves.values() for rule in definitions.actions.values() if rule.opens_entry)


def is_called(definitions: Definitions, entry: QueueEntry) -> bool:
    """Whether the patient of an entry is expected in a room: it stands where none but staff lead to, from the line."""
    state = definitions.queue_to_journey.get(entry.state)
    calls = (r for r in definitions.actions.values() if r.by == {"staff"} and r.entry)
    return any(r.entry and r.entry.target in definitions.in_line and state in r.moves.values() for r in calls)


def came_to_nothing(definitions: Definitions, appointment_status: str) -> bool:
    """Whether a booking has this status because nobody came for it, or because it was cancelled."""
    cancelled = {rule.no_entry for rule in definitions.actions.values()}
    return appointment_status in cancelled | {definitions.day_end.appointments_to}


def is_over(definitions: Definitions, appointment: Appointment) -> bool:
    """Whether a booking needs nobody's attention any more: its entry has ended, or it came to nothing."""
    ended = {definitions.queue_to_appointment[s] for s in definitions.queue_states if s not in definitions.live}
    return appointment.status in ended or came_to_nothing(definitions, appointment.status)
