"""The page of a visit in a small telephone: both languages, what it says when, and that nothing is too wide."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from sync.visit_secret import make_secret
from tests.sync.central.online import PATIENCE_S, Online

pytestmark = pytest.mark.browser
PATIENCE_MS = PATIENCE_S * 1000


@contextmanager
def telephone(browser: Browser, online: Online, secret: str, language: str = "en-US") -> Iterator[Page]:
    """A telephone that has opened the page of a visit. Its browser has nothing to complain of but refusals."""
    context = browser.new_context(viewport={"width": 360, "height": 740}, locale=language)
    page, complaints = context.new_page(), list[str]()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda each: complaints.append(each.text) if "Failed to load" not in each.text else None)
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"http://{online.host}/visit/#{secret}")
    page.locator("h1").wait_for()
    yield page
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    context.close()
    assert complaints == []


def waiting(online: Online) -> tuple[str, str]:
    """A patient who waits, and the secret of the visit."""
    patient_id = online.newcomer()
    online.centre.walk(patient_id, "scan_nfc", "register", "confirm_arrival")
    return patient_id, online.centre.visit_secret(patient_id)


def says(page: Page, text: str) -> None:
    expect(page.locator("body")).to_contain_text(text, timeout=PATIENCE_MS)


@pytest.mark.parametrize(
    ("language", "words"), [("en-US", "Please wait until it is called."), ("ko-KR", "기다려 주세요")]
)
def test_the_page_speaks_the_language_of_the_telephone_and_the_other_one(
    online: Online, browser: Browser, language: str, words: str
):
    patient_id, secret = waiting(online)
    with telephone(browser, online, secret, language) as page:
        says(page, words)
        says(page, online.centre.state(patient_id)["queue_details"][0]["queue_number"])
        page.get_by_role("button", name="한국어" if language == "en-US" else "English").click()
        says(page, "기다려 주세요" if language == "en-US" else "Please wait until it is called.")


def test_a_call_is_on_the_page_at_once(online: Online, browser: Browser):
    patient_id, secret = waiting(online)
    with telephone(browser, online, secret) as page:
        says(page, "Please wait until it is called.")
        while not online.sockets.open_count:
            page.wait_for_timeout(20)
        assert online.act(online.staff, "call_patient", patient_id=patient_id, room="7").ok
        says(page, "Please go to room 7")


def test_a_press_does_its_action_once_and_the_page_goes_on(online: Online, browser: Browser):
    patient_id, secret = waiting(online)
    online.centre.walk(patient_id, "call_patient", "start_exam", "complete_exam")
    with telephone(browser, online, secret) as page:
        page.get_by_role("button", name="Confirm arrival").dblclick()
        says(page, "Please wait until it is called.")
    (row,) = online.centre.rows(
        "select count(*) as count from transitions where patient_id = :id and action = 'confirm_arrival'", id=patient_id
    )
    assert row["count"] == 2


def test_a_press_whose_answer_is_lost_is_repeated_as_the_same_action(online: Online, browser: Browser):
    patient_id, secret = waiting(online)
    online.centre.walk(patient_id, "call_patient", "start_exam", "complete_exam")
    sent: list[str] = []

    def lose_the_first(route: Route) -> None:
        sent.append(str(route.request.post_data))
        answer = route.fetch()
        route.abort() if len(sent) == 1 else route.fulfill(response=answer)

    with telephone(browser, online, secret) as page:
        page.route("**/perform-action/", lose_the_first)
        page.get_by_role("button", name="Confirm arrival").click()
        says(page, "Please wait until it is called.")
        while len(sent) < 2:
            page.wait_for_timeout(20)
    assert len(set(sent)) == 1


def test_a_press_that_came_too_late_is_said_to_be_refused(online: Online, browser: Browser):
    patient_id, secret = waiting(online)
    online.centre.walk(patient_id, "call_patient", "start_exam", "complete_exam")
    with telephone(browser, online, secret) as page:
        page.get_by_role("button", name="Confirm arrival").wait_for()
        page.route(
            "**/perform-action/", lambda route: route.fulfill(status=400, json={"error": "x", "code": "not_allowed"})
        )
        page.get_by_role("button", name="Confirm arrival").click()
        says(page, "That was not possible.")


def test_without_an_answer_the_page_keeps_the_number_and_says_so(online: Online, browser: Browser):
    patient_id, secret = waiting(online)
    number = online.centre.state(patient_id)["queue_details"][0]["queue_number"]
    with telephone(browser, online, secret) as page:
        says(page, number)
        page.context.set_offline(True)
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        says(page, "The hospital does not answer.")
        says(page, number)


def test_an_unknown_visit_and_no_code_have_words_of_their_own(online: Online, browser: Browser):
    with telephone(browser, online, make_secret()) as page:
        says(page, "The hospital does not know this number yet")
        page.evaluate("location.hash = ''")
        says(page, "Please scan the code at the kiosk")
        page.evaluate("secret => (location.hash = secret)", waiting(online)[1])
        says(page, "Please wait until it is called.")
