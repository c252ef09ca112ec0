"""The patients on the centre's roster: a snapshot of the roster, and patients who leave it.

A patient who has left the roster stays in the kiosk until the last of their pending actions has its verdict. Every
function takes the connection of an open transaction.
"""

import sqlite3

from kiosk.store import patients
from kiosk.store.patients import Patient
from sync.journey.model import PatientId

Connection = sqlite3.Connection

_BEFORE_SNAPSHOT = -1  # the journey_version of a base before a snapshot: every other is newer
# Values of `gone`. They stand in the statements as literals, since SQLite takes an index "where gone = 2" only then.
_LEFT, _UNNAMED = 1, 2


def begin_snapshot(connection: Connection) -> set[PatientId]:
    """Marks every patient as not named yet by the snapshot, and every base as older than any. Returns all patients.

    They stay until the snapshot is complete: a network failure half-way must not lose half of the patients.
    """
    patient_ids = _all_ids(connection)
    connection.execute(
        "update patients set journey_version = ?, base = json_set(base, '$.journey_version', ?), gone = ?"
        " where provisional = 0",
        (_BEFORE_SNAPSHOT, _BEFORE_SNAPSHOT, _UNNAMED),
    )
    return patient_ids


def end_snapshot(connection: Connection) -> list[Patient]:
    """Marks the patients whom the snapshot has not named as departed.

    Returns the patients who stay because of a pending action, except those that a verdict updated during the snapshot.
    """
    unnamed = connection.execute(
        f"select * from patients where gone = {_UNNAMED} and journey_version = ?"  # noqa: S608
        " and exists (select 1 from outbox o where o.patient_id = patients.patient_id and o.status = 'pending')",
        (_BEFORE_SNAPSHOT,),
    ).fetchall()
    connection.execute(f"update patients set gone = {_LEFT} where gone = {_UNNAMED}")  # noqa: S608
    forget_departed(connection)
    return [patients.from_record(row) for row in unnamed]


def mark_departed(connection: Connection, patient_id: str) -> None:
    """Notes that a patient has left the roster."""
    connection.execute("update patients set gone = ? where patient_id = ?", (_LEFT, patient_id))


def forget_departed(connection: Connection) -> None:
    """Removes the patients who have left the roster and have nothing pending."""
    connection.execute(
        f"delete from patients where gone = {_LEFT} and not exists"  # noqa: S608
        " (select 1 from outbox o where o.patient_id = patients.patient_id and o.status = 'pending')"
    )


def clear(connection: Connection) -> set[PatientId]:
    """Removes all patients and aliases. Returns the patients."""
    patient_ids = _all_ids(connection)
    connection.execute("delete from patients")
    connection.execute("delete from patient_aliases")
    return patient_ids


def clear_confirmed(connection: Connection) -> None:
    """Removes all patients whom the centre has named. The provisional patients, known to this kiosk alone, stay."""
    connection.execute("delete from patients where provisional = 0")


def _all_ids(connection: Connection) -> set[PatientId]:
    return {PatientId(row[0]) for row in connection.execute("select patient_id from patients")}
