"""The schemas in docs/ are those of the messages, and every committed message fits them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.protocol.schemas import FILE, faults, text

FIXTURES = Path(__file__).parents[1] / "fixtures"
NAMES = {
    "push-request": "PushRequest",
    "push-answer": "PushAnswer",
    "pull-request": "PullRequest",
    "pull-answer": "PullAnswer",
    "lookup-request": "LookupRequest",
    "lookup-answer": "LookupAnswer",
    "desk-card-request": "DeskCardRequest",
    "desk-card-answer": "DeskCardAnswer",
    "enrol-request": "EnrolRequest",
    "enrolment": "Enrolment",
    "token-request": "TokenRequest",
    "token-answer": "TokenAnswer",
    "call-refused": "CallRefused",
    "version-refused": "CallRefused",
}
COMMITTED = sorted(path for path in FIXTURES.glob("protocol-v*/*.json") if path.stem != "chain")
ROOT: dict[str, Any] = json.loads(FILE.read_text("utf-8"))


def test_the_schema_file_is_up_to_date():
    assert FILE.read_text("utf-8") == text(), "python -m tests.protocol.schemas"


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: f"{path.parent.name} {path.stem}")
def test_every_committed_message_fits_its_schema(path: Path):
    message = json.loads(path.read_bytes())
    assert faults(ROOT["$defs"][NAMES[path.stem]], message, ROOT) == []
    if path.stem == "push-request":
        bodies = [pushed["body"] for pushed in message["actions"] if pushed["body"]]
        assert bodies
        assert [faults(ROOT["$defs"]["Intent"], body, ROOT) for body in bodies] == [[]] * len(bodies)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"last_seq": "three"}, "$.last_seq is no integer"),
        ({"last_seq": True}, "$.last_seq is no integer"),
        ({"verdicts": {}}, "$.verdicts is no array"),
        ({"verdicts": [{}]}, "$.verdicts[0].action_id is missing"),
    ],
)
def test_a_fault_is_found_with_its_place(change: dict[str, Any], fault: str):
    message = json.loads((FIXTURES / "protocol-v2" / "push-answer.json").read_bytes()) | change
    assert fault in faults(ROOT["$defs"]["PushAnswer"], message, ROOT)


def test_an_unknown_code_is_found():
    message = json.loads((FIXTURES / "protocol-v2" / "push-answer.json").read_bytes())
    message["verdicts"][0]["code"] = "because"
    message["verdicts"][0]["journey"] = 7
    found = faults(ROOT["$defs"]["PushAnswer"], message, ROOT)
    assert any(fault.startswith("$.verdicts[0].code is not one of") for fault in found)
    assert "$.verdicts[0].journey fits none of its forms" in found
