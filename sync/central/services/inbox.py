"""The exception inbox: staff list its cases, show one, see what a settlement would do, and settle one."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from sync.central.centre import Centre
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.cases import CaseFilter, InboxCase, groups_of_open_cases, read_case
from sync.central.records.journeys import read_journey
from sync.central.records.kiosks import kiosk_names
from sync.central.records.patients import patient_named
from sync.central.records.site import read_site
from sync.central.services.answers import Answer
from sync.central.services.errors import NO_CASE, ApiError
from sync.central.services.foresee_case import foresee
from sync.central.services.inbox_views import case_page, case_view, settled_page
from sync.central.services.lists import FIRST, Page
from sync.central.services.named_patients import named_patients
from sync.central.services.once import ActionContext, Subject, once
from sync.central.services.requester import Requester
from sync.central.services.requests import MAX_ID, ActionRequest
from sync.central.services.settle_case import SettledCase, settle_in_action
from sync.central.services.settlement import Settlement
from sync.central.services.told import Told, told_of
from sync.central.store.transactions import ReadTransaction
from sync.clock import MINUTE_MS

_NOT_AFTER = ApiError("not_found", "after must name a case.")
_CHANGED = ApiError("case_changed", "Settled now, the case would have another effect than the one that was seen.")


Given = Annotated[str, msgspec.Meta(max_length=MAX_ID)]


class CasesAsked(Page, frozen=True, kw_only=True):
    """The open cases of a kiosk, of a code, and of those that wait for at least so many minutes; without them all."""

    kiosk_id: Given | None = None
    code: Given | None = None
    minutes: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)] = 0


class CaseCount(msgspec.Struct, frozen=True):
    """The number of open cases of one code and one kiosk. Both members of the kiosk are null where there is none."""

    code: str
    kiosk_id: str | None
    kiosk_name: str | None
    count: int


class CaseCounts(msgspec.Struct, frozen=True):
    """The number of open cases, and of those of each code and kiosk."""

    open: int
    groups: list[CaseCount]


def list_cases(centre: Centre, page: Page = FIRST) -> Told | ApiError:
    """A CasePage of the open cases. A CasesAsked chooses among them."""
    which = _filter(page, centre.clock()) if isinstance(page, CasesAsked) else CaseFilter()
    with centre.store.read() as db:
        begin = _case_after(db, page)
        if isinstance(begin, ApiError):
            return begin
        shown = case_page(db, read_site(db), begin, page.limit, which)
        return told_of(shown, AuditKind.LOOK_CASES, named_patients(db, shown))


def count_cases(centre: Centre) -> CaseCounts:
    """The CaseCounts of the inbox."""
    with centre.store.read() as db:
        names, groups = kiosk_names(db), groups_of_open_cases(db)
    shown = [CaseCount(each.code, each.kiosk_id, names.get(each.kiosk_id or ""), each.count) for each in groups]
    return CaseCounts(sum(each.count for each in groups), shown)


def list_settled(centre: Centre, page: Page = FIRST) -> Told | ApiError:
    """The SettledCases of today."""
    now_ms = centre.clock()
    with centre.store.read() as db:
        site, before = read_site(db), _case_after(db, page)
        if isinstance(before, ApiError):
            return before
        shown = settled_page(db, site, site.site_day(now_ms), before, page.limit)
        return told_of(shown, AuditKind.LOOK_CASES, named_patients(db, shown))


def show_case(centre: Centre, exception_id: str) -> Told | ApiError:
    """The CaseView of one case."""
    now_ms = centre.clock()
    with centre.store.read() as db:
        site, case = read_site(db), read_case(db, exception_id)
        if case is None:
            return NO_CASE
        patient_id = patient_named(db, case.patient_id) if case.patient_id else None
        journey = read_journey(db, centre.definitions, patient_id, site.day(now_ms)) if patient_id else None
        shown = case_view(db, centre.definitions, site, case, journey, now_ms)
        return told_of(shown, AuditKind.LOOK_CASE, named_patients(db, shown))


def settle(centre: Centre, requester: Requester, exception_id: str, request: ActionRequest) -> Answer:
    """Settles a case. The payload is that of `read_settlement()`.

    Where the payload names what was `seen`, the settlement must have that effect still.
    """

    def act(context: ActionContext, _: Subject) -> SettledCase | ApiError:
        changed = _changed_since(context, exception_id)
        return changed or settle_in_action(context, exception_id, Settlement(request.payload["how"]))

    return once(centre, requester, request, lambda _: Subject(exception_id), act, _patients_in)


def _changed_since(context: ActionContext, exception_id: str) -> ApiError | None:
    """The error where the settlement would have another effect than the one that was seen.

    A settlement that is refused by now gets that refusal instead.
    """
    seen = context.request.named("seen")
    foreseen = foresee(context, exception_id) if seen is not None else None
    if foreseen is None or isinstance(foreseen, ApiError):
        return foreseen
    return None if foreseen.refusal is not None or foreseen.seen == seen else _CHANGED


def _filter(asked: CasesAsked, now_ms: int) -> CaseFilter:
    before_ms = now_ms - asked.minutes * MINUTE_MS if asked.minutes else None
    return CaseFilter(asked.kiosk_id, asked.code, before_ms)


def _case_after(db: ReadTransaction, page: Page) -> InboxCase | ApiError | None:
    """The case after which a page begins; None for the first page."""
    if page.after is None:
        return None
    return read_case(db, page.after) or _NOT_AFTER


def _patients_in(settled: Mapping[str, Any]) -> list[str | None]:
    return [each["patient_id"] for each in settled["verdicts"]]
