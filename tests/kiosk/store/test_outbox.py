"""The outbox: a gap-free hash chain, batches within limits, and rows that only a verdict retires."""

from __future__ import annotations

import sqlite3
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from kiosk.journey.outcomes import outcomes_of, read_acts
from kiosk.journey.transaction_context import transaction_context
from kiosk.store import outbox, outbox_bodies, outbox_epochs
from kiosk.store.identity import read_identity
from kiosk.store.sqlite import Store
from sync.clock import ClockReading
from sync.journey.definitions import shipped
from sync.journey.model import Exam, ExamId, Journey, PatientId
from sync.protocol import (
    MAX_ACTION_BODY,
    MAX_BATCH,
    MAX_BATCH_BYTES,
    NO_HASH,
    PushRequest,
    Site,
    Verdict,
    VerdictRow,
    canonical,
    chain_hash,
)
from tests.kiosk import samples
from tests.kiosk.store.intents import check_chain, fill, intent, seqs, verdict

SITE = Site(name="x", timezone="UTC", day_starts_at="04:00", walk_in=Exam(ExamId("D"), "d", "d", "1"))
GRANTS = frozenset({"scan_nfc"})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = samples.enrolled(tmp_path, samples.Clock()).store
    yield opened
    opened.close()


# The chain.


def test_each_row_builds_on_the_one_before_and_the_identity_knows_the_head(store: Store):
    with store.write() as db:
        fill(db, 5)
        batch = outbox.batch(db, 10, None)
        assert outbox.head(db) == outbox.Head(1, 6, batch[-1].hash)
    assert seqs(batch) == [1, 2, 3, 4, 5]
    check_chain(batch)
    assert all(bytes(pushed.body) == canonical(msgspec.json.decode(pushed.body)) for pushed in batch)


def test_the_same_seq_or_id_is_never_taken_twice(store: Store):
    with store.write() as db:
        fill(db, 1)
    for again in (intent(1), msgspec.structs.replace(intent(2), action_id="a-1-1")):
        with pytest.raises(sqlite3.IntegrityError), store.write() as db:
            outbox.append(db, again, outbox.Head(1, 1, "x"))
    with store.read() as db:
        assert len(outbox.rows(db)) == 1


def test_before_enrolment_there_is_no_chain(tmp_path: Path):
    opened = Store(tmp_path / "kiosk.db")
    with opened.read() as db:
        with pytest.raises(TypeError):
            outbox.head(db)
        assert outbox.pending_count(db) == 0
        assert outbox.rows(db) == []
    opened.close()


def settle(db: sqlite3.Connection, judged: VerdictRow, judged_ms: int) -> sqlite3.Row | None:
    """Writes a verdict where a row waits for it. Returns the row before it."""
    row = outbox.unsettled(db, [judged]).get(judged.action_id)
    if row is not None:
        outbox.retire(db, [judged], judged_ms)
    return row


# Batches.


def test_a_batch_begins_with_the_first_that_is_pending_and_holds_so_many_at_most(store: Store):
    with store.write() as db:
        assert outbox.batch(db, 10, None) == []
        fill(db, MAX_BATCH + 20)
        for seq in (1, 2, 3):
            settle(db, verdict(seq), 0)
        assert seqs(outbox.batch(db, 5, None)) == [4, 5, 6, 7, 8]
        assert len(outbox.batch(db, 10_000, None)) == MAX_BATCH


def test_a_row_judged_out_of_turn_goes_along_so_that_the_chain_has_no_hole(store: Store):
    with store.write() as db:
        fill(db, 4)
        settle(db, verdict(2), 0)
        batch = outbox.batch(db, 10, None)
    assert seqs(batch) == [1, 2, 3, 4]
    check_chain(batch)


def test_from_where_the_centre_expects_it_also_rows_that_were_judged_are_sent(store: Store):
    with store.write() as db:
        fill(db, 5)
        for seq in range(1, 6):
            settle(db, verdict(seq), 0)
        assert outbox.batch(db, 10, None) == []
        assert seqs(outbox.batch(db, 10, 2)) == [2, 3, 4, 5]


@pytest.mark.parametrize("expected", [6, 10**15, 0, -1])
def test_what_is_not_here_cannot_be_sent(store: Store, expected: int):
    with store.write() as db:
        fill(db, 5)
        assert outbox.batch(db, 10, expected) == []


def test_a_batch_keeps_within_the_bytes_of_the_protocol_whole_request_and_all(store: Store):
    with store.write() as db:
        fill(db, 60, payload={"answers": "가" * 3000})
        batch = outbox.batch(db, MAX_BATCH, None)
    assert 1 < len(batch) < 60
    request = PushRequest(
        protocol_version=2,
        site_id="s" * 36,
        kiosk_id="k" * 64,
        epoch=2**31,
        now=ClockReading(2**60, 2**60, "b" * 64, False),
        server_incarnation="i" * 64,
        actions=batch,
    )
    assert MAX_BATCH_BYTES * 0.9 < len(msgspec.json.encode(request)) <= MAX_BATCH_BYTES


def test_an_action_that_says_more_than_a_body_may_hold_is_not_written(store: Store):
    with store.write() as db:
        before = outbox.head(db)
        assert not outbox.append(db, intent(1, payload={"answers": "x" * MAX_ACTION_BODY}), outbox.Head(1, 1, NO_HASH))
        assert outbox.head(db) == before
        assert outbox.rows(db) == []


def enlarge_the_last(db: sqlite3.Connection, size: int) -> None:
    """Makes the last body larger than this version of the kiosk writes."""
    head = outbox.head(db)
    body = canonical(intent(head.next_seq - 1, payload={"answers": "x" * size}))
    hashed = chain_hash(NO_HASH, body)
    db.execute(
        "update outbox set body = ?, digest = ?, hash = ? where seq = ?",
        (body, outbox_bodies.digest(body), hashed, head.next_seq - 1),
    )
    db.execute("update identity set last_hash = ?", (hashed,))


def test_one_action_larger_than_a_batch_goes_alone(store: Store):
    with store.write() as db:
        fill(db, 1)
        enlarge_the_last(db, 2 * MAX_BATCH_BYTES)
        fill(db, 3)
        assert seqs(outbox.batch(db, MAX_BATCH, None)) == [1]
        settle(db, verdict(1), 0)
        assert seqs(outbox.batch(db, MAX_BATCH, None)) == [2, 3, 4]


def test_there_is_no_unread_record_where_nothing_waits(store: Store):
    with store.write() as db:
        fill(db, 1)
        unread = outbox.first_unread(db, None)
        assert unread is not None
        assert unread.opaque is not None
        assert (unread.opaque.seq, unread.opaque.action_id, unread.opaque.readable) == (1, "a-1-1", True)
        settle(db, verdict(1), 0)
        assert outbox.first_unread(db, None) is None
        assert outbox.first_unread(db, 1) is not None, "the centre may ask for judged rows again"
        assert outbox.first_unread(db, 9) is None


# Verdicts.


def test_only_a_verdict_for_that_very_row_retires_it_and_once(store: Store):
    with store.write() as db:
        fill(db, 3)
        row = settle(db, verdict(2), 77)
        assert row is not None
        assert (row["seq"], row["status"]) == (2, "pending")
        assert settle(db, verdict(2), 88) is None
        assert settle(db, verdict(9), 88) is None
        verdicts = [(r.seq, r.status, r.code, r.judged_ms) for r in outbox.rows(db)]
    assert verdicts == [(1, "pending", None, None), (2, "applied", "ok", 77), (3, "pending", None, None)]


def test_a_verdict_replaces_one_of_an_older_revision_and_never_of_a_newer_one(store: Store):
    with store.write() as db:
        fill(db, 1)
        settle(db, verdict(1, 0, word=Verdict.NEEDS_STAFF), 1)
        assert settle(db, verdict(1, 2), 2) is not None
        assert settle(db, verdict(1, 1, word=Verdict.SUPERSEDED), 3) is None
        assert [(r.status, r.judged_ms) for r in outbox.rows(db)] == [("applied", 2)]


def test_who_has_something_pending_and_how_much_that_is_of_everybody(store: Store):
    with store.write() as db:
        fill(db, 3)
        fill(db, 1, patient="P2")
        settle(db, verdict(1), 0)
        assert outbox.pending_count(db) == 3
        assert outbox.pending_patients(db) == {"P1", "P2"}


# The visit and the patient of a row.


def test_pending_actions_follow_an_alias_of_their_visit_and_bodies_keep_what_was_sent(store: Store):
    with store.write() as db:
        fill(db, 2, visit="mine")
        fill(db, 1, visit="other")
        fill(db, 1, patient="P2", visit="mine")
        settle(db, verdict(1), 0)
        outbox.move_to_visit(db, "P1", "mine", "theirs")
        rows = db.execute("select * from outbox order by seq").fetchall()
        assert [(row["seq"], row["visit_id"]) for row in rows] == [
            (1, "mine"),
            (2, "theirs"),
            (3, "other"),
            (4, "mine"),
        ]
        assert {sent.visit_id for row in rows[:2] if (sent := outbox_bodies.read(row))} == {"mine"}
        pending = outbox.pending_of(db, "P1", GRANTS, SITE)
        assert [(p.visit_id, p.action.opens.visit_id) for p in pending] == [("theirs", "theirs"), ("other", "other")]


def test_a_provisional_patients_actions_follow_to_the_real_one(store: Store):
    with store.write() as db:
        fill(db, 2, patient="card-1")
        settle(db, verdict(1), 0)
        outbox.move_by_sent_patient(db, "card-1", "card-1", "P1")
        assert {row.patient_id for row in outbox.rows(db)} == {"P1"}
        assert [p.action.action_id for p in outbox.pending_of(db, "P1", GRANTS, SITE)] == ["a-1-2"]


def test_a_pending_action_is_ready_to_be_replayed(store: Store):
    with store.write() as db:
        fill(db, 1, payload={"exam_id": "XRAY"})
        fill(db, 1, payload={"exam_id": 7})
        first, second = outbox.pending_of(db, "P1", GRANTS, SITE)
    assert (first.visit_id, first.leg, first.journey_state, first.site_day) == ("v1", 0, "UNREGISTERED", "2026-03-02")
    assert (first.action.exam_id, second.action.exam_id) == ("XRAY", None)
    assert (first.action.actor.grants, first.action.opens.walk_in, first.action.at_ms) == (GRANTS, SITE.walk_in, 1)
    assert (first.action.opens.queue_id, first.action.opens.queue_number) == ("q-1", "")


def test_an_action_is_found_by_its_id(store: Store):
    with store.write() as db:
        fill(db, 1)
        row = outbox.find(db, "a-1-1")
        assert row is not None
        assert outbox_bodies.read(row) == intent(1)
        assert outbox.find(db, "none") is None


# Rows that backups hold.


def test_judged_rows_go_once_backups_hold_them_and_their_day_is_over(store: Store):
    with store.write() as db:
        fill(db, 4)
        for seq in (1, 2, 3):
            settle(db, verdict(seq), 100)
        outbox.mark_backed_up(db, 2)
        outbox.forget_backed_up(db, "2026-03-02", 50)
        assert len(outbox.rows(db)) == 4
        outbox.forget_backed_up(db, "2026-03-03", 50)
        assert [row.seq for row in outbox.rows(db)] == [3, 4]


def test_of_what_no_backup_holds_the_newest_rows_stay_and_all_that_waits(store: Store):
    with store.write() as db:
        fill(db, 5)
        for seq in (2, 3, 4):
            settle(db, verdict(seq), 100)
        outbox.forget_backed_up(db, "2027-03-02", 3)
        assert [row.seq for row in outbox.rows(db)] == [1, 3, 4, 5]
        outbox.forget_backed_up(db, "2027-03-02", 2)
        assert [row.seq for row in outbox.rows(db)] == [1, 4, 5]


# Weeks without the centre.


def very_many(db: sqlite3.Connection, count: int) -> None:
    """Writes that many pending rows, without valid hashes."""
    bodies = ((f"a-1-{n}", n, f"P{n % 500}", canonical(intent(n, patient=f"P{n % 500}"))) for n in range(1, count + 1))
    db.executemany(
        "insert into outbox (action_id, site_id, epoch, seq, patient_id, visit_id, action_type, body, digest, hash,"
        f" status, site_day, applied_ms)"
        f" values (?, '{samples.SITE_ID}', 1, ?, ?, 'v', 'scan_nfc', ?, ?, '', 'pending', '2026-03-02', 0)",
        ((*row, outbox_bodies.digest(row[-1])) for row in bodies),
    )
    db.execute("update identity set next_seq = ?", (count + 1,))


def test_with_a_hundred_thousand_rows_pending_a_batch_and_a_count_take_no_more_memory(store: Store):
    with store.write() as db:
        very_many(db, 100_000)
    with store.read() as db:
        tracemalloc.start()
        assert outbox.pending_count(db) == 100_000
        assert len(outbox.batch(db, MAX_BATCH, None)) == MAX_BATCH
        assert seqs(outbox.batch(db, 1, 99_990)) == [99_990]
        assert len(outbox.pending_of(db, "P7", GRANTS, SITE)) == 200
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 2_000_000


def test_no_statement_of_the_outbox_reads_it_whole_where_an_index_knows_what_is_pending(store: Store):
    asked: list[str] = []
    with store.write() as db:
        identity = read_identity(db)
        assert identity is not None
        now = transaction_context(identity, shipped(), samples.Clock()(), samples.KEYS)
        fill(db, 2)
        db.set_trace_callback(asked.append)
        outbox.batch(db, 9, None)
        outbox.pending_count(db)
        outbox.pending_patients(db)
        outbox.pending_of(db, "P1", GRANTS, SITE)
        outcomes_of(read_acts(db, "P1"), now, Journey(PatientId("P1"), "UNREGISTERED", "2026-03-02"))
        outbox_epochs.start_epoch(db, "kiosk-1", 2)
        db.set_trace_callback(None)
        plans = [
            row["detail"]
            for statement in asked
            if statement.startswith(("select", "update outbox"))
            for row in db.execute(f"explain query plan {statement}")
        ]
    assert plans
    assert not [plan for plan in plans if plan == "SCAN outbox"]
