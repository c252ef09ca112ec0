"""Bearer tokens (RFC 6750): 256 random bits, shown once, stored as SHA-256, each for one role and one subject.

The id of a token is the beginning of its hash: it is no secret, and no two tokens share it.
"""

import base64
import hashlib
import itertools
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from sync.central.network.bearer import ID_LENGTH
from sync.central.records.duties import OF_PROGRAMS, Duty, duties_text, read_duties
from sync.central.records.parts import Part
from sync.central.store.news import TokenRevoked
from sync.central.store.transactions import ReadTransaction, WriteTransaction, any_of, each_of
from sync.clock import DAY_MS
from sync.journey.model import KioskId, PatientId, Role

PREFIX = "nk_"  # scanners of logs and repositories recognise a token by this prefix
SOON_MS = 14 * DAY_MS  # an operator has this long to make another token

# Calls under way when a newer token is used for the first time still bear the former one.
OVERLAP_MS = 5 * 60_000

_IS_ON_ITS_VISIT = "select 1 from journeys j where j.patient_id = tokens.patient_id and j.visit_id = tokens.visit_id"
IS_VALID = (
    "revoked_ms is null and (expires_ms is null or expires_ms > :now_ms)"
    f" and (replaced_ms is null or abs(:now_ms - replaced_ms) < {OVERLAP_MS})"
    f" and (visit_id is null or exists ({_IS_ON_ITS_VISIT}))"
    " and (idle_ms is null or seen_ms + idle_ms > :now_ms)"
)


class TokenState(StrEnum):
    """What becomes of a token."""

    ACTIVE = "active"
    EXPIRES_SOON = "expires_soon"  # within two weeks
    EXPIRED = "expired"  # by time, or with its visit
    REVOKED = "revoked"
    REPLACED = "replaced"  # by a newer one


class Bearer(msgspec.Struct, frozen=True):
    """The bearer of a valid token: a role, and the patient, kiosk or person that the token is for. Times are UTC ms.

    `account_id` is that of a person who has signed in, whose login name is `name`. `duties` are what a bearer of the
    role staff may do. The token ends `idle_ms` after `seen_ms`.
    """

    role: Role
    token_hash: str
    patient_id: PatientId | None = None
    kiosk_id: KioskId | None = None
    name: str = ""
    account_id: str | None = None
    duties: frozenset[Duty] = frozenset()
    expires_ms: int | None = None
    used_ms: int | None = None
    seen_ms: int | None = None
    idle_ms: int | None = None

    @property
    def ends_ms(self) -> int | None:
        """When the token ends by itself: its life is over, or nothing was pressed for too long. None: never."""
        idle_ends_ms = None if self.idle_ms is None or self.seen_ms is None else self.seen_ms + self.idle_ms
        return min((each for each in (self.expires_ms, idle_ends_ms) if each is not None), default=None)

    @property
    def who(self) -> str:
        """The name of the bearer in history and audit, such as "staff:kim.mj" or "staff:Board (1a2b3c4d5e6f)".

        It distinguishes two bearers of one role, and holds no secret.
        """
        if self.kiosk_id:
            return f"{self.role}:{self.kiosk_id}"
        if self.account_id:
            return f"{self.role}:{self.name}"
        token_id = id_of(self.token_hash)
        return f"{self.role}:{self.name} ({token_id})" if self.name else f"{self.role}:{token_id}"


NEVER = 0  # as the life of a token, in ms


class TokenRecord(msgspec.Struct, frozen=True):
    """A token of no kiosk and of no person, as an operator sees it. Times are UTC ms; `used_ms` is true to a day."""

    token_id: str
    role: Role
    patient_id: str | None
    name: str
    created_ms: int
    expires_ms: int | None
    used_ms: int | None
    revoked_ms: int | None
    state: TokenState


@dataclass(frozen=True, slots=True)
class TokenSearch:
    """Which tokens are listed: a role, a patient (None: any), ended ones too, those after a token, at most `limit`."""

    limit: int
    role: str | None = None
    patient_id: str | None = None
    after: str | None = None
    with_ended: bool = False


_TEXTS = ("role", "patient_id", "kiosk_id", "name", "account_id", "duties")
_NUMBERS = ("expires_ms", "used_ms", "seen_ms", "idle_ms")
BEARERS = Part("bearer", _TEXTS, _NUMBERS)
VALID_BEARERS = BEARERS.of(f"from tokens where token_hash = :token_hash and {IS_VALID}")


def issue(
    db: WriteTransaction,
    role: Role,
    now_ms: int,
    *,
    patient_id: str | None = None,
    kiosk_id: str | None = None,
    name: str = "",
    expires_ms: int | None = None,
    token: str | None = None,
    renews: str | None = None,
    account_id: str | None = None,
    duties: frozenset[Duty] | None = None,
    idle_ms: int | None = None,
) -> str:
    """Makes a token and returns it. The database stores its hash alone.

    `token` is one of `token_of()`. `renews` is the hash of the token that it takes the place of at its first use. A
    token of a person's account has the person's duties.
    """
    made = (token_of(secrets.token_bytes()) for _ in itertools.count())
    token = token or next(each for each in made if hash_of_id(db, id_of(hash_of(each))) is None)
    db.execute(
        "insert into tokens values"
        " (:token_hash, :role, :patient_id, :kiosk_id, :name, :now_ms, :expires_ms, null, null, null, :renews,"
        " null, null, 0, :account_id, :duties, :seen_ms, :idle_ms)",
        {
            "token_hash": hash_of(token),
            "role": role.value,
            "patient_id": patient_id,
            "kiosk_id": kiosk_id,
            "name": name,
            "now_ms": now_ms,
            "expires_ms": expires_ms,
            "renews": renews,
            "account_id": account_id,
            "duties": None if duties is None else duties_text(duties),
            "seen_ms": None if idle_ms is None else now_ms,
            "idle_ms": idle_ms,
        },
    )
    return token


def token_of(secret: bytes) -> str:
    """A token of 32 bytes that nobody can guess."""
    return PREFIX + base64.urlsafe_b64encode(secret).rstrip(b"=").decode()


def bearer(db: ReadTransaction, token: str, now_ms: int) -> Bearer | None:
    """The bearer of a token; None where the token is unknown, revoked, replaced or has expired."""
    return bearer_of_hash(db, hash_of(token), now_ms)


def bearer_of_hash(db: ReadTransaction, token_hash: str, now_ms: int) -> Bearer | None:
    """The bearer of the token with this hash; None where it is unknown, revoked, replaced or has expired.

    A replaced token is valid for five minutes more.
    """
    row = db.row(VALID_BEARERS, token_hash=token_hash, now_ms=now_ms)
    return bearer_of_part(BEARERS.values(row), token_hash) if row else None


def valid_tokens(db: ReadTransaction, token_hashes: Collection[str], now_ms: int) -> frozenset[str]:
    """Those of some hashes of tokens that are the hashes of valid ones."""
    if not token_hashes:
        return frozenset()
    tokens, parameters = each_of("token", token_hashes)
    query = f"select token_hash from tokens where token_hash in {tokens} and {IS_VALID}"  # noqa: S608
    return frozenset(token_hash for (token_hash,) in db.rows_at_once(query, 1, {**parameters, "now_ms": now_ms}))


def bearer_of_part(values: tuple[Any, ...], token_hash: str) -> Bearer:
    """A bearer from a row of the part `BEARERS`."""
    role, patient_id, kiosk_id, name, account_id, duties, *times = values
    may = OF_PROGRAMS if duties is None else read_duties(duties)
    return Bearer(
        Role(role),
        token_hash,
        patient_id,
        kiosk_id,
        name,
        account_id,
        may if role == Role.STAFF else frozenset(),
        *times,
    )


def ended_bearer(db: ReadTransaction, token_hash: str, now_ms: int) -> tuple[Bearer, TokenState] | None:
    """The bearer of a token that was revoked or replaced or has expired, and which; None for an unknown token."""
    row = db.row(
        f"select {', '.join((*_TEXTS, *_NUMBERS))}, {_STATE_COLUMNS} from tokens"  # noqa: S608
        " where token_hash = :token_hash",
        token_hash=token_hash,
        now_ms=now_ms,
    )
    if row is None:
        return None
    *values, revoked_ms, replaced_ms, is_valid = row
    state = _state(row["expires_ms"], revoked_ms, replaced_ms, now_ms, is_valid=bool(is_valid))
    return bearer_of_part(tuple(values), token_hash), state


def mark_used(db: WriteTransaction, token_hash: str, now_ms: int) -> None:
    """Notes that a token is in use."""
    db.execute(
        "update tokens set used_ms = :now_ms where token_hash = :token_hash",
        {"now_ms": now_ms, "token_hash": token_hash},
    )


def mark_seen(db: WriteTransaction, token_hash: str, now_ms: int) -> None:
    """Notes a press or a request of the person who has signed in with a token."""
    db.execute(
        "update tokens set seen_ms = :now_ms where token_hash = :token_hash",
        {"now_ms": now_ms, "token_hash": token_hash},
    )


def tokens(db: ReadTransaction, search: TokenSearch, now_ms: int) -> list[TokenRecord]:
    """The tokens of staff, patients, visits and programs in the order of their making.

    Kiosks have their own list, and so have the sessions of persons.
    """
    rows = db.rows(
        f"select {_RECORD_COLUMNS} from tokens"  # noqa: S608
        " where kiosk_id is null and account_id is null and (cast(:role as text) is null or role = :role)"
        " and (cast(:patient_id as text) is null or patient_id = :patient_id)"
        f" and (:with_ended = 1 or {IS_VALID})"
        " and (cast(:after as text) is null or (created_ms, token_hash) >"
        " (select a.created_ms, a.token_hash from tokens a where a.token_hash = :after))"
        " order by created_ms, token_hash limit :limit",
        role=search.role,
        patient_id=search.patient_id,
        after=search.after,
        with_ended=int(search.with_ended),
        limit=search.limit,
        now_ms=now_ms,
    )
    return [_record(row, now_ms) for row in rows]


def tokens_ending_soon(db: ReadTransaction, now_ms: int) -> list[TokenRecord]:
    """The valid tokens of staff and of programs that expire within two weeks, the first to expire first."""
    roles, names = any_of("role", [Role.STAFF, Role.METRICS, Role.INTEGRATION])
    rows = db.rows(
        f"select {_RECORD_COLUMNS} from tokens"  # noqa: S608
        f" where role in {roles} and account_id is null and expires_ms < :soon_ms and {IS_VALID}"
        " order by expires_ms, token_hash",
        **names,
        soon_ms=now_ms + SOON_MS,
        now_ms=now_ms,
    )
    return [_record(row, now_ms) for row in rows]


def hash_of_id(db: ReadTransaction, token_id: str) -> str | None:
    """The hash of the token of an id; None where there is none."""
    # "g" comes after every hex digit, so the primary key finds the row.
    row = db.row(
        "select token_hash from tokens where token_hash >= :token_id and token_hash < :token_id || 'g'",
        token_id=token_id,
    )
    return row["token_hash"] if row else None


def kiosk_of_token(db: ReadTransaction, token_hash: str) -> str | None:
    """The kiosk that a token is for; None where it is no kiosk's."""
    row = db.row("select kiosk_id from tokens where token_hash = :token_hash", token_hash=token_hash)
    return row["kiosk_id"] if row else None


def revoke(db: WriteTransaction, token_hash: str, now_ms: int) -> bool:
    """Revokes a valid token for good, and announces it: the sockets of the token close on that news.

    False where the token is unknown, revoked or has expired; nothing changes then.
    """
    revoked = db.execute(
        f"update tokens set revoked_ms = :now_ms where token_hash = :token_hash and {IS_VALID}",  # noqa: S608
        {"now_ms": now_ms, "token_hash": token_hash},
    )
    if revoked.rowcount == 0:
        return False
    db.news.append(TokenRevoked(token_hash))
    return True


def hash_of(token: str) -> str:
    """The form in which a token is stored. 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def id_of(token_hash: str) -> str:
    """The id of the token with this hash."""
    return token_hash[:ID_LENGTH]


_STATE_COLUMNS = f"revoked_ms, replaced_ms, case when {IS_VALID} then 1 else 0 end as is_valid"
_RECORD_COLUMNS = f"token_hash, role, patient_id, name, created_ms, expires_ms, used_ms, {_STATE_COLUMNS}"


def _record(row: Any, now_ms: int) -> TokenRecord:
    columns = dict(row)
    token_id, is_valid = id_of(columns.pop("token_hash")), bool(columns.pop("is_valid"))
    state = _state(row["expires_ms"], row["revoked_ms"], columns.pop("replaced_ms"), now_ms, is_valid=is_valid)
    return msgspec.convert({**columns, "token_id": token_id, "state": state}, TokenRecord)


def _state(
    expires_ms: int | None, revoked_ms: int | None, replaced_ms: int | None, now_ms: int, *, is_valid: bool
) -> TokenState:
    if revoked_ms is not None:
        return TokenState.REVOKED
    if replaced_ms is not None:
        return TokenState.REPLACED
    if not is_valid:
        return TokenState.EXPIRED
    is_long = expires_ms is None or expires_ms - now_ms >= SOON_MS
    return TokenState.ACTIVE if is_long else TokenState.EXPIRES_SOON
