"""Takes back everything that a kiosk did in a period: begun by one call, done by further ones, each of them short.

An effect is taken back once. So an order that was interrupted goes on where it is given again.
"""

from collections import Counter
from dataclasses import dataclass

from sync.central.centre import Centre
from sync.central.days.schedule import schedule
from sync.central.records.acts import count_without_effect
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.effects import Period, patients_with_effects
from sync.central.records.kiosks import read_kiosk, revoke_kiosk
from sync.central.records.site import SiteSettings, read_site
from sync.central.records.undos import note_undo
from sync.central.records.visit_tokens import end_visits_of_kiosk
from sync.central.services.discard_cases import Portion
from sync.central.services.errors import NO_KIOSK, ApiError
from sync.central.services.portions import in_portions
from sync.central.services.requester import Requester
from sync.central.services.requests import NO_REASON_GIVEN, is_given
from sync.central.services.take_back import Became, Counts, Undoing, take_back_patient

AT_ONCE = 25  # patients of one call


@dataclass(frozen=True, slots=True)
class UndoOrder:
    """An order to take back the acts of a kiosk that the centre received from `since` on, and up to `until`.

    Both are ISO 8601: a date (the begin of that day of the site), a local time, or a time with an offset. Without
    `until` the period ends with the order, or with the kiosk where it is revoked. `revoke`: the kiosk is revoked first.
    """

    kiosk_id: str
    since: str
    reason: str
    until: str | None = None
    revoke: bool = False


@dataclass(frozen=True, slots=True)
class BegunUndo:
    """The period of an order, and the number of acts in it that changed nothing, so that they stay as they are."""

    period: Period
    without_effect: int


def begin_undo(centre: Centre, requester: Requester, order: UndoOrder, *, trial: bool = False) -> BegunUndo | ApiError:
    """Begins to take back. Acts of that time that come later wait for staff. No QR code of that time opens anything.

    In a trial nothing changes.
    """
    if not is_given(order.reason):
        return NO_REASON_GIVEN
    now_ms = centre.clock()
    with centre.store.write() as db:
        kiosk = read_kiosk(db, order.kiosk_id)
        if kiosk is None:
            return NO_KIOSK
        ends = order.revoke or kiosk.revoked_ms is not None
        period = _period(read_site(db), order, None if ends else now_ms)
        if isinstance(period, ApiError):
            return period
        begun = BegunUndo(period, count_without_effect(db, period))
        if trial:
            return begun
        if order.revoke and revoke_kiosk(db, order.kiosk_id, now_ms):
            note(db, requester.who, AuditKind.KIOSK_REVOKE, now_ms, detail={"kiosk_id": order.kiosk_id})
        end_visits_of_kiosk(db, period, now_ms)
        note_undo(db, period, order.reason, requester.who, now_ms)
        detail = {"kiosk_id": order.kiosk_id, "since_ms": period.since_ms, "until_ms": period.until_ms}
        note(db, requester.who, AuditKind.KIOSK_UNDO, now_ms, detail=detail)
    return begun


def undo_portion(undoing: Undoing, after: str, *, trial: bool = False) -> Portion:
    """Takes back the acts on the first patients after the id `after`. In a trial nothing changes, and the counts are
    the same.
    """
    centre = undoing.centre
    with centre.store.read() as db:
        patients = patients_with_effects(db, undoing.period, after, AT_ONCE)
    failed = Counts({Became.FAILED: 1})
    found = in_portions(
        centre, patients, lambda db, patient_id: take_back_patient(undoing, db, patient_id), failed, trial=trial
    )
    counts: Counter[str] = Counter()
    for each in found:
        counts.update({str(became): number for became, number in each.items() if number})
    return Portion(dict(counts), patients[-1] if len(patients) == AT_ONCE else None)


def moment(site: SiteSettings, said: str) -> int | ApiError:
    """The moment (UTC ms) of an ISO 8601 text, by the clock of the site."""
    try:
        return schedule(site, said).scheduled_ms
    except ValueError as error:
        return ApiError("malformed", f"{said[:40]!r} {error}.")


def _period(site: SiteSettings, order: UndoOrder, ends_ms: int | None) -> Period | ApiError:
    since_ms = moment(site, order.since)
    until_ms = ends_ms if order.until is None else moment(site, order.until)
    if isinstance(since_ms, ApiError):
        return since_ms
    if isinstance(until_ms, ApiError):
        return until_ms
    if until_ms is not None and until_ms < since_ms:
        return ApiError("malformed", "the period ends before it begins.")
    return Period(order.kiosk_id, since_ms, until_ms)
