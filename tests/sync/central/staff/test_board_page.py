"""What the script of the board knows of the definitions."""

from __future__ import annotations

from sync.central.web.staff.board_page import board_values, rules_of
from tests.sync.journey.samples import RULES


def test_every_live_entry_has_a_place_on_the_board():
    rules = rules_of(RULES)
    assert set(rules.groups) == RULES.live
    assert rules.groups == {
        "waiting": "line",
        "delayed": "line",
        "called": "at_hand",
        "in_progress": "at_hand",
        "no_show": "missed",
    }


def test_the_board_knows_what_calls_and_what_asks_for_a_reason():
    rules = rules_of(RULES)
    assert (rules.ready, rules.calls, rules.called) == (["waiting"], ["call_patient"], ["called"])
    assert rules.reasoned == ["cancel_appointment"]
    assert rules.leads["start_exam"] == "in_progress"


def test_the_board_knows_the_reasons_to_go_first():
    kinds = rules_of(RULES).kinds
    assert [each.kind for each in kinds] == ["emergency", "elderly", "pregnant", "staff"]
    assert [each.kind for each in kinds if each.needs_reason] == ["emergency", "staff"]


def test_the_template_gets_plain_values():
    assert board_values(RULES)["rules"]["ready"] == ["waiting"]  # type: ignore[index]
