"""The hospital itself: its site, its import, and the demo hospital."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import msgspec

from sync.central.centre import Centre
from sync.central.imports.outcomes import RefusedRow
from sync.central.imports.parts import Kind, SitePart, read_part
from sync.central.imports.take_complete_day import take_complete_day
from sync.central.imports.take_site import site_settings, take_site
from sync.central.imports.whole import DocumentError, read_hospital, take_hospital
from sync.central.maintenance.derived_days import derive_days
from sync.central.operations import WHO
from sync.central.records.appointments import bookings
from sync.central.records.audit import note
from sync.central.records.kiosks import kiosks
from sync.central.records.patients import name_and_language, patient_named
from sync.central.records.site import NoSite, has_site, read_site, renew_site_id
from sync.central.records.web_settings import read_web_settings, write_web_settings
from sync.central.services.demo_hospital import demo_cards, demo_hospital
from sync.central.services.web_settings import SETTINGS, WebSettingsError, changed
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.clock import day_after, site_day
from sync.control import ControlError, Operation

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DemoPatient:
    """A patient of the demo hospital, with the UID of the card and the number of today's bookings."""

    patient_id: str
    uid: str
    masked_name: str
    language: str
    booked: int


@dataclass(frozen=True, slots=True)
class CompletedDay:
    """The number of bookings of a day that were cancelled, and why none was; "" where they were."""

    cancelled: int
    refused: str


def hospital_operations(centre: Centre) -> dict[str, Operation]:
    """The operations on the hospital, by name."""
    return {
        "import": lambda arguments: _with_days(centre, _import(centre, arguments.get("document"))),
        "import-day": lambda arguments: _import_day(centre, arguments),
        "demo-data": lambda _: _demo_data(centre),
        "site": lambda arguments: _with_days(centre, _site(centre, arguments)),
    }


def _with_days(centre: Centre, result: T) -> T:
    """The result of an operation that may have corrected the clock of the site. The days of bookings follow first."""
    derive_days(centre)
    return result


def _import(centre: Centre, document: object) -> dict[str, int]:
    now_ms = centre.clock()
    try:
        hospital = read_hospital(document)
        with centre.store.write() as db:
            report = take_hospital(db, centre.definitions, centre.keys, hospital, now_ms)
            note(db, WHO, "import", now_ms, detail=msgspec.to_builtins(report))
    except DocumentError as error:
        raise ControlError(str(error)) from error
    return dict(msgspec.to_builtins(report))


def _import_day(centre: Centre, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Cancels the bookings of `day` that are not in `named`. `refused` says why none was cancelled, else it is ""."""
    force, check = bool(arguments.get("force")), bool(arguments.get("check"))
    try:
        number, refused = take_complete_day(centre, arguments["day"], arguments["named"], force=force, check=check)
    except NoSite as error:
        raise ControlError(str(error)) from error
    if number and not check:
        with centre.store.write() as db:
            detail = {"day": arguments["day"], "bookings": number}
            note(db, WHO, "import-day", centre.clock(), detail=detail)
    return asdict(CompletedDay(number, refused))


def _demo_data(centre: Centre) -> list[dict[str, Any]]:
    """Makes or completes the demo hospital for today, and lists its patients with their cards."""
    with centre.store.read() as db:
        site_exists = has_site(db)
    if site_exists:
        # The site keeps the operator's settings, and its own day counts.
        document = {**demo_hospital(_today(centre)), "site": None}
    else:
        document = demo_hospital(site_day(centre.clock(), "Asia/Seoul", "04:00"))
    _import(centre, document)
    return [asdict(_demo_patient(centre, patient_id, uid)) for patient_id, uid in demo_cards().items()]


def _today(centre: Centre) -> str:
    with centre.store.read() as db:
        return read_site(db).day(centre.clock())


def _demo_patient(centre: Centre, patient_id: str, uid: str) -> DemoPatient:
    with centre.store.read() as db:
        today, named = read_site(db).day(centre.clock()), patient_named(db, patient_id)
        assert named is not None
        masked_name, language = name_and_language(db, named)
        todays = bookings(db, named, today, day_after(today))
    return DemoPatient(patient_id, uid, masked_name, language, len(todays))


def _site(centre: Centre, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Changes the given settings of the site, and returns all settings after the change."""
    now_ms = centre.clock()
    wanted = {setting: value for setting, value in arguments.items() if value is not None}
    with centre.store.write() as db:
        if not has_site(db):
            raise ControlError("the database holds no hospital yet")
        if not wanted:
            return _shown(db)
        renewed: dict[str, Any] = {}
        if wanted.pop("new_id", False):
            _renew_id(db)
            renewed = {"site_id": read_site(db).site_id}
        try:
            web = changed(read_web_settings(db), {name: wanted[name] for name in SETTINGS if name in wanted})
        except WebSettingsError as error:
            raise ControlError(str(error)) from error
        part = read_part(Kind.SITE, {name: value for name, value in wanted.items() if name not in SETTINGS})
        taken = take_site(db, part, now_ms) if isinstance(part, SitePart) else part
        if isinstance(taken, RefusedRow):
            raise ControlError(taken.reason)
        write_web_settings(db, web)
        note(db, WHO, "site", now_ms, detail={**wanted, **renewed})
        return _shown(db)


def _renew_id(db: WriteTransaction) -> None:
    """Makes this centre another site than the one that its database was copied from."""
    active = [kiosk.kiosk_id for kiosk in kiosks(db) if kiosk.revoked_ms is None]
    if active:
        raise ControlError(
            f"{len(active)} kiosks belong to this site: {', '.join(active)}. A new id would cut them off, with all that"
            " they have not sent. If this is a copy of another centre's database, end them here first: kiosk-revoke"
        )
    renew_site_id(db)


def _shown(db: ReadTransaction) -> dict[str, Any]:
    site = site_settings(db)
    assert site is not None
    return {"site_id": read_site(db).site_id, **site, "languages": list(site["languages"]), **_web(db)}


def _web(db: ReadTransaction) -> dict[str, Any]:
    web = read_web_settings(db)
    return {
        "public_url": web.public_url,
        "trusted_proxies": list(web.trusted_proxies),
        "allowed_origins": list(web.allowed_origins),
    }
