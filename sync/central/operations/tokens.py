"""Bearer tokens for apps, staff and integrations: an operator makes, lists and ends them."""

from collections.abc import Mapping
from typing import Any

from sync.central.centre import Centre
from sync.central.network.bearer import ID_LENGTH
from sync.central.operations import TellingOperation
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.patients import patient_named
from sync.central.records.tokens import (
    NEVER,
    PREFIX,
    TokenSearch,
    hash_of,
    hash_of_id,
    id_of,
    issue,
    kiosk_of_token,
    revoke,
    tokens,
)
from sync.central.services.lists import MAX_ROWS
from sync.central.services.requester import Requester
from sync.central.services.told import AboutNobody, Telling, told_of
from sync.central.store.transactions import ReadTransaction
from sync.clock import DAY_MS
from sync.control import ControlError
from sync.journey.model import Role
from sync.text import clean

LIFE_MS = 365 * DAY_MS  # a token that is forgotten on a machine ends within a year
MAX_NAME = 40


def token_operations(centre: Centre, operator: Requester) -> dict[str, TellingOperation]:
    """The operations on tokens, by name."""
    return {
        "token": lambda arguments: _issue(centre, operator, arguments),
        "tokens": lambda arguments: _list(centre, arguments),
        "token-revoke": lambda arguments: _revoke(centre, operator, str(arguments["token"])),
    }


def _issue(centre: Centre, operator: Requester, arguments: Mapping[str, Any]) -> Telling:
    """Makes a token: {token, token_id, expires_ms}. The token is shown only here.

    `life_ms` is its life; `NEVER` is for ever. Without one, a patient's lives for ever, any other a year.
    """
    role, named = Role(arguments["role"]), arguments.get("patient_id")
    if (role is Role.PATIENT) != (named is not None):
        raise ControlError("a patient's token needs --patient, and no other takes it")
    name = _name(arguments.get("name"))
    if role is not Role.PATIENT and not name:
        article = "an" if role is Role.INTEGRATION else "a"
        raise ControlError(f"{article} {role} token needs --name: the person, the board or the program that uses it")
    now_ms = centre.clock()
    life_ms = arguments.get("life_ms")
    life_ms = (NEVER if role is Role.PATIENT else LIFE_MS) if life_ms is None else int(life_ms)
    expires_ms = None if life_ms == NEVER else now_ms + life_ms
    with centre.store.write() as db:
        patient_id = patient_named(db, named) if named is not None else None
        if named is not None and patient_id is None:
            raise ControlError(f"there is no patient {named}")
        token = issue(db, role, now_ms, patient_id=patient_id, name=name, expires_ms=expires_ms)
        token_id = id_of(hash_of(token))
        detail = {"role": role, "token": token_id, "name": name, "expires_ms": expires_ms}
        note(db, operator.who, AuditKind.ISSUE, now_ms, patient_id=patient_id, detail=detail)
    return AboutNobody({"token": token, "token_id": token_id, "expires_ms": expires_ms})


def _name(given: object) -> str:
    try:
        name = clean(str(given or ""))
    except ValueError as error:
        raise ControlError(f"the name {error}") from error
    if len(name) > MAX_NAME:
        raise ControlError(f"a name has at most {MAX_NAME} characters")
    return name


def _list(centre: Centre, arguments: Mapping[str, Any]) -> Telling:
    """The tokens that an operator looks for: {tokens, more}. `more`: there are others after the last one."""
    limit = min(max(int(arguments.get("limit") or MAX_ROWS), 1), MAX_ROWS)
    with centre.store.read() as db:
        named, after = arguments.get("patient_id"), arguments.get("after")
        search = TokenSearch(
            limit + 1,
            role=arguments.get("role"),
            patient_id=patient_named(db, str(named)) or str(named) if named is not None else None,
            after=_known_hash(db, str(after)) if after is not None else None,
            with_ended=bool(arguments.get("all")),
        )
        found = tokens(db, search, centre.clock())
    listed = found[:limit]
    patients = [each.patient_id for each in listed if each.patient_id is not None]
    return told_of({"tokens": listed, "more": len(found) > limit}, AuditKind.LOOK_TOKENS, patients)


def _revoke(centre: Centre, operator: Requester, named: str) -> Telling:
    """Ends a token, by its id or by its text, and returns its id."""
    now_ms = centre.clock()
    with centre.store.write() as db:
        token_hash = _known_hash(db, named)
        kiosk_id = kiosk_of_token(db, token_hash)
        if kiosk_id is not None:
            raise ControlError(f"this is the token of a kiosk: kiosk-central kiosks revoke {kiosk_id}")
        if not revoke(db, token_hash, now_ms):
            raise ControlError("this token has ended already")
        note(db, operator.who, AuditKind.REVOKE, now_ms, detail={"token": id_of(token_hash)})
    return AboutNobody(id_of(token_hash))


def _known_hash(db: ReadTransaction, named: str) -> str:
    """The hash of the token that an id or the text of a token names. Raises ControlError where there is none."""
    token_id = id_of(hash_of(named)) if named.startswith(PREFIX) else named.lower()
    found = hash_of_id(db, token_id) if len(token_id) == ID_LENGTH else None
    if found is None or (named.startswith(PREFIX) and found != hash_of(named)):
        raise ControlError("there is no such token")
    return found
