"""The find box of the board, and a patient's day beside the lines."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.sync.central.centre import card
from tests.sync.central.online import Online
from tests.sync.central.staff.axe import faults
from tests.sync.central.staff.ward import Board, board, clear, number, waiting

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def empty_lines(online: Online) -> None:
    clear(online)


def look_for(screen: Board, text: str) -> None:
    screen.press("/")
    screen.page.keyboard.insert_text(text)
    screen.press("Enter")


@pytest.mark.parametrize("by", ["number", "digits", "name", "id", "card"])
def test_a_patient_is_found_and_the_row_is_chosen(online: Online, browser: Browser, by: str):
    _, patient_id = waiting(online, 2)
    which = int(patient_id.removeprefix("P"))
    label = number(online, patient_id)
    texts = {
        "number": label.replace("-", "").lower(),
        "digits": str(int(label.split("-")[1])),
        "name": f"환자{which:02d}",
        "id": patient_id,
        "card": card(which),
    }
    with board(browser, online, locale="en-US") as screen:
        look_for(screen, texts[by])
        found = screen.page.locator("#found button")
        expect(found).to_have_count(1)
        expect(found).to_be_focused()
        expect(found).to_contain_text(label)
        screen.press("Enter")
        expect(screen.page.locator("#day h2")).to_have_text(f"환자{which:02d}")
        screen.press("Escape")
        expect(screen.row(patient_id).locator(".name")).to_be_focused()
        assert screen.page.url == f"http://{online.host}/staff/board"


def test_a_patient_of_another_exam_is_found_too(online: Online, browser: Browser):
    (patient_id,) = waiting(online)
    with board(browser, online, exams=("xray",), locale="en-US") as screen:
        look_for(screen, patient_id)
        expect(screen.page.locator("#found button")).to_be_focused()
        screen.press("Enter")
        expect(screen.page.locator("#day")).to_contain_text("HIV test")


def test_a_booking_has_the_name_of_the_exam_that_the_board_has(online: Online, browser: Browser):
    patient_id = online.newcomer()
    with board(browser, online, locale="en-US") as screen:
        look_for(screen, patient_id)
        found, day = screen.page.locator("#found button"), screen.page.locator("#day")
        expect(found).to_contain_text("HIV test")
        expect(found).not_to_contain_text("Blood test")
        screen.press("Enter")
        expect(day).to_contain_text("HIV test: Booked")


def test_nobody_is_found_in_words(online: Online, browser: Browser):
    with board(browser, online, locale="en-US") as screen:
        look_for(screen, "nobody at all")
        expect(screen.page.locator("#found")).to_contain_text("Nobody was found")
        expect(screen.page.locator("#said")).to_contain_text("Nobody was found")
        screen.press("Escape")
        expect(screen.page.locator("#found")).to_be_hidden()


def test_the_day_says_what_happened_and_follows_what_happens(online: Online, browser: Browser):
    (patient_id,) = waiting(online)
    with board(browser, online, locale="en-US") as screen:
        screen.choose(patient_id)
        screen.press("d")
        day = screen.page.locator("#day")
        for each in ("Held the card to a kiosk", "Confirmed the arrival", "HIV test", "1 card"):
            expect(day).to_contain_text(each)
        assert faults(screen.page) == []
        with screen.page.expect_request("**/day/") as asked:
            online.act(online.staff, "call_patient", patient_id=patient_id, room="Room 8")
        assert asked.value.headers["x-unattended"] == "1"  # nobody has pressed anything
        expect(day).to_contain_text("Room 8")
        expect(day).to_contain_text("Patient called")
        screen.press("Escape")
        expect(day).to_be_hidden()
