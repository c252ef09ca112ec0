"""What an operator reads and does on the kiosk about an action that the centre's network refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kiosk.cli import main
from kiosk.store import outbox_parked
from sync.set_aside import read_lines
from tests.kiosk import samples
from tests.kiosk.samples import Clock, cards


@pytest.fixture
def ids(tmp_path: Path) -> list[str]:
    """The actions of two patients at a kiosk whose daemon is stopped; the first one is parked."""
    parts = samples.enrolled(tmp_path, Clock())
    done = [parts.journeys.tap(cards(number), ("scan_nfc",)) for number in (1, 2)]
    made = [str(each.action_ids[0]) for each in done if each is not None]
    with parts.store.write() as db:
        assert outbox_parked.park(db, made[0], samples.at("09:02")) == 1
    parts.store.close()
    (tmp_path / "config.toml").write_text(f'[store]\npath = "{tmp_path}/kiosk.db"\n', "utf-8")
    return made


def kiosk(directory: Path, command: str, *words: str) -> Result:
    return CliRunner().invoke(main, [command, "--config", str(directory / "config.toml"), *words])


def test_the_status_names_the_action_and_since_when_and_no_patient(tmp_path: Path, ids: list[str]):
    said = kiosk(tmp_path, "status").stdout
    assert f"the centre's network refuses one action {ids[0]}, since 2026-03-02T09:02:00" in said
    assert "outbox   2 waiting of 2, since 2026-03-02T09:00:00" in said
    report = json.loads(kiosk(tmp_path, "status", "--json").stdout)
    assert report["outbox"]["refused_by_network"]["actions"] == 1
    assert report["outbox"]["refused_by_network"]["action_id"] == ids[0]
    assert '"P1"' not in json.dumps(report)


def test_the_outbox_calls_it_refused(tmp_path: Path, ids: list[str]):
    lines = kiosk(tmp_path, "outbox").stdout.splitlines()
    assert ["refused" in line for line in lines if ids[0] in line] == [True]
    assert ["pending" in line for line in lines if ids[1] in line] == [True]


def test_one_action_is_set_aside_by_its_id_and_stays(tmp_path: Path, ids: list[str]):
    file = tmp_path / "aside"
    for _ in range(2):
        done = kiosk(tmp_path, "outbox", "--set-aside", str(file), "--action", ids[0])
        assert (done.exit_code, "2 of 2 actions wait" in done.stdout) == (0, True)
    assert [each.action_id for each in read_lines(file.read_bytes().splitlines()).actions] == [ids[0]]


def test_an_unknown_id_and_an_id_without_a_file_are_said_so(tmp_path: Path, ids: list[str]):
    file = tmp_path / "aside"
    unknown = kiosk(tmp_path, "outbox", "--set-aside", str(file), "--action", "none")
    assert (unknown.exit_code, "the outbox has no action none" in unknown.stderr) == (1, True)
    assert not file.exists()
    alone = kiosk(tmp_path, "outbox", "--action", ids[0])
    assert (alone.exit_code, "no FILE is named" in alone.stderr) == (2, True)
