"""Every endpoint and every command of the socket: who is told of a patient has a row in the access log."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests

from sync.cards import canonical_tag
from sync.central.intake.order import Refusal, Report, Result
from sync.central.records.desk_cards import DeskCard, add_desk_card
from sync.central.records.document_imports import add_import, end_import
from sync.central.web.asyncapi import BOARD_PATH, INBOX_PATH, PATH
from sync.central.web.board_socket import COMMANDS as BOARD_COMMANDS
from sync.central.web.inbox_socket import COMMANDS as INBOX_COMMANDS
from sync.central.web.patient_socket import COMMANDS
from sync.ids import new_id
from sync.journey.model import STAFF, Role
from sync.protocol import PROTOCOL_VERSION, LookupRequest, TokenAnswer, TokenRequest, canonical
from tests.sync.central.centre import DAY
from tests.sync.central.door.marked import ANNA, BORIS, CARDS, CLARA, DORA, NAMES, STRANGE_CARD, MarkedOnline
from tests.sync.central.online import API

STATE, ACT = f"{API}/patient-journey/current-state/", f"{API}/patient-journey/perform-action/"
OLD_STATE, OLD_ACT = f"{API}/patient-journey/current_state/", f"{API}/patient-journey/perform_action/"
BOARD = f"{API}/board/"
QUEUE, CASES, PATIENTS = f"{API}/queue/", f"{API}/exceptions/", f"{API}/patients/"
PEOPLE = f"{API}/people/"
OF_BINDING = PATIENTS + "<patient_id>/bindings/<binding_id>/"
SESSION, ME = f"{API}/session/", f"{API}/me/"
Fill = Callable[[MarkedOnline], dict[str, str]]


@dataclass(frozen=True)
class Ask:
    """A request of staff, and the patients of whom its answer tells. `of` fills the path, `within` the body."""

    method: str
    rule: str
    about: frozenset[str]
    body: dict[str, Any] | None = None
    query: dict[str, str] | None = None
    of: Fill = lambda _: {}
    within: Fill = lambda _: {}


def ask(method: str, rule: str, *about: str, of: Fill = lambda _: {}, query: Any = None, **body: Any) -> Ask:
    return Ask(method, rule, frozenset(about), body or None, query, of)


def act(rule: str, *about: str, action_type: str = "scan_nfc", **payload: Any) -> Ask:
    return ask("POST", rule, *about, action_type=action_type, payload=payload)


def press(rule: str, *about: str, within: Fill = lambda _: {}, of: Fill = lambda _: {}, **body: Any) -> Ask:
    """A press of staff whose body names what the test has found or made."""
    return Ask("POST", rule, frozenset(about), body, None, of, within)


def annas_entry(marked: MarkedOnline) -> dict[str, str]:
    return {"queue_id": marked.queue_id}


def annas_call(marked: MarkedOnline) -> dict[str, str]:
    """A call of Anna, which can be undone where no request before has done so. It leaves no row of the log."""
    if not marked.centre.rows("select action_id from presses"):
        assert marked.centre.act(ANNA, "call_patient", STAFF).done
        with marked.centre.store.write() as db:
            db.execute("delete from audit where who = 'staff'")
    return {"undoes": marked.centre.rows("select action_id from presses")[0]["action_id"]}


def case_of(patient_id: str) -> Fill:
    return lambda marked: {"exception_id": marked.cases[patient_id]}


def of_anna(marked: MarkedOnline) -> dict[str, str]:
    return {"patient_id": ANNA, "binding_id": marked.binding_id, "queue_id": marked.queue_id}


def of_nobody(_: MarkedOnline) -> dict[str, str]:
    return {"patient_id": "nobody", "binding_id": new_id(), "queue_id": new_id(), "exception_id": new_id()}


def of_no_account(_: MarkedOnline) -> dict[str, str]:
    return {"account_id": new_id(), "code_id": new_id(), "session_id": "0123456789ab"}


def of_read_card(marked: MarkedOnline) -> dict[str, str]:
    """A wait for which the kiosk has read Clara's card."""
    card, now_ms, ask_id = (
        marked.centre.parts.keys.published.hashes(canonical_tag(CARDS[CLARA]))[0],
        marked.centre.clock(),
        new_id(),
    )
    with marked.centre.store.write() as db:
        read = DeskCard(ask_id, marked.box.kiosk_id, "staff:Nurse", now_ms, now_ms + 60_000, now_ms, now_ms, card)
        add_desk_card(db, read)
    return {"ask_id": ask_id, "kiosk_id": marked.box.kiosk_id}


DESK = f"{API}/desk/"
OF_BOOKING = {"appointment_id": f"BOOKING-{BORIS}"}
EVERYBODY = (ANNA, BORIS, CLARA)
ASKED = {
    "definitions": ask("GET", f"{API}/state-definitions/"),
    "health": ask("GET", "/healthz"),
    "metrics": ask("GET", "/metrics"),
    "document": ask("GET", f"{API}/openapi.json"),
    "document of the socket": ask("GET", f"{API}/asyncapi.json"),
    "page of the documents": ask("GET", f"{API}/reference/"),
    "module of the client library": ask("GET", "/client/<module>", of=lambda _: {"module": "journey.js"}),
    "state": ask("GET", STATE, ANNA, query={"patient_id": ANNA}),
    "state, old path": ask("GET", OLD_STATE, ANNA, query={"patient_id": ANNA}),
    "state of nobody": ask("GET", STATE, query={"patient_id": "nobody"}),
    "action": act(ACT, BORIS, patient_id=BORIS),
    "action, old path": act(OLD_ACT, BORIS, patient_id=BORIS),
    "action by a card": act(ACT, CLARA, tag_id=CARDS[CLARA]),
    "action that the rules refuse": act(ACT, ANNA, patient_id=ANNA, action_type="complete_exam"),
    "action of no kind": act(ACT, ANNA, patient_id=ANNA, action_type="dance"),
    "action with another's card": act(ACT, ANNA, patient_id=ANNA, tag_id=CARDS[BORIS]),
    "action with a strange card": act(ACT, tag_id=STRANGE_CARD),
    "no action": ask("POST", ACT, payload={"patient_id": ANNA}),
    "session": ask("POST", SESSION),
    "end of a session": ask("DELETE", SESSION),
    "sign-in": ask("POST", f"{API}/sign-in/", login="nobody", password="no password of anybody"),
    "who is signed in": ask("GET", f"{ME}"),
    "own sessions": ask("GET", f"{ME}sessions/"),
    "end of an own session": ask("DELETE", f"{ME}sessions/<session_id>/", of=lambda _: {"session_id": "none"}),
    "own password": ask("POST", f"{ME}password/", current="none", password="no password of anybody"),
    "code": ask("POST", f"{API}/welcome/check/", code="none"),
    "welcome": ask("POST", f"{API}/welcome/", code="none", password="no password of anybody"),
    "people": ask("GET", PEOPLE),
    "invitation": ask("POST", f"{PEOPLE}invitations/", duties=["reception"]),
    "code withdrawn": ask("DELETE", f"{PEOPLE}codes/<code_id>/", of=of_no_account),
    "person": ask("PATCH", f"{PEOPLE}<account_id>/", of=of_no_account, name="Nobody"),
    "unlock": ask("POST", f"{PEOPLE}<account_id>/unlock/", of=of_no_account),
    "reset": ask("POST", f"{PEOPLE}<account_id>/reset/", of=of_no_account),
    "sessions": ask("DELETE", f"{PEOPLE}<account_id>/sessions/", of=of_no_account),
    "session of a person": ask("DELETE", f"{PEOPLE}<account_id>/sessions/<session_id>/", of=of_no_account),
    "visit": ask("GET", f"{API}/visit/"),
    "identification": ask("POST", f"{API}/visit/identify/", birth_date="1980-01-01"),
    "newer token": ask("POST", f"{API}/token/renew/"),
    "page of a visit": ask("GET", "/visit/"),
    "style of that page": ask("GET", "/visit/visit.css"),
    "script of that page": ask("GET", "/visit/visit.js"),
    "words of that page": ask("GET", "/visit/words.json"),
    "queue": ask("GET", QUEUE, ANNA),
    "board": ask("GET", BOARD, ANNA),
    "board of an exam": ask("GET", BOARD, query={"exams": "desk"}),
    "board of no exam": ask("GET", BOARD, query={"exams": "nowhere"}),
    "worklist": ask("GET", BOARD + "worklist/", ANNA, BORIS, query={"exam_id": "xray"}),
    "worklist of no exam": ask("GET", BOARD + "worklist/", query={"exam_id": "nowhere"}),
    "find for a board by name": ask("POST", BOARD + "find/", ANNA, q="quix"),
    "find for a board by card": ask("POST", BOARD + "find/", CLARA, tag_id=CARDS[CLARA]),
    "find nobody for a board": ask("POST", BOARD + "find/", q="nobody of this name"),
    "day": ask("GET", PATIENTS + "<patient_id>/day/", ANNA, of=of_anna),
    "day of nobody": ask("GET", PATIENTS + "<patient_id>/day/", of=of_nobody),
    "exams of the board": ask("GET", BOARD + "exams/"),
    "queue of no state": ask("GET", QUEUE, query={"state": "x"}),
    "search": ask("POST", QUEUE + "search/", ANNA, q="quix"),
    "search without result": ask("POST", QUEUE + "search/", q="nobody of this name"),
    "entry": ask("PATCH", QUEUE + "<queue_id>/", ANNA, of=of_anna, state="called"),
    "entry, refused": ask("PATCH", QUEUE + "<queue_id>/", ANNA, of=of_anna, state="completed"),
    "entry of nobody": ask("PATCH", QUEUE + "<queue_id>/", of=of_nobody, state="called"),
    "call of the next": press(QUEUE + "call-next/", ANNA, within=annas_entry, exam_id="xray", room="7"),
    "call of one who is not the next": press(QUEUE + "call-next/", ANNA, within=annas_entry, exam_id="desk"),
    "call of nobody": press(QUEUE + "call-next/", exam_id="xray", queue_id=new_id()),
    "call again, of one who waits": press(QUEUE + "<queue_id>/call-again/", ANNA, of=of_anna),
    "call again, of nobody": press(QUEUE + "<queue_id>/call-again/", of=of_nobody),
    "move": press(QUEUE + "<queue_id>/move/", ANNA, of=of_anna, exam_id="desk", place="end"),
    "move of nobody": press(QUEUE + "<queue_id>/move/", of=of_nobody, exam_id="desk"),
    "priority": press(QUEUE + "<queue_id>/priority/", ANNA, of=of_anna, kind="elderly"),
    "priority of no kind": press(QUEUE + "<queue_id>/priority/", of=of_anna, kind="vip"),
    "note": press(QUEUE + "<queue_id>/note/", ANNA, of=of_anna, text="wheelchair"),
    "note on nothing": press(QUEUE + "<queue_id>/note/", of=of_nobody, text="wheelchair"),
    "undo": press(QUEUE + "undo/", ANNA, within=annas_call),
    "undo of nothing": press(QUEUE + "undo/", undoes=new_id()),
    "history": ask("GET", PATIENTS + "<patient_id>/history/", ANNA, of=of_anna),
    "history of nobody": ask("GET", PATIENTS + "<patient_id>/history/", of=of_nobody),
    "merge": ask("POST", PATIENTS + "<patient_id>/merge/", ANNA, DORA, of=of_anna, patient_id=DORA),
    "merge with nobody": ask("POST", PATIENTS + "<patient_id>/merge/", of=of_anna, patient_id="nobody"),
    "correct": ask("POST", PATIENTS + "<patient_id>/correct/", ANNA, of=of_anna, state="CALLED", reason="seen"),
    "bind": ask("POST", f"{API}/bindings/", DORA, patient_id=DORA, tag_id=STRANGE_CARD),
    "bindings": ask("GET", PATIENTS + "<patient_id>/bindings/", ANNA, of=of_anna),
    "end": ask("POST", OF_BINDING + "end/", ANNA, of=of_anna, reason="x"),
    "block": ask("POST", OF_BINDING + "block/", ANNA, of=of_anna, reason="x"),
    "unblock": ask("POST", OF_BINDING + "unblock/", of=of_anna, reason="not blocked, so it is refused"),
    "block a card": ask("POST", f"{API}/cards/block/", ANNA, tag_id=CARDS[ANNA], reason="x"),
    "block a strange card": ask("POST", f"{API}/cards/block/", tag_id=STRANGE_CARD, reason="x"),
    "unblock a card": ask("POST", f"{API}/cards/unblock/", tag_id=CARDS[ANNA], reason="not blocked"),
    "cases": ask("GET", CASES, *EVERYBODY[:2]),
    "case": ask("GET", CASES + "<exception_id>/", ANNA, BORIS, of=case_of(ANNA)),
    "case of a kiosk": ask("GET", CASES + "<exception_id>/", BORIS, of=case_of(BORIS)),
    "case of a record that cannot be read": ask("GET", CASES + "<exception_id>/", CLARA, of=case_of(CLARA)),
    "no case": ask("GET", CASES + "<exception_id>/", of=of_nobody),
    "settle": ask("POST", CASES + "<exception_id>/settle/", BORIS, of=case_of(BORIS), how="discard", reason="x"),
    "count of cases": ask("GET", CASES + "count/"),
    "preview": ask("POST", CASES + "<exception_id>/preview/", BORIS, of=case_of(BORIS), how="discard"),
    "preview for another": ask(
        "POST", CASES + "<exception_id>/preview/", ANNA, BORIS, of=case_of(BORIS), how="reassign", patient_id=ANNA
    ),
    "preview of no case": ask("POST", CASES + "<exception_id>/preview/", of=of_nobody, how="apply"),
    "cases settled today": ask("GET", CASES + "settled/"),
    "cases of a kiosk, discarded": ask("POST", CASES + "discard/", kiosk_id="entrance-1", reason="x", trial=True),
    "word of another system": ask("POST", f"{API}/shadow/", word_id=new_id()),
    "settle for another": ask(
        "POST", CASES + "<exception_id>/settle/", ANNA, of=case_of(BORIS), how="reassign", patient_id=ANNA
    ),
    "desk": ask("GET", DESK),
    "find a person": ask("POST", DESK + "find/", ANNA, q="quix"),
    "find nobody": ask("POST", DESK + "find/", q="nobody of this name"),
    "doubles": ask("POST", DESK + "doubles/", DORA, name=NAMES[DORA]),
    "register": ask("POST", DESK + "patients/", "MARK-EMIL", name="Emil Qqz", patient_id="MARK-EMIL"),
    "register a double": ask("POST", DESK + "patients/", name=NAMES[DORA]),
    "record at the desk": ask("GET", DESK + "patients/<patient_id>/", ANNA, of=of_anna),
    "record of nobody": ask("GET", DESK + "patients/<patient_id>/", of=of_nobody),
    "change a patient": ask("POST", DESK + "patients/<patient_id>/change/", ANNA, of=of_anna, language="en"),
    "walk-in": ask(
        "POST", DESK + "patients/<patient_id>/walk-in/", DORA, of=lambda _: {"patient_id": DORA}, exam_id="xray"
    ),
    "walk-in, refused": ask("POST", DESK + "patients/<patient_id>/walk-in/", ANNA, of=of_anna, exam_id="desk"),
    "book": ask(
        "POST",
        DESK + "patients/<patient_id>/bookings/",
        DORA,
        of=lambda _: {"patient_id": DORA},
        exam_id="xray",
        scheduled_at=f"{DAY}T11:00",
    ),
    "move a booking": ask(
        "POST", DESK + "bookings/<appointment_id>/move/", BORIS, of=lambda _: OF_BOOKING, scheduled_at=f"{DAY}T12:00"
    ),
    "cancel a booking": ask(
        "POST", DESK + "bookings/<appointment_id>/cancel/", BORIS, of=lambda _: OF_BOOKING, reason="ill"
    ),
    "ticket": press(DESK + "tickets/", ANNA, within=lambda marked: {"queue_id": marked.queue_id}, queue_id=""),
    "preview of a merge": ask("POST", DESK + "merge-preview/", ANNA, DORA, kept=ANNA, gone=DORA),
    "preview with nobody": ask("POST", DESK + "merge-preview/", kept=ANNA, gone="nobody"),
    "await a card": ask("POST", DESK + "cards/", kiosk_id="nowhere"),
    "cards of a kiosk": ask("GET", DESK + "cards/", query={"kiosk_id": "nowhere"}),
    "card that was read": ask("GET", DESK + "cards/<ask_id>/", CLARA, of=of_read_card),
    "discard a card": ask("POST", DESK + "cards/<ask_id>/end/", of=of_read_card, action_id=new_id()),
    "bind the card": ask(
        "POST", DESK + "cards/<ask_id>/bind/", DORA, of=of_read_card, patient_id=DORA, seen_holder=CLARA
    ),
}
# For administrators alone, whom tests/sync/central/web/test_log_api.py plays.
ASKED |= {
    "access log": ask("POST", f"{API}/access-log/search/", patient=ANNA),
    "state of the access log": ask("GET", f"{API}/access-log/state/"),
    "verification of the access log": ask("POST", f"{API}/access-log/verify/", place=None),
}
# What kiosks call, in tests of their own below; and the socket.
WIRE = ("sync/push", "sync/pull", "sync/lookup", "sync/card", "kiosks/enroll", "kiosks/token")
OF_KIOSKS = {f"{API}/{name}" for name in WIRE}
EVENTS = f"{API}/events/"
IMPORT = f"{API}/import/"
OF_PEOPLE = ("/staff/", "/page/")  # pages without data, and their files; tests/sync/central/staff holds them
OF_INTEGRATIONS = {EVENTS, IMPORT, IMPORT + "<import_id>/"}


@pytest.fixture
def marked(tmp_path: Path) -> Iterator[MarkedOnline]:
    made = MarkedOnline(tmp_path)
    yield made
    made.close()


def test_every_route_is_asked(marked: MarkedOnline):
    """A new endpoint needs a line in the table, or a test below."""
    rules = {each.rule for each in marked.online.app.url_map.iter_rules() if not each.rule.startswith(OF_PEOPLE)}
    assert rules == {each.rule for each in ASKED.values()} | OF_KIOSKS | OF_INTEGRATIONS | {
        PATH,
        BOARD_PATH,
        INBOX_PATH,
    }


def send(marked: MarkedOnline, wanted: Ask, token: str | None) -> requests.Response:
    path = wanted.rule
    for name, value in wanted.of(marked).items():
        path = path.replace(f"<{name}>", value)
    body = {"action_id": new_id(), **wanted.body, **wanted.within(marked)} if wanted.body is not None else None
    return marked.online.call(wanted.method, path, token, json=body, params=wanted.query)


@pytest.mark.parametrize("name", ASKED)
def test_staff_who_are_told_of_a_patient_leave_a_row_for_that_patient(marked: MarkedOnline, name: str):
    wanted, before = ASKED[name], marked.marks()
    answer = send(marked, wanted, marked.nurse)
    assert answer.status_code not in (401, 415, 500), answer.text
    told = marked.told(answer.text, before | marked.marks())
    noted = marked.noted()
    assert set().union(*noted.values()) == wanted.about
    assert told <= wanted.about
    assert {who.partition(" (")[0] for who in noted} <= {"staff:Nurse"}
    assert wanted.about or not has_state(json_of(answer)), "a state is a patient's"
    assert set(origins(marked)) <= {"127.0.0.1"}, "every row says from where"


def origins(marked: MarkedOnline) -> list[str | None]:
    """The address in each row of who asked by the network."""
    rows = marked.centre.rows("select detail from audit where who like 'staff:%'")
    return [json.loads(row["detail"]).get("from") for row in rows]


def json_of(answer: requests.Response) -> object:
    return answer.json() if answer.headers["Content-Type"] == "application/json" else None


def has_state(document: object) -> bool:
    return isinstance(document, dict) and document.get("journey_state") is not None


@pytest.mark.parametrize("name", [name for name, each in ASKED.items() if each.about])
def test_a_repeated_request_within_ten_minutes_leaves_no_second_row(marked: MarkedOnline, name: str):
    for _ in range(2):
        send(marked, ASKED[name], marked.nurse)
    rows = marked.centre.rows("select kind, patient_id, detail from audit where kind like 'look:%'")
    named = [(row["kind"], one) for row in rows for one in names(row)]
    assert len(named) == len(set(named))


def names(row: dict[str, Any]) -> list[str]:
    return [row["patient_id"]] if row["patient_id"] else json.loads(row["detail"])["patient_ids"]


def test_the_repeat_of_an_action_by_another_leaves_a_row_too(marked: MarkedOnline):
    other, action_id = marked.centre.token(Role.STAFF, name="Other"), new_id()
    path = f"{CASES}{marked.cases[BORIS]}/settle/"
    for token in (marked.nurse, other):
        body = {"how": "reassign", "patient_id": ANNA, "action_id": action_id}
        assert marked.online.call("POST", path, token, json=body).ok
    noted = {who.partition(" (")[0]: told for who, told in marked.noted().items()}
    assert noted == {"staff:Nurse": {ANNA}, "staff:Other": {ANNA}}


def test_a_patients_own_token_leaves_no_row(marked: MarkedOnline):
    own = marked.online.own_token(ANNA)
    assert send(marked, ASKED["state"], own).ok
    assert send(marked, act(ACT, action_type="dance"), own).json()["journey_state"] == "WAITING"
    with marked.online.socket(own) as socket:
        assert socket.next()["type"] == "initial_state"
    assert marked.noted() == {}


@pytest.mark.parametrize(
    ("name", "about"),
    [(name, each.about) for name, each in ASKED.items() if each.rule not in (STATE, OLD_STATE, ACT, OLD_ACT)],
)
def test_no_other_role_is_told_of_anybody_where_staff_are(marked: MarkedOnline, name: str, about: frozenset[str]):
    for token in (None, marked.box.token, marked.online.own_token(CLARA)):
        answer = send(marked, ASKED[name], token)
        assert marked.told(answer.text, marked.marks()) == set()
        assert answer.status_code in ((200,) if not about and answer.ok else (401, 403))


# The hospital's system.


def test_an_integration_is_told_of_events_alone_and_leaves_one_row_an_hour_with_the_number_of_patients(
    marked: MarkedOnline,
):
    token, marks = marked.centre.token(Role.INTEGRATION, name="Engine"), marked.marks()
    assert marked.told(marked.online.call("GET", EVENTS, token).text, marks) == {ANNA}
    for name in ASKED:
        answer = send(marked, ASKED[name], token)
        assert marked.told(answer.text, marks) == set()
        assert answer.status_code == 403 or not ASKED[name].about
    marked.write_tallies()
    assert marked.noted() == {}
    (row,) = marked.centre.rows("select who, detail from audit where kind = 'told:events'")
    assert (row["who"].partition(" (")[0], json.loads(row["detail"])["count"]) == ("integration:Engine", 1)


def a_report_about(marked: MarkedOnline, patient_id: str) -> str:
    """The id of an import whose report names a patient."""
    import_id, rows = new_id(), (Refusal(1, "patients", patient_id, "it is refused"),)
    report = Report("utf-8", "JSON", False, {}, 0, 0, 1, rows, ())
    with marked.centre.store.write() as db:
        add_import(db, import_id, "integration:Engine", marked.centre.clock())
        result = msgspec.json.encode(Result("some_refused", None, report)).decode()
        end_import(db, import_id, result, marked.centre.clock())
    return import_id


def test_an_integration_that_is_told_a_report_leaves_one_row_an_hour(marked: MarkedOnline):
    token, import_id = marked.centre.token(Role.INTEGRATION, name="Engine"), a_report_about(marked, ANNA)
    answer = marked.online.call("GET", f"{IMPORT}{import_id}/", token)
    assert marked.told(answer.text, marked.marks()) == {ANNA}
    marked.write_tallies()
    (row,) = marked.centre.rows("select who, detail from audit where kind = 'told:import'")
    assert (row["who"].partition(" (")[0], json.loads(row["detail"])["count"]) == ("integration:Engine", 1)


def test_no_other_role_is_told_what_integrations_are(marked: MarkedOnline):
    for token in (None, marked.nurse, marked.box.token, marked.online.own_token(ANNA)):
        for path in (EVENTS, f"{IMPORT}{a_report_about(marked, ANNA)}/"):
            answer = marked.online.call("GET", path, token)
            assert answer.status_code in (401, 403)
            assert marked.told(answer.text, marked.marks()) == set()
        assert marked.online.call("POST", IMPORT, token, json={}).status_code in (401, 403)


def test_a_document_that_nobody_can_take_tells_of_nobody(marked: MarkedOnline):
    token = marked.centre.token(Role.INTEGRATION, name="Engine")
    answer = marked.online.call("POST", IMPORT, token, json={"patients": [{"patient_id": ANNA}]})
    while answer.json()["state"] == "taking":
        answer = marked.online.call("GET", f"{IMPORT}{answer.json()['import_id']}/", token)
    assert (answer.json()["outcome"], answer.json()["error"]) == ("failed", "the service is not running")


# The socket.


def followed(marked: MarkedOnline, *messages: dict[str, Any]) -> list[dict[str, Any]]:
    """What a socket of staff that follows Anna answers to messages."""
    with marked.online.socket(marked.nurse, query=f"?patient_id={ANNA}") as socket:
        received = [socket.next()]
        marked.look_again()
        for message in messages:
            socket.send(message)
            received.append(socket.until(ANSWERS[message["command"]]))
    return received[1:]


ANSWERS = {"ping": "pong", "fetch_initial_state": "initial_state", "perform_action": "action_result", "renew": "error"}
SAID = {
    "ping": ({"command": "ping"}, set()),
    "fetch_initial_state": ({"command": "fetch_initial_state", "patient_id": BORIS}, {BORIS}),
    "renew": ({"command": "renew", "token": "nk_unknown"}, set()),
    "perform_action": (
        {"command": "perform_action", "action_type": "complete_exam", "payload": {"patient_id": BORIS}},
        {BORIS},
    ),
}


def test_every_command_of_the_socket_is_said():
    assert set(COMMANDS) == set(SAID) == set(ANSWERS)


@pytest.mark.parametrize("command", SAID)
def test_a_message_to_staff_about_a_patient_leaves_a_row(marked: MarkedOnline, command: str):
    message, about = SAID[command]
    (answer,) = followed(marked, message)
    assert has_state(answer.get("payload", answer)) == bool(about)
    assert set().union(*marked.noted().values()) == about


def test_staff_who_follow_a_patient_leave_a_row_at_the_beginning_and_for_later_news(marked: MarkedOnline):
    with marked.online.socket(marked.nurse, query=f"?patient_id={ANNA}") as socket:
        assert socket.next()["type"] == "initial_state"
        assert set().union(*marked.noted().values()) == {ANNA}
        marked.look_again()
        assert marked.centre.act(ANNA, "call_patient", STAFF, room="7").done
        assert socket.until("state_update")["payload"]["journey_state"] == "CALLED"
    (row,) = marked.centre.rows("select who, kind from audit where kind = 'look:socket'")
    assert row["who"].startswith("staff:Nurse")


# The socket of a board.


def test_every_command_of_a_board_tells_only_whom_it_notes(marked: MarkedOnline):
    said = {"watch": ({"exams": ["xray"]}, "board", {ANNA}), "ping": ({}, "pong", set())}
    said["renew"] = ({"token": "nk_unknown"}, "error", set())
    assert set(said) == set(BOARD_COMMANDS)
    for command, (members, answer, about) in said.items():
        with marked.online.socket(marked.nurse, path=BOARD_PATH, query="?exams=desk") as socket:
            assert socket.next()["payload"]["entries"] == []
            marked.look_again()
            socket.ask(command, **members)
            told = socket.until(answer)
            assert marked.told(json.dumps(told), marked.marks()) == about
            assert set().union(*marked.noted().values()) == about


def test_staff_whose_board_shows_a_patient_leave_a_row_at_the_beginning_and_for_later_news(marked: MarkedOnline):
    with marked.online.socket(marked.nurse, path=BOARD_PATH) as socket:
        assert socket.next()["type"] == "board"
        assert set().union(*marked.noted().values()) == {ANNA}
        marked.look_again()
        assert marked.centre.act(ANNA, "call_patient", STAFF, room="7").done
        assert [row["state"] for row in socket.until("board_update")["payload"]["rows"]] == ["called"]
    (row,) = marked.centre.rows("select who, kind, patient_id from audit where kind = 'look:board'")
    assert row["who"].startswith("staff:Nurse")
    assert row["patient_id"] == ANNA


def test_every_command_of_the_inbox_tells_of_nobody(marked: MarkedOnline):
    said = {"look": ({"exception_id": marked.cases[ANNA]}, "inbox_update"), "ping": ({}, "pong")}
    said["renew"] = ({"token": "nk_unknown"}, "error")
    assert set(said) == set(INBOX_COMMANDS)
    for command, (members, answer) in said.items():
        with marked.online.socket(marked.nurse, path=INBOX_PATH) as socket:
            socket.ask(command, **members)
            told = json.dumps([socket.next(), socket.until(answer)])
            assert marked.told(told, marked.marks()) == set()
            assert marked.noted() == {}


# Kiosks.


def test_pages_to_a_kiosk_are_one_row_an_hour_with_the_number_of_patients_told(marked: MarkedOnline):
    told = [marked.box.pulled(0) for _ in range(2)]
    number = sum(len(page["patients"]) for page in told)
    assert number > 0
    assert marked.centre.rows("select 1 from audit") == [], "no poll waits for a writer"
    marked.write_tallies()
    marked.box.pulled(0)
    marked.write_tallies()
    (row,) = marked.centre.rows("select who, kind, detail from audit")
    detail = {"from": "127.0.0.1", "day": "2026-03-02", "count": number + number // 2}
    assert (row["who"], row["kind"], json.loads(row["detail"])) == (marked.box.kiosk_id, "told:roster", detail)


def test_the_next_day_of_a_kiosk_has_a_row_of_its_own(marked: MarkedOnline):
    marked.box.pulled(0)
    marked.centre.clock.set("2026-03-03", "04:30")
    marked.centre.act(ANNA, "scan_nfc")
    marked.box.pulled(0)
    marked.write_tallies()
    days = [json.loads(row["detail"])["day"] for row in marked.centre.rows("select detail from audit order by at_ms")]
    assert days == ["2026-03-02", "2026-03-03"]


def test_a_verdict_about_what_the_kiosk_itself_did_leaves_no_look(marked: MarkedOnline):
    assert marked.box.push(ANNA, "scan_nfc")["patient_id"] == ANNA
    marked.write_tallies()
    assert marked.centre.rows("select kind from audit where kind like 'look:%' or kind like 'told:%'") == []


def test_each_look_up_of_a_card_is_a_row(marked: MarkedOnline):
    card = marked.centre.parts.keys.published.hashes(canonical_tag(CARDS[CLARA]))[-1]
    request = LookupRequest(
        protocol_version=PROTOCOL_VERSION, site_id=marked.box.site_id, kiosk_id=marked.box.kiosk_id, card=card
    )
    for _ in range(2):
        answer = marked.online.call("POST", f"{API}/sync/lookup", marked.box.token, data=canonical(request))
        assert CLARA in answer.text
    rows = marked.centre.rows("select who, kind, patient_id from audit")
    assert rows == [{"who": marked.box.kiosk_id, "kind": "look:card", "patient_id": CLARA}] * 2


def test_a_newer_token_for_a_kiosk_tells_of_nobody(marked: MarkedOnline):
    marked.box.pulled(0)  # notes the use of the token
    marked.centre.do("kiosk-renew")
    marked.forget()
    request = TokenRequest(protocol_version=PROTOCOL_VERSION, site_id=marked.box.site_id, kiosk_id=marked.box.kiosk_id)
    answer = marked.online.call("POST", f"{API}/kiosks/token", marked.box.token, data=canonical(request))
    assert msgspec.json.decode(answer.content, type=TokenAnswer).token
    assert marked.told(answer.text, marked.marks()) == set()
    assert marked.noted() == {}
