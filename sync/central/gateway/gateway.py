"""The gateway: reads each request whole, within its time, and gives each client its share of the workers.

A call that waits for news, and an open WebSocket, hold a connection here and nothing of a worker.
"""

import asyncio
import ipaddress
import logging
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from itertools import count
from typing import TypeVar

from aiohttp import web

from sync.central.frames import Accept, Begin, Call, Counted, ToGateway
from sync.central.gateway.accepting import Accepting
from sync.central.gateway.body import Body, most_bytes, read_body
from sync.central.gateway.budget import Budget
from sync.central.gateway.connection import Connection
from sync.central.gateway.link import Link, NoWorker, Told
from sync.central.gateway.pace import CALLS_A_SECOND, Pace
from sync.central.gateway.places import Places
from sync.central.gateway.program import Program, Started
from sync.central.gateway.refusals import BUSY, TOO_SLOW, draining, refusal
from sync.central.gateway.request_ids import request_id_of, with_request_id
from sync.central.gateway.responses import metrics, response
from sync.central.gateway.routing import token_id_in
from sync.central.gateway.sockets import Sockets
from sync.central.gateway.turns import Turns
from sync.central.gateway.uploads import Uploads, is_upload
from sync.central.gateway.ways import METRICS_PATH, UNTIMED, way_of
from sync.central.gateway.workers import Workers
from sync.central.metrics.sums import Sums
from sync.central.network.forwarded import client_of, read_address
from sync.central.services.errors import ApiError
from sync.central.tls.certificate import ServedCertificate
from sync.direct import is_direct
from sync.logs import serve, served_request

log = logging.getLogger(__name__)
Response = TypeVar("Response", bound=web.StreamResponse)

WORKER_S = 10.0  # for a worker that starts
ANSWER_S = 60.0  # for a worker to answer, a wait for news included
SCRAPE_S = 5.0  # for a worker to tell its metrics; Prometheus waits for 10
END_S = 1.0  # for connections to end at a stop
_HEALTH = "/healthz"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110, 9.2.1


@dataclass(frozen=True, slots=True)
class Shares:
    """What the gateway holds, in all and for one client, and how long it waits."""

    connections: int = 8192
    of_an_address: int = 4096  # a hospital's 500 boards, 2,000 telephones and kiosks may stand behind one router
    with_worker: int = 16  # a worker has more threads: the others take the messages of WebSockets
    waiting: int = 4096  # of one address: all its clients come back at once after an outage, and each has its turn
    calls_a_second: float = CALLS_A_SECOND  # of one address, while others call too
    body_bytes: int = 64 * 1024 * 1024  # of bodies that come in or wait
    body_bytes_of_an_address: int = 16 * 1024 * 1024
    patience_s: float = 10.0  # for the head of a request, and for a TLS handshake
    body_bytes_a_second: float = 16 * 1024  # a body gets this much more time
    ping_every_s: float = 25.0  # on a WebSocket; its client has half of that for the answer


SHARES = Shares()


class Gateway:
    """Serves one listening socket, with workers behind it. All of it runs on one loop."""

    def __init__(
        self,
        listener: socket.socket,
        programs: Sequence[Program],
        certificate: ServedCertificate | None = None,
        begin: Begin | None = None,
        shares: Shares = SHARES,
    ) -> None:
        """`programs` are the workers, the main one first, and `begin` is what they are told.

        The proxies in it are believed here too.
        """
        begin = begin or Begin()
        self._listener = listener
        self._port = listener.getsockname()[1]
        self._certificate = certificate
        self._proxies = [ipaddress.ip_network(network) for network in begin.web.trusted_proxies]
        self._shares = shares
        self._numbers = count(1)
        self._sums = Sums(lambda: [self._workers.is_ready(place) for place in self._workers.places])
        self._sockets = Sockets(shares.ping_every_s, self._sums.availability)
        self._uploads = Uploads(shares.patience_s, shares.body_bytes_a_second)
        self._workers = Workers(programs, begin, self._take, self._end_of)
        self._pace = Pace(shares.calls_a_second)
        self._turns = Turns(shares.with_worker, shares.waiting, len(programs))
        self._budget = Budget(shares.body_bytes, shares.body_bytes_of_an_address)
        self._places = Places(shares.connections, shares.of_an_address, self._is_proxy)
        self._server: web.Server | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._is_draining = False
        self._is_empty = asyncio.Event()

    async def run(self, first: Started | None = None, begun: Callable[[], None] = lambda: None) -> bool:
        """Serves until `stop`. False where no worker can start. `first` is the main one, where it was heard already.

        `begun` is called when the main worker answers calls, and connections are accepted.
        """
        self._server = web.Server(self._handle, handler_cancellation=True)
        self._accepting = asyncio.create_task(self._accept(begun))
        ending = asyncio.create_task(self._end_the_late())
        try:
            return await self._workers.run(first)
        finally:
            self._accepting.cancel()
            ending.cancel()
            await self._server.shutdown(END_S)

    async def stop(self) -> None:
        """Ends the workers in order, and with them every wait. `run` returns then."""
        await self._workers.stop()

    def _take(self, frame: ToGateway) -> None:
        """What a worker says that is no answer."""
        if isinstance(frame, Counted):
            self._sums.take(frame.counts)
        else:
            self._uploads.take(frame)
            self._sockets.take(frame)

    def _end_of(self, link: Link) -> None:
        """A worker has ended."""
        self._sums.worker_ended()
        self._sockets.end_all(link)

    async def drain(self, seconds: float, *, has_successor: bool) -> None:
        """Lets each client go with its next answer, ends the WebSockets in half of the time, and stops after it.

        A successor accepts what comes from now on, and then the stop comes as soon as no connection is left. Without
        one, new connections are served to the end, and `/healthz` sends those who ask for it to other hosts.
        """
        self._is_draining = True
        if has_successor:
            assert self._accepting is not None
            self._accepting.cancel()
            self._listener.close()
            await asyncio.sleep(0)  # what was accepted at this very moment takes its place
        ending = asyncio.create_task(self._sockets.let_go(seconds / 2))
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not has_successor or self._places.taken:
                    self._is_empty.clear()
                    await self._is_empty.wait()
        ending.cancel()
        await self.stop()

    async def _accept(self, begun: Callable[[], None]) -> None:
        """Accepts connections once they can be answered. Until then they wait in the kernel."""
        if await self._workers.wait_ready():
            begun()
            await Accepting(self._listener, self._connection, self._certificate, self._shares.patience_s).run()

    def _connection(self, plain: socket.socket, address: str) -> Connection | None:
        """The protocol of a new connection; None where the address has its share already."""
        assert self._server is not None
        made = Connection(self._server, plain, address, self._shares.patience_s, self._part)
        return made if self._places.take(address, made) else None

    def _part(self, connection: Connection) -> None:
        self._places.leave(connection.address, connection)
        if not self._places.taken:
            self._is_empty.set()

    async def _end_the_late(self) -> None:
        """Ends the connections whose request is not whole in time."""
        assert self._server is not None
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._shares.patience_s / 10)
            now = loop.time()
            for each in self._server.connections:
                if isinstance(each, Connection) and each.due is not None and each.due < now:
                    each.end()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        assert isinstance(connection, Connection)
        client = self._client(request, connection.address)
        connection.begin()
        serve(request_id_of(request))
        try:
            if is_upload(request):
                return await self._respond(request, client, Body(announced=request.content_length or 0))
            with self._budget.holding(client, most_bytes(request)) as held:
                if held is None:
                    return self._refuse_unread(request, BUSY)
                body = await read_body(request, self._shares.patience_s, self._shares.body_bytes_a_second)
                if body is None:
                    return self._refuse_unread(request, TOO_SLOW)
                held.shrink(len(body.content))
                if self._is_draining and request.path == _HEALTH:
                    return draining()
                return await self._respond(request, client, body)
        finally:
            connection.finish()

    async def _respond(self, request: web.BaseRequest, client: str, body: Body) -> web.StreamResponse:
        connection = request.protocol
        assert isinstance(connection, Connection)
        way = way_of(request.raw_path)
        call = self._call(request, body, connection.address)
        begun_s = time.monotonic()
        answer = self._tell_metrics if _is_scrape(call) else self._answer_or_repeat
        response = await answer(request, client, call)
        self._sums.answered(way, response.status, None if way in UNTIMED else time.monotonic() - begun_s)
        return _last(response) if self._is_draining else response

    def _refuse_unread(self, request: web.BaseRequest, error: ApiError) -> web.Response:
        self._sums.answered(way_of(request.raw_path), error.status, None)
        return _last(refusal(error))

    def _call(self, request: web.BaseRequest, body: Body, peer: str) -> Call:
        target = request.raw_path
        return Call(
            number=next(self._numbers),
            method=request.method,
            target=target if target.startswith("/") else request.rel_url.raw_path_qs,
            headers=with_request_id(list(request.raw_headers), served_request()),
            body=body.content,
            announced=body.announced,
            is_socket=request.headers.get("Upgrade", "").lower() == "websocket",
            peer=peer,
            scheme="https" if self._certificate else "http",
            port=self._port,
            is_upload=is_upload(request),
        )

    async def _tell_metrics(self, request: web.BaseRequest, client: str, call: Call) -> web.StreamResponse:
        """The gateway's metrics and those of a worker, which says whether the sender may have them.

        Where no worker answers in time, a program on this machine gets the gateway's own.
        """
        try:
            async with asyncio.timeout(SCRAPE_S):
                answer = await self._answer_or_repeat(request, client, call)
        except TimeoutError:
            answer = refusal(BUSY)
        is_away = answer.status == HTTPStatus.SERVICE_UNAVAILABLE
        if is_away and is_direct(call.peer, call.scheme, request.headers.get("Host", ""), request.headers):
            return metrics(self._sums.exposition())
        return answer

    def _with_sums(self, call: Call, told: Told) -> Told:
        """An answer as it is. The metrics of a worker get the gateway's behind them."""
        is_granted = _is_scrape(call) and told.answer.status == HTTPStatus.OK
        return Told(told.answer, self._sums.exposition()) if is_granted else told

    async def _answer_or_repeat(self, request: web.BaseRequest, client: str, call: Call) -> web.StreamResponse:
        """The answer. Where the worker ends before it, a call that changes nothing is asked once more."""
        for _ in range(2 if call.method in _SAFE else 1):
            with suppress(NoWorker):
                return await self._answer(request, client, call)
        return refusal(BUSY)

    async def _answer(self, request: web.BaseRequest, client: str, call: Call) -> web.StreamResponse:
        delay_s = self._pace.delay(client, asyncio.get_running_loop().time())
        if delay_s > 0:
            await asyncio.sleep(delay_s)
        place = self._place(request)
        if not await self._turns.take(place, client):
            return refusal(BUSY)
        turn = _Turn(self._turns, place)
        try:
            link = await self._workers.link(place, WORKER_S)
        except BaseException:
            turn.end()
            raise
        opening = self._sockets.open(call.number, link, token_id_in(request.headers)) if call.is_socket else None
        if call.is_upload:
            self._uploads.open(call.number, request, link)
        try:
            answer = await self._ask(link, call, turn)
            if isinstance(answer, Accept):
                assert opening is not None
                return await opening.serve(request, answer)
            return refusal(BUSY) if answer is None else response(self._with_sums(call, answer))
        finally:
            self._sockets.forget(call.number)
            self._uploads.forget(call.number)

    def _place(self, request: web.BaseRequest) -> int:
        """The place of the worker that a call goes to."""
        places = self._workers.places
        if len(places) == 1:
            return 0
        token_id = token_id_in(request.headers)
        if token_id is not None:
            return self._workers.place_for(token_id)
        # No worker remembers anything of such a call, so the one with the least to do answers it.
        return min(places, key=lambda place: (not self._workers.is_ready(place), self._turns.busy(place)))

    async def _ask(self, link: Link, call: Call, turn: "_Turn") -> Told | Accept | None:
        """The worker's answer; None where it takes too long."""
        try:
            async with asyncio.timeout(None if call.is_upload else ANSWER_S):
                return await link.ask(call, turn.end)
        except TimeoutError:
            log.error("the worker did not answer within %s seconds", ANSWER_S)  # noqa: TRY400 one line
            return None

    def _client(self, request: web.BaseRequest, peer: str) -> str:
        """The address whose share a call is of."""
        chain = ",".join(request.headers.getall("X-Forwarded-For", ()))  # a proxy may add a line of its own
        if not chain or not self._is_proxy(peer):
            return peer
        address = read_address(peer)
        assert address is not None
        return str(client_of(address, chain, self._is_trusted))

    def _is_proxy(self, peer: str) -> bool:
        address = read_address(peer) if self._proxies else None
        return address is not None and self._is_trusted(address)

    def _is_trusted(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        return any(address in network for network in self._proxies)


class _Turn:
    """A turn that ends once."""

    def __init__(self, turns: Turns, place: int) -> None:
        self._turns: Turns | None = turns
        self._place = place

    def end(self) -> None:
        turns, self._turns = self._turns, None
        if turns is not None:
            turns.give_back(self._place)


def _is_scrape(call: Call) -> bool:
    return call.target.partition("?")[0] == METRICS_PATH


def _last(response: Response) -> Response:
    """A response after which the connection ends: what follows on it is no request."""
    response.force_close()
    return response
