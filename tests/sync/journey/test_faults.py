"""Every fault that a document of definitions can have is found, and named; several at once are all named."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable
from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.journey.definitions import DefinitionsError, read

Document = dict[str, Any]
SHIPPED: Document = tomllib.loads(resources.files("sync.journey").joinpath("definitions.toml").read_text("utf-8"))


def put(value: object, *path: str) -> Callable[[Document], None]:
    """A change of the document: this value at that place."""

    def change(document: Document) -> None:
        place = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return change


def drop(*path: str) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        place = document
        for key in path[:-1]:
            place = place[key]
        del place[path[-1]]

    return change


def action(**row: object) -> Callable[[Document], None]:
    """A change of the document: one more action, good but for what `row` says."""
    return put({"by": ["patient"], "moves": {"ARRIVED": "REGISTERED"}, **row}, "actions", "extra")


CHANGE = {"from": ["waiting"], "to": "called"}

FAULTS: list[tuple[Callable[[Document], None], str]] = [
    # Malformed: the message says what was expected.
    (drop("version"), "KeyError: 'version'"),
    (put("1", "version"), "expected a whole number from 1, got '1'"),
    (put(True, "version"), "expected a whole number from 1, got True"),
    (put(0, "version"), "expected a whole number from 1, got 0"),
    (put("", "initial"), "expected a name, got ''"),
    (put(["ARRIVED", "ARRIVED"], "journey_states"), "a name stands twice"),
    (put("ARRIVED", "journey_states"), "expected a list, got 'ARRIVED'"),
    (put([1], "journey_states"), "expected a name, got 1"),
    (put(["waiting"], "queue_to_journey"), "malformed definitions: AttributeError"),
    (put({"waiting": 3}, "queue_to_journey"), "expected a name, got 3"),
    (put([], "actions"), "malformed definitions: AttributeError"),
    (put("x", "actions", "register"), "malformed definitions"),
    (drop("day_end", "entries_to"), "KeyError: 'entries_to'"),
    (drop("actions", "register", "by"), "KeyError: 'by'"),
    (action(moves=["ARRIVED"]), "malformed definitions: AttributeError"),
    (action(entry="opne"), "malformed definitions"),
    (action(entry={"from": ["waiting"]}), "KeyError: 'to'"),
    (action(visit=["open"]), "expected a name, got ['open']"),
    (action(trigger=1), "expected a name, got 1"),
    (action(no_entry={}), "expected a name, got {}"),
    (action(money="no"), "money is true or false, not 'no'"),
    (action(follows_queue=1), "follows_queue is true or false, not 1"),
    (action(color="red", sound="loud"), "action extra has unknown keys: color, sound"),
    # Unknown names.
    (put("NOWHERE", "initial"), "unknown journey state: NOWHERE"),
    (put("NOWHERE", "queue_to_journey", "waiting"), "unknown journey state: NOWHERE"),
    (put("waiting", "journey_to_queue", "NOWHERE"), "unknown journey state: NOWHERE"),
    (put("WAITING", "queue_to_journey", "asleep"), "unknown queue state: asleep"),
    (put("asleep", "journey_to_queue", "WAITING"), "unknown queue state: asleep"),
    (put(["asleep"], "live"), "unknown queue state: asleep"),
    (put(["asleep"], "listed"), "unknown queue state: asleep"),
    (put(["asleep"], "in_line"), "unknown queue state: asleep"),
    (put(["asleep"], "hands_over"), "unknown queue state: asleep"),
    (put("booked", "queue_to_appointment", "asleep"), "unknown queue state: asleep"),
    (put("lost", "queue_to_appointment", "waiting"), "unknown appointment status: lost"),
    (put(["lost"], "open_appointments"), "unknown appointment status: lost"),
    (put("asleep", "day_end", "entries_to"), "unknown queue state: asleep"),
    (put(["asleep"], "day_end", "entries_stay"), "unknown queue state: asleep"),
    (put("lost", "day_end", "appointments_to"), "unknown appointment status: lost"),
    (put(["lost"], "day_end", "appointments_from"), "unknown appointment status: lost"),
    (action(by=["nurse"]), "unknown sender in extra: nurse"),
    (action(moves={"NOWHERE": "ARRIVED"}), "unknown journey state: NOWHERE"),
    (action(moves={"ARRIVED": "NOWHERE"}), "unknown journey state: NOWHERE"),
    (action(never_in=["NOWHERE"]), "unknown journey state: NOWHERE"),
    (action(visit="reopen"), "unknown visit change in extra: reopen"),
    (action(trigger="queue_sync"), "unknown trigger in extra: queue_sync"),
    (action(entry={"from": ["asleep"], "to": "called"}), "unknown queue state: asleep"),
    (action(entry={"from": ["waiting"], "to": "asleep"}), "unknown queue state: asleep"),
    (action(entry="open", rejoin={"asleep": "waiting"}), "unknown queue state: asleep"),
    (action(entry="open", rejoin={"waiting": "asleep"}), "unknown queue state: asleep"),
    (action(appointments={"from": ["lost"], "to": "booked"}), "unknown appointment status: lost"),
    (action(appointments={"from": ["booked"], "to": "lost"}), "unknown appointment status: lost"),
    (action(entry=CHANGE, moves={"WAITING": "CALLED"}, no_entry="lost"), "unknown appointment status: lost"),
    # Keys that would do nothing beside each other.
    (action(by=[]), "extra has no sender"),
    (action(moves={}), "extra moves nothing"),
    (action(moves={}, follows_queue=True), "extra follows the queue but changes no entry"),
    (action(moves={"WAITING": "CALLED"}, entry=CHANGE, follows_queue=True), "extra has moves but follows the queue"),
    (action(moves={"REGISTERED": "WAITING"}, entry="open", visit="open"), "extra changes the visit and an entry"),
    (
        action(moves={"REGISTERED": "WAITING"}, entry="open", appointments={"from": ["booked"], "to": "arrived"}),
        "extra changes all appointments and an entry",
    ),
    (action(rejoin={"no_show": "waiting"}), "extra has rejoin but opens no entry"),
    (action(no_entry="cancelled"), "extra has no_entry but changes no entry"),
    # Mappings and reach.
    (drop("queue_to_journey", "delayed"), "queue_to_journey leaves out delayed"),
    (drop("queue_to_appointment", "delayed"), "queue_to_appointment leaves out delayed"),
    (put("completed", "journey_to_queue", "WAITING"), "WAITING maps to completed, which maps back to COMPLETED"),
    (
        put({"WAITING": "COMPLETED"}, "actions", "call_patient", "moves"),
        "call_patient sets called and COMPLETED, which do not go together",
    ),
    (
        action(entry="open", moves={"REGISTERED": "PAYMENT"}),
        "extra opens an entry in PAYMENT, which maps to no queue state",
    ),
    (put(["cancelled", "waiting"], "hands_over"), "waiting hands over to the next entry, but is live itself"),
    (put({"COMPLETED": "PAYMENT"}, "actions", "make_payment", "moves"), "nothing reaches FINISHED"),
    (lambda d: d["journey_states"].append("LIMBO"), "nothing reaches LIMBO"),
]


@pytest.mark.parametrize(("change", "message"), FAULTS, ids=[f"{n}-{m[:40]}" for n, (_, m) in enumerate(FAULTS)])
def test_a_fault_is_found_and_named(change: Callable[[Document], None], message: str):
    document = copy.deepcopy(SHIPPED)
    change(document)
    with pytest.raises(DefinitionsError) as found:
        read(document)
    assert message in str(found.value)


def test_all_faults_of_a_document_are_named_at_once():
    document = copy.deepcopy(SHIPPED)
    document["initial"] = "NOWHERE"
    document["live"] = ["asleep"]
    document["actions"]["register"]["by"] = ["nurse"]
    with pytest.raises(DefinitionsError) as found:
        read(document)
    for part in ("NOWHERE", "asleep", "nurse"):
        assert part in str(found.value)


@pytest.mark.parametrize("document", [None, [], "x", 3, {}, {"version": 1}])
def test_what_is_no_document_at_all_is_refused(document: Any):
    with pytest.raises(DefinitionsError):
        read(document)


def paths(node: object, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    keys = node.keys() if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    found = [at] if at else []
    for key in keys:
        found += paths(node[key], (*at, key))  # type: ignore[index]
    return found


@given(
    st.sampled_from(paths(SHIPPED)),
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.text(), st.lists(st.text()), st.dictionaries(st.text(), st.none())
    ),
)
def test_any_single_value_replaced_by_nonsense_is_read_or_refused_but_never_breaks(
    path: tuple[Any, ...], value: object
):
    document = copy.deepcopy(SHIPPED)
    put(value, *path)(document)
    try:
        rules = read(document)
    except DefinitionsError:
        return
    assert set(rules.state_transitions()) == set(rules.journey_states)
