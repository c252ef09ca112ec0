"""perform-action at a centre on PostgreSQL against a bare Flask handler that runs the same SQL on the same server.

The server is a private one on this machine, with `fsync` on. As in `central.py`, a first run records the statements,
and the same clients drive both by turns, each on a copy of the database.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from kiosk.demo import hospital
from kiosk.demo.hospital import Places, Program, command_of
from sync.central.maintenance.move import move
from sync.central.opening import keys_path, move_keys, open_centre
from sync.central.store.opening import open_store
from sync.central.web.app import create_app
from sync.central.web.socket_places import SocketPlaces
from sync.clock import now_ms
from sync.ids import new_id
from tests.bench.by_turns import REQUESTS, Body, by_turns
from tests.bench.figures import Figure
from tests.bench.recorded import PATH, Statement, fill
from tests.sync.central.databases import cluster


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of the hospital on the server, and its state directory."""

    url: str
    state_dir: Path


def measure(directory: Path) -> list[Figure]:
    """Requests a second of both and their ratio, with 1, 8 and 32 clients."""
    directory.mkdir(parents=True)
    places = Places(directory, hospital.free_port(), hospital.free_port())
    fill(places, REQUESTS)
    token = hospital.central_command(places, "token", "--role", "staff", "--name", "bench").strip()
    bodies: list[Body] = [
        {"action_type": "scan_nfc", "action_id": new_id(), "payload": {"patient_id": f"P{number}"}}
        for number in range(REQUESTS)
    ]
    with ExitStack() as stack:
        server = stack.enter_context(cluster(durable=True))
        copies = [Copy(stack.enter_context(server.bare()), directory / name) for name in ("mine", "bare", "recorded")]
        for copy in copies:
            copy_centre(places, copy)
        mine, bare, recorded = copies
        (directory / "statements.json").write_text(json.dumps(_record(recorded, bodies, token)), "utf-8")
        listen = f"127.0.0.1:{places.central_port}"
        centre = ["run", "--database", mine.url, "--state-dir", str(mine.state_dir), "--listen", listen]
        handler = ["-m", "tests.bench.bare_postgres", str(directory), str(places.kiosk_port), bare.url]
        programs = {
            places.central_port: [*command_of("kiosk-central"), *centre],
            places.kiosk_port: [sys.executable, *handler],
        }
        for port, command in programs.items():
            program = Program(f"server {port}", command, directory / f"{port}.log", f"http://127.0.0.1:{port}/healthz")
            stack.callback(program.stop)
            program.await_health()
        return by_turns((places.central_port, places.kiosk_port), token, bodies)


def copy_centre(places: Places, copy: Copy) -> None:
    """Moves a copy of a centre, which does not run, to the server."""
    source, target = open_store(places.database), open_store(copy.url, copy.state_dir)
    move_keys(keys_path(source.place.state), keys_path(target.place.state))
    move(source, target, now_ms())
    target.close()
    source.close()


def _record(copy: Copy, bodies: Iterable[Body], token: str) -> list[list[Statement]]:
    """The statements of each request as the driver gets them, through the whole application."""
    seen: list[Statement] = []

    class Recording(psycopg.Cursor[Any]):
        def execute(self, query: Any, params: Any = None, **options: Any) -> Recording:
            seen.append((0, _text(query), params or ()))
            return super().execute(query, params, **options)

        def executemany(self, query: Any, params_seq: Iterable[Any], **options: Any) -> None:
            rows = list(params_seq)
            seen.append((1, _text(query), rows))
            super().executemany(query, rows, **options)

    plain = psycopg.connect
    psycopg.connect = lambda *words, **options: plain(*words, cursor_factory=Recording, **options)  # type: ignore[assignment]
    try:
        centre = open_centre(copy.url, state_dir=copy.state_dir)
        client = create_app(centre, SocketPlaces()).test_client()
        requests_seen = []
        for body in bodies:
            seen.clear()
            answer = client.post(PATH, json=body, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 200, answer.text
            requests_seen.append(list(seen))
        centre.store.close()
    finally:
        psycopg.connect = plain
    return requests_seen


def _text(query: str | bytes) -> str:
    return query.decode() if isinstance(query, bytes) else query
