"""The touch screen's web app: the page, the kiosk's own API and the page's WebSocket. Served on loopback only.

`GET /` is the page, `GET /api/v1/state` what it shows, `POST /api/v1/actions|keep|leave` the pressed buttons, `/ws` all
of that on a socket, `GET /healthz` whether taps are taken; `/api/v1/demo/cards` is there with a simulated reader only.
Every error is JSON with `error` (English) and `code`; nothing of a person is in a URL or a log.
"""

import logging
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
from flask import Flask, Response, render_template, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from kiosk.front.counter import Counter, PressResult
from kiosk.front.screen import Screen
from kiosk.ui import guard
from kiosk.ui.catalogs import TRANSLATIONS, Catalog, read_catalogs
from kiosk.ui.display import Display, measure
from kiosk.ui.messages import MAX_BYTES, Health, Malformed, PageError, read_action, read_card
from kiosk.ui.sockets import add_page_socket

STATIC = Path(__file__).with_name("static")

log = logging.getLogger(__name__)


def create_app(counter: Counter, display: Display, translations: Path = TRANSLATIONS, max_sockets: int = 8) -> Flask:
    """The app in front of a counter, for a screen of that size, in the languages of a folder of catalogs."""
    app = Flask(__name__)
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = MAX_BYTES
    app.before_request(_refuse_strangers)
    app.after_request(guard.harden)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _breakage)

    page = _Page(counter, display, translations)
    app.add_url_rule("/", view_func=page.show, endpoint="page")
    _serve(app, "GET", "/healthz", lambda: _health(counter))
    _serve(app, "GET", "/api/v1/state", lambda: _json(counter.screen()))
    _serve(app, "POST", "/api/v1/actions", lambda: _act(counter))
    _serve(app, "POST", "/api/v1/keep", lambda: _json(counter.keep()))
    _serve(app, "POST", "/api/v1/leave", lambda: _json(counter.leave()))
    _serve(app, "GET", "/api/v1/demo/cards", lambda: _cards(counter))
    _serve(app, "POST", "/api/v1/demo/cards", lambda: _present(counter))
    add_page_socket(app, "/ws", counter, max_sockets)
    return app


class _Page:
    """The page: a shell with everything it needs to start, so that it is whole before it has asked for anything."""

    def __init__(self, counter: Counter, display: Display, translations: Path) -> None:
        self._counter = counter
        self._measures = asdict(measure(display))
        self._catalogs = read_catalogs(translations)
        self._modules = sorted(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*.js"))

    def show(self) -> str:
        words = self._site_language()
        start = {
            "display": self._measures,
            "catalogs": [msgspec.to_builtins(catalog) for catalog in self._catalogs],
            "demo": bool(self._counter.demo_cards()),
        }
        return render_template(
            "page.html",
            start=start,
            modules=self._modules,
            language=words.tag,
            _=lambda text: words.messages.get(text, text),
        )

    def _site_language(self) -> Catalog:
        """The first language of the site that there is a catalog for."""
        known = {catalog.tag: catalog for catalog in self._catalogs}
        wanted = (known[tag] for tag in self._counter.screen().languages if tag in known)
        return next(wanted, self._catalogs[0])


def _serve(app: Flask, method: str, path: str, view: Callable[[], Response]) -> None:
    app.add_url_rule(path, endpoint=f"{method} {path}", view_func=view, methods=[method])


def _act(counter: Counter) -> Response:
    asked = read_action(_body())
    if isinstance(asked, Malformed):
        return _json(PageError(error=asked.error, code=asked.code), 400)
    acted = counter.act(asked.action_type, asked.payload.patient_id, asked.action_id)
    return _acted(acted)


def _body() -> bytes:
    body = request.get_data()
    # A body of unknown length is cut at the limit without a word.
    if len(body) >= MAX_BYTES:
        raise RequestEntityTooLarge
    return body


def _acted(acted: PressResult) -> Response:
    if acted.error is None:
        return _json(acted.screen)
    fault = PageError(error=acted.error, code=acted.code or "refused", state=acted.screen)
    return _json(fault, 409 if acted.conflict else 400)


def _cards(counter: Counter) -> Response:
    cards = counter.demo_cards()
    return _json(cards) if cards else _no_simulated_reader()


def _present(counter: Counter) -> Response:
    if not counter.demo_cards():
        return _no_simulated_reader()
    asked = read_card(_body())
    if isinstance(asked, Malformed):
        return _json(PageError(error=asked.error, code=asked.code), 400)
    if error := counter.present(asked.uid):
        return _json(PageError(error=error, code="refused"), 400)
    return _json(counter.screen())


def _no_simulated_reader() -> Response:
    return _json(PageError(error="this kiosk has no simulated reader", code="not_found"), 404)


def _health(counter: Counter) -> Response:
    faults = counter.faults()
    return _json(Health("fault" if faults else "ok", faults), 503 if faults else 200)


def _json(body: Screen | PageError | Health | Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, mimetype="application/json")


def _refuse_strangers() -> Response | None:
    fault = guard.why_refused(request)
    return _json(fault, 403) if fault else None


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    answer = _json(PageError(error=error.name, code=error.name.lower().replace(" ", "_")), status)
    # Such as Allow, which a 405 must name.
    answer.headers.extend((k, v) for k, v in error.get_headers() if k not in {"Content-Type", "Content-Length"})
    return answer


def _breakage(error: Exception) -> Response:
    # The edge of a request: the person sees a sentence, the log where it broke.
    log.error("a request of the page broke", exc_info=error)
    return _json(PageError(error="the kiosk could not do that", code="internal"), 500)
