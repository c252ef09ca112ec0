"""What a command at this machine can have done: by the running service over its control socket, else on the file.

Each operation takes the request's arguments and returns plain values. It raises ControlError for what a person at the
command line got wrong.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from sync.central.maintenance.backup import back_up
from sync.central.maintenance.health import check
from sync.central.maintenance.timekeeper import Doubt, Timekeeper, doubt_of, note_confirmed_time
from sync.central.operations.inbox import desk_operations
from sync.central.operations.kiosks import kiosk_operations
from sync.central.records.audit import note
from sync.central.records.patients import patient_named
from sync.central.records.site import NoSite, read_site
from sync.central.records.tokens import hash_of, issue, revoke
from sync.central.services.demo_hospital import demo_cards, demo_hospital
from sync.central.services.hospital_document import DocumentError, SitePart, check_site, read_hospital
from sync.central.services.hospital_import import put_site, take_hospital
from sync.central.services.journey_service import JourneyService
from sync.central.store.errors import StoreError
from sync.central.store.transactions import ReadTransaction
from sync.clock import site_day
from sync.control import ControlError, Operation
from sync.journey.model import Role

WHO = "command line"


def operations(service: JourneyService) -> dict[str, Operation]:
    """The operations by name, those on kiosks and on cases among them."""
    return {
        **kiosk_operations(service),
        **desk_operations(service),
        "token": lambda given: _token(service, given),
        "token-revoke": lambda given: _token_revoke(service, given),
        "import": lambda given: _import(service, given.get("document")),
        "demo-data": lambda _: _demo_data(service),
        "site": lambda given: _site(service, given),
        "check": lambda _: _check(service),
        "clock": lambda given: _clock(service, bool(given.get("believe"))),
        "backup": lambda given: _backup(service, str(given["file"])),
    }


def _backup(service: JourneyService, file: str) -> dict[str, int]:
    try:
        made = back_up(service.store, Path(file))
    except StoreError as error:
        raise ControlError(str(error)) from error
    with service.store.write() as db:
        note(db, WHO, "backup", service.clock(), detail={"change": made.change})
    return dataclasses.asdict(made)


def _token(service: JourneyService, given: Mapping[str, Any]) -> str:
    """Makes a token; its text is told this once."""
    role, named = Role(given["role"]), given.get("patient_id")
    if (role is Role.PATIENT) != (named is not None):
        raise ControlError("a patient's token needs --patient, and no other takes it")
    now = service.clock()
    with service.store.write() as db:
        patient_id = patient_named(db, named) if named is not None else None
        if named is not None and patient_id is None:
            raise ControlError(f"there is no patient {named}")
        token = issue(db, role, now, patient_id=patient_id)
        note(db, WHO, "token", now, patient_id=patient_id, detail={"role": role, "token": hash_of(token)[:12]})
    return token


def _token_revoke(service: JourneyService, given: Mapping[str, Any]) -> bool:
    now, token_hash = service.clock(), hash_of(given["token"])
    with service.store.write() as db:
        if not revoke(db, token_hash, now):
            raise ControlError("there is no such valid token")
        note(db, WHO, "token-revoke", now, detail={"token": token_hash[:12]})
    return True


def _import(service: JourneyService, document: object) -> dict[str, int]:
    now = service.clock()
    try:
        hospital = read_hospital(document)
        with service.store.write() as db:
            imported = take_hospital(db, service.definitions, service.keys, hospital, now)
            note(db, WHO, "import", now, detail=msgspec.to_builtins(imported))
    except DocumentError as error:
        raise ControlError(str(error)) from error
    return dict(msgspec.to_builtins(imported))


def _demo_data(service: JourneyService) -> list[dict[str, Any]]:
    """Makes or completes the demo hospital for today, and lists its patients with their cards."""
    with service.store.read() as db:
        site = _site_or_none(db)
    document = demo_hospital(site_day(service.clock(), "Asia/Seoul", "04:00"))
    if site is not None:
        # The site as it was set stays, and its today counts.
        with service.store.read() as db:
            document = {**demo_hospital(service.today(db)), "site": None}
    _import(service, document)
    return [_demo_patient(service, patient_id, uid) for patient_id, uid in demo_cards().items()]


def _demo_patient(service: JourneyService, patient_id: str, uid: str) -> dict[str, Any]:
    with service.store.read() as db:
        row = db.row(
            "select p.masked_name, p.language, count(a.appointment_id) as booked from patients p"
            " left join appointments a on a.patient_id = p.patient_id and a.site_day = :today"
            " where p.patient_id = :patient_id group by p.masked_name, p.language",
            patient_id=patient_named(db, patient_id),
            today=service.today(db),
        )
    return {"patient_id": patient_id, "uid": uid, **dict(row or {})}


def _site(service: JourneyService, given: Mapping[str, Any]) -> dict[str, Any]:
    """Changes what is given of the site, and shows it as it stands then."""
    now, wanted = service.clock(), {field: value for field, value in given.items() if value is not None}
    with service.store.write() as db:
        site = _site_or_none(db)
        if site is None:
            raise ControlError("the database holds no hospital yet")
        if not wanted:
            return site
        try:
            part = msgspec.convert({**site, **wanted}, SitePart)
            check_site(part)
            put_site(db, part)
        except (msgspec.ValidationError, DocumentError) as error:
            raise ControlError(str(error)) from error
        note(db, WHO, "site", now, detail=wanted)
        return {**site, **wanted}


def _site_or_none(db: ReadTransaction) -> dict[str, Any] | None:
    try:
        known = read_site(db)
    except NoSite:
        return None
    return {
        "name": known.site.name,
        "desk": known.site.walk_in.exam_id,
        "timezone": known.site.timezone,
        "day_starts_at": known.site.day_starts_at,
        "languages": list(known.site.languages),
        "ticket_prefix": known.ticket_prefix,
    }


def _check(service: JourneyService) -> dict[str, Any]:
    with service.store.read() as db:
        health = dict(msgspec.to_builtins(check(db, service.definitions)))
    doubt = doubt_of(service.clock)
    return {**health, "ok": health["ok"] and doubt is None, "clock": dataclasses.asdict(doubt) if doubt else None}


def _clock(service: JourneyService, believe: bool) -> dict[str, Any]:
    """What the machine's clock says and what is taken for the time; with `believe`, the one becomes the other."""
    if believe and isinstance(service.clock, Timekeeper):
        now = service.clock.believe()
        with service.store.write() as db:
            note(db, WHO, "clock", now)
            note_confirmed_time(db, now)
    doubt = doubt_of(service.clock) or Doubt(service.clock(), service.clock())
    return dataclasses.asdict(doubt)
