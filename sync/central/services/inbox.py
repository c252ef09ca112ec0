"""What staff decide beside the journeys' own actions: cases of the exception inbox, and records that are one person's.

Each decision is an action with an id of its own: a repeat gets the stored answer, the same id with another content is
refused. All of it may be called from any thread.
"""

import logging
from collections.abc import Callable
from typing import Any

import msgspec

from sync.central.conflicts.gather import JudgingContext, judging_context
from sync.central.conflicts.rejudge import apply_case, discard_case, discard_verdict, reassign_case
from sync.central.conflicts.waiting import WaitingAction, waiting_of_case
from sync.central.records.audit import note
from sync.central.records.cases import close_case
from sync.central.records.idempotency import StoredAnswer, store_answer, stored_answer
from sync.central.records.journeys import read_journey
from sync.central.records.patients import patient_named
from sync.central.records.site import read_site
from sync.central.services.errors import ApiError
from sync.central.services.inbox_views import MAX_ROWS, CasePage, case, may, open_cases
from sync.central.services.journey_service import Answer, JourneyService, refused
from sync.central.services.merge import merge
from sync.central.services.requests import ActionRequest
from sync.central.store.errors import is_of_the_action
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.journey.model import PatientId, Role, VisitId

log = logging.getLogger(__name__)

APPLY, DISCARD, REASSIGN = "apply", "discard", "reassign"
_UNKNOWN_PATIENT = ApiError("unknown_patient", "There is no such patient.")


class ExceptionInbox:
    """The decisions of staff over one journey service's store."""

    def __init__(self, service: JourneyService) -> None:
        self._service = service

    def cases(self, after: str | None = None, limit: int = MAX_ROWS) -> CasePage | ApiError:
        """What waits for staff, oldest first: after the case of that id, and so many, 500 at most."""
        if limit not in range(1, MAX_ROWS + 1):
            return ApiError("malformed", f"limit must be a number from 1 to {MAX_ROWS}.")
        with self._service.store.read() as db:
            return open_cases(db, read_site(db), after, limit) or ApiError(
                "not_found", "There is no case of the id in after."
            )

    def case(self, exception_id: str) -> dict[str, Any] | None:
        """One case with all that bears on it; None for an unknown id."""
        now = self._service.clock()
        with self._service.store.read() as db:
            site = read_site(db)
            row = db.row("select patient_id from exceptions where exception_id = :id", id=exception_id)
            patient_id = patient_named(db, row["patient_id"]) if row and row["patient_id"] else None
            journey = read_journey(db, self._service.definitions, patient_id, site.day(now)) if patient_id else None
            return case(db, self._service.definitions, site, exception_id, journey, now)

    def settle(self, exception_id: str, ask: ActionRequest, who: str) -> Answer:
        """Settles a case. The payload says `how` (apply, discard, reassign), the `reason` of a discard, and the
        `patient_id` of whom it really was."""

        def decide(db: WriteTransaction) -> dict[str, Any] | ApiError:
            return self._settle(db, exception_id, ask, who)

        return self._once(ask, exception_id, decide)

    def merge(self, kept: str, ask: ActionRequest, who: str) -> Answer:
        """Two records are one person's: the one that the payload names becomes another name of `kept`."""

        def decide(db: WriteTransaction) -> dict[str, Any] | ApiError:
            service, now = self._service, self._service.clock()
            patient_id, gone = patient_named(db, kept), patient_named(db, str(ask.named("patient_id")))
            if patient_id is None or gone is None:
                return _UNKNOWN_PATIENT
            if patient_id == gone:
                return ApiError("same_patient", "Both ids are the same patient's already.")
            merge(db, service.definitions, patient_id, gone, read_site(db).day(now), now, service.ids)
            note(db, who, "merge", now, patient_id=patient_id, action_id=ask.action_id, detail={"gone": gone})
            return {"patient_id": patient_id, "merged": gone}

        return self._once(ask, kept, decide)

    def _once(
        self, ask: ActionRequest, subject: str, decide: Callable[[WriteTransaction], dict[str, Any] | ApiError]
    ) -> Answer:
        """Does it in one transaction, once for each action id."""
        content = ask.content_hash(Role.STAFF, subject)
        now = self._service.clock()
        with self._service.store.write() as db:
            before = stored_answer(db, ask.action_id)
            if before is not None and before.content_hash == content and before.result is not None:
                return Answer(200, before.result.encode(), repeated=True)
            if before is not None:
                return refused(ApiError("action_id_reused", "This action_id was used for another request."))
            decided = decide(db)
            if isinstance(decided, ApiError):
                return refused(decided)
            body = msgspec.json.encode(decided)
            kept = StoredAnswer(content, "applied", body.decode())
            store_answer(db, ask.action_id, None, ask.action_type, "desk", kept, now)
            return Answer(200, body)

    def _settle(
        self, db: WriteTransaction, exception_id: str, ask: ActionRequest, who: str
    ) -> dict[str, Any] | ApiError:
        now, how = self._service.clock(), str(ask.payload["how"])
        if db.row("select 1 from exceptions where exception_id = :id", id=exception_id) is None:
            return ApiError("not_found", "There is no such case.")
        waiting = waiting_of_case(db, exception_id)
        allowed = may(db, exception_id, waiting)
        if how not in allowed:
            settled = "It is settled already." if not allowed else f"It can be settled by: {', '.join(allowed)}."
            return ApiError("not_allowed", settled)
        context = judging_context(db, self._service.definitions, self._service.ids, now)
        if waiting:
            fault = self._judge_inside(db, context, waiting, how, ask)
            if fault is not None:
                return fault
        else:
            _put_away(db, exception_id, now)
        settlement = {"how": how, "reason": ask.payload.get("reason", ""), "patient_id": ask.named("patient_id")}
        close_case(db, exception_id, who, settlement, now)
        note(db, who, "settle", now, action_id=ask.action_id, detail={"exception_id": exception_id, "how": how})
        verdicts = _verdicts(db, [each.verdict_id for each in waiting])
        return {"exception_id": exception_id, "settled": how, "verdicts": verdicts}

    def _judge_inside(
        self, db: WriteTransaction, context: JudgingContext, waiting: list[WaitingAction], how: str, ask: ActionRequest
    ) -> ApiError | None:
        """The same, undone where the action fails inside, as it may have done when it came."""
        try:
            with db.savepoint():
                return self._judge(db, context, waiting, how, ask)
        except Exception as error:
            if not is_of_the_action(error):
                raise
            log.error("a case cannot be settled by %s: %s", how, type(error).__name__)  # noqa: TRY400
            return ApiError("not_applicable", "It cannot be judged even now: it fails inside.")

    def _judge(
        self, db: WriteTransaction, context: JudgingContext, waiting: list[WaitingAction], how: str, ask: ActionRequest
    ) -> ApiError | None:
        if how == DISCARD:
            discard_case(db, context, waiting)
            return None
        if how == APPLY:
            done = apply_case(db, context, waiting)
            return (
                None if done else ApiError("not_applicable", "The rules do not allow it where the patient stands now.")
            )
        named = ask.named("patient_id")
        patient_id = patient_named(db, named) if named else None
        if patient_id is None:
            return _UNKNOWN_PATIENT
        reassign_case(db, context, waiting, patient_id, self._visit(db, patient_id, context))
        return None

    def _visit(self, db: ReadTransaction, patient_id: PatientId, context: JudgingContext) -> VisitId:
        """The visit that reassigned actions are of: the one that is under way, else one that they open."""
        journey = read_journey(db, context.definitions, patient_id, context.today)
        assert journey is not None
        return journey.visit_id or VisitId(context.ids())


def _put_away(db: WriteTransaction, exception_id: str, now_ms: int) -> None:
    row = db.row("select verdict_id from quarantine where exception_id = :id", id=exception_id)
    if row is not None:
        discard_verdict(db, row["verdict_id"], now_ms)


def _verdicts(db: ReadTransaction, verdict_ids: list[str]) -> list[dict[str, Any]]:
    rows = []
    for verdict_id in verdict_ids:
        row = db.row(
            "select verdict_id as action_id, verdict, code, revision, patient_id from verdicts"
            " where verdict_id = :id order by revision desc limit 1",
            id=verdict_id,
        )
        assert row is not None
        rows.append(dict(row))
    return rows
