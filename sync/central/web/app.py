"""The centre as a web application: every endpoint over one journey service."""

import dataclasses

from flask import Flask, Response

from sync.central.maintenance.timekeeper import doubt_of
from sync.central.services.journey_service import JourneyService
from sync.central.web.http import harden, reply
from sync.central.web.inbox_api import desk_api
from sync.central.web.kiosk_api import sync_api
from sync.central.web.patient_api import journey_api
from sync.central.web.patient_socket import add_live
from sync.central.web.socket_limits import SocketLimits
from sync.central.web.staff_api import staff_api

MAX_POLLS = 32


def create_app(service: JourneyService, sockets: SocketLimits, most_waiting: int = MAX_POLLS) -> Flask:
    """The application. `most_waiting` of the kiosks' pulls may wait for news at a time."""
    app = Flask(__name__, static_folder=None)
    # A path without its last slash is served as it is: a redirect would name http:// behind a proxy that ends TLS, and
    # many clients, WebSocket ones among them, follow none.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    harden(app)
    app.register_blueprint(journey_api(service))
    app.register_blueprint(staff_api(service))
    app.register_blueprint(desk_api(service))
    app.register_blueprint(sync_api(service, most_waiting))
    add_live(app, service, sockets)

    @app.get("/healthz")
    def healthz() -> Response:
        with service.store.read() as db:
            db.latest_change()
        doubt = doubt_of(service.clock)
        return reply({"status": "clock_in_doubt", **dataclasses.asdict(doubt)} if doubt else {"status": "ok"})

    return app
