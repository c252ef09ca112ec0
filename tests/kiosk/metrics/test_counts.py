"""What a kiosk counts of taps, presses and its channel, by times that the test sets."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from kiosk.metrics.counts import KioskCounts
from tests.scraped import Scraped

TO_SCREEN, TO_UID = "nfc_kiosk_tap_to_screen_seconds", "nfc_kiosk_insert_to_uid_seconds"


class Counted:
    """The counts of a kiosk, and its clock."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self._registry = CollectorRegistry()
        self.counts = KioskCounts(self._registry, lambda: self.now_s)

    def told(self) -> Scraped:
        return Scraped(generate_latest(self._registry).decode())

    def times(self, name: str) -> tuple[float, float]:
        """How many were counted, and their sum in seconds."""
        told = self.told()
        return told.value(f"{name}_count"), round(told.value(f"{name}_sum"), 6)

    def show_after(self, seconds: float, frame: int) -> None:
        self.now_s += seconds
        self.counts.show(frame)


@pytest.fixture
def counted() -> Counted:
    return Counted()


def test_a_tap_counts_from_the_card_to_its_id_and_on_to_the_screen(counted: Counted):
    begun_s = counted.counts.begin_tap(round((counted.now_s - 0.07) * 1e9))
    counted.counts.end_tap(begun_s, 5, "journey")
    counted.show_after(0.003, 5)
    assert (counted.times(TO_UID), counted.times(TO_SCREEN)) == ((1, 0.07), (1, 0.003))
    assert counted.told().by("nfc_kiosk_taps_total", "outcome") == {"journey": 1}


def test_a_screen_that_was_sent_before_the_tap_returned_counts_too(counted: Counted):
    begun_s = counted.counts.begin_tap(round(counted.now_s * 1e9))
    counted.show_after(0.002, 5)
    counted.now_s += 0.05
    counted.counts.end_tap(begun_s, 5, "journey")
    assert counted.times(TO_SCREEN) == (1, 0.002)


def test_a_tap_that_changes_no_screen_is_not_timed_to_a_later_one(counted: Counted):
    counted.counts.show(5)
    counted.now_s += 10
    begun_s = counted.counts.begin_tap(round(counted.now_s * 1e9))
    counted.counts.end_tap(begun_s, 5, "journey")
    counted.show_after(1, 6)
    assert counted.times(TO_SCREEN) == (0, 0)


def test_a_newer_screen_in_the_place_of_the_taps_own_counts(counted: Counted):
    begun_s = counted.counts.begin_tap(round(counted.now_s * 1e9))
    counted.counts.end_tap(begun_s, 5, "journey")
    counted.show_after(0.3, 6)
    assert counted.times(TO_SCREEN) == (1, 0.3)


def test_the_second_page_counts_no_tap_again(counted: Counted):
    begun_s = counted.counts.begin_tap(round(counted.now_s * 1e9))
    counted.counts.end_tap(begun_s, 5, "journey")
    counted.show_after(0.003, 5)
    counted.show_after(0.9, 5)
    assert counted.times(TO_SCREEN) == (1, 0.003)


def test_a_page_that_opens_long_after_a_tap_times_nothing(counted: Counted):
    begun_s = counted.counts.begin_tap(round(counted.now_s * 1e9))
    counted.counts.end_tap(begun_s, 5, "journey")
    counted.show_after(60, 6)
    assert counted.times(TO_SCREEN) == (0, 0)


def test_a_refused_card_counts_by_its_reason(counted: Counted):
    counted.counts.count_refused_card("phone")
    assert counted.told().by("nfc_kiosk_taps_total", "outcome") == {"phone": 1}


def test_the_channel_is_wanted_while_the_kiosk_is_enrolled(counted: Counted):
    channel = counted.counts.channel
    counted.now_s += 100
    channel.turn(is_wanted=True, is_connected=False)
    counted.now_s += 10
    channel.turn(is_wanted=True, is_connected=True)
    counted.now_s += 60
    channel.turn(is_wanted=True, is_connected=False)
    counted.now_s += 5
    channel.turn(is_wanted=False, is_connected=False)
    counted.now_s += 1000
    told = counted.told()
    assert told.value("nfc_kiosk_centre_wanted_seconds_total") == 75
    assert told.value("nfc_kiosk_centre_connected_seconds_total") == 60
