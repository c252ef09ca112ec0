"""The store's lock: a waiting thread gets it before the thread that released it last."""

from __future__ import annotations

import signal
import threading

import pytest

from kiosk.demo.hospital import wait_for
from sync.fair_lock import FairLock


def waiting(turns: FairLock, number: int) -> None:
    wait_for(lambda: len(turns._queue) == number, "no thread waits", 30.0)


def test_it_is_handed_over_in_the_order_in_which_it_was_asked_for():
    turns, order, threads = FairLock(), list[int](), list[threading.Thread]()

    def take(number: int) -> None:
        with turns:
            order.append(number)

    with turns:
        for number in range(5):
            threads.append(threading.Thread(target=take, args=(number,)))
            threads[-1].start()
            waiting(turns, number + 1)
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]


def test_a_long_piece_of_work_in_portions_lets_the_others_in_between():
    turns, done = FairLock(), list[str]()
    begun = threading.Event()

    def tap() -> None:
        begun.set()
        with turns:
            done.append("tap")

    thread = threading.Thread(target=tap)
    with turns:
        thread.start()
        begun.wait()
        waiting(turns, 1)
        done.append("portion")
    with turns:
        done.append("portion")
    thread.join()
    assert done == ["portion", "tap", "portion"]


def test_the_thread_that_has_it_may_take_it_again():
    turns, taken = FairLock(), threading.Event()

    def other() -> None:
        with turns:
            taken.set()

    with turns:
        thread = threading.Thread(target=other)
        thread.start()
        waiting(turns, 1)
        with turns:
            pass
        assert not taken.is_set()
    thread.join()
    assert taken.is_set()


def test_an_exception_lets_go_of_it():
    turns = FairLock()
    with pytest.raises(ValueError, match="no"), turns:
        raise ValueError("no")
    thread = threading.Thread(target=turns.__enter__)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()


def test_a_wait_that_is_interrupted_takes_nobodys_turn():
    turns, release = FairLock(), threading.Event()

    def interrupt(*_: object) -> None:
        raise InterruptedError

    def hold() -> None:
        with turns:
            waiting(turns, 1)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
            release.wait()

    before = signal.signal(signal.SIGUSR1, interrupt)
    thread = threading.Thread(target=hold)
    try:
        thread.start()
        wait_for(lambda: turns._owner, "no thread holds it", 30.0)
        with pytest.raises(InterruptedError), turns:
            pass
    finally:
        signal.signal(signal.SIGUSR1, before)
        release.set()
        thread.join()
    with turns:
        pass


def test_many_threads_are_never_in_it_at_once():
    turns, inside, most = FairLock(), list[int](), list[int]()

    def work(number: int) -> None:
        for _ in range(200):
            with turns:
                inside.append(number)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (max(most), len(most)) == (1, 800)


def test_a_thread_whose_patience_ends_leaves_the_lock_to_the_others():
    turns, found = FairLock(), list[bool]()
    with turns:
        threads = [threading.Thread(target=lambda: found.append(turns.acquire(0.01))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        waiting(turns, 0)
    assert found == [False] * 3
    assert turns.acquire(0)
    turns.release()
