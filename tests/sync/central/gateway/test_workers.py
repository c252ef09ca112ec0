"""Several workers behind one gateway: who gets which call, and what happens where one of them ends or cannot start."""

from __future__ import annotations

import errno
import itertools
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection

import pytest
from flask import Flask, Response, request
from simple_websocket import ConnectionClosed

from sync.central.frames import NotOpened, encode
from sync.central.gateway.gateway import SHARES, Shares
from sync.central.gateway.program import Program
from sync.central.gateway.routing import place_of, token_id_in
from sync.central.network.bearer import SECURE_SESSION, SESSION, token_id_of
from sync.central.web.socket_offer import offer_of
from tests.sync.central.gateway.in_thread import GatewayInThread, WorkerInThread
from tests.sync.central.online import PATIENCE_S, WholeClient


class Named:
    """A conversation that says the place of its worker."""

    def __init__(self, place: int, held) -> None:
        self._place = place
        self._held = held

    def opened(self) -> None:
        self._held.send(str(self._place))

    def received(self, text: bytes) -> None:
        self._held.send(f"{self._place}: {text.decode()}")

    def woken(self) -> None:
        """Does not happen."""

    def ended(self) -> None:
        """Holds nothing."""


class Ward:
    """A worker that says its place, and holds a call of `/held` until it is let go."""

    def __init__(self, place: int) -> None:
        self.begun = threading.Semaphore(0)
        self.hold = threading.Event()
        app = Flask(__name__)
        app.get("/place")(lambda: str(place))

        @app.get("/held")
        def held() -> str:
            self.begun.release()
            self.hold.wait()
            return str(place)

        @app.route("/socket", websocket=True)
        def open_socket() -> Response:
            offer = offer_of(request.environ)
            assert offer is not None
            offer.accept(Named(place, offer.socket), "bearer" if "Sec-WebSocket-Protocol" in request.headers else None)
            return Response("dropped")

        self.worker = WorkerInThread(app)


class Unsteady:
    """A worker that can start while it `is_able`. Else the machine refuses it a process, or it says why it ends."""

    def __init__(self, worker: Program, *, is_able: bool, is_process: bool = True) -> None:
        self.tries = threading.Semaphore(0)  # that were in vain
        self.is_able = is_able
        self._worker = worker
        self._is_process = is_process

    def start(self, link: socket.socket):
        if self.is_able:
            return self._worker.start(link)
        self.tries.release()
        if not self._is_process:
            raise OSError(errno.EAGAIN, "no process is left")
        link.sendall(encode(NotOpened("the database is away")))
        return Ended()


class Ended:
    def wait(self, seconds: float) -> None:
        """It has ended."""


class House:
    """A gateway before wards."""

    def __init__(self, number: int, shares: Shares = SHARES) -> None:
        self.wards = [Ward(place) for place in range(number)]
        self._open = ExitStack()
        self.shares = shares

    def serve(self, programs: list[Program] | None = None) -> House:
        self.gateway = GatewayInThread(programs or [ward.worker for ward in self.wards], self.shares)
        self._open.callback(self.gateway.close)
        return self

    def close(self) -> None:
        for ward in self.wards:
            ward.hold.set()
        self._open.close()

    def begin(self, path: str, token: str | None = None, scheme: str = "Bearer") -> HTTPConnection:
        """Sends a request, whose answer `place` reads."""
        connection = self._open.enter_context(closing(HTTPConnection("127.0.0.1", self.gateway.port, PATIENCE_S)))
        connection.request("GET", path, headers={"Authorization": f"{scheme} {token}"} if token else {})
        return connection

    def place(self, token: str | None = None, scheme: str = "Bearer") -> int:
        """The place of the worker that answers."""
        with closing(self.begin("/place", token, scheme)) as connection:
            return int(answer(connection)[1])

    def open_socket(self, token: str, *, browser: bool = False) -> WholeClient:
        url = f"ws://127.0.0.1:{self.gateway.port}/socket"
        if browser:
            return WholeClient(url, subprotocols=["bearer", token])
        return WholeClient(url, headers={"Authorization": f"Bearer {token}"})


def answer(connection: HTTPConnection) -> tuple[int, str]:
    response = connection.getresponse()
    return response.status, response.read().decode()


def token_at(place: int, places: int) -> str:
    """A token whose calls go to a place."""
    return next(token for token in map(str, itertools.count()) if place_of(token_id_of(token), places) == place)


@pytest.fixture
def house() -> Iterator[House]:
    made = House(3)
    yield made
    made.close()


def test_all_calls_of_one_bearer_go_to_the_same_worker(house: House):
    house.serve()
    for place in range(3):
        token = token_at(place, 3)
        assert {house.place(token), house.place(token), house.place(token, "bearer")} == {place}
        for browser in (False, True):
            with closing(house.open_socket(token, browser=browser)) as client:
                assert client.receive(PATIENCE_S) == str(place)
                client.send("hi")
                assert client.receive(PATIENCE_S) == f"{place}: hi"


@pytest.mark.parametrize("name", [SESSION, SECURE_SESSION])
def test_a_session_goes_to_the_worker_of_its_token(name: str):
    token_id = token_id_of("nk_token")
    assert (
        token_id_in({"Cookie": f"other=1; {name}={token_id}.secret"})
        == token_id_in({"Authorization": "Bearer nk_token"})
        == token_id
    )


@pytest.mark.parametrize("cookie", ["", SESSION, f"{SESSION}=", f"{SESSION}=secret", f"{SESSION}={'g' * 12}.secret"])
def test_a_cookie_that_is_no_session_names_no_bearer(cookie: str):
    assert token_id_in({"Cookie": cookie}) is None


def test_bearers_spread_over_the_workers():
    places = [place_of(token_id_of(f"token {number}"), 4) for number in range(4000)]
    assert all(900 < places.count(place) < 1100 for place in range(4))


def test_a_call_without_a_token_goes_to_a_worker_that_has_less_to_do(house: House):
    house.serve()
    for token in (token_at(0, 3), token_at(2, 3)):
        held = house.begin("/held", token)
        ward = house.wards[place_of(token_id_of(token), 3)]
        assert ward.begun.acquire(timeout=PATIENCE_S)
        assert held
    while house.place() != 1:  # the last worker may still be starting
        time.sleep(0.05)
    assert [house.place() for _ in range(5)] == [1] * 5


def test_a_flood_at_one_worker_keeps_nobody_from_another():
    house = House(2, Shares(with_worker=1)).serve()
    try:
        for _ in range(5):
            house.begin("/held", token_at(0, 2))
        assert house.wards[0].begun.acquire(timeout=PATIENCE_S)
        assert house.place(token_at(1, 2)) == 1
    finally:
        house.close()


def test_an_address_that_waits_at_one_worker_has_no_other_share_at_the_next():
    house = House(2, Shares(with_worker=1, waiting=2)).serve()
    try:
        tokens = [token_at(place, 2) for place in range(2)]
        served = [house.begin("/held", token) for token in tokens]
        for ward in house.wards:
            assert ward.begun.acquire(timeout=PATIENCE_S)
        waiting = {each.sock: each for each in (house.begin("/held", token) for token in [*tokens, tokens[0]])}
        refused, _, _ = select.select(list(waiting), [], [], PATIENCE_S)
        assert [answer(waiting.pop(each))[0] for each in refused] == [503]
        for ward in house.wards:
            ward.hold.set()
        assert {answer(each)[0] for each in (*served, *waiting.values())} == {200}
    finally:
        house.close()


def test_a_worker_that_dies_is_started_again_while_the_others_serve(house: House):
    house.serve()
    tokens = [token_at(place, 3) for place in range(3)]
    assert [house.place(token) for token in tokens] == [0, 1, 2]
    dead = house.open_socket(tokens[1])
    with closing(house.open_socket(tokens[2])) as alive:
        assert (dead.receive(PATIENCE_S), alive.receive(PATIENCE_S)) == ("1", "2")
        held = house.begin("/held", tokens[1])
        assert house.wards[1].begun.acquire(timeout=PATIENCE_S)
        house.wards[1].worker.die()
        with pytest.raises(ConnectionClosed) as end:
            dead.receive(PATIENCE_S)
        assert end.value.reason == 1013
        house.wards[1].hold.set()
        assert answer(held) == (200, "1"), "a call that changes nothing is asked once more"
        assert [house.place(token) for token in tokens] == [0, 1, 2]
        alive.send("still here")
        assert alive.receive(PATIENCE_S) == "2: still here"


@pytest.mark.parametrize(("place", "is_process"), [(0, True), (1, True), (1, False)])
def test_a_worker_that_cannot_start_again_is_tried_until_it_can(house: House, place: int, is_process: bool):
    programs: list[Program] = [ward.worker for ward in house.wards]
    unsteady = programs[place] = Unsteady(house.wards[place].worker, is_able=place == 0, is_process=is_process)
    house.serve(programs)
    others = [token_at(other, 3) for other in range(3) if other != place]
    assert {house.place(token) for token in others} == {0, 1, 2} - {place}
    if place == 0:  # without a main worker at the start there is no service
        unsteady.is_able = False
        house.wards[0].worker.die()
    for _ in range(2):
        assert unsteady.tries.acquire(timeout=PATIENCE_S)
    assert {house.place(token) for token in others} == {0, 1, 2} - {place}
    own = token_at(place, 3)
    assert place not in (house.place(), house.place(own)), "another one stands in for it"
    unsteady.is_able = True
    while house.place(own) != place:
        time.sleep(0.05)


def test_there_is_no_service_without_a_main_worker_and_no_other_worker_before_it(house: House):
    started = threading.Event()

    class Other:
        def start(self, link: socket.socket):
            started.set()
            return house.wards[1].worker.start(link)

    house.serve([Unsteady(house.wards[0].worker, is_able=False), Other()])
    house.gateway.join()
    assert (house.gateway.ended_in_order, started.is_set()) == (False, False)


def test_the_service_ends_where_no_worker_can_start_any_more():
    house = House(2)
    unsteady = [Unsteady(ward.worker, is_able=True) for ward in house.wards]
    house.serve(list(unsteady))
    try:
        assert [house.place(token_at(place, 2)) for place in range(2)] == [0, 1]
        for each in unsteady:
            each.is_able = False
        for ward in house.wards:
            ward.worker.die()
        house.gateway.join()
        assert house.gateway.ended_in_order is False
    finally:
        house.close()


def test_a_stop_ends_every_worker_and_its_sockets(house: House):
    house.serve()
    sockets = [house.open_socket(token_at(place, 3)) for place in range(3)]
    assert [each.receive(PATIENCE_S) for each in sockets] == ["0", "1", "2"]
    house.gateway.close()
    for each in sockets:
        with pytest.raises(ConnectionClosed) as end:
            each.receive(PATIENCE_S)
        assert end.value.reason in (1001, 1013)
    assert house.gateway.ended_in_order
