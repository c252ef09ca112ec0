"""A newer token for an app takes the place of its former one at its first use. No call fails meanwhile."""

from sync.central.records.tokens import Bearer, issue, revoke
from sync.central.store.transactions import WriteTransaction
from sync.journey.model import Role


def renew(db: WriteTransaction, sender: Bearer, now_ms: int) -> tuple[str, int | None] | None:
    """Makes a newer token with as long a life: the token, and when it ends (UTC ms; None: never).

    None where another one has taken the place of the sender's already. A repeat ends the one that nobody has used.
    """
    row = db.row(
        "select created_ms, expires_ms from tokens where token_hash = :token_hash and replaced_ms is null",
        token_hash=sender.token_hash,
    )
    if row is None:
        return None
    db.execute("delete from tokens where renews = :former and used_ms is null", {"former": sender.token_hash})
    expires_ms = None if row["expires_ms"] is None else now_ms + row["expires_ms"] - row["created_ms"]
    token = issue(
        db,
        sender.role,
        now_ms,
        patient_id=sender.patient_id,
        name=sender.name,
        expires_ms=expires_ms,
        renews=sender.token_hash,
    )
    return token, expires_ms


def replace_former(db: WriteTransaction, token_hash: str, now_ms: int) -> None:
    """Lets an app's token take the place of the one that it renews, if any, with that one's sessions."""
    row = db.row("select renews from tokens where token_hash = :token_hash", token_hash=token_hash)
    if row is None or row["renews"] is None:
        return
    both = {"token_hash": token_hash, "former": row["renews"]}
    db.execute(
        "update tokens set replaced_ms = :now_ms where token_hash = :former and revoked_ms is null"
        " and replaced_ms is null",
        {"former": row["renews"], "now_ms": now_ms},
    )
    db.execute("update sessions set token_hash = :token_hash where token_hash = :former", both)


def end_named(db: WriteTransaction, sender: Bearer, name: str, now_ms: int) -> None:
    """Ends the patient's valid tokens of a name, with their sockets."""
    rows = db.rows(
        "select token_hash from tokens where patient_id = :patient_id and role = :role and name = :name"
        " and revoked_ms is null",
        patient_id=sender.patient_id,
        role=Role.PATIENT.value,
        name=name,
    )
    for row in rows:
        revoke(db, row["token_hash"], now_ms)
