"""What was read stays known until somebody writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.store.remembered import Remembered
from kiosk.store.sqlite import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "kiosk.db")
    yield made
    made.close()


def test_a_value_is_read_once_until_a_transaction_begins(store: Store):
    remembered, reads = Remembered(store), iter(range(9))
    assert [remembered.get("a", lambda: next(reads)) for _ in range(3)] == [0, 0, 0]
    with store.write() as db:
        assert remembered.get("a", lambda: next(reads)) == 1
        db.execute("insert into probe values (1, 1)")
        assert remembered.get("a", lambda: next(reads)) == 1, "of this transaction"
    assert remembered.get("a", lambda: next(reads)) == 2
    with pytest.raises(KeyError), store.write():
        raise KeyError
    assert remembered.get("a", lambda: next(reads)) == 3, "also after one that was undone"


def test_nothing_is_a_value_too(store: Store):
    remembered = Remembered(store)
    assert remembered.get("a", lambda: None) is None
    assert remembered.get("a", lambda: "read again") is None


def test_what_was_written_is_kept_and_no_other_key_is(store: Store):
    remembered = Remembered(store)
    remembered.get("b", lambda: "before")
    with store.write():
        pass
    remembered.put("a", "written")
    assert remembered.get("a", lambda: "read") == "written"
    assert remembered.get("b", lambda: "after") == "after"


def test_it_keeps_a_handful_of_values(store: Store):
    remembered, reads = Remembered(store), 0

    def read() -> int:
        nonlocal reads
        reads += 1
        return reads

    for key in range(200):
        remembered.get(key, read)
    for key in range(200):
        remembered.get(key, read)
    assert reads > 300
