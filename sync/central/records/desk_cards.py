"""Cards for the desk as rows: those that staff await at a kiosk, and those that a kiosk in desk mode has read."""

from dataclasses import dataclass
from enum import StrEnum

from sync.cards import CardHash
from sync.central.store.connection import Row
from sync.central.store.transactions import ReadTransaction, WriteTransaction

KEPT_MS = 24 * 60 * 60_000
READER_MS = 30 * 60_000  # a kiosk in desk mode says so three times in it


class Ended(StrEnum):
    """How the wait for a card, or the use of one that was read, ended."""

    BOUND = "bound"
    DISCARDED = "discarded"
    CANCELLED = "cancelled"
    CANCELLED_AT_KIOSK = "cancelled_at_kiosk"


@dataclass(frozen=True, slots=True)
class DeskCard:
    """A card that is awaited, or was read, for the desk. Times are UTC ms.

    `who` awaits it; empty for a card that nobody has asked for. `card` is None until one was read. `refused` is why the
    kiosk refused the last card that cannot be used.
    """

    ask_id: str
    kiosk_id: str
    who: str
    asked_ms: int
    until_ms: int
    shown_ms: int | None = None
    read_ms: int | None = None
    card: CardHash | None = None
    short_uid: bool = False
    refused: str = ""
    ended_ms: int | None = None
    ended_how: Ended | None = None

    def awaits(self, now_ms: int) -> bool:
        """Whether a card may still come."""
        return self.card is None and self.ended_ms is None and now_ms < self.until_ms


def add_desk_card(db: WriteTransaction, asked: DeskCard) -> None:
    """Adds a card that is awaited, or that was read."""
    db.execute(
        "insert into desk_cards values (:ask_id, :kiosk_id, :who, :asked_ms, :until_ms, :shown_ms, :read_ms, :key_id,"
        " :uid_hash, :short_uid, :refused, null, '')",
        {
            "ask_id": asked.ask_id,
            "kiosk_id": asked.kiosk_id,
            "who": asked.who,
            "asked_ms": asked.asked_ms,
            "until_ms": asked.until_ms,
            "shown_ms": asked.shown_ms,
            "read_ms": asked.read_ms,
            "key_id": asked.card.key_id if asked.card else "",
            "uid_hash": asked.card.uid_hash if asked.card else "",
            "short_uid": int(asked.short_uid),
            "refused": asked.refused,
        },
    )


def read_desk_card(db: ReadTransaction, ask_id: str) -> DeskCard | None:
    """The card of an id; None for an unknown id."""
    row = db.row("select * from desk_cards where ask_id = :ask_id", ask_id=ask_id)
    return _card(row) if row else None


def awaited_cards(db: ReadTransaction, now_ms: int) -> dict[str, DeskCard]:
    """The cards that are awaited now, by their kiosks."""
    rows = db.rows(
        "select * from desk_cards where key_id = '' and ended_ms is null and until_ms > :now_ms order by asked_ms",
        now_ms=now_ms,
    )
    return {row["kiosk_id"]: _card(row) for row in rows}


def unused_cards(db: ReadTransaction, kiosk_id: str, since_ms: int) -> list[DeskCard]:
    """The cards that a kiosk has read since then and that nobody has used yet, newest first."""
    rows = db.rows(
        "select * from desk_cards where kiosk_id = :kiosk_id and asked_ms >= :since_ms - 60000 and read_ms >= :since_ms"
        " and ended_ms is null order by read_ms desc, ask_id desc",
        kiosk_id=kiosk_id,
        since_ms=since_ms,
    )
    return [_card(row) for row in rows]


def number_read(db: ReadTransaction, kiosk_id: str, since_ms: int) -> int:
    """The number of cards that a kiosk has read for the desk since then."""
    query = "select count(*) from desk_cards where kiosk_id = :kiosk_id and asked_ms >= :since_ms"
    return int(db.value(query, kiosk_id=kiosk_id, since_ms=since_ms))


def note_shown(db: WriteTransaction, ask_id: str, now_ms: int) -> None:
    """Notes that the kiosk's screen asks for the card."""
    db.execute("update desk_cards set shown_ms = :now_ms where ask_id = :id", {"now_ms": now_ms, "id": ask_id})


def note_read(db: WriteTransaction, ask_id: str, card: CardHash, now_ms: int, *, short_uid: bool) -> None:
    """Notes the card that was read."""
    db.execute(
        "update desk_cards set read_ms = :now_ms, key_id = :key_id, uid_hash = :uid_hash, short_uid = :short_uid,"
        " refused = '' where ask_id = :id",
        {
            "now_ms": now_ms,
            "key_id": card.key_id,
            "uid_hash": card.uid_hash,
            "short_uid": int(short_uid),
            "id": ask_id,
        },
    )


def note_refused(db: WriteTransaction, ask_id: str, reason: str) -> None:
    """Notes why the kiosk has refused a card. Another one may come."""
    db.execute("update desk_cards set refused = :reason where ask_id = :id", {"reason": reason, "id": ask_id})


def end_desk_card(db: WriteTransaction, ask_id: str, how: Ended, now_ms: int) -> None:
    """Ends the wait for a card, or the use of one that was read. No hash is kept after that."""
    db.execute(
        "update desk_cards set ended_ms = :now_ms, ended_how = :how, key_id = '', uid_hash = '' where ask_id = :id",
        {"now_ms": now_ms, "how": how.value, "id": ask_id},
    )


def delete_old_desk_cards(db: WriteTransaction, now_ms: int) -> None:
    """Deletes the cards of the day before."""
    db.execute("delete from desk_cards where asked_ms < :before_ms", {"before_ms": now_ms - KEPT_MS})


def note_desk_reader(db: WriteTransaction, kiosk_id: str, now_ms: int) -> None:
    """Notes that every card that the kiosk reads is for the desk."""
    db.execute(
        "insert into desk_readers values (:kiosk_id, :now_ms) on conflict (kiosk_id) do update"
        " set said_ms = excluded.said_ms",
        {"kiosk_id": kiosk_id, "now_ms": now_ms},
    )


def desk_readers(db: ReadTransaction, now_ms: int) -> frozenset[str]:
    """The kiosks in desk mode: those that have said so within the last minutes."""
    rows = db.rows("select kiosk_id from desk_readers where said_ms > :since_ms", since_ms=now_ms - READER_MS)
    return frozenset(row["kiosk_id"] for row in rows)


def _card(row: Row) -> DeskCard:
    return DeskCard(
        row["ask_id"],
        row["kiosk_id"],
        row["who"],
        row["asked_ms"],
        row["until_ms"],
        row["shown_ms"],
        row["read_ms"],
        CardHash(row["key_id"], row["uid_hash"]) if row["key_id"] else None,
        bool(row["short_uid"]),
        row["refused"],
        row["ended_ms"],
        Ended(row["ended_how"]) if row["ended_how"] else None,
    )
