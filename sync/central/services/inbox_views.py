"""The exception inbox as staff see it: the list of open cases, and one case with all its details."""

from dataclasses import dataclass
from typing import Any

from sync.central.records.cases import InboxCase, count_open_cases, open_cases
from sync.central.records.kiosks import read_kiosk
from sync.central.records.patients import name_and_language
from sync.central.records.quarantine import read_quarantined_body
from sync.central.records.site import SiteSettings
from sync.central.records.verdicts import latest_verdict
from sync.central.records.waiting import WaitingAction, waiting_of_case
from sync.central.services.case_card import read_case_card
from sync.central.services.current_state import current_state
from sync.central.services.settlement import Settlement
from sync.central.store.transactions import ReadTransaction
from sync.clock import iso
from sync.journey.definitions import Definitions
from sync.journey.model import STAFF, Journey

MAX_SHOWN_BODY = 4096  # characters of a quarantined record


@dataclass(frozen=True, slots=True)
class CasePage:
    """Some of the open cases in their order, and the number of cases after them."""

    cases: list[dict[str, Any]]
    more: int


def case_page(db: ReadTransaction, site: SiteSettings, after: InboxCase | None, limit: int) -> CasePage:
    """The open cases, oldest first: `limit` of them after the case `after`, which may be settled, or from the first."""
    cases = open_cases(db, after, limit)
    return CasePage([_shown(db, case, site) for case in cases], count_open_cases(db, after) - len(cases))


def case_view(
    db: ReadTransaction,
    definitions: Definitions,
    site: SiteSettings,
    case: InboxCase,
    journey: Journey | None,
    now_ms: int,
) -> dict[str, Any]:
    """One case: patient, actions, times, what the kiosk showed, what the centre knew then and knows now.

    `journey` is the patient's, where the case is about a patient.
    """
    waiting = waiting_of_case(db, case.exception_id)
    return _shown(db, case, site) | {
        "settled_by": case.settled_by,
        "settlement": case.settlement,
        "settled_at": None if case.settled_ms is None else iso(case.settled_ms, site.site.timezone),
        "patient": _patient(db, journey),
        "kiosk": _kiosk(db, case.kiosk_id),
        "actions": [_action(db, site, each) for each in waiting],
        "now": current_state(db, definitions, site, journey, STAFF, now_ms) if journey else None,
        "may": settlements_of(case, waiting),
        "quarantined": _quarantined(db, case.exception_id),
    }


def settlements_of(case: InboxCase, waiting: list[WaitingAction]) -> list[Settlement]:
    """How a case may be settled. A case without waiting actions can only be discarded."""
    if case.settled_ms is not None:
        return []
    return list(Settlement) if waiting else [Settlement.DISCARD]


def _shown(db: ReadTransaction, case: InboxCase, site: SiteSettings) -> dict[str, Any]:
    """A case as the API has it: times in ISO 8601, and whether its actions were made with a card."""
    card = read_case_card(db, case.exception_id)
    detail = dict(case.detail)
    if "happened_ms" in detail:
        detail["happened_at"] = iso(detail.pop("happened_ms"), site.site.timezone)
    return {
        "exception_id": case.exception_id,
        "code": case.code,
        "patient_id": case.patient_id,
        "action_id": case.action_id,
        "visit_id": case.visit_id,
        "kiosk_id": case.kiosk_id,
        "opened_at": iso(case.opened_ms, site.site.timezone),
        "count": case.count,
        "last_at": iso(case.last_ms, site.site.timezone),
        "detail": detail,
        "has_card": bool(card.cards),
        "card_blocked": card.blocked,
        "may_bind": card.fault is None,
    }


def _patient(db: ReadTransaction, journey: Journey | None) -> dict[str, Any] | None:
    if journey is None:
        return None
    masked_name, _ = name_and_language(db, journey.patient_id)
    return {"patient_id": journey.patient_id, "masked_name": masked_name}


def _kiosk(db: ReadTransaction, kiosk_id: str | None) -> dict[str, Any] | None:
    kiosk = read_kiosk(db, kiosk_id) if kiosk_id is not None else None
    if kiosk is None:
        return None
    return {"kiosk_id": kiosk.kiosk_id, "name": kiosk.name, "revoked": kiosk.revoked_ms is not None}


def _action(db: ReadTransaction, site: SiteSettings, waiting: WaitingAction) -> dict[str, Any]:
    verdict = latest_verdict(db, waiting.verdict_id)
    assert verdict is not None
    intent = waiting.intent
    return {
        "action_id": intent.action_id,
        "action_type": intent.action_type,
        "code": verdict.code,
        "revision": verdict.revision,
        "payload": intent.payload,
        "journey_state": intent.journey_state,
        "leg": intent.leg,
        "queue_number": intent.queue_number,
        "site_day": intent.site_day,
        "has_card": intent.card is not None,
        "received_at": iso(waiting.received_ms, site.site.timezone),
    }


def _quarantined(db: ReadTransaction, exception_id: str) -> dict[str, Any] | None:
    quarantined = read_quarantined_body(db, exception_id)
    return {"reason": quarantined.reason, "body": quarantined.body[:MAX_SHOWN_BODY]} if quarantined else None
