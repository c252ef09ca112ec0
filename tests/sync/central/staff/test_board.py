"""The board in Chromium before a real centre: a nurse's presses, by mouse and by key, and what others do meanwhile."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.sync.central.online import Online
from tests.sync.central.staff.ward import Board, board, clear, number, waiting

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def empty_lines(online: Online) -> None:
    clear(online)


def state_of(online: Online, patient_id: str) -> str:
    return str(online.centre.state(patient_id)["journey_state"])


def test_the_next_one_is_called_with_one_key_and_followed_to_the_end(online: Online, browser: Browser):
    first, second = waiting(online, 2)
    with board(browser, online, room="Room 7", locale="en-US") as screen:
        screen.is_next(number(online, first))
        screen.press("n")
        screen.has(first, "Room 7")
        expect(screen.hand).to_contain_text(number(online, first))
        screen.is_next(number(online, second))
        # The called patient is the chosen one, so the same hand goes on.
        screen.press("s")
        screen.has(first, "In the exam")
        screen.press("f")
        screen.says("finished")
    assert state_of(online, first) == "COMPLETED"
    assert state_of(online, second) == "WAITING"


def test_the_buttons_do_what_the_keys_do(online: Online, browser: Browser):
    (patient_id,) = waiting(online)
    with board(browser, online, locale="en-US") as screen:
        screen.next.click()
        screen.click(patient_id, "Start")
        screen.click(patient_id, "Finish")
        screen.says("finished")
    assert state_of(online, patient_id) == "COMPLETED"


def test_a_key_works_while_the_keyboard_is_in_korean(online: Online, browser: Browser):
    (patient_id,) = waiting(online)
    with board(browser, online) as screen:
        screen.page.evaluate(
            "document.dispatchEvent(new KeyboardEvent('keydown', {key: 'ㅜ', code: 'KeyN', bubbles: true}))"
        )
        expect(screen.hand).to_contain_text(number(online, patient_id))


def test_a_key_that_is_held_calls_one_patient(online: Online, browser: Browser):
    waiting(online, 3)
    with board(browser, online) as screen:
        for _ in range(5):
            screen.page.keyboard.down("n")
        screen.page.keyboard.up("n")
        expect(screen.hand.locator("li")).to_have_count(1)
        expect(screen.page.locator(".line > li")).to_have_count(2)


# The second click of a double click comes when the line has moved up by one.
SECOND_CLICK = """([x, y]) => {
  const line = document.querySelector(".line");
  const click = () => new MouseEvent("click", { bubbles: true, detail: 2 });
  new MutationObserver(() => document.elementFromPoint(x, y).dispatchEvent(click())).observe(line, { childList: true });
}"""


def test_a_double_click_calls_one_patient(online: Online, browser: Browser):
    first, second, third = waiting(online, 3)
    with board(browser, online) as screen:
        box = screen.row(first).locator(".usual").bounding_box()
        assert box
        at = [box["x"] + 10, box["y"] + 10]
        screen.page.evaluate(SECOND_CLICK, at)
        screen.page.mouse.click(*at)
        expect(screen.hand).to_contain_text(number(online, first))
        screen.is_next(number(online, second))
    assert [state_of(online, each) for each in (first, second, third)] == ["CALLED", "WAITING", "WAITING"]


def test_a_screen_reader_hears_who_is_next_when_others_change_it(online: Online, browser: Browser):
    first, second = waiting(online, 2)
    with board(browser, online, locale="en-US") as screen:
        screen.is_next(number(online, first))
        online.act(online.staff, "call_patient", patient_id=first)
        expect(screen.page.locator("#said")).to_have_text(f"Next is {number(online, second)}.")


def test_what_others_do_is_on_the_board_without_a_reload(online: Online, browser: Browser):
    first, second = waiting(online, 2)
    with board(browser, online) as screen:
        online.act(online.staff, "call_patient", patient_id=second, room="Room 3")
        expect(screen.hand).to_contain_text("Room 3")
        (third,) = waiting(online)
        expect(screen.page.locator(".line")).to_contain_text(number(online, third))
        assert screen.line() == [number(online, first), number(online, third)]


def test_a_patient_who_did_not_come_is_called_again_later(online: Online, browser: Browser):
    (patient_id,) = waiting(online)
    label = number(online, patient_id)
    with board(browser, online, locale="en-US") as screen:
        screen.press("n")
        screen.has(patient_id, "Start")
        screen.press("m")
        expect(screen.page.locator("#missed")).to_contain_text(label)
        screen.press("b")
        expect(screen.page.locator(".line")).to_contain_text(label)


def test_a_delayed_patient_stands_in_the_line_and_is_passed_over(online: Online, browser: Browser):
    first, second = waiting(online, 2)
    with board(browser, online, locale="en-US") as screen:
        screen.choose(first)
        screen.press("l")
        screen.has(first, "Delayed")
        screen.is_next(number(online, second))
        screen.press("n")
        expect(screen.hand).to_contain_text(number(online, second))


def test_to_cancel_asks_for_the_reason(online: Online, browser: Browser):
    (patient_id,) = waiting(online)
    with board(browser, online, locale="en-US") as screen:
        screen.choose(patient_id)
        screen.press("x")
        dialog = screen.page.get_by_role("dialog")
        dialog.get_by_role("button", name="Cancel the exam").click()
        expect(dialog.get_by_role("alert")).to_contain_text("Reason")
        dialog.get_by_label("Reason").fill("went home")
        dialog.get_by_role("button", name="Cancel the exam").click()
        screen.says("is cancelled")
        screen.page.locator("#ended summary").click()
        expect(screen.page.locator("#ended")).to_contain_text("Cancelled")
    assert state_of(online, patient_id) == "COMPLETED"


def test_the_menu_has_all_that_the_rules_allow_and_is_used_by_key(online: Online, browser: Browser):
    (patient_id,) = waiting(online)
    label = number(online, patient_id)
    with board(browser, online, locale="en-US") as screen:
        screen.choose(patient_id)
        screen.press(".")
        menu = screen.page.get_by_role("menu")
        expect(menu.get_by_role("menuitem").first).to_be_focused()
        expect(menu).to_contain_text(label)  # it may lie on its row
        words = " ".join(menu.get_by_role("menuitem").all_inner_texts())
        for each in ("Call", "Did not come", "Delay", "Move to another exam", "Priority", "Note", "Cancel the exam"):
            assert each in words
        screen.press("ArrowDown")
        screen.press("Enter")
        expect(screen.page.locator("#missed")).to_contain_text(label)


def test_the_menu_closes_and_gives_the_focus_back_to_its_row(online: Online, browser: Browser):
    first, second = waiting(online, 2)
    with board(browser, online, locale="en-US") as screen:
        screen.choose(second)
        screen.press(".")
        online.act(online.staff, "call_patient", patient_id=first)  # the rows are drawn again meanwhile
        expect(screen.hand).to_contain_text(first)
        screen.press("Escape")
        expect(screen.page.get_by_role("menu")).to_be_hidden()
        expect(screen.row(second).locator(":focus")).to_have_count(1)


def test_a_chosen_patient_who_leaves_hands_the_keys_to_nobody(online: Online, browser: Browser):
    first, second = waiting(online, 2)
    with board(browser, online, locale="en-US") as screen:
        screen.choose(first)
        online.act(online.staff, "cancel_appointment", patient_id=first)
        expect(screen.page.locator(".line > li")).to_have_count(1)
        screen.press("c")
        screen.says("not possible now")
    assert state_of(online, second) == "WAITING"


def test_the_arrows_go_through_all_rows(online: Online, browser: Browser):
    ids = waiting(online, 3)
    with board(browser, online) as screen:
        for patient_id in ids:
            screen.press("ArrowDown")
            expect(screen.row(patient_id).locator(".name")).to_be_focused()
        screen.press("ArrowUp")
        expect(screen.row(ids[1]).locator(".name")).to_be_focused()


def test_a_screen_without_exams_asks_for_them_and_keeps_the_answer(online: Online, browser: Browser):
    (patient_id,) = waiting(online)
    with board(browser, online, exams=("blood",), locale="en-US") as screen:
        screen.page.get_by_role("button", name="Exams and room").click()
        dialog = screen.page.get_by_role("dialog")
        dialog.get_by_label("HIV test").uncheck()
        dialog.get_by_role("button", name="Show").click()
        expect(dialog.get_by_role("alert")).to_contain_text("at least one exam")
        dialog.get_by_label("HIV test").check()
        dialog.get_by_label("Chest X-ray").check()
        dialog.get_by_label("My room").fill("Room 5")
        dialog.get_by_role("button", name="Show").click()
        expect(screen.page.locator(".exam h2")).to_have_text(["Chest X-ray", "HIV test"])
        expect(screen.page.locator("#place")).to_have_text("My room: Room 5")
        screen.press("n")  # the first line has nobody
        screen.says("Nobody to call")
        screen.choose(patient_id)
        screen.press("n")  # the line with the focus
        screen.has(patient_id, "Room 5")


def test_no_person_is_kept_in_the_browser(online: Online, browser: Browser):
    (patient_id,) = waiting(online)
    with board(browser, online) as screen:
        screen.press("n")
        screen.has(patient_id, number(online, patient_id))
        kept = screen.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
        assert patient_id not in kept
        assert "환자" not in kept
        assert screen.page.url.endswith("/staff/board")


def switch_single_keys(screen: Board, *, on: bool) -> None:
    screen.press("?")
    dialog = screen.page.get_by_role("dialog")
    dialog.get_by_label("Single keys do something").set_checked(on)
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)


def test_single_keys_can_be_switched_off(online: Online, browser: Browser):
    (patient_id,) = waiting(online)
    with board(browser, online, locale="en-US") as screen:
        switch_single_keys(screen, on=False)
        screen.press("n")
        screen.press("ArrowDown")
        expect(screen.row(patient_id).locator(".name")).to_be_focused()
        expect(screen.hand.locator("li")).to_have_count(0)
        switch_single_keys(screen, on=True)
        screen.press("n")
        expect(screen.hand.locator("li")).to_have_count(1)
