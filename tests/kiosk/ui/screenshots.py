"""Takes the README's pictures of the screen: `python -m tests.kiosk.ui.screenshots docs/screens`."""

from __future__ import annotations

import sys
from pathlib import Path

from kiosk.config import DisplaySection
from tests.components import chromium
from tests.kiosk.ui.browser import Kiosk, running
from tests.kiosk.ui.conftest import serving
from tests.kiosk.ui.scenes import MAIN, number_of_a_foreigner
from tests.kiosk.ui.staged import StagedCounter

PICTURES = {
    "attract": MAIN["attract"],
    "greeting": MAIN["greeting"],
    "number": MAIN["number"],
    "offline": MAIN["offline"],
    "english": number_of_a_foreigner,
}


def take(folder: Path) -> list[Path]:
    """Writes one PNG per scene, at half the size of the screen. Returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    counter = StagedCounter()
    width, height = DisplaySection().resolution
    taken = []
    with running(chromium()) as browser, serving(counter) as server:
        # A window of half the size shows the same page at half the pixels per millimetre.
        kiosk = Kiosk(browser, server.url, (width // 2, height // 2)).open()
        for name, scene in PICTURES.items():
            kiosk.await_frame(counter.begin().frame)
            kiosk.await_frame(scene(counter).frame)
            path = folder / f"{name}.png"
            kiosk.page.screenshot(path=path)
            taken.append(path)
        kiosk.close()
    return taken


if __name__ == "__main__":
    for path in take(Path(sys.argv[1])):
        print(f"{path}: {path.stat().st_size // 1024} kB")
