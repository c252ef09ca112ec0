"""A rotation of the card keys: a card means the same patient at each moment, at both ends, whatever waits."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from sync.cards import CardHash, CardKeys, canonical_card, read_keys
from sync.central.imports.whole import read_hospital, take_hospital
from sync.central.kiosks.take_in import take_in
from sync.central.maintenance.card_rotation import Step, begin_rotation, walk_on, walk_portion
from sync.central.operations.catalog import operations
from sync.central.records.bindings import binding_of_card
from sync.central.records.card_blocks import block_of_card
from sync.central.records.kiosks import revoke_kiosk
from sync.central.services.bind_card import BINDING, bind_card
from sync.central.services.requests import ActionRequest, read_action_request
from sync.central.store.errors import StoreError
from sync.central.store.tables import tables
from sync.ids import new_id
from sync.protocol import Code, EndCode, PullAnswer, PullRequest, Verdict
from sync.set_aside import read_lines
from tests.sync.central.two_stores.acts import verdicts
from tests.sync.central.wire import AT_THE_DESK, EVERYTHING, KEYS, PATIENTS, Centre, Kiosk, cards_of, uid


def rotate(centre: Centre) -> None:
    begin_rotation(centre.parts, "operator")
    assert walk_on(centre.parts) is Step.DONE


def moments(centre: Centre) -> Iterator[Step]:
    """The moments of a rotation: before its first transaction, and after each, with one row a transaction."""
    begin_rotation(centre.parts, "operator")
    step = Step.ADD
    while step is not Step.DONE:
        yield step
        step = walk_portion(centre.parts, at_once=1)
    yield step


def holder(centre: Centre, card: str) -> str | None:
    """The patient whom a card opens at the centre, as a request of staff finds that."""
    stored = centre.parts.keys.stored(centre.parts.keys.published.hashes(canonical_card("iso14443a", uid(card))))
    with centre.store.read() as db:
        binding = binding_of_card(db, stored)
    return binding.patient_id if binding else None


def key_of(kiosk: Kiosk) -> str:
    return kiosk.ledger.card_key_id()


def everything_stored(centre: Centre) -> str:
    return str([centre.rows(f"select * from {table.name}") for table in tables()])


def test_a_card_means_the_same_patient_at_each_moment_and_at_kiosks_with_and_without_the_new_key(
    centre: Centre, kiosk: Kiosk, other: Kiosk
):
    seen = set()
    for step in moments(centre):
        seen.add(step)
        kiosk.pull()  # the other kiosk is offline all the time
        for patient_id in PATIENTS:
            assert holder(centre, patient_id) == patient_id
        for each in (kiosk, other):
            assert each.parts.patient_of_card(cards_of("P1")) == "P1"
            each.look_up("P3")
            assert each.parts.patient_of_card(cards_of("P3")) == "P3"
            assert each.parts.patient_of_card(cards_of("new")) is None
    assert seen == set(Step)
    newest = centre.parts.keys.published.newest
    assert (key_of(kiosk), key_of(other)) == (newest, "k1")
    other.pull()
    assert key_of(other) == newest
    assert read_keys(other.path.with_name("B.db.keys")) == centre.parts.keys.published
    assert other.parts.patient_of_card(cards_of("P1")) == "P1"


def test_after_a_rotation_each_card_is_stored_once_under_the_new_key_at_both_ends(centre: Centre, kiosk: Kiosk):
    centre.block_card("P3")
    centre.end_bindings("P2")
    kiosk.check_in_unknown("new")
    kiosk.sync()
    rotate(centre)
    kiosk.pull()
    newest = centre.parts.keys.published.newest
    for table in ("binding_hashes", "blocked_hashes", "waiting_cards"):
        rows = centre.rows(f"select key_id, uid_hash from {table}")
        assert {row["key_id"] for row in rows} == {newest}
        assert len({row["uid_hash"] for row in rows}) == len(rows)
    with kiosk.store.read() as db:
        keys = db.execute("select key_id from bindings union all select key_id from blocked_cards").fetchall()
    assert {key_id for (key_id,) in keys} == {newest}


def test_nothing_that_is_stored_or_sent_after_a_rotation_can_be_matched_with_the_old_key(centre: Centre, kiosk: Kiosk):
    """A thief has the old key, and knows the cards' numbers. The kiosk pushes what it read under the old key."""
    _perform(centre, "P2")
    kiosk.tap("P1")
    kiosk.check_in_unknown("new")
    kiosk.push()
    kiosk.journeys.check_in_unknown("nonsense", cards_of("odd"), "scan_nfc", None)  # goes into quarantine
    assert any(hashed(each) in everything_stored(centre) for each in PATIENTS)
    rotate(centre)
    kiosk.sync()
    assert centre.rows("select 1 from quarantine")
    kiosk.look_up("P3")
    page = centre.pull("kiosk-1", _first_pull(centre, "kiosk-1"))
    assert isinstance(page, PullAnswer)
    sent, stored = msgspec.json.encode(page).decode(), everything_stored(centre)
    for card in (*PATIENTS, "new", "odd"):
        assert hashed(card) not in sent
        assert hashed(card) not in stored


def hashed(card: str) -> str:
    """What the old key makes of a card."""
    return cards_of(card)[0].uid_hash


def _first_pull(centre: Centre, kiosk_id: str) -> PullRequest:
    return PullRequest(protocol_version=2, site_id=centre.site_id, kiosk_id=kiosk_id, epoch=1, cursor=0)


def _perform(centre: Centre, patient_id: str) -> None:
    """A check-in over REST with a card, which the history keeps as its hash."""
    ask = _request(centre, "scan_nfc", patient_id)
    answer = centre.staff("scan_nfc", patient_id, **ask.payload)
    assert answer.done


def _request(
    centre: Centre, action_type: str, card: str, action_id: str | None = None, **more: object
) -> ActionRequest:
    document = {
        "action_type": action_type,
        "action_id": action_id or new_id(),
        "payload": {"tag_id": uid(card).hex(), **more},
    }
    request = read_action_request(document, centre.parts.keys, new_id)
    assert isinstance(request, ActionRequest)
    return request


def test_actions_that_wait_at_a_kiosk_keep_the_old_hash_and_are_judged_under_the_new_one(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    unknown = kiosk.check_in_unknown("P3")
    kiosk.act(unknown.patient_id, "register")
    with kiosk.store.read() as db:
        bodies = db.execute("select body from outbox order by seq").fetchall()
    rotate(centre)
    kiosk.pull()
    with kiosk.store.read() as db:
        assert [tuple(row) for row in db.execute("select body from outbox order by seq")] == [tuple(b) for b in bodies]
    kiosk.sync()
    assert verdicts(kiosk) == [("applied", "ok")] * 5
    assert centre.journey("P3").state == "REGISTERED"


def test_a_card_that_was_learnt_offline_keeps_its_provisional_patient_after_the_key_came(centre: Centre, kiosk: Kiosk):
    unknown = kiosk.check_in_unknown("new")
    rotate(centre)
    kiosk.pull()
    assert kiosk.parts.patient_of_card(cards_of("new")) == unknown.patient_id
    assert kiosk.check_in_unknown("new").patient_id == unknown.patient_id


@pytest.mark.parametrize("at", [0, 1, 3, 5, 8, 99])
def test_an_action_that_waits_for_its_card_is_judged_once_the_card_is_bound_at_any_moment(
    centre: Centre, kiosk: Kiosk, at: int
):
    kiosk.check_in_unknown("new")
    kiosk.sync()
    for number, _ in enumerate(moments(centre)):
        if number == at:
            assert bind_card(centre.parts, AT_THE_DESK, "P3", _request(centre, BINDING, "new", patient_id="P3")).done
    if at == 99:
        assert bind_card(centre.parts, AT_THE_DESK, "P3", _request(centre, BINDING, "new", patient_id="P3")).done
    kiosk.pull()
    assert verdicts(kiosk) == [("applied", "ok")]
    assert holder(centre, "new") == "P3"


@pytest.mark.parametrize("at", [0, 2, 4, 6, 8, 99])
def test_the_card_of_a_case_is_bound_at_any_moment_of_a_rotation(centre: Centre, kiosk: Kiosk, at: int):
    kiosk.check_in_unknown("new")
    kiosk.sync()
    number = 0
    for number, _ in enumerate(moments(centre)):
        if number == at:
            assert centre.settle("reassign", patient_id="P3", bind=True).done
    if at > number:
        assert centre.settle("reassign", patient_id="P3", bind=True).done
    assert holder(centre, "new") == "P3"
    kiosk.pull()
    assert kiosk.parts.patient_of_card(cards_of("new")) == "P3"


@pytest.mark.parametrize("at", [0, 2, 4, 6, 8, 99])
def test_a_card_that_is_blocked_and_unblocked_at_any_moment_is_so_at_each_kiosk(
    centre: Centre, kiosk: Kiosk, other: Kiosk, at: int
):
    number = 0
    for number, _ in enumerate(moments(centre)):
        if number == at:
            assert centre.block_card("P1").done
            kiosk.pull()
    if at > number:
        assert centre.block_card("P1").done
    for each in (kiosk, other):
        each.pull()
        assert each.tap("P1") == each.journeys.holder(cards_of("P1"))
        assert each.parts.patient_of_card(cards_of("P1")) is None
    with centre.store.read() as db:
        assert block_of_card(db, centre.parts.keys.stored(cards_of("P1"))) is not None
    assert centre.unblock_card("P1").done
    assert centre.bind_card("P1", "P1").done
    for each in (kiosk, other):
        each.pull()
        assert each.parts.patient_of_card(cards_of("P1")) == "P1"


def test_a_block_from_before_a_rotation_ends_after_it_at_a_kiosk_that_was_away(centre: Centre, kiosk: Kiosk):
    centre.block_card("new")
    kiosk.pull()
    rotate(centre)
    centre.unblock_card("new")
    kiosk.pull()
    with kiosk.store.read() as db:
        assert db.execute("select count(*) from blocked_cards").fetchone()[0] == 0


def test_cards_of_a_document_that_comes_meanwhile_are_known_after_the_rotation(centre: Centre, kiosk: Kiosk):
    names = []
    for number, _ in enumerate(moments(centre)):
        names.append(f"n{number}")
        rows = [{"patient_id": "P1", "cards": [uid(card).hex() for card in ("P1", *names)]}]
        with centre.store.write() as db:
            keys = centre.parts.keys
            take_hospital(db, centre.definitions, keys, read_hospital({"patients": rows}), centre.time())
        assert {holder(centre, card) for card in ("P1", *names)} == {"P1"}
    kiosk.pull()
    assert {holder(centre, card) for card in ("P1", *names)} == {"P1"}
    assert {kiosk.parts.patient_of_card(cards_of(card)) for card in ("P1", *names)} == {"P1"}
    per_binding = centre.rows("select count(*) as n from binding_hashes group by binding_id")
    assert {row["n"] for row in per_binding} == {1}


def test_a_file_of_actions_from_before_a_rotation_is_judged_as_any(centre: Centre, kiosk: Kiosk, tmp_path: Path):
    kiosk.check_in("P1")
    kiosk.check_in_unknown("P3")
    file = tmp_path / "aside"
    assert kiosk.ledger.set_aside(file)
    rotate(centre)
    with centre.store.write() as db:
        found = take_in(db, centre.parts, read_lines(file.read_bytes().splitlines(keepends=True)).actions)
    assert [(each.verdict, each.code) for each in found] == [(Verdict.APPLIED, Code.OK)] * 4


def test_a_kiosk_that_missed_two_rotations_gets_all_keys_at_once(centre: Centre, kiosk: Kiosk):
    kiosk.check_in_unknown("P3")
    rotate(centre)
    rotate(centre)
    assert kiosk.tap("P1") is not None
    kiosk.sync()
    assert len(kiosk.parts.kiosk.cards.keys.keys) == 3
    assert key_of(kiosk) == centre.parts.keys.published.newest
    assert verdicts(kiosk) == [("applied", "ok")] * 2
    assert kiosk.parts.patient_of_card(cards_of("P1")) == "P1"


def test_a_revoked_kiosk_gets_no_new_key_and_its_old_one_opens_nothing_that_is_stored(
    centre: Centre, kiosk: Kiosk, other: Kiosk
):
    with centre.store.write() as db:
        revoke_kiosk(db, "kiosk-1", centre.time())
    rotate(centre)
    request = msgspec.structs.replace(_first_pull(centre, "kiosk-1"), card_key_id="k1")
    refused = centre.pull("kiosk-1", request)
    assert not isinstance(refused, PullAnswer)
    assert refused.code is EndCode.ENDED
    assert centre.parts.keys.published.keys[-1].secret not in msgspec.json.encode(refused).decode()
    kiosk.puller.run_once()
    assert key_of(kiosk) != centre.parts.keys.published.newest
    with centre.store.read() as db:
        assert binding_of_card(db, cards_of("P1")) is None, "a hash under the old key alone matches no row"
    other.pull()
    assert key_of(other) == centre.parts.keys.published.newest


def test_a_kiosk_that_does_not_tell_its_key_gets_none_and_one_that_has_lost_its_file_gets_all(centre: Centre):
    centre.enrol()
    for told, expected in ((None, None), ("", KEYS), ("k1", None), ("k9", KEYS)):
        request = msgspec.structs.replace(_first_pull(centre, "kiosk-1"), card_key_id=told)
        answer = centre.pull("kiosk-1", request)
        assert isinstance(answer, PullAnswer)
        assert answer.card_keys == expected


def test_a_kiosk_whose_key_file_is_lost_knows_its_cards_again_with_the_next_pull(centre: Centre, kiosk: Kiosk):
    keys = kiosk.path.with_name("A.db.keys")
    keys.unlink()
    again = _started_again(kiosk)
    assert again.parts.kiosk.cards.keys == CardKeys(())
    again.pull()
    assert read_keys(keys) == KEYS
    assert keys.stat().st_mode & 0o777 == 0o600


def _started_again(kiosk: Kiosk) -> Kiosk:
    """The same kiosk after its process has died and started again."""
    kiosk.store.close()
    return Kiosk(kiosk.path, kiosk.centre, "A")


def test_a_kiosk_that_dies_between_its_key_file_and_its_rows_goes_on_with_the_next_page(centre: Centre, kiosk: Kiosk):
    centre.block_card("P2")
    kiosk.pull()
    rotate(centre)
    kiosk.parts.kiosk.cards.take(centre.parts.keys.published)
    again = _started_again(kiosk)
    assert again.parts.patient_of_card(cards_of("P1")) == "P1", "a card is found under its old hash"
    assert again.tap("P2") == again.journeys.holder(cards_of("P2"))
    assert again.parts.patient_of_card(cards_of("P2")) is None
    centre.unblock_card("P2")
    again.pull()
    with again.store.read() as db:
        assert {row[0] for row in db.execute("select key_id from bindings")} == {key_of(again)}
        assert db.execute("select count(*) from blocked_cards").fetchone()[0] == 0


def test_a_kiosk_that_has_ended_takes_no_key_from_a_page_that_was_under_way(centre: Centre, kiosk: Kiosk):
    rotate(centre)
    request = msgspec.structs.replace(_first_pull(centre, "kiosk-1"), card_key_id="k1")
    page = centre.pull("kiosk-1", request)
    assert isinstance(page, PullAnswer)
    assert page.card_keys is not None
    kiosk.ledger.end(centre.site_id)
    keys = kiosk.path.with_name("A.db.keys")
    keys.unlink()
    assert kiosk.ledger.adopt(page) is None
    assert not keys.exists()
    assert key_of(kiosk) == "k1"


def test_a_screen_that_was_open_when_the_key_came_goes_on(centre: Centre, kiosk: Kiosk):
    done = kiosk.tap("P1")
    assert done is not None
    kiosk.push()
    rotate(centre)
    kiosk.pull()
    assert kiosk.journeys.current_patient(done.patient_id, cards_of("P1")) == "P1"
    pressed = kiosk.journeys.act("P1", "register", None, {}, cards_of("P1"))
    assert pressed.refusal is None
    kiosk.sync()
    rows = centre.rows("select action, metadata from transitions where patient_id = 'P1'")
    assert [row["action"] for row in rows] == ["scan_nfc", "register"]
    with kiosk.store.read() as db:
        (card,) = db.execute("select json_extract(body, '$.card.key_id') from outbox where action_type = 'register'")
    assert card[0] == key_of(kiosk)


def test_a_repeat_after_a_rotation_gets_the_stored_answer(centre: Centre):
    action_id = new_id()
    before = bind_card(centre.parts, AT_THE_DESK, "P3", _request(centre, BINDING, "new", action_id, patient_id="P3"))
    rotate(centre)
    again = bind_card(centre.parts, AT_THE_DESK, "P3", _request(centre, BINDING, "new", action_id, patient_id="P3"))
    assert (again.status, again.body) == (before.status, before.body)
    other = bind_card(centre.parts, AT_THE_DESK, "P3", _request(centre, BINDING, "else", action_id, patient_id="P3"))
    assert b"action_id_reused" in other.body


def test_a_request_that_was_read_before_a_rotation_is_stored_under_the_new_key(centre: Centre):
    early = _request(centre, BINDING, "new", patient_id="P3")
    rotate(centre)
    assert bind_card(centre.parts, AT_THE_DESK, "P3", early).done
    assert holder(centre, "new") == "P3"
    assert {row["key_id"] for row in centre.rows("select key_id from binding_hashes")} == {
        centre.parts.keys.published.newest
    }


# Deaths of the centre.


def _reopened(centre: Centre) -> None:
    centre.store.close()
    centre.open()


@pytest.mark.parametrize("portions", range(12))
def test_a_rotation_that_was_killed_anywhere_goes_on_at_the_next_start(centre: Centre, kiosk: Kiosk, portions: int):
    kiosk.check_in_unknown("new")
    kiosk.sync()
    centre.block_card("P2")
    begin_rotation(centre.parts, "operator")
    newest = centre.parts.keys.known.newest
    for _ in range(portions):
        walk_portion(centre.parts, at_once=1)
    _reopened(centre)
    assert centre.parts.keys.published.newest == newest, "nothing is served before kiosks may have every key"
    kiosk.pull()
    assert kiosk.parts.patient_of_card(cards_of("P1")) == "P1"
    assert walk_on(centre.parts) is Step.DONE
    assert {row["key_id"] for row in centre.rows("select key_id from binding_hashes")} == {newest}
    assert centre.settle("reassign", "unknown_card", patient_id="P3", bind=True).done
    kiosk.pull()
    assert kiosk.parts.patient_of_card(cards_of("new")) == "P3"
    assert kiosk.tap("P2") == kiosk.journeys.holder(cards_of("P2"))


def test_a_key_whose_file_alone_was_written_is_used_at_the_next_start(centre: Centre):
    """The power goes after the key file and before the commit."""
    with pytest.raises(KeyboardInterrupt):
        _begin_and_die(centre)
    _reopened(centre)
    assert len(centre.parts.keys.published.keys) == 2
    assert walk_on(centre.parts) is Step.DONE
    assert holder(centre, "P1") == "P1"


def _begin_and_die(centre: Centre) -> None:
    def dies(_: object) -> None:
        raise KeyboardInterrupt

    keys = centre.parts.keys
    shadow = _Dying(keys, dies)
    begin_rotation(msgspec_replace(centre, shadow), "operator")


class _Dying:
    """The keys of a process that dies before it uses a key that it has written."""

    def __init__(self, keys: object, begin: Callable[[object], None]) -> None:
        self._keys = keys
        self.begin = begin

    def __getattr__(self, name: str) -> object:
        return getattr(self._keys, name)


def msgspec_replace(centre: Centre, keys: object) -> object:
    from dataclasses import replace

    return replace(centre.parts, keys=keys)


def test_a_second_rotation_finishes_the_first(centre: Centre):
    first = begin_rotation(centre.parts, "operator")
    walk_portion(centre.parts, at_once=1)
    assert begin_rotation(centre.parts, "operator") == first
    assert len(centre.parts.keys.known.keys) == 2
    assert walk_on(centre.parts) is Step.DONE
    assert begin_rotation(centre.parts, "operator") != first


# Restores.


@pytest.mark.one_database
def test_an_older_database_beside_the_newest_keys_is_rotated_before_it_is_served(
    centre: Centre, kiosk: Kiosk, tmp_path: Path
):
    """A kiosk has the new key already, and sends what it reads under it."""
    backup = _copy(centre, tmp_path)
    rotate(centre)
    kiosk.pull()
    kiosk.check_in_unknown("P3")
    centre.restore(backup)
    assert holder(centre, "P1") == "P1"
    kiosk.sync()
    assert verdicts(kiosk) == [("applied", "ok")]
    assert walk_on(centre.parts) is Step.DONE
    assert kiosk.parts.patient_of_card(cards_of("P1")) == "P1"


def _copy(centre: Centre, tmp_path: Path) -> Path:
    backup = tmp_path / "backup.db"
    with centre.store.write() as db:
        db.execute("update counters set value = value")
    centre.store.close()
    shutil.copy(centre.path, backup)
    centre.open()
    return backup


@pytest.mark.one_database
def test_a_kiosk_that_is_ahead_of_a_restored_key_file_loses_nothing_and_operators_are_told(
    centre: Centre, kiosk: Kiosk, tmp_path: Path
):
    backup, keys = _copy(centre, tmp_path), centre.parts.keys.path
    older = keys.read_bytes()
    rotate(centre)
    kiosk.pull()
    ahead, newer = key_of(kiosk), keys.read_bytes()
    kiosk.tap("P1")
    kiosk.check_in_unknown("P3")
    keys.write_bytes(older)
    centre.restore(backup)
    kiosk.sync()
    assert verdicts(kiosk) == [("applied", "ok"), ("needs_staff", "unknown_card")]
    assert key_of(kiosk) == "k1"
    assert kiosk.parts.patient_of_card(cards_of("P1")) == "P1", "pages name the card under the older key"
    refused = centre.settle("reassign", "unknown_card", patient_id="P3", bind=True)
    assert b"newest key file back" in refused.body
    # The operator puts the newest key file back.
    keys.write_bytes(newer)
    _reopened(centre)
    assert walk_on(centre.parts) is Step.DONE
    kiosk.pull()
    assert key_of(kiosk) == ahead
    assert centre.settle("reassign", "unknown_card", patient_id="P3", bind=True).done
    assert holder(centre, "P3") == "P3"
    kiosk.pull()
    assert verdicts(kiosk)[-1] == ("applied", "ok")


def test_the_check_names_a_kiosk_with_a_key_that_the_key_file_lacks(centre: Centre):
    centre.enrol()
    assert operations(centre.parts)["check"]({})["kiosks_with_other_card_keys"] == []
    request = msgspec.structs.replace(_first_pull(centre, "kiosk-1"), card_key_id="k9")
    centre.pull("kiosk-1", request)
    checked = operations(centre.parts)["check"]({})
    assert checked["kiosks_with_other_card_keys"] == [{"kiosk_id": "kiosk-1", "key_id": "k9"}]
    assert not checked["ok"]


def test_a_key_file_from_before_a_rotation_is_refused_beside_the_database_of_after_it(centre: Centre):
    keys = centre.parts.keys.path
    older = keys.read_bytes()
    rotate(centre)
    keys.write_bytes(older)
    with pytest.raises(StoreError, match="not the key file of this database"):
        _reopened(centre)


def test_a_hash_of_no_known_form_is_nobodys(centre: Centre, kiosk: Kiosk):
    rotate(centre)
    odd = CardHash("k1", "not a hash")
    with centre.store.read() as db:
        assert binding_of_card(db, (centre.parts.keys.lift(odd),)) is None
    made = Kiosk(kiosk.path.with_name("C.db"), centre, "C", EVERYTHING)
    made.pull()
    assert key_of(made) == centre.parts.keys.published.newest
