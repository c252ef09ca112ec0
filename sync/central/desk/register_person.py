"""Registers a patient at the desk, with a hospital number or without one, and puts a walk-in into a line at once."""

from collections.abc import Mapping
from typing import Any

import msgspec

from sync.central.centre import Centre
from sync.central.desk.context import by_hand
from sync.central.desk.walk_in import InLine, put_in_line
from sync.central.imports.outcomes import TakenRow
from sync.central.imports.parts import Kind, PatientPart, read_part
from sync.central.imports.take_patient import take_patient
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.journeys import mark_changed
from sync.central.records.patients import patient_named
from sync.central.records.people import people_like
from sync.central.services.answers import Answer
from sync.central.services.errors import ApiError
from sync.central.services.once import ActionContext, Subject, once
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.ids import desk_id, is_desk_id
from sync.journey.model import PatientId, Refusal

REGISTER = "register_patient"  # the action type
_EXISTS = ApiError("patient_exists", "A patient has this hospital number already.")
_DOUBLE = ApiError("possible_double", "There are records that may be of the same person. Look at them first.")
_DESK_FORM = ApiError("malformed", "patient_id has the form of ids that the desk gives.")


class RegisteredPerson(msgspec.Struct, frozen=True):
    """A patient who was registered. `in_line` is the place of a walk-in; null for a patient who was only registered."""

    patient_id: str
    in_line: InLine | None


def register_person(centre: Centre, requester: Requester, request: ActionRequest) -> Answer:
    """Registers the patient of the payload: patient_id or none, name, birth_date, language.

    Records that may be of the same person are refused, unless the payload names them in `seen_doubles`. With `walk_in`
    the patient gets into the line of `exam_id`, or of the desk. Answers with a RegisteredPerson.
    """

    def act(context: ActionContext, _: Subject) -> RegisteredPerson | Refusal | ApiError:
        return _register(context)

    return once(centre, requester, request, lambda _: Subject("new"), act, lambda done: [done["patient_id"]])


def read_person_part(fields: Mapping[str, Any]) -> PatientPart | ApiError:
    """The fields of a patient as a row of a document holds them, or the error."""
    part = read_part(Kind.PATIENT, {name: value for name, value in fields.items() if value is not None})
    if isinstance(part, PatientPart):
        return part
    return ApiError("malformed", f"{getattr(part, 'reason', 'the patient is malformed')}.")


def _register(context: ActionContext) -> RegisteredPerson | Refusal | ApiError:
    db, payload = context.db, context.request.payload
    typed = payload.get("patient_id")
    fields = {name: payload.get(name) for name in ("name", "birth_date", "language")}
    part = read_person_part({**fields, "patient_id": typed or _new_id(context)})
    if isinstance(part, ApiError):
        return part
    if typed and is_desk_id(part.patient_id):
        return _DESK_FORM
    if patient_named(db, part.patient_id) is not None:
        return _EXISTS
    seen = set(payload.get("seen_doubles") or ())
    born = part.birth_date if isinstance(part.birth_date, str) else None
    alike = people_like(db, str(payload.get("name")), born, part.patient_id)
    if any(each.patient_id not in seen for each in alike):
        return _DOUBLE
    try:
        with db.savepoint():
            in_line = _written(context, part)
    except _RefusedError as refused:
        return refused.error
    who, now_ms, action_id = context.requester.who, context.now_ms, context.request.action_id
    patient_id = part.patient_id
    note(db, who, AuditKind.REGISTER_PATIENT, now_ms, patient_id=patient_id, action_id=action_id)
    return RegisteredPerson(patient_id, in_line)


def _written(context: ActionContext, part: PatientPart) -> InLine | None:
    """Writes the patient, and the place in the line. Raises _RefusedError, and the caller undoes what was written."""
    taken = take_patient(by_hand(context), part)
    if not isinstance(taken, TakenRow):
        raise _RefusedError(ApiError("malformed", f"{getattr(taken, 'reason', 'the patient was not taken')}."))
    mark_changed(context.db, part.patient_id)
    if not context.request.payload.get("walk_in"):
        return None
    found = put_in_line(context, PatientId(part.patient_id), context.request.named("exam_id"))
    if not isinstance(found, InLine):
        raise _RefusedError(found)
    return found


def _new_id(context: ActionContext) -> str:
    while patient_named(context.db, made := desk_id(context.today)) is not None:
        pass
    return made


class _RefusedError(Exception):
    """Undoes a registration that was refused."""

    def __init__(self, error: Refusal | ApiError) -> None:
        super().__init__(str(error.code))
        self.error = error
