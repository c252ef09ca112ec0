"""Serves the centre: this process is the gateway, and keeps workers running that have the database open.

The workers end with the gateway. Where one ends by itself, another one is started in its place. A stop ends sockets and
waiting calls first, so that it takes seconds even with all of them open. A service whose successor has taken its port
over ends none of them before their time.
"""

import asyncio
import gc
import resource
import signal
import socket
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sync.central.frames import Begin
from sync.central.gateway.gateway import SHARES, Gateway, Shares
from sync.central.gateway.handover import Handover
from sync.central.gateway.program import Program, Started
from sync.central.tls.certificate import ServedCertificate

HANDOVER_S = 30.0  # for clients to go to a successor: a call waits 25 seconds for news at most
_OTHER_FILES = 64


@dataclass(frozen=True, slots=True)
class Port:
    """The port of a service.

    `begun` is called once calls are answered. `handover` is where a successor asks for the listening socket; None where
    there can be none. A service that is told to end drains for `drain_s` seconds, while a load balancer finds out.
    """

    listener: socket.socket
    begun: Callable[[], None] = lambda: None
    handover: Path | None = None
    incarnation: str = ""
    drain_s: float = 0.0


def serve(
    port: Port,
    programs: Sequence[Program],
    certificate: ServedCertificate | None = None,
    begin: Begin | None = None,
    shares: Shares = SHARES,
    first: Started | None = None,
) -> bool:
    """Serves until SIGTERM or SIGINT, or until a successor serves. False where no worker can start.

    `programs` are the workers, the main one first. With a certificate it serves https. `begin` is what each worker is
    told. `first` is the main worker, where that was started and heard already. Raises OSError.
    """
    _allow_files(shares.connections)
    gc.freeze()
    return asyncio.run(_serve(port, programs, certificate, begin, shares, first))


def _allow_files(connections: int) -> None:
    """Lets this process open a file for each connection, as far as the system allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


async def _serve(
    port: Port,
    programs: Sequence[Program],
    certificate: ServedCertificate | None,
    begin: Begin | None,
    shares: Shares,
    first: Started | None,
) -> bool:
    gateway = Gateway(port.listener, programs, certificate, begin, shares)
    tasks: list[asyncio.Task[None]] = []

    def start(work: Coroutine[Any, Any, None]) -> None:
        tasks.append(asyncio.get_running_loop().create_task(work))

    is_draining = False

    def drain(*, has_successor: bool) -> None:
        nonlocal is_draining
        seconds = HANDOVER_S if has_successor else port.drain_s
        start(gateway.stop() if is_draining or not seconds else gateway.drain(seconds, has_successor=has_successor))
        is_draining = True

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, partial(drain, has_successor=False))

    with ExitStack() as opened:
        handover = None
        if port.handover is not None:
            handover = Handover(port.handover, port.incarnation, port.listener, partial(drain, has_successor=True))
            opened.callback(handover.close)

        def begun() -> None:
            port.begun()
            if handover is not None:
                start(handover.run())

        return await gateway.run(first, begun)
