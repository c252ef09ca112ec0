"""The rows of visit tokens: who opens them, what ends them, and how often a birth date is tried."""

from __future__ import annotations

import pytest

from sync.central.records import visit_tokens as visits
from sync.central.records.effects import Period
from sync.central.records.tokens import TokenState, bearer, bearer_of_hash, ended_bearer, hash_of
from sync.ids import new_id
from sync.journey.model import Role
from sync.visit_secret import hash_of_secret, make_secret
from tests.sync.central.centre import Centre, patient

ANNA, BORIS = patient(1), patient(2)


@pytest.fixture
def visit_id(centre: Centre) -> str:
    """The visit that Anna is on."""
    centre.walk(ANNA, "scan_nfc")
    (row,) = centre.rows("select visit_id from journeys where patient_id = :id", id=ANNA)
    return str(row["visit_id"])


def test_both_ends_hash_a_secret_alike():
    secret = make_secret()
    assert hash_of_secret(secret) == hash_of(secret)


def test_a_visit_is_open_while_its_patient_is_on_it(centre: Centre, visit_id: str):
    secret = make_secret()
    with centre.store.write() as db:
        visits.open_visit(db, hash_of_secret(secret), new_id(), ANNA, visit_id, centre.clock())
        found = bearer(db, secret, centre.clock())
        assert found is not None
        assert (found.role, found.patient_id) == (Role.VISIT, ANNA)
        db.execute("update journeys set visit_id = null where patient_id = :id", {"id": ANNA})
        assert bearer(db, secret, centre.clock()) is None
        ended = ended_bearer(db, hash_of_secret(secret), centre.clock())
        assert ended is not None
        assert ended[1] is TokenState.EXPIRED


def test_another_action_changes_nothing_about_a_token(centre: Centre, visit_id: str):
    token_hash = hash_of_secret(make_secret())
    with centre.store.write() as db:
        visits.open_visit(db, token_hash, new_id(), ANNA, visit_id, centre.clock())
        visits.open_visit(db, token_hash, new_id(), BORIS, new_id(), centre.clock())
        visits.refuse_visit(db, token_hash, new_id(), centre.clock())
        found = bearer_of_hash(db, token_hash, centre.clock())
        assert found is not None
        assert found.patient_id == ANNA


def test_an_action_that_was_refused_and_is_applied_later_opens_its_visit(centre: Centre, visit_id: str):
    token_hash, action_id = hash_of_secret(make_secret()), new_id()
    with centre.store.write() as db:
        visits.refuse_visit(db, token_hash, action_id, centre.clock())
        ended = ended_bearer(db, token_hash, centre.clock())
        assert ended is not None
        assert ended[1] is TokenState.REVOKED
        visits.open_visit(db, token_hash, action_id, ANNA, visit_id, centre.clock())
        assert bearer_of_hash(db, token_hash, centre.clock()) is not None


def test_the_tries_of_a_birth_date_are_counted_and_a_right_one_is_not(centre: Centre, visit_id: str):
    token_hash = hash_of_secret(make_secret())
    with centre.store.write() as db:
        visits.open_visit(db, token_hash, new_id(), ANNA, visit_id, centre.clock())
        for _ in range(3):
            assert visits.take_try(db, token_hash)
            visits.give_try_back(db, token_hash)
        assert [visits.take_try(db, token_hash) for _ in range(visits.MOST_TRIES + 1)] == [True] * 5 + [False]


def test_only_the_visits_of_a_kiosk_in_a_period_end_with_what_it_did(centre: Centre, visit_id: str):
    hashes = {name: hash_of_secret(make_secret()) for name in ("before", "in", "other")}
    now_ms = centre.clock()
    with centre.store.write() as db:
        for name, kiosk_id, at_ms in (("before", "K", now_ms - 10), ("in", "K", now_ms), ("other", "L", now_ms)):
            db.execute(
                "insert into verdicts (verdict_id, revision, kiosk_id, seq, verdict, code, conflict, change,"
                " recorded_ms)"
                " values (:name, 0, :kiosk_id, 1, 'applied', 'ok', 0, 0, :at_ms)",
                {"name": name, "kiosk_id": kiosk_id, "at_ms": at_ms},
            )
            visits.open_visit(db, hashes[name], name, ANNA, visit_id, now_ms)
        visits.end_visits_of_kiosk(db, Period("K", now_ms), now_ms)
        open_ones = {name for name, each in hashes.items() if bearer_of_hash(db, each, now_ms) is not None}
    assert open_ones == {"before", "other"}
