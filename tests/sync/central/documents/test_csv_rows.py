"""The rows of a document in CSV, as hospitals export it."""

import csv
import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.central.documents.csv_rows import read_csv
from sync.central.documents.rows import BrokenDocument
from sync.central.imports.parts import Kind


def rows(text: str, kind: Kind | None = None, ignored: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
    read = read_csv(io.StringIO(text, newline=""), kind, ignored)
    return [(row.line, row.fields) if not row.refused else (row.line, row.refused) for row in read]


def fault_of(text: str, kind: Kind | None = None) -> str:
    with pytest.raises(BrokenDocument) as raised:
        rows(text, kind)
    return str(raised.value)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiter_and_line_ends_are_found(delimiter: str, end: str):
    lines = [["patient_id", "name", "language"], ["P-1", "홍길동", "ko"], ["P-2", "Kim, Anna", "en"]]
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=end).writerows(lines)
    assert rows(out.getvalue()) == [
        (2, {"patient_id": "P-1", "name": "홍길동", "language": "ko"}),
        (3, {"patient_id": "P-2", "name": "Kim, Anna", "language": "en"}),
    ]


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("appointment_id,patient_id,exam_id,scheduled_at", Kind.APPOINTMENT),
        ("name,patient_id", Kind.PATIENT),
        ("title,exam_id", Kind.EXAM),
        ('\ufeff"Patient ID",NAME ,Birth Date', Kind.PATIENT),
        ("patient_id", Kind.PATIENT),
    ],
)
def test_the_header_says_the_kind_and_forgives_case_spaces_and_a_mark(header: str, kind: Kind):
    cells = ",".join("x" * (header.count(",") + 1))
    (row,) = read_csv(io.StringIO(f"{header}\n{cells}"))
    assert (row.kind, row.refused) == (kind, "")
    assert len(row.fields) == header.count(",") + 1


def test_a_file_may_have_a_header_alone():
    assert rows("patient_id,name\n") == []


def test_a_named_kind_wins():
    text = "patient_id,exam_id,appointment_id\nP-1,X,A-1"
    (row,) = read_csv(io.StringIO(text), Kind.APPOINTMENT)
    assert row.kind is Kind.APPOINTMENT
    assert "column 2, 'exam_id', is no field of patients" in fault_of(text, Kind.PATIENT)


def test_a_first_line_of_excel_names_the_delimiter():
    assert rows("sep=;\npatient_id;name\nP-1;Kim, Anna") == [(3, {"patient_id": "P-1", "name": "Kim, Anna"})]
    assert "names no delimiter" in fault_of("sep=\npatient_id;name\n")


def test_an_unknown_column_is_named_with_those_that_there_are():
    said = fault_of("patient_id,name,ward\nP-1,Kim,7")
    assert "line 1: column 3, 'ward', is no field of patients: patient_id, name, masked_name, language" in said
    assert "--ignore-column" in said
    assert rows("patient_id,Ward No,name\nP-1,7,Kim", ignored=("ward no",)) == [
        (2, {"patient_id": "P-1", "name": "Kim"})
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the header names none of"),
        ("name,language\nx,ko", "the header names none of"),
        ("patient_id,name,name\n1,2,3", "the column name comes twice"),
        ("patient_id,exam_id,title\n", "is no field of patients"),
        ('"patient_id,name\n', "the header names none of"),
    ],
)
def test_a_header_that_is_none_is_told(text: str, why: str):
    assert why in fault_of(text)


def test_what_is_said_of_a_file_without_a_header_holds_no_name():
    for kind in (None, Kind.PATIENT):
        assert "홍길동" not in fault_of("홍길동,1980-01-01,P-1\n", kind)


def test_the_own_id_must_be_among_the_columns_of_a_named_kind():
    assert "the column exam_id is missing" in fault_of("title\nX", Kind.EXAM)


def test_an_empty_cell_removes_what_can_be_removed_and_leaves_the_rest_unchanged():
    assert rows("patient_id,name,masked_name,language,birth_date,cards\nP-1,,,, ,") == [
        (2, {"patient_id": "P-1", "masked_name": None, "language": None, "birth_date": None, "cards": None})
    ]
    assert rows("exam_id,title,public_label,room,minutes,overnight\nX,,,,,") == [
        (2, {"exam_id": "X", "room": None, "minutes": None, "overnight": None})
    ]
    assert rows("appointment_id,patient_id,exam_id,scheduled_at\nA,,,") == [(2, {"appointment_id": "A"})]


def test_a_column_without_a_name_is_left_out_where_it_is_empty():
    text = "patient_id,,name,\nP-1,,Kim,\nP-2,,Kim,x\nP-3,y,Kim,\n"
    assert rows(text) == [
        (2, {"patient_id": "P-1", "name": "Kim"}),
        (3, "column 4 has no name"),
        (4, "column 2 has no name"),
    ]
    assert [fields for _, fields in rows(text, ignored=("",))] == [
        {"patient_id": f"P-{n}", "name": "Kim"} for n in (1, 2, 3)
    ]


def test_a_column_that_is_left_out_is_no_field():
    assert rows("patient_id\nP-1") == [(2, {"patient_id": "P-1"})]


@pytest.mark.parametrize(
    ("cell", "cards"),
    [("a;b", ["a", "b"]), ("a b", ["a", "b"]), (" a ; b;", ["a", "b"]), ("04:a1 04:a2", ["04:a1", "04:a2"]), (";", [])],
)
def test_the_cards_of_a_cell_are_parted_by_semicolons_or_spaces(cell: str, cards: list[str]):
    assert rows(f'patient_id,cards\nP-1,"{cell}"') == [(2, {"patient_id": "P-1", "cards": cards})]


@pytest.mark.parametrize(
    ("cell", "overnight"),
    [(word, True) for word in ("true", "TRUE", "1", "yes", "Y", " y ")]
    + [(word, False) for word in ("false", "False", "0", "no", "N")],
)
def test_a_yes_and_a_no_are_read(cell: str, overnight: bool):
    assert rows(f"exam_id,overnight\nX,{cell}") == [(2, {"exam_id": "X", "overnight": overnight})]


def test_a_cell_that_cannot_be_read_refuses_its_row_and_does_not_show_its_text():
    assert rows("exam_id,overnight,minutes\nX,maybe,5\nY,no,5.5\nZ,no,5\nW,no,٣") == [
        (2, "overnight is none of true, false, 1, 0, yes, no, Y, N"),
        (3, "minutes is no whole number from 0 to 1440"),
        (4, {"exam_id": "Z", "overnight": False, "minutes": 5}),
        (5, "minutes is no whole number from 0 to 1440"),
    ]


def test_a_row_with_a_cell_that_cannot_be_read_keeps_its_id():
    (row,) = read_csv(io.StringIO("minutes,exam_id\nlong,X"))
    assert (row.fields, row.refused) == ({"exam_id": "X"}, "minutes is no whole number from 0 to 1440")


def test_a_cell_in_quotes_may_hold_a_line_break_and_the_lines_after_it_are_counted():
    text = 'patient_id,name\nP-1,"a\nb"\n\n ,\nP-2,"say ""hi"""\n'
    assert rows(text) == [
        (2, {"patient_id": "P-1", "name": "a\nb"}),
        (6, {"patient_id": "P-2", "name": 'say "hi"'}),
    ]


def test_a_row_of_another_length_is_refused_and_the_next_is_read():
    assert rows("patient_id,name\nP-1\nP-2,b,c\nP-3,d") == [
        (2, "it has 1 cell, and the header has 2"),
        (3, "it has 3 cells, and the header has 2"),
        (4, {"patient_id": "P-3", "name": "d"}),
    ]


def test_a_quote_that_is_not_closed_says_how_far_it_reaches():
    assert rows('patient_id,name\nP-1,"a\nP-2,b\nP-3,"c"\nP-4,d') == [
        (2, "no row of CSV: ',' expected after '\"'; its quotes reach to line 4"),
        (5, {"patient_id": "P-4", "name": "d"}),
    ]
    assert rows('patient_id,name\nP-1,"a\nP-2,b') == [
        (2, "no row of CSV: unexpected end of data; its quotes reach to line 3")
    ]


def test_a_line_without_an_end_is_told_before_the_whole_file_is_in_memory():
    assert "line 2 is longer than 1048576 characters" in fault_of("patient_id,name\n" + "x" * 3_000_000)


cells = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1).filter(
    lambda text: text.strip()
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(cells, cells), max_size=8), st.sampled_from(",;\t"), st.sampled_from(["\n", "\r\n"]))
def test_any_cells_come_out_as_they_went_in(pairs, delimiter, end):
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([("patient_id", "name"), *pairs])
    read = [(fields["patient_id"], fields["name"]) for _, fields in rows(out.getvalue())]
    assert read == pairs
