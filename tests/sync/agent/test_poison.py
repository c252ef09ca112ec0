"""When a readable action is given up: after some refusals of the centre, or after a long time of failures."""

from __future__ import annotations

import pytest

from sync.agent.client import Accepted, NoAnswer
from sync.agent.poison import FAILING_BEFORE_UNREAD_MS, REFUSALS_BEFORE_UNREAD, PoisonWatch
from sync.protocol import CallRefused, EndCode

REFUSED = CallRefused(code=EndCode.MALFORMED, error="no")
BUSY = CallRefused(code=EndCode.TRY_LATER, error="later")
FAILED, SILENT, PROXY = NoAnswer("HTTP 500", status=500), NoAnswer("Timeout"), NoAnswer("HTTP 502", status=502)
MINUTE = 60_000


def after(*outcomes: object, between_ms: int = MINUTE, action: str = "h") -> PoisonWatch:
    watch = PoisonWatch()
    for number, outcome in enumerate(outcomes):
        watch = watch.after_push(action, outcome, number * between_ms)
    return watch


MINUTES = FAILING_BEFORE_UNREAD_MS // MINUTE


@pytest.mark.parametrize(
    ("outcomes", "given_up"),
    [
        ([REFUSED] * REFUSALS_BEFORE_UNREAD, True),
        ([REFUSED] * (REFUSALS_BEFORE_UNREAD - 1), False),
        ([*[REFUSED] * (REFUSALS_BEFORE_UNREAD - 1), BUSY, REFUSED], False),
        ([*[REFUSED] * (REFUSALS_BEFORE_UNREAD - 1), Accepted(None), REFUSED], False),
        ([*[REFUSED] * (REFUSALS_BEFORE_UNREAD - 1), SILENT, PROXY, REFUSED], True),
        ([FAILED] * (MINUTES + 1), True),
        ([FAILED] * MINUTES, False),
        ([*[FAILED] * MINUTES, *[SILENT] * MINUTES, FAILED], True),
        ([*[FAILED] * MINUTES, BUSY, FAILED], False),
        ([FAILED, *[SILENT] * (3 * MINUTES), FAILED], False),
        ([SILENT, PROXY] * MINUTES, False),
    ],
)
def test_one_action_in_a_push_is_given_up(outcomes: list[object], given_up: bool):
    watch = after(*outcomes)
    assert watch.is_poison("h") is given_up
    assert not watch.is_poison("another")


def test_many_failures_in_a_short_time_do_not_count_as_a_long_one():
    assert not after(*[FAILED] * 500, between_ms=500).is_poison("h")


def test_a_push_of_several_actions_gives_up_none():
    assert not after(*[REFUSED, FAILED] * 50, action="").is_poison("")


def test_the_count_begins_again_with_another_action():
    watch = after(*[REFUSED] * REFUSALS_BEFORE_UNREAD).after_push("other", REFUSED, 0)
    assert not watch.is_poison("h")
    assert not watch.is_poison("other")
