"""Cards bound to patients: a keyed hash of the card, a patient, a beginning and an end, and who made each of them."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sync.cards import CardHash
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.journey.model import BindingId, PatientId
from sync.protocol import BindingRow


class Origin(StrEnum):
    """How a binding came about."""

    DESK = "desk"  # staff bound the card by itself
    IMPORT = "import"  # a hospital document named the card
    CASE = "case"  # staff bound the card of a case that they settled


@dataclass(frozen=True, slots=True)
class BindingSource:
    """How a binding came about, by whom, and what staff call the card ("": no label)."""

    origin: Origin
    who: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class CardBinding:
    """A binding in force: the patient who holds the card, and the binding's id."""

    patient_id: PatientId
    binding_id: BindingId


@dataclass(frozen=True, slots=True)
class BindingRecord:
    """A binding on record, in force or ended. `blocked`: its card is blocked now.

    `reason` is why the binding ended, or why the card is blocked.
    """

    binding_id: BindingId
    patient_id: PatientId
    source: BindingSource
    begin_ms: int
    end_ms: int | None
    ended_by: str | None
    reason: str
    blocked: bool


def binding_of_card(db: ReadTransaction, cards: Sequence[CardHash]) -> CardBinding | None:
    """The binding in force of a card, given as its hash under each key; None for a card that is not bound."""
    for card in cards:
        row = db.execute(
            "select b.patient_id, b.binding_id from binding_hashes h join bindings b on b.binding_id = h.binding_id"
            " where h.key_id = :key_id and h.uid_hash = :uid_hash and b.end_ms is null",
            {"key_id": card.key_id, "uid_hash": card.uid_hash},
        ).fetchone()
        if row is not None:
            return CardBinding(PatientId(row["patient_id"]), BindingId(row["binding_id"]))
    return None


def has_held(db: ReadTransaction, patient_id: str, card: CardHash) -> bool:
    """Whether the card is or was this patient's."""
    row = db.row(
        "select 1 from binding_hashes h join bindings b on b.binding_id = h.binding_id"
        " where h.key_id = :key_id and h.uid_hash = :uid_hash and b.patient_id = :patient_id",
        key_id=card.key_id,
        uid_hash=card.uid_hash,
        patient_id=patient_id,
    )
    return row is not None


def was_taken_from(db: ReadTransaction, patient_id: str, cards: Sequence[CardHash], *, by_others_than: str) -> bool:
    """Whether the card was this patient's, and the last of these bindings was ended by somebody else than that."""
    newest = max(
        (
            (row["begin_ms"], row["binding_id"], row["ended_by"])
            for card in cards
            for row in db.execute(
                "select b.begin_ms, b.binding_id, b.ended_by from binding_hashes h"
                " join bindings b on b.binding_id = h.binding_id where h.key_id = :key_id and h.uid_hash = :uid_hash"
                " and b.patient_id = :patient_id and b.end_ms is not null",
                {"key_id": card.key_id, "uid_hash": card.uid_hash, "patient_id": patient_id},
            )
        ),
        default=None,
    )
    return newest is not None and newest[2] != by_others_than


def key_ids_in_use(db: ReadTransaction) -> set[str]:
    """The ids of the keys under which cards were ever bound or blocked."""
    # Each step finds the next id in the index, since there are few ids and a hash for each card.
    steps = (
        f"with recursive ids (id) as (select min(key_id) from {table} union all"  # noqa: S608
        f" select (select min(key_id) from {table} where key_id > ids.id) from ids where ids.id is not null)"
        " select id from ids where id is not null"
        for table in ("binding_hashes", "blocked_hashes")
    )
    return {row["id"] for step in steps for row in db.rows(step)}


def read_binding(db: ReadTransaction, binding_id: str) -> BindingRecord | None:
    """A binding, in force or ended; None for an unknown id."""
    row = db.row(f"{_RECORDS} where b.binding_id = :binding_id", binding_id=binding_id)
    return _record(row) if row else None


def binding_records(db: ReadTransaction, patient_id: str) -> tuple[BindingRecord, ...]:
    """A patient's bindings, in force and ended, in the order in which they began."""
    rows = db.rows(
        f"{_RECORDS} where b.patient_id = :patient_id order by b.begin_ms, b.binding_id", patient_id=patient_id
    )
    return tuple(_record(row) for row in rows)


def hashes_of_binding(db: ReadTransaction, binding_id: str) -> tuple[CardHash, ...]:
    """The hashes of a binding's card, one for each key that the card was read with."""
    rows = db.rows(
        "select key_id, uid_hash from binding_hashes where binding_id = :binding_id order by key_id",
        binding_id=binding_id,
    )
    return tuple(CardHash(row["key_id"], row["uid_hash"]) for row in rows)


def bind(
    db: WriteTransaction,
    patient_id: str,
    cards: Sequence[CardHash],
    binding_id: str,
    now_ms: int,
    source: BindingSource,
) -> BindingId:
    """Binds a card to a patient, ends its earlier binding, and returns the binding in force.

    A card that the patient holds already keeps its binding and gets its hashes under newer keys. A label replaces the
    one of that binding. The caller has made sure that the card is not blocked, and gives the patients concerned a new
    change number.
    """
    before = binding_of_card(db, cards)
    if before is not None and before.patient_id == patient_id:
        add_hashes(db, before.binding_id, cards)
        if source.label:
            _set_label(db, before.binding_id, source.label)
        return before.binding_id
    if before is not None:
        end_binding(db, before.binding_id, now_ms, source.who)
    db.execute(
        "insert into bindings values (:binding_id, :patient_id, :label, :origin, :now_ms, :who, null, null, null)",
        {
            "binding_id": binding_id,
            "patient_id": patient_id,
            "label": source.label,
            "origin": source.origin.value,
            "now_ms": now_ms,
            "who": source.who,
        },
    )
    add_hashes(db, binding_id, cards)
    return BindingId(binding_id)


def add_hashes(db: WriteTransaction, binding_id: str, cards: Iterable[CardHash]) -> None:
    """Adds a card's hashes under every key that it was read with. So bindings move to a new key."""
    for card in cards:
        db.execute(
            "insert into binding_hashes values (:key_id, :uid_hash, :binding_id) on conflict do nothing",
            {"key_id": card.key_id, "uid_hash": card.uid_hash, "binding_id": binding_id},
        )


def end_binding(db: WriteTransaction, binding_id: str, now_ms: int, who: str, reason: str = "") -> None:
    """Ends a binding. Its row stays: actions that were made under it still name it."""
    db.execute(
        "update bindings set end_ms = :now_ms, ended_by = :who, end_reason = :reason"
        " where binding_id = :binding_id and end_ms is null",
        {"now_ms": now_ms, "who": who, "reason": reason, "binding_id": binding_id},
    )


def bindings_of(db: ReadTransaction, patient_id: str) -> tuple[BindingRow, ...]:
    """A patient's bindings in force, a row for each key that the card was read with."""
    rows = db.execute(
        "select b.binding_id, h.key_id, h.uid_hash from bindings b join binding_hashes h on h.binding_id = b.binding_id"
        " where b.patient_id = :patient_id and b.end_ms is null order by b.binding_id, h.key_id",
        {"patient_id": patient_id},
    )
    return tuple(BindingRow(row["binding_id"], row["key_id"], row["uid_hash"]) for row in rows)


_RECORDS = """select b.*, (select max(k.reason) from binding_hashes h
    join blocked_hashes bh on bh.key_id = h.key_id and bh.uid_hash = h.uid_hash
    join card_blocks k on k.block_id = bh.block_id
    where h.binding_id = b.binding_id and k.end_ms is null) as block_reason from bindings b"""


def _record(row: sqlite3.Row) -> BindingRecord:
    blocked = row["block_reason"] is not None
    return BindingRecord(
        BindingId(row["binding_id"]),
        PatientId(row["patient_id"]),
        BindingSource(Origin(row["origin"]), row["bound_by"], row["label"]),
        row["begin_ms"],
        row["end_ms"],
        row["ended_by"],
        (row["block_reason"] if blocked else row["end_reason"]) or "",
        blocked,
    )


def _set_label(db: WriteTransaction, binding_id: str, label: str) -> None:
    db.execute(
        "update bindings set label = :label where binding_id = :binding_id", {"label": label, "binding_id": binding_id}
    )
