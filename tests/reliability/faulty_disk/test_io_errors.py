"""Any call to the disk may fail: a person is served durably or refused, and no action is there in part."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from errno import EIO, ENOSPC
from itertools import product
from pathlib import Path

import msgspec
import pytest

from tests.reliability import preload
from tests.reliability.faulty_disk.counter import Case, Result
from tests.reliability.powercut.cuts import HOUSE
from tests.reliability.preload import Call, Faults

LONG = bool(os.environ.get("LONG"))
# The least number of calls of each kind in a healthy run, and the number of cases of each kind in a short run.
CALLS = {Call.WRITE: 170, Call.SYNC: 40, Call.TRUNCATE: 2, Call.UNLINK: 2, Call.OPEN: 3, Call.READ: 60}
SHORT = 60


def run(library: Path, place: Path, cases: list[Case]) -> list[Result]:
    """Runs a process through these cases, one after the other."""
    watched, control = place / "watched", place / "faults"
    watched.mkdir()
    Faults(control).close()
    done = subprocess.run(
        [sys.executable, "-m", "tests.reliability.faulty_disk.counter", str(watched), str(control)],
        input=msgspec.json.encode(cases),
        stdout=subprocess.PIPE,
        env=preload.environment(library, watched, faults=control),
        cwd=HOUSE,
        check=True,
    )
    return msgspec.json.decode(done.stdout, type=list[Result])


def cases_of(call: Call) -> list[Case]:
    halves = (False, True) if call is Call.WRITE else (False,)
    every = [
        Case(call, n, error, lasting, halfway)
        for n, error, lasting, halfway in product(range(1, CALLS[call] + 1), (EIO, ENOSPC), (False, True), halves)
    ]
    return every if LONG or len(every) <= SHORT else random.Random(call).sample(every, SHORT)


@pytest.mark.timeout(900 if LONG else 60)
@pytest.mark.parametrize("call", [*CALLS], ids=lambda call: call.name.lower())
def test_a_failed_call_is_reported_and_no_action_is_lost_or_halved(watched_disk: Path, in_memory: Path, call: Call):
    results = run(watched_disk, in_memory, cases_of(call))
    assert [result for result in results if result.wrong] == []
    assert all(result.struck for result in results), "each of these calls happens"
    if call not in {Call.TRUNCATE, Call.UNLINK}:  # these clean up after all actions are saved
        assert any(result.refused for result in results)


def test_a_healthy_run_makes_that_many_calls(watched_disk: Path, in_memory: Path):
    healthy = run(watched_disk, in_memory, [Case(call, 1_000_000, EIO) for call in CALLS])
    for result in healthy:
        assert (result.struck, result.refused, result.wrong) == (0, 0, ())
        assert result.seen >= CALLS[Call(result.case.calls)]
