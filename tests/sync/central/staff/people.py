"""People of a test hospital: an account, a session of it for plain requests, and a browser that has signed in."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests
from playwright.sync_api import Browser, Page

from sync.central.network.bearer import SESSION
from sync.central.records.accounts import Account, add_account
from sync.central.records.duties import Duty
from sync.central.services.passwords import Passwords
from sync.central.web.senders import CSRF, csrf_of
from sync.ids import new_id
from tests.sync.central.online import API, PATIENCE_S, Online

PASSWORD = "맑은 아침 소나무 길"
_numbers = itertools.count(1)
_hash = Passwords().hash(PASSWORD)


@dataclass(frozen=True)
class Person:
    """An account, as its person knows it."""

    account_id: str
    login: str
    name: str
    duties: frozenset[Duty]
    password: str = field(default=PASSWORD, repr=False)


def person(online: Online, *duties: Duty, name: str = "김미정", login: str = "") -> Person:
    """A new account in the database, with a password."""
    made = Person(new_id(), login or f"kim{next(_numbers)}", name, frozenset(duties or (Duty.RECEPTION,)))
    account = Account(made.account_id, made.login, name, made.duties, online.centre.clock(), _hash)
    with online.centre.store.write() as db:
        add_account(db, account)
    return made


def sign_in(online: Online, who: Person | str, password: str = PASSWORD, **headers: str) -> requests.Response:
    """The answer to a sign-in from a page of the centre. `who` is a person or a login name."""
    login = who if isinstance(who, str) else who.login
    body = {"login": login, "password": password}
    return online.call("POST", f"{API}/sign-in/", json=body, headers={"Origin": f"http://{online.host}", **headers})


def headers_of(online: Online, who: Person) -> dict[str, str]:
    """The headers that the page of a person sends who has signed in."""
    answer = sign_in(online, who)
    assert answer.ok, answer.text
    return headers_of_session(online, answer.cookies[SESSION])


def headers_of_session(online: Online, session: str) -> dict[str, str]:
    """The headers that a page of a session sends."""
    return {"Cookie": f"{SESSION}={session}", "Origin": f"http://{online.host}", CSRF: csrf_of(session)}


def sign_page_in(page: Page, online: Online, who: Person, path: str) -> None:
    """Leads a browser to a page of staff by way of the sign-in."""
    page.goto(f"http://{online.host}/staff/sign-in?next={path}")
    page.locator("#login").fill(who.login)
    page.locator("#password").fill(who.password)
    page.locator("#sign-in button.primary").click()
    page.wait_for_url(f"http://{online.host}{path}")


@contextmanager
def signed_in(browser: Browser, online: Online, who: Person, path: str, **more: Any) -> Iterator[Page]:
    """A browser at a page of staff, with a person who has signed in. It has nothing to complain of."""
    context = browser.new_context(**{"locale": "ko-KR", "viewport": {"width": 1366, "height": 768}, **more})
    context.set_default_timeout(PATIENCE_S * 1000)
    page, complaints = context.new_page(), list[str]()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda each: complaints.append(each.text) if each.type == "error" else None)
    sign_page_in(page, online, who, path)
    yield page
    context.close()
    assert [each for each in complaints if "Failed to load" not in each] == []
