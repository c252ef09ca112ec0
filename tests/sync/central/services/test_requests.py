"""Received requests to act: one spelling of ids, and no card in clear."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.cards import CardKey, CardKeys, canonical_tag
from sync.central.services.errors import ApiError
from sync.central.services.requests import ActionRequest, read_action_request
from sync.central.site_keys import SiteKeys
from sync.ids import is_uuid, new_id

KEYS = CardKeys((CardKey("k1", "11" * 32), CardKey("k2", "22" * 32)))
SITE = SiteKeys(Path("none"), KEYS)
UID = "04a1b2c3d4e5f6"


def read(payload: object, **more: object) -> ActionRequest | ApiError:
    return read_action_request({"action_type": "scan_nfc", "payload": payload, **more}, SITE, new_id)


def hashed(uid: str) -> str:
    newest = KEYS.hashes(canonical_tag(uid))[0]
    return f"{newest.key_id}:{newest.uid_hash}"


def test_a_request_without_an_id_gets_one_and_one_without_a_payload_an_empty_one():
    ask = read_action_request({"action_type": "scan_nfc"}, SITE, new_id)
    assert isinstance(ask, ActionRequest)
    assert is_uuid(ask.action_id)
    assert (ask.payload, ask.cards) == ({}, ())
    assert read(None, action_id=None).payload == {}


def test_an_id_is_the_same_in_either_case():
    action_id = new_id()
    assert read({}, action_id=action_id.upper()).action_id == action_id


@pytest.mark.parametrize(
    "spelling", [UID, UID.upper(), "04:A1:B2:C3:D4:E5:F6", "04-a1-b2-c3-d4-e5-f6", " 04 a1b2c3d4e5f6 "]
)
def test_a_card_is_the_same_in_any_spelling_and_stands_as_its_newest_hash(spelling):
    ask = read({"tag_id": spelling})
    assert ask.payload == {"tag_id": hashed(UID)}
    assert [card.key_id for card in ask.cards] == ["k2", "k1"]
    assert ask.cards == KEYS.hashes(canonical_tag(UID))


def test_a_card_is_replaced_wherever_it_stands():
    ask = read(
        {
            "tag_id": UID,
            "metadata": {"tag_id": "04:A1:B2:C3:D4:E5:F6", "list": [UID, {"deep": UID.upper()}], UID: 1},
            "reader": "r1",
        }
    )
    mine = hashed(UID)
    assert ask.payload == {
        "tag_id": mine,
        "metadata": {"tag_id": mine, "list": [mine, {"deep": mine}], mine: 1},
        "reader": "r1",
    }


def test_a_card_that_stands_in_the_metadata_alone_counts():
    assert read({"metadata": {"tag_id": UID}}).cards == KEYS.hashes(canonical_tag(UID))
    assert read({"metadata": [{"tag_id": None}], "tag_id": None}).cards == ()


@pytest.mark.parametrize("uid", ["0101010601B00ADE", "0101010601b00ade", "01:01:01:06:01:b0:0a:de"])
def test_a_card_leaves_no_trace_in_any_spelling_or_place(uid: str):
    """With its technology in one place and without it, or with another, in the next."""
    places = {uid: f"ksx6924:{uid}", "note": [f"IDm={uid}", f"read {uid} twice"], "reader": uid.lower()}
    ask = read({"tag_id": f"felica:{uid}", "metadata": places})
    assert ask.cards == KEYS.hashes("felica:0101010601B00ADE")
    assert "0101010601b00ade" not in re.sub(r"[\W_]", "", str(ask.payload)).lower()


def test_a_technology_without_an_id_after_it_is_refused_in_words():
    refused = read({"tag_id": "felica:zz"})
    assert isinstance(refused, ApiError)
    assert (refused.code, refused.message.split(":")[0]) == ("invalid_payload", "felica")


def test_two_cards_in_one_request_are_refused():
    assert read({"tag_id": UID, "metadata": {"tag_id": "04ffffffff0000"}}).code == "invalid_payload"
    assert read({"tag_id": UID, "metadata": {"tag_id": f"felica:{UID}"}}).code == "invalid_payload"


def test_an_opaque_tag_is_hashed_too():
    assert read({"tag_id": "badge #7"}).payload == {"tag_id": hashed("badge #7")}


# A second card in the metadata is refused, and has tests of its own.
OTHER_KEYS = st.text(max_size=8).filter(lambda key: key != "tag_id")


@given(
    st.recursive(
        st.text(max_size=20) | st.integers() | st.none(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(OTHER_KEYS, inner, max_size=3),
        max_leaves=12,
    ),
    st.binary(min_size=4, max_size=10),
)
def test_no_payload_keeps_a_card(metadata, uid):
    ask = read({"metadata": metadata, "tag_id": uid.hex(), "seen": [uid.hex(":"), uid.hex().upper()]})
    assert isinstance(ask, ActionRequest)
    left = repr(ask.payload).lower().replace(hashed(uid.hex()), "")
    if uid.hex() not in repr(metadata).lower():
        assert uid.hex() not in left
        assert uid.hex(":") not in left


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
        max_leaves=10,
    )
)
def test_whatever_comes_is_a_request_or_a_fault(document):
    assert isinstance(read_action_request(document, SITE, new_id), ActionRequest | ApiError)
    assert isinstance(read(document), ActionRequest | ApiError)


def test_the_content_of_a_request_is_who_asks_for_what_for_whom():
    base = read({"a": 1, "b": 2})
    same = read({"b": 2, "a": 1})
    assert base.content_hash("patient", "p1") == same.content_hash("patient", "p1")
    others = {
        base.content_hash("staff", "p1"),
        base.content_hash("patient", "p2"),
        read({"a": 1}).content_hash("patient", "p1"),
    }
    assert len(others | {base.content_hash("patient", "p1")}) == 4
