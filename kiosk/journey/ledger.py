"""The kiosk's ledger for the sync agent: pending actions go out, verdicts and roster pages come in."""

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from kiosk.journey import pages, verdicts, views
from kiosk.journey.adoption import PORTION_S, Adoption, Portions
from kiosk.journey.new_card_keys import lift_cards, take_card_keys
from kiosk.journey.portion import VERDICTS_AT_FIRST, next_portion
from kiosk.journey.this_kiosk import ThisKiosk
from kiosk.store import (
    audit,
    old_site,
    outbox,
    outbox_bodies,
    outbox_epochs,
    outbox_parked,
    roster,
)
from kiosk.store.identity import (
    Identity,
    follow_restore,
    mark_ended,
    read_identity,
    reset_cursor,
    write_enrolment,
)
from kiosk.store.old_site import Kept
from kiosk.store.sqlite import peek
from sync.clock import ClockReading, age_ms
from sync.journey.definitions import read as parse_definitions
from sync.journey.model import PatientId
from sync.protocol import NO_HASH, Backlog, Enrolment, LookupAnswer, PullAnswer, Pushed, VerdictRow


class WouldLose(ValueError):
    """An enrolment at another site would lose actions of the present one. The message is for the operator."""


@dataclass(frozen=True, slots=True)
class Answered:
    """How far the centre has answered: the last seq that it has given a verdict for, in an epoch of a kiosk id."""

    kiosk_id: str = ""
    epoch: int = 0
    seq: int = 0


class Ledger:
    """The `sync.agent.ledger.Ledger` of this kiosk, and its enrolment. May be called from any thread.

    Each method that writes uses one transaction, except `retire` and `adopt`.
    """

    def __init__(self, kiosk: ThisKiosk, portion_s: float = PORTION_S) -> None:
        """`portion_s` is the longest time of one transaction of a page, in seconds, without its commit."""
        self._kiosk = kiosk
        self._store = kiosk.store
        self._portions = Portions(lambda: kiosk.store.is_wanted, portion_s)
        self._purged_day = ""
        self._answered = Answered()
        self._at_once = VERDICTS_AT_FIRST

    @property
    def identity(self) -> Identity | None:
        """Who this kiosk is; None before its enrolment."""
        return self._kiosk.identity

    def clock(self) -> ClockReading:
        """Reads the clocks of this machine."""
        return self._kiosk.clock()

    def check_move(self, enrolment: Enrolment, aside: Path | None = None) -> None:
        """Raises WouldLose where `enrol` would raise it."""
        with self._store.read() as db:
            _refuse_loss(db, enrolment, aside)

    def enrol(self, enrolment: Enrolment, aside: Path | None = None) -> Path | None:
        """Makes this machine the kiosk of an enrolment. At the same site, pending actions stay and are renumbered.

        At another site nothing of the present one stays. Its kept actions go into the file `aside` first, or into one
        beside it where `aside` holds others. Returns the path of that file, None where nothing was set aside. Raises
        WouldLose where there are such actions and no `aside`, OSError where the file cannot be written, and ValueError
        or KeyError where the enrolment's definitions, time zone or start of the day cannot be used. Nothing changes
        then.
        """
        definitions = parse_definitions(enrolment.definitions)
        with self._kiosk.change() as db:
            before = read_identity(db)
            file = None
            if before and before.site_id != enrolment.site_id:
                file = _leave_site(db, enrolment, aside)
            elif before and before.server_incarnation != enrolment.server_incarnation:
                outbox_epochs.reopen(db)  # the centre was restored from a backup
            outbox_epochs.move_before_first_epoch(db)
            write_enrolment(db, enrolment)
            roster.clear_confirmed(db)
            outbox_epochs.start_epoch(db, enrolment.kiosk_id, enrolment.epoch)
            context = self._kiosk.context(db, definitions)
            audit.note(db, context.at_ms, "enrolled", enrolment.kiosk_id)
            # Another site may give the same kiosk id and epoch.
            self._answered, self._purged_day = Answered(), ""
        return file

    def set_aside(self, file: Path, action_ids: Sequence[str] = ()) -> bool:
        """Writes the actions that only this kiosk is sure to have into a new file, or only those of `action_ids`.

        They stay here too. Returns False, without a file, where there are none. Raises FileExistsError, OSError,
        StoreError and UnknownAction. No tap waits meanwhile.
        """
        with peek(self._store.path) as db:
            return old_site.set_aside(db, file, action_ids)

    def kept(self) -> Kept | None:
        """Returns what this kiosk keeps for its site, or None. Raises StoreError. No tap waits meanwhile."""
        with peek(self._store.path) as db:
            return old_site.read_kept(db)

    def batch(self, limit: int, expected_seq: int | None) -> list[Pushed]:
        """Returns the next actions to push, from the first pending one or from `expected_seq`."""
        with self._store.read() as db:
            rows = outbox.rows_to_push(db, limit, expected_seq)
        return outbox.pushed(rows)  # no tap waits meanwhile

    def unread(self, expected_seq: int | None) -> Pushed | None:
        """Returns the first of the next actions with its body unread; None where there is none."""
        with self._store.read() as db:
            return outbox.first_unread(db, expected_seq)

    def has_pending(self) -> bool:
        """Whether any action of the chain is pending."""
        with self._store.read() as db:
            return outbox.has_pending(db)

    def chain_end(self, epoch: int) -> tuple[int, str]:
        """Returns seq and hash of the chain's last action; 0 and `NO_HASH` for none, and for another epoch."""
        with self._store.read() as db:
            head = outbox.head(db)
        return (head.next_seq - 1, head.last_hash) if head.epoch == epoch else (0, NO_HASH)

    def backlog(self) -> Backlog | None:
        """Returns all pending actions in a few numbers; None where nothing is pending."""
        with self._store.read() as db:
            oldest, parked = outbox.oldest_pending(db), outbox_parked.parked(db)
            number = outbox.pending_count(db)
        if oldest is None:
            return None
        sent, now = outbox_bodies.read(oldest), self.clock()
        return Backlog(
            waiting=number,
            oldest=oldest["place"],
            age_ms=age_ms(sent.clock, now) if sent else max(now.wall_ms - oldest["applied_ms"], 0),
            parked=parked.number if parked else 0,
        )

    def park(self, action_id: str, epoch: int) -> int:
        """Takes an action of that epoch out of the chain, with its patient's later ones. Returns their number.

        They stay pending. Raises NotEnrolled.
        """
        with self._store.write() as db:
            context = self._kiosk.context()
            if epoch != context.identity.epoch:
                return 0
            number = outbox_parked.park(db, action_id, context.at_ms)
            if number:
                # What was judged after it in the chain waits again, and is shown again.
                views.replay(db, context, outbox.pending_patients(db))
                audit.note(db, context.at_ms, "parked", f"{number} actions of one patient", action_id=action_id)
        return number

    def parked(self) -> list[Pushed]:
        """Returns each patient's first parked action, unread."""
        with self._store.read() as db:
            return outbox_parked.first_of_each_patient(db)

    def unpark(self, action_id: str) -> None:
        """Puts a parked action and its patient's others at the end of the chain. Raises NotEnrolled."""
        with self._store.write() as db:
            context = self._kiosk.context()
            number = outbox_parked.unpark(db, action_id)
            audit.note(db, context.at_ms, "unparked", f"{number} actions of one patient", action_id=action_id)

    def retire(
        self,
        verdicts: Sequence[VerdictRow],
        backed_up_seq: int = 0,
        *,
        epoch: int | None = None,
        incarnations: Collection[str] = (),
        site_id: str | None = None,
    ) -> frozenset[PatientId]:
        """Retires the rows of these verdicts and brings their patients up to date. Returns the changed patients.

        The verdicts are written in several short transactions, and a tap waits for one of them at most. `epoch` is the
        epoch of the push, `backed_up_seq` the last of its actions that the centre's backups hold. `incarnations` are
        two incarnations of the centre: the one known at the push, and the one that answered. Where the kiosk knows
        another one now, the centre was restored meanwhile and the verdicts are void. They are void too where they come
        from another site (`site_id`) than that of the kiosk now.
        """
        changed: set[PatientId] = set()
        first = 0
        while first == 0 or first < len(verdicts):
            portion = verdicts[first : first + self._at_once]
            patient_ids = self._retire_portion(portion, backed_up_seq, epoch, incarnations, site_id)
            if patient_ids is None:
                break
            changed |= patient_ids
            first += max(len(portion), 1)
        return frozenset(changed)

    def answered_seq(self) -> int:
        """Returns the last seq of the present epoch that the centre has answered for since the start; 0 for none.

        Raises NotEnrolled.
        """
        identity, answered = self._kiosk.enrolled_identity(), self._answered
        return answered.seq if (answered.kiosk_id, answered.epoch) == (identity.kiosk_id, identity.epoch) else 0

    def adopt(
        self, page: PullAnswer, *, epoch: int | None = None, answered_seq: int = 0
    ) -> frozenset[PatientId] | None:
        """Writes a page of the centre's roster. Returns the changed patients; None where the page is overtaken.

        A large page is written in several transactions, so that a tap waits for one of them at most. The page was
        asked for in `epoch`, when the centre had answered for the actions up to `answered_seq`. New card keys of the
        page are in the key file before anything else of it is written. Raises NotEnrolled, ValueError or KeyError where
        the page's definitions, site or card keys cannot be used, and OSError where the key file cannot be written. No
        row changes then.
        """
        definitions = parse_definitions(page.definitions) if page.definitions else self._kiosk.definitions
        if take_card_keys(self._kiosk, page):
            return frozenset()
        lift_cards(self._kiosk)
        adoption = Adoption(page, definitions, self._kiosk.clock(), self._portions, self._purged_day)
        with self._kiosk.change(in_background=True) as db:
            before = self._kiosk.context()
            if pages.is_overtaken(page, before.identity):
                return None
            if pages.shows_loss(page, before.identity, epoch, answered_seq):
                return self._send_everything_again(db)
            restored = page.server_incarnation != before.identity.server_incarnation
            if restored:
                outbox_epochs.reopen(db)
                follow_restore(db, page.server_incarnation)
                self._answered = Answered()
            adoption.begin(db, before, restored=restored)
            adoption.take_portion(db, before.keys)
        while not adoption.is_complete:
            with self._kiosk.change(in_background=True) as db:
                if not adoption.goes_on(db):
                    return frozenset(adoption.changed)
                adoption.take_portion(db, self._kiosk.cards.keys)
        self._purged_day = adoption.purged_day
        return frozenset(adoption.changed)

    def card_key_id(self) -> str:
        """Returns the id of the newest card key; empty where there is none."""
        return self._kiosk.cards.keys.newest

    def pull_from_beginning(self, cursor: int) -> None:
        """Makes the next page the first of a snapshot, since the centre refuses this cursor.

        Nothing changes where a page has moved the cursor meanwhile. Raises NotEnrolled.
        """
        with self._kiosk.change() as db:
            context = self._kiosk.context()
            if context.identity.cursor == cursor:
                reset_cursor(db)
                audit.note(db, context.at_ms, "cursor", "the centre refused the cursor; the roster is pulled again")

    def take_lookup(self, answer: LookupAnswer) -> None:
        """Writes the patient whom the centre named for a card. Raises NotEnrolled.

        A page that has come meanwhile holds the patient's row, or a later one. An answer of another site or incarnation
        says nothing about this roster.
        """
        row = answer.patient
        with self._store.write() as db:
            context = self._kiosk.context()
            identity = context.identity
            is_fresh = row is not None and row.change > identity.cursor and identity.ended_ms is None
            of_this_roster = (answer.site_id, answer.server_incarnation) == (
                identity.site_id,
                identity.server_incarnation,
            )
            if row is not None and is_fresh and of_this_roster:
                pages.write_row(db, context, row)

    def end(self, site_id: str | None = None) -> frozenset[PatientId]:
        """Ends this kiosk, whose token the centre has revoked: all data of patients is forgotten but the kept actions.

        These stay for the next enrolment. The word of another site's centre (`site_id`) changes nothing. Returns the
        forgotten patients. Raises NotEnrolled.
        """
        if self._kiosk.enrolled_identity().ended_ms is not None:
            return frozenset()
        with self._kiosk.change() as db:
            context = self._kiosk.context()
            if site_id not in (None, context.identity.site_id):
                return frozenset()
            forgotten = roster.clear(db)
            old_site.forget_all_but_kept(db)
            mark_ended(db, context.at_ms)
            audit.note(db, context.at_ms, "ended", f"{len(forgotten)} patients forgotten")
        return frozenset(forgotten)

    def erase_traces(self) -> None:
        """Removes from the disk what was deleted. Raises sqlite3.Error, such as on a full disk."""
        self._store.erase_traces()

    def start_epoch(self, epoch: int, site_id: str | None = None) -> None:
        """Renumbers the pending actions under a new epoch, since the chain forked (a restored or cloned disk).

        Action ids stay. An epoch that does not come after the present one is ignored: the kiosk has learned meanwhile
        that the centre was restored. So is the word of another site's centre (`site_id`). Raises NotEnrolled.
        """
        with self._kiosk.change() as db:
            context = self._kiosk.context()
            if epoch <= context.identity.epoch or site_id not in (None, context.identity.site_id):
                return
            pending = outbox_epochs.start_epoch(db, context.identity.kiosk_id, epoch)
            audit.note(db, context.at_ms, "epoch", f"epoch {epoch}, {pending} pending")

    def _retire_portion(
        self,
        portion: Sequence[VerdictRow],
        backed_up_seq: int,
        epoch: int | None,
        incarnations: Collection[str],
        site_id: str | None,
    ) -> set[PatientId] | None:
        """Writes verdicts in one transaction. Returns the changed patients; None where the verdicts are void."""
        with self._store.write() as db:
            begun_ms = self.clock().mono_ms
            context = self._kiosk.context()
            identity = context.identity
            if incarnations and identity.server_incarnation not in incarnations:
                return None
            if site_id not in (None, identity.site_id):
                return None
            changed = verdicts.retire(db, context, portion)
            views.replay(db, context, changed)
            if epoch in (None, identity.epoch):
                outbox.mark_backed_up(db, backed_up_seq)
            if epoch == identity.epoch:
                # Inside the transaction: a pull right after it may learn of a restore, and must reset this.
                last_seq = max([self.answered_seq(), *(verdict.seq for verdict in portion)])
                self._answered = Answered(identity.kiosk_id, identity.epoch, last_seq)
        self._at_once = next_portion(self._at_once, len(portion), self.clock().mono_ms - begun_ms)
        return changed

    def _send_everything_again(self, db: sqlite3.Connection) -> frozenset[PatientId]:
        """Makes every row pending again and the next page the first of a snapshot: the centre has lost verdicts."""
        outbox_epochs.reopen(db)
        reset_cursor(db)
        self._answered = Answered()
        context = self._kiosk.context(db)
        audit.note(db, context.at_ms, "lost", "the centre lost verdicts; every action is sent again")
        patient_ids = outbox.pending_patients(db)
        views.replay(db, context, patient_ids)
        return frozenset(patient_ids)


def _refuse_loss(db: sqlite3.Connection, enrolment: Enrolment, aside: Path | None) -> None:
    identity, kept = read_identity(db), old_site.read_kept(db)
    if identity and identity.site_id != enrolment.site_id and kept and aside is None:
        raise WouldLose(kept.words)


def _leave_site(db: sqlite3.Connection, enrolment: Enrolment, aside: Path | None) -> Path | None:
    """Sets the kept actions aside, and forgets the present site. Returns the path of the file, or None."""
    _refuse_loss(db, enrolment, aside)
    # Durable before the commit that removes the actions: a crash in between leaves them here and in the file. The old
    # centre knows them by their ids.
    file = old_site.set_aside_somewhere(db, aside) if aside else None
    old_site.forget(db)
    return file
