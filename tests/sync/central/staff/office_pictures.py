"""Takes the pictures of people, access log, worklist and card desk.

python -m tests.sync.central.staff.office_pictures docs/screens
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser

from sync.central.records.duties import Duty
from tests.components import chromium
from tests.kiosk.ui.browser import running
from tests.sync.central.online import API, Online
from tests.sync.central.staff.board_pictures import ward
from tests.sync.central.staff.people import Person, headers_of, person, signed_in

LOCALES = {"ko": "ko-KR", "en": "en-US"}
PAGES = {
    "people": ("/staff/people", "#people li"),
    "log": ("/staff/log", "#rows tbody tr"),
    "worklist": ("/staff/worklist?exam_id=echo", "#sheets tbody tr"),
    "desk": ("/staff/desk", "#desk[data-ready]"),
}


def take(folder: Path) -> list[Path]:
    """Writes a picture of each page for each language. Returns the paths."""
    with tempfile.TemporaryDirectory() as place, running(chromium()) as browser:
        online = Online(Path(place), centre=ward(Path(place)))
        who = person(online, *Duty, name="최관리", login="choi.admin")
        for name, login, duty in (
            ("김미정", "kim.mj", Duty.EXAM_ROOM),
            ("이서연", "lee.sy", Duty.RECEPTION),
            ("박준호", "park.jh", Duty.EXAM_ROOM),
        ):
            nurse = person(online, duty, name=name, login=login)
            headers = headers_of(online, nurse)
            for patient_id in ("100001", "100002"):
                online.call("GET", f"{API}/patients/{patient_id}/day/", headers=headers)
            online.centre.clock.now_ms += 60_000
        taken = [_picture(browser, online, who, folder, name, language) for name in PAGES for language in LOCALES]
        online.close()
    return taken


def _picture(browser: Browser, online: Online, who: Person, folder: Path, name: str, language: str) -> Path:
    path, drawn = PAGES[name]
    with signed_in(browser, online, who, "/staff/me", locale=LOCALES[language]) as page:
        page.goto(f"http://{online.host}{path}")
        page.locator(drawn).first.wait_for()
        if name == "desk":
            page.fill("#desk-text", "김민준")
            page.keyboard.press("Enter")
            page.locator("#desk-name").wait_for()
        taken = folder / f"{name}-{language}.png"
        page.screenshot(path=taken)
        return taken


if __name__ == "__main__":
    for each in take(Path(sys.argv[1])):
        print(each)
