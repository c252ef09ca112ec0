"""Visits: which of a patient's visits of a day is which, and the other names that a visit goes by."""

from sync.central.store.sqlite import ReadTransaction, WriteTransaction
from sync.journey.model import Journey


def visit_of(db: ReadTransaction, visit_id: str) -> str:
    """The visit that an id means: the one it is an alias of, else itself."""
    row = db.row("select visit_id from visit_aliases where alias_id = :visit_id", visit_id=visit_id)
    return str(row["visit_id"]) if row else visit_id


def is_visit_of(db: ReadTransaction, visit_id: str, patient_id: str) -> bool:
    """Whether an id means a visit of that patient."""
    found = db.row(
        "select 1 from visits where visit_id = :visit_id and patient_id = :patient_id",
        visit_id=visit_of(db, visit_id),
        patient_id=patient_id,
    )
    return found is not None


def add_alias(db: WriteTransaction, alias_id: str, visit_id: str, now_ms: int) -> None:
    """From now on `alias_id` means `visit_id`."""
    db.execute(
        "insert into visit_aliases values (:alias_id, :visit_id, :now_ms) on conflict (alias_id) do nothing",
        {"alias_id": alias_id, "visit_id": visit_id, "now_ms": now_ms},
    )


def follow_visit(db: WriteTransaction, before: Journey, after: Journey, at_ms: int) -> None:
    """Notes a visit that a change of the journey has ended or begun."""
    if before.visit_id == after.visit_id:
        return
    if before.visit_id is not None:
        db.execute(
            "update visits set closed_ms = :at_ms where visit_id = :visit_id",
            {"at_ms": at_ms, "visit_id": before.visit_id},
        )
    if after.visit_id is not None:
        # Above the highest, not upon the count: a merge of records leaves holes.
        db.execute(
            "insert into visits (visit_id, patient_id, site_day, ordinal, opened_ms, opened_version)"
            " select :visit_id, :patient_id, :site_day, coalesce(max(ordinal), 0) + 1, :at_ms, :version from visits"
            " where patient_id = :patient_id and site_day = :site_day",
            {
                "visit_id": after.visit_id,
                "patient_id": after.patient_id,
                "site_day": after.site_day,
                "at_ms": at_ms,
                "version": after.journey_version,
            },
        )
