"""The definitions as a validated object. `definitions.toml` holds the data; `read()` turns it, or the document that
the centre sent, into `Definitions`, or raises `DefinitionsError` with every fault it found.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import cached_property
from importlib import resources
from types import MappingProxyType
from typing import Annotated, Any, Literal

import msgspec

from sync.journey.model import UNSENT, Actor, BuiltIn, EntryEvent, Trigger
from sync.tables import Misfit, misfits

ENTRANCE = "entrance"  # the kind of a kiosk whose configuration asks for no kind

Name = Annotated[str, msgspec.Meta(min_length=1)]
Names = frozenset[Name]
Sender = Literal["patient", "visit", "staff"]


class DefinitionsError(ValueError):
    """The document has faults. The message names every one."""


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class Change(_Table, frozen=True):
    """A change of state: from any of `sources` to `target`."""

    sources: Names = msgspec.field(name="from")
    target: Name = msgspec.field(name="to")


class ActionRule(_Table, frozen=True):
    """The row of one action; the keys are explained in definitions.toml."""

    name: Name
    by: frozenset[Sender]
    moves: Mapping[Name, Name] = {}
    trigger: Trigger | None = None
    visit: Literal["open", "close"] | None = None
    opens_entry: bool = False
    entry: Change | None = None
    rejoin: Mapping[Name, Name] = {}
    appointments: Change | None = None
    follows_queue: bool = False
    never_in: Names = frozenset()
    no_entry: Name | None = None
    money: bool = False
    proof: Name | None = None


class DayEnd(_Table, frozen=True):
    """What the end of the site's day does to entries and appointments still open."""

    entries_to: Name
    entries_stay: Names
    appointments_to: Name
    appointments_from: Names


class Priority(_Table, frozen=True):
    """A reason to go first in a line: its weight, and whether staff have to say why."""

    weight: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    needs_reason: bool = False


class Step(_Table, frozen=True):
    """A step of a way: the name of its words on the screen, and the states in which it is the current step."""

    name: Name
    states: Names


class _Parts(_Table, frozen=True, kw_only=True):
    """What the document and the definitions have in common; the keys are explained in definitions.toml."""

    version: Annotated[int, msgspec.Meta(ge=1)]
    initial: Name
    tap: Name
    fresh_appointment: Name
    journey_states: tuple[Name, ...]
    queue_states: tuple[Name, ...]
    appointment_states: tuple[Name, ...]
    ways: tuple[tuple[Step, ...], ...]
    live: Names
    listed: Names
    in_line: Names
    hands_over: Names
    open_appointments: Names
    queue_to_journey: Mapping[Name, Name]
    journey_to_queue: Mapping[Name, Name]
    queue_to_appointment: Mapping[Name, Name]
    day_end: DayEnd
    kiosks: Mapping[Name, Names]
    queue_to_event: Mapping[Name, EntryEvent] = {}
    late_after_minutes: Annotated[int, msgspec.Meta(ge=0, le=1440)] = 15
    priorities: Mapping[Name, Priority] = {}


class _Document(_Parts, frozen=True, kw_only=True):
    """The document as in a file and on the wire. A row of `actions` is an `ActionRule`."""

    actions: tuple[dict[str, Any], ...]


# A journey's state, the state of its current entry (None without one), and who asks.
Situation = tuple[str, str | None, Actor]


class Definitions(_Parts, frozen=True, dict=True, kw_only=True):
    """The journey's states, actions and mappings, validated. `document` is what travels to kiosks and apps."""

    actions: Mapping[str, ActionRule]
    document: Mapping[str, Any]
    steps: Mapping[Name, tuple[int, int]]

    @cached_property
    def available(self) -> dict[Situation, tuple[str, ...]]:
        """What `rules.available_actions()` has found. Every answer and every screen asks, and situations are few."""
        return {}

    @cached_property
    def waiting(self) -> frozenset[str]:
        """The states of an entry that waits for its turn: those to which a confirmed arrival leads."""
        reached = {state for rule in self.actions.values() if rule.opens_entry for state in rule.moves.values()}
        return frozenset(state for state, journey_state in self.queue_to_journey.items() if journey_state in reached)

    def actions_by(self, sender: Sender) -> tuple[str, ...]:
        """The names of the actions that list this sender, in the document's order."""
        return tuple(name for name, rule in self.actions.items() if sender in rule.by)

    def granted(self, grants: Iterable[str]) -> tuple[str, ...]:
        """The actions of a kiosk whose grants are these names, in the document's order.

        A grant is a kind of kiosk, with the actions that these definitions grant to the kind, or an action of patients.
        Any other name grants nothing.
        """
        names = set(grants)
        for kind in names & self.kiosks.keys():
            names |= self.kiosks[kind]
        return tuple(name for name, rule in self.actions.items() if name in names and "patient" in rule.by)

    def state_transitions(self) -> dict[str, dict[str, str]]:
        """The table {state: {action: next state}} of the public interface."""
        return {
            state: {name: rule.moves[state] for name, rule in self.actions.items() if state in rule.moves}
            for state in self.journey_states
        }

    def step_of(self, state: str) -> tuple[int, int]:
        """The index of the way that a journey state is on, and the index of its step in the way. Both count from 0.

        A state without a step counts at the step of the state before it in `journey_states`.
        """
        return self.steps.get(state, (0, 0))


def shipped() -> Definitions:
    """The definitions that this version of the software ships."""
    return read(tomllib.loads(resources.files(__package__).joinpath("definitions.toml").read_text("utf-8")))


def read(document: Any) -> Definitions:
    """Builds and validates definitions from a document of plain dicts, lists and strings.

    Raises DefinitionsError where it is malformed, names something unknown, has a state that nothing reaches, or a
    mapping that leaves a state out.
    """
    _refuse(_misshapen(document))
    definitions = _build(msgspec.convert(document, _Document), document)
    _refuse((*_doubled(document), *_faults(definitions)))
    return definitions


def _refuse(faults: Iterable[str]) -> None:
    found = list(faults)
    if found:
        raise DefinitionsError("; ".join(found))


def _misshapen(document: Any) -> Iterator[str]:
    """Every key of a document that does not fit the types above. A row of `actions` is named by its action."""
    if not isinstance(document, dict):
        yield f"expected a table, got {document!r:.80}"
        return
    yield from (_named(fault, document) for fault in misfits(_Document, document))
    rows = document.get("actions")
    for number, row in enumerate(rows if isinstance(rows, list) else [], 1):
        if isinstance(row, dict):
            place = f"action {row.get('name', f'number {number}')!s:.80}: "
            yield from (place + _named(fault, row) for fault in misfits(ActionRule, row))


def _named(misfit: Misfit, table: Mapping[str, Any]) -> str:
    value = f" = {table[misfit.key]!r:.80}" if misfit.key in table else ""
    return f"{misfit.key}{value}: {misfit.fault}"


def _build(parts: _Document, document: Mapping[str, Any]) -> Definitions:
    rules = [msgspec.convert(row, ActionRule) for row in parts.actions]
    built = {
        "queue_to_journey": _in_order(parts.queue_states, parts.queue_to_journey),
        "journey_to_queue": _in_order(parts.journey_states, parts.journey_to_queue),
        "queue_to_appointment": _in_order(parts.queue_states, parts.queue_to_appointment),
        "queue_to_event": _in_order(parts.queue_states, parts.queue_to_event),
        "kiosks": MappingProxyType(parts.kiosks),
        "priorities": MappingProxyType(_by_weight(parts.priorities)),
        "actions": MappingProxyType({rule.name: rule for rule in rules}),
        "document": document,
        "steps": _steps(parts),
    }
    return Definitions(**msgspec.structs.asdict(parts) | built)


def _by_weight(priorities: Mapping[str, Priority]) -> Mapping[str, Priority]:
    """Priorities with the highest weight first. The keys of the document's table may come in any order."""
    return dict(sorted(priorities.items(), key=lambda each: (-each[1].weight, each[0])))


def _steps(parts: _Parts) -> Mapping[str, tuple[int, int]]:
    """The way of each journey state, and its step in the way: `Definitions.step_of`. Every screen asks for them."""
    own = {
        state: (way, at)
        for way, steps in enumerate(parts.ways)
        for at, step in enumerate(steps)
        for state in step.states
    }
    found, last = {}, (0, 0)
    for state in parts.journey_states:
        last = found[state] = own.get(state, last)
    return MappingProxyType(found)


def _in_order(states: Sequence[str], mapping: Mapping[str, str]) -> Mapping[str, str]:
    """A mapping in the order of its states. The keys of the document's table may come in any order."""
    return MappingProxyType({state: mapping[state] for state in (*states, *mapping) if state in mapping})


def _doubled(node: Any, place: str = "") -> Iterator[str]:
    """Names that occur twice in a list, and actions that have two rows."""
    if isinstance(node, dict):
        for key, inner in node.items():
            yield from _doubled(inner, f"{place} {key}".strip())
        return
    rows = node if isinstance(node, list) else []
    names = [row["name"] if isinstance(row, dict) else row for row in rows if not isinstance(row, list)]
    yield from (f"{place}: {name} occurs twice" for name in sorted({n for n in names if names.count(n) > 1}))
    for row in rows:
        yield from _doubled(row, f"{place} {row['name']}" if isinstance(row, dict) else place)


def _faults(d: Definitions) -> Iterator[str]:
    """The faults that the types cannot express: undefined names, and parts that contradict each other."""
    journey, queue, appointment = set(d.journey_states), set(d.queue_states), set(d.appointment_states)
    yield from _unknown("journey state", [d.initial, *d.queue_to_journey.values(), *d.journey_to_queue], journey)
    yield from _unknown("queue state", [*d.queue_to_journey, *d.journey_to_queue.values()], queue)
    yield from _unknown("queue state", [*d.live, *d.listed, *d.in_line, *d.hands_over, *d.queue_to_appointment], queue)
    yield from _unknown("queue state", d.queue_to_event, queue)
    yield from _unknown("queue state", [d.day_end.entries_to, *d.day_end.entries_stay], queue)
    yield from _unknown("appointment status", [d.fresh_appointment, *d.open_appointments], appointment)
    yield from _unknown("appointment status", d.queue_to_appointment.values(), appointment)
    yield from _unknown("appointment status", [d.day_end.appointments_to, *d.day_end.appointments_from], appointment)
    if d.fresh_appointment not in d.open_appointments:
        yield f"fresh_appointment is {d.fresh_appointment}, which is none of open_appointments"
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
    yield from _way_faults(d)
    yield from _tap_faults(d)
    yield from _kiosk_faults(d)


def _action_faults(rule: ActionRule, journey: set[str], queue: set[str], appointment: set[str]) -> Iterator[str]:
    yield from _unknown("journey state", [*rule.moves, *rule.moves.values(), *rule.never_in], journey)
    yield from _unknown("queue state", [*rule.rejoin, *rule.rejoin.values()], queue)
    if rule.entry:
        yield from _unknown("queue state", [*rule.entry.sources, rule.entry.target], queue)
    if rule.appointments:
        yield from _unknown("appointment status", [*rule.appointments.sources, rule.appointments.target], appointment)
    if rule.no_entry:
        yield from _unknown("appointment status", [rule.no_entry], appointment)
    yield from _misfits_of(rule)


def _misfits_of(rule: ActionRule) -> Iterator[str]:
    """Keys that have no effect beside each other, and names that history needs for something else."""
    touches_entry = rule.opens_entry or rule.entry is not None
    faults = (
        (rule.name in set(BuiltIn), "is a word that the rules use themselves"),
        (not rule.by, "has no sender"),
        (rule.trigger in UNSENT, f"has the trigger {rule.trigger}, which no sender can set off"),
        (rule.follows_queue and rule.entry is None, "follows the queue but changes no entry"),
        (rule.follows_queue and bool(rule.moves), "has moves but follows the queue"),
        (not rule.moves and not rule.follows_queue, "moves nothing"),
        (rule.opens_entry and rule.entry is not None, "opens an entry and changes one, but may do one of them"),
        (rule.visit is not None and touches_entry, "changes the visit and an entry, but may do one of them"),
        (rule.appointments is not None and touches_entry, "changes all appointments and an entry, but may do one"),
        (bool(rule.rejoin) and not rule.opens_entry, "has rejoin but opens no entry"),
        (rule.no_entry is not None and rule.entry is None, "has no_entry but changes no entry"),
        (rule.proof is not None and "patient" not in rule.by, "needs a proof of kiosks, which may not send it"),
    )
    yield from (f"{rule.name} {fault}" for true, fault in faults if true)


def _entry_mapping_faults(d: Definitions) -> Iterator[str]:
    """The faults between the mappings of journey and queue, which must agree in both directions."""
    for state, entry_state in d.journey_to_queue.items():
        if d.queue_to_journey.get(entry_state) != state:
            yield f"{state} maps to {entry_state}, which maps back to {d.queue_to_journey.get(entry_state)}"
    for rule in d.actions.values():
        for target in sorted(set(rule.moves.values())):
            if rule.entry and d.queue_to_journey.get(rule.entry.target) != target:
                yield f"{rule.name} sets {rule.entry.target} and {target}, which do not go together"
            if rule.opens_entry and target not in d.journey_to_queue:
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


def _way_faults(d: Definitions) -> Iterator[str]:
    states = [state for way in d.ways for step in way for state in step.states]
    yield from _unknown("journey state", states, set(d.journey_states))
    yield from (f"{state} is at two steps of ways" for state in sorted({s for s in states if states.count(s) > 1}))
    if not d.ways or not all(d.ways):
        yield "ways has a way without steps, or no way at all"
    elif d.initial not in d.ways[0][0].states:
        yield f"ways begins at {d.ways[0][0].name}, which is not the step of {d.initial}"


def _tap_faults(d: Definitions) -> Iterator[str]:
    rule = d.actions.get(d.tap)
    if rule is None or "patient" not in rule.by:
        yield f"tap is {d.tap}, which is no action of a patient"
    elif rule.visit != "open" or d.initial not in rule.moves:
        yield f"tap is {d.tap}, which opens no visit in {d.initial}"
    elif rule.proof is not None:
        yield f"tap is {d.tap}, which needs a proof that no card has"


def _kiosk_faults(d: Definitions) -> Iterator[str]:
    for kind, granted in d.kiosks.items():
        yield from _unknown(f"action of a patient in kiosks.{kind}", granted, set(d.actions_by("patient")))
        if kind in d.actions:
            yield f"kiosks.{kind} bears the name of an action"
        if not granted:
            yield f"kiosks.{kind} is granted nothing"
    if d.tap not in d.kiosks.get(ENTRANCE, ()):
        yield f"kiosks.{ENTRANCE} is not granted {d.tap}, so that a tap there opens no visit"


def _unknown(what: str, names: Iterable[str], known: Set[str]) -> Iterator[str]:
    for name in sorted(set(names) - known):
        yield f"unknown {what}: {name}"
