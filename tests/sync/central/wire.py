"""A small hospital with its kiosks: the real stores and services of both ends, under a clock that the test moves."""

from __future__ import annotations

import queue
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from kiosk.journey.journeys import ActionOutcome
from kiosk.store import outbox, patients
from kiosk.store.sqlite import Store as KioskStore
from sync.agent.client import Accepted, NoAnswer
from sync.agent.cycle import Puller, Pusher
from sync.agent.lookup import Lookups
from sync.cards import CardHash, CardKey, CardKeys, canonical_card, write_keys
from sync.central import centre as product
from sync.central.imports.whole import read_hospital, take_hospital
from sync.central.kiosks.answering import Answered, Pulled
from sync.central.kiosks.enrolment import enrol, new_code
from sync.central.kiosks.lookup import look_up
from sync.central.kiosks.pull import PullService
from sync.central.kiosks.push import receive_batch
from sync.central.maintenance.card_rotation import publish_all
from sync.central.maintenance.incarnation import open_incarnation
from sync.central.maintenance.restore_dump import restore_dump
from sync.central.opening import read_site_keys
from sync.central.records.bindings import BindingOrigin, BindingSource
from sync.central.records.definitions import put_in_force
from sync.central.records.incarnation import read_incarnation
from sync.central.records.journeys import read_journey
from sync.central.records.site import read_site
from sync.central.services.answers import Answer
from sync.central.services.bind_card import BINDING, bind_card
from sync.central.services.bindings import list_bindings
from sync.central.services.block_card import BLOCK, UNBLOCK, block_card, unblock_card
from sync.central.services.change_entry import change_entry, correct_journey
from sync.central.services.end_binding import ENDING, end_binding
from sync.central.services.foresee_case import Foreseen, preview_case
from sync.central.services.inbox import list_cases, settle
from sync.central.services.merge import merge_patients
from sync.central.services.perform_action import perform
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.central.services.told import Told
from sync.central.web.kiosk_api import MAX_PUSH
from sync.clock import ClockReading, local_ms
from sync.ids import new_id
from sync.journey.definitions import ENTRANCE, Definitions, shipped
from sync.journey.model import STAFF, Journey, PatientId
from sync.protocol import (
    CallRefused,
    Code,
    EndCode,
    Enrolment,
    EnrolRequest,
    LookupAnswer,
    LookupRequest,
    PullAnswer,
    PullRequest,
    PushAnswer,
    PushRequest,
    Verdict,
)
from tests.kiosk.parts import KioskParts
from tests.sync.central.databases import Database

ZONE = "Asia/Seoul"
DAY = "2026-03-02"
KEYS = CardKeys((CardKey("k1", "11" * 32),))
PATIENTS = ("P1", "P2", "P3")
MINUTE = 60_000
BY_STAFF = BindingSource(BindingOrigin.DESK, "desk")
AT_THE_DESK = Requester(STAFF, "desk", "rest")
EVERYTHING = tuple(shipped().actions_by("patient"))


@dataclass
class Time:
    """The one true time of a test (UTC ms)."""

    now_ms: int = local_ms(DAY, "09:00", ZONE)

    def __call__(self) -> int:
        return self.now_ms

    def pass_minutes(self, minutes: float) -> None:
        self.now_ms += int(minutes * MINUTE)


def uid(patient_id: str) -> bytes:
    """The card that the demo patient holds."""
    return patient_id.encode().rjust(4, b"\0")


def cards_of(patient_id: str, keys: CardKeys = KEYS) -> tuple[CardHash, ...]:
    """The same card as its keyed hashes."""
    return keys.hashes(canonical_card("iso14443a", uid(patient_id)))


def hospital(day: str = DAY) -> dict[str, object]:
    """Three patients: two bookings, one booking, none; a desk and two exams."""
    return {
        "site": {"name": "Test", "desk": "DESK", "ticket_prefix": "C"},
        "exams": [
            {"exam_id": "DESK", "title": "Desk", "public_label": "Desk", "room": "0"},
            {"exam_id": "X", "title": "X-ray of the chest", "public_label": "Radiology", "room": "1"},
            {"exam_id": "E", "title": "Echocardiogram", "public_label": "Cardiology", "room": "2"},
        ],
        "patients": [
            {"patient_id": patient_id, "name": f"Person {patient_id}", "cards": [uid(patient_id).hex()]}
            for patient_id in PATIENTS
        ],
        "appointments": [
            {"appointment_id": "A1", "patient_id": "P1", "exam_id": "X", "scheduled_at": f"{day}T10:00"},
            {"appointment_id": "A2", "patient_id": "P1", "exam_id": "E", "scheduled_at": f"{day}T15:00"},
            {"appointment_id": "A3", "patient_id": "P2", "exam_id": "X", "scheduled_at": f"{day}T11:00"},
        ],
    }


@dataclass
class Centre:
    """The centre, over a real database: the file at the path, or another one that is named."""

    path: Path
    time: Time
    definitions: Definitions = field(default_factory=shipped)
    page: int = 200
    database: Database | None = None

    def __post_init__(self) -> None:
        self.database = self.database or Database(f"sqlite:///{self.path}")
        self.open()
        with self.store.write() as db:
            if read_incarnation(db) is not None:
                return
            db.execute("insert into incarnation values (1, 'first', 'secret')")
            take_hospital(db, self.definitions, self.parts.keys, read_hospital(hospital()), self.time())

    def open(self) -> None:
        """Opens the database, as a start of the service does."""
        self.store = self.database.open()
        with self.store.write() as db:
            self.definitions = put_in_force(db, self.definitions, self.time())
        keys = self.path.with_suffix(".keys")
        if not keys.exists():
            write_keys(keys, KEYS)
        with self.store.read() as db:
            site_keys = read_site_keys(keys, db)
        self.parts = product.Centre(self.store, site_keys, self.definitions, self.time)
        publish_all(self.parts)
        self.pulls = PullService(self.parts, page=self.page)

    def pull(self, kiosk_id: str, request: PullRequest) -> PullAnswer | CallRefused:
        """The answer to a pull, as its kiosk reads it. It comes at once, or after `wait_s` at the latest."""
        answers: queue.SimpleQueue[Answered | Exception] = queue.SimpleQueue()
        self.pulls.wait(kiosk_id, request, answers.put)
        return as_read(answers.get())

    @property
    def site_id(self) -> str:
        """The site of this centre."""
        with self.store.read() as db:
            return read_site(db).site_id

    def today(self) -> str:
        """The day of the site."""
        with self.store.read() as db:
            return read_site(db).day(self.time())

    def enrol(self, prefix: str = "", actions: tuple[str, ...] = (), kiosk_id: str = "", kept: int = 0) -> Enrolment:
        """A new kiosk of the site."""
        with self.store.write() as db:
            request = EnrolRequest(
                code=new_code(db, self.time(), actions or (ENTRANCE,)),
                kiosk_id=kiosk_id,
                ticket_prefix=prefix,
                actions=actions,
                site_id=read_site(db).site_id if kept else "",
                kept=kept,
            )
            made = enrol(
                db, read_site(db), self.definitions, self.parts.keys.published, request, "127.0.0.1", self.time()
            )
        assert isinstance(made, Enrolment)
        return made

    def journey(self, patient_id: str) -> Journey:
        """A patient's journey at the centre."""
        with self.store.read() as db:
            journey = read_journey(db, self.definitions, patient_id, read_site(db).day(self.time()))
        assert journey is not None
        return journey

    def staff(self, action_type: str, patient_id: str, **payload: object) -> Answer:
        """An action at the desk."""
        return perform(self.parts, AT_THE_DESK, patient_id, ActionRequest(action_type, new_id(), payload))

    def change_entry(self, queue_id: str, state: str) -> Answer:
        """A change of an entry at the desk."""
        return change_entry(
            self.parts, AT_THE_DESK, queue_id, ActionRequest("change_entry", new_id(), {"state": state})
        )

    def merge(self, kept: str, gone: str) -> Answer:
        """Staff merge two records of one person."""
        return merge_patients(self.parts, AT_THE_DESK, kept, ActionRequest("merge", new_id(), {"patient_id": gone}))

    def correct(self, patient_id: str, state: str, reason: str = "a mistake") -> Answer:
        """Staff correct a patient's journey."""
        ask = ActionRequest("correct_journey", new_id(), {"state": state, "reason": reason})
        return correct_journey(self.parts, AT_THE_DESK, patient_id, ask)

    def settle(self, how: str, code: str | None = None, **more: object) -> Answer:
        """Staff settle the oldest open case, or the oldest with that code."""
        return self.settle_case(self.case_with(code), how, **more)

    def settle_case(self, exception_id: str, how: str, **more: object) -> Answer:
        """Staff settle a case."""
        ask = ActionRequest("settle", new_id(), {"how": how, "reason": "", "patient_id": None, **more})
        return settle(self.parts, AT_THE_DESK, exception_id, ask)

    def case_with(self, code: str | None = None) -> str:
        """The oldest open case, or the oldest with that code."""
        listed = list_cases(self.parts)
        assert isinstance(listed, Told)
        found = [each for each in msgspec.to_builtins(listed.value)["exceptions"] if code in (None, each["code"])]
        return str(found[0]["exception_id"])

    def preview(self, how: str, code: str | None = None, **more: object) -> Foreseen:
        """What staff are told that the settlement of that case would do."""
        told = preview_case(self.parts, AT_THE_DESK, self.case_with(code), {"how": how, "reason": "-", **more})
        assert isinstance(told, Told)
        assert isinstance(told.value, Foreseen)
        return told.value

    def bind_card(self, card: str, patient_id: str) -> Answer:
        """Staff bind a card to a patient."""
        return bind_card(self.parts, AT_THE_DESK, patient_id, self._about_card(BINDING, card, patient_id=patient_id))

    def end_bindings(self, patient_id: str) -> Answer:
        """Staff take the one card of a patient."""
        found = list_bindings(self.parts, patient_id)
        assert isinstance(found, Told)
        (held,) = msgspec.to_builtins(found.value)["bindings"]
        ask = ActionRequest(ENDING, new_id(), {"reason": ""})
        return end_binding(self.parts, AT_THE_DESK, patient_id, held["binding_id"], ask)

    def block_card(self, card: str) -> Answer:
        """Staff block a card that was reported lost."""
        return block_card(self.parts, AT_THE_DESK, self._about_card(BLOCK, card, reason="lost"))

    def unblock_card(self, card: str) -> Answer:
        """Staff unblock a card that was found."""
        return unblock_card(self.parts, AT_THE_DESK, self._about_card(UNBLOCK, card, reason="found"))

    def _about_card(self, action_type: str, card: str, **payload: object) -> ActionRequest:
        cards = cards_of(card)
        return ActionRequest(action_type, new_id(), {"tag_id": f"k1:{cards[0].uid_hash}", **payload}, cards)

    def restore(self, backup: Path) -> None:
        """The service stops, that file replaces its database, and the service starts again."""
        self.store.close()
        if self.database.is_postgresql:
            restore_dump(self.store.place, backup)
        else:
            for suffix in ("", "-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
            shutil.copy(backup, self.path)
        self.open()
        open_incarnation(self.store, self.time)

    def rows(self, sql: str, **parameters: object) -> list[dict[str, object]]:
        """The rows of a query."""
        with self.store.read() as db:
            return [dict(row) for row in db.rows(sql, **parameters)]

    def open_cases(self) -> list[str]:
        """The codes of the open cases."""
        rows = self.rows("select code from exceptions where settled_ms is null order by opened_ms, exception_id")
        return [str(row["code"]) for row in rows]


def as_read(answer: Answered | Exception) -> PullAnswer | CallRefused:
    """What a kiosk reads of an answer to its pull."""
    if isinstance(answer, Exception):
        raise answer
    return answer if isinstance(answer, CallRefused) else read_page(answer)


def read_page(pulled: Pulled) -> PullAnswer:
    """The page that a kiosk reads."""
    return msgspec.json.decode(msgspec.json.encode(pulled.head)[:-1] + b"," + pulled.rows.members, type=PullAnswer)


class Wire:
    """A kiosk's connection to the centre: direct calls with real JSON. It can lose requests and answers."""

    def __init__(self, centre: Centre, kiosk_id: str) -> None:
        self.centre = centre
        self.kiosk_id = kiosk_id
        self.lose_requests = 0
        self.lose_replies = 0
        self.heard: list[CallRefused] = []

    def push(self, request: PushRequest, _: object = None) -> Accepted[PushAnswer] | CallRefused | NoAnswer:
        if self.lose_requests:
            self.lose_requests -= 1
            return NoAnswer("lost")
        sent = msgspec.json.encode(request)
        if len(sent) > MAX_PUSH:
            return self._back(CallRefused(code=EndCode.MALFORMED, error="request entity too large"), PushAnswer)
        arrived = msgspec.json.decode(sent, type=PushRequest)
        return self._back(receive_batch(self.centre.parts, self.kiosk_id, arrived), PushAnswer)

    def pull(self, request: PullRequest) -> Accepted[PullAnswer] | CallRefused | NoAnswer:
        arrived = msgspec.json.decode(msgspec.json.encode(request), type=PullRequest)
        return self._back(self.centre.pull(self.kiosk_id, arrived), PullAnswer)

    def close(self) -> None:
        """Does nothing: there is no connection."""

    def look_up(self, request: LookupRequest) -> Accepted[LookupAnswer] | CallRefused | NoAnswer:
        arrived = msgspec.json.decode(msgspec.json.encode(request), type=LookupRequest)
        return self._back(look_up(self.centre.parts, self.kiosk_id, arrived), LookupAnswer)

    def _back(self, answer: object, answer_type: type) -> Accepted | CallRefused | NoAnswer:
        if self.lose_replies:
            self.lose_replies -= 1
            return NoAnswer("lost")
        if isinstance(answer, CallRefused):
            self.heard.append(answer)
            return answer
        return Accepted(msgspec.json.decode(msgspec.json.encode(answer), type=answer_type))


class Kiosk:
    """A kiosk's store and journey service, with the real push and pull steps."""

    def __init__(
        self,
        path: Path,
        centre: Centre,
        prefix: str,
        actions: tuple[str, ...] = (),
        *,
        wall_offset_ms: int = 0,
        synchronised: bool = True,
    ) -> None:
        self.path = path
        self.centre = centre
        self.time = centre.time
        self.wall_offset_ms = wall_offset_ms
        self.synchronised = synchronised
        self.boot = new_id()
        self.store = KioskStore(path)
        self.parts = KioskParts(self.store, self.clock)
        self.journeys, self.ledger = self.parts.journeys, self.parts.ledger
        if self.journeys.identity is None:
            self.ledger.enrol(centre.enrol(prefix, actions))
        self.connect()

    def connect(self) -> None:
        """A fresh client for the identity that the kiosk has."""
        assert self.journeys.identity is not None
        self.wire = Wire(self.centre, self.journeys.identity.kiosk_id)
        self.pusher = Pusher(self.ledger, self.wire)  # type: ignore[arg-type]
        self.puller = Puller(self.ledger, self.wire, wait_s=0)  # type: ignore[arg-type]

    def clock(self) -> ClockReading:
        now = self.time()
        return ClockReading(now + self.wall_offset_ms, now - 1_000_000, self.boot, self.synchronised)

    def reboot(self) -> None:
        """Another boot: the monotonic clock starts again."""
        self.boot = new_id()

    def tap(self, patient_id: str, *automatic: str) -> ActionOutcome | None:
        return self.journeys.tap(cards_of(patient_id), automatic or ("scan_nfc",))

    def look_up(self, patient_id: str) -> bool:
        """Asks the centre who holds a patient's card. Returns whether the centre answered."""
        lookups = Lookups(self.ledger, lambda: self.wire, lambda *_: None)  # type: ignore[arg-type, return-value]
        return lookups.run_once(cards_of(patient_id))

    def check_in_unknown(self, card: str) -> ActionOutcome:
        """The holder of an unknown card presses "check in"."""
        return self.journeys.check_in_unknown(PatientId(f"card-{new_id()}"), cards_of(card), "scan_nfc", None)

    def act(self, patient_id: str, action_type: str, **payload: object) -> ActionOutcome:
        return self.journeys.act(patient_id, action_type, None, payload)

    def check_in(self, patient_id: str) -> None:
        """A whole check-in: card, registration, arrival."""
        self.tap(patient_id)
        self.act(patient_id, "register")
        self.act(patient_id, "confirm_arrival")

    def push(self) -> None:
        """Pushes until no action is pending."""
        for _ in range(50):
            stepped = self.pusher.run_once()
            if not stepped.again and not stepped.failed:
                return
        raise AssertionError("the outbox does not drain")

    def pull(self) -> None:
        """Pulls until there is nothing new."""
        for _ in range(200):
            before = self.journeys.identity
            self.puller.run_once()
            after = self.journeys.identity
            assert before is not None
            assert after is not None
            if before.cursor == after.cursor and before.server_incarnation == after.server_incarnation:
                return
        raise AssertionError("the roster does not end")

    def sync(self) -> None:
        self.push()
        self.pull()

    def base(self, patient_id: str) -> Journey | None:
        with self.store.read() as db:
            known = patients.read(db, patient_id)
        return known.base if known else None

    def view(self, patient_id: str) -> Journey:
        status = self.journeys.patient_status(patient_id)
        assert status is not None
        return status.journey

    def statuses(self) -> list[tuple[str, str, str | None]]:
        """Action, status and code of every outbox row, oldest first."""
        with self.store.read() as db:
            return [(row.action_type, row.status, row.code) for row in outbox.rows(db)]

    def last(self) -> tuple[Verdict, Code]:
        """The last row's verdict."""
        _, status, code = self.statuses()[-1]
        return Verdict(status), Code(code or "")
