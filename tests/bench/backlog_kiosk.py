"""The kiosk of the backlog's benchmark, as a process: it enrols, fills its outbox, drains it and prints its figures.

python -m tests.bench.backlog_kiosk DIRECTORY URL URL_OVER_A_SLOW_WIRE CODE CODE_FOR_A_SECOND_KIOSK
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

from kiosk.front.reception import Reception
from kiosk.front.screen import ScreenKind
from sync.agent.overlap import in_thread
from sync.agent.steps import Puller, Pusher
from sync.cards import canonical_card
from sync.protocol import MAX_BATCH
from tests.bench.backlog import ACTIONS, FEW, SINGLE, STEPS, TAPS_AT_REST
from tests.bench.processes import rss_mb
from tests.kiosk.reception_rig import Seconds, hold_card
from tests.reliability.ends import Kiosk, uid

PACE_S = 0.01  # between taps; people tap far less often


class Drain:
    """A kiosk, the people who come to it, and its measurements."""

    def __init__(self, directory: Path, url: str, code: str) -> None:
        self.kiosk = Kiosk(directory, url, code, deadline_s=10.0)
        self.people: Iterator[int] = count()
        keys = self.kiosk.keys
        self.seconds = Seconds()
        self.reception = Reception(
            self.kiosk.journeys,
            keys.hashes,
            lambda: ("scan_nfc",),
            lambda: self.kiosk.agent.push_soon(),
            monotonic=self.seconds,
        )
        self.actions = 0

    def renew_agent(self) -> None:
        """Makes an agent that informs the reception, as the daemon's agent does."""
        agent = self.kiosk.agent = self.kiosk.new_agent(lambda touched: self.reception.update(touched, agent.online))

    def pull(self) -> None:
        """Pulls the whole roster."""
        client = self.kiosk.connect()
        puller = Puller(self.kiosk.ledger, client, wait_s=0.0)
        while puller.run_once().again:
            pass
        client.close()

    def fill(self, actions: int) -> None:
        """Fills the outbox with so many actions, by people who do every step at once."""
        for _ in range(actions // STEPS):
            self.kiosk.check_in(next(self.people))
        self.actions += actions // STEPS * STEPS

    def taps(self, more: Callable[[], bool]) -> list[float]:
        """Has people tap, one after the other, while `more` is true. Returns the duration of each tap in seconds."""
        took = []
        while more():
            card = canonical_card("iso14443a", bytes.fromhex(uid(next(self.people))))
            begin = time.perf_counter()
            screen = hold_card(self.reception, self.seconds, card)
            took.append(time.perf_counter() - begin)
            assert screen.screen is ScreenKind.JOURNEY
            self.actions += 1
            time.sleep(PACE_S)
        return took

    def rate(self, actions: int, url: str, limit: int) -> float:
        """Fills the outbox with so many actions and pushes them in batches of `limit`. Returns actions a second."""
        self.fill(actions)
        client = self.kiosk.connect(url)
        pusher = Pusher(self.kiosk.ledger, client)
        before = self.kiosk.parts.pending()
        begin = time.perf_counter()
        while self.pending():
            pusher.limit = limit
            assert not pusher.run_once().failed
        took = time.perf_counter() - begin
        client.close()
        return before / took

    def drain(self) -> float:
        """Pushes all that is pending, as the daemon does. Returns actions a second."""
        client = self.kiosk.connect()
        pusher = Pusher(self.kiosk.ledger, client, begin=in_thread)
        before = self.kiosk.parts.pending()
        begin = time.perf_counter()
        while (step := pusher.run_once()).again:
            assert not step.failed
        took = time.perf_counter() - begin
        client.close()
        return before / took

    def pending(self) -> bool:
        """Whether an action is pending. Counting all of them before every tap would take too long."""
        with self.kiosk.store.read() as db:
            return db.execute("select 1 from outbox where status = 'pending' limit 1").fetchone() is not None


def peak_mb(during: Callable[[], object]) -> float:
    """The peak memory (RSS) of this process during a call."""
    over, most = threading.Event(), 0.0

    def watch() -> None:
        nonlocal most
        while not over.wait(0.05):
            most = max(most, rss_mb(os.getpid()))

    thread = threading.Thread(target=watch)
    thread.start()
    during()
    over.set()
    thread.join()
    return max(most, rss_mb(os.getpid()))


class Beside:
    """The process of the second kiosk, whose taps are slowed by the load of the machine alone."""

    def __init__(self, directory: Path, url: str, code: str) -> None:
        command = [sys.executable, "-m", "tests.bench.backlog_beside", str(directory), url, code]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def start(self) -> None:
        """Has people begin to tap there."""
        assert self._process.stdin is not None
        self._process.stdin.write("begin\n")
        self._process.stdin.flush()

    def stop(self) -> list[float]:
        """Ends the process. Returns the duration of each tap in seconds."""
        output, _ = self._process.communicate()
        durations_s: list[float] = json.loads(output)
        return durations_s


def main() -> None:
    directory, loopback_url, slow_url, code, second_code = sys.argv[1:]
    drain = Drain(Path(directory), loopback_url, code)
    drain.pull()
    taps = count()
    rest = drain.taps(lambda: next(taps) < TAPS_AT_REST)
    ways = {"here": loopback_url, "there": slow_url}
    rates: dict[str, object] = {f"single_{name}": drain.rate(SINGLE, url, 1) for name, url in ways.items()}
    rates |= {f"batches_{name}": drain.rate(FEW, url, MAX_BATCH) for name, url in ways.items()}
    drain.fill(FEW)
    drain.renew_agent()
    drain.kiosk.agent.start()
    few_mb = peak_mb(lambda: drain.taps(drain.pending))
    drain.kiosk.agent.stop()
    drain.fill(ACTIONS)
    drain.renew_agent()
    beside = Beside(Path(directory) / "beside", loopback_url, second_code)
    meanwhile: list[float] = []
    beside.start()
    begin = time.perf_counter()
    drain.kiosk.agent.start()
    many_mb = peak_mb(lambda: meanwhile.extend(drain.taps(drain.pending)))
    drained_s = time.perf_counter() - begin
    taps_beside = beside.stop()
    figures = rates | {
        "taps_at_rest": rest,
        "taps_meanwhile": meanwhile,
        "taps_beside": taps_beside,
        "drained_s": drained_s,
        "few_mb": few_mb,
        "many_mb": many_mb,
        "actions": drain.actions,
        "statuses": drain.kiosk.statuses(),
    }
    drain.kiosk.close()
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
