"""A power cut at any moment costs nothing that was acknowledged, and leaves nothing by half."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reliability import preload
from tests.reliability.powercut import journal
from tests.reliability.powercut.cuts import Asked, Plan, choose, cut_everywhere, findings, record
from tests.reliability.powercut.examine import Finding, history
from tests.reliability.powercut.journal import Kind
from tests.reliability.powercut.medium import Disk, Medium

LONG = bool(os.environ.get("LONG"))
STEPS = 250
SEED = 20260302


class Recordings:
    """Runs of the kiosk, each recorded when it is first asked for."""

    def __init__(self, library: Path, place: Path) -> None:
        self._library, self._place = library, place
        self._kept: dict[tuple[str, bool], Path] = {}

    def run(self, synchronous: str = "full", faulty: bool = False) -> Path:
        """A directory with the `journal`, and the files as they were in the end (`watched`)."""
        kind = synchronous, faulty
        if kind not in self._kept:
            self._kept[kind] = self._place / f"{len(self._kept)}"
            record(self._library, self._kept[kind], STEPS, SEED, synchronous, faulty)
        return self._kept[kind]

    def cut(self, count: int, synchronous: str = "full", careless: bool = False, faulty: bool = False) -> list[Finding]:
        """Cuts such a run that often."""
        kept = self.run(synchronous, faulty) / "journal"
        return findings(Plan(kept, SEED, careless), choose(journal.read(kept), count, SEED), self._place)


@pytest.fixture(scope="module")
def recordings(watched_disk: Path) -> Iterator[Recordings]:
    with tempfile.TemporaryDirectory(prefix="nfc-kiosk-", dir=preload.in_memory()) as made:
        yield Recordings(watched_disk, Path(made))


def test_the_journal_replayed_to_its_end_gives_the_very_files(recordings: Recordings):
    kept = recordings.run()
    events = journal.read(kept / "journal")
    disk = Disk(Medium(), "whole")
    for event in events:
        disk.apply(event)
    assert disk.now() == {path.name: path.read_bytes() for path in (kept / "watched").iterdir()}
    kinds = Counter(event.kind for event in events)
    assert kinds.keys() == {*Kind} - {Kind.RENAMED}
    main = next(event.file for event in events if event.payload == b"kiosk.db")
    checkpoints = [event for event in events if event.kind is Kind.SYNCED and event.file == main]
    assert len(checkpoints) >= 10


def test_a_journal_that_ends_within_a_record_or_begins_too_late_is_none(recordings: Recordings, tmp_path: Path):
    whole, part = (recordings.run() / "journal").read_bytes(), tmp_path / "part"
    part.write_bytes(whole[:-30])
    with pytest.raises(ValueError, match="within a record"):
        journal.read(part)
    _, _, _, _, first = journal.RECORD.unpack_from(whole)
    _, _, _, _, second = journal.RECORD.unpack_from(whole, journal.RECORD.size + first)
    part.write_bytes(whole[2 * journal.RECORD.size + first + second :])  # without the lock's and the database's making
    with pytest.raises(ValueError, match="never saw made"):
        journal.read(part)


@pytest.mark.timeout(1800 if LONG else 60)
@pytest.mark.parametrize(
    ("careless", "faulty"),
    [(False, False), (True, False), (False, True)],
    ids=["small tears", "whole sectors ruined", "a disk that also fails now and then"],
)
def test_nothing_acknowledged_is_lost_and_nothing_is_there_by_half(
    recordings: Recordings, careless: bool, faulty: bool
):
    if LONG:
        with tempfile.TemporaryDirectory(dir=preload.in_memory()) as made:
            found = cut_everywhere(Path(made), Asked(careless=careless, faulty=faulty))
    else:
        found = recordings.cut(200, careless=careless, faulty=faulty)
    assert [finding for finding in found if finding.lost or finding.fault] == []


def test_what_a_failing_disk_refuses_changes_nothing(recordings: Recordings):
    told = history(journal.read(recordings.run(faulty=True) / "journal"))
    refused = [n for n, step in enumerate(told.steps) if step.refused and step.kind != "restart"]
    assert len(refused) >= 5
    assert [told.held[n] for n in refused] == [told.held[n - 1] for n in refused]


def test_after_a_sync_that_failed_nothing_is_added_to_that_log(recordings: Recordings):
    events = journal.read(recordings.run(faulty=True) / "journal")
    logs = {event.file for event in events if event.kind is Kind.CREATED and event.payload == b"kiosk.db-wal"}
    failed, begun_anew = False, 0
    for event in (event for event in events if event.file in logs):
        if event.kind is Kind.SYNCED and event.error:
            failed = True
        elif event.kind is Kind.WRITTEN and failed:
            assert event.offset == 0
            failed, begun_anew = False, begun_anew + 1
    assert begun_anew >= 3


def test_without_a_sync_at_each_commit_the_same_cuts_lose_what_was_acknowledged(recordings: Recordings):
    found = recordings.cut(60, "normal")
    assert sum(finding.lost for finding in found) > 60
    assert {finding.fault for finding in found} == {""}  # the log is short, but what it holds is whole


def test_without_any_sync_the_same_cuts_damage_the_database(recordings: Recordings):
    faults = Counter(finding.fault.split(":")[0] for finding in recordings.cut(40, "off"))
    assert faults["the store does not open"] >= 3
