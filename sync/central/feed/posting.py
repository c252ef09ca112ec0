"""Posts one message to the receiver of a webhook, and says what became of it."""

import ssl
from collections.abc import Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from sync.central.feed.fate import Fate, Posted

_CONNECT_S, _ANSWER_S = 10.0, 20.0
_LONGEST_PAUSE_S = 3600.0
_GONE = 410
# Answers about this very message. Any other one is about the receiver, which may be restarted or set up wrongly.
_ABOUT_THE_MESSAGE = frozenset({400, 409, 413, 415, 422})


class Poster:
    """Posts messages. For one thread.

    A redirect is not followed, and the body of an answer is not read. The system's store of certificates is trusted.
    The environment names a proxy (`HTTPS_PROXY`, `NO_PROXY`).
    """

    def __init__(self) -> None:
        self._session = requests.Session()
        self._session.mount("https://", _OfTheSystem())

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Posted:
        """Sends a message, and waits for the status of the answer."""
        try:
            answer = self._session.post(
                url,
                body,
                headers={"Content-Type": "application/json", "User-Agent": "nfc-kiosk", **headers},
                timeout=(_CONNECT_S, _ANSWER_S),
                allow_redirects=False,
                stream=True,
                auth=_without_login,
            )
        except (requests.RequestException, OSError, ValueError) as error:
            return Posted(Fate.FAILED, _in_words(error))
        answer.close()
        return _posted(answer.status_code, answer.headers.get("Retry-After", ""))


class _OfTheSystem(HTTPAdapter):
    """Trusts the system's store. The base class would trust the CAs of certifi."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=_context())

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, **kwargs, ssl_context=_context())

    def cert_verify(self, conn: Any, *_: object) -> None:
        conn.cert_reqs = "CERT_REQUIRED"


def _context() -> ssl.SSLContext:
    """As towards the centre: one behaviour for every Python, which takes the certificates of many in-house CAs."""
    context = ssl.create_default_context()
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _posted(status: int, retry_after: str) -> Posted:
    if 200 <= status < 300:
        return Posted(Fate.TAKEN)
    why = f"HTTP {status}"
    if status == _GONE:
        return Posted(Fate.UNWANTED, why)
    if status in _ABOUT_THE_MESSAGE:
        return Posted(Fate.REFUSED, why)
    asked_s = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0.0
    return Posted(Fate.FAILED, why, min(asked_s, _LONGEST_PAUSE_S))


def _in_words(error: Exception) -> str:
    """The kind of a failure. Its text could quote the URL, and so a secret in it."""
    return type(error).__name__


def _without_login(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Adds no login: `requests` would look for one in ~/.netrc."""
    return request
