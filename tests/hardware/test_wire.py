"""The lines between a reader's process and its supervisor."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.card import Card, Technology
from hardware.gesture import Gesture, GestureResult
from hardware.reader import FieldClear, ReaderState, RefusedReason, RefusedTap, Tap
from hardware.wire import (
    MAX_LINE,
    Command,
    CommandReply,
    Crash,
    DialogueBegun,
    DialogueEnded,
    DriverCall,
    Heartbeat,
    Message,
    Report,
    State,
    decode,
    decode_command,
)


class ReportPipe:
    """A report whose messages can be read from a pipe."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self.now_s = 0.0
        self.report = Report(self._write, clock=lambda: self.now_s)

    def all(self) -> list[object]:
        os.close(self._write)
        with open(self._read, "rb") as lines:
            return [decode(line) for line in lines]


def test_every_message_of_a_reader_is_decoded_as_it_was_written():
    pipe = ReportPipe()
    uid = bytes.fromhex("04A1B2C3D4E5F6")
    pipe.report.found("desk", Card(Technology.ISO14443A, uid), 123)
    pipe.report.found("desk", RefusedReason.PHONE, 124)
    pipe.report.state(ReaderState.FAULTY, "no power")
    pipe.report.clear("desk")
    pipe.report.dialogue_begun("desk")
    with pipe.report.driver_call():
        pass
    pipe.report.dialogue_ended("TypeError at x.py:1")
    pipe.report.reply(7, GestureResult.REFUSED, RefusedReason.PHONE)
    pipe.report.reply(8, GestureResult.TAPPED)
    pipe.report.crash("KeyError at x.py:1")
    assert pipe.all() == [
        Tap("desk", uid, "iso14443a", 123),
        RefusedTap("desk", RefusedReason.PHONE),
        State(ReaderState.FAULTY, "no power"),
        FieldClear("desk"),
        DialogueBegun("desk"),
        DriverCall(begun=True),
        DriverCall(begun=False),
        DialogueEnded("TypeError at x.py:1"),
        CommandReply(7, GestureResult.REFUSED, RefusedReason.PHONE),
        CommandReply(8, GestureResult.TAPPED, None),
        Crash("KeyError at x.py:1"),
    ]


def test_a_state_is_written_only_when_it_changes():
    pipe = ReportPipe()
    for state, detail in [("ready", ""), ("ready", ""), ("ready", "now with a name"), ("absent", ""), ("ready", "")]:
        pipe.report.state(ReaderState(state), detail)
    assert [state.state for state in pipe.all() if isinstance(state, State)] == ["ready", "ready", "absent", "ready"]


def test_a_state_fits_a_line_whatever_the_readers_are_called():
    pipe = ReportPipe()
    pipe.report.state(ReaderState.READY, "\U0001f4b3" * 10_000)
    (state,) = pipe.all()
    assert isinstance(state, State)
    assert state.detail.endswith("…")
    assert len(json.dumps(state.detail)) < MAX_LINE


def test_a_heartbeat_is_written_once_a_second_and_not_after_other_messages():
    pipe = ReportPipe()
    for now_s in (0.5, 1.0, 1.5, 2.0):
        pipe.now_s = now_s
        pipe.report.heartbeat()
    pipe.now_s = 2.9
    pipe.report.state(ReaderState.READY)
    pipe.now_s = 3.5
    pipe.report.heartbeat()
    assert pipe.all() == [Heartbeat(), Heartbeat(), State(ReaderState.READY, "")]


def test_a_driver_call_that_fails_is_reported_as_returned():
    pipe = ReportPipe()
    with pytest.raises(OSError, match="gone"), pipe.report.driver_call():
        raise OSError("gone")
    assert pipe.all() == [DriverCall(begun=True), DriverCall(begun=False)]


@given(st.integers(0, 2**40), st.sampled_from(Gesture), st.binary(max_size=32), st.sampled_from(Technology))
def test_a_command_arrives_as_it_was_sent(number: int, gesture: Gesture, uid: bytes, technology: Technology):
    command = Command(number, gesture, uid, technology)
    assert decode_command(command.encode()) == command


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
def test_a_line_that_is_no_message_decodes_to_none(line: bytes):
    assert decode(line) is None


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_line_is_read_without_an_error(line: bytes):
    assert isinstance(decode(line), Message | None)
