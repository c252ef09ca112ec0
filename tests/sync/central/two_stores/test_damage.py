"""A record that was damaged at the kiosk: only that record is lost, staff get a case, and the other actions
continue.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk.store import outbox
from sync.central.maintenance.backup import back_up
from sync.protocol import MAX_BATCH_BYTES, EndCode
from tests.sync.central.two_stores.acts import rewrite_last, verdicts
from tests.sync.central.wire import EVERYTHING, Centre, Kiosk

QUARANTINED, APPLIED = ("needs_staff", "quarantined"), ("applied", "ok")
DAMAGES = {
    "not an intent": (b'"visit_id"', b'"visit_hd"'),
    "another patient's": (b'"P1"', b'"P3"'),
    "no JSON": (b'{"action_id"', b'["action_id"'),
}


@pytest.fixture(params=DAMAGES)
def damage(request: pytest.FixtureRequest) -> tuple[bytes, bytes]:
    return DAMAGES[request.param]


def strike(kiosk: Kiosk, damage: tuple[bytes, bytes]) -> None:
    """Damages the record of the tap of P1."""
    with kiosk.store.write() as db:
        where = "where patient_id = 'P1' and action_type = 'scan_nfc'"
        (body,) = db.execute(f"select body from outbox {where}").fetchone()
        assert body != body.replace(*damage)
        db.execute(f"update outbox set body = ? {where}", (body.replace(*damage),))


def lose_the_head(kiosk: Kiosk) -> None:
    """Makes the next batch fit no chain, as a disk that was set back does, or a flipped bit of another row."""
    with kiosk.store.write() as db:
        db.execute("update outbox set hash = 'lost' where seq = 1")


def check_only_p1s_tap_is_lost(centre: Centre, kiosk: Kiosk) -> None:
    cases = centre.rows("select action_id from exceptions where code = 'quarantined'")
    assert cases == [{"action_id": row_of(kiosk, "P1").action_id}]
    assert centre.journey("P1").state == "UNREGISTERED"
    assert centre.journey("P2").state == "ARRIVED"
    assert centre.journey("P3").state == "UNREGISTERED"
    for patient_id in ("P1", "P2"):
        assert kiosk.view(patient_id) == centre.journey(patient_id)
    assert kiosk.parts.pending() == 0


def row_of(kiosk: Kiosk, patient_id: str) -> outbox.OutboxRow:
    with kiosk.store.read() as db:
        return next(row for row in outbox.rows(db) if row.patient_id == patient_id)


def test_in_its_place_it_is_set_aside_at_once(centre: Centre, kiosk: Kiosk, damage: tuple[bytes, bytes]):
    kiosk.tap("P1")
    kiosk.tap("P2")
    strike(kiosk, damage)
    assert not kiosk.pusher.run_once().again
    assert kiosk.wire.heard == []
    assert verdicts(kiosk) == [QUARANTINED, APPLIED]
    kiosk.pull()
    check_only_p1s_tap_is_lost(centre, kiosk)


def test_a_fork_goes_on_past_it(centre: Centre, kiosk: Kiosk, damage: tuple[bytes, bytes]):
    kiosk.tap("P1")
    kiosk.tap("P2")
    strike(kiosk, damage)
    lose_the_head(kiosk)
    kiosk.sync()
    assert [refused.code for refused in kiosk.wire.heard] == [EndCode.FORK]
    assert verdicts(kiosk) == [QUARANTINED, APPLIED]
    check_only_p1s_tap_is_lost(centre, kiosk)
    kiosk.tap("P1")
    kiosk.sync()
    assert kiosk.view("P1") == centre.journey("P1")
    assert centre.journey("P1").state == "ARRIVED"


def test_a_page_that_names_the_patient_is_taken(centre: Centre, kiosk: Kiosk, damage: tuple[bytes, bytes]):
    kiosk.tap("P1")
    kiosk.tap("P2")
    strike(kiosk, damage)
    centre.staff("scan_nfc", "P1")
    kiosk.pull()
    assert kiosk.view("P1") == centre.journey("P1")
    kiosk.sync()
    assert verdicts(kiosk) == [QUARANTINED, APPLIED]
    assert kiosk.view("P1").state == "ARRIVED"


def test_a_restored_centre_keeps_its_verdict_on_it(
    centre: Centre, kiosk: Kiosk, damage: tuple[bytes, bytes], tmp_path: Path
):
    """The record was judged before it was damaged, and the backup has its verdict."""
    kiosk.tap("P1")
    kiosk.sync()
    back_up(centre.store, tmp_path / "backup.db")
    kiosk.tap("P2")
    kiosk.sync()
    strike(kiosk, damage)
    centre.restore(tmp_path / "backup.db")
    for _ in range(2):
        kiosk.pull()
        kiosk.push()
    assert verdicts(kiosk) == [APPLIED, APPLIED]
    assert centre.open_cases() == []
    assert kiosk.view("P1") == centre.journey("P1")


def test_a_restored_centre_that_has_lost_it_is_sent_it_unread(
    centre: Centre, kiosk: Kiosk, damage: tuple[bytes, bytes], tmp_path: Path
):
    back_up(centre.store, tmp_path / "backup.db")
    kiosk.tap("P1")
    kiosk.tap("P2")
    kiosk.sync()
    strike(kiosk, damage)
    centre.restore(tmp_path / "backup.db")
    for _ in range(2):
        kiosk.pull()
        kiosk.push()
    assert verdicts(kiosk) == [QUARANTINED, APPLIED]
    check_only_p1s_tap_is_lost(centre, kiosk)


def test_a_record_set_aside_waits_again_after_a_restore_and_is_set_aside_again(
    centre: Centre, kiosk: Kiosk, damage: tuple[bytes, bytes], tmp_path: Path
):
    back_up(centre.store, tmp_path / "backup.db")
    kiosk.tap("P1")
    kiosk.tap("P2")
    strike(kiosk, damage)
    kiosk.sync()
    assert verdicts(kiosk) == [QUARANTINED, APPLIED]
    lose_the_head(kiosk)
    centre.restore(tmp_path / "backup.db")
    for _ in range(2):
        kiosk.pull()
        kiosk.push()
    assert verdicts(kiosk) == [QUARANTINED, APPLIED]
    check_only_p1s_tap_is_lost(centre, kiosk)


def test_after_another_enrolment_the_other_records_continue(centre: Centre, kiosk: Kiosk, damage: tuple[bytes, bytes]):
    kiosk.tap("P1")
    kiosk.tap("P2")
    strike(kiosk, damage)
    kiosk.ledger.enrol(centre.enrol("N", EVERYTHING))
    kiosk.connect()
    for _ in range(2):
        kiosk.pull()
        kiosk.push()
    assert verdicts(kiosk) == [QUARANTINED, APPLIED]
    check_only_p1s_tap_is_lost(centre, kiosk)


def test_it_is_recognised_though_its_hash_alone_fits(centre: Centre, kiosk: Kiosk):
    """A new chain over a valid intent of another patient would be judged as that patient's."""
    kiosk.tap("P1")
    strike(kiosk, DAMAGES["another patient's"])
    for epoch in (2, 3):
        kiosk.ledger.start_epoch(epoch)
    kiosk.sync()
    kiosk.push()
    assert verdicts(kiosk) == [QUARANTINED]
    assert centre.journey("P3").state == "UNREGISTERED"


def test_a_verdict_whose_answer_was_lost_stands_though_the_record_was_damaged_since(
    centre: Centre, kiosk: Kiosk, damage: tuple[bytes, bytes]
):
    kiosk.tap("P1")
    kiosk.tap("P2")
    kiosk.wire.lose_replies = 1
    kiosk.pusher.run_once()
    strike(kiosk, damage)
    kiosk.sync()
    assert verdicts(kiosk) == [APPLIED, APPLIED]
    assert centre.open_cases() == []
    assert kiosk.view("P1") == centre.journey("P1")


def test_a_record_that_no_push_can_hold_gets_out_of_the_way(centre: Centre, kiosk: Kiosk):
    """A kiosk from before the limit of bodies wrote it. The complete record is refused, and the cut one is accepted."""
    kiosk.tap("P1")
    with kiosk.store.write() as db:
        rewrite_last(db, payload={"answers": "x" * (2 * MAX_BATCH_BYTES)})
    kiosk.tap("P2")
    for _ in range(20):
        kiosk.pusher.run_once()
    assert verdicts(kiosk) == [QUARANTINED, APPLIED]
    assert {refused.code for refused in kiosk.wire.heard} == {EndCode.MALFORMED}


def test_many_large_damaged_records_go_in_pushes_that_the_centre_takes(centre: Centre, kiosk: Kiosk):
    for patient_id in ("P1", "P2"):
        kiosk.check_in(patient_id)
    with kiosk.store.write() as db:
        db.execute("update outbox set body = zeroblob(300000)")
    kiosk.push()
    assert kiosk.wire.heard == []
    assert verdicts(kiosk) == [QUARANTINED] * 6
