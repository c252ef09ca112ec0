"""The rows of a document while it is taken: doubles, cards that two rows claim, and pages."""

import gc
import io
import os
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sync.central.documents.json_rows import read_json
from sync.central.documents.read_rows import Reading, open_source, read_document
from sync.central.documents.rows import BrokenDocument, DocumentRow, OtherKind
from sync.central.documents.spool import Spool
from sync.central.imports.parts import Kind
from tests.unmeasured import unmeasured


def patient(line: int, patient_id: object, *cards: str, refused: str = "") -> DocumentRow:
    fields: dict[str, Any] = {"patient_id": patient_id, **({"cards": list(cards)} if cards else {})}
    return DocumentRow(Kind.PATIENT, line, fields, refused, "" if refused else "{}")


@pytest.fixture
def spool() -> Iterator[Spool]:
    with closing(Spool()) as made:
        yield made


def refusals(spool: Spool, *rows: DocumentRow) -> dict[int, str]:
    spool.add(rows)
    spool.judge()
    return {remark.line: remark.text for remark in spool.refusals()}


def test_a_doubled_id_is_an_error_of_every_row_that_bears_it_with_the_lines_of_all(spool: Spool):
    found = refusals(spool, patient(2, "P-1"), patient(3, "P-2"), patient(4, " P-1 "), patient(9, "P-1"))
    assert found == dict.fromkeys((2, 4, 9), "the same id is on lines 2, 4 and 9")


def test_an_id_of_many_rows_names_some_of_their_lines(spool: Spool):
    found = refusals(spool, *(patient(line, "P-1") for line in range(1, 2001)))
    assert len(found) == 2000
    assert set(found.values()) == {"the same id is on lines 1, 2, 3, 4, 5 and 1995 more"}


def test_an_id_counts_once_for_each_kind_and_in_one_form_of_korean(spool: Spool):
    exam = DocumentRow(Kind.EXAM, 7, {"exam_id": "P-1"}, "", "{}")
    assert refusals(spool, patient(1, "P-1"), exam, patient(2, "가-1"), patient(3, "가-1")) == dict.fromkeys(
        (2, 3), "the same id is on lines 2 and 3"
    )


def test_a_row_that_is_refused_for_itself_counts_as_bearing_its_id(spool: Spool):
    found = refusals(spool, patient(1, "P-1", refused="no name"), patient(2, "P-1"))
    assert found == {1: "no name; the same id is on lines 1 and 2", 2: "the same id is on lines 1 and 2"}


def test_rows_without_an_id_are_no_doubles_of_each_other(spool: Spool):
    rows = (patient(1, 17, refused="x"), patient(2, None, refused="x"), patient(3, "\u200b", refused="x"))
    assert refusals(spool, *rows) == dict.fromkeys((1, 2, 3), "x")


def test_two_rows_that_claim_one_card_are_errors_both_however_the_card_is_spelled(spool: Spool):
    found = refusals(
        spool,
        patient(1, "P-1", "04A1B2C3D4E501"),
        patient(2, "P-2", "04a1b2c3d4e502", "04:a1:b2:c3:d4:e5:01"),
        patient(3, "P-3", "iso14443a:04-a1-b2-c3-d4-e5-01"),
        patient(4, "P-4", "04a1b2c3d4e503"),
    )
    assert found == {
        1: "card 1 is also card 2 of line 2",
        2: "card 2 is also card 1 of line 1",
        3: "card 1 is also card 1 of line 1",
    }


def test_one_row_may_name_a_card_twice_and_a_doubled_row_is_refused_once(spool: Spool):
    twice = patient(1, "P-1", "04a1b2c3d4e501", "04A1B2C3D4E501")
    found = refusals(spool, twice, patient(2, "P-2", "04a1b2c3d4e502"), patient(3, "P-2", "04a1b2c3d4e502"))
    assert found == dict.fromkeys((2, 3), "the same id is on lines 2 and 3")


def test_a_text_that_is_no_card_is_claimed_by_nobody(spool: Spool):
    # The centre refuses each of these rows, and says why.
    assert refusals(spool, *(patient(line, f"P-{line}", "N/A") for line in (1, 2, 3))) == {}


def test_a_holder_gives_up_cards_by_a_row_of_its_own_with_a_list(spool: Spool):
    no_card = DocumentRow(Kind.PATIENT, 5, {"patient_id": "P-5", "cards": None}, "", "{}")
    refusals(
        spool, patient(1, "P-1", "04a1b2c3d4e501"), patient(2, "P-2"), patient(3, "P-3", "x", refused="x"), no_card
    )
    assert [spool.gives_up_cards(f"P-{n}") for n in (1, 2, 3, 4, 5)] == [True, False, False, False, True]


def test_every_row_comes_once_though_rows_are_refused_while_they_are_read(spool: Spool):
    spool.add(patient(line, f"P-{line}") for line in range(1, 3501))
    spool.judge()
    seen = []
    for row in spool.waiting(Kind.PATIENT):
        seen.append(row.line)
        spool.refuse(row.number, "x")
    assert seen == list(range(1, 3501))
    assert list(spool.waiting(Kind.PATIENT)) == []


def test_a_day_may_be_named_twice(spool: Spool):
    days = [DocumentRow(OtherKind.COMPLETE_DAY, line, "2026-12-01", "", '"2026-12-01"') for line in (1, 2)]
    assert refusals(spool, *days) == {}


def test_the_rows_lie_in_a_file_that_has_no_name(spool: Spool):
    spool.add(DocumentRow(Kind.PATIENT, line, {}, "", "x" * 500) for line in range(20_000))
    names = [os.readlink(f"/proc/self/fd/{each}") for each in os.listdir("/proc/self/fd") if _is_there(each)]
    spooled = [name for name in names if "etilqs" in name]
    assert spooled
    assert all(name.endswith(" (deleted)") for name in spooled)


def _is_there(descriptor: str) -> bool:
    return os.path.islink(f"/proc/self/fd/{descriptor}")


def test_a_disk_without_room_for_the_rows_is_told(spool: Spool):
    spool._db.execute("pragma max_page_count = 100")
    with pytest.raises(OSError, match="find no room among the temporary files"):
        spool.add(patient(line, f"P-{line}") for line in range(100_000))


def test_what_the_rows_raise_comes_through(spool: Spool):
    with pytest.raises(BrokenDocument):
        spool.add(read_json(io.StringIO('{"patients": [{}, ')))


def test_the_memory_does_not_grow_with_the_document(tmp_path: Path):
    peaks = []
    for rows in (20_000, 30_000):
        file = tmp_path / f"{rows}.csv"
        with file.open("w") as out:
            out.write("patient_id,name,cards\n")
            out.writelines(f"P-{n},환자{n},04{n:012x}\n" for n in range(rows))
        gc.collect()
        tracemalloc.start()
        with unmeasured(), closing(Spool()) as spool, open_source(str(file)) as source:
            spool.add(read_document(source, Reading()).rows)
            spool.judge()
            assert spool.count(Kind.PATIENT).refused == 0
            assert spool.size() == rows
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 250_000  # a row that stayed would take more than 25 bytes
