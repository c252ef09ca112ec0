"""The newest value for each subscriber: a slow subscriber delays no other, and a closed slot stays closed."""

from __future__ import annotations

import threading
from collections.abc import Callable

from kiosk.front.latest import Broadcast, LatestSlot

WAIT_S = 30.0


def in_a_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    return thread, results


def test_what_is_published_reaches_every_subscriber():
    live: Broadcast[str] = Broadcast()
    with live.subscribe() as first, live.subscribe() as second:
        live.publish("news")
        assert [first.take(WAIT_S), second.take(WAIT_S)] == ["news", "news"]


def test_the_newest_wins_and_is_taken_once():
    live: Broadcast[int] = Broadcast()
    with live.subscribe() as slot:
        for value in range(1000):
            live.publish(value)
        assert slot.take(WAIT_S) == 999
        assert slot.take(0) is None


def test_who_waits_is_woken_by_news():
    live: Broadcast[str] = Broadcast()
    with live.subscribe() as slot:
        thread, results = in_a_thread(lambda: slot.take(WAIT_S))
        live.publish("news")
        thread.join(WAIT_S)
    assert results == ["news"]


def test_publishing_waits_for_nobody_however_many_do_not_listen():
    live: Broadcast[int] = Broadcast()
    with live.subscribe() as slow, live.subscribe() as quick:
        taken = []
        for value in range(100):
            live.publish(value)
            taken.append(quick.take(WAIT_S))
        assert taken == list(range(100))
        assert slow.take(WAIT_S) == 99


def test_nothing_is_published_to_who_left_and_nothing_of_before_to_who_comes():
    live: Broadcast[str] = Broadcast()
    live.publish("before")
    with live.subscribe() as slot:
        assert slot.take(0) is None
    live.publish("after")
    assert slot.take(0) is None


def test_an_error_in_a_subscriber_ends_only_its_own_subscription():
    live: Broadcast[str] = Broadcast()

    def fail() -> None:
        with live.subscribe():
            raise RuntimeError

    with live.subscribe() as slot:
        thread, _ = in_a_thread(lambda: _suppressed(fail))
        thread.join(WAIT_S)
        live.publish("news")
        assert slot.take(WAIT_S) == "news"


def _suppressed(work: Callable[[], None]) -> None:
    try:
        work()
    except RuntimeError:
        return


def test_closing_wakes_everybody_for_the_last_time():
    live: Broadcast[str] = Broadcast()
    with live.subscribe() as slot:
        thread, results = in_a_thread(lambda: slot.take(None))
        live.close()
        thread.join(WAIT_S)
        assert results == [None]
        assert slot.closed


def test_the_last_news_before_the_end_are_still_taken():
    live: Broadcast[str] = Broadcast()
    with live.subscribe() as slot:
        live.publish("last")
        live.close()
        assert slot.take(WAIT_S) == "last"
        assert slot.take(WAIT_S) is None


def test_who_comes_after_the_end_is_told_at_once():
    live: Broadcast[str] = Broadcast()
    live.close()
    with live.subscribe() as slot:
        assert slot.closed
        assert slot.take(WAIT_S) is None


def test_a_slot_of_its_own_is_open_until_it_is_closed():
    slot: LatestSlot[int] = LatestSlot()
    assert not slot.closed
    slot.put(0)
    assert slot.take(0) == 0
    slot.close()
    assert slot.closed


def test_many_publish_and_subscribe_at_once_and_each_ends_with_the_last_word():
    live: Broadcast[int] = Broadcast()
    ready = threading.Barrier(5)

    def listen() -> list[int]:
        seen: list[int] = []
        with live.subscribe() as slot:
            ready.wait(WAIT_S)
            while (value := slot.take(WAIT_S)) is not None:
                seen.append(value)
        return seen

    listeners = [in_a_thread(listen) for _ in range(4)]
    ready.wait(WAIT_S)
    for value in range(500):
        live.publish(value)
    live.close()
    for thread, results in listeners:
        thread.join(WAIT_S)
        (seen,) = results
        assert seen == sorted(set(seen))  # type: ignore[type-var]
        assert seen[-1] == 499  # type: ignore[index]
