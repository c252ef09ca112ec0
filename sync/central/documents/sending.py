"""Brings the rows of a spool to the centre, in requests that it can serve beside its other work."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, TypeVar

import msgspec

from sync.central.documents.rows import OtherKind
from sync.central.documents.spool import Spool, SpooledRow
from sync.central.imports.parts import Kind
from sync.control import ControlError
from sync.text import clean

MOST_ROWS = 500  # of one request
MOST_CHECKED = 50  # of one request that checks: the centre holds the writer for all of it
MOST_BYTES = 256 * 1024  # of one request
_FRAME = 256  # bytes of a row in a request beside its fields
_NAMELESS = "the document does not name every booking: rows of appointments have no id that can be read"
_TRIES = 3  # A card that somebody else moves meanwhile is asked for again.
T = TypeVar("T")
Moves = Mapping[str, Sequence[int]]


class Ask(Protocol):
    """The way to the centre: an operation by its name and arguments. Raises as `sync.central.opening.call` does."""

    def __call__(self, operation: str, /, **arguments: object) -> Any: ...


class RowAnswer(msgspec.Struct, frozen=True):
    """What the centre answers to a row.

    `refused` is "" for a row that was taken. `held` names, by the place of a card in the row, the patient who holds the
    card by an earlier document: the row was not taken. `omits`: the patient holds cards of earlier documents that the
    row leaves out.
    """

    line: int
    changed: bool
    cards: int
    refused: str = ""
    note: str = ""
    held: dict[str, str] = {}
    omits: bool = False


class DayAnswer(msgspec.Struct, frozen=True):
    """What the centre answers to a complete day: the number of bookings that it cancelled, or why it cancelled none."""

    cancelled: int
    refused: str = ""


@dataclass(slots=True)
class _Request:
    """Rows that go to the centre together, `most` at once.

    `context` are rows that they name, before them in a request that checks.
    """

    most: int
    rows: list[SpooledRow] = field(default_factory=list)
    context: dict[int, SpooledRow] = field(default_factory=dict)
    size: int = 0

    def add(self, row: SpooledRow, named: Iterable[SpooledRow]) -> bool:
        """Adds a row, with the rows that it names. False where there is no room for them."""
        more = [each for each in named if each.number not in self.context]
        size = self.size + sum(len(each.fields) + _FRAME for each in (row, *more))
        full = len(self.rows) + len(self.context) + 1 + len(more) > self.most or size > MOST_BYTES
        if full and self.rows:
            return False
        self.rows.append(row)
        self.context.update((each.number, each) for each in more)
        self.size = size
        return True


class Sender:
    """Sends the rows of a spool, and writes there what became of each.

    `check`: the centre undoes each request, so a request brings the rows along that its rows name. `tick` is called
    after each request with the number of rows, and may raise to stop.
    """

    def __init__(self, spool: Spool, ask: Ask, tick: Callable[[int], None], *, check: bool = False) -> None:
        self._spool = spool
        self._ask = ask
        self._tick = tick
        self._check = check

    def send(self, *, force: bool = False) -> None:
        """Sends every row that is not refused. `force`: a complete day may cancel any number of bookings.

        Raises what `ask` and `tick` raise; what was answered before that stands in the spool.
        """
        for kind in Kind:
            self._send_all(self._spool.waiting(kind))
        # Only now: a card that a row leaves out may be another row's, and has a holder until then.
        self._send_all(self._spool.omitting(), last=True)
        self._send_days(force)

    def _send_all(self, rows: Iterator[SpooledRow], *, last: bool = False) -> None:
        most = MOST_CHECKED if self._check else MOST_ROWS
        request = _Request(most)
        for row in rows:
            named = self._named_by(row)
            if not request.add(row, named):
                self._send_request(request, last=last)
                request = _Request(most)
                request.add(row, named)
        if request.rows:
            self._send_request(request, last=last)

    def _send_request(self, request: _Request, *, last: bool) -> None:
        context = [_as_sent(row, {}, last=False, bare=True) for row in request.context.values()]
        rows: list[tuple[SpooledRow, Moves]] = [(row, {}) for row in request.rows]
        for _ in range(_TRIES):
            answers = self._answers(context, rows, last=last)
            rows = [
                (row, moves)
                for (row, before), answer in zip(rows, answers, strict=True)
                if (moves := self._settle(row, before, answer, again=last and not self._check)) is not None
            ]
            if not rows:
                break
        for row, _ in rows:
            self._spool.refuse(row.number, "its cards have changed holders while the document was taken")
        self._tick(0 if last else len(request.rows))

    def _answers(
        self, context: list[dict[str, Any]], rows: Sequence[tuple[SpooledRow, Moves]], *, last: bool
    ) -> list[RowAnswer]:
        sent = [*context, *(_as_sent(row, moves, last=last) for row, moves in rows)]
        answers = _read_answer(self._ask("import-rows", rows=sent, check=self._check), list[RowAnswer])
        if len(answers) != len(sent):
            raise ControlError(f"the service answered {len(answers)} of {len(sent)} rows")
        return answers[len(context) :]

    def _settle(self, row: SpooledRow, before: Moves, answer: RowAnswer, *, again: bool) -> Moves | None:
        """Notes what became of a row. Returns the cards to move where the row has to be sent again."""
        if answer.refused:
            self._spool.refuse(row.number, answer.refused)
            return None
        if not answer.held:
            self._spool.take(
                row.number,
                changed=answer.changed,
                cards=answer.cards,
                note=answer.note,
                omits=answer.omits,
                again=again,
            )
            return None
        moves: dict[str, list[int]] = {holder: list(places) for holder, places in before.items()}
        for place, holder in sorted(answer.held.items(), key=lambda item: int(item[0])):
            if not self._spool.gives_up_cards(holder):
                self._spool.refuse(row.number, f"card {place} belongs to patient {holder}")
                return None
            moves.setdefault(holder, []).append(int(place))
        return moves

    def _named_by(self, row: SpooledRow) -> list[SpooledRow]:
        """The rows of the document without which the centre cannot judge a row by itself."""
        if not self._check or row.kind == Kind.EXAM:
            return []
        found = [*self._site_rows]
        if row.kind == Kind.SITE:
            found = found[:-1]
        if row.kind == Kind.APPOINTMENT:
            fields = row.read()
            found += [self._find(Kind.EXAM, fields.get("exam_id")), self._find(Kind.PATIENT, fields.get("patient_id"))]
        return [each for each in found if each is not None]

    @cached_property
    def _site_rows(self) -> list[SpooledRow | None]:
        """The exam of the desk and the site."""
        site = next(self._spool.waiting(Kind.SITE), None)
        return [self._find(Kind.EXAM, site.read().get("desk")), site] if site else []

    def _find(self, kind: Kind, row_id: object) -> SpooledRow | None:
        return self._spool.find(kind, clean(row_id)) if isinstance(row_id, str) else None

    def _send_days(self, force: bool) -> None:
        days: dict[str, SpooledRow] = {}
        for row in self._spool.waiting(OtherKind.COMPLETE_DAY):
            first = days.setdefault(str(row.row_id), row)
            if first is not row:
                self._spool.take_day(row.number, 0)
        named = self._spool.named(Kind.APPOINTMENT) if days else []
        nameless = self._spool.nameless(Kind.APPOINTMENT) if not force else []
        for day, row in sorted(days.items()):
            if nameless:
                lines = ", ".join(str(line) for line in nameless)
                self._spool.refuse(row.number, f"{_NAMELESS}, such as on line {lines}")
                continue
            found = self._ask("import-day", day=day, named=named, force=force, check=self._check)
            answer = _read_answer(found, DayAnswer)
            if answer.refused:
                self._spool.refuse(row.number, answer.refused)
            else:
                self._spool.take_day(row.number, answer.cancelled)
            self._tick(1)


def _read_answer(answer: object, kind: type[T]) -> T:
    try:
        return msgspec.convert(answer, kind)
    except msgspec.ValidationError as error:
        raise ControlError(f"the service answers in another form: {error}") from error


def _as_sent(row: SpooledRow, moves: Moves, *, last: bool, bare: bool = False) -> dict[str, Any]:
    """A row as the centre gets it. `bare`: without cards, since its own request judges them."""
    fields = row.read()
    if bare:
        fields.pop("cards", None)
    return {"kind": row.kind, "line": row.line, "fields": fields, "moves": dict(moves), "last": last}
