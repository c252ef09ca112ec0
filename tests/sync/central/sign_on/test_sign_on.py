"""Single sign-on in a real browser, at a provider in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from sync.central.network.bearer import SESSION
from sync.central.records.duties import Duty
from sync.central.records.sign_in_settings import Provider, SignInSettings, write_sign_in_settings
from tests.sync.central.centre import Centre
from tests.sync.central.online import API, PATIENCE_S, Online
from tests.sync.central.sign_on.provider import free_port, running, say_of
from tests.sync.central.staff.axe import faults
from tests.sync.central.staff.people import PASSWORD, headers_of_session, person

pytestmark = pytest.mark.browser
DUTIES = {"nurses": (Duty.EXAM_ROOM,), "desk": (Duty.RECEPTION,), "it": (Duty.ADMINISTRATOR,)}


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("provider") / "log") as found:
        yield found


@pytest.fixture
def online(tmp_path: Path, issuer: str) -> Iterator[Online]:
    made = Online(tmp_path, centre=Centre(tmp_path))
    use(made, issuer)
    yield made
    made.close()


def use(online: Online, issuer: str, **more: object) -> None:
    provider = Provider(issuer, "kiosk", "a secret", duties=DUTIES, **more)  # type: ignore[arg-type]
    with online.centre.store.write() as db:
        write_sign_in_settings(db, SignInSettings(provider=provider))


@contextmanager
def at_the_provider(browser: Browser, online: Online, next_page: str = "/staff/me") -> Iterator[Page]:
    """A browser that is led to the provider by the button of the sign-in."""
    context = browser.new_context(locale="en-US")
    context.set_default_timeout(PATIENCE_S * 1000)
    page = context.new_page()
    page.goto(f"http://{online.host}/staff/sign-in?next={next_page}")
    page.get_by_role("link", name="Sign in with").click()
    page.wait_for_url("**/oauth2/authorize**")
    yield page
    context.close()


def choose(page: Page, sub: str) -> None:
    page.locator(f"button[value='{sub}']").first.click()


def says(page: Page, text: str) -> None:
    expect(page.locator("body")).to_contain_text(text, timeout=PATIENCE_S * 1000)


def accounts(online: Online) -> dict[str, tuple[str, str]]:
    rows = online.centre.rows("select login, name, duties from accounts")
    return {row["login"]: (row["name"], row["duties"]) for row in rows}


def test_a_first_sign_in_makes_the_account_with_the_duties_of_its_groups(online: Online, browser: Browser):
    with at_the_provider(browser, online) as page:
        choose(page, "u-1")
        page.wait_for_url("**/staff/me")
        says(page, "이서연")
        expect(page.locator("#password-form")).to_be_hidden()
        assert {each["name"] for each in page.context.cookies()} >= {SESSION, "nk_browser"}
    assert accounts(online) == {"lee.sy": ("이서연", "exam_room reception")}


def test_a_second_sign_in_finds_the_account_and_follows_the_groups(online: Online, browser: Browser, issuer: str):
    say_of(issuer, "u-9", name="최도윤", preferred_username="choi", groups=["nurses"])
    with at_the_provider(browser, online) as page:
        page.locator("input[name=sub]").fill("u-9")
        page.keyboard.press("Enter")
        page.wait_for_url("**/staff/me")
        session = next(each["value"] for each in page.context.cookies() if each["name"] == SESSION)
    say_of(issuer, "u-9", name="최도현", preferred_username="other", groups=["desk"])
    with at_the_provider(browser, online) as page:
        page.locator("input[name=sub]").fill("u-9")
        page.keyboard.press("Enter")
        page.wait_for_url("**/staff/me")
    assert accounts(online) == {"choi": ("최도현", "reception")}
    assert online.call("GET", f"{API}/me/", headers=headers_of_session(online, session)).status_code == 401


def test_who_has_lost_every_group_has_no_duty_left_and_the_log_says_so(online: Online, issuer: str):
    say_of(issuer, "u-8", name="한지우", preferred_username="han", groups=["it"])
    code, state, cookie = code_for(online, "u-8")
    assert has_session(come_back(online, cookie, code=code, state=state))
    assert accounts(online) == {"han": ("한지우", "administrator")}
    say_of(issuer, "u-8", name="한지우", preferred_username="han", groups=[])
    code, state, cookie = code_for(online, "u-8")
    assert not has_session(come_back(online, cookie, code=code, state=state))
    assert accounts(online) == {"han": ("한지우", "")}
    rows = online.centre.rows("select who, detail from audit where kind = 'account' order by audit_id desc limit 1")
    ((who, detail),) = ((row["who"], msgspec.json.decode(row["detail"])) for row in rows)
    assert (who, detail) == (
        "staff:han",
        {"from": "127.0.0.1", "did": "duties", "account": "han", "duties": []},
    )


def test_a_like_login_name_is_no_link_to_an_account(online: Online, browser: Browser):
    local = person(online, Duty.ADMINISTRATOR, login="lee.sy", name="다른 사람")
    with at_the_provider(browser, online) as page:
        choose(page, "u-1")
        page.wait_for_url("**/staff/me")
    assert accounts(online) == {
        local.login: ("다른 사람", "administrator"),
        "lee.sy-2": ("이서연", "exam_room reception"),
    }


def test_who_has_no_group_with_a_duty_gets_no_account(online: Online, browser: Browser):
    with at_the_provider(browser, online) as page:
        choose(page, "u-3")
        says(page, "have no duty here")
        assert faults(page) == []
    assert accounts(online) == {}


def test_who_is_disabled_here_stays_out(online: Online, browser: Browser):
    with at_the_provider(browser, online) as page:
        choose(page, "u-1")
        page.wait_for_url("**/staff/me")
    with online.centre.store.write() as db:
        db.execute("update accounts set disabled_ms = 1")
    with at_the_provider(browser, online) as page:
        choose(page, "u-1")
        says(page, "This account is disabled.")


def test_signing_out_leads_to_the_provider_too(online: Online, browser: Browser):
    with at_the_provider(browser, online) as page:
        choose(page, "u-1")
        page.wait_for_url("**/staff/me")
        page.locator("#sign-out").click()
        page.wait_for_url("**/oauth2/end_session**")
        assert SESSION not in {each["name"] for each in page.context.cookies() if each["value"]}


def test_a_provider_that_is_away_is_said_and_passwords_go_on(online: Online, browser: Browser):
    use(online, f"http://127.0.0.1:{free_port()}")
    who = person(online, Duty.ADMINISTRATOR)
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    page.goto(f"http://{online.host}/staff/sign-in?next=/staff/me")
    page.get_by_role("link", name="Sign in with").click()
    says(page, "Single sign-on is not possible now.")
    page.locator("#login").fill(who.login)
    page.locator("#password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/staff/people")
    context.close()


# What a stranger sends to the way back.


def begun(online: Online) -> tuple[str, str, dict[str, list[str]]]:
    """A sign-in that has begun: the state, the cookie, and what the provider is asked."""
    url = f"http://{online.host}/staff/provider?next=/staff/me"
    answer = requests.get(url, allow_redirects=False, timeout=PATIENCE_S)
    cookie = next(each for each in answer.cookies if each.name == "nk_provider")
    attributes = {each.strip() for each in answer.headers["Set-Cookie"].split(";")}
    assert {"HttpOnly", "SameSite=Lax", "Path=/staff/provider"} <= attributes
    asked = parse_qs(urlsplit(answer.headers["Location"]).query)
    return asked["state"][0], str(cookie.value), asked


def come_back(online: Online, cookie: str, **query: str) -> requests.Response:
    return requests.get(
        f"http://{online.host}/staff/provider/back",
        params=query,
        headers={"Cookie": f"nk_provider={cookie}"},
        allow_redirects=False,
        timeout=PATIENCE_S,
    )


def code_for(online: Online, sub: str) -> tuple[str, str, str]:
    """A code that the provider has given for a person, with the state and the cookie of the sign-in."""
    url = f"http://{online.host}/staff/provider"
    led = requests.get(url, allow_redirects=False, timeout=PATIENCE_S)
    given = requests.post(led.headers["Location"], data={"sub": sub}, allow_redirects=False, timeout=PATIENCE_S)
    query = parse_qs(urlsplit(given.headers["Location"]).query)
    return query["code"][0], query["state"][0], str(led.cookies["nk_provider"])


def has_session(answer: requests.Response) -> bool:
    return f"{SESSION}=" in answer.headers.get("Set-Cookie", "")


def test_the_provider_is_asked_with_state_nonce_and_a_challenge(online: Online):
    state, cookie, asked = begun(online)
    assert state == cookie
    assert asked["code_challenge_method"] == ["S256"]
    assert len(asked["code_challenge"][0]) == 43
    assert asked["nonce"][0] not in (state, asked["code_challenge"][0])
    assert asked["redirect_uri"] == [f"http://{online.host}/staff/provider/back"]


def test_a_code_counts_once_and_with_its_own_cookie_alone(online: Online):
    code, state, cookie = code_for(online, "u-1")
    other = begun(online)[1]
    for wrong in ("", other, "x"):
        assert not has_session(come_back(online, wrong, code=code, state=state))
    assert not has_session(come_back(online, cookie, code=code, state=other))
    assert has_session(come_back(online, cookie, code=code, state=state))
    assert not has_session(come_back(online, cookie, code=code, state=state))


def test_a_code_of_another_sign_in_is_not_taken(online: Online):
    """Its nonce is another one: a stranger would plant the own code in the browser of a person (RFC 9700, 4.5)."""
    planted, _, _ = code_for(online, "u-2")
    _, state, cookie = code_for(online, "u-1")
    answer = come_back(online, cookie, code=planted, state=state)
    assert not has_session(answer)
    assert "trouble=provider" in answer.headers["Refresh"]


def test_an_answer_that_comes_late_or_names_another_issuer_is_not_taken(online: Online):
    code, state, cookie = code_for(online, "u-1")
    assert not has_session(come_back(online, cookie, code=code, state=state, iss="https://other.example"))
    code, state, cookie = code_for(online, "u-1")
    online.centre.clock.now_ms += 10 * 60_000
    assert not has_session(come_back(online, cookie, code=code, state=state))


@pytest.mark.parametrize(
    "query", [{}, {"error": "access_denied"}, {"code": "x"}, {"state": "x" * 3000, "code": "y"}, {"state": "쪽"}]
)
def test_whatever_comes_back_is_answered(online: Online, query: dict[str, str]):
    answer = come_back(online, begun(online)[1], **query)
    assert (answer.status_code, has_session(answer)) == (200, False)


def test_the_settings_are_changed_by_an_operator_and_hide_the_secret(online: Online):
    told = online.centre.do("sign-in-settings", idle_minutes=30, provider={"label": "병원 계정"})
    assert told["idle_minutes"] == 30
    assert (told["provider"]["label"], told["provider"]["client_secret"]) == ("병원 계정", True)
    assert online.centre.do("sign-in-settings", without_provider=True)["provider"] is None
