"""Posts one message to the receiver of a webhook, and says what became of it."""

from collections.abc import Mapping

import requests

from sync.central.feed.fate import Fate, Posted
from sync.central.tls.trust import OfTheSystem

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
        self._session.mount("https://", OfTheSystem())

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
