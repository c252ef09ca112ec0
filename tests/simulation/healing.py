"""The end of all faults: late requests arrive, clocks are right, and each kiosk syncs until nothing is left to push or
pull.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from sync.agent.steps import StepResult
from sync.central.records.backlogs import read_backlog
from sync.central.records.kiosks import read_kiosk
from tests.simulation.invariants import Problem
from tests.simulation.kiosk import SimulatedKiosk
from tests.simulation.world import World

ROUNDS = 40
STEPS_A_ROUND = 12  # of push and pull, each


def heal(world: World) -> list[Problem]:
    """Heals the world. Returns a problem where the world does not come to rest."""
    world.begin(world.event + 1, Random(world.event))
    for kiosk in world.kiosks:
        kiosk.fuse.put_out()
        kiosk.link.heal()
        world.faults["request delayed"] += kiosk.link.deliver_delayed(everything=True)
        kiosk.clocks.offset_ms, kiosk.clocks.synchronised = 0, True
    world.centre.fuse.put_out()
    for file in world.files:
        world.take_in(file)
    for _ in range(ROUNDS):
        world.begin(world.event + 1, Random(world.event))
        world.centre.tick()
        for kiosk in world.kiosks:
            _repeat(world, kiosk, "push", kiosk.push)
        for kiosk in world.kiosks:
            _repeat(world, kiosk, "pull", kiosk.pull)
        if all(_at_rest(world, kiosk) for kiosk in world.kiosks):
            world.note("everything is at rest")
            return []
    stuck = [f"{kiosk.name}: {kiosk.parts.pending()} pending" for kiosk in world.kiosks]
    return [Problem("stuck", f"no rest after {ROUNDS} rounds: {', '.join(stuck)}")]


def _repeat(world: World, kiosk: SimulatedKiosk, name: str, step: Callable[[], StepResult]) -> None:
    for _ in range(STEPS_A_ROUND):
        result = step()
        world.note(f"{kiosk.name}: {name} {result.reason or 'ok'}")
        if result.failed or not result.again or _at_rest(world, kiosk):
            return


def _at_rest(world: World, kiosk: SimulatedKiosk) -> bool:
    """Whether this kiosk has nothing left to push or pull, and the centre has heard so."""
    identity = kiosk.journeys.identity
    assert identity is not None
    with world.centre.store.read() as db:
        told, row = read_backlog(db, identity.kiosk_id), read_kiosk(db, identity.kiosk_id)
        latest, (incarnation,) = db.latest_change(), db.row("select server_incarnation from incarnation") or ("",)
    state = (identity.cursor, identity.server_incarnation, identity.definitions_version)
    has_told = told is None and (row is None or row.unanswered_ms is None)
    return state == (latest, incarnation, world.centre.definitions.version) and not kiosk.parts.pending() and has_told
