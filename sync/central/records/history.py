"""The history of journeys and queue entries as rows: the change, its action, its time and its origin."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from sync.central.store.connection import Row
from sync.central.store.set_transaction import SetTransaction
from sync.central.store.transactions import UNREAD, Question, ReadTransaction, WriteTransaction, Writing, each_of
from sync.clock import TimeQuality
from sync.journey.model import EntryChange, Role, Transition

_metadata = msgspec.json.Decoder(dict[str, Any])


class Provenance(msgspec.Struct, frozen=True):
    """The origin of the rows of one change.

    `source` is the channel: `rest`, `websocket`, a kiosk's id or the centre itself. `who` is the actor's name in the
    history of the queue. `metadata` holds the other members of the request, with a card as its hashes alone.
    """

    source: str
    who: str
    happened_ms: int
    recorded_ms: int
    time_quality: TimeQuality = TimeQuality.RECEIVED
    action_id: str | None = None
    metadata: Mapping[str, Any] = {}


def day_end(now_ms: int) -> Provenance:
    """The origin of the rows of a day's end: the centre itself, even where a request caused the closure."""
    return Provenance("centre", Role.SYSTEM, now_ms, now_ms)


class PastTransition(msgspec.Struct, frozen=True):
    """A transition of a visit's history. `metadata` is JSON."""

    action: str
    leg: int
    to_state: str
    trigger_type: str
    metadata: str

    @property
    def payload(self) -> Mapping[str, Any]:
        """The payload of the action, from any channel."""
        metadata = _metadata.decode(self.metadata)
        # A kiosk's row holds its place in the chain too, and the payload as one member.
        payload = metadata.get("payload", {}) if "seq" in metadata else metadata
        return payload if isinstance(payload, dict) else {}


@dataclass(frozen=True, slots=True)
class RecordedTransition:
    """A transition of a patient's history, with everything that is recorded of it. Times are UTC ms.

    `change` and `position` are its place in the history.
    """

    from_state: str
    to_state: str
    action: str
    trigger_type: str
    source: str
    action_id: str | None
    visit_id: str | None
    leg: int
    metadata: Mapping[str, Any]
    happened_ms: int
    recorded_ms: int
    time_quality: str
    change: int
    position: int


@dataclass(frozen=True, slots=True)
class TransitionPlace:
    """A place in the history: its change number, and the position within the change."""

    change: int
    position: int


END = TransitionPlace(2**63 - 1, 0)


def newest_transitions(
    db: ReadTransaction, patient_id: str, limit: int, before: TransitionPlace = END
) -> list[RecordedTransition]:
    """A patient's newest transitions before a place, `limit` of them, oldest first."""
    rows = db.rows(
        "select from_state, to_state, action, trigger_type, source, action_id, visit_id, leg, metadata, happened_ms,"
        " recorded_ms, time_quality, change, position from transitions where patient_id = :patient_id"
        " and (change, position) < (:change, :position) order by change desc, position desc limit :limit",
        patient_id=patient_id,
        limit=limit,
        change=before.change,
        position=before.position,
    )
    return [_recorded(row) for row in reversed(rows)]


def kinds_of_transitions(db: ReadTransaction) -> list[tuple[Transition, int]]:
    """Every kind of transition in the history, sorted, with the number of its rows."""
    rows = db.rows(
        "select from_state, action, to_state, trigger_type, count(*) as rows from transitions"
        " group by from_state, action, to_state, trigger_type order by from_state, action, to_state, trigger_type"
    )
    return [
        (Transition(row["from_state"], row["action"], row["to_state"], row["trigger_type"]), row["rows"])
        for row in rows
    ]


def last_recorded_ms(db: ReadTransaction, after: int) -> int | None:
    """The time at which the last transition with a change number above `after` was recorded; None where none was."""
    row = db.row(
        "select recorded_ms from transitions where change > :after order by change desc, position desc limit 1",
        after=after,
    )
    return int(row["recorded_ms"]) if row else None


def transitions_of_visit(db: ReadTransaction, visit_id: str) -> tuple[PastTransition, ...]:
    """A visit's transitions, oldest first."""
    known = db.known(_OF_VISIT, visit_id)
    if known is not UNREAD:
        return known
    rows = db.execute(
        "select action, leg, to_state, trigger_type, metadata from transitions where visit_id = :visit_id"
        " order by change, position",
        {"visit_id": visit_id},
    )
    return tuple(PastTransition(*row) for row in rows)


def read_transitions_ahead(db: SetTransaction, visit_ids: Collection[str]) -> None:
    """Reads the transitions of these visits."""
    names, parameters = each_of("visit", visit_ids)
    rows = db.execute(
        "select visit_id, action, leg, to_state, trigger_type, metadata from transitions"  # noqa: S608
        f" where visit_id in {names} order by change, position",
        parameters,
    )
    past: dict[str, tuple[PastTransition, ...]] = dict.fromkeys(visit_ids, ())
    for visit_id, *row in rows:
        past[visit_id] += (PastTransition(*row),)
    db.read_ahead(_OF_VISIT, past)


def last_action_of_visit(db: ReadTransaction, visit_id: str, action: str) -> str | None:
    """The id of the visit's last action of this kind. Without one, the visit's last action; None for neither."""
    row = db.row(
        "select action_id from transitions where visit_id = :visit_id and action_id is not null"
        " order by case when action = :action then 0 else 1 end, change desc limit 1",
        visit_id=visit_id,
        action=action,
    )
    return str(row["action_id"]) if row else None


def add_transitions(
    db: WriteTransaction,
    change: int,
    patient_id: str,
    visit_id: str | None,
    leg: int,
    rows: tuple[Transition, ...],
    provenance: Provenance,
) -> None:
    """Adds rows to a patient's history. A late action of a closed day adds rows without moving today's journey.

    `change` is the change number of this transaction; a number takes rows only once.
    """
    metadata = msgspec.json.encode(provenance.metadata).decode() if rows else ""
    for position, row in enumerate(rows):
        db.write(
            _ADD,
            {
                "change": change,
                "position": position,
                "patient_id": patient_id,
                "visit_id": visit_id,
                "leg": leg,
                "action_id": provenance.action_id,
                "from_state": row.from_state,
                "to_state": row.to_state,
                "action": row.action,
                "trigger_type": row.trigger_type,
                "source": provenance.source,
                "who": provenance.who,
                "metadata": metadata,
                "happened_ms": provenance.happened_ms,
                "recorded_ms": provenance.recorded_ms,
                "time_quality": provenance.time_quality.value,
            },
        )
    if visit_id is None:
        return
    known = db.known(_OF_VISIT, visit_id)
    if known is not UNREAD:
        added = (PastTransition(row.action, leg, row.to_state, row.trigger_type, metadata) for row in rows)
        db.learn(_OF_VISIT, visit_id, (*known, *added))


def add_entry_history(
    db: WriteTransaction, number: int, patient_id: str, changes: tuple[EntryChange, ...], provenance: Provenance
) -> None:
    """Adds rows to the history of a patient's entries, under the change number of this transaction."""
    for position, change in enumerate(changes):
        db.write(
            _ADD_OF_ENTRY,
            {
                "change": number,
                "position": position,
                "queue_id": change.queue_id,
                "patient_id": patient_id,
                "action_id": provenance.action_id,
                "previous": change.previous,
                "new": change.new,
                "reason": change.reason,
                "who": provenance.who,
                "happened_ms": provenance.happened_ms,
                "recorded_ms": provenance.recorded_ms,
            },
        )


def _recorded(row: Row) -> RecordedTransition:
    return RecordedTransition(
        row["from_state"],
        row["to_state"],
        row["action"],
        row["trigger_type"],
        row["source"],
        row["action_id"],
        row["visit_id"],
        row["leg"],
        _metadata.decode(row["metadata"]),
        row["happened_ms"],
        row["recorded_ms"],
        row["time_quality"],
        row["change"],
        row["position"],
    )


_OF_VISIT: Question[str, tuple[PastTransition, ...]] = Question()
_ADD = Writing(
    "insert into transitions values (:change, :position, :patient_id, :visit_id, :leg, :action_id, :from_state,"
    " :to_state, :action, :trigger_type, :source, :who, :metadata, :happened_ms, :recorded_ms, :time_quality)"
)
_ADD_OF_ENTRY = Writing(
    "insert into entry_history values (:change, :position, :queue_id, :patient_id, :action_id, :previous, :new,"
    " :reason, :who, :happened_ms, :recorded_ms)"
)
