"""The rows of the patients that this kiosk knows: their journeys, the cards bound to them, their places in line.

Every function takes the connection of an open transaction, or of one that reads.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from kiosk.store import blocked_cards
from sync.cards import CardHash
from sync.journey.model import Appointment, Journey, PatientId, QueueEntry
from sync.protocol import PatientRow

Connection = sqlite3.Connection
_appointments = msgspec.json.Decoder(tuple[Appointment, ...])
_journey = msgspec.json.Decoder(Journey)
_entry = msgspec.json.Decoder(QueueEntry)


@dataclass(frozen=True, slots=True)
class Patient:
    """The kiosk's record of a patient. `base` is the journey as the centre sent it; `view` adds the pending actions.

    `provisional`: the kiosk knows no patient for the card, and made the id. `tomorrow`: the next day's bookings.
    """

    patient_id: PatientId
    masked_name: str
    language: str
    provisional: bool
    base: Journey
    view: Journey
    tomorrow: tuple[Appointment, ...]


@dataclass(frozen=True, slots=True)
class CardHolder:
    """The patient that a card is bound to. `binding_id` is None where the kiosk itself bound the card."""

    patient: Patient
    binding_id: str | None


def read(connection: Connection, patient_id: str) -> Patient | None:
    """Returns one patient; None where the kiosk does not know the id."""
    row = connection.execute("select * from patients where patient_id = ?", (patient_id,)).fetchone()
    return from_record(row) if row else None


def read_holder(connection: Connection, cards: Iterable[CardHash]) -> CardHolder | None:
    """Returns the patient that one of a card's hashes is bound to; None where none is, and for a blocked card."""
    cards = tuple(cards)
    if blocked_cards.is_blocked(connection, cards):
        return None
    for card in cards:
        row = connection.execute(
            "select p.*, b.binding_id from bindings b join patients p using (patient_id)"
            " where b.key_id = ? and b.uid_hash = ?",
            (card.key_id, card.uid_hash),
        ).fetchone()
        if row:
            return CardHolder(from_record(row), row["binding_id"])
    return None


def ids_holding(connection: Connection, cards: Iterable[CardHash]) -> set[PatientId]:
    """Returns the patients whom any of these cards is bound to, blocked cards included."""
    rows = [
        connection.execute(
            "select patient_id from bindings where key_id = ? and uid_hash = ?", (card.key_id, card.uid_hash)
        ).fetchone()
        for card in cards
    ]
    return {PatientId(row[0]) for row in rows if row}


def read_viewed_before(connection: Connection, site_day: str) -> list[Patient]:
    """Returns the patients whose view is of a day before that one, and who have nothing pending."""
    rows = connection.execute(
        "select * from patients where site_day < ?"
        " and patient_id not in (select patient_id from outbox where status = 'pending')",
        (site_day,),
    )
    return [from_record(row) for row in rows]


def ids_viewed_after(connection: Connection, site_day: str) -> set[PatientId]:
    """Returns the patients whose view is of a day after that one: the clock of this machine was ahead then."""
    rows = connection.execute("select patient_id from patients where site_day > ?", (site_day,))
    return {PatientId(row[0]) for row in rows}


def read_line(connection: Connection, exam_id: str, site_day: str) -> tuple[QueueEntry, ...]:
    """Returns all entries that this kiosk knows of an exam's line on a site day."""
    rows = connection.execute(
        "select entry from entries join patients using (patient_id) where exam_id = ? and site_day = ?",
        (exam_id, site_day),
    )
    return tuple(_entry.decode(row["entry"]) for row in rows)


def save(connection: Connection, patient: Patient, change: int | None = None) -> None:
    """Writes a patient with the entries of the view. Without `change` the change number stays."""
    connection.execute(
        "insert into patients (patient_id, masked_name, language, change, provisional, journey_version, journey_state,"
        " site_day, base, view, tomorrow) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " on conflict (patient_id) do update set masked_name = excluded.masked_name, language = excluded.language,"
        " change = max(change, excluded.change), provisional = excluded.provisional,"
        " journey_version = excluded.journey_version, journey_state = excluded.journey_state,"
        " site_day = excluded.site_day,"
        " base = excluded.base, view = excluded.view, tomorrow = excluded.tomorrow,"
        " gone = iif(excluded.change > 0, 0, gone)",
        (
            patient.patient_id,
            patient.masked_name,
            patient.language,
            change or 0,
            int(patient.provisional),
            patient.base.journey_version,
            patient.view.state,
            patient.view.site_day,
            _json(patient.base),
            _json(patient.view),
            _json(patient.tomorrow),
        ),
    )
    connection.execute("delete from entries where patient_id = ?", (patient.patient_id,))
    connection.executemany(
        "insert or replace into entries values (?, ?, ?, ?)",
        [(entry.queue_id, patient.patient_id, entry.exam_id, _json(entry)) for entry in patient.view.entries],
    )


def bind(connection: Connection, patient_id: str, cards: Iterable[tuple[CardHash, str | None]]) -> None:
    """Binds cards, each with its binding id, to a patient. A card is bound to one patient at a time."""
    connection.executemany(
        "insert or replace into bindings values (?, ?, ?, ?)",
        [(card.key_id, card.uid_hash, patient_id, binding_id) for card, binding_id in cards],
    )


def unbind(connection: Connection, patient_id: str, card: CardHash, binding_id: str | None = None) -> None:
    """Forgets a card of a patient. A card with a newer binding than `binding_id` stays."""
    connection.execute(
        "delete from bindings where patient_id = ? and key_id = ? and uid_hash = ?"
        " and (binding_id is null or binding_id = ?)",
        (patient_id, card.key_id, card.uid_hash, binding_id),
    )


def unbind_all(connection: Connection, patient_id: str) -> None:
    """Forgets all cards of a patient."""
    connection.execute("delete from bindings where patient_id = ?", (patient_id,))


def forget(connection: Connection, patient_id: str) -> None:
    """Removes a patient with cards and entries. The outbox rows stay."""
    connection.execute("delete from patients where patient_id = ?", (patient_id,))


def from_page(row: PatientRow) -> Patient:
    """Returns the patient of a roster row, without pending actions on top."""
    return Patient(
        PatientId(row.patient_id), row.masked_name, row.language, False, row.journey, row.journey, row.tomorrow
    )


def from_record(row: sqlite3.Row) -> Patient:
    """Returns the patient of a row of the table."""
    return Patient(
        PatientId(row["patient_id"]),
        row["masked_name"],
        row["language"],
        bool(row["provisional"]),
        _journey.decode(row["base"]),
        _journey.decode(row["view"]),
        _appointments.decode(row["tomorrow"]),
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
