"""Masks of names: by what a reader takes for a letter."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.words.masks import masked

NAMES = [
    ("홍길동", "홍*동"),
    ("이솔", "이*"),
    ("솔", "솔*"),
    ("남궁민수", "남**수"),
    ("Anna Berg", "A**a B**g"),
    ("Zoë", "Z*ë"),
    ("क्षत्रिय", "क्ष*य"),
    ("நிலா", "நி*"),
    ("👨‍👩‍👧‍👦", "👨‍👩‍👧‍👦*"),
    ("🇰🇷🇩🇪🇫🇷", "🇰🇷*🇫🇷"),
    ("👍🏽ab", "👍🏽*b"),
    ("x\u0301\u0302yz", "x\u0301\u0302*z"),
    ("", ""),
    ("  ", ""),
]


@pytest.mark.parametrize(("name", "shown"), NAMES)
def test_a_masked_name_keeps_its_edges(name, shown):
    assert masked(name) == shown


@pytest.mark.parametrize(("name", "shown"), NAMES)
def test_a_name_in_single_letters_is_masked_as_the_whole_one_is(name, shown):
    assert masked(unicodedata.normalize("NFD", name)) == unicodedata.normalize("NFC", shown)


@given(st.lists(st.sampled_from("가나다abcé"), min_size=1, max_size=9).map("".join))
def test_a_mask_shows_two_letters_at_most_and_hides_one_at_least(word):
    shown = masked(word)
    assert shown.count("*") == max(1, len(word) - 2)
    assert len(shown.replace("*", "")) == (1 if len(word) < 3 else 2)
