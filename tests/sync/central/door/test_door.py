"""The door itself: nothing else makes what leaves, a bare value does not pass, and an action needs no second commit."""

from __future__ import annotations

import ast
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import sync.central
from sync.central.kiosks.telling import telling_of
from sync.central.services.door import hand_over, let_out
from sync.central.services.requester import Requester
from sync.central.services.told import AboutNobody
from sync.ids import new_id
from sync.journey.model import STAFF
from tests.sync.central.door.marked import ANNA, BORIS, MarkedOnline
from tests.sync.central.online import API

CENTRE = Path(sync.central.__file__).parent
NURSE = Requester(STAFF, "staff:Nurse", "rest", "192.0.2.1")


@pytest.fixture
def marked(tmp_path: Path) -> Iterator[MarkedOnline]:
    made = MarkedOnline(tmp_path)
    yield made
    made.close()


def calls(*names: str, rooms: tuple[str, ...] = ("",)) -> set[str]:
    """The files of these rooms of the centre that call one of these functions. A method is named by a dot and name."""
    found = set()
    for path in CENTRE.rglob("*.py"):
        where = str(path.relative_to(CENTRE))
        if where.startswith(rooms):
            tree = ast.parse(path.read_text("utf-8"))
            made = (ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call))
            found |= {
                where for call in made if call in names or any(call.endswith(each) for each in names if "." in each)
            }
    return found


EDGES = ("web/", "operations/")


def test_nothing_but_the_door_makes_what_leaves():
    assert calls("Outgoing") == {"services/door.py"}
    assert calls("Response", "jsonify", ".make_response", rooms=EDGES) == {"web/http.py"}
    assert calls("json.encode", "json.dumps", rooms=EDGES) == set()
    assert calls(".send", rooms=EDGES) == {"web/bearer_conversation.py"}
    assert calls("hand_over") == {"operations/catalog.py"}


def test_what_is_about_nobody_is_said_so_in_these_files_alone():
    """A new one is a claim that somebody has to check."""
    assert calls("publish") == {
        "web/documents_api.py",
        "web/health_api.py",
        "web/kiosk_api.py",
        "web/patient_api.py",
        "web/session_api.py",
        "web/sign_in_api.py",
        "web/visit_page.py",
    }
    assert calls("publish_text") == {
        "web/client_api.py",
        "web/documents_api.py",
        "web/metrics_api.py",
        "web/staff/assets.py",
        "web/staff/shell.py",
        "web/visit_page.py",
    }
    assert calls("AboutNobody") == {
        "desk/frame.py",
        "operations/audit.py",
        "operations/accounts.py",
        "operations/card_keys.py",
        "operations/hospital.py",
        "operations/imports.py",
        "operations/inbox.py",
        "operations/kiosk_tokens.py",
        "operations/kiosks.py",
        "operations/tokens.py",
        "operations/undo.py",
        "operations/upkeep.py",
        "operations/webhooks.py",
        "services/board_feed.py",
        "services/read_log.py",
        "web/accounts_api.py",
        "web/bearer_conversation.py",
        "web/documents_api.py",
        "web/health_api.py",
        "web/inbox_api.py",
        "web/inbox_socket.py",
        "web/kiosk_api.py",
        "web/log_api.py",
        "web/own_account_api.py",
        "web/patient_api.py",
        "web/session_api.py",
        "web/sign_in_api.py",
        "web/visit_api.py",
        "web/visit_page.py",
    }


@pytest.mark.parametrize("value", [{"patient_id": ANNA}, None, b"{}", [ANNA]])
def test_a_value_that_does_not_say_whose_data_it_holds_does_not_pass(marked: MarkedOnline, value: Any):
    for door in (let_out, hand_over):
        with pytest.raises(TypeError, match="does not say whose data it holds"):
            door(marked.centre.parts, NURSE, value)
    with pytest.raises(TypeError, match="does not say whose data it holds"):
        telling_of(value)
    assert let_out(marked.centre.parts, NURSE, AboutNobody(value))


def test_an_action_of_staff_needs_one_transaction_with_its_row(marked: MarkedOnline):
    body = {"action_type": "scan_nfc", "payload": {"patient_id": BORIS}, "action_id": new_id()}
    path = f"{API}/patient-journey/perform-action/"
    marked.online.state(marked.nurse, patient_id=ANNA)  # notes the use of the token
    begun: list[str] = []
    writer: sqlite3.Connection = marked.centre.store._writer
    writer.set_trace_callback(lambda sql: begun.append(sql) if sql.startswith("begin") else None)
    assert marked.online.call("POST", path, marked.nurse, json=body).ok
    writer.set_trace_callback(None)
    assert len(begun) == 1
    assert BORIS in set().union(*marked.noted().values())


def test_an_action_that_failed_is_noted_when_it_is_done_later(marked: MarkedOnline):
    with marked.centre.store.write() as db:
        db.execute("alter table actions rename to hidden")
    body = {"action_type": "scan_nfc", "payload": {"patient_id": BORIS}, "action_id": new_id()}
    path = f"{API}/patient-journey/perform-action/"
    assert marked.online.call("POST", path, marked.nurse, json=body).status_code == 503
    assert marked.noted() == {}
    with marked.centre.store.write() as db:
        db.execute("alter table hidden rename to actions")
    assert marked.online.call("POST", path, marked.nurse, json=body).ok
    assert set().union(*marked.noted().values()) == {BORIS}


def test_a_look_of_staff_that_cannot_be_noted_is_busy_and_a_patients_own_is_answered(marked: MarkedOnline):
    own = marked.online.own_token(ANNA)
    assert marked.online.state(marked.nurse, patient_id=BORIS).ok
    with marked.centre.store.write() as db:
        db.execute("alter table audit rename to hidden")
    refused = marked.online.state(marked.nurse, patient_id=ANNA)
    assert (refused.status_code, refused.json()["code"], refused.json()["journey_state"]) == (503, "busy", None)
    assert marked.online.state(marked.nurse, patient_id=BORIS).ok, "noted within ten minutes already"
    assert marked.online.state(own).ok
    with marked.online.socket(marked.nurse, query=f"?patient_id={ANNA}") as socket:
        assert socket.closed() == 1013
