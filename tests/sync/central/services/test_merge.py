"""A merge of two records, table by table: the rows of the record that ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sync.central.records.deciders import Decider
from sync.central.records.roster import add_guest
from sync.central.records.shadow_words import WordRow, add_word
from sync.central.records.tokens import issue
from sync.ids import new_id
from sync.journey.model import Role
from tests.sync.central.wire import DAY, EVERYTHING, Centre, Kiosk, Time

KEPT, GONE, EARLIER = "P1", "P2", "P3"

# The numbers of rows of the kept record and of the ending record before a merge, to those after it.
Rule = Callable[[int, int], tuple[int, int]]
FOLLOW: Rule = lambda kept, gone: (kept + gone, 0)  # noqa: E731 the rows become the other patient's
END: Rule = lambda kept, gone: (kept, 0)  # noqa: E731
STAY: Rule = lambda kept, gone: (kept, gone)  # noqa: E731 the rows keep the id under which they were written

AT_THE_CENTRE: dict[str, Rule] = {
    "patients": END,
    "journeys": END,  # the other patient's journey goes on, with the visit that is under way
    "actions": FOLLOW,
    "appointments": FOLLOW,
    "bindings": FOLLOW,
    "corrections": FOLLOW,
    "effects": FOLLOW,
    "entries": FOLLOW,
    "entry_history": FOLLOW,
    "exceptions": FOLLOW,
    "patient_aliases": FOLLOW,
    "presses": FOLLOW,
    "roster_guests": FOLLOW,
    "shadow_words": FOLLOW,
    "tokens": FOLLOW,
    "transitions": FOLLOW,
    "verdicts": FOLLOW,
    "visits": FOLLOW,
    "audit": STAY,  # a record of an earlier action or look is not rewritten
}
# The kiosk forgets the record that ends, and pulls cards and entries as the other patient's.
AT_THE_KIOSK: dict[str, Rule] = {
    "patients": END,
    "bindings": FOLLOW,
    "entries": FOLLOW,
    "outbox": FOLLOW,
    "patient_aliases": FOLLOW,
    "audit": STAY,
}
TABLES_THAT_NAME_A_PATIENT = (
    "select t.name as name from sqlite_master t join pragma_table_info(t.name) c"
    " where t.type = 'table' and c.name = 'patient_id'"
)


@dataclass
class Ends:
    """A centre and a kiosk with rows of the ending record in every table."""

    centre: Centre
    kiosk: Kiosk

    def rows(self, sql: str, **parameters: object) -> list[dict[str, object]]:
        return self.centre.rows(sql, **parameters)

    def kiosk_rows(self, sql: str, **parameters: object) -> list[dict[str, object]]:
        with self.kiosk.store.read() as db:
            return [dict(row) for row in db.execute(sql, parameters)]


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[Ends]:
    centre = Centre(tmp_path / "centre.db", Time())
    kiosk, other = (Kiosk(tmp_path / f"{prefix}.db", centre, prefix, EVERYTHING) for prefix in ("A", "B"))
    assert centre.merge(GONE, EARLIER).done
    for each, answers in ((kiosk, {"fasting": "yes"}), (other, {"fasting": "no"})):
        each.pull()
        each.tap(GONE)
        each.act(GONE, "register", answers=answers)
        each.act(GONE, "confirm_arrival")
    other.sync()
    kiosk.sync()
    assert centre.correct(GONE, "CALLED").done
    with centre.store.write() as db:
        issue(db, Role.PATIENT, centre.time(), patient_id=GONE)
        add_guest(db, GONE, DAY)
        now_ms = centre.time()
        add_word(db, WordRow(new_id(), GONE, "register", Decider.SHADOW, "late", 0, "a", "a", "b", (), now_ms, now_ms))
    with kiosk.store.write() as db:
        db.execute("insert or replace into patient_aliases values (?, ?, ?)", (EARLIER, GONE, DAY))
    kiosk.pull()
    yield Ends(centre, kiosk)
    for store in (kiosk.store, other.store, centre.store):
        store.close()


Rows = Callable[..., list[dict[str, object]]]


def counted(rows: Rows, tables: Iterable[str]) -> dict[str, tuple[int, int]]:
    """How many rows of each table name the kept record, and the one that ends."""
    return {table: (_count(rows, table, KEPT), _count(rows, table, GONE)) for table in tables}


def _count(rows: Rows, table: str, patient_id: str) -> int:
    (row,) = rows(f"select count(*) as n from {table} where patient_id = :id", id=patient_id)
    return int(str(row["n"]))


def test_every_table_that_names_a_patient_has_its_rule(ends: Ends):
    assert {row["name"] for row in ends.rows(TABLES_THAT_NAME_A_PATIENT)} == set(AT_THE_CENTRE)
    assert {row["name"] for row in ends.kiosk_rows(TABLES_THAT_NAME_A_PATIENT)} == set(AT_THE_KIOSK)


def test_a_merge_does_to_the_rows_of_each_table_what_its_rule_says(ends: Ends):
    before = counted(ends.rows, AT_THE_CENTRE)
    assert [table for table, (_, of_gone) in before.items() if not of_gone] == [], "nothing would be seen of these"
    assert ends.centre.merge(KEPT, GONE).done
    expected = {table: AT_THE_CENTRE[table](*counts) for table, counts in before.items()}
    # The name that the merge makes; its own row, and that of the look at the record that nobody has seen yet.
    for table, more in {"patient_aliases": 1, "audit": 2}.items():
        kept, gone = expected[table]
        expected[table] = (kept + more, gone)
    assert counted(ends.rows, AT_THE_CENTRE) == expected
    names = ends.rows("select alias_id from patient_aliases where patient_id = :id order by alias_id", id=KEPT)
    assert [row["alias_id"] for row in names] == [GONE, EARLIER]


def test_a_merge_that_a_kiosk_hears_of_does_there_what_the_rule_of_each_table_says(ends: Ends):
    before = counted(ends.kiosk_rows, AT_THE_KIOSK)
    assert [table for table, (_, of_gone) in before.items() if not of_gone] == [], "nothing would be seen of these"
    assert ends.centre.merge(KEPT, GONE).done
    ends.kiosk.pull()
    expected = {table: AT_THE_KIOSK[table](*counts) for table, counts in before.items()}
    kept, gone = expected["patient_aliases"]
    expected["patient_aliases"] = (kept + 1, gone)  # the name that the merge makes
    assert counted(ends.kiosk_rows, AT_THE_KIOSK) == expected
