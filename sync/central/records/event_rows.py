"""The rows that the feed of events tells: those of the history that are of use to the hospital's system.

The history is the one record of what happened, so the feed is read from it. Change numbers become visible in their
order, so no row appears behind a change that was read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from sync.central.store.connection import Row
from sync.central.store.transactions import ReadTransaction, any_of
from sync.journey.definitions import Definitions
from sync.journey.model import BuiltIn

_SET_RIGHT = (BuiltIn.CORRECT_JOURNEY.value, BuiltIn.TAKE_BACK.value, BuiltIn.UNDO.value)
_labels = msgspec.json.Decoder(tuple[str, ...])


@dataclass(frozen=True, slots=True)
class HistoryPlace:
    """The place of a row in the history, and what makes it unlike any row of a part that a restore has lost.

    `record` is the entry, the visit or the merged record that the row is about.
    """

    change: int
    position: int
    record: str
    recorded_ms: int


@dataclass(frozen=True, slots=True)
class EntryRow:
    """A change of a queue entry. The columns of the entry are its present ones, `state` is that after the change.

    `sets_right`: a correction by staff, or something taken back. `is_call`: one more call. `before` is the place of the
    last row of the entry that is told.
    """

    place: HistoryPlace
    before: HistoryPlace | None
    patient_id: str
    visit_id: str | None
    happened_ms: int
    who: str
    by_kiosk: bool
    previous: str | None
    state: str
    sets_right: bool
    is_call: bool
    exam_id: str
    appointment_id: str | None
    queue_number: str
    other_numbers: tuple[str, ...]
    room: str


@dataclass(frozen=True, slots=True)
class JourneyRow:
    """An arrival, or a journey that was set right. `before` is the place of the last such row of the visit."""

    place: HistoryPlace
    before: HistoryPlace | None
    patient_id: str
    visit_id: str | None
    happened_ms: int
    source: str
    trigger_type: str
    state: str
    sets_right: bool


@dataclass(frozen=True, slots=True)
class MergeRow:
    """A record that was merged into the record of `patient_id`."""

    place: HistoryPlace
    patient_id: str


EventRow = EntryRow | JourneyRow | MergeRow


def end_of_page(db: ReadTransaction, definitions: Definitions, after: int, limit: int) -> int:
    """The last change of a page that begins after the change `after` and has about `limit` rows."""
    journeys, parameters = _told_of_journeys(definitions)
    found = db.rows(
        "select change from ("  # noqa: S608
        "select change from (select change from entry_history where change > :after order by change limit :limit) e"
        f" union all select change from (select t.change from transitions t where t.change > :after and {journeys}"
        " order by t.change limit :limit) j"
        " union all select change from (select change from patient_aliases where change > :after"
        " order by change limit :limit) m) c order by change limit :limit",
        after=after,
        limit=limit,
        **parameters,
    )
    return int(found[-1]["change"]) if len(found) == limit else db.latest_change()


def event_rows(db: ReadTransaction, definitions: Definitions, after: int, until: int) -> list[EventRow]:
    """The rows of the changes after `after`, up to `until`, in their order."""
    rows = [
        *_merges(db, after, until),
        *_journeys(db, definitions, after, until),
        *_entries(db, after, until),
    ]
    return sorted(rows, key=lambda each: each.place.change)  # stable: within a change in the order above


def _merges(db: ReadTransaction, after: int, until: int) -> Sequence[EventRow]:
    rows = db.rows(
        "select alias_id, patient_id, since_ms, change from patient_aliases"
        " where change > :after and change <= :until order by change",
        after=after,
        until=until,
    )
    return [
        MergeRow(HistoryPlace(row["change"], 0, row["alias_id"], row["since_ms"]), row["patient_id"]) for row in rows
    ]


def _journeys(db: ReadTransaction, definitions: Definitions, after: int, until: int) -> Sequence[EventRow]:
    told, parameters = _told_of_journeys(definitions)
    rows = db.rows(
        "select t.*, b.change as before_change, b.position as before_position, b.recorded_ms as before_recorded_ms"  # noqa: S608
        " from transitions t left join transitions b on b.visit_id = t.visit_id and (b.change, b.position) ="
        " (select p.change, p.position from transitions p where p.visit_id = t.visit_id"
        f" and (p.change, p.position) < (t.change, t.position) and {_SAID.format('p')}"
        " order by p.change desc, p.position desc limit 1)"
        f" where t.change > :after and t.change <= :until and {told} order by t.change, t.position",
        after=after,
        until=until,
        **parameters,
    )
    return [
        JourneyRow(
            HistoryPlace(row["change"], row["position"], row["visit_id"] or row["patient_id"], row["recorded_ms"]),
            _before(row, row["visit_id"] or ""),
            row["patient_id"],
            row["visit_id"],
            row["happened_ms"],
            row["source"],
            row["trigger_type"],
            row["to_state"],
            row["action"] in _SET_RIGHT,
        )
        for row in rows
    ]


def _entries(db: ReadTransaction, after: int, until: int) -> Sequence[EventRow]:
    actions, parameters = any_of("set_right", _SET_RIGHT)
    rows = db.rows(
        "select h.*, e.visit_id, e.exam_id, e.appointment_id, e.queue_number, e.label_aliases, e.room,"  # noqa: S608
        " exists (select 1 from kiosks k where k.kiosk_id = h.who) as by_kiosk,"
        f" exists (select 1 from transitions t where t.change = h.change and t.action in {actions}) as sets_right,"
        " b.change as before_change, b.position as before_position, b.recorded_ms as before_recorded_ms"
        " from entry_history h join entries e on e.queue_id = h.queue_id"
        " left join entry_history b on b.queue_id = h.queue_id and (b.change, b.position) ="
        " (select p.change, p.position from entry_history p where p.queue_id = h.queue_id"
        f" and (p.change, p.position) < (h.change, h.position) and {_TOLD.format('p')}"
        " order by p.change desc, p.position desc limit 1)"
        f" where h.change > :after and h.change <= :until and {_TOLD.format('h')} order by h.change, h.position",
        after=after,
        until=until,
        priority=f"{BuiltIn.SET_PRIORITY}%",
        **parameters,
    )
    return [
        EntryRow(
            HistoryPlace(row["change"], row["position"], row["queue_id"], row["recorded_ms"]),
            _before(row, row["queue_id"]),
            row["patient_id"],
            row["visit_id"],
            row["happened_ms"],
            row["who"],
            bool(row["by_kiosk"]),
            row["previous"],
            row["new"],
            bool(row["sets_right"]),
            row["previous"] == row["new"] and row["reason"] == BuiltIn.CALL_AGAIN,
            row["exam_id"],
            row["appointment_id"],
            row["queue_number"],
            _labels.decode(row["label_aliases"]),
            row["room"],
        )
        for row in rows
    ]


# Not a priority: what staff know of a patient is none of the other system. The first row of an entry has no `previous`.
_TOLD = "not ({0}.previous is not null and {0}.previous = {0}.new and {0}.reason like :priority)"
# An arrival, or a journey that was set right. An undo that concerns an entry alone leaves the journey where it is.
_SAID = (
    "({0}.from_state = :initial"
    " or ({0}.action in (:set_right0, :set_right1, :set_right2) and {0}.from_state <> {0}.to_state))"
)


def _told_of_journeys(definitions: Definitions) -> tuple[str, dict[str, str]]:
    """The condition for a row `t` of the transitions that is told, and its parameters."""
    _, parameters = any_of("set_right", _SET_RIGHT)
    return _SAID.format("t"), {"initial": definitions.initial, **parameters}


def _before(row: Row, record: str) -> HistoryPlace | None:
    if row["before_change"] is None:
        return None
    return HistoryPlace(row["before_change"], row["before_position"], record, row["before_recorded_ms"])
