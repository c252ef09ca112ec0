"""Starts and stops the two programs of a demo hospital, and uses them by commands and HTTP."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import requests

from sync.control import ControlError, ask, socket_path
from sync.parent_death import end_with_parent

START_S = 60.0
STOP_S = 8.0
HOLD_S = 30.0
AGAIN_S = 0.05
_UNASSIGNED_PORTS = range(20_000, 32_768)  # Linux assigns ports by itself from 32768 on


class DemoError(Exception):
    """The demo cannot go on. The message says why, for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class Person:
    """An invented patient: the id of their card, and the number of today's bookings."""

    patient_id: str
    uid: str
    masked_name: str
    booked: int


@dataclass(frozen=True, slots=True)
class Places:
    """The directory of both databases and the logs, and the two ports."""

    directory: Path
    central_port: int
    kiosk_port: int

    @property
    def database(self) -> str:
        """The URL of the centre's database."""
        return f"sqlite:///{self.directory / 'central.db'}"

    @property
    def config(self) -> Path:
        """The kiosk's configuration file."""
        return self.directory / "config.toml"

    @property
    def central_url(self) -> str:
        """The centre's address."""
        return f"http://127.0.0.1:{self.central_port}"

    @property
    def page_socket(self) -> Path:
        """The socket where a browser asks to be let in."""
        return self.directory / "kiosk.db.page.sock"

    @property
    def kiosk_url(self) -> str:
        """The kiosk's page."""
        return f"http://127.0.0.1:{self.kiosk_port}"


class Program:
    """One of the two programs, as a process that logs to a file. It ends when this process ends."""

    def __init__(self, name: str, command: list[str], log: Path, healthz: str) -> None:
        self.name = name
        self._log = log
        self._healthz = healthz
        with log.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603 - our own programs
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=partial(end_with_parent, signal.SIGTERM, os.getpid()),
            )

    def await_health(self) -> None:
        """Waits until the program answers. Raises DemoError where it ends before, or takes too long."""
        wait_for(self._serves, f"the {self.name} does not answer; its log is {self._log}")

    def stop(self) -> None:
        """Ends the program: by SIGTERM, and by SIGKILL after some seconds."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()

    def kill(self) -> None:
        """Ends the program as a power cut would, by SIGKILL."""
        self.process.kill()
        self.process.wait()

    def _serves(self) -> bool:
        if self.process.poll() is not None:
            tail = self._log.read_text("utf-8", "replace").splitlines()[-8:]
            raise DemoError("\n".join([f"the {self.name} ended at once:", *tail]))
        try:
            return requests.get(self._healthz, timeout=2).ok
        except requests.RequestException:
            return False


def start_central(places: Places, *words: str) -> Program:
    """Starts the centre, and makes its database where there is none. `words` are added to the command line."""
    command = [*command_of("kiosk-central"), "run", "--create", "--database", places.database]
    command += ["--listen", f"127.0.0.1:{places.central_port}", *words]
    return Program("centre", command, places.directory / "central.log", f"{places.central_url}/healthz")


def start_kiosk(places: Places) -> Program:
    """Starts the kiosk."""
    command = [*command_of("kiosk"), "run", "--config", str(places.config)]
    return Program("kiosk", command, places.directory / "kiosk.log", f"{places.kiosk_url}/healthz")


def write_config(places: Places, central_url: str, readers: list[str], actions: Sequence[str] = ()) -> None:
    """Writes the kiosk's configuration.

    `readers` are the kinds of reader to attach, `actions` the grants to ask for (none: those of an entrance).
    """
    lines = [
        "# Written by the demo at each start.",
        "[kiosk]",
        'name = "본관 입구"',
        'ticket_prefix = "B"',
        f"actions = {json.dumps([*actions])}",
        "[store]",
        f"path = {json.dumps(str(places.directory / 'kiosk.db'))}",
        "[web]",
        f'listen = "127.0.0.1:{places.kiosk_port}"',
        "[central]",
        f'url = "{central_url}"',
        "[visit]",
        f'url = "{places.central_url}"',
    ]
    for kind in readers:
        lines += ["[[reader]]", f'kind = "{kind}"']
        if kind == "simulated":
            lines.append(f"cards = {json.dumps(str(places.directory / 'cards.json'))}")
    places.config.write_text("\n".join(lines) + "\n", "utf-8")


def fill(places: Places) -> list[Person]:
    """Fills the centre with the demo hospital of today, and writes the cards for the page. Returns the people."""
    rows = ask_central(places, "demo-data")
    people = [Person(row["patient_id"], row["uid"], row["masked_name"], row["booked"]) for row in rows]
    cards = [{"uid": person.uid, "label": person.masked_name} for person in people]
    # Two more cards: one that no patient has, and a phone.
    cards += [{"uid": "04d0c0ffee5e80", "label": "?"}, {"uid": "08c0ffee", "label": "☎"}]
    (places.directory / "cards.json").write_text(json.dumps(cards, ensure_ascii=False), "utf-8")
    return people


def enrol(places: Places, central_url: str, actions: Sequence[str] = ()) -> None:
    """Enrols the kiosk, unless it is enrolled. The code grants these actions (none: those that the kiosk asks for)."""
    is_old = (places.directory / "kiosk.db").exists()
    if is_old and json.loads(kiosk_command(places, "status", "--json", may_fail=True) or "{}").get("enrolled"):
        return
    code = ask_central(places, "enroll-code", actions=[*actions])["code"]
    kiosk_command(places, "enroll", "--central", central_url, "--code", code)


def ask_central(places: Places, op: str, **arguments: Any) -> Any:
    """Asks the running centre for an operation of its commands, without a process of its own.

    Raises ControlError or NotRunning.
    """
    return ask(socket_path(places.directory / "central.db"), op, **arguments)


def central_command(places: Places, name: str, *words: str) -> str:
    """Runs `kiosk-central NAME`, of one word or two, and returns its output. Raises DemoError where it fails."""
    return _run([*command_of("kiosk-central"), *name.split(), "--database", places.database, *words])


def kiosk_command(places: Places, name: str, *words: str, may_fail: bool = False) -> str:
    """Runs `kiosk NAME` and returns its output. A failure raises DemoError; with `may_fail` it returns ""."""
    return _run([*command_of("kiosk"), name, "--config", str(places.config), *words], may_fail)


def hold_card(places: Places, uid: str) -> None:
    """Holds a card to the kiosk's simulated reader, and returns after the commit.

    The daemon waits until the card before has left. A reader that is not ready yet is tried again. Raises ControlError
    where no tap is accepted within half a minute.
    """
    end = time.monotonic() + HOLD_S
    while True:
        try:
            ask(socket_path(places.directory / "kiosk.db"), "tap", uid=uid)
        except ControlError:
            if time.monotonic() > end:
                raise
            time.sleep(AGAIN_S)
        else:
            return


def page_url(places: Places) -> str:
    """Returns a URL that opens the running kiosk's page once. Raises ControlError or NotRunning."""
    return str(ask(places.page_socket, "page-url"))


def command_of(name: str) -> list[str]:
    """Returns the command of a program of this installation. PATH is not used."""
    return [str(Path(sys.executable).with_name(name))]


def demand_free(port: int) -> None:
    """Raises DemoError where a program listens on this port of loopback."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise DemoError(
            f"port {port} is in use by another program: KIOSK_PORT= and CENTRAL_PORT= choose others"
        ) from error


def remove(directory: Path) -> None:
    """Deletes a directory that the demo made. Raises DemoError for any other directory."""
    if directory.exists() and any(directory.iterdir()) and not (directory / "config.toml").exists():
        raise DemoError(f"{directory} is not a demo's directory")
    shutil.rmtree(directory, ignore_errors=True)


def free_port() -> int:
    """Returns a port of loopback that is free now, and that the kernel gives to no other program by itself.

    A program binds the port seconds later. The kernel could give one of its own ports away in between.
    """
    while True:
        port = secrets.choice(_UNASSIGNED_PORTS)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def wait_for(condition: Callable[[], Any], failure: str, seconds: float = START_S) -> None:
    """Waits until the condition is true. Raises DemoError with the message `failure` when `seconds` have passed."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise DemoError(failure)
        time.sleep(0.02)


def _run(command: list[str], may_fail: bool = False) -> str:
    finished = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)  # noqa: S603
    if finished.returncode and not may_fail:
        raise DemoError(f"{' '.join(command[:2])} failed: {finished.stderr.strip()}")
    return "" if finished.returncode else finished.stdout
