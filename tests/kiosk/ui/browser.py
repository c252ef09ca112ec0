"""A kiosk's screen in a real Chromium: what a person does with it, and what can be measured on it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, sync_playwright

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS = 10_000
MEASURE = Path(__file__).with_name("measure.js").read_text("utf-8")


@contextlib.contextmanager
def running(executable: str) -> Iterator[Browser]:
    """A Chromium, for as many screens as wanted."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        yield browser
        browser.close()


@dataclass(frozen=True)
class Look:
    """What a person with a ruler and a colour meter finds on the screen.

    `texts`: all that can be seen, with the height of Hangul in its font (`hangul`), its size, its contrast, its place;
    `targets`: every button, with its words and its place; `spilled`: what does not fit where it stands; `scrolls`:
    whether there is more than fits. Lengths are CSS pixels.
    """

    texts: list[dict[str, Any]]
    targets: list[dict[str, Any]]
    spilled: list[str]
    scrolls: bool


class Kiosk:
    """One screen. Everything that the browser complains of is kept in `complaints`."""

    def __init__(self, browser: Browser, url: str, size: tuple[int, int] = (1080, 1920), **context: Any) -> None:
        options = {"reduced_motion": "reduce", "has_touch": True, **context}
        self.context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **options)
        self.context.add_init_script(MEASURE)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.complaints: list[str] = []
        self.page.on("console", self._complain)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.url = url

    def open(self) -> Kiosk:
        """Loads the page and waits until it shows something that the kiosk said."""
        self.page.goto(self.url)
        self.page.locator("html[data-frame]").wait_for()
        self.page.evaluate("document.fonts.ready.then(() => true)")
        return self

    def close(self) -> None:
        """Closes it."""
        self.context.close()

    def await_screen(self, kind: str) -> None:
        """Until that screen is shown: "attract", "journey", …, or the page's own "away"."""
        self.page.locator(f'#content[data-screen="{kind}"]').wait_for()

    def await_frame(self, frame: int) -> None:
        """Until the page has heard the screen of that number."""
        self.page.locator(f'html[data-frame="{frame}"]').wait_for()

    def await_painting(self) -> None:
        """Until the page has had its say about what was just done: two frames of the browser."""
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def await_text(self, text: str) -> None:
        """Until the content says this."""
        self.content.get_by_text(text).first.wait_for()

    def button(self, name: str) -> Locator:
        """A button by its name in the page: "next", "home", "back", "staff", "keep", "language-en", …"""
        return self.page.locator(f'[data-name="{name}"]')

    def press(self, name: str) -> None:
        """A finger on a button."""
        self.button(name).tap()

    @property
    def content(self) -> Locator:
        """What the screen says."""
        return self.page.locator("#content")

    @property
    def headline(self) -> str:
        """Its first words."""
        return self.content.locator("h1").inner_text()

    @property
    def language(self) -> str:
        """The language that the page says it speaks."""
        return str(self.page.evaluate("document.documentElement.lang"))

    @property
    def stored(self) -> list[str]:
        """What the page keeps in the browser: names of stores that hold anything."""
        return list(self.page.evaluate("window.measure.stored()"))

    def pixels_per_mm(self) -> float:
        """The unit of the page."""
        return float(
            self.page.evaluate("parseFloat(getComputedStyle(document.documentElement).getPropertyValue('--mm'))")
        )

    def look(self) -> Look:
        """What is on the screen now, and how large and clear it is."""
        return Look(**self.page.evaluate("window.measure.look()"))

    def _complain(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)
