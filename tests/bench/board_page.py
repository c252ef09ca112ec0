"""The board in a real Chromium before a real centre: the first paint, and 300 who wait while the line changes.

Gateway, worker, centre and browser share the machine, and the first two a process with the measuring program.
"""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests import components
from tests.bench.figures import Figure, percentile
from tests.kiosk.ui.browser import running
from tests.sync.central.centre import Centre, patient
from tests.sync.central.online import Online
from tests.sync.central.staff.people import person, signed_in

WAITING = 300
LOADS = 7
CHANGES = 50
EVERY_S = 0.2  # five changes a second
TO_WAITING = ("scan_nfc", "register", "confirm_arrival")
# Notes how long each drawing of the board takes, when frames come, and when the rows of a call are on the screen.
WATCH = """() => {
  localStorage.setItem("nk-board", JSON.stringify({ exams: ["blood"], room: "" }));
  const ask = window.requestAnimationFrame.bind(window);
  window.draws = [];
  window.frames_ = [];
  window.requestAnimationFrame = (act) =>
    ask((at) => {
      const began = performance.now();
      act(at);
      if (act.name === "draw") draws.push(performance.now() - began);
    });
  let last = 0;
  const count = (at) => {
    frames_.push(at - last);
    last = at;
    ask(count);
  };
  ask(count);
  window.shownAt = {};
  const look = () => {
    const board = document.getElementById("board");
    if (board?.dataset.drawn) window.drawnAt ??= performance.now();
    for (const { dataset } of document.querySelectorAll("#hand li.row")) shownAt[dataset.id] ??= Date.now();
  };
  new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true });
}"""


def measure(directory: Path) -> list[Figure]:
    """The figures of the board's page."""
    directory.mkdir(parents=True)
    online = Online(directory, centre=Centre(directory, patients=WAITING * 2))
    booked = (patient(number) for number in itertools.count(1) if number % 5)
    for patient_id in itertools.islice(booked, WAITING):
        online.centre.walk(patient_id, *TO_WAITING)
    try:
        with (
            running(components.chromium()) as browser,
            signed_in(browser, online, person(online), "/staff/board") as page,
        ):
            page.add_init_script(f"({WATCH})()")
            return [*_loads(online, page), *_changes(online, page)]
    finally:
        online.close()


def _loads(online: Online, page: Page) -> list[Figure]:
    paints, drawn, first = list[float](), list[float](), list[float]()
    for _ in range(LOADS):
        _open(online, page)
        paints.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
        drawn.append(page.evaluate("drawnAt"))
        first.append(page.evaluate("Math.max(...draws)"))
    return [
        Figure("board: first paint, middle of seven loads", _ms(percentile(paints, 0.5)), "≤ 300 ms"),
        Figure(f"board: {WAITING} rows of a real centre drawn, the same", _ms(percentile(drawn, 0.5))),
        Figure(f"board: the drawing of {WAITING} rows alone", _ms(percentile(first, 0.5))),
    ]


def _changes(online: Online, page: Page) -> list[Figure]:
    _open(online, page)
    page.evaluate("frames_.length = draws.length = 0")
    sent: dict[str, float] = {}
    for row in _line(online)[:CHANGES]:
        began = time.time()
        sent[row["queue_id"]] = began * 1000
        assert online.act(online.staff, "call_patient", patient_id=row["patient_id"]).ok
        page.wait_for_timeout(max(0.0, began + EVERY_S - time.time()) * 1000)
    page.wait_for_function("many => Object.keys(shownAt).length >= many", arg=CHANGES)
    shown: dict[str, float] = page.evaluate("shownAt")
    ways = [shown[each] - sent[each] for each in sent]
    frames, draws = page.evaluate("frames_"), page.evaluate("draws")
    return [
        _three("board: a press of another room → this screen, p50 / p95 / longest", ways, "≤ 100 ms"),
        _three(f"board: the drawing of a change among {WAITING}, p50 / p95 / longest", draws),
        _three("board: time between two frames at five changes a second, p50 / p95 / longest", frames),
    ]


def _open(online: Online, page: Page) -> None:
    page.goto(f"http://{online.host}/staff/board")
    page.locator("#board[data-drawn]").wait_for()


def _line(online: Online) -> list[dict[str, Any]]:
    answer = online.call("GET", "/api/v1/board/", online.staff, params={"exams": "blood"})
    return list(json.loads(answer.content)["entries"])


def _three(name: str, values: list[float], goal: str = "") -> Figure:
    parts = [percentile(values, 0.5), percentile(values, 0.95), max(values)]
    return Figure(name, " / ".join(_ms(each) for each in parts), goal)


def _ms(value: float) -> str:
    return f"{value:.1f} ms"
