"""The kiosk behind a hospital's firewall: dropped headers, changed answers, a restart, and a true revocation."""

from __future__ import annotations

import gzip
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from kiosk.demo import hospital
from kiosk.demo.hospital import wait_for
from kiosk.demo.wire import Wire
from sync.agent.reachability import OFFLINE_AFTER_S
from sync.control import ControlError, NotRunning
from tests.commands import central_command, kiosk_command
from tests.middlebox import Middlebox, Request, Response
from tests.whole.town import WAIT_S, Town

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("middlebox")]

LONG_WAIT_S = 90.0  # a backoff after a few failures may take most of a minute
REFUSED_CALLS = 5
PORTAL = b"<html><head><title>Guest network: please log in</title></head></html>"


def through_middlebox(host: str, port: int) -> Wire:
    """A middlebox in the place of a town's wire. The tests here cut nothing."""
    return cast("Wire", Middlebox(f"http://{host}:{port}"))


def box_of(town: Town) -> Middlebox:
    return cast("Middlebox", town.wire)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    town = Town(tmp_path_factory.mktemp("middlebox"), wire=through_middlebox)
    town.open()
    yield town
    town.close()


@pytest.fixture
def town(standing: Town) -> Iterator[Town]:
    """The town of this module, online, with a wire that passes everything."""
    standing.await_online()
    yield standing
    box_of(standing).let_pass()
    wait_for(lambda: standing.status()["online"], "it never came back by itself", LONG_WAIT_S)


def sync_error(town: Town) -> str:
    return town.status()["sync_error"] or ""


def test_a_dropped_token_wipes_nothing_and_the_kiosk_goes_on_and_comes_back_by_itself(town: Town):
    person, roster = town.people[0], town.status()["roster"]["patients"]
    box = box_of(town)
    before = box.struck
    box.strip_header("authorization")
    box.hang_up()
    wait_for(lambda: box.struck >= before + REFUSED_CALLS, "the kiosk never called", LONG_WAIT_S)
    wait_for(lambda: not town.status()["online"], "it never showed itself offline", WAIT_S)
    screen = town.check_in(person)
    assert (screen["journey"]["journey_state"], screen["central"]["online"]) == ("WAITING", False)
    status = town.status()
    assert (status["ended"], status["not_known"], status["roster"]["patients"]) == (False, True, roster)
    assert status["sync_error"].startswith("not_known: this kiosk's token does not reach the centre")
    assert status["outbox"]["pending"] == 3
    box.let_pass()
    wait_for(lambda: not town.status()["outbox"]["pending"], "the outbox never emptied", LONG_WAIT_S)
    assert town.state(person)["journey_state"] == "WAITING"
    wait_for(lambda: not town.status()["not_known"], "it never forgot the refusal", LONG_WAIT_S)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (Response(200, (("Content-Type", "text/html"),), PORTAL), 'web_page: HTTP 200 with a web page titled "Guest'),
        (Response(308, (("Location", "https://portal.example/x"),)), "redirect: HTTP 308: the answer leads to portal."),
        (Response(401, (("Content-Type", "text/html"),), PORTAL), "web_page: HTTP 401 "),
        (Response(403, (), b'{"code": "fenced", "error": "no"}'), "content_type: HTTP 403 "),
    ],
    ids=["portal", "redirect", "login page", "another refusal"],
)
def test_an_answer_of_something_else_than_the_centre_is_named_and_changes_nothing(
    town: Town, wrong: Response, reason: str
):
    roster = town.status()["roster"]["patients"]
    box_of(town).answer(wrong)
    box_of(town).hang_up()
    wait_for(lambda: sync_error(town).startswith(reason), "it was never named", WAIT_S)
    status = town.status()
    assert (status["ended"], status["not_known"], status["roster"]["patients"]) == (False, False, roster)


def as_203(_: Request, response: Response) -> Response:
    return replace(response, status=203)


def cut_short(_: Request, response: Response) -> Response:
    return replace(response, cut_at=len(response.body) // 2)


def brotli(_: Request, response: Response) -> Response:
    return response.with_header("Content-Encoding", "br")


def bare(_: Request, response: Response) -> Response:
    return replace(response, body=b"")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (as_203, "transformed: HTTP 203"),
        (cut_short, "cut_short: "),
        (brotli, "compressed: "),
        (bare, "empty: HTTP 200"),
    ],
)
def test_an_answer_that_a_proxy_has_changed_is_named(
    town: Town, change: Callable[[Request, Response], Response], reason: str
):
    box_of(town).rewrite(change)
    box_of(town).hang_up()
    wait_for(lambda: sync_error(town).startswith(reason), "it was never named", WAIT_S)


def zipped(_: Request, response: Response) -> Response:
    return replace(response, body=gzip.compress(response.body))


def marked(_: Request, response: Response) -> Response:
    return replace(response, body=b"\xef\xbb\xbf" + response.body)


@pytest.mark.parametrize(("change", "number"), [(zipped, 1), (marked, 2)])
def test_an_answer_whose_meaning_is_the_same_is_read(
    town: Town, change: Callable[[Request, Response], Response], number: int
):
    before = box_of(town).struck
    box_of(town).rewrite(change)
    town.check_in(town.people[number])
    town.await_settled()
    assert box_of(town).struck > before
    assert town.state(town.people[number])["journey_state"] == "WAITING"


def test_a_restart_of_the_centre_shows_on_no_screen(town: Town):
    for _ in range(3):
        began_s = time.monotonic()
        town.stop_central()
        town.start_central()
        calls = len(box_of(town).seen)
        shown = []

        def is_back(shown: list[Any] = shown, calls: int = calls) -> bool:
            shown.append((town.status()["online"], town.screen()["central"]["online"]))
            return len(box_of(town).seen) > calls and not sync_error(town)

        wait_for(is_back, "the kiosk never called again", WAIT_S)
        # On a busy machine it may take longer, and then it shows.
        if time.monotonic() - began_s < OFFLINE_AFTER_S:
            assert set(shown) == {(True, True)}
            return
        town.await_online()
    pytest.fail("this machine is too busy to restart the centre")


# A true revocation.


def traces(town: Town) -> dict[str, bytes]:
    """What the files of the kiosk must not hold after its end: a name, a hash, token and keys."""
    files = town.places.directory
    with closing(sqlite3.connect(files / "kiosk.db")) as db:
        (name,) = db.execute("select masked_name from patients order by patient_id desc limit 1").fetchone()
        hashes = [row[0] for row in db.execute("select uid_hash from bindings")]
        sent = b"".join(row[0] for row in db.execute("select body from outbox"))
    unsent = next(each for each in hashes if each.encode() not in sent)
    secret = hospital_key(files / "kiosk.db.keys")
    return {
        "name": name.encode(),
        "hash": unsent.encode(),
        "token": (files / "kiosk.db.token").read_bytes().strip(),
        "key": secret.encode(),
    }


def hospital_key(path: Path) -> str:
    return str(json.loads(path.read_bytes())["keys"][0]["secret"])


def is_running(town: Town) -> bool:
    """Whether the daemon answers. A kiosk that has ended is out of order, and so not healthy."""
    try:
        return bool(town.status()["ended"])
    except (ControlError, NotRunning, OSError):
        return False


def found_in(town: Town, sought: dict[str, bytes]) -> list[tuple[str, str]]:
    """Which of these bytes any file of the kiosk holds."""
    files = [path for path in town.places.directory.glob("kiosk.db*") if path.is_file()]
    assert files
    content = {}
    for path in files:
        with suppress(FileNotFoundError):  # the kiosk removes some of them just now
            content[path.name] = path.read_bytes()
    return [(name, what) for name, held in content.items() for what, text in sought.items() if text in held]


def test_a_revoked_kiosk_leaves_nothing_readable_and_keeps_its_unsent_actions(tmp_path: Path):
    town = Town(tmp_path, wire=through_middlebox)
    try:
        town.open()
        box_of(town).block(lambda request: request.path.endswith("/push"), 503)
        town.check_in(town.people[0])
        sought = traces(town)
        token = tmp_path / "kiosk.db.token"
        secret = token.read_bytes()
        assert {what for _, what in found_in(town, sought)} == set(sought), "they can be found before"
        central_command(town.places, "kiosks revoke", town.status()["kiosk"]["id"])
        wait_for(lambda: town.status()["ended"], "it never learnt of it", LONG_WAIT_S)
        wait_for(lambda: found_in(town, sought) == [], "something was left", WAIT_S)
        status = town.status()
        assert (status["roster"]["patients"], status["outbox"]["pending"]) == (0, 3)
        screen = town.screen()
        assert (screen["screen"], screen["patient"], screen["journey"]) == ("out_of_order", None, None)

        # A power cut in the middle of it: the next start does it again.
        assert town.kiosk is not None
        town.kiosk.kill()
        token.write_bytes(secret)
        town.kiosk = hospital.start_kiosk(town.places)
        wait_for(lambda: found_in(town, sought) == [], "the next start left something", WAIT_S)
        wait_for(lambda: is_running(town), "it never started", WAIT_S)

        box_of(town).let_pass()
        code = central_command(town.places, "enroll-code").strip()
        kiosk_command(town.places, "enroll", "--central", town.through, "--code", code)
        town.await_settled()
        assert town.state(town.people[0])["journey_state"] == "WAITING"
        assert {row["status"] for row in town.outbox()} == {"applied"}
    finally:
        town.close()
