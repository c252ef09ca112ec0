"""What a finger does on the glass, by real touches of a real browser: where it goes down counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser, CDPSession

from kiosk.front.offer import DEAD_S
from kiosk.front.screen import Screen
from tests.kiosk.ui.browser import Kiosk
from tests.kiosk.ui.conftest import Staged, open_at, serving
from tests.kiosk.ui.staged import HONG, NAMGUNG, StagedCounter

LONG_DEAD_S = 3.0

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser-finger")]


@dataclass
class Hand:
    """Fingers on the glass of a screen, each by a number."""

    screen: Kiosk
    line: CDPSession

    def middle(self, name: str) -> tuple[float, float]:
        """The middle of a button, in CSS pixels."""
        button = self.screen.button(name)
        while (box := button.bounding_box()) is None:  # the page is being drawn
            self.screen.await_painting()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def touch(self, kind: str, *places: tuple[float, float]) -> None:
        """Sends one event with the fingers that are on the glass then."""
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
        self.line.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def down(self, name: str) -> tuple[float, float]:
        place = self.middle(name)
        self.touch("touchStart", place)
        return place

    def up(self) -> None:
        self.touch("touchEnd")

    def slide(self, start: tuple[float, float], across_mm: float, down_mm: float) -> None:
        """Moves the finger in small steps."""
        mm, (x, y) = self.screen.pixels_per_mm(), start
        for step in range(1, 9):
            self.touch("touchMove", (x + across_mm * mm * step / 8, y + down_mm * mm * step / 8))


@pytest.fixture
def counter(staged: Staged) -> StagedCounter:
    return staged.counter


@pytest.fixture
def hand(staged: Staged) -> Iterator[Hand]:
    line = staged.screen.context.new_cdp_session(staged.screen.page)
    yield Hand(staged.screen, line)
    line.detach()


@pytest.fixture
def dead_screen(browser: Browser) -> Iterator[Staged]:
    """A screen whose buttons are dead for so long that a finger comes in time on a busy machine too."""
    with open_at(browser, LONG_DEAD_S) as staged:
        yield staged


@pytest.fixture
def early_hand(dead_screen: Staged) -> Hand:
    page = dead_screen.screen.page
    return Hand(dead_screen.screen, page.context.new_cdp_session(page))


def offer(hand: Hand, counter: StagedCounter) -> Screen:
    """Shows a person's question until its button lives."""
    shown = counter.tap(HONG)
    hand.screen.await_frame(shown.frame)
    hand.screen.await_buttons()
    return shown


def test_a_button_is_dead_and_looks_it_until_it_has_been_there_for_a_moment(early_hand: Hand, dead_screen: Staged):
    hand, counter = early_hand, dead_screen.counter
    shown = counter.tap(HONG)
    hand.screen.await_frame(shown.frame)
    dead = hand.screen.page.locator('[data-name="next"][aria-disabled="true"]')
    dead.wait_for()
    assert float(dead.evaluate("(button) => getComputedStyle(button).opacity")) < 0.7
    hand.down("next")
    hand.screen.await_buttons()
    hand.up()
    hand.screen.await_painting()
    assert counter.acts == [], "a finger that came too soon does not press by staying"
    hand.down("next")
    hand.up()
    hand.screen.await_text("접수되었습니다")
    assert [act[0] for act in counter.acts] == ["register"]


def test_the_page_takes_the_time_of_dead_buttons_from_the_daemon(counter: StagedCounter, browser: Browser):
    with serving(counter) as server:
        screen = Kiosk(browser, server.url).open()
        start = screen.page.evaluate("JSON.parse(document.getElementById('start').textContent)")
        screen.close()
    assert start["dead_ms"] == DEAD_S * 1000


def test_a_finger_that_was_on_its_way_to_one_person_presses_nothing_of_the_next(hand: Hand, counter: StagedCounter):
    offer(hand, counter)
    hand.down("next")
    hand.screen.await_frame(counter.tap(NAMGUNG).frame)
    hand.up()
    hand.screen.await_painting()
    hand.screen.await_buttons()
    assert counter.acts == []
    assert counter.screen().patient is not None
    assert counter.screen().patient.patient_id == NAMGUNG.patient_id


@pytest.mark.parametrize("name", ["home", "back", "keep", "language-en", "zoom", "contrast", "low"])
def test_no_button_of_one_person_acts_on_the_next(hand: Hand, counter: StagedCounter, name: str):
    offer(hand, counter)
    hand.down(name)
    shown = counter.tap(NAMGUNG)
    hand.screen.await_frame(shown.frame)
    hand.up()
    hand.screen.await_painting()
    hand.screen.await_buttons()
    assert counter.screen() == shown
    assert counter.keeps == 0
    assert hand.screen.language == "ko"
    assert hand.screen.page.locator("html.zoomed, html.contrast, html.low").count() == 0


def test_a_double_press_answers_one_question(early_hand: Hand, dead_screen: Staged):
    hand, counter = early_hand, dead_screen.counter
    offer(hand, counter)
    place = hand.middle("next")
    for _ in range(2):
        hand.touch("touchStart", place)
        hand.up()
    hand.screen.await_text("접수되었습니다")
    hand.screen.await_buttons()
    assert [act[0] for act in counter.acts] == ["register"]
    assert hand.screen.button("next").is_enabled()


def test_two_fingers_on_one_button_press_it_once(hand: Hand, counter: StagedCounter):
    offer(hand, counter)
    x, y = hand.middle("next")
    hand.touch("touchStart", (x, y), (x + 40, y))
    hand.up()
    hand.screen.await_text("접수되었습니다")
    hand.screen.await_buttons()
    assert [act[0] for act in counter.acts] == ["register"]


def test_a_palm_on_the_glass_does_not_take_the_press_of_a_finger(hand: Hand, counter: StagedCounter):
    offer(hand, counter)
    palm = hand.screen.content.locator("h1").bounding_box()
    assert palm is not None
    rest = (palm["x"] + 5, palm["y"] + 5)
    hand.touch("touchStart", rest)
    hand.touch("touchStart", rest, hand.middle("next"))
    hand.up()
    hand.screen.await_text("접수되었습니다")
    assert len(counter.acts) == 1


@pytest.mark.parametrize(("across", "down"), [(8, 0), (-8, 0), (0, 8), (0, -8), (5, 5)])
def test_a_finger_that_slides_eight_millimetres_presses(hand: Hand, counter: StagedCounter, across: int, down: int):
    offer(hand, counter)
    hand.slide(hand.down("next"), across, down)
    hand.up()
    hand.screen.await_text("접수되었습니다")
    assert len(counter.acts) == 1


def test_a_finger_that_slides_from_one_button_onto_another_presses_the_first(hand: Hand, counter: StagedCounter):
    offer(hand, counter)
    box = hand.screen.button("keep").bounding_box()
    assert box is not None
    mm = hand.screen.pixels_per_mm()
    start = (box["x"] + box["width"] / 2, box["y"] + 2 * mm)
    hand.touch("touchStart", start)
    hand.slide(start, 0, -8)
    hand.up()
    while not counter.keeps:
        hand.screen.await_painting()
    assert counter.keeps == 1
    assert counter.acts == []


def test_a_finger_that_slides_away_has_changed_its_mind(hand: Hand, counter: StagedCounter):
    offer(hand, counter)
    hand.slide(hand.down("next"), 0, -60)
    hand.up()
    hand.screen.await_painting()
    assert counter.acts == []


def test_a_line_that_moves_under_the_finger_loses_no_press(hand: Hand, counter: StagedCounter):
    shown = offer(hand, counter)
    assert shown.journey is not None
    hand.down("next")
    more = replace(shown.journey, appointments=shown.journey.appointments * 4)
    hand.screen.await_frame(counter.show(replace(shown, journey=more)).frame)
    hand.up()
    hand.screen.await_text("접수되었습니다")
    assert len(counter.acts) == 1


def test_a_key_that_is_held_answers_one_question(hand: Hand, counter: StagedCounter):
    offer(hand, counter)
    keyboard = hand.screen.page.keyboard
    hand.screen.button("next").focus()
    keyboard.down("Enter")
    hand.screen.await_text("접수되었습니다")
    hand.screen.await_buttons()
    hand.screen.button("next").focus()
    for _ in range(5):
        keyboard.down("Enter")  # a second "down" is a repeat
    keyboard.up("Enter")
    hand.screen.await_text("접수되었습니다")
    assert [act[0] for act in counter.acts] == ["register"]


def test_a_key_on_a_dead_button_presses_nothing(early_hand: Hand, dead_screen: Staged):
    hand, counter = early_hand, dead_screen.counter
    hand.screen.await_frame(counter.tap(HONG).frame)
    hand.screen.button("next").focus()
    hand.screen.page.keyboard.press("Enter")
    hand.screen.await_buttons()
    assert counter.acts == []


def test_a_touch_is_told_to_the_daemon(hand: Hand, counter: StagedCounter):
    shown = offer(hand, counter)
    hand.touch("touchStart", (20, 400))
    hand.up()
    while not counter.touches:
        hand.screen.await_painting()
    assert set(counter.touches) == {shown.stay}


def test_hidden_data_come_back_with_a_press(hand: Hand, counter: StagedCounter):
    offer(hand, counter)
    counter.hide()
    hand.screen.await_screen("still_here")
    assert HONG.masked_name not in hand.screen.page.inner_text("body")
    assert hand.screen.headline == "아직 이용 중이신가요?"
    hand.screen.press("go-on")
    hand.screen.await_text("홍*동 님, 안녕하세요")


def test_more_time_is_in_the_dialog_about_the_staff(hand: Hand, counter: StagedCounter):
    offer(hand, counter)
    hand.screen.press("staff")
    hand.screen.press("slow")
    hand.screen.page.locator('[data-name="slow"][aria-pressed="true"]').wait_for()
    assert counter.slow
    hand.screen.press("slow")
    hand.screen.page.locator('[data-name="slow"][aria-pressed="false"]').wait_for()
    hand.screen.press("close")
