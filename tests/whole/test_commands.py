"""The command `kiosk`, as operators and their scripts use it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import requests

from kiosk.demo import hospital
from kiosk.demo.hospital import Places, command_of
from sync.control import socket_path
from sync.protocol import PROTOCOL_VERSION
from tests.commands import central_command, kiosk
from tests.middlebox import Middlebox
from tests.whole.town import Town

pytestmark = pytest.mark.processes

PHONE = "08c0ffee"
STRANGER = "04d0c0ffee5e80"


def program(*words: str) -> subprocess.CompletedProcess[str]:
    """Runs `kiosk` as a process of its own."""
    return subprocess.run([*command_of("kiosk"), *words], stdin=subprocess.DEVNULL, capture_output=True, text=True)


def config(directory: Path, text: str = "") -> str:
    path = directory / "config.toml"
    path.write_text(f'[store]\npath = "{directory}/kiosk.db"\n{text}', "utf-8")
    return str(path)


def await_daemon(file: str) -> None:
    """Waits for the running daemon with its readers. The file alone answers before."""

    def is_ready() -> bool:
        asked = kiosk("status", "--config", file, "--json")
        status = json.loads(asked.stdout) if asked.returncode == 0 else {"running": False}
        return status["running"] and all(reader["state"] == "ready" for reader in status["readers"])

    hospital.wait_for(is_ready, "it never answered")


def test_the_version_is_one_line_with_that_of_the_protocol():
    asked = program("--version")
    assert (asked.returncode, asked.stdout) == (
        0,
        f"kiosk {version('nfc-kiosk')}, protocol_version {PROTOCOL_VERSION}\n",
    )


def test_what_operators_scripts_rely_on(standing_town: Town):
    town = standing_town
    file = str(town.places.config)
    tapped = program("tap", "--config", file, town.people[0].uid)
    assert (tapped.returncode, tapped.stdout) == (0, "accepted: ARRIVED\n")
    town.await_settled()
    status = json.loads(kiosk("status", "--config", file, "--json").stdout)
    assert status["roster"]["patients"] >= 5
    assert (status["outbox"]["pending"], status["online"], status["running"]) == (0, True, True)
    assert [(r["kind"], r["state"]) for r in status["readers"]] == [("simulated", "ready")]
    rows = json.loads(kiosk("outbox", "--config", file, "--json").stdout)
    mine = [row for row in rows if row["patient_id"] == town.people[0].patient_id]
    assert [(row["action_type"], row["status"]) for row in mine] == [("scan_nfc", "applied")]
    assert mine[0].keys() >= {"action_id", "seq"}
    assert "1 waiting" not in kiosk("status", "--config", file).stdout
    assert "scan_nfc" in kiosk("outbox", "--config", file).stdout


def test_the_same_answers_come_from_the_file_when_no_daemon_runs(town: Town):
    town.check_in(town.people[0])
    town.await_settled()
    assert town.kiosk is not None
    town.kiosk.stop()
    file = str(town.places.config)
    status = json.loads(kiosk("status", "--config", file, "--json").stdout)
    assert (status["running"], status["online"], status["outbox"]["total"]) == (False, False, 3)
    assert len(json.loads(kiosk("outbox", "--config", file, "--json").stdout)) == 3
    assert "not running" in kiosk("status", "--config", file).stdout


def test_cards_that_cannot_be_used_are_answered_in_words(standing_town: Town):
    town = standing_town
    file = str(town.places.config)
    before = town.status()["outbox"]["total"]
    phone = kiosk("tap", "--config", file, PHONE)
    assert (phone.returncode, phone.stdout) == (1, "refused: phone\n")
    stranger = kiosk("tap", "--config", file, STRANGER)
    assert (stranger.returncode, stranger.stdout.split(":")[0]) == (0, "read, but no patient has this card")
    felica = kiosk("tap", "--config", file, "felica:0101010601b00ade")
    assert (felica.returncode, felica.stdout.split(":")[0]) == (0, "read, but no patient has this card")
    for nonsense in ("", "xyz", "04", "04" * 40, "-1", "홍길동", "0x04a1b2c3", "felica:zz", "foo:04a1b2c3"):
        refused = kiosk("tap", "--config", file, "--", nonsense)
        assert refused.returncode == 2, nonsense
        assert "Traceback" not in refused.stderr
    assert town.status()["outbox"]["total"] == before


def test_one_code_enrols_one_kiosk_beside_the_running_daemon(standing_town: Town, tmp_path: Path):
    town = standing_town
    place = tmp_path / "second"
    place.mkdir()
    port = hospital.free_port()
    file = config(
        place,
        f'[web]\nlisten = "127.0.0.1:{port}"\n[central]\nurl = "{town.places.central_url}"\n'
        '[[reader]]\nkind = "simulated"\n',
    )
    running = hospital.Program(
        "kiosk",
        [*command_of("kiosk"), "run", "--config", file],
        place / "kiosk.log",
        f"http://127.0.0.1:{port}/healthz",
    )
    try:
        await_daemon(file)
        person = town.people[1]
        early = kiosk("tap", "--config", file, person.uid)
        assert (early.returncode, "not_enrolled" in early.stdout) == (1, True)
        code = central_command(town.places, "enroll-code").strip()
        words = ("enroll", "--config", file, "--central", town.places.central_url, "--code", code)
        enrolled = kiosk(*words)
        assert enrolled.returncode == 0, enrolled.stderr
        hospital.wait_for(
            lambda: json.loads(kiosk("status", "--config", file, "--json").stdout)["online"], "never online"
        )
        assert kiosk("tap", "--config", file, person.uid).stdout == "accepted: ARRIVED\n"
        again = kiosk(*words)
        assert again.returncode == 2
        status = json.loads(kiosk("status", "--config", file, "--json").stdout)["kiosk"]
        other = town.status()["kiosk"]
        assert status["id"] != other["id"]
        assert status["ticket_prefix"] != other["ticket_prefix"]
    finally:
        running.stop()
    assert (place / "kiosk.db.token").stat().st_mode & 0o777 == 0o600
    assert (place / "kiosk.db.keys").stat().st_mode & 0o777 == 0o600


def test_a_box_is_enrolled_before_its_daemon_ever_ran(standing_town: Town, tmp_path: Path):
    town = standing_town
    place = tmp_path / "third"
    place.mkdir()
    file = config(place, f'[central]\nurl = "{town.places.central_url}"\n')
    code = central_command(town.places, "enroll-code").strip()
    assert kiosk("enroll", "--config", file, "--central", town.places.central_url, "--code", code).returncode == 0
    status = json.loads(kiosk("status", "--config", file, "--json").stdout)
    assert (status["enrolled"], status["running"]) == (True, False)


@pytest.mark.parametrize("running", [False, True])
def test_an_enrolment_that_cannot_be_kept_is_said_so_and_leaves_the_box_as_it_was(
    standing_town: Town, tmp_path: Path, running: bool
):
    town = standing_town
    (tmp_path / "a file").touch()
    file = config(
        tmp_path,
        f'[web]\nlisten = "127.0.0.1:0"\n[central]\nurl = "{town.places.central_url}"\n'
        f'token_file = "{tmp_path}/a file/token"\n[[reader]]\nkind = "simulated"\n',
    )
    daemon = subprocess.Popen([*command_of("kiosk"), "run", "--config", file]) if running else None
    try:
        if running:
            await_daemon(file)
        code = central_command(town.places, "enroll-code").strip()
        failed = kiosk("enroll", "--config", file, "--central", town.places.central_url, "--code", code)
        assert (failed.returncode, "could not be saved" in failed.stderr) == (1, True)
        assert "Traceback" not in failed.stderr
        status = json.loads(kiosk("status", "--config", file, "--json").stdout)
        assert (status["enrolled"], status["running"]) == (False, running)
    finally:
        if daemon:
            daemon.terminate()
            assert daemon.wait(30) == 0


def test_after_an_enrolment_that_could_not_be_kept_the_kiosk_goes_on_as_what_it_was(town: Town):
    token = town.places.directory / "kiosk.db.token"
    secret = token.read_text("utf-8")
    token.unlink()
    token.mkdir()
    code = central_command(town.places, "enroll-code").strip()
    words = ("enroll", "--config", str(town.places.config), "--central", town.through, "--code", code)
    before = town.status()["kiosk"]["id"]
    failed = kiosk(*words)
    assert (failed.returncode, "the next start of the kiosk goes on with it" in failed.stderr) == (1, True)
    token.rmdir()
    token.write_text(secret, "utf-8")
    town.tap(town.people[0])
    town.await_settled()
    assert town.state(town.people[0])["journey_state"] == "ARRIVED"
    town.await_online()  # a call may have failed while the token was away
    status = town.status()
    assert (status["kiosk"]["id"], status["ended"]) == (before, False)
    assert town.kiosk is not None
    town.kiosk.stop()
    town.open()
    status = town.status()
    assert (status["kiosk"]["id"] != before, status["ended"]) == (True, False), "the code was not used up for nothing"
    town.tap(town.people[1])
    town.await_settled()
    assert town.state(town.people[1])["journey_state"] == "ARRIVED"
    assert not (town.places.directory / "kiosk.db.enrolment").exists()


def test_without_the_centre_a_strange_card_is_not_said_to_be_nobodys(standing_town: Town):
    town = standing_town
    town.go_offline()
    tapped = kiosk("tap", "--config", str(town.places.config), "04d0c0ffee5e81")
    town.wire.mend()
    town.await_online()
    words = "read, but the card cannot be looked up now: the screen offers a check-in\n"
    assert (tapped.returncode, tapped.stdout) == (0, words)


DYING_DAEMON = """
import os, sys, threading
from pathlib import Path
from sync.control import ControlServer
ControlServer(Path(sys.argv[1]), lambda _: {"enrol": lambda _: os._exit(1)}).start()
print("ready", flush=True)
threading.Event().wait()
"""


def test_a_daemon_that_dies_while_it_enrols_leaves_the_operator_with_a_next_step(standing_town: Town, tmp_path: Path):
    file, places = config(tmp_path), standing_town.places
    code = central_command(places, "enroll-code").strip()
    command = [sys.executable, "-c", DYING_DAEMON, str(socket_path(tmp_path / "kiosk.db"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as daemon:
        assert daemon.stdout is not None
        assert daemon.stdout.readline() == b"ready\n"
        failed = kiosk("enroll", "--config", file, "--central", places.central_url, "--code", code)
    assert failed.returncode == 1
    assert "It may have enrolled this machine as kiosk" in failed.stderr
    assert "kiosk status shows its id and its site. If they are the former ones, use a new code" in failed.stderr


def test_a_code_with_half_a_character_in_it_ends_with_exit_code_2(tmp_path: Path):
    words = ("enroll", "--config", config(tmp_path), "--central", "https://a.example", "--code", "\udcff")
    refused = program(*words)
    assert (refused.returncode, "Traceback" in refused.stderr) == (2, False)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("not a url", "expected a URL"),
        ("ftp://centre.example", "expected a URL"),
        ("http://centre.example", "plain http"),
        ("http://user:secret@127.0.0.1", "expected a URL"),
    ],
)
def test_an_address_that_is_none_ends_with_exit_code_2(tmp_path: Path, url: str, words: str):
    refused = kiosk("enroll", "--config", config(tmp_path), "--central", url, "--code", "x")
    assert refused.returncode == 2
    assert words in refused.stderr
    assert not (tmp_path / "kiosk.db").exists()


def test_a_centre_that_does_not_answer_is_said_so(tmp_path: Path):
    url = f"http://127.0.0.1:{hospital.free_port()}"
    failed = kiosk("enroll", "--config", config(tmp_path), "--central", url, "--code", "x")
    assert failed.returncode == 1
    assert f"no usable answer from the centre at {url}: refused: " in failed.stderr


def test_an_enrolment_that_a_filter_refuses_says_which_path_to_let_pass(tmp_path: Path):
    with Middlebox("http://127.0.0.1:1") as box:
        box.block(lambda request: request.path.endswith("/enroll"))
        failed = kiosk("enroll", "--config", config(tmp_path), "--central", box.url, "--code", "SECRET-CODE")
    assert failed.returncode == 1
    assert 'web_page: HTTP 403 with a web page titled "Request blocked (403)"' in failed.stderr
    assert "let the network pass POST /api/v1/kiosks/enroll and its answers unread" in failed.stderr
    assert "SECRET" not in failed.stderr


def test_a_centre_without_a_hospital_says_so_and_what_to_do(tmp_path: Path):
    places = Places(tmp_path, hospital.free_port(), hospital.free_port())
    central = hospital.start_central(places)
    try:
        central.await_health()
        code = central_command(places, "enroll-code").strip()
        words = ("enroll", "--config", config(tmp_path), "--central", places.central_url, "--code", code)
        refused = kiosk(*words)
        assert refused.returncode == 2
        assert "this centre has no hospital yet: run kiosk-central import" in refused.stderr
        hospital.fill(places)
        assert kiosk(*words).returncode == 0, "the code is still good"
    finally:
        central.stop()


def test_a_certificate_file_that_cannot_be_used_ends_an_enrolment_before_the_code_is_sent(tmp_path: Path):
    file = config(tmp_path, f'[central]\nca_file = "{tmp_path}/none.pem"\n')
    failed = kiosk("enroll", "--config", file, "--central", "https://127.0.0.1:1", "--code", "x")
    assert failed.returncode == 2
    assert f"[central] ca_file: {tmp_path}/none.pem: No such file or directory" in failed.stderr


@pytest.mark.parametrize("command", ["run", "status", "outbox", "tap", "enroll", "page-url"])
def test_a_configuration_that_cannot_be_used_ends_with_exit_code_2_and_names_the_fault(tmp_path: Path, command: str):
    more = {"tap": ["04a1b2c3d4e5f6"], "enroll": ["--central", "https://a.example", "--code", "x"]}.get(command, [])
    faults = [
        ("[store]\npaht = 1\n", "paht"),
        ("[web]\nlisten = 8080\n", "[web] listen"),
        ("not toml", "not TOML"),
        ('[web]\nlisten = "0.0.0.0:8080"\n', "loopback"),
    ]
    begin = program if command == "run" else kiosk
    for text, named in faults:
        file = tmp_path / "config.toml"
        file.write_text(text, "utf-8")
        refused = begin(command, "--config", str(file), *more)
        assert refused.returncode == 2, refused.stderr
        assert named in refused.stderr
        assert "Traceback" not in refused.stderr
    assert begin(command, "--config", str(tmp_path / "absent.toml"), *more).returncode == 2
    assert begin(command).returncode == 2


@pytest.mark.parametrize("cards", [None, "{", "[1]", '[{"uid": "04"}]', "[" * 50_000, '[{"uid": 4, "label": ""}]'])
def test_demo_cards_that_are_none_end_the_start_with_exit_code_2_and_name_the_file(tmp_path: Path, cards: str | None):
    if cards is not None:
        (tmp_path / "cards.json").write_text(cards, "utf-8")
    text = f'[web]\nlisten = "127.0.0.1:0"\n[[reader]]\nkind = "simulated"\ncards = "{tmp_path}/cards.json"\n'
    refused = program("run", "--config", config(tmp_path, text))
    assert refused.returncode == 2
    assert "cards.json" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_on_any_free_port_the_log_says_which_it_is(tmp_path: Path):
    text = '[web]\nlisten = "127.0.0.1:0"\n[[reader]]\nkind = "simulated"\n'
    command = [*command_of("kiosk"), "run", "--config", config(tmp_path, text)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as daemon:
        assert daemon.stderr is not None
        ready = next(line for line in daemon.stderr if "ready" in line)
        address = ready.split()[-1]
        url = kiosk("page-url", "--config", str(tmp_path / "config.toml")).stdout.strip()
        assert url.startswith(f"{address}open/")
        assert requests.get(url, timeout=30).ok
        daemon.terminate()
        assert daemon.wait(30) == 0


def test_without_a_daemon_a_tap_says_so(tmp_path: Path):
    assert kiosk("tap", "--config", config(tmp_path), "04a1b2c3d4e5f6").returncode == 3


def test_without_a_database_there_is_nothing_to_tell(tmp_path: Path):
    for command in ("status", "outbox"):
        finished = kiosk(command, "--config", config(tmp_path))
        assert (finished.returncode, "has the kiosk run yet" in finished.stderr) == (1, True)


def test_a_second_daemon_on_the_same_store_and_one_on_a_taken_port_are_refused(standing_town: Town, tmp_path: Path):
    town = standing_town
    second = program("run", "--config", str(town.places.config))
    assert (second.returncode, "another kiosk daemon" in second.stderr) == (1, True)
    place = tmp_path / "other"
    place.mkdir()
    file = config(place, f'[web]\nlisten = "127.0.0.1:{town.places.kiosk_port}"\n[[reader]]\nkind = "simulated"\n')
    refused = program("run", "--config", file)
    assert refused.returncode == 1
    assert str(town.places.kiosk_port) in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_database_that_is_a_directory_is_refused_in_words(tmp_path: Path):
    (tmp_path / "kiosk.db").mkdir()
    refused = program("run", "--config", config(tmp_path, '[[reader]]\nkind = "simulated"\n'))
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr


def test_nothing_of_a_person_or_a_card_is_in_the_logs(town: Town):
    for person in town.people[:2]:
        town.check_in(person)
    kiosk("tap", "--config", str(town.places.config), PHONE)
    town.await_settled()
    assert town.kiosk is not None
    town.kiosk.process.send_signal(signal.SIGTERM)
    assert town.kiosk.process.wait(30) == 0
    for log in town.places.directory.glob("*.log"):
        text = log.read_text("utf-8").lower()
        for person in town.people:
            assert person.uid.lower() not in text
            assert person.masked_name not in text
        assert PHONE not in text
