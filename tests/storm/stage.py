"""The stage of the storm: a hospital of real processes, and its page in one Chromium. Many stories are played on it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import Browser, CDPSession, Page
from playwright.sync_api import Error as BrowserError

from kiosk.demo import hospital
from kiosk.demo.hospital import DemoError, Person
from sync.clock import site_day
from sync.control import ControlError
from sync.ids import new_id
from tests.commands import central_command
from tests.storm.story import BOOKED_ONCE, BOOKED_TWICE, PATIENTS, UNKNOWN
from tests.whole.town import WAIT_S, Town

GLASS = Path(__file__).with_name("glass.js").read_text("utf-8")
SIZE = {"width": 540, "height": 960}
EXAMS = {"s-blood": ("Blood test", "Room 21"), "s-xray": ("X-ray", "Room 22")}
PHONE = Person("", "08c0ffee", "", 0)  # a card with a random id: it is refused
BOOKED = {BOOKED_TWICE: ("s-blood", "s-xray"), BOOKED_ONCE: ("s-xray",)}


@dataclass(frozen=True)
class Cast:
    """The people of one story: a person per card. The unknown card's holder has no patient id."""

    people: tuple[Person, ...]

    def person(self, card: int) -> Person:
        return self.people[card]

    @property
    def patients(self) -> tuple[Person, ...]:
        return tuple(self.people[card] for card in PATIENTS)


class Stage:
    """A hospital, and its page. `notes` are the notes of the page and of the stage itself, in order."""

    def __init__(self, directory: Path, browser: Browser, stories: int) -> None:
        self.town = Town(directory)
        self.casts = iter([_cast(number) for number in range(stories)])
        self._import(directory, stories)
        self.town.open()
        self.notes: list[dict[str, Any]] = []
        self._holds: list[threading.Thread] = []
        self.online = True
        self.context = browser.new_context(viewport=SIZE, reduced_motion="reduce", has_touch=True)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(WAIT_S * 1000)
        self.cdp: CDPSession = self.context.new_cdp_session(self.page)
        self.cdp.send("Runtime.enable")
        self.cdp.on("Runtime.bindingCalled", self._take_note)
        self.cdp.send("Runtime.addBinding", {"name": "stormNote"})
        self.page.add_init_script(GLASS)
        self.open_page()

    def close(self) -> None:
        self.await_holds()
        self.context.close()
        self.town.close()

    def next_cast(self) -> Cast:
        """People whom no story before has touched, in front of a kiosk that is free, online and has sent everything."""
        self.await_holds()
        self.heal(settles=True)
        self.page.evaluate("storm.leave()")
        self.open_page()
        self.notes.clear()
        return next(self.casts)

    def note(self, kind: str, **fields: object) -> None:
        """Adds a note of the stage. Times are UTC ms, on the clock of the page."""
        self.notes.append({"kind": kind, "t": time.time() * 1000, **fields})

    # The page.

    def open_page(self) -> None:
        """Loads the page from its start, with the settings of nobody."""
        self.page.goto(hospital.page_url(self.town.places))
        self.page.locator("html[data-frame]").wait_for()
        self.note("opened")

    def reload(self) -> None:
        """Loads the page again, as a browser does that was reloaded or has crashed."""
        self.note("reload")
        try:
            self.page.reload()
            self.page.locator("html[data-frame]").wait_for(timeout=5_000)
            self.note("opened")
        except BrowserError:
            self.open_page()

    def ask(self) -> Any:
        """The screen of the daemon now, as the page may ask for it; None where the daemon does not answer."""
        with suppress(BrowserError):
            return self.page.evaluate("storm.ask()")
        return None

    def glass(self) -> Any:
        """What the page shows now."""
        return self.page.evaluate("storm.texts()")

    def _take_note(self, event: dict[str, Any]) -> None:
        self.notes.append(json.loads(event["payload"]))

    # Cards.

    def hold(self, person: Person, *, waits: bool) -> None:
        """Holds a card to the reader through the daemon's socket; the hand takes the card before away first."""
        self.await_holds()
        self._begin_hold(person, close=False)
        if waits:
            self.await_holds()

    def hold_together(self, one: Person, other: Person) -> None:
        """Holds two cards to the reader within some milliseconds.

        Both wait until the card before them has left, so a card that is refused is held before them.
        """
        self.hold(PHONE, waits=True)
        for person in (one, other):
            self._begin_hold(person, close=True)
        self.await_holds()

    def await_holds(self) -> None:
        """Waits for the cards that are being held. The page goes on meanwhile."""
        for thread in self._holds:
            while thread.is_alive():
                self.page.wait_for_timeout(10)
        self._holds.clear()

    def _begin_hold(self, person: Person, *, close: bool) -> None:
        ended = threading.Event()
        self.note("hold", patient=person.patient_id, name=person.masked_name, close=close, ended=ended)
        thread = threading.Thread(target=self._hold, args=(person, ended), daemon=True)
        self._holds.append(thread)
        thread.start()

    def _hold(self, person: Person, ended: threading.Event) -> None:
        with suppress(ControlError):  # the daemon was killed, or the reader is not ready again
            hospital.hold_card(self.town.places, person.uid)
            ended.set()

    # Trouble.

    def cut(self, *, noticed: bool) -> None:
        self.note("cut")
        self.online = False
        self.town.wire.cut()
        if noticed:
            self._wait(lambda: not self.town.status()["online"], "the kiosk never noticed the cut")

    def heal(self, *, settles: bool) -> None:
        self.note("heal")
        self.town.wire.mend()
        if settles or self.online:
            self._wait(self._is_settled, "the kiosk never came back, or never sent everything")
        self.online = True

    def kill(self) -> None:
        """Kills the daemon by SIGKILL, and starts it again. The page finds it by itself, or is opened again."""
        self.note("kill")
        assert self.town.kiosk is not None
        self.town.kiosk.kill()
        self.town.start_kiosk()
        self._wait(lambda: self.town.status()["readers"][0]["state"] == "ready", "the reader is not ready")
        try:
            self.page.wait_for_function(
                "(frame) => Number(document.documentElement.dataset.frame) <= frame", arg=3, timeout=8_000
            )
        except BrowserError:
            self.open_page()
        self.note("started")

    def _is_settled(self) -> bool:
        status = self.town.status()
        return bool(status["online"]) and not status["outbox"]["pending"]

    def _wait(self, condition: Any, failure: str) -> None:
        """Waits while the page goes on."""
        end = time.monotonic() + 2 * WAIT_S
        while True:
            with suppress(ControlError):
                if condition():
                    return
            if time.monotonic() > end:
                raise DemoError(failure)
            self.page.wait_for_timeout(20)

    # Staff.

    def staff(self, act: str, person: Person, state: str) -> bool:
        """Staff act at the centre. Returns whether the centre did it."""
        self.note("staff", act=act, patient=person.patient_id, state=state)
        if act == "delay":
            return self._delay(person)
        if act == "correct":
            return self._post(f"patients/{person.patient_id}/correct/", state=state, reason="storm").ok
        return self.town.perform(person, act).ok

    def _delay(self, person: Person) -> bool:
        entries = self.town.state(person)["queue_details"]
        if not entries:
            return False
        url = f"{self.town.places.central_url}/api/v1/queue/{entries[0]['queue_id']}/"
        body = {"state": "delayed", "reason": "storm", "action_id": new_id()}
        return self.town.staff.patch(url, json=body, timeout=30).ok

    def _post(self, path: str, **body: object) -> requests.Response:
        url = f"{self.town.places.central_url}/api/v1/{path}"
        return self.town.staff.post(url, json={**body, "action_id": new_id()}, timeout=30)

    # The people.

    def _import(self, directory: Path, stories: int) -> None:
        file = directory / "storm.json"
        file.write_text(json.dumps(_document(stories)), "utf-8")
        central_command(self.town.places, "import", str(file))
        self.town.people = [*self.town.people, *(p for n in range(stories) for p in _cast(n).patients if p.booked)]


@contextmanager
def stage(directory: Path, browser: Browser, stories: int) -> Iterator[Stage]:
    """A stage with people for so many stories."""
    made = Stage(directory, browser, stories)
    try:
        yield made
    finally:
        made.close()


def _cast(number: int) -> Cast:
    people = [
        Person(f"S-{number:04d}-{card}", f"04{number:08x}{card:02x}aa", f"A{number}x*{card}", len(BOOKED.get(card, ())))
        for card in PATIENTS
    ]
    return Cast((*people, Person("", f"04{number:08x}{UNKNOWN:02x}aa", "", 0)))


def _document(stories: int) -> dict[str, Any]:
    """The hospital document of the casts: invented people, with bookings of today."""
    day = site_day(int(time.time() * 1000), "Asia/Seoul", "04:00")
    patients = [person for number in range(stories) for person in _cast(number).patients]
    return {
        "site": {"name": "가상 병원", "desk": "desk", "languages": ["en", "ko"]},
        "exams": [
            {"exam_id": exam_id, "title": label, "public_label": label, "room": room, "minutes": 5}
            for exam_id, (label, room) in EXAMS.items()
        ],
        "patients": [
            {
                "patient_id": person.patient_id,
                "name": f"Storm {person.patient_id}",
                "masked_name": person.masked_name,
                "language": "en",
                "cards": [person.uid],
            }
            for person in patients
        ],
        "appointments": [
            {
                "appointment_id": f"{person.patient_id}-{exam_id}",
                "patient_id": person.patient_id,
                "exam_id": exam_id,
                "scheduled_at": f"{day}T{9 + place:02d}:30",
            }
            for person in patients
            for place, exam_id in enumerate(BOOKED.get(PATIENTS.index(int(person.patient_id[-1])), ()))
        ],
    }
