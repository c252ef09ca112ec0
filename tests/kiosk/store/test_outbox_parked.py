"""Parked actions: out of the chain and still pending, with their patient's later ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from kiosk.store import outbox, outbox_epochs, outbox_parked
from kiosk.store.sqlite import Store
from sync.protocol import Code, Verdict, VerdictRow
from tests.kiosk import samples

from .intents import intent

NOW_MS = 1_772_410_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    parts = samples.enrolled(tmp_path, samples.Clock())
    yield parts.store
    parts.store.close()


def fill(store: Store, *patients: str) -> list[str]:
    """Appends an action of each of these patients. Returns their ids."""
    ids = []
    for patient in patients:
        with store.write() as db:
            head = outbox.head(db, patient)
            ids.append(f"a-{outbox_parked.next_rowid(db)}")
            made = msgspec.structs.replace(intent(head.next_seq, head.epoch, patient), action_id=ids[-1])
            assert outbox.append(db, made, head)
    return ids


def places(store: Store) -> dict[str, tuple[int, int]]:
    """Epoch and seq of the actions that are in the chain, by id."""
    with store.read() as db:
        return {row.action_id: (row.epoch, row.seq) for row in outbox.rows(db) if row.epoch > 0}


def park(store: Store, action_id: str) -> int:
    with store.write() as db:
        return outbox_parked.park(db, action_id, NOW_MS)


def unpark(store: Store, action_id: str) -> int:
    with store.write() as db:
        return outbox_parked.unpark(db, action_id)


def test_an_action_leaves_the_chain_with_its_patients_later_ones_and_nobody_elses(store: Store):
    a, b, c, d = fill(store, "P1", "P2", "P1", "P2")
    assert park(store, a) == 2
    assert places(store).keys() == {b, d}
    with store.read() as db:
        assert outbox.pending_count(db) == 4
        assert outbox_parked.parked(db) == outbox_parked.Parked(2, a, NOW_MS)
        assert [each.opaque.action_id for each in outbox_parked.first_of_each_patient(db) if each.opaque] == [a]
        assert c in {row.action_id for row in outbox.rows(db)}


def test_an_action_that_is_not_in_the_chain_is_not_parked(store: Store):
    (a,) = fill(store, "P1")
    assert park(store, "none") == 0
    assert park(store, a) == 1
    assert park(store, a) == 0


def test_a_parked_patients_next_action_is_parked_too_and_takes_no_place_in_the_chain(store: Store):
    a, b = fill(store, "P1", "P2")
    park(store, a)
    later, others = fill(store, "P1", "P2")
    assert places(store) == {b: (1, 2), others: (1, 3)}
    assert unpark(store, a) == 2
    assert places(store) == {b: (1, 2), others: (1, 3), a: (1, 4), later: (1, 5)}
    with store.read() as db:
        assert outbox_parked.parked(db) is None
        assert len(outbox.batch(db, 9, 2)) == 4


def test_a_new_epoch_and_a_restore_of_the_centre_leave_parked_actions_parked(store: Store):
    a, b = fill(store, "P1", "P2")
    park(store, a)
    with store.write() as db:
        outbox_epochs.start_epoch(db, "kiosk-1", 2)
    assert places(store) == {b: (2, 1)}
    with store.write() as db:
        outbox_epochs.reopen(db)
    assert places(store) == {b: (2, 1)}


def test_judged_rows_after_a_parked_one_are_sent_again_in_the_next_epoch(store: Store):
    a, b = fill(store, "P1", "P2")
    with store.write() as db:
        for seq, action_id in ((1, a), (2, b)):
            verdict = VerdictRow(action_id=action_id, seq=seq, verdict=Verdict.APPLIED, code=Code.OK)
            outbox.retire(db, [verdict], NOW_MS)
    assert park(store, a) == 1
    with store.read() as db:
        assert outbox.pending_count(db) == 2
        (again,) = outbox.batch(db, 9, None)
        assert again.held is not None
        assert again.held.verdict is Verdict.APPLIED


def test_a_verdict_retires_a_parked_action_and_no_backup_counts_as_holding_it(store: Store):
    (a,) = fill(store, "P1")
    park(store, a)
    with store.write() as db:
        outbox.retire(db, [VerdictRow(action_id=a, seq=1, verdict=Verdict.APPLIED, code=Code.OK)], NOW_MS)
        outbox.mark_backed_up(db, 99)
        assert outbox_parked.parked(db) is None
        outbox.forget_backed_up(db, "2099-01-01", 100_000)
        assert [row.action_id for row in outbox.rows(db)] == [a]


def test_what_the_centre_lost_is_replayed_before_what_was_parked_after_it(store: Store):
    first, second = fill(store, "P1", "P1")
    with store.write() as db:
        row = VerdictRow(action_id=first, seq=1, verdict=Verdict.APPLIED, code=Code.OK, patient_id="P1")
        outbox.retire(db, [row], NOW_MS)
    park(store, second)
    with store.write() as db:
        outbox_epochs.reopen(db)
    with store.read() as db:
        pending = outbox.pending_of(db, "P1", frozenset(), samples.SITE)
    assert [each.action.action_id for each in pending] == [first, second]
