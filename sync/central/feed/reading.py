"""Reads the feed of events page by page, from a cursor on.

A page ends with a whole change, so a cursor is the number of the last change that it has told. The cursor bears the
incarnation of the database: a restored database gives the numbers of the lost changes again.
"""

import base64
import binascii
from dataclasses import dataclass

import msgspec

from sync.central.centre import Centre
from sync.central.feed.events import Event, event_of
from sync.central.records.event_rows import HistoryPlace, end_of_page, event_rows
from sync.central.records.site import SiteSettings, read_site
from sync.central.services.errors import ApiError
from sync.central.store.transactions import ReadTransaction

OLDEST, NOW = "oldest", "now"
_NO_CURSOR = ApiError("malformed", f"after: it is no cursor, and neither {OLDEST!r} nor {NOW!r}.")
_GONE = ApiError(
    "cursor_gone",
    "The database was restored, and what came before this cursor may be lost. Begin again, with after=oldest: events"
    " that you have got keep their ids.",
)


@dataclass(frozen=True, slots=True)
class ReadPage:
    """The events of some changes with their places, the last of these changes, and the last change of all."""

    site: SiteSettings
    events: tuple[Event, ...]
    places: tuple[HistoryPlace, ...]
    until: int
    latest: int

    @property
    def cursor(self) -> str:
        """The cursor after the page."""
        return write_cursor(self.site.server_incarnation, self.until)


def read_page(db: ReadTransaction, centre: Centre, after: int, limit: int) -> ReadPage:
    """The events of the changes after a change: about `limit`, and all of the last change. Raises NoSite."""
    site, latest = read_site(db), db.latest_change()
    if after >= latest:
        return ReadPage(site, (), (), after, latest)
    until = end_of_page(db, centre.definitions, after, limit)
    rows = event_rows(db, centre.definitions, after, until)
    events = tuple(event_of(centre.definitions, site, row) for row in rows)
    return ReadPage(site, events, tuple(row.place for row in rows), until, latest)


def place_of(db: ReadTransaction, after: str) -> int | ApiError:
    """The change after which a reader goes on, by its cursor or by the words `oldest` and `now`. Raises NoSite."""
    if after == OLDEST:
        return 0
    if after == NOW:
        return db.latest_change()
    try:
        incarnation, change = msgspec.json.decode(_decoded(after), type=tuple[str, int])
    except (msgspec.DecodeError, ValueError):
        return _NO_CURSOR
    if incarnation != read_site(db).server_incarnation or change > db.latest_change():
        return _GONE
    return change if change >= 0 else _NO_CURSOR


def write_cursor(incarnation: str, change: int) -> str:
    """The cursor after a change."""
    return base64.urlsafe_b64encode(msgspec.json.encode([incarnation, change])).rstrip(b"=").decode()


def _decoded(cursor: str) -> bytes:
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("not base64") from error
