"""What of a migrated database has changed since, and what is new: the rows of the way back."""

from collections.abc import Iterator

from sync.central.store.connection import Row
from sync.central.store.transactions import ReadTransaction, WriteTransaction

# By the kind of an old row: the row that was made of it as one text, and the tables with the aliases of that.
_PRESENT = {
    "appointment": (
        "a.status || ' ' || a.exam_id || ' ' || cast(a.scheduled_ms as text)",
        "appointments a",
        "a.appointment_id",
    ),
    "queue": ("e.state || ' ' || e.exam_id", "entries e", "e.queue_id"),
    "patient": ("j.state", "journeys j", "j.patient_id"),
}


def note_present(db: WriteTransaction) -> None:
    """Notes what was made of each old row as it is now, so that a later change shows."""
    for kind, (text, table, our_id) in _PRESENT.items():
        db.execute(
            f"update legacy_rows set present = (select {text} from {table} where {our_id} = legacy_rows.our_id)"  # noqa: S608
            " where kind = :kind and our_id is not null",
            {"kind": kind},
        )


def present_rows(db: ReadTransaction, kind: str, *, changed: bool) -> Iterator[Row]:
    """The old rows of which something was made, each beside that as it is now; or those whose has `changed` since.

    A journey that has changed has the time of it as `time_ms`.
    """
    text, table, our_id = _PRESENT[kind]
    ours = _OURS[kind] if kind != "patient" or not changed else f"{_OURS[kind]}, {_MOVED_MS} as time_ms"
    where = f"l.present <> {text}" if changed else "1 = 1"
    query = (
        f"select l.place, l.old_key, l.content, l.fate, {ours} from legacy_rows l"  # noqa: S608
        f" join {table} on {our_id} = l.our_id where l.kind = :kind and l.place > :place and {where}"
        " order by l.place limit :limit"
    )
    place = 0
    while rows := db.rows(query, kind=kind, place=place, limit=_AT_ONCE):
        yield from rows
        place = rows[-1]["place"]


def count_lost(db: ReadTransaction, kind: str) -> int:
    """The number of old rows of which something was made that is not there."""
    _, table, our_id = _PRESENT[kind]
    return int(
        db.value(
            "select count(*) from legacy_rows l where l.kind = :kind and l.our_id is not null"  # noqa: S608
            f" and not exists (select 1 from {table} where {our_id} = l.our_id)",
            kind=kind,
        )
    )


def born_rows(db: ReadTransaction, kind: str, change: int) -> Iterator[Row]:
    """What has come into being since the migration, whose last change number is `change`: no old row has it."""
    query = f"{_BORN[kind]} limit {_AT_ONCE}"
    last: dict[str, object] = {"change": change, "after": change, "position": _LAST, "id": ""}
    while rows := db.rows(query, **last):
        yield from rows
        last |= {name: rows[-1][name] for name in set(rows[-1].keys()) & last.keys()}


_AT_ONCE = 1000
_LAST = 2**31  # no change has so many rows
# When a journey has changed last.
_MOVED_MS = (
    "(select t.happened_ms from transitions t where t.patient_id = j.patient_id"
    " order by t.change desc, t.position desc limit 1)"
)
_OURS = {
    "appointment": "a.status as state, a.exam_id as exam, a.scheduled_ms as time_ms",
    "queue": "e.state, e.exam_id as exam, e.queue_number as number",
    "patient": "j.state",
}
_NEW = (
    "not exists (select 1 from legacy_rows l where l.kind = '{kind}' and l.our_id = {id}) and {id} > :id order by {id}"
)
_BORN = {
    "appointment": (
        "select a.appointment_id as id, a.patient_id as patient, a.exam_id as exam, a.scheduled_ms as time_ms,"  # noqa: S608
        f" a.status as state from appointments a where {_NEW.format(kind='appointment', id='a.appointment_id')}"
    ),
    "queue": (
        "select e.queue_id as id, e.patient_id as patient, e.exam_id as exam, e.appointment_id as appointment, e.state,"  # noqa: S608
        " e.queue_number as number, e.opened_ms as time_ms from entries e"
        f" where {_NEW.format(kind='queue', id='e.queue_id')}"
    ),
    # A patient who was imported, and has done nothing, is none of the old system.
    "patient": (
        f"select j.patient_id as id, j.patient_id as patient, j.state, {_MOVED_MS} as time_ms from journeys j"  # noqa: S608
        " where exists (select 1"
        " from transitions t where t.patient_id = j.patient_id and t.change > :change)"
        f" and {_NEW.format(kind='patient', id='j.patient_id')}"
    ),
    "transition": (
        'select t.change as after, t.position, t.patient_id as patient, t.from_state as "from", t.to_state as "to",'
        ' t.trigger_type as "trigger", t.source, t.metadata, t.happened_ms as time_ms from transitions t'
        " where (t.change, t.position) > (:after, :position) order by t.change, t.position"
    ),
    "log": (
        'select h.change as after, h.position, h.queue_id as queue, h.previous as "from", h.new as "to", h.reason,'
        " h.who, h.happened_ms as time_ms from entry_history h where (h.change, h.position) > (:after, :position)"
        " order by h.change, h.position"
    ),
}
