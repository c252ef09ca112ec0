"""Every screen in a real browser, in both languages: the words, their size and contrast, and that all of it fits."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from kiosk.config import DisplaySection
from kiosk.ui.app import create_app
from kiosk.ui.display import measure
from kiosk.ui.server import PageServer
from tests.kiosk.ui.admitted import ADMISSION
from tests.kiosk.ui.browser import Kiosk, Look
from tests.kiosk.ui.scenes import ALL, MAIN, Scene
from tests.kiosk.ui.staged import DESK, StagedCounter

pytestmark = pytest.mark.browser

STANDING = DisplaySection(diagonal_in=21.5, resolution=(1080, 1920))
TABLET = DisplaySection(diagonal_in=10.1, resolution=(1280, 800))
LYING = DisplaySection(diagonal_in=21.5, resolution=(1920, 1080))
# Each display is one group, so that two workers can measure two displays at a time.
DISPLAYS = [
    pytest.param(display, id=name, marks=pytest.mark.xdist_group(f"browser-{name}"))
    for name, display in (("standing", STANDING), ("tablet", TABLET), ("lying", LYING))
]
NARROW = DISPLAYS[:2]  # where words wrap

HANGUL = re.compile("[가-힣]")


class Stage:
    """A kiosk of one display, its counter, and its screen in the browser."""

    def __init__(self, browser: Browser, display: DisplaySection) -> None:
        self.counter = StagedCounter()
        self.server = PageServer(create_app(self.counter, display, ADMISSION, dead_s=0), ADMISSION, "127.0.0.1", 0)
        self.server.start()
        self.measures = measure(display)
        self.screen = Kiosk(browser, self.server.url, display.resolution).open()
        self._looks: dict[str, dict[str, Look]] = {}

    def show(self, scenes: dict[str, Scene], language: str, *settings: str) -> Iterator[str]:
        """Shows each scene in turn, with these settings pressed."""
        for name, scene in scenes.items():
            self.counter.new_day()
            self.screen.await_frame(scene(self.counter).frame)
            self.screen.await_buttons()
            if self.screen.language != language:
                self.screen.press(f"language-{language}")
            for setting in settings:
                if self.screen.button(setting).get_attribute("aria-pressed") == "false":
                    self.screen.press(setting)
            yield name

    def looks(self, language: str) -> dict[str, Look]:
        """Returns the measures of the main scenes in a language."""
        if language not in self._looks:
            self._looks[language] = {name: self.screen.look() for name in self.show(MAIN, language)}
        return self._looks[language]

    def too_small(self, text: dict[str, Any], times: float = 1) -> bool:
        """Whether the Hangul of a text is below its least height by more than half a pixel."""
        least = times * self.measures.hangul_mm * self.measures.pixels_per_mm
        return bool(HANGUL.search(text["words"])) and text["hangul"] < least - 0.5

    def close(self) -> None:
        self.screen.close()
        self.server.stop()


@pytest.fixture(scope="module", params=DISPLAYS)
def stage(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Stage]:
    stage = Stage(browser, request.param)
    yield stage
    stage.close()


def test_a_millimetre_is_what_the_configuration_makes_it(stage: Stage):
    assert stage.screen.pixels_per_mm() == pytest.approx(stage.measures.pixels_per_mm)


@pytest.mark.parametrize("language", ["ko", "en"])
def test_every_text_is_large_and_clear_enough(stage: Stage, language: str):
    for scene, look in stage.looks(language).items():
        assert look.texts, scene
        assert [text for text in look.texts if stage.too_small(text)] == [], scene
        assert [text for text in look.texts if text["contrast"] < 4.5 and not text["disabled"]] == [], scene


@pytest.mark.parametrize("language", ["ko", "en"])
def test_every_target_is_large_and_far_enough_from_the_next(stage: Stage, language: str):
    side, gap = (mm * stage.measures.pixels_per_mm - 0.1 for mm in (12, 2.5))
    for scene, look in stage.looks(language).items():
        assert {"home", "back", "staff", "contrast", "zoom", "low"} <= {target["name"] for target in look.targets}
        assert [target for target in look.targets if min(target["width"], target["height"]) < side] == [], scene
        pairs = itertools.combinations(look.targets, 2)
        close = [(one["name"], other["name"]) for one, other in pairs if _gap(one, other) < gap]
        assert close == [], scene


@pytest.mark.parametrize("language", ["ko", "en"])
def test_every_button_says_what_it_does(stage: Stage, language: str):
    for scene, look in stage.looks(language).items():
        assert all(target["words"] for target in look.targets), scene


@pytest.mark.parametrize("language", ["ko", "en"])
def test_the_main_screens_fit_without_scrolling(stage: Stage, language: str):
    for scene, look in stage.looks(language).items():
        assert look.spilled == [], scene
        # A called patient's room is in the headline; on the small screen the rest of the ticket may be below.
        assert not look.scrolls or scene == "called"


@pytest.mark.parametrize(
    ("stage", "language"),
    [
        pytest.param(display.values[0], language, id=f"{display.id}-{language}", marks=display.marks)
        for display, language in ((DISPLAYS[0], "ko"), (DISPLAYS[0], "en"), (DISPLAYS[1], "en"))
    ],
    indirect=["stage"],
)
def test_everything_else_that_can_be_said_is_large_and_clear_and_fits_its_width(stage: Stage, language: str):
    others = {name: scene for name, scene in ALL.items() if name not in MAIN}
    for scene in stage.show(others, language):
        look = stage.screen.look()
        assert look.spilled == [], scene
        assert [text for text in look.texts if stage.too_small(text)] == [], scene
        assert [text for text in look.texts if text["contrast"] < 4.5 and not text["disabled"]] == [], scene


@pytest.mark.parametrize("stage", NARROW, indirect=True)
def test_high_contrast_is_seven_to_one(stage: Stage):
    for scene in stage.show(MAIN, "ko", "contrast"):
        for text in stage.screen.look().texts:
            assert text["contrast"] >= 7 or text["disabled"], (scene, text)


def test_the_queue_number_can_be_read_from_a_metre(stage: Stage):
    for scene in ("number", "offline", "called"):
        number = next(text for text in stage.looks("ko")[scene].texts if text["words"] == "B-017")
        # Digits of Noto Sans CJK are 0.73 em high.
        assert 0.73 * number["size"] / stage.screen.pixels_per_mm() >= 24, scene


@pytest.mark.parametrize("language", ["ko", "en"])
def test_every_number_of_a_called_patient_is_in_sight(stage: Stage, language: str):
    name = "called with two slips"
    for _ in stage.show({name: ALL[name]}, language):
        for part in (".number", ".also"):
            seen = f"""() => {{
              const text = document.querySelector(".ticket {part}");
              const {{ left, top, width, height }} = text.getBoundingClientRect();
              const at = (share) => document.elementFromPoint(left + width / 2, top + share * height);
              return at(0.1) === text && at(0.9) === text;
            }}"""
            assert stage.screen.page.evaluate(seen), part


@pytest.mark.parametrize("stage", NARROW, indirect=True)
@pytest.mark.parametrize("language", ["ko", "en"])
def test_enlarging_doubles_all_that_is_seen(stage: Stage, language: str):
    read = "(name) => parseFloat(getComputedStyle(document.querySelector(name)).{})"
    seen = {
        "body": "fontSize",
        "[data-name=home]": "minHeight",
        "#ways": "columnGap",
        "#sheet": "rowGap",
        "[data-name=home] span": "fontSize",
    }
    measures = {}
    for _ in stage.show({"greeting": MAIN["greeting"]}, language):
        measures[1] = {name: stage.screen.page.evaluate(read.format(what), name) for name, what in seen.items()}
        while stage.screen.page.evaluate("document.documentElement.style.getPropertyValue('--zoom')") != "2":
            stage.screen.press("zoom")
        measures[2] = {name: stage.screen.page.evaluate(read.format(what), name) for name, what in seen.items()}
    for name, value in measures[1].items():
        assert measures[2][name] >= 1.99 * value, name
    for scene in stage.show({"number": MAIN["number"], "offline": MAIN["offline"]}, language):
        while stage.screen.page.evaluate("document.documentElement.style.getPropertyValue('--zoom')") != "2":
            stage.screen.press("zoom")
        look = stage.screen.look()
        assert look.spilled == [], scene
        assert stage.screen.button("home").is_visible()
        assert stage.screen.button("staff").is_visible()
        assert [text for text in look.texts if stage.too_small(text, times=2)] == [], scene


@pytest.mark.parametrize("stage", DISPLAYS[::2], indirect=True)
@pytest.mark.parametrize("language", ["ko", "en"])
def test_the_low_layout_keeps_everything_within_reach(stage: Stage, language: str):
    height = stage.measures.height
    ceiling = height - stage.measures.low_mm * stage.measures.pixels_per_mm
    for scene in stage.show(MAIN, language, "low"):
        look = stage.screen.look()
        assert look.spilled == [], scene
        for thing in look.texts + look.targets:
            assert thing["top"] >= ceiling - 1, (scene, thing)
            assert thing["bottom"] <= height + 1, (scene, thing)
    stage.screen.press("staff")
    look = stage.screen.look()
    for thing in look.texts + look.targets:
        assert thing["top"] >= ceiling - 1, thing
    stage.screen.press("close")


def test_the_dialog_that_says_where_staff_are_is_large_and_clear(stage: Stage):
    for _ in stage.show({"attract": MAIN["attract"]}, "ko"):
        stage.screen.press("staff")
        look = stage.screen.look()
        assert any(DESK in text["words"] for text in look.texts)
        assert [text for text in look.texts if text["contrast"] < 4.5 or stage.too_small(text)] == []
        assert look.spilled == []
        stage.screen.press("close")


@pytest.mark.parametrize("stage", NARROW, indirect=True)
@pytest.mark.parametrize(("setting", "least"), [(None, 4.5), ("contrast", 7)])
def test_each_switch_can_be_read_while_it_is_on(stage: Stage, setting: str | None, least: float):
    switches = stage.screen.page.locator("button[aria-pressed]")
    for _ in stage.show({"greeting": MAIN["greeting"]}, "ko", *([setting] if setting else [])):
        stage.screen.press("staff")
        stage.screen.press("slow")
        stage.screen.page.locator('[data-name="slow"][aria-pressed="true"]').wait_for()
        assert switches.count() > 3
        texts = stage.screen.look().texts
        assert "모든 시간을 3배로 늘리기" in [text["words"] for text in texts]
        assert [text for text in texts if text["contrast"] < least] == []
        stage.screen.press("slow")
        stage.screen.press("close")


def test_the_browser_had_nothing_to_complain_of_and_keeps_nothing(stage: Stage):
    stage.looks("ko")
    assert stage.screen.complaints == []
    assert stage.screen.stored == []
    (cookie,) = stage.screen.context.cookies()  # the page's way in, which ends with the browser
    assert (cookie["expires"], cookie["httpOnly"], cookie["sameSite"]) == (-1, True, "Strict")


def _gap(one, other) -> float:
    """Returns the distance between two boxes."""
    across = max(one["left"] - other["right"], other["left"] - one["right"], 0)
    down = max(one["top"] - other["bottom"], other["top"] - one["bottom"], 0)
    return (across**2 + down**2) ** 0.5
