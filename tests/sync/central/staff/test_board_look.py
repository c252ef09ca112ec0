"""What the board looks like: ten rows and more at a glance, narrow screens, both languages, axe-core."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.sync.central.online import Online
from tests.sync.central.staff.axe import faults
from tests.sync.central.staff.ward import Board, board, clear, waiting

pytestmark = pytest.mark.browser
LAPTOP = {"width": 1366, "height": 768}


@pytest.fixture(scope="module", autouse=True)
def full_line(online: Online) -> list[str]:
    clear(online)
    return waiting(online, 14)


def overlaps(screen: Board) -> list[str]:
    """The buttons of a line on which something else lies, but for a message that goes away."""
    found: list[str] = screen.page.evaluate(
        """() => Array.from(document.querySelectorAll(".line > li .more"))
          .filter((each) => each.checkVisibility())
          .filter((each) => {
            each.scrollIntoView({ block: "center" });
            const { x, y, width, height } = each.getBoundingClientRect();
            const above = document.elementFromPoint(x + width / 2, y + height / 2);
            return !each.contains(above) && !above?.closest("#toasts");
          })
          .map((each) => each.ariaLabel)"""
    )
    return found


@pytest.mark.parametrize("locale", ["ko-KR", "en-US"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(online: Online, browser: Browser, locale: str, scheme: Any):
    with board(browser, online, locale=locale, color_scheme=scheme) as screen:
        assert faults(screen.page) == []
        screen.press("ArrowDown")
        screen.press(".")
        expect(screen.page.get_by_role("menu")).to_be_visible()
        assert faults(screen.page) == []
        screen.press("Escape")
        screen.press("x")
        expect(screen.page.get_by_role("dialog")).to_be_visible()
        assert faults(screen.page) == []


def test_a_laptop_shows_ten_rows_and_more(online: Online, browser: Browser):
    with board(browser, online, viewport=LAPTOP) as screen:
        bottoms = screen.page.evaluate(
            "Array.from(document.querySelectorAll('.line > li'), (row) => row.getBoundingClientRect().bottom)"
        )
        assert sum(bottom <= LAPTOP["height"] for bottom in bottoms) >= 10


@pytest.mark.parametrize("width", [640, 683, 1024, 1152, 1366, 1920])  # 683: a laptop at 200 %
@pytest.mark.parametrize("locale", ["ko-KR", "en-US"])
def test_no_width_cuts_anything_off(online: Online, browser: Browser, width: int, locale: str):
    with board(browser, online, locale=locale, viewport={"width": width, "height": 768}) as screen:
        screen.press("n")
        expect(screen.hand.locator("li")).not_to_have_count(0)
        assert screen.page.evaluate("document.documentElement.scrollWidth") <= width
        assert overlaps(screen) == []
        cut = screen.page.evaluate(
            """() => {
              const isCut = (each) =>
                each.scrollWidth > each.clientWidth + 1 || each.getBoundingClientRect().right > innerWidth;
              return Array.from(document.querySelectorAll("#board button"))
              .filter((each) => each.checkVisibility() && !each.classList.contains("name"))
              .filter(isCut)
              .map((each) => each.textContent);
            }"""
        )
        assert cut == []


def test_the_day_moves_nobody_who_is_called(online: Online, browser: Browser):
    with board(browser, online, viewport=LAPTOP) as screen:
        before = screen.page.locator("#side").bounding_box()
        screen.press("ArrowDown")
        screen.press("d")
        expect(screen.page.locator("#day section").first).to_be_visible()
        assert screen.page.locator("#side").bounding_box() == before


def test_the_main_buttons_are_large_enough_for_a_finger(online: Online, browser: Browser):
    with board(browser, online) as screen:
        small = screen.page.evaluate(
            """() => Array.from(document.querySelectorAll(".call-next, .row .buttons button, #bar button"))
              .filter((each) => each.checkVisibility())
              .map((each) => each.getBoundingClientRect())
              .filter(({ width, height }) => Math.min(width, height) < 44).length"""
        )
        assert small == 0
