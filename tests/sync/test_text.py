"""Text in its one form, and the form in which a search compares it."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.text import fold, holds_nul

SAME = [
    ("José Ñandú", "jose nandu"),
    ("ÉMILIE", "émilie"),
    ("ÉMILIE", "e\u0301milie"),
    ("홍길동", unicodedata.normalize("NFD", "홍길동")),
    ("O'Brien", "o’brien"),
    ("O'Brien", "O`BRIEN"),
    ("O'Brien", "O´Brien"),
    ("D'Angelo", "dʼangelo"),
    ("D'Angelo", "D\u1ffdAngelo"),
    ("Tlil'", "TLIL\ua78b"),
    ("Jean-Pierre", "jean pierre"),
    ("Jean-Pierre", "Jean–Pierre"),
    ("Jean-Pierre", "Jean‑Pierre"),
    ("  Anna\u00a0 Berg\u3000", "anna berg"),
    ("ＡＮＮＡ", "anna"),
    ("ﾔﾏﾀﾞ", "ヤマダ"),
    ("Straße", "STRASSE"),
    ("Łukasz Sørensen", "lukasz sorensen"),
    ("İpek Işık", "ipek isik"),
    ("Œuvre Æsir", "oeuvre aesir"),
    ("Семён", "семен"),
    ("Ιωάννης", "ΙΩΑΝΝΗΣ"),
    ("מֹשֶׁה", "משה"),
    ("Ka\u200bthy", "kathy"),
]
OTHER = [("が", "か"), ("हिन्दी", "हनद"), ("홍길동", "홍길"), ("Anna Berg", "AnnaBerg"), ("OBrien", "O'Brien")]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_texts_that_a_person_calls_the_same_are_searched_as_one(one, other):
    assert fold(one) == fold(other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_texts_of_other_letters_stay_apart(one, other):
    assert fold(one) != fold(other)


@given(st.text())
def test_folding_again_changes_nothing(text):
    assert fold(fold(text)) == fold(text)


@given(st.text())
def test_the_form_of_unicode_makes_no_difference(text):
    assert fold(unicodedata.normalize("NFD", text)) == fold(text)


@given(
    st.recursive(st.text("\0\\u0", max_size=5), lambda inner: st.lists(inner) | st.dictionaries(st.text("\0a"), inner))
)
def test_a_document_holds_u0000_where_a_text_in_it_does(document: object):
    text = json.dumps(document)
    assert holds_nul(text) is holds_nul(text.encode()) is ("\0" in flat(document))


def flat(document: object) -> str:
    """The texts of a document, with its names."""
    if isinstance(document, dict):
        return "".join(f"{name}{flat(value)}" for name, value in document.items())
    return "".join(map(flat, document)) if isinstance(document, list) else str(document)
