"""What the script of the board knows of the definitions: where each entry is shown, and what a press leads to."""

from collections.abc import Mapping

import msgspec

from sync.journey.definitions import Definitions
from sync.journey.meaning import cancellation

_LINE, _AT_HAND, _MISSED = "line", "at_hand", "missed"


class BoardRules(msgspec.Struct, frozen=True):
    """The definitions, as the board needs them.

    - `groups`: of each live state of an entry, where the board shows it.
    - `ready`: the states of an entry that is called in its turn.
    - `leads`: of each action of staff, the state of the entry to which it leads.
    - `calls`: the actions that call a patient, and `called` the states of an entry that is called.
    - `reasoned`: the actions for which the board asks a reason.
    """

    groups: Mapping[str, str]
    ready: list[str]
    leads: Mapping[str, str]
    calls: list[str]
    called: list[str]
    reasoned: list[str]
    kinds: list[str]


def board_values(definitions: Definitions) -> Mapping[str, object]:
    """The values of the board's template."""
    return {"rules": msgspec.to_builtins(rules_of(definitions))}


def rules_of(definitions: Definitions) -> BoardRules:
    """The BoardRules of the definitions."""
    names = definitions.actions_by("staff")
    entries = {name: definitions.actions[name].entry for name in names}
    leads = {name: entry.target for name, entry in entries.items() if entry is not None}
    called = definitions.in_line - definitions.waiting
    cancelled = cancellation(definitions)
    return BoardRules(
        groups={state: _group(definitions, state) for state in definitions.queue_states if state in definitions.live},
        ready=_ready(definitions),
        leads=leads,
        calls=[name for name, state in leads.items() if state in called],
        called=sorted(called),
        reasoned=[cancelled.name] if cancelled is not None else [],
        kinds=[],
    )


def _group(definitions: Definitions, state: str) -> str:
    if state not in definitions.listed:
        return _MISSED
    return _LINE if state in definitions.waiting else _AT_HAND


def _ready(definitions: Definitions) -> list[str]:
    opening = (rule for rule in definitions.actions.values() if rule.opens_entry)
    return sorted({definitions.journey_to_queue[state] for rule in opening for state in rule.moves.values()})
