"""The search of patients by what people type: a queue number of today, a patient's id, words of a name."""

from collections.abc import Collection
from dataclasses import dataclass

from sync.central.records.entry_search import meaning
from sync.central.records.patients import patient_named
from sync.central.store.transactions import ReadTransaction, each_of


@dataclass(frozen=True, slots=True)
class FoundPatient:
    """A patient as a search shows them. `site_day` is the day of their journey."""

    patient_id: str
    name: str
    masked_name: str
    birth_date: str | None
    language: str
    journey_state: str
    journey_version: int
    site_day: str


def patients_of_today(db: ReadTransaction, site_day: str, text: str, limit: int) -> list[str]:
    """The first patients with an entry or a booking of a day whom a text means, by name. One of that id comes first."""
    exact = patient_named(db, text)
    condition, wanted = meaning(text, by_name=True)
    rows = db.rows(
        "with here as (select patient_id from entries where site_day = :site_day"  # noqa: S608
        " union select patient_id from appointments where site_day = :site_day)"
        " select distinct p.patient_id, p.name_folded from here join patients p on p.patient_id = here.patient_id"
        " left join entries e on e.patient_id = p.patient_id and e.site_day = :site_day"
        f" where {condition} order by p.name_folded, p.patient_id limit :limit",
        site_day=site_day,
        limit=limit,
        **wanted,
    )
    return list(dict.fromkeys([*([exact] if exact is not None else []), *(row["patient_id"] for row in rows)]))[:limit]


def patients_of_name(db: ReadTransaction, text: str, limit: int) -> list[str]:
    """The first patients of any day whom a text means, by name."""
    condition, wanted = meaning(text, by_name=True, by_number=False)
    rows = db.rows(
        f"select p.patient_id from patients p where {condition} order by p.name_folded, p.patient_id limit :limit",  # noqa: S608
        limit=limit,
        **wanted,
    )
    return [row["patient_id"] for row in rows]


def read_found(db: ReadTransaction, patient_ids: Collection[str]) -> dict[str, FoundPatient]:
    """These patients by their ids."""
    names, parameters = each_of("patient", patient_ids)
    rows = db.rows(
        "select p.patient_id, p.name, p.masked_name, p.birth_date, p.language, j.state, j.journey_version, j.site_day"  # noqa: S608
        f" from patients p join journeys j on j.patient_id = p.patient_id where p.patient_id in {names}",
        **parameters,
    )
    return {row["patient_id"]: FoundPatient(*row) for row in rows}
