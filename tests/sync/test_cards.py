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
    CardKey,
    CardKeys,
    RefusedCard,
    canonical_card,
    canonical_tag,
    holds_card,
    judge_tag,
    load_or_make_keys,
    read_keys,
    read_uid,
)

OLD, NEW = "11" * 32, "22" * 32


def test_a_hash_is_hmac_sha256_under_the_key_and_says_which_key():
    hashed = CardKey("k1", OLD).hash("iso14443a:04A1B2C3")
    assert hashed.key_id == "k1"
    assert hashed.uid_hash == hmac.new(bytes.fromhex(OLD), b"iso14443a:04A1B2C3", hashlib.sha256).hexdigest()


def test_during_a_rotation_a_card_has_a_hash_under_each_key_newest_first():
    keys = CardKeys((CardKey("k2", NEW), CardKey("k1", OLD)))
    hashes = keys.hashes("iso14443a:04A1B2C3")
    assert [h.key_id for h in hashes] == ["k2", "k1"]
    assert len({h.uid_hash for h in hashes}) == 2
    assert hashes[1] == CardKeys((CardKey("k1", OLD),)).hashes("iso14443a:04A1B2C3")[0]


def test_the_newest_key_is_the_first_however_its_file_was_written_since(tmp_path: Path):
    keys, path = CardKeys((CardKey("k1", NEW), CardKey("k0", OLD))), tmp_path / "site.keys"
    path.write_text(json.dumps(json.loads(msgspec.json.encode(keys)), sort_keys=True))
    assert read_keys(path) == keys


def test_without_keys_a_card_has_no_hash():
    assert CardKeys(()).hashes("iso14443a:04A1B2C3") == ()


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
