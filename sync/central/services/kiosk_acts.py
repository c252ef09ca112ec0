"""Everything that a kiosk did, as an operator sees it: ids, states and times, and never a name."""

from dataclasses import dataclass
from typing import Any

import msgspec

from sync.central.centre import Centre
from sync.central.records.acts import ActKind, ActPlace, acts, entry_acts, place_of_act, read_action
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.cases import read_case
from sync.central.records.effects import EndedEffect, Period, read_effect
from sync.central.records.kiosks import read_kiosk
from sync.central.records.site import SiteSettings, read_site
from sync.central.records.verdicts import latest_verdict
from sync.central.services.errors import NO_KIOSK, ApiError
from sync.central.services.lists import MAX_ROWS
from sync.central.services.named_patients import named_patients
from sync.central.services.told import Told, told_of
from sync.central.services.undo_kiosk import moment
from sync.central.store.transactions import ReadTransaction
from sync.clock import iso

_EVER_MS = 0


@dataclass(frozen=True, slots=True)
class ActsQuery:
    """Which acts of a kiosk: those that the centre received in a period (ISO 8601, as in `UndoOrder`), `limit` of them
    after the act `after`.
    """

    kiosk_id: str
    since: str | None = None
    until: str | None = None
    after: str | None = None
    limit: int = MAX_ROWS


def kiosk_acts(centre: Centre, query: ActsQuery) -> Told | ApiError:
    """{acts, more}: the acts of a kiosk, oldest first, and whether more follow.

    An action comes with its verdict, states, entries and numbers. A kiosk binds no card, so no act is a binding.
    """
    if query.limit not in range(1, MAX_ROWS + 1):
        return ApiError("malformed", f"limit must be a number from 1 to {MAX_ROWS}.")
    with centre.store.read() as db:
        site = read_site(db)
        if read_kiosk(db, query.kiosk_id) is None:
            return NO_KIOSK
        after = place_of_act(db, query.kiosk_id, query.after) if query.after is not None else None
        if query.after is not None and after is None:
            return ApiError("not_found", "after must name an act of the kiosk.")
        period = _period(site, query)
        if isinstance(period, ApiError):
            return period
        found = acts(db, period, after, query.limit + 1)
        shown = [_shown(db, site, place) for place in found[: query.limit]]
        page = {"acts": shown, "more": len(found) > query.limit}
        return told_of(page, AuditKind.LOOK_ACTS, named_patients(db, shown))


def _period(site: SiteSettings, query: ActsQuery) -> Period | ApiError:
    since_ms = _EVER_MS if query.since is None else moment(site, query.since)
    until_ms = None if query.until is None else moment(site, query.until)
    if isinstance(since_ms, ApiError):
        return since_ms
    return until_ms if isinstance(until_ms, ApiError) else Period(query.kiosk_id, since_ms, until_ms)


def _shown(db: ReadTransaction, site: SiteSettings, place: ActPlace) -> dict[str, Any]:
    recorded = {"act_id": place.act_id, "kind": place.kind, "recorded_at": iso(place.at_ms, site.site.timezone)}
    return recorded | (_action if place.kind is ActKind.ACTION else _case)(db, site, place.act_id)


def _action(db: ReadTransaction, site: SiteSettings, verdict_id: str) -> dict[str, Any]:
    verdict, effect = latest_verdict(db, verdict_id), read_effect(db, verdict_id)
    assert verdict is not None
    action = read_action(db, verdict_id, verdict.patient_id)
    entries = entry_acts(db, verdict.patient_id, verdict_id) if verdict.patient_id else []
    return {
        "action": action.action,
        "happened_at": None if action.happened_ms is None else iso(action.happened_ms, site.site.timezone),
        "patient_id": verdict.patient_id,
        "visit_id": verdict.visit_id,
        "from_state": verdict.from_state,
        "to_state": verdict.to_state,
        "verdict": verdict.verdict.value,
        "code": verdict.code.value,
        "entries": msgspec.to_builtins(entries),
        **_effect(effect),
    }


def _effect(found: EndedEffect | None) -> dict[str, Any]:
    """What an action changed besides the state: a visit that it opened, bookings, other names. And where it stands."""
    changed = found.effect.changed if found else None
    before = changed.before if changed else None
    return {
        "opened_visit": before.opened_visit if before else None,
        "bookings": [msgspec.to_builtins(each) for each in before.bookings] if before else [],
        "named_visit": changed.visit_alias if changed else None,
        "named_patient": changed.patient_alias if changed else None,
        "effect": _standing(found),
    }


def _standing(found: EndedEffect | None) -> str:
    if found is None:
        return "none"
    if found.ended_ms is None:
        return "in_force"
    return "taken_back" if found.exception_id is None else "left_to_staff"


def _case(db: ReadTransaction, site: SiteSettings, exception_id: str) -> dict[str, Any]:
    case = read_case(db, exception_id)
    assert case is not None
    timezone = site.site.timezone
    return {
        "code": case.code,
        "patient_id": case.patient_id,
        "visit_id": case.visit_id,
        "action_id": case.action_id,
        "count": case.count,
        "last_at": iso(case.last_ms, timezone),
        "settled_at": None if case.settled_ms is None else iso(case.settled_ms, timezone),
    }
