"""`make run` and `make demo`, the first commands of the README, as processes."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from kiosk.demo import hospital

HOUSE = Path(__file__).resolve().parent.parent.parent

pytestmark = pytest.mark.processes


def demo(*words: str) -> list[str]:
    return [sys.executable, "-m", "kiosk.demo", *words]


def test_the_story_comes_true_and_leaves_nothing_behind(tmp_path: Path):
    story = subprocess.run(
        demo("story"), env={**os.environ, "TMPDIR": str(tmp_path)}, capture_output=True, text=True, timeout=110
    )
    assert story.returncode == 0, story.stdout + story.stderr
    assert "both ends agree" in story.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_demo_serves_until_it_is_interrupted_and_takes_everything_with_it(tmp_path: Path):
    ports = [hospital.free_port(), hospital.free_port()]
    running = subprocess.Popen(
        demo("run", "--data", str(tmp_path / "data")),
        env={**os.environ, "CENTRAL_PORT": str(ports[0]), "KIOSK_PORT": str(ports[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        assert running.stdout is not None
        lines = []
        for line in running.stdout:
            lines.append(line)
            if "Ctrl-C stops both" in line:
                break
        assert running.poll() is None, "".join(lines)
        assert requests.get(f"http://127.0.0.1:{ports[1]}/healthz", timeout=30).ok
        (page_url,) = re.findall(rf"http://127\.0\.0\.1:{ports[1]}/open/\S+", "".join(lines))
        with requests.Session() as browser:
            assert browser.get(page_url, timeout=30).ok
            assert browser.get(f"http://127.0.0.1:{ports[1]}/api/v1/demo/cards", timeout=30).ok
        assert requests.get(page_url, timeout=30).status_code == 403
        (another,) = [line.split() for line in lines if "page-url" in line]
        printed = subprocess.run(another, capture_output=True, text=True, timeout=60, cwd=HOUSE)
        assert requests.get(printed.stdout.strip(), timeout=30).ok
        os.killpg(running.pid, signal.SIGINT)
        running.communicate(timeout=30)
        assert running.returncode == 0
        with pytest.raises(ProcessLookupError):
            os.killpg(running.pid, 0)
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)


def test_a_port_that_is_taken_is_said_so_at_once(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        refused = subprocess.run(
            demo("run", "--data", str(tmp_path / "data"), "--kiosk-port", port),
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert refused.returncode == 1
    assert f"port {port} is in use" in refused.stderr


def test_one_port_for_both_programs_is_refused(tmp_path: Path):
    port = str(hospital.free_port())
    refused = subprocess.run(
        demo("run", "--data", str(tmp_path / "data")),
        env={**os.environ, "CENTRAL_PORT": port, "KIOSK_PORT": port},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (refused.returncode, "need different ports" in refused.stderr) == (1, True)


def test_a_directory_that_the_demo_did_not_make_is_never_deleted(tmp_path: Path):
    (tmp_path / "letter.txt").write_text("dear", "utf-8")
    refused = subprocess.run(
        demo("run", "--fresh", "--data", str(tmp_path)), capture_output=True, text=True, timeout=60
    )
    assert refused.returncode == 1
    assert (tmp_path / "letter.txt").exists()


def test_a_program_that_ends_by_itself_is_said_so_and_the_other_is_stopped(tmp_path: Path):
    running = subprocess.Popen(
        demo("run", "--data", str(tmp_path / "data")),
        env={**os.environ, "CENTRAL_PORT": str(hospital.free_port()), "KIOSK_PORT": str(hospital.free_port())},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert running.stdout is not None
    for line in running.stdout:
        if "Ctrl-C stops both" in line:
            break
    found = subprocess.run(["pgrep", "-g", str(running.pid), "-f", "bin/kiosk run"], capture_output=True, text=True)
    os.kill(int(found.stdout.split()[0]), signal.SIGKILL)
    rest, _ = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "the kiosk ended unexpectedly" in rest
