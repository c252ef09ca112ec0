"""Garbage in a push: each action gets a verdict or the call a refusal, and sound actions beside it are judged."""

from __future__ import annotations

import base64
import json

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.central.kiosks.intents import MAX_DEPTH
from sync.central.kiosks.push import receive_batch
from sync.ids import new_id
from sync.protocol import NO_HASH, CallRefused, Intent, PushAnswer, Pushed, PushRequest, canonical, chain_hash
from tests.sync.central.two_stores.acts import builtins, intent_of, push, request_of
from tests.sync.central.wire import EVERYTHING, Centre, Kiosk


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


BEYOND = ("1e999", "-1e999", "9" * 5000, nested(MAX_DEPTH + 1), nested(900), '{"a":' * 500 + "1" + "}" * 500)
ODD = ("123456789012345678901234567890", "-170141183460469231731687303715884105728", "1e308", "-0", "0.5", '"\\u0000"')

raw_values = st.recursive(
    st.sampled_from((*BEYOND, *ODD, "null", "true"))
    | st.integers().map(str)
    | st.floats(allow_nan=False, allow_infinity=False).map(json.dumps)
    | st.text(max_size=20).map(json.dumps)
    | st.uuids().map(lambda each: json.dumps(str(each))),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
        | st.lists(st.tuples(st.text(max_size=5).map(json.dumps), inner), max_size=3).map(
            lambda pairs: object_of(pairs)
        )
    ),
    max_leaves=6,
)


def object_of(pairs: list[tuple[str, str]]) -> str:
    """A JSON object as text. A member may be in it twice."""
    return "{" + ",".join(f"{name}:{value}" for name, value in pairs) + "}"


members = st.lists(st.tuples(st.sampled_from(sorted(Intent.__struct_fields__)).map(json.dumps), raw_values), max_size=3)
clock_parts = st.sampled_from(("wall_ms", "mono_ms"))


def text_of(intent: Intent, changes: list[tuple[str, str]]) -> str:
    own = [(json.dumps(name), json.dumps(value)) for name, value in builtins(intent).items()]
    return object_of([*own, *changes])


def linked(head: str, body: str) -> Pushed:
    """A link of the chain. A body that cannot be hashed gets an invented hash."""
    try:
        digest = chain_hash(head, body.encode())
    except ValueError:
        digest = f"made up after {head[:8]}"
    return Pushed(digest, msgspec.Raw(body.encode()))


@pytest.mark.parametrize("raw", BEYOND, ids=range(len(BEYOND)))
@pytest.mark.parametrize("whole", [True, False])
def test_a_body_beyond_measure_is_set_aside_where_it_stands(centre: Centre, kiosk: Kiosk, raw: str, whole: bool):
    garbage = raw if whole else text_of(intent_of(kiosk), [('"payload"', f'{{"a":{raw}}}')])
    first = linked(NO_HASH, garbage)
    second = linked(first.hash, canonical(intent_of(kiosk, seq=2, action_id=new_id())).decode())
    for _ in range(2):
        answer = push(centre, kiosk, [first, second])
        assert isinstance(answer, PushAnswer)
        assert [(row.seq, row.code) for row in answer.verdicts] == [(1, "quarantined"), (2, "ok")]
        assert answer.verdicts[0].action_id == ("" if whole else intent_of(kiosk).action_id), (
            "the kiosk knows it by that id"
        )
    assert centre.rows("select reason from quarantine") == [{"reason": "not JSON that can be kept"}]


def test_a_batch_of_garbage_that_comes_again_is_the_same_batch(centre: Centre, kiosk: Kiosk):
    batch = [linked(NO_HASH, "1e999"), Pushed("another", msgspec.Raw(b"-1e999"))]
    for _ in range(2):
        answer = push(centre, kiosk, batch)
        assert isinstance(answer, PushAnswer)
        assert [(row.seq, row.code) for row in answer.verdicts] == [(1, "quarantined"), (2, "quarantined")]
    assert len(centre.rows("select * from quarantine")) == 2


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=members, other=raw_values)
def test_every_action_of_a_batch_gets_a_verdict_for_any_bodies(
    centre: Centre, kiosk: Kiosk, changes: list[tuple[str, str]], other: str
):
    """The places in the chain are right. Every other member may be garbage."""
    mouth = centre.enrol("", EVERYTHING)
    place = [('"seq"', "1")]
    texts = [
        text_of(intent_of(kiosk, kiosk_id=mouth.kiosk_id, action_id=new_id()), [*changes, *place]),
        f'{{"odd":{other}}}',
        text_of(intent_of(kiosk, kiosk_id=mouth.kiosk_id, seq=3, action_id=new_id(), visit_id=new_id()), []),
    ]
    actions, head = [], NO_HASH
    for text in texts:
        actions.append(linked(head, text))
        head = actions[-1].hash
    request = msgspec.structs.replace(request_of(kiosk, actions), kiosk_id=mouth.kiosk_id)
    answer = receive_batch(centre.parts, mouth.kiosk_id, request)
    assert isinstance(answer, PushAnswer)
    assert [row.seq for row in answer.verdicts] == [1, 2, 3]
    assert answer.verdicts[1].code == "quarantined"
    assert answer.verdicts[2].code != "quarantined"


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_push_is_answered(centre: Centre, kiosk: Kiosk, data: st.DataObject):
    """Places in the chain, hashes, clocks, epochs and opaque records may all be garbage."""
    bodies = raw_values | members.map(lambda changes: text_of(intent_of(kiosk), changes))
    opaque = st.tuples(raw_values, st.text(max_size=40), bodies).map(
        lambda each: {"seq": each[0], "action_id": each[1], "body": base64.b64encode(each[2].encode()).decode()}
    )
    numbers = st.integers(-3, 3).map(str) | st.sampled_from(ODD[:2])
    held = st.sampled_from(["null", '{"verdict":"applied","code":"ok","revision":99999999999999999999}'])
    parts = [
        f'{{"hash":{json.dumps(data.draw(st.text(max_size=5)))},"held":{data.draw(held)},"body":{body}}}'
        for body in data.draw(st.lists(bodies, max_size=3))
    ]
    for each in data.draw(st.lists(opaque, max_size=2)):
        seq = data.draw(numbers)
        record = f'{{"seq":{seq},"action_id":{json.dumps(each["action_id"])},"body":"{each["body"]}"}}'
        parts.append(f'{{"hash":"h","body":null,"opaque":{record}}}')
    clock = f'{{"wall_ms":{data.draw(numbers)},"mono_ms":{data.draw(numbers)},"boot_id":"b","synchronised":true}}'
    text = (
        f'{{"protocol_version":2,"kiosk_id":"kiosk-1","epoch":{data.draw(st.just("1") | numbers)},"now":{clock},'
        f'"actions":[{",".join(parts)}]}}'
    )
    request = msgspec.json.decode(text, type=PushRequest)
    assert isinstance(receive_batch(centre.parts, "kiosk-1", request), PushAnswer | CallRefused)
