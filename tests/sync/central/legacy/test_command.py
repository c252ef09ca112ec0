"""`kiosk-central migrate-legacy`: what it says, and how it ends."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

from sync.central.commands.main import main
from tests.sync.central.databases import Database
from tests.sync.central.legacy.way import Way


class Operator:
    """Orders of an operator, by the command line."""

    def __init__(self, way: Way, capsys: pytest.CaptureFixture[str]) -> None:
        self.way, self._capsys = way, capsys
        self.over = ("--from", way.old, "--to", way.database.url)
        self.back = ("--revert", "--from", way.database.url, "--to", way.old)

    def __call__(self, *words: str, code: int = 0) -> str:
        """Gives an order. Returns what was said."""
        files = ("--files", str(self.way.files), "--layout", str(self.way.layout_file))
        with pytest.raises(SystemExit) as ended:
            main(["migrate-legacy", *words, *files])
        said = self._capsys.readouterr()
        assert (ended.value.code or 0) == code, said.err
        return said.out + said.err


@pytest.fixture
def order(spoilt_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Operator:
    file = shutil.copy(spoilt_file, tmp_path / "old.sqlite3")
    return Operator(Way(tmp_path, f"sqlite:///{file}", Database(f"sqlite:///{tmp_path}/centre.db")), capsys)


def test_over_and_back_by_the_command_line(order: Operator):
    trial = order(*order.over, "--dry-run")
    assert "1 bad, unknown_exam: its exam is unknown here: import the exam, and try again" in trial
    assert trial.endswith("this was a trial: nothing was changed\n")
    said = order(*order.over)
    assert said.splitlines()[0] == trial.splitlines()[0]
    assert "every row was compared with its source: start the centre" in said
    assert "was migrated into this centre on" in order(*order.over, code=2)
    assert " rows as they were, 0 changed, 0 new" in order(*order.back, "--dry-run")
    assert "start the old system, and leave the centre stopped" in order(*order.back)
    assert "has everything already" in order(*order.back)
    assert "nothing was changed" in order("--forget", "--to", order.way.database.url, "--dry-run")
    assert "there is no way back any more" in order("--forget", "--to", order.way.database.url)


def test_new_names_in_place_by_the_command_line(order: Operator):
    named = ("--in-place", "--from", order.way.old)
    assert "app_patientstate.current_state: 'ONGOING' becomes IN_PROGRESS" in order(*named, "--dry-run")
    assert "'NIRVANA' is unknown, and stays, 1 rows" in order(*named)
    assert "have their old names again" in order(*named, "--revert")


def test_no_word_of_the_command_names_a_person(order: Operator):
    said = order(*order.over)
    assert "P0000" not in said
    assert "S9000" not in said


def test_an_order_without_its_databases_is_refused(order: Operator):
    for words, missing in ((("--from", order.way.old), "--to"), (("--in-place",), "--from"), (("--forget",), "--to")):
        assert f"give {missing} too" in order(*words, code=2)


def test_the_printed_layout_is_a_whole_one(order: Operator):
    assert {*tomllib.loads(order("--print-layout"))} == {"zone", "states", "users", "exams", "tables"}
