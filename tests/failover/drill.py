"""A drill: kiosks and apps act at two hosts of a centre on PostgreSQL, while the primary dies again and again.

`python -m tests.failover.drill 50` does it fifty times, and prints how long nobody was answered.
"""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from kiosk.demo.hospital import Program, command_of, free_port
from sync.control import ask, socket_path
from tests.failover.cluster import Cluster, Host, cluster, until
from tests.failover.load import Load

HOSTS = 2
KIOSKS, APPS = 3, 3
VISITS_A_ROUND = 80  # of each client: more than it can do
TIMEZONE = "Asia/Seoul"


@dataclass(slots=True)
class Report:
    """What a drill has shown. `gaps` are the seconds of each death in which no action was acknowledged.

    `acknowledged` counts actions, `lost` and `doubled` are the ids of those that the centre does not have, and has more
    than once. `unsettled` are actions of kiosks without a verdict at the end, and `judged` counts the verdicts.
    """

    gaps: list[tuple[str, float]] = field(default_factory=list)
    acknowledged: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    unsettled: int = 0
    judged: Counter[str] = field(default_factory=Counter)


def drill(rounds: int, say: Callable[[str], None] = lambda _: None) -> Report:
    """Kills the primary so many times: its PostgreSQL, and in each second round its whole host."""
    report = Report()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nfc-kiosk-drill-")))
        made = stack.enter_context(cluster())
        url = _make_database(made)
        centres: list[_Centre] = []
        for number in range(HOSTS):
            centres.append(_Centre(directory / f"host{number}", url, centres[0].keys if centres else None))
            stack.callback(centres[-1].program.stop)
        load = _load(centres, VISITS_A_ROUND * (rounds + 1))
        try:
            for number in range(rounds):
                how, kill = (("database", made.kill_database), ("host", made.kill_host))[number % 2]
                report.gaps.append((how, _one_death(made, load, kill)))
                say(f"{number + 1}: {how}, {report.gaps[-1][1]:.1f} s, {load.answers} answers so far")
        finally:
            load.end()
        _settle(report, load, url)
    return report


def _one_death(made: Cluster, load: Load, kill: Callable[[Host], None]) -> float:
    """Kills the primary. Returns after how many seconds actions were acknowledged again, when all hosts are back."""
    dead, before = made.primary(), load.answers
    until(lambda: load.answers > before + 5)
    kill(dead)
    killed_s = time.monotonic()
    until(lambda: made.roles().get(dead.name) != "leader" and "leader" in made.roles().values())
    replaced = load.answers
    until(lambda: load.answers > replaced)
    gap_s = time.monotonic() - killed_s
    if kill == made.kill_host:
        made.start_database(dead)
    made.await_whole()
    return gap_s


def _make_database(made: Cluster) -> str:
    """Makes the database of the centre. Returns its URL."""
    server = f"postgresql://postgres:{made.passwords['SUPERUSER-PASSWORD']}@{made.address}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute("create database centre")
    return f"{server}/centre"


class _Centre:
    """The real centre on one host."""

    def __init__(self, directory: Path, url: str, keys: Path | None) -> None:
        """`keys` is the key file of the first host."""
        port = free_port()
        self._state = directory / "state"
        self._state.mkdir(parents=True)
        self.keys = self._state / "central.keys"
        if keys is not None:
            shutil.copy(keys, self.keys)
        self._words = ["--database", url, "--state-dir", str(self._state)]
        self._directory = directory
        self.address = f"http://127.0.0.1:{port}"
        command = [*command_of("kiosk-central"), "run", "--create", *self._words, "--listen", f"127.0.0.1:{port}"]
        self.program = Program(f"centre {directory.name}", command, directory / "centre.log", f"{self.address}/healthz")
        self.program.await_health()

    def take(self, document: dict[str, object]) -> None:
        """Imports a hospital."""
        path = self._directory / "hospital.json"
        path.write_text(json.dumps(document))
        command = [*command_of("kiosk-central"), "import", *self._words, str(path)]
        subprocess.run(command, check=True, capture_output=True)

    def ask(self, name: str, **words: Any) -> Any:
        """An operation of the command line."""
        return ask(socket_path(self._state / "central"), name, **words)


def _load(centres: Sequence[_Centre], visits: int) -> Load:
    """A hospital, and clients with so many visits each, spread over the hosts."""
    names = iter([f"P{number:05d}" for number in range((KIOSKS + APPS) * visits)])
    clients = [list(itertools.islice(names, visits)) for _ in range(KIOSKS + APPS)]
    centres[0].take(_hospital(list(itertools.chain.from_iterable(clients))))
    load = Load()
    hosts = itertools.cycle(centres)
    for each in clients[:KIOSKS]:
        host = next(hosts)
        load.add_kiosk(host.address, host.ask("enroll-code")["code"], each)
    for each in clients[KIOSKS:]:
        host = next(hosts)
        tokens = [host.ask("token", role="patient", patient_id=name)["token"] for name in each]
        load.add_app(host.address, tokens)
    return load


def _hospital(patient_ids: list[str]) -> dict[str, object]:
    today = datetime.now(ZoneInfo(TIMEZONE)).date()
    return {
        "site": {"name": "Drill", "desk": "DESK", "ticket_prefix": "C", "timezone": TIMEZONE},
        "exams": [
            {"exam_id": "DESK", "title": "Desk", "public_label": "Desk", "room": "0"},
            {"exam_id": "X", "title": "X-ray", "public_label": "Radiology", "room": "1"},
        ],
        "patients": [{"patient_id": each, "name": f"Person {each}"} for each in patient_ids],
        "appointments": [
            {"appointment_id": f"A-{each}", "patient_id": each, "exam_id": "X", "scheduled_at": f"{today}T23:00"}
            for each in patient_ids
        ],
    }


def _settle(report: Report, load: Load, url: str) -> None:
    """Holds what was acknowledged against the database."""
    rows = [row for kiosk in load.kiosks for row in kiosk.outbox]
    report.unsettled = sum(row["verdict"] is None for row in rows)
    report.judged = Counter(f"{row['verdict']['verdict']}/{row['verdict']['code']}" for row in rows if row["verdict"])
    ids = [*load.acknowledged, *(row["body"]["action_id"] for row in rows if row["verdict"])]
    report.acknowledged = len(ids)
    with psycopg.connect(url) as connection:
        found = Counter(
            str(row[0]) for row in connection.execute("select action_id from transitions where action_id is not null")
        )
    report.lost = [each for each in ids if found[each] == 0]
    report.doubled = [each for each in ids if found[each] > 1]


def _in_words(report: Report) -> str:
    lines = []
    for how in ("database", "host"):
        gaps = sorted(gap_s for each, gap_s in report.gaps if each == how)
        if gaps:
            lines.append(f"{how}: {len(gaps)} deaths, {gaps[0]:.1f} to {gaps[-1]:.1f} s, median {median(gaps):.1f} s")
    lost = f"{len(report.lost)} lost, {len(report.doubled)} doubled, {report.unsettled} unsettled"
    return "\n".join([*lines, f"{report.acknowledged} acknowledged, {lost}; verdicts: {dict(report.judged)}"])


if __name__ == "__main__":
    done = drill(int(sys.argv[1]), print)
    print(_in_words(done))
    sys.exit(bool(done.lost or done.doubled or done.unsettled))
