"""Words of the hospital's other system: followed whole, compared with the rules, and none of them done twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sync.central.records.shadow_words import KEPT_DAYS, delete_old_words
from sync.central.services.answers import Answer
from sync.central.services.errors import ApiError
from sync.central.services.requester import Requester
from sync.central.services.take_word import take_word
from sync.central.services.word_bodies import read_word
from sync.clock import DAY_MS
from sync.ids import new_id
from sync.journey.model import STAFF, Actor, Role
from tests.sync.central.centre import Centre, patient
from tests.sync.central.feed.board import Receiver

OLD = Requester(Actor(Role.INTEGRATION), "integration:old", "legacy")
ANNA, BEN = patient(1), patient(2)


def post(centre: Centre, action_type: str, moves: str, patient_id: str = ANNA, **more: Any) -> Answer | ApiError:
    before, after = moves.split(">")
    told = {"word_id": new_id(), "patient_id": patient_id, "action_type": action_type, "from": before, "to": after}
    request = read_word({"at": centre.clock(), **told, **more})
    return request if isinstance(request, ApiError) else take_word(centre.parts, OLD, request)


def outcome(answer: Answer | ApiError) -> str:
    """What became of a word: its outcome, or the code of the refusal."""
    if isinstance(answer, ApiError):
        return answer.code
    body = json.loads(answer.body)
    return str(body["outcome"] if answer.done else body["code"])


def decide(centre: Centre, *decides: str) -> dict[str, Any]:
    return dict(centre.do("site", decides=list(decides)))


def report(centre: Centre, **asked: int) -> dict[str, dict[str, Any]]:
    """The report by action."""
    return {each["action_type"]: each for each in centre.do("shadow", **asked)["actions"]}


@pytest.fixture(autouse=True)
def legacy(centre: Centre) -> None:
    """The other system decides everything."""
    decide(centre, *(f"{name}=legacy" for name in centre.parts.definitions.actions))


def test_the_centre_refuses_what_the_other_system_decides_and_offers_none_of_it(centre: Centre):
    answer = centre.act(ANNA, "scan_nfc")
    body = json.loads(answer.body)
    assert (answer.status, body["code"], body["journey_state"]) == (409, "decided_elsewhere", "UNREGISTERED")
    assert body["available_actions"] == []
    assert centre.state(ANNA)["available_actions"] == ()
    decide(centre, "scan_nfc=new")
    assert centre.state(ANNA)["available_actions"] == ("scan_nfc",)
    assert centre.act(ANNA, "scan_nfc").done
    assert centre.act(ANNA, "register", STAFF).status == 409


def test_a_repeat_of_what_was_done_here_stays_a_repeat(centre: Centre):
    decide(centre, "scan_nfc=new")
    action_id = new_id()
    first = centre.act(ANNA, "scan_nfc", action_id=action_id)
    decide(centre, "scan_nfc=legacy")
    assert centre.act(ANNA, "scan_nfc", action_id=action_id) == first


def test_a_whole_visit_is_followed_word_by_word(centre: Centre):
    entry = {"exam_id": "blood", "queue_number": "A12"}
    words = [
        ("scan_nfc", "UNREGISTERED>ARRIVED", None),
        ("register", "ARRIVED>REGISTERED", None),
        ("confirm_arrival", "REGISTERED>WAITING", "waiting"),
        ("call_patient", "WAITING>CALLED", "called"),
        ("enter_exam_room", "CALLED>ONGOING", "ongoing"),
        ("complete_exam", "ONGOING>COMPLETED", "completed"),
        ("make_payment", "COMPLETED>PAYMENT", None),
        ("make_payment", "PAYMENT>FINISHED", None),
        ("leave_hospital", "FINISHED>UNREGISTERED", None),
    ]
    for action, moves, state in words:
        entries = [{**entry, "state": state}] if state else []
        assert outcome(post(centre, action, moves, entries=entries)) == "followed", action
        if action == "call_patient":
            (shown,) = centre.state(ANNA)["queue_details"]
            assert (shown["state"], shown["queue_number"]) == ("called", "A12")
    rows = centre.rows("select trigger_type, source, visit_id from transitions order by change, position")
    assert {(row["trigger_type"], row["source"]) for row in rows} == {("queue_sync", "legacy")}
    assert len({row["visit_id"] for row in rows}) == 1
    assert len(rows) == len(words)
    status = f"select status from appointments where appointment_id like '%{ANNA}-blood'"
    assert centre.rows(status) == [{"status": "completed"}]
    assert centre.do("check")["ok"]
    assert centre.rows("select * from audit where kind = 'word-corrected'") == []


def test_the_feed_tells_a_word_as_the_hospitals_own(centre: Centre):
    post(centre, "scan_nfc", "UNREGISTERED>ARRIVED", entries=[])
    post(centre, "confirm_arrival", "REGISTERED>WAITING", entries=[{"exam_id": "blood", "state": "waiting"}])
    events = Receiver(500).read(centre.parts).told.values()
    found = [(each["type"], each["origin"], each["kiosk_id"]) for each in events]
    assert found == [("arrived", "hospital", None), ("number_given", "hospital", None)]


def test_what_the_rules_would_not_allow_is_done_whole_and_noted(centre: Centre):
    entries = [{"exam_id": "xray", "state": "called", "queue_number": "A7"}]
    assert outcome(post(centre, "call_patient", "WAITING>CALLED", entries=entries)) == "corrected"
    state = centre.state(ANNA)
    assert state["journey_state"] == "CALLED"
    assert [(each["exam_id"], each["state"]) for each in state["queue_details"]] == [("xray", "called")]
    (row,) = centre.rows("select patient_id, detail from audit where kind = 'word-corrected'")
    detail = {"action_type": "call_patient", "from_state": "UNREGISTERED", "to_state": "CALLED"}
    assert (row["patient_id"], json.loads(row["detail"])) == (ANNA, detail)
    assert centre.do("check")["ok"]
    assert outcome(post(centre, "leave_hospital", "CALLED>UNREGISTERED")) == "corrected"
    assert centre.rows("select closed_ms from visits") == [{"closed_ms": centre.clock()}]
    assert centre.do("check")["ok"]


@pytest.mark.parametrize(
    ("moves", "more", "code"),
    [
        ("UNREGISTERED>CALLED", {}, "entry_not_named"),
        ("UNREGISTERED>CALLED", {"entries": [{"exam_id": "nowhere", "state": "called"}]}, "no_such_entry"),
        ("UNREGISTERED>UPSTAIRS", {}, "unknown_state"),
        ("UPSTAIRS>ARRIVED", {}, "unknown_state"),
        ("UNREGISTERED>CALLED", {"entries": [{"exam_id": "xray", "state": "lost"}]}, "unknown_state"),
        ("UNREGISTERED>CALLED", {"entries": [{"state": "called"}]}, "malformed"),
        (
            "UNREGISTERED>CALLED",
            {"entries": 2 * [{"exam_id": "xray", "queue_id": "7", "state": "called"}]},
            "malformed",
        ),
        ("UNREGISTERED>ARRIVED", {"at": "yesterday"}, "malformed"),
        ("UNREGISTERED>ARRIVED", {"at": 2**60}, "malformed"),
        ("UNREGISTERED>ARRIVED", {"at": "2027-01-01T00:00:00Z"}, "malformed"),
        ("UNREGISTERED>ARRIVED", {"at": "0001-01-01T00:00:00+14:00"}, "malformed"),
        ("UNREGISTERED>ARRIVED", {"at": -1}, "malformed"),
        ("UNREGISTERED>ARRIVED", {"word_id": "7"}, "invalid_action_id"),
        ("UNREGISTERED>ARRIVED", {"patient_id": "nobody"}, "unknown_patient"),
        ("UNREGISTERED>ARRIVED", {"action_type": "dance"}, "unknown_action"),
    ],
)
def test_a_word_that_cannot_be_followed_changes_nothing_and_may_come_again(
    centre: Centre, moves: str, more: dict[str, Any], code: str
):
    more = {"word_id": new_id(), **more}
    assert outcome(post(centre, more.pop("action_type", "scan_nfc"), moves, **more)) == code
    assert centre.state(ANNA)["journey_state"] == "UNREGISTERED"
    assert centre.rows("select * from shadow_words") == []
    assert centre.rows("select * from actions") == []


def test_an_entry_of_another_patient_is_never_moved(centre: Centre):
    taken = [{"exam_id": "blood", "state": "waiting", "queue_id": new_id()}]
    assert outcome(post(centre, "confirm_arrival", "REGISTERED>WAITING", BEN, entries=taken)) == "corrected"
    assert outcome(post(centre, "confirm_arrival", "REGISTERED>WAITING", entries=taken)) == "no_such_entry"
    assert centre.state(BEN)["queue_details"][0]["queue_id"] == taken[0]["queue_id"]


def test_a_repeat_is_one_word_and_another_content_under_its_id_is_refused(centre: Centre):
    word_id = new_id()
    first = post(centre, "scan_nfc", "UNREGISTERED>ARRIVED", word_id=word_id)
    assert post(centre, "scan_nfc", "UNREGISTERED>ARRIVED", word_id=word_id) == first
    assert outcome(post(centre, "scan_nfc", "UNREGISTERED>FINISHED", word_id=word_id)) == "action_id_reused"
    assert len(centre.rows("select * from shadow_words")) == 1


def test_a_word_that_comes_after_a_newer_one_is_kept_and_moves_nothing(centre: Centre):
    now_ms = centre.clock()
    assert outcome(post(centre, "register", "ARRIVED>REGISTERED", at=now_ms - 1000)) == "corrected"
    assert outcome(post(centre, "scan_nfc", "UNREGISTERED>ARRIVED", at=now_ms - 2000)) == "late"
    assert centre.state(ANNA)["journey_state"] == "REGISTERED"
    assert outcome(post(centre, "scan_nfc", "UNREGISTERED>ARRIVED", BEN, at="2026-03-01T12:00:00")) == "late"
    assert centre.state(BEN)["journey_state"] == "UNREGISTERED"
    assert len(centre.rows("select * from shadow_words")) == 3


def test_a_word_says_whether_the_journey_had_drifted(centre: Centre):
    drifted = post(centre, "register", "ARRIVED>REGISTERED")
    assert isinstance(drifted, Answer)
    assert json.loads(drifted.body)["drifted"] is True


def test_what_the_centre_decides_takes_no_word_but_those_from_before(centre: Centre):
    before_ms = centre.clock()
    centre.clock.now_ms += 5000
    decide(centre, "scan_nfc=new")
    assert outcome(post(centre, "scan_nfc", "UNREGISTERED>ARRIVED")) == "decided_here"
    assert outcome(post(centre, "scan_nfc", "UNREGISTERED>ARRIVED", at=before_ms)) == "followed"


def test_the_shadow_counts_where_the_rules_differ(centre: Centre):
    decide(centre, "scan_nfc=shadow", "register=shadow", "call_patient=shadow")
    post(centre, "scan_nfc", "UNREGISTERED>ARRIVED")
    post(centre, "register", "ARRIVED>FINISHED")
    post(centre, "register", "UNREGISTERED>REGISTERED", BEN)
    post(centre, "scan_nfc", "UNREGISTERED>UNREGISTERED", patient(3), refused=True)
    post(centre, "call_patient", "WAITING>CALLED", patient(4), entries=[{"exam_id": "blood", "state": "called"}])
    found = report(centre)
    assert {
        name: (each["words"], each["differing"], each["kinds"]) for name, each in found.items() if each["words"]
    } == {
        "scan_nfc": (2, 1, {"allowed": 1}),
        "register": (2, 2, {"journey_state": 1, "refused": 1}),
        "call_patient": (1, 1, {"refused": 1}),
    }
    assert (found["register"]["rate"], found["scan_nfc"]["rate"], found["call_patient"]["drifted"]) == (1.0, 0.5, 1)
    newest, oldest = found["register"]["examples"]
    assert {newest["patient_id"], oldest["patient_id"]} == {ANNA, BEN}
    assert {"kind": "journey_state", "word": "FINISHED", "rules": "REGISTERED", "exam_id": None} in [
        *newest["differences"],
        *oldest["differences"],
    ]
    assert found["leave_hospital"]["decider"] == "legacy"
    assert "환자" not in json.dumps(found, ensure_ascii=False)


def test_an_entry_in_another_state_is_a_difference_of_its_own(centre: Centre):
    decide(centre, "confirm_arrival=shadow")
    post(centre, "scan_nfc", "UNREGISTERED>ARRIVED")
    post(centre, "register", "ARRIVED>REGISTERED")
    entries = [{"exam_id": "blood", "state": "delayed", "queue_number": "9"}]
    assert outcome(post(centre, "confirm_arrival", "REGISTERED>WAITING", entries=entries)) == "corrected"
    assert report(centre)["confirm_arrival"]["kinds"] == {"entry_state": 1}
    assert [each["state"] for each in centre.state(ANNA)["queue_details"]] == ["delayed"]
    assert centre.do("check")["ok"]


def test_two_places_of_one_exam_are_told_apart(centre: Centre):
    first = {"exam_id": "blood", "state": "completed", "queue_number": "A1"}
    post(centre, "start_exam", "CALLED>IN_PROGRESS", entries=[{**first, "state": "in_progress"}])
    assert outcome(post(centre, "complete_exam", "IN_PROGRESS>COMPLETED", entries=[first])) == "followed"
    second = {"exam_id": "blood", "state": "waiting", "queue_number": "A2"}
    assert outcome(post(centre, "confirm_arrival", "COMPLETED>WAITING", entries=[first, second])) == "corrected"
    post(centre, "call_patient", "WAITING>CALLED", entries=[first, {**second, "state": "called"}])
    rows = centre.rows("select queue_number, state from entries order by queue_number")
    assert [tuple(row.values()) for row in rows] == [("A1", "completed"), ("A2", "called")]
    assert centre.do("check")["ok"]


def test_an_action_is_ready_after_enough_words_in_enough_days_without_a_difference(centre: Centre):
    decide(centre, "scan_nfc=shadow")
    post(centre, "scan_nfc", "UNREGISTERED>UNREGISTERED", patient(3), refused=True)
    centre.clock.now_ms += 7 * DAY_MS
    post(centre, "scan_nfc", "UNREGISTERED>ARRIVED", ANNA)
    assert not report(centre, words=2, days=6)["scan_nfc"]["is_ready"]
    post(centre, "scan_nfc", "UNREGISTERED>ARRIVED", BEN)
    post(centre, "scan_nfc", "UNREGISTERED>ARRIVED", BEN, at=centre.clock() - 1000)
    assert not report(centre, words=3, days=6)["scan_nfc"]["is_ready"], "a late word says nothing of the rules"
    assert report(centre, words=2, days=6)["scan_nfc"]["is_ready"]
    assert not report(centre, words=2, days=8)["scan_nfc"]["is_ready"]
    assert not report(centre)["scan_nfc"]["is_ready"]


def test_old_words_are_deleted(centre: Centre):
    post(centre, "scan_nfc", "UNREGISTERED>ARRIVED")
    delete_old_words(centre.store, centre.clock() + KEPT_DAYS * DAY_MS)
    assert len(centre.rows("select * from shadow_words")) == 1
    delete_old_words(centre.store, centre.clock() + KEPT_DAYS * DAY_MS + 1)
    assert centre.rows("select * from shadow_words") == []


def test_an_import_leaves_the_deciders_alone_and_a_wrong_one_is_refused(centre: Centre):
    centre.take({"site": {"name": "New name", "desk": "desk"}})
    assert "register=legacy" in centre.do("site")["decides"]
    for wrong in ("dance=new", "register=perhaps", "register"):
        with pytest.raises(Exception, match=r"is no action|does not say who decides"):
            decide(centre, wrong)
