"""A hospital's document over HTTP, at the real service: taken, refused in part, broken, large, repeated, cut."""

from __future__ import annotations

import json
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from sync.central.intake.imports import MAX_BYTES
from sync.control import ask, socket_path
from tests.sync.central.held_to_document import hold_to_document
from tests.sync.central.online import PATIENCE_S
from tests.sync.central.test_server import Process

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("import_api")]
SITE = {
    "site": {"name": "Hospital", "desk": "DESK", "timezone": "Asia/Seoul"},
    "exams": [{"exam_id": "DESK", "title": "Desk", "public_label": "Desk"}],
}
PEOPLE = [{"patient_id": f"P{n}", "name": f"환자{n}"} for n in range(3)]


AGAIN_S = 0.05  # between two questions: more of them would keep the service from its work


class Service:
    """A running centre, and an interface engine."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.path = socket_path(process.path)
        self.token = str(ask(self.path, "token", role="integration", name="Engine")["token"])

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        url = f"http://{self.process.address}/api/v1/import/{path}"
        answer = requests.request(method, url, headers=headers, timeout=PATIENCE_S, **more)
        hold_to_document(answer)
        return answer

    def send(self, document: object, media: str = "application/json", **query: object) -> dict[str, Any]:
        """Sends a document, and asks until it is taken."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        answer = self.call("POST", "", data=body, headers={"Content-Type": media}, params=query)
        if answer.status_code == 202:
            assert "Retry-After" in answer.headers
        while answer.ok and answer.json()["state"] == "taking":
            time.sleep(AGAIN_S)
            answer = self.call("GET", answer.json()["import_id"])
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def rows(self, sql: str) -> list[Any]:
        with sqlite3.connect(f"file:{self.process.path}?mode=ro", uri=True) as database:
            return database.execute(sql).fetchall()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    process = Process(tmp_path_factory.mktemp("centre"))
    made = Service(process)
    assert made.send(SITE)["outcome"] == "taken"
    yield made
    process.stop()


def test_a_document_is_taken_and_its_repeat_changes_nothing(service: Service):
    first, again = service.send({"patients": PEOPLE}), service.send({"patients": PEOPLE})
    assert (first["outcome"], first["report"]["rows"]["patients"]["changed"]) == ("taken", 3)
    assert (again["outcome"], again["report"]["rows"]["patients"]["unchanged"]) == ("taken", 3)


def test_a_refused_row_is_named_and_the_others_are_taken(service: Service):
    found = service.send({"patients": [{"patient_id": "NEW"}, {"patient_id": "Q1", "name": "Q"}]})
    assert found["outcome"] == "some_refused"
    (refusal,) = found["report"]["refusals"]
    assert (refusal["kind"], refusal["id"]) == ("patients", "NEW")
    assert service.rows("select count(*) from patients where patient_id = 'Q1'") == [(1,)]


def test_strict_takes_all_or_nothing_and_check_writes_nothing(service: Service):
    rows = {"patients": [{"patient_id": "NEW"}, {"patient_id": "S1", "name": "S"}]}
    assert service.send(rows, strict="true")["outcome"] == "some_refused"
    checked = service.send({"patients": [{"patient_id": "S1", "name": "S"}]}, check="true")
    assert (checked["outcome"], checked["report"]["checked_only"]) == ("taken", True)
    assert service.rows("select count(*) from patients where patient_id = 'S1'") == [(0,)]


@pytest.mark.parametrize("media", ["text/csv; charset=euc-kr", "text/csv"])
def test_a_document_in_csv_has_the_encoding_of_its_type_or_of_its_bytes(service: Service, media: str):
    found = service.send("patient_id,name\nK1,홍길동\n".encode("euc-kr"), media)
    assert (found["outcome"], found["report"]["form"]) == ("taken", "CSV")
    assert service.rows("select name from patients where patient_id = 'K1'") == [("홍길동",)]


def test_complete_days_come_with_the_query(service: Service):
    service.send({"exams": [{"exam_id": "X", "title": "X", "public_label": "X"}], "patients": PEOPLE})
    booking = {"patient_id": "P0", "exam_id": "X", "scheduled_at": "2099-01-01T09:00"}
    service.send({"appointments": [{"appointment_id": "A1", **booking}, {"appointment_id": "A2", **booking}]})
    rows = b"appointment_id,patient_id,exam_id,scheduled_at\nA1,P0,X,2099-01-01T09:00\n"
    found = service.send(rows, "text/csv", complete_days="2099-01-01", force="true")
    assert (found["outcome"], found["report"]["cancelled"]) == ("taken", 1)


@pytest.mark.parametrize(
    ("body", "media", "why"),
    [
        (b"{", "application/json", "line 1"),
        (b"", "application/json", "empty"),
        (b"a,b\n1,2\n", "text/csv", "the header"),
        (b"patient_id,name\n1,2\n", "application/json", "is CSV, and was sent as JSON"),
    ],
)
def test_a_broken_document_is_not_taken_at_all(service: Service, body: bytes, media: str, why: str):
    found = service.send(body, media)
    assert (found["outcome"], found["report"]) == ("failed", None)
    assert why in found["error"]


def test_other_types_other_roles_and_unknown_imports_are_refused(service: Service):
    answer = service.call("POST", "", data=b"x", headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert service.call("GET", "0198f1c2-0000-7000-8000-000000000001").json()["code"] == "not_found"
    staff = str(ask(service.path, "token", role="staff", name="Nurse")["token"])
    refused = service.call("POST", "", json={}, headers={"Authorization": f"Bearer {staff}"})
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")


def test_a_mistyped_parameter_is_refused_before_anything_is_taken(service: Service):
    document = {"patients": [{"patient_id": "N1", "name": "A"}]}
    for name in ("stric", "complete_day", "환자"):
        refused = service.call("POST", "", json=document, params={name: "true"})
        found = refused.json()
        assert (refused.status_code, found["code"]) == (400, "malformed")
        assert found["error"].startswith(f"{name!a} is no parameter")
    assert service.rows("select * from patients where patient_id = 'N1'") == []


def test_a_document_that_is_too_large_is_refused_by_its_length_and_by_what_came(service: Service):
    part = b"x" * 1024 * 1024

    def too_much() -> Iterator[bytes]:
        for _ in range(MAX_BYTES // len(part) + 1):
            yield part

    answer = service.call("POST", "", data=too_much(), headers={"Content-Type": "text/csv"})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    head = (
        f"POST /api/v1/import/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.token}\r\n"
        f"Content-Type: text/csv\r\nContent-Length: {MAX_BYTES + 1}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", service.process.port), timeout=PATIENCE_S) as client:
        client.sendall(head.encode())
        assert client.recv(100).startswith(b"HTTP/1.1 413")


def test_a_client_that_hangs_up_in_the_middle_has_nothing_taken(service: Service):
    head = (
        f"POST /api/v1/import/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.token}\r\n"
        "Content-Type: text/csv\r\nContent-Length: 1000\r\n\r\npatient_id,name\nH1,Half\n"
    )
    for _ in range(3):  # more than may be taken at once: each gives its place back
        with socket.create_connection(("127.0.0.1", service.process.port), timeout=PATIENCE_S) as client:
            client.sendall(head.encode())
    while (answer := service.call("POST", "", json={"patients": PEOPLE})).status_code == 503:
        pass
    assert answer.ok
    assert service.rows("select count(*) from patients where patient_id = 'H1'") == [(0,)]


def test_a_large_document_is_asked_for_and_the_audit_names_its_sender(service: Service):
    rows = "patient_id,name\n" + "".join(f"L{n:06d},환자{n}\n" for n in range(8_000))
    found = service.send(rows.encode(), "text/csv")
    assert (found["outcome"], found["report"]["rows"]["patients"]["changed"]) == ("taken", 8_000)
    details = [json.loads(detail) for (detail,) in service.rows("select detail from audit where kind = 'import'")]
    assert {each["by"].partition(" (")[0] for each in details} == {"integration:Engine"}


def test_a_service_that_is_killed_in_the_middle_says_so_and_the_repeat_completes_it(tmp_path: Path):
    process = Process(tmp_path)
    service = Service(process)
    service.send(SITE)
    rows = ("patient_id,name\n" + "".join(f"L{n:06d},환자{n}\n" for n in range(12_000))).encode()
    headers = {"Content-Type": "text/csv"}
    with socket.create_connection(("127.0.0.1", process.port), timeout=PATIENCE_S) as client:
        head = f"POST /api/v1/import/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.token}\r\n"
        client.sendall(f"{head}Content-Type: text/csv\r\nContent-Length: {len(rows)}\r\n\r\n".encode() + rows)
        while service.rows("select count(*) from patients") == [(0,)]:
            pass
        process.stop(9)
    again = Process(tmp_path, process.port)
    service.process = again
    (import_id,) = service.rows("select import_id from document_imports where result is null").pop()
    assert service.call("GET", import_id).json()["state"] == "taking", "within a minute nobody can know"
    answer = service.call("POST", "", data=rows, headers=headers)
    while answer.json()["state"] == "taking":
        time.sleep(AGAIN_S)
        answer = service.call("GET", answer.json()["import_id"])
    counts = answer.json()["report"]["rows"]["patients"]
    assert counts["changed"] + counts["unchanged"] == 12_000
    assert counts["unchanged"] > 0
    again.stop()
