"""What an honest client notices of one that attacks, and what memory the attack takes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kiosk.demo import hospital
from kiosk.demo.hospital import Places
from sync.ids import new_id
from tests.bench.attackers import KINDS
from tests.bench.figures import Figure, ms, percentile
from tests.bench.processes import family, rss_mb
from tests.bench.raw import Client
from tests.bench.recorded import fill

ACTIONS = 300  # of each slice
WARM_S = 3.0  # of an attack, before it is measured


def measure(directory: Path) -> list[Figure]:
    """p99 of an honest client's actions under each attack beside its p99 without, by turns; memory afterwards."""
    directory.mkdir(parents=True)
    places = Places(directory, hospital.free_port(), hospital.free_port())
    fill(places, 2 * ACTIONS * len(KINDS) + 1)
    token = hospital.central_command(places, "token", "--role", "staff", "--name", "tests").strip()
    own = hospital.central_command(places, "token", "--role", "patient", "--patient", "P0").strip()
    central = hospital.start_central(places)
    central.await_health()
    numbers = iter(range(1, 2 * ACTIONS * len(KINDS) + 1))
    figures = []
    try:
        for kind in KINDS:
            alone = _acts(places.central_port, token, numbers)
            with _attack(kind, places.central_port, own):
                beside = _acts(places.central_port, token, numbers)
                memory = ", ".join(f"{rss_mb(pid):.0f}" for pid in family(central.process.pid))
            doc = (KINDS[kind].__doc__ or "").rstrip(".")
            figures += [
                Figure(f"p99 of an action beside: {doc}", f"{ms(beside)} ({ms(alone)} without)"),
                Figure("  ÷ p99 without", f"{beside / alone:.2f}", "≤ 3"),
                Figure("  memory of gateway and worker", f"{memory} MB", "≤ 128 MB each"),
            ]
    finally:
        central.stop()
    return figures


def _acts(port: int, token: str, numbers: Iterator[int]) -> float:
    client = Client(port, token)
    took_s = []
    for _ in range(ACTIONS):
        body = {"action_type": "scan_nfc", "action_id": new_id(), "payload": {"patient_id": f"P{next(numbers)}"}}
        began_s = time.perf_counter()
        client.act(0, body)
        took_s.append(time.perf_counter() - began_s)
    client.close()
    return percentile(took_s, 0.99)


@contextmanager
def _attack(kind: str, port: int, token: str) -> Iterator[None]:
    words = [sys.executable, "-m", "tests.bench.attackers", kind, str(port), token]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as process:
        time.sleep(WARM_S)
        assert process.poll() is None
        yield
        assert process.stdin is not None
        process.stdin.close()
