"""A patient's bindings as staff see them, in force and ended. A card appears by its binding's id, never as a hash."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from sync.central.centre import Centre
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.bindings import BindingOrigin, BindingRecord, binding_records, read_binding
from sync.central.records.patients import patient_named
from sync.central.records.site import read_site
from sync.central.services.answers import Answer, refused
from sync.central.services.bodies import ActionBody, Reason, read_members
from sync.central.services.errors import UNKNOWN_PATIENT, ApiError
from sync.central.services.lists import FIRST, Page
from sync.central.services.once import ActionContext, Subject
from sync.central.services.requests import NO_REASON
from sync.central.services.told import Told
from sync.clock import iso
from sync.journey.model import BindingId

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
    origin: BindingOrigin
    bound_by: str
    ended_by: str | None
    reason: str


class PatientBindings(msgspec.Struct, frozen=True):
    """Some of a patient's bindings, oldest first, and the number of bindings after them."""

    patient_id: str
    bindings: list[BindingShown]
    more: int


class ChangedBinding(msgspec.Struct, frozen=True):
    """A binding that was ended, or whose card was blocked or unblocked, and its new state."""

    binding_id: str
    patient_id: str
    state: BindingState


def list_bindings(centre: Centre, patient_id: str, page: Page = FIRST) -> Told | ApiError:
    """A patient's bindings, in force and ended."""
    with centre.store.read() as db:
        named = patient_named(db, patient_id)
        if named is None:
            return UNKNOWN_PATIENT
        timezone = read_site(db).site.timezone
        records = binding_records(db, named)
        begin = _place_after(records, page.after)
        if isinstance(begin, ApiError):
            return begin
        end = begin + page.limit
        shown = PatientBindings(
            named, [binding_shown(each, timezone) for each in records[begin:end]], max(0, len(records) - end)
        )
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


class Ending(ActionBody, frozen=True, kw_only=True):
    """The reason why a binding ends, or why a card is blocked or unblocked."""

    reason: Reason = ""


def read_ending(document: Mapping[str, Any]) -> dict[str, Any] | ApiError:
    """The payload {reason} of an action that ends a binding, blocks a card or unblocks it, or the error."""
    found = read_members(Ending, document, {"reason": NO_REASON})
    return found if isinstance(found, ApiError) else {"reason": found.reason}


def _place_after(records: Sequence[BindingRecord], after: str | None) -> int | ApiError:
    """The place of the first binding after the one of an id."""
    if after is None:
        return 0
    ids = [each.binding_id for each in records]
    return ids.index(BindingId(after)) + 1 if after in ids else _NO_BINDING


def binding_shown(record: BindingRecord, timezone: str) -> BindingShown:
    """A binding as staff see it."""
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
