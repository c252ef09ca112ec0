"""What a kiosk that lies must never move: everything at the centre that is not its own, row by row."""

from __future__ import annotations

from typing import Any

from tests.simulation.centre import Centre
from tests.simulation.hospital import LIAR, LIARS_OWN

_OWN = f"({', '.join(repr(each) for each in LIARS_OWN)})"
_OTHERS = f"patient_id not in {_OWN}"
_KIOSKS = f"kiosk_id <> 'kiosk-{LIAR}'"
_COLUMNS = {
    "kiosks": "kiosk_id, ticket_prefix, grants, epoch, seen_ms, answered_ms, unanswered_ms, revoked_ms",
    "journeys": "patient_id, state, site_day, visit_id, leg, journey_version, current_queue_id",
    "card_blocks": "block_id, begin_ms, blocked_by, end_ms",
}
# A look-up puts its patient on the roster for a day, and a snapshot may renumber rows. Neither changes a patient.
_ROWS = {
    "patients": "true",
    "journeys": _OTHERS,
    "entries": _OTHERS,
    "appointments": _OTHERS,
    "visits": _OTHERS,
    "transitions": _OTHERS,
    "entry_history": _OTHERS,
    "corrections": _OTHERS,
    # A name of another's, or a name that only a hospital gives.
    "patient_aliases": f"{_OTHERS} or alias_id not like 'card-%'",
    "visit_aliases": f"visit_id not in (select visit_id from visits where patient_id in {_OWN})",
    "merged_visits": "true",
    "proofs": f"visit_id not in (select visit_id from visits where patient_id in {_OWN})",
    "bindings": "true",
    "binding_hashes": "true",
    "card_blocks": "true",
    "blocked_hashes": "true",
    "kiosks": _KIOSKS,
    "tokens": f"kiosk_id is null or {_KIOSKS}",
    "chains": _KIOSKS,
    "receipts": _KIOSKS,
    "told_seqs": _KIOSKS,
    "backlogs": _KIOSKS,
    "catching_up": _KIOSKS,
    "lookups": _KIOSKS,
    "verdicts": _KIOSKS,
    "waiting": _KIOSKS,
    "quarantine": _KIOSKS,
    "exceptions": f"kiosk_id is null or {_KIOSKS}",
    "actions": f"source <> 'kiosk-{LIAR}'",
    "audit": f"who <> 'kiosk-{LIAR}'",
    "site": "true",
    "incarnation": "true",
    "definitions": "true",
}
_QUERIES = {table: f"select {_COLUMNS.get(table, '*')} from {table} where {which}" for table, which in _ROWS.items()}
# An action of the liar must not wait in a case about another kiosk's, where staff would apply both.
_QUERIES["cases"] = (
    "select w.verdict_id from waiting w join exceptions e using (exception_id)"
    f" where w.kiosk_id = 'kiosk-{LIAR}' and e.kiosk_id <> w.kiosk_id"
)

Rows = dict[str, list[tuple[Any, ...]]]


def of_the_others(centre: Centre) -> Rows:
    """All rows that are not the liar's, by table."""
    with centre.store.read() as db:
        return {table: [tuple(row) for row in db.rows(query)] for table, query in _QUERIES.items()}


def differences(before: Rows, after: Rows) -> list[str]:
    """The rows that differ, in words; none where nothing has moved."""
    found = []
    for table, rows in after.items():
        if rows != before[table]:
            changed = [row for row in rows if row not in before[table]]
            found.append(f"{table}: {changed} in place of {[row for row in before[table] if row not in rows]}")
    return found
