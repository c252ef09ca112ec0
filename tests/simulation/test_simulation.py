"""Hundreds of schedules of a hospital with faults: no action is lost or doubled, and no kiosk diverges or is stuck."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.simulation.__main__ import template
from tests.simulation.faults import FAULTS
from tests.simulation.hospital import LIARS_OWN, cards_of
from tests.simulation.invariants import look
from tests.simulation.kiosk import SimulatedKiosk
from tests.simulation.liar import Liar
from tests.simulation.lies import LIES
from tests.simulation.schedule import ACTIONS, STRIKES, Played, is_lied_to, play
from tests.simulation.theirs import differences, of_the_others
from tests.simulation.world import World
from tests.unmeasured import unmeasured

LONG = bool(os.environ.get("LONG"))
ROOT = Path(__file__).parents[2]
PARTS = 6  # processes can share them
SCHEDULES = (3000 if LONG else 96) // PARTS


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    with template() as name:
        yield Path(name)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_is_lost_doubled_diverged_or_stuck(made: Path, part: int):
    for seed in range(part * SCHEDULES, (part + 1) * SCHEDULES):
        with unmeasured():
            played = play(seed, made)
        failed = f"{played.again}\n" + "\n".join(played.log[-30:])
        assert not played.problems, failed
        assert played.actions >= ACTIONS
        assert played.faults.total() >= STRIKES


def test_every_kind_of_fault_occurs_in_a_hundred_schedules(made: Path):
    occurred: Counter[str] = Counter()
    for seed in range(10_000, 10_100):
        with unmeasured():
            occurred += play(seed, made).faults
        if occurred.keys() >= {fault.name for fault in FAULTS}:
            return
    assert {fault.name for fault in FAULTS} - occurred.keys() == set()


@pytest.mark.parametrize("seed", [5, 7])
def test_a_seed_plays_the_same_again(made: Path, seed: int):
    with template() as another:
        played = play(seed, made)
        assert played.log == play(seed, Path(another)).log
    assert played.lied_to == bool(played.lies) == is_lied_to(seed)


@pytest.mark.parametrize(("lied_to", "liar"), [(True, "all"), (False, "none")])
def test_the_printed_command_plays_a_schedule_again_with_or_without_its_liar(lied_to: bool, liar: str):
    command = Played(165, lied_to=lied_to).again.split()
    shown = subprocess.run([*command, "-n"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert f"tests.simulation --seed 165 --liar {liar}" in " ".join(shown.split())


@pytest.fixture
def world(made: Path, tmp_path: Path) -> Iterator[World]:
    quiet = World(tmp_path / "world", made, 0)
    yield quiet
    quiet.close()


def check_in(world: World, kiosk: SimulatedKiosk) -> None:
    """Makes a tap that the centre judges."""
    world.act(kiosk)
    kiosk.push()


# A kiosk that lies.


@pytest.fixture
def lied_to(made: Path, tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "world", made, 0, lied_to=True)
    yield world
    world.close()


def liar_of(world: World) -> Liar:
    assert world.liar is not None
    return world.liar


def at_rest(world: World) -> World:
    """The honest kiosks have heard of everything."""
    for kiosk in world.kiosks:
        kiosk.push()
        for _ in range(10):
            kiosk.pull()
    return world


def test_no_kind_of_lie_moves_anything_of_anybody_elses(lied_to: World):
    for card in range(4):
        lied_to.act(lied_to.kiosks[card % 3])
    at_rest(lied_to)
    for lie in LIES:
        lied_to.begin(lied_to.event + 1, Random(lie.name))
        lie.tell(liar_of(lied_to))
    assert look(at_rest(lied_to)) == []
    applied = "select 1 from transitions where source = 'kiosk-L' and action_id is not null"
    assert len(lied_to.centre.rows(applied)) > 1


def test_the_liar_scans_no_card_of_its_own_that_staff_have_given_to_another(lied_to: World):
    for card in LIARS_OWN:
        assert lied_to.centre.bind_card(lied_to.new_id(), "P1", cards_of(card)).done
    (lie,) = [each for each in LIES if each.name == "a stranger of its own"]
    lie.tell(liar_of(lied_to))
    assert lied_to.centre.journey("P1").state == "UNREGISTERED"


def test_an_effect_on_somebody_elses_row_is_seen_at_the_call(lied_to: World):
    before = of_the_others(lied_to.centre)
    for damage in ("update journeys set state = 'ARRIVED' where patient_id = 'P1'", "delete from bindings"):
        with lied_to.centre.store.write() as db:
            db.execute("delete from binding_hashes")
            db.execute(damage)
        assert differences(before, of_the_others(lied_to.centre))
    with lied_to.centre.store.write() as db:
        db.execute("insert into patient_aliases values ('P9', 'L1', 0, 0)")
    (aliases,) = (each for each in differences(before, of_the_others(lied_to.centre)) if "patient_aliases" in each)
    assert "P9" in aliases


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        ("update transitions set patient_id = 'P1'", "believed"),
        ("update transitions set action_id = 'made up'", "believed"),
        ("update transitions set action = 'leave_hospital'", "believed"),
        ("update transitions set source = 'kiosk-A'", "believed"),
        ("update transitions set happened_ms = happened_ms - 180000", "misdated"),
        ("update transitions set happened_ms = recorded_ms + 1", "misdated"),
    ],
)
def test_what_a_liar_must_not_cause_is_seen(lied_to: World, damage: str, kind: str):
    liar = liar_of(lied_to)
    liar.catch_up()
    liar.catch_up()
    liar.push(liar.action("L1"))
    assert look(at_rest(lied_to)) == []
    with lied_to.centre.store.write() as db:
        db.execute(damage)
    assert kind in {problem.kind for problem in look(lied_to)}


def test_a_pull_that_the_centre_refuses_unread_tells_nothing(lied_to: World):
    liar = liar_of(lied_to)
    liar.catch_up()
    liar.pulls.clear()
    for unread in ({"site_id": "another"}, {"protocol_version": 9}):
        assert "code" in liar.pull(**unread)
    assert liar.pulls == []
    assert "code" in liar.pull(cursor=10**9, cursor_mac="made up")
    assert [told.at_ms for told in liar.pulls] == [lied_to.now_ms]


def test_a_false_number_and_an_internal_error_are_seen(lied_to: World):
    liar = liar_of(lied_to)
    for _ in range(3):
        liar.catch_up()
        liar.push(liar.action("L1"))
    assert look(at_rest(lied_to)) == []
    liar.false_numbers.add("L-001")
    assert {problem.kind for problem in look(lied_to)} == {"believed"}
    liar.false_numbers.clear()
    liar.refused(liar.action(site_id="another"))
    with lied_to.centre.store.write() as db:
        db.execute("update quarantine set reason = 'internal error'")
    assert "broken" in {problem.kind for problem in look(lied_to)}


def test_an_action_of_an_honest_kiosk_that_is_dated_too_early_is_seen(world: World):
    check_in(world, world.kiosks[0])
    assert look(at_rest(world)) == []
    with world.centre.store.write() as db:
        db.execute("update transitions set happened_ms = happened_ms - 180000")
    assert {problem.kind for problem in look(world)} == {"misdated"}


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
         " to_state, action, trigger_type, source, who, metadata, happened_ms, recorded_ms, time_quality"
         " from transitions",
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
