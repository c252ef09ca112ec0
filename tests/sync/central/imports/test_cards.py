"""The cards of a document: a patient's whole list, which moves and ends what earlier documents bound."""

from __future__ import annotations

import msgspec
import pytest

from sync.cards import canonical_tag
from sync.central.imports.portion import PortionRow
from sync.central.records.bindings import bind, binding_records
from sync.central.services.merge import merge
from sync.ids import new_id
from tests.sync.central.centre import Centre, card
from tests.sync.central.imports.rows import holder, patient_columns, patient_row, sent, take, taken
from tests.sync.central.wire import BY_STAFF

ONE, TWO, THREE = card(1), card(2), "04c0ffee00abcd"


def moved(row: PortionRow, **moves: tuple[int, ...]) -> PortionRow:
    """A row as it is sent again, with the cards that their holders give up."""
    return msgspec.structs.replace(row, moves=moves)


def last(row: PortionRow) -> PortionRow:
    """A row as it is sent again once the whole document is in."""
    return msgspec.structs.replace(row, last=True)


def bound_by_staff(centre: Centre, patient_id: str, uid: str) -> None:
    with centre.store.write() as db:
        bind(db, patient_id, centre.parts.keys.hashes(canonical_tag(uid)), new_id(), 5, BY_STAFF)


def test_a_card_of_another_patient_names_its_holder_and_nothing_of_the_row_is_taken(centre: Centre):
    (result,) = take(centre, patient_row("P01", name="Somebody Else", cards=[ONE, TWO]))
    assert (result.refused, result.held) == ("", {"2": "P02"})
    assert holder(centre, TWO) == "P02"
    assert centre.rows("select name from patients where patient_id = 'P01'") == [{"name": "환자01"}]


@pytest.mark.parametrize("text", ["XYZ", "N/A", "-", "없음", "Anna Example", "tag:7"])
def test_a_text_that_no_reader_shows_is_no_card(centre: Centre, text: str):
    (result,) = take(centre, patient_row("P01", name="Other", cards=[ONE, text]))
    assert result.refused == "card 2 is no id of a card: it is written in hex, such as 04A1B2C3D4E501"
    assert patient_columns(centre, "P01")["name"] == "환자01"


def test_swapped_cards_are_swapped_and_no_card_is_without_a_holder_in_between(centre: Centre):
    one, two = patient_row("P01", cards=[TWO]), patient_row("P02", cards=[ONE])
    taken(centre, moved(one, P02=(1,)))
    assert (holder(centre, ONE), holder(centre, TWO)) == ("P01", "P01")
    taken(centre, moved(two, P01=(1,)))
    assert (holder(centre, ONE), holder(centre, TWO)) == ("P02", "P01")
    for row in (one, two):
        (again,) = taken(centre, row)
        assert (again.changed, again.cards, again.omits) == (False, 0, False)


def test_cards_that_were_swapped_can_be_swapped_back(centre: Centre):
    for _ in range(2):
        taken(
            centre, moved(patient_row("P01", cards=[TWO]), P02=(1,)), moved(patient_row("P02", cards=[ONE]), P01=(1,))
        )
        taken(
            centre, moved(patient_row("P01", cards=[ONE]), P02=(1,)), moved(patient_row("P02", cards=[TWO]), P01=(1,))
        )
        assert (holder(centre, ONE), holder(centre, TWO)) == ("P01", "P02")


def test_a_move_changes_both_patients_for_those_who_follow(centre: Centre):
    with centre.store.read() as db:
        before = db.latest_change()
    taken(centre, moved(patient_row("P01", cards=[ONE, TWO]), P02=(2,)))
    changed = centre.rows("select patient_id from journeys where change > :n order by patient_id", n=before)
    assert [row["patient_id"] for row in changed] == ["P01", "P02"]


def test_only_the_named_cards_move(centre: Centre):
    (result,) = take(centre, moved(patient_row("P01", cards=[TWO, card(3)]), P02=(1,)))
    assert result.held == {"2": "P03"}
    assert (holder(centre, TWO), holder(centre, card(3))) == ("P02", "P03")


@pytest.mark.parametrize("cards", [[], None, [THREE]])
def test_a_card_that_the_list_leaves_out_ends_once_the_document_is_in(centre: Centre, cards: list[str] | None):
    row = patient_row("P01", cards=cards)
    (result,) = taken(centre, row)
    assert result.omits
    assert holder(centre, ONE) == "P01", "another row may still name it"
    (result,) = taken(centre, last(row))
    assert (result.omits, result.cards) == (False, 1)
    assert holder(centre, ONE) is None
    with centre.store.read() as db:
        ended = [each for each in binding_records(db, "P01") if each.end_ms is not None]
    assert [(each.ended_by, each.reason) for each in ended] == [("import", "the hospital's document leaves it out")]
    (result,) = taken(centre, patient_row("P01", cards=[ONE]))
    assert result.cards == 1
    assert holder(centre, ONE) == "P01", "an end by a document is undone by a document"


def test_a_row_without_a_list_leaves_the_cards(centre: Centre):
    (result,) = taken(centre, last(patient_row("P01", name="New Name")))
    assert not result.omits
    assert holder(centre, ONE) == "P01"


def test_a_card_that_staff_bound_stays_whatever_the_list_says(centre: Centre):
    bound_by_staff(centre, "P01", THREE)
    row = patient_row("P01", cards=[ONE])
    (result,) = taken(centre, row)
    assert not result.omits
    taken(centre, last(row))
    assert holder(centre, THREE) == "P01"


def test_a_card_that_staff_bound_to_one_patient_is_not_moved_to_another(centre: Centre):
    bound_by_staff(centre, "P02", THREE)
    for row in (patient_row("P01", cards=[THREE]), moved(patient_row("P01", cards=[THREE]), P02=(1,))):
        (result,) = take(centre, row)
        assert result.refused == "card 1 belongs to patient P02: staff bound it"
    assert holder(centre, THREE) == "P02"


def test_a_card_that_staff_took_away_stays_away_and_the_row_says_so(centre: Centre):
    bound_by_staff(centre, "P02", ONE)
    (result,) = taken(centre, patient_row("P01", cards=[ONE]))
    assert result.note == "card 1 stays as staff left it: they ended its binding to this patient"
    assert holder(centre, ONE) == "P02"


def test_cards_of_a_record_that_was_merged_into_another_do_not_end(centre: Centre):
    with centre.store.write() as db:
        merge(db, centre.parts.definitions, "P01", "P02", "2026-03-02", centre.clock(), new_id)
    for patient_id, uid in (("P01", ONE), ("P02", TWO)):
        row = patient_row(patient_id, cards=[uid])
        (result,) = taken(centre, row)
        assert not result.omits
        taken(centre, last(row))
    assert (holder(centre, ONE), holder(centre, TWO)) == ("P01", "P01")


SHORT, OTHER_SHORT = "c0ffee77", "c0ffee78"


def test_a_site_that_refuses_short_uids_takes_no_new_one_and_keeps_those_that_it_has(centre: Centre):
    taken(centre, patient_row("P01", cards=[ONE, SHORT]))
    taken(centre, sent("site", refuse_short_uids=True))
    (kept,) = taken(centre, patient_row("P01", name="Another name", cards=[ONE, SHORT]))
    assert (kept.changed, kept.cards) == (True, 0)
    (refused,) = take(centre, patient_row("P01", cards=[ONE, SHORT, OTHER_SHORT]))
    words = "card 3 cannot be bound: its UID has only 4 bytes, and this hospital does not accept such cards"
    assert refused.refused == words
    (moved_here,) = take(centre, moved(patient_row("P02", cards=[TWO, SHORT]), P01=(2,)))
    assert moved_here.refused == words.replace("card 3", "card 2")
    assert holder(centre, SHORT) == "P01"
    taken(centre, patient_row("P02", cards=[TWO, f"felica:{'01' * 3}06{'07' * 4}"]))
    taken(centre, sent("site", refuse_short_uids=False))
    taken(centre, patient_row("P01", cards=[ONE, SHORT, OTHER_SHORT]))
    assert holder(centre, OTHER_SHORT) == "P01"
