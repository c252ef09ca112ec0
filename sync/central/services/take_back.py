"""Takes back what one kiosk did to one patient, as a correction by staff, in the transaction of the caller.

Where nobody else has acted since, the journey goes back to where it was. Otherwise nothing moves, since an honest act
would be undone too: staff get one case with what the kiosk did.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sync.central.centre import Centre
from sync.central.conflicts.rejudge import supersede
from sync.central.days.open_journey import open_journey
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.cases import NOT_TAKEN_BACK, NewCase, open_case
from sync.central.records.effects import (
    Changed,
    Effect,
    Period,
    add_effect,
    effects_on,
    end_effects,
    undone_versions,
)
from sync.central.records.entries import entries_of_visit, set_entry_state
from sync.central.records.history import Provenance, add_entry_history, add_transitions, day_end
from sync.central.records.journeys import save
from sync.central.records.past_visits import others_judged, others_wrote, steps_of_visit
from sync.central.records.patients import remove_patient_alias
from sync.central.records.site import SiteSettings, read_site
from sync.central.records.verdicts import latest_verdict
from sync.central.records.visits import deny_visit, remove_visit_alias, set_arrival_back
from sync.central.services.requester import Requester
from sync.central.store.transactions import WriteTransaction
from sync.clock import iso
from sync.journey.model import BuiltIn, EntryChange, Journey, PatientId, Transition, Trigger
from sync.journey.take_back import are_last, before, knows, take_back, void
from sync.protocol import Code


class Became(StrEnum):
    """What became of the acts of a kiosk: the names of the counts."""

    PUT_BACK = "patients_put_back"  # their journey is where it was before
    DAYS_MARKED = "ended_days_marked"  # visits of ended days whose history says that it was taken back
    NAMES_ENDED = "names_ended"  # other names of patients and visits that the kiosk had made
    ACTS = "acts_taken_back"
    CASES = "cases_opened"  # patients whom staff have to look at
    FAILED = "failed_inside"


class Why(StrEnum):
    """Why an act is left to staff."""

    OTHERS_ACTED = "others_acted"  # somebody else has acted on the visit since
    MONEY = "money"  # money has moved
    STAFF_DECIDED = "staff_decided"  # staff had made the act count
    OTHER_RULES = "other_rules"  # the rules no longer know a state that it would go back to


Counts = Counter[Became]


@dataclass(frozen=True, slots=True)
class Undoing:
    """One order to take back the acts of a kiosk in a period, for a reason."""

    centre: Centre
    requester: Requester
    period: Period
    reason: str


@dataclass(frozen=True, slots=True)
class _OnePatient:
    """The taking back on one patient, inside its transaction."""

    undoing: Undoing
    db: WriteTransaction
    journey: Journey
    site: SiteSettings
    now_ms: int
    action_id: str

    @property
    def provenance(self) -> Provenance:
        asked, undoing = self.undoing.requester, self.undoing
        metadata = {"kiosk_id": undoing.period.kiosk_id, "reason": undoing.reason}
        return Provenance(
            asked.channel, asked.who, self.now_ms, self.now_ms, action_id=self.action_id, metadata=metadata
        )

    def is_todays(self, effect: Effect) -> bool:
        """Whether an effect is one on the journey of today, and not on a day that has ended."""
        change, journey = effect.changed.before, self.journey
        return change is not None and (effect.visit_id == journey.visit_id or change.site_day == journey.site_day)


def take_back_patient(undoing: Undoing, db: WriteTransaction, patient_id: PatientId) -> Counts:
    """Takes back the effects of a period that are in force on one patient. Does nothing where there are none."""
    centre, now_ms = undoing.centre, undoing.centre.clock()
    effects, site = effects_on(db, undoing.period, patient_id), read_site(db)
    journey = open_journey(db, centre.definitions, patient_id, site.day(now_ms), day_end(now_ms))
    if journey is None or not effects:
        return Counts()
    one = _OnePatient(undoing, db, journey, site, now_ms, centre.ids())
    counts, kept = _take_back(one, effects)
    done = [effect for effect in effects if not any(effect in acts for acts in kept.values())]
    counts[Became.ACTS] += len(done)
    for effect in done:
        supersede(db, effect.verdict_id, Code.CORRECTED, now_ms)
    end_effects(db, [effect.verdict_id for effect in done], now_ms, None)
    if kept:
        counts[Became.CASES] += 1
        _open_case(one, kept)
    detail = {"kiosk_id": undoing.period.kiosk_id, "acts": len(done), "to_staff": len(effects) - len(done)}
    note(
        db,
        undoing.requester.who,
        AuditKind.TAKE_BACK,
        now_ms,
        patient_id=patient_id,
        action_id=one.action_id,
        detail=detail,
    )
    return counts


def _take_back(one: _OnePatient, effects: Sequence[Effect]) -> tuple[Counts, dict[Why, list[Effect]]]:
    """Takes back what can be. Returns the counts, and the effects that are left to staff with the reason."""
    counts, kept = Counts(), dict[Why, list[Effect]]()
    for effect in reversed(effects):
        counts[Became.NAMES_ENDED] += _end_names(one, effect.changed)
        if effect.changed.arrival is not None and effect.visit_id is not None:
            set_arrival_back(one.db, effect.visit_id, effect.changed.arrival)
    today = [effect for effect in effects if one.is_todays(effect)]
    if today:
        why = _why_not_today(one, today)
        if why is None:
            _put_back(one, today)
            counts[Became.PUT_BACK] += 1
        else:
            kept.setdefault(why, []).extend(today)
    past = [effect for effect in effects if effect.changed.before is not None and effect not in today]
    for visit_id in dict.fromkeys(effect.visit_id for effect in past if effect.visit_id is not None):
        acts = [effect for effect in past if effect.visit_id == visit_id]
        why = _why_not_past(one, visit_id, acts)
        if why is None:
            _mark_day(one, visit_id, acts)
            counts[Became.DAYS_MARKED] += 1
        else:
            kept.setdefault(why, []).extend(acts)
    return counts, kept


def _end_names(one: _OnePatient, changed: Changed) -> int:
    """Ends the other names that an act gave to a visit and a patient. Returns their number."""
    if changed.visit_alias is not None:
        remove_visit_alias(one.db, changed.visit_alias)
    if changed.patient_alias is not None:
        remove_patient_alias(one.db, changed.patient_alias)
    return int(changed.visit_alias is not None) + int(changed.patient_alias is not None)


def _why_not_today(one: _OnePatient, acts: Sequence[Effect]) -> Why | None:
    """Why the journey of today cannot go back to before these acts; None where it can."""
    journey, definitions = one.journey, one.undoing.centre.definitions
    changes = [each for effect in reversed(acts) if (each := effect.changed.before)]
    if why := _why_never(acts):
        return why
    undone = undone_versions(one.db, journey.patient_id, journey.site_day)
    if not are_last(journey, changes, undone) or _others_judged(one, acts):
        return Why.OTHERS_ACTED
    return None if knows(definitions, changes) else Why.OTHER_RULES


def _why_not_past(one: _OnePatient, visit_id: str, acts: Sequence[Effect]) -> Why | None:
    """Why the history of an ended day cannot be marked; None where it can."""
    if why := _why_never(acts):
        return why
    since = min(effect.recorded_ms for effect in acts)
    wrote = others_wrote(one.db, visit_id, one.undoing.period.kiosk_id, since)
    return Why.OTHERS_ACTED if wrote or _others_judged(one, acts) else None


def _why_never(acts: Sequence[Effect]) -> Why | None:
    if any(effect.changed.is_money for effect in acts):
        return Why.MONEY
    return Why.STAFF_DECIDED if any(effect.changed.by_staff for effect in acts) else None


def _others_judged(one: _OnePatient, acts: Sequence[Effect]) -> bool:
    visits = {effect.visit_id for effect in acts if effect.visit_id is not None}
    since = min(effect.recorded_ms for effect in acts)
    return others_judged(one.db, one.journey.patient_id, visits, one.undoing.period.kiosk_id, since)


def _put_back(one: _OnePatient, acts: Sequence[Effect]) -> None:
    """Puts the journey of today back to before its last acts, oldest first. Kiosks and apps hear of it as of any
    correction.
    """
    db, journey, undoing = one.db, one.journey, one.undoing
    changes = [each for effect in reversed(acts) if (each := effect.changed.before)]
    decision = take_back(undoing.centre.definitions, journey, changes, undoing.reason)
    save(db, journey, decision, one.provenance, BuiltIn.TAKE_BACK)
    for change in changes:
        if change.opened_visit is not None and change.opened_visit != decision.journey.visit_id:
            deny_visit(db, change.opened_visit)
    # Older acts may be taken back later. For them, this change is none by anybody else.
    own = Changed(before(journey, decision))
    effect = Effect(one.action_id, undoing.period.kiosk_id, journey.patient_id, acts[0].visit_id, own, 0, one.now_ms)
    add_effect(db, effect, ended_ms=one.now_ms)


def _mark_day(one: _OnePatient, visit_id: str, acts: Sequence[Effect]) -> None:
    """Adds to the history of a visit of an ended day that its acts were taken back. Nothing of today moves."""
    db, patient_id = one.db, one.journey.patient_id
    by_id = {effect.verdict_id: effect for effect in acts}
    steps, change = steps_of_visit(db, visit_id, by_id.keys()), db.next_change()
    if steps is not None and steps.before_state != steps.last_state:
        row = Transition(steps.last_state, BuiltIn.TAKE_BACK, steps.before_state, Trigger.STAFF_ACTION)
        first = by_id[steps.first_action].changed.before
        add_transitions(db, change, patient_id, visit_id, first.leg if first else 0, (row,), one.provenance)
    changes = [each for effect in acts if (each := effect.changed.before)]
    opened = {queue_id for each in changes for queue_id in each.opened}
    _cancel_entries(one, visit_id, opened, change)
    for each in changes:
        if each.opened_visit is not None:
            deny_visit(db, each.opened_visit)


def _cancel_entries(one: _OnePatient, visit_id: str, queue_ids: set[Any], change: int) -> None:
    definitions, reason = one.undoing.centre.definitions, one.undoing.reason
    rows = []
    for entry in entries_of_visit(one.db, one.journey.patient_id, visit_id):
        ended = void(definitions, entry)
        if entry.queue_id in queue_ids and ended.state != entry.state:
            set_entry_state(one.db, entry.queue_id, ended.state)
            rows.append(EntryChange(entry.queue_id, entry.state, ended.state, reason))
    add_entry_history(one.db, change, one.journey.patient_id, tuple(rows), one.provenance)


def _open_case(one: _OnePatient, kept: dict[Why, list[Effect]]) -> None:
    """Opens the one case about the acts on this patient that staff have to decide on."""
    acts = [act for each in kept.values() for act in each]
    period, exception_id = one.undoing.period, one.undoing.centre.ids()
    detail = {
        "why": list(kept),
        "reason": one.undoing.reason,
        "acts": [_shown(one, why, act) for why, each in kept.items() for act in each],
    }
    new = NewCase(NOT_TAKEN_BACK, period.kiosk_id, detail, one.journey.patient_id, visit_id=acts[0].visit_id)
    open_case(one.db, exception_id, new, one.now_ms)
    end_effects(one.db, [act.verdict_id for act in acts], one.now_ms, exception_id)


def _shown(one: _OnePatient, why: Why, act: Effect) -> dict[str, Any]:
    verdict = latest_verdict(one.db, act.verdict_id)
    assert verdict is not None
    return {
        "action_id": act.verdict_id,
        "why": why,
        "visit_id": act.visit_id,
        "from_state": verdict.from_state,
        "to_state": verdict.to_state,
        "received_at": iso(act.recorded_ms, one.site.site.timezone),
    }
