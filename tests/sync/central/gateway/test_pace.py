"""How fast the calls of one address go on."""

from sync.central.gateway.pace import BURST_S, Pace
from sync.central.kiosks.waiting_room import interval_s


def test_an_address_alone_has_everything():
    pace = Pace(10)
    assert {pace.delay("a", 100 + number / 1000) for number in range(1000)} == {0.0}


def test_beside_others_a_flood_is_paced_after_a_burst():
    pace = Pace(100)
    pace.delay("honest", 100)
    delays = [pace.delay("flood", 100.0) for _ in range(301)]
    burst = int(100 * BURST_S)
    assert delays[:burst] == [0.0] * burst
    assert abs(delays[300] - (3.0 - BURST_S)) < 1e-6, "three hundred calls take three seconds, but for the burst"
    assert pace.delay("honest", 100.5) == 0.0


def test_a_flood_that_was_alone_is_paced_from_the_first_call_of_another():
    pace = Pace(100)
    for number in range(3000):
        assert pace.delay("flood", 100 + number / 1000) == 0.0
    assert pace.delay("honest", 103.0) == 0.0
    delays = [pace.delay("flood", 103.0) for _ in range(11)]
    assert abs(delays[10] - 0.1) < 0.011, delays


def test_who_has_called_slowly_alone_has_the_whole_burst_beside_others():
    pace = Pace(100)
    for number in range(300):
        pace.delay("tablets", 100 + number / 20)
    pace.delay("honest", 115.0)
    assert {pace.delay("tablets", 115.0) for _ in range(int(100 * BURST_S))} == {0.0}


def test_a_flood_has_everything_again_when_the_others_are_silent():
    pace = Pace(10)
    pace.delay("honest", 100)
    for _ in range(50):
        pace.delay("flood", 100.0)
    assert pace.delay("flood", 102.5) == 0.0


def test_who_calls_slowly_never_waits():
    pace = Pace(10)
    delays = set()
    for second in range(100):
        pace.delay("other", 100.0 + second)
        delays |= {pace.delay("one", 100.0 + second + part / 10) for part in range(10)}
    assert delays == {0.0}


def test_the_kiosks_of_a_chain_behind_one_address_come_back_before_the_next_set_beside_others():
    pace, kiosks = Pace(), 1000
    for told_s in (100.0 + number * interval_s(kiosks) for number in range(20)):
        pace.delay("desk", told_s)
        back_s = [told_s + pace.delay("chain", told_s) for _ in range(kiosks)]
        assert max(back_s) < told_s + interval_s(kiosks)
