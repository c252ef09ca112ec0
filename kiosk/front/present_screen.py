"""The screen of this moment: whose it is, what it offers, until when, and what is out of order.

Not safe from several threads: the reception and its card desk use it under one lock.
"""

import logging
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from msgspec.structs import replace

from kiosk.front import visitor as visitors
from kiosk.front.build_screen import ScreenContext, build_screen
from kiosk.front.gesture import NO_GESTURE
from kiosk.front.latest import Broadcast, LatestSlot
from kiosk.front.offer import Misplaced, Offers, Press, question_of
from kiosk.front.screen import QueueLine, Screen, ScreenKind
from kiosk.front.visitor import ATTRACT, Visitor
from kiosk.journey.journeys import ActionOutcome, Journeys
from kiosk.journey.patient_status import PatientStatus
from sync.ids import new_id
from sync.visit_code import VisitCode, draw_visit_code

log = logging.getLogger(__name__)

PROBE_S = 2.0  # how often a store that refused a write is probed
FRESH_S = 5.0  # how long a working store is believed to work, where somebody asks
STORE_FAULT = "store"
NOT_ENROLLED = "not_enrolled"
NO_READER = "reader"


class PresentScreen:
    """The present visitor, gesture and screen. Each change is published to the pages under the next frame number."""

    def __init__(
        self,
        journeys: Journeys,
        on_change: Callable[[], None] = lambda: None,
        monotonic: Callable[[], float] = time.monotonic,
        visit_url: str = "",
        *,
        is_desk: bool = False,
    ) -> None:
        """`on_change` is called after each screen. `monotonic` returns seconds. `visit_url` is the centre's public URL,
        for the codes of visits. `is_desk`: every card is for the desk.
        """
        self.is_desk = is_desk
        self.visitor = replace(ATTRACT, stay=new_id())
        self.gesture = NO_GESTURE
        self.online = False
        self.readers_ready = True
        self.store_fault = False
        self._journeys = journeys
        self._on_change = on_change
        self._monotonic = monotonic
        self._visit_url = visit_url
        self._probe_s = 0.0  # the time of the next probe of a failed store
        self._fresh_s = 0.0  # until then, nobody's question probes a working store
        self._broadcast: Broadcast[Screen] = Broadcast()
        self._offers = Offers()
        self._slow = False
        self._frame = 0
        self._published: Screen | None = None

    def subscribe(self) -> AbstractContextManager[LatestSlot[Screen]]:
        """Subscribes to the screens as they change."""
        return self._broadcast.subscribe()

    def close(self) -> None:
        """Ends every subscription."""
        self._broadcast.close()

    def show(self, visitor: Visitor, goes_on: bool = False) -> Screen:
        """Makes and publishes the screen of a visitor. Its time starts now, or goes on."""
        before, now_s = self.visitor, self._monotonic()
        is_new = not goes_on and visitor.kind is not ScreenKind.ATTRACT
        stay = self._stay_of(visitor)
        if is_new:
            visitor = replace(visitor, stay=stay, touched_s=now_s, veiled=False)
        elif stay != visitor.stay:
            visitor = replace(visitor, stay=stay)
        if stay == before.stay and visitor.visit_code is None:
            visitor = replace(visitor, visit_code=before.visit_code)
        if _is_another_person(before, visitor):
            self._slow = False
        status = self.status(visitor)
        if status:
            # A reversal that comes to a screen that is up already may meet an empty place in front of it.
            visitor = visitor.with_reversals(status.reversals, now_s + visitors.SEEN_S if is_new else None)
        self._frame += 1
        screen = self._build(visitor, status)
        former, self._offers = self._offers.present, self._offers.follow(question_of(screen), now_s, new_id)
        has_new_offer = self._offers.present is not None and self._offers.present != former
        if is_new or has_new_offer:
            visitor = visitor.start_time(now_s, self._stay_s(visitor))
        elif _tells_news(self._published, screen):
            visitor = visitor.with_time(now_s, self._pace * visitors.INFORM_S)
        if visitor.kind is ScreenKind.ATTRACT:
            self.gesture = self.gesture.without_person()
        self.visitor, self._published = visitor, self._finish(screen, visitor, now_s)
        self._broadcast.publish(self._published)
        self._on_change()
        return self._published

    def visit_code(self, outcome: ActionOutcome) -> VisitCode | None:
        """Returns the code of the visit that an action has opened to a telephone; None where it has opened none."""
        return draw_visit_code(self._visit_url, outcome.visit_secret) if outcome.visit_secret else None

    def show_again(self, visitor: Visitor | None = None) -> Screen:
        """Shows the person on the screen with something changed: of the visitor, or around the visitor."""
        return self.show(visitor or self.visitor, goes_on=True)

    def current(self) -> Screen:
        """Returns the screen of this moment. A changed offer is published before."""
        screen = self._build(self.visitor, self.status(self.visitor))
        present = self._offers.present
        if question_of(screen) != (present.question if present else None):
            return self.show_again()
        return self._finish(screen, self.visitor, self._monotonic())

    def follow_card(self) -> bool:
        """Shows the patient that the tapped card means now. Returns whether that is another one than on the screen.

        The time of the screen goes on. Where the card no longer means that patient, the screen becomes free: the holder
        may neither act nor read as them.
        """
        visitor = self.visitor
        if visitor.tapped_id is None:
            return False
        try:
            patient_id = self._journeys.current_patient(visitor.tapped_id, visitor.cards)
        except sqlite3.Error:
            return False
        if patient_id == visitor.patient_id:
            return False
        self.show_again(replace(visitor, patient_id=patient_id) if patient_id else ATTRACT)
        return True

    def lines_moved(self) -> bool:
        """Whether other people have moved in a queue on the screen."""
        lines = _lines(self._published)
        return bool(lines) and self.online and _lines(self.current()) != lines

    def misplaced(self, press: Press) -> Misplaced | None:
        """Returns why a press does not count on this screen; None where it does, or repeats the last one."""
        if self._offers.is_repeat(press):
            return None
        self.current()
        return self._offers.misplaced(press, self._monotonic())

    def answer(self, press: Press) -> None:
        """Notes that a press has counted. The next screen begins another offer, even with the same question."""
        self._offers = self._offers.answer(press)

    def set_pace(self, slow: bool) -> None:
        """Gives the person more time for everything, or the usual time. The time of the screen starts again."""
        self._slow = slow
        if self.visitor.ends_s is not None:
            self.visitor = self.visitor.start_time(self._monotonic(), self._stay_s(self.visitor))

    def hides_in_s(self, now_s: float) -> float | None:
        """Returns the seconds until the screen hides the person's data; None where it does not."""
        visitor = self.visitor
        offers = self._offers.present is not None and visitor.kind is ScreenKind.JOURNEY
        if not offers or visitor.veiled or self.gesture.fields:
            return None
        return max(0.0, visitor.touched_s + self._pace * visitors.HIDE_S - now_s)

    def store_failed(self, error: sqlite3.Error) -> Screen:
        """Notes that the store refused an access, and shows the kiosk out of order."""
        # The message of an SQLite error names tables at most, never their content.
        log.error("the database refused an access: %s", error)
        self.store_fault = True
        # The person reads that nothing was saved. A probe that succeeds at once would leave the tap without a word.
        self._probe_s = self._monotonic() + PROBE_S
        return self.show(ATTRACT)

    def doubt_store(self) -> None:
        """Probes a store that is believed to work, at most once in `FRESH_S`: a full disk still reads."""
        now_s = self._monotonic()
        if self.store_fault or now_s < self._fresh_s:
            return
        self._fresh_s = now_s + FRESH_S
        try:
            self._journeys.probe()
        except sqlite3.Error as error:
            self.store_failed(error)

    def probe_store(self) -> float | None:
        """Tries a failed store when its time has come. Returns the seconds until the next try; None where it works."""
        now_s = self._monotonic()
        if now_s < self._probe_s:
            return self._probe_s - now_s
        try:
            self._journeys.probe()
        except sqlite3.Error:
            self._probe_s = now_s + PROBE_S
            return PROBE_S
        log.info("the database accepts writes again")
        self.store_fault = False
        self.show(ATTRACT)
        return None

    def mark_reversals_seen(self) -> None:
        """Notes that the person has seen the reversals on the screen. No later screen shows them.

        Raises sqlite3.Error.
        """
        if self.visitor.reversals and not self.visitor.reversals_seen:
            self._journeys.mark_reversals_seen(self.visitor.reversals)
            self.visitor = replace(self.visitor, reversals_seen=True)

    def fault(self) -> str | None:
        """Returns what keeps the kiosk from accepting taps; None without a fault."""
        if self.store_fault:
            return STORE_FAULT
        identity = self._journeys.identity
        if identity is None or identity.ended_ms is not None:
            return NOT_ENROLLED
        return None if self.readers_ready else NO_READER

    def status(self, visitor: Visitor) -> PatientStatus | None:
        """Returns the status of a visitor who is a known patient; None for any other, and where it cannot be read."""
        if visitor.kind is not ScreenKind.JOURNEY or visitor.patient_id is None or self.fault():
            return None
        try:
            return self._journeys.patient_status(visitor.patient_id)
        except sqlite3.Error:
            log.exception("the store cannot be read")
            self.store_fault = True
            return None

    @property
    def _pace(self) -> float:
        return visitors.PATIENT if self._slow else 1.0

    def _stay_s(self, visitor: Visitor) -> float:
        if visitor.kind is ScreenKind.DESK_CARD:
            return visitor.stay_s  # nobody's pace
        # An unsettled screen is about to offer a decision, most likely: its time must not jump up and down.
        decides = self._offers.present is not None or not visitor.is_settled
        return self._pace * (visitors.DECIDE_S if decides else visitors.INFORM_S)

    def _stay_of(self, visitor: Visitor) -> str:
        """The id of the visitor's stay. A second tap of the person on the screen does not begin another stay."""
        before = self.visitor
        is_same = visitor.kind is before.kind is ScreenKind.ATTRACT or (
            visitor.patient_id is not None and visitor.patient_id == before.patient_id
        )
        return visitor.stay or (before.stay if is_same else new_id())

    def _build(self, visitor: Visitor, status: PatientStatus | None) -> Screen:
        published = self._published
        if published is not None and self._is_on_the_way(visitor, status, published):
            return replace(published, frame=self._frame, next_action=None, button=None)
        context = ScreenContext(
            self._frame,
            self._journeys.identity,
            self._journeys.definitions,
            self.online,
            self.fault(),
            self._journeys.clock().wall_ms,
            self.is_desk,
        )
        return build_screen(context, visitor, status)

    def _is_on_the_way(self, visitor: Visitor, status: PatientStatus | None, published: Screen) -> bool:
        """Whether a verdict has named the patient of an unknown card, whom only the next page brings.

        The person reads on meanwhile. A screen without them would take their language and size away.
        """
        if visitor.kind is not ScreenKind.JOURNEY or status is not None or self.fault():
            return False
        former = published.patient
        return published.stay == visitor.stay and former is not None and former.patient_id != visitor.patient_id

    def _finish(self, screen: Screen, visitor: Visitor, now_s: float) -> Screen:
        """The screen with what the passing of time changes."""
        has_time = screen.screen not in (ScreenKind.ATTRACT, ScreenKind.OUT_OF_ORDER)
        offer = self._offers.present
        return replace(
            screen,
            offer=offer.offer_id if offer else None,
            slow=self._slow,
            remaining_s=visitor.remaining_s(now_s) if has_time else None,
        )


def _is_another_person(before: Visitor, after: Visitor) -> bool:
    """Whether the settings of a person end: the person has left, or another patient has come."""
    if after.kind is ScreenKind.ATTRACT:
        return before.kind is not ScreenKind.ATTRACT
    return before.patient_id is not None and after.patient_id is not None and before.stay != after.stay


def _tells_news(before: Screen | None, after: Screen) -> bool:
    """Whether a screen says something else about the person than the screen before."""
    return before is not None and after.patient is not None and _told(before) != _told(after)


def _told(screen: Screen) -> tuple[object, ...]:
    said = screen.said
    return screen.screen, said and (said.title, said.lead, said.notes)


def _lines(screen: Screen | None) -> tuple[QueueLine, ...]:
    return screen.journey.queue_details if screen and screen.journey else ()
