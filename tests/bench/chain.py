"""A chain of hospitals at one centre: a thousand kiosks wait for news, and something changes five times a second.

The kiosks are in a process of their own, which holds a connection for each. They begin with the whole roster, as one
of them has pulled it. First on SQLite, then the same centre on a private PostgreSQL with `fsync` on, with one worker
and with two.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from kiosk.demo import hospital
from kiosk.demo.hospital import Places, Program, command_of
from sync.central.gateway.routing import place_of
from sync.central.network.bearer import token_id_of
from tests.bench.chain_figures import told_figures
from tests.bench.commanded import Commanded, commanded
from tests.bench.enrolled import Enrolled, enrol_kiosks
from tests.bench.figures import Figure
from tests.bench.paced import Acted, Step, act, act_while, spread
from tests.bench.postgres import Copy, copy_centre
from tests.bench.processes import children, cpu_of_family_s, cpu_s, family, rss_mb, usage
from tests.bench.raw import Client
from tests.bench.recorded import fill
from tests.sync.central.databases import cluster


@dataclass(frozen=True, slots=True)
class Size:
    """How large the chain is, and how long each part is measured (s)."""

    kiosks: int = 1_000
    roster: int = 100_000
    changes_a_second: float = 5.0
    lasts_s: float = 60.0
    alone_s: float = 15.0
    hospitals: int = 20  # each with one address to the outside


CHAIN = Size()
SETTLE_S = 2.0  # until all have called again
AT_ONCE = 100  # kiosks that pull the whole roster together, at most


def measure(directory: Path, size: Size = CHAIN) -> list[Figure]:
    """Until when each kiosk has a change, and what the processes take, on both databases."""
    directory.mkdir(parents=True)
    places = Places(directory, hospital.free_port(), hospital.free_port())
    fill(places, size.roster)
    enrolled = enrol_kiosks(places.database, size.kiosks)
    (directory / "kiosks.json").write_text(json.dumps(enrolled.document), "utf-8")
    steps = (("scan_nfc", f"P{number}") for number in range(size.roster))
    bench = _Bench(size, places, enrolled, steps)
    return [*_on_sqlite(places, bench), *_on_postgresql(places, bench)]


def _on_sqlite(places: Places, bench: _Bench) -> Iterator[Figure]:
    central = hospital.start_central(places)
    central.await_health()
    try:
        with bench.hall() as hall:
            yield from bench.roster(hall, central)
            yield from bench.run("SQLite", hall, central)
            yield from bench.run_from_one_address("SQLite", hall, central)
    finally:
        central.stop()


def _on_postgresql(places: Places, bench: _Bench) -> Iterator[Figure]:
    with cluster(durable=True) as server, server.bare() as url:
        copy = Copy(url, places.directory / "state")
        copy_centre(places, copy)
        for workers in (1, 2):
            command = [*command_of("kiosk-central"), "run", "--database", url, "--state-dir", str(copy.state_dir)]
            command += ["--listen", f"127.0.0.1:{places.central_port}", "--workers", str(workers)]
            central = Program("centre", command, places.directory / "postgres.log", f"{places.central_url}/healthz")
            central.await_health()
            name = "PostgreSQL, 2 workers" if workers == 2 else "PostgreSQL"
            try:
                with bench.hall() as hall:
                    hall.ask("snapshot", 1)
                    yield from bench.run(name, hall, central, server.pid)
            finally:
                central.stop()


class _Bench:
    def __init__(self, size: Size, places: Places, enrolled: Enrolled, steps: Iterator[Step]) -> None:
        self._size = size
        self._places = places
        self._token = enrolled.token
        self._kiosks: list[list[str]] = enrolled.document["kiosks"]
        self._steps = steps

    def hall(self) -> AbstractContextManager[Commanded]:
        """The process of the kiosks."""
        file = self._places.directory / "kiosks.json"
        return commanded("tests.bench.chain_kiosks", "127.0.0.1", self._places.central_port, file)

    def roster(self, hall: Commanded, central: Program) -> Iterator[Figure]:
        """What the first roster of one kiosk takes, and of several at once."""
        size = self._size
        (alone,) = hall.ask("snapshot", 1)
        seconds, rows, pages, octets = alone
        assert rows == size.roster, rows
        said = f"{seconds:.1f} s, {octets / 2**20:.0f} MiB in {pages} pages"
        yield Figure(f"one kiosk gets a roster of {size.roster:,}", said)
        at_once = min(AT_ONCE, size.kiosks)
        client = Client(self._places.central_port, self._token)
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(hall.ask, "snapshot", at_once)
            acted = act_while(client, self._steps, size.changes_a_second, lambda: not asked.done())
        client.close()
        last_s = max(each[0] for each in asked.result())
        rate = sum(each[3] for each in asked.result()) / 2**20 / last_s
        yield Figure(f"{at_once} kiosks get it at once", f"{last_s:.1f} s, {rate:.0f} MiB/s")
        yield Figure("  an action meanwhile, p50, p99, longest", spread(acted.took_s))
        memory = ", ".join(f"{rss_mb(pid):.0f} MB" for pid in family(central.process.pid))
        yield Figure("  memory of the gateway and the worker after it", memory)
        whole_min = size.kiosks / at_once * last_s / 60
        yield Figure(f"  so {size.kiosks:,} empty kiosks, by arithmetic", f"{whole_min:.0f} min")

    def run(self, database: str, hall: Commanded, central: Program, server: int | None = None) -> Iterator[Figure]:
        """All kiosks come from the addresses of hospitals, and wait for changes."""
        size = self._size
        alone = self._act(size.alone_s)
        yield Figure(f"{database}: an action while no kiosk waits, p50, p99, longest", spread(alone.took_s))
        came_s = hall.ask("wait", size.kiosks, size.hospitals)
        yield Figure(
            f"{database}: {size.kiosks:,} kiosks come at once, until the last has its answer", f"{came_s:.1f} s"
        )
        yield from self._told(f"{database}, {size.hospitals} addresses", hall, central, server)

    def run_from_one_address(
        self, database: str, hall: Commanded, central: Program, server: int | None = None
    ) -> Iterator[Figure]:
        """All kiosks come from one address."""
        hall.ask("wait", self._size.kiosks, 1)
        yield from self._told(f"{database}, one address", hall, central, server)

    def _told(self, name: str, hall: Commanded, central: Program, server: int | None) -> Iterator[Figure]:
        gateway, workers = central.process.pid, children(central.process.pid)
        parts = {
            "gateway": lambda: cpu_s(gateway),
            "workers": lambda: sum(cpu_of_family_s(pid) for pid in workers),
            "kiosks": lambda: cpu_s(hall.pid),
        }
        if server is not None:
            parts["database"] = lambda: cpu_of_family_s(server)
        time.sleep(SETTLE_S)
        hall.ask("told")  # what changed before they came
        used = usage(parts)
        acted = self._act(self._size.lasts_s)
        hall.ask("all", next(reversed(acted.answered_ms)))
        taken = used()
        figures = told_figures(acted, hall.ask("told"), self._workers_of_kiosks(len(workers)))
        yield Figure(f"{name}: an action, p50, p99, longest", spread(acted.took_s))
        for figure in figures:
            yield Figure(f"  {figure.name}", figure.value, figure.goal)
        yield Figure("  processors used", ", ".join(f"{part} {share:.2f}" for part, share in taken.items()))
        memory = ", ".join(f"{rss_mb(pid):.0f} MB" for pid in (gateway, *workers))
        yield Figure("  memory of the gateway and of each worker", memory)

    def _workers_of_kiosks(self, workers: int) -> list[int]:
        """The place of each kiosk's worker."""
        return [place_of(token_id_of(token), workers) for _, token in self._kiosks]

    def _act(self, lasts_s: float) -> Acted:
        """The desk acts on one patient after the other, at the pace of the chain."""
        client = Client(self._places.central_port, self._token)
        acted = act(client, self._steps, self._size.changes_a_second, lasts_s)
        client.close()
        return acted
