"""The journey service for people: each tap and each press is one whole transaction, or leaves nothing."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from kiosk.journey.this_kiosk import NotEnrolled
from kiosk.store.sqlite import Store
from sync.cards import CardHash
from sync.clock import ClockReading
from sync.ids import is_uuid, new_id
from sync.journey.model import ExamId, Journey, PatientId, RefusalCode, VisitId
from sync.protocol import Code, Intent, Verdict, VerdictRow, chain_hash
from tests.kiosk import samples
from tests.kiosk.parts import KioskParts
from tests.kiosk.samples import GRANTS, TODAY, Clock, at, booking, cards, enrolment, entry, page, row

HOUR = 3_600_000


class Kiosk:
    """A kiosk with three patients, its clock, and access to its rows."""

    def __init__(self, directory: Path) -> None:
        self.clock = Clock()
        self.parts = samples.enrolled(directory, self.clock)
        self.store, self.journeys, self.ledger = self.parts.store, self.parts.journeys, self.parts.ledger

    def intents(self) -> list[Intent]:
        with self.store.read() as db:
            rows = db.execute("select body from outbox order by epoch, seq").fetchall()
        return [msgspec.json.decode(r["body"], type=Intent) for r in rows]

    def audit(self) -> list[tuple[object, ...]]:
        with self.store.read() as db:
            rows = db.execute("select kind, patient_id, from_state, to_state, detail from audit order by audit_id")
            return [tuple(r) for r in rows]

    def everything(self) -> dict[str, list[tuple[object, ...]]]:
        """Every row of every table."""
        with self.store.read() as db:
            tables = [r[0] for r in db.execute("select name from sqlite_master where type = 'table'")]
            return {table: [tuple(r) for r in db.execute(f"select * from {table}")] for table in tables}

    def tap(self, number: int, *automatic: str) -> tuple[str, ...]:
        tapped = self.journeys.tap(cards(number), automatic or ("scan_nfc",))
        assert tapped is not None
        return tapped.action_ids

    def press(self, number: int, action_type: str) -> None:
        acted = self.journeys.act(f"P{number}", action_type, new_id(), {})
        assert acted.refusal is None

    def state(self, number: int) -> str:
        status = self.journeys.patient_status(f"P{number}")
        assert status is not None
        return status.journey.state


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    made = Kiosk(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def blank(tmp_path: Path) -> Iterator[KioskParts]:
    store = Store(tmp_path / "kiosk.db")
    yield KioskParts(store, Clock())
    store.close()


# Taps.


def test_a_tap_opens_a_visit_in_one_transaction_of_view_and_outbox(kiosk: Kiosk):
    (action_id,) = kiosk.tap(1)
    assert is_uuid(action_id)
    assert kiosk.state(1) == "ARRIVED"
    (intent,) = kiosk.intents()
    assert (intent.action_id, intent.action_type, intent.patient_id) == (action_id, "scan_nfc", "P1")
    assert (intent.kiosk_id, intent.epoch, intent.seq, intent.site_day) == ("kiosk-1", 1, 1, TODAY)
    assert (intent.journey_state, intent.leg, intent.base_version, intent.definitions_version) == (
        "UNREGISTERED",
        0,
        0,
        1,
    )
    assert (intent.binding_id, intent.card, intent.provisional) == ("b-1", cards(1)[0], False)
    assert intent.appointment_ids == ("A1-XRAY",)
    assert intent.clock == kiosk.clock()
    status = kiosk.journeys.patient_status("P1")
    assert status is not None
    assert status.journey.visit_id == intent.visit_id
    assert (status.pending, status.needs_staff, status.available) == (1, False, ("register",))


def test_the_card_itself_is_in_no_row(kiosk: Kiosk):
    kiosk.tap(1)
    kiosk.journeys.tap(cards(99), ("scan_nfc",))
    kiosk.journeys.note_refused_tap("phone")
    assert samples.uid(1).partition(":")[2].lower() not in str(kiosk.everything()).lower()
    assert kiosk.audit()[-1] == ("refused_tap", None, None, None, "phone")


def test_a_card_that_nobody_is_known_for_leaves_nothing(kiosk: Kiosk):
    before = kiosk.everything()
    assert kiosk.journeys.tap(cards(99), ("scan_nfc",)) is None
    assert kiosk.parts.patient_of_card(cards(99)) is None
    assert kiosk.everything() == before


def test_a_second_tap_changes_nothing_and_is_no_error(kiosk: Kiosk):
    kiosk.tap(1)
    before = kiosk.everything()
    assert kiosk.tap(1) == ()
    assert kiosk.everything() == before


def test_a_tap_may_do_several_steps_in_the_rules_order_not_the_order_of_the_configuration(kiosk: Kiosk):
    assert len(kiosk.tap(1, "confirm_arrival", "nonsense", "register", "scan_nfc")) == 3
    assert [i.action_type for i in kiosk.intents()] == ["scan_nfc", "register", "confirm_arrival"]
    assert [i.journey_state for i in kiosk.intents()] == ["UNREGISTERED", "ARRIVED", "REGISTERED"]
    assert kiosk.state(1) == "WAITING"
    assert len({i.visit_id for i in kiosk.intents()}) == 1


def test_a_tap_does_by_itself_only_what_the_kiosk_is_granted(kiosk: Kiosk):
    kiosk.ledger.adopt(page(from_cursor=1, cursor=2, actions=("scan_nfc",)))
    assert len(kiosk.tap(1, *GRANTS)) == 1
    assert kiosk.state(1) == "ARRIVED"


def test_the_chain_of_all_that_was_done_holds(kiosk: Kiosk):
    for number in (1, 2, 3):
        kiosk.tap(number, "scan_nfc", "register")
    previous = ""
    for seq, pushed in enumerate(kiosk.ledger.batch(100, None), 1):
        assert msgspec.json.decode(pushed.body, type=Intent).seq == seq
        previous = chain_hash(previous, bytes(pushed.body))
        assert pushed.hash == previous


def test_taps_from_many_threads_get_numbers_without_a_gap(kiosk: Kiosk):
    kiosk.ledger.adopt(page(*[row(n) for n in range(10, 40)], from_cursor=1, cursor=2))
    threads = [
        threading.Thread(target=lambda n=n: kiosk.tap(n, "scan_nfc", "register", "confirm_arrival"))
        for n in range(10, 40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [i.seq for i in kiosk.intents()] == list(range(1, 91))
    numbers = sorted(i.queue_number for i in kiosk.intents() if i.queue_number)
    assert numbers == [f"B-{n:03d}" for n in range(1, 31)]


# Presses.


def test_presses_lead_from_registration_to_a_number_and_people_ahead(kiosk: Kiosk):
    others = Journey(PatientId("P9"), "WAITING", TODAY, entries=(entry("A-007"), entry("A-008", opened="08:55")))
    kiosk.ledger.adopt(page(row(9, journey=others), from_cursor=1, cursor=2))
    kiosk.tap(1)
    kiosk.press(1, "register")
    kiosk.press(1, "confirm_arrival")
    status = kiosk.journeys.patient_status("P1")
    assert status is not None
    (line,) = status.journey.entries
    assert (line.queue_number, line.state, line.exam_id, line.leg) == ("B-001", "waiting", "XRAY", 1)
    assert status.people_ahead == {line.queue_id: 2}
    assert status.wait_minutes == {line.queue_id: 20}
    assert [a.status for a in status.journey.appointments] == ["waiting"]
    assert [i.queue_number for i in kiosk.intents()] == ["", "", "B-001"]
    assert [i.appointment_ids for i in kiosk.intents()] == [("A1-XRAY",)] * 3
    assert [i.exam_id for i in kiosk.intents()] == ["", "", "XRAY"]


def test_numbers_go_only_to_those_who_get_an_entry(kiosk: Kiosk):
    waiting = Journey(
        PatientId("P2"),
        "REGISTERED",
        TODAY,
        visit_id="v-2",
        entries=(entry("A-001"),),
        appointments=(),  # type: ignore[arg-type]
    )
    kiosk.ledger.adopt(page(row(2, journey=waiting), from_cursor=1, cursor=2))
    kiosk.tap(1, "scan_nfc", "register")
    kiosk.press(2, "confirm_arrival")
    kiosk.press(1, "confirm_arrival")
    assert [(i.patient_id, i.queue_number) for i in kiosk.intents()][-2:] == [("P2", ""), ("P1", "B-001")]


def test_a_repeated_press_does_nothing_again_and_gets_the_same_answer(kiosk: Kiosk):
    kiosk.tap(1)
    action_id = new_id()
    first = kiosk.journeys.act("P1", "register", action_id, {})
    before = kiosk.everything()
    for _ in range(3):
        again = kiosk.journeys.act("P1", "register", action_id, {})
        assert (again.patient_id, again.action_ids, again.refusal) == ("P1", first.action_ids, None)
    assert kiosk.everything() == before


@pytest.mark.parametrize(("patient", "action_type"), [("P1", "confirm_arrival"), ("P2", "register")])
def test_an_action_id_used_again_for_something_else_is_refused_not_taken_for_done(
    kiosk: Kiosk, patient: str, action_type: str
):
    kiosk.tap(1)
    kiosk.tap(2)
    action_id = new_id()
    kiosk.journeys.act("P1", "register", action_id, {})
    before = kiosk.everything()
    acted = kiosk.journeys.act(patient, action_type, action_id, {})
    assert acted.refusal is not None
    assert acted.refusal.code is RefusalCode.NOT_ALLOWED
    assert kiosk.everything() == before


@pytest.mark.parametrize(
    ("action_type", "code"),
    [
        ("confirm_arrival", RefusalCode.NOT_ALLOWED),
        ("make_payment", RefusalCode.FORBIDDEN),
        ("call_patient", RefusalCode.FORBIDDEN),
        ("dance", RefusalCode.UNKNOWN_ACTION),
        ("", RefusalCode.UNKNOWN_ACTION),
    ],
)
def test_a_press_that_the_rules_refuse_leaves_only_an_audit_row(kiosk: Kiosk, action_type: str, code: RefusalCode):
    kiosk.tap(1)
    before = kiosk.everything()
    acted = kiosk.journeys.act("P1", action_type, None, {})
    assert acted.refusal is not None
    assert (acted.refusal.code, acted.refusal.journey_state, acted.action_ids) == (code, "ARRIVED", ())
    after = kiosk.everything()
    assert len(after.pop("audit")) == len(before.pop("audit")) + 1
    assert after == before
    assert kiosk.audit()[-1] == ("refused", "P1", "ARRIVED", None, code)


def test_a_payment_needs_a_receipt_which_the_action_and_its_replay_keep(kiosk: Kiosk):
    seen = replace(row(1).journey, state="COMPLETED", visit_id=VisitId("v-1"), leg=1, journey_version=9)
    kiosk.ledger.adopt(page(row(1, change=2, journey=seen), from_cursor=1, cursor=2, actions=("make_payment",)))
    refused = kiosk.journeys.act("P1", "make_payment", None, {})
    assert refused.refusal is not None
    assert refused.refusal.code is RefusalCode.PROOF_MISSING
    assert kiosk.journeys.act("P1", "make_payment", None, {"receipt_id": "R-1"}).refusal is None
    assert msgspec.json.decode(kiosk.ledger.batch(1, None)[0].body, type=Intent).payload == {"receipt_id": "R-1"}
    kiosk.ledger.adopt(page(row(1, change=3, journey=seen), from_cursor=2, cursor=3, actions=("make_payment",)))
    status = kiosk.journeys.patient_status("P1")
    assert status is not None
    assert status.journey.state == "PAYMENT"


def test_a_press_for_somebody_unknown_is_refused_and_leaves_nothing(kiosk: Kiosk):
    before = kiosk.everything()
    acted = kiosk.journeys.act("nobody", "register", new_id(), {})
    assert acted.refusal is not None
    assert kiosk.journeys.patient_status("nobody") is None
    assert kiosk.everything() == before


def test_a_press_carries_the_card_of_the_tap_before_it_and_its_binding(kiosk: Kiosk):
    kiosk.tap(1)
    kiosk.journeys.act("P1", "register", None, {}, cards(1))
    kiosk.journeys.act("P1", "confirm_arrival", None, {}, cards(2))
    register, confirm = kiosk.intents()[1:]
    assert (register.binding_id, register.card) == ("b-1", cards(1)[0])
    assert (confirm.binding_id, confirm.card) == (None, cards(2)[0])


def test_the_payload_goes_along_and_an_exam_that_it_names_is_meant(kiosk: Kiosk):
    called = Journey(
        PatientId("P1"),
        "WAITING",
        TODAY,
        "v-1",
        1,
        3,
        "q-A",
        (
            replace(entry("A"), exam_id=ExamId("XRAY")),  # type: ignore[arg-type]
            entry("B", "BLOOD", "called"),
        ),
    )
    kiosk.ledger.adopt(page(row(1, journey=called), from_cursor=1, cursor=2, actions=("enter_exam_room",)))
    acted = kiosk.journeys.act("P1", "enter_exam_room", None, {"exam_id": "BLOOD", "note": "왼팔"})
    assert acted.refusal is None
    status = kiosk.journeys.patient_status("P1")
    assert status is not None
    assert [e.state for e in status.journey.entries] == ["waiting", "in_progress"]
    assert kiosk.intents()[0].payload == {"exam_id": "BLOOD", "note": "왼팔"}
    # The replay on a newer base reads the payload the same way.
    kiosk.ledger.adopt(
        page(row(1, journey=replace(called, journey_version=4)), from_cursor=2, cursor=3, actions=("enter_exam_room",))
    )
    again = kiosk.journeys.patient_status("P1")
    assert again is not None
    assert again.journey.entries == status.journey.entries


# Unknown cards.


def test_only_when_the_holder_of_an_unknown_card_checks_in_is_the_card_kept_as_its_hash(kiosk: Kiosk):
    acted = kiosk.journeys.check_in_unknown(PatientId("card-9"), cards(9), "scan_nfc", None)
    assert (acted.patient_id, acted.refusal, len(acted.action_ids)) == ("card-9", None, 1)
    (intent,) = kiosk.intents()
    assert (intent.patient_id, intent.provisional, intent.card, intent.binding_id) == (
        "card-9",
        True,
        cards(9)[0],
        None,
    )
    status = kiosk.journeys.patient_status("card-9")
    assert status is not None
    assert (
        status.patient.provisional,
        status.patient.masked_name,
        status.patient.language,
    ) == (True, "", "ko")
    assert status.journey.state == "ARRIVED"
    assert kiosk.parts.patient_of_card(cards(9)) == "card-9"
    assert kiosk.tap(9) == ()


def test_a_card_that_waits_for_the_desk_sends_nothing_more_there_however_often_it_is_held(kiosk: Kiosk):
    acted = kiosk.journeys.check_in_unknown(PatientId("card-9"), cards(9), "scan_nfc", None)
    (action_id,) = acted.action_ids
    kiosk.ledger.retire([VerdictRow(action_id=action_id, seq=1, verdict=Verdict.NEEDS_STAFF, code=Code.UNKNOWN_CARD)])
    for _ in range(3):
        assert kiosk.tap(9) == ()
    assert len(kiosk.intents()) == 1
    kiosk.clock.forward(24 * HOUR)
    assert len(kiosk.tap(9)) == 1


def test_a_repeated_check_in_does_nothing_again(kiosk: Kiosk):
    action_id = new_id()
    first = kiosk.journeys.check_in_unknown(PatientId("card-9"), cards(9), "scan_nfc", action_id)
    before = kiosk.everything()
    again = kiosk.journeys.check_in_unknown(PatientId("card-9"), cards(9), "scan_nfc", action_id)
    assert again == first
    assert kiosk.everything() == before


def test_a_check_in_that_is_refused_stores_nothing_of_the_card(kiosk: Kiosk):
    kiosk.ledger.adopt(page(from_cursor=1, cursor=2, actions=("register",)))
    acted = kiosk.journeys.check_in_unknown(PatientId("card-9"), cards(9), "scan_nfc", None)
    assert acted.refusal is not None
    assert kiosk.journeys.patient_status("card-9") is None
    assert kiosk.parts.patient_of_card(cards(9)) is None
    assert cards(9)[0].uid_hash not in str(kiosk.everything())


def test_a_card_that_became_known_meanwhile_is_its_patients(kiosk: Kiosk):
    acted = kiosk.journeys.check_in_unknown(PatientId("card-9"), cards(1), "scan_nfc", None)
    assert acted.patient_id == "P1"
    assert kiosk.intents()[0].binding_id == "b-1"
    assert kiosk.journeys.patient_status("card-9") is None


# Days and clocks.


def test_the_next_day_everybody_starts_afresh_with_the_bookings_of_that_day(kiosk: Kiosk):
    tomorrow = replace(booking(1, "BLOOD"), scheduled_ms=at("10:00", "2026-03-03"))
    kiosk.ledger.adopt(page(row(1, tomorrow=(tomorrow,)), from_cursor=1, cursor=2))
    kiosk.tap(1, *GRANTS)
    kiosk.clock.forward(24 * HOUR)
    assert kiosk.parts.today == "2026-03-03"
    status = kiosk.journeys.patient_status("P1")
    assert status is not None
    assert (status.journey.state, status.journey.entries) == ("UNREGISTERED", ())
    assert status.pending == 3, "yesterday's actions have no verdict yet"
    assert [a.exam_id for a in status.journey.appointments] == ["BLOOD"]
    kiosk.tap(1, *GRANTS)
    last = kiosk.intents()[-1]
    assert (last.site_day, last.queue_number, last.seq) == ("2026-03-03", "B-002", 6), "no roster of this day yet"


def test_bookings_of_a_day_that_has_gone_by_are_not_shown_as_todays(kiosk: Kiosk):
    tomorrow = replace(booking(1, "BLOOD"), scheduled_ms=at("10:00", "2026-03-03"))
    kiosk.ledger.adopt(page(row(1, tomorrow=(tomorrow,)), from_cursor=1, cursor=2))
    kiosk.clock.forward(72 * HOUR)
    status = kiosk.journeys.patient_status("P1")
    assert status is not None
    assert (status.journey.site_day, status.journey.appointments) == ("2026-03-05", ())


def test_people_of_yesterdays_lines_are_not_ahead_today(kiosk: Kiosk):
    others = Journey(PatientId("P9"), "WAITING", TODAY, entries=(entry("A-007"),))
    tomorrow = replace(booking(1), scheduled_ms=at("10:00", "2026-03-03"))
    kiosk.ledger.adopt(page(row(9, journey=others), row(1, tomorrow=(tomorrow,)), from_cursor=1, cursor=2))
    kiosk.clock.forward(24 * HOUR)
    kiosk.tap(1, *GRANTS)
    status = kiosk.journeys.patient_status("P1")
    assert status is not None
    assert list(status.people_ahead.values()) == [0]


def test_before_four_in_the_morning_it_is_still_yesterday(kiosk: Kiosk):
    kiosk.clock.forward(18 * HOUR)
    assert kiosk.parts.today == TODAY
    kiosk.clock.forward(HOUR)
    assert kiosk.parts.today == "2026-03-03"


@pytest.mark.parametrize("wall_ms", [0, -(10**15), 1_000])
def test_a_clock_back_in_1970_takes_the_day_of_the_last_roster(kiosk: Kiosk, wall_ms: int):
    kiosk.clock.reading = ClockReading(wall_ms, 5, "boot-2", synchronised=False)
    assert kiosk.parts.today == TODAY
    kiosk.tap(1)
    (intent,) = kiosk.intents()
    assert (intent.site_day, intent.clock.wall_ms, intent.clock.synchronised) == (TODAY, wall_ms, False)
    assert kiosk.state(1) == "ARRIVED"


def test_a_clock_in_an_absurd_future_still_takes_taps(kiosk: Kiosk):
    kiosk.clock.reading = ClockReading(2**62, 5, "boot-2", synchronised=False)
    kiosk.tap(1)
    kiosk.tap(2, *GRANTS)
    assert kiosk.state(1) == "ARRIVED"
    assert kiosk.state(2) == "WAITING"
    # With the clock set right the kiosk goes on, and keeps both patients.
    kiosk.clock.reading = Clock().reading
    kiosk.ledger.adopt(page(row(1), row(2), from_cursor=1, cursor=2))
    assert kiosk.state(1) == "ARRIVED"
    assert kiosk.state(2) == "WAITING"


# Before enrolment, and when a commit fails.


def test_before_enrolment_nobody_is_served_and_nothing_is_written(blank: KioskParts):
    journeys = blank.journeys
    assert journeys.identity is None
    assert journeys.definitions.version == 1
    assert journeys.tap(cards(1), GRANTS) is None
    assert journeys.act("P1", "scan_nfc", None, {}).refusal is not None
    assert journeys.patient_status("P1") is None
    assert blank.pending() == 0
    journeys.note_refused_tap("phone")
    with pytest.raises(NotEnrolled):
        blank.kiosk.context()
    with pytest.raises(NotEnrolled):
        journeys.check_in_unknown(PatientId("c"), cards(1), "scan_nfc", None)


def interrupted_at(db: sqlite3.Connection, place: int, action: Callable[[], object]) -> bool:
    """Does the action, and interrupts SQLite at the n-th portion of its work. False where the action ends earlier."""
    portions = 0

    def break_off() -> bool:
        nonlocal portions
        portions += 1
        return portions == place

    db.set_progress_handler(break_off, 20)
    try:
        action()
    except sqlite3.OperationalError:
        return True
    finally:
        db.set_progress_handler(None, 0)
    return False


@pytest.mark.parametrize("name", ["tap", "act", "check in"])
def test_a_transaction_that_breaks_off_anywhere_leaves_nothing_of_itself(kiosk: Kiosk, name: str):
    kiosk.tap(2)
    before = kiosk.everything()
    action: Callable[[], object] = {
        "tap": lambda: kiosk.tap(1, *GRANTS),
        "act": lambda: kiosk.journeys.act("P2", "register", None, {}),
        "check in": lambda: kiosk.journeys.check_in_unknown(PatientId("card-9"), cards(9), "scan_nfc", None),
    }[name]
    place = 1
    with kiosk.store.read() as db:
        while interrupted_at(db, place, action):
            assert kiosk.everything() == before
            place += 1
    assert place > 10
    assert [i.seq for i in kiosk.intents()] == list(range(1, 5 if name == "tap" else 3))


def test_a_tap_of_many_steps_is_one_commit(kiosk: Kiosk):
    commits: list[str] = []
    with kiosk.store.read() as db:
        db.set_trace_callback(lambda sql: commits.append(sql) if re.match(r"commit|begin", sql) else None)
        kiosk.tap(1, *GRANTS)
        db.set_trace_callback(None)
    assert commits == ["begin immediate", "commit"]


def test_a_tap_reads_neither_site_nor_definitions_from_the_database(kiosk: Kiosk):
    asked: list[str] = []
    with kiosk.store.read() as db:
        db.set_trace_callback(asked.append)
        kiosk.tap(1, *GRANTS)
        db.set_trace_callback(None)
    assert asked
    assert not [sql for sql in asked if re.search(r"\bsite\b|definitions\b|select \* from identity", sql)]


def test_the_kiosk_comes_back_after_a_restart_as_it_was(tmp_path: Path):
    clock = Clock()
    parts = samples.enrolled(tmp_path, clock)
    parts.journeys.tap(cards(1), GRANTS)
    before = parts.journeys.patient_status("P1")
    parts.store.close()
    store = Store(tmp_path / "kiosk.db")
    again = KioskParts(store, clock).journeys
    assert again.identity == parts.journeys.identity
    assert again.patient_status("P1") == before
    tapped = again.tap(cards(2), GRANTS)
    assert tapped is not None
    with store.read() as db:
        assert [r[0] for r in db.execute("select seq from outbox order by seq")] == [1, 2, 3, 4, 5, 6]
        assert db.execute("select used from queue_numbers").fetchone()[0] == 2
    store.close()


def test_a_site_whose_languages_begin_otherwise_greets_strangers_so(tmp_path: Path):
    store = Store(tmp_path / "kiosk.db")
    parts = KioskParts(store, Clock())
    parts.ledger.enrol(enrolment(site=msgspec.structs.replace(samples.SITE, languages=("en", "ko"))))
    parts.journeys.check_in_unknown(PatientId("card-1"), [CardHash("k1", "x")], "scan_nfc", None)
    status = parts.journeys.patient_status("card-1")
    assert status is not None
    assert status.patient.language == "en"
    store.close()
