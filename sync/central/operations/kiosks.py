"""What an administrator can have done with kiosks: by the running service over its control socket, else on the file."""

from collections.abc import Mapping
from typing import Any

import msgspec

from sync.central.kiosks.enrolment import new_code
from sync.central.records.audit import note
from sync.central.records.kiosks import kiosks, revoke_kiosk
from sync.central.services.journey_service import JourneyService
from sync.control import ControlError, Operation

WHO = "command line"


def kiosk_operations(service: JourneyService) -> dict[str, Operation]:
    """The operations on kiosks, by name; the running service does them, else whoever opens the file."""
    return {
        "enroll-code": lambda given: _enroll_code(service, given),
        "kiosks": lambda _: _kiosks(service),
        "kiosk-revoke": lambda given: _revoke(service, str(given["kiosk_id"])),
    }


def _enroll_code(service: JourneyService, given: Mapping[str, Any]) -> str:
    grants = given.get("actions")
    known = (*service.definitions.kiosks, *service.definitions.actions_by("patient"))
    for name in grants or ():
        if name not in known:
            raise ControlError(f"{name} is no action that a kiosk can be granted: {', '.join(known)}")
    now_ms = service.clock()
    with service.store.write() as db:
        code = new_code(db, now_ms, grants)
        note(db, WHO, "enroll-code", now_ms, detail={"grants": grants})
    return code


def _kiosks(service: JourneyService) -> list[dict[str, Any]]:
    with service.store.read() as db:
        found = kiosks(db)
    granted = service.definitions.granted
    return [msgspec.to_builtins(each) | {"actions": granted(each.grants)} for each in found]


def _revoke(service: JourneyService, kiosk_id: str) -> bool:
    now_ms = service.clock()
    with service.store.write() as db:
        if not revoke_kiosk(db, kiosk_id, now_ms):
            raise ControlError(f"there is no kiosk {kiosk_id[:64]}, or it was revoked before")
        note(db, WHO, "kiosk-revoke", now_ms, detail={"kiosk_id": kiosk_id})
    return True
