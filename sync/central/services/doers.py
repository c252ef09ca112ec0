"""Who did something, of the name that the history has: a person, a kiosk, a patient, or the centre itself."""

import re
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from sync.journey.model import Role

_BEARER = re.compile(r"(?P<role>staff|patient|visit)(?::(?P<name>.*?)(?: \((?P<token>[0-9a-f]{12})\))?)?")
_TOKEN_ID = re.compile(r"[0-9a-f]{12}")
_CENTRE = "centre"
NOBODY: Mapping[str, str] = MappingProxyType({})


class Doer(msgspec.Struct, frozen=True):
    """Who did something. `kind` is staff, kiosk, patient or centre; `name` is empty where there is none to show."""

    kind: str
    name: str


def doer(who: str, kiosk: str | None, people: Mapping[str, str] = NOBODY) -> Doer:
    """Who a name in the history means. `kiosk` is the name of the kiosk that it is the id of; None where it is none.

    `people` are the names of people by their names in the history (`names_of_people`).
    """
    if kiosk is not None:
        return Doer(Role.KIOSK, kiosk)
    if who in people:
        return Doer(Role.STAFF, people[who])
    match = _BEARER.fullmatch(who)
    if match is None:
        return Doer(_CENTRE, "" if who in (Role.SYSTEM, _CENTRE) else who)
    if match["role"] != Role.STAFF:
        return Doer(Role.PATIENT, "")
    name = match["name"] or ""
    is_token_alone = match["token"] is None and _TOKEN_ID.fullmatch(name) is not None
    return Doer(Role.STAFF, "" if is_token_alone else name)
