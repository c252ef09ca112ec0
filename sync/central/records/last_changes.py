"""The end of the history: who brought an entry into its state, and what happened to a patient last."""

from dataclasses import dataclass

from sync.central.records.entries import entry_of_row
from sync.central.records.person_names import person_of, who_of
from sync.central.store.transactions import ReadTransaction
from sync.journey.model import QueueEntry


@dataclass(frozen=True, slots=True)
class StandingEntry:
    """An entry with its patient, and who brought it into its state, and when (UTC ms).

    `kiosk` is the name of the kiosk that `who` is the id of; None where it is none.
    """

    entry: QueueEntry
    patient_id: str
    who: str
    kiosk: str | None
    at_ms: int


@dataclass(frozen=True, slots=True)
class LastChange:
    """A change of a patient's journey or entries: its action, who did it, and when (UTC ms). `kiosk` as above."""

    action: str
    who: str
    kiosk: str | None
    at_ms: int


def standing_entry(db: ReadTransaction, queue_id: str) -> StandingEntry | None:
    """An entry as it stands; None for an unknown one."""
    row = db.row(
        f"select e.*, {who_of('h')}, h.happened_ms, k.name as kiosk from entries e"  # noqa: S608
        " left join entry_history h on h.queue_id = e.queue_id"
        " and (h.change, h.position) = (select c.change, c.position from entry_history c"
        " where c.queue_id = e.queue_id and (c.previous is null or c.previous <> c.new)"
        " order by c.change desc, c.position desc limit 1)"
        f" left join kiosks k on k.kiosk_id = h.who{person_of('h')} where e.queue_id = :queue_id",
        queue_id=queue_id,
    )
    if row is None:
        return None
    entry = entry_of_row(row)
    at_ms = entry.opened_ms if row["happened_ms"] is None else row["happened_ms"]
    return StandingEntry(entry, row["patient_id"], row["who"] or "", row["kiosk"], at_ms)


def last_change_after(db: ReadTransaction, patient_id: str, change: int) -> LastChange | None:
    """The last change of a patient with a change number above this one; None where there is none."""
    after = {"patient_id": patient_id, "change": change}
    moved = db.row(
        f"select t.change, t.action, {who_of('t')}, t.recorded_ms from transitions t{person_of('t')}"  # noqa: S608
        " where t.patient_id = :patient_id and t.change > :change order by t.change desc, t.position limit 1",
        **after,
    )
    entered = db.row(
        f"select h.change, h.action_id, h.reason, {who_of('h')}, h.recorded_ms from entry_history h{person_of('h')}"  # noqa: S608
        " join entries e on e.queue_id = h.queue_id where e.patient_id = :patient_id and h.change > :change"
        " order by h.change desc, h.position limit 1",
        **after,
    )
    if entered is not None and (moved is None or entered["change"] >= moved["change"]):
        is_one = moved is not None and moved["change"] == entered["change"]
        action = moved["action"] if moved is not None and is_one else _action_of(db, entered["action_id"])
        return _by(db, action or entered["reason"], entered["who"], entered["recorded_ms"])
    if moved is None:
        return None
    return _by(db, moved["action"], moved["who"], moved["recorded_ms"])


def _by(db: ReadTransaction, action: str, who: str, at_ms: int) -> LastChange:
    kiosk = db.row("select name from kiosks where kiosk_id = :who", who=who)
    return LastChange(action, who, kiosk["name"] if kiosk else None, at_ms)


def _action_of(db: ReadTransaction, action_id: str | None) -> str | None:
    row = db.row("select action_type from actions where action_id = :action_id", action_id=action_id)
    return row["action_type"] if row else None
