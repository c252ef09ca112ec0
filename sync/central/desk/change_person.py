"""Changes a patient's name, birth date or language by hand. The next document that names the patient says otherwise."""

import msgspec
from msgspec import UNSET

from sync.central.centre import Centre
from sync.central.desk.context import by_hand
from sync.central.desk.register_person import read_person_part
from sync.central.imports.outcomes import TakenRow
from sync.central.imports.take_patient import take_patient
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.patients import patient_named
from sync.central.services.answers import Answer, refused
from sync.central.services.errors import UNKNOWN_PATIENT, ApiError
from sync.central.services.once import ActionContext, Subject, once
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest

CHANGE = "change_patient"  # the action type
_FIELDS = ("name", "birth_date", "language")


class ChangedPerson(msgspec.Struct, frozen=True):
    """A patient, and whether anything of the record was changed."""

    patient_id: str
    changed: bool


def change_person(centre: Centre, requester: Requester, patient_id: str, request: ActionRequest) -> Answer:
    """Changes what the payload names of name, birth_date and language. An empty birth date removes it.

    Answers with a ChangedPerson.
    """

    def find_subject(context: ActionContext) -> Subject | Answer:
        named = patient_named(context.db, patient_id)
        return refused(UNKNOWN_PATIENT) if named is None else Subject(patient_id, named)

    def act(context: ActionContext, subject: Subject) -> ChangedPerson | ApiError:
        assert subject.patient_id is not None
        return _change(context, subject.patient_id)

    return once(centre, requester, request, find_subject, act)


def _change(context: ActionContext, patient_id: str) -> ChangedPerson | ApiError:
    given = {name: context.request.payload.get(name) for name in _FIELDS}
    part = read_person_part({"patient_id": patient_id, **{name: value for name, value in given.items() if value}})
    if isinstance(part, ApiError):
        return part
    if given["birth_date"] == "":
        part = msgspec.structs.replace(part, birth_date=None)
    taken = take_patient(by_hand(context), part)
    if not isinstance(taken, TakenRow):
        return ApiError("malformed", f"{getattr(taken, 'reason', 'the change was not taken')}.")
    names = [name for name in _FIELDS if getattr(part, name) is not UNSET]
    note(
        context.db,
        context.requester.who,
        AuditKind.CHANGE_PATIENT,
        context.now_ms,
        patient_id=patient_id,
        action_id=context.request.action_id,
        detail={"fields": names, "changed": taken.changed},
    )
    return ChangedPerson(patient_id, taken.changed)
