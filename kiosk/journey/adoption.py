"""The adoption of a roster page, in portions, so that no tap waits for a whole page.

The work pauses after each small step, and each step leaves the patients that it touches whole. As many steps as fit
into a portion are one transaction; a tap that waits ends the portion. The step that moves the cursor comes after all
rows of the page, so a page that a crash has cut short comes once more. Whom a whole snapshot has not named leaves after
that step: with this page, or after a crash with the next one that makes the roster complete.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from kiosk.journey import pages, verdicts, views
from kiosk.journey.purge import purge_old_rows, purge_patient
from kiosk.journey.transaction_context import TransactionContext, transaction_context
from kiosk.store import blocked_cards, outbox, patient_aliases, patients, queue_numbers, roster
from kiosk.store.identity import Identity, read_identity, write_decided_elsewhere, write_page
from sync.cards import CardKeys
from sync.clock import ClockReading
from sync.journey.definitions import Definitions
from sync.journey.model import PatientId
from sync.protocol import PullAnswer

Connection = sqlite3.Connection

PORTION_S = 0.005  # of one transaction, without its commit
_VERDICTS_A_STEP = 5
_CARDS_A_STEP = 100
_PATIENTS_AT_ONCE = 200  # whose ids are read at a time


@dataclass(frozen=True, slots=True)
class Portions:
    """When a portion ends: after `longest_s` seconds, or as soon as `is_wanted` says that somebody waits for the store.

    It has one step at least.
    """

    is_wanted: Callable[[], bool]
    longest_s: float = PORTION_S


class Adoption:
    """One page on its way into the store, in transactions that the caller opens. For one thread.

    `changed` are the patients that it has changed so far. `is_complete`: all of it is written. `purged_day` is the day
    of the last purge.
    """

    def __init__(
        self, page: PullAnswer, definitions: Definitions, clock: ClockReading, portions: Portions, purged_day: str
    ) -> None:
        """`definitions` are the rules after the page, `clock` is a reading at its arrival. The first page of a day that
        makes the roster complete purges."""
        self.changed: set[PatientId] = set()
        self.is_complete = False
        self._page = page
        self._definitions = definitions
        self._clock = clock
        self._portions = portions
        self.purged_day = purged_day
        self._restored = False
        self._generation = 0
        self._place: tuple[object, ...] = ()
        self._work: Iterator[None] = iter(())
        # Of the transaction that is open.
        self._db: Connection
        self._context: TransactionContext

    def begin(self, db: Connection, before: TransactionContext, *, restored: bool) -> None:
        """Begins the work in an open transaction. `before` is the context without the page.

        `restored`: the page is the first of another incarnation of the centre. Raises ValueError or KeyError where the
        page's site cannot be used.
        """
        identity = _identity(db)
        self._generation = roster.next_generation(db) if self._page.reset else identity.generation
        self._restored = restored
        self._enter(db, identity, before.keys)
        decided_otherwise = self._page.site.decided_elsewhere != identity.site.decided_elsewhere
        if decided_otherwise:
            write_decided_elsewhere(db, identity.site, self._page.site.decided_elsewhere)
        if restored or decided_otherwise:
            # In the transaction that has made them pending again, or after which they count otherwise.
            self._replay_now(outbox.pending_patients(db))
        rules_or_day_changed = bool(self._page.definitions) or self._context.today != before.today
        self._work = self._steps(replays_pending=rules_or_day_changed)

    def goes_on(self, db: Connection) -> bool:
        """Whether nothing but this adoption has moved the kiosk's place in the roster since the last portion."""
        identity = read_identity(db)
        return identity is not None and _place(identity) == self._place

    def take_portion(self, db: Connection, keys: CardKeys) -> None:
        """Takes steps until the portion is over, or all of the work is done."""
        self._enter(db, _identity(db), keys)
        ends_s = time.monotonic() + self._portions.longest_s
        for _ in self._work:
            if time.monotonic() >= ends_s or self._portions.is_wanted():
                break
        else:
            self.is_complete = True
        self._place = _place(_identity(db))

    def _enter(self, db: Connection, identity: Identity, keys: CardKeys) -> None:
        # The page's site, rules and time hold for its rows, though they are written after them.
        after = identity.after_page(self._page, self._generation, self._clock)
        self._db, self._context = db, transaction_context(after, self._definitions, self._clock, keys)

    def _steps(self, *, replays_pending: bool) -> Iterator[None]:
        yield from self._notices()
        for row in self._page.patients:
            pages.write_row(self._db, self._context, row)
            self.changed.add(PatientId(row.patient_id))
            yield
        for patient_id in self._page.gone:
            roster.mark_departed(self._db, patient_id)
            self.changed.add(PatientId(patient_id))
            yield
        yield from self._block_cards()
        if replays_pending:
            yield from self._replay(outbox.pending_patients(self._db))
        self._move_cursor()
        yield
        if not self._page.more:
            yield from self._complete_roster()

    def _notices(self) -> Iterator[None]:
        """Takes the verdicts and the merged records of the page."""
        for first in range(0, len(self._page.verdicts), _VERDICTS_A_STEP):
            some = self._page.verdicts[first : first + _VERDICTS_A_STEP]
            self._replay_now(verdicts.retire(self._db, self._context, some))
            yield
        for renamed in self._page.renamed:
            outbox.move_all(self._db, renamed.old, renamed.patient_id)
            patient_aliases.rename(self._db, renamed.old, renamed.patient_id, self._context.today)
            self._replay_now({PatientId(renamed.patient_id)})
            yield

    def _block_cards(self) -> Iterator[None]:
        keys, page = self._context.keys, self._page
        for first in range(0, len(page.unblocked), _CARDS_A_STEP):
            some = [keys.lift(card) for card in page.unblocked[first : first + _CARDS_A_STEP]]
            blocked_cards.unblock(self._db, some)
            yield
        for first in range(0, len(page.blocked), _CARDS_A_STEP):
            some = [keys.lift(card) for card in page.blocked[first : first + _CARDS_A_STEP]]
            blocked_cards.block(self._db, some, self._generation)
            self.changed |= patients.ids_holding(self._db, some)
            yield

    def _move_cursor(self) -> None:
        identity, page = _identity(self._db), self._page
        write_page(self._db, identity.after_page(page, self._generation, self._clock), page.definitions)
        # The same numbers in an earlier epoch are other actions, which no backup need hold.
        if not self._restored and page.epoch == identity.epoch:
            outbox.mark_backed_up(self._db, page.backed_up_seq)
        if not page.more:
            queue_numbers.correct_day(self._db, self._context.day_of(page.now_ms), page.now_ms)

    def _complete_roster(self) -> Iterator[None]:
        """Lets those go whom the snapshot has not named, and brings the rest up to today."""
        blocked_cards.unblock_unnamed(self._db, self._generation)
        yield
        while leavers := roster.unnamed(self._db, self._generation, _PATIENTS_AT_ONCE):
            for patient_id in leavers:
                pages.write_leaver(self._db, self._context, patient_id)
                self.changed.add(patient_id)
                yield
        roster.forget_departed(self._db)
        # The clock was ahead when these were viewed.
        yield from self._replay(patients.ids_viewed_after(self._db, self._context.today))
        if self.purged_day != self._context.today:
            yield from self._purge()

    def _purge(self) -> Iterator[None]:
        today = self._context.day_of(self._page.now_ms)
        for patient in patients.read_viewed_before(self._db, today):
            purge_patient(self._db, self._context, patient, today)
            yield
        purge_old_rows(self._db, self._context, self._page.now_ms)
        self.purged_day = self._context.today

    def _replay(self, patient_ids: Iterable[PatientId]) -> Iterator[None]:
        for patient_id in patient_ids:
            self._replay_now({patient_id})
            yield

    def _replay_now(self, patient_ids: set[PatientId]) -> None:
        views.replay(self._db, self._context, patient_ids)
        self.changed |= patient_ids


def _identity(db: Connection) -> Identity:
    identity = read_identity(db)
    assert identity is not None
    return identity


def _place(identity: Identity) -> tuple[object, ...]:
    """What tells that a roster goes on: an enrolment, the end of the kiosk and another page change it."""
    return (
        identity.site_id,
        identity.kiosk_id,
        identity.token_sha256,
        identity.server_incarnation,
        identity.generation,
        identity.cursor,
        identity.ended_ms,
    )
