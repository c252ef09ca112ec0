"""When an action happened: the time that a kiosk claims counts between the pulls that told of less and of more."""

from __future__ import annotations

from pathlib import Path

from sync.central.maintenance.backup import back_up
from sync.clock import ClockReading
from sync.ids import new_id
from sync.protocol import Code, PullRequest, Verdict
from tests.sync.central.two_stores.acts import rewrite_last
from tests.sync.central.wire import MINUTE, Centre, Kiosk

ON_ITS_WAY = MINUTE
HOUR = 60


def online(kiosk: Kiosk, minutes: int) -> None:
    """A kiosk that pulls every minute."""
    for _ in range(minutes):
        kiosk.centre.time.pass_minutes(1)
        kiosk.pull()


def dated(kiosk: Kiosk, at_ms: int) -> None:
    """The kiosk gives its last action another time: an hour of another boot, by a synchronised clock."""
    with kiosk.store.write() as db:
        rewrite_last(db, clock=ClockReading(at_ms, 0, new_id(), True))


def happened(centre: Centre, patient_id: str) -> int:
    """When the visit of a patient was opened, by the history."""
    (row,) = centre.rows(
        "select min(happened_ms) as at_ms from transitions where patient_id = :patient_id", patient_id=patient_id
    )
    return int(str(row["at_ms"]))


def lie(kiosk: Kiosk, hours: float) -> int:
    """P1 taps now, and the kiosk dates the tap. Returns the centre's time of the tap."""
    kiosk.tap("P1")
    dated(kiosk, kiosk.time() + int(hours * HOUR * MINUTE))
    return kiosk.time()


def test_an_arrival_cannot_be_dated_before_the_last_pull_that_told_nothing_of_it(
    centre: Centre, kiosk: Kiosk, other: Kiosk
):
    online(kiosk, 30)
    other.tap("P2")
    other.push()
    online(kiosk, 30)
    at_ms = lie(kiosk, hours=-1)
    kiosk.push()
    assert happened(centre, "P1") == at_ms - ON_ITS_WAY
    assert happened(centre, "P2") < happened(centre, "P1")


def test_an_arrival_cannot_be_dated_after_the_first_pull_that_told_of_it(centre: Centre, kiosk: Kiosk):
    at_ms = lie(kiosk, hours=+1)
    kiosk.pull()
    centre.time.pass_minutes(2 * HOUR)
    kiosk.push()
    assert happened(centre, "P1") == at_ms


def test_a_kiosk_that_was_offline_tells_the_true_times(centre: Centre, kiosk: Kiosk, other: Kiosk):
    online(kiosk, 5)
    centre.time.pass_minutes(HOUR)
    kiosk.tap("P1")
    first = centre.time()
    online(other, HOUR)
    kiosk.tap("P2")
    second = centre.time()
    centre.time.pass_minutes(HOUR)
    kiosk.pull()
    centre.time.pass_minutes(5)
    kiosk.sync()
    assert (happened(centre, "P1"), happened(centre, "P2")) == (first, second)


def test_a_kiosk_whose_pushes_fail_while_its_pulls_pass_tells_the_true_times(centre: Centre, kiosk: Kiosk):
    times = {}
    for patient_id in ("P1", "P2"):
        kiosk.tap(patient_id)
        times[patient_id] = centre.time()
        online(kiosk, 10)
    kiosk.push()
    assert {patient_id: happened(centre, patient_id) for patient_id in times} == times
    online(kiosk, 2)
    assert centre.rows("select count(*) as n from told_seqs where kiosk_id = 'kiosk-1'") == [{"n": 1}]


def test_a_kiosk_that_tells_a_large_seq_and_nothing_that_waits_dates_nothing_by_it(centre: Centre, kiosk: Kiosk):
    identity = kiosk.journeys.identity
    assert identity is not None
    lies = PullRequest(
        protocol_version=2,
        site_id=identity.site_id,
        kiosk_id=identity.kiosk_id,
        epoch=identity.epoch,
        cursor=0,
        server_incarnation=identity.server_incarnation,
        last_seq=10**9,
    )
    for _ in range(30):
        centre.time.pass_minutes(1)
        centre.pulls.pull(identity.kiosk_id, lies)
    at_ms = lie(kiosk, hours=-1)
    kiosk.push()
    assert happened(centre, "P1") == at_ms - ON_ITS_WAY


def test_a_fork_frees_no_kiosk_from_what_it_has_told(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P2")
    kiosk.push()
    online(kiosk, 30)
    at_ms = lie(kiosk, hours=-1)
    with kiosk.store.write() as db:
        db.execute("update outbox set hash = 'lost' where status <> 'pending'")
        rewrite_last(db, site_day="2026-03-02")
    kiosk.push()
    assert "fork" in centre.open_cases()
    assert happened(centre, "P1") == at_ms - ON_ITS_WAY


def test_a_fork_takes_no_true_time_from_what_waits(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P2")
    kiosk.push()
    online(kiosk, 5)
    kiosk.tap("P1")
    at_ms = centre.time()
    online(kiosk, 30)
    with kiosk.store.write() as db:
        db.execute("update outbox set hash = 'lost' where status <> 'pending'")
        rewrite_last(db, site_day="2026-03-02")
    kiosk.push()
    assert "fork" in centre.open_cases()
    assert happened(centre, "P1") == at_ms


def test_a_parked_action_keeps_its_time(centre: Centre, kiosk: Kiosk):
    online(kiosk, 5)
    kiosk.tap("P1")
    at_ms = centre.time()
    with kiosk.store.read() as db:
        (action_id,) = db.execute("select action_id from outbox").fetchone()
    assert kiosk.ledger.park(action_id, 1) == 1
    online(kiosk, 30)
    kiosk.ledger.unpark(action_id)
    kiosk.push()
    assert happened(centre, "P1") == at_ms


def test_a_restored_centre_learns_the_true_times_again(centre: Centre, kiosk: Kiosk, tmp_path: Path):
    online(kiosk, 5)
    back_up(centre.store, tmp_path / "backup.db")
    kiosk.tap("P1")
    at_ms = centre.time()
    kiosk.push()
    online(kiosk, 30)
    centre.restore(tmp_path / "backup.db")
    online(kiosk, 30)
    kiosk.push()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)
    assert happened(centre, "P1") == at_ms


def test_a_kiosk_that_is_enrolled_again_tells_the_true_times_of_what_it_kept(centre: Centre, kiosk: Kiosk):
    online(kiosk, 5)
    kiosk.tap("P1")
    at_ms = centre.time()
    centre.time.pass_minutes(HOUR)
    kiosk.ledger.enrol(centre.enrol("K", kept=1))
    kiosk.connect()
    online(kiosk, 5)
    kiosk.push()
    assert happened(centre, "P1") == at_ms


def test_a_time_stays_within_its_bounds_while_staff_decide(centre: Centre, kiosk: Kiosk):
    online(kiosk, 30)
    at_ms = lie(kiosk, hours=-1)
    with kiosk.store.write() as db:
        rewrite_last(db, patient_id="P3", binding_id=None, card=None)
    kiosk.push()
    assert centre.open_cases() == ["not_named"]
    centre.time.pass_minutes(HOUR)
    assert centre.settle("apply").done
    assert happened(centre, "P3") == at_ms - ON_ITS_WAY
