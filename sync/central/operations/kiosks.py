"""The kiosks, for an operator: make an enrolment code, list them, revoke one."""

from typing import Any

import msgspec

from sync.central.centre import Centre
from sync.central.kiosks.enrolment import new_code
from sync.central.operations import WHO
from sync.central.records.audit import note
from sync.central.records.kiosks import kiosks, revoke_kiosk
from sync.control import ControlError, Operation


def kiosk_operations(centre: Centre) -> dict[str, Operation]:
    """The operations on kiosks, by name."""
    return {
        "enroll-code": lambda arguments: _enroll_code(centre, arguments.get("actions")),
        "kiosks": lambda _: _kiosks(centre),
        "kiosk-revoke": lambda arguments: _revoke(centre, str(arguments["kiosk_id"])),
    }


def _enroll_code(centre: Centre, grants: list[str] | None) -> str:
    known = (*centre.definitions.kiosks, *centre.definitions.actions_by("patient"))
    for name in grants or ():
        if name not in known:
            raise ControlError(f"{name} is no action that a kiosk can be granted: {', '.join(known)}")
    now_ms = centre.clock()
    with centre.store.write() as db:
        code = new_code(db, now_ms, grants)
        note(db, WHO, "enroll-code", now_ms, detail={"grants": grants})
    return code


def _kiosks(centre: Centre) -> list[dict[str, Any]]:
    with centre.store.read() as db:
        found = kiosks(db)
    granted = centre.definitions.granted
    return [msgspec.to_builtins(each) | {"actions": granted(each.grants)} for each in found]


def _revoke(centre: Centre, kiosk_id: str) -> bool:
    now_ms = centre.clock()
    with centre.store.write() as db:
        if not revoke_kiosk(db, kiosk_id, now_ms):
            raise ControlError(f"there is no kiosk {kiosk_id[:64]}, or it was revoked before")
        note(db, WHO, "kiosk-revoke", now_ms, detail={"kiosk_id": kiosk_id})
    return True
