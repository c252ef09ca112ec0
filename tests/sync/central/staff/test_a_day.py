"""A nurse's whole day on the pages of staff, in both languages, in one browser that has signed in once."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from sync.central.records.duties import Duty
from sync.central.web.staff.words import catalog_of
from tests.sync.central.box import Box
from tests.sync.central.online import PATIENCE_S, Online
from tests.sync.central.staff.inbox import InboxPage, registered_without_arrival
from tests.sync.central.staff.people import Person, person
from tests.sync.central.staff.reception import Desk
from tests.sync.central.staff.ward import Board, Wire, board, clear, number, waiting

pytestmark = pytest.mark.browser
NURSE, ROOM = "김미정", "7"
Say = Callable[..., str]


def words(language: str, page: str) -> Say:
    """The texts of a page by their English form, with values for their places."""
    messages = catalog_of(language, page).messages

    def say(text: str, **values: str) -> str:
        found = messages.get(text, text)
        return str(found if isinstance(found, str) else found[0]).format(**values)

    return say


def go_to(page: Page, name: str) -> None:
    """Follows the navigation, as a person does."""
    page.locator(f"nav a[data-page={name}]").click()
    page.wait_for_url(f"**/staff/{name}")


def begin(page: Page, online: Online, who: Person, say: Say) -> Board:
    """Signs in at the first page that comes, and chooses the exam and the room of this screen."""
    page.goto(f"http://{online.host}/staff/")
    page.locator("#login").fill(who.login)
    page.locator("#password").fill(who.password)
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("HIV test").check()
    dialog.get_by_label(say("My room")).fill(ROOM)
    page.keyboard.press("Enter")
    page.locator("#board[data-drawn]").wait_for()
    return Board(page, who.login)


@pytest.mark.parametrize(("language", "locale"), [("ko", "ko-KR"), ("en", "en-US")])
def test_a_nurses_day(online: Online, browser: Browser, language: str, locale: str):
    clear(online)
    first, second = waiting(online, 2)
    box, who = Box(online), person(online, Duty.EXAM_ROOM, Duty.RECEPTION, name=NURSE)
    context = browser.new_context(locale=locale, viewport={"width": 1366, "height": 768})
    context.set_default_timeout(PATIENCE_S * 1000)
    page, complaints = context.new_page(), list[str]()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    line = Wire()
    line.attach(page)

    nurse = begin(page, online, who, words(language, "board"))
    calls_take_turns(nurse, online, browser, first, second, locale)
    a_press_is_taken_back(nurse, second, words(language, "board"))
    walk_in(page, words(language, "desk"))
    lost_card(page, online, first, words(language, "desk"))
    exception(page, online, box, who)
    outage(page, online, second, line)

    page.locator("#sign-out").click()
    page.wait_for_url("**/staff/sign-in*")
    page.goto(f"http://{online.host}/staff/board")
    page.wait_for_url("**/staff/sign-in?next=/staff/board")
    context.close()
    assert complaints == []


def calls_take_turns(nurse: Board, online: Online, browser: Browser, first: str, second: str, locale: str) -> None:
    """Two rooms press for the same patient: one call. The other room calls the next one."""
    slow = Wire()
    with board(browser, online, name="Lee", room="3", wire=slow, locale=locale) as other:
        slow.hold_news()
        nurse.press("n")
        nurse.has(first, ROOM)
        other.press("n")
        other.says(NURSE)
        other.says(number(online, second))
        slow.give_news()
        other.is_next(number(online, second))
        other.press("n")
        nurse.has(second, "Lee")
        other.press("u")
        expect(nurse.page.locator(".line")).to_contain_text(number(online, second))


def a_press_is_taken_back(nurse: Board, second: str, say: Say) -> None:
    """The wrong patient is marked as absent, and is back with one key."""
    nurse.choose(second)
    nurse.press("m")
    expect(nurse.page.locator("#missed")).to_contain_text(second)
    nurse.press("u")
    expect(nurse.page.locator(".line")).to_contain_text(second)
    expect(nurse.page.locator("#missed")).to_be_hidden()
    expect(nurse.next).to_contain_text(say("Call next: {who}", who="").strip())


def walk_in(page: Page, say: Say) -> None:
    go_to(page, "desk")
    page.locator("#desk[data-ready]").wait_for()
    screen = Desk(page)
    name = f"홍길순 {say('Name')}"
    page.locator("#desk-register").click()
    screen.fill(say("Name"), name)
    screen.fill(say("Birth date"), "1950-02-03")
    screen.dialog.get_by_label(say("Into a line now")).select_option("blood")
    screen.confirm(say("Go on"))
    screen.says(name)
    expect(screen.record).to_contain_text(name)


def lost_card(page: Page, online: Online, patient_id: str, say: Say) -> None:
    screen = Desk(page)
    screen.open(patient_id)
    screen.press(say("Report lost"))
    screen.confirm(say("Report lost"))
    screen.says(say("The card is blocked."))
    rows = online.call("GET", f"/api/v1/patients/{patient_id}/bindings/", online.staff).json()["bindings"]
    assert [row["state"] for row in rows] == ["blocked"]
    assert page.locator("#sign-out").is_visible()


def exception(page: Page, online: Online, box: Box, who: Person) -> None:
    case = registered_without_arrival(online, box, online.newcomer())
    go_to(page, "inbox")
    screen = InboxPage(page, who)
    screen.open(case)
    screen.button("discard").click()
    screen.answer("pressed twice", "danger")
    expect(screen.row(case)).to_have_count(0)
    (row,) = online.centre.rows("select settled_by from exceptions where exception_id = :id", id=case)
    assert who.login in row["settled_by"]


def outage(page: Page, online: Online, waits: str, line: Wire) -> None:
    """The centre is away: the last picture stays, with its time, and is printed. Nothing is sent."""
    go_to(page, "board")
    page.locator("#board[data-drawn]").wait_for()
    screen = Board(page, "")
    label = number(online, waits)
    expect(page.locator(".line")).to_contain_text(label)
    line.sent.clear()
    line.cut()
    expect(page.locator("#connection")).to_be_visible()
    screen.press("n")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    expect(page.locator("#printed")).to_contain_text(re.compile(r"\d"))
    expect(screen.row(waits)).to_be_visible()
    page.emulate_media(media="screen")
    assert line.sent == []
    line.mend()
    expect(page.locator("#connection")).to_be_hidden()
    screen.is_next(label)
