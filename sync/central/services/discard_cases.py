"""Discards the open cases of one kiosk in bulk, each as staff discard a case."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import msgspec

from sync.central.centre import Centre
from sync.central.records.cases import NOT_TAKEN_BACK, InboxCase, open_cases_of_kiosk
from sync.central.records.effects import Period
from sync.central.records.first_read import Wanted, first_read
from sync.central.records.kiosks import read_kiosk
from sync.central.records.quarantine import quarantined_verdicts
from sync.central.records.waiting import waiting_of_case
from sync.central.services.bodies import GivenReason, Name
from sync.central.services.errors import NO_KIOSK, ApiError
from sync.central.services.once import ActionContext
from sync.central.services.portions import in_portions
from sync.central.services.requester import Requester
from sync.central.services.requests import MAX_ID, NO_REASON_GIVEN, ActionRequest, is_given
from sync.central.services.settle_case import settle_in_action
from sync.central.services.settlement import Settlement
from sync.central.store.transactions import WriteTransaction
from sync.journey.model import KioskId

AT_ONCE = 50  # cases of one call


class Discarded(StrEnum):
    """What became of a case: the names of the counts."""

    DISCARDED = "cases_discarded"
    SHARED = "cases_with_acts_of_others"  # another kiosk's action waits in the case too
    REPORT = "reports_left"  # nothing waits in it: it only tells staff something
    TO_DECIDE = "cases_to_decide"  # about acts that could not be taken back
    FAILED = "failed_inside"


@dataclass(frozen=True, slots=True)
class Discarding:
    """One order to discard the cases of a kiosk that were opened in a period, for a reason.

    `with_reports`: those too that only tell staff something. With `code` only those of this code.
    """

    centre: Centre
    requester: Requester
    period: Period
    reason: str
    with_reports: bool
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Portion:
    """The counts of one call, and the place after which the next call begins; None after the last one."""

    counts: Mapping[str, int]
    after: str | None


class DiscardCases(msgspec.Struct, frozen=True, kw_only=True):
    """The open cases of a kiosk that are to be discarded, for a reason; with `code` only those of this code.

    A call discards 50 cases at most. `after` is that of the answer before, empty at first. `until_ms` is that of the
    first answer: a case that was opened later stays. In a `trial` nothing changes.
    """

    kiosk_id: Name
    reason: GivenReason
    code: Name | None = None
    after: Annotated[str, msgspec.Meta(max_length=MAX_ID)] = ""
    until_ms: Annotated[int, msgspec.Meta(ge=0, le=1 << 53)] | None = None
    trial: bool = False


class DiscardedCases(msgspec.Struct, frozen=True):
    """How many cases of one call were discarded, or would be, and how many stay for staff to settle one by one.

    `after` begins the next call; null after the last one.
    """

    discarded: int
    left: int
    after: str | None
    until_ms: int


def discard_some(centre: Centre, requester: Requester, wanted: DiscardCases) -> DiscardedCases | ApiError:
    """The DiscardedCases of one call. A repeat finds those cases settled, and discards none twice."""
    until_ms = centre.clock() if wanted.until_ms is None else wanted.until_ms
    with centre.store.read() as db:
        if read_kiosk(db, wanted.kiosk_id) is None:
            return NO_KIOSK
    period = Period(KioskId(wanted.kiosk_id), 0, until_ms)
    discarding = Discarding(centre, requester, period, wanted.reason, with_reports=True, code=wanted.code)
    found = discard_portion(discarding, wanted.after, trial=wanted.trial)
    discarded = found.counts.get(Discarded.DISCARDED.value, 0)
    return DiscardedCases(discarded, sum(found.counts.values()) - discarded, found.after, until_ms)


def begin_discarding(centre: Centre, kiosk_id: str, reason: str) -> Period | ApiError:
    """The period of all cases that a kiosk has now. A case that is opened later is not discarded unseen."""
    if not is_given(reason):
        return NO_REASON_GIVEN
    with centre.store.read() as db:
        return Period(kiosk_id, 0, centre.clock()) if read_kiosk(db, kiosk_id) else NO_KIOSK


def discard_portion(discarding: Discarding, after: str, *, trial: bool = False) -> Portion:
    """Discards the first cases after the id `after`. In a trial nothing changes, and the counts are the same."""
    centre = discarding.centre
    with centre.store.read() as db:
        cases = open_cases_of_kiosk(db, discarding.period, after, AT_ONCE, discarding.code)

    def discard(db: WriteTransaction, case: InboxCase) -> Discarded:
        return _discard(discarding, db, case)

    became = in_portions(centre, cases, discard, Discarded.FAILED, trial=trial)
    return portion(became, cases[-1].exception_id if len(cases) == AT_ONCE else None)


def portion(became: Sequence[str], after: str | None) -> Portion:
    """The answer of one call, from what became of each item."""
    return Portion(dict(Counter(str(each) for each in became)), after)


def _discard(discarding: Discarding, db: WriteTransaction, case: InboxCase) -> Discarded:
    if case.code == NOT_TAKEN_BACK:
        return Discarded.TO_DECIDE
    waiting = waiting_of_case(db, case.exception_id)
    if any(each.kiosk_id != discarding.period.kiosk_id for each in waiting):
        return Discarded.SHARED
    waits = bool(waiting or quarantined_verdicts(db, case.exception_id))
    if not waits and not discarding.with_reports:
        return Discarded.REPORT
    settled = settle_in_action(_context(discarding, db), case.exception_id, Settlement.DISCARD)
    return Discarded.FAILED if isinstance(settled, ApiError) else Discarded.DISCARDED


def _context(discarding: Discarding, db: WriteTransaction) -> ActionContext:
    centre = discarding.centre
    payload = {"how": Settlement.DISCARD.value, "reason": discarding.reason}
    request = ActionRequest("settle", centre.ids(), payload)
    now_ms = centre.clock()
    found = first_read(db, Wanted(request.action_id), now_ms)
    return ActionContext(centre, db, found, discarding.requester, request, now_ms)
