"""The rows of a document while it is taken: a database of the command, on the disk and without a name.

SQLite removes the file of such a database as soon as it is open (the file name "" of its documentation). So the names
of patients in it end with the process, however the process ends. Its memory does not grow with the number of rows.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

from sync.cards import canonical_tag, is_card
from sync.central.documents.rows import ID_FIELDS, DocumentRow, OtherKind, RowKind
from sync.central.imports.parts import Kind
from sync.text import clean

_AT_ONCE = 1000
_LONGEST_REASON = 300  # characters
_MOST_LINES = 5  # of the lines that a reason names
_SCHEMA = """
create table rows (
    number integer primary key, kind text not null, row_id text, line integer not null, fields text not null,
    gives_cards integer not null, refused text not null, note text not null default '',
    taken integer not null default 0, changed integer not null default 0, cards integer not null default 0,
    omits integer not null default 0, cancelled integer not null default 0
);
create table claims (card text not null, number integer not null, place integer not null);
"""
_INDEXES = """
create index rows_by_id on rows (kind, row_id);
create index rows_refused on rows (number) where refused != '';
create index rows_noted on rows (number) where note != '';
create index rows_omitting on rows (number) where omits;
create index claims_by_card on claims (card);
"""


@dataclass(frozen=True, slots=True)
class SpooledRow:
    """A row that waits in the spool. `fields` is JSON in ASCII."""

    number: int
    kind: str
    row_id: str | None
    line: int
    fields: str

    def read(self) -> Any:
        """The fields as values."""
        return json.loads(self.fields)


@dataclass(frozen=True, slots=True)
class Remark:
    """What is said of a row: why it was refused, or what was left out of it. `line` is 0 for an option."""

    kind: str
    row_id: str | None
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class KindCount:
    """The rows of one kind: how many there are, were taken, changed something, and were refused.

    `cards` are the cards that changed, `cancelled` the bookings that a complete day cancelled.
    """

    rows: int
    taken: int
    changed: int
    refused: int
    cards: int
    cancelled: int


class Spool:
    """The rows of one document, each with what became of it."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        # It ends with the process, so nothing in it has to survive a power cut.
        self._db.executescript("pragma journal_mode = off; pragma synchronous = off; pragma temp_store = file;")
        self._db.executescript(_SCHEMA)

    def size(self) -> int:
        """The number of rows."""
        return int(self._db.execute("select count(*) from rows").fetchone()[0])

    def close(self) -> None:
        """Ends the database."""
        self._db.close()

    def add(self, rows: Iterable[DocumentRow], tick: Callable[[], None] = lambda: None) -> None:
        """Adds the rows of a document, and calls `tick` now and then.

        Raises what the rows and `tick` raise, and OSError where the disk has no room for the rows.
        """
        rest, added = iter(rows), _AT_ONCE
        while added == _AT_ONCE:
            tick()
            with _needing_room():
                self._db.execute("begin")
                added = self._add_some(islice(rest, _AT_ONCE))
                self._db.execute("commit")

    def _add_some(self, rows: Iterable[DocumentRow]) -> int:
        added = 0
        for row in rows:
            added += 1
            row_id, cards = _id_of(row), _cards_of(row)
            number = self._db.execute(
                "insert into rows (kind, row_id, line, fields, gives_cards, refused) values (?, ?, ?, ?, ?, ?)",
                (
                    row.kind.value,
                    row_id,
                    row.line,
                    row.sent,
                    cards is not None,
                    _printable(row.refused),
                ),
            ).lastrowid
            claims = [(card, number, place) for place, card in enumerate(cards or (), 1) if card]
            self._db.executemany("insert into claims values (?, ?, ?)", claims)
        return added

    def judge(self) -> None:
        """Refuses every row whose id another row bears, and every row that claims another row's card.

        It is called once, after the last row was added. Raises OSError where the disk has no room.
        """
        with _needing_room():
            self._db.executescript(_INDEXES)
            self._db.execute("begin")
            self._refuse_doubled_ids()
            self._refuse_claimed_twice()
            self._db.execute("commit")

    def _refuse_doubled_ids(self) -> None:
        doubled = self._db.execute(
            "select kind, row_id, count(*) from rows where row_id is not null and kind != ?"
            " group by kind, row_id having count(*) > 1",
            (OtherKind.COMPLETE_DAY.value,),
        ).fetchall()
        for kind, row_id, times in doubled:
            found = self._db.execute(
                "select line from rows where kind = ? and row_id = ? order by number limit ?",
                (kind, row_id, _MOST_LINES),
            )
            why = f"the same id is {_on_lines([line for (line,) in found], times)}"
            self._db.execute(
                f"{_ADD_REASON} where kind = :kind and row_id = :row_id", {"why": why, "kind": kind, "row_id": row_id}
            )

    def _refuse_claimed_twice(self) -> None:
        claims = self._db.execute(
            "select c.card, c.number, c.place, r.line, r.row_id from claims c join rows r on r.number = c.number"
            " where c.card in (select card from claims group by card having count(distinct number) > 1)"
            " order by c.card, c.number, c.place"
        ).fetchall()
        for _, group in groupby(claims, key=lambda claim: claim[0]):
            of_card = list(group)
            first = of_card[0]
            second = next((each for each in of_card if (each[4] or each[1]) != (first[4] or first[1])), None)
            if second is None:
                continue  # The rows bear one id, and were refused for that.
            for _, number, place, _, row_id in of_card:
                other = first if (row_id or number) != (first[4] or first[1]) else second
                self.refuse(number, f"card {place} is also card {other[2]} of line {other[3]}")

    def refuse(self, number: int, why: str) -> None:
        """Refuses a row. A reason of before stays in front."""
        self._db.execute(f"{_ADD_REASON} where number = :number", {"why": _printable(why), "number": number})

    def take(self, number: int, *, changed: bool, cards: int, note: str, omits: bool, again: bool = False) -> None:
        """Notes that a row was taken. `again`: it was taken before, and what changed now is added."""
        self._db.execute(
            "update rows set taken = 1, note = case when ? = '' then note else ? end, omits = ?,"
            " changed = case when ? then max(changed, ?) else ? end, cards = case when ? then cards + ? else ? end"
            " where number = ?",
            (note, _printable(note), omits, again, changed, changed, again, cards, cards, number),
        )

    def take_day(self, number: int, cancelled: int) -> None:
        """Notes that a complete day was taken, and how many bookings it cancelled."""
        self._db.execute("update rows set taken = 1, cancelled = ? where number = ?", (cancelled, number))

    def forget_outcomes(self) -> None:
        """Makes every row that was not refused a row that waits."""
        self._db.execute("update rows set taken = 0, changed = 0, cards = 0, note = '', omits = 0, cancelled = 0")

    def waiting(self, kind: RowKind) -> Iterator[SpooledRow]:
        """The rows of a kind that are not refused, in the order of the document."""
        return self._pages("+kind = :kind and refused = ''", kind.value)

    def omitting(self) -> Iterator[SpooledRow]:
        """The rows of patients that leave out a card of an earlier document."""
        return self._pages("+kind = :kind and omits and refused = ''", Kind.PATIENT.value)

    def _pages(self, where: str, kind: str) -> Iterator[SpooledRow]:
        """The rows of a condition, page by page: a row may be changed while they are read.

        The condition says +kind, so that SQLite walks on from `after`, and sorts no rows of a kind for each page.
        """
        after = 0
        while True:
            page = self._db.execute(
                f"{_ROW} where number > :after and {where} order by number limit :limit",
                {"after": after, "kind": kind, "limit": _AT_ONCE},
            ).fetchall()
            yield from (SpooledRow(*row) for row in page)
            if len(page) < _AT_ONCE:
                return
            after = page[-1][0]

    def find(self, kind: RowKind, row_id: str) -> SpooledRow | None:
        """The row of an id that is not refused."""
        row = self._db.execute(
            f"{_ROW} where kind = ? and row_id = ? and refused = ''", (kind.value, row_id)
        ).fetchone()
        return SpooledRow(*row) if row else None

    def gives_up_cards(self, patient_id: str) -> bool:
        """Whether a patient's own row has a list of cards. No other row claims a card of that list."""
        row = self._db.execute(
            "select gives_cards from rows where kind = ? and row_id = ? and refused = ''",
            (Kind.PATIENT.value, patient_id),
        ).fetchone()
        return bool(row and row[0])

    def named(self, kind: RowKind) -> list[str]:
        """The ids of all rows of a kind, of refused ones too."""
        rows = self._db.execute("select distinct row_id from rows where kind = ? and row_id is not null", (kind.value,))
        return [row_id for (row_id,) in rows]

    def nameless(self, kind: RowKind) -> list[int]:
        """The lines of the first rows of a kind that have no id that can be read."""
        rows = self._db.execute(
            "select line from rows where kind = ? and row_id is null order by number limit ?", (kind.value, _MOST_LINES)
        )
        return [line for (line,) in rows]

    def count(self, kind: RowKind) -> KindCount:
        """The count of the rows of a kind."""
        return KindCount(
            *self._db.execute(
                "select count(*), coalesce(sum(taken and refused = ''), 0), coalesce(sum(changed and refused = ''), 0),"
                " coalesce(sum(refused != ''), 0), coalesce(sum(cards), 0), coalesce(sum(cancelled), 0)"
                " from rows where kind = ?",
                (kind.value,),
            ).fetchone()
        )

    def refusals(self) -> Iterator[Remark]:
        """The refused rows, in the order of the document."""
        return self._remarks("select kind, row_id, line, refused from rows where refused != '' order by number")

    def notes(self) -> Iterator[Remark]:
        """The taken rows of which something was left out, in the order of the document."""
        return self._remarks("select kind, row_id, line, note from rows where note != '' order by number")

    def count_notes(self) -> int:
        """The number of rows of which something was left out."""
        return int(self._db.execute("select count(*) from rows where note != ''").fetchone()[0])

    def _remarks(self, query: str) -> Iterator[Remark]:
        return (Remark(*row) for row in self._db.execute(query))


_ROW = "select number, kind, row_id, line, fields from rows"
_ADD_REASON = "update rows set refused = case when refused = '' then :why else refused || '; ' || :why end"


@contextmanager
def _needing_room() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise OSError(f"the rows of the document find no room among the temporary files: {error}") from error


def _id_of(row: DocumentRow) -> str | None:
    """The id of a row in its one form; None where the row has none."""
    if isinstance(row.kind, OtherKind):
        return None if row.refused else str(row.fields)
    name = ID_FIELDS.get(row.kind)
    return _cleaned(row.fields.get(name)) if name and isinstance(row.fields, dict) else None


def _cards_of(row: DocumentRow) -> Sequence[str | None] | None:
    """The canonical ids of the cards that a row lists; None where it has no list."""
    if row.kind is not Kind.PATIENT or not isinstance(row.fields, dict) or "cards" not in row.fields:
        return None
    cards = row.fields["cards"]
    return [_canonical(card) for card in cards] if isinstance(cards, list) else []


def _canonical(card: object) -> str | None:
    """The canonical id of a card; None for a text that is none: the centre refuses its row."""
    try:
        canonical = canonical_tag(_cleaned(card) or "")
    except ValueError:
        return None
    return canonical if is_card(canonical) else None


def _cleaned(text: object) -> str | None:
    try:
        return clean(text) or None if isinstance(text, str) else None
    except ValueError:
        return None


def _printable(text: str) -> str:
    """A text that a terminal can show: the rest of a long one is left out, and what is no letter or sign is escaped."""
    shown = text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"
    if shown.isprintable():
        return shown
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in shown)


def _on_lines(lines: Sequence[int], times: int) -> str:
    shown = [str(line) for line in lines]
    last = f"{times - len(lines)} more" if times > len(lines) else shown.pop()
    return f"on lines {', '.join(shown)} and {last}"
