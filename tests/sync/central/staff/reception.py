"""The card desk in Chromium, and a kiosk that tells the centre of cards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect

from sync.central.records.duties import Duty
from sync.protocol import DeskWord
from tests.sync.central.desk.asking import DeskKiosk
from tests.sync.central.online import PATIENCE_S, Online
from tests.sync.central.staff.people import person, signed_in

PATIENCE_MS = PATIENCE_S * 1000


class Desk:
    """The card desk as reception sees it and presses on it, in English."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @property
    def record(self) -> Locator:
        """The record on the screen."""
        return self.page.locator("#desk-person")

    @property
    def dialog(self) -> Locator:
        """The open dialog."""
        return self.page.locator("dialog[open]")

    def find(self, text: str) -> None:
        self.page.fill("#desk-text", text)
        self.page.keyboard.press("Enter")

    def open(self, patient_id: str) -> None:
        """Opens the record of a patient."""
        self.find(patient_id)
        expect(self.record).to_contain_text(patient_id, timeout=PATIENCE_MS)

    def press(self, name: str) -> None:
        """Presses a button of the record."""
        self.record.get_by_role("button", name=name).first.click()

    def fill(self, label: str, text: str) -> None:
        """Fills in a field of the dialog."""
        self.dialog.get_by_label(label).fill(text)

    def choose(self, label: str, text: str) -> None:
        self.dialog.get_by_label(label).select_option(label=text)

    def tick(self, text: str) -> None:
        """Chooses one of several ways."""
        self.dialog.get_by_label(text).check()

    def confirm(self, name: str) -> None:
        self.dialog.get_by_role("button", name=name).click()

    def says(self, text: str) -> None:
        """Waits until a message on the screen has this text."""
        expect(self.page.locator("#toasts")).to_contain_text(text, timeout=PATIENCE_MS)

    def asks(self, text: str) -> None:
        """Waits until the dialog has this text."""
        expect(self.dialog).to_contain_text(text, timeout=PATIENCE_MS)


@contextmanager
def desk(browser: Browser, online: Online, **more: Any) -> Iterator[Desk]:
    """The card desk of a person of reception."""
    who = person(online, Duty.RECEPTION)
    with signed_in(browser, online, who, "/staff/desk", **{"locale": "en-US", **more}) as page:
        page.locator("#desk[data-ready]").wait_for()
        yield Desk(page)


def awaited(online: Online, kiosk: DeskKiosk) -> str:
    """The id of the wait at a kiosk, as its next page brings it."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        rows = online.centre.rows(
            "select ask_id from desk_cards where kiosk_id = :id and ended_ms is null and uid_hash = ''"
            " order by asked_ms desc, ask_id desc",
            id=kiosk.kiosk_id,
        )
        if rows:
            return str(rows[0]["ask_id"])
    raise AssertionError("nobody awaits a card")


def hold(online: Online, kiosk: DeskKiosk, uid: str) -> None:
    """A person holds a card to the kiosk, once its screen asks for it."""
    ask_id = awaited(online, kiosk)
    assert kiosk.say(DeskWord.SHOWN, ask_id)
    assert kiosk.hold(ask_id, uid)
