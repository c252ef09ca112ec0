"""Patients as rows: which patient an id means."""

from collections.abc import Mapping
from typing import Any

from sync.central.records.journeys import add_journey
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.journey.definitions import Definitions
from sync.journey.model import PatientId
from sync.protocol import Renamed
from sync.text import clean, fold


def patient_named(db: ReadTransaction, patient_id: str) -> PatientId | None:
    """The patient that an id means: the patient of that id, or of that alias; None for an unknown id.

    People type ids, so the id is cleaned as an import cleans it.
    """
    try:
        patient_id = clean(patient_id)
    except ValueError:
        return None
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


def add_patient(
    db: WriteTransaction,
    definitions: Definitions,
    patient_id: str,
    values: Mapping[str, Any],
    today: str,
    now_ms: int,
) -> None:
    """Adds a patient with a journey in the initial state. `values` are name, masked_name, language and birth_date."""
    db.execute(
        "insert into patients values (:patient_id, :name, :masked_name, :language, :birth_date, :now_ms, :id_folded,"
        " :name_folded)",
        {
            **values,
            "patient_id": patient_id,
            "now_ms": now_ms,
            "id_folded": fold(patient_id),
            "name_folded": fold(values["name"]),
        },
    )
    add_journey(db, definitions, patient_id, today)


def update_patient(db: WriteTransaction, patient_id: str, values: Mapping[str, Any]) -> None:
    """Replaces name, masked_name, language and birth_date of a patient. The caller announces the change."""
    db.execute(
        "update patients set name = :name, masked_name = :masked_name, language = :language, birth_date = :birth_date,"
        " name_folded = :name_folded where patient_id = :patient_id",
        {**values, "patient_id": patient_id, "name_folded": fold(values["name"])},
    )


def is_merged(db: ReadTransaction, patient_id: str) -> bool:
    """Whether the record of another patient was merged into this patient's."""
    return db.row("select 1 from patient_aliases where patient_id = :id and change > 0", id=patient_id) is not None


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
