"""A visit on the screen, press by press in a real browser."""

from __future__ import annotations

import itertools
import re

import pytest
from msgspec.structs import replace

from kiosk.front.screen import Lookup, ScreenKind
from sync.ids import is_uuid
from tests.kiosk.ui.browser import Kiosk
from tests.kiosk.ui.conftest import Staged
from tests.kiosk.ui.scenes import Scene, called, number, settling, weighed, with_slips
from tests.kiosk.ui.staged import DESK, HONG, NAMGUNG, StagedCounter

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser-visit")]


@pytest.fixture
def counter(staged: Staged) -> StagedCounter:
    return staged.counter


@pytest.fixture
def screen(staged: Staged) -> Kiosk:
    return staged.screen


def test_a_patient_taps_registers_arrives_and_reads_the_number(screen: Kiosk, counter: StagedCounter):
    assert screen.headline == "진료 접수와 도착 확인을\n여기서 하세요"
    assert DESK in screen.content.inner_text()
    counter.tap(HONG)
    screen.await_screen("journey")
    assert screen.headline == "홍*동 님, 안녕하세요"
    screen.await_text("오전 10:30")
    screen.await_text("2층 영상의학과 205호")
    screen.press("next")
    screen.await_text("접수되었습니다")
    screen.press("next")
    screen.await_text("B-017")
    assert screen.headline == "홍*동 님의 대기번호"
    for said in (
        "앞에 3명",
        "약 30분 대기",
        "접수 완료",
        "흉부 영상 검사",
        "2층 영상의학과 205호 앞",
    ):
        assert said in screen.content.inner_text()
    assert not screen.button("next").is_visible()
    screen.press("home")
    screen.await_screen("attract")
    assert [(act[0], act[1]) for act in counter.acts] == [
        ("register", HONG.patient_id),
        ("confirm_arrival", HONG.patient_id),
    ]


def test_the_next_tap_clears_the_person_before_at_once(screen: Kiosk, counter: StagedCounter):
    counter.tap(HONG, "register", "confirm_arrival")
    screen.await_text("B-017")
    counter.tap(NAMGUNG)
    screen.await_text("남궁** 님, 안녕하세요")
    assert "홍*동" not in screen.page.inner_text("body")
    assert "B-017" not in screen.page.inner_text("body")


def test_each_press_has_an_id_of_its_own(screen: Kiosk, counter: StagedCounter):
    counter.tap(HONG)
    screen.press("next")
    screen.await_text("접수되었습니다")
    screen.press("next")
    screen.await_text("B-017")
    ids = [act[2] for act in counter.acts]
    assert all(is_uuid(action_id) for action_id in ids)
    assert len(set(ids)) == 2


def test_a_button_is_dead_while_its_action_is_being_done_and_a_double_press_sends_one(
    screen: Kiosk, counter: StagedCounter
):
    counter.tap(HONG)
    counter.gate.clear()
    screen.await_text("홍*동")
    screen.await_buttons()
    screen.button("next").dblclick()
    busy = screen.page.locator('[data-name="next"]:disabled')
    busy.wait_for()
    assert busy.get_attribute("aria-busy") == "true"
    assert busy.inner_text() == "잠시만 기다려 주세요"
    busy.click(force=True)
    counter.gate.set()
    screen.await_text("접수되었습니다")
    screen.await_buttons()
    assert screen.button("next").is_enabled()
    assert len(counter.acts) == 1


def test_a_press_that_no_longer_fits_is_answered_with_what_does(screen: Kiosk, counter: StagedCounter):
    shown = counter.tap(HONG)
    screen.await_frame(shown.frame)
    counter.gate.clear()
    screen.press("next")
    screen.page.locator('[data-name="next"]:disabled').wait_for()
    counter._journeys[HONG.patient_id] = counter._decide(counter._journeys[HONG.patient_id], "register").journey
    counter.gate.set()
    screen.await_text("지금은 진행하실 수 없습니다")
    assert "도착 확인" in screen.button("next").inner_text()


def test_the_holder_of_an_unknown_card_can_check_in(screen: Kiosk, counter: StagedCounter):
    counter.unknown_card()
    screen.await_screen("unknown_card")
    assert screen.headline == "등록되지 않은 카드입니다"
    assert screen.button("next").inner_text() == "접수 시작"
    screen.press("next")
    screen.await_screen("journey")
    assert screen.headline == "접수 창구로 가 주세요"
    assert DESK in screen.content.inner_text()
    assert counter.acts[0][:2] == ("scan_nfc", "card-1")


def test_a_card_that_the_centre_is_asked_about_has_no_button_yet(screen: Kiosk, counter: StagedCounter):
    counter.unknown_card(Lookup.ASKED)
    screen.await_screen("unknown_card")
    assert screen.headline == "카드를 확인하고 있습니다"
    assert screen.page.locator('[data-name="next"]').count() == 0


def test_a_card_that_cannot_be_looked_up_is_never_called_unknown(screen: Kiosk, counter: StagedCounter):
    counter.unknown_card(Lookup.UNAVAILABLE)
    screen.await_screen("unknown_card")
    assert screen.headline == "지금은 카드를 조회할 수 없습니다"
    assert screen.button("next").inner_text() == "접수 시작"


@pytest.mark.parametrize("lookup", [Lookup.UNKNOWN, Lookup.UNAVAILABLE])
def test_a_kiosk_that_may_not_check_in_sends_the_holder_of_an_unknown_card_to_the_desk(
    screen: Kiosk, counter: StagedCounter, lookup: Lookup
):
    screen.await_frame(counter.unknown_card(lookup, may_check_in=False).frame)
    assert screen.button("next").count() == 0
    said = screen.content.inner_text()
    assert "이 기기에서는 이 카드로 접수하실 수 없습니다." in said
    assert "접수하시면" not in said
    assert "그래도 접수하실 수 있습니다" not in said
    assert screen.content.locator(".goto").inner_text() == f"{DESK}에서 접수해 주세요"


def test_a_tap_that_has_not_acted_greets_its_person_without_a_button(screen: Kiosk, counter: StagedCounter):
    settling(counter)
    screen.await_text("잠시만 기다려 주세요")
    assert screen.headline == "홍*동 님, 안녕하세요"
    assert screen.page.locator('[data-name="next"]').count() == 0


def hold_down(screen: Kiosk, name: str) -> None:
    """Puts a finger on a button."""
    screen.await_buttons()
    screen.button(name).hover()  # waits until the button stands still
    screen.page.mouse.down()


def test_a_button_stays_under_a_finger_while_the_tap_acts(screen: Kiosk, counter: StagedCounter):
    shown = counter.tap(HONG)
    screen.await_frame(settling(counter).frame)
    hold_down(screen, "language-en")
    screen.await_frame(counter.show(shown).frame)
    screen.page.mouse.up()
    screen.await_text("Hello, 홍*동")
    assert screen.language == "en"


def test_the_big_button_stays_under_a_finger_while_the_rest_of_the_screen_changes(
    screen: Kiosk, counter: StagedCounter
):
    shown = counter.tap(HONG)
    screen.await_frame(shown.frame)
    hold_down(screen, "next")
    assert shown.journey is not None
    fewer = replace(shown.journey, appointments=shown.journey.appointments[:1])
    screen.await_frame(counter.show(replace(shown, journey=fewer)).frame)
    assert "혈액 검사" not in screen.content.inner_text()
    screen.page.mouse.up()
    screen.await_text("접수되었습니다")


@pytest.mark.parametrize(
    ("reason", "headline", "instead"),
    [
        ("hold_one_card", "카드를 한 장만 대 주세요", "본인의 카드만"),
        ("phone", "휴대전화는\n사용할 수 없습니다", "진료카드를 직접 대 주세요"),
        ("random_id", "사용할 수 없는 카드입니다", "이 종류의 카드로는"),
        ("no_stable_id", "사용할 수 없는 카드입니다", "이 종류의 카드로는"),
        ("short_uid", "이 병원에서 사용하지 않는\n종류의 카드입니다", f"{DESK}에서 도와드리겠습니다"),
        ("bank_card", "신용카드·체크카드는\n사용할 수 없습니다", "결제된 금액은 없습니다"),
        ("passport", "여권이나 신분증은\n사용할 수 없습니다", "대신 진료카드를"),
        ("unknown_form", "사용할 수 없는 카드입니다", "등록되지 않은 종류의"),
        ("unreadable", "카드를 읽지 못했습니다", "2초 동안"),
        ("blocked_card", "분실 신고가 된\n카드입니다", f"{DESK}에서 도와드리겠습니다"),
        ("in_use", "카드를 읽지 못했습니다", "잠시 후 카드를 다시"),
        ("lift_again", "카드를 다시 대 주세요", "뗐다가 잠시 후"),
        ("something_new", "사용할 수 없는 카드입니다", "진료카드를 대 주세요"),
    ],
)
def test_a_refused_card_is_told_why_and_what_to_do_instead(
    screen: Kiosk, counter: StagedCounter, reason: str, headline: str, instead: str
):
    counter.refuse_card(reason)
    screen.await_screen("refused_card")
    assert screen.headline == headline
    assert instead in screen.content.inner_text()
    assert DESK in screen.content.inner_text()


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("reader", "카드 리더기가 작동하지 않습니다"),
        ("store", "접수 내용을 저장할 수 없습니다"),
        ("not_enrolled", "아직 설정되지 않은 기기입니다"),
        ("something_new", "기기에 문제가 생겼습니다"),
    ],
)
def test_a_kiosk_out_of_order_says_what_and_where_to_go(screen: Kiosk, counter: StagedCounter, reason: str, said: str):
    counter.break_down(reason)
    screen.await_screen("out_of_order")
    assert said in screen.content.inner_text()
    assert f"{DESK}에서 접수해 주세요" in screen.content.inner_text()


def test_offline_says_saved_and_valid_and_as_of_when(screen: Kiosk, counter: StagedCounter):
    counter.cut_off()
    counter.tap(HONG, "register", "confirm_arrival")
    screen.await_text("B-017")
    banner = screen.page.locator("#banner").inner_text()
    assert "이 번호로 기다려 주세요" in banner
    assert "다시 대지 않으셔도 됩니다" in banner
    assert "오전 9:05 현재 정보입니다" in banner
    said = screen.content.inner_text()
    assert "접수됨(통신 복구 후 전송)" in said
    # A roster this old says nothing about other people.
    assert not re.search(r"앞에 \d+명", said)
    assert "대기\n" not in said
    counter.cut_off(online=True)
    counter.tap(HONG)
    screen.await_text("접수 완료")
    assert screen.page.locator("#banner").inner_text() == ""


def test_what_is_saved_but_not_confirmed_says_so(screen: Kiosk, counter: StagedCounter):
    counter.confirmed = False
    counter.tap(HONG, "register", "confirm_arrival")
    screen.await_text("접수 처리 중")
    counter.confirmed = True
    counter.tap(HONG)
    screen.await_text("접수 완료")
    assert "접수 처리 중" not in screen.content.inner_text()


def test_a_called_patient_is_told_where_to_go(screen: Kiosk, counter: StagedCounter):
    counter.tap(HONG, "register", "confirm_arrival")
    counter.call(HONG, "3번 검사실")
    screen.await_text("지금 들어가 주세요")
    assert "들어가실 곳: 3번 검사실" in screen.content.inner_text()


@pytest.mark.parametrize(("language", "said"), [("ko", "A-044도 같은 번호"), ("en", "also A-044")])
@pytest.mark.parametrize("scene", [number, called])
def test_who_holds_a_slip_of_another_kiosk_for_the_same_place_sees_that_number_too(
    screen: Kiosk, counter: StagedCounter, scene: Scene, language: str, said: str
):
    screen.press(f"language-{language}")
    screen.await_frame(with_slips(scene, "A-044")(counter).frame)
    ticket = screen.content.locator(".ticket").aria_snapshot()
    assert re.search(rf"paragraph: B-017\n\s*- paragraph: {said}\n", ticket), ticket
    counter.new_day()
    screen.await_frame(scene(counter).frame)
    assert "A-044" not in screen.content.inner_text()


def test_the_steps_say_where_one_is(screen: Kiosk, counter: StagedCounter):
    def now() -> str:
        return screen.page.locator('#steps [aria-current="step"]').inner_text()

    assert now() == "카드"
    for action, step in (("scan_nfc", "접수"), ("register", "도착"), ("confirm_arrival", "대기")):
        screen.await_frame(counter.tap(HONG, action).frame)
        assert now() == step


@pytest.mark.parametrize(("language", "go_on", "register"), [("ko", "계속", "접수"), ("en", "Go on", "Register")])
def test_a_step_of_the_sites_own_is_in_its_place_with_words_that_are_never_wrong(
    screen: Kiosk, counter: StagedCounter, language: str, go_on: str, register: str
):
    screen.press(f"language-{language}")
    screen.await_frame(weighed(counter).frame)
    steps = screen.page.locator("#steps li")
    assert [steps.nth(place).get_attribute("class") for place in range(5)] == ["done", "done", "now", "", ""]
    assert [steps.nth(place).inner_text() for place in (1, 2)] == [go_on, register]
    assert screen.button("next").is_visible()


def test_home_and_back_leave_and_help_stands_on_top(screen: Kiosk, counter: StagedCounter):
    assert screen.button("back").is_disabled()
    for way in ("home", "back"):
        counter.tap(HONG)
        screen.await_screen("journey")
        screen.press(way)
        screen.await_screen("attract")
        assert counter.screen().screen is ScreenKind.ATTRACT
    counter.tap(HONG)
    screen.await_screen("journey")
    screen.press("staff")
    dialog = screen.page.locator("#help[open]")
    assert DESK in dialog.inner_text()
    screen.press("close")
    dialog.wait_for(state="detached")
    screen.await_screen("journey")
    screen.press("staff")
    screen.page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    screen.press("staff")
    counter.attract()
    dialog.wait_for(state="detached")


def test_the_keyboard_reaches_everything_and_the_headline_is_read_first(screen: Kiosk, counter: StagedCounter):
    counter.tap(HONG)
    screen.await_screen("journey")
    focused = "document.activeElement.dataset.name ?? document.activeElement.tagName"
    assert screen.page.evaluate(focused) == "headline"
    screen.await_buttons()
    screen.page.keyboard.press("Tab")
    assert screen.page.evaluate(focused) == "next"
    screen.page.keyboard.press("Enter")
    screen.await_text("접수되었습니다")
    assert screen.page.evaluate(focused) == "headline"
    reached = set()
    for _ in range(12):
        screen.page.keyboard.press("Tab")
        reached.add(screen.page.evaluate(focused))
    assert {"next", "keep", "home", "back", "staff", "contrast", "zoom", "low", "language-en"} <= reached


def test_a_reader_of_screens_finds_names_and_places(screen: Kiosk, counter: StagedCounter):
    counter.tap(HONG, "register", "confirm_arrival")
    screen.await_text("B-017")
    tree = screen.page.locator("body").aria_snapshot()
    for role in ("main", "navigation", "group", "status", "heading", "list", "button", "region"):
        assert re.search(rf"^\s*- {role}\b", tree, re.MULTILINE), role
    for name in ('region "대기번호"', 'group "언어"', 'navigation "단계"', 'button "고대비"'):
        assert name in tree, name
    assert "term: 장소" in tree
    # Every icon has a text with its meaning.
    assert "img" not in tree


def test_nothing_moves_where_the_person_does_not_like_it_and_nothing_flashes_where_they_do(
    screen: Kiosk, counter: StagedCounter, browser
):
    counter.tap(HONG)
    screen.await_screen("journey")
    assert screen.page.evaluate("document.getAnimations().length") == 0
    moving = Kiosk(browser, screen.url, reduced_motion="no-preference").open()
    listen = "addEventListener('animationend', ({ animationName }) => { window.moved = animationName; })"
    moving.page.evaluate(f"() => void {listen}")
    for card in itertools.cycle((NAMGUNG, HONG)):  # a page that is drawn again meanwhile ends no animation
        moving.await_frame(counter.tap(card).frame)
        moving.await_buttons()
        moving.page.wait_for_function("document.getAnimations().length === 0")
        if moved := moving.page.evaluate("window.moved ?? ''"):
            break
    assert moved == "appear"
    # It fades in once; a repeated animation would flash.
    assert moving.page.evaluate("document.getAnimations().every(({ effect }) => effect.getTiming().iterations === 1)")
    moving.close()
