"""Takes a row of `patients`, with the cards."""

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, UnsetType

from sync.central.imports.announce import announce
from sync.central.imports.context import ImportContext
from sync.central.imports.outcomes import HeldCards, RefusedRow, RowOutcome, TakenRow
from sync.central.imports.parts import PatientPart, given_or
from sync.central.imports.take_cards import NO_MOVES, CardsOutcome, Moves, take_cards
from sync.central.records.patients import add_patient, patient_named, read_patient, update_patient
from sync.clock import day_after
from sync.ids import is_desk_id, is_provisional_id
from sync.words.masks import masked

Values = Mapping[str, Any]


def take_patient(
    context: ImportContext, part: PatientPart, moves: Moves = NO_MOVES, *, last: bool = False
) -> RowOutcome:
    """Adds a patient, or changes what the part names. Where the row is refused, the caller undoes what was written.

    A patient id that was merged into another patient means the other patient, who gets the cards and keeps the name.
    `moves` and `last` are those of `take_cards`.
    """
    if is_provisional_id(part.patient_id):
        return RefusedRow("patient_id has the form that kiosks give the holders of unknown cards")
    patient_id = patient_named(context.db, part.patient_id)
    if patient_id is None and is_desk_id(part.patient_id) and not context.by_hand:
        return RefusedRow("patient_id has the form that the desk gives patients without a hospital number")
    changed = False
    if patient_id in (None, part.patient_id):
        before = read_patient(context.db, part.patient_id) if patient_id else None
        after = _values(context, part, before)
        if isinstance(after, RefusedRow):
            return after
        changed = _write(context, part.patient_id, before, after)
    cards = CardsOutcome()
    if not isinstance(part.cards, UnsetType):
        taken = take_cards(context, patient_id or part.patient_id, part.cards or (), moves, last=last)
        if isinstance(taken, HeldCards | RefusedRow):
            return taken
        cards = taken
    return TakenRow(changed, cards.changed, cards.note, cards.omits)


def _write(context: ImportContext, patient_id: str, before: Values | None, after: Values) -> bool:
    if before is None:
        add_patient(context.db, context.definitions, patient_id, after, context.today, context.now_ms)
        return True
    if all(before[column] == value for column, value in after.items()):
        return False
    update_patient(context.db, patient_id, after)
    announce(context, patient_id)
    return True


def _values(context: ImportContext, part: PatientPart, before: Values | None) -> Values | RefusedRow:
    """The patient's columns after this part."""
    name = given_or(part.name, before["name"] if before else None)
    if not name:
        return RefusedRow("a new patient needs a name")
    # The calendar is ahead of the site's day until the day's start.
    if isinstance(part.birth_date, str) and part.birth_date > day_after(context.today):
        return RefusedRow("birth_date is in the future")
    return {
        "name": name,
        "masked_name": _masked_name(part, before, name),
        "language": _value(part.language, before and before["language"], context.site.site.languages[0]),
        "birth_date": _value(part.birth_date, before and before["birth_date"], None),
    }


def _masked_name(part: PatientPart, before: Values | None, name: str) -> str:
    """The given one; else an earlier one that was given. One that was made of an earlier name is made again."""
    if not isinstance(part.masked_name, UnsetType) and part.masked_name is not None:
        return part.masked_name
    was_given = before is not None and before["masked_name"] != masked(before["name"])
    if part.masked_name is UNSET and before is not None and was_given:
        return str(before["masked_name"])
    return masked(name)


def _value(given: Any, before: Any, default: Any) -> Any:
    """The given value; the one before where none is given; the default where the document removes the value."""
    if given is UNSET:
        return default if before is None else before
    return default if given is None else given
