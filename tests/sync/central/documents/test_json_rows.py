"""The rows of a document in JSON: where each begins, and where the document breaks."""

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.central.documents.json_rows import read_json
from sync.central.documents.rows import BrokenDocument, DocumentRow, OtherKind
from sync.central.imports.parts import Kind

DOCUMENT = """{
 "complete_days": ["2026-12-01", "2026-12-02"],
 "appointments": [],

 "patients": [
  {"patient_id": "P-1", "name": "한 \\"명\\""}, {"patient_id": "P-2",
   "cards": [ "a", "b" ] },
  17, null,

  "x"
 ],
 "site": {"name": "H",
          "languages": ["ko"]}, "exams": null
}
"""
ROWS = [
    (OtherKind.COMPLETE_DAY, 2, "2026-12-01"),
    (OtherKind.COMPLETE_DAY, 2, "2026-12-02"),
    (Kind.PATIENT, 6, {"patient_id": "P-1", "name": '한 "명"'}),
    (Kind.PATIENT, 6, {"patient_id": "P-2", "cards": ["a", "b"]}),
    (Kind.PATIENT, 8, 17),
    (Kind.PATIENT, 8, None),
    (Kind.PATIENT, 10, "x"),
    (Kind.SITE, 12, {"name": "H", "languages": ["ko"]}),
]


class Pieces(io.StringIO):
    """A text that comes in pieces, as from a pipe."""

    def __init__(self, text: str, sizes: list[int]) -> None:
        super().__init__(text)
        self._sizes = iter(sizes)

    def read(self, size: int | None = -1) -> str:
        return super().read(next(self._sizes, size if size is not None else -1))


def told(rows: Any) -> list[tuple[Any, int, Any]]:
    return [(row.kind, row.line, row.fields) for row in rows]


def fault_of(text: str) -> str:
    with pytest.raises(BrokenDocument) as raised:
        list(read_json(io.StringIO(text)))
    return str(raised.value)


def test_each_row_has_the_line_on_which_it_begins_and_members_come_in_any_order():
    assert told(read_json(io.StringIO(DOCUMENT))) == ROWS


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(1, 12), max_size=200))
def test_any_split_of_the_text_gives_the_same_rows(sizes: list[int]):
    assert told(read_json(Pieces(DOCUMENT, sizes))) == ROWS


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(st.lists(values, max_size=6), st.sampled_from([None, 1, "\t"]), st.booleans(), st.lists(st.integers(1, 9)))
def test_any_rows_come_out_as_the_standard_library_reads_them(rows, indent, ascii_only, sizes):
    text = json.dumps({"patients": rows}, indent=indent, ensure_ascii=ascii_only)
    read = list(read_json(Pieces(text, sizes)))
    assert [row.fields for row in read] == json.loads(text)["patients"]


def test_the_lines_of_a_long_document_are_counted_right():
    rows = [{"patient_id": f"P-{number}", "name": "이름" * (number % 40)} for number in range(20_000)]
    text = '{"patients": [\n' + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]}"
    assert [(row.line, row.fields) for row in read_json(io.StringIO(text))] == list(enumerate(rows, 2))


@pytest.mark.parametrize("text", ["{}", " {\n} \n", '{"site": null, "patients": null, "exams": [ ]}'])
def test_a_document_may_be_empty(text: str):
    assert list(read_json(io.StringIO(text))) == []


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("[]", "line 1, column 1:", "no JSON object"),
        ("", "line 1, column 1, at the end of the file:", "no JSON object"),
        ("{", "line 1, column 2, at the end", "not JSON"),
        ('{"patients": [\n {"a": 1},\n {"a": \n', "line 4, column 1, at the end", "not JSON"),
        ('{"patients": [\n {"a": 1}\n {"b": 2}]}', "line 3, column 2:", "between two rows"),
        ('{"patients": [\n {"a": 1},\n  {"b" 2}]}', "line 3, column 8:", "not JSON"),
        ('{"patients": [tru]}', "line 1, column 15:", "not JSON"),
        ('{"patients": {"a": 1}}', "", "patients is no list"),
        ('{"patient": []}', "", 'unknown or repeated member "patient": a document has each of exams, site'),
        ('{"patients": [], "patients": []}', "", 'repeated member "patients"'),
        ("{17: []}", "", "member 17"),
        ('{"patients" []}', "line 1, column 13:", "a colon is missing"),
        ('{"patients": []', "", "a comma or the last curly bracket is missing"),
        ('{"patients": []} x', "line 1, column 18:", "more after the end"),
        ('{"patients": [' + "[" * 100_000, "line 1, column 15:", "nested too deeply"),
    ],
)
def test_a_document_that_breaks_says_line_column_and_why(text: str, place: str, why: str):
    said = fault_of(text)
    assert said.startswith(place)
    assert why in said


def test_the_rows_before_the_break_are_read():
    read: list[DocumentRow] = []
    with pytest.raises(BrokenDocument):
        read.extend(read_json(io.StringIO('{"patients": [{"a": 1}, {"a": 2}, {')))
    rows = read_json(io.StringIO('{"patients": [{"a": 1}, {"a": 2}, {'))
    assert [next(rows).fields, next(rows).fields] == [{"a": 1}, {"a": 2}]


def test_a_name_that_an_object_has_twice_is_an_error_of_its_row_alone():
    text = '{"patients": [{"a": 1, "b": {"x": 1, "x": 2}}, {"a": 1}, {"a": 1, "a": 1}]}'
    assert [row.refused for row in read_json(io.StringIO(text))] == ["x is given twice", "", "a is given twice"]


def test_a_row_that_never_ends_is_told_before_the_whole_file_is_in_memory():
    said = fault_of('{"patients": [\n{"a": "' + "x" * 20_000_000)
    assert "not JSON within 1048576 characters from line 2 on" in said


def test_a_number_of_many_digits_and_a_control_character_are_faults_of_their_row():
    text = '{"patients": [{"a": ' + "9" * 10_000 + '}, {"a": "x\ty"}, {"a": NaN}]}'
    assert len(list(read_json(io.StringIO(text)))) == 3
