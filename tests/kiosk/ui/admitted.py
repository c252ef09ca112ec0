"""How the tests get into a page: by the keys and cookies of one admission, which all their servers have."""

from __future__ import annotations

from kiosk.ui.admission import Admission

ADMISSION = Admission(b"the tests' own signing key")


def cookie_of(port: int) -> dict[str, str]:
    """The header of a browser that was let in by the server at this port."""
    return {"Cookie": f"nfc-kiosk-page-{port}={ADMISSION.make_cookie()}"}
