"""Judges one action: evidence, resolution, effects and verdict, in the transaction (or savepoint) of the caller."""

from dataclasses import dataclass, replace
from typing import Any

from sync.central.conflicts.evidence import Heard, Known
from sync.central.conflicts.gather import Bench, gather
from sync.central.conflicts.late import write_late
from sync.central.conflicts.resolve import Place, Resolution, resolve
from sync.central.conflicts.waiting import DUPLICATE_NUMBER, REVERSED, Concern, open_case, put_waiting, tell_staff
from sync.central.records.bindings import bound, learn
from sync.central.records.entries import holder_of
from sync.central.records.journeys import Stamp, save
from sync.central.records.site import next_label
from sync.central.records.verdicts import Given, keep_verdict
from sync.central.records.visits import add_alias
from sync.central.store.sqlite import Reading, Writing
from sync.journey.model import Decision, Journey, QueueEntry
from sync.protocol import Code, Intent, Verdict

_OF_NOBODY = frozenset({Code.REBOUND, Code.UNKNOWN_CARD, Code.UNKNOWN_PATIENT})


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict as it was kept, and the patient's journey after it (None where it concerns nobody that is known)."""

    given: Given
    journey: Journey | None


def judge(db: Writing, bench: Bench, heard: Heard, *, revision: int = 0) -> Judged:
    """Gives an action its verdict and writes everything that it leaves: journey, history, visit, case, verdict.

    A revision above 0 is a verdict given anew: it takes a change number, under which its kiosk pulls it.
    """
    known = gather(db, bench, heard)
    return enact(db, bench, heard, known, resolve(known, heard.intent), revision=revision)


def enact(
    db: Writing, bench: Bench, heard: Heard, known: Known, resolution: Resolution, *, revision: int = 0
) -> Judged:
    """Writes a resolution. `revision` as above; at 0 it is that of the resolution."""
    journey = _apply(db, bench, heard, known, resolution)
    given = _given(db, heard, known, resolution, journey, revision)
    keep_verdict(db, given, bench.now_ms)
    if resolution.verdict is Verdict.NEEDS_STAFF:
        put_waiting(db, heard, known, resolution.code, resolution.conflict, bench.ids())
    elif resolution.reversed:
        tell_staff(db, heard, known, REVERSED, resolution.conflict, bench.ids())
    elif resolution.code is Code.ANSWERS_DIFFER:
        tell_staff(db, heard, known, resolution.code, resolution.conflict, bench.ids())
    if given.change and given.patient_id is not None:
        db.announce(given.change, given.patient_id)
    return Judged(given, journey if given.patient_id is not None else None)


def _apply(db: Writing, bench: Bench, heard: Heard, known: Known, resolution: Resolution) -> Journey:
    """Writes the effect, where it belongs, and returns the patient's journey of today after it."""
    intent, decision = heard.intent, resolution.decision
    if resolution.verdict is not Verdict.NEEDS_STAFF:
        _follow_card(db, known, intent, bench.now_ms)
    if resolution.place is Place.ALIAS and resolution.visit_id is not None:
        add_alias(db, intent.visit_id, resolution.visit_id, bench.now_ms)
        _arrived(db, known, resolution.visit_id)
    if decision is None:
        return known.journey
    if resolution.place is Place.HISTORY:
        _report_duplicates(db, bench, heard, known, known.visit.history if known.visit else None, decision.journey)
        write_late(db, bench, known, decision, _stamp(bench, heard))
        return known.journey
    return _move_today(db, bench, heard, known, decision, applied=resolution.verdict is Verdict.APPLIED)


def _move_today(db: Writing, bench: Bench, heard: Heard, known: Known, decision: Decision, *, applied: bool) -> Journey:
    opened = decision.opened
    if opened is not None and not opened.queue_number:
        decision = _numbered(decision, opened, next_label(db, bench.here.ticket_prefix, known.today))
    _report_duplicates(db, bench, heard, known, known.journey, decision.journey)
    save(db, known.journey, decision, _stamp(bench, heard), heard.intent.action_type if applied else None)
    visit_id = decision.journey.visit_id
    if visit_id is not None and visit_id != known.journey.visit_id and known.arrived_ms is None:
        # The claimed time stays in the history; a visit's arrival is one that can be trusted.
        db.execute(
            "update visits set opened_ms = :at_ms where visit_id = :visit_id",
            {"at_ms": known.received_ms, "visit_id": visit_id},
        )
    return decision.journey


def _numbered(decision: Decision, opened: QueueEntry, label: str) -> Decision:
    """The entry under a number of the centre's: the kiosk had joined one that is no more, and printed none."""
    numbered = replace(opened, queue_number=label)
    entries = tuple(numbered if e.queue_id == opened.queue_id else e for e in decision.journey.entries)
    return replace(decision, journey=replace(decision.journey, entries=entries))


def _report_duplicates(
    db: Writing, bench: Bench, heard: Heard, known: Known, before: Journey | None, after: Journey
) -> None:
    """A printed number stays what it is; that another entry bears the same one is for staff to know."""
    for queue_id, number in _numbers(after) - _numbers(before):
        twin = holder_of(db, after.site_day, number, but=queue_id)
        if twin is None:
            continue
        concern = Concern(
            DUPLICATE_NUMBER,
            heard.kiosk_id,
            {"queue_number": number, "queue_ids": [twin, queue_id]},
            patient_id=known.subject,
            action_id=heard.intent.action_id,
        )
        open_case(db, bench.ids(), concern, bench.now_ms)


def _numbers(journey: Journey | None) -> set[tuple[str, str]]:
    """The numbers that a journey's entries bear, their own and those of a second slip, each with its entry."""
    entries = journey.entries if journey else ()
    return {(entry.queue_id, number) for entry in entries for number in (entry.queue_number, *entry.label_aliases)}


def _follow_card(db: Writing, known: Known, intent: Intent, now_ms: int) -> None:
    """The name that a kiosk made for the holder of an unknown card means this patient from now on; and a card that was
    read under more than one key is known under all of them."""
    if intent.provisional and known.subject is not None and known.subject != intent.patient_id:
        db.execute(
            "insert into patient_aliases (alias_id, patient_id, since_ms) values (:alias_id, :patient_id, :now_ms)"
            " on conflict (alias_id) do nothing",
            {"alias_id": intent.patient_id, "patient_id": known.subject, "now_ms": now_ms},
        )
    owner = bound(db, intent.cards) if len(intent.cards) > 1 else None
    if owner is not None:
        learn(db, owner.binding_id, intent.cards)


def _arrived(db: Writing, known: Known, visit_id: str) -> None:
    """The earliest trusted arrival counts."""
    if known.arrived_ms is not None:
        db.execute(
            "update visits set opened_ms = :at_ms where visit_id = :visit_id and opened_ms > :at_ms",
            {"at_ms": known.arrived_ms, "visit_id": visit_id},
        )


def _stamp(bench: Bench, heard: Heard) -> Stamp:
    intent, happened = heard.intent, heard.happened
    return Stamp(
        heard.kiosk_id,
        heard.kiosk_id,
        happened.at_ms,
        bench.now_ms,
        happened.quality,
        intent.action_id,
        _metadata(intent),
    )


def _metadata(intent: Intent) -> dict[str, Any]:
    return {
        "epoch": intent.epoch,
        "seq": intent.seq,
        "binding_id": intent.binding_id,
        "queue_number": intent.queue_number,
        "payload": intent.payload,
    }


def _given(db: Writing, heard: Heard, known: Known, resolution: Resolution, after: Journey, revision: int) -> Given:
    intent, before = heard.intent, known.journey
    from_state, to_state = _states(known, resolution, after)
    visit_id = resolution.visit_id or (known.visit.visit_id if known.visit else None)
    return Given(
        verdict_id=intent.action_id,
        kiosk_id=heard.kiosk_id,
        seq=intent.seq,
        verdict=resolution.verdict,
        code=resolution.code,
        revision=revision or resolution.revision,
        patient_id=None if resolution.code in _OF_NOBODY else known.subject,
        visit_id=visit_id,
        conflict=resolution.conflict,
        from_state=from_state,
        to_state=to_state,
        changed_version=after.journey_version if after.journey_version != before.journey_version else None,
        definitions_version=intent.definitions_version,
        counterpart=_counterpart(db, intent, visit_id) if resolution.verdict in _MET else None,
        change=db.next_change() if revision else 0,
    )


def _states(known: Known, resolution: Resolution, after: Journey) -> tuple[str, str]:
    """The state before and after: of the visit that the action is of where its day has ended, else of today."""
    visit, decision = known.visit, resolution.decision
    if resolution.place is Place.HISTORY and decision is not None:
        began = decision.transitions[0].from_state if decision.transitions else decision.journey.state
        return began, decision.journey.state
    if visit is not None and visit.history.site_day < known.today:
        return visit.history.state, visit.history.state
    return known.journey.state, after.state


_MET = frozenset({Verdict.MERGED, Verdict.SUPERSEDED})


def _counterpart(db: Reading, intent: Intent, visit_id: str | None) -> str | None:
    """The action that this one met: the last of the visit that did the same, else the last of the visit."""
    row = db.row(
        "select action_id from transitions where visit_id = :visit_id and action_id is not null"
        " order by case when action = :action then 0 else 1 end, change desc limit 1",
        visit_id=visit_id,
        action=intent.action_type,
    )
    return str(row["action_id"]) if row else None
