"""The patients on the centre's roster: whom a snapshot has named, and who leaves.

Each snapshot begins a generation of the roster, a number that rises. A patient whom the snapshot names, or a page
after it, is of that generation. So the end of the snapshot finds those whom it has not named. A patient who has left
the roster stays in the kiosk until the last of their pending actions has its verdict. Every function takes the
connection of an open transaction.
"""

import sqlite3

from kiosk.store.identity import read_generation
from sync.journey.model import PatientId

Connection = sqlite3.Connection

_LEFT = 0  # the generation of who has left
_HAS_PENDING = "exists (select 1 from outbox o where o.patient_id = patients.patient_id and o.status = 'pending')"


def next_generation(connection: Connection) -> int:
    """Returns the generation of the next snapshot. It is above those of a snapshot that was broken off."""
    named = connection.execute("select max(generation) from patients").fetchone()[0]
    blocked = connection.execute("select max(generation) from blocked_cards").fetchone()[0]
    return 1 + max(read_generation(connection), named or 0, blocked or 0)


def unnamed(connection: Connection, generation: int, limit: int) -> list[PatientId]:
    """Returns at most `limit` patients of earlier generations, whom no page since has named."""
    rows = connection.execute(
        "select patient_id from patients where generation > ? and generation < ? limit ?", (_LEFT, generation, limit)
    )
    return [PatientId(row[0]) for row in rows]


def mark_departed(connection: Connection, patient_id: str) -> None:
    """Notes that a patient has left the roster."""
    connection.execute("update patients set generation = ? where patient_id = ?", (_LEFT, patient_id))


def forget_unless_pending(connection: Connection, patient_id: str) -> bool:
    """Removes a patient who has nothing pending. Returns whether it did."""
    removed = connection.execute(
        f"delete from patients where patient_id = ? and not {_HAS_PENDING}",  # noqa: S608
        (patient_id,),
    )
    return removed.rowcount == 1


def forget_departed(connection: Connection) -> None:
    """Removes the patients who have left the roster and have nothing pending."""
    connection.execute(
        f"delete from patients where generation = ? and not {_HAS_PENDING}",  # noqa: S608
        (_LEFT,),
    )


def clear(connection: Connection) -> set[PatientId]:
    """Removes all patients and aliases. Returns the patients."""
    patient_ids = {PatientId(row[0]) for row in connection.execute("select patient_id from patients")}
    connection.execute("delete from patients")
    connection.execute("delete from patient_aliases")
    return patient_ids


def clear_confirmed(connection: Connection) -> None:
    """Removes all patients whom the centre has named. The provisional patients, known to this kiosk alone, stay."""
    connection.execute("delete from patients where provisional = 0")
