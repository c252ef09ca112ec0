"""Takes a row of `patients`, with the cards."""

from typing import Any

from msgspec import UNSET

from sync.central.imports.context import ImportContext
from sync.central.imports.outcomes import RefusedRow, RowOutcome, TakenRow
from sync.central.imports.parts import PatientPart, given_or
from sync.central.imports.take_cards import CardsOutcome, take_cards
from sync.central.records.patients import patient_named, put_patient, read_patient
from sync.protocol import DEFAULT_LANGUAGES
from sync.words.masks import masked


def take_patient(context: ImportContext, part: PatientPart) -> RowOutcome:
    """Adds a patient, or changes what the part names. Where the row is refused, the caller undoes what it wrote.

    A patient id that was merged into another patient means the other patient, who gets the cards and keeps the name.
    """
    patient_id = patient_named(context.db, part.patient_id) or part.patient_id
    changed = False
    if patient_id == part.patient_id:
        values = _values(context, part)
        if isinstance(values, RefusedRow):
            return values
        changed = put_patient(
            context.db, context.definitions, patient_id, today=context.today, now_ms=context.now_ms, **values
        )
    cards = CardsOutcome()
    if part.cards is not UNSET:
        taken = take_cards(context, patient_id, part.cards or ())
        if isinstance(taken, RefusedRow):
            return taken
        cards = taken
    return TakenRow(changed, cards.changed, cards.note)


def _values(context: ImportContext, part: PatientPart) -> dict[str, Any] | RefusedRow:
    """The patient's columns after this part."""
    before = read_patient(context.db, part.patient_id)
    name = given_or(part.name, before["name"] if before else None)
    if name is None:
        return RefusedRow("a new patient needs a name")
    if not name:
        return RefusedRow("name is empty")
    return {
        "name": name,
        "masked_name": _masked_name(part, before, name),
        "language": _value(part.language, before and before["language"], DEFAULT_LANGUAGES[0]),
        "birth_date": _value(part.birth_date, before and before["birth_date"], None),
    }


def _masked_name(part: PatientPart, before: dict[str, Any] | None, name: str) -> str:
    """The given one; else an earlier one that was given. One that was made of an earlier name is made anew."""
    if part.masked_name is not UNSET and part.masked_name is not None:
        return part.masked_name
    was_given = before is not None and before["masked_name"] != masked(before["name"])
    if part.masked_name is UNSET and before is not None and was_given:
        return str(before["masked_name"])
    return masked(name)


def _value(given: Any, before: Any, default: Any) -> Any:
    if given is UNSET:
        return default if before is None else before
    return default if given is None else given
