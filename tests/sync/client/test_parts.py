"""The parts of the library by themselves, in Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Browser

from tests.sync.client.app import AppServer
from tests.sync.client.conftest import AppPage, LiveCentre

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.xdist_group("client")]


@pytest.fixture
def run(browser: Browser, app: AppServer, live: LiveCentre) -> Iterator[Callable[[str, str], Any]]:
    """Runs the body of a function with the exports of a module as `part`."""
    page = AppPage(browser, f"{app.origin}/parts", {"url": f"http://{live.process.address}"})
    yield lambda module, body: page.do(
        f"async () => {{ const part = await import(settings.url + '/client/{module}.js'); {body} }}"
    )
    page.close()


def test_a_wait_is_a_random_part_of_a_time_that_doubles(run):
    script = "return [1, 2, 3, 9].map((n) => part.waitAfter(n, { firstMs: 100, mostMs: 1000 }, () => %s));"
    assert run("backoff", script % "1") == [100, 200, 400, 1000]
    assert run("backoff", script % "0.5") == [50, 100, 200, 500]
    assert run("backoff", script % "0") == [0, 0, 0, 0]


LATEST = "const latest = new part.Latest((state, than) => state >= than); const offer = (...o) => latest.offer(...o);"


def test_an_older_state_does_not_replace_a_newer_one(run):
    script = f"{LATEST} return [offer(2), offer(1), offer(3), latest.state];"
    assert run("latest", script) == [True, False, True, 3]


def test_an_answer_to_which_nothing_newer_has_come_counts_whatever_its_number(run):
    script = f"{LATEST} offer(7); const asked = latest.mark(); return [offer(1, asked), latest.state];"
    assert run("latest", script) == [True, 1]


def test_an_answer_that_something_newer_has_overtaken_counts_by_its_number(run):
    script = f"{LATEST} const asked = latest.mark(); return [offer(7), offer(1, asked), offer(8, asked), latest.state];"
    assert run("latest", script) == [True, False, True, 8]


def test_an_id_is_a_uuid_where_the_browser_makes_none_too(run):
    for made in (
        run("actions", "return part.newId();"),
        run("actions", "crypto.randomUUID = null; return part.newId();"),
    ):
        assert str(UUID(made)) == made
        assert UUID(made).version == 4


def test_an_action_that_was_cancelled_is_sent_no_more(run):
    script = """
      let sent = 0;
      const actions = new part.Actions(async () => { sent += 1; return { answer: null }; });
      const answer = actions.act("press", {});
      actions.cancel();
      return [await answer, sent];"""
    assert run("actions", script) == [None, 1]


def test_a_paused_part_goes_on_at_once_when_its_timers_are_cleared(run):
    script = """
      const timers = new part.Timers();
      let rang = false;
      timers.after(0, () => (rang = true));
      const pause = timers.pause(1e9);
      timers.clear();
      await pause;
      await new Promise((resolve) => setTimeout(resolve, 5));
      return rang;"""
    assert run("timers", script) is False
