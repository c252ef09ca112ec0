"""Everything that the screen can show, each as one scene for the staged counter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hardware.card import RefusedReason
from kiosk.front.screen import Lookup, Notice, PatientView, Screen
from sync.journey.definitions import read
from sync.journey.model import AppointmentId
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


def two_numbers(counter: StagedCounter) -> Screen:
    shown = number(counter)
    assert shown.journey
    assert shown.ticket
    other = replace(
        shown.ticket, queue_id="other", queue_number="B-044", exam_name="혈액 검사", state="delayed", room="1층 채혈실"
    )
    lines = (*shown.journey.queue_details, other)
    return counter.show(replace(shown, journey=replace(shown.journey, queue_details=lines)))


def with_slips(scene: Scene, *numbers: str) -> Scene:
    """Returns the scene of a patient whose queue entry has these numbers as well."""

    def with_them(counter: StagedCounter) -> Screen:
        shown = scene(counter)
        assert shown.journey
        assert shown.ticket
        ticket, *others = (replace(line, label_aliases=numbers) for line in shown.journey.queue_details)
        journey = replace(shown.journey, queue_details=(ticket, *others))
        return counter.show(replace(shown, ticket=ticket, journey=journey))

    return with_them


def delayed(counter: StagedCounter) -> Screen:
    shown = number(counter)
    assert shown.ticket
    return counter.show(replace(shown, ticket=replace(shown.ticket, state="delayed")))


def saved(counter: StagedCounter) -> Screen:
    counter.confirmed = False
    shown = number(counter)
    counter.confirmed = True
    return shown


def offline(counter: StagedCounter) -> Screen:
    counter.cut_off()
    shown = counter.tap(NAMGUNG, "register", "confirm_arrival")
    counter.cut_off(online=True)
    return shown


def offline_greeting(counter: StagedCounter) -> Screen:
    counter.cut_off()
    shown = counter.tap(HONG)
    counter.cut_off(online=True)
    return shown


def called(counter: StagedCounter) -> Screen:
    number(counter)
    return counter.call(HONG, "3번 검사실")


def noticed(notice: Notice) -> Scene:
    def scene(counter: StagedCounter) -> Screen:
        shown = greeting(counter) if notice in (Notice.NOT_ALLOWED, Notice.NO_BOOKING) else number(counter)
        return counter.show(replace(shown, notice=notice))

    return scene


def in_state(state: str) -> Scene:
    def scene(counter: StagedCounter) -> Screen:
        shown = greeting(counter)
        assert shown.journey
        journey = replace(shown.journey, journey_state=state)
        way, step = counter.definitions.step_of(state)
        return counter.show(replace(shown, journey=journey, next_action=None, way=way, step=step))

    return scene


def weighed(counter: StagedCounter) -> Screen:
    """A state that a site added between two shipped states, with a step and an action."""
    rules = with_weighing(counter.definitions.document)
    counter.definitions = read(rules)
    return counter.tap(HONG, "weigh")


def offering(action_type: str) -> Scene:
    def scene(counter: StagedCounter) -> Screen:
        return counter.show(replace(greeting(counter), next_action=action_type))

    return scene


def day_gone_by(counter: StagedCounter) -> Screen:
    shown = greeting(counter)
    assert shown.journey
    statuses = ("completed", "cancelled", "no_show", "waiting", "in_progress", "arrived", "sterilised")
    booked_for = fresh_journey(HONG).appointments[0]
    days = (replace(booked_for, appointment_id=AppointmentId(each), status=each, room="") for each in statuses)
    booked = tuple(counter.booking(each) for each in days)
    return counter.show(replace(shown, journey=replace(shown.journey, appointments=booked)))


def provisional(counter: StagedCounter) -> Screen:
    shown = counter.tap(HONG)
    assert shown.journey
    journey = replace(shown.journey, appointments=(), available_actions=())
    return counter.show(
        replace(
            shown,
            patient=PatientView("card-1", "", "ko"),
            journey=journey,
            next_action=None,
            confirmed=False,
            notice=Notice.SEE_DESK,
        )
    )


def nameless(counter: StagedCounter) -> Screen:
    return counter.show(replace(greeting(counter), patient=PatientView("card-2", "", "ko")))


def unknown_card(counter: StagedCounter) -> Screen:
    return counter.unknown_card()


def looked_up(lookup: Lookup) -> Scene:
    return lambda counter: counter.unknown_card(lookup)


def settling(counter: StagedCounter) -> Screen:
    return counter.show(replace(greeting(counter), settling=True, next_action=None))


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

ALL: dict[str, Scene] = {
    **MAIN,
    "attract without a desk": attract_without_a_desk,
    "number of a foreigner": number_of_a_foreigner,
    "next in line": next_in_line,
    "two numbers": two_numbers,
    "two slips": with_slips(number, "A-044"),
    "two slips of each number": with_slips(two_numbers, "A-044", "C-105"),
    "called with two slips": with_slips(called, "A-044"),
    "delayed with two slips": with_slips(delayed, "A-044"),
    "delayed": delayed,
    "saved": saved,
    "offline greeting": offline_greeting,
    "day gone by": day_gone_by,
    "provisional": provisional,
    "nameless": nameless,
    "weighed": weighed,
    **{f"notice {notice}": noticed(notice) for notice in Notice},
    **{
        f"state {state}": in_state(state)
        for state in ("UNREGISTERED", "CALLED", "IN_PROGRESS", "COMPLETED", "PAYMENT", "FINISHED", "STERILISED")
    },
    **{
        f"offers {action}": offering(action)
        for action in ("scan_nfc", "complete_exam", "make_payment", "leave_hospital", "sterilise")
    },
    "settling": settling,
    "card asked for": looked_up(Lookup.ASKED),
    "card not looked up": looked_up(Lookup.UNAVAILABLE),
    **{
        f"refused {reason}": refused(reason) for reason in (*RefusedReason, "hold_one_card", "blocked_card", "magnetic")
    },
    **{f"broken {reason}": broken(reason) for reason in ("store", "not_enrolled", "fuse")},
}
