"""Pushes that go well, senders that are refused, and actions that cannot be read or judged."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest

from sync.central.kiosks.push import receive_batch
from sync.central.store.errors import StaleJourney
from sync.ids import new_id
from sync.protocol import MAX_BATCH, CallRefused, Code, EndCode, PushAnswer, Verdict
from tests.sync.central.two_stores.acts import (
    builtins,
    chained,
    intent_of,
    push,
    request_of,
    rewrite_last,
    transitions,
    verdicts,
)
from tests.sync.central.wire import MINUTE, Centre, Kiosk, cards_of


def test_a_check_in_reaches_the_centre_once_and_the_kiosk_holds_the_same(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    kiosk.sync()
    assert verdicts(kiosk) == [("applied", "ok")] * 3
    journey = centre.journey("P1")
    assert (journey.state, journey.leg) == ("WAITING", 1)
    assert [(e.queue_number, e.exam_id, e.state) for e in journey.entries] == [("A-001", "X", "waiting")]
    assert [a.status for a in journey.appointments] == ["waiting", "arrived"]
    assert kiosk.base("P1") == journey == kiosk.view("P1")
    assert transitions(centre, "P1") == [
        ("UNREGISTERED", "scan_nfc", "ARRIVED", "kiosk-1"),
        ("ARRIVED", "register", "REGISTERED", "kiosk-1"),
        ("REGISTERED", "confirm_arrival", "WAITING", "kiosk-1"),
    ]
    assert centre.open_cases() == []


def test_a_lost_reply_does_not_check_in_twice(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    kiosk.wire.lose_replies = 2
    for _ in range(2):
        assert kiosk.pusher.run_once().failed
    once = centre.journey("P1")
    kiosk.sync()
    assert verdicts(kiosk) == [("applied", "ok")] * 3
    assert centre.journey("P1") == once == kiosk.base("P1")
    assert len(transitions(centre, "P1")) == 3


def test_a_lost_request_leaves_nothing_behind(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    kiosk.wire.lose_requests = 1
    assert kiosk.pusher.run_once().failed
    assert centre.journey("P1").state == "UNREGISTERED"
    kiosk.sync()
    assert centre.journey("P1").state == "WAITING"


def test_the_event_time_is_counted_back_by_the_clock_of_one_boot(centre: Centre, tmp_path: Path):
    """A wall clock that is years behind changes nothing: the monotonic clock says how long ago it was."""
    kiosk = Kiosk(tmp_path / "k.db", centre, "K", wall_offset_ms=-10 * 365 * 24 * 60 * MINUTE, synchronised=False)
    kiosk.pull()
    happened = centre.time()
    kiosk.check_in("P1")
    centre.time.pass_minutes(30)
    kiosk.sync()
    row = centre.rows("select happened_ms, recorded_ms, time_quality from transitions where action = 'scan_nfc'")[0]
    assert row == {"happened_ms": happened, "recorded_ms": happened + 30 * MINUTE, "time_quality": "measured"}
    assert centre.journey("P1").entries[0].opened_ms == happened


def test_a_claimed_time_is_in_the_history_and_gives_no_place_in_line(centre: Centre, tmp_path: Path):
    kiosk = Kiosk(tmp_path / "k.db", centre, "K", wall_offset_ms=-60 * MINUTE, synchronised=False)
    kiosk.pull()
    centre.time.pass_minutes(90)
    happened = centre.time()
    kiosk.check_in("P1")
    kiosk.reboot()
    centre.time.pass_minutes(5)
    kiosk.sync()
    row = centre.rows("select happened_ms, time_quality from transitions where action = 'scan_nfc'")[0]
    assert row == {"happened_ms": happened - 60 * MINUTE, "time_quality": "claimed"}
    assert centre.journey("P1").entries[0].opened_ms == centre.time()
    assert centre.rows("select opened_ms from visits") == [{"opened_ms": centre.time()}]


def test_the_centre_gives_a_number_where_the_kiosk_had_joined_an_entry_that_has_ended(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    kiosk.sync()
    centre.staff("call_patient", "P1")
    centre.staff("start_exam", "P1")
    centre.staff("complete_exam", "P1")
    kiosk.pull()
    # A later leg, as a kiosk sends it that joined an entry and printed no number.
    kiosk.act("P1", "confirm_arrival")
    with kiosk.store.write() as db:
        rewrite_last(db, queue_number="")
    kiosk.sync()
    assert [e.queue_number for e in centre.journey("P1").entries] == ["A-001", "C-001"]


# Senders that are refused.


def test_a_kiosk_that_was_revoked_ends_and_keeps_its_actions(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    with centre.store.write() as db:
        db.execute("update kiosks set revoked_ms = 1")
    stepped = kiosk.pusher.run_once()
    assert (stepped.failed, stepped.refusal) == (True, EndCode.ENDED)
    assert kiosk.parts.pending() == 1


def test_a_token_speaks_for_its_own_kiosk_only(centre: Centre, kiosk: Kiosk, other: Kiosk):
    for kiosk_id in ("kiosk-2", "nobody"):
        answer = receive_batch(centre.parts, kiosk_id, request_of(kiosk, []))
        assert isinstance(answer, CallRefused)
        assert answer.code is EndCode.NOT_KNOWN


def test_an_unsupported_version_is_refused(centre: Centre, kiosk: Kiosk):
    answer = receive_batch(centre.parts, "kiosk-1", msgspec.structs.replace(request_of(kiosk, []), protocol_version=99))
    assert isinstance(answer, CallRefused)
    assert answer.code is EndCode.UNSUPPORTED_VERSION


def test_a_batch_of_too_many_is_refused(centre: Centre, kiosk: Kiosk):
    actions = chained([intent_of(kiosk, seq=seq, action_id=new_id()) for seq in range(1, MAX_BATCH + 2)])
    answer = push(centre, kiosk, actions)
    assert isinstance(answer, CallRefused)
    assert answer.code is EndCode.MALFORMED
    assert centre.rows("select count(*) as n from receipts") == [{"n": 0}]


# Actions that cannot be read or judged.


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"action_id": "x" * 36}, "an id is no UUID"),
        ({"visit_id": ""}, "an id is no UUID"),
        ({"patient_id": ""}, "no patient is named"),
        ({"patient_id": "x" * 129}, "a text is too long"),
        ({"appointment_ids": ("x" * 129,)}, "a text is too long"),
        ({"card": {"key_id": "k", "uid_hash": "h" * 129}}, "a text is too long"),
        ({"leg": -1}, "a number is out of range"),
        ({"base_version": 2**60}, "a number is out of range"),
        ({"clock": {"wall_ms": 2**62, "mono_ms": 0, "boot_id": "", "synchronised": True}}, "a number is out of range"),
        ({"site_day": "2026-2-3"}, "site_day is no date"),
        ({"site_day": "yesterday"}, "site_day is no date"),
        ({"payload": "text"}, "not an intent"),
        ({"leg": "one"}, "not an intent"),
        ({"kiosk_id": "another"}, "it belongs to another chain"),
        ({"epoch": 9}, "it belongs to another chain"),
        ({"queue_id": None}, "not an intent"),
    ],
)
def test_an_action_that_cannot_be_read_is_set_aside_and_holds_back_no_other(
    centre: Centre, kiosk: Kiosk, change: dict[str, object], reason: str
):
    bodies: list[object] = [
        {**builtins(intent_of(kiosk, seq=1)), **change},
        intent_of(kiosk, seq=2, action_id=new_id()),
    ]
    answer = push(centre, kiosk, chained(bodies))
    assert isinstance(answer, PushAnswer)
    assert [(row.seq, row.verdict, row.code) for row in answer.verdicts] == [
        (1, "needs_staff", "quarantined"),
        (2, "applied", "ok"),
    ]
    assert answer.last_seq == 2
    assert centre.rows("select reason from quarantine") == [{"reason": reason}]
    assert centre.open_cases() == ["quarantined"]
    again = push(centre, kiosk, chained(bodies))
    assert isinstance(again, PushAnswer)
    assert [row.code for row in again.verdicts] == ["quarantined", "ok"]
    assert len(centre.rows("select * from quarantine")) == 1


@pytest.mark.parametrize("body", [None, 1, "text", [], [{}], {}, {"seq": True}, {"action_id": 7, "seq": 1}])
def test_a_body_that_is_no_action_at_all_is_set_aside_where_it_stands(centre: Centre, kiosk: Kiosk, body: object):
    bodies = [body, intent_of(kiosk, seq=2)]
    answer = push(centre, kiosk, chained(bodies))
    assert isinstance(answer, PushAnswer)
    first, second = answer.verdicts
    assert (first.action_id, first.seq, first.code) == ("", 1, "quarantined")
    assert second.verdict == "applied"
    assert len(centre.rows("select * from receipts")) == 2


def test_an_action_that_the_tables_cannot_take_is_set_aside_whole(centre: Centre, kiosk: Kiosk):
    """Its visit has the id of another patient's visit. No row of the action stays, and the next action is judged."""
    kiosk.tap("P1")
    kiosk.sync()
    visit_id = str(centre.journey("P1").visit_id)
    bodies = [
        intent_of(kiosk, seq=2, patient_id="P2", visit_id=visit_id),
        intent_of(kiosk, seq=3, patient_id="P3", card=cards_of("P3")[0], action_id=new_id(), visit_id=new_id()),
    ]
    with kiosk.store.read() as db:
        head = db.execute("select last_hash from identity").fetchone()[0]
    answer = push(centre, kiosk, chained(bodies, head))
    assert isinstance(answer, PushAnswer)
    assert [row.code for row in answer.verdicts] == ["quarantined", "ok"]
    assert centre.journey("P2").state == "UNREGISTERED"
    assert transitions(centre, "P2") == []
    assert centre.journey("P3").state == "ARRIVED"


def test_an_action_id_that_an_app_used_is_another_action(centre: Centre, kiosk: Kiosk):
    centre.staff("scan_nfc", "P2")
    used = str(centre.rows("select action_id from actions")[0]["action_id"])
    answer = push(centre, kiosk, chained([intent_of(kiosk, action_id=used)]))
    assert isinstance(answer, PushAnswer)
    assert answer.verdicts[0].code is Code.QUARANTINED


def test_the_text_of_a_card_in_a_payload_is_dropped(centre: Centre, kiosk: Kiosk):
    answer = push(centre, kiosk, chained([intent_of(kiosk, payload={"tag_id": "04a1b2c3", "answer": "yes"})]))
    assert isinstance(answer, PushAnswer)
    rows = centre.rows("select metadata from transitions")
    assert msgspec.json.decode(str(rows[0]["metadata"]))["payload"] == {"answer": "yes"}


def test_an_action_with_further_fields_of_a_newer_kiosk_is_the_same_action(centre: Centre, kiosk: Kiosk):
    """A field that an update added is empty in a renumbered old body, and an unknown field is ignored."""
    first = builtins(intent_of(kiosk, seq=1))
    assert isinstance(push(centre, kiosk, chained([first])), PushAnswer)
    moved = {**first, "epoch": 2, "invented_later": "", "another": None}
    with centre.store.write() as db:
        db.execute("update kiosks set epoch = 2")
    answer = receive_batch(
        centre.parts, "kiosk-1", msgspec.structs.replace(request_of(kiosk, chained([moved])), epoch=2)
    )
    assert isinstance(answer, PushAnswer)
    assert answer.verdicts[0].verdict is Verdict.APPLIED
    assert len(transitions(centre, "P1")) == 1


def test_a_journey_that_changed_underneath_decides_nothing(centre: Centre, kiosk: Kiosk):
    """This may happen with several processes on one database. The complete batch is refused, and sent again."""
    with centre.store.write() as db:
        centre.database.ignore_updates(db, "journeys")
    with pytest.raises(StaleJourney):
        push(centre, kiosk, chained([intent_of(kiosk)]))
    assert centre.rows("select * from receipts") == []


@pytest.mark.one_database
def test_a_database_that_fails_decides_nothing(centre: Centre, kiosk: Kiosk):
    """The disk is full in the middle of a batch: no action is judged until there is room, and then all are."""
    large = {"answer": "x" * 8000}
    bodies: list[object] = [
        intent_of(
            kiosk,
            seq=place,
            action_id=new_id(),
            visit_id=new_id(),
            patient_id=patient_id,
            card=cards_of(patient_id)[0],
            payload=large,
        )
        for place, patient_id in enumerate(["P1", "P2", "P3"], 1)
    ]
    with centre.store.write() as db:
        db.execute(f"pragma max_page_count = {db.value('pragma page_count') + 5}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        push(centre, kiosk, chained(bodies))
    assert centre.rows("select count(*) as n from receipts") == [{"n": 0}]
    assert centre.journey("P1").state == "UNREGISTERED"
    with centre.store.write() as db:
        db.execute("pragma max_page_count = 1000000")
    answer = push(centre, kiosk, chained(bodies))
    assert isinstance(answer, PushAnswer)
    assert [row.verdict for row in answer.verdicts] == ["applied"] * 3
