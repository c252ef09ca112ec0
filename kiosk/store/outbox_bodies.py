"""The body of an outbox row on the disk: the check for damage, and its form on the wire.

A flipped byte may turn a body into a valid intent of another patient, so each row has the digest of its body. A body
that cannot be read is never decoded, rewritten or left out: it is sent unread, in its place in the chain.
"""

import base64
import hashlib
import sqlite3

import msgspec

from sync.protocol import MAX_ACTION_BODY, Code, Intent, Opaque, PriorVerdict, Pushed, Verdict, canonical

COLUMNS = "action_id, seq, body, digest, hash, status, code, revision, held"  # for `pushed` and `unread`
_intent = msgspec.json.Decoder(Intent)
_prior_verdict = msgspec.json.Decoder(PriorVerdict)


def digest(body: bytes) -> str:
    """Returns the SHA-256 (hex) of a body."""
    return hashlib.sha256(body).hexdigest()


def read(row: sqlite3.Row) -> Intent | None:
    """Returns the intent in a row's body, as it was sent. The row itself may have moved to another patient or visit.

    Returns None where the body was changed, is no intent, or is the intent of another action.
    """
    if digest(row["body"]) != row["digest"]:
        return None
    try:
        intent = _intent.decode(row["body"])
    except (ValueError, RecursionError):
        return None
    return intent if intent.action_id == row["action_id"] else None


def pushed(row: sqlite3.Row) -> Pushed:
    """Returns a row as it is sent to the centre: its body, or an unread record where the body cannot be read."""
    if read(row) is None:
        return unread(row)
    return Pushed(row["hash"], msgspec.Raw(row["body"]), prior_verdict(row))


def unread(row: sqlite3.Row) -> Pushed:
    """Returns a row as an opaque record: its body as stored, and its hash. A body too large for a push is cut."""
    size = len(row["body"])
    opaque = Opaque(
        row["seq"],
        row["action_id"],
        _base64(row["body"]),
        size if size > MAX_ACTION_BODY else None,
        readable=read(row) is not None,
    )
    return Pushed(row["hash"], msgspec.Raw(b"null"), prior_verdict(row), opaque)


def stand_in(action_id: str, seq: int, body: bytes) -> bytes:
    """Returns a stand-in for an unreadable body, for the hash of a renumbered chain. It is JSON and no intent."""
    return canonical({"action_id": action_id, "seq": seq, "unread": _base64(body)})


def prior_verdict(row: sqlite3.Row) -> PriorVerdict | None:
    """Returns the verdict that a row had before it became pending again; None where it cannot be read.

    The centre needs no prior verdict: it finds its own by the action id.
    """
    try:
        if row["status"] != "pending":
            return PriorVerdict(Verdict(row["status"]), Code(row["code"]), row["revision"])
        return _prior_verdict.decode(row["held"]) if row["held"] is not None else None
    except ValueError:
        return None


def _base64(body: bytes) -> str:
    return base64.b64encode(body[:MAX_ACTION_BODY]).decode()
