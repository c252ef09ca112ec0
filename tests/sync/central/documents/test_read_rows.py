"""Any file gives rows or is refused in words, and each row is judged by itself."""

import contextlib
import io
import itertools
import json
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.central.documents.read_rows import Reading, Source, read_document
from sync.central.documents.rows import MAX_ROW, BrokenDocument
from sync.central.documents.spool import Spool

DOCUMENT = (
    '{"site": {"name": "H", "desk": "D"}, "exams": [{"exam_id": "D", "minutes": 5, "overnight": true}],\n'
    '"patients": [{"patient_id": "P-1", "name": "홍길동", "birth_date": "1980-02-28", "cards": ["04a1b2c3"]}],\n'
    '"appointments": [{"appointment_id": "A", "patient_id": "P-1", "exam_id": "D", "scheduled_at": "20261201 0900"}],\n'
    '"complete_days": ["2026-12-01"]}'
)
TABLE = 'patient_id;name;cards\nP-1;"Kim; Anna";04a1b2c3 04a1b2c4\nP-2;홍길동;\n'


def read(content: bytes) -> list[tuple[int, str]]:
    """The line of each row of a file, and why it is refused, after it went through a spool."""
    source = Source(io.BytesIO(content), "export", len(content))
    with closing(Spool()) as spool:
        spool.add(read_document(source, Reading()).rows)
        spool.judge()
        return [(remark.line, remark.text) for remark in spool.refusals()]


def refused(**fields: Any) -> str:
    text = json.dumps({"patients": [{"patient_id": "P-1", **fields}]})
    return "".join(reason for _, reason in read(text.encode()))


@pytest.mark.parametrize("text", [DOCUMENT, TABLE])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp949"])
def test_a_good_file_has_no_refused_row(text: str, encoding: str):
    assert read(text.encode(encoding)) == []


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from([DOCUMENT, TABLE]),
    st.sampled_from(["utf-8", "utf-16", "cp949"]),
    st.lists(st.tuples(st.integers(0, 700), st.integers(0, 12), st.binary(max_size=6)), max_size=4),
)
def test_a_damaged_file_gives_rows_or_is_refused_in_words(text: str, encoding: str, damages: list[Any]):
    content = bytearray(text.encode(encoding))
    for place, length, instead in damages:
        content[place : place + length] = instead
    with contextlib.suppress(BrokenDocument):
        read(bytes(content))


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(st.characters()), st.text(st.characters()) | st.integers() | st.none(), max_size=3))
def test_any_fields_are_rows_or_refused_in_words(fields: dict[str, Any]):
    refused(**{name: value for name, value in fields.items() if name != "patient_id"})


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"name": 7}, "name: expected a text, got a whole number"),
        ({"name": None}, "name: expected a text, got null"),
        ({"name": ""}, "name is empty"),
        ({"name": "x" * 129}, "name has more than 128 characters"),
        ({"name": "Kim\nAnna"}, "name holds a line break, a character that nobody sees"),
        ({"language": "German"}, "language is no tag of a language, such as ko or en"),
        ({"cards": "04a1b2c3"}, "cards: expected a list or null, got a text"),
        ({"cards": [7]}, "cards[0]: expected a text, got a whole number"),
        ({"age": 7}, "age is no field of patients: patient_id, name, masked_name, language, birth_date, cards"),
        ({"birth_date": "1980-13-45"}, "birth_date is no date of the calendar, such as 1958-03-02"),
        ({"birth_date": "28.02.1980"}, "birth_date is no date of the calendar, such as 1958-03-02"),
        ({"name": "x\u202ey"}, "name holds U+202E, a character that nobody sees"),
        ({"cards": ["x" * 100] * 800}, f"it is longer than {MAX_ROW} bytes"),
    ],
)
def test_a_row_that_cannot_be_taken_says_why_in_words(fields: dict[str, Any], why: str):
    assert refused(**fields) == why


@pytest.mark.parametrize(
    ("member", "row", "why"),
    [
        ("site", {"day_starts_at": "4:00"}, "day_starts_at is no time of the day, such as 04:00"),
        ("site", {"ticket_prefix": "c"}, "ticket_prefix is no prefix: a capital letter, and up to three"),
        ("site", {"languages": []}, "languages is empty"),
        ("site", {"languages": ["ko", "Korean"]}, "languages[1] is no tag of a language, such as ko or en"),
        ("exams", {"exam_id": "X", "minutes": 1441}, "minutes is no whole number from 0 to 1440"),
        ("exams", {"exam_id": "X", "minutes": -1}, "minutes is no whole number from 0 to 1440"),
        ("exams", {"exam_id": "X", "minutes": 8.5}, "minutes: expected a whole number or null, got a number"),
        ("exams", {}, "exam_id is missing"),
        ("appointments", {"appointment_id": " "}, "appointment_id is empty"),
    ],
)
def test_no_reason_holds_the_words_of_a_program(member: str, row: dict[str, Any], why: str):
    ((_, said),) = read(json.dumps({member: row if member == "site" else [row]}).encode())
    assert said.startswith(why)


def test_a_name_that_is_no_text_is_shown_in_ascii():
    content = b'{"patients": [{"patient_id": "P", "\\ud800": 1, "\\ud800": 2}, {"patient_id": "Q", "\\udfff": 1}]}'
    assert [reason for _, reason in read(content)][:1] == ["\\ud800 is given twice"]


def test_a_name_that_would_move_the_cursor_or_fill_the_screen_is_shown_escaped_and_cut():
    assert refused(**{"\x1b[2J": 1}).startswith("\\x1b[2J is no field of patients: patient_id")
    assert len(refused(**{"x" * 5000: 1})) < 320
    odd = "matching regex - at `$.name"
    assert refused(**{odd: 1}).startswith(f"{odd} is no field of patients")


def test_a_row_without_its_id_is_refused():
    assert read(b'{"patients": [{"name": "x"}, 17]}') == [
        (1, "patient_id is missing"),
        (1, "expected an object, got a whole number"),
    ]


class Dribble(io.RawIOBase):
    """A file that gives its bytes in pieces."""

    def __init__(self, content: bytes, sizes: list[int]) -> None:
        self._whole = io.BytesIO(content)
        self._sizes = itertools.cycle(sizes)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, place: int, whence: int = io.SEEK_SET, /) -> int:
        return self._whole.seek(place, whence)

    def readinto(self, buffer: Any, /) -> int:
        piece = self._whole.read(min(next(self._sizes), len(buffer)))
        buffer[: len(piece)] = piece
        return len(piece)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([DOCUMENT, TABLE, TABLE.replace("\n", "\r\n")]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp949"]),
    st.lists(st.integers(1, 40), min_size=1, max_size=9),
)
def test_any_split_of_the_bytes_gives_the_same_rows(text: str, encoding: str, sizes: list[int]):
    content = text.encode(encoding)
    whole = Source(io.BytesIO(content), "export", len(content))
    split = Source(io.BufferedReader(Dribble(content, sizes), 16), "export", len(content))
    assert list(read_document(split, Reading()).rows) == list(read_document(whole, Reading()).rows)
