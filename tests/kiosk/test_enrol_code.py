"""How the code of an enrolment is typed: at a terminal, through a pipe, or as an argument."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from kiosk.enrol_code import NoCode, read_code

SCRIPT = """
from kiosk.enrol_code import NoCode, read_code
try:
    print(repr(read_code(None)))
except NoCode as no:
    print(no)
"""
ASK = [sys.executable, "-c", SCRIPT]
NONE = "no code was given: type it when asked, send it to the standard input, or use --code"


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"ABCDE-23456\n", "'ABCDE-23456'"),
        (b"  ABCDE-23456 \r\nmore\n", "'ABCDE-23456'"),
        (b"ABCDE-23456", "'ABCDE-23456'"),
        ("한글\n".encode(), "'한글'"),
        (b"", NONE),
        (b"\n", NONE),
        (b"\xff\n", "the code may hold printable characters only"),
        (b"A\0B\n", "the code may hold printable characters only"),
    ],
)
def test_a_line_of_standard_input_is_the_code(sent: bytes, said: str):
    done = subprocess.run(ASK, input=sent, capture_output=True, check=True)
    assert (done.stdout.decode().strip(), done.stderr) == (said, b"")


@pytest.mark.parametrize(("typed", "said"), [(b"ABCDE-23456\n", b"'ABCDE-23456'"), (b"\n", NONE.encode())])
def test_somebody_at_a_terminal_is_asked(typed: bytes, said: bytes):
    ours, theirs = os.openpty()
    with subprocess.Popen(ASK, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as asking:
        os.close(theirs)
        os.write(ours, typed)
        out, error = asking.communicate()
        os.close(ours)
    assert (out.strip(), error) == (said, b"Code: ")


@pytest.mark.parametrize(("given", "code"), [("ABCDE-23456", "ABCDE-23456"), (" x ", "x")])
def test_a_code_that_was_given_is_not_asked_for(given: str, code: str):
    assert read_code(given) == code


@pytest.mark.parametrize("given", ["", " ", "\udcff", "a\nb"])
def test_an_argument_that_is_no_code_is_refused(given: str):
    with pytest.raises(NoCode):
        read_code(given)
