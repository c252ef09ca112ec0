"""Takes a small document whole, in the caller's transaction: the demo hospital, and the hospitals of tests."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from sync.central.imports.context import ImportContext
from sync.central.imports.outcomes import HeldCards, RefusedRow, RowOutcome, TakenRow
from sync.central.imports.parts import ExamPart, Kind, Part, read_part
from sync.central.imports.take_booking import take_booking
from sync.central.imports.take_exam import announce_exam, take_exam
from sync.central.imports.take_patient import take_patient
from sync.central.imports.take_site import take_site
from sync.central.records.site import NoSite, read_site
from sync.central.site_keys import SiteKeys
from sync.central.store.transactions import WriteTransaction
from sync.journey.definitions import Definitions


class DocumentError(ValueError):
    """The document cannot be taken. The message names the row and the fault, for the operator."""


class ImportReport(msgspec.Struct, frozen=True):
    """The number of new or changed rows of each kind."""

    exams: int
    patients: int
    cards: int
    appointments: int


@dataclass(frozen=True, slots=True)
class Hospital:
    """The typed rows of a document, by kind."""

    rows: Mapping[Kind, Sequence[Part]] = field(default_factory=dict)


def read_hospital(document: Any) -> Hospital:
    """The rows of a document {site, exams, patients, appointments}. Raises DocumentError for one that is malformed."""
    if not isinstance(document, dict):
        raise DocumentError("the document is no JSON object")
    unknown = [name for name in document if name not in list(Kind)]
    if unknown:
        raise DocumentError(f"unknown member {unknown[0]!r}")
    return Hospital({kind: [_part(kind, each) for each in _fields(document, kind)] for kind in Kind})


def _fields(document: dict[str, Any], kind: Kind) -> list[Any]:
    value = document.get(kind)
    if value is None:
        return []
    if kind is Kind.SITE:
        return [value]
    if not isinstance(value, list):
        raise DocumentError(f"{kind} is no list")
    return value


def _part(kind: Kind, fields: object) -> Part:
    part = read_part(kind, fields)
    if isinstance(part, RefusedRow):
        raise DocumentError(f"{kind}: {part.reason}")
    return part


def take_hospital(
    db: WriteTransaction, definitions: Definitions, keys: SiteKeys, hospital: Hospital, now_ms: int
) -> ImportReport:
    """Takes every row. Raises DocumentError for the first that is refused: the caller's transaction is undone."""
    exams = _taken(Kind.EXAM, hospital, lambda part: take_exam(db, part, _context(db, definitions, keys, now_ms)))
    _taken(Kind.SITE, hospital, lambda part: take_site(db, part, now_ms))
    context = _context(db, definitions, keys, now_ms)
    if context is None:
        raise DocumentError("site is missing, and the database holds none yet")
    patients = _taken(Kind.PATIENT, hospital, lambda part: take_patient(context, part))
    bookings = _taken(Kind.APPOINTMENT, hospital, lambda part: take_booking(context, part))
    for part, outcome in zip(hospital.rows.get(Kind.EXAM, ()), exams, strict=True):
        if outcome.changed and isinstance(part, ExamPart):
            announce_exam(db, part.exam_id, context.today)
    return ImportReport(
        sum(each.changed for each in exams),
        sum(each.changed for each in patients),
        sum(each.cards for each in patients),
        sum(each.changed for each in bookings),
    )


def _context(db: WriteTransaction, definitions: Definitions, keys: SiteKeys, now_ms: int) -> ImportContext | None:
    try:
        site = read_site(db)
    except NoSite:
        return None
    return ImportContext(db, definitions, keys, site, site.day(now_ms), now_ms)


def _taken(kind: Kind, hospital: Hospital, take: Callable[[Any], RowOutcome]) -> list[TakenRow]:
    outcomes = []
    for part in hospital.rows.get(kind, ()):
        outcome = take(part)
        if isinstance(outcome, RefusedRow):
            raise DocumentError(f"{kind}: {_name(part)}{outcome.reason}")
        if isinstance(outcome, HeldCards):
            holders = ", ".join(outcome.holders.values())
            raise DocumentError(f"{kind}: {_name(part)}cards belong to other patients: {holders}")
        outcomes.append(outcome)
    return outcomes


def _name(part: Part) -> str:
    names = ("appointment_id", "patient_id", "exam_id")  # the first of them that a part has is its own
    return next((f"{getattr(part, name)}: " for name in names if hasattr(part, name)), "")
