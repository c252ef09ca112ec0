"""The worklist for the printer: the page in Chromium, and the paper that comes of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from sync.central.records.duties import Duty
from sync.journey.model import STAFF
from tests.sync.central.online import PATIENCE_S, Online
from tests.sync.central.staff.axe import faults
from tests.sync.central.staff.people import person, signed_in

pytestmark = pytest.mark.browser
PATIENCE_MS = PATIENCE_S * 1000


@pytest.fixture(scope="module", autouse=True)
def day_has_begun(online: Online) -> None:
    for number in range(1, 10):
        name = f"P{number:02d}"
        online.centre.walk(name, "scan_nfc", "register", "confirm_arrival")
    assert online.centre.act("P01", "call_patient", STAFF).done
    online.centre.walk("P01", "start_exam", "complete_exam")


@contextmanager
def nurse(browser: Browser, online: Online, path: str, **more: Any) -> Iterator[Page]:
    """A nurse at the page. Its address names the exams."""
    with signed_in(browser, online, person(online, Duty.EXAM_ROOM), "/staff/worklist", **more) as page:
        page.goto(f"http://{online.host}{path}")
        yield page


def rows(page: Page) -> list[str]:
    expect(page.locator(".sheet tbody tr:not(.empty)").first).to_be_visible(timeout=PATIENCE_MS)
    return page.locator(".sheet tbody tr:not(.empty) .number").all_inner_texts()


def test_everybody_of_the_day_is_on_it_with_boxes_to_tick(online: Online, browser: Browser):
    with nurse(browser, online, "/staff/worklist?exam_id=blood", locale="en-US") as page:
        numbers = rows(page)
        assert numbers[:2] == ["C-001", "C-002"]
        assert len(numbers) == 64  # all who are booked
        assert "–" in numbers
        first = page.locator(".sheet tbody tr").first
        expect(first).to_contain_text("환자01")
        expect(first).to_contain_text("1970-01-01 · P01")
        expect(first).to_contain_text("Done")
        expect(first.locator(".box")).to_have_count(3)
        expect(page.locator(".as-of")).to_have_text("As of 9:00 AM. It may be out of date after that.")
        page.get_by_label("Patients who are done too").uncheck()
        expect(page.locator(".sheet tbody tr").first).to_contain_text("환자02")


def test_several_exams_are_chosen_on_the_page_and_kept_in_its_address(online: Online, browser: Browser):
    with nurse(browser, online, "/staff/worklist", locale="en-US") as page:
        expect(page.get_by_text("Choose an exam.")).to_be_visible()
        expect(page.get_by_role("button", name="Print")).to_be_disabled()
        page.get_by_role("checkbox", name="Desk").check()
        page.get_by_role("checkbox", name="Chest X-ray").check()
        expect(page.locator(".sheet")).to_have_count(2, timeout=PATIENCE_MS)
        assert set(re.findall(r"exam_id=(\w+)", page.url)) == {"desk", "xray"}
        page.reload()
        expect(page.locator(".sheet")).to_have_count(2, timeout=PATIENCE_MS)
        page.get_by_role("checkbox", name="Desk").uncheck()
        expect(page.locator(".sheet")).to_have_count(1)


def test_the_paper_has_a_head_and_a_number_on_each_page(online: Online, browser: Browser, tmp_path):
    with nurse(browser, online, "/staff/worklist?exam_id=blood") as page:
        rows(page)
        made = page.pdf(prefer_css_page_size=True)
        assert made.count(b"/Type /Page\n") > 1
        page.emulate_media(media="print")
        for hidden in ("#choice", "#top", "#messages"):
            expect(page.locator(hidden)).to_be_hidden()
        display = page.locator(".sheet thead").evaluate("each => getComputedStyle(each).display")
        assert display == "table-header-group"


def test_a_reading_that_fails_keeps_the_sheet_with_its_time(online: Online, browser: Browser):
    with nurse(browser, online, "/staff/worklist?exam_id=blood", locale="en-US") as page:
        before = rows(page)
        page.route("**/api/v1/board/worklist/**", lambda route: route.abort())
        page.get_by_role("button", name="Read again").click()
        expect(page.locator("#toasts")).to_contain_text("does not answer", timeout=PATIENCE_MS)
        assert rows(page) == before
        page.unroute("**/api/v1/board/worklist/**")
        page.get_by_role("button", name="Try again").first.click()
        expect(page.locator("#said")).to_contain_text("As of", timeout=PATIENCE_MS)
        expect(page.locator(".as-of")).to_be_visible()


@pytest.mark.parametrize("locale", ["ko-KR", "en-US"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(online: Online, browser: Browser, locale: str, scheme: Any):
    with nurse(browser, online, "/staff/worklist?exam_id=blood", locale=locale, color_scheme=scheme) as page:
        rows(page)
        assert faults(page) == []


@pytest.mark.parametrize("width", [640, 683, 1366])
def test_no_width_cuts_anything_off(online: Online, browser: Browser, width: int):
    with nurse(browser, online, "/staff/worklist?exam_id=xray", viewport={"width": width, "height": 768}) as page:
        rows(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_is_for_the_ward_alone(online: Online, browser: Browser):
    with signed_in(browser, online, person(online, Duty.ADMINISTRATOR), "/staff/worklist") as page:
        expect(page.locator("#sheets")).to_have_count(0)
