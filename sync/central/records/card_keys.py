"""The card keys that the database knows by their ids, how far it has followed each, and the newest key of each kiosk.

The secrets are in the key file, never here.
"""

from dataclasses import dataclass

from sync.central.store.transactions import ReadTransaction, WriteTransaction


@dataclass(frozen=True, slots=True)
class CardKeyRecord:
    """A card key: when the database met it, when kiosks got it first, and when no row was under an older one any more.

    The last two are None until then.
    """

    key_id: str
    since_ms: int
    published_ms: int | None
    lifted_ms: int | None


@dataclass(frozen=True, slots=True)
class KioskCardKey:
    """The newest card key of a kiosk that is not revoked, as its last pull told it; None where none has told."""

    kiosk_id: str
    key_id: str | None


def read_card_keys(db: ReadTransaction) -> tuple[CardKeyRecord, ...]:
    """The keys that the database knows, oldest first."""
    rows = db.rows("select key_id, since_ms, published_ms, lifted_ms from card_keys order by layer")
    return tuple(CardKeyRecord(*row) for row in rows)


def is_published(db: ReadTransaction, key_id: str) -> bool:
    """Whether kiosks have or get the key of an id."""
    row = db.row("select 1 from card_keys where key_id = :key_id and published_ms is not null", key_id=key_id)
    return row is not None


def note_met(db: WriteTransaction, key_id: str, now_ms: int) -> None:
    """Notes a key, above those that the database knows. One that it knows stays as it is."""
    db.execute(
        "insert into card_keys select :key_id, coalesce(max(layer), 0) + 1, :now_ms, null, null, '' from card_keys"
        " where true on conflict (key_id) do nothing",
        {"key_id": key_id, "now_ms": now_ms},
    )


def note_published(db: WriteTransaction, now_ms: int) -> None:
    """Notes that kiosks get every key that the database knows."""
    db.execute("update card_keys set published_ms = :now_ms where published_ms is null", {"now_ms": now_ms})


def note_lifted(db: WriteTransaction, now_ms: int) -> None:
    """Notes that no row is under an older key than the newest one that the database knows."""
    db.execute("update card_keys set lifted_ms = :now_ms where lifted_ms is null", {"now_ms": now_ms})


def read_place(db: ReadTransaction) -> str:
    """How far the walk to the newest key has come, as it noted that; empty before its first step."""
    row = db.row("select place from card_keys order by layer desc limit 1")
    return str(row["place"]) if row else ""


def note_place(db: WriteTransaction, place: str) -> None:
    """Notes how far the walk to the newest key has come."""
    db.execute("update card_keys set place = :place where layer = (select max(layer) from card_keys)", {"place": place})


def note_told_key(db: WriteTransaction, kiosk_id: str, key_id: str) -> None:
    """Notes the newest key of a kiosk."""
    db.execute(
        "insert into kiosk_card_keys values (:kiosk_id, :key_id)"
        " on conflict (kiosk_id) do update set key_id = excluded.key_id",
        {"kiosk_id": kiosk_id, "key_id": key_id},
    )


def told_key(db: ReadTransaction, kiosk_id: str) -> str | None:
    """The newest key of a kiosk, as its last pull told it; None where none has told."""
    row = db.row("select key_id from kiosk_card_keys where kiosk_id = :kiosk_id", kiosk_id=kiosk_id)
    return str(row["key_id"]) if row else None


def keys_of_kiosks(db: ReadTransaction) -> tuple[KioskCardKey, ...]:
    """The newest key of each kiosk that is not revoked, by the kiosks' ids."""
    rows = db.rows(
        "select k.kiosk_id, t.key_id from kiosks k left join kiosk_card_keys t on t.kiosk_id = k.kiosk_id"
        " where k.revoked_ms is null order by k.kiosk_id"
    )
    return tuple(KioskCardKey(*row) for row in rows)
