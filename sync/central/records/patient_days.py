"""A patient's day as rows: what happened to the journey and the entries, the visits, the cards, the open cases."""

from dataclasses import dataclass

from sync.central.records.person_names import person_of, who_of
from sync.central.store.transactions import ReadTransaction

_MOST_ROWS = 500  # of a day's history, the newest


@dataclass(frozen=True, slots=True)
class JourneyRow:
    """A transition, with who set it off. `kiosk` is the name of the kiosk that did; None where it was no kiosk."""

    change: int
    action_id: str | None
    from_state: str
    to_state: str
    action: str
    trigger_type: str
    who: str
    kiosk: str | None
    happened_ms: int
    recorded_ms: int
    time_quality: str


@dataclass(frozen=True, slots=True)
class EntryRow:
    """A change of an entry. `previous` is None where the entry was opened. The exam is the entry's present one.

    `action` is the type of the action that changed it; None where it was none, such as an import.
    """

    change: int
    action_id: str | None
    queue_id: str
    previous: str | None
    new: str
    reason: str
    who: str
    kiosk: str | None
    happened_ms: int
    recorded_ms: int
    exam_id: str
    exam_title: str
    queue_number: str
    action: str | None


@dataclass(frozen=True, slots=True)
class VisitOfDay:
    """A visit of a day. `closed_ms` is None while it is under way."""

    visit_id: str
    ordinal: int
    opened_ms: int
    closed_ms: int | None


def journey_rows_since(db: ReadTransaction, patient_id: str, since_ms: int) -> list[JourneyRow]:
    """A patient's newest transitions since a moment, oldest first."""
    rows = db.rows(
        "select t.change, t.action_id, t.from_state, t.to_state, t.action, t.trigger_type,"  # noqa: S608
        f" {who_of('t')}, k.name as kiosk, t.happened_ms, t.recorded_ms, t.time_quality from transitions t"
        f" left join kiosks k on k.kiosk_id = t.source{person_of('t')}"
        " where t.patient_id = :patient_id and t.happened_ms >= :since_ms"
        " order by t.change desc, t.position desc limit :most",
        patient_id=patient_id,
        since_ms=since_ms,
        most=_MOST_ROWS,
    )
    return [JourneyRow(*row) for row in reversed(rows)]


def entry_rows_since(db: ReadTransaction, patient_id: str, site_day: str, since_ms: int) -> list[EntryRow]:
    """The newest changes since a moment of a patient's entries of a day, oldest first."""
    rows = db.rows(
        "select h.change, h.action_id, h.queue_id, h.previous, h.new, h.reason,"  # noqa: S608
        f" {who_of('h')}, k.name as kiosk, h.happened_ms,"
        " h.recorded_ms, e.exam_id, x.title, e.queue_number, a.action_type from entries e"
        " join entry_history h on h.queue_id = e.queue_id join exams x on x.exam_id = e.exam_id"
        " left join kiosks k on k.kiosk_id = h.who left join actions a on a.action_id = h.action_id"
        f"{person_of('h')}"
        " where e.patient_id = :patient_id and e.site_day = :site_day and h.happened_ms >= :since_ms"
        " order by h.change desc, h.position desc limit :most",
        patient_id=patient_id,
        site_day=site_day,
        since_ms=since_ms,
        most=_MOST_ROWS,
    )
    return [EntryRow(*row) for row in reversed(rows)]


def visits_of_day(db: ReadTransaction, patient_id: str, site_day: str) -> list[VisitOfDay]:
    """A patient's visits of a day, the first one first."""
    rows = db.rows(
        "select visit_id, ordinal, opened_ms, closed_ms from visits"
        " where patient_id = :patient_id and site_day = :site_day order by ordinal",
        patient_id=patient_id,
        site_day=site_day,
    )
    return [VisitOfDay(*row) for row in rows]


def count_cards(db: ReadTransaction, patient_id: str) -> int:
    """The number of cards that are bound to a patient."""
    return int(db.value("select count(*) from bindings where patient_id = :id and end_ms is null", id=patient_id))


def open_cases_about(db: ReadTransaction, patient_id: str) -> list[str]:
    """The ids of the open cases about a patient, oldest first."""
    rows = db.rows(
        "select exception_id from exceptions where patient_id = :id and settled_ms is null"
        " order by opened_ms, exception_id",
        id=patient_id,
    )
    return [row["exception_id"] for row in rows]
