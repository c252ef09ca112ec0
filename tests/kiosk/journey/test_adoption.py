"""A page is written in portions: a crash between two of them, a tap, or an enrolment leaves what has to be."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from kiosk.journey.adoption import Adoption, Portions
from kiosk.store.sqlite import Store, peek
from sync.cards import CardHash
from sync.journey.definitions import shipped
from sync.protocol import Code, PullAnswer, Renamed, Verdict, VerdictRow
from tests.kiosk import samples
from tests.kiosk.journey.small_kiosk import NEXT_DAY, journey, new_rules
from tests.kiosk.parts import KioskParts
from tests.kiosk.samples import Clock, at, cards, page, row

EACH_STEP_ALONE = 0.0
TABLES = ("patients", "bindings", "blocked_cards", "entries", "patient_aliases", "outbox", "number_uses", "identity")


class Died(BaseException):
    """The process dies here."""


class WatchedStore(Store):
    """A store that reports each commit."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.after_commit: Callable[[], None] = lambda: None

    @contextmanager
    def write(self, *, in_background: bool = False) -> Iterator[Any]:
        with super().write(in_background=in_background) as db:
            yield db
        self.after_commit()


class Box:
    """A kiosk on a disk, which may die after any commit and start again."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.path, self.clock = directory / "kiosk.db", Clock()
        self._ids = (f"01900000-0000-7000-8000-{number:012x}" for number in count())
        samples.enrolled(directory, self.clock).store.close()
        self.start()
        for number in (1, 2):
            self.parts.journeys.tap(cards(number), ("scan_nfc",))
        with self.store.read() as db:
            self.scans = [row["action_id"] for row in db.execute("select action_id from outbox order by seq")]

    def start(self) -> None:
        self.store = WatchedStore(self.path)
        self.parts = KioskParts(self.store, self.clock, lambda: next(self._ids), EACH_STEP_ALONE)
        self.ledger = self.parts.ledger

    def adopt(self, pulled: PullAnswer, dies_after: int = 0) -> bool:
        """Adopts a page. Returns whether the process lived to see its end."""
        commits = iter(range(1, dies_after + 1))

        def die() -> None:
            if next(commits, 0) == dies_after:
                raise Died

        if dies_after:
            self.store.after_commit = die
        try:
            assert self.ledger.adopt(pulled) is not None
        except Died:
            self.store.close()
            self.start()
            return False
        finally:
            self.store.after_commit = lambda: None
        return True

    @property
    def cursor(self) -> int:
        assert self.parts.journeys.identity is not None
        return self.parts.journeys.identity.cursor

    def knows(self) -> set[str]:
        with self.store.read() as db:
            return {each[0] for each in db.execute("select patient_id from patients")}

    def content(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows, without the numbers of the generations: each try of a snapshot has its own."""
        with self.store.read() as db:
            return {table: sorted(_without_generations(db, table), key=repr) for table in TABLES}


def _without_generations(db: Any, table: str) -> Iterator[tuple[Any, ...]]:
    for each in db.execute(f"select * from {table}"):
        yield tuple(value for column, value in dict(each).items() if "generation" not in column)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path / "box")
    yield made
    made.store.close()


def full_page(box: Box, **changes: Any) -> PullAnswer:
    """A page with something of each kind: P1's scan is judged, P2 is merged into P4, P3 leaves, a card is blocked."""
    judged = VerdictRow(
        action_id=box.scans[0],
        seq=1,
        verdict=Verdict.APPLIED,
        code=Code.OK,
        patient_id="P1",
        journey=journey(1, "ARRIVED", 4),
    )
    return page(
        row(1, journey=journey(1, "REGISTERED", 5)),
        row(4),
        row(5, journey=journey(5, "WAITING", 2, entries=(samples.entry("B-005"),))),
        **{
            "from_cursor": box.cursor,
            "cursor": 10,
            "verdicts": (judged,),
            "renamed": (Renamed("P2", "P4"),),
            "gone": ("P2", "P3"),
            "blocked": (*cards(5), CardHash("k1", "aa" * 32)),
            "unblocked": (CardHash("k1", "bb" * 32),),
            **changes,
        },
    )


def snapshot(box: Box, **changes: Any) -> PullAnswer:
    """The whole snapshot of the next day in one page, with other rules."""
    values = {"reset": True, "from_cursor": 0, "asked_cursor": box.cursor, "gone": (), "now_ms": at("09:00", NEXT_DAY)}
    return full_page(box, **values | {"definitions": new_rules()} | changes)


def restored(box: Box) -> PullAnswer:
    """The whole snapshot of a restored centre in one page."""
    return snapshot(box, server_incarnation="two", now_ms=at("10:00"), definitions=None)


@pytest.mark.parametrize("pulled", [full_page, snapshot, restored], ids=lambda each: each.__name__)
def test_a_page_that_dies_after_any_portion_comes_once_more_and_leaves_the_same(
    tmp_path: Path, pulled: Callable[[Box], PullAnswer]
):
    whole = Box(tmp_path / "whole")
    assert whole.adopt(pulled(whole))
    expected, dies_after, lived = whole.content(), 0, False
    whole.store.close()
    while not lived:
        dies_after += 1
        box = Box(tmp_path / f"box-{dies_after}")
        lived = box.adopt(pulled(box), dies_after)
        if not lived:
            assert box.adopt(pulled(box))
        for table, rows in box.content().items():
            assert rows == expected[table], f"{table}, after {dies_after} portions"
        box.store.close()
    assert dies_after > 8


def test_a_snapshot_that_dies_half_way_leaves_everybody_known_to_a_page_that_is_none(box: Box):
    """The centre's clock was ahead, began another day, and was set right."""
    assert not box.adopt(page(row(4), row(6), reset=True, from_cursor=0, asked_cursor=1, cursor=10), dies_after=2)
    assert box.adopt(page(row(5), from_cursor=1, cursor=11))
    assert box.knows() >= {"P1", "P2", "P3", "P4", "P5"}
    assert box.adopt(page(row(5), reset=True, from_cursor=0, asked_cursor=11, cursor=12))
    assert box.knows() == {"P1", "P2", "P5"}, "a later snapshot does not count what the broken one named"


def test_whom_a_snapshot_has_not_named_leaves_with_a_later_page_after_a_crash(box: Box):
    snapshot_of_one = page(row(1), reset=True, from_cursor=0, asked_cursor=1, cursor=10)
    assert not box.adopt(snapshot_of_one, dies_after=2)
    assert (box.cursor, "P3" in box.knows()) == (10, True)
    assert box.adopt(page(from_cursor=10, cursor=10))
    assert box.knows() == {"P1", "P2"}


def test_an_enrolment_between_two_portions_ends_the_page(box: Box):
    def enrol() -> None:
        box.store.after_commit = lambda: None
        box.ledger.enrol(samples.enrolment())

    box.store.after_commit = enrol
    assert box.ledger.adopt(page(row(4), row(5), from_cursor=1, cursor=10)) == {"P4"}
    assert (box.cursor, box.knows()) == (0, set())


def test_a_tap_between_two_portions_stays_on_top_of_the_page(box: Box):
    def tap() -> None:
        box.store.after_commit = lambda: None
        box.parts.journeys.tap(cards(3), ("scan_nfc",))

    box.store.after_commit = tap
    assert box.ledger.adopt(page(row(4), row(3, language="en"), from_cursor=1, cursor=10)) == {"P3", "P4"}
    status = box.parts.journeys.patient_status("P3")
    assert status is not None
    assert (status.patient.language, status.journey.state, status.pending) == ("en", "ARRIVED", 1)


@pytest.mark.parametrize(("is_wanted", "portions"), [(True, 4), (False, 1)])
def test_a_portion_ends_where_somebody_waits_for_the_store(box: Box, is_wanted: bool, portions: int):
    pulled = page(row(4), row(5), from_cursor=1, cursor=10, more=True)
    adoption = Adoption(pulled, shipped(), box.clock(), Portions(lambda: is_wanted, longest_s=60.0), "")
    with box.store.write() as db:
        adoption.begin(db, box.parts.kiosk.context(), restored=False)
    taken = 0
    while not adoption.is_complete:
        with box.store.write() as db:
            assert not taken or adoption.goes_on(db)
            adoption.take_portion(db, samples.KEYS)
        taken += 1
    assert taken == portions
    assert adoption.changed == {"P4", "P5"}


ROWS = 400
KILLED = f"""
import sys
from pathlib import Path
from kiosk.store.sqlite import Store, peek
from tests.kiosk import samples
from tests.kiosk.parts import KioskParts
parts = KioskParts(Store(Path(sys.argv[1])), samples.Clock(), portion_s=0.0)
rows = [samples.row(number, masked_name="new") for number in range(1, {ROWS} + 1)]
print("begins", flush=True)
parts.ledger.adopt(samples.page(*rows, reset=True, from_cursor=0, asked_cursor=1, cursor=10))
"""


@pytest.mark.processes
def test_a_process_that_is_killed_in_a_page_adopts_it_after_its_start(box: Box):
    box.store.close()
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(box.path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "begins\n"
    while number_of_patients(box.path) < 50:
        assert child.poll() is None
    child.send_signal(signal.SIGKILL)
    child.wait()
    box.start()
    assert (box.cursor, len(box.knows()) < ROWS) == (1, True)
    rows = [samples.row(number, masked_name="new") for number in range(1, ROWS + 1)]
    assert box.adopt(page(*rows, reset=True, from_cursor=0, asked_cursor=1, cursor=10))
    assert (box.cursor, len(box.knows())) == (10, ROWS)


def number_of_patients(path: Path) -> int:
    """How many patients a store holds that another process writes."""
    with peek(path) as db:
        number: int = db.execute("select count(*) from patients").fetchone()[0]
    return number
