"""The set-up names what is missing before it does anything, and refuses unknown words with its usage."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parent.parent
# The programs that the script itself needs. The tests show what happens on a machine with no others.
GROUND = ("bash", "dirname", "sort", "cat", "id", "uname", "sha256sum", "cut", "sed", "grep", "flock")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that was never set up."""
    shutil.copytree(HOUSE / ".ci", tmp_path / "checkout" / ".ci")
    shutil.copy(HOUSE / "pyproject.toml", tmp_path / "checkout")
    return tmp_path / "checkout"


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A PATH with a Python and little else."""
    bare = tmp_path / "bin"
    bare.mkdir()
    for name in GROUND:
        (bare / name).symlink_to(shutil.which(name) or f"/bin/{name}")
    (bare / "python3").write_text(f'#!/bin/bash\nexec "{sys.executable}" "$@"\n', "utf-8")
    (bare / "python3").chmod(0o755)
    return bare


def set_up(checkout: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name not in {"PYTHON", "ARGS"}}
    return subprocess.run(
        ["/bin/bash", str(checkout / ".ci/setup"), *words],
        env=inherited | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_what_is_missing_is_named_before_anything_is_done(checkout: Path, bare_path: Path):
    finished = set_up(checkout, "run", "--plan", PATH=str(bare_path))
    named = finished.stdout.strip().removeprefix("these system packages are missing: ").split()
    assert {"gcc", "swig"} <= set(named)
    assert finished.returncode == 3
    assert not (checkout / ".venv").exists()


def test_trying_the_kiosk_never_asks_for_a_browser_or_the_virtual_card(checkout: Path, bare_path: Path):
    for_run = set_up(checkout, "run", "--plan", PATH=str(bare_path)).stdout
    for_test = set_up(checkout, "test", "--plan", PATH=str(bare_path)).stdout
    assert {"chromium", "nodejs", "npm"} <= set(for_test.split())
    for package in ("nginx", "caddy", "prometheus"):  # unpacked, since an installed one starts a service
        assert package not in for_test.split()
    for package in ("chromium", "fonts-noto-cjk", "pcscd", "vsmartcard-vpcd", "nodejs", "npm"):
        assert package not in for_run.split()


def test_without_apt_the_packages_and_the_command_for_them_are_named(checkout: Path, bare_path: Path):
    finished = set_up(checkout, "run", PATH=str(bare_path))
    assert finished.returncode == 1
    assert "apt-get install --no-install-recommends" in finished.stderr
    assert "swig" in finished.stderr
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize("words", [(), ("everything",), ("run", "--now"), ("run", "--plan", "test")])
def test_a_word_it_does_not_know_is_answered_with_the_usage(checkout: Path, words: tuple[str, ...]):
    finished = set_up(checkout, *words)
    assert (finished.returncode, finished.stdout) == (2, "")
    assert finished.stderr.startswith("usage: .ci/setup")


def test_a_python_it_cannot_use_is_named(checkout: Path):
    finished = set_up(checkout, "run", PYTHON="/bin/true/python3.9")
    assert finished.returncode == 1
    assert "/bin/true/python3.9" in finished.stderr
    assert "3.11" in finished.stderr


def test_tests_that_share_something_exclusive_run_in_one_process_one_after_the_other(tmp_path: Path):
    """Holds for the locked pytest and pytest-xdist: a new version of one may silently end the grouping of the other."""
    (tmp_path / "test_group.py").write_text(
        "import pytest\n"
        "@pytest.mark.xdist_group('shared')\n"
        "@pytest.mark.parametrize('n', range(6))\n"
        "def test_one(n, worker_id, tmp_path_factory):\n"
        "    place = tmp_path_factory.getbasetemp().parent\n"
        "    (place / f'ran-{worker_id}-{n}').touch()\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n",
        "2",
        "--dist",
        "loadgroup",
        "--basetemp",
        str(tmp_path / "t"),
    ]
    subprocess.run([*command, str(tmp_path / "test_group.py")], cwd=tmp_path, check=True, capture_output=True)
    ran = [path.name.split("-")[1] for path in (tmp_path / "t").glob("ran-*")]
    assert len(ran) == 6
    assert len(set(ran)) == 1
