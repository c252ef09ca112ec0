"""A power cut at any moment costs nothing that was acknowledged, and leaves nothing by half."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from tests.reliability.powercut import journal
from tests.reliability.powercut.cuts import Asked, Plan, choose, cut_everywhere, findings, record
from tests.reliability.powercut.examine import Finding
from tests.reliability.powercut.journal import Kind
from tests.reliability.powercut.medium import Disk, Medium

LONG = bool(os.environ.get("LONG"))
STEPS = 250
SEED = 20260302


def cut(library: Path, place: Path, synchronous: str, count: int, careless: bool = False) -> list[Finding]:
    kept = record(library, place / "run", STEPS, SEED, synchronous)
    return findings(Plan(kept, SEED, careless), choose(journal.read(kept), count, SEED), place)


def test_the_journal_replayed_to_its_end_gives_the_very_files(watched_disk: Path, in_memory: Path):
    events = journal.read(record(watched_disk, in_memory, STEPS, SEED))
    disk = Disk(Medium(), "whole")
    for event in events:
        disk.apply(event)
    there = {path.name: path.read_bytes() for path in (in_memory / "watched").iterdir()}
    assert disk.now() == there
    kinds = Counter(event.kind for event in events)
    assert kinds.keys() == {*Kind} - {Kind.RENAMED}
    main = next(event.file for event in events if event.payload == b"kiosk.db")
    checkpoints = [event for event in events if event.kind is Kind.SYNCED and event.file == main]
    assert len(checkpoints) >= 10


def test_a_journal_that_ends_within_a_record_or_begins_too_late_is_none(watched_disk: Path, in_memory: Path):
    kept = record(watched_disk, in_memory, 3, SEED)
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-30])
    with pytest.raises(ValueError, match="within a record"):
        journal.read(kept)
    _, _, _, _, length = journal.RECORD.unpack_from(whole)
    _, _, _, _, second = journal.RECORD.unpack_from(whole, journal.RECORD.size + length)
    kept.write_bytes(whole[2 * journal.RECORD.size + length + second :])  # without the lock's and the database's making
    with pytest.raises(ValueError, match="never saw made"):
        journal.read(kept)


@pytest.mark.timeout(1800 if LONG else 60)
@pytest.mark.parametrize("careless", [False, True], ids=["small tears", "whole sectors ruined"])
def test_nothing_acknowledged_is_lost_and_nothing_is_there_by_half(watched_disk: Path, in_memory: Path, careless: bool):
    if LONG:
        found = cut_everywhere(in_memory, Asked(careless=careless))
    else:
        found = cut(watched_disk, in_memory, "full", 250, careless)
    assert [finding for finding in found if finding.lost or finding.fault] == []


def test_without_a_sync_at_each_commit_the_same_cuts_lose_what_was_acknowledged(watched_disk: Path, in_memory: Path):
    found = cut(watched_disk, in_memory, "normal", 60)
    assert sum(finding.lost for finding in found) > 60
    assert {finding.fault for finding in found} == {""}  # the log is short, but what it holds is whole


def test_without_any_sync_the_same_cuts_damage_the_database(watched_disk: Path, in_memory: Path):
    faults = Counter(finding.fault.split(":")[0] for finding in cut(watched_disk, in_memory, "off", 30))
    assert faults["the store does not open"] > 10
