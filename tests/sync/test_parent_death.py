"""A child process that ends with its parent, however the parent ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

WAIT_S = 30.0
CHILD = """
import os, signal, time
from sync.parent_death import end_with_parent
end_with_parent(signal.{name}, {parent})
print("ready", flush=True)
time.sleep(60)
"""
PARENT = """
import os, subprocess, sys
subprocess.Popen([sys.executable, "-c", sys.argv[1].replace("PARENT", str(os.getpid()))]).wait()
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_a_child_ends_when_its_parent_is_killed(name: str):
    child = CHILD.format(name=name, parent="PARENT")
    with subprocess.Popen([sys.executable, "-c", PARENT, child], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        parent.kill()
        # Only the child holds the pipe now: it ends with the child.
        assert parent.stdout.read() == b""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_child_whose_parent_ended_before_ends_at_once(number: signal.Signals):
    another = os.getppid()  # a process that is not the child's parent
    child = CHILD.format(name=number.name, parent=another)
    ended = subprocess.run([sys.executable, "-c", child], stdout=subprocess.PIPE, timeout=WAIT_S, check=False)
    assert (ended.returncode, ended.stdout) == (-number, b"")
