"""The daily purge of the kiosk."""

from __future__ import annotations

from msgspec.structs import replace

from kiosk.journey.purge import AUDIT_MS
from sync.clock import ClockReading
from tests.kiosk.journey.small_kiosk import HOUR, NEXT_DAY, SmallKiosk, journey
from tests.kiosk.samples import at, booking, entry, row


def test_who_has_nothing_here_any_more_is_forgotten_with_the_first_page_of_a_day(kiosk: SmallKiosk):
    tomorrow = replace(booking(2, "BLOOD"), scheduled_ms=at("10:00", NEXT_DAY))
    later = replace(booking(3, "BLOOD"), scheduled_ms=at("10:00", "2026-03-04"))
    kiosk.pull(row(2, tomorrow=(tomorrow,)), row(3, tomorrow=(later,)))
    kiosk.pull(
        row(4),
        row(
            5, journey=journey(5, "IN_PROGRESS", 3, current_queue_id="q-A", entries=(entry("A", state="in_progress"),))
        ),
    )
    kiosk.tap(1)
    kiosk.clock.forward(24 * HOUR)
    kiosk.pull(more=True, now_ms=at("09:00", NEXT_DAY))
    assert "P4" in kiosk.knows()
    kiosk.pull(now_ms=at("09:00", NEXT_DAY))
    assert kiosk.knows() == {"P1", "P2", "P3", "P5"}
    assert kiosk.one("select count(*) from bindings where patient_id = 'P4'") == 0


def test_it_is_the_centres_clock_that_people_are_forgotten_by(kiosk: SmallKiosk):
    kiosk.clock.reading = ClockReading(at("09:00", "2099-01-01"), 5, "boot-2", synchronised=False)
    kiosk.pull(now_ms=at("10:00"))
    assert kiosk.knows() == {"P1", "P2", "P3"}


def test_old_audit_rows_go_in_the_end_and_no_action_that_a_backup_may_miss(kiosk: SmallKiosk):
    (scan,) = kiosk.tap(1)
    kiosk.ledger.retire([kiosk.judge(scan, journey(1, "ARRIVED", 2))])
    long_after = at("09:00") + AUDIT_MS + 25 * HOUR
    kiosk.clock.forward(AUDIT_MS + 25 * HOUR)
    kiosk.tap(2)
    kiosk.pull(now_ms=long_after)
    assert kiosk.one("select count(*) from outbox") == 2
    assert kiosk.one("select count(*) from audit where kind = 'verdict'") == 0


def test_an_action_that_the_outbox_forgets_is_in_the_audit_from_then_on(kiosk: SmallKiosk):
    (scan,) = kiosk.tap(1)
    kiosk.tap(2)
    kiosk.ledger.retire([kiosk.judge(scan, journey(1, "ARRIVED", 2))], backed_up_seq=1, epoch=1)
    kiosk.clock.forward(24 * HOUR)
    kiosk.pull(now_ms=at("09:00", NEXT_DAY))
    assert kiosk.one("select count(*) from outbox") == 1
    with kiosk.store.read() as db:
        (applied,) = db.execute("select at_ms, patient_id, action_id, detail from audit where kind = 'applied'")
    assert tuple(applied) == (at("09:00"), "P1", scan.action_id, "scan_nfc")


def test_a_pull_of_the_same_day_looks_at_nobody_again(kiosk: SmallKiosk):
    kiosk.clock.forward(24 * HOUR)
    kiosk.pull(now_ms=at("09:00", NEXT_DAY))
    kiosk.pull(row(8, journey=replace(row(8).journey, appointments=())), now_ms=at("09:01", NEXT_DAY))
    asked: list[str] = []
    with kiosk.store.read() as db:
        db.set_trace_callback(asked.append)
        kiosk.pull(now_ms=at("09:02", NEXT_DAY))
        db.set_trace_callback(None)
    assert not [sql for sql in asked if "delete from audit" in sql]
