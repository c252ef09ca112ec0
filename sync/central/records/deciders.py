"""Who decides each action: the centre, or another system of the hospital. As the site's settings have it."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec


class Decider(StrEnum):
    """Who decides an action."""

    LEGACY = "legacy"  # the other system
    SHADOW = "shadow"  # the other system, and the centre's rules are asked beside it
    NEW = "new"  # the centre


class Decides(msgspec.Struct, frozen=True):
    """Who decides one action, and since when (UTC ms)."""

    decider: Decider
    since_ms: int


Deciders = Mapping[str, Decides]  # by action; the centre decides one that is missing
_decoder = msgspec.json.Decoder(dict[str, Decides])
_CENTRE = Decides(Decider.NEW, 0)


def read_deciders(text: str) -> Deciders:
    """The deciders in the column of the site."""
    return _decoder.decode(text)


def deciders_as_text(deciders: Deciders) -> str:
    """The deciders as the column of the site has them."""
    return msgspec.json.encode(dict(deciders), order="deterministic").decode()


def decides(deciders: Deciders, action_type: str) -> Decides:
    """Who decides an action."""
    return deciders.get(action_type, _CENTRE)


def decided_elsewhere(deciders: Deciders) -> tuple[str, ...]:
    """The actions that the other system decides, sorted."""
    return tuple(sorted(name for name, each in deciders.items() if each.decider is not Decider.NEW))


def changed_deciders(deciders: Deciders, wanted: Mapping[str, Decider], now_ms: int) -> Deciders:
    """The deciders after a change of some. An action that had the decider already keeps its time."""
    new = {name: Decides(each, now_ms) for name, each in wanted.items() if decides(deciders, name).decider is not each}
    return {**deciders, **new}
