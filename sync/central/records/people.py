"""The search of patients at the desk: by id, by the words of a name, by the birth date, by a number of today."""

from collections.abc import Sequence
from dataclasses import dataclass

from sync.central.records.name_search import has_words
from sync.central.records.patients import patient_named
from sync.central.store.connection import Row
from sync.central.store.transactions import ReadTransaction
from sync.journey.model import PatientId
from sync.journey.queue_numbers import queue_numbers_of
from sync.text import fold

_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Person:
    """A patient as staff at the desk tell people apart."""

    patient_id: PatientId
    name: str
    masked_name: str
    language: str
    birth_date: str | None
    created_ms: int


def read_person(db: ReadTransaction, patient_id: str) -> Person | None:
    """The person of a patient's own id, or None."""
    row = db.row(f"{_PEOPLE} where patient_id = :patient_id", patient_id=patient_id)
    return _person(row) if row else None


def find_people(
    db: ReadTransaction, text: str, birth_dates: Sequence[str], today: str, limit: int
) -> tuple[list[Person], bool]:
    """The patients whom a text means: the one of that id first, then by name. At most `limit`, and whether more follow.

    `text` is a patient's id, a queue number of today, or the beginnings of words of a name. `birth_dates` (ISO) narrow
    the search; with an empty text they are the search.
    """
    folded = fold(text)
    if len(folded) > _LONGEST or not (folded or birth_dates):
        return [], False
    exact = patient_named(db, text) if folded else None
    condition, wanted = _meaning(folded, today) if folded else ("1 = 1", {})
    born, dates = _born(birth_dates)
    rows = db.rows(
        f"{_PEOPLE} where patient_id = :exact or (({condition}){born})"
        " order by case when patient_id = :exact then 0 else 1 end, name_folded, birth_date, patient_id limit :limit",
        exact=exact,
        limit=limit + 1,
        **wanted,
        **dates,
    )
    return [_person(row) for row in rows[:limit]], len(rows) > limit


def people_like(db: ReadTransaction, name: str, birth_date: str | None, patient_id: str | None) -> list[Person]:
    """The patients who may be the same person: of this id, or of this name and not of another birth date.

    Spaces tell no names apart: 홍길동 is written as 홍 길동 too.
    """
    rows = db.rows(
        f"{_PEOPLE} where id_folded = :id_folded or (replace(name_folded, ' ', '') = :letters"
        " and (birth_date is null or cast(:birth_date as text) is null or birth_date = :birth_date))"
        " order by name_folded, birth_date, patient_id limit 20",
        id_folded=fold(patient_id) if patient_id else None,
        letters=fold(name).replace(" ", ""),
        birth_date=birth_date,
    )
    return [_person(row) for row in rows]


def _meaning(folded: str, today: str) -> tuple[str, dict[str, str]]:
    """The SQL condition that a patient is whom a person means by a text, and its parameters."""
    by_name, words = has_words("name_folded", folded)
    terms, parameters = ["id_folded = :folded", by_name], {"folded": folded, **words}
    for place, number in enumerate(queue_numbers_of(folded)):
        of_number = f"queue_number = :number{place} or label_aliases like :alias{place}"
        terms.append(f"patient_id in (select patient_id from entries where site_day = :today and ({of_number}))")  # noqa: S608
        parameters |= {f"number{place}": number, f"alias{place}": f'%"{number}"%', "today": today}
    return " or ".join(f"({term})" for term in terms), parameters


def _born(birth_dates: Sequence[str]) -> tuple[str, dict[str, str]]:
    if not birth_dates:
        return "", {}
    dates = {f"born{place}": each for place, each in enumerate(birth_dates)}
    return f" and birth_date in ({', '.join(f':{each}' for each in dates)})", dates


def _person(row: Row) -> Person:
    return Person(
        PatientId(row["patient_id"]),
        row["name"],
        row["masked_name"],
        row["language"],
        row["birth_date"],
        row["created_ms"],
    )


_PEOPLE = "select patient_id, name, masked_name, language, birth_date, created_ms from patients"
