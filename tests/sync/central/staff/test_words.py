"""The words of the pages of staff: all go through gettext, each stands in one catalog, and Korean has all of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

from sync.central.web import staff
from sync.central.web.staff.pages import PAGES
from sync.central.web.staff.words import SHELL
from tests.kiosk.ui.test_words import SHARED, marked

HOME = Path(staff.__file__).parent
CATALOGS = HOME / "translations/ko/LC_MESSAGES"
KEYWORDS = {"_": None, "N_": None, "ngettext": (1, 2), "plural": (1, 2)}
PLACEHOLDER = re.compile(r"\{\w+\}")
# Pages that the navigation does not name.
FURTHER = ("sign-in", "welcome", "me")
DOMAINS = (SHELL, *(page.name for page in PAGES), *FURTHER)


def domain_of(file: str) -> str:
    """The catalog that a text of a file belongs to."""
    stem = Path(file).stem.replace("_", "-")
    pages = sorted(DOMAINS, key=len, reverse=True)
    return next((page for page in pages if stem == page or stem.startswith(f"{page}-")), SHELL)


@cache
def texts() -> Mapping[str, set[str | tuple[str, ...]]]:
    """Every text that the sources mark, by its domain. One that the shell or the shared words have is theirs."""
    methods, options = parse_mapping_cfg((HOME / "babel.cfg").open(encoding="utf-8"))
    found = defaultdict(set)
    for file, _, message, _, _ in extract_from_dir(HOME, methods, options, keywords=KEYWORDS):
        found[domain_of(file)].add(tuple(message) if isinstance(message, list | tuple) else message)
    shared = marked(SHARED)
    shell = found[SHELL] - shared
    return {name: shell if name == SHELL else each - shell - shared for name, each in found.items()}


def messages(domain: str) -> dict[str | tuple[str, ...], Message]:
    path = CATALOGS / f"{domain}.po"
    if not path.exists():
        return {}
    with path.open("rb") as file:
        catalog = read_po(file, abort_invalid=True)
    assert not catalog.obsolete
    return {each.id if isinstance(each.id, str) else tuple(each.id): each for each in catalog if each.id}


@pytest.mark.parametrize("domain", DOMAINS)
def test_korean_has_every_text_of_its_pages_and_nothing_else(domain: str):
    found = messages(domain)
    assert set(found) == texts().get(domain, set())
    for message in found.values():
        forms = message.string if isinstance(message.string, tuple) else (message.string,)
        assert all(forms), message.id
        assert not message.fuzzy, message.id
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        places = {place for each in ids for place in PLACEHOLDER.findall(each)}
        assert {place for each in forms for place in PLACEHOLDER.findall(each)} == places, message.id


def test_there_is_no_catalog_of_no_page():
    assert {path.stem for path in CATALOGS.iterdir()} <= set(DOMAINS)
