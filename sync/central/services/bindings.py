"""A patient's bindings as staff see them, in force and ended. A card appears by its binding's id, never as a hash."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from sync.central.centre import Centre
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.bindings import BindingRecord, Origin, binding_records, read_binding
from sync.central.records.patients import patient_named
from sync.central.records.site import read_site
from sync.central.services.answers import Answer, refused
from sync.central.services.errors import UNKNOWN_PATIENT, ApiError
from sync.central.services.once import ActionContext, Subject
from sync.central.services.requests import NO_REASON, is_reason
from sync.central.services.told import Told
from sync.clock import iso

BindingState = Literal["active", "ended", "blocked"]  # blocked: ended, and the card is blocked now

_NO_BINDING = ApiError("not_found", "The patient has no such binding.")


class BindingShown(msgspec.Struct, frozen=True):
    """A binding of a patient's card, in force or ended. `until` is null while it is in force.

    `origin` names its source. `reason` is why it ended, or why its card is blocked.
    """

    binding_id: str
    label: str
    state: BindingState
    since: str
    until: str | None
    origin: Origin
    bound_by: str
    ended_by: str | None
    reason: str


class PatientBindings(msgspec.Struct, frozen=True):
    """A patient's bindings, oldest first."""

    patient_id: str
    bindings: list[BindingShown]


class ChangedBinding(msgspec.Struct, frozen=True):
    """A binding that was ended, or whose card was blocked or unblocked, and its new state."""

    binding_id: str
    patient_id: str
    state: BindingState


def list_bindings(centre: Centre, patient_id: str) -> Told | ApiError:
    """A patient's bindings, in force and ended."""
    with centre.store.read() as db:
        named = patient_named(db, patient_id)
        if named is None:
            return UNKNOWN_PATIENT
        timezone = read_site(db).site.timezone
        shown = PatientBindings(named, [_shown(each, timezone) for each in binding_records(db, named)])
        return Told(shown, AuditKind.LOOK_BINDINGS, (named,))


def binding_subject(patient_id: str, binding_id: str) -> Callable[[ActionContext], Subject | Answer]:
    """Finds the subject of an action on a patient's binding. Refuses an unknown patient, and another's binding."""

    def find_subject(context: ActionContext) -> Subject | Answer:
        named = patient_named(context.db, patient_id)
        if named is None:
            return refused(UNKNOWN_PATIENT)
        found = read_binding(context.db, binding_id)
        if found is None or found.patient_id != named:
            return refused(_NO_BINDING)
        return Subject(binding_id, named)

    return find_subject


def read_ending(document: Mapping[str, Any]) -> dict[str, Any] | ApiError:
    """The payload {reason} of an action that ends a binding, blocks a card or unblocks it, or the error."""
    reason = document.get("reason", "")
    return {"reason": reason} if is_reason(reason) else NO_REASON


def _shown(record: BindingRecord, timezone: str) -> BindingShown:
    return BindingShown(
        record.binding_id,
        record.source.label,
        _state(record),
        iso(record.begin_ms, timezone),
        None if record.end_ms is None else iso(record.end_ms, timezone),
        record.source.origin,
        record.source.who,
        record.ended_by,
        record.reason,
    )


def _state(record: BindingRecord) -> BindingState:
    if record.blocked:
        return "blocked"
    return "active" if record.end_ms is None else "ended"
