"""The kiosks, for an operator: make an enrolment code, list them, revoke one, take in what one set aside."""

from collections.abc import Sequence

import msgspec

from sync.central.centre import Centre
from sync.central.kiosks.enrolment import new_code
from sync.central.kiosks.take_in import AT_ONCE, OtherSite, take_in
from sync.central.operations import TellingOperation
from sync.central.operations.kiosk_tokens import view_of_tokens
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.backlogs import backlogs
from sync.central.records.kiosks import kiosks, revoke_kiosk
from sync.central.records.site import NoSite, has_site
from sync.central.services.requester import Requester
from sync.central.services.told import AboutNobody, Telling, told_of
from sync.control import ControlError
from sync.journey.definitions import ENTRANCE
from sync.set_aside import SetAside


def kiosk_operations(centre: Centre, operator: Requester) -> dict[str, TellingOperation]:
    """The operations on kiosks, by name."""
    return {
        "enroll-code": lambda arguments: _enroll_code(centre, operator, arguments.get("actions") or (ENTRANCE,)),
        "kiosks": lambda _: _kiosks(centre),
        "kiosk-revoke": lambda arguments: _revoke(centre, operator, str(arguments["kiosk_id"])),
        "take-in": lambda arguments: _take_in(centre, operator, arguments.get("actions")),
    }


def _enroll_code(centre: Centre, operator: Requester, grants: Sequence[str]) -> Telling:
    """A new code, and whether the centre has a hospital. Until then, the code enrols nobody."""
    known = (*centre.definitions.kiosks, *centre.definitions.actions_by("patient"))
    for name in grants:
        if name not in known:
            raise ControlError(f"{name} is no action that a kiosk can be granted: {', '.join(known)}")
    now_ms = centre.clock()
    with centre.store.write() as db:
        code = new_code(db, now_ms, grants)
        note(db, operator.who, AuditKind.ENROLL_CODE, now_ms, detail={"grants": list(grants)})
        return AboutNobody({"code": code, "has_hospital": has_site(db)})


def _kiosks(centre: Centre) -> Telling:
    with centre.store.read() as db:
        found, waiting = kiosks(db), backlogs(db)
        now_ms = centre.clock()
        tokens = {each.kiosk_id: view_of_tokens(db, each, now_ms) for each in found}
    granted = centre.definitions.granted
    return AboutNobody(
        [
            msgspec.to_builtins(each)
            | {"actions": granted(each.grants), "backlog": msgspec.to_builtins(waiting.get(each.kiosk_id))}
            | {"token": tokens[each.kiosk_id]}
            for each in found
        ]
    )


def _revoke(centre: Centre, operator: Requester, kiosk_id: str) -> Telling:
    now_ms = centre.clock()
    with centre.store.write() as db:
        if not revoke_kiosk(db, kiosk_id, now_ms):
            raise ControlError(f"there is no kiosk {kiosk_id[:64]}, or it was revoked before")
        note(db, operator.who, AuditKind.KIOSK_REVOKE, now_ms, detail={"kiosk_id": kiosk_id})
    return AboutNobody(True)


def _take_in(centre: Centre, operator: Requester, document: object) -> Telling:
    """Judges at most `AT_ONCE` actions of a file. Returns the verdict of each, in their order."""
    try:
        actions = msgspec.convert(document, list[SetAside])
    except msgspec.ValidationError as error:
        raise ControlError(f"no actions that were set aside: {error}") from error
    if len(actions) > AT_ONCE:
        raise ControlError(f"at most {AT_ONCE} actions at once")
    try:
        with centre.store.write() as db:
            verdicts = take_in(db, centre, actions)
            kiosk_ids = sorted({action.kiosk_id for action in actions})
            detail = {"kiosk_ids": kiosk_ids, "actions": len(actions)}
            note(db, operator.who, AuditKind.TAKE_IN, centre.clock(), detail=detail)
    except (OtherSite, NoSite) as error:
        raise ControlError(str(error)) from error
    taken = [
        {
            "place": action.place,
            "kiosk_id": action.kiosk_id,
            "action_id": action.action_id,
            "patient_id": verdict.patient_id,
            "verdict": verdict.verdict,
            "code": verdict.code,
        }
        for action, verdict in zip(actions, verdicts, strict=True)
    ]
    return told_of(taken, AuditKind.LOOK_TAKE_IN, [each.patient_id for each in verdicts if each.patient_id is not None])
