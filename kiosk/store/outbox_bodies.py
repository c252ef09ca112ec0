"""One record of the outbox as it lies on the disk: whether it is still what was written, and how it goes on the wire.

A byte that flipped on the disk may leave a good intent of somebody else, so each body has its digest beside it. A
record that cannot be read any more is never decoded, rewritten or left behind: it goes unread, in its place in the
chain.
"""

import base64
import hashlib
import sqlite3

import msgspec

from sync.protocol import MAX_BODY, Code, Intent, Opaque, PriorVerdict, Pushed, Verdict, canonical

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


def pushed(row: sqlite3.Row) -> Pushed:
    """The record as it goes to the centre: its body, or an unread record where the body cannot be read."""
    if read(row) is None:
        return unread(row)
    return Pushed(row["hash"], msgspec.Raw(row["body"]), _held(row))


def unread(row: sqlite3.Row) -> Pushed:
    """The record unread, with the hash that it has; of one that no push could hold, the beginning and its size."""
    size = len(row["body"])
    opaque = Opaque(row["seq"], row["action_id"], _as_text(row["body"]), size if size > MAX_BODY else None)
    return Pushed(row["hash"], msgspec.Raw(b"null"), _held(row), opaque)


def stand_in(action_id: str, seq: int, body: bytes) -> bytes:
    """The body that the hash of a renumbered chain covers in the place of one that cannot be read. It is JSON, and no
    intent."""
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
