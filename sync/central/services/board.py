"""What a board of staff is told: the lines of some exams whole, or what has changed in them since it was told last."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from sync.central.records.audit_kinds import AuditKind
from sync.central.services.board_picture import BoardExam, Picture, Step
from sync.central.services.board_rows import BoardRow
from sync.central.services.told import Told, told_of
from sync.clock import iso


class Board(msgspec.Struct, frozen=True):
    """The lines of some exams. `timestamp` is ISO 8601 with the site's offset.

    `change` is the last change number that it has. `entries` are the live ones, each exam's in the order of its line,
    and `ended` the last ones of today that have ended, the newest first.
    """

    timestamp: str
    change: int
    exams: list[BoardExam]
    entries: list[BoardRow]
    ended: list[BoardRow]


class BoardUpdate(msgspec.Struct, frozen=True):
    """What has changed since the last message of a board.

    - `rows`: the live entries that are new, or whose row has changed by more than its place.
    - `gone`: entries that are in none of the lines any more. `ended`: the rows of those that have ended, changed ones
      among them.
    - `exams`: those with other numbers or words.
    - `order`: the ids of each line whose order has changed by more than entries that left. `people_ahead` of its other
      rows follows from the order.
    """

    timestamp: str
    change: int
    rows: list[BoardRow]
    gone: list[str]
    ended: list[BoardRow]
    exams: list[BoardExam]
    order: Mapping[str, tuple[str, ...]]


class BoardExams(msgspec.Struct, frozen=True):
    """Every exam, with the number of its entries of today in each state."""

    exams: list[BoardExam]
    timestamp: str


def board_of(picture: Picture, exam_ids: Sequence[str], ended: int) -> Told:
    """The Board of these exams, with so many ended entries at most."""
    entries = picture.live_of(exam_ids)
    over = picture.ended_of(exam_ids, ended)
    exams = [picture.exams[each] for each in exam_ids if each in picture.exams]
    board = Board(iso(picture.at_ms, picture.zone), picture.change, exams, entries, over)
    return told_of(board, AuditKind.LOOK_BOARD, [each.patient_id for each in (*entries, *over)])


def update_of(picture: Picture, exam_ids: Sequence[str], steps: Iterable[Step]) -> Told | None:
    """The BoardUpdate that leads from the picture before these steps to this one; None where nothing changed here."""
    watched = frozenset(exam_ids)
    touched: dict[str, None] = {}
    moved: set[str] = set()
    changed: set[str] = set()
    for step in steps:
        touched |= {queue_id: None for queue_id, exams in step.entries.items() if exams & watched}
        moved |= step.moved & watched
        changed |= step.exams & watched
    if not (touched or moved or changed):
        return None
    over = {each.row.queue_id: each.row for exam_id in exam_ids for each in picture.ended.get(exam_id, ())}
    rows, gone, ended = [], [], []
    for queue_id in touched:
        live = picture.rows.get(queue_id)
        if live is not None and live.row.exam_id in watched:
            rows.append(live.row)
            continue
        gone.append(queue_id)
        if queue_id in over:
            ended.append(over[queue_id])
    update = BoardUpdate(
        iso(picture.at_ms, picture.zone),
        picture.change,
        rows,
        gone,
        ended,
        [picture.exams[each] for each in exam_ids if each in changed],
        {each: picture.lines.get(each, ()) for each in exam_ids if each in moved},
    )
    return told_of(update, AuditKind.LOOK_BOARD, [each.patient_id for each in (*rows, *ended)])


def exams_of(picture: Picture) -> BoardExams:
    """The BoardExams of a picture."""
    return BoardExams(list(picture.exams.values()), iso(picture.at_ms, picture.zone))
