"""Webhooks as rows: where each sends events, how far it is, and the events that its receiver did not take."""

from collections.abc import Iterable

import msgspec

from sync.central.store.connection import Row
from sync.central.store.transactions import ReadTransaction, WriteTransaction


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook. Times are UTC ms. `types` are the types of events that it gets; none: all.

    - `secret`, `former_secret`: base64. The former one signs too until `former_until_ms`.
    - `change`: the receiver has the events up to this change.
    - `tries`: how often the next event was sent without success. `why`: the reason of the last time.
    - `ended_ms`: since then the receiver wants no more.
    """

    webhook_id: str
    url: str
    types: tuple[str, ...]
    secret: str
    former_secret: str | None = None
    former_until_ms: int | None = None
    created_ms: int
    change: int
    tries: int = 0
    failing_since_ms: int | None = None
    next_ms: int = 0
    why: str = ""
    ended_ms: int | None = None


class DeadLetter(msgspec.Struct, frozen=True):
    """An event that a receiver did not take. `again`: it is to be sent once more."""

    event_id: str
    change: int
    died_ms: int
    why: str
    again: bool = False


def add_webhook(db: WriteTransaction, webhook: Webhook) -> None:
    """Adds a webhook."""
    db.execute(
        "insert into webhooks values (:webhook_id, :url, :types, :secret, :former_secret, :former_until_ms,"
        " :created_ms, :change, :tries, :failing_since_ms, :next_ms, :why, :ended_ms)",
        {**msgspec.structs.asdict(webhook), "types": msgspec.json.encode(webhook.types).decode()},
    )


def write_standing(db: WriteTransaction, webhook: Webhook) -> None:
    """Writes how the sending of a webhook stands: its tries, since when it fails and why, the next try, its end."""
    db.execute(
        "update webhooks set tries = :tries, failing_since_ms = :failing_since_ms, next_ms = :next_ms, why = :why,"
        " ended_ms = :ended_ms where webhook_id = :webhook_id",
        {name: getattr(webhook, name) for name in (*_STANDING, "webhook_id")},
    )


def write_secrets(db: WriteTransaction, webhook: Webhook) -> None:
    """Writes the secrets of a webhook, while somebody may be writing how it stands."""
    db.execute(
        "update webhooks set secret = :secret, former_secret = :former_secret, former_until_ms = :former_until_ms"
        " where webhook_id = :webhook_id",
        {name: getattr(webhook, name) for name in ("secret", "former_secret", "former_until_ms", "webhook_id")},
    )


def move_on(db: WriteTransaction, webhook_id: str, change: int) -> None:
    """Notes that the receiver has the events up to a change. It never goes back: two services may send for a moment."""
    db.execute(
        "update webhooks set change = :change where webhook_id = :webhook_id and change < :change",
        {"webhook_id": webhook_id, "change": change},
    )


def webhooks(db: ReadTransaction) -> list[Webhook]:
    """Every webhook, in the order in which they were made."""
    return [_webhook(row) for row in db.rows("select * from webhooks order by created_ms, webhook_id")]


def read_webhook(db: ReadTransaction, webhook_id: str) -> Webhook | None:
    """The webhook of an id; None for an unknown one."""
    row = db.row("select * from webhooks where webhook_id = :webhook_id", webhook_id=webhook_id)
    return _webhook(row) if row else None


def remove_webhook(db: WriteTransaction, webhook_id: str) -> None:
    """Removes a webhook, with its dead letters."""
    for table in ("dead_letters", "webhooks"):
        db.execute(f"delete from {table} where webhook_id = :webhook_id", {"webhook_id": webhook_id})  # noqa: S608


def add_dead_letters(db: WriteTransaction, webhook_id: str, letters: Iterable[DeadLetter]) -> None:
    """Adds events that the receiver did not take. One that is there already dies again."""
    db.executemany(
        "insert into dead_letters values (:webhook_id, :event_id, :change, :died_ms, :why, 0)"
        " on conflict (webhook_id, event_id) do update"
        " set died_ms = excluded.died_ms, why = excluded.why, again = 0",
        [
            {
                "webhook_id": webhook_id,
                "event_id": each.event_id,
                "change": each.change,
                "died_ms": each.died_ms,
                "why": each.why,
            }
            for each in letters
        ],
    )


def dead_letters(
    db: ReadTransaction, webhook_id: str, limit: int, after: str = "", *, to_send: bool = False
) -> list[DeadLetter]:
    """The dead letters of a webhook after the event `after`, in the order of the feed. `to_send`: those to be sent."""
    rows = db.rows(
        "select event_id, change, died_ms, why, again from dead_letters where webhook_id = :webhook_id"
        " and again >= :again and (:after = '' or (change, event_id) > (select d.change, d.event_id from dead_letters d"
        " where d.webhook_id = :webhook_id and d.event_id = :after)) order by change, event_id limit :limit",
        webhook_id=webhook_id,
        again=int(to_send),
        after=after,
        limit=limit,
    )
    return [DeadLetter(row["event_id"], row["change"], row["died_ms"], row["why"], bool(row["again"])) for row in rows]


def dead_of_changes(db: ReadTransaction, webhook_id: str, after: int, until: int) -> set[str]:
    """The ids of the events that died among the changes after `after`, up to `until`."""
    rows = db.rows(
        "select event_id from dead_letters where webhook_id = :webhook_id and change > :after and change <= :until",
        webhook_id=webhook_id,
        after=after,
        until=until,
    )
    return {row["event_id"] for row in rows}


def count_dead_letters(db: ReadTransaction, webhook_id: str) -> int:
    """The number of dead letters of a webhook."""
    return int(db.value("select count(*) from dead_letters where webhook_id = :webhook_id", webhook_id=webhook_id))


def send_again(db: WriteTransaction, webhook_id: str, event_id: str | None = None) -> int:
    """Has the dead letters of a webhook sent once more, or the one of an event. Returns their number."""
    changed = db.execute(
        "update dead_letters set again = 1 where webhook_id = :webhook_id"
        " and (cast(:event_id as text) is null or event_id = :event_id)",
        {"webhook_id": webhook_id, "event_id": event_id},
    )
    return int(changed.rowcount)


def bury(db: WriteTransaction, webhook_id: str, event_id: str) -> None:
    """Removes the dead letter of an event, which the receiver has taken now."""
    db.execute(
        "delete from dead_letters where webhook_id = :webhook_id and event_id = :event_id",
        {"webhook_id": webhook_id, "event_id": event_id},
    )


_STANDING = ("tries", "failing_since_ms", "next_ms", "why", "ended_ms")


def _webhook(row: Row) -> Webhook:
    columns = {name: row[name] for name in Webhook.__struct_fields__}
    return Webhook(**{**columns, "types": _types.decode(row["types"])})


_types = msgspec.json.Decoder(tuple[str, ...])
