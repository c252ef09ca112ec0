"""The journey service of the kiosk, and the only writer of its store: tap, act, and adopt what the centre says.

The way of an action: card or press → patient → `decide()` → one transaction (journey, outbox row, audit row) → commit.
Whoever calls announces it afterwards. Nothing here waits for the network.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from kiosk import outbox, roster
from kiosk.roster import Identity, Patient
from kiosk.store import Store
from sync.cards import CardHash
from sync.clock import ClockReading, read_clock, site_day
from sync.ids import new_id
from sync.journey.definitions import Definitions, shipped
from sync.journey.definitions import read as read_definitions
from sync.journey.model import (
    Action,
    ActionId,
    Asker,
    Decision,
    Journey,
    Opens,
    PatientId,
    QueueId,
    Refusal,
    RefusalCode,
    Role,
    VisitId,
)
from sync.journey.rules import available_actions, decide, people_ahead
from sync.protocol import Code, Enrolment, Intent, PullAnswer, Pushed, Verdict, VerdictRow
from sync.rebase import as_of, rebase


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a patient stands, as far as this kiosk knows."""

    patient: Patient
    journey: Journey
    available: tuple[str, ...]
    pending: int
    needs_staff: bool
    reversed: bool  # something accepted here today was decided otherwise at the centre
    people_ahead: dict[str, int]
    wait_minutes: dict[str, int]


@dataclass(frozen=True, slots=True)
class Acted:
    """What an action came to: the decisions made for it (none where it was refused), and the refusal if it was."""

    patient_id: PatientId
    action_ids: tuple[ActionId, ...] = ()
    refusal: Refusal | None = None
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class _Ask:
    """One action about to be decided: for whom, by which card, and what the request said."""

    action_type: str
    action_id: str
    cards: tuple[CardHash, ...] = ()
    binding_id: str | None = None
    payload: dict[str, Any] = field(default_factory=dict)


class NotEnrolled(Exception):
    """The centre has not made this box a kiosk yet."""


class Journeys:
    """Every change of the store, each in one transaction. May be called from any thread."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], ClockReading] = read_clock,
        ids: Callable[[], str] = new_id,
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._identity, self._definitions = self._read_self()

    @property
    def identity(self) -> Identity | None:
        """Who this kiosk is; None before its enrolment."""
        return self._identity

    @property
    def definitions(self) -> Definitions:
        """The rules in force here: the centre's last word, before that the shipped ones."""
        return self._definitions

    def patient_of_card(self, cards: Sequence[CardHash]) -> PatientId | None:
        """Whose card this is, or None."""
        with self._store.read() as db:
            found = roster.patient_of_card(db, cards)
        return found[0].patient_id if found else None

    def tap(self, cards: Sequence[CardHash], automatic: Sequence[str]) -> Acted | None:
        """A known card was held to the reader: does the automatic actions that the rules allow now, in one transaction.

        None where the card is bound to nobody; nothing is stored of it then.
        """
        with self._store.write() as db:
            found = roster.patient_of_card(db, cards)
            if found is None:
                return None
            patient, binding_id = found
            done = []
            for action_type in automatic:
                ask = _Ask(action_type, self._ids(), tuple(cards), binding_id)
                patient, outcome = self._apply(db, patient, ask)
                if isinstance(outcome, Decision):
                    done.append(ActionId(ask.action_id))
            return Acted(patient.patient_id, tuple(done))

    def act(self, patient_id: str, action_type: str, action_id: str | None, payload: dict[str, Any]) -> Acted:
        """A pressed button. A repeat with the same action id changes nothing and says so."""
        with self._store.write() as db:
            if action_id and db.execute("select 1 from outbox where action_id = ?", (action_id,)).fetchone():
                return Acted(PatientId(patient_id), (ActionId(action_id),), repeated=True)
            patient = roster.patient(db, patient_id)
            if patient is None:
                return Acted(
                    PatientId(patient_id),
                    refusal=Refusal(RefusalCode.NOT_ALLOWED, action_type, self._definitions.initial),
                )
            ask = _Ask(action_type, action_id or self._ids(), payload=payload)
            _, outcome = self._apply(db, patient, ask)
            if isinstance(outcome, Refusal):
                self._audit(db, "refused", patient_id, ask.action_id, outcome.journey_state, None, outcome.code)
                return Acted(patient.patient_id, refusal=outcome)
            return Acted(patient.patient_id, (ActionId(ask.action_id),))

    def check_in_unknown(
        self, patient_id: PatientId, cards: Sequence[CardHash], action_type: str, action_id: str | None
    ) -> Acted:
        """The holder of an unknown card pressed "check in": a provisional patient of that id on the card's hash, whom
        the centre or the desk ties to a real one."""
        with self._store.write() as db:
            found = roster.patient_of_card(db, cards)
            if found is None:
                identity, today = self._who(), self.today()
                fresh = Journey(patient_id, self._definitions.initial, today)
                patient = Patient(patient_id, "", identity.site.languages[0], True, fresh, fresh, ())
                roster.save(db, patient)
                roster.bind(db, patient_id, [(card, None) for card in cards])
            else:
                patient = found[0]
            ask = _Ask(action_type, action_id or self._ids(), tuple(cards))
            _, outcome = self._apply(db, patient, ask)
            refusal = outcome if isinstance(outcome, Refusal) else None
            return Acted(patient.patient_id, () if refusal else (ActionId(ask.action_id),), refusal)

    def note_refused_tap(self, reason: str) -> None:
        """Records that a card could not be used, without anything of the card."""
        with self._store.write() as db:
            self._audit(db, "refused_tap", None, None, None, None, reason)

    def standing(self, patient_id: str) -> Standing | None:
        """Where a patient stands now; None where the kiosk no longer knows them."""
        with self._store.read() as db:
            patient = roster.patient(db, patient_id)
            if patient is None:
                return None
            today = self.today()
            journey = as_of(self._definitions, patient.view, today, patient.tomorrow)
            counts = db.execute(
                "select count(*) filter (where status = 'pending') as pending,"
                " count(*) filter (where status = 'needs_staff') as needs_staff,"
                " count(*) filter (where status = 'superseded') as superseded"
                " from outbox where patient_id = ? and site_day = ?",
                (patient_id, today),
            ).fetchone()
            lines = [(e, roster.line_of(db, e.exam_id)) for e in journey.entries if e.state in self._definitions.listed]
        ahead = {e.queue_id: people_ahead(self._definitions, line, e) for e, line in lines}
        return Standing(
            patient,
            journey,
            available_actions(self._definitions, journey, self._asker()),
            counts["pending"],
            bool(counts["needs_staff"]),
            bool(counts["superseded"]),
            {str(queue_id): count for queue_id, count in ahead.items()},
            {str(e.queue_id): ahead[e.queue_id] * e.minutes for e, _ in lines},
        )

    def today(self) -> str:
        """The site day: the later of what the wall clock says and the last roster, since a clock without a battery
        starts in the past."""
        identity = self._who()
        moment = max(self._clock().wall_ms, identity.as_of_ms or 0)
        return site_day(moment, identity.site.timezone, identity.site.day_starts_at)

    def clock(self) -> ClockReading:
        """This box's clocks, now."""
        return self._clock()

    def probe(self) -> None:
        """Finds out whether the store takes writes. Raises sqlite3.Error where it does not."""
        self._store.probe()

    # What the sync agent asks for (`sync.agent.ledger.Ledger`).

    def enrol(self, enrolment: Enrolment) -> None:
        """Becomes the kiosk that the centre says; what is pending is renumbered and kept."""
        with self._store.write() as db:
            outbox.forget_judged(db)
            roster.enrol(db, enrolment)
            outbox.start_epoch(db, enrolment.kiosk_id, enrolment.epoch)
            self._audit(db, "enrolled", None, None, None, None, enrolment.kiosk_id)
        self._identity, self._definitions = self._read_self()

    def batch(self, limit: int, expected_seq: int | None) -> list[Pushed]:
        """The next actions to push."""
        with self._store.read() as db:
            return outbox.batch(db, limit, expected_seq)

    def pending(self) -> int:
        """How many actions wait for their verdict."""
        with self._store.read() as db:
            return outbox.pending_count(db)

    def settle(self, verdicts: Sequence[VerdictRow]) -> frozenset[PatientId]:
        """Retires the rows of these verdicts and brings their patients up to date. Returns whom it touched."""
        with self._store.write() as db:
            touched = self._retire(db, verdicts)
            for patient_id in touched:
                self._replay(db, patient_id, self._definitions)
        return frozenset(touched)

    def adopt(self, page: PullAnswer) -> frozenset[PatientId] | None:
        """Takes over a page of the centre's rows. None, and nothing changes, where it does not start at our cursor."""
        definitions = read_definitions(page.definitions) if page.definitions else self._definitions
        with self._store.write() as db:
            if not page.reset and page.from_cursor != self._who().cursor:
                return None
            if page.reset:
                db.execute(
                    "delete from patients where provisional = 0"
                    " and patient_id not in (select patient_id from outbox where status = 'pending')"
                )
            db.execute(
                "update identity set cursor = ?, as_of_ms = iif(?, as_of_ms, ?), server_incarnation = ?,"
                " actions = ?, site = ?, definitions_version = ?, definitions = ?",
                (
                    page.cursor,
                    page.more,
                    page.now_ms,
                    page.server_incarnation,
                    msgspec.json.encode(page.actions).decode(),
                    msgspec.json.encode(page.site).decode(),
                    definitions.version,
                    msgspec.json.encode(dict(definitions.document)).decode(),
                ),
            )
            touched = self._retire(db, page.verdicts) | self._adopt_rows(db, page)
            for patient_id in touched:
                self._replay(db, patient_id, definitions)
            self._purge(db)
        self._identity, self._definitions = self._read_self()
        return frozenset(touched)

    def start_epoch(self, epoch: int) -> None:
        """The centre says that this kiosk's chain forked (a restored or cloned disk): what is pending goes on under a
        new epoch, every action id as it was."""
        with self._store.write() as db:
            kept = outbox.start_epoch(db, self._who().kiosk_id, epoch)
            self._audit(db, "epoch", None, None, None, None, f"epoch {epoch}, {kept} pending")
        self._identity, self._definitions = self._read_self()

    def _apply(self, db: sqlite3.Connection, patient: Patient, ask: _Ask) -> tuple[Patient, Decision | Refusal]:
        """decide(), and everything that an accepted action writes."""
        identity = roster.identity(db)
        if identity is None:
            raise NotEnrolled
        today, clock = self.today(), self._clock()
        journey = as_of(self._definitions, patient.view, today, patient.tomorrow)
        opens = Opens(
            VisitId(self._ids()), QueueId(self._ids()), self._label(db, identity, today), identity.site.walk_in
        )
        asker = Asker(Role.KIOSK, identity.actions)
        action = Action(ActionId(ask.action_id), ask.action_type, asker, clock.wall_ms, opens)
        outcome = decide(self._definitions, journey, action)
        if isinstance(outcome, Refusal):
            return patient, outcome
        intent = Intent(
            kiosk_id=identity.kiosk_id,
            epoch=identity.epoch,
            seq=identity.next_seq,
            action_id=ask.action_id,
            action_type=ask.action_type,
            patient_id=patient.patient_id,
            visit_id=outcome.journey.visit_id or journey.visit_id or opens.visit_id,
            leg=journey.leg,
            queue_id=opens.queue_id,
            queue_number=opens.queue_number if outcome.opened else "",
            base_version=patient.base.journey_version,
            definitions_version=self._definitions.version,
            site_day=today,
            clock=clock,
            journey_state=journey.state,
            binding_id=ask.binding_id,
            cards=ask.cards,
            appointment_ids=tuple(
                a.appointment_id for a in journey.appointments if a.status in self._definitions.open_appointments
            ),
            provisional=patient.provisional,
            payload=ask.payload,
        )
        outbox.append(db, intent, identity.last_hash)
        after = replace(patient, view=outcome.journey)
        roster.save(db, after)
        if outcome.opened:
            db.execute(
                "insert into labels values (?, 1) on conflict (site_day) do update set used = used + 1", (today,)
            )
        self._audit(
            db, "applied", patient.patient_id, ask.action_id, journey.state, outcome.journey.state, ask.action_type
        )
        return after, outcome

    def _settle_one(self, db: sqlite3.Connection, row: sqlite3.Row, verdict: VerdictRow) -> PatientId:
        patient_id = PatientId(verdict.patient_id or row["patient_id"])
        if patient_id != row["patient_id"]:
            outbox.follow_patient(db, row["patient_id"], patient_id)
            roster.forget(db, row["patient_id"])
        if verdict.code is Code.VISIT_ALIAS and verdict.visit_id:
            outbox.follow_visit_alias(db, row["visit_id"], verdict.visit_id)
        known = roster.patient(db, patient_id)
        told = verdict.journey
        if known and told and told.journey_version >= known.base.journey_version:
            roster.save(db, replace(known, base=told))
        state = told.state if told else None
        detail = f"{verdict.verdict} {verdict.code}"
        self._audit(db, "verdict", patient_id, verdict.action_id, None, state, detail)
        if verdict.verdict is Verdict.NEEDS_STAFF and verdict.code is Code.REBOUND:
            roster.unbind(db, row["patient_id"])
        return patient_id

    def _retire(self, db: sqlite3.Connection, verdicts: Sequence[VerdictRow]) -> set[PatientId]:
        touched: set[PatientId] = set()
        for verdict in verdicts:
            row = outbox.retire(db, verdict, self._clock().wall_ms)
            if row is not None:
                touched |= {PatientId(row["patient_id"]), self._settle_one(db, row, verdict)}
        return touched

    def _adopt_rows(self, db: sqlite3.Connection, page: PullAnswer) -> set[PatientId]:
        touched: set[PatientId] = set()
        for row in page.patients:
            fresh = roster.pulled(row)
            known = roster.patient(db, row.patient_id)
            # A verdict may have told a newer journey than a page that was on its way meanwhile.
            newer = known and not page.reset and known.base.journey_version > row.journey.journey_version
            roster.save(db, replace(fresh, base=known.base) if known and newer else fresh, row.change)
            roster.unbind(db, row.patient_id)
            roster.bind(db, row.patient_id, [(CardHash(b.key_id, b.uid_hash), b.binding_id) for b in row.bindings])
            touched.add(fresh.patient_id)
        for gone in page.gone:
            roster.forget(db, gone)
            touched.add(PatientId(gone))
        return touched

    def _replay(self, db: sqlite3.Connection, patient_id: PatientId, definitions: Definitions) -> None:
        """View = base with the patient's pending actions on top."""
        patient = roster.patient(db, patient_id)
        if patient is None:
            return
        identity = self._who()
        pending = outbox.pending_of(db, patient_id, identity.actions, identity.site)
        base = as_of(definitions, patient.base, self.today(), patient.tomorrow)
        roster.save(db, replace(patient, view=rebase(definitions, base, pending).journey))

    def _purge(self, db: sqlite3.Connection) -> None:
        """Least data at the edge: who has nothing here today or tomorrow, and nothing pending, is forgotten."""
        today = self.today()
        rows = db.execute(
            "select patient_id from patients where journey_state = ? and tomorrow = '[]'"
            " and json_extract(view, '$.site_day') < ?"
            " and patient_id not in (select patient_id from outbox where status = 'pending')",
            (self._definitions.initial, today),
        ).fetchall()
        for row in rows:
            roster.forget(db, row["patient_id"])
        # A label counter of an earlier day has no use; the one of tomorrow cannot be there yet.
        db.execute("delete from labels where site_day < ?", (today,))
        db.execute("delete from audit where at_ms < ?", (self._clock().wall_ms - _KEEP_AUDIT_MS,))

    def _label(self, db: sqlite3.Connection, identity: Identity, today: str) -> str:
        row = db.execute("select used from labels where site_day = ?", (today,)).fetchone()
        return f"{identity.ticket_prefix}-{(row['used'] if row else 0) + 1:03d}"

    def _audit(
        self,
        db: sqlite3.Connection,
        kind: str,
        patient_id: str | None,
        action_id: str | None,
        from_state: str | None,
        to_state: str | None,
        detail: str,
    ) -> None:
        db.execute(
            "insert into audit (at_ms, kind, patient_id, action_id, from_state, to_state, detail)"
            " values (?, ?, ?, ?, ?, ?, ?)",
            (self._clock().wall_ms, kind, patient_id, action_id, from_state, to_state, detail),
        )

    def _asker(self) -> Asker:
        return Asker(Role.KIOSK, self._who().actions)

    def _who(self) -> Identity:
        if self._identity is None:
            raise NotEnrolled
        return self._identity

    def _read_self(self) -> tuple[Identity | None, Definitions]:
        with self._store.read() as db:
            return roster.identity(db), roster.definitions(db) or shipped()


_KEEP_AUDIT_MS = 90 * 24 * 3600 * 1000
