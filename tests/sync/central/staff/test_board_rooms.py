"""Two rooms at one line: one call for each patient, and a clear word to the room that was late."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.sync.central.online import Online
from tests.sync.central.staff.ward import Wire, board, clear, number, waiting

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def empty_lines(online: Online) -> None:
    clear(online)


def calls(online: Online, patient_id: str) -> int:
    sql = "select count(*) as n from transitions where patient_id = :id and action = 'call_patient'"
    (row,) = online.centre.rows(sql, id=patient_id)
    return int(row["n"])


def test_the_room_that_is_late_reads_who_has_called_and_calls_the_next_one(online: Online, browser: Browser):
    first, second = waiting(online, 2)
    slow = Wire()
    with (
        board(browser, online, name="Kim", room="Room 2", locale="en-US") as one,
        board(browser, online, name="Lee", room="Room 3", wire=slow, locale="en-US") as other,
    ):
        slow.hold_news()
        one.press("n")
        one.has(first, "Room 2")
        other.press("n")
        other.says(f"in Room 2 by {one.by}")
        other.says(f"Next is {number(online, second)}")
        slow.give_news()
        other.has(first, "Room 2")
        other.is_next(number(online, second))
        other.press("n")
        one.has(second, f"Room 3 · {other.by}")
    assert calls(online, first) == calls(online, second) == 1


def test_rooms_that_press_at_once_call_two_patients_or_one_and_a_word(online: Online, browser: Browser):
    ids = waiting(online, 6)
    with (
        board(browser, online, name="Kim", room="Room 2", locale="en-US") as one,
        board(browser, online, name="Lee", room="Room 3", locale="en-US") as other,
    ):
        for _ in range(3):
            for screen in (one, other):
                screen.page.evaluate("document.querySelector('.call-next').click()")
            for screen in (one, other):
                expect(screen.next).to_contain_text("Call next")
                screen.page.locator(".toast").first.wait_for()
        expect(one.hand.locator("li")).to_have_count(other.hand.locator("li").count())
    assert all(calls(online, each) <= 1 for each in ids)


def test_a_row_that_somebody_else_has_changed_is_not_changed_again(online: Online, browser: Browser):
    (patient_id,) = waiting(online)
    slow = Wire()
    with board(browser, online, name="Lee", wire=slow, locale="en-US") as screen:
        slow.hold_news()
        online.act(online.staff, "call_patient", patient_id=patient_id, room="Room 2")
        screen.choose(patient_id)
        screen.press("m")
        screen.says("“Called” since")
        slow.give_news()
        screen.has(patient_id, "Room 2")
    assert online.centre.state(patient_id)["journey_state"] == "CALLED"


def test_my_press_is_taken_back_with_one_key(online: Online, browser: Browser):
    (patient_id,) = waiting(online)
    with board(browser, online, locale="en-US") as screen:
        screen.press("n")
        screen.has(patient_id, "Start")
        screen.press("u")
        screen.says("taken back")
        screen.is_next(number(online, patient_id))
    assert online.centre.state(patient_id)["journey_state"] == "WAITING"


def test_presses_are_taken_back_one_after_the_other(online: Online, browser: Browser):
    (patient_id,) = waiting(online)
    with board(browser, online, locale="en-US") as screen:
        screen.press("n")
        screen.has(patient_id, "Start")
        screen.press("s")
        screen.has(patient_id, "Finish")
        screen.press("Control+z")
        screen.has(patient_id, "Start")
        screen.press("Control+z")
        screen.is_next(number(online, patient_id))
        expect(screen.page.get_by_role("button", name="Undo", exact=False).first).to_be_disabled()


def test_anybody_takes_back_the_press_of_another_by_the_menu_of_the_row(online: Online, browser: Browser):
    (patient_id,) = waiting(online)
    with (
        board(browser, online, name="Kim", locale="en-US") as one,
        board(browser, online, name="Lee", locale="en-US") as other,
    ):
        one.press("n")
        other.has(patient_id, one.by)
        other.choose(patient_id)
        other.press(".")
        undo = other.page.get_by_role("menuitem", name="Undo")
        expect(undo).to_contain_text(one.by)
        undo.click()
        one.is_next(number(online, patient_id))


def test_what_can_no_longer_be_taken_back_says_who_came_after(online: Online, browser: Browser):
    (patient_id,) = waiting(online)
    with (
        board(browser, online, name="Kim", locale="en-US") as one,
        board(browser, online, name="Lee", locale="en-US") as other,
    ):
        one.press("n")
        other.has(patient_id, "Start")
        other.choose(patient_id)
        other.press("s")
        one.has(patient_id, "In the exam")
        one.press("u")
        one.says(f"{other.by} came after it")
    assert online.centre.state(patient_id)["journey_state"] == "IN_PROGRESS"
