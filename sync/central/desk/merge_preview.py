"""Two records of one person side by side, and the record that a merge would make of them. Nothing is written."""

import contextlib
from enum import StrEnum

import msgspec

from sync.central.centre import Centre
from sync.central.desk.person import DeskPerson, desk_person
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.patients import patient_named
from sync.central.records.site import read_site
from sync.central.services.errors import UNKNOWN_PATIENT, ApiError
from sync.central.services.merge import merge, seen_versions
from sync.central.services.told import Told, told_of
from sync.journey.definitions import Definitions
from sync.text import fold

_SAME = ApiError("same_patient", "Both ids belong to the same patient already.")


class Conflict(StrEnum):
    """Why staff should look twice before they merge."""

    OTHER_NAME = "other_name"
    OTHER_BIRTH_DATE = "other_birth_date"
    TWO_VISITS = "two_visits"  # the visit of the second record ends, and staff get a case
    SAME_LINE = "same_line"  # the patient would stand twice in the line of one exam
    NUMBER_IS_LOST = "number_is_lost"  # a hospital number would become the alias of an id of the desk


class MergePreview(msgspec.Struct, frozen=True):
    """The record that stays, the one that goes, the record after the merge, and the conflicts.

    `seen` names what is shown: the merge takes it, and is refused where anything has changed since.
    """

    kept: DeskPerson
    gone: DeskPerson
    after: DeskPerson
    conflicts: list[Conflict]
    seen: str


class _Undo(Exception):
    """Undoes the merge that was only tried."""


def preview_merge(centre: Centre, kept_id: str, gone_id: str) -> Told | ApiError:
    """The MergePreview of the record `gone_id` into the record `kept_id`."""
    found: Told | ApiError = UNKNOWN_PATIENT
    with contextlib.suppress(_Undo), centre.store.write() as db:
        kept, gone = patient_named(db, kept_id), patient_named(db, gone_id)
        if kept is None or gone is None:
            raise _Undo
        if kept == gone:
            found = _SAME
            raise _Undo
        now_ms = centre.clock()
        before = desk_person(db, centre, kept, now_ms), desk_person(db, centre, gone, now_ms)
        seen = seen_versions(db, kept, gone)
        merge(db, centre.definitions, kept, gone, read_site(db).day(now_ms), now_ms, centre.ids)
        after = desk_person(db, centre, kept, now_ms)
        shown = MergePreview(*before, after, conflicts(centre.definitions, *before), seen)
        found = told_of(shown, AuditKind.LOOK_DESK, [kept, gone])
        raise _Undo
    return found


def conflicts(definitions: Definitions, kept: DeskPerson, gone: DeskPerson) -> list[Conflict]:
    """What speaks against a merge, or needs attention after it."""
    lines = [{each.exam_id for each in side.entries if each.state in definitions.live} for side in (kept, gone)]
    dates = {each.birth_date for each in (kept, gone) if each.birth_date is not None}
    found = {
        Conflict.OTHER_NAME: fold(kept.name) != fold(gone.name),
        Conflict.OTHER_BIRTH_DATE: len(dates) > 1,
        Conflict.TWO_VISITS: kept.on_visit and gone.on_visit,
        Conflict.SAME_LINE: bool(lines[0] & lines[1]),
        Conflict.NUMBER_IS_LOST: gone.has_number and not kept.has_number,
    }
    return [each for each, is_so in found.items() if is_so]
