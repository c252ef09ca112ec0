"""The serial line to a PN532: whole frames, whatever pieces they come in."""

from __future__ import annotations

import errno
import os
import tty
from collections.abc import Iterator

import pytest
from nfc.clf.transport import TTY

from hardware.pn532_line import Pn532Line

ACK = bytes.fromhex("0000FF00FF00")
SHORT = bytes.fromhex("0000FF04FCD5033201F500")
LONG = bytes.fromhex("0000FFFFFF012CD3") + bytes(300) + b"\x00\x00"


@pytest.fixture
def chip_and_line() -> Iterator[tuple[int, Pn532Line]]:
    chip, end = os.openpty()
    tty.setraw(end)
    transport = TTY(os.ttyname(end))
    yield chip, Pn532Line(transport)
    transport.close()
    os.close(chip)
    os.close(end)


def test_each_read_is_one_frame_of_those_that_came_together(chip_and_line: tuple[int, Pn532Line]):
    chip, line = chip_and_line
    line.write(b"a question")
    assert os.read(chip, 64) == b"a question"
    os.write(chip, ACK + SHORT + LONG)
    assert [bytes(line.read(1000)) for _ in range(3)] == [ACK, SHORT, LONG]


@pytest.mark.parametrize("frame", [ACK, SHORT, LONG], ids=["ACK", "short", "long"])
def test_a_frame_that_stops_half_way_is_the_part_that_came(chip_and_line: tuple[int, Pn532Line], frame: bytes):
    chip, line = chip_and_line
    os.write(chip, frame[:-1])
    assert bytes(line.read(50)) == frame[:-1]


def test_what_came_before_a_question_is_no_answer_to_it(chip_and_line: tuple[int, Pn532Line]):
    chip, line = chip_and_line
    os.write(chip, ACK + SHORT)
    assert bytes(line.read(1000)) == ACK
    line.write(b"another question")
    with pytest.raises(OSError, match=os.strerror(errno.ETIMEDOUT)):
        line.read(50)
