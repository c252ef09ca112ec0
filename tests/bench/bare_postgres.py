"""The bare handler over PostgreSQL. `python -m tests.bench.bare_postgres DIRECTORY PORT URL`"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from sync.central.gateway.listening import listen
from sync.central.gateway.program import Command
from sync.central.server import Port, serve
from sync.central.store.pg_connection import connect
from sync.central.worker.process import run_worker
from tests.bench.bare import Bare, Database


def server(url: str) -> Database:
    """What runs statements on a server, through the centre's own driver."""
    driver = connect(url, {}, {"synchronous_commit": "on"})

    def execute(sql: str, parameters: object) -> None:
        cursor = driver.execute(sql, parameters or None)  # type: ignore[call-overload]
        if cursor.description:
            cursor.fetchall()

    return execute, lambda sql, rows: driver.cursor().executemany(sql, rows)


def main(words: list[str]) -> None:
    """`DIRECTORY PORT URL` is the server, which starts `DIRECTORY PORT URL LINK`, its worker."""
    directory, port, url, *link = words
    if link:
        run_worker(socket.socket(fileno=int(link[0])), lambda: Bare(Path(directory), server(url)))
    serve(Port(listen(f"127.0.0.1:{port}")), [Command([sys.executable, "-m", "tests.bench.bare_postgres", *words])])


if __name__ == "__main__":
    main(sys.argv[1:])
