"""Presses of staff on queue entries as rows: the way back for each of them, and which one can be undone now."""

from collections.abc import Collection
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from sync.central.records.entry_marks import NoteMark, PriorityMark
from sync.central.records.person_names import person_of, who_of
from sync.central.store.connection import Row
from sync.central.store.transactions import ReadTransaction, WriteTransaction, Writing, each_of
from sync.journey.model import Decision, Journey, PatientId
from sync.journey.take_back import Before, before


class MovedBooking(msgspec.Struct, frozen=True):
    """The exam of a booking before a press moved it to the exam `to`."""

    appointment_id: str
    exam_id: str
    to: str


class WayBack(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one press has changed, as it was before. A part that it did not change is None."""

    journey: Before | None = None
    booking: MovedBooking | None = None
    priority: PriorityMark | None = None
    note: NoteMark | None = None


class Press(msgspec.Struct, frozen=True):
    """A press. `queue_id` is None for a booking without an entry. `holds_version` is the version of the journey at
    which nothing newer has happened; None where the press did not change the journey.
    """

    action_id: str
    patient_id: PatientId
    queue_id: str | None
    action: str
    who: str
    at_ms: int
    change: int
    site_day: str
    way_back: WayBack
    holds_version: int | None
    is_undone: bool = False


@dataclass(frozen=True, slots=True)
class UndoablePress:
    """The press on an entry that can be undone now."""

    action_id: str
    action: str
    who: str
    at_ms: int


def way_back(journey: Journey, decision: Decision, marks: WayBack) -> WayBack:
    """The way back from a decision on a journey. `marks` are the parts of it beside the journey."""
    return replace(marks, journey=before(journey, decision))


def entry_of(decision: Decision) -> str | None:
    """The entry that a press has opened or changed; None for a booking without one."""
    changes, opened = decision.entry_changes, decision.opened
    return opened.queue_id if opened else changes[0].queue_id if changes else None


def add_press(db: WriteTransaction, press: Press) -> None:
    """Records a press."""
    change = press.way_back.journey
    db.write(
        _ADD,
        {
            "action_id": press.action_id,
            "patient_id": press.patient_id,
            "queue_id": press.queue_id,
            "action": press.action,
            "who": press.who,
            "at_ms": press.at_ms,
            "change": press.change,
            "site_day": press.site_day,
            "before": msgspec.json.encode(press.way_back).decode(),
            "from_version": change.journey_version if change else None,
            "holds_version": press.holds_version,
        },
    )


def read_press(db: ReadTransaction, action_id: str) -> Press | None:
    """The press of an action id, or None."""
    row = db.row("select * from presses where action_id = :action_id", action_id=action_id)
    return _press(row) if row else None


def undoable_presses(db: ReadTransaction, patient_ids: Collection[str]) -> dict[str, UndoablePress]:
    """The presses on entries of these patients after which nothing newer has happened, by the entry.

    A note is none of the journey: the press that wrote it can be undone while the note is as it left it.
    """
    names, parameters = each_of("patient", patient_ids)
    rows = db.rows(
        f"select p.queue_id, p.action_id, p.action, {who_of('p')}, p.at_ms from presses p{person_of('p')}"  # noqa: S608
        " join journeys j on j.patient_id = p.patient_id and j.site_day = p.site_day"
        f" where p.patient_id in {names} and p.queue_id is not null and p.undone_ms is null"
        " and (p.holds_version = j.journey_version or exists (select 1 from entry_marks m"
        " where m.queue_id = p.queue_id and m.note_action = p.action_id)) order by p.change",
        **parameters,
    )
    return {row["queue_id"]: UndoablePress(row["action_id"], row["action"], row["who"], row["at_ms"]) for row in rows}


def end_press(db: WriteTransaction, press: Press, now_ms: int, undone_version: int) -> None:
    """Notes that a press was undone, on the journey of a version. The press before it can be undone from then on."""
    db.execute(
        "update presses set undone_ms = :now_ms, undone_version = :version where action_id = :action_id",
        {"now_ms": now_ms, "version": undone_version, "action_id": press.action_id},
    )
    if press.way_back.journey is not None:
        db.execute(
            "update presses set holds_version = :after where patient_id = :patient_id and undone_ms is null"
            " and holds_version = :before",
            {
                "after": undone_version + 1,
                "before": press.way_back.journey.journey_version,
                "patient_id": press.patient_id,
            },
        )


def delete_old_presses(db: WriteTransaction, today: str) -> None:
    """Deletes the presses of days that have ended: nobody can undo them any more."""
    db.execute("delete from presses where site_day < :today", {"today": today})


def _press(row: Row) -> Press:
    return Press(
        row["action_id"],
        PatientId(row["patient_id"]),
        row["queue_id"],
        row["action"],
        row["who"],
        row["at_ms"],
        row["change"],
        row["site_day"],
        _way_back.decode(row["before"]),
        row["holds_version"],
        row["undone_ms"] is not None,
    )


_way_back = msgspec.json.Decoder(WayBack)
_ADD = Writing(
    "insert into presses values (:action_id, :patient_id, :queue_id, :action, :who, :at_ms, :change, :site_day,"
    " :before, :from_version, :holds_version, null, null)"
)
