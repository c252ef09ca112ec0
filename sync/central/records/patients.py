"""Patients as rows: which patient an id means."""

from typing import Any

from sync.central.records.journeys import add_journey, mark_changed
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.journey.definitions import Definitions
from sync.journey.model import PatientId
from sync.protocol import Renamed


def patient_named(db: ReadTransaction, patient_id: str) -> PatientId | None:
    """The patient that an id means: the patient of that id, or of that alias; None for an unknown id."""
    row = db.row(
        "select patient_id from patients where patient_id = :patient_id"
        " union all select patient_id from patient_aliases where alias_id = :patient_id",
        patient_id=patient_id,
    )
    return PatientId(row["patient_id"]) if row else None


def name_and_language(db: ReadTransaction, patient_id: str) -> tuple[str, str]:
    """The masked name and the language of a patient."""
    row = db.row("select masked_name, language from patients where patient_id = :id", id=patient_id)
    assert row is not None
    return row["masked_name"], row["language"]


def read_patient(db: ReadTransaction, patient_id: str) -> dict[str, Any] | None:
    """The row of a patient by column: name, masked_name, language and birth_date among them; None for an unknown id."""
    row = db.row("select * from patients where patient_id = :patient_id", patient_id=patient_id)
    return dict(row) if row else None


def count_patients(db: ReadTransaction) -> int:
    """The number of patients."""
    return int(db.value("select count(*) from patients"))


def put_patient(
    db: WriteTransaction,
    definitions: Definitions,
    patient_id: str,
    name: str,
    *,
    today: str,
    now_ms: int,
    masked_name: str,
    language: str,
    birth_date: str | None,
) -> bool:
    """Adds a patient with a journey in the initial state, or updates name, language and birth date.

    Returns whether anything changed. A patient who changed has a new change number.
    """
    values = {
        "patient_id": patient_id,
        "name": name,
        "masked_name": masked_name,
        "language": language,
        "birth_date": birth_date,
    }
    before = db.row("select * from patients where patient_id = :patient_id", patient_id=patient_id)
    if before is not None and all(before[column] == value for column, value in values.items()):
        return False
    db.execute(
        "insert into patients values (:patient_id, :name, :masked_name, :language, :birth_date, :now_ms)"
        " on conflict (patient_id) do update set name = excluded.name, masked_name = excluded.masked_name,"
        " language = excluded.language, birth_date = excluded.birth_date",
        {**values, "now_ms": now_ms},
    )
    if before is None:
        add_journey(db, definitions, patient_id, today)
    else:
        mark_changed(db, patient_id)
    return True


def add_patient_alias(db: WriteTransaction, alias_id: str, patient_id: str, now_ms: int) -> None:
    """Makes the id that the kiosk made for an unknown card another id of a patient."""
    db.execute(
        "insert into patient_aliases values (:alias_id, :patient_id, :now_ms, 0) on conflict (alias_id) do nothing",
        {"alias_id": alias_id, "patient_id": patient_id, "now_ms": now_ms},
    )


def merges_after(db: ReadTransaction, after: int, limit: int) -> list[tuple[int, Renamed]]:
    """The first records that were merged under change numbers above `after`, each with its change number."""
    rows = db.rows(
        "select alias_id, patient_id, change from patient_aliases where change > :after order by change limit :limit",
        after=after,
        limit=limit,
    )
    return [(row["change"], Renamed(row["alias_id"], row["patient_id"])) for row in rows]
