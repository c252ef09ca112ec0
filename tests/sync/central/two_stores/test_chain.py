"""Gaps, forks and clones: chains that do not fit the centre's."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from sync.ids import new_id
from sync.protocol import CallRefused, Code, EndCode, PushAnswer, Pushed, Verdict, canonical
from tests.sync.central.two_stores.acts import chained, intent_of, push, verdicts
from tests.sync.central.wire import Centre, Kiosk


def test_a_gap_is_refused_whole_and_sent_again_from_where_it_is_expected(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    kiosk.pusher.limit = 2
    kiosk.pusher.run_once()
    with centre.store.write() as db:  # the centre was set back to before the first batch
        judged = ("receipts", "verdicts", "effects", "actions")
        for table in (*judged, "transitions", "entry_history", "entries", "visits"):
            db.execute(f"delete from {table}")
        db.execute("update chains set last_seq = 0, last_hash = ''")
        db.execute("update journeys set state = 'UNREGISTERED', visit_id = null, leg = 0, current_queue_id = null")
        db.execute("update appointments set status = 'booked'")
    kiosk.sync()
    assert [refused.code for refused in kiosk.wire.heard] == [EndCode.GAP]
    assert kiosk.wire.heard[0].expected_seq == 1
    assert centre.journey("P1").state == "WAITING"
    assert verdicts(kiosk) == [("applied", "ok")] * 3
    assert centre.rows("select times_asked from chains") == [{"times_asked": 0}]


def test_actions_missing_for_good_begin_a_new_epoch_and_open_a_case(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    with kiosk.store.write() as db:
        db.execute("delete from outbox where seq = 1")
    kiosk.push()
    assert sorted(centre.open_cases()) == ["gap", "not_allowed"]
    assert kiosk.journeys.identity is not None
    assert kiosk.journeys.identity.epoch == 2
    assert [refused.code for refused in kiosk.wire.heard] == [EndCode.GAP] * 3 + [EndCode.FORK]
    assert verdicts(kiosk) == [("needs_staff", "not_allowed"), ("needs_staff", "depends")]


def test_a_hole_inside_a_batch_is_a_gap(centre: Centre, kiosk: Kiosk):
    bodies = [intent_of(kiosk, seq=1), intent_of(kiosk, seq=3)]
    answer = push(centre, kiosk, chained(bodies))
    assert isinstance(answer, CallRefused)
    assert (answer.code, answer.expected_seq) == (EndCode.GAP, 1)


def test_a_kiosk_set_back_to_an_older_disk_forks_and_loses_nothing(centre: Centre, kiosk: Kiosk, tmp_path: Path):
    kiosk.tap("P1")
    kiosk.sync()
    copy = tmp_path / "copy.db"
    with kiosk.store.read() as db:
        db.execute("vacuum into ?", (str(copy),))
    kiosk.tap("P2")
    kiosk.sync()
    kiosk.store.close()
    restored = Kiosk(copy, centre, "A")
    restored.tap("P2")
    restored.act("P1", "register")
    restored.sync()
    assert [refused.code for refused in restored.wire.heard] == [EndCode.FORK]
    assert restored.statuses() == [
        ("scan_nfc", "applied", "ok"),
        ("scan_nfc", "merged", "visit_alias"),
        ("register", "applied", "ok"),
    ]
    assert centre.open_cases() == ["fork"]
    assert restored.base("P1") == centre.journey("P1")
    assert restored.base("P2") == centre.journey("P2")


def test_two_clones_of_one_kiosk_both_continue_and_staff_get_a_case(centre: Centre, kiosk: Kiosk, tmp_path: Path):
    copy = tmp_path / "clone.db"
    with kiosk.store.read() as db:
        db.execute("vacuum into ?", (str(copy),))
    clone = Kiosk(copy, centre, "A")
    kiosk.check_in("P1")
    clone.check_in("P2")
    kiosk.sync()
    clone.sync()
    kiosk.act("P1", "leave_hospital")
    kiosk.tap("P2")
    clone.tap("P1")
    kiosk.sync()
    clone.sync()
    assert centre.journey("P1").state == centre.journey("P2").state == "WAITING"
    assert sorted(centre.open_cases()) == ["duplicate_number", "fork"]
    kiosk.pull()
    for each in (kiosk, clone):
        assert each.base("P1") == centre.journey("P1")
        assert each.base("P2") == centre.journey("P2")


def test_a_fork_whose_answer_was_lost_gets_the_same_epoch_again(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    kiosk.sync()
    with kiosk.store.write() as db:
        db.execute("update identity set last_hash = 'other'")
    kiosk.tap("P2")
    kiosk.wire.lose_replies = 1
    assert kiosk.pusher.run_once().failed
    kiosk.sync()
    assert [(refused.code, refused.epoch) for refused in kiosk.wire.heard] == [(EndCode.FORK, 2)]
    assert centre.open_cases() == ["fork"]
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)


def test_a_chain_that_never_fits_makes_no_epoch_after_epoch(centre: Centre, kiosk: Kiosk):
    body = canonical(intent_of(kiosk))
    for _ in range(3):
        answer = push(centre, kiosk, [Pushed("0" * 64, msgspec.Raw(body))])
        assert isinstance(answer, CallRefused)
        assert (answer.code, answer.epoch) == (EndCode.FORK, 2)
    assert centre.open_cases() == ["fork"]


def test_a_kiosk_that_forks_again_and_again_is_one_case(centre: Centre, kiosk: Kiosk):
    for epoch, patient_id in ((2, "P1"), (3, "P2")):
        with kiosk.store.write() as db:
            db.execute("update identity set last_hash = 'other'")
        kiosk.tap(patient_id)
        kiosk.push()
        assert kiosk.journeys.identity is not None
        assert kiosk.journeys.identity.epoch == epoch
        assert kiosk.last() == (Verdict.APPLIED, Code.OK)
    assert centre.open_cases() == ["fork"]
    assert len(centre.rows("select * from audit where kind = 'fork'")) == 2


def test_an_edited_action_does_not_count_as_the_judged_one(centre: Centre, kiosk: Kiosk):
    actions = chained([intent_of(kiosk, seq=1)])
    assert isinstance(push(centre, kiosk, actions), PushAnswer)
    edited = canonical(intent_of(kiosk, seq=1, action_type="register"))
    answer = push(centre, kiosk, [Pushed(actions[0].hash, msgspec.Raw(edited))])
    assert isinstance(answer, CallRefused)
    assert answer.code is EndCode.FORK


def test_a_receipt_of_another_action_is_a_fork(centre: Centre, kiosk: Kiosk):
    assert isinstance(push(centre, kiosk, chained([intent_of(kiosk, seq=1)])), PushAnswer)
    answer = push(centre, kiosk, chained([intent_of(kiosk, seq=1, action_id=new_id())]))
    assert isinstance(answer, CallRefused)
    assert answer.code is EndCode.FORK


def test_a_kiosk_that_is_ahead_of_the_centres_epochs_begins_a_newer_one(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    kiosk.ledger.start_epoch(5)
    kiosk.sync()
    assert [(refused.code, refused.epoch) for refused in kiosk.wire.heard] == [(EndCode.FORK, 6)]
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)


@pytest.mark.parametrize("seq", [0, -1, -(10**30)])
def test_a_seq_before_the_first_is_a_fork(centre: Centre, kiosk: Kiosk, seq: int):
    answer = push(centre, kiosk, chained([intent_of(kiosk, seq=seq)]))
    assert isinstance(answer, CallRefused)
    assert answer.code is EndCode.FORK


def test_the_answer_to_an_empty_batch_says_how_far_the_centre_has_come(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    kiosk.sync()
    answer = push(centre, kiosk, [])
    assert isinstance(answer, PushAnswer)
    assert (answer.last_seq, answer.backed_up_seq, answer.verdicts) == (1, 0, [])


@pytest.mark.one_database
def test_a_centre_set_back_together_with_its_marker_gets_everything_again(centre: Centre, kiosk: Kiosk, tmp_path: Path):
    """A snapshot of the whole machine was restored, which includes the marker."""
    home, copy = centre.store.path.parent, tmp_path / "machine"
    copy.mkdir()
    centre.store.close()
    for file in home.glob("centre.db*"):
        shutil.copyfile(file, copy / file.name)
    centre.open()
    kiosk.check_in("P1")
    kiosk.sync()
    assert centre.journey("P1").state == "WAITING"
    centre.store.close()
    for file in home.glob("centre.db*"):
        file.unlink()
    for file in copy.iterdir():
        shutil.copyfile(file, home / file.name)
    centre.open()
    kiosk.pull()
    kiosk.sync()
    assert centre.journey("P1").state == "WAITING"
    assert verdicts(kiosk) == [("applied", "ok")] * 3
    assert kiosk.base("P1") == centre.journey("P1")
