"""The tokens of visits: what opens them, what they see and may do, when they end, and how they become a patient's."""

from __future__ import annotations

from typing import Any

import pytest

from sync.central.maintenance.housekeeping import close_days
from sync.central.records.visit_tokens import KEPT_MS, MOST_TRIES, delete_old_visit_tokens
from sync.clock import DAY_MS
from sync.ids import new_id
from sync.journey.model import Role
from sync.visit_secret import hash_of_secret, make_secret
from tests.sync.central.box import Box
from tests.sync.central.centre import DAY
from tests.sync.central.online import API, Online

UNAUTHORIZED, NOT_YET = 4401, 4404
VISIT, IDENTIFY, RENEW = f"{API}/visit/", f"{API}/visit/identify/", f"{API}/token/renew/"


@pytest.fixture
def box(online: Online) -> Box:
    made = Box(online, ("entrance",))
    made.latest()
    return made


class Arrival:
    """A patient who checks in at a kiosk that shows a QR code."""

    def __init__(self, box: Box, patient_id: str) -> None:
        self.box, self.patient_id = box, patient_id
        self.visit_id, self.secret = new_id(), make_secret()

    def push(self, action_type: str, journey_state: str, **more: Any) -> dict[str, Any]:
        return self.box.push(self.patient_id, action_type, visit_id=self.visit_id, journey_state=journey_state, **more)

    def arrive(self) -> Arrival:
        self.push("scan_nfc", "UNREGISTERED")
        self.push("register", "ARRIVED")
        return self

    def confirm(self, **more: Any) -> dict[str, Any]:
        return self.push("confirm_arrival", "REGISTERED", visit_hash=hash_of_secret(self.secret), **more)


def seen(online: Online, secret: str) -> dict[str, Any]:
    answer = online.call("GET", VISIT, secret)
    assert answer.ok, answer.text
    return dict(answer.json())


def refusal(online: Online, secret: str) -> tuple[int, str]:
    answer = online.call("GET", VISIT, secret)
    return answer.status_code, answer.json()["code"]


def test_a_visit_is_unknown_until_the_arrival_has_come_and_then_shows_number_and_place(online: Online, box: Box):
    arrival = Arrival(box, online.newcomer()).arrive()
    assert refusal(online, arrival.secret) == (404, "visit_unknown")
    with online.socket(arrival.secret, browser=True) as socket:
        assert socket.closed() == NOT_YET
    assert arrival.confirm()["verdict"] == "applied"
    view = seen(online, arrival.secret)
    (line,) = view["lines"]
    assert line["current"]
    assert line["queue_number"] == online.centre.state(arrival.patient_id)["queue_details"][0]["queue_number"]
    assert line["ahead"]["text"] in ("{n} person ahead", "You are next")
    assert view["said"]["has_ticket"]


def test_a_visit_shows_no_name_no_booking_and_no_id_of_the_hospital(online: Online, box: Box):
    arrival = Arrival(box, online.newcomer()).arrive()
    arrival.confirm()
    (patient,) = online.centre.rows("select * from patients where patient_id = :id", id=arrival.patient_id)
    (entry,) = online.centre.rows("select * from entries where patient_id = :id", id=arrival.patient_id)
    with online.socket(arrival.secret) as socket:
        socket.ask("perform_action", action_type="scan_nfc", action_id=new_id(), payload={})
        told = [socket.next(), socket.next(), online.state(arrival.secret).json(), seen(online, arrival.secret)]
    for hidden in ("name", "masked_name", "birth_date"):
        assert patient[hidden] is None or patient[hidden] not in str(told)
    assert arrival.patient_id not in str(told)
    assert f"'{entry['exam_id']}'" not in str(told)
    assert str(entry["appointment_id"]) not in str(told)
    assert told[2]["appointments"] == []


def test_a_visit_may_confirm_and_leave_and_nothing_else(online: Online):
    patient_id = online.newcomer(booked=False)
    online.centre.walk(patient_id, "scan_nfc", "register", "confirm_arrival")
    secret = online.centre.visit_secret(patient_id)
    assert seen(online, secret)["buttons"] == []
    for other in ("enter_exam_room", "make_payment", "call_patient"):
        assert online.act(secret, other).json()["code"] == "forbidden"
    online.centre.walk(patient_id, "call_patient", "start_exam", "complete_exam", "make_payment", "make_payment")
    assert [each["action_type"] for each in seen(online, secret)["buttons"]] == ["leave_hospital"]
    left = online.act(secret, "leave_hospital")
    assert left.json()["journey_state"] == "UNREGISTERED"
    assert refusal(online, secret) == (401, "visit_ended")


def test_the_end_of_a_visit_closes_its_socket(online: Online):
    patient_id = online.newcomer()
    online.centre.walk(patient_id, "scan_nfc", "register", "confirm_arrival")
    secret, own = online.centre.visit_secret(patient_id), online.own_token(patient_id)
    with online.socket(secret) as socket:
        assert socket.next()["type"] == "initial_state"
        online.act(online.staff, "call_patient", patient_id=patient_id)
        assert socket.until("state_update")["payload"]["journey_state"] == "CALLED"
        online.centre.walk(patient_id, "start_exam", "complete_exam", "make_payment", "make_payment")
        assert online.act(own, "leave_hospital").ok
        assert socket.closed() == UNAUTHORIZED
    assert refusal(online, secret) == (401, "visit_ended")


def test_a_second_kiosk_that_was_offline_opens_the_same_visit(online: Online, box: Box):
    patient_id, other = online.newcomer(), Box(online, ("entrance",))
    other.latest()
    first, second = Arrival(box, patient_id).arrive(), Arrival(other, patient_id)
    first.confirm(queue_number=f"{box.prefix}-001", exam_id="xray")
    second.arrive()
    assert second.confirm(queue_number=f"{other.prefix}-001", exam_id="xray")["verdict"] in ("merged", "superseded")
    views = [seen(online, each.secret) for each in (first, second)]
    assert views[0]["lines"] == views[1]["lines"]
    assert len(views[0]["lines"]) == 1


def test_an_arrival_that_waits_for_staff_opens_nothing_until_it_is_settled(online: Online, box: Box):
    applied, discarded = (Arrival(box, online.newcomer()) for _ in range(2))
    for arrival in (applied, discarded):
        arrival.arrive()
        shown = online.centre.state(arrival.patient_id)["appointments"][0]
        cancelled = {"patient_id": arrival.patient_id, "exam_id": shown["exam_id"]}
        # The hospital has cancelled the exam that the person was shown.
        assert online.act(online.staff, "cancel_appointment", **cancelled).ok
        assert arrival.confirm(appointment_ids=(shown["appointment_id"],))["verdict"] == "needs_staff"
        assert refusal(online, arrival.secret) == (404, "visit_unknown")
    for arrival, how in ((applied, "apply"), (discarded, "discard")):
        (case,) = online.centre.rows(
            "select exception_id from exceptions where patient_id = :id and settled_ms is null", id=arrival.patient_id
        )
        body = {"how": how, "reason": "seen to", "action_id": new_id()}
        path = f"{API}/exceptions/{case['exception_id']}/settle/"
        assert online.call("POST", path, online.staff, json=body).ok
    assert len(seen(online, applied.secret)["lines"]) == 1
    assert refusal(online, discarded.secret) == (401, "visit_ended")


def test_no_visit_is_open_to_what_a_kiosk_did_that_was_taken_back(online: Online, box: Box):
    arrival = Arrival(box, online.newcomer()).arrive()
    arrival.confirm()
    seen(online, arrival.secret)
    with online.socket(arrival.secret) as socket:
        socket.next()
        order = {"kiosk_id": box.kiosk_id, "since": DAY, "reason": "a stolen box"}
        online.centre.do("kiosk-undo", order=order, trial=True)
        seen(online, arrival.secret)
        online.centre.do("kiosk-undo", order=order)
        assert socket.closed() == UNAUTHORIZED
    assert refusal(online, arrival.secret) == (401, "visit_ended")


def test_a_hash_of_another_token_opens_nothing(online: Online, box: Box):
    patient_id = online.newcomer()
    own = online.own_token(patient_id)
    arrival = Arrival(box, online.newcomer()).arrive()
    arrival.push("confirm_arrival", "REGISTERED", visit_hash=hash_of_secret(own))
    assert online.call("GET", VISIT, own).json()["code"] == "forbidden"
    assert online.state(own).json()["journey_state"] == "UNREGISTERED"


def test_a_visit_follows_its_patient_into_another_record(online: Online):
    gone, kept = online.newcomer(), online.newcomer()
    for patient_id in (gone, kept):
        online.centre.walk(patient_id, "scan_nfc", "register", "confirm_arrival")
    secrets = [online.centre.visit_secret(each) for each in (gone, kept)]
    body = {"patient_id": gone, "action_id": new_id()}
    assert online.call("POST", f"{API}/patients/{kept}/merge/", online.staff, json=body).ok
    assert seen(online, secrets[0])["lines"] == seen(online, secrets[1])["lines"]


def test_staff_end_the_token_of_a_visit_by_its_id(online: Online):
    patient_id = online.newcomer()
    online.centre.walk(patient_id, "scan_nfc", "register", "confirm_arrival")
    secret = online.centre.visit_secret(patient_id)
    (listed,) = online.centre.do("tokens", role="visit", patient_id=patient_id)["tokens"]
    with online.socket(secret) as socket:
        socket.next()
        online.centre.do("token-revoke", token=listed["token_id"])
        assert socket.closed() == UNAUTHORIZED
    assert refusal(online, secret) == (401, "visit_ended")


# A patient's token.


@pytest.fixture
def visit(online: Online) -> tuple[str, str]:
    """A patient on a visit, and its secret. The hospital knows the birth date."""
    patient_id = online.newcomer()
    online.centre.walk(patient_id, "scan_nfc", "register", "confirm_arrival")
    with online.centre.store.write() as db:
        db.execute("update patients set birth_date = '1980-02-29' where patient_id = :id", {"id": patient_id})
    return patient_id, online.centre.visit_secret(patient_id)


def identified(online: Online, secret: str, birth_date: str) -> Any:
    return online.call("POST", IDENTIFY, secret, json={"birth_date": birth_date})


def test_the_birth_date_opens_the_patients_own_data_for_some_hours(online: Online, visit: tuple[str, str]):
    patient_id, secret = visit
    found = identified(online, secret, "1980-02-29").json()
    assert online.state(found["token"]).json() == online.state(online.own_token(patient_id)).json()
    again = identified(online, secret, "1980-02-29").json()
    assert online.state(found["token"]).status_code == 401, "a later one ends the one before"
    noted = online.centre.rows("select 1 from audit where kind = 'identified' and patient_id = :id", id=patient_id)
    assert len(noted) == 2
    online.centre.clock.now_ms += 13 * 3600 * 1000
    assert online.state(again["token"]).status_code == 401
    online.centre.clock.now_ms -= 13 * 3600 * 1000


def test_after_five_wrong_birth_dates_the_right_one_gets_the_same_answer(online: Online, visit: tuple[str, str]):
    _, secret = visit
    wrong = [identified(online, secret, f"1980-02-0{day + 1}") for day in range(MOST_TRIES)]
    right = identified(online, secret, "1980-02-29")
    assert {(each.status_code, each.text) for each in (*wrong, right)} == {(403, right.text)}
    assert right.json()["code"] == "not_identified"
    assert seen(online, secret)["lines"], "the visit itself goes on"


def test_a_patient_without_a_birth_date_is_identified_by_none(online: Online):
    patient_id = online.newcomer()
    online.centre.walk(patient_id, "scan_nfc", "register", "confirm_arrival")
    with online.centre.store.write() as db:
        db.execute("update patients set birth_date = null where patient_id = :id", {"id": patient_id})
    assert identified(online, online.centre.visit_secret(patient_id), "0000-00-00").status_code == 403


def test_a_renewed_token_works_and_the_former_one_for_five_minutes_more(online: Online):
    now_ms = online.centre.clock()
    former = online.centre.token(Role.PATIENT, online.newcomer(), expires_ms=now_ms + DAY_MS)
    session = online.call("POST", f"{API}/session/", former).cookies["nk_session"]
    origin = {"Cookie": f"nk_session={session}", "Origin": f"http://{online.host}"}
    with online.socket(former) as socket, online.socket(None, headers=origin) as by_cookie:
        socket.next()
        by_cookie.next()
        lost = online.call("POST", RENEW, former).json()["token"]
        newer = online.call("POST", RENEW, former).json()["token"]
        assert online.state(lost).status_code == 401, "nobody has used it"
        socket.ask("renew", token=newer)
        assert socket.next() == {"type": "renewed"}
        assert online.call("POST", RENEW, former).json()["code"] == "token_replaced"
        online.centre.clock.now_ms += 6 * 60_000
        assert online.state(former).status_code == 401
        for each in (socket, by_cookie):
            each.ask("fetch_initial_state")
            assert each.until("initial_state")["payload"]["journey_state"] == "UNREGISTERED"
    assert online.state(newer).ok


def test_a_socket_takes_no_token_of_another_bearer(online: Online):
    own, other = (online.own_token(online.newcomer()) for _ in range(2))
    with online.socket(own) as socket:
        socket.next()
        for token in (other, online.staff, "nk_unknown", 7):
            socket.ask("renew", token=token)
            assert socket.next()["code"] in ("forbidden", "unauthorized")
        socket.ask("ping")
        assert socket.next() == {"type": "pong"}


# Last, since the day ends.


def test_the_end_of_the_day_ends_the_visits_and_a_week_later_their_tokens_are_gone(online: Online):
    patient_id = online.newcomer()
    online.centre.walk(patient_id, "scan_nfc", "register", "confirm_arrival")
    secret = online.centre.visit_secret(patient_id)
    online.centre.clock.set("2026-03-03", "05:00")
    close_days(online.centre.parts, "2026-03-03")
    assert refusal(online, secret) == (401, "visit_ended")
    online.centre.clock.now_ms += KEPT_MS
    with online.centre.store.write() as db:
        delete_old_visit_tokens(db, online.centre.clock())
    assert refusal(online, secret) == (404, "visit_unknown")
    online.centre.clock.set(DAY, "09:00")
