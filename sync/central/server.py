"""Serves the centre: this process is the gateway, and keeps workers running that have the database open.

The workers end with the gateway. Where one ends by itself, another one is started in its place. A stop ends sockets and
waiting calls first, so that it takes seconds even with all of them open.
"""

import asyncio
import gc
import resource
import signal
import socket
from collections.abc import Sequence

from sync.central.frames import Begin
from sync.central.gateway.gateway import SHARES, Gateway, Shares
from sync.central.gateway.program import Program, Started
from sync.central.tls.certificate import ServedCertificate

_OTHER_FILES = 64


def serve(
    listener: socket.socket,
    programs: Sequence[Program],
    certificate: ServedCertificate | None = None,
    begin: Begin | None = None,
    shares: Shares = SHARES,
    first: Started | None = None,
) -> bool:
    """Serves until SIGTERM or SIGINT. False where no worker can start.

    `programs` are the workers, the main one first. With a certificate it serves https. `begin` is what each worker is
    told. `first` is the main worker, where that was started and heard already.
    """
    _allow_files(shares.connections)
    gc.freeze()
    return asyncio.run(_serve(listener, programs, certificate, begin, shares, first))


def _allow_files(connections: int) -> None:
    """Lets this process open a file for each connection, as far as the system allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


async def _serve(
    listener: socket.socket,
    programs: Sequence[Program],
    certificate: ServedCertificate | None,
    begin: Begin | None,
    shares: Shares,
    first: Started | None,
) -> bool:
    gateway = Gateway(listener, programs, certificate, begin, shares)
    stopping: set[asyncio.Task[None]] = set()

    def stop() -> None:
        if not stopping:
            stopping.add(asyncio.get_running_loop().create_task(gateway.stop()))

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    return await gateway.run(first)
