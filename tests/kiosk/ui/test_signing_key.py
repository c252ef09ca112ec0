"""The file of the key that signs the page's cookies."""

from __future__ import annotations

import logging
import stat
from pathlib import Path

import pytest

from kiosk.ui.signing_key import KEY_BYTES, load_signing_key
from tests import components


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "kiosk.db.pagekey"
    key = load_signing_key(path)
    assert len(key) == KEY_BYTES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_signing_key(path) == key
    assert load_signing_key(tmp_path / "another") != key
    assert caplog.records == []


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"0" * 63, b"0" * 65, b"z" * 64, b"\xff" * 64, b"\0" * 64, "０".encode() * 64],
    ids=["empty", "a line", "short", "long", "no hex", "no ASCII", "zeros", "wide digits"],
)
def test_a_damaged_file_is_made_again_and_said_so(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "kiosk.db.pagekey"
    path.write_bytes(content)
    key = load_signing_key(path)
    assert len(key) == KEY_BYTES
    assert load_signing_key(path) == key
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert str(path) in record.getMessage()
    assert key.hex() not in caplog.text


def test_a_file_that_cannot_be_made_costs_no_start(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "kiosk.db.pagekey"
    path.mkdir()
    key = load_signing_key(path)
    assert len(key) == KEY_BYTES
    assert load_signing_key(path) != key
    assert "has to be opened again after a restart" in caplog.text


def test_a_full_disk_costs_no_start(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with components.small_disk(tmp_path / "disk", "64k") as disk:
        with pytest.raises(OSError, match="No space"):
            (disk / "filler").write_bytes(b"x" * 1_000_000)
        assert len(load_signing_key(disk / "kiosk.db.pagekey")) == KEY_BYTES
        assert [path.name for path in disk.iterdir()] == ["filler"]
    assert "No space left" in caplog.text
