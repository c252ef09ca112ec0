"""The frame of the pages of staff: who is here, which pages there are, the language, and the policy of the browser.

A page holds no patient's data. Its script asks the API, and what the API tells is in the access log. Pages are for
people, so the document of the interface does not name them.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

import msgspec
from flask import Blueprint, Flask, Response, redirect, request
from jinja2 import Environment, FileSystemLoader

from sync.central.centre import Centre
from sync.central.network.headers import NO_STORE, content_policy
from sync.central.records.site import NoSite, read_site
from sync.central.services.door import publish_text
from sync.central.web.http import respond_text
from sync.central.web.reference import HTML
from sync.central.web.staff.assets import STATIC, add_assets
from sync.central.web.staff.board_page import board_values
from sync.central.web.staff.pages import HOME, PAGES, StaffPage
from sync.central.web.staff.visitor import Visitor, visitor_here
from sync.central.web.staff.words import COOKIE, LANGUAGES, catalog_of, language_here, name_of, translator
from sync.clock import iso
from sync.journey.definitions import Definitions
from sync.words.text import N_

SIGN_IN = f"{HOME}sign-in"
_POLICY = content_policy(
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
)
_TEMPLATES = Path(__file__).with_name("templates")
_VALUES: Mapping[str, Callable[[Definitions], Mapping[str, object]]] = {"board": board_values}  # of templates
_YEAR_S = 365 * 24 * 3600


class Frame(msgspec.Struct, frozen=True):
    """A page as it is drawn: whose duties open it does not matter any more. `values` are those of its template."""

    name: str
    title: str
    values: Mapping[str, object] = {}


class Shell:
    """Draws the pages of one centre."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre
        environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True)
        environment.lstrip_blocks = True
        self._environment = environment

    def add_to(self, app: Flask, *more: Callable[[Blueprint], None]) -> None:
        """Adds the pages and their files to an application, and what `more` adds to the pages."""
        api = Blueprint("staff pages", __name__)
        for page in PAGES:
            if (_TEMPLATES / f"{page.name}.html").exists():
                self.add_page(api, page)
        self.add_view(api, HOME, "start", self._start)
        for add in more:
            add(api)
        app.register_blueprint(api)
        add_assets(app)

    def add_page(self, api: Blueprint, page: StaffPage) -> None:
        """Adds a page for persons with its duties."""
        self.add_view(api, page.path, page.name, lambda: self._page(page))

    def add_view(self, api: Blueprint, path: str, name: str, view: Callable[[], Response]) -> None:
        """Adds a view of any page. The language may be chosen at each: `?language=` leads back to the page itself."""

        def chosen() -> Response:
            wanted = request.args.get("language")
            return self._choose(wanted) if wanted in LANGUAGES else view()

        api.add_url_rule(path, name, chosen)

    def _start(self) -> Response:
        visitor = visitor_here(self._centre)
        if visitor is None:
            return self.to_sign_in()
        return _to(next((page.path for page in self._pages_of(visitor)), SIGN_IN))

    def _page(self, page: StaffPage) -> Response:
        visitor = visitor_here(self._centre)
        if visitor is None:
            return self.to_sign_in()
        if not visitor.duties & page.duties:
            return self.draw(Frame("no_duty", N_("Not for you")), visitor, 403)
        values = _VALUES.get(page.name)
        return self.draw(Frame(page.name, page.title, values(self._centre.definitions) if values else {}), visitor)

    def to_sign_in(self) -> Response:
        """Leads to the sign-in, which leads back.

        A browser that comes by a link of another site keeps the cookie back, so it is led to this page again by itself.
        """
        if request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
            return self.go_on(request.path)
        return _to(f"{SIGN_IN}?next={request.path}")

    def go_on(self, path: str) -> Response:
        """A page that goes on to another one by itself: then a page of the centre asks, and the cookie comes along."""
        response = self.draw(Frame("onward", N_("Going on …"), {"path": path}), None)
        response.headers["Refresh"] = f"0; url={path}"
        return response

    def draw(self, frame: Frame, visitor: Visitor | None, status: int = 200) -> Response:
        """The page in its frame. Without a visitor it has no navigation."""
        site, timezone = self._site()
        catalog = catalog_of(language_here(), frame.name)
        start = {
            "catalog": msgspec.to_builtins(catalog),
            "now": iso(self._centre.clock(), timezone),
            "path": request.path,
        }
        text = self._environment.get_template(f"{frame.name}.html").render(
            **frame.values,
            _=translator(catalog),
            frame=frame,
            visitor=visitor,
            pages=self._pages_of(visitor) if visitor else [],
            site=site,
            language=catalog.tag,
            languages=[(each, name_of(each)) for each in LANGUAGES],
            start=start,
            files=_files_of(frame.name),
        )
        response = respond_text(publish_text(text), HTML)
        response.status_code = status
        # With a word on its storing, a response keeps its own headers alone: two policies allow what both do.
        response.headers.extend((NO_STORE, ("Content-Security-Policy", _POLICY)))
        return response

    def _site(self) -> tuple[str, str]:
        """The name and the time zone of the site."""
        with suppress(NoSite), self._centre.store.glance() as db:
            found = read_site(db).site
            return found.name, found.timezone
        return "", "UTC"

    def _pages_of(self, visitor: Visitor) -> list[StaffPage]:
        return [
            each
            for each in PAGES
            if each.is_listed and each.duties & visitor.duties and (_TEMPLATES / f"{each.name}.html").exists()
        ]

    def _choose(self, language: str) -> Response:
        wanted = request.args.get("next")
        response = _to(f"{request.path}?{urlencode({'next': wanted})}" if wanted else request.path)
        response.set_cookie(
            COOKIE, language, max_age=_YEAR_S, path=HOME, secure=request.is_secure, httponly=True, samesite="Lax"
        )
        return response


@cache
def _files_of(name: str) -> Mapping[str, list[str]]:
    """The styles and scripts of a page: its own are named after it."""
    own = sorted(path.name for path in STATIC.iterdir() if path.stem == name or path.stem.startswith(f"{name}_"))
    return {
        "styles": [each for each in own if each.endswith(".css")],
        "modules": [each for each in own if each.endswith(".js")],
        "entries": [each for each in own if each == f"{name}.js"],
    }


def _to(path: str) -> Response:
    """Leads a browser to another page of the centre."""
    response = redirect(path, 303)
    assert isinstance(response, Response)
    return response
