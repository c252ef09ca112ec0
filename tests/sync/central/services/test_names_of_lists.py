"""The names that lists need, of patients and of people, in a number of statements that no number of rows changes."""

from __future__ import annotations

import pytest

from sync.central.records.accounts import Account, add_account
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.cases import NewCase, close_case, open_case
from sync.central.records.duties import Duty
from sync.central.services.access_log import record
from sync.central.services.inbox import list_settled
from sync.central.services.read_log import LogQuery, find_log
from sync.central.services.requester import Requester
from sync.central.services.told import Told, told_of
from sync.ids import new_id
from sync.journey.model import STAFF
from tests.sync.central.centre import Centre, patient
from tests.sync.central.statements import counting


def settle_one(centre: Centre, number: int, who: str) -> None:
    with centre.store.write() as db:
        made, now_ms = new_id(), centre.clock()
        open_case(db, made, NewCase("fork", None, {}, patient(number)), now_ms)
        close_case(db, made, who, {"how": "discard"}, now_ms)


def test_a_settled_case_names_the_person_or_the_token(centre: Centre):
    with centre.store.write() as db:
        add_account(db, Account(new_id(), "park.sy", "박서연", frozenset({Duty.RECEPTION}), centre.clock()))
    whos = ("staff:park.sy", "staff:Desk 2 (1a2b3c4d5e6f)", "staff:1a2b3c4d5e6f", "import")
    for number, who in enumerate(whos, start=1):
        centre.clock.now_ms += 1000
        settle_one(centre, number, who)
    found = list_settled(centre.parts)
    assert isinstance(found, Told)
    named = [each.settled_by_name for each in found.value.exceptions]
    assert named == ["import", "staff:1a2b3c4d5e6f", "Desk 2", "박서연"]


@pytest.mark.one_database
def test_the_names_of_more_settled_cases_and_log_rows_cost_no_more_statements(centre: Centre):
    counted = []
    for numbers in (range(1, 3), range(3, 15)):
        for number in numbers:
            settle_one(centre, number, f"staff:person-{number}")
            told = told_of(None, AuditKind.LOOK_QUEUE, [patient(number)])
            record(centre.parts, Requester(STAFF, f"staff:person-{number}", "rest", "a"), told)
        with counting(centre.store) as said:
            list_settled(centre.parts)
            find_log(centre.parts, LogQuery())
        counted.append(len([each for each in said if "from accounts" in each or "p.masked_name, p.birth" in each]))
    assert counted[0] == counted[1] > 0


@pytest.mark.one_database
def test_a_search_by_a_persons_name_finds_each_account_and_kiosk_by_an_index(centre: Centre):
    with counting(centre.store) as said:
        find_log(centre.parts, LogQuery(who="박서연"))
    (search,) = (each for each in said if "박서연" in each and "from audit" in each)
    plan = [row["detail"] for row in centre.rows(f"explain query plan {search}")]
    assert len([each for each in plan if each.startswith("SEARCH q USING")]) == 2, plan
    assert not [each for each in plan if each.startswith("SCAN q")]
