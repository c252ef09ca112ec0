"""The lines of a board: what a row says, and that the changes lead from one board to the next."""

from __future__ import annotations

import random
import shutil
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sync.central.maintenance.incarnation import begin_new_incarnation
from sync.central.services.board_feed import BoardFeed, Changes, Whole
from sync.central.services.door import let_out
from sync.central.services.errors import ApiError
from sync.central.services.merge import merge
from sync.central.services.perform_action import perform
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.central.services.undo_press import undo_press
from sync.ids import new_id
from sync.journey.model import PATIENT, STAFF, PatientId
from tests.sync.central.board_client import BoardClient
from tests.sync.central.centre import DAY, Centre, patient
from tests.sync.central.databases import POSTGRESQL, Database
from tests.sync.central.online import PATIENCE_S
from tests.sync.central.statements import counting

EXAMS = ("blood", "desk", "xray")
NURSE = Requester(STAFF, "staff:Nurse Kim (1a2b3c4d5e6f)", "rest")


def whole(feed: BoardFeed, *exams: str, ended: int = 20) -> dict[str, Any]:
    found = feed.board(exams, ended)
    assert isinstance(found, Whole)
    return dict(msgspec.json.decode(bytes(found.told.value)))


def rows(feed: BoardFeed, *exams: str) -> dict[str, dict[str, Any]]:
    return {row["patient_id"]: row for row in whole(feed, *exams)["entries"]}


def wait_in_line(centre: Centre, *numbers: int) -> None:
    for number in numbers:
        centre.clock.now_ms += 1000
        centre.walk(patient(number), "scan_nfc", "register", "confirm_arrival")


def press(centre: Centre, number: int, action_type: str, **payload: object) -> None:
    answer = perform(centre.parts, NURSE, patient(number), ActionRequest(action_type, new_id(), payload))
    assert answer.done, answer.body


def test_a_row_says_who_waits_for_what_and_what_staff_may_do(centre: Centre):
    wait_in_line(centre, 1, 2)
    (first, second) = whole(BoardFeed(centre.parts), "blood")["entries"]
    assert (first["patient_id"], first["name"], first["masked_name"]) == ("P01", "환자01", "환**1")
    assert (first["birth_date"], first["language"]) == ("1970-01-01", "ko")
    assert (first["exam_id"], first["exam_name"], first["room"]) == ("blood", "HIV test", "1")
    assert (first["state"], first["journey_state"], first["journey_version"]) == ("waiting", "WAITING", 3)
    assert (first["booked_at"], first["opened_at"]) == (f"{DAY}T09:30:00+09:00", f"{DAY}T09:00:01+09:00")
    assert (first["since"], first["by"], first["by_kind"]) == (f"{DAY}T09:00:01+09:00", "", "patient")
    assert [row["people_ahead"] for row in (first, second)] == [0, 1]
    assert [row["estimated_wait_time"] for row in (first, second)] == [0, 5]
    assert (first["is_current"], first["is_in_line"], first["waits"], first["others"]) == (True, True, True, [])
    assert first["actions"] == ["call_patient", "mark_no_show", "cancel_appointment"]
    assert first["states"] == ["delayed", "called", "no_show", "in_progress", "completed", "cancelled"]


def test_a_row_names_the_person_who_called_the_patient_and_the_time(centre: Centre):
    wait_in_line(centre, 1)
    centre.clock.now_ms += 60_000
    press(centre, 1, "call_patient", room="7")
    row = rows(BoardFeed(centre.parts))["P01"]
    assert (row["state"], row["room"], row["by"], row["by_kind"]) == ("called", "7", "Nurse Kim", "staff")
    assert row["since"] == f"{DAY}T09:01:01+09:00"
    assert row["actions"] == ["start_exam", "mark_no_show", "cancel_appointment"]


def test_an_undo_gives_back_who_has_called_and_when(centre: Centre):
    wait_in_line(centre, 1)
    press(centre, 1, "call_patient", room="7")
    called = rows(BoardFeed(centre.parts))["P01"]
    centre.clock.now_ms += 60_000
    press(centre, 1, "start_exam")
    centre.clock.now_ms += 60_000
    started = rows(BoardFeed(centre.parts))["P01"]["undo"]["action_id"]
    assert undo_press(centre.parts, NURSE, ActionRequest("undo_press", new_id(), {"undoes": started})).done
    row = rows(BoardFeed(centre.parts))["P01"]
    assert (row["state"], row["since"], row["by"]) == ("called", called["since"], called["by"])


def test_the_last_press_on_an_entry_can_be_undone_until_something_newer_happens(centre: Centre):
    wait_in_line(centre, 1)
    feed = BoardFeed(centre.parts)
    assert rows(feed)["P01"]["undo"] is None
    press(centre, 1, "call_patient")
    undo = rows(feed)["P01"]["undo"]
    assert (undo["action"], undo["by"], undo["at"]) == ("call_patient", "Nurse Kim", f"{DAY}T09:00:01+09:00")
    centre.walk(patient(1), "enter_exam_room")
    assert rows(feed)["P01"]["undo"] is None
    press(centre, 1, "complete_exam")
    (ended,) = whole(feed)["ended"]
    assert ended["undo"]["action"] == "complete_exam"


def test_a_patient_in_two_lines_is_seen_in_both(centre: Centre):
    wait_in_line(centre, 1)
    press(centre, 1, "call_patient")
    press(centre, 1, "start_exam")
    press(centre, 1, "complete_exam")
    centre.walk(patient(1), "confirm_arrival")
    with centre.store.write() as db:
        db.execute("update entries set state = 'waiting' where patient_id = 'P01' and exam_id = 'blood'")
    board = whole(BoardFeed(centre.parts))["entries"]
    assert [(row["exam_id"], row["is_current"]) for row in board] == [("xray", True), ("blood", False)]
    assert [[other["exam_id"] for other in row["others"]] for row in board] == [["blood"], ["xray"]]
    assert board[1]["others"][0]["queue_id"] == board[0]["queue_id"]


def test_an_exam_has_its_numbers_and_every_exam_is_told_in_the_order_of_its_title(centre: Centre):
    wait_in_line(centre, 1, 2, 5)
    press(centre, 1, "cancel_appointment")
    exams = whole(BoardFeed(centre.parts))["exams"]
    assert [each["exam_id"] for each in exams] == ["xray", "desk", "blood", "sleep"]
    counts = {each["exam_id"]: each["counts"] for each in exams}
    assert counts == {"xray": {}, "desk": {"waiting": 1}, "blood": {"cancelled": 1, "waiting": 1}, "sleep": {}}
    assert [each["order"] for each in exams] == ["arrival"] * 4


def test_the_last_that_ended_are_told_the_newest_first(centre: Centre):
    wait_in_line(centre, 1, 2, 3)
    for number in (2, 1, 3):
        centre.clock.now_ms += 1000
        press(centre, number, "cancel_appointment")
    feed = BoardFeed(centre.parts)
    assert [row["patient_id"] for row in whole(feed, "blood")["ended"]] == ["P03", "P01", "P02"]
    assert [row["patient_id"] for row in whole(feed, "blood", ended=2)["ended"]] == ["P03", "P01"]
    assert whole(feed, "blood", ended=0)["ended"] == whole(feed, "xray")["ended"] == []
    assert whole(feed)["ended"][0]["states"] == []


def test_no_exam_of_this_id_is_said(centre: Centre):
    found = BoardFeed(centre.parts).board(("blood", "nowhere"))
    assert isinstance(found, ApiError)
    assert found.code == "not_found"


def test_a_merge_of_two_records_moves_the_entry_to_the_patient_who_is_kept(centre: Centre):
    wait_in_line(centre, 1)
    feed = BoardFeed(centre.parts)
    version = feed.board(EXAMS).version
    with centre.store.write() as db:
        now_ms = centre.clock()
        merge(db, centre.parts.definitions, PatientId("P05"), PatientId("P01"), DAY, now_ms, centre.parts.ids)
    assert set(rows(feed)) == {"P05"}
    changes = feed.since(version, EXAMS)
    assert isinstance(changes, Changes)
    update = msgspec.json.decode(bytes(changes.told.value))
    assert ([row["patient_id"] for row in update["rows"]], update["gone"]) == (["P05"], [])


def test_an_entry_that_ended_after_a_merge_is_no_longer_in_the_line(centre: Centre):
    wait_in_line(centre, 1)
    feed = BoardFeed(centre.parts)
    before = feed.board(("blood",))
    assert isinstance(before, Whole)
    with centre.store.write() as db:
        now_ms = centre.clock()
        merge(db, centre.parts.definitions, PatientId("P02"), PatientId("P01"), DAY, now_ms, centre.parts.ids)
    press(centre, 2, "call_patient")
    press(centre, 2, "start_exam")
    press(centre, 2, "complete_exam")
    told = whole(feed, "blood")
    assert ([row["patient_id"] for row in told["entries"]], len(told["ended"])) == ([], 1)
    changes = feed.since(before.version, ("blood",))
    assert isinstance(changes, Changes)
    assert changes.told is not None
    said = msgspec.json.decode(bytes(changes.told.value))
    assert (said["gone"], [row["patient_id"] for row in said["ended"]]) == ([told["ended"][0]["queue_id"]], ["P02"])


def test_the_board_of_a_new_day_is_empty(centre: Centre):
    wait_in_line(centre, 1)
    feed = BoardFeed(centre.parts)
    client, version = BoardClient(), feed.board(()).version
    client.take({"type": "board", "payload": whole(feed)})
    centre.clock.set("2026-03-03", "09:00")
    assert whole(feed)["entries"] == []
    changes = feed.since(version, ())
    assert isinstance(changes, Changes)
    client.take({"type": "board_update", "payload": msgspec.json.decode(bytes(changes.told.value))})
    assert client.shown() == []


ACTIONS = (
    *(("call_patient", True), ("start_exam", True), ("complete_exam", True), ("mark_no_show", True)),
    *(("cancel_appointment", True), ("confirm_arrival", False), ("scan_nfc", False), ("register", False)),
)


@pytest.mark.parametrize("seed", range(4))
def test_changes_lead_to_the_board_that_is_read_whole(centre: Centre, seed: int):
    """Random presses, imports and priorities: boards that follow in steps of any size show what a new board shows."""
    chance = random.Random(seed)
    feed, watched = BoardFeed(centre.parts), [(), ("blood",), ("desk", "xray")]
    boards = {exams: (BoardClient(), feed.board(exams).version) for exams in watched}
    for exams, (client, _) in boards.items():
        client.take({"type": "board", "payload": whole(feed, *exams)})
    wait_in_line(centre, *range(1, 8))
    for _ in range(60):
        act_at_random(centre, chance)
        if chance.random() < 0.4:
            follow(feed, boards, chance)
    follow(feed, boards, None)
    for exams, (client, _) in boards.items():
        expected = whole(BoardFeed(centre.parts), *exams)
        assert by_line(client.shown()) == by_line(expected["entries"])
        assert sorted(client.exams.values(), key=str) == sorted(expected["exams"], key=str)
        assert {row["queue_id"] for row in expected["ended"]} <= set(client.ended)
        assert all(client.ended[row["queue_id"]] == row for row in expected["ended"])


def act_at_random(centre: Centre, chance: random.Random) -> None:
    number = chance.randint(1, 9)
    centre.clock.now_ms += chance.randint(0, 90_000)
    if chance.random() < 0.1:
        with centre.store.write() as db:
            db.execute("update entries set priority = priority + 1 where patient_id = :id", {"id": patient(number)})
            db.execute(
                "update journeys set change = :change where patient_id = :id",
                {"id": patient(number), "change": db.next_change()},
            )
            db.announce(db.latest_change(), patient(number))
        return
    action_type, by_staff = chance.choice(ACTIONS)
    centre.act(patient(number), action_type, STAFF if by_staff else PATIENT)


def follow(feed: BoardFeed, boards: dict[Any, tuple[BoardClient, int]], chance: random.Random | None) -> None:
    feed.board(())  # reads
    for exams, (client, version) in boards.items():
        if chance is not None and chance.random() < 0.3:
            continue
        found = feed.since(version, exams)
        assert not isinstance(found, ApiError)
        if found.told is not None:
            kind = "board" if isinstance(found, Whole) else "board_update"
            client.take({"type": kind, "payload": msgspec.json.decode(bytes(found.told.value))})
        boards[exams] = (client, found.version)


def by_line(shown: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in shown:
        found.setdefault(row["exam_id"], []).append(row)
    return found


def test_a_board_that_has_missed_too_much_is_told_the_whole(centre: Centre):
    feed = BoardFeed(centre.parts)
    version = feed.board(()).version
    wait_in_line(centre, 1)
    for _ in range(70):
        press(centre, 1, "call_patient")
        feed.board(())
        press(centre, 1, "mark_no_show")
        feed.board(())
    found = feed.since(version, ())
    assert isinstance(found, Whole)
    assert feed.since(found.version, ()) == Changes(None, found.version)


def test_a_board_of_a_database_that_was_set_back_is_read_whole(centre: Centre):
    wait_in_line(centre, 1, 2)
    feed = BoardFeed(centre.parts)
    assert set(rows(feed, "blood")) == {"P01", "P02"}
    with centre.store.write() as db:  # the arrival of the first one is lost, and its change number is given again
        db.execute("delete from entry_history where patient_id = 'P01'")
        db.execute("update journeys set current_queue_id = null, change = 0 where patient_id = 'P01'")
        db.execute("delete from entries where patient_id = 'P01'")
        begin_new_incarnation(db, centre.clock())
    press(centre, 2, "call_patient")
    assert set(rows(feed, "blood")) == {"P02"}


def test_what_is_told_names_each_patient_for_the_access_log(centre: Centre):
    wait_in_line(centre, 1, 2)
    press(centre, 2, "cancel_appointment")
    found = BoardFeed(centre.parts).board(())
    assert isinstance(found, Whole)
    let_out(centre.parts, NURSE, found.told)
    (row,) = centre.rows("select who, kind, detail from audit where kind = 'look:board'")
    assert msgspec.json.decode(row["detail"])["patient_ids"] == ["P01", "P02"]


@pytest.mark.one_database
def test_no_number_of_patients_changes_the_number_of_statements(centre: Centre):
    counted = []
    for numbers in (range(1, 2), range(2, 15)):
        wait_in_line(centre, *numbers)
        with counting(centre.store) as said:
            BoardFeed(centre.parts).board(EXAMS)
        counted.append(len(said))
    assert counted[0] == counted[1]
    feed = BoardFeed(centre.parts)
    feed.board(EXAMS)
    press(centre, 3, "call_patient")
    with counting(centre.store) as said:
        for _ in range(50):
            feed.board(EXAMS)
    assert len([each for each in said if "from entries e" in each]) == 1, "one change is read once"


@pytest.mark.one_database
@pytest.mark.parametrize("database", [POSTGRESQL], indirect=True)
def test_a_change_at_another_service_of_the_database_wakes_the_boards(centre: Centre, tmp_path: Path):
    (tmp_path / "other").mkdir()
    shutil.copy(centre.parts.keys.path, tmp_path / "other")
    other = Centre(tmp_path / "other", filled=False, database=Database(centre.url, tmp_path / "other"))
    feed, woken = BoardFeed(other.parts), threading.Event()
    leave = feed.open(woken.set)
    try:
        version = feed.board(("blood",)).version
        wait_in_line(centre, 1)
        assert woken.wait(PATIENCE_S)
        while (found := feed.since(version, ("blood",))).told is None:
            woken.clear()
            assert woken.wait(PATIENCE_S)
        update = msgspec.json.decode(bytes(found.told.value))
        assert [row["patient_id"] for row in update["rows"]] == ["P01"]
    finally:
        leave()
        other.store.close()
