"""The kiosk's page without a browser: it reads the screen and presses its button, as the page does."""

import time
from typing import Any

import requests

from kiosk.demo import hospital
from kiosk.demo.hospital import Places
from sync.ids import new_id

TIMEOUT_S = 30.0
DEAD_S = 30.0  # a new button is dead for a moment, and a busy machine prolongs it
AGAIN_S = 0.05


class OpenPage:
    """An open page of a running kiosk. It is admitted at its first request, and outlives a restart of the kiosk.

    Every method raises ControlError, NotRunning or requests.RequestException where the kiosk does not answer.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._cookies: dict[str, str] = {}

    def screen(self) -> Any:
        """Returns the screen of this moment, as JSON."""
        url = f"{self._places.kiosk_url}/api/v1/state"
        return requests.get(url, cookies=self.cookies(), timeout=TIMEOUT_S).json()

    def press(self, screen: Any, action_id: str | None = None, **changes: Any) -> requests.Response:
        """Presses the button of a screen as soon as it lives, and returns the answer.

        `changes` are members of the request that are to differ.
        """
        body = {
            "action_type": screen["next_action"],
            "payload": {"patient_id": screen["patient"]["patient_id"]},
            "offer": screen["offer"],
            "action_id": action_id or new_id(),
        } | changes
        end = time.monotonic() + DEAD_S
        while (answer := self._post(body)).status_code == requests.codes.conflict and time.monotonic() < end:
            if answer.json()["code"] != "too_soon":
                break
            time.sleep(AGAIN_S)
        return answer

    def cookies(self) -> dict[str, str]:
        """Returns the cookies of the page."""
        if not self._cookies:
            answer = requests.get(hospital.page_url(self._places), allow_redirects=False, timeout=TIMEOUT_S)
            answer.raise_for_status()
            self._cookies = answer.cookies.get_dict()
        return self._cookies

    def _post(self, body: dict[str, Any]) -> requests.Response:
        return requests.post(
            f"{self._places.kiosk_url}/api/v1/actions",
            json=body,
            headers={"X-Kiosk": "1"},
            cookies=self.cookies(),
            timeout=TIMEOUT_S,
        )
