"""How long WebSockets were connected and wanted, by hand-made times."""

from sync.central.metrics.availability import LONGEST_GAP_S, MOST_GAPS, Availability


def test_an_open_session_grows_both_sums_alike():
    sums = Availability()
    sums.begin("a", 10.0)
    assert (sums.open, sums.connected_s(25.0), sums.wanted_s(25.0)) == (1, 15.0, 15.0)


def test_a_goodbye_leaves_no_gap():
    sums = Availability()
    sums.begin("a", 0.0)
    sums.end("a", 0.0, 100.0, is_goodbye=True)
    sums.begin("a", 150.0)
    assert (sums.connected_s(160.0), sums.wanted_s(160.0)) == (110.0, 110.0)


def test_the_gap_of_a_client_that_comes_back_was_wanted():
    sums = Availability()
    sums.begin("a", 0.0)
    sums.end("a", 0.0, 100.0, is_goodbye=False)
    assert sums.wanted_s(104.0) == 100.0, "nobody knows yet whether it comes back"
    sums.begin("a", 104.0)
    assert (sums.connected_s(110.0), sums.wanted_s(110.0)) == (106.0, 110.0)


def test_another_client_closes_no_gap():
    sums = Availability()
    sums.begin("a", 0.0)
    sums.end("a", 0.0, 100.0, is_goodbye=False)
    sums.begin("b", 104.0)
    assert sums.wanted_s(104.0) == 100.0


def test_a_client_that_stays_away_has_left():
    sums = Availability()
    sums.begin("a", 0.0)
    sums.end("a", 0.0, 100.0, is_goodbye=False)
    sums.begin("a", 101.0 + LONGEST_GAP_S)
    assert sums.wanted_s(101.0 + LONGEST_GAP_S) == 100.0


def test_each_session_of_a_shared_token_closes_one_gap():
    sums = Availability()
    for begun_s in (0.0, 0.0, 0.0):
        sums.begin("boards", begun_s)
    for _ in range(3):
        sums.end("boards", 0.0, 10.0, is_goodbye=False)
    for begun_s in (11.0, 12.0, 13.0):
        sums.begin("boards", begun_s)
    assert sums.wanted_s(13.0) - sums.connected_s(13.0) == 1.0 + 2.0 + 3.0


def test_the_gaps_of_clients_that_never_come_back_take_bounded_memory():
    sums = Availability()
    for number in range(MOST_GAPS + 10):
        sums.begin(f"{number}", 0.0)
        sums.end(f"{number}", 0.0, 1.0, is_goodbye=False)
    for number in range(10):
        sums.begin(f"{number}", 2.0)
    assert sums.wanted_s(2.0) == sums.connected_s(2.0), "the oldest gaps are forgotten"
    sums.begin(f"{MOST_GAPS}", 2.0)
    assert sums.wanted_s(2.0) == sums.connected_s(2.0) + 1.0
