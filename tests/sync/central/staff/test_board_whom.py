"""Whom a key or a button of the board is for: never a patient whom the person at the screen did not mean."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from sync.ids import new_id
from tests.sync.central.online import API, Online
from tests.sync.central.staff.ward import Board, Wire, board, clear, number, waiting

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def empty_lines(online: Online) -> None:
    clear(online)


def state_of(online: Online, patient_id: str) -> str:
    return str(online.centre.state(patient_id)["journey_state"])


def find(screen: Board, text: str) -> None:
    screen.press("/")
    screen.page.keyboard.insert_text(text)
    screen.press("Enter")
    expect(screen.page.locator("#found button")).to_be_focused()


def test_after_a_call_that_another_room_has_won_the_next_key_starts_nobody(online: Online, browser: Browser):
    (patient_id,) = waiting(online)
    slow = Wire()
    with board(browser, online, wire=slow, locale="en-US") as screen:
        slow.hold_news()
        online.act(online.staff, "call_patient", patient_id=patient_id, room="Room 2")
        screen.press("n")
        screen.says("“Called”")
        slow.give_news()
        screen.has(patient_id, "Room 2")
        screen.press("s")
        screen.says("No row is chosen")
    assert state_of(online, patient_id) == "CALLED"


def test_a_letter_on_what_was_found_does_nothing_to_the_row_chosen_before(online: Online, browser: Browser):
    first, second = waiting(online, 2)
    with board(browser, online, locale="en-US") as screen:
        screen.choose(first)
        find(screen, second)
        screen.press("c")
        screen.press("Enter")
        expect(screen.row(second)).to_have_class("row chosen")
        screen.press("c")
        screen.says(f"{number(online, second)} ")
        expect(screen.hand).to_contain_text(second)
    assert state_of(online, first) == "WAITING"


def test_a_patient_of_no_line_here_hands_the_keys_to_nobody(online: Online, browser: Browser):
    (elsewhere,) = waiting(online)
    with board(browser, online, exams=("blood", "xray"), locale="en-US") as screen:
        screen.choose(elsewhere)
        stranger = online.newcomer()
        find(screen, stranger)
        screen.press("Enter")
        expect(screen.page.locator("#day")).to_contain_text(stranger)
        screen.press("c")
        screen.says("No row is chosen")
    assert state_of(online, elsewhere) == "WAITING"


def test_another_call_offers_no_undo_and_the_key_takes_back_the_call_itself(online: Online, browser: Browser):
    (patient_id,) = waiting(online)
    with board(browser, online, locale="en-US") as screen:
        screen.press("n")
        screen.has(patient_id, "Call again")
        screen.press("a")
        screen.says("called again")
        toast = screen.page.locator(".toast").filter(has_text="called again")
        expect(toast.get_by_role("button", name="Undo")).to_have_count(0)
        screen.press("u")
        screen.says("taken back")
        expect(screen.page.locator(".line")).to_contain_text(patient_id)


def test_a_move_out_of_sight_is_taken_back_at_once(online: Online, browser: Browser):
    (patient_id,) = waiting(online)
    with board(browser, online, locale="en-US") as screen:
        screen.choose(patient_id)
        screen.press("v")
        dialog = screen.page.get_by_role("dialog")
        dialog.get_by_label("Exam").select_option("xray")
        dialog.get_by_role("button", name="Move").click()
        screen.says("moved to Chest X-ray")
        screen.press("u")
        screen.says("taken back")
        expect(screen.page.locator(".line")).to_contain_text(patient_id)


def test_the_way_out_of_a_cancellation_is_not_called_cancel(online: Online, browser: Browser):
    (patient_id,) = waiting(online)
    with board(browser, online, locale="ko-KR") as screen:
        screen.choose(patient_id)
        screen.press("x")
        buttons = screen.page.get_by_role("dialog").get_by_role("button")
        expect(buttons).to_have_text(["진료·검사 취소", "돌아가기"])


def test_a_screen_that_has_chosen_no_exam_says_so(online: Online, browser: Browser):
    with board(browser, online, locale="en-US") as screen:
        screen.page.add_init_script("localStorage.removeItem('nk-board')")
        screen.page.reload()
        expect(screen.page.get_by_role("dialog")).to_be_visible()
        screen.press("Escape")
        expect(screen.page.locator("#lines")).to_contain_text("No exam is chosen yet")


def test_the_list_of_keys_names_them_as_they_stand_on_the_keyboard(online: Online, browser: Browser):
    with board(browser, online, locale="en-US") as screen:
        screen.press("?")
        keys = screen.page.get_by_role("dialog").locator("kbd").all_inner_texts()
    assert {"N", "↓", "↑", "Ctrl Z", "Esc", "."} <= set(keys)


def test_the_day_names_a_priority_in_words_and_whom_staff_have_received(online: Online, browser: Browser):
    (patient_id,) = waiting(online)
    walk_in = online.newcomer(booked=False)
    body = {"exam_id": "blood", "action_id": new_id()}
    assert online.call("POST", f"{API}/desk/patients/{walk_in}/walk-in/", online.staff, json=body).ok
    with board(browser, online, locale="en-US") as screen:
        screen.choose(patient_id)
        screen.press("p")
        dialog = screen.page.get_by_role("dialog")
        dialog.get_by_label("Emergency").check()
        dialog.get_by_label("Reason").fill("chest pain")
        dialog.get_by_role("button", name="Save").click()
        screen.says("priority changed")
        screen.press("d")
        day = screen.page.locator("#day")
        expect(day).to_contain_text("Priority changed")
        expect(day).to_contain_text("Emergency, chest pain")
        expect(day).not_to_contain_text("set_priority")
        screen.press("Escape")
        screen.choose(walk_in)
        screen.press("d")
        expect(day).to_contain_text("Received by staff")
        expect(day).not_to_contain_text("Held the card")


def test_the_usual_press_of_another_rooms_patient_has_no_colour(online: Online, browser: Browser):
    first, second = waiting(online, 2)
    online.act(online.staff, "call_patient", patient_id=first, room="Room 2")
    with board(browser, online, room="Room 3", locale="en-US") as screen:
        screen.is_next(number(online, second))
        screen.press("n")
        screen.has(second, "Start")
        expect(screen.row(second).get_by_role("button", name="Start")).to_have_class("usual")
        expect(screen.row(first).get_by_role("button", name="Start")).not_to_have_class("usual")


def test_the_same_words_twice_are_one_message(online: Online, browser: Browser):
    with board(browser, online, locale="en-US") as screen:
        for _ in range(3):
            screen.press("s")
        screen.says("No row is chosen")
        expect(screen.page.locator(".toast")).to_have_count(1)
