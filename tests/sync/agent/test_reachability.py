"""Online and offline as people see them: changes with hysteresis in time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.agent.reachability import OFFLINE_AFTER_S, ONLINE_AFTER_S, RETRY_WITHIN_S, Reachability

Seen = tuple[float, str]  # seconds after the last event, and the outcome of a call

OUTCOMES = ("current", "catching up", "failed")


def after(*seen: Seen, start: Reachability = Reachability()) -> Reachability:  # noqa: B008 - frozen
    value, now_s = start, 0.0
    for gap_s, outcome in seen:
        now_s += gap_s
        if outcome == "failed":
            value = value.after_failure(now_s)
        elif outcome == "wait":
            value = value.at(now_s)
        else:
            value = value.after_answer(now_s, is_current=outcome == "current")
    return value


ONLINE = after((0, "current"))


def test_the_first_answer_of_a_kiosk_without_a_failure_counts_at_once():
    assert not Reachability().online
    assert ONLINE.online


def test_a_roster_that_is_half_pulled_is_not_online_yet():
    assert not after((0, "catching up"), (60, "catching up")).online
    assert after((0, "catching up"), (60, "catching up"), (1, "current")).online


@pytest.mark.parametrize("outage_s", [0.1, 1.5, 5.0, OFFLINE_AFTER_S - 0.1])
def test_a_restart_of_the_centre_does_not_show(outage_s: float):
    seen = after((10, "failed"), (outage_s, "current"), start=ONLINE)
    assert seen.online
    assert seen.changes_at_s is None


def test_a_restart_of_five_seconds_leaves_time_for_another_call():
    assert OFFLINE_AFTER_S > 5 + RETRY_WITHIN_S


def test_a_cut_shows_after_a_while_with_or_without_further_calls():
    failed = after((10, "failed"), start=ONLINE)
    assert failed.is_in_doubt
    assert failed.changes_at_s == 10 + OFFLINE_AFTER_S
    assert not after((10, "failed"), (OFFLINE_AFTER_S, "wait"), start=ONLINE).online
    assert not after((10, "failed"), (1, "failed"), (OFFLINE_AFTER_S - 1, "failed"), start=ONLINE).online


def test_an_answer_in_between_ends_the_doubt():
    pairs = [(7.0, "failed"), (1.0, "catching up")] * 9
    assert after(*pairs, start=ONLINE).online


AWAY = after((0, "current"), (10, "failed"), (OFFLINE_AFTER_S, "failed"))


def test_it_comes_back_once_answers_have_lasted():
    assert not after((20, "current"), start=AWAY).online
    assert after((20, "current"), (ONLINE_AFTER_S, "wait"), start=AWAY).online
    flapping = [(20.0, "current"), (ONLINE_AFTER_S - 1, "failed")] * 5
    assert not after(*flapping, start=AWAY).online


def test_it_does_not_come_back_with_an_old_roster():
    assert not after((20, "catching up"), (60, "catching up"), start=AWAY).online


@given(st.lists(st.tuples(st.floats(0, 30), st.sampled_from(OUTCOMES)), max_size=30))
def test_offline_never_shows_before_a_while_without_answers_and_always_after_it(events: list[Seen]):
    value, now_s, failing_since_s = ONLINE, 0.0, None
    for gap_s, outcome in events:
        before = value.at(now_s + gap_s)
        now_s += gap_s
        is_long = failing_since_s is not None and now_s >= failing_since_s + OFFLINE_AFTER_S
        if value.online:
            assert before.online == (not is_long)
        if outcome == "failed":
            value = value.after_failure(now_s)
            failing_since_s = now_s if failing_since_s is None else failing_since_s
        else:
            value = value.after_answer(now_s, is_current=outcome == "current")
            failing_since_s = None
