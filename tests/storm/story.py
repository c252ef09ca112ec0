"""A story: what people, staff and the network do, step by step. The steps come from the seed alone."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

BOOKED_TWICE, BOOKED_ONCE, UNBOOKED, UNKNOWN = range(4)  # the cards of a story; nobody holds the last one
PATIENTS = (BOOKED_TWICE, BOOKED_ONCE, UNBOOKED)
CARDS = (*PATIENTS, UNKNOWN)

AIMS = ("home", "back", "keep", "staff", "zoom", "contrast", "low", "language-en", "language-ko", "close", "more")
STAFF_ACTS = (
    "call_patient",
    "start_exam",
    "complete_exam",
    "mark_no_show",
    "cancel_appointment",
    "scan_nfc",
    "register",
    "confirm_arrival",
    "make_payment",
    "delay",
    "correct",
)
CORRECTED_TO = ("ARRIVED", "REGISTERED", "WAITING", "CALLED", "COMPLETED")
LEAST = 5  # steps of a story; its last scene may add some
CLEAR_MS = 1_100  # a card that was held that long ago makes the next one wait no more
LIVE_MS = 600  # a button of a new person or a new step is dead for this long


@dataclass(frozen=True)
class Step:
    """One step of a story."""


@dataclass(frozen=True)
class Hold(Step):
    """A card is held to the reader. `waits`: the story goes on when the tap has acted; else at once."""

    card: int
    waits: bool = True


@dataclass(frozen=True)
class Pair(Step):
    """Two cards come at once, as out of one wallet, after one that is refused."""

    card: int
    other: int


@dataclass(frozen=True)
class Finger(Step):
    """A finger aims at a button of the present screen, and goes down on that place of the glass.

    It goes down `pause_ms` after the aim. It stays for `down_ms`, slides by `slide_mm`, and goes down `times` in all,
    each `gap_ms` after the last.
    """

    aim: str
    pause_ms: int = LIVE_MS + 200
    down_ms: int = 80
    slide_mm: float = 0.0
    times: int = 1
    gap_ms: int = 120


class Moment(Enum):
    """When a finger goes down that a card surprises."""

    BEFORE_CARD = "before the card"  # it is on the glass already, and comes up after the card
    AFTER_CARD = "after the card"  # by its pause; the screen may not have changed yet
    AFTER_CHANGE = "after the change"  # by its pause after the screen has changed


@dataclass(frozen=True)
class Ambush(Step):
    """A finger aims at a button, and another person's card is held around the moment at which it comes down."""

    card: int
    finger: Finger
    when: Moment = Moment.AFTER_CHANGE


@dataclass(frozen=True)
class TwoFingers(Step):
    """Two fingers are down at the same time."""

    aim: str
    other: str
    gap_ms: int
    down_ms: int


@dataclass(frozen=True)
class Enter(Step):
    """The focus goes to a button, and Enter is pressed, `repeats` times as a held key."""

    aim: str
    pause_ms: int
    repeats: int = 1


@dataclass(frozen=True)
class Staff(Step):
    """Staff do something for the patient of a card at the centre. `state` is for a correction."""

    act: str
    card: int
    state: str = ""


@dataclass(frozen=True)
class Cut(Step):
    """The network is cut, and the kiosk notices. Without `noticed` the story goes on before."""

    noticed: bool = True


@dataclass(frozen=True)
class Heal(Step):
    """The network is there again. `settles`: the story goes on when the centre has judged everything."""

    settles: bool = True


@dataclass(frozen=True)
class Kill(Step):
    """The kiosk's daemon is killed by SIGKILL, and started again. It may die right after the taps of a finger."""

    after: Finger | None = None


@dataclass(frozen=True)
class Reload(Step):
    """The browser loads the page again."""


@dataclass(frozen=True)
class Pause(Step):
    """Nothing happens for a while."""

    ms: int


def story(seed: int) -> list[Step]:
    """The steps of a seed. About half of the stories have an ambush or a reversal, the others are loose steps."""
    chance = random.Random(seed)
    steps: list[Step] = []
    while len(steps) < LEAST:
        (scene,) = chance.choices(list(SCENES), list(SCENES.values()))
        steps += scene(chance)
    return steps


def _visit(chance: random.Random) -> list[Step]:
    """A person comes, and presses calmly."""
    presses = [_calm(chance) for _ in range(chance.choice((0, 1, 1, 2, 2, 3)))]
    return [Hold(chance.choice((*PATIENTS, *CARDS))), *presses]


def _ambush(chance: random.Random) -> list[Step]:
    """A person's finger comes down around the moment at which another person's tap replaces the screen."""
    first, second = chance.sample(PATIENTS, 2)
    when = chance.choice(list(Moment))
    surprised = Finger(
        "next" if chance.random() < 0.7 else chance.choice(("home", "home", "back", "keep")),
        pause_ms=chance.randrange(900),
        down_ms=chance.choice((40, 80, 300, 700, 1_200) if when is not Moment.BEFORE_CARD else (400, 900, 1_200)),
        slide_mm=chance.choice((0.0, 0.0, 3.0, 8.0)),
        times=chance.choice((1, 1, 1, 2)),
    )
    return [Hold(first), Pause(chance.choice((LIVE_MS, CLEAR_MS))), Ambush(second, surprised, when)]


def _double(chance: random.Random) -> list[Step]:
    """A double or triple tap on the one big button."""
    times = chance.choice((2, 2, 3))
    finger = Finger("next", down_ms=chance.choice((40, 80, 160)), times=times, gap_ms=chance.randrange(20, 500))
    return [Hold(chance.choice(PATIENTS)), finger]


def _reversal(chance: random.Random) -> list[Step]:
    """Staff and the kiosk act for one patient while they do not hear of each other."""
    card = chance.choice(PATIENTS)
    acts = [Staff(act, card, chance.choice(CORRECTED_TO)) for act in chance.sample(STAFF_ACTS, chance.randrange(1, 4))]
    began = chance.random() < 0.5
    before: list[Step] = [Hold(card), _calm(chance), _calm(chance)] if began else []
    apart: list[Step] = [Hold(card), *(_calm(chance) for _ in range(chance.randrange(1, 3)))]
    if chance.random() < 0.5:
        return [*before, Cut(), *apart, *acts, Heal(), _finger(chance), Hold(card), _finger(chance)]
    return [*before, Cut(), *acts, *apart, Heal(settles=chance.random() < 0.5), _finger(chance)]


def _day(chance: random.Random) -> list[Step]:
    """A patient goes through the hospital, and holds the card at some of its states."""
    card = chance.choice(PATIENTS)
    acts = ("scan_nfc", "register", "confirm_arrival", "call_patient", "start_exam", "complete_exam")
    done: list[Step] = [Staff(act, card) for act in acts[: chance.randrange(3, 7)]]
    ends = [Staff(chance.choice(("mark_no_show", "cancel_appointment", "delay", "make_payment")), card), Hold(card)]
    return [*done, Hold(card), _finger(chance), *ends, _finger(chance)]


def _trouble(chance: random.Random) -> list[Step]:
    """The network, the daemon or the page goes."""
    after = chance.choice((None, Finger("next", LIVE_MS + 100, down_ms=chance.choice((40, 120)))))
    return [chance.choice((Cut(), Cut(noticed=False), Heal(), Heal(settles=False), Reload(), Reload(), Kill(after)))]


def _loose(chance: random.Random) -> list[Step]:
    """Anything at all."""
    return [chance.choice((_finger, _finger, _two, _enter, _pair, _staff))(chance)]


def _calm(chance: random.Random) -> Finger:
    return Finger("next", LIVE_MS + chance.randrange(100, 350), down_ms=chance.choice((60, 120, 400)))


def _finger(chance: random.Random) -> Finger:
    return Finger(
        chance.choice(("next", "next", "next", *AIMS)),
        pause_ms=chance.randrange(1_000),
        down_ms=chance.choice((0, 40, 80, 80, 250, 700, 1_200)),
        slide_mm=chance.choice((0.0, 0.0, 2.0, 5.0, 8.0, 15.0)),
        times=chance.choice((1, 1, 1, 2, 3)),
        gap_ms=chance.randrange(20, 500),
    )


def _two(chance: random.Random) -> TwoFingers:
    other = chance.choice(("next", "home", *AIMS))
    return TwoFingers("next", other, chance.randrange(400), chance.choice((40, 120, 500)))


def _enter(chance: random.Random) -> Enter:
    return Enter(chance.choice(("next", "next", "home", "zoom")), chance.randrange(1_200), chance.choice((1, 1, 2, 20)))


def _pair(chance: random.Random) -> Pair:
    card, other = chance.sample(CARDS, 2)
    return Pair(card, other)


def _staff(chance: random.Random) -> Staff:
    return Staff(chance.choice(STAFF_ACTS), chance.choice(PATIENTS), chance.choice(CORRECTED_TO))


SCENES: dict[Callable[[random.Random], list[Step]], float] = {
    _visit: 3,
    _ambush: 3,
    _double: 2,
    _reversal: 1.5,
    _day: 1.5,
    _trouble: 1.2,
    _loose: 4,
}
