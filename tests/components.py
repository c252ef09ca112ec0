"""The real components that some tests drive. A missing one is named: by a skip on a laptop, by a failure in CI."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def demand(there: bool, component: str) -> None:
    """Skips the test without this component; fails it in CI, where all of them are promised."""
    if there:
        return
    if os.environ.get("CI"):
        pytest.fail(f"{component} is missing, and CI is set")
    pytest.skip(f"{component} is missing")


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """A real file system of that size (as mount has it: `2m`, `128k`) at a place, which a test can fill."""
    place.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], capture_output=True, check=False
    )
    demand(bool(mounted and mounted.returncode == 0), "root, to mount a small disk,")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def chromium() -> str:
    """The path of a real Chromium."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    demand(found is not None, "Chromium")
    return str(found)


def debian_program(name: str) -> str:
    """The path of a program of Debian: installed, or unpacked by `.ci/setup test`."""
    unpacked = Path(__file__).parent.parent / ".venv/debian"
    places = [Path(f"/usr/sbin/{name}"), unpacked / "usr/sbin" / name, unpacked / "usr/bin" / name]
    found = shutil.which(name) or next((str(place) for place in places if place.exists()), None)
    demand(found is not None, name)
    return str(found)


def node() -> str:
    """The path of Node."""
    found = shutil.which("node")
    demand(found is not None, "Node")
    return str(found)


def npm() -> str:
    """The path of Node's package manager."""
    found = shutil.which("npm")
    demand(found is not None, "npm")
    return str(found)


def npm_packages() -> Path:
    """The folder of the packages from npm, which `.ci/setup test` installs."""
    place = Path(__file__).parent.parent / ".venv/npm/node_modules"
    demand(place.is_dir(), "the packages from npm")
    return place


def demand_pcscd() -> None:
    """Demands a real pcscd with the virtual card driver, and root to start it."""
    demand(os.geteuid() == 0, "root, to start a pcscd,")
    demand(Path("/usr/sbin/pcscd").exists(), "pcscd")
    demand(Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so").exists(), "the virtual card driver vsmartcard-vpcd")


def demand_root_for_devices() -> None:
    """Demands root, to link a pseudo-terminal into /dev."""
    demand(os.geteuid() == 0, "root, to link a pseudo-terminal into /dev,")
