"""The page of the exception inbox in Chromium, and cases that wait in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Locator, Page, WebSocketRoute, expect

from sync.cards import CardHash, canonical_tag
from sync.central.records.duties import Duty
from sync.ids import provisional_id
from tests.sync.central.box import Box
from tests.sync.central.online import API, PATIENCE_S, Online
from tests.sync.central.staff.people import Person, person, signed_in

PATIENCE_MS = PATIENCE_S * 1000


class InboxPage:
    """The page, as somebody at the reception uses it."""

    def __init__(self, page: Page, who: Person) -> None:
        self.page = page
        self.who = who

    @property
    def case(self) -> Locator:
        """The case that is shown."""
        return self.page.locator("#case")

    def row(self, exception_id: str) -> Locator:
        """The row of a case in the list."""
        return self.page.locator(f'[data-case="{exception_id}"]')

    def open(self, exception_id: str) -> None:
        """Opens a case from the list."""
        self.row(exception_id).click()
        expect(self.case.locator("h2")).to_be_visible(timeout=PATIENCE_MS)

    def way(self, how: str) -> Locator:
        """The part of one way to settle, with what it would do."""
        return self.page.locator(f'[aria-labelledby="way-{how}"]')

    def button(self, how: str) -> Locator:
        """The button of a way, once it may be pressed."""
        found = self.page.locator(f'[data-name="settle-{how}"]:not([aria-disabled])')
        expect(found).to_be_visible(timeout=PATIENCE_MS)
        return found

    def answer(self, reason: str = "", button: str = "primary") -> None:
        """Answers the question before the settlement."""
        dialog = self.page.locator("dialog[open]")
        if reason:
            dialog.locator("textarea").fill(reason)
        dialog.locator(f"button.{button}").click()

    def says(self, text: str) -> None:
        """Waits until a message on the screen has this text."""
        expect(self.page.locator("#toasts")).to_contain_text(text, timeout=PATIENCE_MS)

    def has(self, text: str) -> None:
        """Waits until the case that is shown has this text."""
        expect(self.case).to_contain_text(text, timeout=PATIENCE_MS)


class Line:
    """The line between a page and the centre, which a test can cut."""

    def __init__(self) -> None:
        self._is_cut = False
        self._sockets: list[WebSocketRoute] = []

    def attach(self, context: BrowserContext) -> None:
        """Stands between the pages of a browser and the centre."""
        context.route_web_socket("**/ws/inbox/", self._open)

    def cut(self) -> None:
        """Ends the sockets, and lets none come through."""
        self._is_cut = True
        for each in self._sockets:
            each.close(code=1011)
        self._sockets.clear()

    def mend(self) -> None:
        """Lets the next socket come through."""
        self._is_cut = False

    def _open(self, socket: WebSocketRoute) -> None:
        if self._is_cut:
            socket.close(code=1011)
            return
        self._sockets.append(socket)
        socket.connect_to_server()


@contextmanager
def inbox(
    browser: Browser,
    online: Online,
    who: Person | None = None,
    language: str = "en",
    line: Line | None = None,
    **more: Any,
) -> Iterator[InboxPage]:
    """The page of somebody at the reception, once it is connected."""
    person_here = who or person(online, Duty.RECEPTION, name="박서연")
    locale = {"ko": "ko-KR", "en": "en-US"}[language]
    with signed_in(browser, online, person_here, "/staff/inbox", locale=locale, **more) as page:
        page.set_default_timeout(PATIENCE_MS)
        if line is not None:
            line.attach(page.context)
            page.reload()
        page.locator("#list .case, #list .notice").first.wait_for()
        expect(page.locator("#connection")).to_be_hidden(timeout=PATIENCE_MS)
        yield InboxPage(page, person_here)


def case_of(online: Online, verdict: dict[str, Any]) -> str:
    """The open case of an action that was pushed."""
    found = online.call("GET", f"{API}/exceptions/", online.staff).json()["exceptions"]
    return next(str(each["exception_id"]) for each in found if each["action_id"] == verdict["action_id"])


def registered_without_arrival(online: Online, box: Box, patient_id: str) -> str:
    """A case: a registration of a patient who has not arrived by what the centre knows."""
    return case_of(online, box.push(patient_id, "register", journey_state="ARRIVED"))


def card_hash(online: Online, tag_id: str) -> CardHash:
    return online.centre.parts.keys.published.hashes(canonical_tag(tag_id))[0]


def stranger_with_card(online: Online, box: Box, tag_id: str) -> str:
    """A case: somebody has held a card that belongs to nobody."""
    card = card_hash(online, tag_id)
    return case_of(online, box.push(provisional_id(), "scan_nfc", provisional=True, card=card))
