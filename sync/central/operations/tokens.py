"""Bearer tokens for apps and staff: an operator makes and revokes them."""

from collections.abc import Mapping
from typing import Any

from sync.central.centre import Centre
from sync.central.operations import WHO
from sync.central.records.audit import note
from sync.central.records.patients import patient_named
from sync.central.records.tokens import hash_of, issue, revoke
from sync.control import ControlError, Operation
from sync.journey.model import Role


def token_operations(centre: Centre) -> dict[str, Operation]:
    """The operations on tokens, by name."""
    return {
        "token": lambda arguments: _issue(centre, arguments),
        "token-revoke": lambda arguments: _revoke(centre, str(arguments["token"])),
    }


def _issue(centre: Centre, arguments: Mapping[str, Any]) -> str:
    """Makes a token. The token is shown only here."""
    role, named = Role(arguments["role"]), arguments.get("patient_id")
    if (role is Role.PATIENT) != (named is not None):
        raise ControlError("a patient's token needs --patient, and no other takes it")
    now_ms = centre.clock()
    with centre.store.write() as db:
        patient_id = patient_named(db, named) if named is not None else None
        if named is not None and patient_id is None:
            raise ControlError(f"there is no patient {named}")
        token = issue(db, role, now_ms, patient_id=patient_id)
        note(db, WHO, "token", now_ms, patient_id=patient_id, detail={"role": role, "token": hash_of(token)[:12]})
    return token


def _revoke(centre: Centre, token: str) -> bool:
    now_ms, token_hash = centre.clock(), hash_of(token)
    with centre.store.write() as db:
        if not revoke(db, token_hash, now_ms):
            raise ControlError("there is no such valid token")
        note(db, WHO, "token-revoke", now_ms, detail={"token": token_hash[:12]})
    return True
