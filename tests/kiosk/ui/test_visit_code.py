"""The QR code beside a queue number: a decoder reads it from the screen, and it is large enough for a telephone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.kiosk.ui.decode import decoded
from tests.kiosk.ui.scenes import VISIT_SECRET, VISIT_URL, number, offline, with_code
from tests.kiosk.ui.test_screens import DISPLAYS, Stage

pytestmark = pytest.mark.browser
LEAST_MM = 30


@pytest.fixture(scope="module", params=DISPLAYS)
def stage(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Stage]:
    stage = Stage(browser, request.param)
    yield stage
    stage.close()


@pytest.mark.parametrize("settings", [(), ("contrast",)], ids=["usual", "contrast"])
@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_decoder_reads_the_code_from_the_screen(stage: Stage, language: str, settings: tuple[str, ...]):
    scenes = {"number": with_code(number), "offline": with_code(offline)}
    for name in stage.show(scenes, language, *settings):
        assert decoded(stage.screen.page.screenshot()) == f"{VISIT_URL}/visit/#{VISIT_SECRET}", name


@pytest.mark.parametrize("language", ["ko", "en"])
def test_the_code_is_large_enough_and_is_seen_whole(stage: Stage, language: str):
    for name in stage.show({"number": with_code(number), "offline": with_code(offline)}, language):
        box = stage.screen.page.locator(".telephone .code").bounding_box()
        content = stage.screen.content.bounding_box()
        assert box is not None
        assert content is not None
        assert min(box["width"], box["height"]) >= LEAST_MM * stage.measures.pixels_per_mm, name
        assert box["y"] + box["height"] <= content["y"] + content["height"], name


def test_a_number_without_a_code_has_no_place_for_one(stage: Stage):
    for _ in stage.show({"number": number}, "ko"):
        assert stage.screen.page.locator(".telephone").count() == 0
