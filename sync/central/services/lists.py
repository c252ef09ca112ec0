"""How long a list in an answer may be, over HTTP and at the command line, and where it begins."""

from typing import Annotated

import msgspec

MAX_ROWS = 500
Limit = Annotated[int, msgspec.Meta(ge=1, le=MAX_ROWS)]


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a list: at most `limit` rows, from the one after the row `after` on, or from the first one."""

    after: str | None = None
    limit: Limit = MAX_ROWS


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a list that ends with the newest row: at most `limit` rows, those before the place `before`."""

    before: str | None = None
    limit: Limit = MAX_ROWS


FIRST, NEWEST = Page(), Earlier()
