"""The touch screen's web app: the page, its API and its WebSocket, served on loopback only.

`GET /` is the page, `GET /api/v1/state` the screen, `POST /api/v1/actions|keep|leave|touch|pace` what a finger does.
`/ws` offers the same on a socket. `GET /client/NAME` is a module that the page shares with the apps of the centre,
`GET /page/NAME` one that it shares with the centre's own pages. `GET /healthz` says whether taps are accepted.
`/api/v1/demo/cards` exists with a simulated reader only. All but `/healthz` needs the cookie that `GET /open/KEY`
gives. Every error is JSON with `error` (English) and `code`; a browser that opens the page without a cookie gets a
page. No URL and no log holds data of a person.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from flask import Flask, Response, render_template, request, send_file
from werkzeug.exceptions import HTTPException, NotFound, RequestEntityTooLarge

from kiosk.front.counter import Counter, PressResult
from kiosk.front.offer import DEAD_S, Misplaced
from kiosk.front.screen import Screen
from kiosk.ui import guard
from kiosk.ui.admission import Admission
from kiosk.ui.display import Display, measure
from kiosk.ui.entrance import add_entrance
from kiosk.ui.messages import (
    FAILED,
    MAX_BYTES,
    PERSON_COMMANDS,
    Health,
    Malformed,
    PageError,
    read_action,
    read_card,
    read_person_command,
)
from kiosk.ui.sockets import add_page_socket, obey
from sync.client import modules
from sync.page import modules as page_modules
from sync.words.catalogs import TRANSLATIONS as SHARED_WORDS
from sync.words.catalogs import Catalog, read_catalogs

STATIC = Path(__file__).with_name("static")
TRANSLATIONS = Path(__file__).with_name("translations")  # the catalogs of the words of this screen alone
HOMES = (SHARED_WORDS, TRANSLATIONS)
# What the page takes from the client library.
_OF_CLIENT = {name: modules()[name] for name in ("actions.js", "backoff.js", "channel.js", "latest.js", "timers.js")}
# The folders of modules that the page shares with the centre's pages.
_SHARED = {"client": _OF_CLIENT, "page": page_modules()}

log = logging.getLogger(__name__)


def create_app(
    counter: Counter,
    display: Display,
    admission: Admission,
    translations: Sequence[Path] = HOMES,
    max_sockets: int = 8,
    dead_s: float = DEAD_S,
    when_shown: Callable[[int], object] = lambda _: None,
) -> Flask:
    """Makes the app in front of a counter, for a screen of that size, in the languages of these folders of catalogs.

    `admission` says which browser gets in. The page's new buttons are dead for `dead_s` seconds. `when_shown` gets the
    frame of each screen that was sent to a page.
    """
    catalogs = read_catalogs(*translations)
    app = Flask(__name__)
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = MAX_BYTES
    app.before_request(_refuse_foreign_requests)
    add_entrance(app, admission, catalogs, "GET /healthz")
    app.after_request(guard.harden)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _internal_error)

    page = _Page(counter, display, catalogs, dead_s)
    app.add_url_rule("/", view_func=page.show, endpoint="page")
    for folder in _SHARED:
        app.add_url_rule(
            f"/{folder}/<name>", view_func=partial(_shared_module, folder), endpoint=f"modules of {folder}"
        )
    _serve(app, "GET", "/healthz", lambda: _health(counter))
    _serve(app, "GET", "/api/v1/state", lambda: _json(counter.screen()))
    _serve(app, "POST", "/api/v1/actions", lambda: _act(counter))
    for name in PERSON_COMMANDS:
        _serve(app, "POST", f"/api/v1/{name}", partial(_obey, counter, name))
    _serve(app, "GET", "/api/v1/demo/cards", lambda: _cards(counter))
    _serve(app, "POST", "/api/v1/demo/cards", lambda: _present(counter))
    add_page_socket(app, "/ws", counter, max_sockets, when_shown)
    return app


class _Page:
    """The page with everything that it needs to start, so that it is complete without a request."""

    def __init__(self, counter: Counter, display: Display, catalogs: tuple[Catalog, ...], dead_s: float) -> None:
        self._counter = counter
        self._dead_ms = round(dead_s * 1000)
        self._measures = asdict(measure(display))
        self._catalogs = catalogs
        own = sorted(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*.js"))
        shared = (f"/{folder}/{name}" for folder, names in _SHARED.items() for name in names)
        self._modules = [*(f"/static/{name}" for name in own), *shared]

    def show(self) -> str:
        words = self._site_language()
        start = {
            "display": self._measures,
            "catalogs": [msgspec.to_builtins(catalog) for catalog in self._catalogs],
            "demo": bool(self._counter.demo_cards()),
            "dead_ms": self._dead_ms,
        }
        return render_template(
            "page.html",
            start=start,
            modules=self._modules,
            language=words.tag,
            _=lambda text: words.messages.get(text, text),
        )

    def _site_language(self) -> Catalog:
        """The first language of the site that has a catalog."""
        known = {catalog.tag: catalog for catalog in self._catalogs}
        wanted = (known[tag] for tag in self._counter.screen().languages if tag in known)
        return next(wanted, self._catalogs[0])


def _serve(app: Flask, method: str, path: str, view: Callable[[], Response]) -> None:
    app.add_url_rule(path, endpoint=f"{method} {path}", view_func=view, methods=[method])


def _shared_module(folder: str, name: str) -> Response:
    if name not in _SHARED[folder]:
        raise NotFound
    return send_file(_SHARED[folder][name])


def _act(counter: Counter) -> Response:
    press = read_action(_body())
    if isinstance(press, Malformed):
        return _json(PageError(error=press.error, code=press.code), 400)
    return _press_result(counter.act(press.press))


def _obey(counter: Counter, name: str) -> Response:
    command = read_person_command(name, _body())
    if isinstance(command, Malformed):
        return _json(PageError(error=command.error, code=command.code), 400)
    return _json(obey(counter, command))


def _body() -> bytes:
    body = request.get_data()
    # Flask cuts a body of unknown length at the limit, without an error.
    if len(body) >= MAX_BYTES:
        raise RequestEntityTooLarge
    return body


def _press_result(result: PressResult) -> Response:
    if result.error is None:
        return _json(result.screen)
    error = PageError(error=result.error, code=result.code or "refused", state=result.screen)
    return _json(error, 409 if result.code in set(Misplaced) else 400)


def _cards(counter: Counter) -> Response:
    cards = counter.demo_cards()
    return _json(cards) if cards else _no_simulated_reader()


def _present(counter: Counter) -> Response:
    if not counter.demo_cards():
        return _no_simulated_reader()
    card = read_card(_body())
    if isinstance(card, Malformed):
        return _json(PageError(error=card.error, code=card.code), 400)
    if error := counter.present(card.uid):
        return _json(PageError(error=error, code="refused"), 400)
    return _json(counter.screen())


def _no_simulated_reader() -> Response:
    return _json(PageError(error="this kiosk has no simulated reader", code="not_found"), 404)


def _health(counter: Counter) -> Response:
    faults = counter.faults()
    return _json(Health("fault" if faults else "ok", faults), 503 if faults else 200)


def _json(body: Screen | PageError | Health | Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, mimetype="application/json")


def _refuse_foreign_requests() -> Response | None:
    error = guard.check_request(request)
    return _json(error, 403) if error else None


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    answer = _json(PageError(error=error.name, code=error.name.lower().replace(" ", "_")), status)
    # The answer keeps the headers of the error, such as the Allow of a 405.
    answer.headers.extend((k, v) for k, v in error.get_headers() if k not in {"Content-Type", "Content-Length"})
    return answer


def _internal_error(error: Exception) -> Response:
    # The edge of a request: the person sees a sentence, the log has the traceback.
    log.error("a request of the page failed", exc_info=error)
    return _json(PageError(error=FAILED, code="internal"), 500)
