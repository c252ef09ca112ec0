"""The feed of events over REST, for the hospital's system."""

import sqlite3
import time
from collections.abc import Callable
from functools import partial
from typing import Annotated

import msgspec
from flask import Blueprint, Response, request

from sync.central.centre import Centre
from sync.central.feed.events import Event
from sync.central.feed.reading import OLDEST, ReadPage, place_of, read_page
from sync.central.feed.waiting import LONGEST_WAIT_S, FeedWaits, WaitingReader
from sync.central.records.audit_kinds import AuditKind
from sync.central.services.authentication import authenticate
from sync.central.services.errors import ApiError
from sync.central.services.lists import Limit
from sync.central.services.requester import Requester
from sync.central.services.told import Told, told_of
from sync.central.store.errors import trouble_in_words
from sync.central.web.contract import Contract
from sync.central.web.endpoints import Endpoints, read_query, requester_of
from sync.central.web.http import respond_error
from sync.central.web.later import Deliver, late, respond_later
from sync.central.web.senders import header_token
from sync.journey.model import Role


class EventQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the feed: what follows the cursor `after`, or `oldest`, or `now`. A page has about `limit` events.

    What was committed together is told together, so a page may have a few more. Without an event the answer waits up to
    `wait` seconds for one.
    """

    after: str = OLDEST
    limit: Limit = 100
    wait: Annotated[float, msgspec.Meta(ge=0, le=LONGEST_WAIT_S)] = 0.0


class EventPage(msgspec.Struct, frozen=True):
    """Events in the order in which the centre took them. Read on from `cursor`. `more`: others follow already."""

    events: tuple[Event, ...]
    cursor: str
    more: bool


def events_api(centre: Centre, endpoints: Endpoints) -> Blueprint:
    """The route /api/v1/events/, which the token of an integration opens."""
    api = Blueprint("events", __name__, url_prefix="/api/v1/events")
    waits = FeedWaits(centre.store.news)
    roles = (Role.INTEGRATION,)

    @api.get("/")
    @endpoints.documented(
        Contract("Read what happened, page by page", EventPage, roles, query=EventQuery, refuses=("cursor_gone",))
    )
    def events() -> Response:
        sender = authenticate(centre, header_token(), roles, request.remote_addr)
        query = sender if isinstance(sender, ApiError) else read_query(EventQuery)
        if isinstance(query, ApiError):
            return respond_error(query)
        assert not isinstance(sender, ApiError)
        requester, page = requester_of(sender), _page(centre, query)
        if isinstance(page, ApiError) or page.events or not query.wait:
            return endpoints.answer(requester, page if isinstance(page, ApiError) else _told(page))
        return respond_later(request.environ, partial(_park, centre, endpoints, waits, requester, page, query))

    return api


def _page(centre: Centre, query: EventQuery) -> ReadPage | ApiError:
    with centre.store.read() as db:
        after = place_of(db, query.after)
        return after if isinstance(after, ApiError) else read_page(db, centre, after, query.limit)


def _park(
    centre: Centre,
    endpoints: Endpoints,
    waits: FeedWaits,
    requester: Requester,
    before: ReadPage,
    query: EventQuery,
    deliver: Deliver,
) -> Callable[[], None]:
    """Lets a call wait for an event after the page `before`. Returns what its client's leaving calls."""

    def answer(is_last: bool) -> bool:
        try:
            with centre.store.read() as db:
                page = read_page(db, centre, before.until, query.limit)
            if page.events or is_last:
                deliver(late(endpoints.answer(requester, _told(page))))
                return True
        except sqlite3.Error as error:
            deliver(late(respond_error(ApiError("busy", f"{trouble_in_words(error)}."))))
            return True
        return False

    reader = WaitingReader(answer, time.monotonic() + query.wait)
    if not waits.enter(reader):
        answer(True)
    return lambda: waits.leave(reader)


def _told(page: ReadPage) -> Told:
    """What a page tells, of the patients whom it names."""
    value = EventPage(page.events, page.cursor, page.until < page.latest)
    named = [name for each in page.events for name in (each.patient_id, each.merged_patient_id) if name is not None]
    return told_of(value, AuditKind.TOLD_EVENTS, named)
