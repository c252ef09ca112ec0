"""docs/protocol.md and the types agree: its examples, codes and fields are checked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from hardware.card import Technology
from sync.cards import CardKey, CardKeys, canonical_tag
from sync.journey.model import Appointment, Exam, Journey, QueueEntry
from sync.protocol import (
    NO_HASH,
    CallRefused,
    Code,
    EndCode,
    Enrolment,
    EnrolRequest,
    Intent,
    LookupAnswer,
    LookupRequest,
    PatientRow,
    PullAnswer,
    PullRequest,
    PushAnswer,
    PushRequest,
    Site,
    Verdict,
    VerdictRow,
    canonical,
    chain_hash,
)

DOCUMENT = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text("utf-8")
EXAMPLES = re.findall(r"```json\n(.*?)\n```", DOCUMENT, re.DOTALL)


def test_the_canonical_ids_of_cards_have_the_hashes_beside_them():
    (first,) = re.findall(r"Under the secret `([0-9a-f]{64})`", DOCUMENT)
    (second,) = re.findall(r"whose secret is `([0-9a-f]{64})`", DOCUMENT)
    keys = CardKeys((CardKey("k1", first), CardKey("k2", second)))
    of_layers = DOCUMENT.partition("| second layer |")
    for layer, part, number in ((1, of_layers[0], 4), (0, of_layers[2], 2)):
        vectors = re.findall(r"^\| `([a-z0-9]+:[0-9A-F]+)` \| `([0-9a-f]{64})` \|$", part, re.MULTILINE)
        assert len(vectors) == number
        for text, digest in vectors:
            assert canonical_tag(text) == text
            assert keys.hashes(text)[layer].uid_hash == digest
    named = set(re.findall(r"^\| `([a-z0-9]+)` \| the (?:UID|PUPI|IDm|card serial number)", DOCUMENT, re.MULTILINE))
    assert named == set(Technology)


def test_the_examples_of_intents_have_the_hashes_beside_them():
    bodies = [text for text in EXAMPLES if '"action_type"' in text]
    hashes = re.findall(r"`([0-9a-f]{64})`", DOCUMENT.partition("\n## Intents\n")[2])
    assert len(bodies) == len(hashes) == 2
    head = NO_HASH
    for body, digest in zip(bodies, hashes, strict=True):
        assert body.encode() == canonical(msgspec.json.decode(body, type=Intent))
        head = chain_hash(head, body.encode())
        assert head == digest


def test_the_other_examples_are_messages():
    refused, answer = (text for text in EXAMPLES if '"action_type"' not in text)
    assert msgspec.json.decode(refused, type=CallRefused).code is EndCode.GAP
    assert msgspec.json.decode(answer, type=PushAnswer).verdicts[0].code is Code.OK


def test_every_code_of_the_protocol_is_explained():
    assert [word for word in (*Verdict, *Code, *EndCode) if f"`{word}`" not in DOCUMENT] == []


MESSAGES = [Intent, PushRequest, PushAnswer, VerdictRow, PullRequest, PullAnswer, PatientRow, EnrolRequest, Enrolment]
MESSAGES += [LookupRequest, LookupAnswer, CallRefused, Site, Journey, QueueEntry, Appointment, Exam]


def fields() -> Iterator[tuple[str, str]]:
    for message in MESSAGES:
        for field in msgspec.inspect.type_info(message).fields:  # type: ignore[union-attr]
            yield message.__name__, field.name


def test_every_field_of_every_message_is_explained():
    missing = [f"{message}.{field}" for message, field in fields() if not re.search(rf"[`\"]{field}[`\"]", DOCUMENT)]
    assert missing == []


def test_the_members_that_an_intent_may_leave_out_are_marked_optional():
    rows = dict(re.findall(r"^\| (`[a-z_`, ]+`) \| ([^|]+) \|", DOCUMENT, re.MULTILINE))
    marked = {name.strip(" `") for names, kind in rows.items() if "optional" in kind for name in names.split(",")}
    info = msgspec.inspect.type_info(Intent)
    assert marked == {field.name for field in info.fields if not field.required}  # type: ignore[union-attr]
