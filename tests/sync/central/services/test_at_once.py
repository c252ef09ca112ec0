"""Sixteen actions at one moment, at one centre on SQLite and at four hosts on PostgreSQL: one counts, none breaks."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import msgspec
import pytest

from sync.central.centre import Centre
from sync.central.opening import open_centre
from sync.central.services.answers import Answer
from sync.central.services.call_next import call_next
from sync.central.services.perform_action import perform
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.ids import new_id
from sync.journey.model import PATIENT, STAFF
from tests.sync.central.centre import DAY, Clock, hospital, patient, take_document
from tests.sync.central.conftest import LONG
from tests.sync.central.databases import Database

ROUNDS = 150 if LONG else 30
AT_ONCE = 16
HOSTS = 4
BY_STAFF = Requester(STAFF, "staff:Room", "rest")
BY_PATIENT = Requester(PATIENT, PATIENT.role, "rest")


@pytest.fixture
def centres(database: Database, tmp_path: Path) -> Iterator[Sequence[Centre]]:
    """One centre, opened once for each host. SQLite has one host."""
    with ExitStack() as stack:
        made: list[Centre] = []
        for host in range(HOSTS if database.is_postgresql else 1):
            state = tmp_path / f"{host}"
            state.mkdir()
            if made:
                shutil.copy(made[0].keys.path, state / "central.keys")
            state_dir = state if database.is_postgresql else None
            opened = open_centre(database.url, state_dir=state_dir, direct=database.direct)
            stack.enter_context(closing(opened.store))
            made.append(replace(opened, clock=Clock()))
        take_document(made[0], hospital(DAY, ROUNDS))
        yield made


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(AT_ONCE) as made:
        yield made


def act(centre: Centre, patient_id: str, action: str, action_id: str) -> Answer:
    return perform(centre, BY_PATIENT, patient_id, ActionRequest(action, action_id, {}))


def at_once(pool: ThreadPoolExecutor, centres: Sequence[Centre], work: Callable[[Centre], Answer]) -> list[Answer]:
    """The answers to the same work in each thread, spread over the centres. Raises what one of them raised."""
    start = Barrier(AT_ONCE)

    def run(number: int) -> Answer:
        start.wait()
        return work(centres[number % len(centres)])

    return list(pool.map(run, range(AT_ONCE)))


def done(centre: Centre, action: str) -> list[tuple[str, int]]:
    """The patients for whom an action is in the history, with the number of its rows, in their order."""
    with centre.store.read() as db:
        rows = db.rows(
            "select patient_id, count(*) as number from transitions where action = :action group by patient_id",
            action=action,
        )
    return sorted((row["patient_id"], row["number"]) for row in rows)


def test_of_many_registrations_of_one_patient_one_is_accepted_in_each_round(
    centres: Sequence[Centre], pool: ThreadPoolExecutor
):
    patients = [patient(number) for number in range(1, ROUNDS + 1)]
    for each in patients:
        assert act(centres[0], each, "scan_nfc", new_id()).done

        def register(centre: Centre, patient_id: str = each) -> Answer:
            return act(centre, patient_id, "register", new_id())

        answers = at_once(pool, centres, register)
        assert sorted(answer.status for answer in answers) == [200] + [400] * (AT_ONCE - 1)
    assert done(centres[-1], "register") == sorted((each, 1) for each in patients)


def test_one_action_that_comes_to_all_hosts_at_once_is_one_and_all_hear_the_same(
    centres: Sequence[Centre], pool: ThreadPoolExecutor
):
    patients = [patient(number) for number in range(1, ROUNDS + 1)]
    for each in patients:
        action_id = new_id()

        def scan(centre: Centre, patient_id: str = each, action_id: str = action_id) -> Answer:
            return act(centre, patient_id, "scan_nfc", action_id)

        answers = at_once(pool, centres, scan)
        assert {(answer.status, answer.body) for answer in answers} == {(200, answers[0].body)}
    assert done(centres[-1], "scan_nfc") == sorted((each, 1) for each in patients)


def test_one_action_id_for_two_patients_at_once_counts_for_one_of_them(
    centres: Sequence[Centre], pool: ThreadPoolExecutor
):
    for number in range(1, ROUNDS, 2):
        action_id, both = new_id(), [patient(number), patient(number + 1)] * AT_ONCE

        def scan(centre: Centre, both: list[str] = both, action_id: str = action_id) -> Answer:
            return act(centre, both.pop(), "scan_nfc", action_id)

        statuses = {answer.status for answer in at_once(pool, centres, scan)}
        assert statuses == {200, 409}
    assert len(done(centres[-1], "scan_nfc")) == ROUNDS // 2


ROOMS = 8


def test_of_many_rooms_that_call_the_next_at_once_at_all_hosts_each_gets_a_patient_of_their_own(
    centres: Sequence[Centre], pool: ThreadPoolExecutor
):
    line = [in_line(centres[0], patient(number)) for number in range(1, ROUNDS + 1) if number % 5][: 2 * ROOMS]
    start = Barrier(ROOMS)

    def room(number: int) -> list[str]:
        """Two calls, each of the one whom the last answer has named as the next."""
        centre, wanted, called = centres[number % len(centres)], line[0], list[str]()
        start.wait()
        while len(called) < 2:
            payload = {"exam_id": "blood", "queue_id": wanted, "room": f"room {number}"}
            answer = call_next(centre, BY_STAFF, ActionRequest("call_next", new_id(), payload))
            if answer.done:
                called.append(wanted)
                wanted = line[0]
            else:
                wanted = msgspec.json.decode(answer.body)["next"]["queue_id"]
        return called

    calls = [queue_id for called in pool.map(room, range(ROOMS)) for queue_id in called]
    assert sorted(calls) == sorted(line[: 2 * ROOMS])
    assert done(centres[-1], "call_patient") == sorted((each, 1) for each in called_patients(centres[0]))


def in_line(centre: Centre, patient_id: str) -> str:
    """The entry of a patient who waits in the line of the first exam."""
    for action in ("scan_nfc", "register", "confirm_arrival"):
        answer = act(centre, patient_id, action, new_id())
        assert answer.done
    centre.clock.now_ms += 1000  # type: ignore[attr-defined]
    return str(msgspec.json.decode(answer.body)["queue_details"][0]["queue_id"])


def called_patients(centre: Centre) -> list[str]:
    with centre.store.read() as db:
        return [row["patient_id"] for row in db.rows("select patient_id from entries where state = 'called'")]
