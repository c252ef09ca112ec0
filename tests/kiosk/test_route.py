"""What is said of a route to the centre that is not encrypted."""

from __future__ import annotations

import pytest

from kiosk.config import CentralSection
from kiosk.route import faults_of_route


@pytest.mark.parametrize(
    "central",
    [
        CentralSection(),
        CentralSection(url="https://checkin.example"),
        CentralSection(url="https://checkin.example", plain_http=True, proxy="http://proxy.example:3128"),
        CentralSection(url="http://127.0.0.1:8000"),
        CentralSection(url="http://localhost:8000", plain_http=True),
        CentralSection(url="http://[::1]:8000"),
    ],
)
def test_an_encrypted_route_or_none_off_this_machine_is_no_fault(central: CentralSection):
    assert faults_of_route(central) == ()


@pytest.mark.parametrize(
    "central",
    [
        CentralSection(url="http://checkin.example", plain_http=True),
        CentralSection(url="http://192.0.2.1:8000", plain_http=True),
        # The proxy gets the request whole.
        CentralSection(url="http://127.0.0.1:8000", plain_http=True, proxy="http://proxy.example:3128"),
    ],
)
def test_plain_http_over_a_network_is_a_fault_that_names_its_cause(central: CentralSection):
    [fault] = faults_of_route(central)
    assert "plain_http = true" in fault
