"""The health check: journeys, bookings and queue agree, no journey lacks its entry, every transition was legal, no
kiosk pulls while its actions do not arrive, none calls without getting the answers to its pulls, and no replaced token
of a kiosk was used."""

from collections.abc import Sequence
from dataclasses import astuple
from enum import Enum, auto

import msgspec

from sync.central.records.backlogs import KioskBacklog, backlogs
from sync.central.records.cases import BOOKING_MOVED, REPLACED_IN_USE, cases_of, count_open_cases, open_cases_with
from sync.central.records.definitions import all_definitions
from sync.central.records.entries import count_entries_by_state
from sync.central.records.history import kinds_of_transitions
from sync.central.records.journeys import (
    count_journeys_by_state,
    journeys_of_kind,
    kinds_of_journeys,
    patients_of_ended_days,
)
from sync.central.records.kiosks import Kiosk, kiosks
from sync.central.records.patients import count_patients
from sync.central.records.stray_bookings import StrayBooking, stray_bookings
from sync.central.store.transactions import ReadTransaction
from sync.journey.definitions import Definitions
from sync.journey.model import Trigger
from sync.journey.rules import is_legal

MAX_LISTED = 100
# The kiosk isolates an action that does not pass within two minutes, and pauses for a minute at most. So after five
# minutes of pulls with the same oldest action, that one does not arrive by itself.
STUCK_AFTER_MS = 5 * 60_000
# A kiosk without an answer pulls once in 70 s at least, the second time in another form. So after five minutes four
# pulls have failed, and a restart of the centre is long over.
UNANSWERED_AFTER_MS = 5 * 60_000


class Fault(Enum):
    """What may be wrong with a journey and its current entry."""

    INCONSISTENT = auto()  # their states do not belong together
    ORPHAN = auto()  # the journey's state needs an entry, or a live one


class Finding(msgspec.Struct, frozen=True):
    """A journey that is not in order: its day and its state, and the state of its current entry."""

    patient_id: str
    site_day: str
    journey_state: str
    queue_id: str | None
    entry_state: str | None


class IllegalTransition(msgspec.Struct, frozen=True):
    """A kind of transition that no rules allow, and the number of its rows."""

    from_state: str
    action: str
    to_state: str
    trigger_type: str
    rows: int


class BookingFinding(msgspec.Struct, frozen=True):
    """A booking that its live entry does not fit (`other_exam`, `other_day`, `called_off`), or that should have a live
    entry and has none (`no_entry`). A case of the inbox about the entry covers it."""

    patient_id: str
    appointment_id: str
    queue_id: str | None
    fault: str


class StuckKiosk(msgspec.Struct, frozen=True):
    """A kiosk that pulls, and whose actions do not arrive: how many wait, since when (UTC ms), and how many of
    them the network between does not let pass."""

    kiosk_id: str
    waiting: int
    since_ms: int
    parked: int


class UnansweredKiosk(msgspec.Struct, frozen=True):
    """A kiosk that calls and gets no answer to its pulls, since when and up to which call (UTC ms)."""

    kiosk_id: str
    since_ms: int
    seen_ms: int


class CopiedKiosk(msgspec.Struct, frozen=True):
    """A kiosk whose replaced token was used, and when (UTC ms): its disk was copied or set back. Staff have a case."""

    kiosk_id: str
    used_ms: int


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The result of the check. The lists have at most 100 items each. `found` has the number of each kind of finding.

    Findings are of every day. Live entries and the counts of states are of `day`, the present day of the site.
    `unended` counts patients of earlier days that are not ended yet. The service ends them within seconds.
    """

    ok: bool
    found: dict[str, int]
    day: str | None
    inconsistent: list[Finding]
    orphans: list[Finding]
    illegal_transitions: list[IllegalTransition]
    stray_bookings: list[BookingFinding]
    stuck_kiosks: list[StuckKiosk]
    unanswered_kiosks: list[UnansweredKiosk]
    copied_kiosks: list[CopiedKiosk]
    patients: int
    live_entries: int
    unended: int
    waiting_for_staff: int
    journey_states: dict[str, int]
    queue_states: dict[str, int]


def check(db: ReadTransaction, definitions: Definitions, today: str | None = None) -> Health:
    """Checks every journey and its bookings, and every kind of transition in the history.

    `today` is the day of the site that is counted; None where nothing is to be counted, or there is no hospital yet.
    """
    kinds = kinds_of_journeys(db)
    inconsistent_rows, inconsistent = _journeys(db, definitions, kinds, Fault.INCONSISTENT)
    orphan_rows, orphans = _journeys(db, definitions, kinds, Fault.ORPHAN)
    illegal = _illegal(db, definitions)
    strays = [_stray(each) for each in stray_bookings(db, definitions) if not _is_covered(db, each)]
    entries = count_entries_by_state(db, today) if today else {}
    journeys = count_journeys_by_state(db, definitions, today) if today else {}
    stuck = [_stuck(each) for each in backlogs(db).values() if _is_stuck(each)]
    unanswered = [each for kiosk in kiosks(db) if (each := _unanswered(kiosk))]
    copied = [CopiedKiosk(str(case.kiosk_id), case.opened_ms) for case in open_cases_with(db, REPLACED_IN_USE)]
    found = {
        "inconsistent": inconsistent_rows,
        "orphans": orphan_rows,
        "illegal_transitions": sum(each.rows for each in illegal),
        "stray_bookings": len(strays),
        "stuck_kiosks": len(stuck),
        "unanswered_kiosks": len(unanswered),
        "copied_kiosks": len(copied),
    }
    return Health(
        ok=not any(found.values()),
        found=found,
        day=today,
        inconsistent=inconsistent,
        orphans=orphans,
        illegal_transitions=illegal,
        stray_bookings=strays[:MAX_LISTED],
        stuck_kiosks=stuck[:MAX_LISTED],
        unanswered_kiosks=unanswered[:MAX_LISTED],
        copied_kiosks=copied[:MAX_LISTED],
        patients=count_patients(db),
        live_entries=sum(entries.get(state, 0) for state in definitions.live),
        unended=len(patients_of_ended_days(db, definitions, today)) if today else 0,
        waiting_for_staff=count_open_cases(db),
        journey_states=_in_order(journeys, definitions.journey_states),
        queue_states=_in_order(entries, definitions.queue_states),
    )


def _stray(found: StrayBooking) -> BookingFinding:
    return BookingFinding(found.patient_id, found.appointment_id, found.queue_id, found.fault)


def _is_covered(db: ReadTransaction, found: StrayBooking) -> bool:
    """Whether staff have, or had, a case about the entry. What they settled is as they want it."""
    cases = cases_of(db, BOOKING_MOVED, found.patient_id)
    return any(case.detail["queue_id"] == found.queue_id for case in cases)


def _is_stuck(backlog: KioskBacklog) -> bool:
    """Whether the oldest action does not arrive though the kiosk pulls. A kiosk without a network tells nothing new."""
    return backlog.parked > 0 or backlog.told_ms - backlog.first_told_ms >= STUCK_AFTER_MS


def _stuck(backlog: KioskBacklog) -> StuckKiosk:
    return StuckKiosk(backlog.kiosk_id, backlog.waiting, backlog.since_ms, backlog.parked)


def _unanswered(kiosk: Kiosk) -> UnansweredKiosk | None:
    since_ms, seen_ms = kiosk.unanswered_ms, kiosk.seen_ms
    if kiosk.revoked_ms is not None or since_ms is None or seen_ms is None:
        return None
    return UnansweredKiosk(kiosk.kiosk_id, since_ms, seen_ms) if seen_ms - since_ms >= UNANSWERED_AFTER_MS else None


def _journeys(
    db: ReadTransaction, definitions: Definitions, kinds: Sequence[tuple[str, str | None, int]], fault: Fault
) -> tuple[int, list[Finding]]:
    """The number of journeys with a fault, and the first of them by the patient's id.

    `kinds` are the pairs of states as the database counts them: a hospital has few of them, and many journeys.
    """
    faulty = [kind for kind in kinds if _fault(definitions, *kind[:2]) is fault]
    found = [Finding(*astuple(each)) for kind in faulty for each in journeys_of_kind(db, *kind[:2], MAX_LISTED)]
    found.sort(key=lambda each: each.patient_id)
    return sum(rows for _, _, rows in faulty), found[:MAX_LISTED]


def _fault(definitions: Definitions, state: str, entry_state: str | None) -> Fault | None:
    """What is wrong with a journey and its current entry; None where they agree."""
    if state not in definitions.journey_states:
        return Fault.INCONSISTENT
    if state not in definitions.queue_to_journey.values():
        return None
    if entry_state is None or (_needs_live_entry(definitions, state) and entry_state not in definitions.live):
        return Fault.ORPHAN
    return None if definitions.queue_to_journey.get(entry_state) == state else Fault.INCONSISTENT


def _needs_live_entry(definitions: Definitions, journey_state: str) -> bool:
    return definitions.journey_to_queue.get(journey_state) in definitions.live


def _illegal(db: ReadTransaction, definitions: Definitions) -> list[IllegalTransition]:
    """The transitions that no rules allow, neither the present rules nor earlier ones.

    The system that was here before had rules of its own.
    """
    rules = [definitions, *all_definitions(db)]
    return [
        IllegalTransition(kind.from_state, kind.action, kind.to_state, kind.trigger_type, rows)
        for kind, rows in kinds_of_transitions(db)
        if kind.trigger_type != Trigger.LEGACY and not any(is_legal(each, kind) for each in rules)
    ]


def _in_order(counts: dict[str, int], states: tuple[str, ...]) -> dict[str, int]:
    """The number of rows in each state: known states in their order, then any other."""
    others = {state: rows for state, rows in counts.items() if state not in states}
    return {state: counts.get(state, 0) for state in states} | others
