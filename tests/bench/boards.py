"""How soon boards hear of a change, one of them and many, and what a board of 300 who wait costs.

Centre, gateway and the clients share the machine, and a process.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import requests

from sync.central.services.board_feed import BoardFeed
from sync.central.web.asyncapi import BOARD_PATH
from sync.central.web.socket_places import SOCKETS_OF_A_TOKEN
from sync.journey.model import STAFF, Role
from tests.bench.figures import Figure, ms, percentile
from tests.bench.raw import WebSocket
from tests.sync.central.centre import Centre, patient
from tests.sync.central.online import API, Online
from tests.sync.central.statements import counting

WAITING = 300
MANY = 200
ROUNDS = 30
LOADS = 20


def measure(directory: Path) -> list[Figure]:
    """The figures of the boards."""
    directory.mkdir(parents=True)
    online = Online(directory, max_sockets=MANY + 10, centre=Centre(directory, patients=WAITING * 2))
    try:
        waiting = [patient(n) for n in range(1, WAITING * 2) if n % 5][:WAITING]
        for each in waiting:
            online.centre.walk(each, "scan_nfc", "register", "confirm_arrival")
        return [*_loads(online), *_heard(online, waiting), _statements(online, waiting[-1])]
    finally:
        online.close()


def _loads(online: Online) -> list[Figure]:
    took_s, size = [], 0
    for _ in range(LOADS + 1):
        began_s = time.perf_counter()
        answer = requests.get(
            f"http://{online.host}{API}/board/", headers={"Authorization": f"Bearer {online.staff}"}, timeout=30
        )
        took_s.append(time.perf_counter() - began_s)
        size = len(answer.content)
    name = f"GET a board of {WAITING}, the first, then p50 of {LOADS}"
    return [Figure(name, f"{ms(took_s[0])}, {ms(statistics.median(took_s[1:]))}, {size // 1024} KiB", "")]


def _heard(online: Online, waiting: Sequence[str]) -> list[Figure]:
    """From the commit of a call until the board has it: one board and many by turns."""
    tokens = [online.centre.token(Role.STAFF, name=f"Board {n}") for n in range(1 + MANY // SOCKETS_OF_A_TOKEN)]
    port = int(online.host.partition(":")[2])
    patients = iter(waiting)
    found: dict[int, list[float]] = {}
    for number in (1, MANY):
        boards = [WebSocket(port, tokens[n // SOCKETS_OF_A_TOKEN], "", path=BOARD_PATH) for n in range(number)]
        assert {each.await_open() for each in boards} == {101}
        last_s = found[number] = []
        for _ in range(ROUNDS):
            assert online.centre.act(next(patients), "call_patient", STAFF).done
            began_s = time.perf_counter()
            for each in boards:
                each.next()
            last_s.append(time.perf_counter() - began_s)
            time.sleep(0.1)  # the next reading has no pause before it
        for each in boards:
            each.socket.close()
    p50, p99 = ({number: percentile(each, share) for number, each in found.items()} for share in (0.5, 0.99))
    return [
        Figure("commit → one board, p50, p99", f"{ms(p50[1])}, {ms(p99[1])}", "≤ 100 ms"),
        Figure(f"commit → the last of {MANY} boards, p50, p99", f"{ms(p50[MANY])}, {ms(p99[MANY])}", "≤ 100 ms"),
        Figure("  ÷ one board, p50, p99", f"{p50[MANY] / p50[1]:.1f}, {p99[MANY] / p99[1]:.1f}", ""),
    ]


def _statements(online: Online, patient_id: str) -> Figure:
    feed = BoardFeed(online.centre.parts)
    feed.board(())
    assert online.centre.act(patient_id, "call_patient", STAFF).done
    with counting(online.centre.store) as said:
        for _ in range(MANY):
            feed.since(1, ())
        feed.board(())
    return Figure(f"statements for a change, {MANY} boards", str(len(said)), "")
