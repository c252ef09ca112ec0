"""The hospital itself: its site."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from sync.central.centre import Centre
from sync.central.imports.outcomes import RefusedRow
from sync.central.imports.parts import Kind, SitePart, read_part
from sync.central.imports.take_site import site_settings, take_site
from sync.central.maintenance.derived_days import derive_days
from sync.central.operations import TellingOperation
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.deciders import Decider, changed_deciders
from sync.central.records.kiosks import kiosks
from sync.central.records.site import has_site, read_site, renew_site_id, write_deciders
from sync.central.records.web_settings import read_web_settings, write_web_settings
from sync.central.services.requester import Requester
from sync.central.services.settle_waits import settle_waits
from sync.central.services.told import AboutNobody
from sync.central.services.web_settings import SETTINGS, WebSettingsError, changed
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.control import ControlError

T = TypeVar("T")


def hospital_operations(centre: Centre, operator: Requester) -> dict[str, TellingOperation]:
    """The operations on the hospital, by name."""
    return {
        "site": lambda arguments: _with_work(centre, AboutNobody(_site(centre, operator, arguments))),
    }


def _with_work(centre: Centre, result: T) -> T:
    """The result of an operation that may have corrected the clock of the site, or said who decides an action.

    The days of bookings follow first, and the actions that wait for a system that decides them no more.
    """
    derive_days(centre)
    settle_waits(centre)
    return result


def _site(centre: Centre, operator: Requester, arguments: Mapping[str, Any]) -> dict[str, Any]:
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
        deciders = _deciders(centre, wanted.pop("decides", ()))
        if deciders:
            write_deciders(db, changed_deciders(read_site(db).deciders, deciders, now_ms))
            renewed["decides"] = deciders
        try:
            web = changed(read_web_settings(db), {name: wanted[name] for name in SETTINGS if name in wanted})
        except WebSettingsError as error:
            raise ControlError(str(error)) from error
        part = read_part(Kind.SITE, {name: value for name, value in wanted.items() if name not in SETTINGS})
        taken = take_site(db, part, now_ms) if isinstance(part, SitePart) else part
        if isinstance(taken, RefusedRow):
            raise ControlError(taken.reason)
        write_web_settings(db, web)
        note(db, operator.who, AuditKind.SITE, now_ms, detail={**wanted, **renewed})
        return _shown(db)


def _deciders(centre: Centre, given: Sequence[str]) -> dict[str, Decider]:
    """Who decides which actions, from texts such as register=shadow."""
    found: dict[str, Decider] = {}
    for text in given:
        action_type, _, decider = text.partition("=")
        if action_type not in centre.definitions.actions:
            raise ControlError(f"{action_type[:64]!r} is no action: {', '.join(centre.definitions.actions)}")
        if decider not in list(Decider):
            raise ControlError(f"{text[:64]!r} does not say who decides: give {action_type}={'|'.join(Decider)}")
        found[action_type] = Decider(decider)
    return found


def _renew_id(db: WriteTransaction) -> None:
    """Makes this centre another site than the one that its database was copied from."""
    active = [kiosk.kiosk_id for kiosk in kiosks(db) if kiosk.revoked_ms is None]
    if active:
        raise ControlError(
            f"{len(active)} kiosks belong to this site: {', '.join(active)}. A new id would cut them off, with all that"
            " they have not sent. If this is a copy of another centre's database, end them here first: kiosks revoke"
        )
    renew_site_id(db)


def _shown(db: ReadTransaction) -> dict[str, Any]:
    site = site_settings(db)
    assert site is not None
    settings = read_site(db)
    elsewhere = [f"{name}={settings.deciders[name].decider}" for name in settings.site.decided_elsewhere]
    languages = list(site["languages"])
    return {"site_id": settings.site_id, **site, "languages": languages, "decides": elsewhere, **_web(db)}


def _web(db: ReadTransaction) -> dict[str, Any]:
    web = read_web_settings(db)
    return {
        "public_url": web.public_url,
        "trusted_proxies": list(web.trusted_proxies),
        "allowed_origins": list(web.allowed_origins),
    }
