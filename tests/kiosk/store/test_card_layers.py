"""The stored cards are lifted to a new key in portions, and a card is known under any key meanwhile."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.store import blocked_cards, patients
from kiosk.store.card_layers import has_older, lift_some
from kiosk.store.site_cards import SiteCards
from kiosk.store.sqlite import Store
from sync.cards import CardHash, CardKey, CardKeys, read_keys, write_keys
from tests.kiosk import samples
from tests.kiosk.samples import Clock

KEYS = CardKeys((*samples.KEYS.keys, CardKey("k2", "22" * 32), CardKey("k3", "33" * 32)))
NUMBERS = range(1, 6)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    samples.enrolled(tmp_path, Clock()).store.close()
    made = Store(tmp_path / "kiosk.db")
    yield made
    made.close()


def test_cards_are_lifted_a_few_at_a_time_from_every_older_key(store: Store):
    with store.write() as db:
        db.execute("delete from bindings")
        patients.bind(db, "P1", [(samples.cards(number)[0], f"b-{number}") for number in NUMBERS])
        patients.bind(db, "P1", [(CardKeys(KEYS.keys[:2]).hashes(samples.uid(9))[0], None)])
        blocked_cards.block(db, samples.cards(7), 1)
    portions = 0
    while _has_older(store):
        with store.write() as db:
            lift_some(db, KEYS, 2)
        portions += 1
        with store.read() as db:
            for number in NUMBERS:
                holder = patients.read_holder(db, KEYS.hashes(samples.uid(number)))
                assert holder is not None
                assert holder.binding_id == f"b-{number}"
            assert patients.find_card(db, KEYS.hashes(samples.uid(7))).is_blocked
    assert portions == 5, "two cards, two cards, one, the one of the second key, and the blocked one"
    with store.read() as db:
        rows = db.execute("select key_id, uid_hash from bindings union all select key_id, uid_hash from blocked_cards")
        expected = {KEYS.hashes(samples.uid(number))[0] for number in (*NUMBERS, 7, 9)}
        assert {CardHash(*row) for row in rows} == expected
    with store.write() as db:
        lift_some(db, KEYS, 2)  # there is none left


def _has_older(store: Store) -> bool:
    with store.read() as db:
        return has_older(db, KEYS)


def test_a_card_that_a_page_brought_under_both_keys_stays_one(store: Store):
    with store.write() as db:
        db.execute("delete from bindings")
        patients.bind(db, "P1", [(card, "b-1") for card in KEYS.hashes(samples.uid(1))])
        for _ in range(3):
            lift_some(db, KEYS, 9)
        assert [tuple(row) for row in db.execute("select key_id, binding_id from bindings")] == [("k3", "b-1")]


def test_what_is_no_hash_ends_and_holds_nothing_up(store: Store):
    with store.write() as db:
        db.execute("delete from bindings")
        patients.bind(db, "P1", [(CardHash("k1", "no hash"), "b-1"), (samples.cards(1)[0], "b-2")])
        lift_some(db, KEYS, 9)
        assert not has_older(db, KEYS)
        assert [row[0] for row in db.execute("select binding_id from bindings")] == ["b-2"]


def test_keys_that_a_pull_brings_are_durable_before_they_are_used(tmp_path: Path):
    path = tmp_path / "kiosk.db.keys"
    write_keys(path, samples.KEYS)
    cards = SiteCards(path)
    cards.take(KEYS)
    assert cards.keys == KEYS == read_keys(path) == SiteCards(path).keys
    assert path.stat().st_mode & 0o777 == 0o600


def test_keys_that_cannot_be_used_or_written_change_nothing(tmp_path: Path):
    path = tmp_path / "kiosk.db.keys"
    write_keys(path, samples.KEYS)
    cards = SiteCards(path)
    with pytest.raises(ValueError, match="no usable card key"):
        cards.take(CardKeys(()))
    path.with_name(f"{path.name}.new").mkdir()
    with pytest.raises(OSError, match=re.escape("kiosk.db.keys")):
        cards.take(KEYS)
    assert cards.keys == samples.KEYS == read_keys(path)


def test_an_older_list_is_taken_with_a_warning_that_names_no_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "kiosk.db.keys"
    write_keys(path, KEYS)
    cards = SiteCards(path)
    cards.take(samples.KEYS)
    assert "the centre does not have the card key k3" in caplog.text
    assert not any(key.secret in caplog.text for key in KEYS.keys)


def test_a_card_that_was_read_a_while_ago_has_its_newest_hash_first(tmp_path: Path):
    path = tmp_path / "kiosk.db.keys"
    write_keys(path, KEYS)
    cards = SiteCards(path)
    third, second, first = KEYS.hashes(samples.uid(1))
    assert cards.present((first,)) == (third, second, first)
    assert cards.present((second, first)) == (third, second, first)
    strange = CardHash("k9", "ab" * 32)
    assert cards.present((strange, third)) == (third, strange)
    assert cards.present(()) == ()
