"""The time of a screen: shown, extended, and no data left at its end. The test moves the browser's clock."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser, expect

from tests.kiosk.ui.browser import Kiosk
from tests.kiosk.ui.conftest import Staged, serving
from tests.kiosk.ui.staged import HONG, StagedCounter

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser-time")]


@pytest.fixture(scope="module")
def opened(browser: Browser) -> Iterator[Staged]:
    counter = StagedCounter()
    with serving(counter) as server:
        screen = Kiosk(browser, server.url)
        screen.page.clock.install()
        yield Staged(counter, screen.open())
        assert screen.complaints == []
        screen.close()


@pytest.fixture
def counter(opened: Staged) -> StagedCounter:
    return opened.counter


@pytest.fixture
def clockwork(opened: Staged) -> Kiosk:
    opened.begin()
    return opened.screen


def left(screen: Kiosk) -> int:
    return int("".join(filter(str.isdigit, screen.page.locator("#time .seconds").inner_text())))


def test_a_screen_that_waits_shows_no_time(clockwork: Kiosk):
    assert clockwork.page.locator("#time").inner_text() == ""


def test_the_time_that_is_left_is_seen(clockwork: Kiosk, counter: StagedCounter):
    clockwork.await_frame(counter.tap(HONG).frame)
    assert 58 <= left(clockwork) <= 60
    clockwork.page.clock.fast_forward(30_000)
    assert 28 <= left(clockwork) <= 30
    assert not clockwork.page.locator("#time.soon").is_visible()


def test_the_time_is_seen_in_front_of_the_dialog_too(clockwork: Kiosk, counter: StagedCounter):
    clockwork.await_frame(counter.tap(HONG).frame)
    clockwork.press("staff")
    expect(clockwork.page.locator("#help .seconds")).to_have_text(re.compile(r"(60|59|58)초 후 처음으로 돌아갑니다"))


def test_twenty_seconds_before_the_end_it_is_said(clockwork: Kiosk, counter: StagedCounter):
    clockwork.await_frame(counter.tap(HONG).frame)
    clockwork.page.clock.fast_forward(41_000)
    clockwork.page.locator("#time.soon").wait_for()
    expect(clockwork.page.locator("#spoken")).to_have_text(re.compile("(20|19|18)초 후 처음으로 돌아갑니다"))


def test_keep_using_starts_the_time_afresh(clockwork: Kiosk, counter: StagedCounter):
    clockwork.await_frame(counter.tap(HONG).frame)
    clockwork.page.clock.fast_forward(50_000)
    clockwork.press("keep")
    expect(clockwork.page.locator("#time.soon")).to_have_count(0)
    assert left(clockwork) >= 58
    assert counter.keeps == 1


def test_news_that_give_no_more_time_leave_the_bar_where_it_is(clockwork: Kiosk, counter: StagedCounter):
    share = "parseFloat(document.querySelector('#time').style.getPropertyValue('--share'))"
    clock = clockwork.page.clock
    clock.pause_at(clockwork.page.evaluate("Date.now()") + 60_000)
    shown = counter.tap(HONG)
    clockwork.await_frame(shown.frame)
    clock.fast_forward(30_000)
    clockwork.await_frame(counter.show(replace(shown, remaining_s=30.0, confirmed=False)).frame)
    assert clockwork.page.evaluate(share) == 0.5
    clockwork.await_frame(counter.show(replace(shown, remaining_s=60.0)).frame)
    assert clockwork.page.evaluate(share) == 1
    clock.resume()


def test_after_ten_times_it_is_not_offered_any_more(clockwork: Kiosk, counter: StagedCounter):
    shown = counter.tap(HONG)
    clockwork.await_frame(shown.frame)
    assert clockwork.button("keep").is_visible()
    clockwork.await_frame(counter.show(replace(shown, keeps_left=0)).frame)
    assert not clockwork.button("keep").is_visible()
    assert left(clockwork) > 50


def test_at_the_end_nothing_of_the_person_is_left_even_where_the_daemon_says_nothing(
    clockwork: Kiosk, counter: StagedCounter
):
    counter.tap(HONG, "register", "confirm_arrival")
    clockwork.await_text("B-017")
    clockwork.press("language-en")
    clockwork.press("staff")
    clockwork.page.clock.fast_forward(61_000)
    clockwork.await_screen("attract")
    assert not clockwork.page.locator("#help[open]").is_visible()
    markup = clockwork.page.content()
    for trace in (HONG.masked_name, HONG.patient_id, "B-017", "흉부 영상 검사"):
        assert trace not in markup
    assert clockwork.language == "ko"
    # A tap of the same patient works again.
    counter.tap(HONG)
    clockwork.await_text("B-017")


def test_settings_that_nobody_uses_are_put_back_with_a_warning(clockwork: Kiosk):
    clockwork.press("language-en")
    clockwork.press("contrast")
    assert left(clockwork) >= 58
    clockwork.page.clock.fast_forward(41_000)
    clockwork.page.locator("#time.soon").wait_for()
    expect(clockwork.page.locator("#spoken")).to_have_text(re.compile("Reset in (20|19|18) seconds"))
    clockwork.press("keep")
    assert left(clockwork) >= 58
    clockwork.page.clock.fast_forward(61_000)
    assert clockwork.language == "ko"
    assert clockwork.page.locator("#time").inner_text() == ""
