"""Bearer tokens (RFC 6750): 256 random bits, shown once, stored as SHA-256, each for one role and one subject."""

import hashlib
import secrets
from dataclasses import dataclass

from sync.central.store.news import TokenRevoked
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.journey.model import KioskId, PatientId, Role

PREFIX = "nk_"  # scanners of logs and repositories recognise a token by this prefix

_IS_VALID = "revoked_ms is null and (expires_ms is null or expires_ms > :now_ms)"


@dataclass(frozen=True, slots=True)
class Bearer:
    """The bearer of a valid token: a role, and the patient or kiosk that the token is for."""

    role: Role
    token_hash: str
    patient_id: PatientId | None = None
    kiosk_id: KioskId | None = None

    @property
    def who(self) -> str:
        """The name of the bearer in history and audit. It distinguishes two bearers of one role, and holds no
        secret.
        """
        return f"{self.role}:{self.kiosk_id or self.token_hash[:12]}"


def issue(
    db: WriteTransaction,
    role: Role,
    now_ms: int,
    *,
    patient_id: str | None = None,
    kiosk_id: str | None = None,
    label: str = "",
    expires_ms: int | None = None,
) -> str:
    """Makes a token and returns it. The database stores its hash alone."""
    token = PREFIX + secrets.token_urlsafe(32)
    db.execute(
        "insert into tokens values (:token_hash, :role, :patient_id, :kiosk_id, :label, :now_ms, :expires_ms, null)",
        {
            "token_hash": hash_of(token),
            "role": role.value,
            "patient_id": patient_id,
            "kiosk_id": kiosk_id,
            "label": label,
            "now_ms": now_ms,
            "expires_ms": expires_ms,
        },
    )
    return token


def bearer(db: ReadTransaction, token: str, now_ms: int) -> Bearer | None:
    """The bearer of a token; None where the token is unknown, revoked or has expired."""
    return bearer_of_hash(db, hash_of(token), now_ms)


def bearer_of_hash(db: ReadTransaction, token_hash: str, now_ms: int) -> Bearer | None:
    """The bearer of the token with this hash; None where it is unknown, revoked or has expired."""
    row = db.execute(
        f"select role, patient_id, kiosk_id from tokens where token_hash = :token_hash and {_IS_VALID}",  # noqa: S608
        {"token_hash": token_hash, "now_ms": now_ms},
    ).fetchone()
    if row is None:
        return None
    return Bearer(Role(row["role"]), token_hash, row["patient_id"], row["kiosk_id"])


def was_revoked(db: ReadTransaction, token_hash: str) -> bool:
    """Whether the token with this hash was a kiosk's and was revoked. The hashes of revoked tokens stay for good."""
    row = db.row(
        "select 1 from tokens where token_hash = :token_hash and kiosk_id is not null and revoked_ms is not null",
        token_hash=token_hash,
    )
    return row is not None


def kiosk_token(db: ReadTransaction, kiosk_id: str) -> str | None:
    """The hash of a kiosk's token, valid or not. A kiosk gets one token, with its enrolment."""
    row = db.row("select token_hash from tokens where kiosk_id = :kiosk_id", kiosk_id=kiosk_id)
    return row["token_hash"] if row else None


def revoke(db: WriteTransaction, token_hash: str, now_ms: int) -> bool:
    """Revokes a valid token for good, and announces it: the sockets of the token close on that news.

    False where the token is unknown, revoked or has expired; nothing changes then.
    """
    revoked = db.execute(
        f"update tokens set revoked_ms = :now_ms where token_hash = :token_hash and {_IS_VALID}",  # noqa: S608
        {"now_ms": now_ms, "token_hash": token_hash},
    )
    if revoked.rowcount == 0:
        return False
    db.news.append(TokenRevoked(token_hash))
    return True


def hash_of(token: str) -> str:
    """The form in which a token is stored. 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
