"""Rows of the audit, found by patient, by bearer, by kind and by time."""

from dataclasses import dataclass
from typing import Any

import msgspec

from sync.central.records.person_names import is_part_of_name
from sync.central.store.transactions import ReadTransaction

PATIENT_IDS = "patient_ids"  # in the detail of a row about several patients


@dataclass(frozen=True, slots=True)
class AuditSearch:
    """What rows are looked for. A field that is not given does not limit the search.

    `patient_ids` are the ids that one patient has or had. `who` is a part of the bearer's name, or of the name of the
    person or kiosk; `kind` is the beginning of a kind. `since_ms` and `until_ms` are UTC, and rows are before
    `until_ms`. `before` is the id of a row, and older rows follow it.
    """

    limit: int
    patient_ids: tuple[str, ...] = ()
    who: str | None = None
    kind: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A row of the audit: at which time (UTC ms) who did or saw what, of which patients, its detail, and its block."""

    audit_id: str
    at_ms: int
    who: str
    kind: str
    patients: tuple[str, ...]
    action_id: str | None
    detail: dict[str, Any]
    block: int | None


def find_rows(db: ReadTransaction, search: AuditSearch) -> list[AuditRow]:
    """The newest rows that fit a search, newest first."""
    conditions, parameters = _of_patient(search.patient_ids)
    rows = db.rows(
        "select * from audit where (cast(:who as text) is null or replace(who, :who, '') <> who"  # noqa: S608
        f" or {is_part_of_name('audit.who', ':who')})"
        " and (cast(:kind as text) is null or substr(kind, 1, length(:kind)) = :kind)"
        " and (cast(:since_ms as bigint) is null or at_ms >= :since_ms)"
        " and (cast(:until_ms as bigint) is null or at_ms < :until_ms)"
        f" and (cast(:before as text) is null or audit_id < :before){conditions}"
        " order by audit_id desc limit :limit",
        who=search.who,
        kind=search.kind,
        since_ms=search.since_ms,
        until_ms=search.until_ms,
        before=search.before,
        limit=search.limit,
        **parameters,
    )
    return [_row(dict(row)) for row in rows]


def _of_patient(patient_ids: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """The condition for rows about a patient, and its parameters. A row about several has the ids in its detail."""
    if not patient_ids:
        return "", {}
    numbers = range(len(patient_ids))
    # `replace` tells apart what `like` does not: case.
    tests = [f"patient_id = :id{n} or replace(detail, :quoted{n}, '') <> detail" for n in numbers]
    parameters = {f"id{n}": patient_ids[n] for n in numbers}
    parameters |= {f"quoted{n}": msgspec.json.encode(patient_ids[n]).decode() for n in numbers}
    return f" and ({' or '.join(tests)})", parameters


def _row(row: dict[str, Any]) -> AuditRow:
    detail = msgspec.json.decode(row["detail"])
    patients = [row["patient_id"]] if row["patient_id"] is not None else detail.pop(PATIENT_IDS, [])
    return AuditRow(
        row["audit_id"],
        row["at_ms"],
        row["who"],
        row["kind"],
        tuple(patients),
        row["action_id"],
        detail,
        row["block"],
    )
