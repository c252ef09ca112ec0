"""The chain of the access log: which rows a block takes, late ones and those that count, and how old blocks go."""

from __future__ import annotations

import threading
from dataclasses import replace

import psycopg
import pytest

from sync.central.maintenance.housekeeping import Housekeeping
from sync.central.maintenance.log_keys import log_keys_path, read_log_keys
from sync.central.maintenance.log_sealing import delete_old_blocks, seal_log, tell_head
from sync.central.maintenance.log_verifying import log_keys, verify_log
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.log_blocks import MOST_ROWS, all_open_rows
from sync.central.records.log_digests import BEGINNING
from sync.central.records.log_verification import ChainPlace, Heads, verify_portion
from sync.central.records.tallies import Counted, Tally, write_tally
from sync.clock import DAY_MS, MINUTE_MS
from sync.ids import uuid7
from tests.sync.central.centre import Centre
from tests.sync.central.log_chain import add_block, add_rows, blocks, found


def open_number(centre: Centre) -> int:
    with centre.store.read() as db:
        return all_open_rows(db)


def test_a_block_comes_after_a_minute_or_with_five_hundred_rows(centre: Centre):
    add_rows(centre, 3)
    assert (seal_log(centre.parts), open_number(centre)) == (0, 3)
    centre.clock.now_ms += MINUTE_MS
    assert (seal_log(centre.parts), open_number(centre)) == (1, 0)
    add_rows(centre, 2 * MOST_ROWS + 1)
    assert (seal_log(centre.parts), open_number(centre)) == (2, 1)
    assert [block.rows_sealed for block in blocks(centre)] == [3, MOST_ROWS, MOST_ROWS]
    assert found(centre) == []


def test_each_block_names_its_rows_and_the_block_before_it(centre: Centre):
    first, second = add_block(centre), add_block(centre, 1)
    assert (first.block, first.previous, second.block, second.previous) == (1, BEGINNING, 2, first.digest)
    ids = sorted(row["audit_id"] for row in centre.rows("select audit_id from audit where block = 1"))
    assert (first.first_id, first.last_id, first.rows_sealed) == (ids[0], ids[-1], 3)
    assert first.sealed_ms == centre.clock()


def test_a_clock_that_went_back_delays_no_block(centre: Centre):
    add_rows(centre, 1)
    centre.clock.now_ms -= DAY_MS
    assert seal_log(centre.parts) == 1


def test_a_row_that_counts_is_sealed_after_its_time_and_what_comes_later_is_a_row_more(centre: Centre):
    now_ms = centre.clock()
    tally = Tally(AuditKind.TOLD_ROSTER, "K1", now_ms, now_ms + MINUTE_MS)

    def count(number: int) -> None:
        with centre.store.write() as db:
            write_tally(db, tally, Counted(number, centre.clock(), {"day": "2026-03-02"}))

    count(2)
    assert (seal_log(centre.parts, at_once=True), open_number(centre)) == (0, 1)
    centre.clock.now_ms += MINUTE_MS
    count(3)
    assert seal_log(centre.parts, at_once=True) == 1
    count(4)
    count(5)
    assert seal_log(centre.parts, at_once=True) == 1
    counts = centre.rows("select detail from audit order by block")
    assert [row["detail"] for row in counts] == ['{"day":"2026-03-02","count":5}', '{"day":"2026-03-02","count":9}']
    assert found(centre) == []


def test_a_row_that_counts_by_a_clock_far_ahead_is_sealed_too(centre: Centre):
    ahead_ms = centre.clock() + 400 * DAY_MS
    with centre.store.write() as db:
        tally = Tally(AuditKind.TOLD_ROSTER, "K1", ahead_ms, ahead_ms + MINUTE_MS)
        write_tally(db, tally, Counted(1, ahead_ms, {}))
    assert (seal_log(centre.parts, at_once=True), open_number(centre)) == (1, 0)


def test_a_row_with_an_older_id_that_is_committed_after_a_block_is_in_the_next_one(centre: Centre):
    add_block(centre)
    with centre.store.write() as db:
        note(db, "late", AuditKind.LOOK_STATE, centre.clock())
        late = uuid7(centre.clock() - DAY_MS, b"0123456789")
        db.execute("update audit set audit_id = :id where who = 'late'", {"id": late})
    add_block(centre)
    assert centre.rows("select block from audit where who = 'late'") == [{"block": 2}]
    assert blocks(centre)[1].first_id == late
    assert found(centre) == []


def test_a_transaction_that_ends_after_a_block_loses_no_row(centre: Centre):
    """A real transaction of PostgreSQL that is open while a block is sealed, with the oldest id of all."""
    if not centre.database.is_postgresql:
        pytest.skip("SQLite has one writer")
    late = uuid7(centre.clock() - DAY_MS, b"0123456789")
    sql = "insert into audit (audit_id, at_ms, who, kind, detail) values (%s, 0, 'late', 'look:queue', '{}')"
    with psycopg.connect(centre.database.direct or centre.database.url) as other:
        other.execute(sql, (late,))
        add_block(centre)
        other.commit()
    assert (open_number(centre), found(centre)) == (1, [])
    assert seal_log(centre.parts, at_once=True) == 1
    assert centre.rows("select block from audit where who = 'late'") == [{"block": 2}]
    assert found(centre) == []


def test_rows_come_while_blocks_are_sealed_and_each_is_in_one_block(centre: Centre):
    """Threads that write, briefly and in turn, and two that seal: the second one is a leader that was replaced."""
    done = threading.Event()

    def write(who: str) -> None:
        for _ in range(60):
            with centre.store.write(brief=True) as db:
                note(db, who, AuditKind.LOOK_QUEUE, centre.clock(), patient_id="P01")

    def seal() -> None:
        while not done.is_set():
            seal_log(centre.parts, at_once=True)

    writers = [threading.Thread(target=write, args=(f"staff:{each}",)) for each in range(4)]
    sealers = [threading.Thread(target=seal) for _ in range(2)]
    for each in (*writers, *sealers):
        each.start()
    for each in writers:
        each.join()
    done.set()
    for each in sealers:
        each.join()
    seal_log(centre.parts, at_once=True)
    assert (sum(block.rows_sealed for block in blocks(centre)), open_number(centre)) == (240, 0)
    assert found(centre) == []


def test_the_seal_needs_a_key_that_is_not_in_the_database(centre: Centre):
    block = add_block(centre)
    (key,) = read_log_keys(centre.store.place.state)
    assert block.seal == key.seal(block.digest)
    assert log_keys_path(centre.store.place.state).stat().st_mode & 0o777 == 0o600
    for row in centre.rows("select * from log_blocks"):
        assert key.secret not in str(row)
    assert key.secret not in repr(key)


def test_a_key_that_is_not_here_is_named_until_the_operator_brings_it_or_calls_it_lost(centre: Centre):
    key_id, path = add_block(centre).key_id, log_keys_path(centre.store.place.state)
    add_block(centre)
    first = path.read_bytes()
    path.unlink()
    add_block(centre)
    assert found(centre) == [f"block 1 and others are sealed by the key {key_id}, which is not here"]
    second = path.read_bytes()
    path.write_bytes(first[:-2] + b"," + second.partition(b"[")[2])
    assert found(centre) == []
    path.write_bytes(b'{"keys":[{"key_id":"' + key_id.encode() + b'","secret":""},' + second.partition(b"[")[2])
    assert found(centre) == []
    assert add_block(centre).key_id != key_id


@pytest.mark.parametrize("content", [b"", b"{}", b'{"keys":[]}', b'{"keys":[{"key_id":"l1","secret":"00"}]}', b"\xff"])
def test_a_key_file_of_another_form_is_named_and_left_alone(centre: Centre, content: bytes):
    path = log_keys_path(centre.store.place.state)
    path.write_bytes(content)
    add_rows(centre, 1)
    with pytest.raises(ValueError, match="log-keys"):
        seal_log(centre.parts, at_once=True)
    assert (path.read_bytes(), open_number(centre)) == (content, 1)


def of_day(centre: Centre, day: int, rows: int = 3) -> None:
    """A block that was sealed so many days ago."""
    then = replace(centre.parts, clock=lambda: centre.clock() - day * DAY_MS)
    add_rows(centre, rows, at_ms=then.clock())
    seal_log(then, at_once=True)


def test_old_blocks_go_with_their_rows_and_leave_an_anchor_and_a_row(centre: Centre):
    for day in (40, 35, 29, 0):
        of_day(centre, day)
    assert delete_old_blocks(centre.parts, 30) == 6
    assert [block.block for block in blocks(centre)] == [3, 4]
    assert found(centre) == []
    (told,) = centre.rows("select who, detail from audit where kind = 'access-log-deleted'")
    assert told["who"] == "centre"
    assert '"blocks":[1,2],"rows":6' in told["detail"]
    assert delete_old_blocks(centre.parts, 30) == 0
    assert seal_log(centre.parts, at_once=True) == 1
    assert found(centre) == []


def test_all_blocks_can_go_and_the_chain_goes_on_after_them(centre: Centre):
    of_day(centre, 40)
    assert delete_old_blocks(centre.parts, 30) == 3
    assert (blocks(centre), found(centre)) == ([], [])
    assert add_block(centre).block == 2
    assert found(centre) == []


def test_a_deletion_takes_whole_blocks_in_portions_of_a_thousand_rows(centre: Centre):
    of_day(centre, 40, 2 * MOST_ROWS + 700)
    assert delete_old_blocks(centre.parts, 30) == 2 * MOST_ROWS + 700
    assert len(centre.rows("select 1 from audit where kind = 'access-log-deleted'")) == 2
    assert delete_old_blocks(centre.parts, 0) == 0, "rows without a block stay"


def test_a_young_row_in_an_old_block_stays_and_a_row_of_the_future_holds_nothing_up(centre: Centre):
    then = replace(centre.parts, clock=lambda: centre.clock() - 40 * DAY_MS)
    add_rows(centre, 1, at_ms=centre.clock() + 400 * DAY_MS)
    seal_log(then, at_once=True)
    add_rows(centre, 1, at_ms=centre.clock() - DAY_MS)
    seal_log(then, at_once=True)
    assert delete_old_blocks(centre.parts, 30) == 1
    assert [block.block for block in blocks(centre)] == [2]


def test_a_verification_that_meets_a_deletion_goes_on_after_it(centre: Centre):
    for day in (40, 35, 0):
        of_day(centre, day)
    first = blocks(centre)[0]
    delete_old_blocks(centre.parts, 30)
    with centre.store.read() as db:
        portion = verify_portion(db, log_keys(centre.parts), ChainPlace(1, first.digest, 1, 1, 3), Heads())
    assert (portion.faults, portion.place.block, portion.place.blocks) == ((), 3, 2)


def test_the_background_seals_and_verifies_and_seals_the_rest_when_it_stops(centre: Centre):
    add_rows(centre, MOST_ROWS + 1)
    background = Housekeeping(centre.parts, tick_s=60)
    background.start()
    background.stop()
    assert (open_number(centre), found(centre)) == (0, [])
    check = verify_log(centre.parts)
    assert check is not None
    assert (check.faults, check.rows_verified) == (0, MOST_ROWS + 1)
    head = tell_head(centre.parts)
    assert head is not None
    assert head.block == check.block
