"""What the script of the board knows of the definitions: where each entry is shown, and what a press leads to."""

from collections.abc import Mapping

import msgspec

from sync.journey.definitions import Definitions
from sync.journey.meaning import cancellation, ready

_LINE, _AT_HAND, _MISSED = "line", "at_hand", "missed"


class PriorityKind(msgspec.Struct, frozen=True):
    """A reason to go first, and whether staff have to say more."""

    kind: str
    needs_reason: bool


class BoardRules(msgspec.Struct, frozen=True):
    """The definitions, as the board needs them.

    - `groups`: of each live state of an entry, where the board shows it.
    - `ready`: the states of an entry that is called in its turn.
    - `leads`: of each action of staff, the state of the entry to which it leads.
    - `calls`: the actions that call a patient, and `called` the states of an entry that is called.
    - `reasoned`: the actions for which the board asks a reason.
    - `kinds`: the reasons to go first in a line, the weightiest first.
    """

    groups: Mapping[str, str]
    ready: list[str]
    leads: Mapping[str, str]
    calls: list[str]
    called: list[str]
    reasoned: list[str]
    kinds: list[PriorityKind]


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
        ready=sorted(ready(definitions)),
        leads=leads,
        calls=[name for name, state in leads.items() if state in called],
        called=sorted(called),
        reasoned=[cancelled.name] if cancelled is not None else [],
        kinds=[PriorityKind(name, each.needs_reason) for name, each in definitions.priorities.items()],
    )


def _group(definitions: Definitions, state: str) -> str:
    if state not in definitions.listed:
        return _MISSED
    return _LINE if state in definitions.waiting else _AT_HAND
