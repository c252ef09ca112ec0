"""Enrolment: one code, ten minutes, one kiosk; and how an administrator lists and revokes kiosks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from sync.central.commands.main import cli
from sync.central.kiosks.enrolment import (
    CODE_LIFE_MS,
    FAILURES_OF_ALL,
    FAILURES_OF_ONE,
    NotEnrolled,
    enrol,
    enrol_kiosk,
    new_code,
)
from sync.central.opening import open_centre
from sync.central.records.kiosks import Kiosk, kiosks, read_kiosk, revoke_kiosk
from sync.central.records.site import read_site
from sync.central.records.tokens import bearer
from sync.clock import now_ms
from sync.journey.definitions import ENTRANCE
from sync.journey.model import Role
from sync.protocol import CallRefused, EndCode, Enrolment, EnrolRequest
from tests.sync.central.wire import KEYS, MINUTE, Centre

HERE, THERE = "192.0.2.1", "192.0.2.2"


def code(centre: Centre, *actions: str) -> str:
    with centre.store.write() as db:
        return new_code(db, centre.time(), actions or (ENTRANCE,))


def ask(centre: Centre, code: str, origin: str = HERE, **wishes: object) -> Enrolment | NotEnrolled:
    with centre.store.write() as db:
        request = msgspec.convert({"code": code, **wishes}, EnrolRequest)
        return enrol(db, read_site(db), centre.definitions, KEYS, request, origin, centre.time())


def made(centre: Centre, **wishes: object) -> Enrolment:
    found = ask(centre, code(centre), **wishes)
    assert isinstance(found, Enrolment)
    return found


def test_a_code_makes_a_kiosk_with_all_that_it_needs(centre: Centre):
    found = made(centre, kiosk_id="lobby", name="Main entrance", ticket_prefix="b", actions=["scan_nfc", "register"])
    assert (found.kiosk_id, found.epoch, found.name, found.ticket_prefix) == ("lobby", 1, "Main entrance", "B")
    assert found.actions == ("scan_nfc", "register")
    assert found.card_keys == KEYS
    assert found.site.name == "Test"
    assert found.server_incarnation == "first"
    assert found.definitions["version"] == 1
    with centre.store.read() as db:
        sender = bearer(db, found.token, centre.time())
    assert sender is not None
    assert (sender.role, sender.kiosk_id, sender.patient_id) == (Role.KIOSK, "lobby", None)


def test_a_kiosk_that_asks_for_no_actions_is_an_entrance(centre: Centre):
    first, second = made(centre), made(centre)
    assert (first.kiosk_id, first.ticket_prefix, first.name) == ("kiosk-1", "A", "kiosk-1")
    assert (second.kiosk_id, second.ticket_prefix) == ("kiosk-2", "B")
    assert first.actions == ("scan_nfc", "register", "confirm_arrival")


def test_an_id_or_prefix_in_use_is_given_to_no_other_kiosk(centre: Centre):
    wishes = {"kiosk_id": "lobby", "ticket_prefix": "L"}
    first, second, third = (made(centre, **wishes) for _ in range(3))
    assert [each.kiosk_id for each in (first, second, third)] == ["lobby", "lobby-2", "lobby-3"]
    assert [each.ticket_prefix for each in (first, second, third)] == ["L", "A", "B"]


def test_the_centres_own_prefix_is_no_kiosks(centre: Centre):
    assert made(centre, ticket_prefix="C").ticket_prefix == "A"


def test_prefixes_do_not_run_out(centre: Centre):
    given = [made(centre).ticket_prefix for _ in range(25)]
    assert len(set(given)) == 25
    assert given[-1] == "AB"
    assert "C" not in given


@pytest.mark.parametrize("wish", ["", "-x", "x" * 33, "a b", "../x", "카"])
def test_an_invalid_id_is_replaced(centre: Centre, wish: str):
    assert made(centre, kiosk_id=wish).kiosk_id == "kiosk-1"


@pytest.mark.parametrize("wish", ["1", "ABCD", "가", "A-"])
def test_an_invalid_prefix_is_replaced(centre: Centre, wish: str):
    assert made(centre, ticket_prefix=wish).ticket_prefix == "A"


def test_a_name_is_cut_to_printable_characters(centre: Centre):
    assert made(centre, name="Lobby\x00\n " + "x" * 200).name == "Lobby " + "x" * 58


def test_actions_of_staff_are_never_granted(centre: Centre):
    assert made(centre, actions=["scan_nfc", "call_patient", "fly"]).actions == ("scan_nfc",)


@pytest.mark.parametrize(
    ("allowed", "asked"), [((), ["exit"]), ((), ["make_payment"]), ((), ["fly"]), (("payment",), ["exit"])]
)
def test_a_kiosk_that_asks_for_nothing_of_its_code_is_told_so_and_the_code_stays(
    centre: Centre, allowed: tuple[str, ...], asked: list[str]
):
    typed = code(centre, *allowed)
    found = ask(centre, typed, actions=asked)
    assert isinstance(found, NotEnrolled)
    assert found.error.startswith(f"this code is for: {', '.join(allowed) or 'entrance'}")
    assert isinstance(ask(centre, typed), Enrolment)


def test_a_code_may_grant_less_than_is_asked_for(centre: Centre):
    found = ask(centre, code(centre, "scan_nfc", "make_payment"), actions=["scan_nfc", "register"])
    assert isinstance(found, Enrolment)
    assert found.actions == ("scan_nfc",)
    found = ask(centre, code(centre, "make_payment"))
    assert isinstance(found, Enrolment)
    assert found.actions == ("make_payment",)


@pytest.mark.parametrize(
    ("allowed", "asked", "grants", "actions"),
    [
        ((), [], ["entrance"], ("scan_nfc", "register", "confirm_arrival")),
        ((), ["entrance", "exit", "make_payment", "fly"], ["entrance"], ("scan_nfc", "register", "confirm_arrival")),
        (("payment",), [], ["payment"], ("make_payment",)),
        (("payment", "exit"), ["exit"], ["exit"], ("leave_hospital",)),
        (("entrance",), ["scan_nfc"], ["scan_nfc"], ("scan_nfc",)),
        (("scan_nfc",), ["entrance"], ["scan_nfc"], ("scan_nfc",)),
        (("entrance", "exit"), ["exit", "register"], ["exit", "register"], ("register", "leave_hospital")),
        (("exit", "register"), ["exit", "entrance"], ["exit", "register"], ("register", "leave_hospital")),
    ],
)
def test_a_kind_of_kiosk_is_granted_as_a_kind_where_the_code_allows_it(
    centre: Centre, allowed: tuple[str, ...], asked: list[str], grants: list[str], actions: tuple[str, ...]
):
    found = ask(centre, code(centre, *allowed), actions=asked)
    assert isinstance(found, Enrolment)
    assert found.actions == actions
    (row,) = centre.rows("select grants from kiosks")
    assert json.loads(str(row["grants"])) == grants


def test_a_code_is_good_for_one_kiosk(centre: Centre):
    one = code(centre)
    assert isinstance(ask(centre, one), Enrolment)
    assert isinstance(ask(centre, one), NotEnrolled)
    assert len(centre.rows("select * from kiosks")) == 1


def test_a_code_is_good_for_ten_minutes(centre: Centre):
    early, late = code(centre), code(centre)
    centre.time.now_ms += CODE_LIFE_MS - 1
    assert isinstance(ask(centre, early), Enrolment)
    centre.time.now_ms += 1
    assert isinstance(ask(centre, late), NotEnrolled)


def test_a_code_may_be_typed_in_any_case_and_with_any_spaces(centre: Centre):
    assert isinstance(ask(centre, f" {code(centre).lower().replace('-', ' - ')} "), Enrolment)


@pytest.mark.one_database
def test_neither_code_nor_token_is_stored(centre: Centre):
    one = code(centre)
    found = ask(centre, one)
    assert isinstance(found, Enrolment)
    centre.store.close()
    content = centre.path.read_bytes()
    assert one.replace("-", "").encode() not in content
    assert one.encode() not in content
    assert found.token.encode() not in content
    centre.open()


def test_old_codes_are_deleted(centre: Centre):
    for _ in range(3):
        code(centre)
    centre.time.now_ms += CODE_LIFE_MS + 1
    code(centre)
    assert len(centre.rows("select * from enrol_codes")) == 1


def guess(centre: Centre, origin: str = HERE) -> NotEnrolled:
    wrong = ask(centre, "WRONG-WRONG", origin)
    assert isinstance(wrong, NotEnrolled)
    return wrong


def test_an_address_that_guesses_must_wait_and_others_need_not(centre: Centre):
    assert [guess(centre).retry_after_s for _ in range(FAILURES_OF_ONE + 1)] == [None] * FAILURES_OF_ONE + [60]
    assert guess(centre).code is EndCode.TRY_LATER
    assert guess(centre, THERE).code is EndCode.NOT_KNOWN
    centre.time.now_ms += MINUTE
    assert guess(centre).code is EndCode.NOT_KNOWN
    assert len(centre.rows("select * from enrol_failures")) == 1, "the old ones are deleted"


def test_many_addresses_that_guess_must_wait_together(centre: Centre):
    for number in range(FAILURES_OF_ALL):
        guess(centre, f"198.51.100.{number}")
    assert guess(centre, THERE).retry_after_s is not None


def test_a_right_code_enrols_whatever_was_guessed_before(centre: Centre):
    """Else anybody who reaches the centre could keep every kiosk from enrolling."""
    for number in range(FAILURES_OF_ALL + 5):
        guess(centre, f"198.51.100.{number % 3}")
    assert isinstance(ask(centre, code(centre), "198.51.100.1"), Enrolment)
    assert isinstance(ask(centre, code(centre), THERE), Enrolment)


def test_wrong_codes_of_a_clock_that_was_ahead_count_no_longer_than_a_minute(centre: Centre):
    centre.time.pass_minutes(60)
    for _ in range(FAILURES_OF_ONE):
        guess(centre)
    centre.time.pass_minutes(-0.5)
    assert guess(centre).retry_after_s == 60
    centre.time.pass_minutes(-59.5)
    assert guess(centre).retry_after_s is None


def test_a_flood_of_wrong_codes_waits_for_no_writer_and_adds_no_row(centre: Centre):
    for _ in range(FAILURES_OF_ONE):
        guess(centre)
    with centre.store.write():  # another process writes, and will for long
        refused = enrol_kiosk(centre.parts, EnrolRequest(code="WRONG-WRONG"), HERE)
    assert isinstance(refused, CallRefused)
    assert refused.code is EndCode.TRY_LATER
    assert len(centre.rows("select * from enrol_failures")) == FAILURES_OF_ONE


@pytest.mark.parametrize("attempt", ["", "5a" * 16])
def test_whoever_comes_second_with_a_code_is_told_so_and_has_guessed_nothing(centre: Centre, attempt: str):
    one = code(centre)
    assert isinstance(ask(centre, one, attempt="a5" * 16), Enrolment)
    for _ in range(FAILURES_OF_ONE + 1):
        late = ask(centre, one, attempt=attempt)
        assert isinstance(late, NotEnrolled)
        assert (late.code, late.error) == (EndCode.NOT_KNOWN, "this code is used: make a new one at the centre")
    assert centre.rows("select * from enrol_failures") == []
    assert len(centre.rows("select * from kiosks")) == 1


def test_a_code_that_is_too_old_is_no_guess(centre: Centre):
    one = code(centre)
    centre.time.now_ms += CODE_LIFE_MS
    late = ask(centre, one)
    assert isinstance(late, NotEnrolled)
    assert late.error == "this code is older than ten minutes: make a new one at the centre"
    assert centre.rows("select * from enrol_failures") == []


def test_a_code_made_under_a_clock_that_was_ahead_does_not_live_longer(centre: Centre):
    one = code(centre)
    centre.time.now_ms -= CODE_LIFE_MS
    assert isinstance(ask(centre, one), NotEnrolled)


def test_a_box_whose_answer_was_lost_gets_it_again(centre: Centre):
    one, attempt = code(centre), "a5" * 16
    first = ask(centre, one, attempt=attempt, kiosk_id="lobby", ticket_prefix="L")
    centre.time.now_ms += CODE_LIFE_MS - 1
    again = ask(centre, one.lower(), THERE, attempt=attempt, kiosk_id="other", ticket_prefix="X")
    assert isinstance(first, Enrolment)
    assert again == first
    assert len(centre.rows("select * from kiosks")) == 1
    assert len(centre.rows("select * from tokens")) == 1
    centre.time.now_ms += 1
    assert isinstance(ask(centre, one, attempt=attempt), NotEnrolled)


def test_without_an_attempt_no_repeat_is_answered(centre: Centre):
    one = code(centre)
    assert isinstance(ask(centre, one), Enrolment)
    assert isinstance(ask(centre, one), NotEnrolled)


def test_the_same_attempt_under_another_code_makes_another_token(centre: Centre):
    found = [ask(centre, code(centre), attempt="a5" * 16) for _ in range(2)]
    tokens = {each.token for each in found if isinstance(each, Enrolment)}
    assert len(tokens) == 2


def test_a_repeat_for_a_kiosk_that_was_revoked_meanwhile_enrols_nobody(centre: Centre):
    one, attempt = code(centre), "a5" * 16
    found = ask(centre, one, attempt=attempt)
    assert isinstance(found, Enrolment)
    with centre.store.write() as db:
        assert revoke_kiosk(db, found.kiosk_id, centre.time())
    late = ask(centre, one, attempt=attempt)
    assert isinstance(late, NotEnrolled)
    assert late.error.startswith("this code is used")


@pytest.mark.parametrize("attempt", ["a5" * 15, "A5" * 16, "a5" * 33, "x" * 32, 7, None])
def test_an_attempt_that_others_could_guess_or_that_is_none_is_malformed(attempt: object):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"code": "X", "attempt": attempt}, EnrolRequest)


def test_a_guess_during_the_wait_is_not_counted_again(centre: Centre):
    for _ in range(FAILURES_OF_ONE + 3):
        ask(centre, "WRONG")
    assert len(centre.rows("select * from enrol_failures")) == FAILURES_OF_ONE


@pytest.mark.parametrize("text", ["", " ", "x" * 10_000, "\x00", "가나다", "'; drop table kiosks; --", "\ud800"])
def test_an_invalid_code_is_refused(centre: Centre, text: str):
    with centre.store.write() as db:
        request = EnrolRequest(code=text)
        found = enrol(db, read_site(db), centre.definitions, KEYS, request, HERE, centre.time())
    assert isinstance(found, NotEnrolled)


def test_a_revoked_kiosk_keeps_its_prefix_while_its_slips_may_be_shown(centre: Centre):
    found = made(centre, ticket_prefix="L")
    with centre.store.write() as db:
        assert revoke_kiosk(db, found.kiosk_id, centre.time())
        assert not revoke_kiosk(db, found.kiosk_id, centre.time())
        assert not revoke_kiosk(db, "nobody", centre.time())
    with centre.store.read() as db:
        assert bearer(db, found.token, centre.time()) is None
        known = read_kiosk(db, found.kiosk_id)
    assert isinstance(known, Kiosk)
    assert known.revoked_ms == centre.time()
    assert made(centre, ticket_prefix="L").ticket_prefix == "A"
    centre.time.pass_minutes(3 * 24 * 60)
    assert made(centre, ticket_prefix="L").ticket_prefix == "L"


# Commands.

YOUNG = r"token of \d{4}-\d\d-\d\d, renewed from \d{4}-\d\d-\d\d on"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database with a site, which no service has open."""
    database = f"sqlite:///{tmp_path / 'centre.db'}"
    assert run(database, "demo-data").exit_code == 0
    return database


def run(url: str, command: str, *rest: str) -> Result:
    return CliRunner().invoke(cli, [*command.split(), "--database", url, *rest])


def test_the_command_prints_the_code_alone(url: str):
    printed = run(url, "enroll-code")
    assert printed.exit_code == 0
    parts = open_centre(url)
    with parts.store.write() as db:
        request = EnrolRequest(code=printed.output.strip(), name="Lobby", ticket_prefix="L")
        found = enrol(db, read_site(db), parts.definitions, parts.keys, request, HERE, parts.clock())
    parts.store.close()
    assert isinstance(found, Enrolment)
    assert found.card_keys == parts.keys


def test_a_code_made_before_the_import_comes_with_a_warning_on_the_error_stream(tmp_path: Path):
    empty = f"sqlite:///{tmp_path / 'empty.db'}"
    open_centre(empty).store.close()
    printed = run(empty, "enroll-code")
    assert printed.exit_code == 0
    assert len(printed.stdout.split()) == 1
    assert printed.stderr.startswith("this centre has no hospital yet: run kiosk-central import")
    assert run(empty, "demo-data").exit_code == 0
    assert run(empty, "enroll-code").stderr == ""


def test_a_code_for_an_action_that_no_kiosk_can_have_is_refused(url: str):
    refused = run(url, "enroll-code", "--action", "call_patient")
    assert refused.exit_code != 0
    assert "call_patient" in str(refused.exception)


def test_a_code_can_be_made_for_few_actions(url: str):
    one = run(url, "enroll-code", "--action", "make_payment").output.strip()
    parts = open_centre(url)
    with parts.store.write() as db:
        found = enrol(db, read_site(db), parts.definitions, parts.keys, EnrolRequest(code=one), HERE, parts.clock())
    parts.store.close()
    assert isinstance(found, Enrolment)
    assert found.actions == ("make_payment",)


def test_a_code_can_be_made_for_a_kind_of_kiosk_and_the_list_says_so(url: str):
    one = run(url, "enroll-code", "--action", "payment").output.strip()
    service = open_centre(url)
    with service.store.write() as db:
        request = EnrolRequest(code=one, kiosk_id="till", name="Till", ticket_prefix="T")
        enrol(db, read_site(db), service.definitions, service.keys, request, HERE, service.clock())
    service.store.close()
    listed = run(url, "kiosks list").output
    assert re.fullmatch(rf"till  T  Till  make_payment  no contact yet  {YOUNG}\n", listed)
    (listed,) = json.loads(run(url, "kiosks list", "--json").output)
    assert (listed["grants"], listed["actions"]) == (["payment"], ["make_payment"])


def test_kiosks_are_listed_and_revoked(url: str):
    one = run(url, "enroll-code").output.strip()
    parts = open_centre(url)
    with parts.store.write() as db:
        request = EnrolRequest(code=one, kiosk_id="lobby", name="Lobby", ticket_prefix="L")
        enrol(db, read_site(db), parts.definitions, parts.keys, request, HERE, parts.clock())
    parts.store.close()
    words = "lobby  L  Lobby  scan_nfc register confirm_arrival  no contact yet"
    assert re.fullmatch(rf"{words}  {YOUNG}\n", run(url, "kiosks list").output)
    listed = json.loads(run(url, "kiosks list", "--json").output)
    assert [(each["kiosk_id"], each["ticket_prefix"], each["epoch"]) for each in listed] == [("lobby", "L", 1)]
    parts = open_centre(url)
    with parts.store.write() as db:
        db.execute("update kiosks set seen_ms = 0")
    parts.store.close()
    assert "last contact 1970-01-01T00:00:00+00:00" in run(url, "kiosks list").output
    assert run(url, "kiosks revoke", "lobby").exit_code == 0
    assert run(url, "kiosks list").output.endswith("revoked\n")
    assert run(url, "kiosks revoke", "lobby").exit_code != 0
    parts = open_centre(url)
    with parts.store.read() as db:
        assert [row["kind"] for row in db.rows("select kind from audit order by audit_id")][-2:] == [
            "enroll-code",
            "kiosk-revoke",
        ]
        assert [each.revoked_ms is None for each in kiosks(db)] == [False]
    parts.store.close()


def test_an_operator_asks_for_new_tokens_and_reads_what_became_of_it(url: str):
    parts = open_centre(url)
    with parts.store.write() as db:
        code = new_code(db, parts.clock())
        found = enrol(
            db, read_site(db), parts.definitions, parts.keys, EnrolRequest(code=code, name="Hall"), HERE, parts.clock()
        )
        assert isinstance(found, Enrolment)
    parts.store.close()
    for wrong in ((), ("kiosk-1", "--all")):
        refused = run(url, "kiosks renew", *wrong)
        assert (refused.exit_code, "name the kiosks, or give --all" in refused.output) == (2, True)
    assert "there is no kiosk nobody, or it was revoked" in str(run(url, "kiosks renew", "nobody").exception)
    assert run(url, "kiosks renew", "--all").output == "kiosk-1\n"
    assert ", a new one asked for 20" in run(url, "kiosks list").output
    assert run(url, "kiosks renew", "kiosk-1").output == "kiosk-1\n"
    change(url, "update kiosks set renewal_asked_ms = null")
    change(url, "update tokens set created_ms = 0, used_ms = 0")
    assert "token of 1970-01-01, due to be renewed since 1970-01-31" in run(url, "kiosks list").output
    change(
        url,
        "insert into tokens select 'newer', role, null, kiosk_id, '', 0, null, null, null, null, null, null,"
        " null, 0, null, null, null, null from tokens",
    )
    assert ", the new one of 1970-01-01T00:00:00+00:00 not used yet" in run(url, "kiosks list").output
    change(url, f"update tokens set replaced_ms = {now_ms()} where token_hash <> 'newer'")
    assert ", the former one valid until 20" in run(url, "kiosks list").output


def test_a_copied_kiosk_is_named_by_the_check(url: str):
    change(
        url,
        "insert into exceptions values ('x', 'replaced_token', null, null, null, 'lobby', '{}', 0, null, null, null,"
        " null, 1, 0)",
    )
    checked = run(url, "check")
    assert checked.exit_code == 1
    assert "kiosk lobby: a replaced token was used 1970-01-01T00:00:00+00:00: somebody has a copy" in checked.output


def change(url: str, sql: str) -> None:
    parts = open_centre(url)
    with parts.store.write() as db:
        db.execute(sql)
    parts.store.close()
