"""Takes a word of the hospital's other system: follows it, asks the rules beside it, and settles who waits for it."""

from enum import StrEnum

import msgspec
from msgspec.structs import replace

from sync.central.centre import Centre
from sync.central.conflicts.gather import judging_context
from sync.central.conflicts.rejudge import rejudge
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.deciders import Decider, decides
from sync.central.records.entries import patient_of_entry
from sync.central.records.exams import read_exam
from sync.central.records.first_read import By, Wanted
from sync.central.records.journeys import save
from sync.central.records.queue_numbers import next_queue_number
from sync.central.records.shadow_words import WordRow, add_word, last_word_ms
from sync.central.records.waiting import waiting_for_word
from sync.central.services.answers import Answer, refused
from sync.central.services.errors import UNKNOWN_PATIENT, ApiError, error_of
from sync.central.services.once import ActionContext, Subject, once
from sync.central.services.perform_action import open_day
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.central.services.word_bodies import EntryTold, WordTold, moment_of, state_named, told_in
from sync.clock import MINUTE_MS, TimeQuality
from sync.ids import is_uuid
from sync.journey.model import (
    STAFF,
    Action,
    ActionId,
    Decision,
    ExamId,
    Journey,
    Opens,
    QueueId,
    Refusal,
    RefusalCode,
    VisitId,
)
from sync.journey.other_system import Difference, Word, WordEntry, differences, follow

MOST_AHEAD_MS = 2 * MINUTE_MS  # of the other system's clock
_AHEAD = ApiError("malformed", "at is in the future: set the clock of the other system.")
_NO_ACTION = ApiError("unknown_action", "The rules know no such action.")
_NO_STATE = ApiError("unknown_state", "from, to or the state of an entry is no state of the rules.")
_OF_ANOTHER = ApiError("no_such_entry", "An entry is another patient's.")
_TOO_FEW = ApiError(
    "entry_not_named", "The word leaves open how the patient's queue entries stand: entries names all of today's."
)
_DECIDED_HERE = ApiError("decided_here", "The centre decides this action, so the word is not followed.")


class WordOutcome(StrEnum):
    """What became of a word."""

    FOLLOWED = "followed"  # as the rules allow it
    CORRECTED = "corrected"  # the rules would not lead there
    LATE = "late"  # a newer word has come, or its day has ended: nothing moves
    REFUSED = "refused"  # the other system refused the action: nothing moves


class WordTaken(msgspec.Struct, frozen=True):
    """What became of a word. `drifted`: the journey here was in another state than the word's `from`."""

    word_id: str
    outcome: WordOutcome
    drifted: bool


class _Meant(msgspec.Struct, frozen=True):
    """A word in the names of the rules, with its time (UTC ms) and who decides its action."""

    word: Word
    from_state: str
    at_ms: int
    decider: Decider


def take_word(centre: Centre, requester: Requester, request: ActionRequest) -> Answer:
    """Takes a word, once for its id, and answers with a WordTaken. `request` is that of `read_word()`."""
    told = told_in(request)
    wanted = Wanted(request.action_id, By.NAME, told.patient_id)

    def find_subject(context: ActionContext) -> Subject | Answer:
        patient_id = context.found.patient_id
        return refused(UNKNOWN_PATIENT) if patient_id is None else Subject(patient_id, patient_id)

    def act(context: ActionContext, _: Subject) -> WordTaken | ApiError:
        opened = open_day(context)
        meant = _meant(context, told, opened.journey)
        return meant if isinstance(meant, ApiError) else _take(context, meant, opened.journey, opened.stored)

    return once(centre, requester, request, find_subject, act, lambda _: (), wanted)


def _meant(context: ActionContext, told: WordTold, journey: Journey) -> _Meant | ApiError:
    """A word as the rules name it, or why it cannot be taken."""
    definitions, site = context.centre.definitions, context.site
    at_ms = moment_of(told.at, site.site.timezone)
    if isinstance(at_ms, ApiError):
        return at_ms
    if told.action_type not in definitions.actions:
        return _NO_ACTION
    decided_by = decides(site.deciders, told.action_type)
    if decided_by.decider is Decider.NEW and at_ms >= decided_by.since_ms:
        return _DECIDED_HERE
    if at_ms > context.now_ms + MOST_AHEAD_MS:
        return _AHEAD
    from_state, to_state = (state_named(definitions.journey_states, each) for each in (told.from_state, told.to_state))
    states = [state_named(definitions.queue_states, each.state) for each in told.entries]
    entries = [_entry(context, each, state) for each, state in zip(told.entries, states, strict=True) if state]
    if from_state is None or to_state is None or len(entries) < len(states):
        return _NO_STATE
    if any(patient_of_entry(context.db, each.queue_id or "") not in (None, journey.patient_id) for each in entries):
        return _OF_ANOTHER
    at_ms = min(at_ms, context.now_ms)
    action = _action(context, told, journey, entries, at_ms)
    # An action that is the centre's by now was the other system's when that did it.
    decider = Decider.LEGACY if decided_by.decider is Decider.NEW else decided_by.decider
    return _Meant(Word(action, to_state, tuple(entries), told.refused), from_state, at_ms, decider)


def _entry(context: ActionContext, told: EntryTold, state: str) -> WordEntry:
    """An entry of a word. One that is still to be opened gets its own id, unless the word has a UUID for it."""
    is_known = told.queue_id is not None and patient_of_entry(context.db, told.queue_id) is not None
    queue_id = (
        told.queue_id if told.queue_id is not None and (is_known or is_uuid(told.queue_id)) else context.centre.ids()
    )
    exam = read_exam(context.db, told.exam_id) if told.exam_id is not None else None
    exam_id = ExamId(told.exam_id) if told.exam_id is not None else None
    return WordEntry(QueueId(queue_id), exam_id, state, told.queue_number, exam)


def _action(context: ActionContext, told: WordTold, journey: Journey, entries: list[WordEntry], at_ms: int) -> Action:
    """The action of a word, as staff would send it. An entry that it opens has the id and the number of the word."""
    live = context.centre.definitions.live
    new = [each for each in entries if each.state in live and journey.entry(each.queue_id) is None]
    queue_id, number = (new[0].queue_id, new[0].queue_number) if new else (None, "")
    return Action(
        ActionId(told.word_id),
        told.action_type,
        STAFF,
        at_ms,
        Opens(
            VisitId(context.centre.ids()),
            queue_id or QueueId(context.centre.ids()),
            number,
            context.site.site.walk_in,
        ),
    )


def _take(context: ActionContext, meant: _Meant, journey: Journey, stored: Journey) -> WordTaken | ApiError:
    """Follows a word, notes it with what the rules say, and judges the kiosks' actions that have waited for it."""
    found = differences(context.centre.definitions, journey, meant.word)
    outcome = _outcome(context, meant, found)
    if outcome in (WordOutcome.FOLLOWED, WordOutcome.CORRECTED):
        decision = follow(context.centre.definitions, journey, meant.word)
        if isinstance(decision, Refusal):
            return _TOO_FEW if decision.code is RefusalCode.ENTRY_NOT_NAMED else error_of(decision)
        _save(context, meant, stored, decision)
    _note(context, meant, journey, outcome, found)
    if outcome is not WordOutcome.REFUSED:
        _settle_waiting(context, journey)
    return WordTaken(context.request.action_id, outcome, journey.state != meant.from_state)


def _outcome(context: ActionContext, meant: _Meant, found: tuple[Difference, ...]) -> WordOutcome:
    if meant.word.is_refused:
        return WordOutcome.REFUSED
    newest_ms = last_word_ms(context.db, str(context.found.patient_id))
    if meant.at_ms < newest_ms or context.site.day(meant.at_ms) < context.today:
        return WordOutcome.LATE
    return WordOutcome.CORRECTED if found else WordOutcome.FOLLOWED


def _note(
    context: ActionContext, meant: _Meant, journey: Journey, outcome: WordOutcome, found: tuple[Difference, ...]
) -> None:
    """Adds the row of a word, and a row of the audit where it went against the rules."""
    db, request = context.db, context.request
    counts = meant.decider is Decider.SHADOW and outcome is not WordOutcome.LATE
    row = WordRow(
        word_id=request.action_id,
        patient_id=journey.patient_id,
        action_type=request.action_type,
        decider=meant.decider,
        outcome=outcome,
        leg=journey.leg,
        state=journey.state,
        from_state=meant.from_state,
        to_state=meant.word.to_state,
        differences=found if counts else (),
        at_ms=meant.at_ms,
        recorded_ms=context.now_ms,
    )
    add_word(db, row)
    if outcome is WordOutcome.CORRECTED:
        who, kind, patient_id = context.requester.who, AuditKind.WORD_CORRECTED, journey.patient_id
        detail = {"action_type": row.action_type, "from_state": row.state, "to_state": row.to_state}
        note(db, who, kind, context.now_ms, patient_id=patient_id, action_id=row.word_id, detail=detail)


def _save(context: ActionContext, meant: _Meant, stored: Journey, decision: Decision) -> None:
    """Writes the journey after a word. An entry without a number of the other system gets one of the centre's."""
    db, after = context.db, decision.journey
    for entry in after.entries:
        if not entry.queue_number:
            prefix, day = context.site.ticket_prefix, after.site_day
            number = next_queue_number(db, context.centre.definitions, prefix, day, context.now_ms)
            after = after.with_entry(replace(entry, queue_number=number))
    happened = {"happened_ms": meant.at_ms, "time_quality": TimeQuality.CLAIMED}
    provenance = replace(context.provenance, **happened)
    save(db, stored, replace(decision, journey=after), provenance, context.request.action_type)


def _settle_waiting(context: ActionContext, journey: Journey) -> None:
    db, centre = context.db, context.centre
    waiting = waiting_for_word(db, journey.patient_id, context.request.action_type)
    if waiting:
        rejudge(db, judging_context(db, centre.definitions, centre.ids, context.now_ms), waiting, context.requester.who)
