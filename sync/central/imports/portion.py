"""Takes rows of a document in short transactions, so that an import stops nobody's action.

A portion holds the writer for about 30 ms, and those who wait for it come before the next portion. Each row is taken or
refused by itself.
"""

import contextlib
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from sync.central.centre import Centre
from sync.central.imports.context import ImportContext
from sync.central.imports.outcomes import HeldCards, RefusedRow, RowOutcome, TakenRow
from sync.central.imports.parts import ExamPart, Kind, PatientPart, SitePart, read_part
from sync.central.imports.take_booking import take_booking
from sync.central.imports.take_exam import announce_exam, take_exam
from sync.central.imports.take_patient import take_patient
from sync.central.imports.take_site import take_site
from sync.central.records.site import NoSite, read_site, set_demo
from sync.central.store.errors import is_of_the_action
from sync.central.store.transactions import PORTION_S, WriteTransaction
from sync.logs import INTERNAL

log = logging.getLogger(__name__)

NO_SITE = RefusedRow("there is no site yet: the document needs one, with the name and the desk")


class PortionRow(msgspec.Struct, frozen=True):
    """A row as the command sends it.

    `moves` has the cards (by their numbers in the row, from 1 on) that each holder gives up by the same document.
    `last`: the whole document is in, so the cards that the row leaves out end.
    """

    kind: Kind
    line: int
    fields: Any
    moves: Mapping[str, tuple[int, ...]] = {}
    last: bool = False


class RowAnswer(msgspec.Struct, frozen=True):
    """What became of a row. Neither `refused` nor `held`: it was taken.

    `refused` says why not, in English, and `named` is the patient whom it names, if any. `held` has the other holder of
    a card, by the number of the card in the row; the row can be sent again with `moves`. `omits`: the row can be sent
    again as `last`.
    """

    line: int
    changed: bool = False
    cards: int = 0
    refused: str = ""
    note: str = ""
    held: Mapping[str, str] = {}
    omits: bool = False
    named: str | None = None

    @property
    def holders(self) -> tuple[str, ...]:
        """The patients whom the answer names and the row does not."""
        return (*self.held.values(), *([self.named] if self.named is not None else []))


class _Undo(Exception):
    """Undoes a row, or the transaction of a check."""


def take_rows(centre: Centre, sent: Sequence[PortionRow], *, check: bool = False) -> list[RowAnswer]:
    """Takes rows in their order. With `check`, all of it is one transaction that is undone at the end: so send few."""
    if check:
        return _check(centre, sent)
    results: list[RowAnswer] = []
    while len(results) < len(sent):
        with centre.store.write() as db:
            taking = _Taking(centre, db)
            until = time.monotonic() + PORTION_S
            results.append(taking.take(sent[len(results)]))
            while len(results) < len(sent) and time.monotonic() < until:
                results.append(taking.take(sent[len(results)]))
    return results


def _check(centre: Centre, sent: Sequence[PortionRow]) -> list[RowAnswer]:
    results: list[RowAnswer] = []
    with contextlib.suppress(_Undo), centre.store.write() as db:
        taking = _Taking(centre, db)
        results = [taking.take(each) for each in sent]
        raise _Undo
    return results


class _Taking:
    """The taking of rows in one transaction."""

    def __init__(self, centre: Centre, db: WriteTransaction) -> None:
        self._centre = centre
        self._db = db
        self._now_ms = centre.clock()
        self._context = self._new_context()

    def take(self, sent: PortionRow) -> RowAnswer:
        """Takes one row. A row that is not taken leaves the transaction as it was."""
        try:
            outcome = self._undone_unless_taken(sent)
        except Exception as error:
            if not is_of_the_action(error):
                raise
            # The text of the error could quote the row.
            log.error("a row of %s on line %s failed: %s", sent.kind, sent.line, type(error).__name__)  # noqa: TRY400
            outcome = RefusedRow(INTERNAL)
        return _result(sent, outcome)

    def _undone_unless_taken(self, sent: PortionRow) -> RowOutcome:
        outcome: RowOutcome = RefusedRow("")
        with contextlib.suppress(_Undo), self._db.savepoint():
            outcome = self._outcome(sent)
            if not isinstance(outcome, TakenRow):
                raise _Undo
        return outcome

    def _outcome(self, sent: PortionRow) -> RowOutcome:
        part = read_part(sent.kind, sent.fields)
        if isinstance(part, RefusedRow):
            return part
        if isinstance(part, ExamPart):
            return self._exam(part)
        if isinstance(part, SitePart):
            return self._site(part)
        if self._context is None:
            return NO_SITE
        if isinstance(part, PatientPart):
            return take_patient(self._context, part, sent.moves, last=sent.last)
        return take_booking(self._context, part)

    def _exam(self, part: ExamPart) -> RowOutcome:
        outcome = take_exam(self._db, part, self._context)
        if self._context is not None and isinstance(outcome, TakenRow) and outcome.changed:
            announce_exam(self._db, part.exam_id, self._context.today)
        return outcome

    def _site(self, part: SitePart) -> RowOutcome:
        outcome = take_site(self._db, part, self._now_ms)
        if isinstance(outcome, TakenRow):
            set_demo(self._db, is_demo=False)
        self._context = self._new_context()
        return outcome

    def _new_context(self) -> ImportContext | None:
        try:
            site = read_site(self._db)
        except NoSite:
            return None
        centre, now_ms = self._centre, self._now_ms
        return ImportContext(self._db, centre.definitions, centre.keys, site, site.day(now_ms), now_ms, centre.ids)


def _result(sent: PortionRow, outcome: RowOutcome) -> RowAnswer:
    if isinstance(outcome, RefusedRow):
        return RowAnswer(sent.line, refused=outcome.reason, named=outcome.names)
    if isinstance(outcome, HeldCards):
        return RowAnswer(sent.line, held={str(number): holder for number, holder in outcome.holders.items()})
    return RowAnswer(sent.line, outcome.changed, outcome.cards, note=outcome.note, omits=outcome.omits)
