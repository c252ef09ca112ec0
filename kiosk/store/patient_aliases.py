"""Other ids of a patient: the id that the kiosk made for a card, and the ids of records merged into the patient's.

Every function takes the connection of an open transaction, or of one that reads.
"""

import sqlite3

from kiosk.store import patients
from sync.journey.model import PatientId

Connection = sqlite3.Connection


def resolve(connection: Connection, patient_id: str) -> PatientId:
    """Returns the patient that an id means now; the id itself where it is no alias."""
    row = connection.execute("select patient_id from patient_aliases where alias_id = ?", (patient_id,)).fetchone()
    return PatientId(row[0] if row else patient_id)


def rename(connection: Connection, old_id: str, patient_id: str, site_day: str) -> None:
    """Makes an id and its aliases aliases of another patient, and removes the patient of that id."""
    patients.forget(connection, old_id)
    connection.execute("update patient_aliases set patient_id = ? where patient_id = ?", (patient_id, old_id))
    connection.execute("insert or replace into patient_aliases values (?, ?, ?)", (old_id, patient_id, site_day))


def forget(connection: Connection, patient_id: str) -> None:
    """Makes an id a patient's own again: a restored centre may name a patient whose record had been merged."""
    connection.execute("delete from patient_aliases where alias_id = ?", (patient_id,))


def forget_before(connection: Connection, site_day: str) -> None:
    """Removes the aliases of earlier days."""
    connection.execute("delete from patient_aliases where site_day < ?", (site_day,))
