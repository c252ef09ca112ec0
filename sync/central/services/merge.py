"""Merges two records of one person: every row of the second goes to the first, and its id becomes an alias.

One transaction writes the merge. Where both records are on a visit, the visit of the first goes on and the other ends.
The queue entry of the other visit stays an entry of the patient. Later kiosk actions of that visit go to staff, who get
a case.
"""

from collections.abc import Callable

import msgspec

from sync.central.centre import Centre
from sync.central.days.open_journey import open_journey
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.cases import TWO_VISITS, NewCase, open_case
from sync.central.records.history import day_end
from sync.central.records.journeys import change_of, mark_changed
from sync.central.records.merges import end_merged_visit, move_rows, replace_by_alias, write_merged_journey
from sync.central.records.patients import patient_named
from sync.central.records.visit_tokens import move_visit_tokens
from sync.central.services.answers import Answer
from sync.central.services.errors import UNKNOWN_PATIENT, ApiError
from sync.central.services.once import ActionContext, Subject, once
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.journey.definitions import Definitions
from sync.journey.model import Journey, PatientId


class MergedPatient(msgspec.Struct, frozen=True):
    """A patient, and the id of the record that was merged into theirs."""

    patient_id: str
    merged: str


_CHANGED = ApiError("changed_meanwhile", "One of the records has changed since it was shown: look at both again.")


def merge_patients(centre: Centre, requester: Requester, kept: str, request: ActionRequest) -> Answer:
    """Merges the record that the payload names (`patient_id`) into the record `kept`.

    With `seen`, the text of a preview, it is refused where one of the records has changed since. Answers with a
    MergedPatient.
    """

    def act(context: ActionContext, _: Subject) -> MergedPatient | ApiError:
        db, now_ms = context.db, context.now_ms
        patient_id, gone = patient_named(db, kept), patient_named(db, str(request.named("patient_id")))
        if patient_id is None or gone is None:
            return UNKNOWN_PATIENT
        if patient_id == gone:
            return ApiError("same_patient", "Both ids belong to the same patient already.")
        seen = request.named("seen")
        if seen is not None and seen != seen_versions(db, patient_id, gone):
            return _CHANGED
        merge(db, centre.definitions, patient_id, gone, context.today, now_ms, centre.ids)
        detail = {"gone": gone}
        kind, action_id = AuditKind.MERGE, request.action_id
        note(db, requester.who, kind, now_ms, patient_id=patient_id, action_id=action_id, detail=detail)
        return MergedPatient(patient_id, gone)

    return once(centre, requester, request, lambda _: Subject(kept), act, lambda done: list(done.values()))


def seen_versions(db: ReadTransaction, kept: PatientId, gone: PatientId) -> str:
    """A text that is another one after a change of either record's journey, cards or bookings of these days."""
    return "-".join(str(change_of(db, each)) for each in (kept, gone))


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
    move_rows(db, kept, gone, version)
    replace_by_alias(db, kept, gone, now_ms)
    # The journey on the visit under way goes on. Its entries, its bookings and its visit are the patient's already.
    goes_on = other if before.visit_id is None and other.visit_id is not None else before
    write_merged_journey(db, kept, goes_on, version)
    return mark_changed(db, kept)


def _end_second_visit(
    db: WriteTransaction, kept: PatientId, before: Journey, other: Journey, now_ms: int, exception_id: str
) -> None:
    assert other.visit_id is not None
    assert before.visit_id is not None
    end_merged_visit(db, other.visit_id, now_ms)
    move_visit_tokens(db, other.visit_id, before.visit_id)
    detail = {
        "visits": [before.visit_id, other.visit_id],
        "journey_states": [before.state, other.state],
        "patient_ids": [before.patient_id, other.patient_id],
    }
    open_case(db, exception_id, NewCase(TWO_VISITS, None, detail, kept, visit_id=other.visit_id), now_ms)
