"""What the cursor that a kiosk names shows: whether the centre gave it, and whether more of the roster follows it.

A cursor beyond the last change shows that the database was set back, and then all kiosks send everything again. So a
made-up cursor could reset them all, again and again. A cursor therefore comes with a MAC under a secret that only the
database has: a kiosk cannot make one for a cursor that it did not get. A cursor of the past needs no proof, since a
lie about it costs the kiosk alone.

The MAC also tells the page after which there is more. So a kiosk that has the whole roster can show that, and any
process of the centre can tell, without a memory of its answers.
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
    is_given = any(_is_given(moment, kiosk_id, request, more=more) for more in (False, True))
    return Cursor.LOST if is_given else Cursor.MADE_UP


def has_whole_roster(moment: Moment, kiosk_id: str, request: PullRequest) -> bool:
    """Whether the cursor came with a page of this incarnation after which there was no more."""
    return _is_given(moment, kiosk_id, request, more=False)


def wants_next_page(moment: Moment, kiosk_id: str, request: PullRequest) -> bool:
    """Whether the cursor came with a page of this incarnation after which there was more."""
    return request.cursor < moment.latest and _is_given(moment, kiosk_id, request, more=True)


def cursor_mac(moment: Moment, kiosk_id: str, cursor: int, *, more: bool) -> str:
    """The MAC (HMAC-SHA-256, hex) of a cursor that the centre gives to a kiosk in this incarnation.

    `more`: another page follows the one of the cursor.
    """
    text = canonical([moment.server_incarnation, kiosk_id, cursor, more])
    return hmac.digest(moment.cursor_secret.encode(), text, "sha256").hex()


def _is_given(moment: Moment, kiosk_id: str, request: PullRequest, *, more: bool) -> bool:
    given = cursor_mac(moment, kiosk_id, request.cursor, more=more)
    # Any text may come, and `compare_digest` raises for text beyond ASCII.
    return hmac.compare_digest(given.encode(), request.cursor_mac.encode())
