"""Takes where the patients of the old system stand: the state of each journey, with a visit where it is under way."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from sync.central.legacy.context import Judged, LegacyContext, patients_of
from sync.central.legacy.layout import Kind
from sync.central.legacy.reading import OldRow
from sync.central.legacy.reasons import Reason
from sync.central.legacy.settle_journey import SettledJourney, settle_journey
from sync.central.legacy.take_entries import unfinished
from sync.central.legacy.values import state_of
from sync.central.records.appointments import bookings_of_patients
from sync.central.records.entries import entries_since, patients_not_begun, set_entry_state
from sync.central.records.history import add_entry_history
from sync.central.records.journeys import save, stored_journeys
from sync.central.records.legacy import kept_ids, settle_kept
from sync.central.records.visits import set_arrival
from sync.clock import day_after, day_before
from sync.ids import new_id
from sync.journey.model import Appointment, Decision, EntryChange, Journey, QueueEntry, VisitId

_AT_ONCE = 500  # patients


class _Said(msgspec.Struct, frozen=True):
    """What the old system says of a patient: the state, if it is a known one, and the day of its last change."""

    state: str | None
    day: str


def take_patients(context: LegacyContext, rows: Sequence[OldRow]) -> list[Judged]:
    """Sets the journey of each patient. One without a usable row follows by `take_patients_left`."""
    named = patients_of(context, rows)
    seen = kept_ids(context.db, Kind.PATIENT, {each for each in named if isinstance(each, str)})
    judged: list[Judged] = []
    said: dict[str, _Said] = {}
    for row, patient_id in zip(rows, named, strict=True):
        state, spelled = _state(context, row)
        if isinstance(patient_id, Reason) or patient_id in seen:
            judged.append(Judged(row, (patient_id if isinstance(patient_id, Reason) else Reason.DUPLICATE,)))
            continue
        seen.add(patient_id)
        if state is None:
            # It stays as it is, until the patient's state changes here.
            judged.append(Judged(row, (Reason.UNKNOWN_STATE,), patient_id))
            continue
        changed_ms, late = context.when(row)
        said[patient_id] = _Said(state, context.site.day(changed_ms))
        judged.append(Judged(row, [reason for reason in (spelled, late) if reason], patient_id))
    settled = _settle(context, said)
    return [
        msgspec.structs.replace(each, reasons=[*each.reasons, *settled.get(each.our_id or "", ())]) for each in judged
    ]


def take_patients_left(context: LegacyContext) -> None:
    """Sets the journeys of patients who wait or are seen, and of whom no row says a usable state."""
    after = ""
    while True:
        ids = patients_not_begun(context.db, context.definitions, unfinished(context.definitions), after, _AT_ONCE)
        _settle(context, dict.fromkeys(ids, _Said(None, context.today)))
        context.db.flush()
        if len(ids) < _AT_ONCE:
            return
        after = ids[-1]


def _state(context: LegacyContext, row: OldRow) -> tuple[str | None, Reason | None]:
    return state_of(row.holds["state"], context.layout.states.get("journey", {}), context.definitions.journey_states)


def _settle(context: LegacyContext, said: Mapping[str, _Said]) -> dict[str, tuple[Reason, ...]]:
    """Settles and writes the journeys of these patients. Returns the faults of their states."""
    found: dict[str, tuple[Reason, ...]] = {}
    if not said:
        return found
    first_day = min(day_before(context.today), *(each.day for each in said.values()))
    entries = entries_since(context.db, said, first_day, unfinished(context.definitions))
    stored = list(stored_journeys(context.db, list(said), context.today))
    plans = [(each, _day(context, said[each.patient_id], entries.get(each.patient_id, {}))) for each in stored]
    booked = _booked(context, plans)
    for journey, day in plans:
        of_patient = entries.get(journey.patient_id, {})
        _end_earlier(context, journey.patient_id, of_patient, day)
        word = said[journey.patient_id]
        old = replace(
            journey,
            state=word.state or context.definitions.initial,
            site_day=day,
            entries=tuple(of_patient.get(day, ())),
            appointments=booked[day].get(journey.patient_id, ()),
        )
        settled = settle_journey(context.definitions, old, is_known=word.state is not None)
        _write(context, journey, old, settled)
        found[journey.patient_id] = settled.reasons
        if word.state is None and settled.journey.current_queue_id:
            settle_kept(context.db, Kind.QUEUE, settled.journey.current_queue_id, Reason.NO_STATE.code)
    return found


def _day(context: LegacyContext, said: _Said, entries: Mapping[str, Sequence[QueueEntry]]) -> str:
    """The day of a journey: that of its last entry that waits or is seen, else that of the last change of its state.

    It is not before the last change where an entry of that day has come as far: an older one was left open then.
    Where it is a day that has ended, the centre ends it by its rules at its next start.
    """
    states, told_by = unfinished(context.definitions), context.definitions.queue_to_journey
    days = [day for day, of_day in entries.items() if any(each.state in states for each in of_day)]
    has_come = any(told_by[each.state] == said.state for each in entries.get(said.day, ()))
    follows = said.state is None or (said.state in told_by.values() and not has_come)
    return min(max(days, default=said.day) if follows else max([said.day, *days]), context.today)


def _booked(
    context: LegacyContext, plans: Iterable[tuple[Journey, str]]
) -> dict[str, dict[str, tuple[Appointment, ...]]]:
    """The bookings of these patients' days, by day and patient."""
    by_day: defaultdict[str, list[str]] = defaultdict(list)
    for journey, day in plans:
        by_day[day].append(journey.patient_id)
    return {day: bookings_of_patients(context.db, ids, day, day_after(day)) for day, ids in by_day.items()}


def _end_earlier(
    context: LegacyContext, patient_id: str, entries: Mapping[str, Sequence[QueueEntry]], day: str
) -> None:
    """Ends the entries of days before that of the journey, as the ends of those days would have done."""
    states, to = unfinished(context.definitions), context.definitions.day_end.entries_to
    reason = Reason.DAY_ENDED.code
    ended = [each for of, of_day in entries.items() if of != day for each in of_day if each.state in states]
    _write_changes(context, patient_id, tuple(EntryChange(each.queue_id, each.state, to, reason) for each in ended))


def _write_changes(context: LegacyContext, patient_id: str, changes: tuple[EntryChange, ...]) -> None:
    if not changes:
        return
    for change in changes:
        set_entry_state(context.db, change.queue_id, change.new)
        settle_kept(context.db, Kind.QUEUE, change.queue_id, change.reason)
    add_entry_history(context.db, context.db.next_change(), patient_id, changes, context.provenance(context.now_ms))


def _write(context: LegacyContext, stored: Journey, old: Journey, settled: SettledJourney) -> None:
    """Writes a settled journey, where it is not as it is stored already."""
    after = settled.journey
    is_begun = after.state != context.definitions.initial
    if not (is_begun or settled.entry_changes or settled.appointment_changes):
        return
    visit_id = VisitId(new_id()) if is_begun else None
    leg = max((each.leg for each in after.entries), default=0)
    version = stored.journey_version + 1
    journey = replace(after, visit_id=visit_id, leg=leg if is_begun else 0, journey_version=version)
    decision = Decision(journey, (), settled.entry_changes, settled.appointment_changes)
    before = replace(stored, entries=old.entries, appointments=old.appointments)
    save(context.db, before, decision, context.provenance(context.now_ms))
    if visit_id:
        set_arrival(context.db, visit_id, min([context.now_ms, *(each.opened_ms for each in after.entries)]))
    for change in settled.entry_changes:
        settle_kept(context.db, Kind.QUEUE, change.queue_id, change.reason)
    for changed in settled.appointment_changes:
        settle_kept(context.db, Kind.APPOINTMENT, changed.appointment_id, Reason.BOOKING_FOLLOWS.code)
