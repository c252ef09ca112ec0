"""What becomes of pushed actions, with the real stores of both ends: every case of the table that two ends can meet."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from sync.central.bindings import bind
from sync.central.gathering import bench_of
from sync.central.ingest import Ingest
from sync.central.journeys import StaleJourney, touch
from sync.central.settling import settle_card
from sync.ids import new_id
from sync.journey.definitions import read
from sync.journey.model import VisitId
from sync.protocol import (
    NO_HASH,
    CallRefused,
    Code,
    EndCode,
    Intent,
    PushAnswer,
    Pushed,
    PushRequest,
    Verdict,
    canonical,
    chain_hash,
)
from tests.sync.central.wire import DAY, EVERYTHING, KEYS, MINUTE, Centre, Kiosk, Time, cards_of


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    made = Centre(tmp_path / "centre.db", Time())
    yield made
    made.store.close()


@pytest.fixture
def kiosk(tmp_path: Path, centre: Centre) -> Kiosk:
    made = Kiosk(tmp_path / "a.db", centre, "A", EVERYTHING)
    made.pull()
    return made


@pytest.fixture
def other(tmp_path: Path, centre: Centre) -> Kiosk:
    made = Kiosk(tmp_path / "b.db", centre, "B", EVERYTHING)
    made.pull()
    return made


def verdicts(kiosk: Kiosk) -> list[tuple[str | None, ...]]:
    return [row[1:] for row in kiosk.statuses()]


def transitions(centre: Centre, patient_id: str) -> list[tuple[object, ...]]:
    rows = centre.rows(
        "select from_state, action, to_state, source from transitions where patient_id = :id order by change, position",
        id=patient_id,
    )
    return [tuple(row.values()) for row in rows]


# What goes well.


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
    """A wall clock that is years behind moves nothing: the monotonic one says how long ago it was."""
    kiosk = Kiosk(tmp_path / "k.db", centre, "K", wall_offset_ms=-10 * 365 * 24 * 60 * MINUTE, synchronised=False)
    kiosk.pull()
    happened = centre.time()
    kiosk.check_in("P1")
    centre.time.pass_minutes(30)
    kiosk.sync()
    row = centre.rows("select happened_ms, recorded_ms, time_quality from transitions where action = 'scan_nfc'")[0]
    assert row == {"happened_ms": happened, "recorded_ms": happened + 30 * MINUTE, "time_quality": "measured"}
    assert centre.journey("P1").entries[0].opened_ms == happened


def test_a_claimed_time_stands_in_the_history_and_gives_no_place_in_line(centre: Centre, tmp_path: Path):
    kiosk = Kiosk(tmp_path / "k.db", centre, "K", wall_offset_ms=-60 * MINUTE, synchronised=False)
    kiosk.pull()
    happened = centre.time()
    kiosk.check_in("P1")
    kiosk.reboot()
    centre.time.pass_minutes(5)
    kiosk.sync()
    row = centre.rows("select happened_ms, time_quality from transitions where action = 'scan_nfc'")[0]
    assert row == {"happened_ms": happened - 60 * MINUTE, "time_quality": "claimed"}
    assert centre.journey("P1").entries[0].opened_ms == centre.time()
    assert centre.rows("select opened_ms from visits") == [{"opened_ms": centre.time()}]


def test_a_number_is_given_by_the_centre_where_the_kiosk_had_joined_an_entry_that_is_no_more(
    centre: Centre, kiosk: Kiosk
):
    kiosk.check_in("P1")
    kiosk.sync()
    centre.staff("call_patient", "P1")
    centre.staff("start_exam", "P1")
    centre.staff("complete_exam", "P1")
    kiosk.pull()
    # A later leg, as the kiosk would send it where it had joined an entry and printed nothing.
    kiosk.act("P1", "confirm_arrival")
    with kiosk.store.write() as db:
        rewrite_last(db, queue_number="")
    kiosk.sync()
    assert [e.queue_number for e in centre.journey("P1").entries] == ["A-001", "C-001"]


# The table of conflicts, at the level of two real stores.


def test_case_1_scanned_at_two_offline_kiosks_is_one_visit_with_two_numbers(centre: Centre, kiosk: Kiosk, other: Kiosk):
    other.check_in("P1")
    earlier = centre.time()
    centre.time.pass_minutes(3)
    kiosk.check_in("P1")
    kiosk.sync()
    other.sync()
    kiosk.sync()
    assert verdicts(kiosk) == [("applied", "ok")] * 3
    assert verdicts(other) == [("merged", "visit_alias"), ("merged", "already_so"), ("merged", "already_so")]
    journey = centre.journey("P1")
    assert [(e.queue_number, e.label_aliases) for e in journey.entries] == [("A-001", ("B-001",))]
    assert journey.entries[0].opened_ms == earlier
    assert centre.rows("select opened_ms from visits") == [{"opened_ms": earlier}]
    assert kiosk.base("P1") == journey == other.base("P1")
    assert centre.open_cases() == []


def test_case_1_a_visit_that_is_over_is_not_opened_anew_by_a_kiosk_that_was_away(
    centre: Centre, kiosk: Kiosk, other: Kiosk
):
    other.tap("P1")
    centre.time.pass_minutes(1)
    kiosk.check_in("P1")
    kiosk.sync()
    finish(centre, kiosk, "P1")
    other.sync()
    assert other.last() == (Verdict.MERGED, Code.VISIT_ALIAS)
    assert centre.journey("P1").state == "UNREGISTERED"


def test_case_1_who_comes_back_after_their_visit_opens_another(centre: Centre, kiosk: Kiosk, other: Kiosk):
    kiosk.check_in("P1")
    kiosk.sync()
    finish(centre, kiosk, "P1")
    centre.time.pass_minutes(60)
    # This kiosk has heard of nothing all day, but its clock says that the visit was over.
    other.tap("P1")
    other.sync()
    assert other.last() == (Verdict.APPLIED, Code.OK)
    assert centre.rows("select ordinal from visits order by ordinal") == [{"ordinal": 1}, {"ordinal": 2}]


def test_case_1_a_kiosk_that_saw_both_visits_opened_both(centre: Centre, kiosk: Kiosk):
    for _ in range(2):
        kiosk.check_in("P1")
        kiosk.sync()
        finish(centre, kiosk, "P1")
    kiosk.tap("P1")
    kiosk.sync()
    assert [row["ordinal"] for row in centre.rows("select ordinal from visits order by ordinal")] == [1, 2, 3]


def test_case_1_of_two_visits_in_one_batch_only_the_first_is_the_alias(centre: Centre, kiosk: Kiosk, other: Kiosk):
    kiosk.check_in("P1")
    kiosk.sync()
    finish(centre, kiosk, "P1")
    other.reboot()
    other.synchronised = False
    other.tap("P1")
    other.reboot()
    other.sync()
    assert other.last() == (Verdict.MERGED, Code.VISIT_ALIAS)
    other.tap("P1")
    other.sync()
    assert other.last() == (Verdict.APPLIED, Code.OK)


def test_case_3_what_staff_cancelled_meanwhile_needs_staff_and_the_data_is_kept(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P2")
    centre.staff("cancel_appointment", "P2", exam_id="X")
    kiosk.sync()
    assert verdicts(kiosk) == [("applied", "ok"), ("needs_staff", "cancelled"), ("needs_staff", "depends")]
    assert centre.open_cases() == ["cancelled"]
    assert centre.journey("P2").entries == ()
    assert kiosk.view("P2").state == "ARRIVED"
    case = centre.rows("select patient_id, detail from exceptions where code = 'cancelled'")[0]
    detail = msgspec.json.decode(str(case["detail"]))
    assert case["patient_id"] == "P2"
    assert detail["shown"]["journey_state"] == "ARRIVED"
    assert detail["shown"]["appointment_ids"] == ["A3"]
    assert detail["known"]["journey_state"] == "ARRIVED"


def test_case_4_who_is_called_already_keeps_the_call(centre: Centre, kiosk: Kiosk, other: Kiosk):
    other.check_in("P1")
    kiosk.check_in("P1")
    kiosk.sync()
    centre.staff("call_patient", "P1", room="7")
    other.sync()
    assert other.last() == (Verdict.SUPERSEDED, Code.MOVED_ON)
    entry = other.view("P1").current
    assert entry is not None
    assert (entry.state, entry.room, entry.label_aliases) == ("called", "7", ("B-001",))


def test_case_5_a_late_arrival_for_the_first_exam_does_not_queue_the_second(centre: Centre, kiosk: Kiosk, other: Kiosk):
    other.check_in("P1")
    kiosk.check_in("P1")
    kiosk.sync()
    for action in ("call_patient", "start_exam", "complete_exam"):
        centre.staff(action, "P1")
    kiosk.pull()
    kiosk.act("P1", "confirm_arrival")
    kiosk.sync()
    other.sync()
    assert other.last() == (Verdict.SUPERSEDED, Code.EARLIER_LEG)
    journey = centre.journey("P1")
    assert (journey.leg, [(e.exam_id, e.label_aliases) for e in journey.entries]) == (2, [("X", ("B-001",)), ("E", ())])


def test_case_6_yesterdays_attendance_is_kept_and_nothing_of_today_moves(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    happened = centre.time()
    centre.time.pass_minutes(24 * 60)
    kiosk.sync()
    assert verdicts(kiosk) == [("applied", "late")] * 3
    journey = centre.journey("P1")
    assert (journey.state, journey.entries, journey.visit_id) == ("UNREGISTERED", (), None)
    assert [row[:3] for row in transitions(centre, "P1")] == [
        ("UNREGISTERED", "scan_nfc", "ARRIVED"),
        ("ARRIVED", "register", "REGISTERED"),
        ("REGISTERED", "confirm_arrival", "WAITING"),
    ]
    visit = centre.rows("select site_day, opened_ms, closed_ms from visits")[0]
    assert visit == {"site_day": DAY, "opened_ms": happened, "closed_ms": centre.time()}
    entry = centre.rows("select site_day, state, queue_number from entries")[0]
    assert entry == {"site_day": DAY, "state": "no_show", "queue_number": "A-001"}
    changes = [tuple(row.values()) for row in centre.rows("select previous, new from entry_history order by position")]
    assert changes == [(None, "waiting"), ("waiting", "no_show")]


def test_case_6_a_visit_that_the_day_ended_goes_on_in_its_history(centre: Centre, kiosk: Kiosk, other: Kiosk):
    kiosk.check_in("P1")
    kiosk.sync()
    centre.staff("call_patient", "P1")
    kiosk.pull()
    kiosk.act("P1", "enter_exam_room")
    kiosk.act("P1", "complete_exam")
    kiosk.act("P1", "make_payment")
    centre.time.pass_minutes(24 * 60)
    kiosk.sync()
    assert verdicts(kiosk)[3:] == [("applied", "late"), ("applied", "late"), ("needs_staff", "money")]
    assert centre.rows("select state from entries") == [{"state": "completed"}]
    assert centre.journey("P1").state == "UNREGISTERED"


def test_case_6_two_kiosks_that_tell_late_of_one_day_tell_of_one_visit(centre: Centre, kiosk: Kiosk, other: Kiosk):
    kiosk.tap("P1")
    other.tap("P1")
    other.act("P1", "register")
    centre.time.pass_minutes(24 * 60)
    kiosk.sync()
    other.sync()
    assert verdicts(other) == [("merged", "visit_alias"), ("applied", "late")]
    assert len(centre.rows("select * from visits")) == 1


def test_case_6_a_late_claim_of_a_clock_that_nobody_vouches_for_is_of_the_day_that_the_kiosk_took_it_for(
    centre: Centre, tmp_path: Path
):
    kiosk = Kiosk(tmp_path / "k.db", centre, "K", synchronised=False)
    kiosk.pull()
    kiosk.tap("P1")
    kiosk.reboot()
    centre.time.pass_minutes(24 * 60)
    kiosk.sync()
    assert kiosk.last() == (Verdict.APPLIED, Code.LATE)
    assert centre.rows("select site_day, opened_ms from visits")[0]["site_day"] == DAY


def test_case_7_a_card_re_issued_meanwhile_touches_neither_patient(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P2")
    give_card(centre, "P2", "P3")
    kiosk.push()
    assert verdicts(kiosk) == [("needs_staff", "rebound"), ("needs_staff", "depends"), ("needs_staff", "depends")]
    assert centre.journey("P2").state == centre.journey("P3").state == "UNREGISTERED"
    assert kiosk.journeys.patient_of_card(cards_of("P2")) is None
    assert centre.open_cases() == ["rebound"], "what depends on it waits in the same case"


def test_case_8_a_card_that_only_the_centre_knows_finds_its_patient(centre: Centre, kiosk: Kiosk):
    assert kiosk.tap("P3") is None
    done = kiosk.check_in_unknown("P3")
    kiosk.act(done.patient_id, "register")
    kiosk.act(done.patient_id, "confirm_arrival")
    kiosk.sync()
    assert verdicts(kiosk) == [("applied", "ok")] * 3
    assert centre.journey("P3").state == "WAITING"
    assert kiosk.base("P3") == centre.journey("P3")
    assert kiosk.base(done.patient_id) is None


def test_case_8_a_card_that_nobody_knows_is_settled_once_staff_have_bound_it(centre: Centre, kiosk: Kiosk):
    done = kiosk.check_in_unknown("new")
    kiosk.act(done.patient_id, "register")
    kiosk.act(done.patient_id, "confirm_arrival")
    kiosk.sync()
    assert verdicts(kiosk) == [("needs_staff", "unknown_card")] + [("needs_staff", "depends")] * 2
    assert centre.rows("select count(*) as n from waiting") == [{"n": 3}]
    bind_card(centre, "new", "P3")
    kiosk.pull()
    assert verdicts(kiosk) == [("applied", "ok")] * 3
    assert centre.journey("P3").state == "WAITING" == kiosk.view("P3").state
    assert kiosk.base("P3") == centre.journey("P3")
    assert kiosk.journeys.patient_of_card(cards_of("new")) == "P3"
    assert centre.open_cases() == []
    assert centre.rows("select count(*) as n from waiting") == [{"n": 0}]
    settled = centre.rows("select settled_by, settlement from exceptions order by opened_ms, exception_id")[0]
    assert settled["settled_by"] == "desk"
    assert msgspec.json.decode(str(settled["settlement"]))["verdict"] == "applied"


def test_case_8_a_verdict_given_anew_survives_a_lost_answer_to_the_first(centre: Centre, kiosk: Kiosk):
    kiosk.check_in_unknown("new")
    kiosk.wire.lose_replies = 1
    assert kiosk.pusher.run_once().failed
    bind_card(centre, "new", "P3")
    kiosk.sync()
    assert verdicts(kiosk) == [("applied", "ok")]
    assert kiosk.base("P3") == centre.journey("P3")


def test_case_8_what_another_reason_holds_back_is_a_new_case(centre: Centre, kiosk: Kiosk):
    done = kiosk.check_in_unknown("new")
    kiosk.act(done.patient_id, "register")
    kiosk.sync()
    centre.staff("scan_nfc", "P3")
    centre.staff("register", "P3")
    with centre.store.write() as db:
        db.execute("update kiosks set actions = '[\"scan_nfc\"]'")
    bind_card(centre, "new", "P3")
    kiosk.pull()
    assert verdicts(kiosk) == [("merged", "visit_alias"), ("needs_staff", "forbidden")]
    assert centre.open_cases() == ["forbidden"]


def test_case_8_a_kiosk_that_has_been_revoked_is_granted_nothing_later(centre: Centre, kiosk: Kiosk):
    kiosk.check_in_unknown("new")
    kiosk.sync()
    with centre.store.write() as db:
        db.execute("pragma defer_foreign_keys = on")
        db.execute("update waiting set kiosk_id = 'gone'")
        db.execute("update verdicts set kiosk_id = 'gone'")
    bind_card(centre, "new", "P3")
    assert centre.open_cases() == ["forbidden"]


def test_case_8_one_that_cannot_be_settled_keeps_its_case_and_does_not_hinder_staff(centre: Centre, kiosk: Kiosk):
    """Its visit bears the id of another patient's: the card is bound all the same."""
    kiosk.tap("P1")
    kiosk.sync()
    kiosk.check_in_unknown("new")
    with kiosk.store.write() as db:
        rewrite_last(db, visit_id=str(centre.journey("P1").visit_id))
    kiosk.sync()
    bind_card(centre, "new", "P3")
    kiosk.pull()
    assert kiosk.last() == (Verdict.NEEDS_STAFF, Code.UNKNOWN_CARD)
    assert centre.open_cases() == ["unknown_card"]
    assert centre.rows("select count(*) as n from waiting") == [{"n": 1}]
    assert centre.journey("P3").state == "UNREGISTERED"


def test_case_9_a_repeat_under_a_new_epoch_is_the_same_action(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    kiosk.wire.lose_replies = 1
    kiosk.pusher.run_once()
    kiosk.journeys.start_epoch(7)
    kiosk.sync()
    assert verdicts(kiosk) == [("applied", "ok")] * 3
    assert len(transitions(centre, "P1")) == 3


def test_case_9_a_kiosk_enrolled_anew_sends_what_it_had_and_nothing_counts_twice(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    kiosk.wire.lose_replies = 1
    kiosk.pusher.run_once()
    kiosk.tap("P2")
    kiosk.journeys.enrol(centre.enrol("A", EVERYTHING))
    kiosk.connect()
    kiosk.sync()
    assert verdicts(kiosk) == [("applied", "ok")] * 4
    assert len(transitions(centre, "P1")) == 3
    assert kiosk.base("P1") == centre.journey("P1")


def test_case_10_the_same_id_with_another_content_is_quarantined(centre: Centre, kiosk: Kiosk):
    first, second = intent_of(kiosk, seq=1), intent_of(kiosk, seq=2, patient_id="P2", visit_id=new_id())
    for _ in range(2):
        answer = push(centre, kiosk, chained([first, second]))
        assert isinstance(answer, PushAnswer)
        assert [(row.action_id, row.code) for row in answer.verdicts] == [
            (first.action_id, "ok"),
            (first.action_id, "quarantined"),
        ]
    assert centre.journey("P2").state == "UNREGISTERED"
    assert centre.open_cases() == ["quarantined"]
    case = centre.rows("select action_id, detail from exceptions")[0]
    assert case["action_id"] == first.action_id
    assert msgspec.json.decode(str(case["detail"]))["reason"] == "its id was used for another action"


def test_case_12_rules_that_the_centre_no_longer_judges_by_need_staff(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    newer = read({**centre.definitions.document, "version": 2})
    centre.ingest = Ingest(centre.store, newer, centre.time, new_id)
    kiosk.sync()
    assert kiosk.last() == (Verdict.NEEDS_STAFF, Code.OLD_RULES)


def test_case_12_older_rules_that_it_still_knows_judge_their_own(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    newer = read({**centre.definitions.document, "version": 2})
    centre.ingest = Ingest(centre.store, newer, centre.time, new_id, older={1: centre.definitions})
    kiosk.sync()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)


def test_case_15_another_visit_does_not_wait(centre: Centre, kiosk: Kiosk):
    done = kiosk.check_in_unknown("new")
    kiosk.check_in("P1")
    kiosk.act(done.patient_id, "register")
    kiosk.sync()
    assert verdicts(kiosk) == [
        ("needs_staff", "unknown_card"),
        ("applied", "ok"),
        ("applied", "ok"),
        ("applied", "ok"),
        ("needs_staff", "depends"),
    ]


def test_case_17_money_taken_at_two_kiosks_is_for_staff(centre: Centre, kiosk: Kiosk, other: Kiosk):
    kiosk.check_in("P2")
    kiosk.sync()
    for action in ("call_patient", "start_exam", "complete_exam"):
        centre.staff(action, "P2")
    kiosk.pull()
    other.pull()
    kiosk.act("P2", "make_payment")
    other.act("P2", "make_payment")
    kiosk.sync()
    other.sync()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)
    assert other.last() == (Verdict.NEEDS_STAFF, Code.MONEY)
    assert centre.journey("P2").state == "PAYMENT"


def test_a_patient_who_is_no_more_needs_staff(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    with kiosk.store.write() as db:
        rewrite_last(db, patient_id="P9")
    kiosk.sync()
    assert kiosk.last() == (Verdict.NEEDS_STAFF, Code.UNKNOWN_PATIENT)


def test_a_visit_of_another_patient_is_no_visit_of_this_one(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    kiosk.sync()
    kiosk.tap("P2")
    kiosk.act("P2", "register")
    with kiosk.store.write() as db:
        rewrite_last(db, visit_id=str(centre.journey("P1").visit_id))
    kiosk.sync()
    assert kiosk.last() == (Verdict.NEEDS_STAFF, Code.NOT_ALLOWED)


def test_a_binding_that_the_centre_never_made_says_nothing(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    with kiosk.store.write() as db:
        rewrite_last(db, binding_id="never")
    kiosk.sync()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)


def test_a_card_read_under_two_keys_is_known_under_both(centre: Centre, kiosk: Kiosk):
    newer = msgspec.structs.replace(KEYS, keys={"k2": "22" * 32, **KEYS.keys})
    kiosk.journeys.tap(cards_of("P1", newer), ["scan_nfc"])
    kiosk.sync()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)
    hashes = centre.rows(
        "select key_id from binding_hashes h join bindings b using (binding_id) where patient_id = 'P1'"
    )
    assert [row["key_id"] for row in hashes] == ["k1", "k2"]


def test_a_number_printed_twice_stays_and_staff_are_told(centre: Centre, kiosk: Kiosk, other: Kiosk):
    kiosk.check_in("P1")
    kiosk.sync()
    other.tap("P2")
    other.act("P2", "register")
    other.act("P2", "confirm_arrival")
    with other.store.write() as db:
        rewrite_last(db, queue_number="A-001")
    other.sync()
    assert other.last() == (Verdict.APPLIED, Code.OK)
    assert centre.journey("P2").entries[0].queue_number == "A-001"
    assert centre.open_cases() == ["duplicate_number"]


def test_every_verdict_leaves_what_it_was_founded_on(centre: Centre, kiosk: Kiosk, other: Kiosk):
    kiosk.tap("P1")
    kiosk.sync()
    other.tap("P1")
    other.sync()
    rows = centre.rows(
        "select verdict, conflict, from_state, to_state, definitions_version, counterpart, verdict_id from verdicts"
        " order by recorded_ms, verdict_id"
    )
    first, second = rows
    assert (first["verdict"], first["from_state"], first["to_state"]) == ("applied", "UNREGISTERED", "ARRIVED")
    assert first["counterpart"] is None
    assert (second["verdict"], second["conflict"], second["from_state"]) == ("merged", 1, "ARRIVED")
    assert second["counterpart"] == first["verdict_id"]
    assert second["definitions_version"] == 1


# The chain.


def test_a_gap_is_refused_whole_and_sent_again_from_where_it_is_expected(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    kiosk.pusher.limit = 2
    kiosk.pusher.run_once()
    with centre.store.write() as db:  # the centre was put back to before the first batch
        for table in ("receipts", "verdicts", "actions", "transitions", "entry_history", "entries", "visits"):
            db.execute(f"delete from {table}")
        db.execute("update chains set last_seq = 0, last_hash = ''")
        db.execute("update journeys set state = 'UNREGISTERED', visit_id = null, leg = 0, current_queue_id = null")
        db.execute("update appointments set status = 'booked'")
    kiosk.sync()
    assert [refused.code for refused in kiosk.wire.heard] == [EndCode.GAP]
    assert kiosk.wire.heard[0].expected_seq == 1
    assert centre.journey("P1").state == "WAITING"
    assert verdicts(kiosk) == [("applied", "ok")] * 3
    assert centre.rows("select told from chains") == [{"told": 0}]


def test_what_is_missing_for_good_is_a_new_epoch_and_an_alarm(centre: Centre, kiosk: Kiosk):
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


def test_two_clones_of_one_kiosk_both_go_on_and_staff_are_told(centre: Centre, kiosk: Kiosk, tmp_path: Path):
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


def test_an_edited_action_does_not_pass_for_the_one_that_was_judged(centre: Centre, kiosk: Kiosk):
    actions = chained([intent_of(kiosk, seq=1)])
    assert isinstance(push(centre, kiosk, actions), PushAnswer)
    edited = canonical(intent_of(kiosk, seq=1, action_type="register"))
    answer = push(centre, kiosk, [Pushed(actions[0].hash, msgspec.Raw(edited))])
    assert isinstance(answer, CallRefused)
    assert answer.code is EndCode.FORK


def test_a_receipt_that_is_another_actions_is_a_fork(centre: Centre, kiosk: Kiosk):
    assert isinstance(push(centre, kiosk, chained([intent_of(kiosk, seq=1)])), PushAnswer)
    answer = push(centre, kiosk, chained([intent_of(kiosk, seq=1, action_id=new_id())]))
    assert isinstance(answer, CallRefused)
    assert answer.code is EndCode.FORK


def test_a_kiosk_that_is_ahead_of_the_centres_epochs_begins_a_newer_one(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    kiosk.journeys.start_epoch(5)
    kiosk.sync()
    assert [(refused.code, refused.epoch) for refused in kiosk.wire.heard] == [(EndCode.FORK, 6)]
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)


@pytest.mark.parametrize("seq", [0, -1, -(10**30)])
def test_a_seq_before_the_first_is_a_fork(centre: Centre, kiosk: Kiosk, seq: int):
    answer = push(centre, kiosk, chained([intent_of(kiosk, seq=seq)]))
    assert isinstance(answer, CallRefused)
    assert answer.code is EndCode.FORK


def test_an_empty_batch_tells_how_far_the_centre_has_come(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    kiosk.sync()
    answer = push(centre, kiosk, [])
    assert isinstance(answer, PushAnswer)
    assert (answer.last_seq, answer.backed_up_seq, answer.verdicts) == (1, 0, [])


# Who may speak at all.


def test_a_kiosk_that_was_revoked_is_fenced_and_keeps_its_actions(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    with centre.store.write() as db:
        db.execute("update kiosks set revoked_ms = 1")
    stepped = kiosk.pusher.run_once()
    assert (stepped.failed, stepped.reason) == (True, EndCode.FENCED)
    assert kiosk.journeys.pending() == 1


def test_a_token_speaks_for_its_own_kiosk_only(centre: Centre, kiosk: Kiosk, other: Kiosk):
    for kiosk_id in ("kiosk-2", "nobody"):
        answer = centre.ingest.push(kiosk_id, request_of(kiosk, []))
        assert isinstance(answer, CallRefused)
        assert answer.code is EndCode.FENCED


def test_a_version_that_is_not_spoken_here_is_refused(centre: Centre, kiosk: Kiosk):
    answer = centre.ingest.push("kiosk-1", msgspec.structs.replace(request_of(kiosk, []), protocol_version=99))
    assert isinstance(answer, CallRefused)
    assert answer.code is EndCode.UNSUPPORTED_VERSION


def test_a_batch_of_more_than_a_hundred_is_refused(centre: Centre, kiosk: Kiosk):
    actions = chained([intent_of(kiosk, seq=seq, action_id=new_id()) for seq in range(1, 102)])
    answer = push(centre, kiosk, actions)
    assert isinstance(answer, CallRefused)
    assert answer.code is EndCode.MALFORMED
    assert centre.rows("select count(*) as n from receipts") == [{"n": 0}]


# What cannot be digested.


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"action_id": "x" * 36}, "an id is no UUID"),
        ({"visit_id": ""}, "an id is no UUID"),
        ({"patient_id": ""}, "no patient is named"),
        ({"patient_id": "x" * 129}, "a text is too long"),
        ({"appointment_ids": ("x" * 129,)}, "a text is too long"),
        ({"cards": ({"key_id": "k", "uid_hash": "h"},) * 9}, "too many cards"),
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
def test_what_cannot_be_digested_is_set_aside_and_holds_back_nobody(
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
    """Its visit bears the id of another patient's: nothing of it stays, and the next is judged."""
    kiosk.tap("P1")
    kiosk.sync()
    visit_id = str(centre.journey("P1").visit_id)
    bodies = [
        intent_of(kiosk, seq=2, patient_id="P2", visit_id=visit_id),
        intent_of(kiosk, seq=3, patient_id="P3", action_id=new_id(), visit_id=new_id()),
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


def test_a_card_as_read_has_no_business_in_a_payload_and_is_dropped(centre: Centre, kiosk: Kiosk):
    answer = push(centre, kiosk, chained([intent_of(kiosk, payload={"tag_id": "04a1b2c3", "answer": "yes"})]))
    assert isinstance(answer, PushAnswer)
    rows = centre.rows("select metadata from transitions")
    assert msgspec.json.decode(str(rows[0]["metadata"]))["payload"] == {"answer": "yes"}


def test_a_newer_kiosk_that_says_more_says_the_same_action(centre: Centre, kiosk: Kiosk):
    """A field that an update added is empty when the old body is renumbered, and an unknown one is ignored."""
    first = builtins(intent_of(kiosk, seq=1))
    assert isinstance(push(centre, kiosk, chained([first])), PushAnswer)
    moved = {**first, "epoch": 2, "invented_later": "", "another": None}
    with centre.store.write() as db:
        db.execute("update kiosks set epoch = 2")
    answer = centre.ingest.push("kiosk-1", msgspec.structs.replace(request_of(kiosk, chained([moved])), epoch=2))
    assert isinstance(answer, PushAnswer)
    assert answer.verdicts[0].verdict is Verdict.APPLIED
    assert len(transitions(centre, "P1")) == 1


def test_a_journey_that_changed_underneath_decides_nothing(centre: Centre, kiosk: Kiosk):
    """What several processes on one database may meet: the batch is refused whole, to be sent again."""
    with centre.store.write() as db:
        db.execute("create trigger t before update on journeys begin select raise(ignore); end")
    with pytest.raises(StaleJourney):
        push(centre, kiosk, chained([intent_of(kiosk)]))
    assert centre.rows("select * from receipts") == []


def test_a_database_that_fails_decides_nothing(centre: Centre, kiosk: Kiosk):
    """The disk is full in the middle of a batch: nothing of it was judged, and all of it is once there is room."""
    large = {"answer": "x" * 8000}
    bodies: list[object] = [
        intent_of(kiosk, seq=place, action_id=new_id(), visit_id=new_id(), patient_id=patient_id, payload=large)
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


# Helpers.


def finish(centre: Centre, kiosk: Kiosk, patient_id: str) -> None:
    """The rest of a visit, up to the door."""
    for action in ("call_patient", "start_exam", "complete_exam", "make_payment", "make_payment"):
        assert centre.staff(action, patient_id).done
    kiosk.pull()
    kiosk.act(patient_id, "leave_hospital")
    kiosk.sync()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)


def give_card(centre: Centre, holder: str, patient_id: str) -> None:
    """Staff give the card of one patient to another."""
    with centre.store.write() as db:
        bind(db, patient_id, cards_of(holder), new_id(), centre.time())
        touch(db, holder)
        touch(db, patient_id)


def bind_card(centre: Centre, card: str, patient_id: str) -> None:
    """Staff bind a card, and what waited for it is settled in the same transaction."""
    with centre.store.write() as db:
        bind(db, patient_id, cards_of(card), new_id(), centre.time())
        touch(db, patient_id)
        settle_card(db, bench_of(db, centre.definitions, new_id, centre.time()), cards_of(card), "desk")


def rewrite_last(db: sqlite3.Connection, **changes: object) -> None:
    """The last row of the outbox as another kiosk might have written it, its hash to match."""
    row = db.execute("select * from outbox order by epoch, seq desc limit 1").fetchone()
    before = db.execute(
        "select hash from outbox where epoch = ? and seq = ?", (row["epoch"], row["seq"] - 1)
    ).fetchone()
    last_hash = before["hash"] if before else NO_HASH
    intent = msgspec.structs.replace(msgspec.json.decode(row["body"], type=Intent), **changes)
    body = canonical(intent)
    digest = chain_hash(last_hash, body)
    db.execute(
        "update outbox set body = ?, hash = ?, action_id = ? where epoch = ? and seq = ?",
        (body, digest, intent.action_id, row["epoch"], row["seq"]),
    )
    db.execute("update identity set last_hash = ?", (digest,))


def intent_of(kiosk: Kiosk, **changes: object) -> Intent:
    identity = kiosk.journeys.identity
    assert identity is not None
    fields: dict[str, object] = {
        "kiosk_id": identity.kiosk_id,
        "epoch": identity.epoch,
        "seq": 1,
        "action_id": "01a20c3f-e65d-788c-94db-1025a23ae001",
        "action_type": "scan_nfc",
        "patient_id": "P1",
        "visit_id": VisitId("01a20c3f-e65d-788c-94db-1025a23ae002"),
        "leg": 0,
        "queue_id": "01a20c3f-e65d-788c-94db-1025a23ae003",
        "queue_number": "",
        "base_version": 0,
        "definitions_version": 1,
        "site_day": DAY,
        "clock": kiosk.clock(),
        "journey_state": "UNREGISTERED",
    }
    return Intent(**(fields | changes))  # type: ignore[arg-type]


def builtins(intent: Intent) -> dict[str, object]:
    found = msgspec.to_builtins(intent)
    assert isinstance(found, dict)
    return found


def chained(bodies: list[object], head: str = NO_HASH) -> list[Pushed]:
    pushed = []
    for body in bodies:
        text = canonical(body)
        head = chain_hash(head, text)
        pushed.append(Pushed(head, msgspec.Raw(text)))
    return pushed


def request_of(kiosk: Kiosk, actions: list[Pushed]) -> PushRequest:
    identity = kiosk.journeys.identity
    assert identity is not None
    return PushRequest(
        protocol_version=1, kiosk_id=identity.kiosk_id, epoch=identity.epoch, now=kiosk.clock(), actions=actions
    )


def push(centre: Centre, kiosk: Kiosk, actions: list[Pushed]) -> PushAnswer | CallRefused:
    identity = kiosk.journeys.identity
    assert identity is not None
    return centre.ingest.push(identity.kiosk_id, request_of(kiosk, actions))
