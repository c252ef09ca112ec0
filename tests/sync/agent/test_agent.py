"""The drivers and the agent: what ends a wait, what the status says, and a stop that ends everything."""

from __future__ import annotations

import logging
import random
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk.store.sqlite import Store
from sync.agent import cycle
from sync.agent.client import CentralClient
from sync.agent.cycle import Agent
from sync.agent.driver import Driver
from sync.agent.steps import StepResult
from sync.journey.model import PatientId
from sync.protocol import EndCode, PullRequest
from tests.kiosk import samples
from tests.kiosk.parts import KioskParts
from tests.kiosk.samples import Clock, cards, page, row

from .peers import WAIT_S, Centre, http, nobody, refusal


class NoChance(random.Random):
    """The longest backoffs: a wait that ends early has a reason."""

    def uniform(self, low: float, high: float) -> float:
        return high


class NoWait(random.Random):
    """Backoffs without any wait."""

    def uniform(self, low: float, high: float) -> float:
        return 0.0


class PushWaitsForEver(random.Random):
    """A failed pull is repeated at once, a failed push after an hour."""

    def uniform(self, low: float, high: float) -> float:
        return 3600.0 if threading.current_thread().name == "sync push" else 0.0


class Steps:
    """A step with the given outcomes, in their order. After them it has nothing to do."""

    def __init__(self, *outcomes: StepResult) -> None:
        self._outcomes = list(outcomes)
        self._taken = threading.Semaphore(0)

    def __call__(self) -> StepResult:
        outcome = self._outcomes.pop(0) if self._outcomes else StepResult()
        self._taken.release()
        return outcome

    def wait_for(self, count: int) -> None:
        """Returns after `count` more steps."""
        for _ in range(count):
            assert self._taken.acquire(timeout=WAIT_S)

    @property
    def waiting(self) -> bool:
        """Whether no further step comes now."""
        return not self._taken.acquire(timeout=0.05)


@pytest.fixture
def drive() -> Iterator[Callable[[Steps], Driver]]:
    drivers: list[Driver] = []

    def make(steps: Steps, idle_s: float = WAIT_S) -> Driver:
        driver = Driver("a driver", steps, idle_s, NoChance())
        drivers.append(driver)
        driver.start()
        return driver

    yield make
    for driver in drivers:
        driver.stop()
        driver.join(WAIT_S)
    assert not [t for t in threading.enumerate() if t.name == "a driver"]


AGAIN = StepResult(again=True, reached=True)
FAILED = StepResult(failed=True, reached=False)
PATIENT = StepResult(failed=True, reached=True, retry_after_s=60.0)


def test_a_step_is_repeated_at_once_while_there_is_more_to_do(drive: Callable[[Steps], Driver]):
    steps = Steps(AGAIN, AGAIN, AGAIN)
    drive(steps)
    steps.wait_for(4)
    assert steps.waiting


def test_a_call_of_wake_ends_an_idle_wait(drive: Callable[[Steps], Driver]):
    steps = Steps()
    driver = drive(steps)
    for _ in range(3):
        steps.wait_for(1)
        driver.wake()
    steps.wait_for(1)
    assert steps.waiting


def test_a_call_of_wake_during_a_step_is_not_lost(drive: Callable[[Steps], Driver]):
    steps = Steps()
    woken = threading.Event()

    def step() -> StepResult:
        result = steps()
        woken.wait(WAIT_S)
        return result

    driver = drive(step)  # type: ignore[arg-type]
    steps.wait_for(1)
    driver.wake()
    woken.set()
    steps.wait_for(1)
    assert steps.waiting


def test_after_the_idle_time_the_step_is_repeated(drive: Callable[..., Driver]):
    steps = Steps()
    driver = drive(steps, 0.001)
    steps.wait_for(5)
    assert not driver.stopping


def test_a_call_of_wake_does_not_end_a_backoff(drive: Callable[[Steps], Driver]):
    steps = Steps(*[FAILED] * 6)
    driver = drive(steps)
    steps.wait_for(1)
    for _ in range(4):
        driver.end_backoff()
        steps.wait_for(1)
    driver.wake()
    assert steps.waiting


@pytest.mark.parametrize("outcome", [PATIENT, StepResult(again=True, reached=True, retry_after_s=60.0)])
def test_nothing_shortens_a_wait_that_the_centre_asked_for(drive: Callable[[Steps], Driver], outcome: StepResult):
    steps = Steps(outcome)
    driver = drive(steps)
    steps.wait_for(1)
    driver.end_backoff()
    driver.wake()
    assert steps.waiting


@pytest.mark.parametrize("outcome", [StepResult(), FAILED, PATIENT, StepResult(reached=True, retry_after_s=60.0)])
def test_a_stop_ends_every_wait(drive: Callable[[Steps], Driver], outcome: StepResult):
    steps = Steps(outcome)
    driver = drive(steps)
    steps.wait_for(1)
    driver.stop()
    driver.join(WAIT_S)
    assert driver.stopping
    assert steps.waiting


def test_a_woken_driver_gathers_first_and_a_stop_does_not_wait_for_that():
    steps = Steps()
    driver = Driver("gathers", steps, WAIT_S, NoChance(), gather_s=10 * WAIT_S)
    driver.start()
    steps.wait_for(1)
    driver.wake()
    assert steps.waiting
    driver.stop()
    driver.join(WAIT_S)
    assert steps.waiting


def test_a_driver_that_was_never_started_stops_as_well():
    driver = Driver("never", Steps(), 1.0, random.Random())
    driver.stop()
    driver.join(0.1)
    assert driver.stopping


# The agent.


class House:
    """A kiosk with an agent, and what was announced."""

    def __init__(self, directory: Path, url: str, chance: random.Random | None = None) -> None:
        self.parts = samples.enrolled(directory, Clock())
        self.store, self.journeys = self.parts.store, self.parts.journeys
        self.announced: list[tuple[frozenset[PatientId], bool]] = []
        self._announcement = threading.Condition()
        self.connect: Callable[[], CentralClient] = lambda: CentralClient(url, "token")
        self.agent = Agent(self.parts.ledger, lambda: self.connect(), self._announce, chance)

    def _announce(self, touched: frozenset[PatientId]) -> None:
        with self._announcement:
            self.announced.append((touched, self.agent.online))
            self._announcement.notify_all()

    def wait_until(self, true: Callable[[], bool]) -> None:
        """Returns once the condition is true after an announcement."""
        with self._announcement:
            assert self._announcement.wait_for(true, WAIT_S)

    def tap(self, number: int) -> None:
        assert self.journeys.tap(cards(number), ("scan_nfc",)) is not None
        self.agent.push_soon()

    def close(self) -> None:
        self.agent.stop(WAIT_S)
        self.store.close()


@pytest.fixture
def centre() -> Iterator[Centre]:
    with Centre() as running:

        def hold(request: PullRequest) -> object:
            if request.wait_s == 0:
                return page(from_cursor=request.cursor, cursor=request.cursor)
            running.over.wait(WAIT_S)
            return b""

        running.on_pull = hold
        yield running


@pytest.fixture
def house(tmp_path: Path, centre: Centre) -> Iterator[House]:
    made = House(tmp_path, centre.url)
    yield made
    made.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("sync p")]


def test_a_tap_reaches_the_centre_and_its_verdict_is_announced(house: House, centre: Centre):
    house.agent.start()
    house.wait_until(lambda: house.agent.online)
    house.tap(1)
    house.wait_until(lambda: (frozenset({"P1"}), True) in house.announced)
    assert house.parts.pending() == 0
    assert house.agent.online
    assert house.agent.reason == ""
    house.tap(2)
    house.wait_until(lambda: house.parts.pending() == 0)
    assert [i.patient_id for i in centre.kept] == ["P1", "P2"]


def test_actions_that_are_pending_at_the_start_are_pushed_by_themselves(house: House):
    assert house.journeys.tap(cards(1), ("scan_nfc",))
    house.agent.start()
    house.wait_until(lambda: house.parts.pending() == 0)


def test_news_are_adopted_and_announced(house: House, centre: Centre):
    pages = [page(row(7), from_cursor=1, cursor=2), page(row(8), from_cursor=2, cursor=3)]
    hold = centre.on_pull
    centre.on_pull = lambda request: pages.pop(0) if pages else hold(request)
    house.agent.start()
    house.wait_until(lambda: house.parts.patient_of_card(cards(8)) == "P8")
    assert (frozenset({"P7"}), True) in house.announced


def test_a_long_poll_under_way_does_not_hold_up_a_push_nor_a_stop(house: House, centre: Centre):
    house.agent.start()
    centre.wait_for_request()
    house.tap(1)
    house.wait_until(lambda: house.parts.pending() == 0)
    house.agent.stop(WAIT_S)
    assert not [t for t in threading.enumerate() if t.name.startswith("sync p")]
    assert not centre.over.is_set()


def test_the_status_shows_that_the_centre_is_away_and_back(tmp_path: Path, centre: Centre):
    house = House(tmp_path, centre.url, NoWait())
    away, back = threading.Event(), threading.Event()

    def pull(request: PullRequest) -> object:
        if request.cursor == 1:
            return page(from_cursor=1, cursor=2)
        if not back.is_set():
            away.wait(WAIT_S)
            return b""
        centre.over.wait(WAIT_S if request.cursor == 3 else 0)
        return page(from_cursor=2, cursor=3)

    centre.on_pull = pull
    try:
        house.agent.start()
        house.wait_until(lambda: house.agent.online)
        away.set()
        house.wait_until(lambda: not house.agent.online)
        assert house.agent.reason == "closed: the connection ended before an answer"
        back.set()
        house.wait_until(lambda: house.agent.online)
        assert house.agent.reason == ""
    finally:
        house.close()


def test_a_step_without_a_call_does_not_change_the_status(tmp_path: Path):
    store = Store(tmp_path / "kiosk.db")
    agent = Agent(KioskParts(store, Clock()).ledger, lambda: CentralClient("http://127.0.0.1:1"), lambda _: None)
    assert agent.step(cycle.PUSH) == StepResult()
    assert not agent.online
    assert agent.step(cycle.PULL).failed
    assert agent.reason == "not enrolled"
    store.close()


def test_a_failing_push_never_stops_the_pull_and_its_reason_is_shown(house: House, centre: Centre):
    pages = [page(row(7), from_cursor=1, cursor=2)]
    hold = centre.on_pull
    pushed = threading.Event()

    def after_the_push(request: object) -> object:
        pushed.wait(WAIT_S)
        return pages.pop(0) if pages else hold(request)

    def refuse(_: object) -> object:
        pushed.set()
        return refusal(EndCode.MALFORMED, 400)

    centre.on_pull, centre.on_push = after_the_push, refuse
    house.agent.start()
    house.tap(1)
    house.wait_until(lambda: house.parts.patient_of_card(cards(7)) == "P7")
    assert house.parts.pending() == 1
    assert house.agent.reason in ("malformed: no", "")


def test_a_failing_pull_never_stops_the_push(house: House, centre: Centre):
    centre.on_pull = lambda _: http("500 Oops")
    house.agent.start()
    house.tap(1)
    house.wait_until(lambda: house.parts.pending() == 0)
    assert [len(push.actions) for push in centre.pushes if push.actions] == [1]


def test_when_the_pull_succeeds_again_the_push_is_tried_at_once(tmp_path: Path, centre: Centre):
    house = House(tmp_path, centre.url, PushWaitsForEver())
    failed = threading.Event()
    away = [b""]

    def push(_: object) -> object:
        centre.on_push = lambda _: None
        failed.set()
        return b""

    def pull(request: PullRequest) -> object:
        # The centre answers the pull only after it has failed both calls.
        failed.wait(WAIT_S)
        if away:
            return away.pop()
        centre.over.wait(WAIT_S if request.cursor == 2 else 0)
        return page(from_cursor=1, cursor=2)

    centre.on_push, centre.on_pull = push, pull
    assert house.journeys.tap(cards(1), ("scan_nfc",))
    try:
        house.agent.start()
        house.wait_until(lambda: house.parts.pending() == 0)
        assert [i.patient_id for i in centre.kept] == ["P1"]
    finally:
        house.close()


def test_an_exception_of_the_store_is_a_failed_step_and_says_nothing_of_the_centre(
    house: House, centre: Centre, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.CRITICAL, logger="sync.agent.cycle")
    centre.on_pull = lambda request: page(from_cursor=request.cursor, cursor=request.cursor)
    house.agent.step(cycle.PULL)
    assert house.agent.online
    house.store.close()
    for _ in range(3):
        result = house.agent.step(cycle.PULL)
        assert (result.failed, result.reached) == (True, None)
    assert house.agent.online
    assert house.agent.reason == sqlite3.ProgrammingError.__name__


def test_a_client_that_cannot_be_made_is_tried_again(tmp_path: Path, centre: Centre, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.CRITICAL, logger="sync.agent.cycle")
    house = House(tmp_path, centre.url, NoWait())
    make, failures = house.connect, [FileNotFoundError("no token")] * 4

    def connect() -> CentralClient:
        if failures:
            raise failures.pop()
        return make()

    house.connect = connect
    try:
        house.agent.start()
        house.tap(1)
        house.wait_until(lambda: house.parts.pending() == 0)
    finally:
        house.close()


def test_a_reason_is_logged_once_however_often_it_repeats(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with nobody() as url:
        house = House(tmp_path, url)
        caplog.set_level(logging.WARNING, logger="sync.agent.cycle")
        for _ in range(5):
            house.agent.step(cycle.PULL)
        (record,) = caplog.records
        assert record.message.startswith("sync pull: refused: the centre's port takes no connection")
        assert url not in caplog.text
        house.close()


def test_after_a_stop_nothing_is_announced_and_no_error_is_logged(house: House, caplog: pytest.LogCaptureFixture):
    house.agent.start()
    house.agent.stop(WAIT_S)
    house.store.close()
    house.announced.clear()
    assert house.agent.step(cycle.PUSH) == StepResult()
    assert house.agent.step(cycle.PULL).touched == frozenset()
    assert house.announced == []
    assert caplog.records == []


def test_a_client_that_is_made_while_the_agent_stops_is_cancelled_too(house: House, centre: Centre):
    make, made = house.connect, []

    def connect() -> CentralClient:
        house.agent.stop()
        made.append(make())
        return made[0]

    house.connect = connect
    assert house.agent.step(cycle.PULL).reason.startswith("cancelled: ")
    assert centre.pulls == []


def test_an_agent_that_was_never_started_stops_and_stops_again(house: House, centre: Centre):
    house.agent.stop()
    house.agent.stop()
    assert (centre.pushes, centre.pulls) == ([], [])
