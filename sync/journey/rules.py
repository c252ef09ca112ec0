"""The one pure function that decides an action, and the function for a queue entry.

`decide(definitions, journey, action)` runs at the kiosk at once, and at the centre, whose decision is final. A kiosk
runs it again when it replays pending actions on a newer base. It interprets `definitions.toml`, and names no state and
no action itself.
"""

from msgspec.structs import replace

from sync.journey.bookings import follow_entry, place_of_booking, set_bookings
from sync.journey.correction import is_correction
from sync.journey.definitions import ActionRule, Definitions
from sync.journey.line import at_booked_place, booked_place_ms, stands_ms
from sync.journey.model import (
    Action,
    Actor,
    Appointment,
    AppointmentChange,
    BuiltIn,
    Decision,
    EntryChange,
    ExamId,
    Journey,
    NextExam,
    QueueEntry,
    QueueId,
    Refusal,
    RefusalCode,
    Role,
    Transition,
    Trigger,
)
from sync.journey.proof import lacks_proof
from sync.journey.take_back import is_take_back
from sync.journey.undo import is_undo


def decide(definitions: Definitions, journey: Journey, action: Action) -> Decision | Refusal:
    """Decides an action on this journey: the journey after the action and its history rows, or a refusal."""
    rule = definitions.actions.get(action.action_type)
    if rule is None:
        return _refuse(definitions, journey, action, RefusalCode.UNKNOWN_ACTION)
    if not may_send(rule, action.actor):
        return _refuse(definitions, journey, action, RefusalCode.FORBIDDEN)
    outcome = _effect(definitions, journey, action, rule)
    if isinstance(outcome, Decision) and lacks_proof(rule, action.actor, action.payload):
        return _refuse(definitions, journey, action, RefusalCode.PROOF_MISSING)
    return outcome


def may_send(rule: ActionRule, actor: Actor) -> bool:
    """Whether this actor may ever send this action. Staff may send all, kiosks those granted, others their own."""
    if actor.role is Role.KIOSK:
        return "patient" in rule.by and rule.name in actor.grants
    return actor.role is Role.STAFF or str(actor.role) in rule.by


def available_actions(definitions: Definitions, journey: Journey, actor: Actor) -> tuple[str, ...]:
    """The actions that this actor may do now on the journey's current entry, in the definitions' order."""
    current = journey.current
    situation = (journey.state, current.state if current else None, actor)
    available = definitions.available.get(situation)
    if available is None:
        available = definitions.available[situation] = tuple(
            name
            for name, rule in definitions.actions.items()
            if may_send(rule, actor) and _target(definitions, journey, rule, current) is not None
        )
    return available


def staff_actions_on(definitions: Definitions, journey: Journey, entry: QueueEntry) -> tuple[str, ...]:
    """The actions that list staff and that this entry of the journey allows now, in the definitions' order."""
    return tuple(
        name
        for name, rule in definitions.actions.items()
        if rule.entry is not None and "staff" in rule.by and _target(definitions, journey, rule, entry) is not None
    )


def next_exam(definitions: Definitions, journey: Journey) -> NextExam | None:
    """The exam that a confirmed arrival would be about now; None where it would be the walk-in desk."""
    joined = _joinable(definitions, journey)
    exam = _next_booking(definitions, journey) or joined
    return NextExam(exam.exam_id, exam.exam_name, joined.queue_number if joined else None) if exam else None


def change_entry(definitions: Definitions, journey: Journey, queue_id: QueueId, new_state: str) -> Decision | Refusal:
    """A direct change of an entry by staff. The journey follows its current entry through the mapping (trigger
    `queue_sync`); a change to another entry never moves it. An entry that has ended stays as it is."""
    entry = journey.entry(queue_id)
    if entry is None:
        return Refusal(RefusalCode.NO_SUCH_ENTRY, BuiltIn.CHANGE_ENTRY, journey.state)
    if new_state not in definitions.queue_states or entry.state not in definitions.live:
        return Refusal(RefusalCode.NOT_ALLOWED, BuiltIn.CHANGE_ENTRY, journey.state)
    return set_entry(definitions, journey, entry, new_state, BuiltIn.CHANGE_ENTRY)


def set_entry(definitions: Definitions, journey: Journey, entry: QueueEntry, state: str, reason: str) -> Decision:
    """Sets an entry to a state, with its booking; the journey follows its current entry (trigger `queue_sync`)."""
    changed, change, appointments = _with_entry(definitions, journey, entry, state, reason)
    after, transitions = _follow(definitions, changed, entry)
    return Decision(_next(after), transitions, (change,), appointments)


def people_ahead(definitions: Definitions, line: tuple[QueueEntry, ...], entry: QueueEntry) -> int:
    """The number of entries before this one in the line of the same exam. Priority orders the line, then the time of
    arrival or of the booking.
    """
    place = place_in_line(entry)
    return sum(
        1
        for other in line
        if other.exam_id == entry.exam_id and other.state in definitions.in_line and place_in_line(other) < place
    )


def place_in_line(entry: QueueEntry) -> tuple[int, int, str]:
    """The key by which the entries of an exam's line are sorted: the highest priority first, then the earliest time by
    which they stand.
    """
    return -entry.priority, stands_ms(entry), entry.queue_id


def is_legal(definitions: Definitions, row: Transition) -> bool:
    """Whether a history row can be written: by the table, the queue mapping, a day's end, a correction, by taking back
    what a kiosk or staff did, or by the word of another system, which may go from any state to any.
    """
    if row.trigger_type == Trigger.SYSTEM_AUTO:
        return row.to_state == definitions.initial and row.from_state in definitions.journey_states
    mapped = set(definitions.queue_to_journey.values())
    if row.trigger_type == Trigger.QUEUE_SYNC:
        may = set(definitions.journey_states) if row.action in definitions.actions else mapped
        return row.from_state in may and row.to_state in may
    rule = definitions.actions.get(row.action)
    if rule is None:
        return any(may_leave(definitions, row) for may_leave in (is_correction, is_take_back, is_undo))
    if row.from_state in rule.never_in:
        return False
    # A change to an entry that is not the current one leaves the journey where it is.
    stays = rule.entry is not None and row.from_state == row.to_state and row.from_state in definitions.journey_states
    follows = rule.follows_queue and row.from_state in mapped and row.to_state in mapped
    return rule.moves.get(row.from_state) == row.to_state or stays or follows


def _opened(entry: QueueEntry) -> tuple[int, str]:
    return entry.opened_ms, entry.queue_id


def _refuse(definitions: Definitions, journey: Journey, action: Action, code: RefusalCode) -> Refusal:
    return Refusal(code, action.action_type, journey.state, available_actions(definitions, journey, action.actor))


def _effect(definitions: Definitions, journey: Journey, action: Action, rule: ActionRule) -> Decision | Refusal:
    if rule.opens_entry:
        return _open(definitions, journey, action, rule)
    if rule.entry:
        return _change(definitions, journey, action, rule)
    return _move(definitions, journey, action, rule)


def _target(definitions: Definitions, journey: Journey, rule: ActionRule, entry: QueueEntry | None) -> str | None:
    """The journey state after the action on `entry`; None where the action is not allowed.

    A change to an entry that is not the current one never moves the journey.
    """
    if journey.state in rule.never_in:
        return None
    if rule.entry is None:
        return rule.moves.get(journey.state)
    if entry is None or entry.state not in rule.entry.sources:
        return None
    if entry.queue_id != journey.current_queue_id:
        return journey.state
    if rule.follows_queue:
        return definitions.queue_to_journey[rule.entry.target]
    return rule.moves.get(journey.state)


def _move(definitions: Definitions, journey: Journey, action: Action, rule: ActionRule) -> Decision | Refusal:
    """An action on the journey alone: it may open or close the visit and change the day's appointments."""
    target = _target(definitions, journey, rule, None)
    if target is None:
        return _refuse(definitions, journey, action, RefusalCode.NOT_ALLOWED)
    moved = replace(journey, state=target)
    if rule.visit == "open":
        moved = replace(moved, visit_id=action.opens.visit_id, leg=0, current_queue_id=None)
    if rule.visit == "close":
        moved = replace(moved, visit_id=None, leg=0, current_queue_id=None)
    changes: tuple[AppointmentChange, ...] = ()
    if rule.appointments:
        sources, status = rule.appointments.sources, rule.appointments.target
        moved, changes = set_bookings(moved, lambda a: a.status in sources, status)
    return Decision(_next(moved), (_row(journey, action, rule, target),), (), changes)


def _open(definitions: Definitions, journey: Journey, action: Action, rule: ActionRule) -> Decision | Refusal:
    """Joins the live entry of the patient's next exam where there is one, else opens it; it becomes the current one."""
    target = _target(definitions, journey, rule, None)
    if target is None:
        return _refuse(definitions, journey, action, RefusalCode.NOT_ALLOWED)
    moved = replace(journey, state=target, leg=journey.leg + 1)
    joined, booked = _joinable(definitions, journey), _next_booking(definitions, journey)
    if joined is None:
        entry, previous = _new_entry(definitions, moved, action), None
        moved = replace(moved, entries=(*moved.entries, entry))
    else:
        previous, link = joined.state, booked.appointment_id if booked else joined.appointment_id
        entry = replace(joined, state=rule.rejoin.get(joined.state, joined.state), appointment_id=link)
        if link != joined.appointment_id:
            entry = at_booked_place(definitions, entry, booked)
        moved = moved.with_entry(entry)
    changes = (EntryChange(entry.queue_id, previous, entry.state, action.action_type),)
    moved, appointments = follow_entry(definitions, moved, entry, None if booked else previous)
    moved = replace(moved, current_queue_id=entry.queue_id)
    # Staff may have called the joined entry before the patient confirmed. The journey takes the state of the entry.
    followed, sync_rows = _follow(definitions, moved, entry)
    rows = (_row(journey, action, rule, target), *sync_rows)
    return Decision(_next(followed), rows, changes if previous != entry.state else (), appointments)


def _change(definitions: Definitions, journey: Journey, action: Action, rule: ActionRule) -> Decision | Refusal:
    """An action on one entry, named or current; the journey moves with its current entry only."""
    assert rule.entry is not None
    entry = meant(definitions, journey, action.queue_id, action.exam_id)
    if entry is None and rule.no_entry is not None and action.exam_id is not None and action.queue_id is None:
        return _change_appointment_alone(definitions, journey, action, rule, rule.no_entry)
    target = _target(definitions, journey, rule, entry)
    if entry is None or target is None:
        return _refuse(definitions, journey, action, _why_not(definitions, journey, action, rule, entry))
    # Only the staff of a room know the room.
    room = action.room if action.actor.role is Role.STAFF else None
    moved, change, appointments = _with_entry(definitions, journey, entry, rule.entry.target, action.action_type, room)
    moved = replace(moved, state=target, journey_version=journey.journey_version + 1)
    row = _row(journey, action, rule, target)
    moved, sync_rows = _take_next(definitions, moved, entry)
    return Decision(moved, (row, *sync_rows), (change,), appointments)


def _why_not(
    definitions: Definitions, journey: Journey, action: Action, rule: ActionRule, entry: QueueEntry | None
) -> RefusalCode:
    """Why an action on one entry is refused: it names no entry that exists, or none at all, or its entry does not allow
    it.
    """
    if action.queue_id is not None or action.exam_id is not None:
        return RefusalCode.NO_SUCH_ENTRY if entry is None else RefusalCode.NOT_ALLOWED
    others = any(_target(definitions, journey, rule, other) is not None for other in journey.entries)
    booked = any(booking.status in definitions.open_appointments for booking in journey.appointments)
    cancels = rule.no_entry is not None and journey.state not in rule.never_in and booked
    return RefusalCode.ENTRY_NOT_NAMED if others or cancels else RefusalCode.NOT_ALLOWED


def _change_appointment_alone(
    definitions: Definitions, journey: Journey, action: Action, rule: ActionRule, status: str
) -> Decision | Refusal:
    if journey.state in rule.never_in:
        return _refuse(definitions, journey, action, RefusalCode.NOT_ALLOWED)
    named = action.exam_id
    moved, changes = set_bookings(
        journey, lambda a: a.exam_id == named and a.status in definitions.open_appointments, status
    )
    if not changes:
        return _refuse(definitions, journey, action, RefusalCode.NO_SUCH_ENTRY)
    return Decision(_next(moved), (_row(journey, action, rule, journey.state),), (), changes)


def meant(
    definitions: Definitions, journey: Journey, queue_id: QueueId | None, exam_id: ExamId | None
) -> QueueEntry | None:
    """The entry that an action means: the entry of its `queue_id`, or the last live entry of its `exam_id`, else the
    current entry.
    """
    if queue_id is not None:
        return journey.entry(queue_id)
    if exam_id is not None:
        live = (e for e in journey.entries if e.exam_id == exam_id and e.state in definitions.live)
        return max(live, key=_opened, default=None)
    return journey.current


def _joinable(definitions: Definitions, journey: Journey) -> QueueEntry | None:
    """The live entry that a confirmed arrival joins: one that the next booking may have, or the oldest where none is
    booked.
    """
    booked = _next_booking(definitions, journey)
    return entry_for(definitions, journey, booked) if booked else _oldest_live(definitions, journey)


def entry_for(definitions: Definitions, journey: Journey, booking: Appointment) -> QueueEntry | None:
    """The live entry of the booking's exam that is the booking's, or that no booking has yet; the oldest of them."""
    its_own = (None, booking.appointment_id)
    fitting = tuple(e for e in journey.entries if e.exam_id == booking.exam_id and e.appointment_id in its_own)
    return _oldest_live(definitions, replace(journey, entries=fitting))


def _oldest_live(definitions: Definitions, journey: Journey) -> QueueEntry | None:
    """The live entry that was opened first."""
    return min((e for e in journey.entries if e.state in definitions.live), key=_opened, default=None)


def _next_booking(definitions: Definitions, journey: Journey) -> Appointment | None:
    open_ones = (a for a in journey.appointments if a.status in definitions.open_appointments)
    return min(open_ones, key=place_of_booking, default=None)


def _new_entry(definitions: Definitions, journey: Journey, action: Action) -> QueueEntry:
    booked, opens = _next_booking(definitions, journey), action.opens
    state = definitions.journey_to_queue[journey.state]
    place = (opens.queue_number, journey.leg, action.at_ms)
    if booked is None:
        desk = opens.walk_in
        return QueueEntry(
            opens.queue_id,
            desk.exam_id,
            desk.public_label,
            desk.room,
            state,
            *place,
            0,
            desk.minutes,
            desk.overnight,
        )
    exam = (booked.exam_id, booked.exam_name, booked.room)
    length = (booked.minutes, booked.overnight)
    line_ms = booked_place_ms(definitions, booked, action.at_ms)
    booking_id = booked.appointment_id
    return QueueEntry(opens.queue_id, *exam, state, *place, 0, *length, appointment_id=booking_id, line_ms=line_ms)


def _with_entry(
    definitions: Definitions,
    journey: Journey,
    entry: QueueEntry,
    state: str,
    reason: str,
    room: str | None = None,
) -> tuple[Journey, EntryChange, tuple[AppointmentChange, ...]]:
    changed = replace(entry, state=state, room=room or entry.room)
    after, appointments = follow_entry(definitions, journey.with_entry(changed), changed, entry.state)
    return after, EntryChange(entry.queue_id, entry.state, state, reason), appointments


def _follow(definitions: Definitions, journey: Journey, entry: QueueEntry) -> tuple[Journey, tuple[Transition, ...]]:
    """Moves the journey to the state of its current entry, if `entry` is the current entry."""
    if entry.queue_id != journey.current_queue_id:
        return journey, ()
    now = journey.entry(entry.queue_id)
    assert now is not None
    target = definitions.queue_to_journey[now.state]
    followed, rows = _sync(journey, target)
    taken, more = _take_next(definitions, followed, entry)
    return taken, (*rows, *more)


def _take_next(definitions: Definitions, journey: Journey, ended: QueueEntry) -> tuple[Journey, tuple[Transition, ...]]:
    """Makes the oldest live entry the current one where the current entry was cancelled. The journey follows."""
    current, oldest = journey.current, _oldest_live(definitions, journey)
    over = current is not None and current.queue_id == ended.queue_id and current.state in definitions.hands_over
    if not over or oldest is None:
        return journey, ()
    taken = replace(journey, current_queue_id=oldest.queue_id)
    return _sync(taken, definitions.queue_to_journey[oldest.state])


def _sync(journey: Journey, target: str) -> tuple[Journey, tuple[Transition, ...]]:
    if target == journey.state:
        return journey, ()
    return replace(journey, state=target), (Transition(journey.state, BuiltIn.QUEUE_SYNC, target, Trigger.QUEUE_SYNC),)


def _row(journey: Journey, action: Action, rule: ActionRule, target: str) -> Transition:
    by_sender = Trigger.STAFF_ACTION if action.actor.role is Role.STAFF else Trigger.PATIENT_ACTION
    return Transition(journey.state, action.action_type, target, rule.trigger or by_sender)


def _next(journey: Journey) -> Journey:
    return replace(journey, journey_version=journey.journey_version + 1)
