"""Card ids as keyed hashes: one canonical id for each spelling of a card, and key files for the owner alone."""

from __future__ import annotations

import hashlib
import hmac
import json
import stat
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.card import Card, RefusedReason, Technology, judge
from sync.cards import (
    CardHash,
    CardKey,
    CardKeys,
    RefusedCard,
    canonical_card,
    canonical_tag,
    holds_card,
    judge_at_site,
    judge_tag,
    load_or_make_keys,
    new_key,
    read_keys,
    read_uid,
)
from sync.protocol import canonical

OLD, NEW = "11" * 32, "22" * 32
KEYS = CardKeys((CardKey("k1", OLD), CardKey("k2", NEW)))


def test_the_first_layer_is_hmac_sha256_of_the_canonical_id_under_the_oldest_key():
    (card,) = CardKeys((CardKey("k1", OLD),)).hashes("iso14443a:04A1B2C3")
    assert card == CardHash("k1", hmac.new(bytes.fromhex(OLD), b"iso14443a:04A1B2C3", hashlib.sha256).hexdigest())


def test_each_further_layer_is_hmac_sha256_of_the_hex_text_of_the_hash_below():
    newest, oldest = KEYS.hashes("iso14443a:04A1B2C3")
    assert (newest.key_id, oldest.key_id) == ("k2", "k1") == (KEYS.newest, KEYS.ids[0])
    assert oldest == CardKeys(KEYS.keys[:1]).hashes("iso14443a:04A1B2C3")[0]
    expected = hmac.new(bytes.fromhex(NEW), oldest.uid_hash.encode(), hashlib.sha256).hexdigest()
    assert newest.uid_hash == expected


def test_a_hash_is_lifted_from_any_layer_without_the_card():
    keys = CardKeys((*KEYS.keys, CardKey("k3", "33" * 32)))
    third, second, first = keys.hashes("felica:0101010601B00ADE")
    assert [keys.lift(each) for each in (first, second, third)] == [third] * 3
    assert keys.layers_of(second) == (third, second)


@pytest.mark.parametrize(
    "card", [CardHash("k9", "ab" * 32), CardHash("k1", "zz" * 32), CardHash("k1", "ab"), CardHash("k1", "AB" * 32)]
)
def test_a_hash_under_an_unknown_key_and_what_is_no_hash_stay_as_they_are(card: CardHash):
    assert KEYS.lift(card) == card
    assert KEYS.layers_of(card) == (card,)


def test_the_hashes_in_a_text_are_lifted_and_nothing_else_of_it_changes():
    newest, oldest = KEYS.hashes("iso14443a:04A1B2C3")
    tag, of_other = f"k1:{oldest.uid_hash}", f"k9:{oldest.uid_hash}"
    text = json.dumps({"tag_id": tag, "card": {"key_id": "k1", "uid_hash": oldest.uid_hash}, "note": of_other})
    lifted = json.loads(KEYS.lift_in(text))
    assert lifted["tag_id"] == f"k2:{newest.uid_hash}"
    assert lifted["card"] == {"key_id": "k2", "uid_hash": newest.uid_hash}
    assert lifted["note"] == of_other
    compact = canonical({"card": oldest}).decode()
    assert KEYS.lift_in(compact) == canonical({"card": newest}).decode()
    assert KEYS.lift_in(KEYS.lift_in(text)) == KEYS.lift_in(text)
    for other in ("k1: 3", f"xk1:{oldest.uid_hash}", f"k1:{oldest.uid_hash}ff", "", "k1:" + "g" * 64):
        assert KEYS.lift_in(other) == other
    assert CardKeys(KEYS.keys[:1]).lift_in(text) == text


def test_the_newest_key_is_the_last_however_its_file_was_written_since(tmp_path: Path):
    keys, path = CardKeys((CardKey("k1", NEW), CardKey("k0", OLD))), tmp_path / "site.keys"
    path.write_text(json.dumps(json.loads(msgspec.json.encode(keys)), sort_keys=True))
    assert read_keys(path) == keys
    assert read_keys(path).newest == "k0"


def test_a_new_key_has_an_id_of_its_own_and_a_secret_of_32_bytes():
    first, second = new_key(()), new_key(())
    assert first.secret != second.secret
    assert len(bytes.fromhex(first.secret)) == 32
    assert first.key_id not in {new_key({first.key_id}).key_id for _ in range(20)}


def test_without_keys_a_card_has_no_hash():
    assert CardKeys(()).hashes("iso14443a:04A1B2C3") == ()
    assert (CardKeys(()).newest, CardKeys(()).lift_in("k1")) == ("", "k1")


def test_a_secret_is_not_in_the_repr_of_its_key():
    assert OLD not in repr(CardKey("k1", OLD))
    assert OLD not in repr(CardKeys((CardKey("k1", OLD),)))


@pytest.mark.parametrize(
    "spelling",
    [
        "04a1b2c3d4e5f6",
        "04A1B2C3D4E5F6",
        "04:a1:b2:c3:d4:e5:f6",
        "04 A1 B2 C3 D4 E5 F6",
        "04-a1-b2-c3-d4-e5-f6",
        "04.a1.b2.c3.d4.e5.f6",
        "04_a1_b2_c3_d4_e5_f6",
        "  04a1b2c3d4e5f6\n",
        "04,a1,b2,c3,d4,e5,f6",
        "04/a1/b2/c3/d4/e5/f6",
    ],
)
def test_hex_in_any_case_and_with_any_separators_is_the_card_that_was_read_as_bytes(spelling: str):
    read = canonical_card("iso14443a", bytes.fromhex("04a1b2c3d4e5f6"))
    assert canonical_tag(spelling) == read == "iso14443a:04A1B2C3D4E5F6"


@pytest.mark.parametrize(
    "spelling",
    [
        "felica:0101010601B00ADE",
        "FeliCa:0101010601b00ade",
        " felica : 01-01-01-06-01-B0-0A-DE\n",
        "felica:01:01:01:06:01:b0:0a:de",
    ],
)
def test_a_technology_before_the_hex_belongs_to_the_card(spelling: str):
    assert canonical_tag(spelling) == canonical_card("felica", bytes.fromhex("0101010601B00ADE"))


def test_cards_of_two_technologies_with_the_same_bytes_are_two_cards():
    same = "1010012345678901"
    cards = {canonical_tag(same), *(canonical_tag(f"{technology}:{same}") for technology in Technology)}
    assert cards == {f"{technology}:{same}" for technology in Technology}
    assert len({CardKey("k1", OLD).hash(card) for card in cards}) == len(Technology)


@pytest.mark.parametrize("text", ["felica:zz", "felica:", "ksx6924:0102", "iso14443a: 04a1b2c", "FELICA:" + "01" * 17])
def test_a_technology_without_an_id_after_it_is_an_error_in_words(text: str):
    with pytest.raises(ValueError, match=r"(iso14443a|felica|ksx6924): must be followed by"):
        canonical_tag(text)


@pytest.mark.parametrize(
    "tag",
    ["ticket 17", "환자-17", "04a1b2", "04a1b2c", "zz:zz:zz:zz", "a" * 34 + "z", "é" * 5, "foo:0102", "uid:04a1b2c3"],
)
def test_any_other_text_is_an_opaque_string(tag: str):
    assert canonical_tag(tag) == f"tag:{tag}"


def test_white_space_around_an_opaque_string_does_not_count():
    assert canonical_tag("  ticket 17 ") == "tag:ticket 17"


@pytest.mark.parametrize(
    "tag", ["", " ", "\n\t", "x" * 257, "04" * 200, "a\x00b", "\ud800", "line\nbreak", "\u202ereversed"]
)
def test_an_empty_too_long_or_unprintable_tag_is_refused(tag: str):
    with pytest.raises(ValueError, match="1 to 256 printable characters"):
        canonical_tag(tag)


TEXTS = st.text(max_size=300) | st.builds(
    "{}:{}".format, st.sampled_from([*Technology, "tag", "foo"]), st.text("0123456789abcdefABCDEF :-", max_size=30)
)


@given(TEXTS)
def test_any_text_is_refused_or_has_a_canonical_id_that_is_its_own_canonical_form(text: str):
    try:
        canonical = canonical_tag(text)
    except ValueError:
        return
    kind, _, rest = canonical.partition(":")
    assert kind in {"tag", *Technology}
    assert canonical_tag(rest if kind == "tag" else canonical) == canonical
    assert holds_card(text, canonical)
    CardKeys((CardKey("k1", OLD),)).hashes(canonical)


@given(st.sampled_from(Technology), st.binary(min_size=4, max_size=16))
def test_a_card_of_a_usable_length_is_the_same_card_read_or_typed(technology: Technology, uid: bytes):
    assert canonical_tag(f"{technology}:{uid.hex('-')}") == canonical_card(technology, uid)
    assert read_uid(canonical_card(technology, uid)) == (technology, uid)


# The judge.


@pytest.mark.parametrize(
    "text",
    ["04a1b2c3d4e5f6", "04a1b2c3", "felica:0101010601B00ADE", "iso15693:E004010012345678", "ksx6924:1010012345678901"],
)
def test_a_card_that_a_kiosk_accepts_is_its_canonical_id(text: str):
    assert judge_tag(text) == canonical_tag(text)


@pytest.mark.parametrize(
    ("text", "reason", "why"),
    [
        ("08c0ffee", RefusedReason.RANDOM_ID, "a phone, or a card that shows another id"),
        ("felica:02FE001122334455", RefusedReason.PHONE, "a phone"),
        ("iso14443b:01020304", RefusedReason.NO_STABLE_ID, "may change"),
        ("88041122", RefusedReason.NO_STABLE_ID, "cut short"),
        ("1010012345678901", RefusedReason.UNREADABLE, "taken for iso14443a"),
        ("felica:04a1b2c3d4e5f6", RefusedReason.UNREADABLE, "no card of this technology"),
        ("00000000", RefusedReason.UNREADABLE, "no card of this technology"),
    ],
)
def test_a_card_that_a_kiosk_refuses_is_refused_with_the_reason_and_words(text: str, reason: RefusedReason, why: str):
    refused = judge_tag(text)
    assert refused == RefusedCard(reason)
    assert isinstance(refused, RefusedCard)
    assert why in refused.why


@given(st.sampled_from(Technology), st.binary(min_size=4, max_size=16))
def test_a_typed_card_is_judged_as_a_reader_judges_it(technology: Technology, uid: bytes):
    typed, read = judge_tag(canonical_card(technology, uid)), judge(technology, uid)
    assert (typed.reason if isinstance(typed, RefusedCard) else Card(technology, uid)) == read


def test_a_text_that_is_no_id_is_not_judged():
    assert judge_tag("test_tag_123") == "tag:test_tag_123"


# Texts that hold a card.


@pytest.mark.parametrize(
    "text",
    [
        "felica:0101010601b00ade",
        "0101010601B00ADE",
        "ksx6924:0101010601B00ADE",
        "uid=01:01:01:06:01:B0:0A:DE",
        "IDm 01 01 01 06 01 B0 0A DE, read twice",
    ],
)
def test_a_text_that_holds_the_card_in_any_spelling_is_recognised(text: str):
    assert holds_card(text, "felica:0101010601B00ADE")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [("01010106", "felica:0101010601B00ADE"), ("", "iso14443a:04A1B2C3"), ("a ticket 17", "tag:ticket 17")],
)
def test_any_other_text_holds_no_card(text: str, canonical: str):
    assert not holds_card(text, canonical)


# Files.


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_keys_are_made_once_and_read_after_that(tmp_path: Path):
    path = tmp_path / "site.keys"
    made = load_or_make_keys(path)
    assert mode(path) == 0o600
    assert load_or_make_keys(path) == made == read_keys(path)
    (key,) = made.keys
    assert len(bytes.fromhex(key.secret)) == 32


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        b"[]",
        b"{}",
        b'{"keys": []}',
        b'{"keys": {"k1": "%s"}}' % (b"11" * 32),
        b'{"keys": [{"key_id": "k1", "secret": "zz"}]}',
        b'{"keys": [{"key_id": "k1", "secret": "11"}]}',
        b'{"keys": [{"key_id": "k1", "secret": 3}]}',
        b'{"keys": [{"key_id": "k1", "secret": "%s"}, {"key_id": "k1", "secret": "%s"}]}' % (b"11" * 32, b"22" * 32),
        b"\xff\xfe",
    ],
)
def test_a_file_without_a_usable_key_is_an_error_and_stays_as_it_is(tmp_path: Path, content: bytes):
    path = tmp_path / "site.keys"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r".+"):
        load_or_make_keys(path)
    assert path.read_bytes() == content


def test_a_missing_key_file_is_an_os_error(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        read_keys(tmp_path / "none")


@pytest.mark.parametrize(
    ("canonical_id", "is_short"),
    [
        ("iso14443a:C0FFEE77", True),
        ("iso14443a:04C0FFEE990001", False),
        ("iso14443a:04C0FFEE99000102FF01", False),
        ("iso15693:E004010012345678", False),
        ("tag:C0FFEE77", False),
    ],
)
def test_a_uid_of_four_bytes_is_not_accepted_where_the_site_says_so(canonical_id: str, is_short: bool):
    refused = judge_at_site(canonical_id, refuses_short_uids=True)
    assert (refused is not None) == is_short
    assert refused is None or (refused.reason, refused.why[:18]) == (RefusedReason.SHORT_UID, "its UID has only 4")
    assert judge_at_site(canonical_id, refuses_short_uids=False) is None
