"""The roster as rows: the patients that kiosks hold.

They are on a visit, or have a place in a line, or have a booking of today or tomorrow, or a kiosk has looked them up
today (guests). A place in a line may outlast its visit, and a kiosk must not give its number again.
"""

from sync.central.records.card_blocks import renumber_blocks
from sync.central.store.transactions import ReadTransaction, WriteTransaction, any_of
from sync.clock import day_after, day_before
from sync.journey.definitions import Definitions

# Entries of yesterday are among them, since their day may not be closed yet. Each part is a short way over an index,
# for all patients and for one.
_MEMBERS = """select distinct j.patient_id, j.change from (
    select patient_id from journeys where visit_id is not null
    union all select e.patient_id from entries e
    join journeys o on o.patient_id = e.patient_id and o.site_day = e.site_day
    where e.site_day >= :yesterday and e.state in {live}
    union all select patient_id from appointments where site_day in (:today, :tomorrow)
    union all select patient_id from roster_guests where site_day = :today
    ) m join journeys j on j.patient_id = m.patient_id where """


def changes_of_members(db: ReadTransaction, definitions: Definitions, today: str, until: int, limit: int) -> list[int]:
    """The first change numbers of the patients on the roster, up to `until`, in their order."""
    members, parameters = _members(definitions, today)
    rows = db.rows(
        f"{members} j.change <= :until order by j.change limit :limit", **parameters, until=until, limit=limit
    )
    return [row["change"] for row in rows]


def changes_of_patients(db: ReadTransaction, after: int, until: int, limit: int) -> list[int]:
    """The first change numbers of patients above `after` and up to `until`, in their order.

    Those of patients who are not on the roster are among them, since a kiosk must forget a patient who has left it.
    """
    rows = db.rows(
        "select change from journeys where change > :after and change <= :until order by change limit :limit",
        after=after,
        until=until,
        limit=limit,
    )
    return [row["change"] for row in rows]


def add_guest(db: WriteTransaction, patient_id: str, today: str) -> None:
    """Puts a patient on today's roster, whatever their bookings."""
    db.execute(
        "insert into roster_guests values (:patient_id, :today) on conflict (patient_id) do update"
        " set site_day = excluded.site_day",
        {"patient_id": patient_id, "today": today},
    )


def is_on_roster(db: ReadTransaction, definitions: Definitions, patient_id: str, today: str) -> bool:
    """Whether kiosks hold a patient today."""
    members, parameters = _members(definitions, today)
    return db.row(f"{members} m.patient_id = :patient_id", **parameters, patient_id=patient_id) is not None


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
    members, parameters = _members(definitions, today)
    patients = [row["patient_id"] for row in db.rows(f"{members} true order by j.change", **parameters)]
    db.executemany(
        "update journeys set change = :change where patient_id = :patient_id",
        [
            {"change": change, "patient_id": each}
            for change, each in zip(db.next_changes(len(patients)), patients, strict=True)
        ],
    )
    renumber_blocks(db)


def _members(definitions: Definitions, today: str) -> tuple[str, dict[str, str]]:
    """The query for the members of a day's roster, to be ended by a condition, and its parameters."""
    live, states = any_of("live", definitions.live)
    days = {"today": today, "yesterday": day_before(today), "tomorrow": day_after(today)}
    return _MEMBERS.format(live=live), {**days, **states}
