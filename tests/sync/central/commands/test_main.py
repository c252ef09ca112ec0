"""The command `kiosk-central`, in this process, on a database that no service has open."""

import itertools
import json
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest

from sync.central.commands.main import cli, main
from sync.central.maintenance.timekeeper import Timekeeper
from sync.central.opening import keys_path, open_centre
from sync.central.operations.catalog import operations_for
from sync.central.records.tokens import hash_of, id_of, issue
from sync.central.services.merge import merge_patients
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.central.store.errors import InUse
from sync.central.store.sqlite import SqliteStore
from sync.clock import DAY_MS
from sync.control import ControlServer, socket_path
from sync.durable import write_secret
from sync.ids import is_uuid, new_id
from sync.journey.definitions import shipped
from sync.journey.model import STAFF, Role
from sync.protocol import PROTOCOL_VERSION
from sync.set_aside import SetAside, line_of
from tests.sync.central.centre import DAY, hospital

UID = "04a1b2c3d4e501"


class Shell:
    """Runs commands as a shell does, and keeps their output."""

    def __init__(self, directory: Path, capture) -> None:
        self.path = directory / "centre.db"
        self.url = f"sqlite:///{self.path}"
        self._capture = capture
        self.error = ""

    def __call__(self, command: str, *arguments: str, code: int = 0, url: str | None = None) -> str:
        with pytest.raises(SystemExit) as ended:
            main([*command.split(), "--database", url or self.url, *arguments])
        out, self.error = self._capture.readouterr()
        assert (ended.value.code or 0) == code, self.error
        if code == 2:
            assert "Traceback" not in self.error
            assert out == ""
        return out

    def lines_of_error(self) -> list[str]:
        return self.error.strip().splitlines()


@pytest.fixture
def shell(tmp_path, capsys) -> Shell:
    return Shell(tmp_path, capsys)


def test_the_demo_hospital_in_json_and_in_words(shell: Shell):
    patients = json.loads(shell("demo-data", "--json"))
    assert len(patients) >= 8
    assert patients[0] | {"masked_name": "", "language": ""} == {
        "patient_id": "D-1001",
        "uid": UID,
        "masked_name": "",
        "language": "",
        "booked": 2,
    }
    assert json.loads(shell("demo-data", "--json")) == patients
    assert UID in shell("demo-data")


def test_the_demo_hospital_is_listed_whole_after_two_of_its_records_were_merged(shell: Shell):
    before = json.loads(shell("demo-data", "--json"))
    parts = open_centre(shell.url)
    merging = ActionRequest("merge", new_id(), {"patient_id": before[1]["patient_id"]})
    assert merge_patients(parts, Requester(STAFF, "desk", "desk"), before[0]["patient_id"], merging).done
    parts.store.close()
    after = json.loads(shell("demo-data", "--json"))
    assert [person["patient_id"] for person in after] == [person["patient_id"] for person in before]
    assert after[1] == {**after[0], "patient_id": before[1]["patient_id"], "uid": before[1]["uid"]}


def give_stdin(monkeypatch, text: str) -> None:
    """Makes a text the standard input."""
    read, write = os.pipe()
    os.write(write, text.encode())
    os.close(write)
    monkeypatch.setattr("sys.stdin", os.fdopen(read))


def listed(shell: Shell, *words: str) -> list[dict[str, Any]]:
    return list(json.loads(shell("tokens", "--json", *words))["tokens"])


def test_a_token_is_printed_alone_and_can_be_revoked(shell: Shell, monkeypatch):
    shell("demo-data")
    token = shell("token", "--role", "patient", "--patient", "D-1001")
    assert token.startswith("nk_")
    assert token.count("\n") == 1
    (made,) = listed(shell)
    assert (made["patient_id"], made["expires_ms"], made["state"]) == ("D-1001", None, "active")
    give_stdin(monkeypatch, token)
    shell("token-revoke")
    shell("token-revoke", token.strip(), code=2)
    assert shell.lines_of_error() == ["kiosk-central: this token has ended already"]
    shell("token-revoke", "nk_unknown", code=2)
    assert shell.lines_of_error() == ["kiosk-central: there is no such token"]


def test_a_token_is_listed_and_ended_by_its_id(shell: Shell):
    shell("demo-data")
    shell("token", "--role", "staff", "--name", "Ward 3 board", "--expires", "90d")
    token_id = shell.error.split()[1].rstrip(",")
    shell("token", "--role", "staff", "--name", "front desk")
    first, second = listed(shell, "--role", "staff")
    assert (first["token_id"], first["name"], first["used_ms"], first["state"]) == (
        token_id,
        "Ward 3 board",
        None,
        "active",
    )
    assert [each["expires_ms"] - each["created_ms"] for each in (first, second)] == [90 * DAY_MS, 365 * DAY_MS]
    assert f"{token_id}  staff        Ward 3 board  made " in shell("tokens")
    shell("token-revoke", token_id.upper())
    assert [each["name"] for each in listed(shell)] == ["front desk"]
    assert [each["state"] for each in listed(shell, "--all")] == ["revoked", "active"]
    for unknown in ("123456789abc", token_id[:4], ""):
        shell("token-revoke", unknown, code=2)
        assert shell.lines_of_error() == ["kiosk-central: there is no such token"]


def test_a_list_of_tokens_is_cut_and_goes_on_after_any_of_them(shell: Shell):
    shell("demo-data")
    for patient_id in ("D-1001", "D-1002", "D-1001"):
        shell("token", "--role", "patient", "--patient", patient_id, "--name", "phone")
    every = listed(shell)
    assert listed(shell, "--limit", "2") == every[:2]
    assert listed(shell, "--after", every[1]["token_id"]) == every[2:]
    assert [each["patient_id"] for each in listed(shell, "--patient", "D-1001")] == ["D-1001", "D-1001"]
    shell("tokens", "--limit", "2")
    assert shell.lines_of_error() == [f"more follow: --after {every[1]['token_id']}"]
    shell("tokens", "--after", "123456789abc", code=2)


def test_a_token_that_ends_soon_is_marked_and_named_by_the_check(shell: Shell):
    shell("demo-data")
    shell("token", "--role", "staff", "--name", "Ward 3 board", "--expires", "4w")
    assert "expires" not in shell("check")
    shell("token", "--role", "staff", "--name", "Ward 4 board", "--expires", "12h")
    assert "EXPIRES SOON" in shell("tokens").splitlines()[1]
    assert "the staff token Ward 4 board (" in shell("check")
    shell("token", "--role", "staff", "--name", "Ward 5 board", "--expires", "never")
    assert "never expires" in shell("tokens")


def test_the_token_of_a_kiosk_is_not_listed_and_only_ends_with_its_kiosk(shell: Shell):
    shell("demo-data")
    parts = open_centre(shell.url)
    with parts.store.write() as db:
        token = issue(db, Role.KIOSK, 0, kiosk_id="entrance-1", name="Entrance")
    parts.store.close()
    assert listed(shell, "--all") == []
    for named in (token, id_of(hash_of(token))):
        shell("token-revoke", named, code=2)
        assert shell.lines_of_error() == [
            "kiosk-central: this is the token of a kiosk: kiosk-central kiosks revoke entrance-1"
        ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--role", "patient"), "needs --patient"),
        (("--role", "staff", "--patient", "D-1001"), "no other takes it"),
        (("--role", "staff"), "a staff token needs --name"),
        (("--role", "staff", "--name", "  "), "a staff token needs --name"),
        (("--role", "staff", "--name", "x" * 41), "at most 40 characters"),
        (("--role", "staff", "--name", "Ward\u202e 3"), "a character that nobody sees"),
        (("--role", "staff", "--name", "x", "--expires", "90"), "no length of time such as 90d"),
        (("--role", "staff", "--name", "x", "--expires", "0d"), "no length of time such as 90d"),
        (("--role", "patient", "--patient", "nobody"), "there is no patient nobody"),
        (("--role", "doctor"), "is not one of"),
        (("--role", "patient", "--patient", "\udcff"), "not UTF-8"),
        ((), "Missing option"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused_in_a_line(shell: Shell, arguments, said):
    shell("demo-data")
    shell("token", *arguments, code=2)
    assert said in shell.error


def test_a_document_is_imported_from_a_file_or_standard_input(shell: Shell, tmp_path):
    document = tmp_path / "hospital.json"
    document.write_text(json.dumps(hospital(DAY, 4)))
    assert shell("import", str(document)).splitlines() == [
        "exams: 4 new or changed, 0 unchanged, 0 refused",
        "site: 1 new or changed, 0 unchanged, 0 refused",
        "patients: 4 new or changed, 0 unchanged, 0 refused",
        "appointments: 8 new or changed, 0 unchanged, 0 refused",
        "cards: 4 bound or ended",
        "read as JSON in UTF-8",
    ]
    document.write_text("{")
    shell("import", str(document), code=2)
    assert "not JSON" in shell.error
    document.write_text("[" * 5000)
    shell("import", str(document), code=2)
    document.write_text('{"site": 3}')
    shell("import", str(document), code=1)
    assert shell.error == "line 1, site: expected an object, got a whole number\n"
    shell("import", str(tmp_path / "missing.json"), code=2)


def test_the_site_is_shown_and_set(shell: Shell):
    SqliteStore(shell.url).close()
    shell("site", code=2)
    assert shell.lines_of_error() == ["kiosk-central: the database holds no hospital yet"]
    shell("demo-data")
    shown = json.loads(shell("site", "--json"))
    assert is_uuid(shown.pop("site_id"))
    assert shown == {
        "name": "가상 병원",
        "desk": "desk",
        "timezone": "Asia/Seoul",
        "day_starts_at": "04:00",
        "languages": ["ko", "en"],
        "ticket_prefix": "C",
        "refuse_short_uids": False,
        "decides": [],
        "public_url": "",
        "trusted_proxies": [],
        "allowed_origins": [],
    }
    set_ = shell("site", "--name", "Other", "--day-starts-at", "05:30", "--language", "en", "--language", "ko")
    assert "name: Other\n" in set_
    assert "languages: en, ko\n" in set_
    assert shell("site") == set_
    wrongs = {
        "--timezone": "Mars",
        "--day-starts-at": "5",
        "--desk": "nowhere",
        "--ticket-prefix": "ß",
        "--language": "German",
    }
    for option, wrong in wrongs.items():
        shell("site", option, wrong, code=2)
        assert "Expected" not in shell.error
        assert "regex" not in shell.error
    assert shell("site") == set_
    assert "refuse_short_uids: no\n" in set_
    assert "refuse_short_uids: yes\n" in shell("site", "--refuse-short-uids")
    assert "refuse_short_uids: yes\n" in shell("site", "--name", "Other")
    assert shell("site", "--accept-short-uids") == set_


def test_the_way_to_the_centre_is_kept_with_the_site(shell: Shell):
    shell("demo-data")
    set_ = shell(
        "site",
        *("--public-url", "https://Checkin.Hospital.example:443/"),
        *("--trusted-proxy", "10.1.2.3", "--trusted-proxy", "fd00::/64"),
        *("--allow-origin", "https://App.example:443", "--allow-origin", "capacitor://localhost"),
    )
    for line in (
        "public_url: https://checkin.hospital.example",
        "trusted_proxies: 10.1.2.3/32, fd00::/64",
        "allowed_origins: https://app.example, capacitor://localhost",
    ):
        assert line in set_.splitlines()
    assert shell("site", "--name", "Other") == set_.replace("가상 병원", "Other")
    shell("import", _without_site(shell.path.parent))
    emptied = shell("site", "--public-url", "", "--trusted-proxy", "", "--allow-origin", "")
    for line in ("public_url: ", "trusted_proxies: ", "allowed_origins: "):
        assert line in emptied.splitlines()


def _without_site(directory: Path) -> str:
    """A document that leaves the settings of the site alone."""
    file = directory / "hospital.json"
    file.write_text('{"exams": [], "patients": [], "appointments": []}')
    return str(file)


@pytest.mark.parametrize("command", ["run", "site"])
@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--trusted-proxy", "proxy.example", "is no IP address and no network"),
        ("--trusted-proxy", "10.1.2.3/8", "(its network is 10.0.0.0/8)"),
        ("--trusted-proxy", "fe80::1%eth0/128", "is no IP address and no network"),
        ("--trusted-proxy", "0.0.0.0/0", "every address"),
        ("--trusted-proxy", "::/0", "every address"),
        ("--public-url", "checkin.example", "no URL of the form"),
        ("--public-url", "ftp://checkin.example", "no URL of the form"),
        ("--public-url", "https://checkin.example/app", "no URL of the form"),
        ("--public-url", "https://user:secret@checkin.example", "no URL of the form"),
        ("--public-url", "https://checkin.example:99999", "no such port"),
        ("--public-url", "https://", "no URL of the form"),
        ("--allow-origin", "*", "every page of the web"),
        ("--allow-origin", "https://*.example", "no origin"),
        ("--allow-origin", "app.example", "no origin"),
        ("--allow-origin", "https://", "names no host"),
        ("--allow-origin", "https://app.example/", "no origin"),
        ("--allow-origin", "https://app.example\r\nSet-Cookie: a=b", "no origin"),
    ],
)
def test_a_value_that_names_no_proxy_url_or_origin_is_an_error(
    shell: Shell, command: str, option: str, value: str, words: str
):
    shell(command, option, value, code=2)
    assert words in shell.error


def test_a_site_keeps_its_id_until_a_copy_without_kiosks_gets_another_one(shell: Shell):
    shell("demo-data")
    before = json.loads(shell("site", "--json"))["site_id"]
    shell("demo-data")
    shell("site", "--name", "Other")
    assert json.loads(shell("site", "--json"))["site_id"] == before
    store = SqliteStore(shell.url)
    with store.write() as db:
        db.execute("insert into kiosks values ('K1', 'Entrance', 'B', '[]', 1, 0, null, null, null, null, null)")
    store.close()
    shell("site", "--new-id", code=2)
    assert "1 kiosks belong to this site: K1" in shell.error
    shell("kiosks revoke", "K1")
    renewed = json.loads(shell("site", "--new-id", "--name", "Test", "--json"))
    assert renewed["site_id"] != before
    assert (is_uuid(renewed["site_id"]), renewed["name"]) == (True, "Test")
    assert json.loads(shell("site", "--json")) == renewed


def test_a_file_that_was_set_aside_is_taken_in_line_by_line_and_what_is_lost_is_named(shell: Shell, tmp_path: Path):
    shell("demo-data")
    site = json.loads(shell("site", "--json"))
    lines = [line_of(_set_aside(place, site["site_id"])) for place in range(1, 4)]
    file = tmp_path / "hall.aside"
    file.write_bytes(b"".join(lines))
    first = shell("take-in", str(file))
    assert [line.split()[2:4] for line in first.splitlines()[:3]] == [["needs_staff", "quarantined"]] * 3
    assert shell("take-in", str(file)) == first, "no action is done twice"
    assert json.loads(shell("check", "--json"))["waiting_for_staff"] == 1
    (case,) = json.loads(shell("exceptions list", "--json"))
    assert (case["code"], case["count"]) == ("quarantined", 3)
    file.write_bytes(lines[0] + b'{"checksum": "no"}\n' + lines[2])
    taken = json.loads(shell("take-in", str(file), "--json", code=1))
    assert ([each["place"] for each in taken["actions"]], taken["lost"]) == ([1, 3], [2])
    assert shell.lines_of_error() == ["1 actions are lost, of the places 2 in the file; damaged lines: 2"]


def test_a_file_of_another_hospital_or_of_nobody_is_refused_in_words(shell: Shell, tmp_path: Path):
    shell("demo-data")
    file = tmp_path / "hall.aside"
    file.write_bytes(line_of(_set_aside(1, "another-site")))
    shell("take-in", str(file), code=2)
    assert "the file holds actions of Blue Hospital (site another-site), and this centre is 가상 병원" in shell.error
    assert json.loads(shell("check", "--json"))["waiting_for_staff"] == 0
    for nonsense in (b"", b"\n\n", b"\xff" * 5000, b"[" * 50_000):
        file.write_bytes(nonsense)
        shell("take-in", str(file), code=2)
        assert "holds no action that can be read" in shell.error


def test_two_files_in_one_are_refused_before_anything_is_taken_in(shell: Shell, tmp_path: Path):
    shell("demo-data")
    site_id = json.loads(shell("site", "--json"))["site_id"]
    whole = [line_of(_set_aside(place, site_id)) for place in (1, 2, 3)]
    shorter = [line_of(msgspec.structs.replace(_set_aside(1, site_id), of=1, action_id="another"))]
    file = tmp_path / "both.aside"
    for lines in ([*whole, *shorter], [*shorter, *whole]):
        file.write_bytes(b"".join(lines))
        shell("take-in", str(file), code=2)
        assert "holds the lines of more than one file: take each file in by itself" in shell.error
    assert json.loads(shell("check", "--json"))["waiting_for_staff"] == 0


def _set_aside(place: int, site_id: str) -> SetAside:
    """An action whose body was damaged at its kiosk."""
    fields = {"site_id": site_id, "site": "Blue Hospital", "kiosk_id": "hall", "epoch": 1, "hash": ""}
    action_id = f"01900000-0000-7000-8000-{place:012d}"
    return SetAside(place=place, of=3, seq=place, action_id=action_id, body="AA==", digest="", **fields)


def test_the_centre_gives_no_numbers_under_a_kiosks_prefix(shell: Shell):
    shell("demo-data")
    store = SqliteStore(shell.url)
    with store.write() as db:
        db.execute("insert into kiosks values ('K1', 'Entrance', 'B', '[]', 1, 0, null, null, null, null, null)")
    store.close()
    shell("site", "--ticket-prefix", "B", code=2)
    assert "is a kiosk's" in shell.error
    shell("site", "--ticket-prefix", "D")


def test_the_check_ends_with_1_when_something_is_wrong(shell: Shell):
    shell("demo-data")
    assert shell("check").startswith("all is well\n")
    store = SqliteStore(shell.url)
    with store.write() as db:
        db.execute("update journeys set state = 'CALLED' where patient_id = 'D-1001'")
        db.execute(
            "insert into transitions values (9999, 0, 'D-1001', null, 0, null, 'PAYMENT', 'CALLED', 'fly', 'nfc_tag',"
            " 'x', 'x', '{}', 0, 0, 'received')"
        )
    store.close()
    said = shell("check", code=1)
    assert said.startswith("NOT WELL\n")
    assert "orphans: patient D-1001 is CALLED on 20" in said
    assert ", the entry is None\n" in said
    assert "illegal: PAYMENT -fly-> CALLED (nfc_tag), 1 rows" in said
    assert not json.loads(shell("check", "--json", code=1))["ok"]


MAKERS = {"demo-data", "import", "restore"}  # `restore` puts a backup there
WITHOUT_DATABASE = {
    "accounts": "accounts list --database URL",
    "access-log": "access-log show --database URL",
    "bindings": "bindings list --database URL P1",
    "card-keys": "card-keys --database URL",
    "check": "check --database URL",
    "clock": "clock --database URL",
    "enroll-code": "enroll-code --database URL",
    "backup": "backup --database URL copy.db",
    "exceptions": "exceptions list --database URL",
    "kiosks": "kiosks list --database URL",
    "migrate-legacy": "migrate-legacy --forget --to URL",
    "move": "move --from URL --to sqlite:///other.db",
    "run": "run --database URL",
    "shadow": "shadow --database URL",
    "site": "site --database URL",
    "take-in": "take-in --database URL FILE",
    "token": "token --database URL --role staff --name desk",
    "token-revoke": "token-revoke --database URL 0123456789ab",
    "tokens": "tokens --database URL",
    "watch": "watch --database URL .",
    "webhooks": "webhooks list --database URL",
}


@pytest.mark.parametrize("command", sorted(set(cli.list_commands(click.Context(cli))) - MAKERS))
def test_no_command_makes_a_database_under_a_mistyped_path(tmp_path: Path, capsys, command: str):
    file, path = tmp_path / "file", tmp_path / "typo" / "centre.db"
    file.write_bytes(line_of(_set_aside(1, "a site")))
    places = {"URL": f"sqlite:///{path}", "FILE": str(file)}
    with pytest.raises(SystemExit) as ended:
        main([places.get(word, word) for word in WITHOUT_DATABASE[command].split()])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(f"kiosk-central: {path}: there is no such database. Correct --database")
    assert list(tmp_path.iterdir()) == [file]


def test_a_check_of_a_document_makes_no_database_and_its_import_does(shell: Shell, tmp_path: Path):
    exam = {"exam_id": "desk", "title": "Desk", "public_label": "Desk", "room": "1"}
    (tmp_path / "hospital.json").write_text(json.dumps({"exams": [exam]}))
    shell("import", str(tmp_path / "hospital.json"), "--check", code=2)
    assert "there is no such database" in shell.error
    assert not shell.path.exists()
    shell("import", str(tmp_path / "hospital.json"))
    assert shell.path.exists()


@pytest.mark.parametrize("command", ["check", "demo-data", "token", "enroll-code", "kiosks list", "site", "run"])
@pytest.mark.parametrize(
    "url", ["postgresql://host/db", "centre.db", "sqlite:////proc/none/centre.db", "sqlite:////dev/null"]
)
def test_a_database_that_cannot_be_is_told_in_one_line(shell: Shell, command, url):
    more = ("--role", "staff", "--name", "desk") if command == "token" else ()
    shell(command, *more, code=2, url=url)
    assert len(shell.lines_of_error()) == 1


def test_a_database_without_its_keys_is_not_served(shell: Shell, tmp_path):
    shell("demo-data")
    keys_path(shell.path).unlink()
    shell("demo-data", code=2)
    assert "the key file is missing: put it back" in shell.error
    assert not keys_path(shell.path).exists(), "a new one would open no card"
    keys_path(shell.path).write_bytes(b'{"keys": [{"key_id": "k9", "secret": "%s"}]}' % (b"11" * 32))
    shell("demo-data", code=2)
    assert "not the key file of this database: its keys are k9, and the database knows" in shell.error
    write_secret(tmp_path / "more.keys", b"{}")
    shell("demo-data", "--keys", str(tmp_path / "more.keys"), code=2)
    assert "no usable key file" in shell.error


def test_the_keys_may_lie_elsewhere(shell: Shell, tmp_path):
    elsewhere = tmp_path / "elsewhere.keys"
    shell("demo-data", "--keys", str(elsewhere))
    assert elsewhere.stat().st_mode & 0o077 == 0
    assert not keys_path(shell.path).exists()


def test_a_database_that_fails_in_the_middle_is_told_in_one_line(shell: Shell):
    shell("demo-data")
    with closing(sqlite3.connect(shell.path)) as db:
        db.execute("create trigger no_room before insert on tokens begin select raise(abort, 'no room'); end")
    shell("token", "--role", "staff", "--name", "desk", code=2)
    assert shell.lines_of_error() == ["kiosk-central: the database: no room"]


def test_a_database_that_another_process_holds_for_a_moment_is_waited_for(shell: Shell):
    shell("demo-data")
    store = SqliteStore(shell.url)
    threading.Timer(0.2, store.close).start()
    assert shell("check").startswith("all is well\n")


def test_a_database_that_another_process_keeps_is_refused(shell: Shell):
    shell("demo-data")
    store = SqliteStore(shell.url)
    with pytest.raises(InUse, match="another process is using it"):
        open_centre(shell.url, patience_s=0.1)
    store.close()


@pytest.mark.parametrize(
    "address", ["", "8000", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:99999", "no.such.host.invalid:1", ":80"]
)
def test_an_address_that_is_none_is_told_in_one_line(shell: Shell, address):
    shell("demo-data")
    shell("run", "--listen", address, code=2)
    assert len(shell.lines_of_error()) == 1


def test_several_workers_need_postgresql(shell: Shell):
    shell("demo-data")
    shell("run", "--workers", "2", code=2)
    assert "--workers needs a database of PostgreSQL" in shell.error


def test_rules_that_cannot_be_put_in_force_are_told_in_one_line(shell: Shell, tmp_path):
    open_centre(shell.url, definitions=shipped()).store.close()
    text = resources.files("sync.journey").joinpath("definitions.toml").read_text("utf-8")
    rules = tmp_path / "rules.toml"
    for changed, said in (
        (text.replace('hands_over = ["cancelled"]', "hands_over = []"), "need a higher version"),
        (text.replace('initial = "UNREGISTERED"', 'initial = "NOWHERE"'), "no usable definitions"),
    ):
        assert changed != text
        rules.write_text(changed)
        shell("run", "--definitions", str(rules), code=2)
        assert said in shell.error
        assert len(shell.lines_of_error()) == 1


def test_help_says_what_there_is(capsys):
    for arguments in ([], ["--help"], ["run", "--help"]):
        with pytest.raises(SystemExit):
            main(arguments)
        out, err = capsys.readouterr()
        assert "Usage: kiosk-central" in out + err
    with pytest.raises(SystemExit) as ended:
        main(["fly"])
    assert ended.value.code == 2


def test_the_version_is_one_line_with_those_of_the_protocol_and_the_rules(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    out, err = capsys.readouterr()
    stated = f"kiosk-central {version('nfc-kiosk')}, protocol_version {PROTOCOL_VERSION}, definitions_version 1\n"
    assert (ended.value.code or 0, out, err) == (0, stated, "")


class Interrupted:
    """A standard input that is interrupted by Ctrl-C."""

    def readline(self) -> str:
        raise KeyboardInterrupt


def test_ctrl_c_ends_a_command(shell: Shell, monkeypatch):
    monkeypatch.setattr("sys.stdin", Interrupted())
    shell("token-revoke", code=2)
    assert shell.lines_of_error() == []


def test_the_clock_is_shown_and_believed(shell: Shell):
    shell("demo-data")
    assert shell("clock", "--believe").startswith("it is 20")
    assert json.loads(shell("clock", "--json"))["taken_ms"] > 0


def test_a_clock_that_goes_on_between_two_readings_is_in_no_doubt(shell: Shell):
    ticks = itertools.count()
    parts = replace(open_centre(shell.url), clock=lambda: next(ticks))
    told = operations_for(parts, os.getuid())["clock"]({})
    assert told["machine_ms"] == told["taken_ms"]
    parts.store.close()


def test_a_clock_in_doubt_is_told_in_words_until_it_is_believed(shell: Shell):
    shell("demo-data")
    wall_ms = [0]
    machine_clock = Timekeeper(lambda: (wall_ms[0], 0), is_synchronised=lambda: False)
    parts = replace(open_centre(shell.url), clock=machine_clock)
    wall_ms[0] = 3 * DAY_MS
    control = ControlServer(socket_path(shell.path), lambda uid: operations_for(parts, uid))
    control.start()
    machine, taken = "1970-01-04T00:00:00+00:00", "1970-01-01T00:00:00+00:00"
    said = f"the clock is in doubt: it says {machine}, and the centre uses {taken}"
    assert shell("clock").splitlines() == [said]
    assert shell("check", code=1).splitlines()[:2] == ["NOT WELL", said]
    assert shell("clock", "--believe") == f"it is {machine}\n"
    shell("check")
    control.stop()
    parts.store.close()


def test_a_short_command_loads_no_web_server(shell: Shell):
    """Timers and operators call them often; Flask alone takes longer than the rest."""
    shell("demo-data")
    script = (
        "import sys\n"
        "from sync.central.commands.main import cli\n"
        f"cli.main(['kiosks', 'list', '--database', {shell.url!r}], standalone_mode=False)\n"
        "print(sorted({'flask', 'werkzeug', 'aiohttp', 'simple_websocket'} & sys.modules.keys()))\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert ran.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("loaded", "foreign"),
    [
        (
            "sync.central.commands.main, sync.central.commands.service",
            {"aiohttp", "sync.central.store.sqlite"},
        ),
        ("sync.central.server", {"flask", "sync.central.centre", "sync.central.store.sqlite"}),
    ],
    ids=["before the worker starts", "as the gateway"],
)
def test_run_loads_what_its_own_process_needs(loaded: str, foreign: set[str]):
    script = f"import sys, {loaded}; print(sorted({foreign!r} & sys.modules.keys()))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert ran.stdout == "[]\n"


def test_a_kiosk_whose_actions_do_not_arrive_is_listed_and_fails_the_check(shell: Shell):
    shell("demo-data")
    with closing(sqlite3.connect(shell.path)) as db, db:
        db.execute(
            "insert into kiosks values ('lobby', 'Lobby', 'B', '[]', 1, 0, 1772409600000, null, null, null, null)"
        )
        db.execute("insert into backlogs values ('lobby', 3, 1772409600000, 7, 1, 1772409700000, 1772409700000)")
    said = "3 waiting since 2026-03-02T00:00:00+00:00, 1 refused by the network"
    assert said in shell("kiosks list")
    assert json.loads(shell("kiosks list", "--json"))[0]["backlog"]["waiting"] == 3
    assert f"kiosk lobby pulls, but its actions do not arrive: {said}" in shell("check", code=1)
    assert json.loads(shell("check", "--json", code=1))["stuck_kiosks"][0]["kiosk_id"] == "lobby"


def test_a_kiosk_that_gets_no_answer_to_its_pulls_is_listed_and_fails_the_check(shell: Shell):
    shell("demo-data")
    began, called = 1772409600000, 1772409900000
    with closing(sqlite3.connect(shell.path)) as db, db:
        db.execute(f"insert into kiosks values ('lobby', 'Lobby', 'B', '[]', 1, 0, {called}, null, 0, {began}, null)")
    said = "without an answer to its pulls since 2026-03-02T00:00:00+00:00"
    assert f"last contact 2026-03-02T00:05:00+00:00, {said}" in shell("kiosks list")
    checked = shell("check", code=1)
    assert "kiosk lobby calls, but gets no answer to its pulls since 2026-03-02T00:00:00+00:00" in checked
    assert "let the network pass POST /api/v1/sync/pull" in checked
    (found,) = json.loads(shell("check", "--json", code=1))["unanswered_kiosks"]
    assert found == {"kiosk_id": "lobby", "since_ms": began, "seen_ms": called}


def test_the_files_of_state_are_where_the_operator_wants_them(shell: Shell, tmp_path: Path):
    state = tmp_path / "state"
    shell("demo-data", "--state-dir", str(state))
    assert {path.name for path in state.iterdir()} == {"centre.db.keys", "centre.db.opened"}
    assert {path.suffix for path in tmp_path.glob("centre.db*")}.isdisjoint({".keys", ".opened"})
    shell("check", "--state-dir", str(state))
    shell("check", "--state-dir", str(tmp_path / "centre.db"), code=2)
    assert "is a file" in shell.error
    shell("check", code=2)
    assert "the key file is missing" in shell.error


def test_postgresql_without_a_directory_of_state_is_refused_without_the_password(shell: Shell):
    shell("check", code=2, url="postgresql://me:secret@db.example/hospital")
    assert "postgresql://db.example/hospital: give --state-dir too" in shell.error
    assert "secret" not in shell.error
