"""Two hospitals of one name, where other people bear the same ids: nothing of the one ever counts at the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kiosk.journey.ledger import WouldLose
from kiosk.store import outbox
from sync.agent.steps import OTHER_SITE, Pusher
from sync.central.imports.whole import read_hospital, take_hospital
from sync.central.kiosks.enrolment import enrol_kiosk, new_code
from sync.central.kiosks.take_in import OtherSite, take_in
from sync.central.maintenance.backup import back_up
from sync.central.maintenance.incarnation import open_incarnation
from sync.central.records.kiosks import revoke_kiosk
from sync.protocol import (
    CallRefused,
    Code,
    EndCode,
    Enrolment,
    EnrolRequest,
    PullAnswer,
    PullRequest,
    Pushed,
    Verdict,
    VerdictRow,
)
from sync.set_aside import SetAside, read_lines
from tests.sync.central.two_stores.acts import builtins, chained, intent_of, push
from tests.sync.central.wire import EVERYTHING, Centre, Kiosk, hospital


@pytest.fixture
def elsewhere(tmp_path: Path, centre: Centre) -> Iterator[Centre]:
    """Another hospital, filled by the same document."""
    directory = tmp_path / "elsewhere"
    directory.mkdir()
    made = Centre(directory / "centre.db", centre.time)
    open_incarnation(made.store)
    assert made.site_id != centre.site_id
    yield made
    made.store.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "old.aside"


def move(kiosk: Kiosk, to: Centre, file: Path | None = None) -> None:
    """Enrols a kiosk at another centre."""
    kiosk.ledger.enrol(to.enrol("A", EVERYTHING), file)
    kiosk.centre = to
    kiosk.connect()


def actions_in(file: Path) -> tuple[SetAside, ...]:
    return read_lines(file.read_bytes().splitlines(keepends=True)).actions


def taken_in(centre: Centre, actions: tuple[SetAside, ...]) -> list[tuple[str, str]]:
    with centre.store.write() as db:
        return [(row.verdict, row.code) for row in take_in(db, centre.parts, actions)]


def moved(centre: Centre) -> list[str]:
    """The actions that moved a journey at a centre."""
    rows = centre.rows("select action_id from transitions where trigger_type <> 'queue_sync' order by action_id")
    return [str(row["action_id"]) for row in rows]


def untouched(centre: Centre) -> list[object]:
    """Everything that a call of a kiosk could change."""
    tables = ("kiosks", "chains", "receipts", "verdicts", "exceptions", "audit", "transitions", "incarnation")
    return [centre.rows(f"select * from {table}") for table in tables]


def test_the_id_of_a_site_stays_through_imports_backups_and_restores(centre: Centre, tmp_path: Path):
    before = centre.site_id
    with centre.store.write() as db:
        take_hospital(db, centre.definitions, centre.parts.keys, read_hospital(hospital()), centre.time())
    back_up(centre.store, tmp_path / "backup.db")
    centre.restore(tmp_path / "backup.db")
    assert centre.site_id == before


def test_a_kiosk_that_reaches_another_hospitals_centre_changes_nothing_there_and_nothing_here(
    centre: Centre, kiosk: Kiosk, elsewhere: Centre
):
    move(Kiosk(kiosk.path.with_name("E.db"), elsewhere, "E", EVERYTHING), elsewhere)  # a kiosk of the same id
    kiosk.check_in("P1")
    identity, before = kiosk.journeys.identity, untouched(elsewhere)
    kiosk.centre = elsewhere
    kiosk.connect()
    steps = [kiosk.pusher.run_once(), kiosk.puller.run_once(), kiosk.pusher.run_once()]
    assert [(step.failed, step.reached, step.reason) for step in steps] == [(True, False, OTHER_SITE)] * 3
    assert untouched(elsewhere) == before
    assert (kiosk.journeys.identity, kiosk.parts.pending()) == (identity, 3)
    kiosk.centre = centre
    kiosk.connect()
    kiosk.sync()
    assert [status for _, status, _ in kiosk.statuses()] == ["applied"] * 3


def test_an_intent_of_another_site_is_for_staff_and_never_a_patients_whatever_its_chain(centre: Centre, kiosk: Kiosk):
    foreign = intent_of(kiosk, site_id="01900000-0000-7000-8000-0000000000b2")
    own = intent_of(
        kiosk,
        seq=2,
        action_id="01a20c3f-e65d-788c-94db-1025a23ae0a1",
        visit_id="01a20c3f-e65d-788c-94db-1025a23ae0a2",
        patient_id="P2",
    )
    answer = push(centre, kiosk, chained([builtins(foreign), builtins(own)]))
    assert not isinstance(answer, CallRefused)
    assert [(row.verdict, row.code) for row in answer.verdicts] == [
        (Verdict.NEEDS_STAFF, Code.QUARANTINED),
        (Verdict.APPLIED, Code.OK),
    ]
    assert moved(centre) == [own.action_id]
    (row,) = centre.rows("select reason from quarantine")
    assert row["reason"] == "it belongs to another site"
    for how in ("apply", "reassign"):
        assert not centre.settle(how, patient_id="P1").done
    assert moved(centre) == [own.action_id]


@pytest.mark.parametrize("kept", [0, 3])
def test_the_other_centre_refuses_a_kiosk_that_keeps_actions_and_the_code_stays_good(
    centre: Centre, elsewhere: Centre, kept: int
):
    with elsewhere.store.write() as db:
        code = new_code(db, elsewhere.time())
    request = EnrolRequest(code=code, site_id=centre.site_id, kept=kept)
    outcome = enrol_kiosk(elsewhere.parts, request, "127.0.0.1")
    if kept:
        assert isinstance(outcome, CallRefused)
        assert outcome.code is EndCode.OTHER_SITE
        outcome = enrol_kiosk(elsewhere.parts, msgspec.structs.replace(request, kept=0), "127.0.0.1")
    assert isinstance(outcome, Enrolment)
    assert outcome.site_id == elsewhere.site_id


def test_a_kiosk_that_is_enrolled_again_at_its_own_site_may_keep_actions(centre: Centre):
    with centre.store.write() as db:
        request = EnrolRequest(code=new_code(db, centre.time()), site_id=centre.site_id, kept=3)
    assert isinstance(enrol_kiosk(centre.parts, request, "127.0.0.1"), Enrolment)


def test_three_check_ins_of_one_hospital_never_reach_another_and_end_at_their_own(
    centre: Centre, kiosk: Kiosk, elsewhere: Centre, file: Path
):
    for patient_id in ("P1", "P2", "P3"):
        kiosk.check_in(patient_id)
    done = [row.action_id for row in rows(kiosk)]
    with pytest.raises(WouldLose, match=rf"keeps {len(done)} actions of .* {len(done)} of them were not sent"):
        move(kiosk, elsewhere)
    assert [row.action_id for row in rows(kiosk)] == done
    move(kiosk, elsewhere, file)
    assert rows(kiosk) == []
    kiosk.sync()
    kiosk.tap("P1")
    kiosk.push()
    theirs = [row.action_id for row in rows(kiosk)]
    assert moved(elsewhere) == theirs
    with pytest.raises(OtherSite, match="the file holds actions of"):
        taken_in(elsewhere, actions_in(file))
    for _ in range(2):
        assert taken_in(centre, actions_in(file)) == [("applied", "ok")] * len(done)
    assert moved(centre) == sorted(done)
    assert moved(elsewhere) == theirs


def rows(kiosk: Kiosk) -> list[outbox.OutboxRow]:
    with kiosk.store.read() as db:
        return outbox.rows(db)


def test_what_the_kiosk_had_sent_in_part_is_not_done_again(centre: Centre, kiosk: Kiosk, elsewhere: Centre, file: Path):
    kiosk.check_in("P1")
    kiosk.pusher.limit = 1
    kiosk.wire.lose_replies = 1
    kiosk.pusher.run_once()  # judged, and the answer is lost
    move(kiosk, elsewhere, file)
    with centre.store.write() as db:
        revoke_kiosk(db, "kiosk-1", centre.time())
    assert taken_in(centre, actions_in(file)) == [("applied", "ok")] * 3
    assert len(moved(centre)) == 3


def test_a_disk_that_is_set_back_after_its_actions_were_taken_in_gets_their_verdicts(
    centre: Centre, kiosk: Kiosk, file: Path
):
    kiosk.check_in("P1")
    kiosk.ledger.set_aside(file)
    assert taken_in(centre, actions_in(file)) == [("applied", "ok")] * 3
    kiosk.check_in("P2")
    kiosk.sync()
    assert [(status, code) for _, status, code in kiosk.statuses()] == [("applied", "ok")] * 6
    assert len(moved(centre)) == 6
    assert taken_in(centre, actions_in(file)) == [("applied", "ok")] * 3


def test_actions_of_a_kiosk_that_a_restored_centre_does_not_know_are_taken_in(
    centre: Centre, tmp_path: Path, file: Path
):
    back_up(centre.store, tmp_path / "backup.db")
    late = Kiosk(tmp_path / "L.db", centre, "L", EVERYTHING)
    late.pull()
    late.check_in("P1")
    late.sync()
    late.ledger.set_aside(file)
    centre.restore(tmp_path / "backup.db")
    assert centre.rows("select * from kiosks") == []
    assert taken_in(centre, actions_in(file)) == [("applied", "ok")] * 3


def test_a_damaged_record_in_a_file_is_for_staff_once_and_the_others_are_judged(
    centre: Centre, kiosk: Kiosk, file: Path
):
    kiosk.tap("P1")
    kiosk.tap("P2")
    with kiosk.store.write() as db:
        db.execute("update outbox set body = ? where seq = 1", (b"\xff no text",))
    kiosk.ledger.set_aside(file)
    expected = [("needs_staff", "quarantined"), ("applied", "ok")]
    assert taken_in(centre, actions_in(file)) == expected
    assert taken_in(centre, actions_in(file)) == expected
    assert centre.open_cases() == ["quarantined"]


def test_a_kiosk_that_comes_back_leaves_each_hospital_its_own_actions(
    centre: Centre, kiosk: Kiosk, elsewhere: Centre, file: Path
):
    kiosk.tap("P1")
    here = [row.action_id for row in rows(kiosk)]
    move(kiosk, elsewhere, file)
    kiosk.sync()
    kiosk.tap("P2")
    there = [row.action_id for row in rows(kiosk)]
    theirs = file.with_name("theirs.aside")
    move(kiosk, centre, theirs)
    kiosk.pull()
    kiosk.tap("P3")
    here += [row.action_id for row in rows(kiosk)]
    kiosk.sync()
    assert taken_in(centre, actions_in(file)) == [("applied", "ok")]
    assert taken_in(elsewhere, actions_in(theirs)) == [("applied", "ok")]
    assert (moved(centre), moved(elsewhere)) == (sorted(here), there)


class MovesMeanwhile:
    """A ledger whose kiosk goes to another site just before a batch is read."""

    def __init__(self, kiosk: Kiosk, to: Centre, file: Path) -> None:
        self._kiosk, self._to, self._file = kiosk, to, file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kiosk.ledger, name)

    def batch(self, limit: int, expected_seq: int | None) -> list[Pushed]:
        self._kiosk.ledger.enrol(self._to.enrol("A", EVERYTHING), self._file)
        self._kiosk.check_in_unknown("a card")
        return self._kiosk.ledger.batch(limit, expected_seq)


def test_a_batch_that_is_read_during_a_move_is_not_sent_to_the_old_site(
    centre: Centre, kiosk: Kiosk, elsewhere: Centre, file: Path
):
    kiosk.tap("P1")
    before = untouched(centre)
    pusher = Pusher(MovesMeanwhile(kiosk, elsewhere, file), kiosk.wire)  # type: ignore[arg-type]
    assert pusher.run_once().again
    assert untouched(centre) == before
    kiosk.centre = elsewhere
    kiosk.connect()
    kiosk.push()
    assert [status for _, status, _ in kiosk.statuses()] == ["needs_staff"]


def test_answers_of_the_old_site_that_come_after_a_move_change_nothing(
    centre: Centre, kiosk: Kiosk, elsewhere: Centre, file: Path
):
    """The move comes while the calls are under way. Both sites call the kiosk by the same id."""
    kiosk.tap("P1")
    kiosk.ledger.adopt(kiosk_page(kiosk, cursor=0))
    late_page = kiosk_page(kiosk, cursor=0)
    action_id = rows(kiosk)[0].action_id
    move(kiosk, elsewhere, file)
    before = kiosk.journeys.identity
    assert before is not None
    assert kiosk.ledger.adopt(late_page) is None
    verdict = VerdictRow(action_id=action_id, seq=1, verdict=Verdict.APPLIED, code=Code.OK)
    assert kiosk.ledger.retire([verdict], 7, epoch=1, site_id=centre.site_id) == frozenset()
    assert kiosk.ledger.end(centre.site_id) == frozenset()
    kiosk.ledger.start_epoch(9, centre.site_id)
    assert kiosk.journeys.identity == before


def kiosk_page(kiosk: Kiosk, cursor: int) -> PullAnswer:
    """A page that the kiosk's present centre gives."""
    identity = kiosk.journeys.identity
    assert identity is not None
    request = PullRequest(
        protocol_version=2,
        site_id=identity.site_id,
        kiosk_id=identity.kiosk_id,
        epoch=identity.epoch,
        cursor=cursor,
    )
    page = kiosk.centre.pull(identity.kiosk_id, request)
    assert isinstance(page, PullAnswer)
    return page
