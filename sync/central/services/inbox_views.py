"""The exception inbox as staff see it: the list of open cases, and one case with all its details."""

from collections.abc import Mapping
from typing import Any

import msgspec

from sync.central.records.appointments import read_booking
from sync.central.records.cases import (
    ALL_CASES,
    CaseFilter,
    InboxCase,
    count_open_cases,
    count_settled_cases,
    open_cases,
    settled_cases,
)
from sync.central.records.exams import read_exam
from sync.central.records.kiosks import read_kiosk
from sync.central.records.quarantine import read_quarantined_body
from sync.central.records.site import SiteDay, SiteSettings
from sync.central.records.verdicts import latest_verdict
from sync.central.records.waiting import WaitingAction, waiting_of_case
from sync.central.services.case_card import read_case_card
from sync.central.services.case_people import (
    CaseKiosk,
    CasePatient,
    Names,
    case_kiosk,
    case_patient,
    names_in,
)
from sync.central.services.current_state import CurrentState, current_state
from sync.central.services.kiosk_showed import KioskShowed, kiosk_showed
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
    its actions were made with a card. `may_bind`: the card can be bound with the case. `patient_name` and `kiosk_name`
    are null where the centre knows no such patient or kiosk.
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
    patient_name: str | None
    kiosk_name: str | None


class CasePage(msgspec.Struct, frozen=True):
    """Some of the open cases, oldest first, and the number of cases after them."""

    exceptions: list[Case]
    more: int


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
    """One case with all its details. `now` is the patient's state now, `may` says how the case may be settled.

    `showed` are the screens of the kiosk around the action; null for a case about no single action. `exams` has the
    titles of the exams that the detail names, by their ids.
    """

    settled_by: str | None
    settled_by_name: str | None
    settlement: Mapping[str, Any] | None
    settled_at: str | None
    patient: CasePatient | None
    kiosk: CaseKiosk | None
    actions: list[CaseAction]
    now: CurrentState | None
    may: list[Settlement]
    quarantined: UnreadRecord | None
    showed: KioskShowed | None
    exams: Mapping[str, str]


class SettledRow(Case, frozen=True, kw_only=True):
    """A case that was settled: by whom, how and when."""

    settled_by: str
    settled_by_name: str
    settlement: Mapping[str, Any]
    settled_at: str


class SettledCases(msgspec.Struct, frozen=True):
    """Cases that were settled on one day of the site, the last one first, and the number of those before them."""

    site_day: str
    exceptions: list[SettledRow]
    more: int


def case_page(
    db: ReadTransaction, site: SiteSettings, after: InboxCase | None, limit: int, which: CaseFilter = ALL_CASES
) -> CasePage:
    """The open cases, oldest first: `limit` of them after the case `after`, which may be settled, or from the first."""
    cases = open_cases(db, after, limit, which)
    names = names_in(db, cases)
    more = count_open_cases(db, after, which) - len(cases)
    return CasePage([_shown(db, case, site, names) for case in cases], more)


def settled_page(
    db: ReadTransaction, site: SiteSettings, day: SiteDay, before: InboxCase | None, limit: int
) -> SettledCases:
    """The cases that were settled on a day, the last one first: `limit` of them, before the case `before`."""
    cases = settled_cases(db, day.begin_ms, before, limit)
    names = names_in(db, cases)
    more = count_settled_cases(db, day.begin_ms, before) - len(cases)
    return SettledCases(day.day, [_settled(db, case, site, names) for case in cases], more)


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
    waiting, names = waiting_of_case(db, case.exception_id), names_in(db, [case])
    return CaseView(
        **msgspec.structs.asdict(_shown(db, case, site, names)),
        settled_by=case.settled_by,
        settled_by_name=names.settler(case),
        settlement=case.settlement,
        settled_at=None if case.settled_ms is None else iso(case.settled_ms, site.site.timezone),
        patient=case_patient(db, journey.patient_id) if journey else None,
        kiosk=case_kiosk(db, case.kiosk_id),
        actions=[_action(db, site, each) for each in waiting],
        now=current_state(db, definitions, site, journey, STAFF, now_ms) if journey else None,
        may=settlements_of(case, waiting),
        quarantined=_unread(db, case.exception_id),
        showed=_showed(db, definitions, case),
        exams=_exam_titles(db, case.detail),
    )


def settlements_of(case: InboxCase, waiting: list[WaitingAction]) -> list[Settlement]:
    """How a case may be settled. A case without waiting actions can only be discarded."""
    if case.settled_ms is not None:
        return []
    return list(Settlement) if waiting else [Settlement.DISCARD]


def _shown(db: ReadTransaction, case: InboxCase, site: SiteSettings, names: Names) -> Case:
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
        names.patient(case.patient_id),
        names.kiosks.get(case.kiosk_id) if case.kiosk_id else None,
    )


def _settled(db: ReadTransaction, case: InboxCase, site: SiteSettings, names: Names) -> SettledRow:
    return SettledRow(
        **msgspec.structs.asdict(_shown(db, case, site, names)),
        settled_by=case.settled_by or "",
        settled_by_name=names.settler(case) or "",
        settlement=case.settlement or {},
        settled_at=iso(case.settled_ms or 0, site.site.timezone),
    )


def _showed(db: ReadTransaction, definitions: Definitions, case: InboxCase) -> KioskShowed | None:
    shown = case.detail.get("shown") or {}
    booked = [found for each in shown.get("appointment_ids", ())[:1] if (found := read_booking(db, each))]
    exam_id = shown.get("exam_id") or next((each.exam_id for each in booked), None)
    exam = read_exam(db, exam_id) if exam_id else None
    kiosk = read_kiosk(db, case.kiosk_id) if case.kiosk_id else None
    granted = definitions.granted(kiosk.grants) if kiosk else ()
    label, is_stranger = exam.public_label if exam else "", case.code == Code.UNKNOWN_CARD
    return kiosk_showed(definitions, case.detail, label, granted, is_stranger=is_stranger)


def _exam_titles(db: ReadTransaction, detail: Mapping[str, Any]) -> dict[str, str]:
    """The titles of the exams that a detail names in its parts."""
    parts = (each for each in detail.values() if isinstance(each, Mapping))
    ids = dict.fromkeys(str(each["exam_id"]) for each in parts if each.get("exam_id"))
    return {exam_id: exam.title for exam_id in ids if (exam := read_exam(db, exam_id)) is not None}


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
