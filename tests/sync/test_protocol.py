"""The messages: canonical JSON, the hash chain, and each kind of message of version 2 as first committed."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.cards import CardHash, CardKey
from sync.clock import ClockReading
from sync.journey.definitions import read
from sync.journey.model import Journey, Refusal
from sync.journey.rules import decide
from sync.protocol import (
    NO_HASH,
    PROTOCOL_VERSION,
    SUPPORTED_VERSIONS,
    BindingRow,
    CallRefused,
    Code,
    EndCode,
    Enrolment,
    EnrolRequest,
    Intent,
    Opaque,
    PriorVerdict,
    PullAnswer,
    PullRequest,
    PushAnswer,
    Pushed,
    PushRequest,
    Renamed,
    Verdict,
    canonical,
    chain_hash,
)
from tests.sync.journey.samples import action, patient

FIXTURES = Path(__file__).parent.parent / "fixtures"
V2 = FIXTURES / "protocol-v2"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def message(name: str, kind: type[Any]) -> Any:
    return msgspec.json.decode((V2 / f"{name}.json").read_bytes(), type=kind)


# Canonical JSON and the chain.


def test_members_are_sorted_in_dicts_and_messages_without_white_space():
    assert canonical({"b": 1, "a": {"d": None, "c": "가"}}) == '{"a":{"c":"가","d":null},"b":1}'.encode()
    keys = list(json.loads(canonical(CallRefused(code=EndCode.GAP, error="x"))))
    assert keys == sorted(keys)
    assert canonical(CardHash("k", "h")) == b'{"key_id":"k","uid_hash":"h"}'


@given(JSON)
def test_any_spelling_of_the_same_document_has_the_same_canonical_form_and_hash(document: Any):
    spellings = [
        json.dumps(document, indent=3).encode(),
        json.dumps(document, ensure_ascii=False).encode(),
        msgspec.json.encode(document),
    ]
    forms = {canonical(msgspec.json.decode(spelling)) for spelling in spellings}
    assert len(forms) == 1
    (form,) = forms
    assert canonical(msgspec.json.decode(form)) == form
    assert {chain_hash("x", s) for s in spellings} == {hashlib.sha256(b"x" + form).hexdigest()}


@pytest.mark.parametrize("body", [b"", b"{", b"nonsense", b"\xff", b'{"a": NaN}', b"1e999", b"[" * 100_000])
def test_a_body_that_is_no_json_or_nested_too_deep_has_no_hash(body: bytes):
    with pytest.raises(msgspec.DecodeError):
        chain_hash(NO_HASH, body)


def test_each_hash_of_the_chain_builds_on_the_one_before():
    previous = NO_HASH
    for link in message("chain", list[Pushed]):
        previous = chain_hash(previous, bytes(link.body))
        assert previous == link.hash


def test_a_changed_moved_or_missing_link_breaks_the_chain():
    links = message("chain", list[Pushed])
    bodies = [json.loads(bytes(link.body)) for link in links]
    edited = dict(bodies[1], patient_id="P2")
    assert chain_hash(links[0].hash, json.dumps(edited).encode()) != links[1].hash
    assert chain_hash(NO_HASH, bytes(links[1].body)) != links[1].hash
    assert chain_hash(links[0].hash, bytes(links[2].body)) != links[2].hash


@given(
    st.builds(
        Intent,
        kiosk_id=st.text(),
        epoch=st.integers(0, 2**63 - 1),
        seq=st.integers(0, 2**63 - 1),
        action_id=st.text(),
        action_type=st.text(),
        patient_id=st.text(),
        visit_id=st.text(),
        leg=st.integers(0, 100),
        queue_id=st.text(),
        queue_number=st.text(),
        base_version=st.integers(0, 2**63 - 1),
        definitions_version=st.integers(1, 99),
        site_day=st.text(),
        clock=st.builds(ClockReading, st.integers(), st.integers(), st.text(), st.booleans()),
        binding_id=st.none() | st.text(),
        card=st.none() | st.builds(CardHash, st.text(), st.text()),
        payload=st.dictionaries(st.text(), JSON, max_size=3),
    )
)
def test_an_intent_is_read_from_its_canonical_body_unchanged(intent: Intent):
    assert msgspec.json.decode(canonical(intent), type=Intent) == intent


# Version 2, as committed. From the first release on, this software must read these files for ever.


def test_an_end_speaks_its_own_version():
    assert PROTOCOL_VERSION in SUPPORTED_VERSIONS


def test_a_push_is_read():
    push = message("push-request", PushRequest)
    assert (push.protocol_version, push.kiosk_id, push.epoch, push.server_incarnation) == (2, "kiosk-1", 1, "one")
    assert push.now == ClockReading(1_772_409_660_000, 120_000, "11111111-2222-4333-8444-555555555555", True)
    again, unread, usual = push.actions
    assert (again.held, again.opaque) == (PriorVerdict(Verdict.APPLIED, Code.OK, 2), None)
    assert (usual.held, usual.opaque) == (None, None)
    assert (bytes(unread.body), unread.held) == (b"null", None)
    assert unread.opaque is not None
    second = message("chain", list[Pushed])[1]
    assert (unread.hash, base64.b64decode(unread.opaque.body)) == (second.hash, canonical(decoded(second.body)))
    assert (unread.opaque.seq, unread.opaque.size) == (2, None)
    assert unread.opaque.action_id == decoded(second.body)["action_id"]


def test_the_actions_of_a_push_are_read():
    intents = [msgspec.json.decode(pushed.body, type=Intent) for pushed in message("chain", list[Pushed])]
    assert [(i.seq, i.action_type, i.journey_state) for i in intents] == [
        (1, "scan_nfc", "UNREGISTERED"),
        (2, "register", "ARRIVED"),
        (3, "confirm_arrival", "REGISTERED"),
    ]
    last = intents[-1]
    assert (last.patient_id, last.leg, last.base_version, last.definitions_version) == ("P1", 0, 4, 1)
    assert (last.queue_number, last.site_day, last.binding_id, last.provisional) == (
        "B-001",
        "2026-03-02",
        "b-1",
        False,
    )
    assert last.card == CardHash("k1", "ab" * 32)
    assert last.appointment_ids == ("A-1",)
    assert intents[1].payload == {"language": "ko"}


def test_a_record_longer_than_a_body_has_its_size():
    opaque = msgspec.json.decode(b'{"seq": 1, "action_id": "a", "body": "AA==", "size": 50000}', type=Opaque)
    assert opaque == Opaque(1, "a", "AA==", 50_000)


def test_the_answer_to_a_push_is_read():
    answer = message("push-answer", PushAnswer)
    assert (answer.server_incarnation, answer.last_seq, answer.backed_up_seq) == ("one", 3, 2)
    assert answer.versions == (2,)
    (verdict,) = answer.verdicts
    assert (verdict.verdict, verdict.code, verdict.revision) == (Verdict.APPLIED, Code.OK, 1)
    check_journey(verdict.journey)


def test_a_pull_is_read():
    pull = message("pull-request", PullRequest)
    assert (pull.protocol_version, pull.cursor, pull.definitions_version, pull.wait_s) == (2, 9, 1, 25.0)


def test_a_page_is_read():
    page = message("pull-answer", PullAnswer)
    assert (page.from_cursor, page.cursor, page.reset, page.more, page.gone) == (0, 9, True, False, ("P0",))
    assert (page.actions, page.retry_after_s) == (("scan_nfc", "register", "confirm_arrival"), 1.5)
    assert (page.renamed, page.versions) == ((Renamed("P0", "P1"),), (2,))
    assert (page.last_seq, page.backed_up_seq, page.epoch, page.asked_cursor) == (3, 2, 1, 0)
    assert (page.site.timezone, page.site.day_starts_at, page.site.walk_in.exam_id) == ("Asia/Seoul", "04:00", "DESK")
    assert page.site.languages == ("ko", "en")
    (row,) = page.patients
    assert (row.masked_name, row.language, row.change) == ("홍*동", "ko", 9)
    assert row.bindings == (BindingRow("b-1", "k1", "ab" * 32),)
    assert row.tomorrow[0].status == "booked"
    check_journey(row.journey)
    assert page.verdicts[0].seq == 3
    assert read(page.definitions).version == 1


def test_an_enrolment_is_read():
    request = message("enrol-request", EnrolRequest)
    assert (request.code, request.kiosk_id, request.ticket_prefix) == ("ABCD-2345", "kiosk-1", "B")
    enrolment = message("enrolment", Enrolment)
    assert (enrolment.kiosk_id, enrolment.epoch, enrolment.ticket_prefix) == ("kiosk-1", 1, "B")
    assert enrolment.card_keys.keys == (CardKey("k1", "11" * 32),)
    assert read(enrolment.definitions).version == 1


def test_a_refused_call_is_read():
    refused = message("call-refused", CallRefused)
    assert (refused.code, refused.expected_seq, refused.epoch, refused.retry_after_s) == (EndCode.GAP, 2, 1, 2.5)
    refused = message("version-refused", CallRefused)
    assert (refused.code, refused.versions) == (EndCode.UNSUPPORTED_VERSION, (2,))


def decoded(body: msgspec.Raw) -> Any:
    return msgspec.json.decode(body)


def check_journey(journey: Journey | None) -> None:
    assert journey is not None
    assert (journey.patient_id, journey.state, journey.site_day, journey.leg, journey.journey_version) == (
        "P1",
        "WAITING",
        "2026-03-02",
        1,
        7,
    )
    entry = journey.current
    assert entry is not None
    assert (entry.exam_id, entry.queue_number, entry.label_aliases, entry.minutes) == ("XRAY", "B-001", ("C-004",), 15)
    (booking,) = journey.appointments
    assert (booking.exam_name, booking.room, booking.status) == ("영상 촬영", "3", "waiting")


@pytest.mark.parametrize("code", [*Code, *Verdict, *EndCode])
def test_codes_are_lower_case_words_on_the_wire(code: str):
    assert str(code) == msgspec.json.decode(msgspec.json.encode(code))
    assert code.replace("_", "").isalpha()
    assert code == code.lower()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("push-request", PushRequest),
        ("push-answer", PushAnswer),
        ("pull-request", PullRequest),
        ("pull-answer", PullAnswer),
        ("enrol-request", EnrolRequest),
        ("enrolment", Enrolment),
        ("call-refused", CallRefused),
        ("version-refused", CallRefused),
    ],
)
def test_unknown_members_are_ignored_and_missing_ones_refused(name: str, kind: type[Any]):
    document = json.loads((V2 / f"{name}.json").read_bytes())

    def decode(changed: dict[str, Any]) -> Any:
        return msgspec.json.decode(json.dumps(changed), type=kind)

    assert decode({**document, "said_by_a_later_version": {"x": 1}}) == decode(document)
    for field in msgspec.structs.fields(kind):
        if field.required:
            with pytest.raises(msgspec.ValidationError):
                decode({key: value for key, value in document.items() if key != field.name})


def test_the_first_definitions_are_still_understood():
    rules = read(json.loads((FIXTURES / "definitions-v1.json").read_bytes()))
    assert rules.version == 1
    journey = patient()
    for name in ("scan_nfc", "register", "confirm_arrival", "call_patient", "start_exam", "complete_exam"):
        outcome = decide(rules, journey, action(name))
        assert not isinstance(outcome, Refusal)
        journey = outcome.journey
    assert journey.state == "COMPLETED"
