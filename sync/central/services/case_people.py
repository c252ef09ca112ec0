"""The people and the kiosk of a case, with the names by which staff know them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from sync.central.records.cases import InboxCase
from sync.central.records.kiosks import kiosk_names, read_kiosk
from sync.central.records.patients import people_named
from sync.central.records.person_names import names_of_doers
from sync.central.services.doers import doer
from sync.central.store.transactions import ReadTransaction


class CasePatient(msgspec.Struct, frozen=True):
    """The patient of a case: the name for staff, the name as a queue shows it, and the birth date where it is known."""

    patient_id: str
    name: str
    masked_name: str
    birth_date: str | None


class CaseKiosk(msgspec.Struct, frozen=True):
    """The kiosk of a case. `revoked`: its token was ended."""

    kiosk_id: str
    name: str
    revoked: bool


@dataclass(frozen=True, slots=True)
class Names:
    """The names that a list of cases needs: of patients by the ids and aliases that cases name, of kiosks by theirs.

    `people` has those of people by what a settled case says of each.
    """

    patients: Mapping[str, Mapping[str, Any]]
    kiosks: Mapping[str, str]
    people: Mapping[str, str]

    def patient(self, patient_id: str | None) -> str | None:
        """The name of a patient; None for nobody and for an id that is unknown."""
        found = self.patients.get(patient_id) if patient_id else None
        return str(found["name"]) if found else None

    def settler(self, case: InboxCase) -> str | None:
        """The name of who has settled a case: the person's own, or that of the token; None for an open case."""
        who = case.settled_by
        return None if who is None else self.people.get(who) or doer(who, None).name or who


def names_in(db: ReadTransaction, cases: Sequence[InboxCase]) -> Names:
    """The names of the patients and kiosks of some cases."""
    named = {each.patient_id for each in cases if each.patient_id}
    settlers = {each.settled_by for each in cases if each.settled_by is not None}
    return Names(
        people_named(db, named),
        kiosk_names(db) if cases else {},
        names_of_doers(db, settlers) if settlers else {},
    )


def case_patient(db: ReadTransaction, name: str) -> CasePatient | None:
    """The patient whom an id or an alias means; None for an unknown one."""
    found = people_named(db, (name,)).get(name)
    if found is None:
        return None
    return CasePatient(found["patient_id"], found["name"], found["masked_name"], found["birth_date"])


def case_kiosk(db: ReadTransaction, kiosk_id: str | None) -> CaseKiosk | None:
    """The kiosk of an id; None for no kiosk."""
    kiosk = read_kiosk(db, kiosk_id) if kiosk_id is not None else None
    return CaseKiosk(kiosk.kiosk_id, kiosk.name, kiosk.revoked_ms is not None) if kiosk else None
