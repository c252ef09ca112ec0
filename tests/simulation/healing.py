"""The end of all trouble: what is under way arrives, clocks are right, and everybody syncs until nothing moves."""

from __future__ import annotations

from random import Random

from tests.simulation.invariants import Problem
from tests.simulation.kiosk import SimulatedKiosk
from tests.simulation.world import World

ROUNDS = 60
STEPS_A_ROUND = 8  # of the push and of the pull, each


def heal(world: World) -> list[Problem]:
    """Heals the world. A problem where it does not come to rest."""
    world.begin(world.event + 1, Random(world.event))
    for kiosk in world.kiosks:
        kiosk.fuse.put_out()
        kiosk.link.heal()
        world.faults["request delayed"] += kiosk.link.deliver_delayed(everything=True)
        kiosk.clocks.offset_ms, kiosk.clocks.synchronised = 0, True
    world.centre.fuse.put_out()
    for _ in range(ROUNDS):
        world.begin(world.event + 1, Random(world.event))
        world.centre.tick()
        if not _round(world):
            world.note("everything is at rest")
            return []
    stuck = [f"{kiosk.name}: {kiosk.journeys.pending()} pending" for kiosk in world.kiosks]
    return [Problem("stuck", f"no rest after {ROUNDS} rounds: {', '.join(stuck)}")]


def _round(world: World) -> bool:
    """Whether anything moved, or anything is still to be done."""
    moved = False
    for kiosk in world.kiosks:
        before = kiosk.standing_still()
        _some_steps(world, kiosk)
        moved |= kiosk.standing_still() != before or kiosk.journeys.pending() > 0
    return moved


def _some_steps(world: World, kiosk: SimulatedKiosk) -> None:
    for name, step in (("push", kiosk.push), ("pull", kiosk.pull)):
        for _ in range(STEPS_A_ROUND):
            stepped = step()
            world.note(f"{kiosk.name}: {name} {stepped.reason or 'ok'}")
            if stepped.failed or not stepped.again:
                break
