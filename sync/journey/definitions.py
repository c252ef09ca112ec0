"""The definitions as a validated object. `definitions.toml` holds the data; `read()` turns it, or the document that
the centre sent, into `Definitions`, or raises `DefinitionsError` with every fault it found.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from importlib import resources
from types import MappingProxyType
from typing import Any

SUPPORTED_KEYS = frozenset(
    [
        "by",
        "moves",
        "trigger",
        "visit",
        "entry",
        "rejoin",
        "appointments",
        "follows_queue",
        "never_in",
        "no_entry",
        "money",
    ]
)
SENDERS = frozenset({"patient", "staff"})
VISIT_CHANGES = frozenset({"open", "close"})
# The other two are the rules' own: a row that says so was never sent by anybody.
SENT_TRIGGERS = frozenset({"nfc_tag", "patient_action", "staff_action"})


class DefinitionsError(ValueError):
    """The document does not add up; the message names every fault."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of state: from any of these, to that."""

    sources: frozenset[str]
    target: str


@dataclass(frozen=True, slots=True)
class ActionRule:
    """One action's row; the keys are explained in definitions.toml."""

    name: str
    by: frozenset[str]
    moves: Mapping[str, str]
    trigger: str | None = None
    visit: str | None = None
    opens_entry: bool = False
    entry: Change | None = None
    rejoin: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    appointments: Change | None = None
    follows_queue: bool = False
    never_in: frozenset[str] = frozenset()
    no_entry: str | None = None
    money: bool = False


@dataclass(frozen=True, slots=True)
class DayEnd:
    """What the end of the site's day does to entries and appointments still open."""

    entries_to: str
    entries_stay: frozenset[str]
    appointments_to: str
    appointments_from: frozenset[str]


@dataclass(frozen=True, slots=True)
class Definitions:
    """The journey's states, actions and mappings, validated. `document` is what travels to kiosks and apps."""

    version: int
    initial: str
    journey_states: tuple[str, ...]
    queue_states: tuple[str, ...]
    appointment_states: tuple[str, ...]
    live: frozenset[str]
    listed: frozenset[str]
    in_line: frozenset[str]
    hands_over: frozenset[str]
    open_appointments: frozenset[str]
    queue_to_journey: Mapping[str, str]
    journey_to_queue: Mapping[str, str]
    queue_to_appointment: Mapping[str, str]
    day_end: DayEnd
    actions: Mapping[str, ActionRule]
    document: Mapping[str, Any] = field(repr=False, compare=False)

    def actions_by(self, sender: str) -> tuple[str, ...]:
        """The names of the actions that list this sender ("patient" or "staff"), in the document's order."""
        return tuple(name for name, rule in self.actions.items() if sender in rule.by)

    def state_transitions(self) -> dict[str, dict[str, str]]:
        """The table {state: {action: next state}} of the public interface."""
        return {
            state: {name: rule.moves[state] for name, rule in self.actions.items() if state in rule.moves}
            for state in self.journey_states
        }


def shipped() -> Definitions:
    """The definitions that this version of the software ships."""
    return read(tomllib.loads(resources.files(__package__).joinpath("definitions.toml").read_text("utf-8")))


def read(document: Mapping[str, Any]) -> Definitions:
    """Builds and validates definitions from a document of plain dicts, lists and strings.

    Raises DefinitionsError where it is malformed, names something unknown, has a state that nothing reaches, or a
    mapping that leaves a state out.
    """
    try:
        definitions = _build(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DefinitionsError(f"malformed definitions: {type(error).__name__}: {error}") from error
    faults = list(_faults(definitions))
    if faults:
        raise DefinitionsError("; ".join(faults))
    return definitions


def _build(document: Mapping[str, Any]) -> Definitions:
    day_end = document["day_end"]
    return Definitions(
        version=_whole(document["version"]),
        initial=_text(document["initial"]),
        journey_states=_texts(document["journey_states"]),
        queue_states=_texts(document["queue_states"]),
        appointment_states=_texts(document["appointment_states"]),
        live=frozenset(_texts(document["live"])),
        listed=frozenset(_texts(document["listed"])),
        in_line=frozenset(_texts(document["in_line"])),
        hands_over=frozenset(_texts(document["hands_over"])),
        open_appointments=frozenset(_texts(document["open_appointments"])),
        queue_to_journey=_mapping(document["queue_to_journey"]),
        journey_to_queue=_mapping(document["journey_to_queue"]),
        queue_to_appointment=_mapping(document["queue_to_appointment"]),
        day_end=DayEnd(
            entries_to=_text(day_end["entries_to"]),
            entries_stay=frozenset(_texts(day_end["entries_stay"])),
            appointments_to=_text(day_end["appointments_to"]),
            appointments_from=frozenset(_texts(day_end["appointments_from"])),
        ),
        actions=MappingProxyType({name: _action(name, row) for name, row in document["actions"].items()}),
        document=document,
    )


def _action(name: str, row: Mapping[str, Any]) -> ActionRule:
    unknown = set(row) - SUPPORTED_KEYS
    if unknown:
        raise ValueError(f"action {name} has unknown keys: {', '.join(sorted(unknown))}")
    opens_entry = row.get("entry") == "open"
    return ActionRule(
        name=_text(name),
        by=frozenset(_texts(row["by"])),
        moves=_mapping(row.get("moves", {})),
        trigger=_optional(row, "trigger"),
        visit=_optional(row, "visit"),
        opens_entry=opens_entry,
        entry=_change(row["entry"]) if "entry" in row and not opens_entry else None,
        rejoin=_mapping(row.get("rejoin", {})),
        appointments=_change(row["appointments"]) if "appointments" in row else None,
        follows_queue=_flag(row, "follows_queue"),
        never_in=frozenset(_texts(row.get("never_in", []))),
        no_entry=_optional(row, "no_entry"),
        money=_flag(row, "money"),
    )


def _change(row: Mapping[str, Any]) -> Change:
    return Change(frozenset(_texts(row["from"])), _text(row["to"]))


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(f"expected a name, got {value!r}")
    return value


def _optional(row: Mapping[str, Any], key: str) -> str | None:
    return _text(row[key]) if key in row else None


def _flag(row: Mapping[str, Any], key: str) -> bool:
    value = row.get(key, False)
    if not isinstance(value, bool):
        raise TypeError(f"{key} is true or false, not {value!r}")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise TypeError(f"expected a whole number from 1, got {value!r}")
    return value


def _texts(values: object) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise TypeError(f"expected a list, got {values!r}")
    texts = tuple(_text(value) for value in values)
    if len(set(texts)) != len(texts):
        raise ValueError(f"a name stands twice in {texts}")
    return texts


def _mapping(row: Mapping[str, Any]) -> Mapping[str, str]:
    return MappingProxyType({_text(key): _text(value) for key, value in row.items()})


def _faults(d: Definitions) -> Iterator[str]:
    journey, queue, appointment = set(d.journey_states), set(d.queue_states), set(d.appointment_states)
    yield from _unknown("journey state", [d.initial, *d.queue_to_journey.values(), *d.journey_to_queue], journey)
    yield from _unknown("queue state", [*d.queue_to_journey, *d.journey_to_queue.values()], queue)
    yield from _unknown("queue state", [*d.live, *d.listed, *d.in_line, *d.hands_over, *d.queue_to_appointment], queue)
    yield from _unknown("queue state", [d.day_end.entries_to, *d.day_end.entries_stay], queue)
    yield from _unknown("appointment status", [*d.open_appointments, *d.queue_to_appointment.values()], appointment)
    yield from _unknown("appointment status", [d.day_end.appointments_to, *d.day_end.appointments_from], appointment)
    for rule in d.actions.values():
        yield from _action_faults(rule, journey, queue, appointment)
    for name, mapping in (
        ("queue_to_journey", d.queue_to_journey),
        ("queue_to_appointment", d.queue_to_appointment),
    ):
        for state in sorted(queue - set(mapping)):
            yield f"{name} leaves out {state}"
    for state in sorted(d.hands_over & d.live):
        yield f"{state} hands over to the next entry, but is live itself"
    yield from _entry_mapping_faults(d)
    yield from _unreachable(d)


def _action_faults(rule: ActionRule, journey: set[str], queue: set[str], appointment: set[str]) -> Iterator[str]:
    yield from _unknown(f"sender in {rule.name}", rule.by, SENDERS)
    yield from _unknown("journey state", [*rule.moves, *rule.moves.values(), *rule.never_in], journey)
    yield from _unknown("queue state", [*rule.rejoin, *rule.rejoin.values()], queue)
    yield from _unknown(f"visit change in {rule.name}", [rule.visit] if rule.visit else [], VISIT_CHANGES)
    yield from _unknown(f"trigger in {rule.name}", [rule.trigger] if rule.trigger else [], SENT_TRIGGERS)
    if rule.entry:
        yield from _unknown("queue state", [*rule.entry.sources, rule.entry.target], queue)
    if rule.appointments:
        yield from _unknown("appointment status", [*rule.appointments.sources, rule.appointments.target], appointment)
    if rule.no_entry:
        yield from _unknown("appointment status", [rule.no_entry], appointment)
    yield from _misfits(rule)


def _misfits(rule: ActionRule) -> Iterator[str]:
    """Keys that would have no effect beside each other: whoever wrote them meant something else."""
    touches_entry = rule.opens_entry or rule.entry is not None
    faults = (
        (not rule.by, "has no sender"),
        (rule.follows_queue and rule.entry is None, "follows the queue but changes no entry"),
        (rule.follows_queue and bool(rule.moves), "has moves but follows the queue"),
        (not rule.moves and not rule.follows_queue, "moves nothing"),
        (rule.visit is not None and touches_entry, "changes the visit and an entry, but may do one of them"),
        (rule.appointments is not None and touches_entry, "changes all appointments and an entry, but may do one"),
        (bool(rule.rejoin) and not rule.opens_entry, "has rejoin but opens no entry"),
        (rule.no_entry is not None and rule.entry is None, "has no_entry but changes no entry"),
    )
    yield from (f"{rule.name} {fault}" for true, fault in faults if true)


def _entry_mapping_faults(d: Definitions) -> Iterator[str]:
    """Journey and queue say the same whichever of them is asked, so that neither direction drifts from the other."""
    for state, entry_state in d.journey_to_queue.items():
        if d.queue_to_journey.get(entry_state) != state:
            yield f"{state} maps to {entry_state}, which maps back to {d.queue_to_journey.get(entry_state)}"
    for rule in d.actions.values():
        for target in set(rule.moves.values()) if rule.entry else ():
            if rule.entry and d.queue_to_journey.get(rule.entry.target) != target:
                yield f"{rule.name} sets {rule.entry.target} and {target}, which do not go together"
        for target in set(rule.moves.values()) if rule.opens_entry else ():
            if target not in d.journey_to_queue:
                yield f"{rule.name} opens an entry in {target}, which maps to no queue state"


def _unreachable(d: Definitions) -> Iterator[str]:
    reached, frontier = {d.initial}, [d.initial]
    while frontier:
        state = frontier.pop()
        for rule in d.actions.values():
            target = rule.moves.get(state)
            if target is not None and target not in reached:
                reached.add(target)
                frontier.append(target)
    for state in d.journey_states:
        if state not in reached:
            yield f"nothing reaches {state}"


def _unknown(what: str, names: Iterable[str], known: Set[str]) -> Iterator[str]:
    for name in sorted(set(names) - known):
        yield f"unknown {what}: {name}"
