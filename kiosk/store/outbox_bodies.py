"""One record of the outbox as it lies on the disk: whether it is still what was written, and how it goes on the wire.

A byte that flipped on the disk may leave a good intent of somebody else, so each body has its digest beside it. A
record that cannot be read any more is never decoded, rewritten or left behind: it goes unread, in its place in the
chain.
"""

import base64
import hashlib
import sqlite3

import msgspec

from sync.protocol import MAX_BODY, Code, Intent, Opaque, PriorVerdict, Pushed, Verdict, canonical, chain_hash

COLUMNS = "action_id, seq, body, digest, hash, status, code, revision, held"  # of a row that is to be sent
_intent = msgspec.json.Decoder(Intent)
_told = msgspec.json.Decoder(PriorVerdict)


def digest(body: bytes) -> str:
    """SHA-256 (hex) of a body as it is written."""
    return hashlib.sha256(body).hexdigest()


def read(row: sqlite3.Row) -> Intent | None:
    """What a row's body says: as it was sent, whatever the row has followed since. None where it is not what was
    written there, is no intent, or is another action's."""
    if digest(row["body"]) != row["digest"]:
        return None
    try:
        intent = _intent.decode(row["body"])
    except (ValueError, RecursionError):
        return None
    return intent if intent.action_id == row["action_id"] else None


def pushed(row: sqlite3.Row, previous_hash: str, version: int) -> Pushed:
    """The record as a centre of that version of the protocol is sent it. Version 1 knows neither unread records nor
    verdicts told before: a stand-in goes for what cannot be read. It does not fit into a chain that was made before the
    damage; the fork that this comes to renumbers it, and then it fits."""
    readable = read(row) is not None
    if version > 1:
        return Pushed(row["hash"], msgspec.Raw(row["body"]), _held(row)) if readable else unread(row)
    if readable:
        return Pushed(row["hash"], msgspec.Raw(row["body"]))
    body = stand_in(row["action_id"], row["seq"], row["body"])
    return Pushed(chain_hash(previous_hash, body), msgspec.Raw(body))


def unread(row: sqlite3.Row) -> Pushed:
    """The record unread, with the hash that it has; of one that no push could hold, the beginning and its size."""
    size = len(row["body"])
    opaque = Opaque(row["seq"], row["action_id"], _as_text(row["body"]), size if size > MAX_BODY else None)
    return Pushed(row["hash"], msgspec.Raw(b"null"), _held(row), opaque)


def stand_in(action_id: str, seq: int, body: bytes) -> bytes:
    """The body that a renumbered chain has in the place of one that cannot be read. It is JSON and no intent, so that
    a centre of any version sets it aside."""
    return canonical({"action_id": action_id, "seq": seq, "unread": _as_text(body)})


def _as_text(body: bytes) -> str:
    return base64.b64encode(body[:MAX_BODY]).decode()


def _held(row: sqlite3.Row) -> PriorVerdict | None:
    """The verdict that the centre has told of a row which it is sent again; None where it cannot be read either, since
    the centre knows by the id what it has."""
    try:
        if row["status"] != "pending":
            return PriorVerdict(Verdict(row["status"]), Code(row["code"]), row["revision"])
        return _told.decode(row["held"]) if row["held"] is not None else None
    except ValueError:
        return None
