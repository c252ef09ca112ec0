"""A chain of hospitals at one centre: a thousand kiosks wait for news, and something changes five times a second.

The kiosks are in a process of their own, which holds a connection for each. They begin with the whole roster, as one
of them has pulled it. First on SQLite, then the same centre on a private PostgreSQL with `fsync` on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiosk.demo import hospital
from kiosk.demo.hospital import Places, Program, command_of
from sync.central.kiosks.waiting_room import interval_s
from tests.bench.commanded import Commanded, commanded
from tests.bench.enrolled import enrol_kiosks
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
AT_ONCE = 100  # kiosks that pull the whole roster together


def measure(directory: Path, size: Size = CHAIN) -> list[Figure]:
    """Until when each kiosk has a change, and what the processes take, on both databases."""
    directory.mkdir(parents=True)
    places = Places(directory, hospital.free_port(), hospital.free_port())
    fill(places, size.roster)
    enrolled = enrol_kiosks(places.database, size.kiosks)
    (directory / "kiosks.json").write_text(json.dumps(enrolled.document), "utf-8")
    steps = (("scan_nfc", f"P{number}") for number in range(size.roster))
    bench = _Bench(size, places, enrolled.token, steps)
    return [*_on_sqlite(places, bench), *_on_postgresql(places, bench)]


def _on_sqlite(places: Places, bench: _Bench) -> Iterator[Figure]:
    central = hospital.start_central(places)
    central.await_health()
    try:
        with bench.hall() as hall:
            yield from bench.roster(hall, central)
            yield from bench.run("SQLite", hall, central)
    finally:
        central.stop()


def _on_postgresql(places: Places, bench: _Bench) -> Iterator[Figure]:
    with cluster(durable=True) as server, server.bare() as url:
        copy = Copy(url, places.directory / "state")
        copy_centre(places, copy)
        command = [*command_of("kiosk-central"), "run", "--database", url, "--state-dir", str(copy.state_dir)]
        command += ["--listen", f"127.0.0.1:{places.central_port}"]
        central = Program("centre", command, places.directory / "postgres.log", f"{places.central_url}/healthz")
        central.await_health()
        try:
            with bench.hall() as hall:
                hall.ask("snapshot", 1)
                yield from bench.run("PostgreSQL", hall, central, server.pid)
        finally:
            central.stop()


class _Bench:
    def __init__(self, size: Size, places: Places, token: str, steps: Iterator[Step]) -> None:
        self._size = size
        self._places = places
        self._token = token
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
        client = Client(self._places.central_port, self._token)
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(hall.ask, "snapshot", AT_ONCE)
            acted = act_while(client, self._steps, size.changes_a_second, lambda: not asked.done())
        client.close()
        last_s = max(each[0] for each in asked.result())
        rate = sum(each[3] for each in asked.result()) / 2**20 / last_s
        yield Figure(f"{AT_ONCE} kiosks get it at once", f"{last_s:.1f} s, {rate:.0f} MiB/s")
        yield Figure("  an action meanwhile, p50, p99, longest", spread(acted.took_s))
        memory = ", ".join(f"{rss_mb(pid):.0f} MB" for pid in family(central.process.pid))
        yield Figure("  memory of the gateway and the worker after it", memory)
        whole_min = size.kiosks / AT_ONCE * last_s / 60
        yield Figure(f"  so {size.kiosks:,} empty kiosks, by arithmetic", f"{whole_min:.0f} min")

    def run(self, database: str, hall: Commanded, central: Program, server: int | None = None) -> Iterator[Figure]:
        """All kiosks wait for changes: behind the addresses of hospitals, and behind one address."""
        size = self._size
        alone = self._act(size.alone_s)
        yield Figure(f"{database}: an action while no kiosk waits, p50, p99, longest", spread(alone.took_s))
        came_s = hall.ask("wait", size.kiosks, size.hospitals)
        yield Figure(
            f"{database}: {size.kiosks:,} kiosks come at once, until the last has its answer", f"{came_s:.1f} s"
        )
        yield from self._told(f"{database}, {size.hospitals} addresses", hall, central, server)
        hall.ask("wait", size.kiosks, 1)
        yield from self._told(f"{database}, one address", hall, central, server)

    def _told(self, name: str, hall: Commanded, central: Program, server: int | None) -> Iterator[Figure]:
        gateway, (worker, *_) = central.process.pid, children(central.process.pid)
        parts = {
            "gateway": lambda: cpu_s(gateway),
            "worker": lambda: cpu_of_family_s(worker),
            "kiosks": lambda: cpu_s(hall.pid),
        }
        if server is not None:
            parts["database"] = lambda: cpu_of_family_s(server)
        time.sleep(SETTLE_S)
        hall.ask("told")  # what changed before they came
        used = usage(parts)
        acted = self._act(self._size.lasts_s)
        hall.ask("all", next(reversed(_answered_ms(acted))))
        taken = used()
        figures = _figures(acted, hall.ask("told"), self._size.kiosks)
        yield Figure(f"{name}: an action, p50, p99, longest", spread(acted.took_s))
        for figure in figures:
            yield Figure(f"  {figure.name}", figure.value, figure.goal)
        yield Figure("  processors used", ", ".join(f"{part} {share:.2f}" for part, share in taken.items()))
        memory = {"gateway": gateway, "worker": worker}
        yield Figure("  memory", ", ".join(f"{part} {rss_mb(pid):.0f} MB" for part, pid in memory.items()))

    def _act(self, lasts_s: float) -> Acted:
        """The desk acts on one patient after the other, at the pace of the chain."""
        client = Client(self._places.central_port, self._token)
        acted = act(client, self._steps, self._size.changes_a_second, lasts_s)
        client.close()
        return acted


def _figures(acted: Acted, told: Mapping[str, Any], kiosks: int) -> Iterator[Figure]:
    """How long changes took. Gathering ends when the first answer with a change is made."""
    answered_ms = _answered_ms(acted)
    pages: list[list[str]] = told["pages"]
    answers: list[tuple[int, int, float]] = told["answers"]
    gathered_ms: dict[str, int] = {}
    had: dict[str, int] = dict.fromkeys(answered_ms, 0)
    for page, made_ms, _ in answers:
        for patient_id in pages[page]:
            gathered_ms[patient_id] = min(made_ms, gathered_ms.get(patient_id, made_ms))
            had[patient_id] += 1
    assert set(had.values()) == {kiosks}, "each kiosk has each change once"
    sets = sorted(set(gathered_ms.values()))
    whole_s, told_s = [], []
    for page, _, got_ms in answers:
        for patient_id in pages[page]:
            whole_s.append((got_ms - answered_ms[patient_id]) / 1000)
            told_s.append((got_ms - gathered_ms[patient_id]) / 1000)
    gathering_s = [(gathered_ms[each] - done_ms) / 1000 for each, done_ms in answered_ms.items()]
    apart_s = (sets[-1] - sets[0]) / 1000 / max(1, len(sets) - 1)
    yield Figure("from one set to the next", f"{apart_s:.2f} s", f"{interval_s(kiosks):.2f} s")
    yield Figure("gathering of a change, p50, p99, longest", spread(gathering_s))
    yield Figure("from its end to a kiosk, p50, p99, longest", spread(told_s), "p99 ≤ 500 ms")
    yield Figure("from a change to a kiosk, p50, p99, longest", spread(whole_s))
    yield Figure("changes × kiosks, none missing and none twice", f"{sum(had.values()):,}")


def _answered_ms(acted: Acted) -> dict[str, float]:
    """When the action on each patient was answered (UTC ms)."""
    return {patient_id: done_ms for (_, patient_id), done_ms in acted.steps}
