"""What each endpoint takes and tells, said once: beside its view, for its reader, the document and the tests."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from sync.central.network.headers import JSON
from sync.central.records.duties import OF_PROGRAMS, Duty
from sync.central.services.error_codes import CODES
from sync.journey.model import RefusalCode, Role
from sync.protocol import EndCode

EVERYWHERE = ("malformed", "https_only", "too_slow", "internal", "busy")
_OF_A_TOKEN = ("unauthorized", "forbidden", "no_site")
_OF_A_PAGE = ("foreign_origin", "stale_page")
_OF_A_VISIT = ("visit_unknown", "visit_ended")
_OF_A_BODY = ("unsupported_media_type", "too_large")
OF_AN_ACTION = ("invalid_action_id", "invalid_payload", "action_id_reused")
_OF_KIOSKS = (RefusalCode.PROOF_MISSING, RefusalCode.TOO_LARGE)
BY_THE_RULES = tuple(each.value for each in RefusalCode if each not in _OF_KIOSKS)


class Contract(msgspec.Struct, frozen=True):
    """An endpoint: what it is for, what it takes, what it tells, and the codes of its refusals.

    - `tells`: the type of its answer.
    - `roles`: whose tokens it takes; none where it takes a request without a token.
    - `duties`: of staff, it takes those with one of these duties.
    - `of_pages`: it takes the cookie of a person's session too, from a page of the centre.
    - `query`, `body`: the types of the members of its query and of its body.
    - `refuses`: its own codes, beside those that its token and its body bring.
    - `ends`: the codes of a call of a kiosk, whose refusals are of another form.
    - `media`: the media type of its answer. `is_cached`: it has an entity tag, and caches may keep it.
    - `takes`: the media types of a body that is a document of the hospital.
    - `goes_on`: the answer may be 202, where what was begun goes on.
    - `fails`: the type of an answer with 503 that is no error, such as that of the health.
    - `by_cookie`: it takes the cookie of a session in place of a token.
    """

    title: str
    tells: Any
    roles: tuple[Role, ...] = ()
    query: type[msgspec.Struct] | None = None
    body: type[msgspec.Struct] | None = None
    status: HTTPStatus = HTTPStatus.OK
    refuses: tuple[str, ...] = ()
    ends: tuple[EndCode, ...] = ()
    media: str = JSON
    is_cached: bool = False
    fails: type[msgspec.Struct] | None = None
    by_cookie: bool = False
    takes: tuple[str, ...] = ()
    goes_on: bool = False
    duties: frozenset[Duty] = OF_PROGRAMS
    of_pages: bool = False

    @property
    def kinds(self) -> list[Any]:
        """The types that it names."""
        return [kind for kind in (self.tells, self.query, self.body, self.fails) if kind is not None]

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of its refusals, but for those of `ends`."""
        own = (*self.refuses, *EVERYWHERE)
        if self.ends:
            return own
        if self.roles:
            own = (*own, *_OF_A_TOKEN)
        if self.of_pages:
            own = (*own, *_OF_A_PAGE)
        if Role.VISIT in self.roles:
            own = (*own, *_OF_A_VISIT)
        return (*own, *_OF_A_BODY) if self.body is not None or self.takes else own

    def by_status(self, *, is_named: bool) -> Mapping[HTTPStatus, tuple[str, ...]]:
        """The codes of each status, sorted. `is_named`: the path names a record, perhaps one of no path."""
        found: dict[HTTPStatus, list[str]] = {}
        for code in sorted({*self.codes, *(["not_found"] if is_named else [])}):
            found.setdefault(CODES[code].status, []).append(code)
        return {status: tuple(codes) for status, codes in sorted(found.items())}


class Contracts:
    """The contracts of an application's views."""

    def __init__(self) -> None:
        self._of: dict[Callable[..., Any], Contract] = {}

    def add(self, view: Callable[..., Any], contract: Contract) -> None:
        """Notes the contract of a view."""
        self._of[view] = contract

    def of(self, view: Callable[..., Any]) -> Contract | None:
        """The contract of a view; None for one that has none."""
        return self._of.get(view)
