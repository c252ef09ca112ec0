"""Who is served at a time, and who ends whom."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from kiosk.ui.places import Places


@dataclass(frozen=True)
class Visit:
    """Both ends of a connection."""

    server: socket.socket
    peer: socket.socket

    @property
    def was_cut(self) -> bool:
        try:
            return self.peer.recv(1, socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False


@pytest.fixture
def visits() -> Iterator[list[Visit]]:
    with ExitStack() as stack:
        yield [Visit(*map(stack.enter_context, socket.socketpair())) for _ in range(6)]


def test_the_newest_stranger_ends_the_oldest_who_is_not_ending_yet(visits: list[Visit]):
    places = Places(own=1, strangers=2)
    for visit in visits[:2]:
        assert places.enter(visit.server, is_own=False)
    assert not any(visit.was_cut for visit in visits)
    assert places.enter(visits[2].server, is_own=False)
    assert [visit.was_cut for visit in visits[:3]] == [True, False, False]
    assert places.enter(visits[3].server, is_own=False)
    assert [visit.was_cut for visit in visits[:4]] == [True, True, False, False]


def test_strangers_hold_twice_their_places_at_most_until_one_has_ended(visits: list[Visit]):
    places = Places(own=1, strangers=2)
    entered = [places.enter(visit.server, is_own=False) for visit in visits]
    assert entered == [True] * 4 + [False] * 2
    assert places.count == 4
    places.leave(visits[0].server)
    assert places.enter(visits[4].server, is_own=False)


def test_the_own_browser_is_ended_by_nobody_and_has_its_own_limit(visits: list[Visit]):
    places = Places(own=2, strangers=1)
    own, strangers = visits[:2], visits[2:5]
    for visit in own:
        assert places.enter(visit.server, is_own=True)
    for visit in strangers:
        places.enter(visit.server, is_own=False)
    assert not any(visit.was_cut for visit in own)
    assert not places.enter(visits[5].server, is_own=True)
    places.leave(own[0].server)
    assert places.enter(visits[5].server, is_own=True)


def test_all_are_cut_at_the_end_and_awaited(visits: list[Visit]):
    places = Places(own=3, strangers=3)
    for number, visit in enumerate(visits):
        assert places.enter(visit.server, is_own=bool(number % 2))
    assert not places.await_end(0)
    visits[0].server.close()  # its thread was faster
    places.cut(socket.SHUT_RDWR)
    assert all(visit.was_cut for visit in visits)
    for visit in visits:
        places.leave(visit.server)
    assert places.await_end(0)
