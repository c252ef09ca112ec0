"""The loop of a kiosk's browser, with a real Chromium: it waits for the daemon, and replaces a browser that ended."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from kiosk.demo import hospital
from kiosk.demo.hospital import command_of, wait_for
from tests.components import chromium, demand
from tests.kiosk.ui.browser import FLAGS
from tests.whole.town import Town

pytestmark = [pytest.mark.processes, pytest.mark.browser]

SCRIPT = Path(__file__).resolve().parent.parent.parent / "systemd/nfc-kiosk-browser.sh"


class Session:
    """The session of the browser's user: the script, and the Chromium that it started last."""

    def __init__(self, town: Town, memory: Path) -> None:
        self.port = hospital.free_port()
        self.page = f"{town.places.kiosk_url}/"
        self._script = subprocess.Popen(
            [str(SCRIPT), "--headless", f"--remote-debugging-port={self.port}", *FLAGS],
            env={
                **os.environ,
                "KIOSK_CONFIG": str(town.places.config),
                "KIOSK_PROGRAM": command_of("kiosk")[0],
                "XDG_RUNTIME_DIR": str(memory),
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def ask(self, what: str) -> Any:
        """The browser's own answer about itself; None where no browser runs."""
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/json/{what}", timeout=30).json()
        except (requests.RequestException, ValueError):
            return None

    def browser(self) -> str:
        """The name of this start of the browser; empty where none runs."""
        return str((self.ask("version") or {}).get("webSocketDebuggerUrl", ""))

    def kill_browser(self) -> None:
        """Kills the browser as a crash would, and waits until another one runs."""
        killed = self.browser()
        for pid in self.browsers():
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: self.browser() not in {"", killed}, "no other browser was started")

    def shows_the_page(self) -> bool:
        """Whether the browser was let in: it is led from the one-time URL to the page."""
        return any(tab["url"] == self.page for tab in self.ask("list") or ())

    def browsers(self) -> list[int]:
        """The process ids of the browser's main process."""
        search = ["pgrep", "-s", str(self._script.pid), "-f", f"port={self.port}"]
        found = subprocess.run(search, capture_output=True, text=True)
        words = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in found.stdout.split()}
        return [pid for pid, line in words.items() if b"--type=" not in line and SCRIPT.name.encode() not in line]

    def close(self) -> None:
        os.killpg(self._script.pid, signal.SIGKILL)
        self._script.wait(30)


@pytest.fixture
def closed_town(tmp_path: Path) -> Iterator[Town]:
    """A hospital whose kiosk does not run yet."""
    made = Town(tmp_path / "town")
    yield made
    made.close()


def test_the_browser_waits_for_the_daemon_and_comes_back_whenever_it_is_killed(closed_town: Town, tmp_path: Path):
    chromium()
    demand(shutil.which("pgrep") is not None, "pgrep")
    (tmp_path / "memory").mkdir()
    session = Session(closed_town, tmp_path / "memory")
    try:
        closed_town.open()
        wait_for(session.shows_the_page, "the browser never showed the page")
        for _ in range(2):
            session.kill_browser()
            wait_for(session.shows_the_page, "the browser never came back to the page")
        # The last one killed may have left something, which the next start removes.
        assert len(list((tmp_path / "memory").glob("nfc-kiosk-browser.*/*"))) <= 2
        # A restart of the daemon needs no other browser.
        before = session.browser()
        assert closed_town.kiosk is not None
        closed_town.kiosk.kill()
        closed_town.open()
        assert session.shows_the_page()
        assert session.browser() == before
    finally:
        session.close()
