"""What the page draws of the words that the daemon has chosen."""

from __future__ import annotations

import re

import pytest

from tests.kiosk.ui.browser import Kiosk
from tests.kiosk.ui.conftest import Staged, serving
from tests.kiosk.ui.scenes import ALL
from tests.kiosk.ui.staged import DESK, StagedCounter

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser-said")]


@pytest.fixture
def counter(staged: Staged) -> StagedCounter:
    return staged.counter


@pytest.fixture
def screen(staged: Staged) -> Kiosk:
    return staged.screen


def shown(screen: Kiosk, counter: StagedCounter, scene: str) -> str:
    """Shows a scene, and returns the text of the content."""
    screen.await_frame(ALL[scene](counter).frame)
    return screen.content.inner_text()


def test_a_missed_call_is_shown_with_its_number_its_state_and_the_desk(screen: Kiosk, counter: StagedCounter):
    said = shown(screen, counter, "entry no_show")
    assert screen.headline == "호출되었으나\n자리에 계시지 않았습니다"
    for words in ("B-017", "부재", f"가실 곳: {DESK}"):
        assert words in said
    assert "기다려" not in said
    assert "접수 완료" not in said


def test_an_exam_without_a_time_is_for_any_time_of_the_day(screen: Kiosk, counter: StagedCounter):
    assert "오늘 중" in shown(screen, counter, "at any time")


def test_a_number_that_was_given_for_another_exam_says_so(screen: Kiosk, counter: StagedCounter):
    said = shown(screen, counter, "moved to another exam")
    assert "혈액 검사 → " in said
    assert "번호는 그대로입니다." in said
    assert "B-017" in said


@pytest.mark.parametrize(
    ("scene", "headline", "place"),
    [
        ("cancelled at the end", "진료·검사가 취소되었습니다", f"가실 곳: {DESK}"),
        ("end COMPLETED, nothing granted", "진료·검사를 마쳤습니다", "가실 곳: 수납 창구"),
        ("end FINISHED, nothing granted", "오늘 일정을 모두 마치셨습니다", "가실 곳: 출구"),
        ("state FINISHED, nothing granted", "수납을 마치셨습니다", f"가실 곳: {DESK}"),
        ("gone", "홍*동 님, 안녕히 가세요", "가실 곳: 출구"),
        ("number that needs staff", "접수 창구로 가 주세요", f"가실 곳: {DESK}"),
    ],
)
def test_the_place_of_the_next_step_is_named(
    screen: Kiosk, counter: StagedCounter, scene: str, headline: str, place: str
):
    shown(screen, counter, scene)
    assert screen.headline == headline
    assert screen.content.locator(".goto").inner_text() == place


def test_a_patient_who_has_left_is_offered_no_new_visit(screen: Kiosk, counter: StagedCounter):
    shown(screen, counter, "gone")
    assert screen.button("next").count() == 0
    shown(screen, counter, "state UNREGISTERED")
    assert screen.button("next").inner_text() == "접수 시작"


def test_a_patient_with_an_exam_left_is_sent_to_the_desk_and_offered_no_end_of_the_visit(
    screen: Kiosk, counter: StagedCounter
):
    shown(screen, counter, "state FINISHED")
    assert screen.button("next").count() == 0
    assert screen.content.locator(".goto").inner_text() == f"가실 곳: {DESK}"
    shown(screen, counter, "end FINISHED")
    assert screen.button("next").inner_text() == "이용 마치기"


def test_the_button_of_a_further_exam_names_it(screen: Kiosk, counter: StagedCounter):
    shown(screen, counter, "entry completed")
    assert screen.button("next").inner_text() == "도착 확인: 혈액 검사"
    assert "다음은 혈액 검사입니다" in screen.content.inner_text()


def test_a_reversal_names_the_number_that_died_beside_the_one_that_counts(screen: Kiosk, counter: StagedCounter):
    shown(screen, counter, "reversed")
    notes = screen.content.locator('[data-kind="reversed"]').all_inner_texts()
    assert notes == [
        f"더 이상 유효하지 않은 대기번호: B-009. 문의하실 곳: {DESK}",
        f"수납 내용이 변경되었습니다. 문의하실 곳: {DESK}",
    ]
    assert screen.content.locator(".number").inner_text() == "B-017"


def test_a_greeting_without_the_centre_says_how_old_it_is_and_nothing_else(screen: Kiosk, counter: StagedCounter):
    shown(screen, counter, "offline greeting")
    assert screen.page.locator("#banner").inner_text() == "오전 9:05 현재 정보입니다"
    assert "저장" not in screen.content.inner_text()


def test_a_name_that_is_not_known_leaves_no_gap(screen: Kiosk, counter: StagedCounter):
    shown(screen, counter, "nameless")
    assert screen.headline == "안녕하세요"
    assert screen.content.locator(".whose").count() == 0


OUT_OF_SIGHT = """() => [...document.querySelectorAll("#content :is(h1, .lead, .goto, .next)")].filter((element) => {
  const { left, top, width, height } = element.getBoundingClientRect();
  const seen = (share) => element.contains(document.elementFromPoint(left + width / 2, top + share * height));
  return !seen(0.1) || !seen(0.9);
}).map((element) => element.innerText)"""


@pytest.mark.parametrize(("size", "language"), [((400, 640), "ko"), ((400, 640), "en")], ids=str)
def test_cause_step_and_place_are_in_sight_without_scrolling_and_each_value_is_in_its_place(
    counter: StagedCounter, browser, size: tuple[int, int], language: str
):
    hidden = []
    with serving(counter, dead_s=0) as server:
        screen = Kiosk(browser, server.url, size).open()
        for name, scene in ALL.items():
            counter.new_day()
            drawn = scene(counter)
            screen.await_frame(drawn.frame)
            screen.await_buttons()
            if screen.language != language:
                screen.press(f"language-{language}")
            assert not re.search(r"\{\w*\}", screen.page.inner_text("body")), name
            if drawn.said is not None:
                hidden += [(name, text) for text in screen.page.evaluate(OUT_OF_SIGHT)]
        screen.close()
    assert hidden == []
