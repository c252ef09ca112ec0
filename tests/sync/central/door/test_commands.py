"""Every operation and every command: an operator who is told of a patient has a row in the access log."""

from __future__ import annotations

import json
import os
import pwd
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest

from sync.central.commands.main import cli, main
from sync.central.maintenance.log_sealing import seal_log
from sync.central.operations.catalog import operations, operations_for
from sync.central.records.accounts import Account, account_of_login, add_account
from sync.central.records.bindings import bind, read_binding
from sync.central.records.cases import NewCase, open_case
from sync.central.records.duties import Duty
from sync.central.records.kiosks import Kiosk, add_kiosk, read_kiosk
from sync.central.records.site import read_site, set_demo
from sync.central.records.webhooks import DeadLetter, add_dead_letters
from sync.central.services.demo_hospital import demo_cards
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.central.services.take_word import take_word
from sync.central.services.word_bodies import read_word
from sync.control import ControlServer, socket_path
from sync.ids import new_id
from sync.journey.model import Actor, KioskId, Role
from sync.set_aside import SetAside, line_of
from tests.sync.central.door.marked import ANNA, BORIS, CLARA, DORA, STRANGE_CARD, Marked
from tests.sync.central.wire import BY_STAFF

USER = f"command line:{pwd.getpwuid(os.getuid()).pw_name}"
OTHER_SYSTEM = Requester(Actor(Role.INTEGRATION), "integration:old", "legacy")
Prepare = Callable[[Marked], dict[str, Any]]


@dataclass(frozen=True)
class Asked:
    """The arguments of an operation, and the patients of whom it tells."""

    arguments: Prepare
    about: frozenset[str]


def asked(*about: str, prepare: Prepare = lambda _: {}, **arguments: Any) -> Asked:
    return Asked(lambda marked: arguments | prepare(marked), frozenset(about))


def of_binding(marked: Marked) -> dict[str, Any]:
    return {"patient_id": ANNA, "binding_id": marked.binding_id, "reason": "x"}


def of_blocked(marked: Marked) -> dict[str, Any]:
    marked.centre.do("binding-block", **of_binding(marked))
    marked.forget()
    return of_binding(marked)


def of_case(marked: Marked) -> dict[str, Any]:
    return {"exception_id": marked.cases[ANNA]}


def taken_by(marked: Marked) -> dict[str, Any]:
    """A row whose card another patient holds, since staff bound it."""
    with marked.centre.store.write() as db:
        cards = marked.centre.parts.keys.hashes(f"iso14443a:{STRANGE_CARD.upper()}")
        bind(db, BORIS, cards, new_id(), marked.centre.clock(), BY_STAFF)
    return {"rows": [{"kind": "patients", "line": 1, "fields": {"patient_id": DORA, "cards": [STRANGE_CARD]}}]}


def with_tokens(marked: Marked) -> dict[str, Any]:
    marked.centre.token(Role.PATIENT, CLARA)
    marked.centre.token(Role.STAFF, name="Ward")
    return {}


def differing(marked: Marked) -> dict[str, Any]:
    """A word about Anna that the rules see differently."""
    marked.centre.do("site", decides=["register=shadow"])
    told = {"word_id": new_id(), "patient_id": ANNA, "action_type": "register", "from": "ARRIVED", "to": "FINISHED"}
    entries = [{"queue_id": marked.queue_id, "state": "completed"}]
    word = read_word({**told, "at": marked.centre.clock(), "entries": entries})
    assert isinstance(word, ActionRequest)
    assert take_word(marked.centre.parts, OTHER_SYSTEM, word).done
    marked.forget()
    return {}


def a_token(marked: Marked) -> dict[str, Any]:
    return {"token": marked.centre.token(Role.PATIENT, CLARA)}


def a_kiosk(marked: Marked) -> dict[str, Any]:
    with marked.centre.store.write() as db:
        add_kiosk(db, Kiosk(KioskId("lobby"), "Lobby", "B", (), 1, 0, None, None))
    return {"kiosk_id": "lobby"}


def a_kiosk_that_acted(marked: Marked) -> None:
    """A kiosk about which there is a case that names Anna."""
    with marked.centre.store.write() as db:
        if read_kiosk(db, "lobby") is None:
            add_kiosk(db, Kiosk(KioskId("lobby"), "Lobby", "B", (), 1, 0, None, None))
            open_case(db, new_id(), NewCase("forbidden", "lobby", {}, ANNA), marked.centre.clock())


def by_that_kiosk(marked: Marked) -> dict[str, Any]:
    a_kiosk_that_acted(marked)
    return {"kiosk_id": "lobby", "reason": "x"}


def acts_of_that_kiosk(marked: Marked) -> dict[str, Any]:
    a_kiosk_that_acted(marked)
    return {"kiosk_id": "lobby"}


def to_undo(marked: Marked) -> dict[str, Any]:
    a_kiosk_that_acted(marked)
    return {"order": {"kiosk_id": "lobby", "since": "2026-03-02", "reason": "x"}}


def of_a_period(marked: Marked) -> dict[str, Any]:
    a_kiosk_that_acted(marked)
    period = {"kiosk_id": "lobby", "since_ms": 0, "until_ms": None}
    return {"period": period, "reason": "x", "after": "", "with_reports": True}


def unwell(marked: Marked) -> dict[str, Any]:
    with marked.centre.store.write() as db:
        db.execute("update journeys set state = 'CALLED' where patient_id = :id", {"id": ANNA})
    return {}


def as_demo(marked: Marked) -> dict[str, Any]:
    with marked.centre.store.write() as db:
        set_demo(db, is_demo=True)
    return {}


def looked_at(marked: Marked) -> dict[str, Any]:
    """The log has a row about Anna, one about Anna and Boris, and none about Clara."""
    marked.centre.do("bindings", patient_id=ANNA)
    marked.centre.do("exceptions")
    return {}


def sealed(marked: Marked) -> dict[str, Any]:
    """The log has these rows in a block."""
    looked_at(marked)
    seal_log(marked.centre.parts, at_once=True)
    return {}


def set_aside(marked: Marked) -> SetAside:
    with marked.centre.store.read() as db:
        site = read_site(db)
    fields = {"site_id": site.site_id, "site": site.site.name, "kiosk_id": "K1", "epoch": 1, "seq": 1, "hash": ""}
    return SetAside(place=1, of=1, action_id=new_id(), body="", digest="", **fields)


def to_take_in(marked: Marked) -> dict[str, Any]:
    return {"actions": msgspec.to_builtins([set_aside(marked)])}


def to_back_up(marked: Marked) -> dict[str, Any]:
    return {"file": str(marked.directory / "backup.db")}


def a_person(marked: Marked) -> dict[str, Any]:
    with marked.centre.store.write() as db:
        if account_of_login(db, "kim") is None:
            add_account(db, Account(new_id(), "kim", "Kim", frozenset({Duty.RECEPTION}), 0))
    return {"login": "kim"}


def a_webhook(marked: Marked) -> dict[str, Any]:
    """A webhook with a dead letter about Anna."""
    webhook_id = marked.centre.do("webhook-add", url="https://engine.example/")["webhook_id"]
    with marked.centre.store.write() as db:
        add_dead_letters(db, webhook_id, [DeadLetter("evt_1", 1, 0, "HTTP 500")])
    return {"webhook_id": webhook_id}


# `backup` tells of nobody: what it writes into a file has a row of its own kind.
OPERATIONS = {
    "site": asked(),
    "demo-data": asked(*demo_cards(), prepare=as_demo),
    "import-rows": asked(BORIS, prepare=taken_by),
    "import-day": asked(day="2026-03-02", named=["BOOKING-MARK-ANNA", "BOOKING-MARK-BORIS"]),
    "import-done": asked(rows={}),
    "watch-turn": asked(folder_id="f", holder="h"),
    "accounts": asked(),
    "account-invite": asked(duties=["reception"]),
    "account-disable": asked(prepare=a_person),
    "account-enable": asked(prepare=a_person),
    "account-unlock": asked(prepare=a_person),
    "account-reset": asked(prepare=a_person),
    "sign-in-settings": asked(),
    "token": asked(role="patient", patient_id=ANNA),
    "tokens": asked(CLARA, prepare=with_tokens),
    "token-revoke": asked(prepare=a_token),
    "enroll-code": asked(),
    "kiosks": asked(prepare=a_kiosk),
    "kiosk-renew": asked(prepare=a_kiosk),
    "kiosk-revoke": asked(prepare=a_kiosk),
    "kiosk-acts": asked(ANNA, prepare=acts_of_that_kiosk),
    "kiosk-undo": asked(prepare=to_undo),
    "kiosk-undo-portion": asked(prepare=of_a_period),
    "kiosk-cases": asked(prepare=by_that_kiosk),
    "kiosk-cases-discard": asked(prepare=of_a_period),
    "take-in": asked(prepare=to_take_in),
    "exceptions": asked(ANNA, BORIS),
    "exception": asked(ANNA, BORIS, prepare=of_case),
    "settle": asked(how="discard", reason="x", prepare=of_case),
    "bindings": asked(ANNA, patient_id=ANNA),
    "binding-end": asked(ANNA, prepare=of_binding),
    "binding-block": asked(ANNA, prepare=of_binding),
    "binding-unblock": asked(ANNA, prepare=of_blocked),
    "card-keys": asked(),
    "card-keys-begin": asked(),
    "card-keys-walk": asked(),
    "access-log": asked(ANNA, BORIS, prepare=looked_at),
    "access-log-head": asked(),
    "access-log-verify": asked(),
    "access-log-chain": asked(ANNA, BORIS, prepare=sealed),
    "shadow": asked(ANNA, prepare=differing),
    "check": asked(ANNA, prepare=unwell),
    "clock": asked(),
    "backup": asked(prepare=to_back_up),
    "webhooks": asked(prepare=a_webhook),
    "webhook-add": asked(url="https://engine.example/"),
    "webhook-rotate": asked(prepare=a_webhook),
    "webhook-remove": asked(prepare=a_webhook),
    "webhook-dead": asked(prepare=a_webhook),
    "webhook-retry": asked(prepare=a_webhook),
}
# Each command, by the operations that it asks, and its arguments after the database.
COMMANDS: dict[str, tuple[tuple[str, ...], Callable[[Marked], list[str]]]] = {
    "site": (("site",), lambda _: []),
    "demo-data": (("demo-data",), lambda _: []),
    "import": (("import-rows", "import-day", "import-done"), lambda marked: [str(a_document(marked))]),
    "accounts list": (("accounts",), lambda _: []),
    "accounts invite": (("account-invite",), lambda _: ["--duty", "reception"]),
    "accounts disable": (("account-disable",), lambda marked: [a_person(marked)["login"]]),
    "accounts enable": (("account-enable",), lambda marked: [a_person(marked)["login"]]),
    "accounts unlock": (("account-unlock",), lambda marked: [a_person(marked)["login"]]),
    "accounts reset": (("account-reset",), lambda marked: [a_person(marked)["login"]]),
    "accounts settings": (("sign-in-settings",), lambda _: []),
    "token": (("token",), lambda _: ["--role", "patient", "--patient", ANNA]),
    "tokens": (("tokens",), lambda _: []),
    "token-revoke": (("token-revoke",), lambda marked: [a_token(marked)["token"]]),
    "enroll-code": (("enroll-code",), lambda _: []),
    "kiosks list": (("kiosks",), lambda _: []),
    "kiosks acts": (("kiosk-acts",), lambda _: ["lobby"]),
    "kiosks undo": (
        ("kiosk-undo", "kiosk-cases-discard", "kiosk-undo-portion"),
        lambda _: ["lobby", "--since", "2026-03-02", "--reason", "x"],
    ),
    "exceptions discard": (
        ("kiosk-cases", "kiosk-cases-discard"),
        lambda _: ["--kiosk", "lobby", "--reason", "x"],
    ),
    "kiosks renew": (("kiosk-renew",), lambda _: ["--all"]),
    "kiosks revoke": (("kiosk-revoke",), lambda _: ["lobby"]),
    "take-in": (("take-in",), lambda marked: [str(a_file(marked))]),
    "exceptions list": (("exceptions",), lambda _: []),
    "exceptions show": (("exception",), lambda marked: [marked.cases[ANNA]]),
    "exceptions settle": (("settle",), lambda marked: ["--discard", "--reason", "x", marked.cases[ANNA]]),
    "bindings list": (("bindings",), lambda _: [ANNA]),
    "bindings end": (("binding-end",), lambda marked: [ANNA, marked.binding_id]),
    "bindings block": (("binding-block",), lambda marked: [ANNA, marked.binding_id]),
    "bindings unblock": (("binding-unblock",), lambda marked: [ANNA, marked.binding_id]),
    "card-keys": (("card-keys", "card-keys-begin", "card-keys-walk"), lambda _: ["rotate"]),
    "access-log show": (("access-log",), lambda _: []),
    "access-log export": (("access-log", "access-log-chain"), lambda marked: [str(marked.directory / "rows.csv")]),
    "access-log verify": (("access-log-head", "access-log-verify"), lambda _: []),
    "access-log head": (("access-log-head",), lambda marked: list(sealed(marked))),
    "shadow": (("shadow",), lambda _: []),
    "webhooks list": (("webhooks",), lambda _: []),
    "webhooks add": (("webhook-add",), lambda _: ["https://engine.example/"]),
    "webhooks rotate": (("webhook-rotate",), lambda marked: [a_webhook(marked)["webhook_id"]]),
    "webhooks remove": (("webhook-remove",), lambda marked: [a_webhook(marked)["webhook_id"]]),
    "webhooks dead": (("webhook-dead",), lambda marked: [a_webhook(marked)["webhook_id"]]),
    "webhooks retry": (("webhook-retry",), lambda marked: [a_webhook(marked)["webhook_id"]]),
    "check": (("check",), lambda _: []),
    "clock": (("clock",), lambda _: []),
    "backup": (("backup",), lambda marked: [str(marked.directory / "backup.db")]),
}
# The report of an import names the rows of the operator's own document.
NAMED_BY_THE_OPERATOR = {"import": {DORA}}
# These tell of nobody: two run until they are stopped, the others copy a database while no service runs.
WITHOUT_OPERATION = {"run", "watch", "restore", "move", "migrate-legacy"}
OF_WATCH = {"watch-turn"}


def a_document(marked: Marked) -> Path:
    file = marked.directory / "document.json"
    patient = taken_by(marked)["rows"][0]["fields"]
    file.write_text(json.dumps({"patients": [patient]}), "utf-8")
    return file


def a_file(marked: Marked) -> Path:
    file = marked.directory / "kiosk.aside"
    file.write_bytes(line_of(set_aside(marked)))
    return file


@pytest.fixture
def marked(tmp_path: Path) -> Iterator[Marked]:
    made = Marked(tmp_path)
    yield made
    made.centre.store.close()


def test_every_operation_is_asked(marked: Marked):
    """A new operation needs a line in the table."""
    assert set(operations(marked.centre.parts)) == set(OPERATIONS)


@pytest.mark.parametrize("op", OPERATIONS)
def test_an_operator_who_is_told_of_a_patient_leaves_a_row(marked: Marked, op: str):
    arguments = OPERATIONS[op].arguments(marked)
    asks = operations_for(marked.centre.parts, os.getuid())
    if not op.startswith("access-log"):
        marked.forget()
        asks = operations_for(marked.centre.parts, os.getuid())
    before = marked.marks()
    result = asks[op](arguments)
    told = marked.told(json.dumps(result), before | marked.marks())
    noted = marked.noted()
    noted.pop("command line", None)  # the rows that the log was to show
    assert told <= OPERATIONS[op].about
    assert noted == ({USER: set(OPERATIONS[op].about)} if OPERATIONS[op].about else {})


def leaves(command: click.Command, name: str = "") -> Iterator[str]:
    if not isinstance(command, click.Group):
        yield name
        return
    context = click.Context(command)
    for word in command.list_commands(context):
        yield from leaves(command.get_command(context, word), f"{name} {word}".strip())


def test_every_command_is_run():
    """A new command needs a line in the table."""
    assert set(leaves(cli)) == set(COMMANDS) | WITHOUT_OPERATION
    assert {op for ops, _ in COMMANDS.values() for op in ops} == set(OPERATIONS) - OF_WATCH


@pytest.mark.parametrize("service", [False, True], ids=["file", "service"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_passes_the_door_with_a_service_and_without_one(
    marked: Marked, capsys: pytest.CaptureFixture[str], command: str, service: bool
):
    ops, arguments = COMMANDS[command]
    for op in ops:
        OPERATIONS[op].arguments(marked)
    typed = [*command.split(), "--database", marked.centre.url, *arguments(marked)]
    if not command.startswith("access-log"):
        marked.forget()
    about = set().union(*(OPERATIONS[op].about for op in ops))
    marks = marked.marks()
    if service:
        with serving(marked):
            told = run(typed, capsys)
    else:
        marked.centre.store.close()
        told = run(typed, capsys)
        marked.centre.open()
    noted = marked.noted()
    noted.pop("command line", None)
    assert marked.told(told, marks) <= about | NAMED_BY_THE_OPERATOR.get(command, set())
    assert noted == ({USER: about} if about else {})


@contextmanager
def serving(marked: Marked) -> Iterator[None]:
    """A control socket that answers while the context lasts."""
    parts = marked.centre.parts
    server = ControlServer(socket_path(marked.centre.store.path), lambda uid: operations_for(parts, uid))
    server.start()
    yield
    server.stop()


def run(typed: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main(typed)
    out, error = capsys.readouterr()
    assert ended.value.code in (0, 1, None), error
    return out + error


# A look that cannot be recorded.


def without_audit(marked: Marked) -> None:
    with marked.centre.store.write() as db:
        db.execute("alter table audit rename to hidden")


@pytest.mark.parametrize(
    "op", [op for op, each in OPERATIONS.items() if each.about and not op.startswith("access-log")]
)
def test_what_cannot_be_noted_is_not_told(marked: Marked, op: str):
    arguments = OPERATIONS[op].arguments(marked)
    marked.forget()
    asks = operations_for(marked.centre.parts, os.getuid())
    without_audit(marked)
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        asks[op](arguments)


def test_an_action_whose_look_cannot_be_noted_is_not_done(marked: Marked):
    without_audit(marked)
    with pytest.raises(sqlite3.OperationalError):
        operations(marked.centre.parts)["binding-end"](of_binding(marked))
    with marked.centre.store.read() as db:
        binding = read_binding(db, marked.binding_id)
    assert binding is not None
    assert binding.end_ms is None


def test_a_user_without_a_name_is_noted_by_the_number(marked: Marked):
    operations_for(marked.centre.parts, 3_999_999_999)["bindings"]({"patient_id": ANNA})
    assert marked.noted() == {"command line:3999999999": {ANNA}}
