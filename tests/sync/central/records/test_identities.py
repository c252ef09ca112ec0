"""The patients behind the ids of an action: by patient id or alias, by card under any key, and by binding."""

from __future__ import annotations

from sync.cards import CardHash
from sync.central.records.bindings import bind, binding_of_card, end_binding, was_taken_from
from sync.central.records.card_blocks import begin_block, end_block
from sync.central.records.identities import Identities, read_identities
from sync.central.records.patients import add_patient_alias
from tests.sync.central.centre import Centre
from tests.sync.central.wire import BY_STAFF

OLD_KEY, NEW_KEY, OTHER = CardHash("k1", "aa"), CardHash("k2", "bb"), CardHash("k1", "cc")


def test_each_id_of_an_action_is_looked_up_by_itself(centre: Centre):
    with centre.store.write() as db:
        bind(db, "P01", [OLD_KEY], "first", 1, BY_STAFF)
        bind(db, "P02", [OLD_KEY], "second", 2, BY_STAFF)
        found = read_identities(db, "P03", OLD_KEY, "first")
    assert found == Identities(patient="P03", card_holder="P02", binding_holder="P01", card_blocked=False)


def test_unknown_ids_mean_no_patient(centre: Centre):
    with centre.store.read() as db:
        assert read_identities(db, "nobody", OLD_KEY, "none") == Identities(None, None, None, card_blocked=False)
        assert read_identities(db, "nobody", None, None) == Identities(None, None, None, card_blocked=False)


def test_a_card_is_blocked_until_its_block_ends(centre: Centre):
    with centre.store.write() as db:
        begin_block(db, "block", [OLD_KEY], "desk", "lost", 1)
        assert read_identities(db, "P03", OLD_KEY, None).card_blocked
        for card in (None, NEW_KEY, OTHER):
            assert not read_identities(db, "P03", card, None).card_blocked
        end_block(db, "block", "desk", "found", 2)
        assert not read_identities(db, "P03", OLD_KEY, None).card_blocked


def test_an_alias_means_its_patient(centre: Centre):
    with centre.store.write() as db:
        add_patient_alias(db, "card-1", "P01", 1)
        assert read_identities(db, "card-1", None, None).patient == "P01"


def test_a_card_is_found_under_the_key_that_it_was_bound_with(centre: Centre):
    with centre.store.write() as db:
        bind(db, "P01", [OLD_KEY], "b", 1, BY_STAFF)
        assert read_identities(db, "P02", NEW_KEY, None).card_holder is None
        assert read_identities(db, "P02", OLD_KEY, None).card_holder == "P01"


def test_of_two_hashes_of_a_card_the_first_that_is_bound_counts(centre: Centre):
    with centre.store.write() as db:
        bind(db, "P01", [OLD_KEY], "b1", 1, BY_STAFF)
        bind(db, "P02", [OTHER], "b2", 1, BY_STAFF)
        for cards, holder in (([OLD_KEY, OTHER], "P01"), ([OTHER, OLD_KEY], "P02")):
            binding = binding_of_card(db, cards)
            assert binding is not None
            assert binding.patient_id == holder


def test_a_card_was_taken_from_a_patient_by_those_who_ended_the_last_binding(centre: Centre):
    def was_taken(patient_id: str, *cards: CardHash) -> bool:
        return was_taken_from(db, patient_id, cards, by_others_than="import")

    with centre.store.write() as db:
        bind(db, "P01", [OLD_KEY], "b1", 1, BY_STAFF)
        assert not was_taken("P01", OLD_KEY), "it is in force"
        bind(db, "P02", [OLD_KEY], "b2", 2, BY_STAFF)
        assert was_taken("P01", NEW_KEY, OLD_KEY)
        assert not was_taken("P03", OLD_KEY)
        assert not was_taken("P01")
        bind(db, "P01", [OLD_KEY], "b3", 3, BY_STAFF)
        end_binding(db, "b3", 4, "import")
        assert not was_taken("P01", OLD_KEY), "the last of them counts"
