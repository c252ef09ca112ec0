"""The queue entries of a day as a board shows them: each with its patient, its booking and its last change of state."""

from collections.abc import Collection
from dataclasses import dataclass

from sync.central.records.entries import entry_of_row, line_order
from sync.central.records.person_names import person_of, who_of
from sync.central.store.connection import Row
from sync.central.store.transactions import ReadTransaction, any_of, each_of
from sync.journey.model import BuiltIn, QueueEntry


@dataclass(frozen=True, slots=True)
class BoardEntry:
    """An entry with what staff see beside it.

    `since_ms` is when the entry came into its state (UTC ms), and `who` the name in its history of who did that.
    `kiosk` is the name of the kiosk that did it; None where it was no kiosk. `booked_ms` is the time of the booking of
    the entry; None without a booking, or for a booking of a whole day.
    """

    entry: QueueEntry
    patient_id: str
    name: str
    masked_name: str
    birth_date: str | None
    language: str
    journey_state: str
    journey_version: int
    current_queue_id: str | None
    booked_ms: int | None
    since_ms: int
    who: str
    kiosk: str | None
    exam_title: str
    priority_kind: str
    priority_reason: str
    note: str


def live_entries(db: ReadTransaction, site_day: str, live: Collection[str]) -> list[BoardEntry]:
    """The entries of a day that have not ended, each exam's line in its order."""
    states, parameters = any_of("state", live)
    return _read(db, f"where e.site_day = :site_day and e.state in {states}", {"site_day": site_day, **parameters})


def entries_with_patients(db: ReadTransaction, site_day: str, patient_ids: Collection[str]) -> list[BoardEntry]:
    """Every entry of these patients on a day, ended ones included."""
    names, parameters = each_of("patient", patient_ids)
    of_patients = f"where e.patient_id in {names} and e.site_day = :site_day"
    return _read(db, of_patients, {"site_day": site_day, **parameters})


def entries_of_exam(db: ReadTransaction, site_day: str, exam_id: str) -> list[BoardEntry]:
    """Every entry of an exam on a day, ended ones included."""
    condition = "where e.site_day = :site_day and e.exam_id = :exam_id"
    return _read(db, condition, {"site_day": site_day, "exam_id": exam_id})


def last_ended(db: ReadTransaction, site_day: str, live: Collection[str], of_each: int) -> list[BoardEntry]:
    """The last entries of a day that have ended, so many of each exam."""
    states, parameters = any_of("state", live)
    condition = f"where e.queue_id in ({_LAST} and d.state not in {states}) as listed where place <= :of_each)"
    return _read(db, condition, {"site_day": site_day, "of_each": of_each, **parameters})


def patients_changed_after(db: ReadTransaction, change: int, limit: int) -> list[str]:
    """Patients with a change number above this one, at most `limit`."""
    rows = db.rows("select patient_id from journeys where change > :change limit :limit", change=change, limit=limit)
    return [row["patient_id"] for row in rows]


def count_entries_of_exams(
    db: ReadTransaction, site_day: str, exam_ids: Collection[str] | None = None
) -> dict[str, dict[str, int]]:
    """The number of a day's entries by exam and state. Without exams, of all of them."""
    condition = ""
    parameters: dict[str, str] = {}
    if exam_ids is not None:
        names, parameters = each_of("exam", exam_ids)
        condition = f" and exam_id in {names}"
    rows = db.rows(
        f"select exam_id, state, count(*) as rows from entries where site_day = :site_day{condition}"  # noqa: S608
        " group by exam_id, state",
        site_day=site_day,
        **parameters,
    )
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        found.setdefault(row["exam_id"], {})[row["state"]] = row["rows"]
    return found


def _read(db: ReadTransaction, condition: str, parameters: dict[str, object]) -> list[BoardEntry]:
    rows = db.rows(f"{_SELECT} {condition} order by e.exam_id, {line_order('e')}, h.position", **parameters)
    # A change may have several rows about one entry: the last one counts.
    return list({each.entry.queue_id: each for each in map(_board_entry, rows)}.values())


def _board_entry(row: Row) -> BoardEntry:
    return BoardEntry(
        entry_of_row(row),
        row["patient_id"],
        row["name"],
        row["masked_name"],
        row["birth_date"],
        row["language"],
        row["journey_state"],
        row["journey_version"],
        row["current_queue_id"],
        row["booked_ms"],
        row["happened_ms"] if row["happened_ms"] is not None else row["opened_ms"],
        row["who"] or "",
        row["kiosk"],
        row["title"],
        row["priority_kind"] or "",
        row["priority_reason"] or "",
        row["note"] or "",
    )


_SELECT = (
    "select e.*, p.name, p.masked_name, p.birth_date, p.language, j.state as journey_state, j.journey_version,"  # noqa: S608
    " j.current_queue_id, case when a.all_day = 0 then a.scheduled_ms end as booked_ms, h.happened_ms,"
    f" {who_of('h')},"
    " k.name as kiosk, x.title,"
    " m.priority_kind, m.priority_reason, m.note"
    " from entries e join patients p on p.patient_id = e.patient_id join journeys j on j.patient_id = e.patient_id"
    " join exams x on x.exam_id = e.exam_id left join appointments a on a.appointment_id = e.appointment_id"
    " left join entry_history h on h.queue_id = e.queue_id and h.change = coalesce("
    # An entry that an undo has put back is in its state since it came there first.
    "(select max(c.change) from entry_history c"
    " where c.queue_id = e.queue_id and (c.previous is null or c.previous <> c.new)"
    f" and c.new = e.state and c.reason <> '{BuiltIn.UNDO}'), (select max(c.change) from entry_history c"
    " where c.queue_id = e.queue_id and (c.previous is null or c.previous <> c.new)))"
    " left join kiosks k on k.kiosk_id = h.who left join entry_marks m on m.queue_id = e.queue_id" + person_of("h")
)
# The ended entries of a day with their place among those of their exam: the last change comes first. It is left open.
_LAST = (
    "select queue_id from (select d.queue_id, row_number() over (partition by d.exam_id order by"
    " (select max(c.change) from entry_history c where c.queue_id = d.queue_id) desc, d.queue_id) as place"
    " from entries d where d.site_day = :site_day"
)
