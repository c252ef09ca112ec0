"""What the states of entries and bookings mean to people is derived from the rules, for a site's own states too."""

from __future__ import annotations

from typing import Any

import pytest

from sync.journey.definitions import Definitions, read
from sync.journey.meaning import came_to_nothing, is_called, is_over, waits

from .samples import RULES, booking, entry


@pytest.mark.parametrize(
    ("state", "waiting", "called"),
    [
        ("waiting", True, False),
        ("delayed", True, False),
        ("no_show", True, False),
        ("called", False, True),
        ("in_progress", False, False),
        ("completed", False, False),
        ("cancelled", False, False),
        ("unheard of", False, False),
    ],
)
def test_an_entry_waits_is_called_or_neither(state: str, waiting: bool, called: bool):
    assert (waits(RULES, entry(1, state=state)), is_called(RULES, entry(1, state=state))) == (waiting, called)


@pytest.mark.parametrize(
    ("status", "over", "nothing"),
    [
        ("booked", False, False),
        ("arrived", False, False),
        ("waiting", False, False),
        ("in_progress", False, False),
        ("completed", True, False),
        ("no_show", True, True),
        ("cancelled", True, True),
    ],
)
def test_a_booking_is_over_or_not_and_may_have_come_to_nothing(status: str, over: bool, nothing: bool):
    assert (is_over(RULES, booking("X", status=status)), came_to_nothing(RULES, status)) == (over, nothing)


def with_own_entry_state(state: str, maps_to: str) -> Definitions:
    document: dict[str, Any] = {**RULES.document, "queue_states": [*RULES.queue_states, state]}
    document["live"] = [*RULES.document["live"], state]
    document["queue_to_journey"] = {**RULES.queue_to_journey, state: maps_to}
    document["queue_to_appointment"] = {**RULES.queue_to_appointment, state: "waiting"}
    return read(document)


def test_an_entry_state_of_a_site_means_what_it_maps_to():
    assert waits(with_own_entry_state("in_prep", "WAITING"), entry(1, state="in_prep"))
    assert is_called(with_own_entry_state("summoned", "CALLED"), entry(1, state="summoned"))
