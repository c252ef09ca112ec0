"""Who sends a request, and which patient it may be about."""

import sqlite3
from collections.abc import Collection
from contextlib import suppress

from msgspec.structs import replace

from sync.central.centre import Centre
from sync.central.records.app_tokens import replace_former
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.duties import OF_PROGRAMS, Duty
from sync.central.records.kiosk_tokens import replace_others
from sync.central.records.kiosks import ask_for_renewal
from sync.central.records.patients import patient_named
from sync.central.records.sessions import bearer_of_session
from sync.central.records.tokens import (
    Bearer,
    TokenState,
    bearer,
    bearer_of_hash,
    ended_bearer,
    hash_of,
    id_of,
    mark_seen,
    mark_used,
)
from sync.central.services.errors import ApiError
from sync.central.services.refused_access import note_refusal
from sync.central.store.transactions import WriteTransaction
from sync.clock import DAY_MS
from sync.journey.model import PATIENT, STAFF, VISIT, Actor, PatientId, Role
from sync.visit_secret import is_secret

_UNAUTHORIZED = ApiError("unauthorized", "A valid bearer token is needed.")
_FORBIDDEN = ApiError("forbidden", "This token may not do that.")
_VISIT_UNKNOWN = ApiError("visit_unknown", "The hospital does not know the visit of this token yet.")
_VISIT_ENDED = ApiError("visit_ended", "The visit of this token is over.")
_ACTORS = {
    Role.STAFF: STAFF,
    Role.PATIENT: PATIENT,
    Role.VISIT: VISIT,
    Role.INTEGRATION: Actor(Role.INTEGRATION),
}
_ENDED = {
    TokenState.REVOKED: AuditKind.REFUSED_REVOKED,
    TokenState.REPLACED: AuditKind.REFUSED_REPLACED,
    TokenState.EXPIRED: AuditKind.REFUSED_EXPIRED,
}
_SEEN_EVERY_MS = 60_000
_OTHER_PATIENT = ApiError("forbidden", "This token acts for its own patient only.")


def authenticate(
    centre: Centre,
    token: str | None,
    roles: Collection[Role],
    address: str | None = None,
    duties: frozenset[Duty] = OF_PROGRAMS,
) -> Bearer | ApiError:
    """The bearer of a valid token of one of these roles; of staff, one with any of these duties.

    A token that is refused is counted for its `address`.
    """
    if not token:
        return _UNAUTHORIZED
    with centre.store.glance() as db:
        found = bearer(db, token, centre.clock())
    if found is None:
        return _refused(centre, hash_of(token), address, may_come=is_secret(token))
    return _admitted(centre, found, roles, address, duties)


def authenticate_session(
    centre: Centre,
    session: str,
    roles: Collection[Role],
    address: str | None = None,
    duties: frozenset[Duty] = OF_PROGRAMS,
) -> Bearer | ApiError:
    """As `authenticate`, of the session in a cookie."""
    with centre.store.glance() as db:
        found = bearer_of_session(db, hash_of(session), centre.clock())
    if found is None:
        return _refused(centre, hash_of(session), address)
    return _admitted(centre, found, roles, address, duties)


def authenticate_person(
    centre: Centre, session: str, address: str | None, duties: frozenset[Duty], *, is_attended: bool
) -> Bearer | ApiError:
    """As `authenticate_session`, of a person who has signed in. `is_attended`: the person pressed or asked."""
    with centre.store.glance() as db:
        found = bearer_of_session(db, hash_of(session), centre.clock())
    if found is None:
        return _refused(centre, hash_of(session), address)
    if found.account_id is None:
        return _UNAUTHORIZED  # the session of an app's token opens the socket alone
    admitted = _admitted(centre, found, (Role.STAFF,), address, duties)
    return _note_seen(centre, admitted) if is_attended and isinstance(admitted, Bearer) else admitted


def _admitted(
    centre: Centre, found: Bearer, roles: Collection[Role], address: str | None, duties: frozenset[Duty]
) -> Bearer | ApiError:
    is_fit = found.role is not Role.STAFF or bool(found.duties & duties)
    if found.role not in roles or not is_fit:
        note_refusal(centre, AuditKind.REFUSED_ROLE, address, found.who, id_of(found.token_hash))
        return _FORBIDDEN
    if _is_due(found, centre.clock()):
        _note_use(centre, found)
    else:
        centre.bearers.remember(found)
    return found


def expected(centre: Centre, token: str | None, roles: Collection[Role]) -> Bearer | None:
    """The bearer of a token as the database has named them lately, for an action that confirms them; None without one.

    None also where the use of the token is to be noted again.
    """
    known = centre.bearers.get(hash_of(token)) if token else None
    is_usable = known is not None and known.role in roles and not _is_due(known, centre.clock())
    return known if is_usable else None


def refresh(
    centre: Centre, sender: Bearer, subject: str | None, session_hash: str | None = None
) -> tuple[Bearer | None, str | None]:
    """The bearer and the subject of an open socket as they are now. A session opened the socket, or a token.

    The bearer is None where that is no longer valid. Both follow a merge of the patient's record.
    """
    now_ms = centre.clock()
    with centre.store.read() as db:
        if session_hash is not None:
            found = bearer_of_session(db, session_hash, now_ms)
        else:
            found = bearer_of_hash(db, sender.token_hash, now_ms)
        if subject is not None:
            subject = patient_named(db, subject) or subject
    return found, subject


def actor_of(sender: Bearer) -> Actor:
    """A token's bearer as the rules know them."""
    return _ACTORS[sender.role]


def subject_of(centre: Centre, sender: Bearer, named: str | None) -> str | ApiError | None:
    """The patient that a request is about; None for a staff request that names no patient.

    A patient's token is for its own patient, under any id: an app may still have the id of a merged record.
    """
    if sender.role is Role.STAFF:
        return named
    own: PatientId | None = sender.patient_id
    if named is None or named == own:
        return own
    with centre.store.glance() as db:
        return own if patient_named(db, named) == own else _OTHER_PATIENT


def _refused(centre: Centre, token_hash: str, address: str | None, *, may_come: bool = False) -> ApiError:
    """The error for a token that is not valid, which is counted. `may_come`: a kiosk may yet tell of it."""
    with centre.store.glance() as db:
        ended = ended_bearer(db, token_hash, centre.clock())
    if ended is None and may_come:
        return _VISIT_UNKNOWN
    if ended is None:
        note_refusal(centre, AuditKind.REFUSED_UNKNOWN, address, token_id=id_of(token_hash))
        return _UNAUTHORIZED
    bearer_then, state = ended
    note_refusal(centre, _ENDED[state], address, bearer_then.who, id_of(token_hash))
    return _VISIT_ENDED if bearer_then.role is Role.VISIT else _UNAUTHORIZED


def _is_due(sender: Bearer, now_ms: int) -> bool:
    """Whether the use of a token is to be noted: once a day. A write for each request would be one for each look of a
    board.
    """
    return sender.used_ms is None or abs(now_ms - sender.used_ms) >= DAY_MS


def _note_use(centre: Centre, sender: Bearer) -> None:
    """Notes the use of a token."""
    now_ms = centre.clock()
    # A database that takes no writes still answers.
    with suppress(sqlite3.Error), centre.store.write(brief=True) as db:
        mark_used(db, sender.token_hash, now_ms)
        if sender.used_ms is not None:
            return
        if sender.kiosk_id is not None:
            _take_over(db, sender.kiosk_id, sender.token_hash, now_ms)
        else:
            replace_former(db, sender.token_hash, now_ms)


def _note_seen(centre: Centre, sender: Bearer) -> Bearer:
    """Notes that a person has done something, once a minute. Returns the person as seen now."""
    now_ms = centre.clock()
    if sender.seen_ms is None or abs(now_ms - sender.seen_ms) < _SEEN_EVERY_MS:
        return sender
    # A database that takes no writes still answers.
    with suppress(sqlite3.Error), centre.store.write(brief=True) as db:
        mark_seen(db, sender.token_hash, now_ms)
        return replace(sender, seen_ms=now_ms)
    return sender


def _take_over(db: WriteTransaction, kiosk_id: str, token_hash: str, now_ms: int) -> None:
    """Lets a kiosk's token take the place of its former ones. Its first use proves that the kiosk has it."""
    if replace_others(db, kiosk_id, token_hash, now_ms):
        ask_for_renewal(db, kiosk_id, None)
        note(db, kiosk_id, AuditKind.RENEWED, now_ms, detail={"token": id_of(token_hash)})
