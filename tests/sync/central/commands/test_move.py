"""`kiosk-central move`: the centre and its card keys go on elsewhere."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from sync.central.commands.main import main
from sync.central.opening import keys_path
from tests.sync.central.centre import Centre, patient

pytestmark = pytest.mark.one_database


class Operator:
    """Commands of an operator, on the database of a stopped centre and on another one."""

    def __init__(self, centre: Centre, capsys: pytest.CaptureFixture[str]) -> None:
        self.old = centre.directory / "centre.db"
        self.new = centre.directory / "elsewhere" / "centre.db"
        self.new.parent.mkdir()
        self._capsys = capsys
        centre.store.close()

    def move(self, *words: str, code: int = 0) -> str:
        """Moves from the one to the other. Returns what was said."""
        return self.run("move", "--from", f"sqlite:///{self.old}", "--to", f"sqlite:///{self.new}", *words, code=code)

    def run(self, *words: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main(words)
        said = self._capsys.readouterr()
        assert (ended.value.code or 0) == code, said.err
        return said.out + said.err

    def tokens(self, database: Path, code: int = 0) -> str:
        return self.run("tokens", "--database", f"sqlite:///{database}", code=code)


@pytest.fixture
def operator(centre: Centre, capsys: pytest.CaptureFixture[str]) -> Operator:
    return Operator(centre, capsys)


def keys_of(database: Path) -> bytes:
    return keys_path(database).read_bytes()


def test_the_centre_and_its_card_keys_are_at_the_goal_and_nobody_serves_the_old_database(operator: Operator):
    said = operator.move()
    assert "and each was compared" in said
    assert keys_of(operator.new) == keys_of(operator.old)
    assert stat.S_IMODE(keys_path(operator.new).stat().st_mode) == 0o600
    assert "the centre moved to another database on" in operator.tokens(operator.old, code=2)
    operator.run("token", "--database", f"sqlite:///{operator.new}", "--role", "patient", "--patient", patient(1))


def test_a_move_is_begun_again_after_an_interruption(operator: Operator):
    assert operator.move() == operator.move()


def test_other_card_keys_at_the_goal_stay(operator: Operator):
    keys_path(operator.new).write_bytes(b"another key file")
    assert "is another key file, and stays" in operator.move(code=2)
    assert keys_of(operator.new) == b"another key file"
    operator.tokens(operator.old)


def test_a_missing_key_file_is_named(operator: Operator):
    keys_path(operator.old).rename(operator.old.with_name("safe"))
    assert f"{keys_path(operator.old)}: the key file is missing: name it by --keys" in operator.move(code=2)
    operator.move("--keys", str(operator.old.with_name("safe")))
    assert not keys_path(operator.new).exists()
