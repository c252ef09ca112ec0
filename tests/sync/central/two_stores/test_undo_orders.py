"""An order to take back what a kiosk did: its period, its repeats, what waits, and what comes later."""

from __future__ import annotations

import msgspec
import pytest

from sync.central.kiosks.take_in import take_in
from sync.control import ControlError
from sync.protocol import Code, EndCode, Verdict
from sync.set_aside import read_lines
from tests.sync.central.two_stores.acts import chained, push
from tests.sync.central.two_stores.undoing import (
    REASON,
    call,
    everything,
    is_well,
    kiosk_id,
    moment,
    undo,
)
from tests.sync.central.wire import Centre, Kiosk


def test_an_order_that_is_given_twice_changes_nothing_the_second_time(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    kiosk.check_in("P2")
    kiosk.check_in_unknown("a card")
    kiosk.sync()
    undo(centre, kiosk, revoke=True)
    before = everything(centre)
    assert undo(centre, kiosk, revoke=True) == {}
    after = everything(centre)
    for each in (before, after):
        del each["audit"]
    assert after == before


def test_a_trial_says_what_would_become_and_changes_nothing(centre: Centre, kiosk: Kiosk, other: Kiosk):
    kiosk.check_in("P1")
    kiosk.tap("P2")
    kiosk.check_in_unknown("a card")
    kiosk.sync()
    other.pull()
    other.act("P2", "register")
    other.sync()
    before = everything(centre)
    told = undo(centre, kiosk, trial=True, revoke=True)
    assert everything(centre) == before
    assert undo(centre, kiosk, revoke=True) == told
    assert told == {"cases_discarded": 1, "patients_put_back": 1, "acts_taken_back": 3, "cases_opened": 1}


def test_the_period_counts_by_the_time_of_receipt(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    kiosk.sync()
    centre.time.pass_minutes(10)
    middle = moment(centre)
    kiosk.act("P1", "register")
    kiosk.sync()
    centre.time.pass_minutes(10)
    kiosk.tap("P2")
    kiosk.sync()
    assert undo(centre, kiosk, middle, until=middle) == {"patients_put_back": 1, "acts_taken_back": 1}
    assert (centre.journey("P1").state, centre.journey("P2").state) == ("ARRIVED", "ARRIVED")
    assert undo(centre, kiosk) == {"patients_put_back": 2, "acts_taken_back": 2}
    assert (centre.journey("P1").state, centre.journey("P2").state) == ("UNREGISTERED", "UNREGISTERED")
    assert is_well(centre)


def test_what_waits_for_staff_is_discarded_with_the_reason(centre: Centre, kiosk: Kiosk):
    kiosk.check_in_unknown("a card")
    kiosk.sync()
    push(centre, kiosk, chained([{"seq": 2, "action_id": "none"}], _head(kiosk)))
    assert sorted(centre.open_cases()) == ["quarantined", "unknown_card"]
    assert undo(centre, kiosk) == {"cases_discarded": 2}
    assert centre.open_cases() == []
    (reason,) = {
        str(msgspec.json.decode(str(row["settlement"]))["reason"])
        for row in centre.rows("select settlement from exceptions")
    }
    assert reason == REASON
    kiosk.pull()
    assert kiosk.last() == (Verdict.SUPERSEDED, Code.DISCARDED)


def _head(kiosk: Kiosk) -> str:
    with kiosk.store.read() as db:
        return str(db.execute("select last_hash from identity").fetchone()[0])


def test_a_case_in_which_another_kiosks_action_waits_is_left_alone(centre: Centre, kiosk: Kiosk, other: Kiosk):
    kiosk.check_in_unknown("a card")
    kiosk.sync()
    with centre.store.write() as db:
        db.execute(
            "insert into waiting select 'x', exception_id, :other, seq, visit_id, code, intent, sent_clock,"
            " received_ms, earliest_ms, latest_ms from waiting",
            {"other": kiosk_id(other)},
        )
    assert undo(centre, kiosk) == {"cases_with_acts_of_others": 1}
    assert centre.open_cases() == ["unknown_card"]


def test_an_action_of_that_time_that_comes_later_waits_and_may_be_applied(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    centre.time.pass_minutes(1)
    assert undo(centre, kiosk) == {}
    kiosk.sync()
    assert kiosk.last() == (Verdict.NEEDS_STAFF, Code.QUARANTINED)
    assert centre.open_cases() == ["taken_back"]
    assert centre.journey("P1").state == "UNREGISTERED"
    assert centre.settle("apply").done
    assert centre.journey("P1").state == "ARRIVED"


def test_an_action_after_that_time_counts(centre: Centre, kiosk: Kiosk):
    undo(centre, kiosk)
    kiosk.pull()
    centre.time.pass_minutes(1)
    kiosk.tap("P1")
    kiosk.sync()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)


def ends(centre: Centre) -> list[object]:
    """The ends of the periods that were taken back."""
    return [row["until_ms"] for row in centre.rows("select until_ms from undos order by since_ms")]


def test_a_period_that_was_taken_back_once_never_gets_shorter(centre: Centre, kiosk: Kiosk):
    centre.time.pass_minutes(60)
    undo(centre, kiosk, until="2026-03-02T09:30")
    (first,) = ends(centre)
    undo(centre, kiosk, until="2026-03-02T09:10")
    assert ends(centre) == [first]
    undo(centre, kiosk)
    assert ends(centre) == [centre.time()]
    undo(centre, kiosk, revoke=True)
    assert ends(centre) == [None]
    undo(centre, kiosk, until="2026-03-02T09:30")
    assert ends(centre) == [None]


def test_the_period_of_a_kiosk_that_was_revoked_before_has_no_end(centre: Centre, kiosk: Kiosk):
    call(centre, "kiosk-revoke", kiosk_id=kiosk_id(kiosk))
    undo(centre, kiosk)
    assert ends(centre) == [None]
    assert len(centre.rows("select * from audit where kind = 'kiosk-revoke'")) == 1


def test_of_a_revoked_kiosk_no_later_action_counts_by_a_file_either(centre: Centre, kiosk: Kiosk, tmp_path):
    undo(centre, kiosk, revoke=True)
    centre.time.pass_minutes(5)
    kiosk.tap("P1")
    kiosk.push()
    assert [refused.code for refused in kiosk.wire.heard] == [EndCode.ENDED]
    file = tmp_path / "aside"
    kiosk.ledger.set_aside(file)
    with file.open("rb") as lines, centre.store.write() as db:
        (taken,) = take_in(db, centre.parts, read_lines(lines).actions)
    assert (taken.verdict, taken.code) == (Verdict.NEEDS_STAFF, Code.QUARANTINED)
    assert centre.open_cases() == ["taken_back"]


def test_a_patient_on_whom_it_fails_does_not_keep_the_others_from_being_put_back(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    kiosk.tap("P2")
    kiosk.sync()
    with centre.store.write() as db:
        db.execute("update effects set changed = '{' where patient_id = 'P1'")
    assert undo(centre, kiosk) == {"failed_inside": 1, "patients_put_back": 1, "acts_taken_back": 1}
    assert (centre.journey("P1").state, centre.journey("P2").state) == ("ARRIVED", "UNREGISTERED")


def test_an_order_that_was_interrupted_goes_on_where_it_is_given_again(centre: Centre, kiosk: Kiosk):
    assert kiosk.look_up("P3")
    for patient_id in ("P1", "P2", "P3"):
        kiosk.tap(patient_id)
    kiosk.sync()
    assert centre.journey("P3").state == "ARRIVED"
    order = {"kiosk_id": kiosk_id(kiosk), "since": "2026-03-01", "reason": REASON}
    period = call(centre, "kiosk-undo", order=order)["period"]
    call(centre, "kiosk-undo-portion", period=period, reason=REASON, after="P2")  # and the command is gone
    assert [centre.journey(each).state for each in ("P1", "P2", "P3")] == ["ARRIVED", "ARRIVED", "UNREGISTERED"]
    assert undo(centre, kiosk) == {"patients_put_back": 2, "acts_taken_back": 2}


@pytest.mark.parametrize(
    ("order", "why"),
    [
        ({"kiosk_id": "nobody"}, "no such kiosk"),
        ({"reason": " "}, "reason must be"),
        ({"reason": "x" * 501}, "reason must be"),
        ({"since": "yesterday"}, "no ISO 8601"),
        ({"until": "later"}, "no ISO 8601"),
        ({"until": "2026-02-28"}, "ends before it begins"),
    ],
)
def test_an_order_that_means_nothing_is_refused(centre: Centre, kiosk: Kiosk, order: dict[str, str], why: str):
    whole = {"kiosk_id": kiosk_id(kiosk), "since": "2026-03-01", "reason": REASON} | order
    with pytest.raises(ControlError, match=why):
        call(centre, "kiosk-undo", order=whole)
    assert centre.rows("select * from undos") == []
