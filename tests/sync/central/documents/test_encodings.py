"""The encoding of a file, found by its bytes."""

import codecs
import io

import pytest

from sync.central.documents.encodings import CHUNK, find_encoding
from sync.central.documents.rows import BrokenDocument

TEXT = '{"patients": [{"patient_id": "P-1", "name": "홍길동"}]}'


def found(content: bytes, named: str | None = None) -> str:
    return find_encoding(io.BytesIO(content), "patients.json", named)


def fault_of(content: bytes, named: str | None = None) -> str:
    with pytest.raises(BrokenDocument) as raised:
        found(content, named)
    return str(raised.value)


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (TEXT.encode(), "utf-8"),
        (TEXT.encode("utf-8-sig"), "utf-8-sig"),
        (TEXT.encode("utf-16"), "utf-16"),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "utf-16"),
        (TEXT.encode("utf-16-le"), "utf-16-le"),
        (TEXT.encode("utf-16-be"), "utf-16-be"),
        (TEXT.encode("utf-32"), "utf-32"),
        (TEXT.encode("cp949"), "cp949"),
        (TEXT.encode("euc-kr"), "cp949"),
        (b"{}", "utf-8"),
    ],
)
def test_the_bytes_say_the_encoding_and_the_text_comes_out_whole(content: bytes, encoding: str):
    assert found(content) == encoding
    assert content.decode(encoding).removeprefix("\ufeff") in {TEXT, "{}"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp949"])
def test_a_character_may_lie_across_two_chunks(encoding: str):
    for shift in range(4):
        content = ("x" * shift + "홍길동" * CHUNK).encode(encoding)
        assert found(content) == encoding


def test_a_file_that_is_no_encoding_of_ours_is_told_with_the_offset_and_the_option():
    latin = '"Müller"'.encode("latin-1")
    said = fault_of(latin)
    assert "no UTF-8 (offset 2)" in said
    assert "--encoding" in said
    assert found(latin, "latin-1") == "iso8859-1"


def test_a_damaged_file_in_utf_8_is_not_taken_for_korean_text_of_another_encoding():
    content = TEXT.encode()
    place = content.index("동".encode())
    # The two bytes after the damage make a character of CP949.
    damaged = content[:place] + "가".encode("cp949") + content[place + 3 :]
    said = fault_of(b"x" * CHUNK + damaged.replace(b"P-1", "가나다".encode()))
    assert "begins as UTF-8" in said
    assert "--encoding" in said


@pytest.mark.parametrize("cut", [1, 2])
def test_a_file_that_was_cut_within_a_character_is_told_with_the_offset(cut: int):
    content = "홍길동님".encode()
    assert f"offset {len(content) - 3}" in fault_of(content[:-cut])


@pytest.mark.parametrize(
    ("beginning", "what"),
    [(b"PK\x03\x04\x14\0", "a workbook"), (b"\xd0\xcf\x11\xe0\xa1", "a workbook"), (b"\x1f\x8b\x08", "compressed")],
)
def test_a_file_of_another_kind_is_named(beginning: bytes, what: str):
    said = fault_of(beginning + bytes(100))
    assert what in said
    assert "CSV or JSON" in said


@pytest.mark.parametrize("name", ["utf-8", "UTF8", "utf_8", "cp949", "utf-16", "utf-16-le", "shift_jis"])
def test_a_named_encoding_wins(name: str):
    assert TEXT[:20].encode(name).decode(found(TEXT[:20].encode(name), name)) == TEXT[:20]


@pytest.mark.parametrize("name", ["utf-8", "utf-16-le"])
def test_the_mark_at_the_beginning_is_no_text_where_the_encoding_is_named(name: str):
    content = f"\ufeff{TEXT}".encode(name)
    assert content.decode(found(content, name)) == TEXT


def test_a_named_encoding_that_does_not_fit_is_told_with_the_offset():
    content = b"x" * CHUNK + "한".encode("cp949")
    assert f"the byte at offset {CHUNK} does not fit" in fault_of(content, "utf-8")


@pytest.mark.parametrize("name", ["klingon", "base64", "rot13", "utf-8\0"])
def test_an_encoding_that_there_is_not_is_named(name: str):
    assert "there is no encoding" in fault_of(b"{}", name)


def test_a_stray_zero_makes_no_utf_16_of_a_file():
    assert found(TEXT.encode() + b"\0") == "utf-8"
    assert found(TEXT.encode("cp949") + b"\0") == "cp949"


def test_a_file_of_utf_16_that_was_cut_is_told_with_the_offset():
    assert "offset" in fault_of(TEXT.encode("utf-16")[:-1])
