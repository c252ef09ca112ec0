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

from tests.simulation.crashes import Crash
from tests.simulation.faults import FAULTS, Fault
from tests.simulation.healing import heal
from tests.simulation.invariants import Problem, look, look_at_views
from tests.simulation.world import World

ACTIONS, STRIKES, STEPS = 40, 30, 8  # events of people, faults and sync; the first two are the least that take effect
STAFF_SHARE = 0.3
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
    problems: list[Problem] = field(default_factory=list)
    log: list[str] = field(default_factory=list)


def events_of(seed: int) -> list[Event]:
    """The events of a seed."""
    chance = Random(seed)
    staffed = round(ACTIONS * STAFF_SHARE)
    kinds = ["staff"] * staffed + ["act"] * (ACTIONS - staffed) + ["sync"] * STEPS + ["backup"] * 2 + ["snapshot"] * 3
    chosen: list[tuple[str, Fault | None]] = [(kind, None) for kind in kinds]
    chosen += [("fault", fault) for fault in _faults(chance)]
    chance.shuffle(chosen)
    return [Event(number, kind, fault) for number, (kind, fault) in enumerate(chosen, 1)]


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


def play(seed: int, template: str | Path, events: list[Event] | None = None) -> Played:
    """Plays the events (by default all of the seed) on files of their own, and checks the world after them."""
    logging.disable(logging.CRITICAL)
    home = Path(tempfile.mkdtemp(prefix="simulation-", dir=SHARED_MEMORY if SHARED_MEMORY.is_dir() else None))
    played = Played(seed)
    world = None
    try:
        world = World(home, Path(template), seed)
        _play(world, seed, events_of(seed) if events is None else events, whole=events is None)
        played.problems = look_at_views(world) or heal(world) or look(world)
    except (Exception, Crash):  # noqa: BLE001 - any exception is a result of the schedule
        played.problems = [Problem("broken", traceback.format_exc(limit=-12))]
    finally:
        logging.disable(logging.NOTSET)
        if world is not None:
            world.close()
            played.actions, played.faults, played.log = world.actions, world.faults, world.log
            played.gone = world.books.gone
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
        case "snapshot":
            world.snapshot(kiosk)
        case _:
            assert event.fault is not None
            event.fault.strike(world)
