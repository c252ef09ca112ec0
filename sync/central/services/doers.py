"""Who did something, of the name that the history has: a person, a kiosk, a patient, or the centre itself."""

import re

import msgspec

from sync.journey.model import Role

_BEARER = re.compile(r"(?P<role>staff|patient|visit)(?::(?P<name>.*?)(?: \((?P<token>[0-9a-f]{12})\))?)?")
_TOKEN_ID = re.compile(r"[0-9a-f]{12}")
_CENTRE = "centre"


class Doer(msgspec.Struct, frozen=True):
    """Who did something. `kind` is staff, kiosk, patient or centre; `name` is empty where there is none to show."""

    kind: str
    name: str


def doer(who: str, kiosk: str | None) -> Doer:
    """Who a name in the history means. `kiosk` is the name of the kiosk that it is the id of; None where it is none."""
    if kiosk is not None:
        return Doer(Role.KIOSK, kiosk)
    match = _BEARER.fullmatch(who)
    if match is None:
        return Doer(_CENTRE, "" if who in (Role.SYSTEM, _CENTRE) else who)
    if match["role"] != Role.STAFF:
        return Doer(Role.PATIENT, "")
    name = match["name"] or ""
    is_token_alone = match["token"] is None and _TOKEN_ID.fullmatch(name) is not None
    return Doer(Role.STAFF, "" if is_token_alone else name)
