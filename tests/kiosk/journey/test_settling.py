"""Verdicts are settled a few at a time, so that a tap never waits for a whole batch of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk.journey.journeys import SETTLED_AT_ONCE, Journeys
from kiosk.store.sqlite import Store
from sync.protocol import Code, Verdict, VerdictRow
from tests.kiosk import samples

PEOPLE = 2 * SETTLED_AT_ONCE + 3


def pending(store: Store, journeys: Journeys) -> list[VerdictRow]:
    """Everybody taps; a verdict for each."""
    for number in range(PEOPLE):
        journeys.tap(samples.cards(number), ("scan_nfc",))
    with store.read() as db:
        rows = db.execute("select action_id, seq, patient_id from outbox order by seq").fetchall()
    return [VerdictRow(**dict(row), verdict=Verdict.APPLIED, code=Code.OK) for row in rows]


def test_a_batch_of_verdicts_is_several_transactions(tmp_path: Path):
    store, journeys = samples.enrolled(tmp_path, samples.Clock(), *(samples.row(n) for n in range(PEOPLE)))
    verdicts, said = pending(store, journeys), list[str]()
    with store.read() as db:
        db.set_trace_callback(said.append)
    touched = journeys.settle(verdicts, backed_up_seq=PEOPLE)
    with store.read() as db:
        db.set_trace_callback(None)
    assert said.count("commit") == 3
    assert touched == {f"P{number}" for number in range(PEOPLE)}
    assert journeys.pending() == 0
    assert journeys.identity is not None
    store.close()


def test_what_was_settled_before_it_failed_stays_settled_and_the_rest_stays_pending(tmp_path: Path):
    store, journeys = samples.enrolled(tmp_path, samples.Clock(), *(samples.row(n) for n in range(PEOPLE)))
    verdicts = pending(store, journeys)
    broken = [*verdicts[: SETTLED_AT_ONCE + 1], object(), *verdicts[SETTLED_AT_ONCE + 1 :]]
    with pytest.raises(AttributeError):
        journeys.settle(broken)  # type: ignore[arg-type]
    assert journeys.pending() == PEOPLE - SETTLED_AT_ONCE
    journeys.settle(verdicts)
    assert journeys.pending() == 0
    store.close()


def test_an_answer_without_verdicts_still_tells_how_far_backups_reach(tmp_path: Path):
    store, journeys = samples.enrolled(tmp_path, samples.Clock())
    assert journeys.settle([], backed_up_seq=7) == frozenset()
    with store.read() as db:
        assert db.execute("select backed_up_seq from identity").fetchone()[0] == 7
    store.close()
