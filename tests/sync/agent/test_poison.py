"""When one action counts as the fault: it goes unread after two failures, and is parked where that fails on."""

from __future__ import annotations

from sync.agent.poison import FAILING_BEFORE_PARKED_MS, PoisonWatch

SECOND = 1000


def after(plain: int = 0, unread: int = 0, between_ms: int = 10 * SECOND, parked: int = 0) -> PoisonWatch:
    """A watch after failures of the action "h", the unread ones at 0, `between_ms`, …"""
    watch = PoisonWatch(parked=parked)
    for _ in range(plain):
        watch = watch.after_failure("h", 0, unread=False)
    for number in range(unread):
        watch = watch.after_failure("h", number * between_ms, unread=True)
    return watch


def test_an_action_goes_unread_after_two_failures_while_the_network_passes_others():
    assert not after(plain=1).goes_unread("h")
    assert after(plain=2).goes_unread("h")
    assert not after(plain=2).goes_unread("another")


def test_an_action_is_stuck_after_three_unread_failures_over_half_a_minute():
    assert not after(2, 2).is_stuck("h", 10 * FAILING_BEFORE_PARKED_MS)
    assert not after(2, 3).is_stuck("h", FAILING_BEFORE_PARKED_MS - 1)
    assert after(2, 3).is_stuck("h", FAILING_BEFORE_PARKED_MS)
    assert not after(2, 3).is_stuck("another", FAILING_BEFORE_PARKED_MS)


def test_failures_of_the_readable_form_alone_do_not_park_an_action():
    assert not after(plain=50).is_stuck("h", 10 * FAILING_BEFORE_PARKED_MS)


def test_the_count_begins_again_with_another_action():
    watch = after(2, 3).after_failure("other", 0, unread=False)
    assert not watch.goes_unread("h")
    assert not watch.goes_unread("other")


def test_each_parked_action_doubles_the_time_for_the_next_where_none_passes_between():
    watch = after(2, 3, parked=2)
    assert not watch.is_stuck("h", 4 * FAILING_BEFORE_PARKED_MS - 1)
    assert watch.is_stuck("h", 4 * FAILING_BEFORE_PARKED_MS)
    assert watch.after_parking() == PoisonWatch(parked=3)
