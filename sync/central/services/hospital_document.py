"""A hospital as one JSON document: site, exams, patients with their cards, and bookings, checked and typed."""

from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec

from sync.central.services.requests import is_name
from sync.protocol import DEFAULT_LANGUAGES

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Text = Annotated[str, msgspec.Meta(max_length=256)]
Minutes = Annotated[int, msgspec.Meta(ge=0, le=24 * 60)]
TimeOfDay = Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Prefix = Annotated[str, msgspec.Meta(pattern=r"^[A-Z][A-Z0-9]{0,3}$")]
Day = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class DocumentError(ValueError):
    """The document cannot be imported. The message names the fault, for the operator."""


class SitePart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The hospital itself. `desk` is the exam id of the place for patients without a booking."""

    name: Name
    desk: Name
    timezone: Name = "Asia/Seoul"
    day_starts_at: TimeOfDay = "04:00"
    languages: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1)] = DEFAULT_LANGUAGES
    ticket_prefix: Prefix = "C"


class ExamPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An exam, or the desk. `public_label` is what a screen may show."""

    exam_id: Name
    title: Text
    public_label: Text
    room: Text
    minutes: Minutes = 10
    overnight: bool = False


class PatientPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A patient. `cards` are ids as `sync.cards.judge_tag` takes them; only their keyed hashes are kept."""

    patient_id: Name
    name: Name
    masked_name: Text | None = None
    language: Name = DEFAULT_LANGUAGES[0]
    birth_date: Day | None = None
    cards: tuple[str, ...] = ()


class AppointmentPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A booking. `scheduled_at` is ISO 8601; without an offset it is the site's local time."""

    appointment_id: Name
    patient_id: Name
    exam_id: Name
    scheduled_at: Name


class Hospital(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole document. Without `site` the database must hold one already."""

    site: SitePart | None = None
    exams: tuple[ExamPart, ...] = ()
    patients: tuple[PatientPart, ...] = ()
    appointments: tuple[AppointmentPart, ...] = ()


def read_hospital(document: Any) -> Hospital:
    """The document as typed parts. Raises DocumentError where a part is malformed."""
    try:
        hospital = msgspec.convert(document, Hospital)
    except msgspec.ValidationError as error:
        raise DocumentError(str(error)) from error
    if hospital.site:
        check_site(hospital.site)
    for part in (*hospital.exams, *hospital.patients, *hospital.appointments):
        for field in ("exam_id", "patient_id", "appointment_id"):
            value = getattr(part, field, "-")
            if not is_name(value):
                raise DocumentError(f"{field} {value!r} is no printable text")
    return hospital


def check_site(site: SitePart) -> None:
    """Checks the parts of a site that its types cannot express. Raises DocumentError."""
    try:
        ZoneInfo(site.timezone)
    except (ValueError, KeyError, OSError) as error:  # unknown, or not even the name of a file
        raise DocumentError(f"{site.timezone!r} is no IANA time zone") from error
