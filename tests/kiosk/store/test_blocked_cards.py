"""Cards that were reported lost: they open nobody, and a snapshot replaces them whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from sqlite3 import Connection

import pytest

from kiosk.store import blocked_cards, patients
from sync.cards import CardHash
from tests.kiosk import samples
from tests.kiosk.parts import KioskParts
from tests.kiosk.samples import cards

LOST, FOUND = cards(1), cards(8)


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[KioskParts]:
    made = samples.enrolled(tmp_path, samples.Clock())
    yield made
    made.store.close()


def is_blocked(db: Connection, cards: Sequence[CardHash]) -> bool:
    return patients.find_card(db, cards).is_blocked


def test_a_card_is_blocked_under_any_of_its_hashes_and_unblocked_under_the_named_ones(parts: KioskParts):
    older = CardHash("k0", "aa")
    with parts.store.write() as db:
        blocked_cards.block(db, [older, *LOST], 1)
        blocked_cards.block(db, LOST, 1)
        assert is_blocked(db, LOST)
        assert is_blocked(db, [CardHash("k1", "bb"), older])
        assert not is_blocked(db, [])
        assert not is_blocked(db, [CardHash("k1", "aa"), *FOUND])
        blocked_cards.unblock(db, [older, *LOST, *FOUND])
        assert not is_blocked(db, [older, *LOST])


def test_a_blocked_card_has_no_holder_although_it_is_bound(parts: KioskParts):
    with parts.store.write() as db:
        assert patients.read_holder(db, iter(LOST)) is not None
        blocked_cards.block(db, LOST, 1)
        assert patients.read_holder(db, iter(LOST)) is None
        assert patients.ids_holding(db, [*LOST, *FOUND]) == {"P1"}


def test_until_a_snapshot_ends_every_card_stays_blocked_and_then_those_that_it_names(parts: KioskParts):
    with parts.store.write() as db:
        blocked_cards.block(db, [*LOST, *FOUND], 1)
        blocked_cards.block(db, LOST, 2)
        assert is_blocked(db, FOUND)
        blocked_cards.unblock_unnamed(db, 2)
        assert (is_blocked(db, LOST), is_blocked(db, FOUND)) == (True, False)
