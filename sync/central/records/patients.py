"""Patients as rows: who an id means, and what may be shown of a name."""

from sync.central.records.journeys import add_journey, touch
from sync.central.store.sqlite import ReadTransaction, WriteTransaction
from sync.journey.definitions import Definitions
from sync.journey.model import PatientId


def patient_named(db: ReadTransaction, patient_id: str) -> PatientId | None:
    """The patient that an id means: itself, or the one it is an alias of; None for an unknown id."""
    row = db.row(
        "select patient_id from patients where patient_id = :patient_id"
        " union all select patient_id from patient_aliases where alias_id = :patient_id",
        patient_id=patient_id,
    )
    return PatientId(row["patient_id"]) if row else None


def put_patient(
    db: WriteTransaction,
    definitions: Definitions,
    patient_id: str,
    name: str,
    *,
    today: str,
    now_ms: int,
    masked_name: str | None = None,
    language: str = "ko",
    birth_date: str | None = None,
    provisional: bool = False,
) -> bool:
    """Adds a patient with a journey at its beginning, or brings name, language and birth date up to date.

    Returns whether anything changed; where it did, the patient has a new change number.
    """
    values = {
        "patient_id": patient_id,
        "name": name,
        "masked_name": masked(name) if masked_name is None else masked_name,
        "language": language,
        "birth_date": birth_date,
        "provisional": int(provisional),
    }
    known = db.row("select * from patients where patient_id = :patient_id", patient_id=patient_id)
    if known is not None and all(known[column] == value for column, value in values.items()):
        return False
    db.execute(
        "insert into patients values (:patient_id, :name, :masked_name, :language, :birth_date, :provisional, :now_ms)"
        " on conflict (patient_id) do update set name = excluded.name, masked_name = excluded.masked_name,"
        " language = excluded.language, birth_date = excluded.birth_date, provisional = excluded.provisional",
        {**values, "now_ms": now_ms},
    )
    if known is None:
        add_journey(db, definitions, patient_id, today)
    else:
        touch(db, patient_id)
    return True


def masked(name: str) -> str:
    """A name as a screen in a hall may show it: each word keeps its first letter, and its last if it has three or more.

    Korean usage: 홍길동 is shown as 홍*동, 이솔 as 이*, 남궁민수 as 남**수.
    """
    return " ".join(_masked_word(word) for word in name.split())


def _masked_word(word: str) -> str:
    if len(word) < 3:
        return word[:1] + "*"
    return word[0] + "*" * (len(word) - 2) + word[-1]
