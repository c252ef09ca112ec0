"""Gathers the evidence for one action, in the transaction that judges it.

Each question about the subject is one read: the patients that the ids mean, the journey, the visit with its history,
its waiting actions, and the changes since the kiosk's last pull.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sync.central.conflicts.evidence import Evidence, ReceivedAction, Visit
from sync.central.days.open_journey import open_journey
from sync.central.records.appointments import read_booking
from sync.central.records.definitions import Rules, can_judge, supported_rules
from sync.central.records.entries import entries_of_visit
from sync.central.records.history import PastTransition, day_end, transitions_of_visit
from sync.central.records.identities import Identities, read_identities
from sync.central.records.proofs import visit_of_proof
from sync.central.records.site import SiteSettings, read_site
from sync.central.records.unseen_changes import own_changes_since, unseen_visit_since
from sync.central.records.visits import VisitRow, read_visit
from sync.central.records.waiting import actions_waiting_in
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.clock import TimeQuality
from sync.journey.definitions import Definitions
from sync.journey.model import Journey, PatientId, QueueEntry, QueueId, Trigger
from sync.journey.proof import proof_in
from sync.protocol import Intent

TRUSTED = frozenset({TimeQuality.MEASURED, TimeQuality.SYNCHRONISED})


@dataclass(frozen=True, slots=True)
class JudgingContext:
    """The values that every judgement of one transaction needs besides the action: rules, site, ids and time.

    `definitions` are the centre's own; `rules` gives those of another version that the centre still judges by.
    `rejudged` are the actions that no longer wait for staff, since this transaction judges them again.
    """

    definitions: Definitions
    rules: Rules
    settings: SiteSettings
    ids: Callable[[], str]
    now_ms: int
    rejudged: frozenset[str] = frozenset()

    @property
    def today(self) -> str:
        """The day of the site."""
        return self.settings.day(self.now_ms)


def judging_context(
    db: ReadTransaction, definitions: Definitions, ids: Callable[[], str], now_ms: int
) -> JudgingContext:
    """The context of one transaction, for a centre that uses these definitions."""
    return JudgingContext(definitions, supported_rules(db, definitions), read_site(db), ids, now_ms)


def gather(db: WriteTransaction, context: JudgingContext, received: ReceivedAction) -> Evidence:
    """The evidence for one action. A day that has ended for the subject is closed first."""
    intent, happened = received.intent, received.happened
    arrived_ms = happened.at_ms if happened.quality in TRUSTED else None
    identities = read_identities(db, intent.patient_id, intent.card, intent.binding_id)
    subject = _subject(identities, intent)
    journey = _journey(db, context, subject)
    rules = _rules(context, intent, journey)
    visit = read_visit(db, intent.visit_id)
    evidence = Evidence(
        rules=rules,
        grants=frozenset((rules or context.definitions).granted(received.grants)),
        walk_in=context.settings.site.walk_in,
        today=context.today,
        day=context.settings.day(arrived_ms) if arrived_ms is not None else min(intent.site_day, context.today),
        received_ms=received.received_ms,
        arrived_ms=arrived_ms,
        subject=subject if journey else None,
        journey=journey or Journey(PatientId(intent.patient_id), context.definitions.initial, context.today),
        card_holder=identities.card_holder,
        binding_holder=identities.binding_holder,
        card_blocked=identities.card_blocked,
        moved=_moved(db, intent, journey) if journey else frozenset(),
        visit_waits=_waits(db, context, intent, visit),
        proof_used=_proof_used(db, rules, intent, visit),
        prior_verdict=received.prior_verdict,
    )
    return _with_visit(db, context, received, evidence, visit) if journey else evidence


def _subject(identities: Identities, intent: Intent) -> PatientId | None:
    """The patient whom the id names. Without one, the holder of the card, where the kiosk did not know the card."""
    return identities.patient or (identities.card_holder if intent.provisional else None)


def _rules(context: JudgingContext, intent: Intent, journey: Journey | None) -> Definitions | None:
    """The rules that the kiosk judged by, where they know the states that the patient is in now."""
    rules = context.rules(intent.definitions_version)
    return rules if rules is None or journey is None or can_judge(rules, journey) else None


def _journey(db: WriteTransaction, context: JudgingContext, subject: PatientId | None) -> Journey | None:
    if subject is None:
        return None
    return open_journey(db, context.definitions, subject, context.today, day_end(context.now_ms))


def _moved(db: ReadTransaction, intent: Intent, journey: Journey) -> frozenset[str]:
    """The bookings that the person was shown for a day, and that the hospital has moved to another day since."""
    todays = {booking.appointment_id for booking in journey.appointments}
    missing = (read_booking(db, each) for each in intent.appointment_ids if each not in todays)
    rows = (row for row in missing if row is not None and row.patient_id == journey.patient_id)
    return frozenset(row.appointment_id for row in rows if row.schedule.site_day != intent.site_day)


def _waits(db: ReadTransaction, context: JudgingContext, intent: Intent, visit: VisitRow | None) -> bool:
    """Whether an action of the visit waits for staff, other than those that are judged again now."""
    visit_ids = {intent.visit_id, visit.visit_id if visit else intent.visit_id}
    return not context.rejudged.issuperset(actions_waiting_in(db, visit_ids))


def _proof_used(db: ReadTransaction, rules: Definitions | None, intent: Intent, visit: VisitRow | None) -> bool:
    """Whether the proof of the action counts for another visit already. An action without a proof costs no read."""
    rule = rules.actions.get(intent.action_type) if rules else None
    proof = proof_in(rule, intent.payload) if rule else None
    proven = visit_of_proof(db, intent.action_type, proof) if proof is not None else None
    return proven is not None and (visit is None or visit.visit_id != proven)


def _with_visit(
    db: WriteTransaction, context: JudgingContext, received: ReceivedAction, evidence: Evidence, row: VisitRow | None
) -> Evidence:
    """The evidence with all that depends on the subject's journey and on the visit that the action names."""
    intent, journey = received.intent, evidence.journey
    # A kiosk's versions of a record that was merged into this one, or of a card's holder, are not of this journey.
    base_version = intent.base_version if intent.patient_id == evidence.subject else 0
    patient_id, kiosk_id = journey.patient_id, received.kiosk_id
    own_changes = own_changes_since(db, patient_id, kiosk_id, base_version)
    changed_elsewhere = journey.journey_version - base_version > own_changes
    if row is None or row.patient_id != patient_id:
        arrived_ms = evidence.arrived_ms or 0
        unseen = unseen_visit_since(db, patient_id, kiosk_id, base_version, evidence.day, arrived_ms)
        return replace(evidence, changed_elsewhere=changed_elsewhere, unseen_visit=unseen)
    past = transitions_of_visit(db, row.visit_id)
    return replace(
        evidence,
        changed_elsewhere=changed_elsewhere,
        visit=_visit(db, context.definitions, journey, row, past),
        corrected=row.corrected_version > base_version,
        two_visits=row.merged,
        recorded_payload=_recorded_payload(past, intent),
    )


def _recorded_payload(past: tuple[PastTransition, ...], intent: Intent) -> Mapping[str, Any]:
    """The payload of the first such action for this leg in the visit's history. Needed where the intent has one."""
    if not intent.payload:
        return {}
    alike = (each for each in past if (each.action, each.leg) == (intent.action_type, intent.leg))
    return next((each.payload for each in alike), {})


def _visit(
    db: ReadTransaction, definitions: Definitions, journey: Journey, row: VisitRow, past: tuple[PastTransition, ...]
) -> Visit:
    done = frozenset((each.action, each.leg) for each in past)
    if journey.visit_id == row.visit_id:
        return Visit(row.visit_id, journey, done)
    own = [each for each in past if each.trigger_type != Trigger.SYSTEM_AUTO]
    state, leg = (own[-1].to_state, own[-1].leg) if own else (definitions.initial, 0)
    history = Journey(journey.patient_id, state, row.site_day, row.visit_id, leg)
    return Visit(row.visit_id, _with_entries(db, definitions, history), done)


def _with_entries(db: ReadTransaction, definitions: Definitions, history: Journey) -> Journey:
    """A visit's history with its entries. The entry of the last leg is in its state before the day's end."""
    found = entries_of_visit(db, history.patient_id, str(history.visit_id))
    entries = tuple(_reopened(definitions, history, entry) for entry in found)
    current = next((entry.queue_id for entry in reversed(entries) if entry.leg == history.leg), None)
    return replace(history, entries=entries, current_queue_id=current and QueueId(current))


def _reopened(definitions: Definitions, history: Journey, entry: QueueEntry) -> QueueEntry:
    state = definitions.journey_to_queue.get(history.state)
    return replace(entry, state=state) if state and entry.leg == history.leg else entry
