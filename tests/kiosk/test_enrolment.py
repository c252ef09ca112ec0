"""An enrolment is whole: after any interruption the box is the old kiosk or the new one, and no second code is needed.

The kiosk then has the token and the card keys that belong to its identity.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kiosk.config import Config, check_config
from kiosk.enrolment import EnrolmentFile, PendingEnrolment, describe_failure
from kiosk.journey.ledger import WouldLose
from kiosk.store.site_cards import SiteCards
from kiosk.store.sqlite import Store, peek
from sync.cards import CardKey, CardKeys, read_keys
from sync.protocol import Code, Enrolment, Intent, Verdict, VerdictRow
from sync.set_aside import SetAside, read_lines
from tests.kiosk import samples
from tests.kiosk.parts import KioskParts

FIRST = samples.enrolment()
OTHER_KEYS = CardKeys((CardKey("k2", "22" * 32),))
SECOND = samples.enrolment(kiosk_id="kiosk-2", token="another-token", card_keys=OTHER_KEYS, ticket_prefix="C")

# The seqs of the pending actions: after the judged action, and at the start of the new kiosk's chain.
CHAINS = {"kiosk-1": [("kiosk-1", 1, 2), ("kiosk-1", 1, 3)], "kiosk-2": [("kiosk-2", 1, 1), ("kiosk-2", 1, 2)]}


class Box:
    """A kiosk's directory, opened as the daemon opens it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config: Config = check_config({"store": {"path": str(directory / "kiosk.db")}}, "a test")
        self.open()

    def open(self) -> None:
        self.store = Store(self.config.store_path)
        self.parts = KioskParts(self.store, samples.Clock())
        self.journeys, self.ledger = self.parts.journeys, self.parts.ledger
        self.enrolment = PendingEnrolment(self.config, self.ledger)

    def close(self) -> None:
        self.store.close()

    def begin(self) -> None:
        """Enrols the first kiosk: one action judged, two pending."""
        self.enrolment.complete(FIRST)
        self.ledger.adopt(samples.page(*map(samples.row, (1, 2, 3))))
        for number in (3, 1, 2):
            self.journeys.tap(samples.cards(number), ("scan_nfc",))
        judged = self.ledger.batch(1, None)[0]
        action_id = msgspec.json.decode(judged.body, type=Intent).action_id
        row = VerdictRow(action_id=action_id, seq=1, verdict=Verdict.APPLIED, code=Code.OK, patient_id="P3")
        self.ledger.retire([row])

    def what_it_is(self) -> tuple[str, str, CardKeys]:
        assert self.journeys.identity is not None
        return self.journeys.identity.kiosk_id, self.enrolment.tokens()[0], read_keys(self.config.keys_path)

    def chain(self) -> list[tuple[str, int, int]]:
        bodies = [msgspec.json.decode(pushed.body, type=Intent) for pushed in self.ledger.batch(10, None)]
        return [(body.kiosk_id, body.epoch, body.seq) for body in bodies]

    def files(self) -> set[str]:
        """Returns the endings of the files beside the store."""
        found = {path.name.removeprefix("kiosk.db") for path in self.directory.iterdir()}
        return found - {"", "-wal", "-shm", ".lock"}


def of(enrolment: Enrolment) -> tuple[str, str, CardKeys]:
    return enrolment.kiosk_id, enrolment.token, enrolment.card_keys


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path)
    made.begin()
    yield made
    made.close()


def test_it_becomes_the_kiosk_of_the_answer_and_leaves_nothing_lying(box: Box):
    assert of(FIRST) == box.what_it_is()
    box.enrolment.complete(SECOND)
    assert of(SECOND) == box.what_it_is()
    assert box.chain() == CHAINS["kiosk-2"]
    assert box.files() == {".token", ".keys"}
    assert [path.stat().st_mode & 0o777 for path in (box.config.token_path, box.config.keys_path)] == [0o600] * 2
    box.enrolment.resume()
    assert of(SECOND) == box.what_it_is()


@pytest.mark.parametrize(
    "changes",
    [
        {"definitions": dict(FIRST.definitions) | {"initial": "NOWHERE"}},
        {"definitions": {}},
        {"site": msgspec.structs.replace(samples.SITE, timezone="nowhere")},
        {"card_keys": CardKeys(())},
        {"card_keys": CardKeys((CardKey("k2", "no hex"),))},
    ],
)
def test_an_answer_that_is_of_no_use_changes_nothing_and_is_not_kept(box: Box, changes: dict[str, Any]):
    useless = msgspec.structs.replace(SECOND, **changes)
    with pytest.raises((ValueError, KeyError)) as raised:
        box.enrolment.complete(useless)
    assert of(FIRST) == box.what_it_is()
    assert box.files() == {".token", ".keys"}
    assert not box.enrolment.is_pending(useless)
    assert "use a new code" in describe_failure(raised.value, can_resume=False)
    assert box.chain() == CHAINS["kiosk-1"]
    assert box.parts.patient_of_card(samples.cards(1)) == "P1", "the roster is there"


@pytest.mark.parametrize("ended", [False, True])
def test_a_kiosk_that_is_enrolled_again_under_its_own_id_is_the_one_of_the_answer(box: Box, ended: bool):
    """A restore that the centre did not notice set it back to a time before this kiosk."""
    if ended:
        box.ledger.end()
    again = msgspec.structs.replace(FIRST, token="another", ticket_prefix="Z")
    box.enrolment.complete(again)
    assert of(again) == box.what_it_is()
    assert box.journeys.identity is not None
    assert (box.journeys.identity.ticket_prefix, box.journeys.identity.ended_ms) == ("Z", None)
    assert box.files() == {".token", ".keys"}


def test_a_kiosk_that_goes_on_is_not_erased(box: Box):
    assert not box.enrolment.erase_ended()
    assert box.files() == {".token", ".keys"}
    assert box.parts.patient_of_card(samples.cards(1)) == "P1"


def test_an_ended_kiosk_is_erased_and_a_repeat_does_no_harm(box: Box):
    box.ledger.end()
    for _ in range(2):
        assert box.enrolment.erase_ended()
        assert box.files() == set()
    assert box.parts.pending() == 2
    name = samples.row(3).masked_name.encode()
    assert not [path for path in box.directory.iterdir() if path.is_file() and name in path.read_bytes()]


def test_an_erasure_that_could_not_empty_the_log_is_done_again(box: Box):
    box.ledger.end()
    with peek(box.config.store_path), pytest.raises(sqlite3.OperationalError):
        box.enrolment.erase_ended()
    assert box.enrolment.erase_ended()
    assert box.config.store_path.with_name("kiosk.db-wal").stat().st_size == 0


def test_where_a_secret_cannot_be_written_it_goes_on_as_it_was_and_the_next_start_goes_on(box: Box):
    token = box.config.token_path
    secret = token.read_bytes()
    token.unlink()
    token.mkdir()
    with pytest.raises(IsADirectoryError):
        box.enrolment.complete(SECOND)
    token.rmdir()
    token.write_bytes(secret)
    assert of(FIRST) == box.what_it_is()
    assert box.enrolment.is_pending(SECOND)
    assert box.files() == {".token", ".keys", ".enrolment"}
    assert box.config.enrolment_path.stat().st_mode & 0o777 == 0o600
    box.close()
    box.open()
    box.enrolment.resume()
    assert of(SECOND) == box.what_it_is()
    assert box.files() == {".token", ".keys"}


def test_where_the_store_takes_no_write_it_goes_on_as_it_was(box: Box):
    with box.store.write() as db:
        db.execute(
            "create trigger no_more before insert on identity begin select raise(abort, 'the disk is gone'); end"
        )
    with pytest.raises(sqlite3.Error):
        box.enrolment.complete(SECOND)
    assert of(FIRST) == box.what_it_is()
    assert box.files() == {".token", ".keys", ".enrolment"}
    with box.store.write() as db:
        db.execute("drop trigger no_more")
    box.enrolment.resume()
    assert of(SECOND) == box.what_it_is()


def test_once_the_identity_has_turned_it_does_not_speak_before_the_secrets_have_followed(box: Box):
    """The state after a crash between the two, on a machine where the secrets cannot be written."""
    box.config.enrolment_path.write_bytes(msgspec.json.encode(EnrolmentFile(SECOND)))
    box.ledger.enrol(SECOND)
    keys = box.config.keys_path
    keys.unlink()
    keys.mkdir()
    for attempt in (box.enrolment.resume, box.enrolment.tokens, lambda: box.enrolment.complete(FIRST)):
        with pytest.raises(IsADirectoryError):
            attempt()
    assert box.config.token_path.read_text("utf-8") == FIRST.token
    assert box.enrolment.is_pending(SECOND), "another code must not cost the only copy of the token"
    keys.rmdir()
    assert box.enrolment.tokens() == (SECOND.token,)
    assert of(SECOND) == box.what_it_is()
    assert box.files() == {".token", ".keys"}


def test_an_answer_that_can_no_longer_be_read_stands_in_nobodys_way(box: Box):
    box.config.enrolment_path.write_bytes(b'{"kiosk_id": "kios')
    box.enrolment.resume()
    assert of(FIRST) == box.what_it_is()
    assert not box.enrolment.is_pending(SECOND)
    box.enrolment.complete(SECOND)
    assert of(SECOND) == box.what_it_is()


def test_the_cards_are_known_by_the_new_keys_once_they_are_read_again(box: Box):
    cards = SiteCards(box.config.keys_path)
    assert cards.hashes(samples.uid(1)) == samples.cards(1)
    box.enrolment.complete(SECOND)
    cards.refresh()
    assert cards.hashes(samples.uid(1)) == OTHER_KEYS.hashes(samples.uid(1))


# Kills. The child kills itself, as a power cut would, at the n-th file operation or statement of the store.

CHILD = """
import os, signal, sys
from pathlib import Path
from tests.kiosk.test_enrolment import Box, SECOND

box, left = Box(Path(sys.argv[1])), int(sys.argv[2])

def step(*what):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def asked(event, args):
    written = event == "open" and (args[2] or 0) & (os.O_WRONLY | os.O_RDWR)
    if written or event in ("os.rename", "os.remove"):
        step()

def said(sql):
    if sql.startswith(("begin", "insert into identity", "commit")):
        step()

with box.store.read() as db:
    db.set_trace_callback(said)
sys.addaudithook(asked)
box.enrolment.complete(SECOND)
print("became it", flush=True)
"""


@pytest.mark.processes
def test_killed_at_any_step_it_is_one_kiosk_or_the_other_and_the_next_start_goes_on(tmp_path: Path):
    origin = Box(tmp_path / "origin")
    origin.begin()
    origin.close()
    found: list[str] = []
    for number in range(1, 40):
        place = tmp_path / str(number)
        shutil.copytree(origin.directory, place)
        child = subprocess.run(
            [sys.executable, "-c", CHILD, str(place), str(number)], capture_output=True, text=True, check=False
        )
        if child.returncode == 0:
            break
        assert child.returncode == -signal.SIGKILL, child.stderr
        box = Box(place)
        kept = box.config.enrolment_path.exists()
        box.enrolment.resume()
        was = of(SECOND) if kept or found[-1:] == ["kiosk-2"] else of(FIRST)
        assert box.what_it_is() == was
        assert box.chain() == CHAINS[was[0]]
        assert box.files() - {".enrolment.new"} == {".token", ".keys"}
        found.append(was[0])
        box.close()
    else:
        pytest.fail("it never came to its end")
    # Its file is written and renamed; then two secrets, begin, insert, commit, two renames, and the removal of files.
    assert found == ["kiosk-1"] * 2 + ["kiosk-2"] * (len(found) - 2)
    assert len(found) >= 12


# Another site.

ELSEWHERE = samples.enrolment(
    site_id="01900000-0000-7000-8000-0000000000b2", token="a-token-of-another-hospital", card_keys=OTHER_KEYS
)


def test_a_move_that_would_lose_actions_is_refused_before_anything_is_kept(box: Box):
    with pytest.raises(WouldLose, match=r"keeps 3 actions of 푸른 병원 .* 2 of them were not sent"):
        box.enrolment.complete(ELSEWHERE)
    assert box.what_it_is() == of(FIRST)
    assert box.files() == {".token", ".keys"}
    assert box.chain() == CHAINS["kiosk-1"]


def test_a_move_that_was_interrupted_and_would_lose_actions_by_now_is_given_up(box: Box):
    box.config.enrolment_path.write_bytes(msgspec.json.encode(EnrolmentFile(ELSEWHERE)))
    with pytest.raises(WouldLose) as raised:
        box.enrolment.resume()
    assert "--set-aside" in describe_failure(raised.value, can_resume=False)
    assert box.what_it_is() == of(FIRST)
    assert box.files() == {".token", ".keys"}


def test_after_a_move_nothing_of_the_old_site_is_left_but_the_file(box: Box):
    file = box.directory / "old.aside"
    assert box.enrolment.complete(ELSEWHERE, file) == file
    assert box.what_it_is() == of(ELSEWHERE)
    assert [(each.seq, each.held is not None) for each in set_aside_in(file)] == [(1, True), (2, False), (3, False)]
    with box.store.read() as db:
        for table in ("outbox", "patients", "patient_aliases", "bindings", "entries", "queue_numbers", "number_uses"):
            assert db.execute(f"select count(*) from {table}").fetchone()[0] == 0, table
        assert [row["kind"] for row in db.execute("select kind from audit")] == ["enrolled"]
        assert box.ledger.identity is not None
        assert box.ledger.identity.cursor == 0
    box.ledger.adopt(samples.page(samples.row(1), site_id=ELSEWHERE.site_id))
    box.journeys.tap(samples.cards(1), ("scan_nfc",))
    assert box.chain() == [("kiosk-1", 1, 1)]


def set_aside_in(*files: Path) -> list[SetAside]:
    """The actions of files, each once, in their order."""
    actions = [action for file in files for action in read_lines(file.read_bytes().splitlines(keepends=True)).actions]
    return list({action.action_id: action for action in actions}.values())


@pytest.mark.processes
@pytest.mark.timeout(300)  # a child for each step
def test_a_move_that_is_killed_at_any_step_loses_no_action_and_the_next_start_goes_on(tmp_path: Path):
    origin = Box(tmp_path / "origin")
    origin.begin()
    with origin.store.read() as db:
        owed = {row["action_id"] for row in db.execute("select action_id from outbox")}
    origin.close()
    became: list[str] = []
    script = CHILD.replace("complete(SECOND)", "complete(ELSEWHERE, Path(sys.argv[1]) / 'old.aside')")
    script = script.replace("Box, SECOND", "Box, ELSEWHERE").replace(
        '"insert into identity"', '"delete from outbox", "insert into identity"'
    )
    for number in range(1, 60):
        place = tmp_path / str(number)
        shutil.copytree(origin.directory, place)
        child = subprocess.run(
            [sys.executable, "-c", script, str(place), str(number)], capture_output=True, text=True, check=False
        )
        if child.returncode == 0:
            break
        assert child.returncode == -signal.SIGKILL, child.stderr
        box = Box(place)
        box.enrolment.resume()
        with box.store.read() as db:
            here = {row["action_id"] for row in db.execute("select action_id from outbox")}
        files = [path for path in place.iterdir() if path.name.startswith("old.aside")]
        moved = box.what_it_is() == of(ELSEWHERE)
        assert here == (set() if moved else owed)
        files = files if moved else []  # an enrolment that was never kept may leave a part of a file
        assert moved or box.what_it_is() == of(FIRST)
        if moved:
            assert {action.action_id for action in set_aside_in(*files)} == owed
            assert len(files) == 1, "the same actions are in the same file"
        became.append("elsewhere" if moved else "here")
        box.close()
    else:
        pytest.fail("it never came to its end")
    assert sorted(set(became)) == ["elsewhere", "here"]


# A full disk.


@pytest.mark.disk("2m")
def test_on_a_full_disk_it_goes_on_as_it_was_until_there_is_room(small_disk: Path):
    became: list[str] = []
    for spare in range(24):
        place = small_disk / str(spare)
        place.mkdir()
        box = Box(place)
        box.begin()
        ballast, free = small_disk / "ballast", os.statvfs(small_disk)
        ballast.write_bytes(bytes((free.f_bavail - spare) * free.f_bsize))
        try:
            box.enrolment.complete(SECOND)
        except (OSError, sqlite3.Error):
            assert box.what_it_is() == of(FIRST)
            kept = box.enrolment.is_pending(SECOND)
        else:
            kept = True
        ballast.unlink()
        box.close()
        box.open()
        box.enrolment.resume()
        assert box.what_it_is() == (of(SECOND) if kept else of(FIRST))
        assert box.chain() == CHAINS[box.what_it_is()[0]]
        assert box.files() == {".token", ".keys"}
        became.append(box.what_it_is()[0])
        box.close()
        shutil.rmtree(place)
    assert (became[0], became[-1]) == ("kiosk-1", "kiosk-2")
