"""The demo's cards on the page of a kiosk with a simulated reader."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kiosk.ui.browser import Kiosk
from tests.kiosk.ui.conftest import serving
from tests.kiosk.ui.staged import HONG, SMITH, StagedCounter

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser-demo_drawer")]


@pytest.fixture
def counter() -> StagedCounter:
    return StagedCounter(demo=True)


@pytest.fixture
def demo(counter: StagedCounter, browser) -> Iterator[Kiosk]:
    with serving(counter) as server:
        kiosk = Kiosk(browser, server.url).open()
        yield kiosk
        assert kiosk.complaints == []
        kiosk.close()


def test_a_demo_card_is_held_by_pressing_it(demo: Kiosk, counter: StagedCounter):
    demo.press("demo")
    cards = demo.page.locator("#cards[open]")
    cards.get_by_text(HONG.label).wait_for()
    assert demo.look().spilled == []
    demo.press(f"card-{HONG.uid}")
    demo.await_text("홍*동 님, 안녕하세요")
    assert not cards.is_visible()
    demo.press("demo")
    demo.press(f"card-{SMITH.uid}")
    demo.await_text("Hello, J*** S****")


def test_the_drawer_closes_and_says_that_it_is_a_demo_in_both_languages(demo: Kiosk):
    assert demo.button("demo").inner_text() == "체험: 카드 대 보기"
    demo.press("language-en")
    assert demo.button("demo").inner_text() == "Demo: hold a card to the reader"
    demo.press("demo")
    demo.press("close-cards")
    assert not demo.page.locator("#cards[open]").is_visible()


def test_a_kiosk_without_a_simulated_reader_has_no_drawer(browser):
    with serving(StagedCounter()) as server:
        kiosk = Kiosk(browser, server.url).open()
        assert not kiosk.button("demo").is_visible()
        assert kiosk.complaints == []
        kiosk.close()
