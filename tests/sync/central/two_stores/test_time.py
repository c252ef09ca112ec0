"""Wrong clocks: order and verdicts stay right, and each time is recorded with its quality.

Two kiosks play the same day, and the second has the clock of the case. Both ends have real stores.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.central.maintenance.housekeeping import close_days, correct_all_future_days
from tests.sync.central.wire import DAY, EVERYTHING, MINUTE, Centre, Kiosk, Time

YEAR = 365 * 24 * 60 * MINUTE
STEPS = ("register", "confirm_arrival")
AT_1970 = -Time().now_ms + MINUTE  # no battery, no network: the clock starts at 1970


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    made = Centre(tmp_path / "centre.db", Time())
    yield made
    made.store.close()


def kiosk_with(centre: Centre, tmp_path: Path, offset_ms: int, *, synchronised: bool = False) -> Kiosk:
    made = Kiosk(tmp_path / "k.db", centre, "K", EVERYTHING, wall_offset_ms=offset_ms, synchronised=synchronised)
    made.pull()
    return made


def rows(centre: Centre, patient_id: str = "P1") -> list[dict[str, object]]:
    return centre.rows(
        "select action, happened_ms, time_quality from transitions where patient_id = :id order by change, position",
        id=patient_id,
    )


def check_in_slowly(kiosk: Kiosk, patient_id: str) -> list[int]:
    """A check-in that takes ten minutes. Returns the true time of each step."""
    times = [kiosk.time()]
    kiosk.tap(patient_id)
    for step in STEPS:
        kiosk.time.pass_minutes(5)
        times.append(kiosk.time())
        kiosk.act(patient_id, step)
    kiosk.time.pass_minutes(5)
    return times


OFFSETS = pytest.mark.parametrize(
    "offset_ms", [0, -2 * 60 * MINUTE, 5 * YEAR, AT_1970], ids=["right", "set back", "years ahead", "no clock at boot"]
)


@OFFSETS
def test_within_one_boot_the_time_is_measured_whatever_the_wall_clock_says(
    centre: Centre, tmp_path: Path, offset_ms: int
):
    kiosk = kiosk_with(centre, tmp_path, offset_ms)
    times = check_in_slowly(kiosk, "P1")
    kiosk.sync()
    assert [status for _, status, _ in kiosk.statuses()] == ["applied"] * 3
    assert [(row["happened_ms"], row["time_quality"]) for row in rows(centre)] == [(t, "measured") for t in times]
    assert centre.journey("P1").entries[0].opened_ms == times[2]


@OFFSETS
def test_after_a_reboot_a_wrong_clock_changes_no_verdict_and_gives_no_place_in_line(
    centre: Centre, tmp_path: Path, offset_ms: int
):
    kiosk = kiosk_with(centre, tmp_path, offset_ms)
    check_in_slowly(kiosk, "P1")
    kiosk.reboot()
    kiosk.sync()
    assert [(status, code) for _, status, code in kiosk.statuses()] == [("applied", "ok")] * 3
    found = rows(centre)
    assert [row["action"] for row in found] == ["scan_nfc", "register", "confirm_arrival"]
    expected = "received" if offset_ms > 0 else "claimed"
    assert {row["time_quality"] for row in found} == {expected}
    assert all(0 <= int(str(row["happened_ms"])) <= centre.time() for row in found)
    assert centre.journey("P1").entries[0].opened_ms == centre.time(), "the time of receipt gives the place in the line"
    assert centre.journey("P1").state == "WAITING" == kiosk.view("P1").state


def test_after_a_reboot_a_synchronised_clock_still_counts(centre: Centre, tmp_path: Path):
    kiosk = kiosk_with(centre, tmp_path, 0, synchronised=True)
    times = check_in_slowly(kiosk, "P1")
    kiosk.reboot()
    kiosk.sync()
    assert [(row["happened_ms"], row["time_quality"]) for row in rows(centre)] == [(t, "synchronised") for t in times]
    assert centre.journey("P1").entries[0].opened_ms == times[2]


@pytest.mark.parametrize("change_ms", [-3 * 60 * MINUTE, -YEAR, 3 * YEAR], ids=["hours back", "a year back", "ahead"])
def test_a_clock_that_is_set_between_two_steps_changes_neither_order_nor_verdicts(
    centre: Centre, tmp_path: Path, change_ms: int
):
    kiosk = kiosk_with(centre, tmp_path, 0, synchronised=True)
    begun = kiosk.time()
    kiosk.tap("P1")
    kiosk.wall_offset_ms = change_ms
    kiosk.time.pass_minutes(5)
    for step in STEPS:
        assert kiosk.act("P1", step).refusal is None
    kiosk.sync()
    assert [(status, code) for _, status, code in kiosk.statuses()] == [("applied", "ok")] * 3
    happened = [int(str(row["happened_ms"])) for row in rows(centre)]
    assert happened == [begun, begun + 5 * MINUTE, begun + 5 * MINUTE]
    assert kiosk.base("P1") == centre.journey("P1") == kiosk.view("P1")


def test_the_first_to_come_is_first_in_line_though_the_other_kiosks_clock_is_years_ahead(
    centre: Centre, tmp_path: Path
):
    ahead = kiosk_with(centre, tmp_path, 4 * YEAR)
    right = Kiosk(tmp_path / "r.db", centre, "R", EVERYTHING)
    right.pull()
    ahead.check_in("P1")
    centre.time.pass_minutes(1)
    right.check_in("P2")
    right.sync()
    ahead.sync()
    line = centre.rows("select patient_id from entries where exam_id = 'X' order by opened_ms")
    assert [row["patient_id"] for row in line] == ["P1", "P2"]


def test_a_kiosk_years_ahead_shows_today_again_after_a_pull(centre: Centre, tmp_path: Path):
    """Actions of a future day belong to the centre's day."""
    kiosk = kiosk_with(centre, tmp_path, 2 * YEAR)
    kiosk.check_in("P2")
    kiosk.sync()
    kiosk.wall_offset_ms = 0
    assert centre.journey("P2").state == "WAITING"
    assert centre.journey("P2").site_day == centre.journey("P1").site_day
    kiosk.pull()
    assert kiosk.base("P2") == centre.journey("P2")


def test_a_case_for_staff_says_how_good_its_time_is(centre: Centre, tmp_path: Path):
    kiosk = kiosk_with(centre, tmp_path, AT_1970)
    kiosk.check_in_unknown("new")
    kiosk.reboot()
    kiosk.sync()
    assert '"time_quality":"claimed"' in str(centre.rows("select detail from exceptions")[0]["detail"])


# The centre's own clock.


def test_kiosks_have_todays_roster_again_once_the_centres_clock_is_right_again(centre: Centre, tmp_path: Path):
    kiosk = kiosk_with(centre, tmp_path, 0)
    centre.time.now_ms += 3 * 24 * 60 * MINUTE
    close_days(centre.parts, "2026-03-05")
    kiosk.pull()
    centre.time.now_ms -= 3 * 24 * 60 * MINUTE
    correct_all_future_days(centre.parts, DAY)
    kiosk.pull()
    assert centre.rows("select site_day from roster_day") == [{"site_day": DAY}]
    for patient_id in ("P1", "P2"):
        assert kiosk.base(patient_id) == centre.journey(patient_id)
        assert kiosk.view(patient_id).site_day == DAY
    kiosk.check_in("P2")
    kiosk.sync()
    assert {status for _, status, _ in kiosk.statuses()} == {"applied"}
    assert [entry.exam_id for entry in centre.journey("P2").entries] == ["X"]


def test_each_day_that_a_wrong_clock_had_begun_gets_a_roster_of_its_own(centre: Centre, tmp_path: Path):
    kiosk = kiosk_with(centre, tmp_path, 0)
    centre.time.now_ms += 3 * 24 * 60 * MINUTE
    kiosk.pull()
    centre.time.now_ms -= 3 * 24 * 60 * MINUTE
    for day in (DAY, "2026-03-03", "2026-03-04"):
        kiosk.pull()
        assert centre.rows("select site_day from roster_day") == [{"site_day": day}]
        centre.time.pass_minutes(24 * 60)
