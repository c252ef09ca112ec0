"""Gathers the evidence for one action, in the transaction that judges it.

Each question about the subject is one read: the patients that the ids mean, the journey, the visit with its history,
its waiting actions, and the changes since the kiosk's last pull.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from sync.central.conflicts.evidence import Evidence, ReceivedAction, Visit
from sync.central.days.open_journey import open_journey
from sync.central.records.appointments import read_booking
from sync.central.records.definitions import Rules, can_judge, supported_rules
from sync.central.records.entries import entries_of_visit
from sync.central.records.history import PastTransition, day_end, transitions_of_visit
from sync.central.records.identities import read_identities
from sync.central.records.proofs import visit_of_proof
from sync.central.records.shadow_words import has_word
from sync.central.records.site import SiteSettings, read_site
from sync.central.records.unseen_changes import own_changes_since, unseen_visit_since
from sync.central.records.visits import VisitRow, is_corrected, read_visit
from sync.central.records.waiting import actions_waiting_in
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.clock import MINUTE_MS, TimeQuality
from sync.journey.definitions import Definitions
from sync.journey.model import Journey, PatientId, QueueEntry, Trigger
from sync.journey.proof import proof_in
from sync.protocol import Intent

TRUSTED = frozenset({TimeQuality.MEASURED, TimeQuality.SYNCHRONISED})
_NONE: frozenset[str] = frozenset()


class JudgingContext(msgspec.Struct, frozen=True):
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
    intent, kiosk_id, happened, today = received.intent, received.kiosk_id, received.happened, context.today
    arrived_ms = happened.at_ms if happened.quality in TRUSTED else None
    day = context.settings.day(arrived_ms) if arrived_ms is not None else min(intent.site_day, today)
    identities = read_identities(db, intent.patient_id, intent.card, intent.binding_id)
    subject = identities.subject(provisional=intent.provisional)
    known = _journey(db, context, subject, today)
    journey = known or Journey(PatientId(intent.patient_id), context.definitions.initial, today)
    # A kiosk's versions of a record that was merged into this one, or of a card's holder, are not of this journey.
    base_version = intent.base_version if intent.patient_id == subject else 0
    own_changes = own_changes_since(db, journey.patient_id, kiosk_id, base_version)
    rules = _rules(context, intent, known)
    visit = read_visit(db, intent.visit_id)
    own = visit if visit is not None and visit.patient_id == journey.patient_id else None
    past = transitions_of_visit(db, own.visit_id) if own else ()
    elsewhere = intent.action_type in context.settings.site.decided_elsewhere
    unseen = (journey.patient_id, kiosk_id, base_version, day, arrived_ms or 0)
    return Evidence(
        rules=rules,
        grants=frozenset((rules or context.definitions).granted(received.grants)),
        walk_in=context.settings.site.walk_in,
        today=today,
        day=day,
        received_ms=received.received_ms,
        arrived_ms=arrived_ms,
        subject=subject,
        journey=journey,
        card_holder=identities.card_holder,
        binding_holder=identities.binding_holder,
        card_blocked=identities.card_blocked,
        moved=_moved(db, intent, journey),
        visit=_visit(db, context.definitions, journey, own, past) if own else None,
        unseen_visit=None if own else unseen_visit_since(db, *unseen),
        visit_waits=_waits(db, context, received, subject, visit),
        changed_elsewhere=journey.journey_version - base_version > own_changes,
        corrected=own is not None and is_corrected(db, own, base_version),
        denied=own is not None and own.denied,
        two_visits=own is not None and own.merged,
        proof_used=_proof_used(db, rules, intent, visit),
        decided_elsewhere=elsewhere,
        has_word=elsewhere and _has_word(db, journey.patient_id, received),
        recorded_payload=_recorded_payload(past, intent),
        prior_verdict=received.prior_verdict,
    )


def _rules(context: JudgingContext, intent: Intent, journey: Journey | None) -> Definitions | None:
    """The rules that the kiosk judged by, where they know the states that the patient is in now."""
    rules = context.rules(intent.definitions_version)
    return rules if rules is None or journey is None or can_judge(rules, journey) else None


def _journey(db: WriteTransaction, context: JudgingContext, subject: PatientId | None, today: str) -> Journey | None:
    if subject is None:
        return None
    return open_journey(db, context.definitions, subject, today, day_end(context.now_ms))


def _moved(db: ReadTransaction, intent: Intent, journey: Journey) -> frozenset[str]:
    """The bookings that the person was shown for a day, and that the hospital has moved to another day since."""
    todays = {booking.appointment_id for booking in journey.appointments}
    missing = [each for each in intent.appointment_ids if each not in todays]
    if not missing:
        return _NONE
    read = (read_booking(db, each) for each in missing)
    rows = (row for row in read if row is not None and row.patient_id == journey.patient_id)
    return frozenset(row.appointment_id for row in rows if row.schedule.site_day != intent.site_day)


def _waits(
    db: ReadTransaction,
    context: JudgingContext,
    received: ReceivedAction,
    subject: PatientId | None,
    visit: VisitRow | None,
) -> bool:
    """Whether an action of this kiosk in the visit waits for staff, other than those that are judged again now.

    An action waits for none in the visit of another patient.
    """
    if visit is not None and visit.patient_id != subject:
        return False
    named = received.intent.visit_id
    visit_ids = {named, visit.visit_id if visit else named}
    return not context.rejudged.issuperset(actions_waiting_in(db, visit_ids, received.kiosk_id))


def _proof_used(db: ReadTransaction, rules: Definitions | None, intent: Intent, visit: VisitRow | None) -> bool:
    """Whether the proof of the action counts for another visit already. An action without a proof costs no read."""
    rule = rules.actions.get(intent.action_type) if rules else None
    proof = proof_in(rule, intent.payload) if rule else None
    proven = visit_of_proof(db, intent.action_type, proof) if proof is not None else None
    return proven is not None and (visit is None or visit.visit_id != proven)


def _has_word(db: ReadTransaction, patient_id: PatientId, received: ReceivedAction) -> bool:
    """Whether the word for the action has come: since a minute before the person acted, from the same leg and state."""
    intent, since_ms = received.intent, received.happened.at_ms - MINUTE_MS
    return has_word(db, patient_id, intent.action_type, intent.leg, intent.journey_state, since_ms)


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
    return replace(history, entries=entries, current_queue_id=current)


def _reopened(definitions: Definitions, history: Journey, entry: QueueEntry) -> QueueEntry:
    state = definitions.journey_to_queue.get(history.state)
    return replace(entry, state=state) if state and entry.leg == history.leg else entry
