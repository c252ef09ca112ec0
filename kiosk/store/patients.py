"""The rows of the patients that this kiosk knows: their journeys, the cards bound to them, their places in line.

Every function takes the connection of an open transaction, or of one that reads.
"""

import sqlite3
from collections.abc import Collection, Iterable, Sequence

import msgspec

from sync.cards import CardHash
from sync.journey.model import Appointment, Journey, PatientId, QueueEntry
from sync.journey.rules import place_in_line
from sync.protocol import PatientRow

Connection = sqlite3.Connection
_appointments = msgspec.json.Decoder(tuple[Appointment, ...])
_journey = msgspec.json.Decoder(Journey)
_PLACE = "insert or replace into entries values (?, ?, ?, ?, ?, ?, ?)"


class Patient(msgspec.Struct, frozen=True):
    """The kiosk's record of a patient. `base` is the journey as the centre sent it; `view` adds the pending actions.

    `provisional`: the kiosk knows no patient for the card, and made the id. `tomorrow`: the next day's bookings.
    `base_generation`: the generation of the roster of the page or verdict that brought the base.
    """

    patient_id: PatientId
    masked_name: str
    language: str
    provisional: bool
    base: Journey
    view: Journey
    tomorrow: tuple[Appointment, ...]
    base_generation: int = 0

    def base_version(self, generation: int) -> int:
        """Returns the version of the base; -1, below any, where it is of before a generation of the roster."""
        return self.base.journey_version if self.base_generation >= generation else -1


class CardHolder(msgspec.Struct, frozen=True):
    """The patient that a card is bound to. `binding_id` is None where the kiosk itself bound the card."""

    patient: Patient
    binding_id: str | None


class FoundCard(msgspec.Struct, frozen=True):
    """What the kiosk knows of a card: whether it was reported lost, and its holder."""

    is_blocked: bool
    holder: CardHolder | None


def read(connection: Connection, patient_id: str) -> Patient | None:
    """Returns one patient; None where the kiosk does not know the id."""
    row = connection.execute("select * from patients where patient_id = ?", (patient_id,)).fetchone()
    return from_record(row) if row else None


def find_card(connection: Connection, cards: Sequence[CardHash]) -> FoundCard:
    """Returns what the kiosk knows of a card, by its hashes, newest first. One statement: each tap asks this."""
    if not cards:
        return FoundCard(is_blocked=False, holder=None)
    # With "in (values …)" SQLite would read the whole tables.
    named = " or ".join(["(key_id = ? and uid_hash = ?)"] * len(cards))
    values = [value for card in cards for value in (card.key_id, card.uid_hash)]
    rows = connection.execute(
        f"select exists (select 1 from blocked_cards where {named}) as is_blocked, key_id, uid_hash, binding_id, p.*"  # noqa: S608
        f" from (select 1) left join bindings b on {named} left join patients p on p.patient_id = b.patient_id",
        (*values, *values),
    ).fetchall()
    held = {CardHash(row["key_id"], row["uid_hash"]): row for row in rows if row["patient_id"]}
    found = next((held[card] for card in cards if card in held), None)
    holder = CardHolder(from_record(found), found["binding_id"]) if found else None
    return FoundCard(bool(rows[0]["is_blocked"]), holder)


def read_holder(connection: Connection, cards: Iterable[CardHash]) -> CardHolder | None:
    """Returns the patient that one of a card's hashes is bound to; None where none is, and for a blocked card."""
    found = find_card(connection, tuple(cards))
    return None if found.is_blocked else found.holder


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


def count_ahead(connection: Connection, entry: QueueEntry, site_day: str, in_line: Collection[str]) -> int:
    """Returns how many entries that this kiosk knows are before one in its exam's line on a site day.

    `in_line` are the states of the entries that count.
    """
    count: int = connection.execute(
        "select count(*) from entries where exam_id = ? and site_day = ?"  # noqa: S608
        f" and state in ({', '.join('?' * len(in_line))}) and (urgency, line_ms, queue_id) < (?, ?, ?)",
        (entry.exam_id, site_day, *in_line, *place_in_line(entry)),
    ).fetchone()[0]
    return count


def join_line(
    connection: Connection, patient_id: str, entry: QueueEntry, site_day: str, in_line: Collection[str]
) -> int:
    """Writes the place of a patient's new entry. Returns how many are before it, as `count_ahead` does."""
    count: int = connection.execute(
        f"{_PLACE} returning (select count(*) from entries o where o.exam_id = entries.exam_id"  # noqa: S608
        f" and o.site_day = entries.site_day and o.state in ({', '.join('?' * len(in_line))})"
        " and (o.urgency, o.line_ms, o.queue_id) < (entries.urgency, entries.line_ms, entries.queue_id))",
        (*_place(patient_id, entry, site_day), *in_line),
    ).fetchone()[0]
    return count


def save(connection: Connection, patient: Patient, before: Patient | None, generation: int | None = None) -> None:
    """Writes a patient with the entries of the view. `before` is the patient as written; None where the id is new.

    `generation` is that of the page of the roster that names the patient. Without one it stays.
    """
    connection.execute(
        "insert into patients (patient_id, masked_name, language, provisional, generation, base_generation, site_day,"
        " base, view, tomorrow) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " on conflict (patient_id) do update set masked_name = excluded.masked_name, language = excluded.language,"
        " provisional = excluded.provisional, generation = coalesce(excluded.generation, generation),"
        " base_generation = excluded.base_generation, site_day = excluded.site_day,"
        " base = excluded.base, view = excluded.view, tomorrow = excluded.tomorrow",
        (
            patient.patient_id,
            patient.masked_name,
            patient.language,
            int(patient.provisional),
            generation,
            patient.base_generation,
            patient.view.site_day,
            _json(patient.base),
            _json(patient.view),
            _json(patient.tomorrow),
        ),
    )
    _place_entries(connection, patient.patient_id, before.view if before else None, patient.view)


def save_view(connection: Connection, patient: Patient, before: Patient, joins: QueueEntry | None = None) -> None:
    """Writes the view of a patient, where it differs from the one that is written (`before`).

    The place of the entry `joins` is left to `join_line()`.
    """
    if patient.view == before.view:
        return
    connection.execute("update patients set view = ? where patient_id = ?", (_json(patient.view), patient.patient_id))
    if patient.view.site_day != before.view.site_day:  # apart, since each write of an indexed column writes the index
        connection.execute(
            "update patients set site_day = ? where patient_id = ?", (patient.view.site_day, patient.patient_id)
        )
    _place_entries(connection, patient.patient_id, before.view, patient.view, joins)


def save_bases(connection: Connection, journeys: Iterable[Journey], generation: int) -> None:
    """Replaces the bases of the patients of these journeys. The views stay."""
    connection.executemany(
        "update patients set base = ?, base_generation = ? where patient_id = ?",
        [(_json(each), generation, each.patient_id) for each in journeys],
    )


def bind(connection: Connection, patient_id: str, cards: Iterable[tuple[CardHash, str | None]]) -> None:
    """Binds cards, each with its binding id, to a patient. A card is bound to one patient at a time."""
    connection.executemany(
        "insert or replace into bindings values (?, ?, ?, ?)",
        [(card.key_id, card.uid_hash, patient_id, binding_id) for card, binding_id in cards],
    )


def bind_only(connection: Connection, patient_id: str, cards: Iterable[tuple[CardHash, str | None]]) -> None:
    """Binds these cards to a patient, and unbinds all others. What is bound so already is not written again."""
    bound = {
        (CardHash(row["key_id"], row["uid_hash"]), row["binding_id"])
        for row in connection.execute(
            "select key_id, uid_hash, binding_id from bindings where patient_id = ?", (patient_id,)
        )
    }
    named = list(cards)
    if bound == set(named):
        return
    unbind_all(connection, patient_id)
    bind(connection, patient_id, named)


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


def from_page(row: PatientRow, generation: int) -> Patient:
    """Returns the patient of a row of a page of this generation, without pending actions on top."""
    return Patient(
        PatientId(row.patient_id),
        row.masked_name,
        row.language,
        False,
        row.journey,
        row.journey,
        row.tomorrow,
        generation,
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
        row["base_generation"],
    )


def _place_entries(
    connection: Connection, patient_id: str, before: Journey | None, after: Journey, joins: QueueEntry | None = None
) -> None:
    """Writes the places in line of the entries of a view, where they differ from those of the view before."""
    known = {_place(patient_id, entry, before.site_day) for entry in before.entries} if before else set()
    present = {_place(patient_id, entry, after.site_day) for entry in after.entries if entry is not joins}
    connection.executemany(
        "delete from entries where queue_id = ? and patient_id = ?",
        [(place[0], place[1]) for place in known - present],
    )
    connection.executemany(_PLACE, present - known)


def _place(patient_id: str, entry: QueueEntry, site_day: str) -> tuple[str, str, str, str, str, int, int]:
    urgency, line_ms, _ = place_in_line(entry)
    return entry.queue_id, patient_id, entry.exam_id, site_day, entry.state, urgency, line_ms


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
