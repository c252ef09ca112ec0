"""Cases of the table of conflicts that need staging, at a real centre.

A real kiosk is cut off. The second client of the protocol plays the kiosks that do what no real one would. Each test
takes a person of its own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, timedelta
from importlib import resources
from typing import Any

import pytest

from kiosk.demo.hospital import Person, wait_for
from sync.clock import DAY_MS
from sync.journey.definitions import shipped
from tests.commands import central_command
from tests.protocol.second_client import Refused, uuid7
from tests.whole.other_kiosk import GRANTED, OtherKiosk
from tests.whole.town import WAIT_S, Town

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("staged_conflicts")]

ENTRANCE = ("scan_nfc", "register", "confirm_arrival")
EXAM = ("call_patient", "start_exam", "complete_exam")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """One town for all tests, with a kiosk that takes payments too."""
    made = Town(tmp_path_factory.mktemp("town"), actions=GRANTED)
    try:
        made.open()
        yield made
    finally:
        made.close()


def codes(town: Town, person: Person) -> list[tuple[str, str]]:
    """Verdict and code of each of this person's actions, as the kiosk has them."""
    return [(row["status"], row["code"]) for row in town.outbox() if row["patient_id"] == person.patient_id]


def await_codes(town: Town, person: Person, wanted: list[tuple[str, str]]) -> None:
    wait_for(lambda: codes(town, person) == wanted, "the kiosk never got the verdicts", WAIT_S)


def case_of(town: Town, person: Person) -> Any:
    """The only case of this person."""
    (found,) = [case for case in town.cases() if case["patient_id"] == person.patient_id]
    return found


def test_cases_1_and_2_checked_in_at_three_kiosks_is_one_visit_and_other_answers_go_to_staff(town: Town):
    person = town.people[2]
    first, second = OtherKiosk(town), OtherKiosk(town)
    town.go_offline()
    printed = town.check_in(person)["ticket"]["queue_number"]
    sent = first.check_in(person, {"fasting": "yes"}), second.check_in(person, {"fasting": "no"})
    first.push_all()
    second.push_all()
    town.wire.mend()
    town.await_settled()
    assert first.verdicts() == [("applied", "ok")] * 3
    assert second.verdicts() == [("merged", "visit_alias"), ("merged", "answers_differ"), ("merged", "already_so")]
    assert codes(town, person) == [("merged", "visit_alias"), ("merged", "already_so"), ("merged", "already_so")]
    case = case_of(town, person)
    assert (case["code"], case["detail"]["conflict"]) == ("answers_differ", 2)
    assert case["detail"]["said_before"] == {"answers": {"fasting": "yes"}}
    assert case["detail"]["said"] == {"answers": {"fasting": "no"}}
    second.pull()
    journey = second.patients[person.patient_id]["journey"]
    assert journey["state"] == "WAITING" == shown(town, person)["journey"]["journey_state"]
    numbers = [body["queue_number"] for _, _, body in sent]
    (entry,) = journey["entries"]
    assert [entry["queue_number"], *entry["label_aliases"]] == [*numbers, printed]
    assert town.check()["ok"]


def test_case_5_an_arrival_confirmed_for_an_exam_that_is_over_never_queues_the_next(town: Town):
    person = town.people[0]
    assert person.booked == 2
    town.go_offline()
    number = town.check_in(person)["ticket"]["queue_number"]
    town.by_hand(person, *ENTRANCE, *EXAM, "confirm_arrival")
    town.wire.mend()
    town.await_settled()
    assert codes(town, person) == [
        ("merged", "visit_alias"),
        ("merged", "already_so"),
        ("superseded", "earlier_leg"),
    ]
    assert [row["action"] for row in town.history(person)] == [*ENTRANCE, *EXAM, "confirm_arrival"]
    assert [case for case in town.cases() if case["patient_id"] == person.patient_id] == []
    (current,) = town.state(person)["queue_details"]
    assert current["queue_number"] != number
    town.tap(person)
    screen = town.screen()
    assert (screen["journey"]["journey_state"], screen["confirmed"]) == ("WAITING", True)
    assert screen["ticket"]["queue_number"] == current["queue_number"]
    assert town.check()["ok"]


def has_not_called_since(town: Town, kiosk: OtherKiosk, at_ms: int) -> None:
    """Makes the centre remember the last pull of a kiosk as one of that time. No action can be older than that pull."""
    town.stop_central()
    with closing(sqlite3.connect(town.places.directory / "central.db")) as database, database:
        told = database.execute(
            "update told_seqs set first_ms = ?, last_ms = ? where kiosk_id = ?", (at_ms, at_ms, kiosk.who["kiosk_id"])
        )
    assert told.rowcount == 1
    town.start_central()


def test_case_6_what_was_done_on_a_day_that_is_over_is_kept_in_its_history_and_money_is_for_staff(town: Town):
    person = town.people[5]
    other = OtherKiosk(town)
    today = date.fromisoformat(other.today())
    yesterday = str(today - timedelta(days=1))
    now = other.clock()
    # The clock of another boot: its wall time alone tells when this was.
    then = now | {"wall_ms": now["wall_ms"] - DAY_MS, "boot_id": uuid7()}
    before = town.state(person) | {"timestamp": ""}
    has_not_called_since(town, other, then["wall_ms"] - DAY_MS)
    visit_id = uuid7()
    other.check_in(person, site_day=yesterday, clock=then, visit_id=visit_id)
    other.act(
        "make_payment", person.patient_id, site_day=yesterday, clock=then, visit_id=visit_id, journey_state="COMPLETED"
    )
    other.push_all()
    assert other.verdicts() == [("applied", "late")] * 3 + [("needs_staff", "money")]
    history = town.history(person)
    assert [row["action"] for row in history] == [*ENTRANCE]
    assert {seconds(row["happened_at"]) for row in history} == {then["wall_ms"] // 1000}
    assert town.state(person) | {"timestamp": ""} == before
    assert case_of(town, person)["detail"]["conflict"] == 17
    assert town.check()["ok"]


def test_case_10_an_id_that_comes_again_with_another_content_is_set_aside_for_staff(town: Town):
    person = town.people[4]
    first, second = OtherKiosk(town), OtherKiosk(town)
    (scanned,) = first.check_in(person, most=1)
    first.push_all()
    second.act("register", person.patient_id, action_id=scanned["action_id"], visit_id=scanned["visit_id"])
    second.push_all()
    assert (first.verdicts(), second.verdicts()) == ([("applied", "ok")], [("needs_staff", "quarantined")])
    (case,) = [each for each in town.cases() if each["kiosk_id"] == second.who["kiosk_id"]]
    assert case["code"] == "quarantined"
    assert [row["action"] for row in town.history(person)] == ["scan_nfc"]
    assert town.check()["ok"]


def test_case_11_a_batch_out_of_order_is_refused_whole_and_sent_from_where_it_is_expected(town: Town):
    person = town.people[6]
    other = OtherKiosk(town)
    other.check_in(person)
    with pytest.raises(Refused) as refused:
        other.send(other.outbox[1:])
    assert (refused.value.status, refused.value.code, refused.value.body["expected_seq"]) == (409, "gap", 1)
    with pytest.raises(Refused) as refused:
        other.send(other.outbox[::-1])
    assert (refused.value.code, refused.value.body["expected_seq"]) == ("gap", 1)
    assert town.history(person) == []
    other.push_all()
    assert other.verdicts() == [("applied", "ok")] * 3
    assert [row["action"] for row in town.history(person)] == [*ENTRANCE]
    assert [case for case in town.cases() if case["kiosk_id"] == other.who["kiosk_id"]] == []


def test_case_11_what_is_missing_for_good_is_a_new_epoch_and_an_alarm(town: Town):
    person = town.unbooked[0]
    other = OtherKiosk(town)
    other.act("scan_nfc", town.unbooked[1].patient_id, site_day=other.today())
    other.check_in(person, most=2)
    del other.outbox[0]
    other.push_all()
    assert (other.epoch, other.verdicts()) == (2, [("applied", "ok")] * 2)
    assert [case["code"] for case in town.cases() if case["kiosk_id"] == other.who["kiosk_id"]] == ["gap"]
    assert town.state(person)["journey_state"] == "REGISTERED"


def test_case_12_an_action_of_rules_that_the_centre_does_not_judge_by_waits_for_staff(town: Town):
    person = town.unbooked[1]
    other = OtherKiosk(town)
    other.check_in(person, most=1, definitions_version=other.definitions["version"] + 1)
    other.push_all()
    assert other.verdicts() == [("needs_staff", "old_rules")]
    case = case_of(town, person)
    assert (case["code"], case["detail"]["conflict"]) == ("old_rules", 12)
    assert town.state(person)["journey_state"] == "UNREGISTERED"
    town.settle(case, "apply")
    other.pull()
    assert other.verdicts() == [("applied", "ok")]
    assert town.state(person)["journey_state"] == "ARRIVED"


def test_case_12_what_was_done_before_the_rules_were_raised_is_judged_by_its_own(town: Town):
    person = town.people[5]
    town.go_offline()
    town.tap(person)
    assert town.press(person, "register").ok
    town.stop_central()
    rules = town.places.directory / "rules.toml"
    text = resources.files("sync.journey").joinpath("definitions.toml").read_text("utf-8")
    before = shipped().version
    rules.write_text(text.replace(f"\nversion = {before}\n", f"\nversion = {before + 1}\n"), "utf-8")
    town.start_central("--definitions", str(rules))
    town.wire.mend()
    town.await_settled()
    assert codes(town, person) == [("applied", "ok")] * 2
    assert OtherKiosk(town).definitions["version"] == before + 1
    assert town.check()["ok"]


def pays(town: Town, person: Person) -> bool:
    """Whether a payment is the next step of a person at the kiosk."""
    return "make_payment" in shown(town, person)["journey"]["available_actions"]


def test_case_18_a_payment_without_a_receipt_is_refused_and_anothers_receipt_waits_for_staff(town: Town):
    first, second = town.people[0], town.people[2]  # two of earlier tests, who may wait already
    for person in (first, second):
        waits = town.state(person)["journey_state"] == "WAITING"
        town.by_hand(person, *(() if waits else ENTRANCE), *EXAM)
        wait_for(lambda: pays(town, person), "the kiosk never got the verdicts", WAIT_S)  # noqa: B023
        assert shown(town, person)["next_action"] != "make_payment"
        refused = town.press(person, "make_payment")
        assert (refused.status_code, refused.json()["code"]) == (400, "proof_missing")
        assert town.press(person, "make_payment", receipt_id="R-18").ok
        town.await_settled()
    assert [codes(town, each)[-1] for each in (first, second)] == [("applied", "ok"), ("needs_staff", "proof_used")]
    assert [town.state(person)["journey_state"] for person in (first, second)] == ["PAYMENT", "COMPLETED"]
    (case,) = [case for case in town.cases() if case["code"] == "proof_used"]
    assert (case["patient_id"], case["detail"]["conflict"]) == (second.patient_id, 18)
    town.settle(case, "discard", "paid by another")
    assert town.check()["ok"]


def test_case_17_a_payment_taken_at_both_ends_is_never_dropped_and_sent_to_the_desk(town: Town):
    person = town.people[1]
    town.by_hand(person, *ENTRANCE, *EXAM)
    wait_for(lambda: pays(town, person), "the kiosk never got the verdicts", WAIT_S)
    town.go_offline()
    assert town.press(person, "make_payment", receipt_id="R-1").ok
    town.by_hand(person, "make_payment")
    town.wire.mend()
    town.await_settled()
    assert codes(town, person)[-1] == ("needs_staff", "money")
    case = case_of(town, person)
    assert (case["code"], case["detail"]["conflict"], case["detail"]["action_type"]) == ("money", 17, "make_payment")
    assert [row["action"] for row in town.history(person)].count("make_payment") == 1
    screen = shown(town, person)
    assert (screen["said"]["place"], screen["next_action"], screen["confirmed"]) == ("desk", None, False)
    town.settle(case, "discard", "paid once only")
    wait_for(lambda: codes(town, person)[-1] == ("superseded", "discarded"), "the kiosk never got the verdicts", WAIT_S)
    assert town.state(person)["journey_state"] == "PAYMENT"


def test_case_16_what_a_restore_undoes_is_told_to_the_kiosk_and_to_staff(town: Town):
    """Runs last: the centre loses the actions after its backup, and staff act differently meanwhile."""
    person = town.people[3]
    backup = town.places.directory / "backup.db"
    central_command(town.places, "backup", str(backup))
    town.tap(person)
    assert town.press(person, "register").ok
    town.await_settled()
    assert codes(town, person) == [("applied", "ok")] * 2
    town.go_offline()
    town.stop_central()
    town.put_back(backup)
    town.start_central()
    assert town.state(person)["journey_state"] == "UNREGISTERED"
    town.by_hand(person, "scan_nfc")
    town.correct(person, "REGISTERED", "registered by hand")
    town.wire.mend()
    await_codes(town, person, [("merged", "visit_alias"), ("superseded", "corrected")])
    case = case_of(town, person)
    assert (case["code"], case["detail"]["conflict"], case["detail"]["action_type"]) == ("reversed", 16, "register")
    assert [row["action"] for row in town.history(person)] == ["scan_nfc", "correct_journey"]
    assert [note["kind"] for note in shown(town, person)["said"]["notes"]] == ["reversed"]
    assert town.check()["ok"]


def seconds(moment: str) -> int:
    """Whole seconds since 1970 of a time in ISO 8601."""
    return int(datetime.fromisoformat(moment).timestamp())


def shown(town: Town, person: Person) -> Any:
    """The kiosk's screen after this person has held their card to it."""
    town.tap(person)
    return town.screen()
