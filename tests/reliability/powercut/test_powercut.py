"""A power cut at any moment loses no acknowledged action, and leaves none in part: at the kiosk and at the centre."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reliability import preload
from tests.reliability.powercut import journal
from tests.reliability.powercut.cuts import Options, Plan, Run, choose, cut_everywhere, findings, record
from tests.reliability.powercut.examine import Finding
from tests.reliability.powercut.journal import Kind
from tests.reliability.powercut.marks import history
from tests.reliability.powercut.medium import Disk, Medium
from tests.reliability.powercut.subjects import SUBJECTS
from tests.unmeasured import unmeasured

LONG = bool(os.environ.get("LONG"))
STEPS = 250
CUTS = {"kiosk": 150, "centre": 75}
SEED = 20260302

pytestmark = pytest.mark.timeout(1800 if LONG else 60)
both_ends = pytest.mark.parametrize(
    "of", [pytest.param(of, marks=pytest.mark.xdist_group(f"cut {of}")) for of in SUBJECTS]
)


class Recordings:
    """Recorded lives of a store. Each is recorded at its first use."""

    def __init__(self, library: Path, place: Path) -> None:
        self._library, self._place = library, place
        self._kept: dict[Run, Path] = {}

    def of(self, of: str, synchronous: str = "full", faulty: bool = False) -> Path:
        """The directory of a recording, with the `journal` and the final files (`watched`)."""
        run = Run(of, SEED, STEPS, synchronous, faulty)
        if run not in self._kept:
            self._kept[run] = self._place / f"{len(self._kept)}"
            record(self._library, self._kept[run], run)
        return self._kept[run]

    def cut(
        self, of: str, count: int, synchronous: str = "full", careless: bool = False, faulty: bool = False
    ) -> list[Finding]:
        """Cuts a recorded life `count` times."""
        kept = self.of(of, synchronous, faulty) / "journal"
        plan = Plan(Run(of, SEED, STEPS, synchronous, faulty), kept, careless)
        with unmeasured():
            return findings(plan, choose(plan, count), self._place)


@pytest.fixture(scope="module")
def recordings(watched_disk: Path) -> Iterator[Recordings]:
    with tempfile.TemporaryDirectory(prefix="nfc-kiosk-", dir=preload.in_memory()) as made:
        yield Recordings(watched_disk, Path(made))


@both_ends
def test_the_journal_replayed_to_its_end_gives_the_very_files(recordings: Recordings, of: str):
    kept = recordings.of(of)
    events = journal.read(kept / "journal")
    disk = Disk(Medium(), "whole")
    for event in events:
        disk.apply(event)
    assert disk.now() == {path.name: path.read_bytes() for path in (kept / "watched").iterdir()}
    kinds = {event.kind for event in events}
    assert kinds == {*Kind}
    main = next(event.file for event in events if event.payload == SUBJECTS[of].database.encode())
    checkpoints = [event for event in events if event.kind is Kind.SYNCED and event.file == main]
    assert len(checkpoints) >= 10


def test_a_journal_that_ends_within_a_record_or_begins_too_late_is_none(recordings: Recordings, tmp_path: Path):
    whole, part = (recordings.of("kiosk") / "journal").read_bytes(), tmp_path / "part"
    part.write_bytes(whole[:-30])
    with pytest.raises(ValueError, match="within a record"):
        journal.read(part)
    _, _, _, _, first = journal.RECORD.unpack_from(whole)
    _, _, _, _, second = journal.RECORD.unpack_from(whole, journal.RECORD.size + first)
    part.write_bytes(whole[2 * journal.RECORD.size + first + second :])  # without the creation of lock and database
    with pytest.raises(ValueError, match="without an event of its creation"):
        journal.read(part)


@both_ends
@pytest.mark.parametrize(
    ("careless", "faulty"),
    [(False, False), (True, False), (False, True)],
    ids=["small tears", "whole sectors ruined", "a disk that also fails now and then"],
)
def test_no_acknowledged_action_is_lost_and_none_is_there_in_part(
    recordings: Recordings, of: str, careless: bool, faulty: bool
):
    if LONG:
        with tempfile.TemporaryDirectory(dir=preload.in_memory()) as made:
            count = 10_000 if of == "kiosk" and not careless and not faulty else 2_000
            found = cut_everywhere(Path(made), Options(count, of, SEED, careless=careless, faulty=faulty))
    else:
        found = recordings.cut(of, CUTS[of], careless=careless, faulty=faulty)
    assert [finding for finding in found if finding.lost or finding.fault] == []


@both_ends
def test_what_a_failing_disk_refuses_changes_nothing(recordings: Recordings, of: str):
    marks = history(journal.read(recordings.of(of, faulty=True) / "journal"))
    refused = [n for n, step in enumerate(marks.steps) if step.refused and step.kind != "restart"]
    assert len(refused) >= 5
    assert [marks.held[n] for n in refused] == [marks.held[n - 1] for n in refused]


@both_ends
def test_after_a_failed_sync_nothing_is_added_to_that_log(recordings: Recordings, of: str):
    """The kernel counts the log's pages as clean. So the log is emptied and begins again, or is written to a new
    file."""
    events = journal.read(recordings.of(of, faulty=True) / "journal")
    log = f"{SUBJECTS[of].database}-wal".encode()
    logs = {event.file for event in events if event.kind is Kind.CREATED and event.payload in (log, log + b".new")}
    failed, new_logs = 0, 0
    for event in (event for event in events if event.file in logs):
        if event.kind is Kind.SYNCED and event.error:
            failed = event.file
        elif event.kind is Kind.WRITTEN and failed:
            assert event.offset == 0 or event.file != failed
            failed, new_logs = 0, new_logs + 1
    assert new_logs


@both_ends
def test_without_a_sync_at_each_commit_the_same_cuts_lose_what_was_acknowledged(recordings: Recordings, of: str):
    found = recordings.cut(of, 60, "normal")
    assert sum(finding.lost for finding in found) > 60
    assert {finding.fault for finding in found} == {""}  # the log is short, but its content is whole


@both_ends
def test_without_any_sync_the_same_cuts_damage_the_database(recordings: Recordings, of: str):
    faults = Counter(finding.fault.split(":")[0] for finding in recordings.cut(of, 40, "off"))
    assert faults["the store does not open"] >= 3
