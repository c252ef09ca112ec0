"""Merges two records of one person: every row of the second goes to the first, and its id becomes an alias.

One transaction writes the merge. Where both records are on a visit, the visit of the first goes on and the other ends.
The queue entry of the other visit stays an entry of the patient. Later kiosk actions of that visit go to staff, who get
a case.
"""

from collections.abc import Callable
from typing import Any

from sync.central.centre import Centre
from sync.central.records.audit import note
from sync.central.records.cases import TWO_VISITS, NewCase, open_case
from sync.central.records.history import day_end
from sync.central.records.journeys import mark_changed, open_journey
from sync.central.records.patients import patient_named
from sync.central.services.answers import Answer
from sync.central.services.errors import UNKNOWN_PATIENT, ApiError
from sync.central.services.once import ActionContext, Requester, Subject, once
from sync.central.services.requests import ActionRequest
from sync.central.store.transactions import WriteTransaction
from sync.journey.definitions import Definitions
from sync.journey.model import Journey, PatientId

_TABLES = ("bindings", "appointments", "entries", "transitions", "entry_history", "corrections", "tokens")
_LOOSE_TABLES = ("patient_aliases", "actions", "exceptions")  # their patient_id need not be a known patient


def merge_patients(centre: Centre, requester: Requester, kept: str, request: ActionRequest) -> Answer:
    """Merges the record that the payload names (`patient_id`) into the record `kept`.

    Answers with {patient_id, merged}.
    """

    def act(context: ActionContext, _: Subject) -> dict[str, Any] | ApiError:
        db, now_ms = context.db, context.now_ms
        patient_id, gone = patient_named(db, kept), patient_named(db, str(request.named("patient_id")))
        if patient_id is None or gone is None:
            return UNKNOWN_PATIENT
        if patient_id == gone:
            return ApiError("same_patient", "Both ids belong to the same patient already.")
        merge(db, centre.definitions, patient_id, gone, context.today, now_ms, centre.ids)
        detail = {"gone": gone}
        note(db, requester.who, "merge", now_ms, patient_id=patient_id, action_id=request.action_id, detail=detail)
        return {"patient_id": patient_id, "merged": gone}

    return once(centre, requester, request, lambda _: Subject(kept), act)


def merge(
    db: WriteTransaction,
    definitions: Definitions,
    kept: PatientId,
    gone: PatientId,
    today: str,
    now_ms: int,
    ids: Callable[[], str],
) -> int:
    """Makes `gone` an alias of `kept`, which is another patient. Returns the change number."""
    before = open_journey(db, definitions, kept, today, day_end(now_ms))
    other = open_journey(db, definitions, gone, today, day_end(now_ms))
    assert before is not None
    assert other is not None
    if before.visit_id is not None and other.visit_id is not None:
        _end_second_visit(db, kept, before, other, now_ms, ids())
    version = max(before.journey_version, other.journey_version) + 1
    _move_rows(db, kept, gone, version)
    change = db.next_change()
    db.execute("delete from journeys where patient_id = :gone", {"gone": gone})
    db.execute("delete from patients where patient_id = :gone", {"gone": gone})
    db.execute(
        "insert into patient_aliases values (:gone, :kept, :now_ms, :change)",
        {"gone": gone, "kept": kept, "now_ms": now_ms, "change": change},
    )
    db.announce(change, gone)
    _write_journey(db, before, other, version)
    return mark_changed(db, kept)


def _end_second_visit(
    db: WriteTransaction, kept: PatientId, before: Journey, other: Journey, now_ms: int, exception_id: str
) -> None:
    db.execute("insert into merged_visits values (:id, :now_ms)", {"id": other.visit_id, "now_ms": now_ms})
    db.execute("update visits set closed_ms = :now_ms where visit_id = :id", {"id": other.visit_id, "now_ms": now_ms})
    detail = {
        "visits": [before.visit_id, other.visit_id],
        "journey_states": [before.state, other.state],
        "patient_ids": [before.patient_id, other.patient_id],
    }
    open_case(db, exception_id, NewCase(TWO_VISITS, None, detail, kept, visit_id=other.visit_id), now_ms)


def _move_rows(db: WriteTransaction, kept: PatientId, gone: PatientId, version: int) -> None:
    both = {"kept": kept, "gone": gone}
    # A day's visits are numbered, so the other record's visits come after the patient's own. No kiosk has seen one of
    # them as a visit of this patient yet.
    db.execute(
        "update visits set patient_id = :kept, opened_version = :version, ordinal = ordinal"
        " + (select coalesce(max(v.ordinal), 0) from visits v"
        " where v.patient_id = :kept and v.site_day = visits.site_day) where patient_id = :gone",
        {**both, "version": version},
    )
    for table in (*_TABLES, *_LOOSE_TABLES):
        db.execute(f"update {table} set patient_id = :kept where patient_id = :gone", both)  # noqa: S608
    # Those verdicts led to versions of a journey that no longer exists.
    db.execute("update verdicts set patient_id = :kept, changed_version = null where patient_id = :gone", both)


def _write_journey(db: WriteTransaction, before: Journey, other: Journey, version: int) -> None:
    """Writes the journey after the merge: on the visit under way, with a version above both journeys' versions."""
    on = other if before.visit_id is None and other.visit_id is not None else before
    # The entries, the bookings and the visit row belong to the patient already.
    db.execute(
        "update journeys set state = :state, visit_id = :visit_id, leg = :leg, current_queue_id = :current_queue_id,"
        " journey_version = :version where patient_id = :kept",
        {
            "state": on.state,
            "visit_id": on.visit_id,
            "leg": on.leg,
            "current_queue_id": on.current_queue_id,
            "version": version,
            "kept": before.patient_id,
        },
    )
