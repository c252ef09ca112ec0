"""The parts that a schedule moves: the centre, the kiosks, the true time, and the account of acknowledged actions."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

from kiosk.journey.journeys import BLOCKED_CARD
from sync.central.days.open_journey import open_journey
from sync.central.records.history import day_end
from sync.central.records.site import read_site
from sync.ids import uuid7
from sync.journey.model import STAFF, PatientId
from sync.journey.rules import available_actions
from tests.simulation.books import Books
from tests.simulation.centre import Centre
from tests.simulation.hospital import (
    CARDS,
    ELSEWHERE,
    EXAM_IDS,
    KIOSKS,
    LIARS_OWN,
    LIED_TO,
    OPENS_MS,
    PATIENTS,
    cards_of,
)
from tests.simulation.kiosk import SimulatedKiosk
from tests.simulation.liar import KIOSK_ID, Liar
from tests.simulation.lies import LIES
from tests.simulation.network import Link
from tests.sync.central.feed.board import Receiver

MINUTE = 60_000
PAGES = (2, 3, 7, 200)  # rows of a page of the roster
LOOKED_UP = 0.7  # of the cards that a kiosk does not know


class World:
    """The world of one schedule, in a directory of its own. It begins as the template of `hospital.make`."""

    def __init__(self, home: Path, template: Path, seed: int, *, lied_to: bool = False) -> None:
        """`lied_to`: one more kiosk tells lies."""
        self.home, self.template = home, template / LIED_TO if lied_to else template
        self.now_ms = OPENS_MS
        self.chance = Random(f"{seed}")
        self.event = 0
        self.log: list[str] = []
        self.actions = 0
        self.done_ms: dict[str, int] = {}  # the true time (UTC ms) of each acknowledged action
        self.faults: Counter[str] = Counter()
        self.books = Books()
        shutil.copytree(self.template, home, dirs_exist_ok=True, ignore=shutil.ignore_patterns(LIED_TO))
        page = self.chance.choice(PAGES)
        self.centre = Centre(home, self.clock, self.new_id, page)
        self.backups = [self._copy_of_template("backup-0")]
        self.kiosks = [self._kiosk(name, f"kiosk-{name}") for name in KIOSKS]
        self.snapshots: dict[str, list[Path]] = {kiosk.name: [] for kiosk in self.kiosks}
        with self.centre.store.read() as db:
            self.site_id = read_site(db).site_id
        self.liar = Liar(self) if lied_to else None
        self.cards, self.patients = CARDS, PATIENTS
        if self.liar:
            self.books.suspect(KIOSK_ID)  # it gives its own numbers as it likes
            self.cards, self.patients = (*CARDS, *LIARS_OWN), (*PATIENTS, *LIARS_OWN)
        self.elsewhere: Centre | None = None  # the other hospital, once a kiosk was there
        self.bound: dict[str, str] = {}  # the card of each binding, as it was before a rotation of the card keys
        self.receiver = Receiver()  # of the hospital's system
        self.files: list[Path] = []  # of kiosks that went there, for this centre

    def clock(self) -> int:
        """The true time (UTC ms)."""
        return self.now_ms

    def new_id(self) -> str:
        """An id from the schedule's chance."""
        return uuid7(self.now_ms, self.chance.randbytes(10))

    def note(self, text: str) -> None:
        """Adds a line to the log, for the person who looks for the cause of a failure."""
        self.log.append(f"{self.event:3} {(self.now_ms - OPENS_MS) // 1000:6}s {text}")

    def happened(self, fault: str) -> None:
        """Counts a fault that has had its effect."""
        self.faults[fault] += 1

    def begin(self, event: int, chance: Random) -> None:
        """Begins the next event with its chance: some time passes, and delayed requests arrive."""
        self.event, self.chance = event, chance
        self.now_ms += chance.randrange(1_000, 90_000)
        for kiosk in self.kiosks:
            kiosk.link.event = event
            self.faults["request delayed"] += kiosk.link.deliver_delayed()
        if event % 5 == 0:
            self.receiver.read(self.centre.parts)
        if event % 12 == 0:
            self.centre.tick()
        if event % 9 == 0 and self.files:
            self.take_in(chance.choice(self.files))

    def close(self) -> None:
        """Closes every file."""
        for kiosk in self.kiosks:
            kiosk.store.close()
        self.centre.store.close()
        if self.elsewhere:
            self.elsewhere.store.close()

    def pick_kiosk(self) -> SimulatedKiosk:
        """Any kiosk."""
        return self.chance.choice(self.kiosks)

    def other_hospital(self) -> Centre:
        """The centre of the other hospital."""
        if self.elsewhere is None:
            self.elsewhere = Centre(self.home / ELSEWHERE, self.clock, self.new_id, 200)
        return self.elsewhere

    def take_in(self, file: Path) -> None:
        """An operator has a file taken in. The files stay, since a restore may lose what came from them."""
        self.books.set_aside |= {row.action_id for row in self.centre.take_in(file)}
        self.note(f"centre: {file.name} is taken in")

    # People.

    def act(self, kiosk: SimulatedKiosk) -> None:
        """A person holds a card to the kiosk and does an offered action. If the kiosk offers none, the next person
        tries.
        """
        first = self.chance.randrange(len(self.cards))
        for place in range(len(self.cards)):
            card = self.cards[(first + place) % len(self.cards)]
            if self._act(kiosk, card):
                return

    def _act(self, kiosk: SimulatedKiosk, card: str) -> bool:
        cards, journeys = cards_of(card), kiosk.journeys
        if kiosk.knows_lost(cards):
            assert journeys.tap(cards, ("scan_nfc",)) is BLOCKED_CARD, "a lost card opened somebody"
            return False
        patient_id = kiosk.parts.patient_of_card(cards)
        if patient_id is None and self.chance.random() < LOOKED_UP:
            kiosk.lookups.run_once(cards)
            patient_id = kiosk.parts.patient_of_card(cards)
        if patient_id is None:
            unknown = PatientId(f"card-{self.new_id()}")
            acted = journeys.check_in_unknown(unknown, cards, "scan_nfc", self.new_id())
            self._acknowledge(kiosk, acted.action_ids, f"{card} checks in unknown")
            return True
        status = journeys.patient_status(patient_id)
        assert status is not None
        if not status.available:
            return False
        action_type = self.chance.choice(status.available)
        if action_type == "scan_nfc":
            found = journeys.tap(cards, ("scan_nfc",))
            assert found is not None
            self._acknowledge(kiosk, found.action_ids, f"{card} taps as {patient_id}")
            return True
        action_id = self.new_id()
        payload = self._payload(action_type)
        acted = journeys.act(patient_id, action_type, action_id, payload, cards)
        self._acknowledge(kiosk, acted.action_ids, f"{card} does {action_type} as {patient_id}")
        if self.chance.random() < 0.1:
            again = journeys.act(patient_id, action_type, action_id, payload, cards)
            assert again == acted, "a repeat was done again"
        return True

    def _payload(self, action_type: str) -> dict[str, str]:
        """The payload of a press. The terminal of a payment gives a receipt, and sometimes the receipt of another."""
        proof = self.centre.definitions.actions[action_type].proof
        return {proof: f"R-{self.chance.randrange(40)}"} if proof else {}

    def _acknowledge(self, kiosk: SimulatedKiosk, action_ids: tuple[str, ...], what: str) -> None:
        self.actions += len(action_ids)
        self.done_ms |= dict.fromkeys(action_ids, self.now_ms)
        self.books.acknowledge(action_ids)
        self.note(f"{kiosk.name}: {what} {' '.join(each[-4:] for each in action_ids)}")

    def staff(self) -> None:
        """Staff do an action that the rules allow, for the first patient for whom the rules allow it."""
        first = self.chance.randrange(len(self.patients))
        kinds = (self._staff_act, self._change_entry, self._settle, self._correct, self._undo, self._change_place)
        do = self.chance.choices(kinds, (14, 3, 2, 1, 3, 3))[0]
        for place in range(len(self.patients)):
            if do(self.patients[(first + place) % len(self.patients)]):
                return

    def _settle(self, patient_id: str) -> bool:
        cases = self.centre.cases()
        if not cases:
            return False
        case = self.chance.choice(cases)
        # Staff who look at what the liar sent do not make it true.
        how = "discard" if case["kiosk_id"] == KIOSK_ID else self.chance.choice(_HOW)
        exception_id = case["exception_id"]
        action_id = self.new_id()
        bind = how == "reassign" and self.chance.random() < 0.5
        answer = self.centre.settle(action_id, exception_id, how, patient_id, bind=bind)
        what = f"{how}{' with its card' if bind else ''}"
        self._staff_did(
            action_id, f"desk: case {exception_id[-4:]}: {what} ({patient_id}) {answer.status}", answer.done
        )
        return answer.done

    def _correct(self, patient_id: str) -> bool:
        action_id, state = self.new_id(), self.chance.choice(self.centre.definitions.journey_states)
        answer = self.centre.correct(action_id, patient_id, state)
        self._staff_did(action_id, f"desk: {patient_id} stands at {state} {answer.status}", answer.done)
        return answer.done

    def _staff_act(self, patient_id: str) -> bool:
        journey = self.centre.journey(patient_id)
        if journey is None:
            return False  # the record was merged into another one
        offered = [each for each in available_actions(self.centre.definitions, journey, STAFF) if each in _DESK]
        if len(offered) > 1 and self.chance.random() < 0.8:
            offered = [each for each in offered if each != "cancel_appointment"]
        if not offered:
            return False
        action_type, action_id = self.chance.choice(offered), self.new_id()
        payload: dict[str, object] = {}
        if action_type == "cancel_appointment" and journey.current is None:
            payload = {"exam_id": journey.appointments[0].exam_id} if journey.appointments else {}
        answer = self.centre.staff(action_id, action_type, patient_id, payload)
        self._staff_did(action_id, f"desk: {action_type} for {patient_id} {answer.status}", answer.done)
        if self.chance.random() < 0.2:
            again = self.centre.staff(action_id, action_type, patient_id, payload)
            assert (again.status, again.body) == (answer.status, answer.body), "a repeat got another answer"
        return answer.done

    def _change_entry(self, patient_id: str) -> bool:
        journey = self.centre.journey(patient_id)
        if journey is None:
            return False
        live = [each for each in journey.entries if each.state in self.centre.definitions.live]
        if not live:
            return False
        entry, state = self.chance.choice(live), self.chance.choice(_ENTRY_STATES)
        action_id = self.new_id()
        answer = self.centre.change_entry(action_id, entry.queue_id, state)
        self._staff_did(action_id, f"desk: entry of {patient_id} to {state} {answer.status}", answer.done)
        return answer.done

    def _change_place(self, patient_id: str) -> bool:
        """Staff let a patient go first, or move the entry to another line."""
        journey = self.centre.journey(patient_id)
        live = [each for each in journey.entries if each.state in self.centre.definitions.live] if journey else []
        if not live:
            return False
        entry, action_id = self.chance.choice(live), self.new_id()
        if self.chance.random() < 0.5:
            kind = self.chance.choice(("", *self.centre.definitions.priorities))
            answer = self.centre.prioritise(action_id, entry.queue_id, kind)
            what = f"priority {kind}"
        else:
            exam_id, place = self.chance.choice(EXAM_IDS), self.chance.choice(("keep", "end"))
            answer = self.centre.move_entry(action_id, entry.queue_id, exam_id, place)
            what = f"moved to {exam_id}, {place}"
        self._staff_did(action_id, f"desk: entry of {patient_id}: {what} {answer.status}", answer.done)
        return answer.done

    def _undo(self, _: str) -> bool:
        """Staff undo one of the last presses, where that is still possible."""
        presses = self.centre.rows("select action_id from presses where undone_ms is null order by change desc limit 3")
        if not presses:
            return False
        undoes, action_id = self.chance.choice(presses)["action_id"], self.new_id()
        answer = self.centre.undo(action_id, undoes)
        self._staff_did(action_id, f"desk: undo of {undoes[-4:]} {answer.status}", answer.done)
        return answer.done

    def _staff_did(self, action_id: str, what: str, done: bool) -> None:
        self.actions += int(done)
        self.note(f"{what} {action_id[-4:]}")

    # The machines.

    def lie(self) -> None:
        """The kiosk that lies tells some lies. The centre has done before what it does by itself."""
        if self.liar is None:
            return
        for _ in range(self.chance.randrange(1, 4)):
            self._settle_down()
            lie = self.chance.choices(LIES, [each.weight for each in LIES])[0]
            lie.tell(self.liar)
            self.liar.lies[lie.name] += 1
            self.note(f"{KIOSK_ID}: {lie.name}")

    def _settle_down(self) -> None:
        """Any call about a patient ends the patient's day and brings bookings forward. That is no effect of a lie."""
        self.centre.tick()
        today = self.centre.today()
        with self.centre.store.write() as db:
            for row in db.rows("select patient_id from patients order by patient_id"):
                open_journey(db, self.centre.definitions, row["patient_id"], today, day_end(self.now_ms))

    def sync(self, kiosk: SimulatedKiosk) -> None:
        """One push or pull step, with a batch of some size."""
        if self.chance.random() < 0.5:
            self.push(kiosk)
        else:
            self.pull(kiosk)

    def push(self, kiosk: SimulatedKiosk) -> None:
        """One push step."""
        if self.chance.random() < 0.3:
            kiosk.pusher.limit = self.chance.randrange(1, 4)
        self.step(kiosk, "push", kiosk.push)

    def pull(self, kiosk: SimulatedKiosk) -> None:
        """One pull step. No page sets a base back, except a reset and a page of a new incarnation."""
        kiosk.link.was_reset, kiosk.link.versions_at_reply = False, kiosk.versions()
        incarnation = kiosk.incarnation()
        survived = self.step(kiosk, "pull", kiosk.pull)
        if survived and not kiosk.link.was_reset and incarnation == kiosk.incarnation():
            after, before = kiosk.versions(), kiosk.link.versions_at_reply
            older = [each for each, version in before.items() if after.get(each, version) < version]
            assert not older, f"{kiosk.name}: a page took {older} back"

    def step(self, kiosk: SimulatedKiosk, name: str, step: Callable[[], object]) -> bool:
        """A step at which the kiosk may die. Returns False where it died."""
        survived = kiosk.survives(step)
        self.note(f"{kiosk.name}: {name}{'' if survived else ' broke'}")
        return survived

    def back_up(self) -> None:
        """Makes a backup of the centre, for a later restore."""
        into = self.home / f"backup-{len(self.backups)}"
        by_service = self.chance.random() < 0.7
        (self.centre.back_up if by_service else self.centre.copy)(into)
        self.backups.append(into)
        if by_service:
            self.books.covered.append((into.name, self.at_centre()))
        self.note(f"centre: {into.name}{'' if by_service else ', a copy'}")

    def at_centre(self) -> frozenset[str]:
        """All actions that the centre has judged."""
        return frozenset(row[0] for row in self.centre.rows("select verdict_id from verdicts"))

    def snapshot(self, kiosk: SimulatedKiosk) -> None:
        """Copies a kiosk's disk, for a later rollback or clone."""
        snapshots = self.snapshots[kiosk.name]
        into = self.home / f"{kiosk.name}-disk-{len(snapshots)}"
        kiosk.snapshot(into)
        snapshots.append(into)
        self.note(f"{kiosk.name}: copy of the disk")

    def lose_copies(self, kiosk: SimulatedKiosk) -> None:
        """Deletes all copies of the disks of this kiosk and its clones."""
        for each in self.kiosks:
            if each.link.kiosk_id == kiosk.link.kiosk_id:
                for copy in self.snapshots[each.name]:
                    shutil.rmtree(copy)
                self.snapshots[each.name].clear()

    def add_clone(self, original: SimulatedKiosk) -> SimulatedKiosk:
        """Starts a second box on a copy of a kiosk's disk."""
        disk = self.home / f"{original.name}-clone"
        original.snapshot(disk)
        name = f"{original.name}2"
        for file in disk.iterdir():
            file.rename(self.home / file.name.replace("disk.db", f"{name}.db"))
        clone = self._kiosk(name, original.link.kiosk_id)
        clone.link.event = self.event
        clone.clock_was_wrong = original.clock_was_wrong
        self.kiosks.append(clone)
        self.snapshots[name] = []
        return clone

    def _kiosk(self, name: str, kiosk_id: str) -> SimulatedKiosk:
        link = Link(self.centre, kiosk_id)
        return SimulatedKiosk(name, self.home / f"{name}.db", link, self.clock, self.new_id)

    def _copy_of_template(self, name: str) -> Path:
        into = self.home / name
        into.mkdir()
        for file in self.template.glob("centre.db*"):
            shutil.copyfile(file, into / file.name)
        return into


_DESK = frozenset({"call_patient", "start_exam", "complete_exam", "mark_no_show", "cancel_appointment", "make_payment"})
_HOW = ("apply", "discard", "reassign")
_ENTRY_STATES = ("delayed", "called", "waiting", "no_show", "in_progress", "completed", "cancelled")
