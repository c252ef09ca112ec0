"""The call that enrols a box, against the real centre: a lost answer costs neither a code nor a second kiosk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from kiosk.enrolment_call import ask_to_enrol, forget_attempt, read_attempt
from sync.agent.client import ENROL_PATH, Accepted, NoAnswer
from sync.agent.route import Route
from sync.protocol import CallRefused, EndCode, EnrolRequest
from tests.kiosk.real_centre import RealCentre
from tests.middlebox import RESET, Outcome, Response

AT_ONCE = (0.0, 0.0)


class Place(RealCentre):
    """A centre, the network before it, and the file of a box's attempt."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.file = directory / "box" / "kiosk.db.attempt"

    def ask(self, code: str) -> object:
        return ask_to_enrol(self.between.url, Route(), EnrolRequest(code=code, sealed=True), self.file, AT_ONCE)

    def kiosks(self) -> int:
        return len(self.rows("select * from kiosks"))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("instead", [None, Response(504, (("Content-Type", "text/html"),), b"<html>late</html>")])
def test_a_lost_answer_is_asked_for_again_and_makes_one_kiosk(place: Place, instead: Response | None):
    place.lose(2, instead=instead)
    found = place.ask(place.code())
    assert isinstance(found, Accepted)
    assert (place.kiosks(), found.answer.kiosk_id) == (1, "kiosk-1")
    assert len(place.between.seen) == 3


def test_the_same_command_with_the_same_code_goes_on_where_the_first_one_gave_up(place: Place):
    code = place.code()
    place.lose(3)
    assert isinstance(place.ask(code), NoAnswer)
    assert (place.kiosks(), place.file.stat().st_mode & 0o777) == (1, 0o600)
    found = place.ask(code)
    assert isinstance(found, Accepted)
    assert place.kiosks() == 1


def test_another_box_gets_nothing_of_a_lost_answer(place: Place):
    code = place.code()
    place.lose(3)
    assert isinstance(place.ask(code), NoAnswer)
    place.file.unlink()
    refused = place.ask(code)
    assert isinstance(refused, CallRefused)
    assert refused.code is EndCode.NOT_KNOWN
    assert place.kiosks() == 1


@pytest.mark.parametrize("how", [403, RESET])
def test_a_call_is_repeated_only_where_the_centre_may_have_answered_it(place: Place, how: Outcome):
    place.between.block(lambda request: request.path == ENROL_PATH, how)
    assert isinstance(place.ask(place.code()), NoAnswer)
    assert len(place.between.seen) == (1 if how == 403 else 3)


def test_a_refused_attempt_is_forgotten_so_that_no_copy_of_the_disk_repeats_it(place: Place):
    refused = place.ask("WRONG-WRONG")
    assert isinstance(refused, CallRefused)
    assert not place.file.exists()
    assert len(place.between.seen) == 1, "a refusal is an answer"


@pytest.mark.parametrize("content", [b"", b"a5a5", b"A5" * 32, b"\xff" * 64, b"x" * 64])
def test_a_file_that_holds_no_attempt_is_written_again(tmp_path: Path, content: bytes):
    file = tmp_path / "attempt"
    file.write_bytes(content)
    made = read_attempt(file)
    assert (len(made), read_attempt(file)) == (64, made)
    assert msgspec.convert({"code": "X", "attempt": made}, EnrolRequest).attempt == made


def test_a_file_that_cannot_be_written_or_removed_stops_no_enrolment(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    file = tmp_path / "attempt"
    file.mkdir()
    assert read_attempt(file) != read_attempt(file)
    forget_attempt(file)
    assert "cannot be written: Is a directory" in caplog.text
    assert "cannot be removed: Is a directory" in caplog.text
