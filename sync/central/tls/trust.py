"""Which certificates of other servers the centre trusts: those that the system trusts."""

import ssl
from typing import Any

from requests.adapters import HTTPAdapter


class OfTheSystem(HTTPAdapter):
    """Trusts the system's store. The base class would trust the CAs of certifi."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Gives connections that context."""
        super().init_poolmanager(*args, **kwargs, ssl_context=_context())

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Gives connections through a proxy that context."""
        return super().proxy_manager_for(proxy, **kwargs, ssl_context=_context())

    def cert_verify(self, conn: Any, *_: object) -> None:
        """Adds no other store."""
        conn.cert_reqs = "CERT_REQUIRED"


def _context() -> ssl.SSLContext:
    """As towards the centre: one behaviour for every Python, which takes the certificates of many in-house CAs."""
    context = ssl.create_default_context()
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
