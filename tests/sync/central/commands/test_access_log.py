"""The commands of the access log: a verification of the chain, its head, and files for a spreadsheet and an auditor."""

from __future__ import annotations

import csv
import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sync.central.commands.main import main
from sync.central.maintenance.log_keys import read_log_keys
from sync.central.maintenance.log_sealing import seal_log
from sync.central.maintenance.log_verifying import verify_log
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from tests.sync.central.centre import Centre
from tests.sync.central.log_chain import add_block, add_rows, blocks


class Shell:
    """Runs `kiosk-central access-log …` on a database that no service has open."""

    def __init__(self, centre: Centre, capture: pytest.CaptureFixture[str]) -> None:
        self.centre = centre
        self._capture = capture
        self.path = centre.directory / "centre.db"
        self.error = ""

    def __call__(self, command: str, *arguments: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["access-log", command, "--database", self.centre.url, *arguments])
        out, self.error = self._capture.readouterr()
        assert (ended.value.code or 0) == code, self.error
        return out

    def check(self, code: int) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["check", "--database", self.centre.url])
        assert ended.value.code == code
        return self._capture.readouterr().out

    def tamper(self, sql: str) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(sql)


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    centre = Centre(tmp_path)
    for _ in range(3):
        add_block(centre)
    add_rows(centre, 2)
    centre.store.close()
    return Shell(centre, capsys)


def test_a_whole_chain_is_verified(shell: Shell):
    assert shell("verify").splitlines() == [
        "blocks 1 to 3, 9 rows: all as it was sealed",
        "2 rows are not sealed yet, and were not verified",
    ]
    found = json.loads(shell("verify", "--json"))
    assert (found["ok"], found["first"], found["last"], found["rows"], found["open_rows"]) == (True, 1, 3, 9, 2)


def test_a_changed_row_and_a_removed_one_are_named_and_the_command_ends_with_1(shell: Shell):
    with closing(sqlite3.connect(shell.path)) as connection:
        ids = [row[0] for row in connection.execute("select audit_id from audit where block = 2 order by audit_id")]
    shell.tamper(f"update audit set who = 'nobody' where audit_id = '{ids[0]}'")
    shell.tamper(f"delete from audit where audit_id = '{ids[1]}'")
    lines = shell("verify", code=1).splitlines()
    assert lines[:3] == [
        f"block 2: the row {ids[0]} was changed",
        f"block 2: the row {ids[1]} was removed",
        "blocks 1 to 3, 9 rows: 2 FAULTS",
    ]
    found = json.loads(shell("verify", "--json", code=1))
    assert [(fault["kind"], fault["block"], fault["row"]) for fault in found["faults"]] == [
        ("row_changed", 2, ids[0]),
        ("row_removed", 2, ids[1]),
    ]


def test_a_head_that_is_kept_elsewhere_finds_a_shorter_chain(shell: Shell, tmp_path: Path):
    heads = tmp_path / "heads.txt"
    heads.write_text(shell("head"))
    assert "FAULT" not in shell("verify", "--head", f"@{heads}")
    shell.tamper("delete from log_blocks where block = 3")
    shell.tamper("delete from audit where block = 3")
    assert "FAULT" not in shell("verify")
    assert shell("verify", "--head", f"@{heads}", code=1).splitlines()[0] == (
        "the chain ends before block 3, which was noted elsewhere"
    )
    digest = json.loads(shell("head", "--json"))["digest"]
    other = f"2:{'0' * 64}"
    assert "block 2 is not the one" in shell("verify", "--head", f"2:{digest}", "--head", other, code=1)


def test_the_check_names_what_the_daily_verification_found(shell: Shell):
    shell.tamper("update audit set who = 'nobody' where block = 3")
    shell.centre.open()
    verify_log(shell.centre.parts)
    found = shell.centre.do("check")
    shell.centre.store.close()
    assert (found["ok"], found["access_log"]["faults"]) == (False, 3)
    assert "block 3: the row" in shell.check(code=1)
    assert "the access log is not as it was sealed, 3 faults" in shell.check(code=1)


@pytest.mark.parametrize("head", ["", "17", "0:" + "0" * 64, "1:xyz", "@none.txt"])
def test_a_head_of_another_form_is_refused(shell: Shell, head: str):
    shell("verify", "--head", head, code=2)
    assert "head" in shell.error


def test_a_chain_without_a_block_has_no_head(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    centre = Centre(tmp_path)
    centre.store.close()
    empty = Shell(centre, capsys)
    empty("head", code=2)
    assert empty.error == "kiosk-central: no block is sealed yet\n"
    assert empty("verify").splitlines()[0] == "no block, 0 rows: all as it was sealed"


def test_an_export_has_all_rows_and_no_formula(shell: Shell, tmp_path: Path):
    shell.centre.open()
    with shell.centre.store.write() as db:
        note(db, "=1+1", AuditKind.BIND, shell.centre.clock(), patient_id="＠P01", detail={"from": "+192.0.2.1"})
    add_rows(shell.centre, 1200)
    shell.centre.store.close()
    file = tmp_path / "log.csv"
    shell("export", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    rows = list(csv.DictReader(file.read_text("utf-8-sig").splitlines()))
    assert len({row["audit_id"] for row in rows}) == len(rows) >= 1212
    (bound,) = [row for row in rows if row["kind"] == "bind"]
    assert (bound["who"], bound["patients"], bound["from"]) == ("'=1+1", "'＠P01", "'+192.0.2.1")
    shell("export", str(file), code=2)
    assert shell.error == f"kiosk-central: {file}: is there already\n"
    shell.centre.open()
    (look,) = shell.centre.rows("select count(*) as n from audit where kind = 'look:access-log-export'")
    assert look["n"] >= 1
    shell.centre.store.close()


def test_a_search_limits_an_export_of_rows_and_not_that_of_a_chain(shell: Shell, tmp_path: Path):
    shell("export", "--kind", "refused", str(tmp_path / "none.csv"))
    assert len((tmp_path / "none.csv").read_text().splitlines()) == 1
    shell("export", "--as", "chain", "--kind", "look", str(tmp_path / "chain"), code=2)
    assert "a chain is exported whole" in shell.error


def verify_independently(file: Path, secret: str) -> list[str]:
    """An auditor's own program: it knows docs/access-log.md and a JSON library, and nothing of this project."""
    import hmac

    def as_json(value: object) -> bytes:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

    said, previous = [], None
    for line in file.read_bytes().splitlines():
        block = json.loads(line)
        ids = [row[0] for row in block["rows"]]
        leaves = b"".join(
            row[0].encode() + b" " + hashlib.sha256(as_json(row)).hexdigest().encode() + b"\n" for row in block["rows"]
        )
        names = ("block", "sealed_ms", "rows_sealed", "first_id", "last_id", "previous")
        digest = hashlib.sha256(as_json([block[name] for name in names]) + b"\n" + leaves).hexdigest()
        seal = hmac.new(bytes.fromhex(secret), digest.encode(), "sha256").hexdigest()
        right = (
            digest == block["digest"]
            and seal == block["seal"]
            and block["previous"] == (previous or "0" * 64)
            and (len(ids), ids[0], ids[-1]) == (block["rows_sealed"], block["first_id"], block["last_id"])
            and ids == sorted(ids)
        )
        said += [] if right else [f"block {block['block']} is wrong"]
        previous = block["digest"]
    return said


def test_a_program_of_an_auditor_verifies_an_exported_chain(shell: Shell, tmp_path: Path):
    shell.centre.open()
    with shell.centre.store.write() as db:
        note(db, 'staff:"수간호사"\t\x01/\u2028', AuditKind.BIND, shell.centre.clock(), detail={"ä": "\\ \x7f 😀"})
    add_rows(shell.centre, 600)
    seal_log(shell.centre.parts, at_once=True)
    assert len(blocks(shell.centre)) == 5
    (key,) = read_log_keys(shell.centre.store.place.state)
    shell.centre.store.close()
    file = tmp_path / "chain.jsonl"
    shell("export", "--as", "chain", str(file))
    assert len(file.read_bytes().splitlines()) == 5
    assert verify_independently(file, key.secret) == []
    file.write_bytes(file.read_bytes().replace(b"192.0.2.1", b"192.0.2.2", 1))
    assert verify_independently(file, key.secret) == ["block 1 is wrong"]
