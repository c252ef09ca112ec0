"""The pages around the sign-in in a real browser: in both languages, by keyboard, and against pages of other sites."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from sync.central.records.duties import Duty
from sync.central.services.people import ChangeStaffMember, Invite, change_person, invite
from sync.central.services.requester import Requester
from sync.journey.model import STAFF
from tests.sync.central.centre import Centre
from tests.sync.central.online import API, PATIENCE_S, Online
from tests.sync.central.staff.axe import faults
from tests.sync.central.staff.people import PASSWORD, person, sign_in, signed_in

pytestmark = pytest.mark.browser
_OPERATOR = Requester(STAFF, "test", "desk")
NEW_PASSWORD = "저녁 노을 바다 길"
LANGUAGES = pytest.mark.parametrize("locale", ["ko-KR", "en-US"])


@pytest.fixture
def online(tmp_path: Path) -> Iterator[Online]:
    made = Online(tmp_path, centre=Centre(tmp_path))
    yield made
    made.close()


@contextmanager
def opened(browser: Browser, online: Online, path: str, **more: object) -> Iterator[Page]:
    context = browser.new_context(**{"locale": "en-US", "viewport": {"width": 640, "height": 800}, **more})
    context.set_default_timeout(PATIENCE_S * 1000)
    page = context.new_page()
    page.goto(f"http://{online.host}{path}")
    yield page
    context.close()


def says(page: Page, text: str) -> None:
    expect(page.locator("body")).to_contain_text(text, timeout=PATIENCE_S * 1000)


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@LANGUAGES
def test_a_person_signs_in_by_keyboard_and_comes_to_the_page_that_was_wanted(
    online: Online, browser: Browser, locale: str
):
    who = person(online, Duty.ADMINISTRATOR)
    with opened(browser, online, "/staff/people", locale=locale) as page:
        expect(page.locator("#login")).to_be_focused()
        assert faults(page) == []
        assert fits(page)
        page.keyboard.type(who.login)
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/staff/people")
        assert page.evaluate("localStorage.length + sessionStorage.length") == 0


def test_a_wrong_password_and_a_lock_are_said(online: Online, browser: Browser):
    who = person(online)
    with opened(browser, online, "/staff/sign-in") as page:
        page.locator("#login").fill(who.login)
        for _ in range(5):
            page.locator("#password").fill("not the password")
            with page.expect_response("**/sign-in/"):
                page.locator("#sign-in button.primary").click()
        says(page, "The login name or the password is wrong.")
        page.keyboard.type("x")
        expect(page.locator("#password")).to_have_value("x")  # the next try replaces the wrong one
        page.locator("#sign-in button.primary").click()
        says(page, "Please wait 1 min")
        assert faults(page) == []


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example", "/staff/../x", "/staff/%2f%2fx", ""])
def test_a_sign_in_leads_to_pages_of_staff_alone(online: Online, browser: Browser, wanted: str):
    who = person(online, Duty.ADMINISTRATOR)
    with opened(browser, online, f"/staff/sign-in?next={wanted}") as page:
        page.locator("#login").fill(who.login)
        page.locator("#password").fill(PASSWORD)
        page.locator("#sign-in button.primary").click()
        page.wait_for_url("**/staff/people")


@LANGUAGES
def test_a_code_makes_an_account(online: Online, browser: Browser, locale: str):
    made = invite(online.centre.parts, _OPERATOR, Invite((Duty.ADMINISTRATOR,), "이서연"))
    with opened(browser, online, "/staff/welcome", locale=locale) as page:
        assert faults(page) == []
        page.locator("#code").fill(made.code.lower())
        page.keyboard.press("Enter")
        expect(page.locator("#login")).to_be_focused()
        expect(page.locator("#name")).to_have_value("이서연")
        assert faults(page) == []
        assert fits(page)
        page.keyboard.type("lee.sy")
        page.locator("#password").fill("password123")
        page.keyboard.press("Enter")
        expect(page.locator("#account-fault")).to_be_visible()
        page.locator("#password").fill(NEW_PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/staff/people")
        says(page, "이서연")


@LANGUAGES
def test_one_changes_the_own_password_and_sees_the_own_sessions(online: Online, browser: Browser, locale: str):
    who = person(online)
    assert sign_in(online, who).ok
    with signed_in(browser, online, who, "/staff/me", locale=locale) as page:
        expect(page.locator("#sessions li")).to_have_count(2)
        assert faults(page) == []
        page.locator("#current").fill("not the password")
        page.locator("#password").fill(NEW_PASSWORD)
        page.locator("#password-form button.primary").click()
        expect(page.locator("#fault")).to_be_visible()
        assert page.locator("dialog").count() == 0, "a wrong password signs nobody out"
        page.locator("#current").fill(PASSWORD)
        page.locator("#password-form button.primary").click()
        expect(page.locator("#sessions li")).to_have_count(1)
        expect(page.locator("#toasts p")).to_have_count(1)
    assert sign_in(online, who, NEW_PASSWORD).ok


def test_signing_out_leads_to_the_sign_in_and_back_leads_nowhere(online: Online, browser: Browser):
    with signed_in(browser, online, person(online), "/staff/me") as page:
        page.locator("#sign-out").click()
        page.wait_for_url("**/staff/sign-in**")
        page.go_back()
        page.wait_for_url("**/staff/sign-in**")


def test_signing_out_leaves_no_patient_on_another_page_of_the_browser(online: Online, browser: Browser):
    with signed_in(browser, online, person(online), "/staff/desk") as page:
        other = page.context.new_page()
        other.goto(f"http://{online.host}/staff/me")
        other.locator("#sign-out").click()
        page.wait_for_url("**/staff/sign-in")


def test_who_is_disabled_is_told_at_the_next_press(online: Online, browser: Browser):
    who = person(online)
    with signed_in(browser, online, who, "/staff/me", locale="en-US") as page:
        expect(page.locator("#sessions li")).to_have_count(1)
        change_person(online.centre.parts, _OPERATOR, who.account_id, ChangeStaffMember(is_disabled=True))
        page.locator("#current").fill(PASSWORD)
        page.locator("#password").fill(NEW_PASSWORD)
        page.locator("#password-form button.primary").click()
        says(page, "You are signed out")


# Pages of other sites, in the browser of a person who is signed in.


@contextmanager
def other_site(html: str) -> Iterator[str]:
    """A page of another site, on a name of its own."""

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}/"
    server.shutdown()
    server.server_close()


ATTACKS = {
    "a form": """<form method=post enctype=text/plain action="{url}"><input name='{{"x":"' value='"}}'></form>
        <script>document.forms[0].submit()</script>""",
    "a simple fetch": """<script>fetch("{url}", {{method: "POST", credentials: "include", mode: "no-cors",
        body: JSON.stringify({body})}}).finally(() => document.title = "done")</script>""",
    "a fetch with the header": """<script>fetch("{url}", {{method: "POST", credentials: "include",
        headers: {{"Content-Type": "application/json", "X-CSRF-Token": "x"}}, body: JSON.stringify({body})}})
        .catch(() => 0).finally(() => document.title = "done")</script>""",
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("is_same_site", [False, True])
def test_a_page_of_another_site_does_nothing_in_the_name_of_who_is_signed_in(
    online: Online, browser: Browser, attack: str, is_same_site: bool
):
    """A page on another port of the same host is of the same site, so that the browser sends the cookie."""
    who = person(online, Duty.ADMINISTRATOR)
    url, body = f"http://{online.host}{API}/people/invitations/", json.dumps({"duties": ["administrator"]})
    html = ATTACKS[attack].format(url=url, body=body)
    with other_site(html) as place, signed_in(browser, online, who, "/staff/people") as page:
        there = page.context.new_page()
        with there.expect_request_finished() if attack == "a form" else there.expect_event("load"):
            there.goto(place.replace("localhost", "127.0.0.1") if is_same_site else place)
        if attack != "a form":
            there.wait_for_function("document.title === 'done'")
        page.reload()
        expect(page.locator("#people li")).to_have_count(1)
        expect(page.locator("#invitations-part")).to_be_hidden()


def test_a_stranger_with_the_key_of_the_page_and_without_the_cookie_does_nothing(online: Online, browser: Browser):
    with signed_in(browser, online, person(online, Duty.ADMINISTRATOR), "/staff/people") as page:
        csrf = page.locator("meta[name=csrf]").get_attribute("content")
        assert csrf
        headers = {"X-CSRF-Token": csrf, "Origin": f"http://{online.host}"}
        assert online.call("GET", f"{API}/people/", headers=headers).status_code == 401


def test_a_link_of_another_site_leads_a_person_who_is_signed_in_to_the_page(online: Online, browser: Browser):
    """The browser sends the cookie only with what the centre's own page asks for."""
    html = f'<a href="http://{online.host}/staff/people">people</a>'
    with other_site(html) as place, signed_in(browser, online, person(online, Duty.ADMINISTRATOR), "/staff/me") as page:
        page.goto(place)
        page.get_by_text("people").click()
        page.wait_for_url("**/staff/people")
        expect(page.locator("#people li")).to_have_count(1)


def run_until(page: Page, text: str) -> None:
    """Lets the page's clock run until it says something. How far its script has come by then is its own affair."""
    while text not in page.locator("body").inner_text():
        page.clock.run_for(60_000)


def test_before_a_session_ends_the_page_says_so_and_a_press_goes_on(online: Online, browser: Browser):
    clock = online.centre.clock
    with signed_in(browser, online, person(online, Duty.ADMINISTRATOR), "/staff/people", locale="en-US") as page:
        expect(page.locator("#people li")).to_have_count(1)
        clock.now_ms += 58 * 60_000
        page.clock.install()
        page.goto(f"http://{online.host}/staff/static/icon.svg")
        page.goto(f"http://{online.host}/staff/me")
        clock.now_ms += 58 * 60_000
        run_until(page, "You will be signed out soon")
        assert faults(page) == []
        page.get_by_role("button", name="Stay signed in").click()
        expect(page.locator("dialog")).to_have_count(0)
        clock.now_ms += 58 * 60_000
        run_until(page, "You will be signed out soon")
        clock.now_ms += 3 * 60_000
        run_until(page, "You are signed out")


def test_a_sign_out_without_an_answer_is_said(online: Online, browser: Browser):
    with signed_in(browser, online, person(online, Duty.ADMINISTRATOR), "/staff/people", locale="en-US") as page:
        expect(page.locator("#people li")).to_have_count(1)
        page.route("**/api/v1/session/", lambda route: route.abort())
        page.locator("#sign-out").click()
        says(page, "You are not signed out")
