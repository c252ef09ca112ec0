"""The reception: what the touch screen asks for, answered by the journey service, one person at a time.

A tap comes in by `card()` or `refused()`, a press by `act()`; each returns after its commit and after the new screen
went out. The person on the screen leaves by a press, by the next tap, or when their time is up.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from kiosk.front import visitor as visitors
from kiosk.front.build_screen import ScreenContext, build_screen
from kiosk.front.counter import DemoCard, PressResult
from kiosk.front.latest import Broadcast, LatestSlot
from kiosk.front.screen import Notice, QueueLine, Screen, ScreenKind
from kiosk.front.visitor import ATTRACT, Visitor
from kiosk.journey.journeys import ActionOutcome, Journeys, NotEnrolled
from kiosk.journey.patient_status import PatientStatus
from sync.cards import CardHash
from sync.ids import new_id
from sync.journey.model import PatientId

log = logging.getLogger(__name__)

PROBE_S = 2.0  # how often a store that refused is asked again
STORE_FAULT = "store"
NOT_ENROLLED = "not_enrolled"
FENCED = "the centre has ended this kiosk or does not know it; what it has not sent is kept: enrol it again"
NO_READER = "reader"


class Reception:
    """The one `kiosk.ui.counter.Counter` of the daemon. Every method may be called from any thread."""

    def __init__(
        self,
        journeys: Journeys,
        hashes: Callable[[bytes], tuple[CardHash, ...]],
        automatic: Callable[[], Sequence[str]],
        nudge: Callable[[], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`hashes` turns a UID into keyed hashes, `automatic` names the actions that a tap does by itself, `nudge`
        hears that there is something to push."""
        self._journeys = journeys
        self._hashes = hashes
        self._automatic = automatic
        self._nudge = nudge
        self._monotonic = monotonic
        self._live: Broadcast[Screen] = Broadcast()
        self._changed = threading.Condition(threading.RLock())
        self._visitor = ATTRACT
        self._frame = 0
        self._shown: Screen | None = None
        self._online = False
        self._readers_ready = True
        self._store_fault = False
        self._stopping = False
        self._demo: tuple[DemoCard, ...] = ()
        self._present: Callable[[str], str | None] | None = None
        self._clockwork: threading.Thread | None = None

    # The reader's side.

    def card(self, uid: bytes) -> Screen:
        """A usable card was held to a reader."""
        with self._changed, self._journeys.turn():
            try:
                cards = self._hashes(uid)
                done = self._journeys.tap(cards, self._automatic())
            except NotEnrolled:
                return self._show(ATTRACT)
            except sqlite3.Error as error:
                return self._store_failed(error)
            written = done is not None and bool(done.action_ids)
            # A tap that wrote nothing has not found out whether there is room again.
            self._store_fault = self._store_fault and not written
            screen = self._show(_visitor_of(done, cards))
        if written:
            self._nudge()
        return screen

    def refused(self, reason: str) -> Screen:
        """A card was held to a reader that cannot be used; nothing of it is kept but the reason."""
        with self._changed:
            try:
                self._journeys.note_refused_tap(reason)
            except sqlite3.Error as error:
                return self._store_failed(error)
            return self._show(visitors.refused_card(reason))

    def readers_ready(self, ready: bool) -> None:
        """Whether any reader can take a tap."""
        with self._changed:
            if ready != self._readers_ready:
                self._readers_ready = ready
                self._show(self._visitor)

    def attach_simulated(self, cards: tuple[DemoCard, ...], present: Callable[[str], str | None]) -> None:
        """There is a simulated reader: its cards for the page, and how to hold one to it."""
        self._demo, self._present = cards, present

    # The centre's side.

    def heard(self, touched: frozenset[PatientId], online: bool) -> None:
        """The sync agent brought news of these patients, or of the centre itself."""
        with self._changed:
            turned, self._online = online != self._online, online
            news = self._follow() or turned or self._visitor.patient_id in touched
            if news or (touched and self._lines_moved()):
                self._show(self._visitor)

    def enrolled(self) -> None:
        """This box has become a kiosk, or another one: whoever is here starts afresh, and the centre has not been heard
        of yet."""
        with self._changed:
            self._online = False
            self._show(ATTRACT)

    # The screen's side: kiosk.ui.counter.Counter.

    def screen(self) -> Screen:
        """What is shown now."""
        with self._changed:
            return self._current()

    def act(self, action_type: str, patient_id: str, action_id: str | None) -> PressResult:
        """Does an action for the patient on the screen and returns after its commit."""
        with self._changed, self._journeys.turn():
            # The news may be in the store, and this press have come in before whoever tells of them.
            if self._follow():
                self._show(self._visitor)
            now = self._visitor
            if now.patient_id != patient_id or self._fault():
                return PressResult(
                    self._current(), error="That person is not on the screen.", code="conflict", conflict=True
                )
            try:
                self._note_seen()
                done = self._do(now, action_type, action_id)
            except sqlite3.Error as error:
                return PressResult(self._store_failed(error), error="It could not be saved.", code="store")
            refusal, came_as = done.refusal, now.came_as or done.patient_id
            after = replace(visitors.journey(done.patient_id, now.cards), came_as=came_as, refused=refusal is not None)
            screen = self._show(after)
        if refusal:
            return PressResult(screen, error=refusal.message, code=refusal.code)
        self._nudge()
        return PressResult(screen, action_id=done.action_ids[0])

    def keep(self) -> Screen:
        """The person wants to keep using the screen."""
        with self._changed:
            self._see()
            self._visitor = self._visitor.kept(self._monotonic())
            return self._show(self._visitor)

    def leave(self) -> Screen:
        """The person is done."""
        with self._changed:
            self._see()
            return self._show(ATTRACT)

    def subscribe(self) -> AbstractContextManager[LatestSlot[Screen]]:
        """Screens as they change."""
        return self._live.subscribe()

    def demo_cards(self) -> tuple[DemoCard, ...]:
        """The cards of the simulated reader."""
        return self._demo

    def present(self, uid: str) -> str | None:
        """Holds a card to the simulated reader; an error message, or None."""
        return self._present(uid) if self._present else "This kiosk has no simulated reader."

    def faults(self) -> tuple[str, ...]:
        """What keeps the kiosk from taking taps."""
        with self._changed:
            fault, identity = self._fault(), self._journeys.identity
        if fault == NOT_ENROLLED and identity is not None:
            return (FENCED,)
        return (_FAULTS[fault],) if fault else ()

    # Time.

    def start(self) -> None:
        """Starts the thread that sends people home when their time is up, and asks a failed store again."""
        self._clockwork = threading.Thread(target=self._run, name="reception", daemon=True)
        self._clockwork.start()

    def stop(self) -> None:
        """Ends the thread and every subscription."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._clockwork:
            self._clockwork.join(1.0)
        self._live.close()

    def tick(self) -> float | None:
        """Does what is due; returns the seconds until something will be, or None."""
        with self._changed:
            now_s = self._monotonic()
            if self._visitor.unseen_s(now_s) == 0:
                self._see()
            if self._store_fault:
                return self._ask_store_again()
            if self._visitor.is_over(now_s):
                self._show(ATTRACT)
            return self._visitor.due_s(now_s)

    def _run(self) -> None:
        with self._changed:
            while not self._stopping:
                self._changed.wait(self.tick())

    def _ask_store_again(self) -> float | None:
        try:
            self._journeys.probe()
        except sqlite3.Error:
            return PROBE_S
        log.info("the store takes writes again")
        self._store_fault = False
        self._show(ATTRACT)
        return None

    # Below here the lock is held.

    def _follow(self) -> bool:
        """The person on the screen is whom their card means by now, and their time goes on. Where it does not mean them
        any more, nobody goes on as them, nor reads what is theirs. True where that is somebody else, or nobody."""
        here = self._visitor
        if here.came_as is None:
            return False
        try:
            meant = self._journeys.meant(here.came_as, here.cards)
        except sqlite3.Error:
            return False
        if meant == here.patient_id:
            return False
        self._visitor = replace(here, patient_id=meant) if meant else ATTRACT
        return True

    def _do(self, now: Visitor, action_type: str, action_id: str | None) -> ActionOutcome:
        assert now.patient_id is not None
        if now.kind is ScreenKind.UNKNOWN_CARD:
            return self._journeys.check_in_unknown(now.patient_id, now.cards, action_type, action_id)
        return self._journeys.act(now.patient_id, action_type, action_id, {}, now.cards)

    def _lines_moved(self) -> bool:
        """Whether others have moved in a line that the person on the screen is shown their place in."""
        lines = _lines(self._shown)
        return bool(lines) and self._online and _lines(self._current()) != lines

    def _see(self) -> None:
        try:
            self._note_seen()
        except sqlite3.Error as error:
            self._store_failed(error)

    def _note_seen(self) -> None:
        """The person has seen what their screen tells of. It goes on telling it while it stands, and then no more."""
        if self._visitor.reversals and not self._visitor.seen:
            self._journeys.seen(self._visitor.reversals)
            self._visitor = replace(self._visitor, seen=True)

    def _store_failed(self, error: sqlite3.Error) -> Screen:
        # The message of an SQLite error names tables at most, never what stands in them.
        log.error("the store refuses: %s", error)
        self._store_fault = True
        return self._show(ATTRACT)

    def _show(self, visitor: Visitor) -> Screen:
        """Puts a stage on the screen. Unless it is the one that was there, its time starts now, and it tells of what
        was reversed; hidden by something more pressing, that waits for the next one."""
        self._frame += 1
        fresh = visitor is not self._visitor and visitor.kind is not ScreenKind.ATTRACT
        status = self._status(visitor)
        if fresh and status:
            visitor = replace(visitor, reversals=status.reversals)
        screen = self._build_screen(visitor, status)
        if screen.notice is not Notice.REVERSED:
            visitor = replace(visitor, reversals=())
        if fresh:
            visitor = visitor.until(self._monotonic(), visitors.DECIDE_S if screen.next_action else visitors.TELL_S)
            screen = replace(screen, remaining_s=visitor.stay_s)
        self._visitor, self._shown = visitor, screen
        self._live.publish(screen)
        self._changed.notify_all()
        return screen

    def _current(self) -> Screen:
        return self._build_screen(self._visitor, self._status(self._visitor))

    def _build_screen(self, visitor: Visitor, status: PatientStatus | None) -> Screen:
        around = ScreenContext(
            self._frame,
            self._journeys.identity,
            self._journeys.definitions,
            self._online,
            self._fault(),
            self._monotonic(),
            self._journeys.clock().wall_ms,
        )
        return build_screen(around, visitor, status)

    def _status(self, visitor: Visitor) -> PatientStatus | None:
        if visitor.kind is not ScreenKind.JOURNEY or visitor.patient_id is None or self._fault():
            return None
        try:
            return self._journeys.patient_status(visitor.patient_id)
        except sqlite3.Error:
            log.exception("the store cannot be read")
            self._store_fault = True
            return None

    def _fault(self) -> str | None:
        if self._store_fault:
            return STORE_FAULT
        identity = self._journeys.identity
        if identity is None or identity.fenced_ms is not None:
            return NOT_ENROLLED
        return None if self._readers_ready else NO_READER


_FAULTS = {
    STORE_FAULT: "the database refuses to write",
    NOT_ENROLLED: "this kiosk is not enrolled yet: kiosk enroll",
    NO_READER: "no card reader is ready",
}


def _lines(screen: Screen | None) -> tuple[QueueLine, ...]:
    return screen.journey.queue_details if screen and screen.journey else ()


def _visitor_of(done: ActionOutcome | None, cards: tuple[CardHash, ...]) -> Visitor:
    if done is None:
        return visitors.unknown_card(PatientId(f"card-{new_id()}"), cards)
    return visitors.journey(done.patient_id, cards, tapped_again=not done.action_ids)
