"""What a kiosk holds of a site that it leaves: actions to set aside for that site, and data that it forgets.

Every function takes the connection of an open transaction, or of one that reads.
"""

import base64
import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kiosk.store import outbox_bodies
from kiosk.store.identity import read_identity
from kiosk.store.outbox import BACKED_UP
from sync.clock import iso
from sync.durable import discard_prepared, free_name, write_new_secret
from sync.set_aside import SetAside, line_of

Connection = sqlite3.Connection

# Only this kiosk is sure to have these actions: the centre has not judged them for good, or has them in no backup.
_KEPT = f"(status in ('pending', 'needs_staff') or not {BACKED_UP})"
_FORGOTTEN = ("outbox", "patients", "patient_aliases", "blocked_cards", "queue_numbers", "number_uses", "audit")
_NOT_KEPT = ("blocked_cards", "audit")  # of a kiosk that has ended; its numbers of today stay on paper


class UnknownAction(ValueError):
    """The outbox has no action of an id. The message is for the operator."""


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Which rows of the outbox go into a file: a condition, and its values."""

    where: str
    values: tuple[str, ...] = ()


_KEPT_ROWS = _Chosen(_KEPT)


@dataclass(frozen=True, slots=True)
class Kept:
    """The actions that a kiosk keeps for its site: their number, and how many of them are pending.

    `since` is the time of the oldest, ISO 8601 in the site's time zone.
    """

    site_id: str
    site: str
    number: int
    pending: int
    since: str

    @property
    def words(self) -> str:
        """The actions in words, for the person who would enrol the kiosk elsewhere."""
        return (
            f"this kiosk keeps {self.number} actions of {self.site} (site {self.site_id}), the oldest of {self.since};"
            f" {self.pending} of them were not sent. They would be lost elsewhere. Let the kiosk reach that hospital's"
            " centre first, until a backup there holds them. Or enrol with --set-aside FILE, and have FILE taken in"
            " there: kiosk-central take-in"
        )


def read_kept(connection: Connection) -> Kept | None:
    """Returns what the kiosk keeps for its site; None where it keeps no action, or is not enrolled."""
    identity = read_identity(connection)
    number, pending, oldest_ms = connection.execute(
        f"select count(*), count(*) filter (where status = 'pending'), min(applied_ms) from outbox where {_KEPT}"  # noqa: S608
    ).fetchone()
    if identity is None or not number:
        return None
    since = iso(oldest_ms, identity.site.timezone)
    return Kept(identity.site_id, identity.site.name, number, pending, since)


def set_aside(connection: Connection, path: Path, action_ids: Sequence[str] = ()) -> bool:
    """Writes the kept actions into a new file (0600), durably; with `action_ids`, these alone, judged or not.

    Returns False, without a file, where there are none. A file that holds just these actions counts as written. Raises
    FileExistsError where it holds anything else, UnknownAction, and OSError.
    """
    chosen = _named(connection, action_ids) if action_ids else _KEPT_ROWS
    if not action_ids and read_kept(connection) is None:
        return False
    if path.exists() and _digest_of_file(path) == _digest_of_lines(connection, chosen):
        discard_prepared(path)
        return True
    write_new_secret(path, _lines(connection, chosen))
    return True


def set_aside_somewhere(connection: Connection, path: Path) -> Path | None:
    """Writes the kept actions into `path`, or into a file beside it where other actions are there already.

    Returns the path of the file; None where there are no such actions. Raises OSError.
    """
    try:
        return path if set_aside(connection, path) else None
    except FileExistsError:
        beside = free_name(path, ".more")
        set_aside(connection, beside)
        return beside


def forget(connection: Connection) -> None:
    """Removes everything of the site: actions, patients, cards, queue numbers and audit."""
    for table in _FORGOTTEN:
        connection.execute(f"delete from {table}")  # noqa: S608


def forget_all_but_kept(connection: Connection) -> None:
    """Removes what a kiosk that has ended does not owe its site: cards, audit, and the actions that a backup holds."""
    for table in _NOT_KEPT:
        connection.execute(f"delete from {table}")  # noqa: S608
    connection.execute(f"delete from outbox where not {_KEPT}")  # noqa: S608


def _named(connection: Connection, action_ids: Sequence[str]) -> _Chosen:
    known = {row[0] for row in connection.execute("select action_id from outbox")}
    if unknown := sorted(set(action_ids) - known):
        raise UnknownAction(f"the outbox has no action {unknown[0]}")
    return _Chosen("action_id in (select value from json_each(?))", (json.dumps(action_ids),))


def _lines(connection: Connection, chosen: _Chosen) -> Iterator[bytes]:
    identity = read_identity(connection)
    assert identity is not None
    (number,) = connection.execute(f"select count(*) from outbox where {chosen.where}", chosen.values).fetchone()  # noqa: S608
    # The rowid keeps the order in which they were done, where some of them are parked.
    rows = connection.execute(f"select * from outbox where {chosen.where} order by rowid", chosen.values)  # noqa: S608
    for place, row in enumerate(rows, 1):
        yield line_of(
            SetAside(
                place=place,
                of=number,
                site_id=row["site_id"],
                site=identity.site.name,
                kiosk_id=identity.kiosk_id,
                epoch=row["epoch"],
                seq=row["seq"],
                action_id=row["action_id"],
                body=base64.b64encode(row["body"]).decode(),
                digest=row["digest"],
                hash=row["hash"],
                held=outbox_bodies.prior_verdict(row),
            )
        )


def _digest_of_lines(connection: Connection, chosen: _Chosen) -> str:
    digest = hashlib.sha256()
    for line in _lines(connection, chosen):
        digest.update(line)
    return digest.hexdigest()


def _digest_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
