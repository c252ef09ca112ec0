"""Reads what a picture of the lines needs, in a number of statements that no number of patients changes."""

from collections.abc import Collection, Mapping

from sync.central.centre import Centre
from sync.central.records.board_entries import (
    BoardEntry,
    count_entries_of_exams,
    entries_with_patients,
    last_ended,
    live_entries,
    patients_changed_after,
)
from sync.central.records.exams import all_exams
from sync.central.records.presses import undoable_presses
from sync.central.records.site import read_site
from sync.central.services.board_picture import ENDED_KEPT, BoardExam, Picture, ReadAgain
from sync.central.services.board_rows import RowMaker
from sync.central.store.transactions import ReadTransaction
from sync.journey.definitions import Definitions

_MOST_CHANGED = 500  # patients: of more, the whole is read again


def read_after(centre: Centre, before: Picture | None) -> ReadAgain:
    """What was changed since a picture, or everything without one. Raises sqlite3.OperationalError, and NoSite."""
    now_ms = centre.clock()
    with centre.store.read() as db:
        site, change = read_site(db), db.latest_change()
        day = site.day(now_ms)
        patients = _changed(db, before, site.server_incarnation, day, change)
        entries, of_patients = _entries(db, centre.definitions, day, patients)
        shown = dict.fromkeys(each.patient_id for each in entries)
        presses = undoable_presses(db, shown) if shown else {}
        maker = RowMaker(centre.definitions, site, presses)
        rows = list(maker.rows(entries, of_patients))
        counts = count_entries_of_exams(db, day) if patients is None or patients else _counts(before)
        exams, zone = _exams(db, counts), site.site.timezone
        return ReadAgain(site.server_incarnation, change, day, zone, now_ms, exams, rows, patients)


def _changed(
    db: ReadTransaction, before: Picture | None, incarnation: str, day: str, change: int
) -> Collection[str] | None:
    """The patients to read again; None where everything is to be read."""
    if before is None or before.day != day:
        return None
    # A database that was set back has lost changes, and gives their numbers to others.
    if before.incarnation != incarnation or before.change > change:
        return None
    if before.change == change:
        return ()
    found = patients_changed_after(db, before.change, _MOST_CHANGED + 1)
    return frozenset(found) if len(found) <= _MOST_CHANGED else None


def _entries(
    db: ReadTransaction, definitions: Definitions, day: str, patients: Collection[str] | None
) -> tuple[list[BoardEntry], list[BoardEntry]]:
    """The entries to show, and every live entry of their patients."""
    if patients is not None:
        found = entries_with_patients(db, day, patients) if patients else []
        return found, found
    live = live_entries(db, day, definitions.live)
    return [*live, *last_ended(db, day, definitions.live, ENDED_KEPT)], live


def _exams(db: ReadTransaction, counts: Mapping[str, Mapping[str, int]]) -> dict[str, BoardExam]:
    """Every exam in the order of their titles, with its numbers."""
    exams = sorted(all_exams(db).values(), key=lambda each: (each.title, each.exam_id))
    return {
        each.exam_id: BoardExam(each.exam_id, each.title, each.room, each.order, counts.get(each.exam_id, {}))
        for each in exams
    }


def _counts(before: Picture | None) -> dict[str, Mapping[str, int]]:
    return {} if before is None else {exam_id: each.counts for exam_id, each in before.exams.items()}
