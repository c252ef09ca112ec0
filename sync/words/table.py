"""The words of every situation, as two tables: the causes, and the next steps with their places.

In each table the first row whose facts hold is taken, and the last row holds always. A state or an action that a site
has added gets the last words, which are always true and send to the desk.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any

from sync.words.notes import banner, notes, stamp
from sync.words.situation import Deed, Situation
from sync.words.text import N_, Phrase, fill
from sync.words.words import Place, Words

Facts = Mapping[str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Cause:
    """What stands now, where these facts hold."""

    facts: Facts
    title: Phrase


@dataclass(frozen=True, slots=True)
class Step:
    """What to do next and where, where these facts hold."""

    facts: Facts
    lead: Phrase
    place: Place


def say(situation: Situation) -> Words:
    """Returns the words of a situation. Every situation has some."""
    values, (cause, step) = situation.values(), _rows(_facts_of(situation))
    where = PLACES.get(step.place)
    return Words(
        fill(cause.title, values),
        fill(step.lead, values),
        step.place,
        fill(where, values) if where else None,
        has_ticket(situation),
        notes(situation),
        stamp(situation) if has_ticket(situation) else None,
        banner(situation, has_ticket(situation)),
    )


def has_ticket(situation: Situation) -> bool:
    """Whether the number of the current entry is shown: it is live, and the journey follows it."""
    entry = situation.entry
    return entry is not None and entry.live and situation.journey not in _BESIDE_ENTRIES


@lru_cache(maxsize=512)  # the facts name no person: most patients of a day are in one of a few situations
def _rows(facts: tuple[Any, ...]) -> tuple[Cause, Step]:
    """The rows of a situation with these facts, in the order of `_ASKED`."""
    found = dict(zip(_ASKED, facts, strict=True))
    cause = next(cause for cause in CAUSES if _holds(cause.facts, found))
    return cause, next(step for step in STEPS if _holds(step.facts, found))


def _holds(facts: Facts, found: Mapping[str, Any]) -> bool:
    return all(found[name] in wanted for name, wanted in facts.items())


def _where(**facts: Any) -> Facts:
    return {name: wanted if isinstance(wanted, tuple) else (wanted,) for name, wanted in facts.items()}


_FOLLOWING = ("WAITING", "CALLED", "IN_PROGRESS")  # the journey is where its entry is
_BESIDE_ENTRIES = ("UNREGISTERED", "ARRIVED", "REGISTERED", "COMPLETED", "PAYMENT", "FINISHED")
_BEFORE_REGISTRATION = ("UNREGISTERED", "ARRIVED")
_NOTHING_TO_CHECK_IN_FOR = {"has_button": False, "online": True, "has_next": False, "has_bookings": True}
_GONE = ("", "completed", "cancelled")  # no entry, or one that has ended

_HELLO = (N_("Hello, {name}"), N_("Hello"))
_YOUR_NUMBER = (N_("Your number, {name}"), N_("Your number"))
_SEE_STAFF = (N_("Please see the staff at the desk"),)
_TO_GET_A_NUMBER = (N_('Press "Confirm arrival" to get your number.'),)
_ASK_AT_THE_DESK = (N_("Please ask at the desk."),)
_ROOM = (N_("Room: number {room_number}"), N_("Room: {room}"), N_("The staff will show you the room."))
_NOTHING_LEFT = (N_("No appointment is left today"),)

CAUSES = (
    Cause(_where(provisional=True), _SEE_STAFF),
    Cause(_where(journey=_FOLLOWING, entry_state="called"), (N_("Please go in now"),)),
    Cause(_where(journey=_FOLLOWING, entry_state="in_progress"), (N_("In progress: {exam}"), N_("In progress now"))),
    Cause(_where(needs_staff=True), _SEE_STAFF),
    Cause(_where(awaited=True), (N_("Your request has been taken"),)),
    Cause(_where(journey=_FOLLOWING, entry_state="no_show"), (N_("You were called and were not here"),)),
    Cause(_where(journey=_FOLLOWING, entry_state=("waiting", "delayed")), _YOUR_NUMBER),
    Cause(_where(deed=Deed.HELD), _HELLO),
    Cause(_where(journey=_FOLLOWING, entry_state=_GONE), (N_("No number of yours is valid here"),)),
    Cause(_where(journey="UNREGISTERED", done="leave_hospital"), (N_("Goodbye, {name}"), N_("Goodbye"))),
    Cause(_where(journey=_BEFORE_REGISTRATION, **_NOTHING_TO_CHECK_IN_FOR), _NOTHING_LEFT),
    Cause(_where(journey=_BEFORE_REGISTRATION, has_button=False), (N_("You are not checked in yet"),)),
    Cause(
        _where(journey=_BEFORE_REGISTRATION, online=True, has_next=False, has_bookings=False),
        (N_("No appointment today"),),
    ),
    Cause(_where(journey=_BEFORE_REGISTRATION, online=True, has_next=False), _NOTHING_LEFT),
    Cause(_where(journey=_BEFORE_REGISTRATION), _HELLO),
    Cause(_where(journey="REGISTERED", has_button=False), (N_("Your arrival is not confirmed yet"),)),
    Cause(_where(journey="REGISTERED"), (N_("You are registered"),)),
    Cause(_where(journey="COMPLETED", entry_state="completed"), (N_("Your exam is done"),)),
    Cause(
        _where(journey="COMPLETED", entry_state="cancelled", is_of_another_day=True),
        (N_("Not today any more: {exam}"), N_("Your exam does not take place today")),
    ),
    Cause(_where(journey="COMPLETED", entry_state="cancelled"), (N_("Your exam was cancelled"),)),
    Cause(_where(journey="PAYMENT"), (N_("Payment is under way"),)),
    Cause(_where(journey="FINISHED", has_next=False, online=True), (N_("All is done for today"),)),
    Cause(_where(journey="FINISHED"), (N_("Your payment is done"),)),
    Cause({}, _HELLO),
)

STEPS = (
    Step(
        _where(provisional=True),
        (N_("The staff will ask who you are, and check you in."),),
        Place.DESK,
    ),
    Step(
        _where(journey=_FOLLOWING, entry_state="called"),
        (N_("Please go to room {room_number}"), N_("Please go to {room}"), N_("It is your turn.")),
        Place.ROOM,
    ),
    Step(
        _where(journey=_FOLLOWING, entry_state="in_progress", button="complete_exam"),
        (N_('When it is over, press "My exam is done".'),),
        Place.INSIDE,
    ),
    Step(
        _where(journey=_FOLLOWING, entry_state="in_progress"),
        (N_("Please follow what the staff tell you."),),
        Place.INSIDE,
    ),
    Step(_where(needs_staff=True), (N_("They need to check something with you."),), Place.DESK),
    Step(
        _where(awaited=True, online=True),
        (N_("The hospital's other system has to confirm it. Hold your card here again in a minute."),),
        Place.HERE,
    ),
    Step(_where(awaited=True), (N_("The hospital's other system has to confirm your request."),), Place.HERE),
    Step(
        _where(journey=_FOLLOWING, entry_state="no_show"),
        (N_("Please go to the desk with your number {number}."), N_("Please go to the desk with your number.")),
        Place.DESK,
    ),
    Step(
        _where(journey=_FOLLOWING, entry_state="delayed"),
        (N_("It takes a little longer. Please wait until it is called."),),
        Place.FRONT,
    ),
    Step(
        _where(journey=_FOLLOWING, entry_state="waiting"),
        (N_("Please wait until it is called."),),
        Place.FRONT,
    ),
    Step(_where(deed=Deed.HELD), (N_("One moment, please"),), Place.HERE),
    Step(_where(journey=_FOLLOWING, entry_state=_GONE), _ASK_AT_THE_DESK, Place.DESK),
    Step(
        _where(journey="UNREGISTERED", done="leave_hospital"), (N_("Your visit is over. Get well soon."),), Place.EXIT
    ),
    Step(_where(journey=_BEFORE_REGISTRATION, **_NOTHING_TO_CHECK_IN_FOR), _ASK_AT_THE_DESK, Place.DESK),
    Step(
        _where(journey=_BEFORE_REGISTRATION, has_button=False),
        (N_("You cannot check in at this kiosk. Please check in at the desk."),),
        Place.DESK,
    ),
    Step(
        _where(journey="REGISTERED", has_button=False),
        (N_("You cannot do that at this kiosk. Please confirm your arrival at the desk."),),
        Place.DESK,
    ),
    Step(
        _where(journey=_BEFORE_REGISTRATION, online=True, has_next=False),
        (N_("You may go on without one, or ask the staff at the desk."),),
        Place.HERE,
    ),
    Step(_where(journey="UNREGISTERED", button="scan_nfc"), (N_("Shall we check you in for today?"),), Place.HERE),
    Step(
        _where(journey="ARRIVED", button="register", has_next=True),
        (N_('Is this correct? Press "Register now".'),),
        Place.HERE,
    ),
    Step(_where(journey="ARRIVED", button="register"), (N_('Press "Register now" to go on.'),), Place.HERE),
    Step(
        _where(journey="COMPLETED", button="confirm_arrival", has_next=True),
        (
            N_("Next is {next}, with your number {next_number}. Please confirm your arrival."),
            N_('Next is {next}. Press "Confirm arrival" to get your number.'),
            *_TO_GET_A_NUMBER,
        ),
        Place.HERE,
    ),
    Step(_where(journey=("REGISTERED", "COMPLETED"), button="confirm_arrival"), _TO_GET_A_NUMBER, Place.HERE),
    Step(
        _where(journey="COMPLETED", button="make_payment", has_next=True),
        (N_('Next is {next}. You can pay here before: press "Pay now".'), N_('Press "Pay now" to pay.')),
        Place.HERE,
    ),
    Step(
        _where(journey="COMPLETED", has_next=True),
        (
            N_("Next is {next}, with your number {next_number}. Please confirm your arrival at the desk."),
            N_("Next is {next}. Please confirm your arrival at the desk."),
            *_ASK_AT_THE_DESK,
        ),
        Place.DESK,
    ),
    Step(_where(journey="COMPLETED", entry_state="cancelled"), _ASK_AT_THE_DESK, Place.DESK),
    Step(
        _where(journey="COMPLETED", entry_state="completed", button="make_payment"),
        (N_('Press "Pay now" to pay.'),),
        Place.HERE,
    ),
    Step(
        _where(journey="COMPLETED", entry_state="completed", has_button=False),
        (N_("Please go to the payment desk."),),
        Place.PAYMENT,
    ),
    Step(
        _where(journey="PAYMENT", button="make_payment"),
        (N_('Press "Pay now" to finish your payment.'),),
        Place.HERE,
    ),
    Step(
        _where(journey="PAYMENT", has_button=False),
        (N_("Please finish your payment at the payment desk."),),
        Place.PAYMENT,
    ),
    Step(
        _where(journey="FINISHED", has_next=True),
        (
            N_("Still to come: {next}, with your number {next_number}. Please ask at the desk."),
            N_("Still to come: {next}. Please ask at the desk."),
            *_ASK_AT_THE_DESK,
        ),
        Place.DESK,
    ),
    Step(
        _where(journey="FINISHED", button="leave_hospital"),
        (N_('Get well soon. Press "Leave the hospital" when you go.'),),
        Place.HERE,
    ),
    Step(_where(journey="FINISHED", has_button=False), (N_("Get well soon."),), Place.EXIT),
    Step(_where(has_button=True), (N_("Press the button below to go on."),), Place.HERE),
    Step({}, (N_("The staff at the desk will help you."),), Place.DESK),
)

PLACES: Mapping[Place, Phrase] = {
    Place.ROOM: _ROOM,
    Place.FRONT: (N_("At room {room_number}"), N_("At {room}"), N_("The staff will show you where to wait.")),
    Place.INSIDE: _ROOM,
    Place.DESK: (N_("Go to: {desk}"), N_("Go to the check-in desk")),
    Place.PAYMENT: (N_("Go to the payment desk"),),
    Place.EXIT: (N_("To the way out"),),
}

_ASKED = tuple(sorted({name for row in (*CAUSES, *STEPS) for name in row.facts}))
_facts_of: Callable[[Situation], tuple[Any, ...]] = attrgetter(*_ASKED)
