"""Rows of a document as the command sends them, and what the database holds after them."""

from __future__ import annotations

from typing import Any

from sync.cards import canonical_tag
from sync.central.imports.parts import Kind
from sync.central.imports.portion import PortionRow, RowAnswer, take_rows
from sync.central.records.bindings import binding_of_card
from tests.sync.central.centre import Centre


def sent(kind: str, line: int = 1, **fields: Any) -> PortionRow:
    return PortionRow(Kind(kind), line, fields)


def patient_row(patient_id: str, **fields: Any) -> PortionRow:
    return sent("patients", patient_id=patient_id, **fields)


def take(centre: Centre, *rows: PortionRow, check: bool = False) -> list[RowAnswer]:
    return take_rows(centre.parts, rows, check=check)


def taken(centre: Centre, *rows: PortionRow) -> list[RowAnswer]:
    """Rows of which none is refused."""
    results = take(centre, *rows)
    assert [each for each in results if each.refused or each.held] == []
    return results


def holder(centre: Centre, card: str) -> str | None:
    """The patient whom a card opens."""
    with centre.store.read() as db:
        binding = binding_of_card(db, centre.parts.keys.hashes(canonical_tag(card)))
    return binding.patient_id if binding else None


def patient_columns(centre: Centre, patient_id: str) -> dict[str, Any]:
    (row,) = centre.rows(
        "select name, masked_name, language, birth_date from patients where patient_id = :id", id=patient_id
    )
    return row
