"""What another system of the hospital has done: the journey after its word, and where the rules differ. Pure.

While both systems run side by side, the other one decides some actions. Its word is the truth, even where the rules
would not allow it.
"""

from collections.abc import Callable
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from sync.journey.bookings import follow_entry
from sync.journey.definitions import Definitions
from sync.journey.line import booked_place_ms
from sync.journey.model import (
    Action,
    AppointmentChange,
    Decision,
    EntryChange,
    Exam,
    ExamId,
    Journey,
    QueueEntry,
    QueueId,
    Refusal,
    RefusalCode,
    Transition,
    Trigger,
)
from sync.journey.rules import decide


class WordEntry(msgspec.Struct, frozen=True):
    """A queue entry in a word: its id or its exam, the state after the action, and its number.

    `exam` is the exam for an entry that is still to be opened.
    """

    queue_id: QueueId | None
    exam_id: ExamId | None
    state: str
    queue_number: str = ""
    exam: Exam | None = None


class Word(msgspec.Struct, frozen=True):
    """An action that the other system did: the journey's state and the entries after it.

    `action` is the same action for the rules, as staff would send it. `is_refused`: the other system refused it.
    """

    action: Action
    to_state: str
    entries: tuple[WordEntry, ...] = ()
    is_refused: bool = False


class DifferenceKind(StrEnum):
    """What the rules see differently."""

    REFUSED = "refused"  # the rules refuse what the other system did
    ALLOWED = "allowed"  # the rules allow what the other system refused
    JOURNEY_STATE = "journey_state"
    ENTRY_STATE = "entry_state"


class Difference(msgspec.Struct, frozen=True):
    """One difference: what the other system says, and what the rules say. States or codes; `exam_id` of an entry."""

    kind: DifferenceKind
    word: str
    rules: str
    exam_id: str | None = None


def differences(definitions: Definitions, journey: Journey, word: Word) -> tuple[Difference, ...]:
    """Where the rules differ from a word about this journey."""
    outcome = decide(definitions, journey, word.action)
    if isinstance(outcome, Refusal):
        return () if word.is_refused else (Difference(DifferenceKind.REFUSED, word.to_state, outcome.code),)
    if word.is_refused:
        return (Difference(DifferenceKind.ALLOWED, word.to_state, outcome.journey.state),)
    return _differences(definitions, outcome.journey, word)


def follow(definitions: Definitions, journey: Journey, word: Word) -> Decision | Refusal:
    """The journey after a word. Where the rules come to the same, all that they do is done.

    Refused where the word does not say enough: the entry that its state needs, or what became of a live current entry.
    """
    outcome = decide(definitions, journey, word.action)
    if isinstance(outcome, Decision) and not _differences(definitions, outcome.journey, word):
        return replace(outcome, transitions=(_row(journey, word),))
    return _as_told(definitions, journey, word)


def _differences(definitions: Definitions, after: Journey, word: Word) -> tuple[Difference, ...]:
    found = []
    if after.state != word.to_state:
        found.append(Difference(DifferenceKind.JOURNEY_STATE, word.to_state, after.state))
    for told, entry in _matched(definitions, after, word):
        is_of_exam = entry is not None and told.exam_id in (None, entry.exam_id)
        state = entry.state if entry is not None and is_of_exam else ""
        if state != told.state and (entry is not None or told.state in definitions.live):
            found.append(Difference(DifferenceKind.ENTRY_STATE, told.state, state, told.exam_id))
    return tuple(found)


def _as_told(definitions: Definitions, journey: Journey, word: Word) -> Decision | Refusal:
    """The journey set to what the word says, as a correction: the rules would not lead there."""
    moved = _on_visit(definitions, replace(journey, state=word.to_state), word)
    changes: list[EntryChange] = []
    bookings: tuple[AppointmentChange, ...] = ()
    for told, before in _matched(definitions, journey, word):
        if before is not None and before.state == told.state:
            continue
        if before is None and told.state not in definitions.live:
            continue  # a place in line that ended unseen here
        entry = replace(before, state=told.state) if before else _opened(definitions, moved, word, told)
        if entry is None:
            return Refusal(RefusalCode.NO_SUCH_ENTRY, word.action.action_type, journey.state)
        leg = moved.leg if before else entry.leg
        entries = moved.with_entry(entry).entries if before else (*moved.entries, entry)
        moved = replace(moved, entries=entries, leg=leg)
        moved, changed = follow_entry(definitions, moved, entry, before.state if before else None)
        bookings += changed
        changes.append(EntryChange(entry.queue_id, before.state if before else None, entry.state, _name(word)))
    placed = _with_current(definitions, moved, word)
    if placed is None:
        return Refusal(RefusalCode.ENTRY_NOT_NAMED, word.action.action_type, journey.state)
    after = replace(placed, journey_version=journey.journey_version + 1)
    return Decision(after, (_row(journey, word),), tuple(changes), bookings)


def _on_visit(definitions: Definitions, journey: Journey, word: Word) -> Journey:
    """The journey without a visit in the initial state, and on one in any other."""
    if journey.state == definitions.initial:
        return replace(journey, visit_id=None, leg=0, current_queue_id=None)
    if journey.visit_id is None:
        return replace(journey, visit_id=word.action.opens.visit_id, leg=0, current_queue_id=None)
    return journey


def _with_current(definitions: Definitions, journey: Journey, word: Word) -> Journey | None:
    """The journey with the entry that it follows in its state; None where the word leaves that open."""
    current = journey.current
    if journey.state not in definitions.journey_to_queue:
        is_open = current is not None and current.state in definitions.live
        return None if is_open else journey
    told = [entry for _, entry in _matched(definitions, journey, word)]
    for entry in (*reversed(told), current, *reversed(journey.entries)):
        if entry is not None and definitions.queue_to_journey[entry.state] == journey.state:
            return replace(journey, current_queue_id=entry.queue_id)
    return None


def _opened(definitions: Definitions, journey: Journey, word: Word, told: WordEntry) -> QueueEntry | None:
    """An entry that the other system opened; None where the word does not name its exam."""
    exam = told.exam
    if exam is None:
        return None
    usable = (
        b for b in journey.appointments if b.exam_id == exam.exam_id and b.status in definitions.open_appointments
    )
    booking = next(usable, None)
    return QueueEntry(
        told.queue_id or word.action.opens.queue_id,
        exam.exam_id,
        exam.public_label,
        exam.room,
        told.state,
        told.queue_number,
        journey.leg + 1,
        word.action.at_ms,
        minutes=exam.minutes,
        overnight=exam.overnight,
        appointment_id=booking.appointment_id if booking else None,
        line_ms=booked_place_ms(definitions, booking, word.action.at_ms),
    )


def _matched(definitions: Definitions, journey: Journey, word: Word) -> tuple[tuple[WordEntry, QueueEntry | None], ...]:
    """The entries of a word, each with the one of the journey that it means: that of its id, else one of its exam.

    An entry in the same state comes first. A live entry of a word never means one that has ended.
    """

    def may_become(told: WordEntry, entry: QueueEntry) -> bool:
        return told.exam_id == entry.exam_id and (entry.state in definitions.live or told.state not in definitions.live)

    ways: tuple[Callable[[WordEntry, QueueEntry], bool], ...] = (
        lambda told, entry: told.queue_id == entry.queue_id,
        lambda told, entry: (told.exam_id, told.state) == (entry.exam_id, entry.state),
        may_become,
    )
    meant: dict[int, QueueEntry] = {}
    for fits in ways:
        for place, told in enumerate(word.entries):
            free = [each for each in journey.entries if each not in meant.values() and fits(told, each)]
            if place not in meant and free:
                meant[place] = max(free, key=lambda entry: (entry.opened_ms, entry.queue_id))
    return tuple((told, meant.get(place)) for place, told in enumerate(word.entries))


def _row(journey: Journey, word: Word) -> Transition:
    return Transition(journey.state, _name(word), word.to_state, Trigger.QUEUE_SYNC)


def _name(word: Word) -> str:
    return word.action.action_type
