"""Situations for the tests of the words: the shipped names, names that a site invented, and their product."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from msgspec.structs import replace

from sync.journey.definitions import shipped
from sync.words.situation import Deed, Entry, Exam, Reversed, Situation

RULES = shipped()
INVENTED = "STERILISED"
DESK, ROOM, NEXT = "1층 접수 창구", "3번 검사실", "혈액 검사"
REVERSALS = (
    (Reversed("confirm_arrival", "B-009"), Reversed("leave_hospital")),
    (Reversed("register"), Reversed("make_payment")),
)
BUTTONS = ("", *RULES.actions_by("patient"), "sterilise")


def entry(state: str, room: str = ROOM) -> Entry:
    """Returns the current entry in that state."""
    return Entry(state, "B-017", "흉부 영상 검사", room, state in RULES.live or state == INVENTED)


OF_ANOTHER_DAY = replace(entry("cancelled"), is_of_another_day=True)
ENTRIES = (None, *(entry(state) for state in (*RULES.queue_states, INVENTED)), OF_ANOTHER_DAY)


def every_situation() -> Iterator[Situation]:
    """Returns the whole product of the facts that choose the words, without the buttons that no screen offers."""
    left = (
        (False, None),
        (True, None),
        (True, Exam(NEXT)),
        (False, Exam(NEXT, "C-3")),
    )
    facts = itertools.product(
        (*RULES.journey_states, INVENTED), ENTRIES, deeds(), BUTTONS, left, (True, False), (True, False), standings()
    )
    for journey, current, (deed, done), button, (has_bookings, following), pending, online, standing in facts:
        if deed is Deed.HELD and button:
            continue  # no button stands before the tap has acted
        if button and any(standing):
            continue  # nor where the desk has to help, or another system
        yield Situation(
            journey,
            current,
            deed,
            done,
            button,
            has_bookings,
            following,
            pending,
            needs_staff=standing[0],
            provisional=standing[1],
            awaited=standing[2],
            online=online,
            name="" if standing[1] else "홍*동",
            desk=DESK,
        )


def deeds() -> tuple[tuple[Deed, str], ...]:
    """Returns what may have been done at the screen, with the name of the accepted action."""
    accepted = ((Deed.ACCEPTED, action) for action in ("register", "leave_hospital", "sterilise"))
    return (*((deed, "") for deed in Deed if deed is not Deed.ACCEPTED), *accepted)


def standings() -> tuple[tuple[bool, bool, bool], ...]:
    """Returns whether an action waits for staff, whether the patient is known by the card alone, and whether an action
    waits for another system.
    """
    return ((False, False, False), (True, False, False), (False, True, False), (False, False, True))


def with_less(situation: Situation) -> Iterator[Situation]:
    """Returns the situation without name, desk or room, with a number as its room, and with reversals."""
    yield replace(situation, name="")
    for reversals in REVERSALS:
        yield replace(situation, desk="", reversals=reversals)
        yield replace(situation, reversals=reversals)
    if situation.entry is not None:
        for room in ("", "3"):
            yield replace(situation, entry=replace(situation.entry, room=room))
