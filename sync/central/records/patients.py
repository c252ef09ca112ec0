"""Patients as rows: which patient an id means."""

from collections.abc import Collection, Mapping
from typing import Any

from sync.central.records.journeys import add_journey
from sync.central.store.set_transaction import SetTransaction
from sync.central.store.transactions import (
    UNREAD,
    Order,
    Question,
    ReadTransaction,
    WriteTransaction,
    Writing,
    each_of,
)
from sync.journey.definitions import Definitions
from sync.journey.model import PatientId
from sync.protocol import Renamed
from sync.text import clean, fold

_NAMED_AT_ONCE = 1000  # ids of a statement


def patient_named(db: ReadTransaction, patient_id: str) -> PatientId | None:
    """The patient that an id means: the patient of that id, or of that alias; None for an unknown id.

    People type ids, so the id is cleaned as an import cleans it.
    """
    try:
        patient_id = clean(patient_id)
    except ValueError:
        return None
    known = db.known(_NAMED, patient_id)
    if known is not UNREAD:
        return known
    row = db.row(
        "select patient_id from patients where patient_id = :patient_id"
        " union all select patient_id from patient_aliases where alias_id = :patient_id",
        patient_id=patient_id,
    )
    return PatientId(row["patient_id"]) if row else None


def read_patients_ahead(db: SetTransaction, ids: Collection[str]) -> dict[str, PatientId | None]:
    """Reads which patients these ids mean, those that are not known yet. Returns that of all."""
    known = {each: answer for each in ids if (answer := db.known(_NAMED, each)) is not UNREAD}
    if len(known) < len(ids):
        known |= _read_ahead(db, [each for each in ids if each not in known])
    return known


def _read_ahead(db: SetTransaction, ids: Collection[str]) -> dict[str, PatientId | None]:
    names, parameters = each_of("patient", ids)
    query = f"select alias_id, patient_id from patient_aliases where alias_id in {names}"  # noqa: S608
    aliases = db.rows(query, **parameters)
    rows = db.rows(f"select patient_id from patients where patient_id in {names}", **parameters)  # noqa: S608
    meant = {row["alias_id"]: PatientId(row["patient_id"]) for row in aliases}
    own = {row["patient_id"]: PatientId(row["patient_id"]) for row in rows}
    answers = dict.fromkeys(ids) | meant | own
    db.read_ahead(_NAMED, answers)
    return answers


def names_of(db: ReadTransaction, patient_id: PatientId) -> tuple[str, ...]:
    """The ids that mean a patient: the present one, then those of records that were merged into it."""
    rows = db.rows("select alias_id from patient_aliases where patient_id = :id order by alias_id", id=patient_id)
    return (patient_id, *(row["alias_id"] for row in rows))


def name_and_language(db: ReadTransaction, patient_id: str) -> tuple[str, str]:
    """The masked name and the language of a patient."""
    row = db.row("select masked_name, language from patients where patient_id = :id", id=patient_id)
    assert row is not None
    return row["masked_name"], row["language"]


def people_named(db: ReadTransaction, names: Collection[str]) -> dict[str, Mapping[str, Any]]:
    """The patients whom ids and aliases mean, by these: patient_id, name, masked_name and birth_date of each.

    Unknown ids are left out.
    """
    places, parameters = each_of("name", names or ("",))
    columns = "p.patient_id, p.name, p.masked_name, p.birth_date"
    rows = db.rows(
        f"select p.patient_id as named, {columns} from patients p where p.patient_id in {places}"  # noqa: S608
        f" union all select a.alias_id, {columns} from patient_aliases a"
        f" join patients p on p.patient_id = a.patient_id where a.alias_id in {places}",
        **parameters,
    )
    return {row["named"]: dict(row) for row in rows}


def patients_of_name(db: ReadTransaction, name: str) -> list[PatientId]:
    """The patients with this whole name."""
    rows = db.rows("select patient_id from patients where name = :name order by patient_id limit 100", name=name)
    return [PatientId(row["patient_id"]) for row in rows]


def whole_names(db: ReadTransaction, ids: Collection[str]) -> dict[str, str]:
    """The names of known patients by the ids that are given, the ids of merged records among them."""
    given = list(ids)
    found: dict[str, str] = {}
    for some in (given[begin : begin + _NAMED_AT_ONCE] for begin in range(0, len(given), _NAMED_AT_ONCE)):
        found |= {named: str(each["name"]) for named, each in people_named(db, some).items()}
    return found


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
    db.write(
        _ADD,
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


def add_patient_alias(db: WriteTransaction, alias_id: str, patient_id: str, now_ms: int) -> bool:
    """Makes the id that the kiosk made for an unknown card another id of a patient. Returns whether it was none
    before.
    """
    added = db.execute(
        "insert into patient_aliases values (:alias_id, :patient_id, :now_ms, 0) on conflict (alias_id) do nothing",
        {"alias_id": alias_id, "patient_id": patient_id, "now_ms": now_ms},
    )
    return added.rowcount == 1


def remove_patient_alias(db: WriteTransaction, alias_id: str) -> None:
    """Makes an id that a kiosk made no other id of a patient."""
    db.execute("delete from patient_aliases where alias_id = :alias_id and change = 0", {"alias_id": alias_id})


def merges_after(db: ReadTransaction, after: int, limit: int) -> list[tuple[int, Renamed]]:
    """The first records that were merged under change numbers above `after`, each with its change number."""
    rows = db.rows(
        "select alias_id, patient_id, change from patient_aliases where change > :after order by change limit :limit",
        after=after,
        limit=limit,
    )
    return [(row["change"], Renamed(row["alias_id"], row["patient_id"])) for row in rows]


_ADD = Writing(
    "insert into patients values (:patient_id, :name, :masked_name, :language, :birth_date, :now_ms, :id_folded,"
    " :name_folded)",
    Order.PATIENTS,
)
_NAMED: Question[str, PatientId | None] = Question()
