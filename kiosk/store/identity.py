"""The row of the kiosk itself: its identity as the centre sent it, the pull cursor, and the centre's definitions.

Every function takes the connection of an open transaction, or of one that reads.
"""

import hashlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import msgspec

from sync.clock import ClockReading
from sync.journey import definitions as journey_definitions
from sync.journey.definitions import Definitions
from sync.protocol import NO_HASH, Enrolment, PullAnswer, Site

Connection = sqlite3.Connection
_site = msgspec.json.Decoder(Site)
_clock = msgspec.json.Decoder(ClockReading)
_actions = msgspec.json.Decoder(list[str])


@dataclass(frozen=True, slots=True)
class Identity:
    """This kiosk's identity from the centre, with the last positions of outbox and roster: see the schema."""

    site_id: str
    kiosk_id: str
    token_sha256: str
    name: str
    ticket_prefix: str
    actions: frozenset[str]
    epoch: int
    backed_up_seq: int
    server_incarnation: str
    cursor: int
    as_of_ms: int | None
    site: Site
    definitions_version: int
    ended_ms: int | None = None
    as_of_clock: ClockReading | None = None
    cursor_mac: str = ""
    generation: int = 0

    def after_page(self, page: PullAnswer, generation: int, clock: ClockReading) -> "Identity":
        """Returns the identity once a page of that generation of the roster is adopted.

        `clock` is a reading of this machine's clocks at the arrival of the page. The time of the roster (`as_of_ms`,
        `as_of_clock`) comes with the last page alone: only then the roster is complete.
        """
        return replace(
            self,
            actions=frozenset(page.actions),
            site=page.site,
            server_incarnation=page.server_incarnation,
            cursor=page.cursor,
            cursor_mac=page.cursor_mac,
            generation=generation,
            definitions_version=page.definitions["version"] if page.definitions else self.definitions_version,
            as_of_ms=self.as_of_ms if page.more else page.now_ms,
            as_of_clock=self.as_of_clock if page.more else clock,
        )


def read_identity(connection: Connection) -> Identity | None:
    """Returns the kiosk's identity; None before its enrolment."""
    row = connection.execute("select * from identity").fetchone()
    if row is None:
        return None
    return Identity(
        site_id=row["site_id"],
        kiosk_id=row["kiosk_id"],
        token_sha256=row["token_sha256"],
        name=row["name"],
        ticket_prefix=row["ticket_prefix"],
        actions=frozenset(_actions.decode(row["actions"])),
        epoch=row["epoch"],
        backed_up_seq=row["backed_up_seq"],
        server_incarnation=row["server_incarnation"],
        cursor=row["cursor"],
        cursor_mac=row["cursor_mac"],
        generation=row["generation"],
        as_of_ms=row["as_of_ms"],
        site=_site.decode(row["site"]),
        definitions_version=row["definitions_version"],
        ended_ms=row["ended_ms"],
        as_of_clock=_clock.decode(row["as_of_clock"]) if row["as_of_clock"] else None,
    )


def read_definitions(connection: Connection) -> Definitions | None:
    """Returns the definitions that the centre sent; None before enrolment.

    Raises ValueError or RecursionError where the stored text cannot be read.
    """
    row = connection.execute("select definitions from identity").fetchone()
    return _parse_definitions(row[0]) if row else None


def write_enrolment(connection: Connection, enrolment: Enrolment) -> None:
    """Replaces the identity by the one of an enrolment. Nothing is pulled yet, and the hash chain is empty.

    The roster begins another generation, so that no page of before the enrolment goes on.
    """
    generation = read_generation(connection) + 1
    connection.execute("delete from identity")
    connection.execute(
        "insert into identity (site_id, kiosk_id, token_sha256, name, ticket_prefix, actions, epoch, next_seq,"
        " last_hash, backed_up_seq, server_incarnation, cursor, cursor_mac, generation, site, definitions_version,"
        " definitions) values (?, ?, ?, ?, ?, ?, ?, 1, ?, 0, ?, 0, '', ?, ?, ?, ?)",
        (
            enrolment.site_id,
            enrolment.kiosk_id,
            token_hash(enrolment.token),
            enrolment.name,
            enrolment.ticket_prefix,
            _json(list(enrolment.actions)),
            enrolment.epoch,
            NO_HASH,
            enrolment.server_incarnation,
            generation,
            _json(enrolment.site),
            enrolment.definitions["version"],
            _json(enrolment.definitions),
        ),
    )


def move_head(connection: Connection, next_seq: int, last_hash: str) -> None:
    """Writes the head of the hash chain: the next seq, and the hash of the action before it."""
    connection.execute("update identity set next_seq = ?, last_hash = ?", (next_seq, last_hash))


def write_decided_elsewhere(connection: Connection, site: Site, actions: tuple[str, ...]) -> None:
    """Writes which actions another system decides. The rest of the site stays until its page is complete."""
    changed = msgspec.structs.replace(site, decided_elsewhere=actions)
    connection.execute("update identity set site = ?", (_json(changed),))


def write_page(connection: Connection, after: Identity, definitions: Mapping[str, Any] | None) -> None:
    """Writes the identity after a page (`Identity.after_page`), and the definitions of the page where it has some."""
    connection.execute(
        "update identity set cursor = ?, cursor_mac = ?, generation = ?, as_of_ms = ?, as_of_clock = ?,"
        " server_incarnation = ?, actions = ?, site = ?",
        (
            after.cursor,
            after.cursor_mac,
            after.generation,
            after.as_of_ms,
            _json(after.as_of_clock) if after.as_of_clock else None,
            after.server_incarnation,
            _json(sorted(after.actions)),
            _json(after.site),
        ),
    )
    if definitions:
        connection.execute(
            "update identity set definitions_version = ?, definitions = ?",
            (after.definitions_version, _json(definitions)),
        )


def read_generation(connection: Connection) -> int:
    """Returns the present generation of the roster; 0 before the enrolment."""
    row = connection.execute("select generation from identity").fetchone()
    return row[0] if row else 0


def follow_restore(connection: Connection, server_incarnation: str) -> None:
    """Notes that the centre was restored, and makes the next page the first of a snapshot."""
    connection.execute("update identity set server_incarnation = ?", (server_incarnation,))
    reset_cursor(connection)


def reset_cursor(connection: Connection) -> None:
    """Makes the next page the first of a snapshot."""
    connection.execute("update identity set cursor = 0, cursor_mac = ''")


def mark_ended(connection: Connection, at_ms: int) -> None:
    """Notes that the centre has ended this kiosk. `at_ms` is UTC ms."""
    connection.execute(
        "update identity set cursor = 0, cursor_mac = '', as_of_ms = null, as_of_clock = null, ended_ms = ?", (at_ms,)
    )


def token_hash(token: str) -> str:
    """The SHA-256 (hex) of a token: it tells two enrolments apart, and opens nothing."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


@lru_cache(maxsize=2)
def _parse_definitions(text: str) -> Definitions:
    # Cached: the definitions are read again after every page, and rarely differ.
    return journey_definitions.read(msgspec.json.decode(text))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
