"""The centre as a web application: every endpoint over one journey service."""

from collections.abc import Iterable

from flask import Blueprint, Flask, Response

from sync.central.api import journey_api
from sync.central.live import add_live
from sync.central.service import JourneyService
from sync.central.sockets import Sockets
from sync.central.staff_api import staff_api
from sync.central.web import harden, reply


def create_app(service: JourneyService, sockets: Sockets, more: Iterable[Blueprint] = ()) -> Flask:
    """The application; `more` are the endpoints of the wire to the kiosks."""
    app = Flask(__name__, static_folder=None)
    harden(app)
    app.register_blueprint(journey_api(service))
    app.register_blueprint(staff_api(service))
    for blueprint in more:
        app.register_blueprint(blueprint)
    add_live(app, service, sockets)

    @app.get("/healthz")
    def healthz() -> Response:
        with service.store.read() as db:
            db.latest_change()
        return reply({"status": "ok"})

    return app
