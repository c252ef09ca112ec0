"""The words of the pages of staff, in the reader's language. English is the source, and needs no catalog.

A text belongs to the catalog of the file that it stands in: that of a page, as `board.html`, `board_rows.js` and
`board.py` are of `board`, else `shell`. `pybabel extract -F sync/central/web/staff/babel.cfg -k N_ -k plural:1,2
-o build/staff.pot sync/central/web/staff` lists them all.
"""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from babel import Locale
from flask import request

from sync.words.catalogs import TRANSLATIONS as SHARED
from sync.words.catalogs import Catalog, read_catalog, read_catalogs

COOKIE = "nk_language"
SHELL = "shell"
_HERE = Path(__file__).with_name("translations")
_SOURCE = "en"
LANGUAGES = ("ko", _SOURCE)  # Korean first


def language_here() -> str:
    """The language of the present request: the one that was chosen, else the browser's best, else Korean."""
    chosen = request.cookies.get(COOKIE)
    if chosen in LANGUAGES:
        return chosen
    return request.accept_languages.best_match(LANGUAGES, LANGUAGES[0])


def name_of(language: str) -> str:
    """The name of a language in that language."""
    return Locale.parse(language).get_display_name() or language


def catalog_of(language: str, page: str) -> Catalog:
    """The catalog of a page in a language: the words of all screens, of all pages, and its own."""
    return _catalog(language, page)


def translator(catalog: Catalog) -> Callable[[str], str]:
    """What a template calls `_`."""

    def translate(text: str) -> str:
        found = catalog.messages.get(text, text)
        return found if isinstance(found, str) else found[0]

    return translate


@cache
def _catalog(language: str, page: str) -> Catalog:
    messages: dict[str, str | list[str]] = {**_shared(language)}
    if language != _SOURCE:
        for domain in dict.fromkeys((SHELL, page)):
            path = _HERE / language / "LC_MESSAGES" / f"{domain}.po"
            messages.update(read_catalog(path).messages if path.exists() else {})
    return Catalog(language, messages)


@cache
def _shared(language: str) -> Mapping[str, str | list[str]]:
    return next((each.messages for each in read_catalogs(SHARED) if each.tag == language), {})
