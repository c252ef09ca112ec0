"""Who does the work that may wait for the end of a call."""

from __future__ import annotations

import threading

import pytest

from sync.central.worker.afterwork import Afterwork


def test_the_thread_of_a_call_does_the_work_that_it_has_brought_once_the_call_is_answered():
    afterwork, done = Afterwork(), []
    with afterwork.after_call():
        afterwork.submit(lambda: done.append(threading.get_ident()))
        done.append("answered")
    assert done == ["answered", threading.get_ident()]


def test_a_call_that_fails_leaves_no_work_undone():
    afterwork, done = Afterwork(), []

    def fail() -> None:
        with afterwork.after_call():
            afterwork.submit(lambda: done.append("told"))
            raise OSError("the gateway has left")

    with pytest.raises(OSError, match="the gateway has left"):
        fail()
    assert done == ["told"]


def test_work_that_no_call_brings_is_done_by_another_thread():
    afterwork, done = Afterwork(), threading.Event()
    workers: list[int] = []

    def work() -> None:
        workers.append(threading.get_ident())
        done.set()

    with afterwork.after_call():
        pass
    afterwork.submit(work)
    assert done.wait(60)
    assert workers != [threading.get_ident()]
