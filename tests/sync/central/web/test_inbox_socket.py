"""The WebSocket of the exception inbox, with real clients on a real server."""

from __future__ import annotations

from typing import Any

import pytest

from sync.central.records.case_viewers import LEASE_MS, Viewer, look_at
from sync.central.records.duties import Duty
from sync.central.services.case_viewers import read_inbox
from sync.central.store.news import TokenRevoked
from sync.central.web.inbox_messages import INBOX_SENT, INBOX_TAKEN
from sync.central.web.inbox_socket import COMMANDS
from sync.ids import new_id
from sync.journey.model import Role
from tests.sync.central.box import Box
from tests.sync.central.held_to_document import hold_message_to_document
from tests.sync.central.online import API, Online, Socket
from tests.sync.central.staff.people import headers_of, person

PATH = "/ws/inbox/"


@pytest.fixture
def box(online: Online) -> Box:
    return Box(online)


def new_case(online: Online, box: Box) -> str:
    verdict = box.push(online.newcomer(), "register", journey_state="ARRIVED")
    found = online.call("GET", f"{API}/exceptions/", online.staff).json()["exceptions"]
    return next(each["exception_id"] for each in found if each["action_id"] == verdict["action_id"])


def discard(online: Online, exception_id: str) -> None:
    path = f"{API}/exceptions/{exception_id}/settle/"
    assert online.call("POST", path, online.staff, json={"how": "discard", "reason": "x"}).ok


def names(payload: dict[str, Any], exception_id: str) -> list[str]:
    return [each["name"] for each in payload["viewers"] if each["exception_id"] == exception_id]


def until_changed(socket: Socket, exception_id: str) -> dict[str, Any]:
    """The next message that names a case as changed."""
    while True:
        payload = socket.until("inbox_update")["payload"]
        if payload["changed"] is None or exception_id in payload["changed"]:
            return dict(payload)


def test_every_message_and_command_is_documented():
    assert {kind.__struct_config__.tag for kind in INBOX_TAKEN} == set(COMMANDS)
    for kind in INBOX_SENT:
        assert kind.__name__


def test_a_case_that_comes_and_goes_is_told_at_once(online: Online, box: Box):
    with online.socket(online.staff, path=PATH, browser=True) as socket:
        first = socket.next()
        assert first["type"] == "inbox"
        exception_id = new_case(online, box)
        assert until_changed(socket, exception_id)["open"] == first["payload"]["open"] + 1
        discard(online, exception_id)
        assert until_changed(socket, exception_id)["open"] == first["payload"]["open"]


def test_staff_see_who_else_has_a_case_open(online: Online, box: Box):
    exception_id = new_case(online, box)
    kim, park = (online.centre.token(Role.STAFF, name=name) for name in ("Kim", "Park"))
    with online.socket(kim, path=PATH) as one:
        own_id = one.next()["payload"]["viewer_id"]
        one.ask("look", exception_id=exception_id)
        assert names(until_changed(one, exception_id), exception_id) == ["Kim"]
        with online.socket(park, path=PATH) as two:
            first = two.next()["payload"]
            assert names(first, exception_id) == ["Kim"]
            assert first["viewers"][0]["viewer_id"] == own_id != first["viewer_id"]
            two.ask("look", exception_id=exception_id)
            assert names(until_changed(one, exception_id), exception_id) == ["Kim", "Park"]
            two.ask("look", exception_id=None)
            assert names(until_changed(one, exception_id), exception_id) == ["Kim"]
            two.ask("look", exception_id=exception_id)
            assert names(until_changed(one, exception_id), exception_id) == ["Kim", "Park"]
        assert names(until_changed(one, exception_id), exception_id) == ["Kim"], "the page was closed"


def test_a_page_that_goes_to_another_case_leaves_the_first(online: Online, box: Box):
    first, second = new_case(online, box), new_case(online, box)
    with online.socket(online.staff, path=PATH) as socket:
        socket.ask("look", exception_id=first)
        assert len(names(until_changed(socket, first), first)) == 1
        socket.ask("look", exception_id=second)
        payload = until_changed(socket, second)
        assert (len(names(payload, first)), len(names(payload, second))) == (0, 1)


def test_what_happens_to_the_patients_of_an_open_case_is_told_as_a_change_of_it(online: Online, box: Box):
    patient_id, further = online.newcomer(), online.newcomer()
    box.push(patient_id, "register", journey_state="ARRIVED")
    found = online.call("GET", f"{API}/exceptions/", online.staff).json()["exceptions"]
    exception_id = next(each["exception_id"] for each in found if each["patient_id"] == patient_id)
    with online.socket(online.staff, path=PATH) as socket:
        socket.ask("look", exception_id=exception_id, patient_id=further)
        until_changed(socket, exception_id)
        for moved in (patient_id, further):
            assert online.act(online.staff, "scan_nfc", patient_id=moved).ok
            until_changed(socket, exception_id)
        socket.ask("look", exception_id=None)
        until_changed(socket, exception_id)
        assert online.act(online.staff, "register", patient_id=patient_id).ok
        other = new_case(online, box)
        assert until_changed(socket, other)["changed"] == [other]


def test_a_viewer_whose_process_has_died_is_gone_after_the_lease(online: Online, box: Box):
    exception_id, clock = new_case(online, box), online.centre.clock
    with online.centre.store.write() as db:
        look_at(db, Viewer(new_id(), exception_id, "Choi", clock()))
    assert "Choi" in [each.name for each in read_inbox(online.centre.parts).viewers]
    clock.now_ms += LEASE_MS + 1
    assert "Choi" not in [each.name for each in read_inbox(online.centre.parts).viewers]


def test_two_who_settle_at_once_are_told_of_each_other(online: Online, box: Box):
    exception_id = new_case(online, box)
    path = f"{API}/exceptions/{exception_id}"
    seen = online.call("POST", f"{path}/preview/", online.staff, json={"how": "discard"}).json()["seen"]
    with online.socket(online.staff, path=PATH) as socket:
        socket.ask("look", exception_id=exception_id)
        discard(online, exception_id)
        until_changed(socket, exception_id)
        shown = online.call("GET", f"{path}/", online.staff).json()
        assert (shown["settled_by"].startswith("staff:"), shown["settlement"]["how"]) == (True, "discard")
        late = online.call(
            "POST", f"{path}/settle/", online.staff, json={"how": "discard", "reason": "y", "seen": seen}
        )
        assert (late.status_code, late.json()["error"]) == (400, "The case is settled already.")


@pytest.mark.parametrize("command", [{"exception_id": 7}, {"exception_id": ""}, {"exception_id": "x" * 129}])
def test_a_command_that_is_none_is_answered_with_an_error(online: Online, command: dict[str, Any]):
    with online.socket(online.staff, path=PATH) as socket:
        socket.ask("look", **command)
        assert socket.until("error")["code"] == "malformed"
        socket.ask("ping")
        assert socket.until("pong")


def test_only_staff_open_it(online: Online, box: Box):
    for token, code in ((None, 4401), (box.token, 4403), (online.own_token(online.newcomer()), 4403)):
        with online.socket(token, path=PATH) as socket:
            assert socket.closed() == code


def test_it_closes_with_its_token_and_the_case_is_left(online: Online, box: Box):
    exception_id, token = new_case(online, box), online.centre.token(Role.STAFF, name="Han")
    (row,) = online.centre.rows("select token_hash from tokens where name = 'Han'")
    with online.socket(token, path=PATH) as socket, online.socket(online.staff, path=PATH) as other:
        socket.ask("look", exception_id=exception_id)
        assert names(until_changed(other, exception_id), exception_id) == ["Han"]
        with online.centre.store.write() as db:
            db.execute("update tokens set revoked_ms = 1 where name = 'Han'")
            db.news.append(TokenRevoked(str(row["token_hash"])))
        assert socket.closed() == 4401
        assert names(until_changed(other, exception_id), exception_id) == []


def test_news_that_were_missed_may_be_of_any_case(online: Online):
    with online.socket(online.staff, path=PATH) as socket:
        socket.next()
        online.centre.store.news.announce_missed(0)
        message = socket.until("inbox_update")
        hold_message_to_document(message)
        assert message["payload"]["changed"] is None


def test_a_person_is_named_by_their_own_name_and_needs_the_duty(online: Online, box: Box):
    exception_id = new_case(online, box)
    clerk, nurse = person(online, Duty.RECEPTION, name="박서연"), person(online, Duty.EXAM_ROOM)
    path = f"{API}/exceptions/{exception_id}/"
    headers = headers_of(online, clerk)
    with online.socket(None, path=PATH, headers=headers) as socket:
        socket.ask("look", exception_id=exception_id)
        assert names(until_changed(socket, exception_id), exception_id) == ["박서연"]
        settled = online.call("POST", f"{path}settle/", json={"how": "discard", "reason": "x"}, headers=headers)
        assert settled.ok
    shown = online.call("GET", path, online.staff).json()
    assert (shown["settled_by"], shown["settled_by_name"]) == (f"staff:{clerk.login}", "박서연")
    others = headers_of(online, nurse)
    with online.socket(None, path=PATH, headers=others) as socket:
        assert socket.closed() == 4403
    for method, way in (("GET", path), ("GET", f"{API}/exceptions/count/"), ("POST", f"{path}preview/")):
        assert online.call(method, way, json={"how": "apply"}, headers=others).status_code == 403
