"""What a nurse does with a place in the line: priority, another exam, a note, another call; and a line by booking."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.sync.central.online import Online
from tests.sync.central.staff.ward import Board, board, clear, number, waiting

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def empty_lines(online: Online) -> None:
    clear(online)


def ask(screen: Board, patient_id: str, key: str) -> Locator:
    """The dialog that a key opens for a row."""
    screen.choose(patient_id)
    screen.press(key)
    return screen.page.get_by_role("dialog")


def test_a_priority_moves_a_patient_to_the_front_and_back(online: Online, browser: Browser):
    first, second = waiting(online, 2)
    with board(browser, online, locale="en-US") as screen:
        dialog = ask(screen, second, "p")
        dialog.get_by_label("Elderly").check()
        dialog.get_by_role("button", name="Save").click()
        screen.has(second, "Elderly")
        screen.is_next(number(online, second))
        assert screen.line() == [number(online, second), number(online, first)]
        dialog = ask(screen, second, "p")
        dialog.get_by_label("No priority").check()
        dialog.get_by_role("button", name="Save").click()
        screen.is_next(number(online, first))


def test_an_emergency_needs_a_reason_which_the_row_keeps(online: Online, browser: Browser):
    (patient_id,) = waiting(online)
    with board(browser, online, locale="en-US") as screen:
        dialog = ask(screen, patient_id, "p")
        dialog.get_by_label("Emergency").check()
        dialog.get_by_role("button", name="Save").click()
        expect(dialog.get_by_role("alert")).to_contain_text("reason")
        dialog.get_by_label("Reason").fill("chest pain")
        dialog.get_by_role("button", name="Save").click()
        expect(screen.row(patient_id).locator(".badge.priority")).to_have_attribute("title", "chest pain")
        screen.press("u")
        expect(screen.row(patient_id).locator(".badge.priority")).to_have_count(0)


def test_a_patient_is_moved_to_another_exam_and_back_by_undo(online: Online, browser: Browser):
    (patient_id,) = waiting(online)
    label = number(online, patient_id)
    with board(browser, online, exams=("blood", "xray"), locale="en-US") as screen:
        dialog = ask(screen, patient_id, "v")
        dialog.get_by_label("Exam").select_option("xray")
        dialog.get_by_role("button", name="Move").click()
        expect(screen.page.locator("[data-exam=xray] .line")).to_contain_text(label)
        expect(screen.page.locator("[data-exam=blood] .line")).not_to_contain_text(label)
        screen.press("u")
        expect(screen.page.locator("[data-exam=blood] .line")).to_contain_text(label)


def test_a_patient_who_moves_out_of_sight_leaves_the_board(online: Online, browser: Browser):
    (patient_id,) = waiting(online)
    with board(browser, online, locale="en-US") as screen:
        dialog = ask(screen, patient_id, "v")
        dialog.get_by_label("Exam").select_option("xray")
        dialog.get_by_label("At the end of the line").check()
        dialog.get_by_role("button", name="Move").click()
        screen.says("moved")
        expect(screen.row(patient_id)).to_have_count(0)


def test_a_note_is_on_every_board(online: Online, browser: Browser):
    (patient_id,) = waiting(online)
    with board(browser, online, locale="en-US") as screen, board(browser, online) as other:
        dialog = ask(screen, patient_id, "t")
        dialog.get_by_label("Note").fill("comes with a wheelchair")
        dialog.get_by_role("button", name="Save").click()
        other.has(patient_id, "comes with a wheelchair")


def test_a_patient_is_called_once_more(online: Online, browser: Browser):
    (patient_id,) = waiting(online)
    with board(browser, online, locale="en-US") as screen:
        screen.press("n")
        screen.has(patient_id, "Call again")
        screen.press("a")
        screen.says("called again")
        screen.has(patient_id, "Start")


def test_a_line_by_booking_says_so(online: Online, browser: Browser):
    with online.centre.store.write() as db:
        db.execute("update exams set by_booking = 1 where exam_id = 'xray'")
    with board(browser, online, exams=("xray",), locale="en-US") as screen:
        expect(screen.page.locator(".counts")).to_contain_text("by booked time")
