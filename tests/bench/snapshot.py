"""The longest tap while a day's snapshot arrives at a kiosk that holds very many patients.

The kiosk holds the roster of yesterday. The snapshot names a part of it, and the others leave. Pages are read from JSON
and adopted in the thread of the pull, as in the daemon, while people tap at the real reception. The clock of the
reception is moved on over the quarter of a second in which a tap waits for a second card.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from kiosk.front.reception import Reception
from kiosk.front.screen import ScreenKind
from kiosk.front.visitor import SETTLE_S
from kiosk.store import patients
from kiosk.store.identity import read_generation
from kiosk.store.sqlite import Store
from sync.journey.model import Journey, PatientId
from sync.protocol import MAX_PAGE_ROWS, PatientRow, PullAnswer
from tests.bench.figures import Figure, ms, percentile
from tests.kiosk import samples
from tests.kiosk.parts import KioskParts

PAUSE_S = 0.02  # between two taps
AT_REST = 400  # taps before the snapshot
DAY_MS = 86_400_000
TOMORROW = "2026-03-03"


@dataclass(frozen=True, slots=True)
class Size:
    """How many patients the kiosk holds, and how many of them the snapshot names."""

    held: int
    named: int


def measure(directory: Path) -> list[Figure]:
    """100,000 patients, of whom half stay."""
    return _measure(directory, Size(100_000, 50_000))


def measure_large(directory: Path) -> list[Figure]:
    """A million patients, of whom a tenth stay."""
    return _measure(directory, Size(1_000_000, 100_000))


def _measure(directory: Path, size: Size) -> list[Figure]:
    directory.mkdir(parents=True)
    kiosk = _Kiosk(directory, size)
    gc.freeze()  # as `kiosk run` does after its start
    at_rest = [kiosk.tap_and_pause(number) for number in range(AT_REST)]
    pages = _pages(size, kiosk.parts)
    pull = threading.Thread(target=kiosk.adopt, args=(pages,))
    begin = time.perf_counter()
    pull.start()
    taps, number = [], AT_REST
    while pull.is_alive():
        taps.append(kiosk.tap_and_pause(number % size.named))
        number += 1
    took = time.perf_counter() - begin
    left = kiosk.close()
    assert left >= size.named, "the snapshot did not arrive"
    return [
        Figure(f"snapshot: {size.held:,} patients held, {size.named:,} of them named", f"{took:.1f} s"),
        Figure("tap at rest, p50", ms(percentile(at_rest, 0.5))),
        Figure("tap at rest, p99", ms(percentile(at_rest, 0.99))),
        Figure("tap at rest, longest", ms(max(at_rest))),
        Figure("tap meanwhile, p50", ms(percentile(taps, 0.5))),
        Figure("tap meanwhile, p99", ms(percentile(taps, 0.99))),
        Figure("tap meanwhile, longest", ms(max(taps)), "≤ 50 ms"),
        Figure("longest meanwhile / at rest", f"{max(taps) / max(at_rest):.1f}"),
        Figure("longest transaction of a page, processor time", ms(max(kiosk.store.held_s))),
        Figure("transaction of a page, processor time, p99", ms(percentile(kiosk.store.held_s, 0.99))),
    ]


class _TimedStore(Store):
    """A store that notes the processor time of each transaction in the background, its checkpoint included."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.held_s: list[float] = []

    @contextmanager
    def write(self, *, in_background: bool = False) -> Iterator[Any]:
        begin = time.thread_time()
        with super().write(in_background=in_background) as db:
            yield db
        if in_background:
            self.held_s.append(time.thread_time() - begin)


class _Kiosk:
    """The reception and ledger of a kiosk that holds the patients of yesterday."""

    def __init__(self, directory: Path, size: Size) -> None:
        self.clock = samples.Clock()
        samples.enrolled(directory, self.clock).store.close()
        self.store = _TimedStore(directory / "kiosk.db")
        self.parts = KioskParts(self.store, self.clock)
        self._fill(size.held)
        self._ahead_s = 0.0
        self._reception = Reception(
            self.parts.journeys,
            samples.KEYS.hashes,
            lambda: ("scan_nfc",),
            lambda: None,
            monotonic=lambda: time.monotonic() + self._ahead_s,
        )

    def tap(self, number: int) -> float:
        """Seconds of a patient's tap: to the greeting, and from the moment at which it acts to its screen."""
        begin = time.perf_counter()
        shown = self._reception.tap(samples.uid(number))
        took = time.perf_counter() - begin
        assert shown.screen is ScreenKind.JOURNEY, shown.screen
        self._ahead_s += SETTLE_S
        begin = time.perf_counter()
        self._reception.tick()
        took += time.perf_counter() - begin
        self._reception.clear_field("")
        return took

    def tap_and_pause(self, number: int) -> float:
        """One tap, and the pause until the next one."""
        took = self.tap(number)
        time.sleep(PAUSE_S)
        return took

    def adopt(self, pages: list[bytes]) -> None:
        """Reads and adopts the pages."""
        self.clock.forward(DAY_MS)
        for page in pages:
            assert self.parts.ledger.adopt(msgspec.json.decode(page, type=PullAnswer)) is not None

    def close(self) -> int:
        """Closes the store. Returns the number of patients in it."""
        with self.parts.store.read() as db:
            number: int = db.execute("select count(*) from patients").fetchone()[0]
        self._reception.stop()
        self.parts.store.close()
        return number

    def _fill(self, number: int) -> None:
        portion = 10_000
        for first in range(0, number, portion):
            with self.parts.store.write() as db:
                generation = read_generation(db)
                for each in range(first, first + portion):
                    pulled = patients.from_page(samples.row(each), generation)
                    patients.save(db, pulled, patients.read(db, pulled.patient_id), generation)
                    patients.bind(db, PatientId(f"P{each}"), [(samples.cards(each)[0], f"b-{each}")])
        with self.store.read() as db:
            db.execute("pragma wal_checkpoint(passive)")  # the log of this is no part of the snapshot


def _pages(size: Size, parts: KioskParts) -> list[bytes]:
    """The pages of the snapshot of tomorrow, as the centre sends them."""
    assert parts.journeys.identity is not None
    cursor, pages = parts.journeys.identity.cursor, []
    for first in range(0, size.named, MAX_PAGE_ROWS):
        rows = [_row_of_tomorrow(number) for number in range(first, min(first + MAX_PAGE_ROWS, size.named))]
        is_first, end = first == 0, cursor + MAX_PAGE_ROWS
        page = samples.page(
            *rows,
            asked_cursor=cursor,
            from_cursor=0 if is_first else cursor,
            cursor=end,
            reset=is_first,
            more=first + MAX_PAGE_ROWS < size.named,
            now_ms=samples.at("09:00", TOMORROW),
        )
        pages.append(msgspec.json.encode(page))
        cursor = end
    return pages


def _row_of_tomorrow(number: int) -> PatientRow:
    booked = replace(samples.booking(number), scheduled_ms=samples.at("10:00", TOMORROW))
    journey = Journey(PatientId(f"P{number}"), "UNREGISTERED", TOMORROW, appointments=(booked,))
    return samples.row(number, journey=journey)
