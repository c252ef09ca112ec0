"""Requests that came unencrypted over a network, to a centre whose proxies bring the https.

Such a request has shown its token to the network. One that reached the centre beside its proxy is refused, so that
nobody goes on with it. One that a proxy took over http is served, since only the proxy can refuse it in time. The log
names it.
"""

import ipaddress
import logging
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Response

from sync.central.network.forwarded import FORWARDED_PROTO, Address, last_entry, read_address
from sync.central.network.web_settings import WebSettings
from sync.central.services.errors import ApiError
from sync.central.web.http import respond_error

log = logging.getLogger(__name__)


def watch_plain_ways(application: WSGIApplication, web: WebSettings, *, proxies_only: bool) -> WSGIApplication:
    """An application that answers other machines through a proxy alone, where `proxies_only` says so.

    It logs the first request that a proxy took over http, where the public URL is https.
    """
    networks = [ipaddress.ip_network(network) for network in web.trusted_proxies]
    if not networks and not proxies_only:
        return application
    url = web.public_url
    warned: set[str] = set()

    def is_proxy(address: Address | None) -> bool:
        return address is not None and any(address in network for network in networks)

    def watched(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        peer = read_address(environ.get("REMOTE_ADDR", ""))
        if is_proxy(peer):
            if url.startswith("https:") and last_entry(environ.get(FORWARDED_PROTO, "")).lower() == "http":
                _warn(str(peer), url, warned)
        elif proxies_only and not (peer and peer.is_loopback):
            return _refuse(url)(environ, start_response)
        return application(environ, start_response)

    return watched


def _refuse(url: str) -> Response:
    response = respond_error(ApiError("https_only", f"This port answers its proxies alone: use {url}."))
    response.headers["Cache-Control"] = "no-store"
    response.headers["Connection"] = "close"
    return response


def _warn(peer: str, url: str, warned: set[str]) -> None:
    if peer not in warned:  # as many as there are proxies
        warned.add(peer)
        log.warning(
            "the proxy at %s took a request over http: its token crossed the network in clear; let the proxy serve"
            " %s alone",
            peer,
            url,
        )
