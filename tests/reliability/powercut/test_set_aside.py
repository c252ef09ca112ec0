"""The file of actions set aside is durable, with its name, before the commit that removes them from the database."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.reliability import preload
from tests.reliability.powercut import journal
from tests.reliability.powercut.journal import Event, Kind
from tests.reliability.powercut.kiosk_walk import DATABASE

HOUSE = Path(__file__).resolve().parents[3]
MOVES = """
import sys
from pathlib import Path
from tests.kiosk import samples
from tests.reliability.preload import mark

directory = Path(sys.argv[1])
kiosk = samples.enrolled(directory, samples.Clock())
for number in (1, 2, 3):
    kiosk.journeys.tap(samples.cards(number), ("scan_nfc",))
mark("moves")
kiosk.ledger.enrol(samples.enrolment(site_id="01900000-0000-7000-8000-0000000000b2"), directory / "old.aside")
mark("moved")
"""


def recorded(library: Path, directory: Path) -> list[Event]:
    """The calls of a kiosk that goes to another site, from the beginning of the move to its return."""
    watched, kept = directory / "watched", directory / "journal"
    watched.mkdir()
    environment = preload.environment(library, watched, kept)
    subprocess.run([sys.executable, "-c", MOVES, str(watched)], env=environment, cwd=HOUSE, check=True)
    events = journal.read(kept)
    begin, end = (n for n, event in enumerate(events) if event.kind is Kind.MARKED)
    log = next(event.file for event in events if event.payload == f"{DATABASE}-wal".encode())
    return [event for event in events[begin:end] if event.file != log or event.kind is not Kind.TRUNCATED]


def test_the_file_and_its_name_are_durable_before_the_actions_leave_the_database(watched_disk: Path, in_memory: Path):
    events = recorded(watched_disk, in_memory)
    file = next(event.file for event in events if event.kind is Kind.CREATED and event.payload == b"old.aside.new")
    written = max(n for n, event in enumerate(events) if event.file == file and event.kind is Kind.WRITTEN)
    synced = [n for n, event in enumerate(events) if event.file == file and event.kind is Kind.SYNCED]
    named = [n for n, event in enumerate(events) if event.kind is Kind.DIRECTORY_SYNCED]
    committed = max(n for n, event in enumerate(events) if event.kind is Kind.SYNCED and event.file != file)
    assert any(written < n < committed for n in synced), "its content could be lost"
    assert any(synced[-1] < n < committed for n in named), "its name could be lost"
    left = [n for n, event in enumerate(events) if event.kind is Kind.WRITTEN and event.file != file]
    assert min(left) > max(named), "the database forgets before the file is safe"
