"""Cards and tokens: their form in the database, and their holders."""

import hashlib

from sync.cards import CardKey, CardKeys, canonical_tag
from sync.central.records import bindings, tokens
from sync.ids import new_id
from sync.journey.model import Role
from tests.sync.central.centre import Centre, patient
from tests.sync.central.wire import BY_STAFF

ANNA, BEN = patient(1), patient(2)
OLD = CardKeys((CardKey("k1", "11" * 32),))
BOTH = CardKeys((CardKey("k2", "22" * 32), CardKey("k1", "11" * 32)))
NEW = CardKeys((CardKey("k2", "22" * 32),))
CARD = canonical_tag("04deadbeef0001")


def test_a_binding_moves_to_a_new_key_when_the_card_is_read(centre: Centre):
    with centre.store.write() as db:
        first = bindings.bind(db, ANNA, OLD.hashes(CARD), new_id(), 1, BY_STAFF)
        assert bindings.binding_of_card(db, NEW.hashes(CARD)) is None
        assert bindings.bind(db, ANNA, BOTH.hashes(CARD), new_id(), 2, BY_STAFF) == first
        assert bindings.binding_of_card(db, NEW.hashes(CARD)) == bindings.CardBinding(ANNA, first)
        rows = [row for row in bindings.bindings_of(db, ANNA) if row.binding_id == first]
        assert [row.key_id for row in rows] == ["k1", "k2"]


def test_a_card_moves_to_another_patient_and_the_older_binding_stays_on_record(centre: Centre):
    with centre.store.write() as db:
        first = bindings.bind(db, ANNA, OLD.hashes(CARD), new_id(), 1, BY_STAFF)
        second = bindings.bind(db, BEN, OLD.hashes(CARD), new_id(), 2, BY_STAFF)
        assert bindings.binding_of_card(db, OLD.hashes(CARD)) == bindings.CardBinding(BEN, second)
        assert db.value("select end_ms from bindings where binding_id = :id", id=first) == 2
        assert first not in {row.binding_id for row in bindings.bindings_of(db, ANNA)}
        bindings.end_binding(db, second, 3, "desk")
        assert bindings.binding_of_card(db, OLD.hashes(CARD)) is None


def test_a_token_is_shown_once_and_stored_as_its_hash(centre: Centre):
    with centre.store.write() as db:
        token = tokens.issue(db, Role.PATIENT, 5, patient_id=ANNA, label="phone", expires_ms=100)
        found = tokens.bearer(db, token, 99)
        assert found is not None
        assert (found.role, found.patient_id, found.kiosk_id) == (Role.PATIENT, ANNA, None)
        assert found.token_hash == hashlib.sha256(token.encode()).hexdigest()
        assert tokens.bearer(db, token, 100) is None
        assert tokens.bearer(db, token + "x", 1) is None
        assert tokens.bearer(db, "\udcff", 1) is None
    assert token not in str(centre.rows("select * from tokens"))


def test_a_revoked_token_ends_at_once_and_cannot_be_revoked_twice(centre: Centre):
    heard = []
    token = centre.token(Role.STAFF)
    with centre.store.news.listen(tokens.hash_of(token), heard.append), centre.store.write() as db:
        assert tokens.revoke(db, tokens.hash_of(token), 7)
        assert not tokens.revoke(db, tokens.hash_of(token), 8)
        assert tokens.bearer(db, token, 9) is None
    assert len(heard) >= 1


def test_an_expired_token_cannot_be_revoked_and_its_row_stays_as_it_is(centre: Centre):
    with centre.store.write() as db:
        expired = tokens.hash_of(tokens.issue(db, Role.STAFF, 5, expires_ms=100))
        assert not tokens.revoke(db, expired, 100)
        assert db.news == []
        assert db.value("select revoked_ms from tokens where token_hash = :expired", expired=expired) is None
        assert tokens.revoke(db, expired, 99)


def test_history_names_a_bearer_without_the_token(centre: Centre):
    token = centre.token(Role.STAFF)
    kiosk = centre.token(Role.KIOSK, kiosk_id="K1")
    with centre.store.read() as db:
        assert tokens.bearer(db, token, 0).who == f"staff:{tokens.hash_of(token)[:12]}"
        assert tokens.bearer(db, kiosk, 0).who == "kiosk:K1"
