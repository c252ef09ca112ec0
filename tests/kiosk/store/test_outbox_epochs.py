"""New epochs: pending rows are renumbered in order, and sent again after a restore or an enrolment."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from kiosk.store import outbox, outbox_epochs
from kiosk.store.sqlite import Store
from sync.protocol import (
    NO_HASH,
    Code,
    Intent,
    Verdict,
)
from tests.kiosk import samples
from tests.kiosk.store.intents import check_chain, fill, seqs, verdict


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = samples.enrolled(tmp_path, samples.Clock()).store
    yield opened
    opened.close()


def test_a_new_epoch_renumbers_what_is_pending_in_order_and_keeps_the_ids(store: Store):
    with store.write() as db:
        fill(db, 6)
        for seq in (1, 3, 4):
            outbox.retire(db, [verdict(seq)], 0)
        assert outbox_epochs.start_epoch(db, "kiosk-9", 5) == 3
        batch = outbox.batch(db, 10, None)
        assert outbox.head(db) == outbox.Head(5, 4, batch[-1].hash)
        rows = [(r.epoch, r.seq, r.action_id, r.status) for r in outbox.rows(db)]
    check_chain(batch)
    bodies = [msgspec.json.decode(pushed.body, type=Intent) for pushed in batch]
    assert [(b.kiosk_id, b.epoch, b.seq, b.action_id) for b in bodies] == [
        ("kiosk-9", 5, 1, "a-1-2"),
        ("kiosk-9", 5, 2, "a-1-5"),
        ("kiosk-9", 5, 3, "a-1-6"),
    ]
    assert rows[:3] == [(1, 1, "a-1-1", "applied"), (1, 3, "a-1-3", "applied"), (1, 4, "a-1-4", "applied")]


def test_epoch_after_epoch_the_order_stays(store: Store):
    with store.write() as db:
        fill(db, 1200)
        for epoch in (2, 3, 4):
            outbox_epochs.start_epoch(db, "kiosk-1", epoch)
            fill(db, 1)
        ids = [row.action_id for row in outbox.rows(db)]
    assert ids == [*(f"a-1-{n}" for n in range(1, 1201)), "a-2-1201", "a-3-1202", "a-4-1203"]


def test_a_new_epoch_with_nothing_pending_begins_at_one(store: Store):
    with store.write() as db:
        fill(db, 1)
        outbox.retire(db, [verdict(1)], 0)
        assert outbox_epochs.start_epoch(db, "kiosk-1", 2) == 0
        assert outbox.head(db) == outbox.Head(2, 1, NO_HASH)
        assert outbox.batch(db, 10, 1) == []


def test_an_epoch_that_was_there_before_is_refused_whole(store: Store):
    with store.write() as db:
        fill(db, 2)
        outbox.retire(db, [verdict(1)], 0)
    with pytest.raises(sqlite3.IntegrityError), store.write() as db:
        outbox_epochs.start_epoch(db, "kiosk-1", 1)
    with store.read() as db:
        assert [(r.epoch, r.seq, r.status) for r in outbox.rows(db)] == [(1, 1, "applied"), (1, 2, "pending")]


def test_after_a_restore_of_the_centre_everything_is_pending_again(store: Store):
    with store.write() as db:
        fill(db, 5)
        for seq in range(1, 6):
            outbox.retire(db, [verdict(seq)], 0)
        outbox.mark_backed_up(db, 2)
        outbox.mark_backed_up(db, 1)
        outbox_epochs.reopen(db)
        assert [r.status for r in outbox.rows(db)] == ["pending"] * 5
        assert seqs(outbox.batch(db, 10, None)) == [1, 2, 3, 4, 5]
        # A verdict of the same revision counts again.
        assert outbox.unsettled(db, [verdict(3, word=Verdict.SUPERSEDED)])


def test_after_a_restore_what_was_judged_in_an_earlier_epoch_goes_again_under_the_next(store: Store):
    with store.write() as db:
        fill(db, 2)
        for seq in (1, 2):
            outbox.retire(db, [verdict(seq)], 0)
        outbox_epochs.start_epoch(db, "kiosk-1", 2)
        assert outbox.pending_count(db) == 0
        outbox_epochs.reopen(db)
        assert [(row.epoch, row.seq, row.status) for row in outbox.rows(db)] == [(3, 1, "pending"), (3, 2, "pending")]


def test_another_kiosk_keeps_what_was_judged_in_front_of_its_epochs_until_a_backup_has_it(store: Store):
    with store.write() as db:
        fill(db, 3)
        outbox.retire(db, [verdict(2)], 100)
        outbox_epochs.move_before_first_epoch(db)
        outbox_epochs.start_epoch(db, "kiosk-2", 1)
        assert [(row.epoch, row.seq, row.status) for row in outbox.rows(db)] == [
            (0, 2, "applied"),
            (1, 1, "pending"),
            (1, 2, "pending"),
        ]
        outbox.forget_backed_up(db, "2026-03-03", 50)
        assert len(outbox.rows(db)) == 3
        outbox.mark_backed_up(db, 1)
        outbox.forget_backed_up(db, "2026-03-03", 50)
        assert [row.epoch for row in outbox.rows(db)] == [1, 1]


def test_a_kiosk_may_be_enrolled_again_and_again_with_any_epochs(store: Store):
    with store.write() as db:
        fill(db, 3)
        waits = verdict(1, word=Verdict.NEEDS_STAFF)
        outbox.retire(db, [waits], 100)
        set_aside = verdict(2, word=Verdict.NEEDS_STAFF)
        outbox.retire(db, [msgspec.structs.replace(set_aside, code=Code.QUARANTINED)], 100)
        outbox_epochs.start_epoch(db, "kiosk-1", 2)
        outbox.retire(db, [verdict(3)], 100)
        for name in ("kiosk-2", "kiosk-3"):
            outbox_epochs.move_before_first_epoch(db)
            outbox_epochs.start_epoch(db, name, 1)
            rows = {row.action_id: row for row in outbox.rows(db)}
            assert rows[waits.action_id].status == "pending", "the kiosk must get the decision of the staff"
            assert rows[set_aside.action_id].status == "needs_staff", "the centre would quarantine it again"
            outbox.retire(db, [waits], 100)
