"""Gathers what the centre knows that bears on one action, in the transaction that judges it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from sync.central.conflicts.evidence import Evidence, ReceivedAction, Visit
from sync.central.records.bindings import binding_of_card
from sync.central.records.definitions import Rules, can_judge, supported
from sync.central.records.entries import entry_of_row
from sync.central.records.journeys import Provenance, open_journey
from sync.central.records.patients import patient_named
from sync.central.records.site import SiteSettings, read_site
from sync.central.records.visits import visit_of
from sync.central.store.sqlite import ReadTransaction, WriteTransaction
from sync.clock import TimeQuality
from sync.journey.definitions import Definitions
from sync.journey.model import Journey, PatientId, QueueEntry, QueueId, Role, VisitId
from sync.protocol import Intent

_metadata = msgspec.json.Decoder(dict[str, Any])

TRUSTED = frozenset({TimeQuality.MEASURED, TimeQuality.SYNCHRONISED})


@dataclass(frozen=True, slots=True)
class JudgingContext:
    """What every judgement needs besides the action: the rules by version, the site, and where ids come from.

    `definitions` are the rules of the centre itself; `rules` gives those of a version, as far as the centre still
    judges by them; `settling` are the actions that wait for staff no longer, since they are being judged again.
    """

    definitions: Definitions
    rules: Rules
    settings: SiteSettings
    ids: Callable[[], str]
    now_ms: int
    settling: frozenset[str] = frozenset()

    @property
    def today(self) -> str:
        """The day of the site."""
        return self.settings.day(self.now_ms)


def judging_context(
    db: ReadTransaction, definitions: Definitions, ids: Callable[[], str], now_ms: int
) -> JudgingContext:
    """The bench of one transaction, which judges by these definitions and by earlier ones that were in force here."""
    return JudgingContext(definitions, supported(db, definitions), read_site(db), ids, now_ms)


def gather(db: WriteTransaction, context: JudgingContext, received: ReceivedAction) -> Evidence:
    """The evidence for one action. A day that has ended for its patient is closed first."""
    intent, happened = received.intent, received.happened
    arrived_ms = happened.at_ms if happened.quality in TRUSTED else None
    owner = binding_of_card(db, intent.cards)
    subject = patient_named(db, intent.patient_id)
    if subject is None and intent.provisional and owner is not None:
        subject = owner.patient_id
    journey = _journey(db, context, subject)
    evidence = Evidence(
        rules=_rules(context, intent, journey),
        grants=received.grants,
        walk_in=context.settings.site.walk_in,
        today=context.today,
        day=context.settings.day(arrived_ms) if arrived_ms is not None else min(intent.site_day, context.today),
        received_ms=received.received_ms,
        arrived_ms=arrived_ms,
        subject=subject,
        journey=journey or Journey(PatientId(intent.patient_id), context.definitions.initial, context.today),
        card_of=owner.patient_id if owner else None,
        binding_of=_binding_of(db, intent.binding_id),
        waits=_waits(db, context, intent),
        held=received.held,
    )
    return _with_visits(db, context, received, evidence) if journey else replace(evidence, subject=None)


def _rules(context: JudgingContext, intent: Intent, journey: Journey | None) -> Definitions | None:
    """The rules that the kiosk judged by, where they know how the patient stands now."""
    rules = context.rules(intent.definitions_version)
    return rules if rules is None or journey is None or can_judge(rules, journey) else None


def _journey(db: WriteTransaction, context: JudgingContext, subject: PatientId | None) -> Journey | None:
    if subject is None:
        return None
    closing = Provenance("centre", Role.SYSTEM, context.now_ms, context.now_ms)
    return open_journey(db, context.definitions, subject, context.today, closing)


def _with_visits(
    db: WriteTransaction, context: JudgingContext, received: ReceivedAction, evidence: Evidence
) -> Evidence:
    visit = _visit(db, context.definitions, evidence.journey, visit_of(db, received.intent.visit_id))
    # The versions of a record that was merged into this one, or of a card's holder, are not of this journey.
    base_version = received.intent.base_version if received.intent.patient_id == evidence.subject else 0
    return replace(
        evidence,
        visit=visit,
        unseen=_unseen(db, received, evidence, base_version) if visit is None else None,
        moved=_moved(db, received, evidence.journey, base_version),
        corrected=visit is not None and _corrected(db, visit.visit_id, base_version),
        split=visit is not None and _split(db, visit.visit_id),
        said=_said(db, received.intent, visit.visit_id) if visit is not None and received.intent.payload else {},
    )


def _binding_of(db: ReadTransaction, binding_id: str | None) -> PatientId | None:
    """Whose card it was under the binding that was read; None where the centre does not know the binding."""
    if binding_id is None:
        return None
    row = db.row("select patient_id from bindings where binding_id = :binding_id", binding_id=binding_id)
    return patient_named(db, row["patient_id"]) if row else None


def _waits(db: ReadTransaction, context: JudgingContext, intent: Intent) -> bool:
    rows = db.rows(
        "select verdict_id from waiting where visit_id in (:sent, :meant)",
        sent=intent.visit_id,
        meant=visit_of(db, intent.visit_id),
    )
    return any(row["verdict_id"] not in context.settling for row in rows)


def _unseen(db: ReadTransaction, received: ReceivedAction, evidence: Evidence, base_version: int) -> VisitId | None:
    """The first visit of that day that was opened after what the kiosk had pulled, by somebody else, and that was not
    over when the person stood at the kiosk."""
    row = db.row(
        "select visit_id from visits where patient_id = :patient_id and site_day = :day"
        " and opened_version > :base_version and (closed_ms is null or closed_ms >= :arrived_ms)"
        " and visit_id not in (select visit_id from verdicts where patient_id = :patient_id"
        " and kiosk_id = :kiosk_id and visit_id is not null) order by ordinal limit 1",
        patient_id=evidence.subject,
        day=evidence.day,
        base_version=base_version,
        arrived_ms=evidence.arrived_ms or 0,
        kiosk_id=received.kiosk_id,
    )
    return VisitId(row["visit_id"]) if row else None


def _moved(db: ReadTransaction, received: ReceivedAction, journey: Journey, base_version: int) -> bool:
    """Whether more has changed since the kiosk's last pull than this kiosk's own earlier actions did."""
    row = db.row(
        "select count(distinct changed_version) as own from verdicts where patient_id = :patient_id"
        " and kiosk_id = :kiosk_id and changed_version > :base_version",
        patient_id=journey.patient_id,
        kiosk_id=received.kiosk_id,
        base_version=base_version,
    )
    assert row is not None
    return journey.journey_version - base_version > int(row["own"])


def _corrected(db: ReadTransaction, visit_id: VisitId, base_version: int) -> bool:
    row = db.row(
        "select 1 from corrections where visit_id = :visit_id and journey_version > :base_version",
        visit_id=visit_id,
        base_version=base_version,
    )
    return row is not None


def _split(db: ReadTransaction, visit_id: VisitId) -> bool:
    return db.row("select 1 from merged_visits where visit_id = :visit_id", visit_id=visit_id) is not None


def _said(db: ReadTransaction, intent: Intent, visit_id: VisitId) -> Mapping[str, Any]:
    """The payload that the visit's history has of this action for this leg, whoever sent it."""
    row = db.row(
        "select metadata from transitions where visit_id = :visit_id and action = :action and leg = :leg"
        " order by change limit 1",
        visit_id=visit_id,
        action=intent.action_type,
        leg=intent.leg,
    )
    metadata = _metadata.decode(row["metadata"]) if row else {}
    # A kiosk's row says where in its chain the action stood; what the person said is a part of that.
    said = metadata.get("payload", {}) if "seq" in metadata else metadata
    return said if isinstance(said, dict) else {}


def _visit(db: ReadTransaction, definitions: Definitions, journey: Journey, visit_id: str) -> Visit | None:
    """The visit of that id, if it is this patient's, as its own history left it."""
    row = db.row("select patient_id, site_day from visits where visit_id = :visit_id", visit_id=visit_id)
    if row is None or row["patient_id"] != journey.patient_id:
        return None
    rows = db.rows(
        "select action, leg, to_state, trigger_type from transitions where visit_id = :visit_id"
        " order by change, position",
        visit_id=visit_id,
    )
    done = frozenset((row["action"], row["leg"]) for row in rows)
    if journey.visit_id == visit_id:
        return Visit(VisitId(visit_id), journey, done)
    own = [row for row in rows if row["trigger_type"] != "system_auto"]
    state, leg = (own[-1]["to_state"], own[-1]["leg"]) if own else (definitions.initial, 0)
    history = Journey(journey.patient_id, state, row["site_day"], VisitId(visit_id), leg)
    return Visit(VisitId(visit_id), _with_entries(db, definitions, history), done)


def _with_entries(db: ReadTransaction, definitions: Definitions, history: Journey) -> Journey:
    """A visit's history with its entries, of which the last leg's stands as it did before the day's end ended it."""
    rows = db.rows(
        "select * from entries where patient_id = :patient_id and visit_id = :visit_id order by opened_ms, queue_id",
        patient_id=history.patient_id,
        visit_id=history.visit_id,
    )
    entries = tuple(_reopened(definitions, history, entry_of_row(row)) for row in rows)
    current = next((entry.queue_id for entry in reversed(entries) if entry.leg == history.leg), None)
    return replace(history, entries=entries, current_queue_id=current and QueueId(current))


def _reopened(definitions: Definitions, history: Journey, entry: QueueEntry) -> QueueEntry:
    state = definitions.journey_to_queue.get(history.state)
    return replace(entry, state=state) if state and entry.leg == history.leg else entry
