"""The rows of a board: one queue entry each, as staff see it, and what the rules allow on it now."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

import msgspec
from msgspec.structs import replace

from sync.central.records.board_entries import BoardEntry
from sync.central.records.presses import UndoablePress
from sync.central.records.site import SiteSettings
from sync.central.services.current_state import estimated_wait
from sync.central.services.doers import doer
from sync.clock import iso
from sync.journey.definitions import Definitions
from sync.journey.line import stands_ms
from sync.journey.meaning import waits
from sync.journey.model import Journey, PatientId, QueueEntry, QueueId
from sync.journey.rules import place_in_line, staff_actions_on

NO_PRESSES: Mapping[str, UndoablePress] = MappingProxyType({})


class OtherEntry(msgspec.Struct, frozen=True):
    """Another live entry of the same patient."""

    queue_id: str
    exam_id: str
    exam_name: str
    room: str
    state: str
    queue_number: str


class Undoable(msgspec.Struct, frozen=True):
    """The last press of staff on an entry, which can be taken back."""

    action_id: str
    action: str
    at: str
    by: str


class BoardRow(msgspec.Struct, frozen=True):
    """One entry of a line, for staff. Times are ISO 8601 with the site's offset.

    - `exam_name` is the exam's title for staff.
    - `line_at` is the time by which the entry stands in its line.
    - `since` is when it came into its state; `by` is the name of who did that, and `by_kind` whose name it is: staff,
      kiosk, patient, or centre for a program.
    - `is_in_line`: it counts among the people ahead of those behind it. `waits`: it has people ahead itself.
    - `people_ahead` is the number of rows before it in the line that are in line, and 0 where it does not wait.
    - `estimated_wait_time` is `minutes` for each of them.
    - `is_current`: the patient's journey follows this entry. `others` are the patient's other live entries.
    - `actions` are the actions of staff that the rules allow on it, and `states` those to which staff may set it.
    """

    queue_id: str
    patient_id: str
    name: str
    masked_name: str
    birth_date: str | None
    language: str
    exam_id: str
    exam_name: str
    room: str
    state: str
    queue_number: str
    label_aliases: tuple[str, ...]
    priority: int
    priority_kind: str
    priority_reason: str
    note: str
    opened_at: str
    line_at: str
    booked_at: str | None
    since: str
    by: str
    by_kind: str
    journey_state: str
    journey_version: int
    people_ahead: int
    estimated_wait_time: int
    minutes: int
    is_in_line: bool
    waits: bool
    is_current: bool
    others: tuple[OtherEntry, ...]
    actions: tuple[str, ...]
    states: tuple[str, ...]
    undo: Undoable | None


class PlacedRow(msgspec.Struct, frozen=True):
    """A row with the entry that it shows, by which it is sorted, and the time of its last change (UTC ms)."""

    row: BoardRow
    entry: QueueEntry
    since_ms: int


class RowMaker:
    """Makes the rows of entries of one moment."""

    def __init__(
        self, definitions: Definitions, site: SiteSettings, presses: Mapping[str, UndoablePress] = NO_PRESSES
    ) -> None:
        """`presses` are those that can be undone, by the entry."""
        self._definitions = definitions
        self._zone = site.site.timezone
        self._presses = presses
        self._elsewhere = site.site.decided_elsewhere
        self._allowed: dict[tuple[str, str, bool], tuple[str, ...]] = {}

    def rows(self, entries: Sequence[BoardEntry], of_patients: Sequence[BoardEntry]) -> Iterator[PlacedRow]:
        """The rows of entries. `of_patients` holds every live entry of their patients."""
        live = self._definitions.live
        others: dict[str, list[BoardEntry]] = {}
        for each in of_patients:
            if each.entry.state in live:
                others.setdefault(each.patient_id, []).append(each)
        return (self._row(each, others.get(each.patient_id, ())) for each in entries)

    def _row(self, shown: BoardEntry, of_patient: Iterable[BoardEntry]) -> PlacedRow:
        entry, zone = shown.entry, self._zone
        opened_at = iso(entry.opened_ms, zone)
        by = doer(shown.who, shown.kiosk)
        is_live = entry.state in self._definitions.live
        row = BoardRow(
            queue_id=entry.queue_id,
            patient_id=shown.patient_id,
            name=shown.name,
            masked_name=shown.masked_name,
            birth_date=shown.birth_date,
            language=shown.language,
            exam_id=entry.exam_id,
            exam_name=shown.exam_title,
            room=entry.room,
            state=entry.state,
            queue_number=entry.queue_number,
            label_aliases=entry.label_aliases,
            priority=entry.priority,
            priority_kind=shown.priority_kind,
            priority_reason=shown.priority_reason,
            note=shown.note,
            opened_at=opened_at,
            line_at=iso(stands_ms(entry), zone),
            booked_at=iso(shown.booked_ms, zone) if shown.booked_ms is not None else None,
            since=iso(shown.since_ms, zone),
            by=by.name,
            by_kind=by.kind,
            journey_state=shown.journey_state,
            journey_version=shown.journey_version,
            people_ahead=0,
            estimated_wait_time=0,
            minutes=entry.minutes,
            is_in_line=entry.state in self._definitions.in_line,
            waits=waits(self._definitions, entry),
            is_current=entry.queue_id == shown.current_queue_id,
            others=tuple(_other(each) for each in of_patient if each.entry.queue_id != entry.queue_id),
            actions=self._actions(shown),
            states=tuple(s for s in self._definitions.queue_states if s != entry.state) if is_live else (),
            undo=self._undo(entry.queue_id),
        )
        return PlacedRow(row, entry, shown.since_ms)

    def _undo(self, queue_id: str) -> Undoable | None:
        press = self._presses.get(queue_id)
        if press is None:
            return None
        by = doer(press.who, None)
        return Undoable(press.action_id, press.action, iso(press.at_ms, self._zone), by.name)

    def _actions(self, shown: BoardEntry) -> tuple[str, ...]:
        is_current = shown.entry.queue_id == shown.current_queue_id
        situation = (shown.journey_state, shown.entry.state, is_current)
        found = self._allowed.get(situation)
        if found is None:
            current = QueueId(shown.current_queue_id) if shown.current_queue_id is not None else None
            journey = Journey(PatientId(shown.patient_id), shown.journey_state, "", current_queue_id=current)
            allowed = staff_actions_on(self._definitions, journey, shown.entry)
            found = self._allowed[situation] = tuple(each for each in allowed if each not in self._elsewhere)
        return found


def lines_of(rows: Iterable[PlacedRow]) -> dict[str, list[PlacedRow]]:
    """The live rows of each exam in the order of its line."""
    found: dict[str, list[PlacedRow]] = {}
    for each in sorted(rows, key=lambda each: place_in_line(each.entry)):
        found.setdefault(each.entry.exam_id, []).append(each)
    return found


def with_places(line: Iterable[PlacedRow]) -> Iterator[PlacedRow]:
    """The rows of a line in its order, with the people ahead of each: as `people_ahead()` of the rules counts them."""
    ahead = 0
    for each in line:
        row = each.row
        here = ahead if row.waits else 0
        ahead += row.is_in_line
        if row.people_ahead != here:
            placed = replace(row, people_ahead=here, estimated_wait_time=estimated_wait(each.entry, here))
            yield replace(each, row=placed)
        else:
            yield each


def _other(other: BoardEntry) -> OtherEntry:
    entry = other.entry
    return OtherEntry(entry.queue_id, entry.exam_id, other.exam_title, entry.room, entry.state, entry.queue_number)
