"""The audit has a row for each operation of a command: actor, kind, subject. A command that only shows leaves none but
those of the access log (`test_door.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sync.central.operations.catalog import operations
from sync.central.records.accounts import Account, add_account
from sync.central.records.bindings import end_binding, hashes_of_binding
from sync.central.records.card_blocks import begin_block
from sync.central.records.cases import NewCase, open_case
from sync.central.records.duties import Duty
from sync.central.records.site import read_site, set_demo
from sync.central.records.tokens import hash_of
from sync.ids import new_id
from sync.journey.model import Role
from sync.set_aside import SetAside
from tests.sync.central.centre import DAY, Centre, patient

ANNA = patient(1)

Row = dict[str, Any]


def nothing(op: str, **arguments: object) -> Callable[[Centre, Path], Row | None]:
    """An operation that leaves no row."""

    def run(centre: Centre, _: Path) -> None:
        centre.do(op, **arguments)

    return run


def enroll_code(centre: Centre, _: Path) -> Row:
    centre.do("enroll-code", actions=["scan_nfc"])
    return {"kind": "enroll-code", "detail": {"grants": ["scan_nfc"]}}


def kiosk_renew(centre: Centre, _: Path) -> Row:
    add_kiosk(centre)
    assert centre.do("kiosk-renew") == ["K1"]
    return {"kind": "kiosk-renew", "detail": {"kiosk_ids": ["K1"]}}


def kiosk_revoke(centre: Centre, _: Path) -> Row:
    add_kiosk(centre)
    centre.do("kiosk-revoke", kiosk_id="K1")
    return {"kind": "kiosk-revoke", "detail": {"kiosk_id": "K1"}}


def card_keys_begin(centre: Centre, _: Path) -> Row:
    return {"kind": "card-keys", "detail": {"key_id": centre.do("card-keys-begin")}}


def kiosk_acts(centre: Centre, _: Path) -> None:
    add_kiosk(centre)
    centre.do("kiosk-acts", kiosk_id="K1")


def kiosk_undo(centre: Centre, _: Path) -> Row:
    add_kiosk(centre)
    begun = centre.do("kiosk-undo", order={"kiosk_id": "K1", "since": DAY, "reason": "stolen"})
    period = begun["period"]
    return {"kind": "kiosk-undo", "detail": {name: period[name] for name in ("kiosk_id", "since_ms", "until_ms")}}


def nothing_of_a_period(op: str) -> Callable[[Centre, Path], None]:
    period = {"kiosk_id": "K1", "since_ms": 0, "until_ms": None}
    return nothing(op, period=period, reason="stolen", after="")


def kiosk_cases(centre: Centre, _: Path) -> None:
    add_kiosk(centre)
    centre.do("kiosk-cases", kiosk_id="K1", reason="stolen")


def add_kiosk(centre: Centre) -> None:
    with centre.store.write() as db:
        db.execute("insert into kiosks values ('K1', 'hall', 'A', '[]', 1, 0, null, null, null, null, null)")


def settle(centre: Centre, _: Path) -> Row:
    action_id, exception_id = new_id(), a_case(centre)
    centre.do("settle", exception_id=exception_id, how="discard", reason="seen to", action_id=action_id)
    detail = {"exception_id": exception_id, "how": "discard"}
    return {"kind": "settle", "action_id": action_id, "detail": detail}


def binding_end(centre: Centre, _: Path) -> Row:
    action_id, binding_id = new_id(), binding_of(centre)
    centre.do("binding-end", patient_id=ANNA, binding_id=binding_id, action_id=action_id)
    return {"kind": "end_binding", "patient_id": ANNA, "action_id": action_id, "detail": {"binding_id": binding_id}}


def binding_block(centre: Centre, _: Path) -> Row:
    action_id, binding_id = new_id(), binding_of(centre)
    centre.do("binding-block", patient_id=ANNA, binding_id=binding_id, action_id=action_id)
    detail = {"block_id": block_of(centre), "binding_id": binding_id}
    return {"kind": "block_card", "patient_id": ANNA, "action_id": action_id, "detail": detail}


def binding_unblock(centre: Centre, _: Path) -> Row:
    action_id, binding_id = new_id(), binding_of(centre)
    with centre.store.write() as db:
        end_binding(db, binding_id, centre.clock(), "desk")
        begin_block(db, "the block", hashes_of_binding(db, binding_id), "desk", "lost", centre.clock())
    centre.do("binding-unblock", patient_id=ANNA, binding_id=binding_id, action_id=action_id)
    detail = {"block_id": "the block", "binding_id": binding_id}
    return {"kind": "unblock_card", "patient_id": ANNA, "action_id": action_id, "detail": detail}


def binding_of(centre: Centre) -> str:
    return str(centre.do("bindings", patient_id=ANNA)["bindings"][0]["binding_id"])


def block_of(centre: Centre) -> str:
    return str(centre.rows("select block_id from card_blocks")[0]["block_id"])


def exception(centre: Centre, _: Path) -> None:
    centre.do("exception", exception_id=a_case(centre))


def token(centre: Centre, _: Path) -> Row:
    made = centre.do("token", role="patient", patient_id=ANNA, name="phone")
    token_id = hash_of(made["token"])[:12]
    detail = {"role": "patient", "token": token_id, "name": "phone", "expires_ms": None}
    return {"kind": "token", "patient_id": ANNA, "detail": detail}


def token_revoke(centre: Centre, _: Path) -> Row:
    made = centre.token(Role.STAFF)
    centre.do("token-revoke", token=made)
    return {"kind": "token-revoke", "detail": {"token": hash_of(made)[:12]}}


def import_done(centre: Centre, _: Path) -> Row:
    counts = {"rows": {"patients": {"changed": 1}}, "cards": 1, "complete": True}
    centre.do("import-done", **counts)
    return {"kind": "import", "detail": counts}


def import_day(centre: Centre, _: Path) -> Row:
    named = [row["appointment_id"] for row in centre.rows("select appointment_id from appointments")][1:]
    centre.do("import-day", day=DAY, named=named)
    return {"kind": "import-day", "detail": {"day": DAY, "bookings": 1}}


def demo_data(centre: Centre, _: Path) -> Row:
    make_demo(centre)
    made = centre.do("demo-data")
    booked = sum(each["booked"] for each in made)
    return {"kind": "demo-data", "detail": {"patients": len(made), "appointments": booked}}


def make_demo(centre: Centre) -> None:
    with centre.store.write() as db:
        set_demo(db, is_demo=True)


def site(centre: Centre, _: Path) -> Row:
    wanted = {"name": "Another name", "allowed_origins": ["capacitor://localhost"]}
    centre.do("site", **wanted)
    return {"kind": "site", "detail": wanted}


def backup(centre: Centre, directory: Path) -> Row:
    made = centre.do("backup", file=str(directory / "backup.db"))
    return {"kind": "backup", "detail": {"change": made["change"]}}


def take_in(centre: Centre, _: Path) -> Row:
    with centre.store.read() as db:
        site = read_site(db)
    fields = {"site_id": site.site_id, "site": site.site.name, "kiosk_id": "K1", "epoch": 1, "seq": 1, "hash": ""}
    action = SetAside(place=1, of=1, action_id=new_id(), body="", digest="", **fields)
    (taken,) = centre.do("take-in", actions=msgspec.to_builtins([action]))
    assert (taken["action_id"], taken["code"]) == (action.action_id, "quarantined")
    return {"kind": "take-in", "detail": {"kiosk_ids": ["K1"], "actions": 1}}


def a_case(centre: Centre) -> str:
    exception_id = new_id()
    with centre.store.write() as db:
        open_case(db, exception_id, NewCase("fork", None, {}), centre.clock())
    return exception_id


def a_webhook(centre: Centre) -> str:
    webhook_id = str(centre.do("webhook-add", url="https://engine.example/")["webhook_id"])
    with centre.store.write() as db:
        db.execute("delete from audit where kind = 'webhook'")
    return webhook_id


def webhook_add(centre: Centre, _: Path) -> Row:
    made = centre.do("webhook-add", url="https://engine.example/")
    return {"kind": "webhook", "detail": {"webhook": made["webhook_id"], "what": "add"}}


def of_a_webhook(what: str) -> Callable[[Centre, Path], Row]:
    def done(centre: Centre, _: Path) -> Row:
        webhook_id = a_webhook(centre)
        centre.do(f"webhook-{what}", webhook_id=webhook_id)
        return {"kind": "webhook", "detail": {"webhook": webhook_id, "what": what}}

    return done


def webhook_dead(centre: Centre, _: Path) -> None:
    centre.do("webhook-dead", webhook_id=a_webhook(centre))


# The running service has a clock of its own, which `clock --believe` sets: see test_timekeeper.
def account_invite(centre: Centre, _: Path) -> Row:
    code_id = centre.do("account-invite", duties=["reception"])["code_id"]
    return {"kind": "account", "detail": {"did": "invite", "code_id": code_id, "duties": ["reception"]}}


def with_account(op: str, did: str, *, is_disabled: bool = False) -> Callable[[Centre, Path], Row]:
    """An operation on the account of a person."""

    def run(centre: Centre, _: Path) -> Row:
        now_ms = centre.clock()
        disabled_ms = now_ms if is_disabled else None
        account = Account(new_id(), "lee.sy", "이서윤", frozenset({Duty.RECEPTION}), now_ms, disabled_ms=disabled_ms)
        with centre.store.write() as db:
            add_account(db, account)
        centre.do(op, login=account.login)
        return {"kind": "account", "detail": {"did": did, "account": account.login}}

    return run


ROWS: dict[str, Callable[[Centre, Path], Row | None]] = {
    "enroll-code": enroll_code,
    "kiosks": nothing("kiosks"),
    "kiosk-renew": kiosk_renew,
    "kiosk-revoke": kiosk_revoke,
    "kiosk-acts": kiosk_acts,
    "kiosk-undo": kiosk_undo,
    "kiosk-undo-portion": nothing_of_a_period("kiosk-undo-portion"),
    "kiosk-cases": kiosk_cases,
    "kiosk-cases-discard": nothing_of_a_period("kiosk-cases-discard"),
    "exceptions": nothing("exceptions"),
    "exception": exception,
    "settle": settle,
    "bindings": nothing("bindings", patient_id=ANNA),
    "binding-end": binding_end,
    "binding-block": binding_block,
    "binding-unblock": binding_unblock,
    "token": token,
    "tokens": nothing("tokens"),
    "token-revoke": token_revoke,
    "import-rows": nothing("import-rows", rows=[{"kind": "exams", "line": 1, "fields": {"exam_id": "x"}}]),
    "import-day": import_day,
    "import-done": import_done,
    "demo-data": demo_data,
    "site": site,
    "check": nothing("check"),
    "card-keys": nothing("card-keys"),
    "card-keys-begin": card_keys_begin,
    "card-keys-walk": nothing("card-keys-walk"),
    "clock": nothing("clock"),
    "backup": backup,
    "take-in": take_in,
    "access-log": nothing("access-log"),
    "access-log-head": nothing("access-log-head"),
    "access-log-verify": nothing("access-log-verify"),
    "access-log-chain": nothing("access-log-chain"),
    "watch-turn": nothing("watch-turn", folder_id="f", holder="h"),
    "webhooks": nothing("webhooks"),
    "webhook-add": webhook_add,
    "webhook-rotate": of_a_webhook("rotate"),
    "webhook-remove": of_a_webhook("remove"),
    "webhook-dead": webhook_dead,
    "webhook-retry": of_a_webhook("retry"),
    "shadow": nothing("shadow"),
    "accounts": nothing("accounts"),
    "account-invite": account_invite,
    "account-disable": with_account("account-disable", "disable"),
    "account-enable": with_account("account-enable", "enable", is_disabled=True),
    "account-unlock": with_account("account-unlock", "unlock"),
    "account-reset": with_account("account-reset", "reset"),
    "sign-in-settings": nothing("sign-in-settings"),
}


def test_every_operation_has_its_row_stated(centre: Centre):
    assert set(operations(centre.parts)) == set(ROWS)


@pytest.mark.parametrize("op", ROWS)
def test_an_operation_leaves_one_row_of_the_audit_that_says_what_was_done(centre: Centre, tmp_path: Path, op: str):
    (before,) = centre.rows("select max(audit_id) as id from audit")
    stated = ROWS[op](centre, tmp_path)
    columns = "audit_id, at_ms, who, kind, patient_id, action_id, detail"
    conditions = "audit_id > :id and kind not like 'look:%'"
    rows = centre.rows(f"select {columns} from audit where {conditions}", id=before["id"] or "")
    for row in rows:
        del row["audit_id"]
        row["detail"] = msgspec.json.decode(row["detail"])
    common = {"at_ms": centre.clock(), "who": "command line", "patient_id": None, "action_id": None}
    assert rows == ([common | stated] if stated else [])


# The order of a command's list.


def test_kiosks_are_listed_in_the_order_of_their_enrolment(centre: Centre):
    with centre.store.write() as db:
        for kiosk_id, enrolled_ms in (("K3", 1), ("K2", 2), ("K1", 2), ("K0", 3)):
            db.execute(
                "insert into kiosks values (:id, 'hall', :id, '[]', 1, :at_ms, null, null, null, null, null)",
                {"id": kiosk_id, "at_ms": enrolled_ms},
            )
    assert [row["kiosk_id"] for row in centre.do("kiosks")] == ["K3", "K1", "K2", "K0"]


def test_cases_are_listed_oldest_first(centre: Centre):
    opened = (("b", 2), ("a", 2), ("d", 1), ("c", 3))
    with centre.store.write() as db:
        for exception_id, at_ms in opened:
            open_case(db, exception_id, NewCase("fork", None, {}), at_ms)
    assert [case["exception_id"] for case in centre.do("exceptions")["exceptions"]] == ["d", "a", "b", "c"]


def test_the_demo_patients_are_listed_in_the_order_of_their_numbers(centre: Centre):
    make_demo(centre)
    listed = [row["patient_id"] for row in centre.do("demo-data")]
    assert listed == sorted(listed)


def test_a_check_lists_journeys_by_patient_and_transitions_by_state_and_action(centre: Centre):
    for number in (3, 1, 2):
        centre.walk(patient(number), "scan_nfc", "register", "confirm_arrival")
    with centre.store.write() as db:
        db.execute("update entries set state = 'called'")
        for position, (from_state, action, to_state, trigger) in enumerate(reversed(ILLEGAL)):
            db.execute(
                "insert into transitions select 9000, :position, patient_id, visit_id, leg, null, :from_state,"
                " :to_state, :action, :trigger, source, who, metadata, happened_ms, recorded_ms, time_quality"
                " from transitions limit 1",
                {
                    "position": position,
                    "from_state": from_state,
                    "action": action,
                    "to_state": to_state,
                    "trigger": trigger,
                },
            )
    health = centre.do("check")
    assert [each["patient_id"] for each in health["inconsistent"]] == [patient(1), patient(2), patient(3)]
    found = [tuple(each.values())[:4] for each in health["illegal_transitions"]]
    assert found == ILLEGAL


ILLEGAL = [
    ("ARRIVED", "a", "CALLED", "x"),
    ("ARRIVED", "b", "CALLED", "x"),
    ("ARRIVED", "b", "CALLED", "y"),
    ("ARRIVED", "b", "FINISHED", "x"),
    ("CALLED", "a", "ARRIVED", "x"),
]
