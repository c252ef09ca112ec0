"""The exception inbox over HTTP and at the command line: shown, settled once, and reported to apps and kiosks."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from sync.cards import canonical_tag
from sync.central.commands.main import main
from sync.central.operations.catalog import operations
from sync.central.records.cases import NewCase, close_case, open_case
from sync.control import ControlServer, socket_path
from sync.ids import new_id, provisional_id
from tests.sync.central.box import GRANTS, Box
from tests.sync.central.online import API, Online


@pytest.fixture
def box(online: Online) -> Box:
    return Box(online)


def case_of(online: Online, verdict: dict[str, Any]) -> str:
    found = online.call("GET", f"{API}/exceptions/", online.staff).json()["exceptions"]
    return next(each["exception_id"] for each in found if each["action_id"] == verdict["action_id"])


def settle(online: Online, exception_id: str, token: str | None = None, **body: Any) -> requests.Response:
    return online.call("POST", f"{API}/exceptions/{exception_id}/settle/", token or online.staff, json=body)


def waiting_case(online: Online, box: Box, patient_id: str) -> str:
    """A registration without a visit: the rules refuse it, and no other action moved the journey."""
    verdict = box.push(patient_id, "register", journey_state="ARRIVED")
    assert (verdict["verdict"], verdict["code"]) == ("needs_staff", "not_allowed")
    return case_of(online, verdict)


def test_a_case_tells_who_what_when_what_was_shown_and_what_is_known(online: Online, box: Box):
    patient_id = online.newcomer()
    found = online.call("GET", f"{API}/exceptions/{waiting_case(online, box, patient_id)}/", online.staff).json()
    assert (found["code"], found["patient"]["patient_id"], found["kiosk"]["kiosk_id"]) == (
        "not_allowed",
        patient_id,
        box.kiosk_id,
    )
    assert found["detail"]["action_type"] == "register"
    assert found["detail"]["shown"]["journey_state"] == "ARRIVED"
    assert found["detail"]["known"]["journey_state"] == "UNREGISTERED" == found["now"]["journey_state"]
    assert found["detail"]["time_quality"] == "measured"
    assert found["detail"]["happened_at"].endswith("+09:00")
    assert [each["action_type"] for each in found["actions"]] == ["register"]
    assert found["may"] == ["apply", "discard", "reassign"]
    looks = online.centre.rows("select patient_id from audit where kind = 'look:exception'")
    assert {"patient_id": patient_id} in [dict(row) for row in looks]


def test_a_case_is_settled_once_whatever_is_repeated(online: Online, box: Box):
    patient_id = online.newcomer()
    exception_id, action_id = waiting_case(online, box, patient_id), new_id()
    refused = settle(online, exception_id, how="apply")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_applicable")
    online.act(online.staff, "scan_nfc", patient_id=patient_id)
    before = box.latest()
    answers = [settle(online, exception_id, how="apply", action_id=action_id) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].content == answers[1].content
    assert answers[0].json()["verdicts"][0]["verdict"] == "applied"
    told = box.pulled(before)["verdicts"]
    assert [(row["verdict"], row["code"], row["revision"]) for row in told] == [("applied", "ok", 1)]
    assert settle(online, exception_id, how="apply").json()["error"] == "The case is settled already."
    assert settle(online, exception_id, how="discard", reason="x", action_id=action_id).status_code == 409
    shown = online.call("GET", f"{API}/exceptions/{exception_id}/", online.staff).json()
    assert (shown["may"], shown["settlement"]["how"]) == ([], "apply")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"how": "forget"},
        {"how": "discard"},
        {"how": "discard", "reason": " "},
        {"how": "discard", "reason": "x" * 501},
        {"how": "discard", "reason": 7},
        {"how": "reassign"},
        {"how": "reassign", "patient_id": ["P1"]},
        {"how": "apply", "action_id": "no uuid"},
    ],
)
def test_a_settlement_that_says_too_little_is_refused(online: Online, body: dict[str, Any]):
    assert settle(online, "any", **body).status_code == 400


def test_only_staff_see_and_settle_cases(online: Online, box: Box):
    patient_id = online.newcomer()
    exception_id = waiting_case(online, box, patient_id)
    for token in (online.own_token(patient_id), box.token):
        assert online.call("GET", f"{API}/exceptions/{exception_id}/", token).status_code == 403
        assert settle(online, exception_id, token, how="apply").status_code == 403
    assert online.call("GET", f"{API}/exceptions/nothing/", online.staff).status_code == 404
    assert settle(online, "nothing", how="apply").status_code == 404
    assert online.call("POST", f"{API}/exceptions/x/settle/", online.staff, json=[1]).status_code == 400
    assert online.call("POST", f"{API}/exceptions/x/settle/", online.staff, data=b"{").status_code == 415


def test_a_quarantined_action_can_be_looked_at_and_put_away(online: Online, box: Box):
    verdict = box.push(online.newcomer(), "scan_nfc", leg=-1)
    assert verdict["code"] == "quarantined"
    exception_id = case_of(online, verdict)
    shown = online.call("GET", f"{API}/exceptions/{exception_id}/", online.staff).json()
    assert shown["quarantined"]["reason"] == "a number is out of range"
    assert json.loads(shown["quarantined"]["body"])["leg"] == -1
    assert (shown["may"], shown["patient"], shown["now"]) == (["discard"], None, None)
    before = box.latest()
    assert settle(online, exception_id, how="apply").status_code == 400
    assert settle(online, exception_id, how="discard", reason="of no use").status_code == 200
    told = box.pulled(before)["verdicts"]
    assert [(row["action_id"], row["code"]) for row in told] == [(verdict["action_id"], "discarded")]


def test_two_records_are_merged_over_http(online: Online):
    kept, gone = online.newcomer(), online.newcomer()
    path = f"{API}/patients/{kept}/merge/"
    assert online.call("POST", path, online.staff, json={}).status_code == 400
    action_id = new_id()
    for _ in range(2):
        answer = online.call("POST", path, online.staff, json={"patient_id": gone, "action_id": action_id})
        assert (answer.status_code, answer.json()) == (200, {"patient_id": kept, "merged": gone})
    assert len(online.state(online.staff, patient_id=gone).json()["appointments"]) == 4


def test_a_journey_is_corrected_over_http(online: Online):
    patient_id = online.newcomer()
    for action in (*GRANTS, "call_patient"):
        assert online.act(online.staff, action, patient_id=patient_id).ok
    path = f"{API}/patients/{patient_id}/correct/"
    for body in ({"state": "WAITING"}, {"reason": "x"}, {"state": "WAITING", "reason": 1}):
        assert online.call("POST", path, online.staff, json=body).status_code == 400
    request = {"state": "WAITING", "reason": "wrong room", "action_id": new_id()}
    answers = [online.call("POST", path, online.staff, json=request) for _ in range(2)]
    assert [answer.json()["journey_state"] for answer in answers] == ["WAITING"] * 2
    refused = online.call("POST", path, online.staff, json={"state": "REGISTERED", "reason": "x"})
    assert (refused.status_code, refused.json()["code"]) == (400, "not_allowed")


def preview(online: Online, exception_id: str, token: str | None = None, **body: Any) -> requests.Response:
    return online.call("POST", f"{API}/exceptions/{exception_id}/preview/", token or online.staff, json=body)


def test_a_settlement_is_seen_before_and_done_as_it_was_seen(online: Online, box: Box):
    patient_id = online.newcomer()
    exception_id = waiting_case(online, box, patient_id)
    refused = preview(online, exception_id, how="apply").json()
    assert (refused["refusal"]["code"], refused["patients"]) == ("not_applicable", [])
    online.act(online.staff, "scan_nfc", patient_id=patient_id)
    told = preview(online, exception_id, how="apply").json()
    (shown,) = told["patients"]
    assert shown["patient_id"] == patient_id
    assert (shown["before"]["journey_state"], shown["after"]["journey_state"]) == ("ARRIVED", "REGISTERED")
    assert [(each["verdict"], each["waits"]) for each in told["actions"]] == [("applied", False)]
    assert online.state(online.staff, patient_id=patient_id).json()["journey_state"] == "ARRIVED"
    online.act(online.staff, "register", patient_id=patient_id)
    late = settle(online, exception_id, how="apply", seen=told["seen"])
    assert (late.status_code, late.json()["code"]) == (409, "case_changed")
    seen = preview(online, exception_id, how="discard").json()["seen"]
    assert settle(online, exception_id, how="discard", reason="done at the desk", seen=seen).ok


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"how": "forget"},
        {"how": "reassign"},
        {"how": "reassign", "patient_id": ["P1"]},
        {"how": "apply", "bind": True},
        {"how": "apply", "bind": "yes"},
    ],
)
def test_a_preview_that_says_too_little_is_refused(online: Online, body: dict[str, Any]):
    assert preview(online, "any", **body).status_code == 400


def test_only_staff_preview_count_and_discard(online: Online, box: Box):
    for token in (box.token, online.own_token(online.newcomer())):
        assert preview(online, "any", token, how="apply").status_code == 403
        for path in ("count/", "settled/"):
            assert online.call("GET", f"{API}/exceptions/{path}", token).status_code == 403
        assert discard(online, box, token=token).status_code == 403
    assert preview(online, "nothing", how="apply").status_code == 404
    assert settle(online, "any", how="apply", seen="x" * 65).status_code == 400


def test_what_the_kiosk_showed_is_told_in_its_own_words(online: Online, box: Box):
    exception_id = waiting_case(online, box, online.newcomer())
    shown = online.call("GET", f"{API}/exceptions/{exception_id}/", online.staff).json()
    assert shown["showed"]["button"] == {"en": "Register now", "ko": "접수하기"}
    assert shown["showed"]["after"]["title"] == {"en": "You are registered", "ko": "접수되었습니다"}
    assert shown["showed"]["before"]["lead"]["en"] == "You may go on without one, or ask the staff at the desk."
    assert shown["patient_name"] == shown["patient"]["name"]
    assert shown["kiosk_name"] == shown["kiosk"]["name"]


def test_a_case_of_a_number_tells_the_number_and_the_exam(online: Online, box: Box):
    number = f"{box.prefix}-001"
    verdict = box.push(
        online.newcomer(), "confirm_arrival", journey_state="REGISTERED", queue_number=number, exam_id="blood"
    )
    shown = online.call("GET", f"{API}/exceptions/{case_of(online, verdict)}/", online.staff).json()
    assert (shown["showed"]["queue_number"], shown["exams"]) == (number, {"blood": "HIV test"})
    assert shown["showed"]["after"]["title"]["en"] == "Your number"


def test_what_a_stranger_was_shown_is_the_way_to_the_desk(online: Online, box: Box):
    card = online.centre.parts.keys.published.hashes(canonical_tag("04c0ffee00bb01"))[0]
    verdict = box.push(provisional_id(), "scan_nfc", provisional=True, card=card)
    shown = online.call("GET", f"{API}/exceptions/{case_of(online, verdict)}/", online.staff).json()
    assert (shown["code"], shown["showed"]["before"], shown["patient"]) == ("unknown_card", None, None)
    assert shown["showed"]["after"]["title"]["en"] == "Please see the staff at the desk"


def test_cases_are_counted_and_filtered_by_kiosk_kind_and_age(online: Online, box: Box, full_inbox: list[str]):
    waiting_case(online, box, online.newcomer())
    counts = online.call("GET", f"{API}/exceptions/count/", online.staff).json()
    groups = {(each["code"], each["kiosk_id"]): each["count"] for each in counts["groups"]}
    assert (counts["open"], groups) == (7, {("fork", None): 6, ("not_allowed", box.kiosk_id): 1})
    for asked, number in (
        ({"kiosk_id": box.kiosk_id}, 1),
        ({"code": "fork"}, 6),
        ({"code": "fork", "kiosk_id": box.kiosk_id}, 0),
        ({"minutes": 10}, 6),
        ({"minutes": 0, "limit": 2, "code": "fork"}, 2),
    ):
        found, more = page_of(online, **asked)
        assert (len(found), more) == (number, 4 if "limit" in asked else 0)
    for wrong in ("minutes=-1", "minutes=x", f"code={'x' * 129}", "kiosk_id=%00"):
        assert online.call("GET", f"{API}/exceptions/?{wrong}", online.staff).status_code == 400


def test_the_cases_of_today_can_be_read_after_they_are_settled(online: Online, box: Box, full_inbox: list[str]):
    ids = [waiting_case(online, box, online.newcomer()) for _ in range(3)]
    for number, exception_id in enumerate(ids):
        assert settle(online, exception_id, how="discard", reason=f"reason {number}").ok
        online.centre.clock.now_ms += 1
    asked: dict[str, Any] = {"limit": 2}
    first = online.call("GET", f"{API}/exceptions/settled/", online.staff, params=asked).json()
    assert [each["exception_id"] for each in first["exceptions"]] == ids[:0:-1], "a case of long ago is none of today's"
    assert first["exceptions"][0]["settlement"]["reason"] == "reason 2"
    assert first["exceptions"][0]["settled_by"].startswith("staff:")
    rest = online.call("GET", f"{API}/exceptions/settled/", online.staff, params={"after": ids[1]}).json()
    assert [each["exception_id"] for each in rest["exceptions"]][:1] == ids[:1]
    assert first["more"] == len(rest["exceptions"])
    assert online.call("GET", f"{API}/exceptions/settled/?after=x", online.staff).status_code == 404


def discard(online: Online, box: Box, token: str | None = None, **body: Any) -> requests.Response:
    wanted = {"kiosk_id": box.kiosk_id, "reason": "a stolen kiosk", **body}
    return online.call("POST", f"{API}/exceptions/discard/", token or online.staff, json=wanted)


def test_the_cases_of_a_kiosk_are_counted_first_and_then_discarded(online: Online, box: Box):
    for _ in range(3):
        waiting_case(online, box, online.newcomer())
    box.push(online.newcomer(), "scan_nfc", leg=-1)
    counted = discard(online, box, code="not_allowed", trial=True).json()
    assert (counted["discarded"], counted["left"], counted["after"]) == (3, 0, None)
    online.centre.clock.now_ms += 1
    late = waiting_case(online, box, online.newcomer())
    wanted = {"code": "not_allowed", "until_ms": counted["until_ms"]}
    assert discard(online, box, **wanted).json()["discarded"] == 3
    assert discard(online, box, **wanted).json()["discarded"] == 0, "a repeat discards none twice"
    assert late in page_of(online, kiosk_id=box.kiosk_id)[0], "nobody has counted it"
    assert discard(online, box).json()["discarded"] == 2
    assert page_of(online, kiosk_id=box.kiosk_id) == ([], 0)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"kiosk_id": "nobody"}, 404),
        ({"reason": " "}, 400),
        ({"reason": None}, 400),
        ({"after": "x" * 129}, 400),
        ({"until_ms": -1}, 400),
        ({"until_ms": 1 << 63}, 400),
        ({"trial": 1}, 400),
    ],
)
def test_a_wish_to_discard_that_is_none_is_refused(online: Online, box: Box, body: dict[str, Any], status: int):
    assert discard(online, box, **body).status_code == status


# At the command line.


def command(online: Online, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """A command on the test's own database, which no other process holds."""
    with pytest.raises(SystemExit) as ended:
        main([*words[:2], *online.centre.database.options, *words[2:]])
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out + captured.err


@pytest.fixture
def control(online: Online) -> Any:
    """The service's control socket, as while it runs."""
    server = ControlServer(socket_path(online.centre.store.place.state), lambda _: operations(online.centre.parts))
    server.start()
    yield server
    server.stop()


def test_cases_are_listed_shown_and_settled_at_the_command_line_while_the_service_runs(
    online: Online, box: Box, control: object, capsys: pytest.CaptureFixture[str]
):
    patient_id = online.newcomer()
    exception_id = waiting_case(online, box, patient_id)
    code, text = command(online, capsys, "exceptions", "list")
    assert code == 0
    assert any(exception_id in line and "register" in line for line in text.splitlines())
    assert exception_id in command(online, capsys, "exceptions", "list", "--json")[1]
    code, text = command(online, capsys, "exceptions", "show", exception_id)
    assert code == 0
    for said in (f"patient  {patient_id}", "kiosk showed:", "  journey_state: ARRIVED", "now      UNREGISTERED"):
        assert said in text
    shown = json.loads(command(online, capsys, "exceptions", "show", exception_id, "--json")[1])
    assert shown["exception_id"] == exception_id
    assert command(online, capsys, "exceptions", "settle", exception_id)[0] == 2
    assert command(online, capsys, "exceptions", "settle", exception_id, "--discard") == (
        2,
        "kiosk-central: reason is missing: a discarded case needs one.\n",
    )
    assert command(online, capsys, "exceptions", "settle", exception_id, "--apply")[0] == 2
    code, text = command(online, capsys, "exceptions", "settle", exception_id, "--discard", "--reason", "by hand")
    assert (code, text.splitlines()[-1]) == (0, f"case {exception_id}: discard")
    assert "superseded  discarded" in text
    assert "settled " in command(online, capsys, "exceptions", "show", exception_id)[1]
    assert command(online, capsys, "exceptions", "show", "nothing")[0] == 2


@pytest.fixture
def full_inbox(online: Online) -> list[str]:
    """The ids of seven cases in their order. Two came at once, and the third is settled."""
    ids = sorted(new_id() for _ in range(7))
    with online.centre.store.write() as db:
        db.execute("update exceptions set settled_ms = 1 where settled_ms is null")
        for place, exception_id in enumerate(reversed(ids)):
            open_case(db, exception_id, NewCase("fork", None, {}), 1000 - max(place, 1))
        close_case(db, ids[2], "desk", {}, 2000)
    return ids


def page_of(online: Online, **asked: object) -> tuple[list[str], int]:
    answer = online.call("GET", f"{API}/exceptions/", online.staff, params=asked).json()
    return [each["exception_id"] for each in answer["exceptions"]], answer["more"]


def test_a_full_inbox_is_listed_in_pages(online: Online, full_inbox: list[str]):
    first, second, settled, *others = full_inbox
    assert page_of(online) == ([first, second, *others], 0)
    assert page_of(online, limit=4) == ([first, second, *others[:2]], 2)
    assert page_of(online, limit=4, after=others[1]) == (others[2:], 0)
    assert page_of(online, after=settled) == (others, 0), "it has been settled since"
    assert page_of(online, after=others[-1]) == ([], 0)


@pytest.mark.parametrize(
    ("asked", "status"),
    [("limit=0", 400), ("limit=501", 400), ("limit=x", 400), (f"limit={'9' * 5000}", 400), ("after=nothing", 404)],
    ids=["none", "many", "x", "huge", "unknown"],
)
def test_a_page_that_cannot_be_is_refused(online: Online, asked: str, status: int):
    assert online.call("GET", f"{API}/exceptions/?{asked}", online.staff).status_code == status


def test_the_command_line_says_how_many_more_there_are(
    online: Online, full_inbox: list[str], control: object, capsys: pytest.CaptureFixture[str]
):
    *_, before_last, last = full_inbox
    code, text = command(online, capsys, "exceptions", "list", "--limit", "5")
    assert (code, text.splitlines()[-2:]) == (0, ["6 cases wait for staff", f"1 more: --after {before_last}"])
    code, text = command(online, capsys, "exceptions", "list", "--after", before_last)
    assert [line.split()[0] for line in text.splitlines()] == [last, "1"]
    assert text.endswith(f"1 cases wait for staff after {before_last}\n")
    assert command(online, capsys, "exceptions", "list", "--after", "nothing")[0] == 2


def test_cases_without_patient_or_action_can_be_shown_too(
    online: Online, box: Box, control: object, capsys: pytest.CaptureFixture[str]
):
    fork, nobody = new_id(), box.push(online.newcomer(), "scan_nfc", leg=-1)
    with online.centre.store.write() as db:
        open_case(db, fork, NewCase("fork", None, {"epoch": 1}), online.centre.clock())
    expected = ((fork, "  epoch: 1"), (case_of(online, nobody), "quarantined: a number is out of range"))
    for exception_id, said in expected:
        code, text = command(online, capsys, "exceptions", "show", exception_id)
        assert code == 0
        assert said in text
    assert command(online, capsys, "exceptions", "settle", fork, "--discard", "--reason", "known")[0] == 0


@pytest.mark.one_database
def test_a_backup_is_made_at_the_command_line_while_the_service_runs(
    online: Online, control: object, capsys: pytest.CaptureFixture[str]
):
    file = online.centre.store.path.with_name("copy.db")
    with pytest.raises(SystemExit) as ended:
        main(["backup", "--database", online.centre.url, str(file)])
    assert not ended.value.code
    assert f"{file}: {file.stat().st_size} bytes" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["backup", "--database", online.centre.url, str(online.centre.store.path)])
    assert ended.value.code == 2
    assert "a backup cannot be written there" in capsys.readouterr().err
