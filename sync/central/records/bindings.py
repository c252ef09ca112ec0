"""Cards bound to patients: a keyed hash of the card, a patient, a beginning and an end, and who made each of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from sync.cards import CardHash
from sync.central.records.parts import Part
from sync.central.store.connection import Row
from sync.central.store.set_transaction import SetTransaction
from sync.central.store.transactions import UNREAD, Question, ReadTransaction, WriteTransaction, any_of, each_of
from sync.journey.model import BindingId, PatientId
from sync.protocol import BindingRow


class BindingOrigin(StrEnum):
    """How a binding came about."""

    DESK = "desk"  # staff bound the card by itself
    IMPORT = "import"  # a hospital document named the card
    CASE = "case"  # staff bound the card of a case that they settled


@dataclass(frozen=True, slots=True)
class BindingSource:
    """How a binding came about, by whom, and what staff call the card ("": no label)."""

    origin: BindingOrigin
    who: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class CardBinding:
    """A binding in force: the patient who holds the card, and the binding's id."""

    patient_id: PatientId
    binding_id: BindingId


class Holders(msgspec.Struct, frozen=True):
    """The patients of a card: who holds it now, and all who have held it."""

    now: PatientId | None
    ever: frozenset[str]


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


HOLDERS = Part("holder", ("b.patient_id",))


def binding_of_card(db: ReadTransaction, cards: Sequence[CardHash]) -> CardBinding | None:
    """The binding in force of a card, given as the hashes under which it is stored; None for one that is not bound."""
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
    known = db.known(_HOLDERS, card)
    if known is not UNREAD:
        return patient_id in known.ever
    row = db.row(
        "select 1 from binding_hashes h join bindings b on b.binding_id = h.binding_id"
        " where h.key_id = :key_id and h.uid_hash = :uid_hash and b.patient_id = :patient_id",
        key_id=card.key_id,
        uid_hash=card.uid_hash,
        patient_id=patient_id,
    )
    return row is not None


def read_holders_ahead(db: SetTransaction, cards: Collection[CardHash]) -> dict[CardHash, Holders]:
    """Reads who holds these cards, and who has held them, for those that are not known yet. Returns that of all."""
    known = {each: answer for each in cards if (answer := db.known(_HOLDERS, each)) is not UNREAD}
    if len(known) < len(cards):
        known |= _read_ahead(db, [each for each in cards if each not in known])
    return known


def _read_ahead(db: SetTransaction, cards: Collection[CardHash]) -> dict[CardHash, Holders]:
    those, parameters = each_card(cards)
    rows = db.rows(
        "select h.key_id, h.uid_hash, b.patient_id, b.end_ms from binding_hashes h"  # noqa: S608
        f" join bindings b on b.binding_id = h.binding_id where {those}",
        **parameters,
    )
    ever: dict[CardHash, set[str]] = {}
    now: dict[CardHash, PatientId] = {}
    for row in rows:
        card = CardHash(row["key_id"], row["uid_hash"])
        ever.setdefault(card, set()).add(row["patient_id"])
        if row["end_ms"] is None:
            now[card] = PatientId(row["patient_id"])
    holders = {card: Holders(now.get(card), frozenset(ever.get(card, ()))) for card in cards}
    db.read_ahead(_HOLDERS, holders)
    return holders


def holders_under(db: ReadTransaction, binding_ids: Collection[str]) -> dict[str, PatientId]:
    """The patients of these bindings, in force or ended. An unknown binding is left out."""
    if not binding_ids:
        return {}
    names, parameters = each_of("binding", binding_ids)
    query = f"select binding_id, patient_id from bindings where binding_id in {names}"  # noqa: S608
    return {row["binding_id"]: PatientId(row["patient_id"]) for row in db.rows(query, **parameters)}


def each_card(cards: Collection[CardHash]) -> tuple[str, dict[str, str]]:
    """The condition that a row `h` of hashes is of one of these cards, or of a card with parts of two of them."""
    hashes, parameters = each_of("uid_hash", [card.uid_hash for card in cards])
    keys, of_keys = any_of("key", {card.key_id for card in cards})
    return f"h.key_id in {keys} and h.uid_hash in {hashes}", {**parameters, **of_keys}


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
    """The hashes of a binding's card: one, and during a rotation of the keys two."""
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

    `cards` are the hashes under which the card is stored. A card that the patient holds already keeps its binding. A
    label replaces the one of that binding. The caller has made sure that the card is not blocked, and gives the
    patients concerned a new change number.
    """
    before = binding_of_card(db, cards)
    if before is not None and before.patient_id == patient_id:
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
    db.executemany(
        "insert into binding_hashes values (:key_id, :uid_hash, :binding_id)",
        [{"key_id": card.key_id, "uid_hash": card.uid_hash, "binding_id": binding_id} for card in cards],
    )
    return BindingId(binding_id)


def end_binding(db: WriteTransaction, binding_id: str, now_ms: int, who: str, reason: str = "") -> None:
    """Ends a binding. Its row stays: actions that were made under it still name it."""
    db.execute(
        "update bindings set end_ms = :now_ms, ended_by = :who, end_reason = :reason"
        " where binding_id = :binding_id and end_ms is null",
        {"now_ms": now_ms, "who": who, "reason": reason, "binding_id": binding_id},
    )


def bindings_of(db: ReadTransaction, patient_id: str) -> tuple[BindingRow, ...]:
    """A patient's bindings in force, a row for each hash under which a card is stored."""
    rows = db.execute(
        "select b.binding_id, h.key_id, h.uid_hash from bindings b join binding_hashes h on h.binding_id = b.binding_id"
        " where b.patient_id = :patient_id and b.end_ms is null order by b.binding_id, h.key_id",
        {"patient_id": patient_id},
    )
    return tuple(BindingRow(row["binding_id"], row["key_id"], row["uid_hash"]) for row in rows)


_HOLDERS: Question[CardHash, Holders] = Question()
_RECORDS = """select b.*, (select max(k.reason) from binding_hashes h
    join blocked_hashes bh on bh.key_id = h.key_id and bh.uid_hash = h.uid_hash
    join card_blocks k on k.block_id = bh.block_id
    where h.binding_id = b.binding_id and k.end_ms is null) as block_reason from bindings b"""


def _record(row: Row) -> BindingRecord:
    blocked = row["block_reason"] is not None
    return BindingRecord(
        BindingId(row["binding_id"]),
        PatientId(row["patient_id"]),
        BindingSource(BindingOrigin(row["origin"]), row["bound_by"], row["label"]),
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
