"""A body is read as an intent, or is none for a reason that quotes no part of it."""

from __future__ import annotations

from typing import Any

import pytest

from sync.central.kiosks.intents import (
    MAX_DEPTH,
    MAX_TEXT,
    Body,
    UnreadableIntent,
    claimed_identity,
    content_hash,
    read_body,
    read_intent,
)
from sync.ids import new_id
from sync.protocol import Intent

LAST = 2**53 - 1


def document(**changes: Any) -> dict[str, Any]:
    """The JSON values of an intent."""
    clock = {"wall_ms": 0, "mono_ms": 0, "boot_id": "b", "synchronised": True}
    fields: dict[str, Any] = {
        "site_id": "S",
        "kiosk_id": "K",
        "epoch": 1,
        "seq": 1,
        "action_id": new_id(),
        "action_type": "scan_nfc",
        "patient_id": "P1",
        "visit_id": new_id(),
        "leg": 0,
        "queue_id": new_id(),
        "queue_number": "",
        "base_version": 0,
        "definitions_version": 1,
        "site_day": "2026-03-02",
        "clock": clock,
    }
    return fields | changes


def reason(**changes: Any) -> str:
    """Why an intent with these changes is none; "" for one that can be judged."""
    read = read_intent(document(**changes))
    return read.reason if isinstance(read, UnreadableIntent) else ""


@pytest.mark.parametrize(
    "text",
    [
        "action_type",
        "patient_id",
        "queue_number",
        "exam_id",
        "journey_state",
        "binding_id",
    ],
)
def test_each_text_may_have_128_characters_and_no_more(text: str):
    assert reason(**{text: "x" * MAX_TEXT}) == ""
    assert reason(**{text: "x" * (MAX_TEXT + 1)}) == "a text is too long"


@pytest.mark.parametrize("part", ["key_id", "uid_hash"])
def test_each_part_of_a_card_may_have_128_characters_and_no_more(part: str):
    card = {"key_id": "k", "uid_hash": "h"}
    assert reason(card=card | {part: "x" * MAX_TEXT}) == ""
    assert reason(card=card | {part: "x" * (MAX_TEXT + 1)}) == "a text is too long"


def test_each_booking_may_have_128_characters_and_no_more():
    assert reason(appointment_ids=["A1", "x" * MAX_TEXT]) == ""
    assert reason(appointment_ids=["A1", "x" * (MAX_TEXT + 1)]) == "a text is too long"


@pytest.mark.parametrize("name", ["action_id", "visit_id", "queue_id"])
def test_the_ids_that_a_kiosk_makes_are_uuids(name: str):
    assert reason(**{name: "x"}) == "an id is no UUID"


@pytest.mark.parametrize("count", ["leg", "base_version", "definitions_version"])
def test_a_count_is_neither_negative_nor_beyond_what_json_can_hold(count: str):
    assert (reason(**{count: 0}), reason(**{count: LAST})) == ("", "")
    assert {reason(**{count: -1}), reason(**{count: LAST + 1})} == {"a number is out of range"}


@pytest.mark.parametrize("clock", ["wall_ms", "mono_ms"])
def test_a_clock_reading_is_a_number_that_json_can_hold(clock: str):
    fields = document()["clock"]
    assert {reason(clock=fields | {clock: value}) for value in (LAST, 0, -LAST - 1)} == {""}
    outside = {reason(clock=fields | {clock: value}) for value in (LAST + 1, -LAST - 2)}
    assert outside == {"a number is out of range"}


def test_an_intent_names_a_patient_and_a_date():
    assert reason(patient_id="") == "no patient is named"
    for day in ("", "2026-02-30", "20260302", "2026-W10-1", "2026-03-02T00:00"):
        assert reason(site_day=day) == "site_day is no date"


def test_what_is_no_object_and_what_lacks_a_member_is_no_intent():
    assert read_intent(None) == UnreadableIntent("not an object")
    assert read_intent({"seq": 1}) == UnreadableIntent("not an intent")


def test_the_text_of_a_card_is_dropped_and_the_other_answers_stay():
    read = read_intent(document(payload={"tag_id": "04a1b2c3", "answer": "yes"}))
    assert isinstance(read, Intent)
    assert read.payload == {"answer": "yes"}


# Bodies.


def nested(depth: int, inner: str = "", pair: str = "[]") -> bytes:
    return (pair[0] * depth + inner + pair[1] * depth).encode()


def test_a_body_may_be_nested_32_deep_and_no_deeper():
    assert read_body(nested(MAX_DEPTH)) is not None
    assert read_body(nested(MAX_DEPTH + 1)) is None
    assert read_body(nested(10_000)) is None


def test_objects_count_as_lists_do():
    deep = '{"a":' * MAX_DEPTH + "1" + "}" * MAX_DEPTH
    assert read_body(deep.encode()) is None
    shallow = '{"a":' * (MAX_DEPTH - 1) + "1" + "}" * (MAX_DEPTH - 1)
    assert read_body(shallow.encode()) is not None


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"1e999", b"{'a':1}"])
def test_what_is_no_json_is_no_body(raw: bytes):
    assert read_body(raw) is None


def test_a_body_is_its_values_and_its_canonical_form():
    body = read_body(b'{"b": 1, "a": [2]}')
    assert body == Body({"b": 1, "a": [2]}, b'{"a":[2],"b":1}')
    assert body.document == {"b": 1, "a": [2]}
    assert Body([1], b"[1]").document is None


@pytest.mark.parametrize(
    ("raw", "action_id", "place"),
    [
        (b'{"action_id":"a","seq":7}', "a", 7),
        (b'{"action_id":7,"seq":true}', "", None),
        (b'{"action_id":null,"seq":"7"}', "", None),
        (b'{"seq":1.5}', "", None),
        (b"[]", "", None),
        (b"broken", "", None),
        (nested(10_000), "", None),
    ],
)
def test_a_body_names_an_id_and_a_place_where_it_has_them(raw: bytes, action_id: str, place: int | None):
    claimed = claimed_identity(raw)
    assert (claimed.id, claimed.place) == (action_id, place)


def test_empty_members_and_the_place_in_a_chain_are_no_part_of_the_content():
    content = {"action_id": "a", "leg": 1}
    for more in ({"x": None}, {"x": ""}, {"x": 0}, {"x": []}, {"x": {}}, {"kiosk_id": "K", "epoch": 2, "seq": 3}):
        assert content_hash(content | more) == content_hash(content)
    assert content_hash(content | {"x": "y"}) != content_hash(content)
    assert content_hash(content) == content_hash({"leg": 1, "action_id": "a"})
