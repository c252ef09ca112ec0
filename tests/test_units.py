"""The units and the files around them: what they start, as whom, how closed, and that systemd reads them."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parent.parent
UNITS = sorted((HOUSE / "systemd").glob("*.service"))


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str
    parser.read(HOUSE / "systemd" / name, "utf-8")
    return parser


@pytest.mark.parametrize(
    ("name", "command", "after"),
    [
        ("nfc-kiosk.service", "kiosk run --config /etc/nfc-kiosk/config.toml", "pcscd.socket"),
        (
            "nfc-kiosk-central.service",
            "kiosk-central run --database sqlite:////var/lib/nfc-kiosk-central/central.db --listen 127.0.0.1:8000",
            "time-sync.target",
        ),
    ],
)
def test_a_unit_starts_the_program_as_a_user_of_its_own_and_starts_it_again_for_ever(
    name: str, command: str, after: str
):
    parsed = unit(name)
    service = parsed["Service"]
    assert service["ExecStart"].split("/bin/", 1)[1] == command
    assert service["User"] == Path(name).stem
    assert service["StateDirectory"] == Path(name).stem
    assert (service["Restart"], parsed["Unit"]["StartLimitIntervalSec"]) == ("always", "0")
    # Neither waits for the network; the centre, whose clock decides the day, for the time, if anything provides that.
    assert parsed["Unit"]["After"] == after
    assert parsed["Unit"].get("Wants", "pcscd.socket") == "pcscd.socket"
    assert "Requires" not in parsed["Unit"]
    made = (HOUSE / "systemd" / "nfc-kiosk.sysusers").read_text("utf-8")
    assert re.search(rf"^u!? {service['User']} ", made, re.MULTILINE)


@pytest.mark.parametrize(("name", "most"), [("nfc-kiosk.service", 15), ("nfc-kiosk-central.service", 12)])
def test_a_unit_stays_as_closed_as_it_was_built(name: str, most: int, tool: str):
    scored = subprocess.run(
        [
            tool,
            "security",
            "--offline=true",
            f"--threshold={most}",
            "--no-pager",
            str(HOUSE / "systemd" / name),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert scored.returncode == 0, scored.stdout[-400:] + scored.stderr


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_understands_every_line_of_a_unit(path: Path, tool: str, tmp_path: Path):
    # The programs are not installed here, and verify asks for them: a copy names one that is.
    copy = tmp_path / path.name
    text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", path.read_text("utf-8"), flags=re.MULTILINE)
    copy.write_text(text, "utf-8")
    verified = subprocess.run([tool, "verify", "--man=no", str(copy)], capture_output=True, text=True, timeout=60)
    mine = [line for line in verified.stderr.splitlines() if path.name in line]
    assert (verified.returncode, mine) == (0, [])


@pytest.fixture
def tool() -> str:
    """systemd-analyze. It is no part of the product, so a machine without systemd skips, in CI too."""
    if (found := shutil.which("systemd-analyze")) is None:
        pytest.skip("systemd-analyze is not on this machine")
    return found


def test_the_readers_named_for_the_kernel_are_those_named_for_udev():
    rules = (HOUSE / "systemd/70-nfc-kiosk.rules").read_text("utf-8")
    for vendor, product in [("072f", "2200"), ("054c", "06c1")]:
        assert f'ATTRS{{idVendor}}=="{vendor}", ATTRS{{idProduct}}=="{product}"' in rules
    kept_out = (HOUSE / "systemd/nfc-kiosk.modprobe").read_text("utf-8")
    for module in ("pn533", "pn533_usb", "port100"):
        assert f"install {module} /bin/true" in kept_out
