"""An intruder who can write the database changes the access log. Each change of a sealed row or of a block is found."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.central.maintenance.log_sealing import delete_old_blocks
from sync.central.maintenance.log_verifying import in_words
from sync.central.records.log_digests import LogKey, make_block
from sync.central.records.log_verification import Fault, FaultKind
from sync.central.store.transactions import WriteTransaction
from sync.clock import DAY_MS
from tests.sync.central.centre import Centre
from tests.sync.central.log_chain import add_block, add_rows, blocks, found, whole

BLOCKS, ROWS = 6, 4


@pytest.fixture
def sealed(centre: Centre) -> Centre:
    for _ in range(BLOCKS):
        add_block(centre, ROWS)
    add_rows(centre, 2)
    assert found(centre) == []
    return centre


class _Undo(Exception):
    """Ends a transaction without a trace."""


@contextmanager
def tampering(centre: Centre) -> Iterator[WriteTransaction]:
    """A transaction that is undone."""
    with suppress(_Undo), centre.store.write() as db:
        yield db
        raise _Undo


def row_ids(db: WriteTransaction, block: int) -> list[str]:
    return [
        row["audit_id"] for row in db.rows("select audit_id from audit where block = :b order by audit_id", b=block)
    ]


def faults(db: WriteTransaction, centre: Centre, heads: dict[int, str] | None = None) -> list[str]:
    return [in_words(fault) for fault in whole(db, centre, heads)[1]]


CHANGES: dict[str, object] = {
    "at_ms": 7,
    "who": "staff:9",
    "kind": "look:history",
    "patient_id": "P99",
    "action_id": "another",
    "detail": '{"from":"192.0.2.9"}',
    "counts_until_ms": 5,
}


@pytest.mark.parametrize("column", CHANGES)
def test_a_changed_column_of_a_row_is_found_with_block_and_row(sealed: Centre, column: str):
    with tampering(sealed) as db:
        changed = row_ids(db, 3)[1]
        sql = f"update audit set {column} = :value where audit_id = :id"
        db.execute(sql, {"value": CHANGES[column], "id": changed})
        assert faults(db, sealed) == [f"block 3: the row {changed} was changed"]


def test_a_removed_row_an_added_one_and_one_under_another_id_are_found(sealed: Centre):
    with tampering(sealed) as db:
        first, second, third, _ = row_ids(db, 2)
        db.execute("delete from audit where audit_id = :id", {"id": first})
        db.execute("update audit set audit_id = 'other' where audit_id = :id", {"id": second})
        db.execute("insert into audit values ('added', 1, 'w', 'bind', null, null, '{}', null, 2)")
        db.execute("update audit set block = null where audit_id = :id", {"id": third})
        assert sorted(faults(db, sealed)) == sorted(
            [
                *(f"block 2: the row {each} was removed" for each in (first, second, third)),
                *(f"block 2: the row {each} was added" for each in ("other", "added")),
            ]
        )


def test_two_rows_that_change_places_are_found(sealed: Centre):
    with tampering(sealed) as db:
        here, there = row_ids(db, 2)[0], row_ids(db, 5)[0]
        db.execute("update audit set block = 5 where audit_id = :id", {"id": here})
        db.execute("update audit set block = 2 where audit_id = :id", {"id": there})
        assert len(faults(db, sealed)) == 4
    with tampering(sealed) as db:
        here, there = row_ids(db, 2)[:2]
        for old, new in ((here, "between"), (there, here), ("between", there)):
            db.execute(
                "update audit set audit_id = :new, who = 'staff:' || :new where audit_id = :old", locals_of(old, new)
            )
        assert faults(db, sealed) == [f"block 2: the row {each} was changed" for each in sorted((here, there))]


def locals_of(old: str, new: str) -> dict[str, str]:
    return {"old": old, "new": new}


def test_a_removed_block_is_found_with_its_rows_or_without(sealed: Centre):
    with tampering(sealed) as db:
        db.execute("delete from log_blocks where block = 3")
        assert faults(db, sealed) == ["block 3 is missing"]
        db.execute("delete from audit where block = 3")
        assert faults(db, sealed) == ["block 3 is missing"]
    with tampering(sealed) as db:
        for table in ("log_blocks", "audit"):
            db.execute(f"delete from {table} where block in (3, 4)")
        assert faults(db, sealed) == ["block 3 is missing", "block 4 is missing"]


def test_a_removed_beginning_is_found_with_an_anchor_or_without(sealed: Centre):
    with tampering(sealed) as db:
        digest = db.value("select digest from log_blocks where block = 2")
        for table in ("log_blocks", "audit"):
            db.execute(f"delete from {table} where block <= 2")
        assert faults(db, sealed) == ["block 1 is missing", "block 2 is missing"]
        db.execute("insert into log_anchor values (1, 2, :digest, :key, 'none')", {"digest": digest, "key": key_of(db)})
        assert faults(db, sealed) == ["the blocks up to 2 were deleted without the key of the centre"]


def key_of(db: WriteTransaction) -> str:
    return str(db.value("select max(key_id) from log_blocks"))


def test_a_row_of_a_deleted_block_is_found(sealed: Centre):
    sealed.clock.now_ms += 40 * DAY_MS
    delete_old_blocks(sealed.parts, 30)
    add_block(sealed)
    assert found(sealed) == []
    with tampering(sealed) as db:
        db.execute("insert into audit values ('added', 1, 'w', 'bind', null, null, '{}', null, 2)")
        assert faults(db, sealed) == ["block 2: the row added was added"]


def test_a_shorter_chain_is_found_by_a_head_that_was_kept_elsewhere(sealed: Centre):
    head = blocks(sealed)[-1]
    with tampering(sealed) as db:
        for table in ("log_blocks", "audit"):
            db.execute(f"delete from {table} where block > 4")
        assert faults(db, sealed) == []
        assert faults(db, sealed, {6: head.digest}) == ["the chain ends before block 6, which was noted elsewhere"]
    with tampering(sealed) as db:
        db.execute("delete from log_blocks where block > 4")
        assert faults(db, sealed) == ["block 5 is missing", "block 6 is missing"]


def test_a_chain_that_was_made_again_without_the_key_is_found_and_one_with_it_by_a_head(sealed: Centre):
    head = blocks(sealed)[-1]
    own = LogKey("l00000000", "00" * 32)
    with tampering(sealed) as db:
        previous = "0" * 64
        for number in range(1, BLOCKS + 1):
            db.execute("update audit set who = 'nobody' where block = :b", {"b": number})
            columns = "audit_id, at_ms, who, kind, patient_id, action_id, detail, counts_until_ms"
            rows = [
                tuple(row)
                for row in db.rows(f"select {columns} from audit where block = :b order by audit_id", b=number)
            ]
            made = make_block(number, previous, rows, 1, own)
            previous = made.digest
            db.execute(
                "update log_blocks set leaves = :leaves, digest = :digest, previous = :previous, seal = :seal,"
                " sealed_ms = 1 where block = :block",
                {**{name: getattr(made, name) for name in ("leaves", "digest", "previous", "seal")}, "block": number},
            )
        assert faults(db, sealed) == [
            f"block {number} was made without the key of the centre" for number in range(1, BLOCKS + 1)
        ]
        assert faults(db, sealed, {6: head.digest})[-1] == "block 6 is not the one that was noted elsewhere"


COLUMNS = ("sealed_ms", "rows_sealed", "first_id", "last_id", "leaves", "previous", "digest", "key_id", "seal")
OTHERS: dict[str, object] = {"sealed_ms": 1, "rows_sealed": 9}


@pytest.mark.parametrize("column", COLUMNS)
def test_a_changed_column_of_a_block_is_found(sealed: Centre, column: str):
    with tampering(sealed) as db:
        db.execute(f"update log_blocks set {column} = :value where block = 3", {"value": OTHERS.get(column, "x")})
        said = faults(db, sealed)
        assert said
        assert all("block 3" in each or "block 4 does not follow" in each for each in said)


TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=8)
NUMBERS = {"at_ms", "counts_until_ms", "block", "sealed_ms", "rows_sealed"}
TABLES: dict[str, tuple[str, ...]] = {
    "audit": ("audit_id", *CHANGES, "block"),
    "log_blocks": ("block", *COLUMNS),
}


@st.composite
def tamperings(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """Any statement that changes or removes sealed rows or blocks."""
    table = draw(st.sampled_from(sorted(TABLES)))
    at = {"block": draw(st.integers(1, BLOCKS)), "place": draw(st.integers(0, ROWS - 1))}
    if draw(st.booleans()):
        return f"delete from {table}", at
    column = draw(st.sampled_from(TABLES[table]))
    value = draw(st.integers(0, 2**40) if column in NUMBERS else TEXTS)
    return f"update {table} set {column} = :value", {**at, "value": value}


def do(db: WriteTransaction, statement: str, at: dict[str, Any]) -> None:
    """Tampers."""
    block = at["block"]
    if "log_blocks" in statement:
        where, names = "block = :of", {"of": block}
    else:
        ids = row_ids(db, block)
        if not ids:
            return
        where, names = "audit_id = :of", {"of": ids[at["place"] % len(ids)]}
    if "value" in at:
        names["value"] = at["value"]
    with db.savepoint():
        db.execute(f"{statement} where {where}", names)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(tamperings(), min_size=1, max_size=3))
def test_any_tampering_with_sealed_rows_and_blocks_is_found(sealed: Centre, wanted: list[tuple[str, dict[str, Any]]]):
    heads = {block.block: block.digest for block in blocks(sealed)[-1:]}
    with tampering(sealed) as db:
        before = state(db)
        for statement, at in wanted:
            with suppress(sqlite3.Error):  # an id that is taken: the database itself refuses it
                do(db, statement, at)
        if state(db) != before:
            assert faults(db, sealed, heads)
        else:
            assert faults(db, sealed, heads) == []


def state(db: WriteTransaction) -> list[tuple[Any, ...]]:
    """The sealed rows and the blocks."""
    rows = db.rows("select * from audit where block is not null order by audit_id")
    return [tuple(row) for row in (*rows, *db.rows("select * from log_blocks order by block"))]


@pytest.mark.one_database
def test_bytes_that_are_no_text_are_found(centre: Centre):
    add_block(centre)
    add_block(centre)
    with tampering(centre) as db:
        db.execute("update audit set who = cast(x'ff' as text) where block = 2")
        assert faults(db, centre) == ["block 2: a row holds bytes that are no text"]


def test_each_kind_of_fault_has_words():
    for kind in FaultKind:
        assert "3" in in_words(Fault(kind, 3, "a row"))
