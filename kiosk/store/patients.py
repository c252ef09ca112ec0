"""The rows of the kiosk's store that say who this kiosk is and which patients it knows, as typed objects.

Every function takes the connection of a transaction that is under way (`Store.write()`), or one that reads.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from sync.cards import CardHash
from sync.clock import ClockReading
from sync.journey import definitions as journey_definitions
from sync.journey.definitions import Definitions
from sync.journey.model import Appointment, Journey, PatientId, QueueEntry
from sync.protocol import Enrolment, PatientRow, PullAnswer, Site

Connection = sqlite3.Connection
_appointments = msgspec.json.Decoder(tuple[Appointment, ...])
_journey = msgspec.json.Decoder(Journey)
_entry = msgspec.json.Decoder(QueueEntry)
_site = msgspec.json.Decoder(Site)
_clock = msgspec.json.Decoder(ClockReading)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this kiosk is, by the centre's word, and how far it has come."""

    kiosk_id: str
    name: str
    ticket_prefix: str
    actions: frozenset[str]
    epoch: int
    backed_up_seq: int
    server_incarnation: str
    cursor: int
    as_of_ms: int | None
    site: Site
    definitions_version: int
    fenced_ms: int | None = None  # when the centre ended this kiosk
    as_of_clock: ClockReading | None = None  # this box's clocks at `as_of_ms`, which is by the centre's


@dataclass(frozen=True, slots=True)
class Patient:
    """All that the kiosk holds of a patient. `base` is the centre's word, `view` has what is pending on top."""

    patient_id: PatientId
    masked_name: str
    language: str
    provisional: bool
    base: Journey
    view: Journey
    tomorrow: tuple[Appointment, ...]


def identity(connection: Connection) -> Identity | None:
    """Who this kiosk is; None before its enrolment."""
    row = connection.execute("select * from identity").fetchone()
    if row is None:
        return None
    return Identity(
        row["kiosk_id"],
        row["name"],
        row["ticket_prefix"],
        frozenset(msgspec.json.decode(row["actions"], type=list[str])),
        row["epoch"],
        row["backed_up_seq"],
        row["server_incarnation"],
        row["cursor"],
        row["as_of_ms"],
        _site.decode(row["site"]),
        row["definitions_version"],
        row["fenced_ms"],
        _clock.decode(row["as_of_clock"]) if row["as_of_clock"] else None,
    )


def definitions(connection: Connection) -> Definitions | None:
    """The definitions that the centre sent; None before enrolment. Raises ValueError or RecursionError where they
    cannot be read."""
    row = connection.execute("select definitions from identity").fetchone()
    return _read_definitions(row[0]) if row else None


def enrol(connection: Connection, enrolment: Enrolment) -> None:
    """Becomes the kiosk that the centre made of this box. What is pending stays; the roster starts afresh."""
    connection.execute("delete from identity")
    connection.execute("delete from patients where provisional = 0")
    connection.execute(
        "insert into identity values (1, ?, ?, ?, ?, ?, 1, '', 0, ?, 0, null, ?, ?, ?, null, null)",
        (
            enrolment.kiosk_id,
            enrolment.name,
            enrolment.ticket_prefix,
            _text(list(enrolment.actions)),
            enrolment.epoch,
            enrolment.server_incarnation,
            _text(enrolment.site),
            enrolment.definitions["version"],
            _text(enrolment.definitions),
        ),
    )


def follow(connection: Connection, page: PullAnswer, clock: ClockReading) -> None:
    """Notes what a page says of the kiosk itself and how far it leads. The roster is whole only with the last page,
    which also tells the time of the centre by this box's clocks."""
    connection.execute(
        "update identity set cursor = ?, as_of_ms = iif(?, as_of_ms, ?), server_incarnation = ?, actions = ?, site = ?,"
        " fenced_ms = null, as_of_clock = iif(?, as_of_clock, ?)",
        (
            page.cursor,
            page.more,
            page.now_ms,
            page.server_incarnation,
            _text(page.actions),
            _text(page.site),
            page.more,
            _text(clock),
        ),
    )
    if page.definitions:
        connection.execute(
            "update identity set definitions_version = ?, definitions = ?",
            (page.definitions["version"], _text(page.definitions)),
        )


def start_afresh(connection: Connection) -> set[PatientId]:
    """A snapshot begins: everybody's base gives way to whatever comes next. They stay as they are until the snapshot is
    whole, or a network that goes meanwhile would leave a kiosk that knows half of its patients. Returns whom it
    concerns."""
    everybody = {PatientId(row[0]) for row in connection.execute("select patient_id from patients")}
    connection.execute(
        "update patients set journey_version = ?, base = json_set(base, '$.journey_version', ?), gone = ?"
        " where provisional = 0",
        (_OF_BEFORE, _OF_BEFORE, _UNNAMED),
    )
    return everybody


def begin_again(connection: Connection) -> None:
    """The next page is to be the first of a snapshot."""
    connection.execute("update identity set cursor = 0")


def fence(connection: Connection, at_ms: int) -> set[PatientId]:
    """The centre has ended this kiosk: it forgets everybody. Returns whom."""
    everybody = {PatientId(row[0]) for row in connection.execute("select patient_id from patients")}
    connection.execute("delete from patients")
    connection.execute("delete from patient_aliases")
    connection.execute("update identity set cursor = 0, as_of_ms = null, as_of_clock = null, fenced_ms = ?", (at_ms,))
    return everybody


def left_behind(connection: Connection) -> list[Patient]:
    """The snapshot is whole: forgets whomever it has not named, but those with something pending, who stay until that
    has its verdict. Returns those of them of whom no verdict has told anything since."""
    left = connection.execute(
        f"select * from patients where gone = {_UNNAMED} and journey_version = ?"  # noqa: S608
        " and exists (select 1 from outbox o where o.patient_id = patients.patient_id and o.status = 'pending')",
        (_OF_BEFORE,),
    ).fetchall()
    connection.execute(f"update patients set gone = 1 where gone = {_UNNAMED}")  # noqa: S608
    forget_those_gone(connection)
    return [_patient(row) for row in left]


def patient(connection: Connection, patient_id: str) -> Patient | None:
    """One patient, or None."""
    row = connection.execute("select * from patients where patient_id = ?", (patient_id,)).fetchone()
    return _patient(row) if row else None


def patient_of_card(connection: Connection, cards: Iterable[CardHash]) -> tuple[Patient, str | None] | None:
    """The patient that one of a card's hashes is bound to, with the binding's id."""
    for card in cards:
        row = connection.execute(
            "select p.*, b.binding_id from bindings b join patients p using (patient_id)"
            " where b.key_id = ? and b.uid_hash = ?",
            (card.key_id, card.uid_hash),
        ).fetchone()
        if row:
            return _patient(row), row["binding_id"]
    return None


def pulled(row: PatientRow) -> Patient:
    """A patient as a pull brought them, with nothing pending on top yet."""
    return Patient(
        PatientId(row.patient_id), row.masked_name, row.language, False, row.journey, row.journey, row.tomorrow
    )


def save(connection: Connection, kept: Patient, change: int | None = None) -> None:
    """Writes a patient with the entries of their view. Without `change` the change number stays."""
    connection.execute(
        "insert into patients values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)"
        " on conflict (patient_id) do update set masked_name = excluded.masked_name, language = excluded.language,"
        " change = max(change, excluded.change), provisional = excluded.provisional,"
        " journey_version = excluded.journey_version, journey_state = excluded.journey_state,"
        " site_day = excluded.site_day,"
        " base = excluded.base, view = excluded.view, tomorrow = excluded.tomorrow,"
        " gone = iif(excluded.change > 0, 0, gone)",
        (
            kept.patient_id,
            kept.masked_name,
            kept.language,
            change or 0,
            int(kept.provisional),
            kept.base.journey_version,
            kept.view.state,
            kept.view.site_day,
            _text(kept.base),
            _text(kept.view),
            _text(kept.tomorrow),
        ),
    )
    connection.execute("delete from entries where patient_id = ?", (kept.patient_id,))
    connection.executemany(
        "insert or replace into entries values (?, ?, ?, ?)",
        [(e.queue_id, kept.patient_id, e.exam_id, _text(e)) for e in kept.view.entries],
    )


def bind(connection: Connection, patient_id: str, cards: Iterable[tuple[CardHash, str | None]]) -> None:
    """Ties cards to a patient; whoever held one of them before no longer does."""
    connection.executemany(
        "insert or replace into bindings values (?, ?, ?, ?)",
        [(card.key_id, card.uid_hash, patient_id, binding_id) for card, binding_id in cards],
    )


def unbind(
    connection: Connection, patient_id: str, cards: Iterable[CardHash] = (), binding_id: str | None = None
) -> None:
    """Forgets these cards of a patient, unless a newer binding than that one ties them; where none are named, every
    card."""
    named = [(patient_id, card.key_id, card.uid_hash, binding_id) for card in cards]
    if named:
        connection.executemany(
            "delete from bindings where patient_id = ? and key_id = ? and uid_hash = ?"
            " and (binding_id is null or binding_id = ?)",
            named,
        )
    else:
        connection.execute("delete from bindings where patient_id = ?", (patient_id,))


def forget(connection: Connection, patient_id: str) -> None:
    """Removes a patient with cards and entries; outbox rows stay."""
    connection.execute("delete from patients where patient_id = ?", (patient_id,))


def leave(connection: Connection, patient_id: str) -> None:
    """A patient has left the roster, and is forgotten once nothing of theirs is pending."""
    connection.execute("update patients set gone = 1 where patient_id = ?", (patient_id,))


def forget_those_gone(connection: Connection) -> None:
    """Removes whoever has left the roster and has nothing pending any more."""
    connection.execute(
        "delete from patients where gone = 1 and not exists"
        " (select 1 from outbox o where o.patient_id = patients.patient_id and o.status = 'pending')"
    )


def rename(connection: Connection, old: str, patient_id: str, site_day: str) -> None:
    """Who was `old` is that patient from now on."""
    forget(connection, old)
    connection.execute("update patient_aliases set patient_id = ? where patient_id = ?", (patient_id, old))
    connection.execute("insert or replace into patient_aliases values (?, ?, ?)", (old, patient_id, site_day))


def named(connection: Connection, patient_id: str) -> PatientId:
    """Whom an id means now: the patient that it was found to be, else itself."""
    row = connection.execute("select patient_id from patient_aliases where alias_id = ?", (patient_id,)).fetchone()
    return PatientId(row[0] if row else patient_id)


def forget_alias(connection: Connection, patient_id: str) -> None:
    """This id is a patient's own: a restored centre may name one whose record had been merged."""
    connection.execute("delete from patient_aliases where alias_id = ?", (patient_id,))


def forget_aliases(connection: Connection, before_day: str) -> None:
    """Drops the names of earlier days that nothing pending bears."""
    connection.execute("delete from patient_aliases where site_day < ?", (before_day,))


def of_earlier_days(connection: Connection, day: str) -> list[Patient]:
    """Patients whose view is of a day before that one, and who have nothing pending."""
    rows = connection.execute(
        "select * from patients where site_day < ?"
        " and patient_id not in (select patient_id from outbox where status = 'pending')",
        (day,),
    )
    return [_patient(row) for row in rows]


def ahead_of(connection: Connection, day: str) -> set[PatientId]:
    """Patients whose view is of a day after that one: the clock was ahead when it was made."""
    rows = connection.execute("select patient_id from patients where site_day > ?", (day,))
    return {PatientId(row[0]) for row in rows}


def line_of(connection: Connection, exam_id: str, day: str) -> tuple[QueueEntry, ...]:
    """Every entry of an exam's line of a site day that this kiosk knows."""
    rows = connection.execute(
        "select entry from entries join patients using (patient_id) where exam_id = ? and site_day = ?", (exam_id, day)
    )
    return tuple(_entry.decode(row["entry"]) for row in rows)


def _patient(row: sqlite3.Row) -> Patient:
    return Patient(
        PatientId(row["patient_id"]),
        row["masked_name"],
        row["language"],
        bool(row["provisional"]),
        _journey.decode(row["base"]),
        _journey.decode(row["view"]),
        _appointments.decode(row["tomorrow"]),
    )


_OF_BEFORE = -1  # the version of a base from before the roster was started afresh: any other is newer
# In `gone`: a snapshot is under way that has not named them yet; 1 is whoever has left the roster. Spelt out in the
# statements, since SQLite takes an index "where gone = 2" only then.
_UNNAMED = 2


@lru_cache(maxsize=2)
def _read_definitions(text: str) -> Definitions:
    # Built and checked once for each version: every page that is adopted ends in a look at what the kiosk is now.
    return journey_definitions.read(msgspec.json.decode(text))


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
