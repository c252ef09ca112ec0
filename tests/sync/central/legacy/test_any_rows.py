"""Whatever stands in the old tables goes over, leaves the centre well, and comes back as it was."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.central.legacy.layout import Kind
from tests.sync.central.conftest import LONG
from tests.sync.central.databases import Database
from tests.sync.central.legacy.conftest import PATIENTS
from tests.sync.central.legacy.way import Way

pytestmark = pytest.mark.timeout(1800 if LONG else 300)

MANY = 8000 if LONG else 200  # patients: ninety thousand rows in a long run
COLUMNS = {
    "app_appointment": ("appointment_id", "user_id", "exam_id", "scheduled_at", "status"),
    "app_patientstate": ("user_id", "current_state", "updated_at", "login_method"),
    "app_queue": ("user_id", "exam_id", "appointment_id", "state", "queue_number", "created_at", "priority"),
    "app_statetransition": ("user_id", "from_state", "to_state", "trigger_type", "metadata", "created_at"),
    "app_queuestatuslog": ("queue_id", "previous_state", "new_state", "reason", "changed_by", "created_at"),
}
STATES = ("WAITING", "ONGOING", "CALLED", "COMPLETED", "waiting", "ongoing", "called", "no_show", "cancelled", "booked")
TIMES = ("2026-03-02 00:30:00", "2026-03-01", "1969-01-01 00:00:00", "2999-12-31 23:59:59", "2026-03-02T09:00+09:00")
VALUES = st.one_of(
    st.none(),
    st.sampled_from((*STATES, *TIMES, "blood", "xray", "desk", "A1-0", "A2-0", "1-0", "")),
    st.integers(1, PATIENTS),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(max_size=20).filter(str.isascii),
    st.text(max_size=5).map(lambda text: text.encode("utf-8", "surrogatepass")),
)
CELL = st.sampled_from(sorted(COLUMNS)).flatmap(
    lambda table: st.tuples(st.just(table), st.sampled_from(COLUMNS[table]), st.integers(1, 100), VALUES)
)


@given(st.lists(CELL, max_size=30))
@settings(
    max_examples=200 if LONG else 12,
    derandomize=not LONG,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_values_go_over_and_come_back(spoilt_file: Path, cells: list[tuple[str, str, int, object]]):
    with tempfile.TemporaryDirectory() as name:
        file = shutil.copy(spoilt_file, Path(name) / "old.sqlite3")
        with closing(sqlite3.connect(file)) as old, old:
            for table, column, number, value in cells:
                row = f"select rowid from {table} order by rowid limit 1 offset {number}"
                old.execute(f"update or ignore {table} set {column} = ? where rowid = ({row})", (value,))
        way = Way(Path(name), f"sqlite:///{file}", Database(f"sqlite:///{name}/centre.db"))
        over_and_back(way)


def test_a_large_database_goes_over_and_comes_back(spoilt_file: Path, tmp_path: Path):
    file = shutil.copy(spoilt_file, tmp_path / "old.sqlite3")
    way = Way(tmp_path, f"sqlite:///{file}", Database(f"sqlite:///{tmp_path}/centre.db"))
    way.fill(MANY)
    over_and_back(way)


def over_and_back(way: Way) -> None:
    """Goes over and back, and holds that each row is kept, the centre is well, and the old tables are as they were."""
    before = way.old_rows()
    done = way.migrate()
    rows = {kind: sum(each.rows for each in done.tallies if each.kind == kind) for kind in Kind}
    assert rows == {kind: len(before[way.layout.tables[kind].table]) for kind in Kind}
    assert way.health().ok
    way.revert()
    assert way.old_rows() == before
