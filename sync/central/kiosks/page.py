"""The pull page: the part of the roster between two cursors, with revised verdicts and merged records.

Change numbers are taken in the transaction that writes, so their order is commit order: a kiosk that has one change has
every change before it. A cursor of an earlier day, or of another incarnation of the database, gets a snapshot. Verdicts
and merged records continue from that cursor nevertheless, unless it is of another incarnation.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from sync.cards import CardHash
from sync.central.maintenance.restore_gap import restored_at
from sync.central.records.appointments import bookings
from sync.central.records.bindings import bindings_of
from sync.central.records.card_blocks import CardBlock, blocks_in_force, changed_blocks
from sync.central.records.journeys import read_journey
from sync.central.records.patients import merges_after, name_and_language
from sync.central.records.roster import changed_patients, first_change_of_day, is_guest, roster_members
from sync.central.records.verdicts import RevisedVerdict, current_verdict_row, revised_verdicts
from sync.central.store.transactions import ReadTransaction
from sync.clock import day_after
from sync.journey.definitions import Definitions
from sync.protocol import PatientRow, PullRequest, Renamed, VerdictRow

MERGES_A_ROW = 20  # a merged record is so much smaller than a patient's row
BLOCKS_A_ROW = 20  # and so is a blocked card


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page is read: the kiosk's request, the site's day and incarnation, and the number of rows in a page."""

    asked: PullRequest
    definitions: Definitions
    server_incarnation: str
    today: str
    rows: int


@dataclass(frozen=True, slots=True)
class Span:
    """The cursors that a page lies between. `reset`: a snapshot begins. `more`: another page follows."""

    from_cursor: int
    cursor: int
    reset: bool
    more: bool


@dataclass(frozen=True, slots=True)
class Page:
    """One page. `gone` are patients who have left the roster. `blocked` and `unblocked` are hashes of cards."""

    span: Span
    patients: tuple[PatientRow, ...]
    gone: tuple[str, ...]
    verdicts: tuple[VerdictRow, ...]
    renamed: tuple[Renamed, ...]
    blocked: tuple[CardHash, ...]
    unblocked: tuple[CardHash, ...]


@dataclass(frozen=True, slots=True)
class _Roster:
    """The rows of the roster with their changes, and the blocks of cards, complete up to change `end`."""

    rows: tuple[sqlite3.Row, ...] = ()
    blocks: tuple[CardBlock, ...] = ()
    end: int = 0


@dataclass(frozen=True, slots=True)
class _Notices:
    """Revised verdicts of the kiosk's actions, and merged records with their changes, complete up to change `end`."""

    verdicts: tuple[RevisedVerdict, ...]
    renamed: tuple[tuple[int, Renamed], ...]
    end: int


def read_page(db: ReadTransaction, page: PageRequest) -> Page:
    """The page after the cursor of a request.

    Rows, verdicts, merged records and blocked cards are each cut at a page's length. The page ends where the first of
    them is cut.
    """
    cursor, latest = page.asked.cursor, db.latest_change()
    first = first_change_of_day(db, page.today) or 0
    is_known = page.asked.server_incarnation in (None, page.server_incarnation)
    # After a restore a kiosk sends all its actions again, so the verdicts in the backup come as answers to them.
    after = min(max(cursor, 0), latest) if is_known else restored_at(db)
    notices = _read_notices(db, page, after, latest)
    needs_snapshot = not is_known or cursor <= 0 or cursor > latest or cursor < first
    if needs_snapshot and is_known and notices.end < first:
        # A snapshot ends at a cursor of today, so the notices of earlier days come before it.
        return _fill(db, page, notices, _Roster(), Span(after, notices.end, reset=False, more=True))
    roster = _read_roster(db, page, None if needs_snapshot else after, latest)
    end = min(notices.end, roster.end)
    span = Span(0 if needs_snapshot else after, end, reset=needs_snapshot, more=end < latest)
    return _fill(db, page, notices, roster, span)


def _read_roster(db: ReadTransaction, page: PageRequest, after: int | None, latest: int) -> _Roster:
    """The rows and blocks with a change above `after`; with None those of a snapshot."""
    most_blocks = BLOCKS_A_ROW * page.rows
    if after is None:
        rows, blocks = roster_members(db, page.definitions, page.today, page.rows), blocks_in_force(db, most_blocks)
    else:
        rows, blocks = changed_patients(db, after, page.rows), changed_blocks(db, after, most_blocks)
    end_of_rows = _end([row["change"] for row in rows], page.rows, latest)
    end_of_blocks = _end([block.change for block in blocks], most_blocks, latest)
    return _Roster(tuple(rows), tuple(blocks), min(end_of_rows, end_of_blocks))


def patient_row(
    db: ReadTransaction, definitions: Definitions, today: str, patient_id: str, change: int
) -> PatientRow | None:
    """A patient as kiosks hold them, as of a change number; None for a patient who is not on the roster."""
    journey = read_journey(db, definitions, patient_id, today)
    assert journey is not None
    masked_name, language = name_and_language(db, patient_id)
    day = day_after(today)
    tomorrow = bookings(db, patient_id, day, day_after(day))
    waits = any(entry.state in definitions.live for entry in journey.entries)
    has_reason = journey.visit_id is not None or waits or journey.appointments or tomorrow
    if not has_reason and not is_guest(db, patient_id, today):
        return None
    return PatientRow(
        patient_id=patient_id,
        masked_name=masked_name,
        language=language,
        change=change,
        bindings=bindings_of(db, patient_id),
        journey=journey,
        tomorrow=tomorrow,
    )


def _read_notices(db: ReadTransaction, page: PageRequest, after: int, latest: int) -> _Notices:
    most_merges = MERGES_A_ROW * page.rows
    verdicts = revised_verdicts(db, page.asked.kiosk_id, after, page.rows)
    renamed = merges_after(db, after, most_merges)
    end_of_verdicts = _end([each.record.change for each in verdicts], page.rows, latest)
    end_of_merges = _end([change for change, _ in renamed], most_merges, latest)
    return _Notices(tuple(verdicts), tuple(renamed), min(end_of_verdicts, end_of_merges))


def _end(changes: Sequence[int], limit: int, latest: int) -> int:
    """The change up to which a list that was read with a limit is complete."""
    return changes[-1] if len(changes) == limit else latest


def _fill(db: ReadTransaction, page: PageRequest, notices: _Notices, roster: _Roster, span: Span) -> Page:
    renamed = tuple(each for change, each in notices.renamed if change <= span.cursor)
    patients, gone = [], [each.old for each in renamed]
    for row in roster.rows:
        if row["change"] > span.cursor:
            break
        patient = patient_row(db, page.definitions, page.today, row["patient_id"], row["change"])
        if patient is not None:
            patients.append(patient)
        elif not span.reset:
            gone.append(row["patient_id"])
    verdicts = tuple(
        current_verdict_row(db, page.definitions, page.today, each.record, each.action_id, each.seq)
        for each in notices.verdicts
        if each.record.change <= span.cursor
    )
    blocks = [block for block in roster.blocks if block.change <= span.cursor]
    blocked = tuple(card for block in blocks if block.in_force for card in block.cards)
    unblocked = tuple(card for block in blocks if not block.in_force for card in block.cards)
    return Page(span, tuple(patients), tuple(gone), verdicts, renamed, blocked, unblocked)
