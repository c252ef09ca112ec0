"""The count of cards of unknown form."""

from __future__ import annotations

from kiosk.appliance.unknown_forms import MAX_FORMS, SeenForm, UnknownForms


def test_cards_of_one_form_are_counted_with_the_last_time():
    forms = UnknownForms()
    assert forms.note("3B80800101", "", 4, 1_000)
    assert forms.note("3B8180018080", "iso14443a", 4, 2_000)
    assert not forms.note("3B80800101", "", 4, 3_000)
    assert forms.seen() == (
        SeenForm("3B8180018080", "iso14443a", 4, 1, 2_000),
        SeenForm("3B80800101", "", 4, 2, 3_000),
    )


def test_ids_of_another_length_are_another_form():
    forms = UnknownForms()
    assert forms.note("3B80800101", "", 4, 1_000)
    assert forms.note("3B80800101", "", 8, 1_000)


def test_however_many_forms_come_the_newest_are_kept():
    forms = UnknownForms()
    for number in range(5 * MAX_FORMS):
        forms.note(f"{number:08X}", "", 4, number)
    assert [form.last_ms for form in forms.seen()] == list(range(4 * MAX_FORMS, 5 * MAX_FORMS))
