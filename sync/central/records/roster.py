"""The roster as rows: the patients that kiosks hold.

They are on a visit, or have a place in a line, or have a booking of today or tomorrow, or a kiosk has looked them up
today (guests). A place in a line may outlast its visit, and a kiosk must not give its number again.
"""

import sqlite3

from sync.central.records.card_blocks import renumber_blocks
from sync.central.records.journeys import renumber
from sync.central.store.transactions import ReadTransaction, WriteTransaction, any_of
from sync.clock import day_after, day_before
from sync.journey.definitions import Definitions

# The list of all members reads the live entries once, and the question about one patient those of this patient.
# Entries of yesterday are among them, since their day may not be closed yet.
_IN_A_LINE = (
    "j.patient_id in (select e.patient_id from entries e join journeys o on o.patient_id = e.patient_id"
    " and o.site_day = e.site_day where e.site_day >= :yesterday and e.state in {live})"
)
_HAS_A_PLACE = (
    "exists (select 1 from entries e where e.patient_id = j.patient_id and e.site_day = j.site_day"
    " and e.site_day >= :yesterday and e.state in {live})"
)
_MEMBER = (
    "select j.patient_id, j.change from journeys j where (j.visit_id is not null or {has_place}"
    " or exists (select 1 from appointments a where a.patient_id = j.patient_id"
    " and a.site_day in (:today, :tomorrow))"
    " or exists (select 1 from roster_guests g where g.patient_id = j.patient_id and g.site_day = :today))"
)


def roster_members(db: ReadTransaction, definitions: Definitions, today: str, limit: int) -> list[sqlite3.Row]:
    """The first patients on the roster in the order of their changes: patient_id and change."""
    members, parameters = _members(definitions, today, _IN_A_LINE)
    return db.rows(f"{members} order by j.change limit :limit", **parameters, limit=limit)


def changed_patients(db: ReadTransaction, after: int, limit: int) -> list[sqlite3.Row]:
    """The first patients with a change number above `after`, in its order: patient_id and change.

    Patients who are not on the roster are among them, since a kiosk must forget a patient who has left it.
    """
    return db.rows(
        "select patient_id, change from journeys where change > :after order by change limit :limit",
        after=after,
        limit=limit,
    )


def first_change_of_day(db: ReadTransaction, today: str) -> int | None:
    """The change number at which today's roster began.

    None where no pull has come since the last day's end, or where the clock was ahead at the last pull.
    """
    row = db.row("select first_change from roster_day where site_day = :today", today=today)
    return int(row["first_change"]) if row else None


def add_guest(db: WriteTransaction, patient_id: str, today: str) -> None:
    """Puts a patient on today's roster, whatever their bookings."""
    db.execute(
        "insert into roster_guests values (:patient_id, :today) on conflict (patient_id) do update"
        " set site_day = excluded.site_day",
        {"patient_id": patient_id, "today": today},
    )


def is_on_roster(db: ReadTransaction, definitions: Definitions, patient_id: str, today: str) -> bool:
    """Whether kiosks hold a patient today."""
    members, parameters = _members(definitions, today, _HAS_A_PLACE)
    return db.row(f"{members} and j.patient_id = :patient_id", **parameters, patient_id=patient_id) is not None


def is_guest(db: ReadTransaction, patient_id: str, today: str) -> bool:
    """Whether a kiosk has looked a patient up today."""
    row = db.row("select site_day from roster_guests where patient_id = :patient_id", patient_id=patient_id)
    return row is not None and row["site_day"] == today


def begin_roster_day(db: WriteTransaction, definitions: Definitions, today: str) -> None:
    """Begins today's roster: membership depends on the day, so every kiosk gets a snapshot of it.

    The members and the blocked cards get change numbers of today, so that no page of a snapshot ends at a cursor of an
    earlier day.
    """
    db.execute(
        "insert into roster_day values (1, :today, :change) on conflict (id) do update"
        " set site_day = excluded.site_day, first_change = excluded.first_change",
        {"today": today, "change": db.next_change()},
    )
    db.execute("delete from roster_guests where site_day <> :today", {"today": today})
    members, parameters = _members(definitions, today, _IN_A_LINE)
    for row in db.rows(f"{members} order by j.change", **parameters):
        renumber(db, row["patient_id"])
    renumber_blocks(db)


def _members(definitions: Definitions, today: str, has_place: str) -> tuple[str, dict[str, str]]:
    """The query for the members of a day's roster, and its parameters. `has_place` is the condition of a live entry."""
    live, states = any_of("live", definitions.live)
    days = {"today": today, "yesterday": day_before(today), "tomorrow": day_after(today)}
    return _MEMBER.format(has_place=has_place.format(live=live)), {**days, **states}
