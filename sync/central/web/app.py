"""The centre as a web application: every endpoint over one centre."""

from flask import Flask

from sync.central.centre import Centre
from sync.central.kiosks.pull import MOST_WAITING
from sync.central.network.forwarded import behind_proxies
from sync.central.network.web_settings import WebSettings
from sync.central.services.board_feed import BoardFeed
from sync.central.services.passwords import Passwords
from sync.central.web.accounts_api import accounts_api
from sync.central.web.api_app import ApiApp
from sync.central.web.board_api import board_api
from sync.central.web.board_socket import add_board_socket
from sync.central.web.card_api import card_api
from sync.central.web.client_api import add_client_api
from sync.central.web.desk_api import desk_api
from sync.central.web.desk_card_api import desk_card_api
from sync.central.web.documents_api import add_documents_api
from sync.central.web.endpoints import Endpoints
from sync.central.web.events_api import events_api
from sync.central.web.handshake import Handshakes
from sync.central.web.health_api import add_health_api
from sync.central.web.http import harden
from sync.central.web.import_api import import_api
from sync.central.web.inbox_api import inbox_api
from sync.central.web.inbox_socket import add_inbox_socket
from sync.central.web.kiosk_api import add_kiosk_api
from sync.central.web.log_api import log_api
from sync.central.web.metrics_api import add_metrics_api
from sync.central.web.origins import Origins
from sync.central.web.own_account_api import own_account_api
from sync.central.web.patient_api import patient_api
from sync.central.web.patient_socket import add_patient_socket
from sync.central.web.plain_ways import watch_plain_ways
from sync.central.web.press_api import press_api
from sync.central.web.queue_api import queue_api
from sync.central.web.session_api import session_api
from sync.central.web.shadow_api import shadow_api
from sync.central.web.sign_in_api import sign_in_api
from sync.central.web.socket_places import SocketPlaces
from sync.central.web.staff.provider_page import add_provider_pages
from sync.central.web.staff.shell import Shell
from sync.central.web.staff.sign_in_page import add_sign_in_pages
from sync.central.web.staff_api import staff_api
from sync.central.web.visit_api import visit_api
from sync.central.web.visit_page import add_visit_page


def create_app(
    centre: Centre,
    sockets: SocketPlaces,
    most_waiting: int = MOST_WAITING,
    web: WebSettings | None = None,
    *,
    proxies_only: bool = False,
) -> Flask:
    """The application. At most `most_waiting` pulls of kiosks wait for news at a time.

    `web` says which proxies are believed and which other origins may call. Without it there are none. With
    `proxies_only`, other machines are answered through such a proxy alone.
    """
    web = web or WebSettings()
    origins = Origins(web)
    app = ApiApp(__name__, static_folder=None)
    # A path without its last slash is served as it is: a redirect would name http:// behind a proxy that ends TLS, and
    # many clients, WebSocket ones among them, follow none.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    harden(app)
    endpoints = Endpoints(centre, origins)
    boards = BoardFeed(centre)
    app.register_blueprint(patient_api(centre, endpoints))
    app.register_blueprint(visit_api(centre, endpoints))
    app.register_blueprint(session_api(centre, endpoints, origins))
    passwords = Passwords()
    app.register_blueprint(sign_in_api(centre, endpoints, origins, passwords, web))
    app.register_blueprint(own_account_api(centre, endpoints, origins, passwords, web))
    app.register_blueprint(accounts_api(centre, endpoints))
    app.register_blueprint(queue_api(centre, endpoints))
    app.register_blueprint(board_api(centre, endpoints, boards))
    app.register_blueprint(press_api(centre, endpoints))
    app.register_blueprint(staff_api(centre, endpoints))
    app.register_blueprint(card_api(centre, endpoints))
    app.register_blueprint(desk_api(centre, endpoints))
    app.register_blueprint(desk_card_api(centre, endpoints))
    app.register_blueprint(inbox_api(centre, endpoints))
    app.register_blueprint(log_api(centre, endpoints))
    app.register_blueprint(shadow_api(centre, endpoints))
    app.register_blueprint(events_api(centre, endpoints))
    app.register_blueprint(import_api(centre, endpoints))
    add_kiosk_api(app, centre, most_waiting, contracts=endpoints.contracts)
    add_health_api(app, centre, endpoints.contracts)
    add_metrics_api(app, centre, endpoints.contracts)
    add_documents_api(app, endpoints.contracts)
    add_client_api(app, endpoints.contracts)
    add_visit_page(app, endpoints.contracts)
    shell = Shell(centre)
    shell.add_to(
        app,
        lambda api: add_sign_in_pages(api, shell, centre),
        lambda api: add_provider_pages(api, shell, centre, web),
    )
    handshakes = Handshakes(centre, sockets, origins)
    add_patient_socket(app, centre, handshakes)
    add_board_socket(app, centre, handshakes, boards)
    add_inbox_socket(app, centre, handshakes)
    answering = behind_proxies(origins.with_cors(app.wsgi_app), web.trusted_proxies)
    app.wsgi_app = watch_plain_ways(answering, web, proxies_only=proxies_only)  # type: ignore[method-assign, assignment]
    return app
