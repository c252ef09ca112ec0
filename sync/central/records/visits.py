"""Visits as rows, and the other ids that a visit is known by."""

from dataclasses import dataclass

from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.journey.model import Journey, PatientId, VisitId


@dataclass(frozen=True, slots=True)
class VisitRow:
    """A visit, with its corrections by staff and its merges.

    `corrected_version` is the journey_version after the last correction by staff (0: none). `merged`: the visit is one
    of two that were under way when two records were merged.
    """

    visit_id: VisitId
    patient_id: PatientId
    site_day: str
    corrected_version: int
    merged: bool


def visit_named(db: ReadTransaction, visit_id: str) -> str:
    """The id of the visit that an id or an alias names. An unknown id is returned as it is."""
    row = db.row("select visit_id from visit_aliases where alias_id = :visit_id", visit_id=visit_id)
    return str(row["visit_id"]) if row else visit_id


def read_visit(db: ReadTransaction, visit_id: str) -> VisitRow | None:
    """The visit that an id means, aliases resolved; None where there is none."""
    row = db.row(
        "select v.visit_id, v.patient_id, v.site_day,"
        " (select max(c.journey_version) from corrections c where c.visit_id = v.visit_id) as corrected_version,"
        " (select count(*) from merged_visits m where m.visit_id = v.visit_id) as merged from visits v"
        " where v.visit_id = coalesce((select visit_id from visit_aliases where alias_id = :visit_id), :visit_id)",
        visit_id=visit_id,
    )
    if row is None:
        return None
    return VisitRow(
        row["visit_id"], row["patient_id"], row["site_day"], row["corrected_version"] or 0, bool(row["merged"])
    )


def is_visit_of(db: ReadTransaction, visit_id: str, patient_id: str) -> bool:
    """Whether an id means a visit of this patient."""
    visit = read_visit(db, visit_id)
    return visit is not None and visit.patient_id == patient_id


def add_visit_alias(db: WriteTransaction, alias_id: str, visit_id: str, now_ms: int) -> None:
    """Makes `alias_id` another id of the visit."""
    db.execute(
        "insert into visit_aliases values (:alias_id, :visit_id, :now_ms) on conflict (alias_id) do nothing",
        {"alias_id": alias_id, "visit_id": visit_id, "now_ms": now_ms},
    )


def add_visit(
    db: WriteTransaction,
    visit_id: str,
    patient_id: str,
    site_day: str,
    opened_ms: int,
    opened_version: int,
    closed_ms: int | None = None,
) -> None:
    """Adds a visit as the patient's last of that day. `closed_ms` is for a visit that is over already."""
    # The highest ordinal, not the number of rows: a merge of records leaves holes.
    db.execute(
        "insert into visits (visit_id, patient_id, site_day, ordinal, opened_ms, opened_version, closed_ms)"
        " select :visit_id, :patient_id, :site_day, coalesce(max(ordinal), 0) + 1, :opened_ms, :opened_version,"
        " :closed_ms from visits where patient_id = :patient_id and site_day = :site_day",
        {
            "visit_id": visit_id,
            "patient_id": patient_id,
            "site_day": site_day,
            "opened_ms": opened_ms,
            "opened_version": opened_version,
            "closed_ms": closed_ms,
        },
    )


def write_visit_change(db: WriteTransaction, before: Journey, after: Journey, at_ms: int) -> None:
    """Closes the visit that a change of the journey ended, and adds the visit that it opened."""
    if before.visit_id == after.visit_id:
        return
    if before.visit_id is not None:
        db.execute(
            "update visits set closed_ms = :at_ms where visit_id = :visit_id",
            {"at_ms": at_ms, "visit_id": before.visit_id},
        )
    if after.visit_id is not None:
        add_visit(db, after.visit_id, after.patient_id, after.site_day, at_ms, after.journey_version)


def set_arrival(db: WriteTransaction, visit_id: str, at_ms: int) -> None:
    """Replaces the time of arrival of a visit."""
    db.execute(
        "update visits set opened_ms = :at_ms where visit_id = :visit_id", {"at_ms": at_ms, "visit_id": visit_id}
    )


def set_earlier_arrival(db: WriteTransaction, visit_id: str, at_ms: int) -> None:
    """Replaces the time of arrival of a visit where the given time is earlier."""
    db.execute(
        "update visits set opened_ms = :at_ms where visit_id = :visit_id and opened_ms > :at_ms",
        {"at_ms": at_ms, "visit_id": visit_id},
    )
