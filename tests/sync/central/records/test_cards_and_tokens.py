"""Cards and tokens: their form in the database, and their holders."""

import hashlib

from sync.cards import CardKey, CardKeys, canonical_tag
from sync.central.records import bindings, tokens
from sync.central.services.authentication import authenticate
from sync.central.services.errors import ApiError
from sync.ids import new_id
from sync.journey.model import Role
from tests.sync.central.centre import Centre, patient
from tests.sync.central.databases import Database
from tests.sync.central.wire import BY_STAFF

ANNA, BEN = patient(1), patient(2)
OLD = CardKeys((CardKey("k1", "11" * 32),))
CARD = canonical_tag("04deadbeef0001")


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
        token = tokens.issue(db, Role.PATIENT, 5, patient_id=ANNA, name="phone", expires_ms=100)
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


def test_history_names_a_bearer_as_people_know_it_and_without_the_token(centre: Centre):
    bare, named = centre.token(Role.STAFF), centre.token(Role.STAFF, name="Ward 3 board")
    kiosk = centre.token(Role.KIOSK, kiosk_id="K1", name="Entrance")
    with centre.store.read() as db:
        found = [tokens.bearer(db, token, 0) for token in (bare, named, kiosk)]
    assert [each.who for each in found if each] == [
        f"staff:{tokens.hash_of(bare)[:12]}",
        f"staff:Ward 3 board ({tokens.hash_of(named)[:12]})",
        "kiosk:K1",
    ]


def test_no_two_tokens_have_one_id(centre: Centre):
    with centre.store.write() as db:
        made = [tokens.issue(db, Role.STAFF, 5) for _ in range(20)]
        ids = [tokens.id_of(tokens.hash_of(token)) for token in made]
        assert len(set(ids)) == len(ids)
        assert [tokens.hash_of_id(db, each) for each in ids] == [tokens.hash_of(token) for token in made]
        assert tokens.hash_of_id(db, "f" * 12) is None


def test_the_use_of_a_token_is_noted_once_a_day(centre: Centre):
    token = centre.token(Role.STAFF)

    def used_at() -> int | None:
        return centre.rows("select used_ms from tokens where role = 'staff'")[0]["used_ms"]

    assert used_at() is None
    first = centre.clock()
    for hours, seen in ((0, 0), (5, 0), (24, 24), (30, 24)):
        centre.clock.now_ms = first + hours * 3_600_000
        assert not isinstance(authenticate(centre.parts, token, (Role.STAFF,)), ApiError)
        assert used_at() == first + seen * 3_600_000


def test_a_token_serves_while_the_database_takes_no_writes(centre: Centre, database: Database):
    token = centre.token(Role.STAFF)
    with centre.store.write() as db:
        database.refuse_updates(db, "tokens")
    assert not isinstance(authenticate(centre.parts, token, (Role.STAFF,)), ApiError)
