"""The reception on a real store: the visitor, the time of the screen, and what the screen says."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from msgspec import structs

from kiosk.front.counter import DemoCard
from kiosk.front.offer import Misplaced, Press
from kiosk.front.present_screen import FRESH_S, PROBE_S
from kiosk.front.reception import Reception
from kiosk.front.screen import Screen, ScreenKind
from kiosk.front.visitor import DECIDE_S, INFORM_S, KEEPS
from kiosk.journey.journeys import Journeys
from kiosk.journey.this_kiosk import ThisKiosk
from kiosk.store.sqlite import Store
from sync.ids import new_id
from sync.journey.model import PatientId
from sync.protocol import Code, Verdict
from sync.words.words import NoteKind
from tests.kiosk import samples
from tests.kiosk.reception_rig import ReceptionRig, noted, title
from tests.kiosk.samples import Clock, uid


def test_the_whole_way_from_the_tap_to_the_queue_number(rig: ReceptionRig):
    assert rig.reception.screen().screen is ScreenKind.ATTRACT
    greeted = rig.tap(uid(1))
    assert greeted.screen is ScreenKind.JOURNEY
    assert greeted.patient is not None
    assert greeted.patient.masked_name == "홍*동"
    assert greeted.journey is not None
    assert [b.exam_name for b in greeted.journey.appointments] == ["영상 촬영"]
    assert (greeted.next_action, greeted.confirmed, greeted.remaining_s) == ("register", False, DECIDE_S)
    registered = rig.press(greeted)
    assert registered.next_action == "confirm_arrival"
    waiting = rig.press(registered)
    assert waiting.ticket is not None
    assert (waiting.ticket.queue_number, waiting.ticket.room) == ("B-001", "3")
    assert (waiting.next_action, waiting.remaining_s) == (None, INFORM_S)
    assert rig.nudges == 3


def test_one_tap_may_do_all_steps(tmp_path: Path):
    rig = ReceptionRig(tmp_path, automatic=("scan_nfc", "register", "confirm_arrival"))
    screen = rig.tap(uid(1))
    assert screen.ticket is not None
    assert (screen.ticket.queue_number, screen.next_action) == ("B-001", None)
    rig.store.close()


def test_frames_rise_by_one_with_every_screen(rig: ReceptionRig):
    with rig.reception.subscribe() as slot:
        frames = []
        for change in (
            lambda: rig.reception.tap(uid(1)),
            rig.settle,
            rig.keep,
            rig.leave,
        ):
            change()
            taken = slot.take(1.0)
            assert taken is not None
            frames.append(taken.frame)
    assert frames == list(range(frames[0], frames[0] + 4))


def test_what_is_shown_offline_claims_nothing_that_only_the_centre_knows(rig: ReceptionRig):
    waiting = rig.press(rig.press(rig.tap(uid(1))))
    assert waiting.ticket is not None
    assert (waiting.central.online, waiting.ticket.people_ahead, waiting.ticket.estimated_wait_time) == (
        False,
        None,
        None,
    )
    rig.reception.update(frozenset(), online=True)
    fresh = rig.reception.screen()
    assert fresh.ticket is not None
    assert (fresh.central.online, fresh.ticket.people_ahead, fresh.ticket.estimated_wait_time) == (True, 0, 0)
    assert fresh.central.as_of == "2026-03-02T09:00:00+09:00"


def test_the_next_person_clears_the_one_before_at_once(rig: ReceptionRig):
    rig.tap(uid(1))
    second = rig.tap(uid(2))
    assert second.patient is not None
    assert second.patient.patient_id == "P2"
    late = rig.act("register", "P1", new_id())
    assert late.code == Misplaced.CONFLICT
    assert late.screen.patient is not None
    assert late.screen.patient.patient_id == "P2"


def test_keep_using_starts_the_time_afresh_ten_times_at_most(rig: ReceptionRig):
    rig.tap(uid(1))
    for left in range(KEEPS - 1, -1, -1):
        rig.seconds.now += 50
        kept = rig.keep()
        assert (kept.keeps_left, kept.remaining_s) == (left, DECIDE_S)
    rig.seconds.now += 50
    assert rig.keep().remaining_s == pytest.approx(10)


def test_keep_and_leave_with_nobody_there_stay_with_the_attract_screen(rig: ReceptionRig):
    assert rig.keep().screen is ScreenKind.ATTRACT
    assert rig.leave().screen is ScreenKind.ATTRACT


def test_the_clockwork_sends_people_home_by_itself(rig: ReceptionRig):
    with rig.reception.subscribe() as slot:
        rig.tap(uid(1))
        rig.seconds.now += DECIDE_S
        rig.reception.start()
        shown = slot.take(5.0)
        while shown is not None and shown.screen is not ScreenKind.ATTRACT:
            shown = slot.take(5.0)
    assert shown is not None


def test_a_second_tap_in_a_later_state_is_friendly(rig: ReceptionRig):
    rig.press(rig.press(rig.tap(uid(1))))
    again = rig.tap(uid(1))
    assert noted(again) == (NoteKind.REPEATED,)
    assert again.ticket is not None


def test_a_second_tap_before_the_first_touch_says_nothing_special(rig: ReceptionRig):
    rig.tap(uid(1))
    assert noted(rig.tap(uid(1))) == ()


def test_a_patient_who_is_called_is_told_so_and_where(rig: ReceptionRig):
    rig.press(rig.press(rig.tap(uid(1))))
    journey = samples.row(1).journey
    called = structs.replace(samples.entry("B-001", state="called"), room="7")
    base = structs.replace(
        journey,
        state="CALLED",
        visit_id="v-1",
        leg=1,
        journey_version=9,
        current_queue_id=called.queue_id,
        entries=(called,),
    )
    rig.judge(Verdict.APPLIED, Code.OK)
    touched = rig.ledger.adopt(samples.page(samples.row(1, change=2, journey=base), from_cursor=1, cursor=2))
    assert touched
    rig.reception.update(touched, online=True)
    screen = rig.reception.screen()
    assert title(screen) == "Please go in now"
    assert screen.ticket is not None
    assert (screen.ticket.room, screen.confirmed) == ("7", True)


def test_all_numbers_that_were_printed_for_one_place_are_shown(rig: ReceptionRig):
    line = structs.replace(samples.entry("A-001"), label_aliases=("B-003", "C-002"))
    waiting = structs.replace(
        samples.row(1).journey, state="WAITING", visit_id="v-1", leg=1, current_queue_id=line.queue_id, entries=(line,)
    )
    rig.pull(samples.row(1, change=2, journey=waiting))
    shown = rig.tap(uid(1))
    assert shown.ticket is not None
    assert shown.journey is not None
    assert (shown.ticket.queue_number, shown.ticket.label_aliases) == ("A-001", ("B-003", "C-002"))
    assert shown.journey.queue_details == (shown.ticket,)


def test_news_of_somebody_else_does_not_touch_the_screen(rig: ReceptionRig):
    rig.reception.update(frozenset(), online=True)
    frame = rig.tap(uid(1)).frame
    rig.reception.update(frozenset({PatientId("P2")}), online=True)
    assert rig.reception.screen().frame == frame


def test_saved_becomes_confirmed_by_the_verdict(rig: ReceptionRig):
    assert not rig.tap(uid(1)).confirmed
    rig.judge(Verdict.APPLIED, Code.OK)
    assert rig.reception.screen().confirmed


def test_an_action_that_waits_for_staff_sends_the_person_to_the_desk(rig: ReceptionRig):
    rig.tap(uid(1))
    rig.judge(Verdict.NEEDS_STAFF, Code.CANCELLED)
    screen = rig.tap(uid(1))
    assert (title(screen), screen.confirmed, screen.next_action) == ("Please see the staff at the desk", False, None)


def test_nobody_who_was_seen_is_sent_into_a_line_they_hold_no_booking_for(rig: ReceptionRig):
    done = structs.replace(samples.booking(1), status="completed")
    base = structs.replace(
        samples.row(1).journey, state="COMPLETED", visit_id="v-1", leg=1, journey_version=9, appointments=(done,)
    )
    rig.ledger.adopt(samples.page(samples.row(1, change=2, journey=base), from_cursor=1, cursor=2))
    screen = rig.tap(uid(1))
    assert screen.journey is not None
    assert screen.journey.available_actions == ("confirm_arrival",)
    assert screen.next_action is None


def at_the_till(rig: ReceptionRig) -> Screen:
    """The screen of a patient who has been seen, at a kiosk that is granted the payment."""
    seen = structs.replace(
        samples.row(1).journey, state="COMPLETED", visit_id="v-1", leg=1, journey_version=9, appointments=()
    )
    row = samples.row(1, change=2, journey=seen)
    rig.ledger.adopt(samples.page(row, from_cursor=1, cursor=2, actions=("make_payment",)))
    return rig.tap(uid(1))


def test_a_payment_is_no_button_since_the_page_has_no_receipt(rig: ReceptionRig):
    screen = at_the_till(rig)
    assert screen.journey is not None
    assert screen.journey.available_actions == ("make_payment",)
    assert screen.next_action is None


def test_a_press_for_a_payment_counts_with_a_receipt_alone(rig: ReceptionRig):
    at_the_till(rig)
    refused = rig.reception.act(Press(None, "P1", "make_payment", new_id()))
    assert refused.code == "proof_missing"
    paid = rig.reception.act(Press(None, "P1", "make_payment", new_id(), {"receipt_id": "R-1"}))
    assert paid.screen.journey is not None
    assert (paid.error, paid.screen.journey.journey_state) == (None, "PAYMENT")


def test_no_booking_is_said_only_while_the_roster_is_fresh(rig: ReceptionRig):
    nobody = structs.replace(samples.row(4).journey, appointments=())
    rig.ledger.adopt(samples.page(samples.row(4, change=2, journey=nobody), from_cursor=1, cursor=2))
    assert title(rig.tap(uid(4))) == "Hello, {name}"
    rig.reception.update(frozenset(), online=True)
    assert title(rig.reception.screen()) == "No appointment today"


def test_an_unknown_card_stores_nothing_until_its_holder_checks_in(rig: ReceptionRig):
    unknown = rig.tap(uid(99))
    assert (unknown.screen, unknown.next_action) == (ScreenKind.UNKNOWN_CARD, "scan_nfc")
    with rig.store.read() as db:
        assert db.execute("select count(*) from outbox").fetchone()[0] == 0
        assert db.execute("select count(*) from bindings").fetchone()[0] == 3
    saved = rig.press(unknown)
    assert (saved.screen, title(saved), saved.next_action) == (
        ScreenKind.JOURNEY,
        "Please see the staff at the desk",
        None,
    )
    assert rig.nudges == 1
    again = rig.tap(uid(99))
    assert again.patient is not None
    assert unknown.patient is not None
    assert again.patient.patient_id == unknown.patient.patient_id


def test_a_refused_card_says_why_and_is_recorded_without_anything_of_it(rig: ReceptionRig):
    screen = rig.refuse("phone")
    assert (screen.screen, screen.reason) == (ScreenKind.REFUSED_CARD, "phone")
    with rig.store.read() as db:
        kept = db.execute("select kind, detail, patient_id from audit where kind = 'refused_tap'").fetchall()
    assert [tuple(each) for each in kept] == [("refused_tap", "phone", None)]


def test_without_a_reader_it_is_out_of_order_until_one_comes(rig: ReceptionRig):
    rig.reception.set_readers_ready(False)
    screen = rig.reception.screen()
    assert (screen.screen, screen.reason) == (ScreenKind.OUT_OF_ORDER, "reader")
    assert rig.reception.faults() == ("no card reader is ready",)
    rig.reception.set_readers_ready(True)
    assert rig.reception.screen().screen is ScreenKind.ATTRACT
    assert rig.reception.faults() == ()


def test_a_box_that_no_centre_knows_is_out_of_order_and_says_so(tmp_path: Path):
    store = Store(tmp_path / "kiosk.db")
    reception = Reception(Journeys(ThisKiosk(store, Clock())), lambda _: (), lambda: (), lambda: None)
    screen = reception.tap(uid(1))
    assert (screen.screen, screen.reason, screen.languages) == (ScreenKind.OUT_OF_ORDER, "not_enrolled", ("ko", "en"))
    reception.reset()
    assert reception.faults() == ("this kiosk is not enrolled yet: kiosk enroll",)
    assert reception.act(Press("an offer", "P1", "scan_nfc", None)).code == Misplaced.CONFLICT
    store.close()


def test_after_another_enrolment_the_centre_has_to_be_heard_again_before_it_counts_as_online(rig: ReceptionRig):
    rig.reception.update(frozenset(), online=True)
    rig.tap(uid(1))
    rig.reception.reset()
    screen = rig.reception.screen()
    assert (screen.screen, screen.central.online) == (ScreenKind.ATTRACT, False)


def test_the_demo_cards_are_those_of_the_simulated_reader(rig: ReceptionRig):
    assert (rig.reception.demo_cards(), rig.reception.present("04")) == (
        (),
        "This kiosk has no simulated reader.",
    )
    held: list[str] = []
    card = DemoCard(uid="0401", label="홍*동")
    rig.reception.attach_simulated((card,), lambda read: held.append(read))
    assert rig.reception.demo_cards() == (card,)
    assert rig.reception.present("0401") is None
    assert held == ["0401"]


@pytest.mark.disk("4m")
def test_a_full_disk_refuses_taps_in_words_keeps_what_was_saved_and_recovers_by_itself(small_disk: Path):
    rig = ReceptionRig(small_disk)
    rig.tap(uid(1))
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(b"\0" * 4096):
                pass
        except OSError:
            pass
    screens = [rig.tap(uid(number)).screen for number in (2, 3, 2, 3)]
    assert screens[-1] is ScreenKind.OUT_OF_ORDER
    assert rig.reception.faults() == ("the database refuses to write",)
    for nothing_to_write in (uid(1), uid(99)):
        assert rig.tap(nothing_to_write).screen is ScreenKind.OUT_OF_ORDER
    rig.seconds.now += PROBE_S
    assert rig.reception.tick() == PROBE_S
    assert rig.refuse("phone").screen is ScreenKind.OUT_OF_ORDER
    ballast.unlink()
    rig.seconds.now += PROBE_S
    assert rig.reception.tick() is None
    assert rig.reception.screen().screen is ScreenKind.ATTRACT
    with rig.store.read() as db:
        kept = {r["patient_id"] for r in db.execute("select patient_id from outbox")}
    assert "P1" in kept
    assert kept == {"P1"} | {f"P{n}" for n, s in zip((2, 3), screens, strict=False) if s is ScreenKind.JOURNEY}
    rig.store.close()


@pytest.mark.disk("4m")
def test_a_full_disk_is_a_fault_before_anybody_holds_a_card_to_the_kiosk(small_disk: Path):
    rig = ReceptionRig(small_disk)
    assert rig.reception.faults() == ()
    free = os.statvfs(small_disk)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(free.f_bavail * free.f_bsize))
    assert rig.reception.faults() == (), "the store is tried once in five seconds, however often it is asked"
    rig.seconds.now += FRESH_S
    assert rig.reception.faults() == ("the database refuses to write",)
    assert rig.reception.screen().screen is ScreenKind.OUT_OF_ORDER
    ballast.unlink()
    rig.seconds.now += PROBE_S
    assert rig.reception.tick() is None
    assert rig.reception.faults() == ()
    rig.store.close()


def test_a_tap_that_a_single_failed_write_refuses_is_told_so_for_two_seconds(rig: ReceptionRig):
    with rig.store.write() as db:
        db.execute("create trigger broken before insert on outbox begin select raise(abort, 'no'); end")
    refused = rig.tap(uid(1))
    with rig.store.write() as db:
        db.execute("drop trigger broken")
    assert (refused.screen, refused.reason) == (ScreenKind.OUT_OF_ORDER, "store")
    assert rig.reception.tick() == PROBE_S
    assert rig.reception.screen().screen is ScreenKind.OUT_OF_ORDER
    rig.seconds.now += PROBE_S
    assert rig.reception.tick() is None
    assert rig.tap(uid(1)).next_action == "register"


@pytest.mark.disk("4m")
def test_a_press_that_cannot_be_saved_says_so(small_disk: Path):
    rig = ReceptionRig(small_disk)
    rig.tap(uid(1))
    with (small_disk / "ballast").open("wb", buffering=0) as file:
        try:
            while file.write(b"\0" * 4096):
                pass
        except OSError:
            pass
    while (pressed := rig.act(rig.reception.screen().next_action or "", "P1")).code is None:
        pass
    assert pressed.code == "store"
    assert pressed.screen.screen is ScreenKind.OUT_OF_ORDER
    rig.store.close()


def test_many_threads_may_use_it_at_once(rig: ReceptionRig):
    screens: list[Screen] = []

    def use(number: int) -> None:
        for _ in range(5):
            screens.append(rig.tap(uid(number), f"reader {number}"))
            screens.append(rig.leave())

    threads = [threading.Thread(target=use, args=(number,)) for number in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    frames: dict[int, Screen] = {}
    for screen in screens:
        assert structs.replace(frames.setdefault(screen.frame, screen), remaining_s=None) == structs.replace(
            screen, remaining_s=None
        )
    assert rig.parts.pending() <= 3
    rig.leave()
    assert rig.tap(uid(1), "reader 1").patient is not None
