"""The parts of a hospital document, checked and typed: site, exam, patient, appointment.

A field that a part leaves out is UNSET and means "unchanged". A field that is null means "removed": from then on the
patient, exam or site has the default.
"""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET, UnsetType

from sync.central.imports.outcomes import RefusedRow
from sync.central.imports.reasons import MAX_MINUTES, in_plain_words
from sync.journey.model import LineOrder
from sync.text import clean

T = TypeVar("T")
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Text = Annotated[str, msgspec.Meta(max_length=256)]
Minutes = Annotated[int, msgspec.Meta(ge=0, le=MAX_MINUTES)]
TimeOfDay = Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Prefix = Annotated[str, msgspec.Meta(pattern=r"^[A-Z][A-Z0-9]{0,3}$")]
Language = Annotated[str, msgspec.Meta(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=128)]  # BCP 47
Languages = Annotated[tuple[Language, ...], msgspec.Meta(min_length=1)]


class Kind(StrEnum):
    """The kinds of rows, spelled as the members of a document, in the order in which rows are taken."""

    EXAM = "exams"
    SITE = "site"
    PATIENT = "patients"
    APPOINTMENT = "appointments"


class SitePart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The hospital itself. `desk` is the exam id of the place for patients without a booking."""

    name: Name | UnsetType = UNSET
    desk: Name | UnsetType = UNSET
    timezone: Name | UnsetType | None = UNSET
    day_starts_at: TimeOfDay | UnsetType | None = UNSET
    languages: Languages | UnsetType | None = UNSET
    ticket_prefix: Prefix | UnsetType | None = UNSET
    refuse_short_uids: bool | UnsetType | None = UNSET


class ExamPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An exam, or the desk. `public_label` is what a screen may show. `order` is what its line stands by."""

    exam_id: Name
    title: Text | UnsetType = UNSET
    public_label: Text | UnsetType = UNSET
    room: Text | UnsetType | None = UNSET
    minutes: Minutes | UnsetType | None = UNSET
    overnight: bool | UnsetType | None = UNSET
    order: LineOrder | UnsetType | None = UNSET


class PatientPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A patient. `cards` are all cards that the hospital's system knows of, as `sync.cards.judge_tag` takes them.

    Only the keyed hashes of the cards are kept.
    """

    patient_id: Name
    name: Name | UnsetType = UNSET
    masked_name: Text | UnsetType | None = UNSET
    language: Language | UnsetType | None = UNSET
    birth_date: Name | UnsetType | None = UNSET
    cards: tuple[str, ...] | UnsetType | None = UNSET


class AppointmentPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A booking. `scheduled_at` is ISO 8601; without an offset it is the site's local time."""

    appointment_id: Name
    patient_id: Name | UnsetType = UNSET
    exam_id: Name | UnsetType = UNSET
    scheduled_at: Name | UnsetType = UNSET
    status: Name | UnsetType = UNSET


Part = SitePart | ExamPart | PatientPart | AppointmentPart
PARTS: Mapping[Kind, type[Part]] = {
    Kind.EXAM: ExamPart,
    Kind.SITE: SitePart,
    Kind.PATIENT: PatientPart,
    Kind.APPOINTMENT: AppointmentPart,
}
# The fields by kind, the own id first. The site has no id.
FIELDS: Mapping[Kind, tuple[str, ...]] = {
    kind: tuple(field.name for field in msgspec.structs.fields(part)) for kind, part in PARTS.items()
}


def read_part(kind: Kind, fields: object) -> Part | RefusedRow:
    """The typed part of a row, with every text in its one form (`sync.text.clean`), or why it is refused."""
    try:
        part = msgspec.convert(_cleaned(fields), PARTS[kind])
    except msgspec.ValidationError as error:
        return RefusedRow(in_plain_words(str(error), kind, FIELDS[kind]))
    except ValueError as error:
        return RefusedRow(str(error))
    if isinstance(part, SitePart) and isinstance(part.timezone, str) and not is_zone(part.timezone):
        return RefusedRow(f"timezone {part.timezone!r} is no IANA time zone")
    if isinstance(part, PatientPart) and isinstance(part.birth_date, str) and not _is_date(part.birth_date):
        return RefusedRow("birth_date is no date of the calendar, such as 1958-03-02")
    return part


def given_or(given: T | UnsetType, before: T | None) -> T | None:
    """The value of a field that cannot be removed: the given one, else the one before; None where there is neither."""
    return before if isinstance(given, UnsetType) else given


def is_zone(name: str) -> bool:
    """Whether a name is that of an IANA time zone."""
    try:
        ZoneInfo(name)
    except (ValueError, KeyError, OSError):  # unknown, or not even the name of a file
        return False
    return True


def _cleaned(value: Any) -> Any:
    """A value with every text cleaned, at any depth. Raises ValueError."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {key: _field(key, each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(each) for each in value]
    return value


def _field(name: str, value: Any) -> Any:
    try:
        return _cleaned(value)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from error


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
