"""The row of the kiosk itself: its identity as the centre sent it, the pull cursor, and the centre's definitions.

Every function takes the connection of an open transaction, or of one that reads.
"""

import hashlib
import sqlite3
from dataclasses import dataclass
from functools import lru_cache

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
    """Replaces the identity by the one of an enrolment. Nothing is pulled yet, and the hash chain is empty."""
    connection.execute("delete from identity")
    connection.execute(
        "insert into identity (site_id, kiosk_id, token_sha256, name, ticket_prefix, actions, epoch, next_seq,"
        " last_hash, backed_up_seq, server_incarnation, cursor, cursor_mac, site, definitions_version,"
        " definitions) values (?, ?, ?, ?, ?, ?, ?, 1, ?, 0, ?, 0, '', ?, ?, ?)",
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
            _json(enrolment.site),
            enrolment.definitions["version"],
            _json(enrolment.definitions),
        ),
    )


def move_head(connection: Connection, next_seq: int, last_hash: str) -> None:
    """Writes the head of the hash chain: the next seq, and the hash of the action before it."""
    connection.execute("update identity set next_seq = ?, last_hash = ?", (next_seq, last_hash))


def write_page(connection: Connection, page: PullAnswer, clock: ClockReading) -> None:
    """Writes the kiosk's own values in a page of the roster, and the cursor after the page.

    `clock` is a reading of this machine's clocks at the arrival of the page. The time of the roster (`as_of_ms`,
    `as_of_clock`) is written with the last page alone: only then the roster is complete.
    """
    connection.execute(
        "update identity set cursor = ?, cursor_mac = ?, as_of_ms = iif(?, as_of_ms, ?), server_incarnation = ?,"
        " actions = ?, site = ?, as_of_clock = iif(?, as_of_clock, ?)",
        (
            page.cursor,
            page.cursor_mac,
            page.more,
            page.now_ms,
            page.server_incarnation,
            _json(page.actions),
            _json(page.site),
            page.more,
            _json(clock),
        ),
    )
    if page.definitions:
        connection.execute(
            "update identity set definitions_version = ?, definitions = ?",
            (page.definitions["version"], _json(page.definitions)),
        )


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
