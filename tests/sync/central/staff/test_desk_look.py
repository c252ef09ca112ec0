"""How the card desk looks and reads: axe, both languages, a narrow window, a dark one."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.sync.central.desk.asking import DeskKiosk
from tests.sync.central.online import Online
from tests.sync.central.staff.axe import faults
from tests.sync.central.staff.reception import desk, hold

pytestmark = pytest.mark.browser
LOOKS = {
    "ko": {"locale": "ko-KR"},
    "en": {"locale": "en-US"},
    "narrow": {"locale": "ko-KR", "viewport": {"width": 640, "height": 900}},
    "dark": {"locale": "en-US", "color_scheme": "dark"},
}


@pytest.fixture(scope="module")
def kiosk(online: Online) -> DeskKiosk:
    return DeskKiosk(online.centre)


@pytest.mark.parametrize("look", LOOKS)
def test_the_desk_is_for_everybody(online: Online, browser: Browser, kiosk: DeskKiosk, look: str):
    patient_id = online.newcomer()
    online.centre.walk(patient_id, "scan_nfc", "register", "confirm_arrival")
    with desk(browser, online, **LOOKS[look]) as screen:
        assert faults(screen.page) == []
        screen.find("환자")
        expect(screen.page.locator("#desk-found li").first).to_be_visible()
        screen.open(patient_id)
        assert faults(screen.page) == []
        width = screen.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert width <= 0, "the page scrolls sideways"
        screen.page.locator("#desk-register").click()
        assert faults(screen.page) == []
        screen.page.keyboard.press("Escape")
        screen.page.keyboard.press("c")
        screen.dialog.locator("button.primary").click()
        hold(online, kiosk, f"04c0ffee99c{len(look):x}0{ord(look[0]):02x}")
        expect(screen.dialog.locator(".desk-wait")).to_be_visible()
        assert faults(screen.page) == []
        screen.page.keyboard.press("Escape")


def test_the_rows_of_a_person_without_the_duty_are_not_shown(online: Online):
    answer = online.call("GET", "/api/v1/desk/", online.own_token(online.newcomer()))
    assert answer.status_code == 403
