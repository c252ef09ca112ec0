"""A real centre that serves https itself, and a real kiosk that trusts the hospital's own CA."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import requests

from kiosk.demo import hospital
from kiosk.demo.hospital import Places, Program, command_of, wait_for
from sync.agent.client import CentralClient, NoAnswer
from sync.agent.route import Route
from sync.control import ask, socket_path
from sync.protocol import EnrolRequest
from tests.authority import Authority, Signed
from tests.commands import central_command

pytestmark = pytest.mark.processes
WAIT_S = 60.0


class Secure:
    """A hospital whose centre is reached over https, on every address of the machine."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.places = Places(directory, hospital.free_port(), hospital.free_port())
        self.authority = Authority(directory / "ca")
        self.certificate, self.key = directory / "checkin.pem", directory / "checkin.key"
        self.renew(self.authority.server("localhost"))
        self.url = f"https://localhost:{self.places.central_port}"
        self._stack = stack
        self.log = directory / "central.log"
        command = [*command_of("kiosk-central"), "run", "--create", "--database", self.places.database]
        command += ["--listen", f"0.0.0.0:{self.places.central_port}"]
        command += ["--tls-cert", str(self.certificate), "--tls-key", str(self.key)]
        central = Program("centre", command, self.log, "")
        stack.callback(central.stop)
        wait_for(self._is_well, "the centre never answered", WAIT_S)
        self.people = [person for person in hospital.fill(self.places) if person.booked]

    def renew(self, signed: Signed) -> None:
        """Puts a certificate and its key in the place of the former ones."""
        for source, place in ((signed.chain, self.certificate), (signed.key, self.key)):
            new = place.with_suffix(".new")
            shutil.copy(source, new)
            new.chmod(0o600)
            os.replace(new, place)

    def configure(self) -> None:
        hospital.write_config(self.places, self.url, ["simulated"])
        text = self.places.config.read_text("utf-8")
        trusted = f'"{self.url}"\nca_file = {json.dumps(str(self.authority.root))}'
        self.places.config.write_text(text.replace(f'"{self.url}"', trusted), "utf-8")

    def check_in(self, number: int) -> str:
        """Runs the kiosk until the centre has judged a tap of this person. Returns the state at the centre."""
        kiosk = hospital.start_kiosk(self.places)
        try:
            kiosk.await_health()
            control = socket_path(self.places.directory / "kiosk.db")
            wait_for(lambda: ask(control, "status")["roster"]["patients"], "the roster never came", WAIT_S)
            hospital.hold_card(self.places, self.people[number].uid)
            wait_for(lambda: not ask(control, "status")["outbox"]["pending"], "the outbox never emptied", WAIT_S)
            assert ask(control, "status")["faults"] == []
        finally:
            kiosk.stop()
        with closing(sqlite3.connect(self.places.directory / "central.db")) as db:
            query = "select state from journeys where patient_id = ?"
            return str(db.execute(query, (self.people[number].patient_id,)).fetchone()[0])

    def _is_well(self) -> bool:
        try:
            return requests.get(f"{self.url}/healthz", timeout=2, verify=str(self.authority.root)).ok
        except requests.RequestException:
            return False


@pytest.fixture
def secure(tmp_path: Path):
    with ExitStack() as stack:
        yield Secure(tmp_path, stack)


def test_a_kiosk_enrols_and_syncs_with_a_centre_that_serves_https_and_renews_its_certificate(secure: Secure):
    secure.configure()
    code = central_command(secure.places, "enroll-code").strip()
    words = [*command_of("kiosk"), "enroll", "--config", str(secure.places.config), "--central", secure.url]
    # The code comes through a pipe, where no process list shows it.
    done = subprocess.run(words, input=f"{code}\n", capture_output=True, text=True, check=False, timeout=WAIT_S)
    assert done.returncode == 0, done.stderr
    assert secure.check_in(0) == "ARRIVED"
    secure.renew(secure.authority.server("localhost", days=29))
    assert secure.check_in(1) == "ARRIVED"
    assert secure.log.read_text().count("a new certificate is in use") == 1


def test_a_kiosk_with_a_wrong_scheme_or_a_foreign_ca_is_told_what_is_wrong(secure: Secure, tmp_path: Path):
    plain = CentralClient(secure.url.replace("https:", "http:"))
    outcome = plain.enrol(EnrolRequest(code="x"))
    plain.close()
    assert isinstance(outcome, NoAnswer)
    assert outcome.reason.startswith("tls_port: ")
    other = Authority(tmp_path / "other", "Another CA")
    foreign = CentralClient(secure.url, route=Route(ca_file=str(other.root)))
    outcome = foreign.enrol(EnrolRequest(code="x"))
    foreign.close()
    assert isinstance(outcome, NoAnswer)
    assert outcome.reason.startswith(("certificate: ", "untrusted: "))
