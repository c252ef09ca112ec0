"""A counter whose people, cards and faults a test sets.

It is a whole `kiosk.front.counter.Counter`: the real rules decide what a press does, a repeat is known by its action
id, and every subscriber gets the screens.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from msgspec import structs

from kiosk.front import visitor as visitors
from kiosk.front.build_screen import ScreenContext, build_screen
from kiosk.front.counter import DemoCard, PressResult
from kiosk.front.latest import Broadcast, LatestSlot
from kiosk.front.offer import DEAD_S, Offers, Press, question_of
from kiosk.front.screen import CentralView, KioskView, Lookup, PatientView, Screen, ScreenKind
from kiosk.journey.patient_status import PatientStatus
from kiosk.store.patients import Patient
from sync.clock import iso
from sync.ids import new_id
from sync.journey.definitions import shipped
from sync.journey.model import (
    Action,
    ActionId,
    Actor,
    Appointment,
    AppointmentId,
    Decision,
    Exam,
    ExamId,
    Journey,
    Opens,
    PatientId,
    QueueId,
    Refusal,
    Role,
    VisitId,
)
from sync.journey.rules import available_actions, decide, next_exam
from sync.words import names
from tests.kiosk.samples import IDENTITY, SITE

DAY = "2026-03-02"
MORNING_MS = 1_772_411_400_000  # 2026-03-02T09:30 in Seoul
SEOUL = "Asia/Seoul"
DESK = "1층 로비 접수 창구"
# The actions of a kiosk of every kind at once.
KINDS = ("entrance", "payment", "exit", "enter_exam_room")


@dataclass(frozen=True)
class Card:
    """One card of the staged hospital: its holder, and the holder's bookings."""

    uid: str
    label: str
    patient_id: str
    masked_name: str
    language: str = "ko"
    booked: tuple[tuple[str, str, int], ...] = (("흉부 영상 검사", "2층 영상의학과 205호", 60),)


HONG = Card(
    "04a1b2c3d4e5f6",
    "홍길동 (예약 2건)",
    "P-1001",
    "홍*동",
    booked=(("흉부 영상 검사", "2층 영상의학과 205호", 60), ("혈액 검사", "1층 채혈실", 120)),
)
NAMGUNG = Card("04a1b2c3d4e5f7", "남궁민수", "P-1002", "남궁**")
SMITH = Card("04a1b2c3d4e5f8", "Jane Smith", "P-1003", "J*** S****", "en", (("Chest imaging", "2F Radiology 205", 60),))
NOBODY = "04ffffffffffff"


class StagedCounter:
    """A counter that a test drives. May be used from any thread."""

    def __init__(self, demo: bool = False) -> None:
        self._demo = tuple(DemoCard(card.uid, card.label) for card in (HONG, NAMGUNG, SMITH)) if demo else ()
        self._lock = threading.RLock()
        self._live: Broadcast[Screen] = Broadcast()
        self._cards = {card.uid: card for card in (HONG, NAMGUNG, SMITH)}
        self._frame = 0
        self._stay = new_id()
        self._screen: Screen | None = None
        self.begin()

    # For the test.

    def begin(self) -> Screen:
        """Resets the counter: no patient has come, no part is out of order."""
        self.definitions = shipped()
        self.kiosk = KioskView("K-1", "본관 1층 입구", DESK)
        self.languages: tuple[str, ...] = ("ko", "en")
        self.stay_s: float | None = 60.0
        self.people_ahead: int | None = 3
        self.confirmed = True
        self.needs_staff = False
        self.awaited = False
        self.kinds: tuple[str, ...] = KINDS
        self.acts: list[tuple[str, str, str | None]] = []
        self.payloads: list[dict[str, Any]] = []
        self.keeps = 0
        self.touches: list[str] = []
        self.slow = False
        self._hidden: Screen | None = None
        self._offers = Offers()
        self.breakage: Exception | None = None
        self.gate = threading.Event()  # a press waits for this, so that a test can look at the screen meanwhile
        self.gate.set()
        self.at_gate = threading.Semaphore(0)
        self.fault: str | None = None
        self._answers: dict[str, PressResult] = {}
        self._journeys: dict[str, Journey] = {}
        self._central = CentralView(True, iso(MORNING_MS, SEOUL))
        return self.attract()

    def show(self, screen: Screen) -> Screen:
        """Publishes a screen under the next frame number, with the ids of its stay and of its offer."""
        with self._lock:
            self._frame += 1
            if _person(screen) not in (None, _person(self._screen)):
                self._stay = new_id()
            screen = structs.replace(screen, frame=self._frame, stay=self._stay, slow=self.slow)
            self._offers = self._offers.follow(question_of(screen), 0.0, new_id)
            present = self._offers.present
            self._screen = structs.replace(screen, offer=present.offer_id if present else None)
            self._live.publish(self._screen)
            return self._screen

    def attract(self) -> Screen:
        """Shows the screen without a person."""
        return self.show(self._blank(ScreenKind.ATTRACT))

    def tap(self, card: Card, *actions: str) -> Screen:
        """Taps a card, and does these actions for its patient."""
        with self._lock:
            journey = self.journey_of(card)
            for action_type in ("scan_nfc", *actions):
                outcome = self._decide(journey, action_type)
                journey = outcome.journey if isinstance(outcome, Decision) else journey
            self._journeys[card.patient_id] = journey
            return self.show(self._of_patient(card, journey))

    def overtake(self, card: Card, action_type: str) -> None:
        """Does an action for a patient, of which the screen has not heard yet."""
        with self._lock:
            outcome = self._decide(self._journeys[card.patient_id], action_type)
            assert isinstance(outcome, Decision)
            self._journeys[card.patient_id] = outcome.journey

    def call(self, card: Card, room: str) -> Screen:
        """Calls the patient into a room, as staff do."""
        with self._lock:
            journey = self._journeys[card.patient_id]
            staff = Action(ActionId(new_id()), "call_patient", Actor(Role.STAFF), MORNING_MS, _opens(1), room=room)
            outcome = decide(self.definitions, journey, staff)
            assert isinstance(outcome, Decision)
            return self.stand(card, outcome.journey)

    def stand(self, card: Card, journey: Journey, **changes: Any) -> Screen:
        """Shows a patient whose journey is this one. `changes` are of the visitor: what was done here."""
        with self._lock:
            self._journeys[card.patient_id] = journey
            return self.show(self._of_patient(card, journey, **changes))

    def journey_of(self, card: Card) -> Journey:
        """Returns the present journey of a card's patient."""
        return self._journeys.get(card.patient_id) or fresh_journey(card)

    def unknown_card(self, lookup: Lookup = Lookup.UNKNOWN, may_check_in: bool = True) -> Screen:
        """Taps a card that the kiosk does not know. `lookup`: the answer about it. `may_check_in`: a grant."""
        stranger = PatientView("card-1", "", "ko")
        action = "scan_nfc" if may_check_in and lookup is not Lookup.ASKED else None
        blank = self._blank(ScreenKind.UNKNOWN_CARD)
        button = names.button(action) if action else None
        return self.show(structs.replace(blank, patient=stranger, next_action=action, button=button, lookup=lookup))

    def refuse_card(self, reason: str) -> Screen:
        """Taps a card that cannot be used."""
        return self.show(structs.replace(self._blank(ScreenKind.REFUSED_CARD), reason=reason))

    def hide(self) -> Screen:
        """Hides the data of the person on the screen, who may have left."""
        with self._lock:
            self._hidden = self._screen
            return self.show(structs.replace(self._blank(ScreenKind.STILL_HERE)))

    def break_down(self, reason: str) -> Screen:
        """Puts the kiosk out of order."""
        self.fault = reason
        return self.show(structs.replace(self._blank(ScreenKind.OUT_OF_ORDER), reason=reason, remaining_s=None))

    def cut_off(self, online: bool = False) -> None:
        """Takes the centre offline or back online. While it is offline, no action is confirmed."""
        self._central = CentralView(online, iso(MORNING_MS - 25 * 60_000, SEOUL))
        self.confirmed = online
        self.people_ahead = 3 if online else None

    def new_day(self) -> None:
        """Forgets all journeys, and rules that a site added."""
        with self._lock:
            self.definitions = shipped()
            self._journeys.clear()

    def hang_up(self) -> None:
        """Closes every subscription, as a stopping daemon does."""
        self._live.close()
        self._live = Broadcast()

    # kiosk.front.counter.Counter.

    def screen(self) -> Screen:
        self._break()
        with self._lock:
            return self._screen

    def act(self, press: Press) -> PressResult:
        self._break()
        self.at_gate.release()
        assert self.gate.wait(30)
        with self._lock:
            self.acts.append((press.action_type, press.patient_id, press.action_id))
            self.payloads.append(dict(press.payload))
            if press.action_id in self._answers:
                return self._answers[press.action_id]
            answer = self._act(press)
            if press.action_id:
                self._answers[press.action_id] = answer
            return answer

    def keep(self, stay: str) -> Screen:
        with self._lock:
            if stay != self._stay:
                return self._screen
            self.keeps += 1
            left = max(0, self._screen.keeps_left - 1)
            return self.show(structs.replace(self._screen, remaining_s=self.stay_s, keeps_left=left))

    def leave(self, stay: str) -> Screen:
        with self._lock:
            return self.attract() if stay == self._stay else self._screen

    def touch(self, stay: str) -> Screen:
        with self._lock:
            self.touches.append(stay)
            if stay == self._stay and self._screen.screen is ScreenKind.STILL_HERE and self._hidden:
                return self.show(self._hidden)
            return self._screen

    def set_pace(self, stay: str, slow: bool) -> Screen:
        with self._lock:
            if stay != self._stay:
                return self._screen
            self.slow = slow
            return self.show(self._screen)

    def subscribe(self) -> AbstractContextManager[LatestSlot[Screen]]:
        return self._live.subscribe()

    def demo_cards(self) -> tuple[DemoCard, ...]:
        return self._demo

    def present(self, uid: str) -> str | None:
        if uid == NOBODY:
            self.unknown_card()
            return None
        if uid not in self._cards:
            return "no such card"
        self.tap(self._cards[uid])
        return None

    def faults(self) -> tuple[str, ...]:
        return (self.fault,) if self.fault else ()

    # The rest.

    def _break(self) -> None:
        if self.breakage:
            raise self.breakage

    def _act(self, press: Press) -> PressResult:
        action_type, patient_id, action_id = press.action_type, press.patient_id, press.action_id
        if misplaced := self._offers.misplaced(press, DEAD_S):
            return PressResult(self._screen, error="The press is for something else.", code=misplaced)
        self._offers = self._offers.answer(press)
        card = next((c for c in self._cards.values() if c.patient_id == patient_id), None)
        card = card or Card("", "", patient_id, "", booked=())
        journey = self._journeys.get(patient_id) or fresh_journey(card)
        outcome = self._decide(journey, action_type)
        if isinstance(outcome, Refusal):
            return PressResult(self.stand(card, journey, refused=True), error=outcome.message, code=outcome.code)
        return PressResult(self.stand(card, outcome.journey, done=action_type), action_id=action_id or new_id())

    def _decide(self, journey: Journey, action_type: str) -> Decision | Refusal:
        actor = self._actor()
        return decide(self.definitions, journey, Action(ActionId(new_id()), action_type, actor, MORNING_MS, _opens(17)))

    def _actor(self) -> Actor:
        return Actor(Role.KIOSK, frozenset(self.definitions.granted(self.kinds)))

    def _blank(self, kind: ScreenKind) -> Screen:
        stays = kind is ScreenKind.ATTRACT
        return Screen(
            0,
            kind,
            self.kiosk,
            self._central,
            self.languages,
            ways=tuple(tuple(step.name for step in way) for way in self.definitions.ways),
            remaining_s=None if stays else self.stay_s,
            keeps_left=0 if stays else 10,
        )

    def _of_patient(self, card: Card, journey: Journey, **changes: Any) -> Screen:
        """Returns the screen of a patient, as the kiosk builds it. `changes` are of the visitor."""
        online = self._central.online
        desk = structs.replace(SITE.walk_in, public_label=self.kiosk.desk, room="")
        site = structs.replace(SITE, languages=self.languages, walk_in=desk)
        identity = replace(IDENTITY, name=self.kiosk.name, site=site)
        context = ScreenContext(0, identity, self.definitions, online, None, MORNING_MS)
        visitor = structs.replace(visitors.journey(journey.patient_id, ()), **changes)
        screen = build_screen(context, visitor, self._status(card, journey))
        return structs.replace(screen, kiosk=self.kiosk, central=self._central, remaining_s=self.stay_s)

    def _status(self, card: Card, journey: Journey) -> PatientStatus:
        ahead = self.people_ahead or 0
        return PatientStatus(
            Patient(journey.patient_id, card.masked_name, card.language, not card.uid, journey, journey, ()),
            journey,
            available_actions(self.definitions, journey, self._actor()),
            0 if self.confirmed else 1,
            self.needs_staff,
            self.awaited,
            (),
            {entry.queue_id: ahead for entry in journey.entries},
            {entry.queue_id: ahead * entry.minutes for entry in journey.entries},
            next_exam(self.definitions, journey),
        )


def _person(screen: Screen | None) -> object:
    """Tells the people on two screens apart. None for hidden data: the person before is still there."""
    if screen is None or screen.screen is ScreenKind.STILL_HERE:
        return None
    return screen.screen, screen.patient and screen.patient.patient_id


def fresh_journey(card: Card) -> Journey:
    """Returns the journey of a patient who has not come yet."""
    booked = tuple(
        Appointment(
            AppointmentId(f"A-{card.patient_id}-{number}"),
            ExamId(f"E-{number}"),
            name,
            room,
            MORNING_MS + minutes * 60_000,
            "booked",
        )
        for number, (name, room, minutes) in enumerate(card.booked, 1)
    )
    return Journey(PatientId(card.patient_id), shipped().initial, DAY, appointments=booked)


def _opens(number: int) -> Opens:
    desk = Exam(ExamId("desk"), "접수", "접수 창구", "1층 로비", 5)
    return Opens(VisitId(new_id()), QueueId(new_id()), f"B-{number:03d}", desk)
