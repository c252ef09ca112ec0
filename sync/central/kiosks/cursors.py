"""Whether the centre gave a kiosk the cursor that it names.

A cursor beyond the last change shows that the database was set back, and then all kiosks send everything again. So a
made-up cursor could reset them all, again and again. A cursor therefore comes with a MAC under a secret that only the
database has: a kiosk cannot make one for a cursor that it did not get. A cursor of the past needs no proof, since a
lie about it costs the kiosk alone.
"""

import hmac
from enum import Enum, auto

from sync.central.records.standings import Moment
from sync.protocol import PullRequest, canonical


class Cursor(Enum):
    """What the cursor of a request is."""

    PAST = auto()  # of this incarnation and not beyond the last change, or of another incarnation
    LOST = auto()  # beyond the last change, and the centre gave it: the database was set back
    MADE_UP = auto()  # beyond the last change, and the centre never gave it to this kiosk


def kind_of_cursor(moment: Moment, kiosk_id: str, request: PullRequest) -> Cursor:
    """What the cursor is that a kiosk names. `kiosk_id` is the kiosk of the token."""
    is_of_now = request.server_incarnation in (None, moment.server_incarnation)
    if not is_of_now or request.cursor <= moment.latest:
        return Cursor.PAST
    given = cursor_mac(moment, kiosk_id, request.cursor)
    # Any text may come, and `compare_digest` raises for text beyond ASCII.
    is_given = hmac.compare_digest(given.encode(), request.cursor_mac.encode())
    return Cursor.LOST if is_given else Cursor.MADE_UP


def cursor_mac(moment: Moment, kiosk_id: str, cursor: int) -> str:
    """The MAC (HMAC-SHA-256, hex) of a cursor that the centre gives to a kiosk in this incarnation."""
    text = canonical([moment.server_incarnation, kiosk_id, cursor])
    return hmac.digest(moment.cursor_secret.encode(), text, "sha256").hex()
