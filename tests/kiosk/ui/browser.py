"""A kiosk's screen in a real Chromium: presses, and measures of its content."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.kiosk.ui.admitted import ADMISSION

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS = 30_000
MEASURE = Path(__file__).with_name("measure.js").read_text("utf-8")


@contextlib.contextmanager
def running(executable: str) -> Iterator[Browser]:
    """Starts a Chromium for any number of screens. What a test expects of a page may take as long as its calls."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        yield browser
        browser.close()


@dataclass(frozen=True)
class Look:
    """The measures of the content of the screen.

    `texts`: every visible text, with the height of Hangul in its font (`hangul`), its size, contrast and place.
    `targets`: every button, with its words and place. `spilled`: content that does not fit into its place. `scrolls`:
    whether there is more than fits. Lengths are CSS pixels.
    """

    texts: list[dict[str, Any]]
    targets: list[dict[str, Any]]
    spilled: list[str]
    scrolls: bool


class Kiosk:
    """One screen. `complaints` holds the errors and warnings of the browser."""

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

    def open(self, one_time_url: str | None = None) -> Kiosk:
        """Loads the page and waits until it shows a screen of the kiosk.

        A kiosk that is no test's own has its own one-time URL, by `kiosk page-url`.
        """
        self.page.goto(one_time_url or ADMISSION.one_time_url(self.url))
        self.page.locator("html[data-frame]").wait_for()
        self.page.evaluate("document.fonts.ready.then(() => true)")
        return self

    def close(self) -> None:
        """Closes the screen."""
        self.context.close()

    def await_screen(self, kind: str) -> None:
        """Waits until that screen is shown: "attract", "journey", …, or the page's own "away"."""
        self.page.locator(f'#content[data-screen="{kind}"]').wait_for()

    def await_frame(self, frame: int) -> None:
        """Waits until the page has the screen of that frame number."""
        self.page.locator(f'html[data-frame="{frame}"]').wait_for()

    def await_buttons(self) -> None:
        """Waits until no button is dead: a new person has been on the screen for a moment."""
        self.page.locator("button[aria-disabled=true]").first.wait_for(state="detached")

    def await_painting(self) -> None:
        """Waits until the page has drawn the last change: two frames of the browser."""
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def await_text(self, text: str) -> None:
        """Waits until the content has this text."""
        self.content.get_by_text(text).first.wait_for()

    def button(self, name: str) -> Locator:
        """Returns a button by its name in the page: "next", "home", "back", "staff", "keep", "language-en", …"""
        return self.page.locator(f'[data-name="{name}"]')

    def press(self, name: str) -> None:
        """Presses a button."""
        self.button(name).tap()

    @property
    def content(self) -> Locator:
        """The text of the content."""
        return self.page.locator("#content")

    @property
    def headline(self) -> str:
        """The text of the headline."""
        return self.content.locator("h1").inner_text()

    @property
    def language(self) -> str:
        """The language that the page declares."""
        return str(self.page.evaluate("document.documentElement.lang"))

    @property
    def stored(self) -> list[str]:
        """The names of the browser's stores that hold data of the page."""
        return list(self.page.evaluate("window.measure.stored()"))

    def pixels_per_mm(self) -> float:
        """CSS pixels of a millimetre on this page."""
        return float(
            self.page.evaluate("parseFloat(getComputedStyle(document.documentElement).getPropertyValue('--mm'))")
        )

    def look(self) -> Look:
        """Measures the present content of the screen."""
        return Look(**self.page.evaluate("window.measure.look()"))

    def _complain(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)
