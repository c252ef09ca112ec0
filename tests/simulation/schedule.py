"""A schedule: its events from a seed, played one by one; then the world is healed and checked."""

from __future__ import annotations

import logging
import shutil
import tempfile
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.simulation import other_system
from tests.simulation.crashes import Crash
from tests.simulation.faults import FAULTS, Fault
from tests.simulation.healing import heal
from tests.simulation.invariants import Problem, look, look_at_views
from tests.simulation.world import World

ACTIONS, STRIKES, STEPS = 40, 30, 8  # events of people, faults and sync; the first two are the least that take effect
STAFF_SHARE = 0.3
LIES, LIED_TO_EVERY = 12, 4  # events of a kiosk that lies, in each fourth schedule
WORDS = 40  # events of another system that decides some actions
NIGHT, NIGHTS = "day's end", 3
SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Event:
    """One event. Its number seeds its chance, so that it does the same when other events are left out."""

    number: int
    kind: str
    fault: Fault | None = None


@dataclass(slots=True)
class Played:
    """The result of a schedule."""

    seed: int
    actions: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    gone: int = 0  # actions that were lost with the only disk that had them
    lied_to: bool = False
    lies: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    @property
    def again(self) -> str:
        """The command that plays the schedule again. With a liar, the events of the seed are others than without."""
        return f"make simulate SEED={self.seed} LIAR={'all' if self.lied_to else 'none'}"


def is_lied_to(seed: int) -> bool:
    """Whether a kiosk lies in the schedule of a seed."""
    return seed % LIED_TO_EVERY == LIED_TO_EVERY - 1


def events_of(seed: int, *, lied_to: bool = False) -> list[Event]:
    """The events of a seed. `lied_to`: a kiosk tells lies among them."""
    chance = Random(seed)
    staffed = round(ACTIONS * STAFF_SHARE)
    kinds = ["staff"] * staffed + ["act"] * (ACTIONS - staffed) + ["sync"] * STEPS + ["backup"] * 2 + ["snapshot"] * 3
    chosen: list[tuple[str, Fault | None]] = [(kind, None) for kind in kinds]
    chosen += [("fault", fault) for fault in _faults(chance)]
    chosen += [("lie", None)] * LIES * lied_to
    chance.shuffle(chosen)
    return [Event(number, kind, fault) for number, (kind, fault) in enumerate(chosen, 1)]


def beside_another_system_of(seed: int) -> list[Event]:
    """The events of a seed, among which another system of the hospital decides some actions."""
    chance = Random(seed)
    kinds = [(each.kind, each.fault) for each in events_of(seed)]
    for _ in range(WORDS):
        kinds.insert(chance.randrange(len(kinds)), ("other system", None))
    return [Event(number, kind, fault) for number, (kind, fault) in enumerate(kinds, 1)]


def nights_of(seed: int) -> list[Event]:
    """The events of a busy hospital over three nights, without a fault, from a seed."""
    chance = Random(seed)
    kinds: list[tuple[str, Fault | None]] = [("act", None)] * 120 + [("staff", None)] * 20 + [("sync", None)] * 20
    chosen = [*kinds, *[("fault", next(fault for fault in FAULTS if fault.name == NIGHT))] * NIGHTS]
    chance.shuffle(chosen)
    return [Event(number, kind, fault) for number, (kind, fault) in enumerate(chosen, 1)]


def _faults(chance: Random) -> list[Fault]:
    chosen: Counter[str] = Counter()
    found: list[Fault] = []
    while len(found) < STRIKES:
        fault = chance.choices(FAULTS, [each.weight for each in FAULTS])[0]
        if chosen[fault.name] < fault.most:
            chosen[fault.name] += 1
            found.append(fault)
    return found


def play(seed: int, template: str | Path, events: list[Event] | None = None, *, lied_to: bool | None = None) -> Played:
    """Plays the events (by default all of the seed) on files of their own, and checks the world after them.

    `lied_to`: a kiosk lies; by default in the share of the seeds of which `is_lied_to` is true.
    """
    lied_to = is_lied_to(seed) and events is None if lied_to is None else lied_to
    logging.disable(logging.CRITICAL)
    home = Path(tempfile.mkdtemp(prefix="simulation-", dir=SHARED_MEMORY if SHARED_MEMORY.is_dir() else None))
    played = Played(seed, lied_to=lied_to)
    world = None
    try:
        world = World(home, Path(template), seed, lied_to=lied_to)
        _play(world, seed, events_of(seed, lied_to=lied_to) if events is None else events, whole=events is None)
        played.problems = look_at_views(world) or heal(world) or look(world)
    except (Exception, Crash):  # noqa: BLE001 - any exception is a result of the schedule
        played.problems = [Problem("broken", traceback.format_exc(limit=-12))]
    finally:
        logging.disable(logging.NOTSET)
        if world is not None:
            world.close()
            played.actions, played.faults, played.log = world.actions, world.faults, world.log
            played.gone = world.books.gone
            played.lies = world.liar.lies if world.liar else Counter()
        shutil.rmtree(home)
    return played


def _play(world: World, seed: int, events: list[Event], *, whole: bool) -> None:
    for event in events:
        world.begin(event.number, Random(f"{seed}/{event.number}"))
        _one(world, event)
    number = len(events)
    while whole and (world.actions < ACTIONS or world.faults.total() < STRIKES):
        number += 1
        world.begin(number, Random(f"{seed}/{number}"))
        _one(world, Event(number, "fault", FAULTS[number % 8]) if world.actions >= ACTIONS else Event(number, "act"))


def _one(world: World, event: Event) -> None:
    kiosk = world.pick_kiosk()
    match event.kind:
        case "act":
            kiosk.survives(lambda: world.act(kiosk))
        case "staff":
            world.staff()
        case "sync":
            world.sync(kiosk)
        case "backup":
            world.back_up()
            assert not (wrong := look_at_views(world)), wrong
        case "other system":
            other_system.act(world)
        case "lie":
            world.lie()
        case "snapshot":
            world.snapshot(kiosk)
        case _:
            assert event.fault is not None
            event.fault.strike(world)
