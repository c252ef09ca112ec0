"""When an action happened: the time that a kiosk claims counts between the pulls that told of less and of more."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from sync.central.maintenance.backup import back_up
from sync.central.records.chains import Chain
from sync.central.records.told_seqs import MOST, ToldEnd, note_told, read_window
from sync.clock import ClockReading
from sync.ids import new_id, provisional_id
from sync.journey.model import PatientId
from sync.protocol import Backlog, CallRefused, Code, PullAnswer, PullRequest, Verdict
from tests.sync.central.two_stores.acts import push, rewrite_last
from tests.sync.central.wire import MINUTE, Centre, Kiosk, cards_of

ON_ITS_WAY = MINUTE
NOTED_LATE = ON_ITS_WAY + MINUTE  # the centre notes one pull a minute
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
        centre.pull(identity.kiosk_id, lies)
    at_ms = lie(kiosk, hours=-1)
    kiosk.push()
    assert happened(centre, "P1") == at_ms - ON_ITS_WAY


def hold_back(kiosk: Kiosk) -> str:
    """P2 taps, and the kiosk tells of it for half an hour. The tap then becomes P1's. Returns its id."""
    kiosk.tap("P2")
    online(kiosk, 30)
    with kiosk.store.write() as db:
        rewrite_last(db, patient_id="P1", binding_id=None, card=None)
        (action_id,) = db.execute("select action_id from outbox").fetchone()
    return str(action_id)


def test_an_action_that_was_changed_after_it_was_told_happened_after_the_last_pull(
    centre: Centre, kiosk: Kiosk, caplog: pytest.LogCaptureFixture
):
    online(kiosk, 5)
    hold_back(kiosk)
    at_ms = centre.time()
    kiosk.push()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)
    assert happened(centre, "P1") >= at_ms - NOTED_LATE
    assert centre.open_cases() == ["rewritten"]
    assert centre.rows("select seq, hash from told_seqs where kiosk_id = 'kiosk-1'") == [{"seq": 0, "hash": ""}]
    for table in ("exceptions", "audit where kind = 'rewritten'"):
        assert centre.rows(f"select detail from {table}") == [{"detail": '{"epoch":1,"seq":1}'}]
    assert caplog.messages == ["kiosk kiosk-1: action 1 is another one than it had told of"]


def test_an_action_after_a_changed_one_is_bound_by_the_same_pull_and_makes_no_further_case(
    centre: Centre, kiosk: Kiosk
):
    online(kiosk, 5)
    hold_back(kiosk)
    kiosk.journeys.check_in_unknown(PatientId(provisional_id()), cards_of("P3"), "scan_nfc", None)
    dated(kiosk, centre.time() - 20 * MINUTE)
    kiosk.push()
    assert happened(centre, "P3") >= centre.time() - NOTED_LATE
    assert centre.open_cases() == ["rewritten"]
    kiosk.pull()
    kiosk.tap("P2")
    online(kiosk, 2)
    with kiosk.store.write() as db:
        rewrite_last(db, site_day="2026-03-01")
    kiosk.push()
    assert centre.open_cases() == ["rewritten"]
    kinds = [row["kind"] for row in centre.rows("select kind from audit where who = 'kiosk-1'")]
    assert kinds == ["rewritten", "rewritten"]


def test_what_came_as_it_was_told_keeps_its_time_beside_a_changed_action(centre: Centre, kiosk: Kiosk):
    online(kiosk, 5)
    kiosk.tap("P2")
    at_ms = centre.time()
    online(kiosk, 10)
    kiosk.tap("P1")
    online(kiosk, 10)
    with kiosk.store.write() as db:
        rewrite_last(db, site_day="2026-03-01")
    kiosk.push()
    assert (happened(centre, "P2"), centre.open_cases()) == (at_ms, ["rewritten"])
    assert happened(centre, "P1") >= centre.time() - NOTED_LATE


def test_an_action_that_no_pull_told_of_by_itself_is_not_proven_beside_a_changed_one(centre: Centre, kiosk: Kiosk):
    """The one pull that told of both told the hash of the second alone."""
    online(kiosk, 5)
    kiosk.tap("P2")
    kiosk.tap("P1")
    online(kiosk, 30)
    with kiosk.store.write() as db:
        rewrite_last(db, site_day="2026-03-01")
    kiosk.push()
    assert centre.open_cases() == ["rewritten"]
    for patient_id in ("P1", "P2"):
        assert happened(centre, patient_id) >= centre.time() - NOTED_LATE


def test_an_action_that_comes_as_it_was_told_makes_no_case(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    at_ms = centre.time()
    kiosk.act("P1", "register")
    online(kiosk, 10)
    kiosk.push()
    assert (happened(centre, "P1"), centre.open_cases()) == (at_ms, [])


def test_a_kiosk_cannot_tell_another_hash_later(centre: Centre, kiosk: Kiosk):
    online(kiosk, 5)
    hold_back(kiosk)
    online(kiosk, 5)
    kiosk.push()
    assert centre.open_cases() == ["rewritten"]
    assert happened(centre, "P1") >= centre.time() - NOTED_LATE


def test_a_kiosk_has_at_most_256_rows_and_more_seqs_change_none(centre: Centre, kiosk: Kiosk):
    online(kiosk, 1)
    with centre.store.write() as db:
        for seq in range(1, 2 * MOST):
            note_told(db, "kiosk-1", ToldEnd(1, seq), centre.time() + seq)
    rows = centre.rows("select seq, last_ms from told_seqs where kiosk_id = 'kiosk-1' order by seq")
    assert MOST == 256
    assert [row["seq"] for row in rows] == list(range(MOST))
    assert rows[-1]["last_ms"] == centre.time() + MOST - 1
    hour_later = centre.time() + HOUR * MINUTE
    with centre.store.write() as db:
        note_told(db, "kiosk-1", ToldEnd(1, MOST - 1), hour_later)
        assert read_window(db, Chain("kiosk-1", 1), MOST).earliest_ms == hour_later - ON_ITS_WAY


def test_a_kiosk_that_has_filled_its_rows_still_tells_that_it_has_no_action(centre: Centre, kiosk: Kiosk):
    online(kiosk, 1)
    later = centre.time() + HOUR * MINUTE
    with centre.store.write() as db:
        for seq in range(10, 2 * MOST):
            note_told(db, "kiosk-1", ToldEnd(1, seq), centre.time())
        note_told(db, "kiosk-1", ToldEnd(1, 5), later)
        assert read_window(db, Chain("kiosk-1", 1), 6).earliest_ms == later - ON_ITS_WAY
    assert centre.rows("select count(*) as n from told_seqs where kiosk_id = 'kiosk-1'") == [{"n": MOST}]


def told_once(kiosk: Kiosk) -> PullRequest:
    """A pull that tells of an action which the kiosk does not have."""
    identity = kiosk.journeys.identity
    assert identity is not None
    return PullRequest(
        protocol_version=2,
        site_id=identity.site_id,
        kiosk_id=identity.kiosk_id,
        epoch=identity.epoch,
        cursor=0,
        server_incarnation=identity.server_incarnation,
        last_seq=10**9,
        chain_hash="00" * 32,
        backlog=Backlog(waiting=1, age_ms=10_000, oldest=1),
    )


@pytest.mark.parametrize("refused", [{"site_id": "another"}, {"protocol_version": 9}])
def test_a_pull_that_the_centre_does_not_hear_tells_nothing_of_when(
    centre: Centre, kiosk: Kiosk, refused: dict[str, object]
):
    told = centre.rows("select * from told_seqs")
    centre.time.pass_minutes(HOUR)
    request = msgspec.structs.replace(told_once(kiosk), **refused)
    assert isinstance(centre.pulls.pull(request.kiosk_id, request), CallRefused)
    assert centre.rows("select * from told_seqs") == told


def test_a_kiosk_that_has_told_a_large_seq_once_dates_nothing_by_it(centre: Centre, kiosk: Kiosk):
    online(kiosk, 2)
    centre.pull("kiosk-1", told_once(kiosk))
    online(kiosk, 30)
    at_ms = lie(kiosk, hours=-1)
    kiosk.push()
    assert happened(centre, "P1") >= at_ms - NOTED_LATE


def test_of_many_actions_that_are_not_those_told_the_first_is_noted_once(centre: Centre, kiosk: Kiosk):
    for seq in (1, 2):
        made_up = msgspec.structs.replace(told_once(kiosk), last_seq=seq)
        assert isinstance(centre.pull("kiosk-1", made_up), PullAnswer)
    kiosk.tap("P1")
    kiosk.tap("P2")
    kiosk.push()
    assert centre.rows("select detail from audit where kind = 'rewritten'") == [{"detail": '{"epoch":1,"seq":1}'}]


def test_a_pull_without_a_hash_tells_of_no_action(centre: Centre, kiosk: Kiosk):
    online(kiosk, 2)
    for _ in range(30):
        centre.time.pass_minutes(1)
        centre.pull("kiosk-1", msgspec.structs.replace(told_once(kiosk), chain_hash=""))
    at_ms = lie(kiosk, hours=-0.25)
    kiosk.push()
    assert happened(centre, "P1") >= at_ms - NOTED_LATE


def test_a_push_does_not_hide_the_pull_after_it(centre: Centre, kiosk: Kiosk):
    online(kiosk, 2)
    for _ in range(60):
        centre.time.pass_minutes(0.9)
        kiosk.push()
        push(centre, kiosk, [])
        centre.pull("kiosk-1", msgspec.structs.replace(told_once(kiosk), last_seq=0, backlog=None, sealed=True))
    at_ms = lie(kiosk, hours=-0.5)
    kiosk.push()
    assert happened(centre, "P1") >= at_ms - NOTED_LATE


def test_the_pulls_that_told_nothing_of_an_action_count_also_after_earlier_ones_were_judged(
    centre: Centre, kiosk: Kiosk
):
    kiosk.tap("P2")
    online(kiosk, 2)
    for _ in range(30):
        centre.time.pass_minutes(1)
        centre.pull("kiosk-1", msgspec.structs.replace(told_once(kiosk), last_seq=0, backlog=None))
    kiosk.push()
    at_ms = lie(kiosk, hours=-1)
    kiosk.push()
    assert happened(centre, "P1") >= at_ms - NOTED_LATE


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
    assert happened(centre, "P1") >= at_ms - NOTED_LATE


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
