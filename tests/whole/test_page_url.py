"""The way into the page of a real daemon: the command, its socket for a group, and an open page over a restart."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser

from kiosk.demo import hospital
from kiosk.demo.hospital import command_of, wait_for
from sync.control import ControlError, ask, socket_path
from tests.commands import kiosk
from tests.components import demand
from tests.kiosk.ui.browser import Kiosk
from tests.whole.town import Town

pytestmark = [pytest.mark.processes, pytest.mark.browser]

GROUP = 64321  # of the daemon in a test of rights; no group of a machine has this number
BROWSER_USER = 64322

# Another user of the daemon's group asks for the page, and tries what else it could reach.
OTHER_USER = """
import json, os, sys
from pathlib import Path
from click.testing import CliRunner
from kiosk.cli import main
from sync.control import ControlError, NotRunning, ask
page, control, beside, config = map(Path, sys.argv[3:])
os.setgroups([int(sys.argv[2])] if sys.argv[2] else []); os.setgid(64399); os.setuid(int(sys.argv[1]))

def attempt(call, *words):
    try:
        return call(*words)
    except (ControlError, NotRunning, OSError) as error:
        return type(error).__name__

command = CliRunner().invoke(main, ["page-url", "--config", str(config)])
print(json.dumps({
    "command": command.output,
    "page": attempt(ask, page, "page-url"),
    "status": attempt(ask, page, "status"),
    "control": attempt(ask, control, "status"),
    "file": attempt(beside.read_bytes),
}))
"""


def page_url(file: Path) -> subprocess.CompletedProcess[str]:
    words = [*command_of("kiosk"), "page-url", "--config", str(file)]
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)


def test_the_command_prints_a_url_alone_that_opens_the_page_once(standing_town: Town):
    places = standing_town.places
    printed = page_url(places.config)
    assert (printed.returncode, printed.stderr) == (0, "")
    assert re.fullmatch(rf"{places.kiosk_url}/open/[\w-]{{43}}\n", printed.stdout)
    first, second = requests.Session(), requests.Session()
    assert first.get(printed.stdout.strip(), timeout=30).ok
    assert first.get(f"{places.kiosk_url}/api/v1/state", timeout=30).ok
    refused = second.get(printed.stdout.strip(), timeout=30)
    assert (refused.status_code, "out of order" in refused.text) == (403, True)
    assert second.get(f"{places.kiosk_url}/api/v1/state", timeout=30).status_code == 403


def test_without_a_daemon_the_command_ends_with_exit_code_3(tmp_path: Path):
    file = tmp_path / "config.toml"
    file.write_text(f'[store]\npath = "{tmp_path}/kiosk.db"\n', "utf-8")
    none = kiosk("page-url", "--config", str(file))
    assert (none.returncode, none.stdout) == (3, "")
    assert "no kiosk is running" in none.stderr
    file.write_text('[web]\npage_socket = "/no/such/place.sock"\n', "utf-8")
    assert kiosk("page-url", "--config", str(file)).returncode == 3


def test_a_socket_that_cannot_be_made_ends_the_start_and_is_named(tmp_path: Path):
    file = tmp_path / "config.toml"
    for place, reason in ((tmp_path / "no/page.sock", "No such file"), (tmp_path, "Address already in use")):
        text = f'[store]\npath = "{tmp_path}/kiosk.db"\n[web]\nlisten = "127.0.0.1:0"\npage_socket = "{place}"\n'
        file.write_text(f'{text}[[reader]]\nkind = "simulated"\n', "utf-8")
        words = [*command_of("kiosk"), "run", "--config", str(file)]
        ended = subprocess.run(words, capture_output=True, text=True, timeout=60)
        assert ended.returncode == 2
        assert f"[web] page_socket: no socket can be made at {place}: {reason}" in ended.stderr
        assert "Traceback" not in ended.stderr


def test_the_socket_gives_a_url_and_nothing_else_and_no_client_can_hold_the_daemon_up(standing_town: Town):
    places = standing_town.places
    assert stat.S_IMODE(places.page_socket.stat().st_mode) == 0o660
    assert stat.S_IMODE(socket_path(places.directory / "kiosk.db").stat().st_mode) == 0o600
    for op in ("status", "outbox", "tap", "kept", "set-aside", "enrol"):
        with pytest.raises(ControlError, match="does not know this request"):
            ask(places.page_socket, op)
    silent = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(6)]
    try:
        for client in silent:
            client.settimeout(30)
            client.connect(str(places.page_socket))
        # The others go on meanwhile, and the silent clients give way to the next request.
        assert standing_town.status()["running"]
        assert requests.get(f"{places.kiosk_url}/healthz", timeout=30).ok
        assert ask(places.page_socket, "page-url", timeout_s=60).startswith(places.kiosk_url)
    finally:
        for client in silent:
            client.close()


def test_a_member_of_the_daemons_group_reaches_the_page_and_nothing_else(tmp_path_factory: pytest.TempPathFactory):
    demand(os.geteuid() == 0, "root, to become somebody else,")
    # As installed: the state for the daemon's user alone, the socket in a directory of its group.
    base = Path("/tmp") / f"nfc-kiosk-rights-{os.getpid()}"
    state, run = base / "state", base / "run"
    try:
        base.mkdir(mode=0o755)
        for folder, mode in ((state, 0o700), (run, 0o750)):
            folder.mkdir()
            os.chown(folder, 0, GROUP)
            folder.chmod(mode)
        config = base / "config.toml"
        config.write_text(
            f'[store]\npath = "{state}/kiosk.db"\n[web]\nlisten = "127.0.0.1:0"\npage_socket = "{run}/page.sock"\n'
            '[[reader]]\nkind = "simulated"\n',
            "utf-8",
        )
        config.chmod(0o644)
        daemon = subprocess.Popen([*command_of("kiosk"), "run", "--config", str(config)], group=GROUP, umask=0o077)
        try:
            wait_for(lambda: (run / "page.sock").exists(), "the daemon made no socket")
            member, stranger = attempts(base, GROUP), attempts(base, None)
        finally:
            daemon.terminate()
            daemon.wait(30)
        assert member["page"].startswith("http://127.0.0.1:")
        assert (member["status"], member["control"], member["file"]) == (
            "ControlError",
            "NotPermitted",
            "PermissionError",
        )
        assert member["command"].startswith("http://127.0.0.1:")
        assert stranger.pop("command") == (
            f"Error: {run}/page.sock: only the daemon's user, the members of its group and root may ask\n"
        )
        assert set(stranger.values()) <= {"NotPermitted", "PermissionError"}
    finally:
        subprocess.run(["rm", "-r", str(base)], check=True)


def attempts(base: Path, group: int | None) -> dict[str, str]:
    """What a user of that group gets: a URL of the page, or the name of the error, of each thing that it tries."""
    names = ("run/page.sock", "state/kiosk.db.sock", "state/kiosk.db.pagekey", "config.toml")
    places = [base / name for name in names]
    words = [str(BROWSER_USER), "" if group is None else str(group), *map(str, places)]
    tried = subprocess.run([sys.executable, "-c", OTHER_USER, *words], capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(tried.stdout)
    return found


def secrets_of(screen: Kiosk, url: str) -> list[str]:
    """The key of the URL and the cookie that it gave."""
    (cookie,) = screen.context.cookies()
    return [url.rsplit("/", 1)[1], *str(cookie["value"]).split(".")]


def test_an_open_page_comes_back_by_itself_after_a_restart_of_the_daemon(town: Town, browser: Browser):
    url = hospital.page_url(town.places)
    screen = Kiosk(browser, f"{town.places.kiosk_url}/").open(url)
    assert screen.page.url == f"{town.places.kiosk_url}/"
    assert screen.page.evaluate("document.cookie") == ""
    assert screen.stored == []
    assert town.kiosk is not None
    town.kiosk.kill()
    screen.await_screen("away")
    town.open()
    screen.await_screen("attract")
    town.tap(town.people[0])
    screen.await_text(town.people[0].masked_name)
    log = (town.places.directory / "kiosk.log").read_text("utf-8")
    assert [secret for secret in secrets_of(screen, url) if secret in log + screen.page.content()] == []
    screen.close()


def test_a_page_that_is_shut_out_shows_nobody_and_comes_back_when_it_is_let_in(town: Town, browser: Browser):
    screen = Kiosk(browser, f"{town.places.kiosk_url}/").open(hospital.page_url(town.places))
    first, second = town.people[:2]
    town.tap(first)
    screen.await_text(first.masked_name)
    assert town.kiosk is not None
    town.kiosk.kill()
    (town.places.directory / "kiosk.db.pagekey").unlink()
    town.open()
    screen.await_screen("away")
    assert first.masked_name not in screen.content.inner_html()
    with screen.page.expect_response(lambda answer: answer.status == 403):
        hospital.hold_card(town.places, second.uid)
    assert "접수 창구" in screen.content.inner_text()
    assert second.masked_name not in screen.content.inner_html()
    other = screen.context.new_page()
    other.goto(hospital.page_url(town.places))
    screen.await_text(second.masked_name)
    screen.close()


@pytest.mark.parametrize("size", [(1080, 1920), (1280, 800), (1920, 1080)], ids=str)
def test_a_browser_that_was_not_let_in_is_shown_where_to_go(
    standing_town: Town, browser: Browser, size: tuple[int, int]
):
    stranger = Kiosk(browser, f"{standing_town.places.kiosk_url}/", size)
    answer = stranger.page.goto(stranger.url)
    assert answer is not None
    assert answer.status == 403
    korean, english = stranger.page.locator("section").all()
    assert "접수 창구" in korean.inner_text()
    assert "Please check in at the desk." in english.inner_text()
    for words in (korean, english, stranger.page.locator("footer")):
        box = words.bounding_box()
        assert box is not None
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= size[1]
    # The style counts: the policy admits it by its hash.
    assert korean.evaluate("element => getComputedStyle(element).backgroundColor") == "rgb(255, 255, 255)"
    assert [text for text in stranger.complaints if "403" not in text] == []
    stranger.close()
