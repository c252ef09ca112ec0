"""The route to the centre that the configuration describes."""

from urllib.parse import urlsplit

from kiosk.addresses import is_loopback
from kiosk.config import CentralSection
from sync.agent.route import Route


def route_to_centre(central: CentralSection) -> Route:
    """Returns the route of `[central]`. Its files are read at each connection."""
    return Route(
        ca_file=central.ca_file,
        client_cert=central.client_cert,
        client_key=central.client_key,
        proxy=central.proxy.rstrip("/"),
        proxy_login_file=central.proxy_login_file,
    )


def faults_of_route(central: CentralSection) -> tuple[str, ...]:
    """Returns what is wrong with the route, in words: that it is not encrypted. Empty where nothing is."""
    parts = urlsplit(central.url)
    if parts.scheme != "http" or (is_loopback(parts.hostname) and not central.proxy):
        return ()
    return ("the network can read this kiosk's token and its patients: [central] url is http, by plain_http = true",)
