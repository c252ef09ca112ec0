"""The route to the centre that the configuration describes."""

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
