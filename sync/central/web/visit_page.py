"""The page of a visit: a telephone that has scanned a kiosk's QR code shows the number and the place in the line.

The secret stands after the `#`, which a browser sends to nobody. The page is the same for everybody, and has no data.
"""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import msgspec
from flask import Blueprint, Flask, Response

from sync.central.network.headers import content_policy
from sync.central.services.door import publish, publish_text
from sync.central.services.told import AboutNobody
from sync.central.web.contract import Contract, Contracts
from sync.central.web.http import Cached, respond_cached
from sync.central.web.reference import HTML
from sync.words.catalogs import TRANSLATIONS, Catalog, read_catalogs
from sync.words.visit_page import TEXTS

PAGE = "/visit/"
_PLACE = Path(__file__).with_name("pages")
_POLICY = content_policy(
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
)
_HEADERS = (("Content-Security-Policy", _POLICY),)
_FILES = {  # by the path: the file, its media type, the name and the title of the route
    "": ("visit.html", HTML, "page", "Read the page of a visit"),
    "visit.css": ("visit.css", "text/css; charset=utf-8", "style", "Read its style"),
    "visit.js": ("visit.js", "text/javascript; charset=utf-8", "script", "Read its script"),
}


class PageWords(msgspec.Struct, frozen=True):
    """The words of the page of a visit: its own texts by their names, and the catalog of each language."""

    texts: dict[str, str]
    catalogs: tuple[Catalog, ...]


def add_visit_page(app: Flask, contracts: Contracts) -> None:
    """Adds the page of a visit to an application."""
    api = Blueprint("page", __name__, url_prefix=PAGE.rstrip("/"))

    @cache
    def words() -> Cached:
        return Cached(publish(AboutNobody(PageWords(dict(TEXTS), read_catalogs(TRANSLATIONS)))))

    def add(path: str, name: str, view: Callable[[], Response], contract: Contract) -> None:
        contracts.add(view, contract)
        api.add_url_rule(f"/{path}", name, view)

    for path, (file, media, name, title) in _FILES.items():
        document = Cached(publish_text((_PLACE / file).read_text("utf-8")), media, _HEADERS)
        add(path, name, partial(respond_cached, document), Contract(title, str, media=media, is_cached=True))
    add("words.json", "words", lambda: respond_cached(words()), Contract("Read its words", PageWords, is_cached=True))
    app.register_blueprint(api)
