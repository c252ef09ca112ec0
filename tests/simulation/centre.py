"""The centre of a schedule: the real services on a real file. It can die, be restored and get new rules."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Collection
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec

from sync.cards import CardHash, CardKey
from sync.central import centre as product
from sync.central.imports.context import ImportContext
from sync.central.imports.outcomes import RowOutcome
from sync.central.imports.parts import AppointmentPart, Kind, read_part
from sync.central.imports.take_booking import take_booking
from sync.central.imports.take_complete_day import take_complete_day
from sync.central.kiosks.answering import Pulled
from sync.central.kiosks.lookup import look_up
from sync.central.kiosks.pull import PullService
from sync.central.kiosks.push import receive_batch
from sync.central.kiosks.take_in import AT_ONCE, take_in
from sync.central.maintenance.backup import back_up
from sync.central.maintenance.card_rotation import begin_rotation, publish_all, walk_on, walk_portion
from sync.central.maintenance.housekeeping import close_days, lapse_late_bookings
from sync.central.maintenance.incarnation import open_incarnation, update_marker
from sync.central.opening import read_site_keys
from sync.central.operations.desk import OPERATOR
from sync.central.operations.hospital import hospital_operations
from sync.central.records.definitions import SUPPORTED_BEFORE, put_in_force
from sync.central.records.journeys import read_journey
from sync.central.records.site import read_site
from sync.central.services.answers import Answer
from sync.central.services.bind_card import BINDING, bind_card
from sync.central.services.block_card import BLOCK, UNBLOCK, block_card, unblock_card
from sync.central.services.change_entry import change_entry, correct_journey
from sync.central.services.change_place import give_priority, move
from sync.central.services.inbox import list_cases, settle
from sync.central.services.merge import merge_patients
from sync.central.services.perform_action import perform
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.central.services.settle_waits import settle_waits
from sync.central.services.take_word import take_word
from sync.central.services.told import Told
from sync.central.services.undo_press import undo_press
from sync.central.services.word_bodies import read_word
from sync.central.store.errors import StaleJourney
from sync.central.web.kiosk_contracts import STATUS
from sync.journey.definitions import read, shipped
from sync.journey.model import STAFF, Actor, Journey, Role
from sync.protocol import CallRefused, EndCode, Enrolment, LookupRequest, PullRequest, PushRequest, VerdictRow
from sync.set_aside import read_lines
from tests.simulation.crashes import FragileCentreStore, Fuse
from tests.simulation.hospital import CARDS, CENTRE_FILE, EVERYTHING, KEY_FILE, cards_of, enrolled
from tests.site_rules import with_changed
from tests.sync.central.wire import read_page

AT_THE_DESK = Requester(STAFF, "desk", "rest")
FILES = (CENTRE_FILE, f"{CENTRE_FILE}-wal")


OTHER_SYSTEM = Requester(Actor(Role.INTEGRATION), "integration:old", "legacy")


class Centre:
    """One centre in a directory."""

    def __init__(self, home: Path, clock: Callable[[], int], ids: Callable[[], str], page: int) -> None:
        self.home = home
        self.clock, self.ids, self.page = clock, ids, page
        self.fuse = Fuse()
        self.definitions = shipped()
        self.open()

    def open(self) -> None:
        """Starts the service."""
        self.store = FragileCentreStore(self.home / CENTRE_FILE, self.fuse)
        open_incarnation(self.store, self.clock)
        with self.store.write() as db:
            self.definitions = put_in_force(db, self.definitions, self.clock())
            keys = read_site_keys(self.home / KEY_FILE, db)
        self.parts = product.Centre(self.store, keys, self.definitions, self.clock, self.ids)
        publish_all(self.parts)
        self.pulls = PullService(self.parts, page=self.page)

    def reopen(self) -> None:
        """The process has died, and another one starts on its file."""
        self.fuse.put_out()
        self.store.close()
        self.open()

    def handle(self, kiosk_id: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Answers a call as received over the wire. Returns the HTTP status and the body."""
        try:
            outcome = self._outcome(kiosk_id, path, body)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            outcome = CallRefused(code=EndCode.MALFORMED, error="the body is no message of this protocol")
        except (sqlite3.OperationalError, StaleJourney):
            outcome = CallRefused(code=EndCode.TRY_LATER, error="the centre is busy; try later", retry_after_s=1.0)
        status = STATUS[outcome.code] if isinstance(outcome, CallRefused) else HTTPStatus.OK
        return status, msgspec.json.encode(outcome)

    def _outcome(self, kiosk_id: str, path: str, body: bytes) -> object:
        if path.endswith("/push"):
            return receive_batch(self.parts, kiosk_id, msgspec.json.decode(body, type=PushRequest))
        if path.endswith("/lookup"):
            return look_up(self.parts, kiosk_id, msgspec.json.decode(body, type=LookupRequest))
        found = self.pulls.pull(kiosk_id, msgspec.json.decode(body, type=PullRequest))
        return read_page(found) if isinstance(found, Pulled) else found

    def is_guest(self, patient_id: str) -> bool:
        """Whether a kiosk has looked a patient up today."""
        with self.store.read() as db:
            row = db.row("select site_day from roster_guests where patient_id = :patient_id", patient_id=patient_id)
            return row is not None and row["site_day"] == self.today()

    def enrol(self, kiosk_id: str, prefix: str) -> Enrolment:
        """A new kiosk of this site, with every grant."""
        return enrolled(self.store, kiosk_id, prefix, EVERYTHING, self.clock(), self.parts.keys.published)

    def take_in(self, file: Path) -> list[VerdictRow]:
        """Takes in a file of actions that a kiosk has set aside, as the command does."""
        actions, verdicts = read_lines(file.read_bytes().splitlines(keepends=True)).actions, []
        for first in range(0, len(actions), AT_ONCE):
            with self.store.write() as db:
                verdicts += take_in(db, self.parts, actions[first : first + AT_ONCE])
        return verdicts

    def of_calls(self) -> list[list[tuple[Any, ...]]]:
        """The rows that a call of a kiosk may change, but for the journeys."""
        tables = ("kiosks", "chains", "receipts", "verdicts", "exceptions", "incarnation")
        return [[tuple(row) for row in self.rows(f"select * from {table}")] for table in tables]

    def tick(self) -> None:
        """Does the work that the service does by itself every few seconds."""
        update_marker(self.store)
        walk_on(self.parts)
        close_days(self.parts, self.today())
        lapse_late_bookings(self.parts)
        settle_waits(self.parts)

    def today(self) -> str:
        """The day of the site."""
        with self.store.read() as db:
            return read_site(db).day(self.clock())

    def journey(self, patient_id: str) -> Journey | None:
        """A patient's journey, as of today."""
        with self.store.read() as db:
            return read_journey(db, self.definitions, patient_id, read_site(db).day(self.clock()))

    def rows(self, sql: str, **parameters: object) -> list[sqlite3.Row]:
        """Reads rows of the database."""
        with self.store.read() as db:
            return db.rows(sql, **parameters)

    def staff(self, action_id: str, action_type: str, patient_id: str, payload: dict[str, object]) -> Answer:
        """An action at the desk."""
        return perform(self.parts, AT_THE_DESK, patient_id, ActionRequest(action_type, action_id, payload))

    def let_decide(self, action_type: str, decider: str) -> None:
        """An operator says who decides an action."""
        hospital_operations(self.parts, OPERATOR)["site"]({"decides": [f"{action_type}={decider}"]})

    def elsewhere(self) -> tuple[str, ...]:
        """The actions that the other system decides."""
        with self.store.read() as db:
            return read_site(db).site.decided_elsewhere

    def word(self, told: dict[str, object]) -> Answer:
        """A word of the other system."""
        request = read_word(told)
        assert isinstance(request, ActionRequest), request
        return take_word(self.parts, OTHER_SYSTEM, request)

    def import_booking(self, fields: dict[str, str]) -> RowOutcome:
        """Takes a row of a booking, as a document of the hospital brings it."""
        part = read_part(Kind.APPOINTMENT, fields)
        assert isinstance(part, AppointmentPart)
        with self.store.write() as db:
            site, now_ms = read_site(db), self.clock()
            context = ImportContext(db, self.definitions, self.parts.keys, site, site.day(now_ms), now_ms, self.ids)
            return take_booking(context, part)

    def import_day(self, named: list[str]) -> int:
        """Takes today, with every booking of it named. Returns the number of bookings that were cancelled."""
        return take_complete_day(self.parts, self.today(), named, force=True, check=False)[0]

    def change_entry(self, action_id: str, queue_id: str, state: str) -> Answer:
        """A direct change of an entry at the desk."""
        return change_entry(
            self.parts, AT_THE_DESK, queue_id, ActionRequest("change_entry", action_id, {"state": state})
        )

    def undo(self, action_id: str, undoes: str) -> Answer:
        """Staff undo a press."""
        return undo_press(self.parts, AT_THE_DESK, ActionRequest("undo_press", action_id, {"undoes": undoes}))

    def prioritise(self, action_id: str, queue_id: str, kind: str) -> Answer:
        """Staff let a patient go first, or no longer."""
        payload = {"kind": kind, "reason": "seen"}
        return give_priority(self.parts, AT_THE_DESK, queue_id, ActionRequest("set_priority", action_id, payload))

    def move_entry(self, action_id: str, queue_id: str, exam_id: str, place: str) -> Answer:
        """Staff move an entry to another line, or within its own."""
        payload = {"exam_id": exam_id, "place": place}
        return move(self.parts, AT_THE_DESK, queue_id, ActionRequest("move_entry", action_id, payload))

    def correct(self, action_id: str, patient_id: str, state: str) -> Answer:
        """Staff correct a patient's journey."""
        request = ActionRequest("correct", action_id, {"state": state, "reason": "seen"})
        return correct_journey(self.parts, AT_THE_DESK, patient_id, request)

    def cases(self) -> list[dict[str, Any]]:
        """The cases in the exception inbox."""
        listed = list_cases(self.parts)
        assert isinstance(listed, Told)
        return list(msgspec.to_builtins(listed.value)["exceptions"])

    def settle(self, action_id: str, exception_id: str, how: str, patient_id: str, *, bind: bool = False) -> Answer:
        """Staff settle a case of the exception inbox."""
        payload = {"how": how, "reason": "looked at", "patient_id": patient_id, "bind": bind}
        return settle(self.parts, AT_THE_DESK, exception_id, ActionRequest("settle", action_id, payload))

    def merge(self, action_id: str, kept: str, gone: str) -> Answer:
        """Staff merge two records of one person."""
        return merge_patients(self.parts, AT_THE_DESK, kept, ActionRequest("merge", action_id, {"patient_id": gone}))

    def bind_card(self, action_id: str, patient_id: str, cards: tuple[CardHash, ...]) -> Answer:
        """Staff bind a card to a patient."""
        payload = {"patient_id": patient_id, "tag_id": f"{cards[0].key_id}:{cards[0].uid_hash}"}
        return bind_card(self.parts, AT_THE_DESK, patient_id, ActionRequest(BINDING, action_id, payload, cards))

    def block_card(self, action_id: str, cards: tuple[CardHash, ...]) -> Answer:
        """Staff block a card that was reported lost."""
        payload = {"reason": "lost", "tag_id": f"{cards[0].key_id}:{cards[0].uid_hash}"}
        return block_card(self.parts, AT_THE_DESK, ActionRequest(BLOCK, action_id, payload, cards))

    def unblock_card(self, action_id: str, cards: tuple[CardHash, ...]) -> Answer:
        """Staff unblock a card that was found."""
        payload = {"reason": "found", "tag_id": f"{cards[0].key_id}:{cards[0].uid_hash}"}
        return unblock_card(self.parts, AT_THE_DESK, ActionRequest(UNBLOCK, action_id, payload, cards))

    def back_up(self, into: Path) -> None:
        """Makes a backup by the service itself. The kiosks learn which actions it covers."""
        into.mkdir()
        back_up(self.store, into / CENTRE_FILE)

    def copy(self, into: Path) -> None:
        """Copies the files without the service. The kiosks do not learn of it."""
        into.mkdir()
        for name in FILES:
            if (self.home / name).exists():
                shutil.copyfile(self.home / name, into / name)

    def restore(self, backup: Path) -> None:
        """Replaces the database by a backup, and starts the service on it.

        The service ticks before it ends: the detection of a restore may miss the last ten seconds before the end, and
        this simulation does not test them.
        """
        update_marker(self.store)
        self.store.close()
        for name in FILES:
            (self.home / name).unlink(missing_ok=True)
            if (backup / name).exists():
                shutil.copyfile(backup / name, self.home / name)
        self.open()

    def rotate(self) -> None:
        """An operator begins a rotation of the card keys. The new key is of the schedule, so a seed replays exactly."""

        def next_key(taken: Collection[str]) -> CardKey:
            return CardKey(f"k{len(taken) + 1}", f"{len(taken) + 1:064x}")

        begin_rotation(self.parts, "operator", next_key)

    def walk(self, at_once: int) -> None:
        """Goes on with the rotation by one transaction of so many rows."""
        walk_portion(self.parts, at_once)

    def cards_of_bindings(self) -> dict[str, str]:
        """The card of each binding, ended ones included, as far as its hash is that of a known card."""
        found = {}
        for card in CARDS:
            for stored in self.parts.keys.stored(cards_of(card)):
                rows = self.rows(
                    "select binding_id from binding_hashes where key_id = :key_id and uid_hash = :uid_hash",
                    key_id=stored.key_id,
                    uid_hash=stored.uid_hash,
                )
                found |= {row["binding_id"]: card for row in rows}
        return found

    def change_rules(self, *, still_judges_by_old: bool) -> None:
        """An upgrade of the rules: a patient who is paying may leave. The kiosks get the rules with their next pull."""
        before = self.definitions
        moves = {**before.actions["leave_hospital"].moves, "PAYMENT": "UNREGISTERED"}
        version = before.version + (1 if still_judges_by_old else SUPPORTED_BEFORE + 1)
        document = with_changed({**before.document, "version": version}, "leave_hospital", moves=moves)
        self.definitions = read(document)
        self.reopen()
