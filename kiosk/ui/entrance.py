"""The way into the page: `GET /open/KEY` gives a browser its cookie, and nothing but `/healthz` is served without one.

A browser without a cookie is shown where a patient goes instead. It needs no file of the kiosk for that.
"""

import base64
import hashlib
from collections.abc import Callable, Iterable, Set
from pathlib import Path

import msgspec
from flask import Flask, Response, render_template, request
from werkzeug.http import parse_cookie

from kiosk.ui.admission import Admission
from kiosk.ui.messages import PageError
from sync.words.catalogs import Catalog

_TEMPLATES = Path(__file__).with_name("templates")
_OPEN = "/open/"
Word = Callable[[str], object]


def add_entrance(app: Flask, admission: Admission, catalogs: Iterable[Catalog], *free: str) -> None:
    """Adds `/open/KEY` to an app, and demands a cookie for each request but those to the endpoints `free`."""
    entrance = _Entrance(admission, catalogs, {"open", *free})
    app.before_request(entrance.demand_cookie)
    app.add_url_rule(f"{_OPEN}<key>", endpoint="open", view_func=entrance.open)


def is_shown(head: bytes, port: int, admission: Admission) -> bool:
    """Whether the head of a request shows a cookie of this kiosk, or a key that opens its page now.

    `port` is the one that the page is served on.
    """
    line, *headers = head.decode("latin-1").split("\n")
    path = line.split(" ")[1:2]
    if path and path[0].startswith(_OPEN):
        return admission.is_good(path[0].removeprefix(_OPEN))
    named = (header.partition(":") for header in headers)
    cookies = (parse_cookie(value.strip()) for name, _, value in named if name.strip().lower() == "cookie")
    return any(admission.admits(each.get(_cookie_name(port))) for each in cookies)


class _Entrance:
    def __init__(self, admission: Admission, catalogs: Iterable[Catalog], free: Set[str]) -> None:
        self._admission = admission
        self._free = free
        # Korean first, as on the kiosk's screens. The site's own order would have to be looked up, for a stranger.
        ordered = sorted(catalogs, key=lambda catalog: catalog.tag != "ko")
        self._languages = [(catalog.tag, _words(catalog)) for catalog in ordered]
        self._style = (_TEMPLATES / "no_page.css").read_text("utf-8")
        self._policy = _policy(self._style)

    def demand_cookie(self) -> Response | None:
        if request.endpoint in self._free or self._has_cookie():
            return None
        return self._page_for_strangers() if request.path == "/" else _refusal()

    def open(self, key: str) -> Response:
        # A HEAD says what a GET would do, and leaves the key good for it.
        is_get = request.method == "GET"
        is_good = self._admission.use_up(key) if is_get else self._admission.is_good(key)
        if not is_good and not self._has_cookie():
            return self._page_for_strangers()
        answer = Response(status=303, headers={"Location": "/"})
        if is_good and is_get:
            answer.set_cookie(
                _cookie_name(request.environ["SERVER_PORT"]),
                self._admission.make_cookie(),
                httponly=True,
                samesite="Strict",
            )
        return answer

    def _has_cookie(self) -> bool:
        return self._admission.admits(request.cookies.get(_cookie_name(request.environ["SERVER_PORT"])))

    def _page_for_strangers(self) -> Response:
        page = Response(render_template("no_page.html", languages=self._languages, style=self._style), 403)
        page.headers["Content-Security-Policy"] = self._policy
        return page


def _words(catalog: Catalog) -> Word:
    return lambda text: catalog.messages.get(text, text)


def _policy(style: str) -> str:
    """Nothing but this style. The page cannot fetch a style sheet: files need the cookie too."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _cookie_name(port: object) -> str:
    # A browser sends the cookies of a host to each of its ports.
    return f"nfc-kiosk-page-{port}"


def _refusal() -> Response:
    error = PageError(error="this browser has not been let in: kiosk page-url prints an address", code="no_page")
    return Response(msgspec.json.encode(error), 403, mimetype="application/json")
