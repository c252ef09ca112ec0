"""The commands `kiosk` and `kiosk-central` in the test's own process: a process starts longer than most of them work.

What begins with the process itself has tests of its own: `run`, the names of the programs, and bytes that are no text.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass

from kiosk.cli import main as kiosk_main
from kiosk.demo.hospital import DemoError, Places, ask_central
from sync.central.commands.main import main as central_main


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


def kiosk(*words: str) -> Ended:
    """Runs `kiosk`. An exception that it does not turn into words is raised here."""
    return _run(lambda: kiosk_main(words, prog_name="kiosk"))


def central_command(places: Places, name: str, *words: str) -> str:
    """Runs `kiosk-central NAME`, of one word or two, and returns its output. Raises DemoError where it fails."""
    ended = _run(lambda: central_main([*name.split(), "--database", places.database, *words]))
    return _output(f"kiosk-central {name}", ended)


def kiosk_command(places: Places, name: str, *words: str) -> str:
    """Runs `kiosk NAME` and returns its output. Raises DemoError where it fails."""
    return _output(f"kiosk {name}", kiosk(name, "--config", str(places.config), *words))


def enrol(places: Places, central_url: str, actions: Sequence[str] = ()) -> None:
    """Enrols a new kiosk at the running centre, with these grants (none: those that the kiosk asks for)."""
    code = ask_central(places, "enroll-code", actions=[*actions])["code"]
    kiosk_command(places, "enroll", "--central", central_url, "--code", code)


def _run(command: Callable[[], object]) -> Ended:
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            command()
        except SystemExit as end:
            code = end.code or 0
    assert isinstance(code, int)
    return Ended(code, out.getvalue(), err.getvalue())


def _output(command: str, ended: Ended) -> str:
    if ended.returncode:
        raise DemoError(f"{command} failed: {ended.stderr.strip()}")
    return ended.stdout
