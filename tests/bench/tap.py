"""From the moment a UID is known to the greeting, and to the committed tap, on a connected screen's socket.

A tap acts when its card has been alone for `SETTLE_S`. That time is no work, and is left out: the reception's clock
is moved on. The bare path (`bare_tap.py`) runs the same SQL and sends the same bytes. Both are measured in the same
run, by turns, on copies of the same file on the same disk.
"""

from __future__ import annotations

import gc
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from kiosk.config import DisplaySection
from kiosk.front.reception import Reception
from kiosk.front.screen import Screen
from kiosk.front.visitor import SETTLE_S
from kiosk.store.sqlite import Store
from kiosk.ui.app import create_app
from kiosk.ui.server import PageServer
from sync.journey.model import Journey, PatientId, VisitId
from sync.protocol import PatientRow
from tests.bench.bare_tap import BareTap, record
from tests.bench.figures import Figure, ms, percentile
from tests.bench.page_client import PageClient
from tests.bench.taken import Taken, taken
from tests.kiosk import samples
from tests.kiosk.parts import KioskParts
from tests.kiosk.reception_rig import ReceptionRig, Seconds, hold_card
from tests.kiosk.ui.admitted import ADMISSION

WARM_UP = 50
ROUNDS = WARM_UP + 1000
LINES = (1, 300, 900)
LINE_TAPS = 300


def measure(directory: Path) -> list[Figure]:
    """The tap against the bare path, its statements, and the tap of the last in lines of three lengths."""
    return [*_measure_tap(directory), *_count_statements(directory / "counted"), *_measure_lines(directory)]


def _measure_tap(directory: Path) -> list[Figure]:
    (directory / "kiosk").mkdir(parents=True)
    samples.enrolled(directory / "kiosk", samples.RunningClock(), *map(samples.row, range(ROUNDS))).store.close()
    recorded = record(directory / "kiosk", ROUNDS)
    shutil.copytree(directory / "kiosk", directory / "bare")
    kiosk, bare = _Kiosk(directory / "kiosk"), BareTap(directory / "bare", recorded)
    gc.freeze()  # as `kiosk run` does after its start
    rounds = [(kiosk.once(number), bare.once(number)) for number in range(ROUNDS)][WARM_UP:]
    kiosk.close()
    bare.close()
    return [
        *_figures("greeting", [(tap[0], bare[0]) for tap, bare in rounds]),
        *_figures("committed screen", [(tap[0] + tap[1], bare[0] + bare[1]) for tap, bare in rounds], "≤ 2"),
    ]


def _figures(name: str, rounds: list[tuple[Taken, Taken]], goal: str = "") -> list[Figure]:
    """The tap, the bare path and the ratio, at the middle and at the slow end."""
    times: dict[str, tuple[list[float], list[float]]] = {
        "": ([tap.wall_s for tap, _ in rounds], [bare.wall_s for _, bare in rounds]),
        ", processor time": ([tap.cpu_s for tap, _ in rounds], [bare.cpu_s for _, bare in rounds]),
    }
    figures = []
    for kind, (taps, bares) in times.items():
        for share, word in ((0.5, "p50"), (0.99, "p99")):
            tap, bare = percentile(taps, share), percentile(bares, share)
            what = f"tap → {name}{kind}, {word}"
            figures.append(Figure(f"{what}, and bare path", f"{ms(tap)}, {ms(bare)}"))
            figures.append(Figure(f"{what}, ratio", f"{tap / bare:.2f}", "" if kind else goal))
    return figures


def _count_statements(directory: Path) -> list[Figure]:
    """The statements of each kind of tap and press, BEGIN and COMMIT included."""
    directory.mkdir()
    rig = ReceptionRig(directory)
    shown = [rig.reception.screen()]
    acts: dict[str, Callable[[], Screen]] = {
        "first scan": lambda: rig.tap(samples.uid(1)),
        "register": lambda: rig.press(shown[-1]),
        "confirm": lambda: rig.press(shown[-1]),
        "repeated tap": lambda: rig.tap(samples.uid(1)),
        "unknown card": lambda: rig.tap(samples.uid(99)),
    }
    figures = []
    for name, act in acts.items():
        asked: list[str] = []
        with rig.store.read() as db:
            db.set_trace_callback(asked.append)
            shown.append(act())
            db.set_trace_callback(None)
        figures.append(Figure(f"statements, {name}", str(len(asked)), "≤ 8"))
    rig.store.close()
    return figures


def _measure_lines(directory: Path) -> list[Figure]:
    """The second tap of the last in line, with lines of three lengths by turns."""
    lines = {length: _Line(directory / f"line-{length}", length) for length in LINES}
    taken: dict[int, list[float]] = {length: [] for length in LINES}
    for _ in range(LINE_TAPS + WARM_UP):
        for length, line in lines.items():
            taken[length].append(line.once())
    for line in lines.values():
        line.close()
    middles = {length: percentile(times[WARM_UP:], 0.5) for length, times in taken.items()}
    shortest, longest = min(LINES), max(LINES)
    return [
        *(Figure(f"tap of the last in a line of {length}, p50", ms(each)) for length, each in middles.items()),
        Figure(f"line of {longest} / {shortest}, p50", f"{middles[longest] / middles[shortest]:.2f}", "flat"),
    ]


class _Line:
    """A kiosk with an exam's line, whose last patient taps again and again."""

    def __init__(self, directory: Path, length: int) -> None:
        directory.mkdir(parents=True)
        self._number = length
        parts = samples.enrolled(directory, samples.Clock(), *(_waiting(number) for number in range(1, length + 1)))
        self._store, self._seconds = parts.store, Seconds()
        self._reception = Reception(
            parts.journeys, samples.KEYS.hashes, lambda: ("scan_nfc",), lambda: None, monotonic=self._seconds
        )
        self._reception.update(frozenset(), online=True)

    def once(self) -> float:
        """Seconds of a tap, to the screen that says how many are ahead."""
        self._store.probe()  # what was read before is read again, as after news of the centre
        begin = time.perf_counter()
        shown = hold_card(self._reception, self._seconds, samples.uid(self._number))
        took = time.perf_counter() - begin
        assert shown.ticket is not None
        assert shown.ticket.people_ahead == self._number - 1
        return took

    def close(self) -> None:
        self._reception.stop()
        self._store.close()


def _waiting(number: int) -> PatientRow:
    """A patient who waits at the end of the line so far."""
    place = replace(samples.entry(f"A-{number:03d}"), opened_ms=samples.at("08:00") + number)
    journey = Journey(
        PatientId(f"P{number}"),
        "WAITING",
        samples.TODAY,
        VisitId(f"v-{number}"),
        current_queue_id=place.queue_id,
        entries=(place,),
    )
    return samples.row(number, journey=journey)


class _Kiosk:
    """The real reception, store, page server and socket of the kiosk in a directory. The calling thread is the
    reader's, and then that of the reception."""

    def __init__(self, directory: Path) -> None:
        parts = KioskParts(Store(directory / "kiosk.db"), samples.RunningClock())
        self._store = parts.store
        self._ahead_s = 0.0
        self._reception = Reception(
            parts.journeys,
            samples.KEYS.hashes,
            lambda: ("scan_nfc",),
            lambda: None,
            monotonic=lambda: time.monotonic() + self._ahead_s,
        )
        self._server = PageServer(create_app(self._reception, DisplaySection(), ADMISSION), ADMISSION, "127.0.0.1", 0)
        self._server.start()
        self._page = PageClient(self._server.port)
        self._page.receive()

    def once(self, number: int) -> tuple[Taken, Taken]:
        """What the greeting takes, and the act from its moment to the screen after the commit."""
        greeting = taken(lambda: self._until_shown(lambda: self._reception.tap(samples.uid(number))))
        self._ahead_s += SETTLE_S
        act = taken(lambda: self._until_shown(self._reception.tick))
        self._reception.clear_field("")
        self._store.tend()  # as the daemon does once a second
        return greeting, act

    def close(self) -> None:
        self._page.close()
        self._server.stop()
        self._reception.stop()
        self._store.close()

    def _until_shown(self, call: Callable[[], object]) -> None:
        call()
        self._page.receive()
