"""The lines between a reader's process and its supervisor."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.card import Card, Technology
from hardware.reader import ReaderState, RefusedReason, RefusedTap, Tap
from hardware.wire import (
    Beat,
    Busy,
    Command,
    CommandReply,
    Ended,
    Gesture,
    Noticed,
    Report,
    State,
    decode,
    decode_command,
)


class Told:
    """A report into a pipe, and what was said."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self.now_s = 0.0
        self.report = Report(self._write, clock=lambda: self.now_s)

    def all(self) -> list[object]:
        os.close(self._write)
        with open(self._read, "rb") as lines:
            return [decode(line) for line in lines]


def test_everything_a_reader_says_arrives_as_it_was_meant():
    told = Told()
    uid = bytes.fromhex("04A1B2C3D4E5F6")
    told.report.found("desk", Card(Technology.ISO14443A, uid), 123)
    told.report.found("desk", RefusedReason.PHONE, 124)
    told.report.state(ReaderState.FAULTY, "no power")
    with told.report.busy():
        pass
    told.report.answer(7, Noticed.REFUSED, RefusedReason.PHONE)
    told.report.answer(8, Noticed.TAPPED)
    told.report.ended("KeyError at x.py:1")
    assert told.all() == [
        Tap("desk", uid, "iso14443a", 123),
        RefusedTap("desk", RefusedReason.PHONE),
        State(ReaderState.FAULTY, "no power"),
        Busy(begun=True),
        Busy(begun=False),
        CommandReply(7, Noticed.REFUSED, RefusedReason.PHONE),
        CommandReply(8, Noticed.TAPPED, None),
        Ended("KeyError at x.py:1"),
    ]


def test_a_state_is_said_when_it_is_news():
    told = Told()
    for state, detail in [("ready", ""), ("ready", ""), ("ready", "now with a name"), ("absent", ""), ("ready", "")]:
        told.report.state(ReaderState(state), detail)
    assert [state.state for state in told.all() if isinstance(state, State)] == ["ready", "ready", "absent", "ready"]


def test_a_beat_is_said_once_a_second_and_not_after_other_words():
    told = Told()
    for now_s in (0.5, 1.0, 1.5, 2.0):
        told.now_s = now_s
        told.report.beat()
    told.now_s = 2.9
    told.report.state(ReaderState.READY)
    told.now_s = 3.5
    told.report.beat()
    assert told.all() == [Beat(), Beat(), State(ReaderState.READY, "")]


def test_a_call_that_fails_is_over_too():
    told = Told()
    with pytest.raises(OSError, match="gone"), told.report.busy():
        raise OSError("gone")
    assert told.all() == [Busy(begun=True), Busy(begun=False)]


@given(st.integers(0, 2**40), st.sampled_from(Gesture), st.binary(max_size=32))
def test_a_command_arrives_as_it_was_sent(number: int, gesture: Gesture, uid: bytes):
    assert decode_command(Command(number, gesture, uid).encode()) == Command(number, gesture, uid)


@given(st.binary(max_size=32))
def test_a_command_is_printed_without_its_card(uid: bytes):
    assert uid.hex() not in repr(Command(1, Gesture.PUT, uid)).lower() or len(uid) < 2


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[]",
        b"3",
        b'"is"',
        b"\xff",
        b'{"is": "dance"}',
        b'{"is": []}',
        b'{"is": "tap"}',
        b'{"is": "tap", "reader": "r", "uid": "xy", "technology": "t", "at_mono_ns": 1}',
        b'{"is": "tap", "reader": "r", "uid": "04", "technology": "t", "at_mono_ns": "soon"}',
        b'{"is": "refused", "reader": "r", "reason": "ugly"}',
        b'{"is": "state", "state": "sleepy", "detail": ""}',
    ],
)
def test_what_is_no_message_is_none(line: bytes):
    assert decode(line) is None


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_line_is_read_without_an_error(line: bytes):
    decode(line)
