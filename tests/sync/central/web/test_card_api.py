"""Cards over HTTP: who may do what, what a list shows, and that each action is done once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sync.cards import canonical_tag
from sync.central.commands.main import main
from sync.central.operations.catalog import operations
from sync.control import ControlServer, socket_path
from sync.ids import new_id
from tests.sync.central.box import Box
from tests.sync.central.centre import DAY, card
from tests.sync.central.online import API, Online

NEW_CARD = "04c0ffee99aa01"


def listed(online: Online, patient_id: str) -> list[dict[str, Any]]:
    found = online.call("GET", f"{API}/patients/{patient_id}/bindings/", online.staff)
    assert found.ok, found.text
    rows: list[dict[str, Any]] = found.json()["bindings"]
    return rows


def on_binding(
    online: Online, word: str, patient_id: str, binding_id: str, token: str | None = None, **body: Any
) -> requests.Response:
    path = f"{API}/patients/{patient_id}/bindings/{binding_id}/{word}/"
    return online.call("POST", path, token or online.staff, json=body)


def on_card(online: Online, word: str, tag_id: str, **body: Any) -> requests.Response:
    return online.call("POST", f"{API}/cards/{word}/", online.staff, json={"tag_id": tag_id, **body})


def bind(online: Online, patient_id: str, tag_id: str, **body: Any) -> requests.Response:
    sent = {"patient_id": patient_id, "tag_id": tag_id, **body}
    return online.call("POST", f"{API}/bindings/", online.staff, json=sent)


def own_card(patient_id: str) -> str:
    return card(int(patient_id[1:]))


def test_a_list_tells_how_each_binding_came_about_and_ended_and_never_names_a_card(online: Online):
    patient_id, taker = online.newcomer(), online.newcomer()
    made = bind(online, patient_id, own_card(taker), label="blue card").json()
    bind(online, taker, own_card(taker))
    imported, bound = listed(online, patient_id)
    at, staff = f"{DAY}T09:00:00+09:00", bound["bound_by"]
    assert staff.startswith("staff:")
    assert imported | {"binding_id": ""} == {
        "binding_id": "",
        "label": "",
        "state": "active",
        "since": at,
        "until": None,
        "origin": "import",
        "bound_by": "import",
        "ended_by": None,
        "reason": "",
    }
    assert bound == {
        "binding_id": made["binding_id"],
        "label": "blue card",
        "state": "ended",
        "since": at,
        "until": at,
        "origin": "desk",
        "bound_by": staff,
        "ended_by": staff,
        "reason": "",
    }
    shown = online.call("GET", f"{API}/patients/{patient_id}/bindings/", online.staff).text
    hashes = online.centre.rows("select uid_hash from binding_hashes")
    assert not any(row["uid_hash"] in shown for row in hashes)
    assert own_card(patient_id) not in shown
    looks = online.centre.rows("select patient_id from audit where kind = 'look:bindings'")
    assert {"patient_id": patient_id} in [dict(row) for row in looks]


def test_the_bindings_of_a_patient_come_in_pages(online: Online):
    patient_id = online.newcomer()
    for number in range(3):
        assert bind(online, patient_id, f"iso14443a:04{new_id()[-12:]}").status_code == 201, number
    whole = [each["binding_id"] for each in listed(online, patient_id)]
    path, pages, after = f"{API}/patients/{patient_id}/bindings/", [], {}
    while True:
        page = online.call("GET", path, online.staff, params={"limit": 2, **after}).json()
        pages += [each["binding_id"] for each in page["bindings"]]
        assert page["more"] == len(whole) - len(pages)
        if not page["more"]:
            break
        after = {"after": pages[-1]}
    assert len(whole) >= 3
    assert pages == whole
    assert online.call("GET", path, online.staff, params={"after": "nobody's"}).status_code == 404


def test_an_ended_binding_leaves_the_card_unknown_and_is_ended_once(online: Online):
    patient_id = online.newcomer()
    (held,) = listed(online, patient_id)
    sent = {"reason": "left the hospital", "action_id": new_id()}
    answers = [on_binding(online, "end", patient_id, held["binding_id"], **sent) for _ in range(2)]
    assert [answer.json() for answer in answers] == [
        {"binding_id": held["binding_id"], "patient_id": patient_id, "state": "ended"}
    ] * 2
    (ended,) = listed(online, patient_id)
    assert (ended["state"], ended["reason"]) == ("ended", "left the hospital")
    again = on_binding(online, "end", patient_id, held["binding_id"])
    assert (again.status_code, again.json()["code"]) == (400, "not_allowed")
    unknown = online.act(online.staff, "scan_nfc", tag_id=own_card(patient_id))
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_patient")


def test_a_blocked_card_names_nobody_until_it_is_unblocked_and_bound_again(online: Online):
    patient_id = online.newcomer()
    (held,) = listed(online, patient_id)
    blocked = on_binding(online, "block", patient_id, held["binding_id"], reason="lost on the bus")
    assert blocked.json() == {"binding_id": held["binding_id"], "patient_id": patient_id, "state": "blocked"}
    (shown,) = listed(online, patient_id)
    assert (shown["state"], shown["reason"], shown["until"] is not None) == ("blocked", "lost on the bus", True)
    for refused in (
        bind(online, patient_id, own_card(patient_id)),
        online.act(online.staff, "scan_nfc", tag_id=own_card(patient_id)),
        online.act(online.staff, "scan_nfc", patient_id=patient_id, tag_id=own_card(patient_id)),
        on_binding(online, "block", patient_id, held["binding_id"]),
        on_card(online, "block", own_card(patient_id)),
    ):
        assert (refused.status_code, refused.json()["code"]) == (409, "card_blocked")
    unblocked = on_binding(online, "unblock", patient_id, held["binding_id"], reason="found")
    assert unblocked.json()["state"] == "ended"
    assert on_binding(online, "unblock", patient_id, held["binding_id"]).status_code == 400
    assert bind(online, patient_id, own_card(patient_id)).status_code == 201
    assert [each["state"] for each in listed(online, patient_id)] == ["ended", "active"]


def test_a_repeat_of_an_action_from_before_the_block_gets_its_answer(online: Online):
    patient_id, action_id = online.newcomer(), new_id()
    sent = {"patient_id": patient_id, "tag_id": own_card(patient_id)}
    first = online.act(online.staff, "scan_nfc", action_id, **sent)
    on_card(online, "block", own_card(patient_id))
    again = online.act(online.staff, "scan_nfc", action_id, **sent)
    assert (again.status_code, again.content) == (200, first.content)
    refused = online.act(online.staff, "register", **sent)
    assert (refused.status_code, refused.json()["code"]) == (409, "card_blocked")


def test_a_card_is_blocked_by_its_number_whoever_holds_it(online: Online):
    patient_id = online.newcomer()
    (held,) = listed(online, patient_id)
    taken = on_card(online, "block", own_card(patient_id), reason="handed in").json()
    assert taken == {"blocked": True, "binding_id": held["binding_id"], "patient_id": patient_id}
    nobodys = {"binding_id": None, "patient_id": None}
    assert on_card(online, "unblock", own_card(patient_id)).json() == {"blocked": False, **nobodys}
    sent = {"action_id": new_id()}
    assert [on_card(online, "block", NEW_CARD, **sent).json() for _ in range(2)] == [{"blocked": True, **nobodys}] * 2
    stored = str(online.centre.rows("select * from card_blocks") + online.centre.rows("select * from actions"))
    assert NEW_CARD not in stored
    assert on_card(online, "unblock", NEW_CARD).ok


def test_a_site_that_refuses_short_uids_binds_none_and_can_still_block_one(online: Online):
    patient_id, short = online.newcomer(), "c0ffee99"
    online.centre.do("site", refuse_short_uids=True)
    try:
        refused = bind(online, patient_id, short)
        assert (refused.status_code, refused.json()["code"]) == (400, "unusable_card")
        assert refused.json()["error"] == (
            "This card cannot be bound: its UID has only 4 bytes, and this hospital does not accept such cards."
        )
        assert len(listed(online, patient_id)) == 1, "the card of the import"
        assert bind(online, patient_id, NEW_CARD[:-2] + "77").status_code == 201
        assert on_card(online, "block", short).ok
        assert on_card(online, "unblock", short).ok
    finally:
        online.centre.do("site", refuse_short_uids=False)
    assert bind(online, patient_id, short).status_code == 201


@pytest.mark.parametrize("mistyped", [NEW_CARD[:-2], f"felica:{NEW_CARD}", "08c0ffee"])
def test_an_id_that_no_kiosk_accepts_is_not_called_blocked(online: Online, mistyped: str):
    before = online.centre.rows("select * from card_blocks")
    refused = on_card(online, "block", mistyped)
    assert (refused.status_code, refused.json()["code"]) == (400, "unusable_card")
    assert refused.json()["error"].startswith("This card cannot be blocked: ")
    assert online.centre.rows("select * from card_blocks") == before
    # A block from before this judgement can be ended.
    assert on_card(online, "unblock", mistyped).json()["code"] == "not_allowed"


def test_the_card_of_an_ended_binding_is_blocked_unless_it_is_another_patients_now(online: Online):
    patient_id, taker = online.newcomer(), online.newcomer()
    (held,) = listed(online, patient_id)
    assert bind(online, taker, own_card(patient_id)).ok
    refused = on_binding(online, "block", patient_id, held["binding_id"])
    assert (refused.status_code, refused.json()["code"]) == (403, "card_of_another")
    assert [each["state"] for each in listed(online, taker)] == ["active", "active"]
    assert bind(online, patient_id, own_card(patient_id)).ok
    assert on_binding(online, "block", patient_id, held["binding_id"]).ok
    assert [each["state"] for each in listed(online, patient_id)] == ["blocked", "blocked"]


def test_a_merged_record_keeps_its_bindings_and_their_old_address(online: Online):
    kept, gone = online.newcomer(), online.newcomer()
    (held,) = listed(online, gone)
    merged = online.call("POST", f"{API}/patients/{kept}/merge/", online.staff, json={"patient_id": gone})
    assert merged.ok
    assert held["binding_id"] in [each["binding_id"] for each in listed(online, gone)]
    assert len(listed(online, kept)) == 2
    assert on_binding(online, "end", gone, held["binding_id"]).json()["patient_id"] == kept


@pytest.mark.parametrize("word", ["end", "block", "unblock"])
def test_a_binding_that_the_patient_does_not_have_is_not_found(online: Online, word: str):
    patient_id, another = online.newcomer(), online.newcomer()
    (held,) = listed(online, another)
    for named, binding_id in ((patient_id, held["binding_id"]), (patient_id, "none"), ("nobody", held["binding_id"])):
        assert on_binding(online, word, named, binding_id).status_code == 404
    assert online.call("GET", f"{API}/patients/nobody/bindings/", online.staff).status_code == 404
    assert [each["state"] for each in listed(online, another)] == ["active"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/patients/P01/bindings/x/end/", {"reason": 7}),
        ("/patients/P01/bindings/x/block/", {"reason": "x" * 501}),
        ("/patients/P01/bindings/x/unblock/", {"action_id": "no uuid"}),
        ("/cards/block/", {}),
        ("/cards/block/", {"tag_id": NEW_CARD, "reason": []}),
        ("/cards/block/", {"tag_id": NEW_CARD, "reason": NEW_CARD.upper()}),
        ("/cards/unblock/", {"tag_id": ["x"]}),
        ("/bindings/", {"patient_id": "P01", "tag_id": NEW_CARD, "label": "x" * 41}),
        ("/bindings/", {"patient_id": "P01", "tag_id": NEW_CARD, "label": 7}),
        ("/bindings/", {"patient_id": "P01", "tag_id": NEW_CARD, "label": NEW_CARD}),
    ],
)
def test_a_request_that_says_too_little_or_too_much_is_refused(online: Online, path: str, body: dict[str, Any]):
    before = online.centre.rows("select count(*) as n from actions")
    assert online.call("POST", API + path, online.staff, json=body).status_code == 400
    assert online.call("POST", API + path, online.staff, data=b"x").status_code == 415
    assert online.centre.rows("select count(*) as n from actions") == before


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/bindings/"),
        ("GET", "/patients/{0}/bindings/"),
        ("POST", "/patients/{0}/bindings/x/end/"),
        ("POST", "/patients/{0}/bindings/x/block/"),
        ("POST", "/patients/{0}/bindings/x/unblock/"),
        ("POST", "/cards/block/"),
        ("POST", "/cards/unblock/"),
    ],
)
def test_cards_are_for_staff_alone(online: Online, method: str, path: str):
    patient_id = online.newcomer()
    for token in (online.own_token(patient_id), Box(online).token):
        assert online.call(method, API + path.format(patient_id), token, json={}).status_code == 403
    assert online.call(method, API + path.format(patient_id), json={}).status_code == 401


# Cases.


def test_a_case_says_whether_it_has_a_card_that_can_be_bound(online: Online):
    box, hashed = Box(online), online.centre.parts.keys.hashes(canonical_tag(NEW_CARD))
    unknown = box.push(f"card-{new_id()}", "scan_nfc", provisional=True, card=hashed[0])
    without = box.push(online.newcomer(), "register", journey_state="ARRIVED")
    found = online.call("GET", f"{API}/exceptions/", online.staff).json()["exceptions"]
    told = {each["action_id"]: (each["has_card"], each["card_blocked"], each["may_bind"]) for each in found}
    assert told[unknown["action_id"]] == (True, False, True)
    assert told[without["action_id"]] == (False, False, False)
    (case,) = [each["exception_id"] for each in found if each["action_id"] == unknown["action_id"]]
    on_card(online, "block", NEW_CARD)
    shown = online.call("GET", f"{API}/exceptions/{case}/", online.staff).json()
    assert (shown["has_card"], shown["card_blocked"], shown["may_bind"]) == (True, True, False)
    assert shown["actions"][0]["has_card"] is True
    assert hashed[0].uid_hash not in json.dumps(shown)
    on_card(online, "unblock", NEW_CARD)
    patient_id = online.newcomer()
    sent = {"how": "reassign", "patient_id": patient_id, "bind": True, "action_id": new_id()}
    path = f"{API}/exceptions/{case}/settle/"
    answers = [online.call("POST", path, online.staff, json=sent) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert answers[0].json()["binding_id"] == listed(online, patient_id)[-1]["binding_id"]
    assert listed(online, patient_id)[-1]["origin"] == "case"
    assert online.call("GET", f"{API}/exceptions/{case}/", online.staff).json()["may_bind"] is False


@pytest.mark.parametrize(
    "body", [{"how": "apply", "bind": True}, {"how": "reassign", "patient_id": "P01", "bind": "yes"}]
)
def test_a_case_binds_for_a_named_patient_alone(online: Online, body: dict[str, Any]):
    assert online.call("POST", f"{API}/exceptions/any/settle/", online.staff, json=body).status_code == 400


# At the command line.


def command(online: Online, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main([*words[:2], *online.centre.database.options, *words[2:]])
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out + captured.err


@pytest.fixture
def control(online: Online) -> Iterator[ControlServer]:
    """The service's control socket, as while it runs."""
    server = ControlServer(socket_path(online.centre.store.place.state), lambda _: operations(online.centre.parts))
    server.start()
    yield server
    server.stop()


def test_bindings_are_listed_ended_and_blocked_at_the_command_line(
    online: Online, control: object, capsys: pytest.CaptureFixture[str]
):
    patient_id = online.newcomer()
    (held,) = listed(online, patient_id)
    of_it = (patient_id, held["binding_id"])
    code, text = command(online, capsys, "bindings", "list", patient_id)
    assert (code, text.splitlines()[-1]) == (0, f"1 bindings of patient {patient_id}")
    assert f"{held['binding_id']}  active    since {held['since']} by import (import)" in text
    done = command(online, capsys, "bindings", "block", *of_it, "--reason", "lost")
    assert done == (0, f"binding {of_it[1]} of patient {patient_id}: blocked\n")
    assert "by command line  lost" in command(online, capsys, "bindings", "list", patient_id)[1]
    assert command(online, capsys, "bindings", "end", *of_it) == (2, "kiosk-central: The binding has ended already.\n")
    assert command(online, capsys, "bindings", "unblock", *of_it)[1].endswith("ended\n")
    (row,) = json.loads(command(online, capsys, "bindings", "list", patient_id, "--json")[1])
    assert (row["state"], row["ended_by"]) == ("ended", "command line")
    assert command(online, capsys, "bindings", "list", "nobody") == (
        2,
        "kiosk-central: there is no patient nobody\n",
    )


def test_a_case_binds_its_card_at_the_command_line(online: Online, control: object, capsys: pytest.CaptureFixture[str]):
    patient_id, uid = online.newcomer(), "04c0ffee99aa02"
    hashed = online.centre.parts.keys.hashes(canonical_tag(uid))
    verdict = Box(online).push(f"card-{new_id()}", "scan_nfc", provisional=True, card=hashed[0])
    found = online.call("GET", f"{API}/exceptions/", online.staff).json()["exceptions"]
    (case,) = [each["exception_id"] for each in found if each["action_id"] == verdict["action_id"]]
    assert "can be bound with --reassign" in command(online, capsys, "exceptions", "show", case)[1]
    assert command(online, capsys, "exceptions", "settle", case, "--apply", "--bind")[0] == 2
    code, text = command(online, capsys, "exceptions", "settle", case, "--reassign", patient_id, "--bind")
    bound = listed(online, patient_id)[-1]
    assert (code, bound["origin"], bound["bound_by"]) == (0, "case", "command line")
    assert text.endswith(f"reassign, binding {bound['binding_id']}\n")
