"""The page of people in a real browser: an administrator invites, changes and takes away, in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from sync.central.records.duties import Duty
from tests.sync.central.centre import Centre
from tests.sync.central.online import API, PATIENCE_S, Online
from tests.sync.central.staff.axe import faults
from tests.sync.central.staff.people import headers_of, person, sign_in, signed_in

pytestmark = pytest.mark.browser


@pytest.fixture
def online(tmp_path: Path) -> Iterator[Online]:
    made = Online(tmp_path, centre=Centre(tmp_path))
    yield made
    made.close()


def says(page: Page, text: str) -> None:
    expect(page.locator("body")).to_contain_text(text, timeout=PATIENCE_S * 1000)


@pytest.mark.parametrize("locale", ["ko-KR", "en-US"])
@pytest.mark.parametrize("width", [1366, 640])
def test_the_page_is_for_all_eyes_and_widths(online: Online, browser: Browser, locale: str, width: int):
    who = person(online, Duty.ADMINISTRATOR)
    locked = person(online, Duty.RECEPTION, Duty.EXAM_ROOM, name="이서연")
    for _ in range(5):
        sign_in(online, locked, "not the password")
    viewport = {"width": width, "height": 768}
    with signed_in(browser, online, who, "/staff/people", locale=locale, viewport=viewport) as page:
        expect(page.locator("#people li")).to_have_count(2)
        assert faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.locator("#invite").click()
        assert faults(page) == []


def test_an_invitation_shows_its_code_once(online: Online, browser: Browser):
    with signed_in(browser, online, person(online, Duty.ADMINISTRATOR), "/staff/people", locale="en-US") as page:
        page.locator("#invite").click()
        page.get_by_role("button", name="Make a code").click()
        says(page, "Please choose one duty at least.")
        page.get_by_label("Name", exact=True).fill("이서연")
        page.get_by_label("Reception").check()
        page.get_by_role("button", name="Make a code").click()
        code = page.locator("#shown-code").inner_text()
        assert faults(page) == []
        page.get_by_role("button", name="Close", exact=True).click()
        expect(page.locator("#shown-code")).to_have_count(0)
        expect(page.locator("#invitations li")).to_contain_text("이서연: Reception")
        assert code not in page.content()
        page.get_by_role("button", name="Withdraw: 이서연").click()
        expect(page.locator("#invitations-part")).to_be_hidden()
    answer = online.call(
        "POST", f"{API}/welcome/check/", headers={"Origin": f"http://{online.host}"}, json={"code": code}
    )
    assert answer.status_code == 403


def test_an_administrator_changes_disables_and_unlocks(online: Online, browser: Browser):
    who = person(online, Duty.RECEPTION, name="이서연")
    headers = headers_of(online, who)
    for _ in range(5):
        sign_in(online, who, "not the password")
    with signed_in(browser, online, person(online, Duty.ADMINISTRATOR), "/staff/people", locale="en-US") as page:
        page.get_by_role("button", name="Unlock: 이서연").click()
        says(page, "이서연 can try again.")
        page.get_by_role("button", name="Change: 이서연").click()
        page.get_by_label("Name", exact=True).fill("이서윤")
        page.get_by_label("Exam room").check()
        page.get_by_role("button", name="Save").click()
        says(page, "이서윤")
        assert online.call("GET", f"{API}/me/", headers=headers).status_code == 401
        page.get_by_role("button", name="Disable: 이서윤").click()
        page.get_by_role("button", name="Disable", exact=True).click()
        says(page, "이서윤 is disabled.")
        assert sign_in(online, who).json()["code"] == "account_disabled"
        page.get_by_role("button", name="Enable: 이서윤").click()
        says(page, "이서윤 is enabled.")
        page.get_by_role("button", name="New password: 이서윤").click()
        page.get_by_role("button", name="Make a code").click()
        expect(page.locator("#shown-code")).to_be_visible()
        page.get_by_role("button", name="Close", exact=True).click()
        says(page, "One-time code given")


def test_the_last_administrator_is_not_taken_away_and_the_page_says_why(online: Online, browser: Browser):
    with signed_in(browser, online, person(online, Duty.ADMINISTRATOR), "/staff/people", locale="en-US") as page:
        page.get_by_role("button", name="Disable: 김미정").click()
        page.get_by_role("button", name="Disable", exact=True).click()
        says(page, "This is the last administrator.")
        expect(page.locator("#people li")).to_have_count(1)


def test_it_is_for_administrators_alone(online: Online, browser: Browser):
    with signed_in(browser, online, person(online, Duty.RECEPTION), "/staff/people", locale="en-US") as page:
        says(page, "This page is not for you")
