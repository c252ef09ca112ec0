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
from sync.journey.model import BuiltIn

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


def row(name: str, key: str, value: object) -> Callable[[Document], None]:
    """A change of the document: this value under a key of that action's row."""
    return lambda document: next(each for each in document["actions"] if each["name"] == name).update({key: value})


def action(**row: object) -> Callable[[Document], None]:
    """A change of the document: one more action, valid except for `row`."""
    extra = {"name": "extra", "by": ["patient"], "moves": {"ARRIVED": "REGISTERED"}, **row}
    return lambda document: document["actions"].append(extra)


def without(action: str, key: str) -> Callable[[Document], None]:
    """A change of the document: that action's row lacks a key."""
    return lambda document: next(each for each in document["actions"] if each["name"] == action).pop(key)


def step(name: str, *states: str) -> Document:
    return {"name": name, "states": list(states)}


CHANGE = {"from": ["waiting"], "to": "called"}

FAULTS: list[tuple[Callable[[Document], None], str]] = [
    # Malformed: the message names the key and its value, and says what was expected.
    (drop("version"), "version: missing key"),
    (put("1", "version"), "version = '1': Expected `int`, got `str`"),
    (put(True, "version"), "version = True: Expected `int`, got `bool`"),
    (put(0, "version"), "version = 0: Expected `int` >= 1"),
    (put("", "initial"), "initial = '': Expected `str` of length >= 1"),
    (put(["ARRIVED", "ARRIVED"], "journey_states"), "journey_states: ARRIVED occurs twice"),
    (put(["waiting", "waiting"], "live"), "live: waiting occurs twice"),
    (put([[step("a", "UNREGISTERED"), step("a")]], "ways"), "ways: a occurs twice"),
    (put([[step("a", "ARRIVED", "ARRIVED")]], "ways"), "ways a states: ARRIVED occurs twice"),
    (put(["UNREGISTERED"], "ways"), "ways = ['UNREGISTERED']: Expected `array`, got `str` - at `$[0]`"),
    (put([["UNREGISTERED"]], "ways"), "ways = [['UNREGISTERED']]: Expected `object`, got `str` - at `$[0][0]`"),
    (put("ARRIVED", "journey_states"), "journey_states = 'ARRIVED': Expected `array`, got `str`"),
    (put([1], "journey_states"), "journey_states = [1]: Expected `str`, got `int` - at `$[0]`"),
    (put(["waiting"], "queue_to_journey"), "queue_to_journey = ['waiting']: Expected `object`, got `array`"),
    (put({"waiting": 3}, "queue_to_journey"), "queue_to_journey = {'waiting': 3}: Expected `str`, got `int`"),
    (put({}, "actions"), "actions = {}: Expected `array`, got `object`"),
    (put(["register"], "actions"), "actions = ['register']: Expected `object`, got `str` - at `$[0]`"),
    (put("x", "kiosks"), "kiosks = 'x': Expected `object`, got `str`"),
    (put("red", "colour"), "colour = 'red': unknown key"),
    (drop("day_end", "entries_to"), "Object missing required field `entries_to`"),
    (put("red", "day_end", "colour"), "Object contains unknown field `colour`"),
    (without("register", "by"), "action register: by: missing key"),
    (without("register", "name"), "action number 2: name: missing key"),
    (lambda d: d["actions"].append(dict(d["actions"][0])), "actions: scan_nfc occurs twice"),
    (action(moves=["ARRIVED"]), "action extra: moves = ['ARRIVED']: Expected `object`, got `array`"),
    (action(entry="open"), "action extra: entry = 'open': Expected `object | null`, got `str`"),
    (action(entry={"from": ["waiting"]}), "Object missing required field `to`"),
    (action(entry={**CHANGE, "by": "x"}), "Object contains unknown field `by`"),
    (action(opens_entry="yes"), "action extra: opens_entry = 'yes': Expected `bool`, got `str`"),
    (action(visit=["open"]), "action extra: visit = ['open']: Expected `str | null`, got `array`"),
    (action(trigger=1), "action extra: trigger = 1: Expected `str | null`, got `int`"),
    (action(no_entry={}), "action extra: no_entry = {}: Expected `str | null`, got `object`"),
    (action(money="no"), "action extra: money = 'no': Expected `bool`, got `str`"),
    (action(follows_queue=1), "action extra: follows_queue = 1: Expected `bool`, got `int`"),
    (action(color="red"), "action extra: color = 'red': unknown key"),
    (action(by=["patient", "patient"]), "actions extra by: patient occurs twice"),
    (action(by=["nurse"]), "action extra: by = ['nurse']: Invalid enum value 'nurse'"),
    (action(visit="reopen"), "action extra: visit = 'reopen': Invalid enum value 'reopen'"),
    (action(trigger="magic"), "action extra: trigger = 'magic': Invalid enum value 'magic'"),
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
    (put("called", "queue_to_event", "asleep"), "unknown queue state: asleep"),
    (put("lost", "queue_to_appointment", "waiting"), "unknown appointment status: lost"),
    (put(["lost"], "open_appointments"), "unknown appointment status: lost"),
    (put("lost", "fresh_appointment"), "unknown appointment status: lost"),
    (put("asleep", "day_end", "entries_to"), "unknown queue state: asleep"),
    (put(["asleep"], "day_end", "entries_stay"), "unknown queue state: asleep"),
    (put("lost", "day_end", "appointments_to"), "unknown appointment status: lost"),
    (put(["lost"], "day_end", "appointments_from"), "unknown appointment status: lost"),
    (put([[step("a", "UNREGISTERED", "NOWHERE")]], "ways"), "unknown journey state: NOWHERE"),
    (action(moves={"NOWHERE": "ARRIVED"}), "unknown journey state: NOWHERE"),
    (action(moves={"ARRIVED": "NOWHERE"}), "unknown journey state: NOWHERE"),
    (action(never_in=["NOWHERE"]), "unknown journey state: NOWHERE"),
    (action(entry={"from": ["asleep"], "to": "called"}), "unknown queue state: asleep"),
    (action(entry={"from": ["waiting"], "to": "asleep"}), "unknown queue state: asleep"),
    (action(opens_entry=True, rejoin={"asleep": "waiting"}), "unknown queue state: asleep"),
    (action(opens_entry=True, rejoin={"waiting": "asleep"}), "unknown queue state: asleep"),
    (action(appointments={"from": ["lost"], "to": "booked"}), "unknown appointment status: lost"),
    (action(appointments={"from": ["booked"], "to": "lost"}), "unknown appointment status: lost"),
    (action(entry=CHANGE, moves={"WAITING": "CALLED"}, no_entry="lost"), "unknown appointment status: lost"),
    # Keys without effect beside each other, and reserved names.
    (action(by=[]), "extra has no sender"),
    (action(trigger="queue_sync"), "extra has the trigger queue_sync, which no sender can set off"),
    (action(trigger="system_auto"), "extra has the trigger system_auto, which no sender can set off"),
    (action(moves={}), "extra moves nothing"),
    (action(moves={}, follows_queue=True), "extra follows the queue but changes no entry"),
    (action(moves={"WAITING": "CALLED"}, entry=CHANGE, follows_queue=True), "extra has moves but follows the queue"),
    (action(moves={"REGISTERED": "WAITING"}, opens_entry=True, visit="open"), "extra changes the visit and an entry"),
    (
        action(moves={"REGISTERED": "WAITING"}, opens_entry=True, appointments={"from": ["booked"], "to": "arrived"}),
        "extra changes all appointments and an entry",
    ),
    (action(moves={"WAITING": "CALLED"}, opens_entry=True, entry=CHANGE), "extra opens an entry and changes one"),
    (action(rejoin={"no_show": "waiting"}), "extra has rejoin but opens no entry"),
    (action(no_entry="cancelled"), "extra has no_entry but changes no entry"),
    (action(by=["staff"], proof="slip"), "extra needs a proof of kiosks, which may not send it"),
    (action(proof=""), "proof = '': "),
    *((action(name=word), f"{word} is a word that the rules use themselves") for word in BuiltIn),
    # Mappings and reach.
    (drop("queue_to_journey", "delayed"), "queue_to_journey leaves out delayed"),
    (drop("queue_to_appointment", "delayed"), "queue_to_appointment leaves out delayed"),
    (put("completed", "journey_to_queue", "WAITING"), "WAITING maps to completed, which maps back to COMPLETED"),
    (
        row("call_patient", "moves", {"WAITING": "COMPLETED"}),
        "call_patient sets called and COMPLETED, which do not go together",
    ),
    (
        action(opens_entry=True, moves={"REGISTERED": "PAYMENT"}),
        "extra opens an entry in PAYMENT, which maps to no queue state",
    ),
    (put(["cancelled", "waiting"], "hands_over"), "waiting hands over to the next entry, but is live itself"),
    (row("make_payment", "moves", {"COMPLETED": "PAYMENT"}), "nothing reaches FINISHED"),
    (lambda d: d["journey_states"].append("LIMBO"), "nothing reaches LIMBO"),
    # The first status of a booking, the action of a tap, the grants of kiosks, the steps.
    (put("waiting", "fresh_appointment"), "fresh_appointment is waiting, which is none of open_appointments"),
    (put("dance", "tap"), "tap is dance, which is no action of a patient"),
    (put("start_exam", "tap"), "tap is start_exam, which is no action of a patient"),
    (put("register", "tap"), "tap is register, which opens no visit in UNREGISTERED"),
    (row("scan_nfc", "moves", {"FINISHED": "ARRIVED"}), "tap is scan_nfc, which opens no visit in UNREGISTERED"),
    (row("scan_nfc", "proof", "slip"), "tap is scan_nfc, which needs a proof that no card has"),
    (put(["dance"], "kiosks", "exit"), "unknown action of a patient in kiosks.exit: dance"),
    (put(["start_exam"], "kiosks", "exit"), "unknown action of a patient in kiosks.exit: start_exam"),
    (put([], "kiosks", "exit"), "kiosks.exit is granted nothing"),
    (put(["register"], "kiosks", "register"), "kiosks.register bears the name of an action"),
    (put(["register"], "kiosks", "entrance"), "kiosks.entrance is not granted scan_nfc"),
    (drop("kiosks", "entrance"), "kiosks.entrance is not granted scan_nfc"),
    (put([], "ways"), "ways has a way without steps, or no way at all"),
    (put([[step("a", "UNREGISTERED")], []], "ways"), "ways has a way without steps, or no way at all"),
    (put([[step("a", "WAITING")]], "ways"), "ways begins at a, which is not the step of UNREGISTERED"),
    (put([[step("a", "UNREGISTERED"), step("b", "UNREGISTERED")]], "ways"), "UNREGISTERED is at two steps of ways"),
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
    row("register", "no_entry", "lost")(document)
    with pytest.raises(DefinitionsError) as found:
        read(document)
    for part in ("NOWHERE", "asleep", "lost"):
        assert part in str(found.value)


def test_all_keys_that_are_misshapen_are_named_at_once():
    document = copy.deepcopy(SHIPPED)
    document["version"] = "x"
    document["colour"] = "red"
    row("register", "by", ["nurse"])(document)
    row("scan_nfc", "sound", "loud")(document)
    with pytest.raises(DefinitionsError) as found:
        read(document)
    for part in (
        "version = 'x'",
        "colour = 'red'",
        "action register: by = ['nurse']",
        "action scan_nfc: sound = 'loud'",
    ):
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
