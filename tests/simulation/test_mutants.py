"""The simulation catches a protocol that is broken on purpose: two mutants in every run, all of them with LONG=1."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from tests.simulation.mutant import Mutant
from tests.simulation.mutants import HOUSE, MUTANTS, hunt

LONG = bool(os.environ.get("LONG"))
QUICK = ("discard on reject", "receipts not kept")


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("mutant", [each for each in MUTANTS if LONG or each.name in QUICK], ids=lambda each: each.name)
def test_a_broken_protocol_is_caught_within_the_stated_number_of_schedules(mutant: Mutant):
    caught = hunt(mutant)
    assert caught is not None
    assert caught.kinds


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda each: each.name)
def test_the_text_that_a_mutant_replaces_stands_in_the_product_once(mutant: Mutant):
    assert (HOUSE / mutant.file).read_text().count(mutant.text) == 1
    assert mutant.text != mutant.instead


def test_a_mutant_that_has_gone_out_of_date_is_an_error():
    with pytest.raises(ValueError, match="0 times, not once"):
        hunt(replace(MUTANTS[0], text="a text that does not occur"))
