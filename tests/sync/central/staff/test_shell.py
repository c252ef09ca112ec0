"""The frame of the pages of staff, as a browser asks for it."""

from __future__ import annotations

import pytest
import requests

from tests.sync.central.online import PATIENCE_S, Online


def open_page(online: Online, path: str, **headers: str) -> requests.Response:
    return requests.get(f"http://{online.host}{path}", headers=headers, timeout=PATIENCE_S, allow_redirects=False)


def test_a_stranger_is_led_to_the_sign_in(online: Online):
    answer = open_page(online, "/staff/")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/staff/sign-in?next=/staff/")


def test_a_language_is_chosen_at_any_page_and_kept(online: Online):
    answer = open_page(online, "/staff/?language=ko")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/staff/")
    assert answer.cookies["nk_language"] == "ko"


def test_a_language_that_nobody_speaks_changes_nothing(online: Online):
    answer = open_page(online, "/staff/?language=xx")
    assert answer.headers["Location"] == "/staff/sign-in?next=/staff/"
    assert not answer.cookies


@pytest.mark.parametrize("path", ["/staff/static/api.js", "/staff/static/look.css", "/page/dom.js", "/page/words.js"])
def test_files_are_served_once_and_not_again(online: Online, path: str):
    first = open_page(online, path)
    assert first.status_code == 200
    assert first.text
    assert open_page(online, path, **{"If-None-Match": first.headers["ETag"]}).status_code == 304


@pytest.mark.parametrize("path", ["/staff/static/shell.py", "/staff/static/..%2fshell.py", "/page/__init__.py"])
def test_nothing_else_is_served(online: Online, path: str):
    assert open_page(online, path).status_code == 404
