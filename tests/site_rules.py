"""Documents of definitions of invented sites, with an action changed, added or renamed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Document = dict[str, Any]


def with_changed(document: Mapping[str, Any], action: str, **keys: object) -> Document:
    """The document with other keys in the row of one action."""
    rows = [{**row, **keys} if row["name"] == action else row for row in document["actions"]]
    assert any(row["name"] == action for row in rows)
    return {**document, "actions": rows}


def with_added(document: Mapping[str, Any], after: str, **row: object) -> Document:
    """The document with one more action, offered right after the given action."""
    place = next(number for number, each in enumerate(document["actions"], 1) if each["name"] == after)
    return {**document, "actions": [*document["actions"][:place], row, *document["actions"][place:]]}


def with_renamed(document: Mapping[str, Any], old: str, new: str) -> Document:
    """The document with another name for an action or a state, everywhere."""
    return _renamed(dict(document), old, new)


def without_the_tap(document: Mapping[str, Any]) -> Document:
    """The document where only staff may do the action of a tap, and a tap does `hold_card` instead."""
    tap = rule_of(document, document["tap"])
    kiosks = {**document["kiosks"], "entrance": ["hold_card", *document["kiosks"]["entrance"][1:]]}
    changed = with_added(document, tap["name"], **{**tap, "name": "hold_card"})
    return with_changed({**changed, "tap": "hold_card", "kiosks": kiosks}, tap["name"], by=["staff"])


def with_weighing(document: Mapping[str, Any]) -> Document:
    """A new state and action between two shipped ones: a patient may be weighed before the registration."""
    states = [*document["journey_states"]]
    states.insert(states.index("REGISTERED"), "WEIGHED")
    first, *others = document["ways"]
    weighing_step = {"name": "weigh", "states": ["ARRIVED"]}
    registering_step = {"name": "register", "states": ["WEIGHED"]}
    entrance = [*document["kiosks"]["entrance"], "weigh"]
    moves = rule_of(document, "register")["moves"]
    weighing = with_added(document, "scan_nfc", name="weigh", by=["patient"], moves={"ARRIVED": "WEIGHED"})
    return {
        **with_changed(weighing, "register", moves={**moves, "WEIGHED": "REGISTERED"}),
        "version": document["version"] + 1,
        "journey_states": states,
        "ways": [[first[0], weighing_step, registering_step, *first[2:]], *others],
        "kiosks": {**document["kiosks"], "entrance": entrance},
    }


def rule_of(document: Mapping[str, Any], action: str) -> Document:
    """The row of one action."""
    return dict(next(row for row in document["actions"] if row["name"] == action))


def _renamed(node: Any, old: str, new: str) -> Any:
    if isinstance(node, dict):
        return {_renamed(key, old, new): _renamed(value, old, new) for key, value in node.items()}
    if isinstance(node, list):
        return [_renamed(each, old, new) for each in node]
    return new if node == old else node
