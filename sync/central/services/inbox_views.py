"""The exception inbox as staff see it: the list of open cases, and one case with all its details."""

from collections.abc import Mapping
from typing import Any

import msgspec

from sync.central.records.cases import InboxCase, count_open_cases, open_cases
from sync.central.records.kiosks import read_kiosk
from sync.central.records.patients import name_and_language
from sync.central.records.quarantine import read_quarantined_body
from sync.central.records.site import SiteSettings
from sync.central.records.verdicts import latest_verdict
from sync.central.records.waiting import WaitingAction, waiting_of_case
from sync.central.services.case_card import read_case_card
from sync.central.services.current_state import CurrentState, current_state
from sync.central.services.settlement import Settlement
from sync.central.store.transactions import ReadTransaction
from sync.clock import iso
from sync.journey.definitions import Definitions
from sync.journey.model import STAFF, Journey
from sync.protocol import Code

MAX_SHOWN_BODY = 4096  # characters of a quarantined record


class Case(msgspec.Struct, frozen=True):
    """A case of the exception inbox. Times are ISO 8601 with the site's offset.

    `code` is why it waits for staff. `count` says how often it happened, `last_at` when it happened last. `has_card`:
    its actions were made with a card. `may_bind`: the card can be bound with the case.
    """

    exception_id: str
    code: str
    patient_id: str | None
    action_id: str | None
    visit_id: str | None
    kiosk_id: str | None
    opened_at: str
    count: int
    last_at: str
    detail: Mapping[str, Any]
    has_card: bool
    card_blocked: bool
    may_bind: bool


class CasePage(msgspec.Struct, frozen=True):
    """Some of the open cases, oldest first, and the number of cases after them."""

    exceptions: list[Case]
    more: int


class CasePatient(msgspec.Struct, frozen=True):
    """The patient of a case, with the name as the queue shows it."""

    patient_id: str
    masked_name: str


class CaseKiosk(msgspec.Struct, frozen=True):
    """The kiosk of a case. `revoked`: its token was ended."""

    kiosk_id: str
    name: str
    revoked: bool


class CaseAction(msgspec.Struct, frozen=True):
    """An action that waits in a case, as its kiosk sent it. `revision` is that of its verdict."""

    action_id: str
    action_type: str
    code: Code
    revision: int
    payload: Mapping[str, Any]
    journey_state: str
    leg: int
    queue_number: str
    site_day: str
    has_card: bool
    received_at: str


class UnreadRecord(msgspec.Struct, frozen=True):
    """A record of a kiosk that is no action: why, and its first 4096 characters."""

    reason: str
    body: str


class CaseView(Case, frozen=True, kw_only=True):
    """One case with all its details. `now` is the patient's state now, `may` says how the case may be settled."""

    settled_by: str | None
    settlement: Mapping[str, Any] | None
    settled_at: str | None
    patient: CasePatient | None
    kiosk: CaseKiosk | None
    actions: list[CaseAction]
    now: CurrentState | None
    may: list[Settlement]
    quarantined: UnreadRecord | None


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
) -> CaseView:
    """One case: patient, actions, times, what the kiosk showed, what the centre knew then and knows now.

    `journey` is the patient's, where the case is about a patient.
    """
    waiting = waiting_of_case(db, case.exception_id)
    return CaseView(
        **msgspec.structs.asdict(_shown(db, case, site)),
        settled_by=case.settled_by,
        settlement=case.settlement,
        settled_at=None if case.settled_ms is None else iso(case.settled_ms, site.site.timezone),
        patient=_patient(db, journey),
        kiosk=_kiosk(db, case.kiosk_id),
        actions=[_action(db, site, each) for each in waiting],
        now=current_state(db, definitions, site, journey, STAFF, now_ms) if journey else None,
        may=settlements_of(case, waiting),
        quarantined=_unread(db, case.exception_id),
    )


def settlements_of(case: InboxCase, waiting: list[WaitingAction]) -> list[Settlement]:
    """How a case may be settled. A case without waiting actions can only be discarded."""
    if case.settled_ms is not None:
        return []
    return list(Settlement) if waiting else [Settlement.DISCARD]


def _shown(db: ReadTransaction, case: InboxCase, site: SiteSettings) -> Case:
    card = read_case_card(db, case.exception_id)
    detail = dict(case.detail)
    if "happened_ms" in detail:
        detail["happened_at"] = iso(detail.pop("happened_ms"), site.site.timezone)
    return Case(
        case.exception_id,
        case.code,
        case.patient_id,
        case.action_id,
        case.visit_id,
        case.kiosk_id,
        iso(case.opened_ms, site.site.timezone),
        case.count,
        iso(case.last_ms, site.site.timezone),
        detail,
        bool(card.cards),
        card.blocked,
        card.fault is None,
    )


def _patient(db: ReadTransaction, journey: Journey | None) -> CasePatient | None:
    if journey is None:
        return None
    masked_name, _ = name_and_language(db, journey.patient_id)
    return CasePatient(journey.patient_id, masked_name)


def _kiosk(db: ReadTransaction, kiosk_id: str | None) -> CaseKiosk | None:
    kiosk = read_kiosk(db, kiosk_id) if kiosk_id is not None else None
    return CaseKiosk(kiosk.kiosk_id, kiosk.name, kiosk.revoked_ms is not None) if kiosk else None


def _action(db: ReadTransaction, site: SiteSettings, waiting: WaitingAction) -> CaseAction:
    verdict = latest_verdict(db, waiting.verdict_id)
    assert verdict is not None
    intent = waiting.intent
    return CaseAction(
        intent.action_id,
        intent.action_type,
        verdict.code,
        verdict.revision,
        intent.payload,
        intent.journey_state,
        intent.leg,
        intent.queue_number,
        intent.site_day,
        intent.card is not None,
        iso(waiting.received_ms, site.site.timezone),
    )


def _unread(db: ReadTransaction, exception_id: str) -> UnreadRecord | None:
    found = read_quarantined_body(db, exception_id)
    return UnreadRecord(found.reason, found.body[:MAX_SHOWN_BODY]) if found else None
