"""Backups, restores, and records that a centre always fails on, between the real stores of both ends."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from kiosk.store import outbox
from sync.agent.client import Accepted, NoAnswer
from sync.central.maintenance.backup import back_up
from sync.central.maintenance.incarnation import marker_path, open_incarnation, update_marker
from sync.central.store.errors import StoreError
from sync.central.store.sqlite import SqliteStore
from sync.central.store.sqlite_copy import verify_copy
from sync.central.store.transactions import ReadTransaction
from sync.protocol import CallRefused, Code, EndCode, Opaque, PushAnswer, Pushed, PushRequest, Verdict, canonical
from tests.sync.central.two_stores.acts import intent_of, push, rewrite_last
from tests.sync.central.wire import EVERYTHING, Centre, Kiosk, Time, Wire, cards_of


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    made = Centre(tmp_path / "centre.db", Time())
    open_incarnation(made.store)
    yield made
    made.store.close()


@pytest.fixture
def kiosk(tmp_path: Path, centre: Centre) -> Kiosk:
    made = Kiosk(tmp_path / "a.db", centre, "A", EVERYTHING)
    made.pull()
    return made


def backed_up(centre: Centre, tmp_path: Path, name: str = "backup.db") -> Path:
    back_up(centre.store, tmp_path / name)
    return tmp_path / name


def covered(kiosk: Kiosk) -> int:
    assert kiosk.journeys.identity is not None
    return kiosk.journeys.identity.backed_up_seq


def verdicts(kiosk: Kiosk) -> list[tuple[str | None, ...]]:
    return [row[1:] for row in kiosk.statuses()]


def test_a_backup_is_one_file_of_its_owner_that_opens_as_a_database(centre: Centre, kiosk: Kiosk, tmp_path: Path):
    kiosk.tap("P1")
    kiosk.sync()
    made = back_up(centre.store, tmp_path / "backup.db")
    assert made.chains == 1
    assert made.size == (tmp_path / "backup.db").stat().st_size
    assert (tmp_path / "backup.db").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.glob("backup*")) == ["backup.db"]
    copy = SqliteStore(f"sqlite:///{tmp_path}/backup.db")
    with copy.read() as db:
        assert db.value("select count(*) from transitions") == 1
        assert made.change == db.latest_change()
    copy.close()


def test_a_pull_says_how_far_backups_reach(centre: Centre, kiosk: Kiosk, tmp_path: Path):
    kiosk.check_in("P1")
    kiosk.sync()
    assert covered(kiosk) == 0
    backed_up(centre, tmp_path)
    kiosk.tap("P2")
    kiosk.pull()
    assert covered(kiosk) == 3
    kiosk.push()
    assert covered(kiosk) == 3, "the fourth came after the backup"


def test_after_a_restore_everything_is_sent_again_and_missing_actions_are_done_again(
    centre: Centre, kiosk: Kiosk, tmp_path: Path
):
    kiosk.check_in("P1")
    kiosk.sync()
    backup = backed_up(centre, tmp_path)
    kiosk.tap("P2")
    kiosk.sync()
    centre.restore(backup)
    kiosk.puller.run_once()
    assert kiosk.parts.pending() == 4
    kiosk.sync()
    assert verdicts(kiosk) == [("applied", "ok")] * 4
    assert centre.journey("P2").state == "ARRIVED"


def test_a_restore_of_an_older_backup_than_the_last_is_noticed_too(centre: Centre, kiosk: Kiosk, tmp_path: Path):
    """The kiosk knows that a backup holds four actions, and the restored file holds one."""
    kiosk.tap("P1")
    kiosk.sync()
    older = backed_up(centre, tmp_path, "older.db")
    kiosk.act("P1", "register")
    kiosk.act("P1", "confirm_arrival")
    kiosk.tap("P2")
    kiosk.sync()
    backed_up(centre, tmp_path, "newer.db")
    kiosk.pull()
    assert covered(kiosk) == 4
    centre.restore(older)
    kiosk.puller.run_once()
    assert (kiosk.parts.pending(), covered(kiosk)) == (4, 0)
    kiosk.sync()
    assert centre.journey("P1").state == "WAITING"
    assert centre.journey("P2").state == "ARRIVED"


def test_actions_of_an_earlier_epoch_are_sent_again_in_their_order(centre: Centre, kiosk: Kiosk, tmp_path: Path):
    backup = backed_up(centre, tmp_path)
    kiosk.tap("P1")
    kiosk.act("P1", "register")
    kiosk.sync()
    with kiosk.store.write() as db:
        db.execute("update identity set last_hash = 'lost'")
    kiosk.act("P1", "confirm_arrival")
    kiosk.sync()
    assert kiosk.journeys.identity is not None
    assert kiosk.journeys.identity.epoch == 2
    centre.restore(backup)
    kiosk.pull()
    kiosk.sync()
    assert sorted(verdicts(kiosk)) == [("applied", "ok")] * 3
    assert centre.journey("P1").state == "WAITING"
    rows = centre.rows("select action from transitions where patient_id = 'P1' order by change")
    assert [row["action"] for row in rows] == ["scan_nfc", "register", "confirm_arrival"]


def test_a_kiosk_that_the_backup_lacks_is_enrolled_again_and_sends_everything(tmp_path: Path, centre: Centre):
    backup = backed_up(centre, tmp_path)
    kiosk = Kiosk(tmp_path / "late.db", centre, "L", EVERYTHING)
    kiosk.pull()
    kiosk.check_in("P1")
    kiosk.sync()
    centre.restore(backup)
    assert kiosk.puller.run_once().refusal is EndCode.NOT_KNOWN
    assert kiosk.parts.patient_of_card(cards_of("P1")) == "P1"
    kiosk.ledger.enrol(centre.enrol("L", EVERYTHING))
    kiosk.connect()
    kiosk.pull()
    kiosk.sync()
    assert centre.journey("P1").state == "WAITING"
    assert verdicts(kiosk) == [("applied", "ok")] * 3


def test_backed_up_actions_are_deleted_on_a_later_day_and_others_are_kept(centre: Centre, kiosk: Kiosk, tmp_path: Path):
    kiosk.tap("P1")
    kiosk.sync()
    backed_up(centre, tmp_path)
    kiosk.tap("P2")
    kiosk.sync()
    centre.time.pass_minutes(24 * 60)
    kiosk.pull()
    kiosk.tap("P1")
    kiosk.sync()
    with kiosk.store.read() as db:
        assert [row.seq for row in outbox.rows(db)] == [2]


@pytest.mark.parametrize("name", ["centre.db", "centre.db-wal", "centre.db.keys", "centre.db.opened", ""])
def test_a_backup_over_the_centres_own_files_is_refused(centre: Centre, tmp_path: Path, name: str):
    with pytest.raises(StoreError, match="a backup cannot be written there"):
        back_up(centre.store, tmp_path / name if name else tmp_path)


def test_a_backup_that_cannot_be_written_leaves_the_last_one_alone(centre: Centre, tmp_path: Path):
    with pytest.raises(StoreError, match="no backup was made"):
        back_up(centre.store, tmp_path / "nowhere" / "backup.db")
    before = backed_up(centre, tmp_path).read_bytes()

    def copy_damaged(file: Path, look: Callable[[ReadTransaction], object]) -> object:
        file.write_bytes(b"not a database" * 100)
        return verify_copy(file, look)

    centre.store.copy_to = copy_damaged  # type: ignore[method-assign]
    with pytest.raises(StoreError, match="no backup was made"):
        back_up(centre.store, tmp_path / "backup.db")
    assert (tmp_path / "backup.db").read_bytes() == before
    assert sorted(path.name for path in tmp_path.glob("backup*")) == ["backup.db"]


def test_a_backup_is_recognised_without_any_mark_since(centre: Centre, tmp_path: Path):
    update_marker(centre.store)
    backup = backed_up(centre, tmp_path)
    before = centre.rows("select server_incarnation from incarnation")
    centre.restore(backup)
    assert centre.rows("select server_incarnation from incarnation") != before


# Queue numbers and prefixes from the part that a restore lost.


def number_at_the_desk(centre: Centre, patient_id: str) -> str:
    for action_type in ("scan_nfc", "register", "confirm_arrival"):
        assert centre.staff(action_type, patient_id).done
    return centre.journey(patient_id).entries[-1].queue_number


def test_no_number_that_the_centre_gave_comes_again_however_often_it_is_restored_that_day(
    centre: Centre, tmp_path: Path
):
    backup = backed_up(centre, tmp_path)
    given = []
    for _ in range(3):
        given += [number_at_the_desk(centre, patient_id) for patient_id in ("P1", "P2")]
        centre.time.pass_minutes(1)
        centre.restore(backup)
    # At nine, five hours after the day's beginning.
    assert given == ["C-001", "C-002", "C-3613", "C-3614", "C-3625", "C-3626"]
    centre.time.pass_minutes(24 * 60)
    assert number_at_the_desk(centre, "P3") == "C-001"


def test_a_count_that_is_higher_already_continues(centre: Centre, tmp_path: Path):
    with centre.store.write() as db:
        db.execute("insert into counters values ('queue_number C', '2026-03-02', 9000)")
    centre.restore(backed_up(centre, tmp_path))
    assert number_at_the_desk(centre, "P1") == "C-9001"


def test_a_kiosk_enrolled_after_a_restore_gets_no_prefix_that_a_lost_kiosk_may_have(centre: Centre, tmp_path: Path):
    backup = backed_up(centre, tmp_path)
    assert [centre.enrol(wish).ticket_prefix for wish in ("", "L")] == ["A", "L"]
    centre.restore(backup)
    given = [centre.enrol(wish).ticket_prefix for wish in ("", "L", "", "M")]
    assert [len(prefix) for prefix in given] == [3, 3, 3, 3]
    assert len(set(given)) == 4
    centre.time.pass_minutes(48 * 60)
    assert [centre.enrol(wish).ticket_prefix for wish in ("L", "")] == ["L", "A"]


def test_a_restored_database_without_a_hospital_has_no_numbers_to_skip(tmp_path: Path):
    store = SqliteStore(f"sqlite:///{tmp_path}/empty.db")
    first = open_incarnation(store)
    marker_path(store.path).unlink()
    assert open_incarnation(store) != first
    with store.read() as db:
        assert db.rows("select * from counters where name like 'queue_number%'") == []
    store.close()


# A record that a centre always fails on.


class Choking(Wire):
    """A wire to a centre that fails on one action, in any batch."""

    on = ""
    answer: CallRefused | NoAnswer = CallRefused(code=EndCode.MALFORMED, error="no")

    def push(self, request: PushRequest, _: object = None) -> Accepted[PushAnswer] | CallRefused | NoAnswer:
        if any(self.on.encode() in bytes(pushed.body) for pushed in request.actions):
            return self.answer
        return super().push(request)


def choking(kiosk: Kiosk, seq: int) -> Choking:
    with kiosk.store.read() as db:
        action_id = next(row.action_id for row in outbox.rows(db) if row.seq == seq)
    wire = Choking(kiosk.centre, kiosk.wire.kiosk_id)
    wire.on = action_id
    kiosk.wire = kiosk.pusher.client = wire  # type: ignore[assignment]
    return wire


@pytest.mark.parametrize(
    "answer",
    [CallRefused(code=EndCode.MALFORMED, error="no"), NoAnswer("HTTP 500", status=500)],
    ids=["malformed", "500"],
)
def test_one_bad_record_is_set_aside_unread_and_holds_back_no_other(
    centre: Centre, kiosk: Kiosk, answer: CallRefused | NoAnswer
):
    kiosk.tap("P1")
    kiosk.tap("P2")
    with kiosk.store.write() as db:
        rewrite_last(db, site_day="yesterday")
    kiosk.act("P2", "register")
    choking(kiosk, 2).answer = answer
    steps = 0
    while kiosk.parts.pending():
        kiosk.pusher.run_once()
        centre.time.pass_minutes(1)
        steps += 1
        assert steps < 40
    assert verdicts(kiosk) == [("applied", "ok"), ("needs_staff", "quarantined"), ("needs_staff", "not_allowed")]
    quarantined = centre.rows("select reason, body from quarantine")[0]
    assert quarantined["reason"] == "site_day is no date"
    assert "scan_nfc" in str(quarantined["body"])
    assert sorted(centre.open_cases()) == ["not_allowed", "quarantined"]


def test_a_centre_that_fails_for_a_while_sets_no_healthy_action_aside(centre: Centre, kiosk: Kiosk):
    """The action goes unread meanwhile, or is parked. Either way it is judged like any other in the end."""
    kiosk.tap("P1")
    wire = choking(kiosk, 1)
    wire.answer = NoAnswer("HTTP 500", status=500)
    for _ in range(50):
        kiosk.pusher.run_once()
        centre.time.pass_minutes(1)
    kiosk.connect()
    kiosk.sync()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)
    assert "quarantined" not in centre.open_cases()


@pytest.mark.parametrize(
    "answer", [NoAnswer("ConnectionError"), NoAnswer("HTTP 502", status=502)], ids=["none", "proxy"]
)
def test_where_no_push_passes_nothing_goes_unread_and_nothing_is_parked(centre: Centre, kiosk: Kiosk, answer: NoAnswer):
    kiosk.tap("P1")
    wire = choking(kiosk, 1)
    wire.on, wire.answer = "", answer
    kiosk.wire.lose_requests = 10_000
    for _ in range(50):
        assert kiosk.pusher.run_once().failed
        centre.time.pass_minutes(1)
    assert kiosk.parts.pending() == 1
    assert centre.rows("select * from receipts") == []
    (pushed,) = kiosk.ledger.batch(10, None)
    assert pushed.opaque is None
    backlog = kiosk.ledger.backlog()
    assert backlog is not None
    assert backlog.parked == 0


def test_a_record_that_the_centre_had_judged_after_all_keeps_its_verdict(centre: Centre, kiosk: Kiosk):
    """The centre commits each time, and fails while it answers."""
    kiosk.tap("P1")
    kiosk.wire.lose_replies = 1
    kiosk.pusher.run_once()
    choking(kiosk, 1)
    while kiosk.parts.pending():
        kiosk.pusher.run_once()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)
    assert centre.open_cases() == []


def test_an_unread_record_whose_receipt_was_lost_with_its_epoch_keeps_its_verdict(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    kiosk.wire.lose_replies = 1
    kiosk.pusher.run_once()
    with centre.store.write() as db:
        db.execute("update kiosks set epoch = 2")
    kiosk.ledger.start_epoch(2)
    choking(kiosk, 1)
    while kiosk.parts.pending():
        kiosk.pusher.run_once()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)


def test_a_record_that_is_no_json_any_more_is_set_aside_at_once_and_its_chain_continues(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    kiosk.tap("P2")
    with kiosk.store.write() as db:
        db.execute("update outbox set body = ? where seq = 1", (b'{"torn": ',))
    assert not kiosk.pusher.run_once().failed
    assert verdicts(kiosk) == [("needs_staff", "quarantined"), ("applied", "ok")]
    assert centre.rows("select body from quarantine") == [{"body": '{"torn": '}]


@pytest.mark.parametrize("answer", [CallRefused(code=EndCode.MALFORMED, error="no"), NoAnswer("HTTP 500", status=500)])
def test_an_action_that_came_unread_is_judged_like_any_other(
    centre: Centre, kiosk: Kiosk, answer: CallRefused | NoAnswer
):
    """The centre had failed for a while. The action itself was always sound."""
    kiosk.check_in("P1")
    choking(kiosk, 2).answer = answer
    while kiosk.parts.pending():
        kiosk.pusher.run_once()
        centre.time.pass_minutes(1)
    assert verdicts(kiosk) == [("applied", "ok")] * 3
    assert centre.open_cases() == []
    kiosk.pull()
    assert kiosk.base("P1") == centre.journey("P1")
    assert centre.journey("P1").state == "WAITING"


@pytest.mark.parametrize("changes", [{"seq": 2}, {"action_id": "01a20c3f-e65d-788c-94db-1025a23ae009"}, {"epoch": 2}])
def test_an_unread_record_that_names_another_action_is_set_aside(
    centre: Centre, kiosk: Kiosk, changes: dict[str, object]
):
    intent = intent_of(kiosk)
    body = base64.b64encode(canonical(msgspec.structs.replace(intent, **changes))).decode()
    sent = Pushed("of its own", msgspec.Raw(b"null"), opaque=Opaque(1, intent.action_id, body))
    for _ in range(2):
        answer = push(centre, kiosk, [sent])
        assert isinstance(answer, PushAnswer)
        assert [(row.action_id, row.code) for row in answer.verdicts] == [(intent.action_id, "quarantined")]
    assert centre.journey("P1").state == "UNREGISTERED"
    assert centre.open_cases() == ["quarantined"]


def test_an_unread_record_that_is_not_what_was_chained_is_set_aside(centre: Centre, kiosk: Kiosk):
    """A byte that flipped on the kiosk's disk may leave a valid intent of another patient."""
    (action_id,) = kiosk.tap("P1").action_ids  # type: ignore[union-attr]
    with kiosk.store.write() as db:
        db.execute("update outbox set body = cast(replace(cast(body as text), '\"P1\"', '\"P2\"') as blob)")
        assert b'"P2"' in db.execute("select body from outbox").fetchone()[0]
    kiosk.sync()
    assert kiosk.last() == (Verdict.NEEDS_STAFF, Code.QUARANTINED)
    assert [centre.journey(each).state for each in ("P1", "P2")] == ["UNREGISTERED"] * 2
    with centre.store.write() as db:
        db.execute("update kiosks set epoch = 2")
    with kiosk.store.write() as db:
        db.execute("update outbox set status = 'pending'")
    kiosk.ledger.start_epoch(2)
    kiosk.sync()
    assert kiosk.last() == (Verdict.NEEDS_STAFF, Code.QUARANTINED), action_id
    assert centre.journey("P2").state == "UNREGISTERED"


def test_an_action_that_came_unread_is_the_same_action_when_it_comes_in_readable_form(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    with kiosk.store.write() as db:
        rewrite_last(db, site_day="yesterday")
    choking(kiosk, 1)
    while kiosk.parts.pending():
        kiosk.pusher.run_once()
    kiosk.connect()
    with kiosk.store.write() as db:
        db.execute("update outbox set status = 'pending'")
    with centre.store.write() as db:
        db.execute("update kiosks set epoch = 2")
    kiosk.ledger.start_epoch(2)
    kiosk.sync()
    assert kiosk.last() == (Verdict.NEEDS_STAFF, Code.QUARANTINED)
    assert len(centre.rows("select * from quarantine")) == 1
