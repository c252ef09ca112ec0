"""Hundreds of schedules of a hospital with faults: no action is lost or doubled, and no kiosk diverges or is stuck."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.__main__ import template
from tests.simulation.faults import FAULTS
from tests.simulation.hospital import cards_of
from tests.simulation.invariants import look
from tests.simulation.kiosk import SimulatedKiosk
from tests.simulation.schedule import ACTIONS, STRIKES, play
from tests.simulation.world import World

LONG = bool(os.environ.get("LONG"))
PARTS = 6  # processes can share them
SCHEDULES = (3000 if LONG else 300) // PARTS


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    with template() as name:
        yield Path(name)


@pytest.mark.timeout(1200 if LONG else 120)
@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_is_lost_doubled_diverged_or_stuck(made: Path, part: int):
    for seed in range(part * SCHEDULES, (part + 1) * SCHEDULES):
        played = play(seed, made)
        failed = f"make simulate SEED={seed}\n" + "\n".join(played.log[-30:])
        assert not played.problems, failed
        assert played.actions >= ACTIONS
        assert played.faults.total() >= STRIKES


def test_every_kind_of_fault_occurs_in_a_hundred_schedules(made: Path):
    occurred: Counter[str] = Counter()
    for seed in range(10_000, 10_100):
        occurred += play(seed, made).faults
        if occurred.keys() >= {fault.name for fault in FAULTS}:
            return
    assert {fault.name for fault in FAULTS} - occurred.keys() == set()


def test_a_seed_plays_the_same_again(made: Path):
    with template() as another:
        assert play(5, made).log == play(5, Path(another)).log


@pytest.fixture
def world(made: Path, tmp_path: Path) -> Iterator[World]:
    quiet = World(tmp_path / "world", made, 0)
    yield quiet
    quiet.close()


def check_in(world: World, kiosk: SimulatedKiosk) -> None:
    """Makes a tap that the centre judges."""
    world.act(kiosk)
    kiosk.push()


# The invariants themselves: each finds its kind of problem.


def test_a_world_without_a_fault_has_no_problem(world: World):
    check_in(world, world.kiosks[0])
    for kiosk in world.kiosks:
        kiosk.pull()
        kiosk.pull()
    assert look(world) == []


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        ("delete from verdicts", "lost"),
        ("delete from receipts", "lost"),
        ("delete from transitions", "lost"),
        ("update verdicts set verdict = 'superseded'", "diverged"),
        ("update journeys set state = 'PAYMENT'", "diverged"),
        ("update journeys set state = 'CALLED'", "unwell"),
        ("update transitions set to_state = 'FINISHED'", "unwell"),
        ("insert into transitions select change + 100, position, patient_id, visit_id, leg, action_id, from_state,"
         " to_state, action, trigger_type, source, metadata, happened_ms, recorded_ms, time_quality from transitions",
         "doubled"),
        ("update verdicts set verdict = 'needs_staff'", "stuck"),
    ],
)  # fmt: skip
def test_damage_at_the_centre_is_seen(world: World, damage: str, kind: str):
    check_in(world, world.kiosks[0])
    for kiosk in world.kiosks:
        kiosk.pull()
        kiosk.pull()
    with world.centre.store.write() as db:
        db.execute(damage)
    assert kind in {problem.kind for problem in look(world)}


def test_two_live_entries_with_one_number_are_seen(world: World):
    for patient_id in ("P1", "P2"):
        for action in ("scan_nfc", "register", "confirm_arrival"):
            assert world.centre.staff(world.new_id(), action, patient_id, {}).done
    assert "doubled" not in {problem.kind for problem in look(world)}
    with world.centre.store.write() as db:
        db.execute("update entries set queue_number = 'C-001'")
    assert "doubled" in {problem.kind for problem in look(world)}


def test_a_lost_card_that_a_kiosk_does_not_know_and_one_that_somebody_holds_are_seen(world: World):
    world.centre.block_card(world.new_id(), cards_of("P1"))
    assert "diverged" in {problem.kind for problem in look(world)}
    for kiosk in world.kiosks:
        kiosk.pull()
        kiosk.pull()
    assert look(world) == []
    with world.centre.store.write() as db:
        db.execute("update bindings set end_ms = null")
    assert "broken" in {problem.kind for problem in look(world)}


def test_an_action_that_still_waits_in_an_outbox_is_seen(world: World):
    world.act(world.kiosks[0])
    assert "stuck" in {problem.kind for problem in look(world)}


def test_a_quarantined_record_is_seen_where_it_was_not_damaged_or_staff_have_no_case(world: World):
    kiosk = world.kiosks[0]
    world.act(kiosk)
    action_id = kiosk.rows()[0].action_id
    kiosk.flip(action_id, [(0.5, 0)])
    kiosk.push()
    for each in world.kiosks:
        each.pull()
        each.pull()
    assert {problem.kind for problem in look(world)} == {"unwell"}
    world.books.damage(action_id)
    assert look(world) == []
    with world.centre.store.write() as db:
        db.execute("delete from quarantine")
    assert {problem.kind for problem in look(world)} == {"lost"}
