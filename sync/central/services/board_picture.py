"""The lines of a hospital at one moment, as every board of a worker shares them, and what changed from one to the next.

A picture is never changed. The next one is made of it and of the rows that were read again.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from sync.central.services.board_rows import BoardRow, PlacedRow, lines_of, with_places
from sync.journey.definitions import Definitions

ENDED_KEPT = 50  # of each exam
_SAME_MOMENT_MS = 1000  # boards that open within this time share what they are told


class BoardExam(msgspec.Struct, frozen=True):
    """An exam, and the number of its entries of today in each state. `order` is how its line is sorted."""

    exam_id: str
    title: str
    room: str
    order: str
    counts: Mapping[str, int]


class Picture(msgspec.Struct, frozen=True):
    """The lines at one moment. `version` rises with each picture of a worker that differs from the one before it.

    - `change`: the last change number that it has, of this `incarnation` of the database.
    - `day`: the day of the site. `zone`: the site's time zone.
    - `at_ms`: when it was read (UTC ms), to the second where nothing has changed since.
    - `rows`: every live entry. `lines`: the ids of each exam's, in the order of its line.
    - `ended`: the last entries of each exam that have ended, the newest first.
    """

    version: int
    incarnation: str
    change: int
    day: str
    zone: str
    at_ms: int
    exams: Mapping[str, BoardExam]
    rows: Mapping[str, PlacedRow]
    lines: Mapping[str, tuple[str, ...]]
    ended: Mapping[str, tuple[PlacedRow, ...]]

    def live_of(self, exam_ids: Iterable[str]) -> list[BoardRow]:
        """The live rows of these exams, each line in its order."""
        return [self.rows[each].row for exam_id in exam_ids for each in self.lines.get(exam_id, ())]

    def ended_of(self, exam_ids: Iterable[str], most: int) -> list[BoardRow]:
        """The last rows of these exams that have ended, the newest first."""
        found = [each for exam_id in exam_ids for each in self.ended.get(exam_id, ())]
        return [each.row for each in _newest_first(found)[:most]]


class Step(msgspec.Struct, frozen=True):
    """What differs from the picture before the one of this `version`.

    `entries` are the entries whose rows have changed, each with the exams in whose lines it was or is. `moved` are the
    exams whose order has changed by more than entries that left, and `exams` those with other numbers or words.
    """

    version: int
    entries: Mapping[str, frozenset[str]]
    moved: frozenset[str]
    exams: frozenset[str]

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs."""
        return not (self.entries or self.moved or self.exams)


class ReadAgain(msgspec.Struct, frozen=True):
    """What was read of one moment: the exams with their numbers, and rows.

    `patients` are those all of whose rows of the day are among the rows; None: the live rows are all there are.
    """

    incarnation: str
    change: int
    day: str
    zone: str
    at_ms: int
    exams: Mapping[str, BoardExam]
    rows: Sequence[PlacedRow]
    patients: Collection[str] | None


def next_picture(definitions: Definitions, before: Picture | None, read: ReadAgain) -> tuple[Picture, Step]:
    """The picture after `before` with what was read again, and what differs between them."""
    known = before.rows if before is not None else {}
    live = [each for each in read.rows if each.row.state in definitions.live]
    over = [each for each in read.rows if each.row.state not in definitions.live]
    rows = _rows(known, live, over, read.patients)
    lines = {exam_id: tuple(with_places(line)) for exam_id, line in _touched_lines(known, rows).items()}
    ended = _ended(before.ended if before is not None and read.patients is not None else {}, rows, over)
    made = Picture(
        before.version + 1 if before is not None else 1,
        read.incarnation,
        read.change,
        read.day,
        read.zone,
        read.at_ms,
        read.exams,
        {**rows, **{each.row.queue_id: each for line in lines.values() for each in line}},
        {
            **(before.lines if before is not None else {}),
            **{exam_id: tuple(each.row.queue_id for each in line) for exam_id, line in lines.items()},
        },
        ended,
    )
    step = _step(before, made, {each.row.queue_id for each in over})
    if before is not None and step.is_empty:
        is_old = abs(read.at_ms - before.at_ms) >= _SAME_MOMENT_MS
        at_ms = read.at_ms if is_old else before.at_ms
        return replace(before, incarnation=read.incarnation, change=read.change, at_ms=at_ms), step
    return made, step


def _rows(
    known: Mapping[str, PlacedRow],
    live: Sequence[PlacedRow],
    over: Sequence[PlacedRow],
    patients: Collection[str] | None,
) -> dict[str, PlacedRow]:
    """The live rows: those that were read, and the known ones of the patients who were not asked for.

    An entry that has ended since a merge is known as another patient's.
    """
    read = {each.row.queue_id: each for each in live}
    if patients is None:
        return read
    ended = {each.row.queue_id for each in over}
    of_others = {
        queue_id: each
        for queue_id, each in known.items()
        if each.row.patient_id not in patients and queue_id not in ended
    }
    return {**of_others, **read}


def _touched_lines(known: Mapping[str, PlacedRow], rows: Mapping[str, PlacedRow]) -> dict[str, list[PlacedRow]]:
    """The lines in which any row is another object than before, in their order. A line may be empty now."""
    before = {each.entry.exam_id for queue_id, each in known.items() if rows.get(queue_id) is not each}
    now = {each.entry.exam_id for queue_id, each in rows.items() if known.get(queue_id) is not each}
    touched = before | now
    found: dict[str, list[PlacedRow]] = {exam_id: [] for exam_id in touched}
    return found | lines_of(each for each in rows.values() if each.entry.exam_id in touched)


def _ended(
    before: Mapping[str, tuple[PlacedRow, ...]], rows: Mapping[str, PlacedRow], over: Sequence[PlacedRow]
) -> dict[str, tuple[PlacedRow, ...]]:
    """The ended rows of each exam, the newest first. An entry that lives again is no longer among them."""
    again = {each.row.queue_id for each in over}
    found = {
        exam_id: [each for each in line if each.row.queue_id not in again and each.row.queue_id not in rows]
        for exam_id, line in before.items()
    }
    for each in over:
        found.setdefault(each.entry.exam_id, []).append(each)
    return {exam_id: tuple(_newest_first(line)[:ENDED_KEPT]) for exam_id, line in found.items()}


def _newest_first(rows: Iterable[PlacedRow]) -> list[PlacedRow]:
    return sorted(rows, key=lambda each: (each.since_ms, each.row.queue_id), reverse=True)


def _step(before: Picture | None, made: Picture, over: Collection[str]) -> Step:
    if before is None:
        return Step(made.version, {}, frozenset(), frozenset())
    was_over = _by_id(before.ended)
    touched: dict[str, frozenset[str]] = {}
    for queue_id in {**before.rows, **made.rows}:
        old, new = before.rows.get(queue_id), made.rows.get(queue_id)
        if old is not new and (old is None or new is None or _differs(old.row, new.row)):
            touched[queue_id] = frozenset(each.entry.exam_id for each in (old, new) if each is not None)
    for queue_id, row in _by_id(made.ended).items():
        if queue_id in over and was_over.get(queue_id) != row:
            touched[queue_id] = touched.get(queue_id, frozenset()) | {row.exam_id}
    return Step(made.version, touched, _moved(before, made), _exams(before, made))


def _by_id(ended: Mapping[str, tuple[PlacedRow, ...]]) -> dict[str, BoardRow]:
    return {each.row.queue_id: each.row for line in ended.values() for each in line}


def _differs(old: BoardRow, new: BoardRow) -> bool:
    """Whether a row has changed by more than its place, which boards count for themselves."""
    if old == new:
        return False
    same_place = {"people_ahead": old.people_ahead, "estimated_wait_time": old.estimated_wait_time}
    return replace(new, **same_place) != old


def _moved(before: Picture, made: Picture) -> frozenset[str]:
    """The exams whose order has changed by more than entries that left."""
    found = set()
    for exam_id, line in made.lines.items():
        old = before.lines.get(exam_id, ())
        if line is old or line == old:
            continue
        left = set(line)
        if line != tuple(each for each in old if each in left):
            found.add(exam_id)
    return frozenset(found)


def _exams(before: Picture, made: Picture) -> frozenset[str]:
    return frozenset(exam_id for exam_id, exam in made.exams.items() if before.exams.get(exam_id) != exam)
