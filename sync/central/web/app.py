"""The centre as a web application: every endpoint over one centre."""

import dataclasses
from http import HTTPStatus

import msgspec
from flask import Flask

from sync.central.centre import Centre
from sync.central.kiosks.pull import MAX_POLLS
from sync.central.maintenance.disk import WriteWatch
from sync.central.maintenance.timekeeper import doubt_of
from sync.central.records.web_settings import WebSettings
from sync.central.services.access_log import AccessLog
from sync.central.services.answers import Answer, accepted
from sync.central.web.card_api import card_api
from sync.central.web.endpoints import Endpoints
from sync.central.web.forwarded import behind_proxies
from sync.central.web.http import harden, respond
from sync.central.web.inbox_api import inbox_api
from sync.central.web.kiosk_api import kiosk_api
from sync.central.web.origins import Origins
from sync.central.web.patient_api import patient_api
from sync.central.web.patient_socket import add_patient_socket
from sync.central.web.queue_api import queue_api
from sync.central.web.staff_api import staff_api
from sync.websocket.limits import SocketLimits


def create_app(
    centre: Centre, limits: SocketLimits, most_waiting: int = MAX_POLLS, web: WebSettings | None = None
) -> Flask:
    """The application. At most `most_waiting` pulls of kiosks wait for news at a time.

    `web` says which proxies are believed and which other origins may call. Without it there are none.
    """
    web = web or WebSettings()
    origins = Origins(web)
    app = Flask(__name__, static_folder=None)
    # A path without its last slash is served as it is: a redirect would name http:// behind a proxy that ends TLS, and
    # many clients, WebSocket ones among them, follow none.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    harden(app)
    endpoints = Endpoints(centre, AccessLog(centre.store))
    app.register_blueprint(patient_api(centre, endpoints))
    app.register_blueprint(queue_api(centre, endpoints))
    app.register_blueprint(staff_api(centre, endpoints))
    app.register_blueprint(card_api(centre, endpoints))
    app.register_blueprint(inbox_api(centre, endpoints))
    app.register_blueprint(kiosk_api(centre, most_waiting))
    add_patient_socket(app, centre, endpoints, limits, origins)
    app.wsgi_app = behind_proxies(origins.with_cors(app.wsgi_app), web.trusted_proxies)  # type: ignore[method-assign, assignment]

    writes = WriteWatch(centre.store)
    app.get("/healthz")(lambda: respond(_health(centre, writes)))
    return app


def _health(centre: Centre, writes: WriteWatch) -> Answer:
    """Whether the centre works, for programs that watch it or send it requests."""
    centre.store.probe()
    if trouble := writes.trouble():
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE, msgspec.json.encode({"status": trouble}))
    if centre.store.damage:
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE, msgspec.json.encode({"status": "damaged"}))
    doubt = doubt_of(centre.clock)
    return accepted({"status": "clock_in_doubt", **dataclasses.asdict(doubt)} if doubt else {"status": "ok"})
