"""One reader's process without a supervisor: its start and its end."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from hardware.gesture import Gesture, GestureResult
from hardware.process import command_for
from hardware.reader import ReaderSpec, ReaderState, Tap
from hardware.wire import Command, CommandReply, DialogueBegun, DialogueEnded, Heartbeat, State, decode

DESK = ReaderSpec("simulated", name="desk")
ANNA = bytes.fromhex("04A1B2C3D4E5F6")


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command_for(DESK), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def says(child: subprocess.Popen[bytes]) -> object:
    """The next message that is more than a sign of life."""
    assert child.stdout
    while (message := decode(child.stdout.readline())) == Heartbeat():
        pass
    return message


def tell(child: subprocess.Popen[bytes], line: bytes) -> None:
    assert child.stdin
    child.stdin.write(line)
    child.stdin.flush()


def test_it_says_that_it_is_ready_and_carries_out_what_it_is_told(child: subprocess.Popen[bytes]):
    assert says(child) == State(ReaderState.READY, "")
    tell(child, Command(5, Gesture.PRESENT, ANNA).encode())
    assert [says(child), says(child)] == [DialogueBegun("desk"), DialogueEnded("")]
    tap = says(child)
    assert isinstance(tap, Tap)
    assert (tap.reader, tap.uid) == ("desk", ANNA)
    assert says(child) == CommandReply(5, GestureResult.TAPPED, None)


def test_it_ends_with_its_input(child: subprocess.Popen[bytes]):
    says(child)
    out, err = child.communicate(timeout=30)
    assert (out, err, child.returncode) == (b"", b"", 0)


def test_ctrl_c_is_its_supervisors_business(child: subprocess.Popen[bytes]):
    says(child)
    child.send_signal(signal.SIGINT)
    tell(child, Command(1, Gesture.LIFT).encode())
    assert says(child) == CommandReply(1, GestureResult.DONE, None)


def test_a_command_that_is_none_ends_it(child: subprocess.Popen[bytes]):
    says(child)
    tell(child, b"dance\n")
    assert child.wait(30.0) == 0


def test_its_parent_is_free_to_import_no_driver_of_any_reader():
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, hardware.supervisor; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not {name for name in loaded if name.split(".")[0] in {"smartcard", "nfc", "serial", "usb1", "ctypes"}}
