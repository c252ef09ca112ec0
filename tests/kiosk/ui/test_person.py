"""The settings of the screen are one person's: they end when the person leaves."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from kiosk.front.screen import Lookup
from tests.kiosk.ui.browser import Kiosk
from tests.kiosk.ui.conftest import Staged
from tests.kiosk.ui.staged import HONG, NAMGUNG, SMITH, StagedCounter

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser-person")]


@pytest.fixture
def counter(staged: Staged) -> StagedCounter:
    return staged.counter


@pytest.fixture
def screen(staged: Staged) -> Kiosk:
    return staged.screen


def settings(screen: Kiosk) -> tuple[str, str, bool, bool]:
    """Returns language, zoom, contrast and low."""
    root = "document.documentElement"
    zoom = screen.page.evaluate(f"{root}.style.getPropertyValue('--zoom')")
    classes = screen.page.evaluate(f"[...{root}.classList]")
    return screen.language, zoom, "contrast" in classes, "low" in classes


ALL_CHANGED = ("en", "1.5", True, True)
NONE_CHANGED = ("ko", "1", False, False)


def change_all(screen: Kiosk) -> None:
    for name in ("language-en", "low", "contrast", "zoom"):
        screen.press(name)
    assert settings(screen) == ALL_CHANGED


def test_what_is_chosen_before_the_tap_holds_after_it_and_goes_with_the_person(screen: Kiosk, counter: StagedCounter):
    change_all(screen)
    counter.tap(HONG)
    screen.await_screen("journey")
    assert settings(screen) == ALL_CHANGED
    assert screen.headline == "Hello, 홍*동"
    screen.press("home")
    screen.await_screen("attract")
    assert settings(screen) == NONE_CHANGED


def test_the_next_patient_starts_afresh(screen: Kiosk, counter: StagedCounter):
    counter.tap(HONG)
    screen.await_screen("journey")
    change_all(screen)
    counter.tap(NAMGUNG)
    screen.await_text("남궁** 님, 안녕하세요")
    assert settings(screen) == NONE_CHANGED


def test_a_person_whom_a_look_up_names_keeps_what_was_chosen_meanwhile(screen: Kiosk, counter: StagedCounter):
    counter.unknown_card(Lookup.ASKED)
    screen.await_screen("unknown_card")
    change_all(screen)
    screen.await_frame(counter.unknown_card(Lookup.ASKED).frame)
    counter.tap(HONG)
    screen.await_screen("journey")
    assert settings(screen) == ALL_CHANGED


def test_a_card_that_is_looked_up_after_a_patient_starts_afresh(screen: Kiosk, counter: StagedCounter):
    counter.tap(HONG)
    screen.await_screen("journey")
    change_all(screen)
    counter.unknown_card(Lookup.ASKED)
    screen.await_screen("unknown_card")
    assert settings(screen) == NONE_CHANGED


def test_the_same_patient_tapping_again_keeps_them(screen: Kiosk, counter: StagedCounter):
    counter.tap(HONG)
    screen.await_screen("journey")
    change_all(screen)
    screen.await_frame(counter.tap(HONG, "register").frame)
    assert settings(screen) == ALL_CHANGED


def test_a_refused_card_in_between_changes_nothing_for_its_holder(screen: Kiosk, counter: StagedCounter):
    change_all(screen)
    counter.refuse_card("phone")
    screen.await_screen("refused_card")
    counter.tap(HONG)
    screen.await_screen("journey")
    assert settings(screen) == ALL_CHANGED
    counter.refuse_card("phone")
    screen.await_screen("refused_card")
    assert settings(screen) == ALL_CHANGED
    counter.tap(NAMGUNG)
    screen.await_text("남궁** 님, 안녕하세요")
    assert settings(screen) == NONE_CHANGED


def test_a_patient_is_spoken_to_in_the_language_that_the_hospital_knows(screen: Kiosk, counter: StagedCounter):
    counter.tap(SMITH)
    screen.await_text("Hello, J*** S****")
    assert screen.language == "en"
    counter.attract()
    screen.await_screen("attract")
    assert screen.language == "ko"


def test_a_language_that_was_chosen_goes_before_the_one_that_is_known(screen: Kiosk, counter: StagedCounter):
    counter.tap(SMITH)
    screen.await_text("Hello, J*** S****")
    screen.press("language-ko")
    screen.await_frame(counter.tap(SMITH, "register").frame)
    assert screen.language == "ko"
    assert screen.page.locator('[data-name="language-ko"]').get_attribute("aria-pressed") == "true"


def test_every_word_of_the_page_changes_its_language(screen: Kiosk, counter: StagedCounter):
    counter.tap(SMITH, "register", "confirm_arrival")
    screen.await_text("B-017")
    said = screen.page.inner_text("body").replace("한국어", "").replace(counter.kiosk.name, "")
    assert not [letter for letter in said if "가" <= letter <= "힣"]


def test_home_puts_an_unused_screen_back(screen: Kiosk):
    change_all(screen)
    screen.press("home")
    assert settings(screen) == NONE_CHANGED


def test_enlarging_goes_up_and_back(screen: Kiosk):
    seen = []
    for _ in range(3):
        screen.press("zoom")
        seen.append((settings(screen)[1], screen.button("zoom").inner_text()))
    assert seen == [("1.5", "150%"), ("2", "200%"), ("1", "확대")]


def test_what_does_not_fit_can_be_reached_without_dragging(screen: Kiosk, counter: StagedCounter):
    screen.press("zoom")
    screen.press("zoom")
    counter.tap(HONG)
    screen.await_screen("journey")
    more, top = screen.button("more"), "document.getElementById('sheet').scrollTop"
    assert more.inner_text() == "더 보기"
    for _ in range(12):
        before = screen.page.evaluate(top)
        more.tap()
        screen.await_painting()
        assert screen.page.evaluate(top) > before
        if more.inner_text() == "맨 위로":
            break
    expect(more).to_have_text("맨 위로")
    more.tap()
    assert screen.page.evaluate(top) == 0
    expect(more).to_have_text("더 보기")


def test_a_window_that_is_not_the_screen_shows_it_scaled_to_its_area(browser, server):
    window = Kiosk(browser, server.url, (1280, 720)).open()
    real = Kiosk(browser, server.url, (1080, 1920)).open()
    ratio = window.pixels_per_mm() / real.pixels_per_mm()
    assert ratio == pytest.approx((1280 * 720 / (1080 * 1920)) ** 0.5)
    assert window.look().spilled == []
    window.close()
    real.close()


def test_a_screen_with_two_device_pixels_to_one_keeps_its_millimetres(browser, server):
    dense = Kiosk(browser, server.url, (540, 960), device_scale_factor=2).open()
    real = Kiosk(browser, server.url, (1080, 1920)).open()
    assert dense.pixels_per_mm() == pytest.approx(real.pixels_per_mm() / 2)
    dense.close()
    real.close()
