"""The board without a connection, without an answer, and without a session."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Dialog, Route, expect

from tests.sync.central.online import Online
from tests.sync.central.staff.ward import PATIENCE_MS, Wire, board, clear, number, waiting

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def empty_lines(online: Online) -> None:
    clear(online)


def test_without_a_connection_the_picture_stays_with_its_time_and_nothing_is_sent(online: Online, browser: Browser):
    first, second = waiting(online, 2)
    wire = Wire()
    with board(browser, online, wire=wire, locale="en-US") as screen:
        wire.cut()
        expect(screen.page.locator("#connection")).to_contain_text("No connection", timeout=PATIENCE_MS)
        assert screen.line() == [number(online, first), number(online, second)]
        expect(screen.next).to_have_attribute("aria-disabled", "true")
        expect(screen.row(first).get_by_role("button", name="Call")).to_have_attribute("title", "No connection")
        screen.press("n")
        screen.says("Nothing was sent")
        screen.choose(second)
        screen.press("c")
        screen.row(first).get_by_role("button", name="Call").click(force=True)
        assert wire.sent == []
        online.act(online.staff, "call_patient", patient_id=first, room="Room 9")
        wire.mend()
        screen.has(first, "Room 9")
        expect(screen.page.locator("#connection")).to_be_hidden()
        screen.is_next(number(online, second))
        screen.press("n")
        expect(screen.hand).to_contain_text(number(online, second))


def test_the_picture_is_printed_with_its_time_while_there_is_no_connection(online: Online, browser: Browser):
    (patient_id,) = waiting(online)
    wire = Wire()
    with board(browser, online, wire=wire, locale="en-US") as screen:
        wire.cut()
        screen.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        screen.page.emulate_media(media="print")
        expect(screen.page.locator("#printed")).to_contain_text("As of 9:0")
        expect(screen.row(patient_id)).to_be_visible()
        expect(screen.next).to_be_hidden()


def test_the_browser_asks_before_the_picture_is_left(online: Online, browser: Browser):
    waiting(online)
    wire = Wire()
    with board(browser, online, wire=wire) as screen:
        asked: list[str] = []

        def stay(dialog: Dialog) -> None:
            asked.append(dialog.type)
            dialog.dismiss()

        screen.page.on("dialog", stay)
        screen.next.click()  # browsers ask only where somebody has pressed something
        expect(screen.hand.locator("li")).to_have_count(1)
        wire.cut()
        expect(screen.next).to_have_attribute("aria-disabled", "true")
        screen.page.evaluate("setTimeout(() => location.assign('/staff/sign-in'))")
        while not asked:
            screen.page.wait_for_timeout(20)
        assert asked == ["beforeunload"]
        assert screen.page.url.endswith("/staff/board")


def test_a_press_whose_answer_is_lost_is_shown_and_asked_again_as_the_same(online: Online, browser: Browser):
    (patient_id,) = waiting(online)
    sent: list[str] = []
    with board(browser, online, locale="en-US") as screen:

        def lose_the_first(route: Route) -> None:
            sent.append(str(route.request.post_data))
            answer = route.fetch()
            route.abort() if len(sent) == 1 else route.fulfill(response=answer)

        screen.page.route("**/perform-action/", lose_the_first)
        screen.choose(patient_id)
        screen.press("c")
        screen.says("called")
    assert len(set(sent)) == 1
    (row,) = online.centre.rows(
        "select count(*) as n from transitions where patient_id = :id and action = 'call_patient'", id=patient_id
    )
    assert row["n"] == 1


def test_a_press_that_never_came_is_pending_until_the_connection_is_back(online: Online, browser: Browser):
    (patient_id,) = waiting(online)
    wire = Wire()
    with board(browser, online, wire=wire, locale="en-US") as screen:
        wire.cut_calls()
        screen.choose(patient_id)
        screen.press("c")
        screen.has(patient_id, "no answer yet")
        screen.press("m")  # one press at a time for each patient
        screen.says("has not answered the press before")
        wire.mend()
        screen.has(patient_id, "Start")
        screen.says("called")
    assert len({each["action_id"] for each in wire.sent}) == 1


def test_an_ended_session_asks_to_sign_in_and_leads_back(online: Online, browser: Browser):
    (patient_id,) = waiting(online)
    with board(browser, online, locale="en-US") as screen:
        screen.page.context.clear_cookies()
        screen.choose(patient_id)
        screen.press("c")
        dialog = screen.page.get_by_role("dialog")
        expect(dialog).to_contain_text("You are signed out")
        assert dialog.get_by_role("link").get_attribute("href") == "/staff/sign-in?next=/staff/board"
        expect(screen.row(patient_id)).to_be_visible()
    assert online.centre.state(patient_id)["journey_state"] == "WAITING"


def test_the_rows_that_move_up_when_the_connection_is_back_take_no_press_at_once(online: Online, browser: Browser):
    waiting(online)
    wire = Wire()
    with board(browser, online, wire=wire, locale="en-US") as screen:
        wire.cut()
        expect(screen.page.locator("#connection")).to_be_visible(timeout=PATIENCE_MS)
        screen.page.evaluate(
            "() => { const board = document.querySelector('#board');"
            " new MutationObserver(() => { window.hasRested ||= board.classList.contains('moved') })"
            ".observe(board, { attributeFilter: ['class'] }) }"
        )
        wire.mend()
        expect(screen.page.locator("#connection")).to_be_hidden(timeout=PATIENCE_MS)
        screen.page.wait_for_function("window.hasRested")
