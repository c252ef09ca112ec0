"""The page of the documents: whole, and read without a script, another host or a second request."""

from __future__ import annotations

import html
import re

import pytest
from playwright.sync_api import Browser

from sync.central.web.reference import kind_of
from sync.central.web.socket_messages import CLOSE_CODES, SENT, TAKEN
from tests.sync.central.online import API, Online
from tests.sync.central.web.test_openapi import OPENAPI

PAGE = f"{API}/reference/"


def test_the_page_has_every_path_type_code_and_close_code(online: Online):
    page = html.unescape(online.call("GET", PAGE).text)
    words = {*OPENAPI["paths"], *OPENAPI["components"]["schemas"], *(kind.__name__ for kind in (*SENT, *TAKEN))}
    words |= {each.when for each in CLOSE_CODES}
    for response in OPENAPI["components"]["responses"].values():
        words |= set(re.findall(r"`(\w+)`", response["description"]))
    assert {word for word in words if word not in page} == set()


def test_every_link_of_the_page_leads_somewhere(online: Online):
    page = online.call("GET", PAGE).text
    places = re.findall(r'id="([^"]+)"', page)
    assert len(set(places)) == len(places)
    assert {link for link in re.findall(r'href="#([^"]+)"', page) if link not in places} == set()


@pytest.mark.browser
def test_a_browser_shows_the_page_with_its_style_and_loads_nothing_else(online: Online, browser: Browser):
    page = browser.new_page()
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    url = f"http://{online.host}{PAGE}"
    page.goto(url)
    assert (asked, complaints) == ([url], [])
    assert page.evaluate("getComputedStyle(document.body).maxWidth") != "none", "the policy lets its style in"
    text = page.inner_text("body")
    assert not re.search(r"`|</?code>|\{\{|None,", text), "a mark of the source is left"
    page.close()


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"$ref": "#/components/schemas/Journey"}, "Journey"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string or null"),
        ({"enum": ["ok", True]}, '"ok" | true'),
        ({"type": "array", "items": {"type": "integer"}}, "list of integer"),
        ({}, "any JSON"),
    ],
)
def test_a_schema_is_said_in_a_few_words(schema: dict, words: str):
    assert kind_of(schema) == words
