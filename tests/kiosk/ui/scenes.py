"""Everything that the screen can show, each as one scene for the staged counter."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from hardware.card import RefusedReason
from kiosk.front.screen import DeskState, Lookup, Screen, ScreenKind
from kiosk.journey.outcomes import Reversal
from sync.journey.definitions import read, shipped
from sync.journey.model import ActionId, AppointmentId, Journey, QueueId
from sync.visit_code import draw_visit_code
from tests.kiosk.ui.staged import HONG, NAMGUNG, SMITH, StagedCounter, fresh_journey
from tests.site_rules import with_weighing

Scene = Callable[[StagedCounter], Screen]


def attract(counter: StagedCounter) -> Screen:
    return counter.attract()


def attract_without_a_desk(counter: StagedCounter) -> Screen:
    return counter.show(replace(counter.attract(), kiosk=replace(counter.kiosk, desk="", name="")))


def greeting(counter: StagedCounter) -> Screen:
    return counter.tap(HONG)


def registered(counter: StagedCounter) -> Screen:
    return counter.tap(HONG, "register")


def number(counter: StagedCounter) -> Screen:
    return counter.tap(HONG, "register", "confirm_arrival")


def number_of_a_foreigner(counter: StagedCounter) -> Screen:
    return counter.tap(SMITH, "register", "confirm_arrival")


def next_in_line(counter: StagedCounter) -> Screen:
    counter.people_ahead = 0
    shown = number(counter)
    counter.people_ahead = 3
    return shown


def in_entry_state(*states: str) -> Scene:
    """Returns the scene of a patient whose entries are in these states, the current one first."""

    def scene(counter: StagedCounter) -> Screen:
        number(counter)
        journey = counter.journey_of(HONG)
        first = journey.entries[0]
        other = replace(
            first, queue_id=QueueId("other"), queue_number="B-044", exam_name="혈액 검사", room="1층 채혈실"
        )
        entries = tuple(replace(entry, state=state) for entry, state in zip((first, other), states, strict=False))
        state = counter.definitions.queue_to_journey[states[0]]
        return counter.stand(HONG, replace(journey, state=state, entries=entries))

    return scene


def with_entries(scene: Scene, **changes: Any) -> Scene:
    """Returns the scene of a patient with these changes of every queue entry."""

    def with_them(counter: StagedCounter) -> Screen:
        scene(counter)
        journey = counter.journey_of(HONG)
        entries = tuple(replace(entry, **changes) for entry in journey.entries)
        return counter.stand(HONG, replace(journey, entries=entries))

    return with_them


def with_slips(scene: Scene, *numbers: str) -> Scene:
    """Returns the scene of a patient whose queue entry has these numbers as well."""
    return with_entries(scene, label_aliases=numbers)


def done_here(scene: Scene, **changes: Any) -> Scene:
    """Returns the scene with changes of the visitor: what was done at the screen."""

    def with_them(counter: StagedCounter) -> Screen:
        scene(counter)
        return counter.stand(HONG, counter.journey_of(HONG), **changes)

    return with_them


def set_to(scene: Scene, **attributes: Any) -> Scene:
    """Returns the scene with these attributes of the counter."""

    def with_them(counter: StagedCounter) -> Screen:
        before = {name: getattr(counter, name) for name in attributes}
        vars(counter).update(attributes)
        shown = scene(counter)
        vars(counter).update(before)
        return shown

    return with_them


def granted(scene: Scene, *kinds: str) -> Scene:
    """Returns the scene at a kiosk of these kinds, after a way at one of every kind."""

    def there(counter: StagedCounter) -> Screen:
        scene(counter)
        return set_to(done_here(lambda c: c.screen()), kinds=kinds)(counter)

    return there


VISIT_SECRET = "nv_" + "Ab3-_" * 4 + "xy"
VISIT_URL = "https://checkin.hospital.example"


def with_code(scene: Scene) -> Scene:
    """Returns the scene of a patient who has just confirmed an arrival at a kiosk that shows codes."""

    def with_it(counter: StagedCounter) -> Screen:
        return counter.show(replace(scene(counter), visit_code=draw_visit_code(VISIT_URL, VISIT_SECRET)))

    return with_it


def offline(counter: StagedCounter) -> Screen:
    counter.cut_off()
    shown = counter.tap(NAMGUNG, "register", "confirm_arrival")
    counter.cut_off(online=True)
    return shown


def offline_greeting(counter: StagedCounter) -> Screen:
    counter.cut_off()
    counter.confirmed = True
    shown = counter.tap(HONG)
    counter.cut_off(online=True)
    return shown


def called(counter: StagedCounter) -> Screen:
    number(counter)
    return counter.call(HONG, "3번 검사실")


def greeted(counter: StagedCounter) -> Journey:
    """Greets the patient, and returns the journey."""
    greeting(counter)
    return counter.journey_of(HONG)


def in_state(state: str) -> Scene:
    """Returns the scene of a patient in that state of the journey, with a booking left."""
    return lambda counter: counter.stand(HONG, replace(greeted(counter), state=state, leg=1))


def at_the_end(state: str, entry_state: str = "completed", status: str = "completed") -> Scene:
    """Returns the scene of a patient in that state of the journey, with nothing left."""

    def scene(counter: StagedCounter) -> Screen:
        number(counter)
        journey = counter.journey_of(HONG)
        entries = tuple(replace(entry, state=entry_state) for entry in journey.entries)
        booked = tuple(replace(each, status=status) for each in journey.appointments)
        return counter.stand(HONG, replace(journey, state=state, entries=entries, appointments=booked))

    return scene


def at_any_time(counter: StagedCounter) -> Screen:
    """The patient's first booking has no time."""
    greeting(counter)
    journey = counter.journey_of(HONG)
    first, *others = journey.appointments
    return counter.stand(HONG, replace(journey, appointments=(replace(first, all_day=True), *others)))


def without_bookings(counter: StagedCounter) -> Screen:
    return counter.stand(HONG, replace(greeted(counter), appointments=()))


def gone(counter: StagedCounter) -> Screen:
    """A patient who has just left the hospital."""
    left = replace(greeted(counter), state="UNREGISTERED", visit_id=None)
    return counter.stand(HONG, left, done="leave_hospital")


def weighed(counter: StagedCounter) -> Screen:
    """A state that a site added between two shipped states, with a step and an action."""
    rules = with_weighing(counter.definitions.document)
    counter.definitions = read(rules)
    return counter.tap(HONG, "weigh")


def day_gone_by(counter: StagedCounter) -> Screen:
    statuses = ("completed", "cancelled", "no_show", "waiting", "in_progress", "arrived", "sterilised")
    booked_for = fresh_journey(HONG).appointments[0]
    days = tuple(replace(booked_for, appointment_id=AppointmentId(each), status=each, room="") for each in statuses)
    return counter.stand(HONG, replace(greeted(counter), appointments=days))


def provisional(counter: StagedCounter) -> Screen:
    card = dataclasses.replace(HONG, uid="", patient_id="card-1", masked_name="", booked=())
    return counter.stand(card, replace(fresh_journey(card), state="ARRIVED"), done="scan_nfc")


def nameless(counter: StagedCounter) -> Screen:
    return counter.stand(dataclasses.replace(HONG, masked_name=""), greeted(counter))


REVERSALS = (
    Reversal(ActionId("r-1"), 1, "register"),
    Reversal(ActionId("r-2"), 1, "confirm_arrival", "B-009"),
    Reversal(ActionId("r-3"), 1, "make_payment"),
)
STATES = (*shipped().journey_states, "STERILISED")


def unknown_card(counter: StagedCounter) -> Screen:
    return counter.unknown_card()


def looked_up(lookup: Lookup, may_check_in: bool = True) -> Scene:
    return lambda counter: counter.unknown_card(lookup, may_check_in)


def settling(counter: StagedCounter) -> Screen:
    return counter.stand(HONG, greeted(counter), acts_s=1.0)


def refused(reason: str) -> Scene:
    return lambda counter: counter.refuse_card(reason)


def broken(reason: str) -> Scene:
    def scene(counter: StagedCounter) -> Screen:
        shown = counter.break_down(reason)
        counter.fault = None
        return shown

    return scene


# The screens of the README and of the measurements. Each other scene differs from one of them in words alone.
MAIN: dict[str, Scene] = {
    "attract": attract,
    "greeting": greeting,
    "registered": registered,
    "number": number,
    "offline": offline,
    "called": called,
    "unknown card": unknown_card,
    "refused card": refused("phone"),
    "out of order": broken("reader"),
}


def hidden(counter: StagedCounter) -> Screen:
    """The person has walked away from the greeting, and the data is hidden."""
    counter.tap(HONG)
    return counter.hide()


def for_the_desk(state: DeskState, refused: str | None = None) -> Scene:
    """A card for the desk."""
    left_s = None if state is DeskState.READY else 40.0
    return lambda counter: counter.show(
        replace(counter.attract(), screen=ScreenKind.DESK_CARD, desk_card=state, reason=refused, remaining_s=left_s)
    )


ALL: dict[str, Scene] = {
    **MAIN,
    "attract without a desk": attract_without_a_desk,
    "number of a foreigner": number_of_a_foreigner,
    "next in line": next_in_line,
    "number with a code": with_code(number),
    "offline with a code": with_code(offline),
    "two numbers": in_entry_state("waiting", "delayed"),
    "two numbers with a code": with_code(in_entry_state("waiting", "delayed")),
    "two slips": with_slips(number, "A-044"),
    "two slips of each number": with_slips(in_entry_state("waiting", "delayed"), "A-044", "C-105"),
    "called with two slips": with_slips(called, "A-044"),
    "delayed with two slips": with_slips(in_entry_state("delayed"), "A-044"),
    "saved": set_to(number, confirmed=False),
    "offline greeting": offline_greeting,
    "day gone by": day_gone_by,
    "provisional": set_to(provisional, confirmed=False),
    "nameless": nameless,
    "weighed": weighed,
    "without bookings": without_bookings,
    "at any time": at_any_time,
    "moved to another exam": with_entries(number, moved_from="혈액 검사"),
    "moved to another room": with_entries(number, moved_from_room="201"),
    "moved and missed": with_entries(in_entry_state("no_show"), moved_from="혈액 검사"),
    "moved to another day": with_entries(in_entry_state("cancelled"), appointment_id="A-of-tomorrow"),
    **{f"entry {state}": in_entry_state(state) for state in shipped().queue_states if state != "waiting"},
    "entry sterilised": at_the_end("WAITING", "sterilised"),
    "cancelled beside another number": in_entry_state("cancelled", "waiting"),
    "completed beside another number": in_entry_state("completed", "no_show"),
    **{f"number without a room, {state}": with_entries(in_entry_state(state), room="") for state in shipped().listed},
    "tapped again": done_here(number, tapped_again=True),
    "refused": done_here(greeting, refused=True),
    "reversed": done_here(number, reversals=REVERSALS),
    "needs staff": set_to(greeting, needs_staff=True),
    "awaited": set_to(greeting, awaited=True),
    "called and awaited": set_to(called, awaited=True),
    "number that needs staff": set_to(number, needs_staff=True),
    "called and needs staff": set_to(called, needs_staff=True),
    **{f"state {state}": in_state(state) for state in STATES},
    **{f"state {state}, nothing granted": granted(in_state(state)) for state in STATES},
    **{f"state {state}, payment": granted(in_state(state), "payment") for state in ("COMPLETED", "PAYMENT")},
    **{f"end {state}": at_the_end(state) for state in STATES},
    **{f"end {state}, nothing granted": granted(at_the_end(state)) for state in STATES},
    "cancelled at the end": granted(at_the_end("COMPLETED", "cancelled", "cancelled")),
    "gone": gone,
    "settling": settling,
    "hidden": hidden,
    "card asked for": looked_up(Lookup.ASKED),
    "card not looked up": looked_up(Lookup.UNAVAILABLE),
    **{f"card {lookup}, nothing granted": looked_up(lookup, may_check_in=False) for lookup in Lookup},
    **{
        f"refused {reason}": refused(reason) for reason in (*RefusedReason, "hold_one_card", "blocked_card", "magnetic")
    },
    **{f"desk card {state}": for_the_desk(state) for state in DeskState},
    "desk card waits, a phone was held": for_the_desk(DeskState.WAITS, "phone"),
    **{f"broken {reason}": broken(reason) for reason in ("store", "not_enrolled", "fuse")},
}
