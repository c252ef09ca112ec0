"""Which events of a reader's processes are passed on."""

from __future__ import annotations

from hardware.fields import OpenFields
from hardware.reader import FieldClear, RefusedReason, RefusedTap, Tap

TAP = Tap("one", b"anna", "iso14443a", 1)
REFUSED = RefusedTap("one", RefusedReason.PHONE)
CLEAR = FieldClear("one")


def test_a_field_is_clear_once_after_a_tap_or_a_refusal_and_never_without_one():
    fields = OpenFields()
    events = [CLEAR, TAP, REFUSED, CLEAR, CLEAR, REFUSED, CLEAR]
    assert [fields.admits(event) for event in events] == [False, True, True, True, False, True, True]


def test_the_fields_of_an_earlier_process_are_left_over_until_the_new_one_speaks_of_them():
    fields = OpenFields()
    fields.admits(TAP)
    fields.admits(RefusedTap("two", RefusedReason.PHONE))
    assert fields.left_over() == []
    fields.new_process()
    fields.admits(REFUSED)
    assert fields.left_over() == [FieldClear("two")]
    assert fields.all() == [CLEAR, FieldClear("two")]
