"""The board in Chromium, and patients who wait before it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Locator, Page, Route, WebSocketRoute, expect

from sync.central.records.accounts import Duty
from tests.sync.central.online import API, PATIENCE_S, Online
from tests.sync.central.staff.people import person, signed_in

PATIENCE_MS = PATIENCE_S * 1000
TO_WAITING = ("scan_nfc", "register", "confirm_arrival")
EXAM = "blood"  # the first exam of every booked patient


class Board:
    """A board as a nurse sees it and presses on it."""

    def __init__(self, page: Page, by: str) -> None:
        self.page = page
        self.by = by  # the person's name

    def row(self, patient_id: str) -> Locator:
        """The row of a patient, in whatever list it stands."""
        return self.page.locator("li.row:not(.left)").filter(has_text=f" · {patient_id}")

    def line(self) -> list[str]:
        """The queue numbers of the line, from the first one on."""
        return self.page.locator(".line > li .number strong").all_inner_texts()

    @property
    def hand(self) -> Locator:
        """The list of the patients who are called or in their exam."""
        return self.page.locator("#hand ol")

    @property
    def next(self) -> Locator:
        """The button that calls the next one."""
        return self.page.locator(".call-next").first

    def says(self, text: str) -> None:
        """Waits until a message on the screen has this text."""
        expect(self.page.locator("#toasts")).to_contain_text(text, timeout=PATIENCE_MS)

    def has(self, patient_id: str, text: str) -> None:
        """Waits until the row of a patient has this text."""
        expect(self.row(patient_id)).to_contain_text(text, timeout=PATIENCE_MS)

    def choose(self, patient_id: str) -> None:
        """Chooses the row of a patient."""
        self.row(patient_id).locator(".name").focus()

    def click(self, patient_id: str, name: str) -> None:
        """Presses a button of a row, once nothing moves on the screen."""
        button = self.row(patient_id).get_by_role("button", name=name)
        button.wait_for(timeout=PATIENCE_MS)
        self.page.locator("#board:not(.moved)").wait_for(timeout=PATIENCE_MS)
        button.click()

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)

    def is_next(self, number: str) -> None:
        """Waits until the button of the next call names this number, and a person has had the time to read it."""
        expect(self.next).to_contain_text(number, timeout=PATIENCE_MS)
        expect(self.next).not_to_have_class(re.compile("new"), timeout=PATIENCE_MS)
        expect(self.next).to_have_attribute("aria-disabled", "false", timeout=PATIENCE_MS)


class Wire:
    """The network between a page and the centre, which a test cuts and slows."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []  # the bodies of the commands that the page has sent
        self._is_cut = self._is_slow = False
        self._sockets: list[WebSocketRoute] = []
        self._held: list[tuple[WebSocketRoute, str | bytes]] = []

    def attach(self, page: Page) -> None:
        """Stands between this page and the centre."""
        page.route_web_socket("**/ws/board/**", self._socket)
        page.route("**/api/v1/queue/**", self._call)
        page.route("**/api/v1/patient-journey/**", self._call)

    def cut(self) -> None:
        """Nothing passes any more."""
        self._is_cut = True
        for each in self._sockets:
            each.close(code=1011)
        self._sockets.clear()

    def cut_calls(self) -> None:
        """The socket goes on, and calls reach nobody."""
        self._is_cut = True

    def mend(self) -> None:
        self._is_cut = False

    def hold_news(self) -> None:
        """What the centre tells by the socket stays away from the page for now."""
        self._is_slow = True

    def give_news(self) -> None:
        self._is_slow = False
        for socket, message in self._held:
            socket.send(message)
        self._held.clear()

    def _socket(self, socket: WebSocketRoute) -> None:
        if self._is_cut:
            socket.close(code=1011)
            return
        self._sockets.append(socket)
        centre = socket.connect_to_server()
        centre.on_message(lambda message: self._hear(socket, message))

    def _hear(self, socket: WebSocketRoute, message: str | bytes) -> None:
        if self._is_slow:
            self._held.append((socket, message))
        else:
            socket.send(message)

    def _call(self, route: Route) -> None:
        self.sent.append(json.loads(route.request.post_data or "{}"))
        if self._is_cut:
            route.abort()
        else:
            route.continue_()


@contextmanager
def board(
    browser: Browser,
    online: Online,
    *,
    name: str = "김미정",
    room: str = "",
    exams: tuple[str, ...] = (EXAM,),
    wire: Wire | None = None,
    **more: Any,
) -> Iterator[Board]:
    """The board of a person who has chosen exams and a room before, once the lines are drawn."""
    kept = json.dumps(json.dumps({"exams": exams, "room": room}))
    who = person(online, Duty.EXAM_ROOM, name=name)
    with signed_in(browser, online, who, "/staff/board", **more) as page:
        if wire is not None:
            wire.attach(page)
        page.add_init_script(f"localStorage.setItem('nk-board', {kept})")
        page.goto(f"http://{online.host}/staff/board")
        page.locator("#board[data-drawn]:not(.moved)").wait_for()
        yield Board(page, who.name)


def waiting(online: Online, many: int = 1) -> list[str]:
    """Patients who wait for their first exam, the first one first."""
    found = []
    for _ in range(many):
        patient_id = online.newcomer()
        online.centre.walk(patient_id, *TO_WAITING)
        online.centre.clock.now_ms += 1_000
        found.append(patient_id)
    return found


def number(online: Online, patient_id: str) -> str:
    """The queue number of a patient."""
    return str(online.centre.state(patient_id)["queue_details"][0]["queue_number"])


def clear(online: Online) -> None:
    """Ends all live entries, so that a test sees its own patients alone."""
    for row in online.centre.rows("select queue_id, state from entries"):
        if row["state"] in online.centre.parts.definitions.live:
            online.call("PATCH", f"{API}/queue/{row['queue_id']}/", online.staff, json={"state": "cancelled"})
