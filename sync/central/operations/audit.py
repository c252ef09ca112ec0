"""The audit, for an operator: who was told of which patients, who was refused, and what was done besides journeys."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sync.central.centre import Centre
from sync.central.operations import TellingOperation
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.audit_search import PATIENT_IDS, AuditRow, AuditSearch, find_rows
from sync.central.records.patients import names_of, patient_named
from sync.central.records.site import has_site, read_site
from sync.central.services.lists import MAX_ROWS
from sync.central.services.named_patients import named_patients
from sync.central.services.told import Telling, told_of
from sync.central.store.transactions import ReadTransaction
from sync.clock import iso, local_ms
from sync.control import ControlError


def audit_operations(centre: Centre) -> dict[str, TellingOperation]:
    """The operation on the audit, by name."""
    return {"access-log": lambda arguments: _find(centre, arguments)}


def _find(centre: Centre, arguments: Mapping[str, Any]) -> Telling:
    """The newest rows that fit, oldest first: {rows, before}. Rows older than `before` fit too; None: there are none.

    `since` is a date or a local time of the site, such as 2026-12-01 or 2026-12-01T09:30.
    """
    limit = min(max(int(arguments.get("limit") or MAX_ROWS), 1), MAX_ROWS)
    with centre.store.read() as db:
        timezone = read_site(db).site.timezone if has_site(db) else "UTC"
        search = AuditSearch(
            limit + 1,
            _names(db, arguments.get("patient_id")),
            _text(arguments.get("who")),
            _text(arguments.get("kind")),
            _since_ms(arguments.get("since"), timezone),
            _text(arguments.get("before")),
        )
        found = find_rows(db, search)
        # Ids sort by the machine's time at their making, and rows that count by the begin of their period.
        rows = [_shown(row, timezone) for row in sorted(reversed(found[:limit]), key=lambda row: row.at_ms)]
        patients = named_patients(db, [{PATIENT_IDS: row["patients"]} for row in rows])
    before = found[limit - 1].audit_id if len(found) > limit else None
    return told_of({"rows": rows, "before": before}, AuditKind.LOOK_AUDIT, patients)


def _names(db: ReadTransaction, named: object) -> tuple[str, ...]:
    """The ids that a patient has and had. An id that nobody has may still stand in rows."""
    if named is None:
        return ()
    patient_id = patient_named(db, str(named))
    return names_of(db, patient_id) if patient_id is not None else (str(named),)


def _text(given: object) -> str | None:
    return str(given) if given else None


def _since_ms(given: object, timezone: str) -> int | None:
    if not given:
        return None
    day, _, time_of_day = str(given).partition("T")
    try:
        return local_ms(day, time_of_day or "00:00", timezone)
    except ValueError as error:
        raise ControlError(f"{str(given)[:64]} is no date or time such as 2026-12-01 or 2026-12-01T09:30") from error


def _shown(row: AuditRow, timezone: str) -> dict[str, Any]:
    shown = asdict(row)
    return {"audit_id": shown.pop("audit_id"), "at": iso(shown.pop("at_ms"), timezone), **shown}
