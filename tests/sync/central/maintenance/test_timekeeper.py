"""The centre's time when its machine's clock jumps, or is wrong from the start."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from sync.central.maintenance.timekeeper import Doubt, Timekeeper, clocks, doubt_of, last_known_ms
from sync.central.web.app import create_app
from sync.central.web.socket_places import SocketPlaces
from sync.clock import DAY_MS, MINUTE_MS
from tests.sync.central.centre import Centre, patient

START = 1_772_409_600_000


@dataclass
class Machine:
    """The clocks of a machine, which the test moves."""

    wall_ms: int = START
    mono_ms: int = 5_000
    synchronised: bool = False

    def keeper(self, last_known_ms: int | None = None) -> Timekeeper:
        """A timekeeper with these clocks."""
        return Timekeeper(lambda: (self.wall_ms, self.mono_ms), last_known_ms, lambda: self.synchronised)

    def passes(self, ms: int) -> None:
        self.wall_ms += ms
        self.mono_ms += ms


@pytest.fixture
def machine() -> Machine:
    return Machine()


def stands(machine: Machine, keeper: Timekeeper, minutes: int) -> None:
    """Lets time pass. Reads the time every minute, as the housekeeping does."""
    for _ in range(minutes):
        machine.passes(MINUTE_MS)
        keeper()


@pytest.mark.parametrize("by_ms", [-365 * DAY_MS, -6 * MINUTE_MS, 6 * MINUTE_MS, 365 * DAY_MS])
def test_a_start_takes_the_time_of_the_server_where_the_own_clock_is_beside_it(machine: Machine, by_ms: int):
    keeper = Timekeeper(lambda: (START + by_ms, machine.mono_ms), None, lambda: False, START)
    assert keeper() == START
    assert keeper.doubt == Doubt(START + by_ms, START)
    machine.synchronised = True
    keeper = Timekeeper(lambda: (START + by_ms, machine.mono_ms), None, lambda: machine.synchronised, START)
    assert (keeper(), keeper.doubt) == (START + by_ms, None), "a time server vouches for it"


@pytest.mark.parametrize("by_ms", [-5 * MINUTE_MS, 0, 5 * MINUTE_MS])
def test_a_start_keeps_the_own_clock_where_it_is_near_that_of_the_server(machine: Machine, by_ms: int):
    keeper = Timekeeper(lambda: (START + by_ms, machine.mono_ms), START - 365 * DAY_MS, lambda: False, START)
    assert (keeper(), keeper.doubt) == (START + by_ms, None)


JUMPS = pytest.mark.parametrize("by_ms", [365 * DAY_MS, -365 * DAY_MS, 3 * DAY_MS, 12 * 60 * MINUTE_MS, -DAY_MS])


def test_a_clock_that_is_nearly_right_again_does_not_move_time_back(machine: Machine):
    keeper = machine.keeper()
    machine.wall_ms += 60 * MINUTE_MS
    machine.passes(10 * MINUTE_MS)
    assert keeper() == START + 10 * MINUTE_MS
    machine.wall_ms -= 64 * MINUTE_MS
    assert keeper() == START + 10 * MINUTE_MS
    assert keeper.doubt is None
    machine.passes(6 * MINUTE_MS)
    assert keeper() == START + 12 * MINUTE_MS


@JUMPS
def test_a_clock_that_is_wrong_for_a_moment_changes_nothing(machine: Machine, by_ms: int):
    keeper = machine.keeper()
    machine.synchronised = True
    machine.wall_ms += by_ms
    assert keeper() == START
    machine.passes(10_000)
    assert keeper() == START + 10_000
    assert keeper.doubt == Doubt(START + by_ms + 10_000, START + 10_000)
    machine.wall_ms -= by_ms
    assert keeper() == START + 10_000
    assert keeper.doubt is None


@JUMPS
def test_a_lasting_jump_of_a_synchronised_clock_is_followed(machine: Machine, by_ms: int):
    keeper = machine.keeper()
    machine.synchronised = True
    machine.wall_ms += by_ms
    keeper()
    stands(machine, keeper, 14)
    assert keeper() == START + 14 * MINUTE_MS
    stands(machine, keeper, 1)
    assert keeper() == machine.wall_ms
    assert keeper.doubt is None


@pytest.mark.parametrize(("by_ms", "believed"), [(10 * MINUTE_MS, True), (-DAY_MS, True), (DAY_MS + MINUTE_MS, False)])
def test_a_lasting_jump_of_an_unsynchronised_clock_is_followed_up_to_a_day(
    machine: Machine, by_ms: int, believed: bool
):
    keeper = machine.keeper()
    machine.wall_ms += by_ms
    keeper()
    stands(machine, keeper, 60)
    assert (keeper.doubt is None) is believed
    assert keeper() == (machine.wall_ms if believed else START + 60 * MINUTE_MS)


def test_a_clock_that_keeps_jumping_is_never_followed(machine: Machine):
    keeper = machine.keeper()
    for _ in range(60):
        machine.wall_ms += 10 * MINUTE_MS
        stands(machine, keeper, 1)
    assert keeper() == START + 60 * MINUTE_MS


def test_a_person_may_confirm_the_clock(machine: Machine, caplog: pytest.LogCaptureFixture):
    keeper = machine.keeper()
    machine.wall_ms -= 40 * DAY_MS
    assert keeper.doubt is not None
    assert "in doubt" in caplog.text
    assert keeper.believe() == keeper() == START - 40 * DAY_MS
    assert keeper.doubt is None


def test_a_small_change_of_the_clock_is_followed_and_time_never_goes_back(machine: Machine):
    keeper = machine.keeper()
    machine.wall_ms += 2 * MINUTE_MS
    assert keeper() == START + 2 * MINUTE_MS
    machine.wall_ms -= MINUTE_MS
    assert keeper() == START + 2 * MINUTE_MS
    machine.passes(MINUTE_MS + 1)
    assert keeper() == START + 2 * MINUTE_MS + 1
    assert keeper.doubt is None


@pytest.mark.parametrize("off_ms", [0, 7 * DAY_MS, 30 * DAY_MS], ids=["a restart", "a holiday", "a month"])
def test_after_a_while_off_the_clock_is_followed_without_a_time_server(machine: Machine, off_ms: int):
    machine.wall_ms += off_ms
    keeper = machine.keeper(START)
    assert keeper() == START + off_ms
    assert keeper.doubt is None


WRONG = pytest.mark.parametrize("off_ms", [365 * DAY_MS, -2 * DAY_MS, -START], ids=["a year on", "behind", "1970"])


@WRONG
def test_a_start_with_an_impossible_clock_continues_from_the_databases_last_moment(machine: Machine, off_ms: int):
    machine.wall_ms += off_ms
    keeper = machine.keeper(START)
    assert keeper() == START
    stands(machine, keeper, 60)
    assert keeper() == START + 60 * MINUTE_MS
    assert keeper.doubt is not None
    machine.synchronised = True
    assert keeper() == machine.wall_ms


@WRONG
def test_at_the_start_a_synchronised_clock_is_followed_at_once(machine: Machine, off_ms: int):
    machine.wall_ms, machine.synchronised = START + off_ms, True
    assert machine.keeper(START)() == START + off_ms


def test_a_start_shortly_before_the_databases_last_moment_waits_for_the_clock(machine: Machine):
    machine.wall_ms -= MINUTE_MS
    keeper = machine.keeper(START)
    assert (keeper(), keeper.doubt) == (START, None)
    machine.passes(2 * MINUTE_MS)
    assert keeper() == START + MINUTE_MS


def test_the_machines_own_clocks_agree_with_each_other():
    (_, first_ms), (_, second_ms) = clocks(), clocks()
    assert second_ms >= first_ms > 0
    assert Timekeeper().doubt is None


def test_with_an_empty_database_any_clock_is_followed(machine: Machine):
    assert machine.keeper()() == START


def test_the_last_moment_known_is_that_of_the_last_transition(centre: Centre):
    with centre.store.read() as db:
        assert last_known_ms(db) is None
    centre.walk(patient(1), "scan_nfc")
    centre.clock.now_ms += 5
    centre.walk(patient(2), "scan_nfc")
    with centre.store.read() as db:
        assert last_known_ms(db) == centre.clock.now_ms


def test_a_confirmed_time_counts_more_than_rows_written_before(centre: Centre, machine: Machine):
    centre.clock.now_ms += 10 * DAY_MS
    centre.walk(patient(1), "scan_nfc")
    centre.parts = replace(centre.parts, clock=machine.keeper())
    centre.do("clock", believe=True)
    with centre.store.read() as db:
        assert last_known_ms(db) == START
    centre.parts = replace(centre.parts, clock=centre.clock)
    centre.clock.now_ms -= 9 * DAY_MS
    centre.walk(patient(2), "scan_nfc")
    with centre.store.read() as db:
        assert last_known_ms(db) == centre.clock.now_ms


def test_a_clock_in_doubt_fails_the_check_and_can_be_confirmed_by_command(centre: Centre, machine: Machine):
    assert centre.do("check")["clock"] is None
    centre.parts = replace(centre.parts, clock=machine.keeper())
    machine.wall_ms += 3 * DAY_MS
    found = centre.do("check")
    assert (found["ok"], found["clock"]) == (False, {"machine_ms": START + 3 * DAY_MS, "taken_ms": START})
    health = create_app(centre.parts, SocketPlaces(1)).test_client().get("/healthz")
    assert (health.status_code, health.json) == (200, {"status": "clock_in_doubt", **found["clock"]})
    assert centre.do("clock") == found["clock"]
    assert centre.do("clock", believe=True) == {"machine_ms": START + 3 * DAY_MS, "taken_ms": START + 3 * DAY_MS}
    assert centre.do("check")["ok"]
    assert centre.rows("select who from audit where kind = 'clock'") == [{"who": "command line"}]
    assert doubt_of(centre.parts.clock) is None
