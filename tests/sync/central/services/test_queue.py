"""The order of the staff's views: the queue in the order of calls, a history in the order of time."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest

from sync.central.records.patients import add_patient_alias, patient_named
from sync.central.services.errors import ApiError
from sync.central.services.lists import Earlier
from sync.central.services.queue import History, Search, history, search_queue
from sync.central.services.told import Told
from sync.journey.model import STAFF
from tests.sync.central.centre import Centre, patient

TO_WAITING = ("scan_nfc", "register", "confirm_arrival")


def waiting(centre: Centre, number: int, exam_id: str, priority: int, opened_ms: int) -> str:
    """A patient in the line of an exam; their entry."""
    (entry,) = centre.walk(patient(number), *TO_WAITING)["queue_details"]
    queue_id: str = entry["queue_id"]
    with centre.store.write() as db:
        db.execute(
            "update entries set exam_id = :exam_id, priority = :priority, opened_ms = :opened_ms,"
            " line_ms = :opened_ms"
            " where queue_id = :queue_id",
            {"exam_id": exam_id, "priority": priority, "opened_ms": opened_ms, "queue_id": queue_id},
        )
    return queue_id


def listed(centre: Centre, **search: Any) -> list[str]:
    """The entries of the staff's list, in its order."""
    page = search_queue(centre.parts, Search(**search))
    assert isinstance(page, Told)
    return [row.queue_id for row in page.value.entries]


def test_the_queue_is_in_the_order_in_which_its_patients_will_be_called(centre: Centre):
    now = centre.clock()
    late, early, urgent, twin, other_exam = (
        waiting(centre, 1, "xray", priority=0, opened_ms=now + 9_000),
        waiting(centre, 2, "xray", priority=0, opened_ms=now + 1_000),
        waiting(centre, 3, "xray", priority=5, opened_ms=now + 5_000),
        waiting(centre, 4, "xray", priority=0, opened_ms=now + 9_000),
        waiting(centre, 6, "blood", priority=0, opened_ms=now + 20_000),
    )
    assert late < twin, "of equal entries the id decides"
    assert listed(centre) == [other_exam, urgent, early, late, twin]
    assert listed(centre, exam_id="xray") == [urgent, early, late, twin]
    assert listed(centre, state="waiting") == [other_exam, urgent, early, late, twin]


def test_a_history_is_in_the_order_in_which_it_happened_within_one_change_too(centre: Centre):
    """Staff called the patient before the arrival was confirmed again, so that one action leaves two rows."""
    one = patient(5)  # without a booking, so that the arrival joins the open entry
    centre.walk(one, *TO_WAITING)
    with centre.store.write() as db:
        db.execute("update entries set state = 'called'")
        db.execute("update journeys set state = 'REGISTERED' where patient_id = :id", {"id": one})
    centre.walk(one, "confirm_arrival")
    found = history(centre.parts, one)
    assert isinstance(found, Told)
    assert [(row.action, row.to_state) for row in found.value.transitions] == [
        ("scan_nfc", "ARRIVED"),
        ("register", "REGISTERED"),
        ("confirm_arrival", "WAITING"),
        ("confirm_arrival", "WAITING"),
        ("queue_sync", "CALLED"),
    ]


@pytest.mark.parametrize("limit", [1, 2, 4])
def test_the_parts_of_a_history_are_the_whole_history_also_within_one_change(centre: Centre, limit: int):
    one = patient(5)
    centre.walk(one, *TO_WAITING)
    with centre.store.write() as db:
        db.execute("update entries set state = 'called'")
        db.execute("update journeys set state = 'REGISTERED' where patient_id = :id", {"id": one})
    centre.walk(one, "confirm_arrival")
    whole = told_history(centre, one, Earlier())
    found, page = [], Earlier(limit=limit)
    while True:
        part = told_history(centre, one, page)
        assert len(part.transitions) <= limit
        found = [*part.transitions, *found]
        if part.earlier is None:
            break
        page = Earlier(before=part.earlier, limit=limit)
    assert len(whole.transitions) == 5
    assert found == whole.transitions


def test_a_place_in_a_history_that_no_answer_has_named_is_refused(centre: Centre):
    assert history(centre.parts, patient(1), Earlier(before="yesterday")) == ApiError(
        "malformed", "before must be an `earlier` of a history."
    )


def told_history(centre: Centre, patient_id: str, page: Earlier) -> History:
    found = history(centre.parts, patient_id, page)
    assert isinstance(found, Told)
    assert isinstance(found.value, History)
    return found.value


PEOPLE = {
    "P-1": "Émilie O’Brien",
    "P-2": "Anna Berg",
    "p-2": "Jean-Pierre Dupont",
    "P-3": "홍길동",
}


@pytest.fixture
def named(centre: Centre) -> Centre:
    """A centre where people of these names wait."""
    centre.take({"patients": [{"patient_id": each, "name": name} for each, name in PEOPLE.items()]})
    for each in PEOPLE:
        centre.walk(each, *TO_WAITING)
    return centre


def found(centre: Centre, text: str, *, by_name: bool = True) -> list[str]:
    """The patients whom a search finds, in its order."""
    page = search_queue(centre.parts, Search(q=text), by_name=by_name)
    assert isinstance(page, Told)
    return [row.patient_id for row in page.value.entries]


@pytest.mark.parametrize(
    ("text", "patients"),
    [
        ("ÉMILIE", ["P-1"]),
        ("émilie", ["P-1"]),
        ("emil", ["P-1"]),
        ("o'brien", ["P-1"]),
        ("O`Br", ["P-1"]),
        ("berg", ["P-2"]),
        ("Berg, Anna".replace(",", ""), ["P-2"]),
        ("an be", ["P-2"]),
        ("erg", []),
        ("pierre", ["p-2"]),
        ("jean pierre", ["p-2"]),
        ("Jean‐Pierre", ["p-2"]),
        (unicodedata.normalize("NFD", "홍길"), ["P-3"]),
        ("길동", ["P-3"]),  # the given name, without a space before it
        ("길순", []),
        ("%", []),
        ("_nna", []),
        ("-", []),
        (" ", []),
        ("‮anna", ["P-2"]),
    ],
)
def test_a_name_is_found_by_the_beginnings_of_its_words_however_they_are_typed(named: Centre, text, patients):
    assert found(named, text) == patients
    assert found(named, text, by_name=False) == []


@pytest.mark.parametrize("text", ["p-1", "P-1", " P-1 ", "p 1", "Ｐ－１"])
def test_a_patient_id_is_found_however_it_is_typed(named: Centre, text):
    assert found(named, text, by_name=False) == ["P-1"]


def test_of_ids_that_differ_in_case_alone_the_exact_one_comes_first(named: Centre):
    assert found(named, "P-2") == ["P-2", "p-2"]
    assert found(named, "p-2") == ["p-2", "P-2"]


def test_the_id_of_a_merged_record_finds_the_patient_who_has_it_now(named: Centre):
    with named.store.write() as db:
        add_patient_alias(db, "OLD-7", "P-3", named.clock())
    assert found(named, "OLD-7 ") == ["P-3"]


def test_a_new_name_is_found_and_the_former_one_no_longer(named: Centre):
    named.take({"patients": [{"patient_id": "P-2", "name": "Anna Świątek"}]})
    assert found(named, "swiatek") == ["P-2"]
    assert found(named, "berg") == []


@pytest.mark.parametrize("typed", ["{0}-{1:03d}", "{0}{1:03d}", "{0}{1}", "{0} {1}", "{0}-{1}", "{0}–{1:04d}"])
def test_a_queue_number_is_found_however_it_is_typed(named: Centre, typed):
    (entry,) = named.state("P-1")["queue_details"]
    prefix, count = entry["queue_number"].split("-")
    for text in (typed.format(prefix, int(count)), typed.format(prefix.lower(), int(count))):
        assert found(named, text, by_name=False) == ["P-1"]


@pytest.mark.parametrize("text", ["a" * 100_000, "a1" * 50_000, "a " * 50_000], ids=["a word", "a number", "words"])
def test_a_text_that_is_far_too_long_finds_nobody(named: Centre, text: str):
    assert found(named, text) == []


def test_a_queue_number_that_another_kiosk_printed_is_found_too(named: Centre):
    with named.store.write() as db:
        db.execute("update entries set label_aliases = '[\"Q2-042\"]' where patient_id = 'P-1'")
    for text in ("Q2-042", "q2 42", "q2042"):
        assert found(named, text) == ["P-1"]
    assert found(named, "q-2") == []


@pytest.mark.parametrize("typed", [" P-1", "P-1 ", "P-1 "])
def test_an_id_with_a_space_at_its_end_is_the_same_patient_everywhere(named: Centre, typed):
    assert named.state(typed, STAFF)["queue_details"] == named.state("P-1")["queue_details"]


def test_an_id_with_a_mark_that_nobody_sees_is_nobodys(named: Centre):
    with named.store.read() as db:
        assert patient_named(db, "P-1‮") is None


def test_a_row_of_the_queue_has_the_people_ahead_and_the_wait(centre: Centre):
    now = centre.clock()
    for number in (1, 2):
        waiting(centre, number, "blood", priority=0, opened_ms=now + number)
    page = search_queue(centre.parts, Search(exam_id="blood"))
    assert isinstance(page, Told)
    assert [(row.people_ahead, row.estimated_wait_time) for row in page.value.entries] == [(0, 0), (1, 5)]
