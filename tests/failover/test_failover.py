"""The death of the primary: a standby takes over, and nothing that was acknowledged is lost or doubled."""

from __future__ import annotations

import os

import pytest

from tests.failover.drill import drill

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not os.environ.get("LONG"), reason="a part of make test-long"),
    pytest.mark.timeout(900),
]


def test_no_acknowledged_action_is_lost_or_doubled_when_the_primary_dies() -> None:
    report = drill(3)
    assert report.acknowledged > 100
    assert (report.lost, report.doubled, report.unsettled) == ([], [], 0)
    assert set(report.judged) == {"applied/ok"}
