"""What kiosks pull: the patients who have something here today or tomorrow, as whole rows in the order of their change.

Change numbers are taken in the transaction that writes, so their order is commit order: whoever has seen a number has
seen all before it. A cursor from before the last day's end, or from another life of the database, gets a snapshot; what
was said of the kiosk's own actions goes on from its cursor, whatever day that is of.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from sync.central.kiosks.links import read_chain
from sync.central.kiosks.push import fenced, unsupported
from sync.central.maintenance.incarnation import begin_another
from sync.central.maintenance.restore_gap import restored_at
from sync.central.records.appointments import bookings
from sync.central.records.bindings import bindings_of
from sync.central.records.journeys import read_journey
from sync.central.records.kiosks import Kiosk, note_contact, read_kiosk
from sync.central.records.site import SiteSettings, read_site
from sync.central.records.verdicts import RevisedVerdict, as_row_now, revised_verdicts
from sync.central.services.merge import merged_after
from sync.central.store.sqlite import ReadTransaction, Store, WriteTransaction
from sync.clock import day_after
from sync.journey.definitions import Definitions
from sync.protocol import (
    SUPPORTED_VERSIONS,
    CallRefused,
    PatientRow,
    PullAnswer,
    PullRequest,
    Renamed,
    VerdictRow,
)

log = logging.getLogger(__name__)

PAGE = 25  # rows that a page goes through; a kiosk adopts it in one transaction, and a tap waits for that
NAMES_A_ROW = 20  # merged records count for so much less
LONGEST_WAIT_S = 30.0
RETRY_AFTER_S = 5.0  # for a call that may not wait
SEEN_EVERY_MS = 60_000


@dataclass(frozen=True, slots=True)
class _Span:
    """Between which cursors a page lies, whether it begins afresh, and whether another follows."""

    from_cursor: int
    cursor: int
    reset: bool
    more: bool


@dataclass(frozen=True, slots=True)
class _Words:
    """What there is to tell of a kiosk's own actions, and of names (with their change), up to the change `end`."""

    verdicts: tuple[RevisedVerdict, ...]
    renamed: tuple[tuple[int, Renamed], ...]
    end: int


@dataclass(frozen=True, slots=True)
class _Page:
    """The part of the roster between two cursors, and what there is to tell of its kiosk's own actions and names."""

    span: _Span
    patients: tuple[PatientRow, ...]
    gone: tuple[str, ...]
    verdicts: tuple[VerdictRow, ...]
    renamed: tuple[Renamed, ...]


class Roster:
    """Answers pulls. May be called from any thread; at most `most_waiting` calls are held at a time."""

    def __init__(
        self,
        store: Store,
        definitions: Definitions,
        clock: Callable[[], int],
        most_waiting: int = 64,
        page: int = PAGE,
        versions: frozenset[int] = SUPPORTED_VERSIONS,
    ) -> None:
        """`versions` are the versions of the protocol that this centre speaks."""
        self._store = store
        self._definitions = definitions
        self._clock = clock
        self._places = threading.Semaphore(most_waiting)
        self._page = page
        self._versions = tuple(sorted(versions))

    def pull(self, kiosk_id: str, request: PullRequest) -> PullAnswer | CallRefused:
        """The next page for the kiosk that the token stands for. Waits for news up to `wait_s` where there is none,
        unless too many calls wait already: then it answers at once and says when to come again."""
        if request.protocol_version not in self._versions:
            return unsupported(self._versions)
        self._look(kiosk_id, request)
        found = self._answer(kiosk_id, request)
        wait_s = min(request.wait_s, LONGEST_WAIT_S)
        if isinstance(found, CallRefused) or wait_s <= 0 or not self._has_time(request, found):
            return found
        if not self._places.acquire(blocking=False):
            return _without_wait(found)
        try:
            self._store.news.wait(found.cursor, wait_s)
        finally:
            self._places.release()
        return self._answer(kiosk_id, request)

    def _has_time(self, request: PullRequest, found: PullAnswer) -> bool:
        """Whether there is nothing yet that the kiosk should hear at once."""
        told = (found.reset, found.patients, found.gone, found.verdicts, found.renamed, found.definitions)
        quiet = not any(told)
        return quiet and found.cursor == request.cursor

    def _look(self, kiosk_id: str, request: PullRequest) -> None:
        """Begins a new day of the roster, and notes that the kiosk was heard of and what it knows of this centre;
        mostly there is nothing to write."""
        now_ms = self._clock()
        with self._store.read() as db:
            today = read_site(db).day(now_ms)
            known = read_kiosk(db, kiosk_id)
            unseen = known is not None and (known.seen_ms or 0) < now_ms - SEEN_EVERY_MS
            fresh = _first_change(db, today) is not None
            ours = known is not None and known.revoked_ms is None
            set_back = ours and _knows_more(db, request)
        if fresh and not unseen and not set_back:
            return
        with self._store.write() as db:
            # Looked at again: while this waited to write, another may have begun the next day.
            now_ms = self._clock()
            today = read_site(db).day(now_ms)
            if ours and _knows_more(db, request):
                log.warning("kiosk %s knows of changes that are not here: the database was set back", kiosk_id)
                begin_another(db, now_ms)
            if _first_change(db, today) is None:
                _begin_day(db, today)
            note_contact(db, kiosk_id, now_ms)

    def _answer(self, kiosk_id: str, request: PullRequest) -> PullAnswer | CallRefused:
        with self._store.read() as db:
            sender = read_kiosk(db, kiosk_id)
            if sender is None or sender.revoked_ms is not None or request.kiosk_id != kiosk_id:
                return fenced()
            # After the first look, which fixes what is seen: so it is never a day that ended before.
            now_ms, site = self._clock(), read_site(db)
            page = self._read_page(db, site, sender, request, site.day(now_ms))
            stale = request.definitions_version != self._definitions.version
            chain = read_chain(db, kiosk_id, sender.epoch)
            return PullAnswer(
                server_incarnation=site.server_incarnation,
                from_cursor=page.span.from_cursor,
                cursor=page.span.cursor,
                reset=page.span.reset,
                more=page.span.more,
                patients=page.patients,
                gone=page.gone,
                actions=self._definitions.granted(sender.grants),
                site=site.site,
                now_ms=now_ms,
                verdicts=page.verdicts,
                definitions=dict(self._definitions.document) if stale else None,
                renamed=page.renamed,
                last_seq=chain.last_seq if request.epoch == sender.epoch else None,
                backed_up_seq=chain.backed_up_seq if request.epoch == sender.epoch else 0,
                epoch=request.epoch,
                asked_cursor=request.cursor,
                versions=self._versions,
            )

    def _read_page(
        self, db: ReadTransaction, site: SiteSettings, sender: Kiosk, request: PullRequest, today: str
    ) -> _Page:
        """What there is after the cursor; rows from the beginning where it is none of this database and day.

        Rows, verdicts and names are each cut at a page's length, and the page ends where the first of them does.
        """
        latest, first = db.latest_change(), _first_change(db, today) or 0
        known = request.server_incarnation in (None, site.server_incarnation)
        # After a restore a kiosk sends all again that it still has, and hears by the answers of what the backup held.
        heard = min(max(request.cursor, 0), latest) if known else restored_at(db)
        words = self._words(db, sender, heard, latest)
        afresh = not known or request.cursor <= 0 or request.cursor > latest or request.cursor < first
        if afresh and known and words.end < first:
            # A snapshot ends at a cursor of today; who has that much to hear from before hears it first.
            return self._page_of(db, today, words, [], _Span(heard, words.end, reset=False, more=True))
        rows = self._members(db, today) if afresh else self._changed(db, heard)
        cursor = min(words.end, _end([row["change"] for row in rows], self._page, latest))
        return self._page_of(db, today, words, rows, _Span(0 if afresh else heard, cursor, afresh, cursor < latest))

    def _words(self, db: ReadTransaction, sender: Kiosk, after: int, latest: int) -> _Words:
        names = NAMES_A_ROW * self._page
        verdicts = revised_verdicts(db, sender.kiosk_id, after, self._page)
        renamed = merged_after(db, after, names)
        told = _end([each.record.change for each in verdicts], self._page, latest)
        return _Words(
            tuple(verdicts), tuple(renamed), min(told, _end([change for change, _ in renamed], names, latest))
        )

    def _page_of(self, db: ReadTransaction, today: str, words: _Words, rows: list[sqlite3.Row], span: _Span) -> _Page:
        renamed = tuple(name for change, name in words.renamed if change <= span.cursor)
        patients, gone = [], [each.old for each in renamed]
        for row in rows:
            if row["change"] > span.cursor:
                break
            patient = _patient_row(db, self._definitions, row["patient_id"], row["change"], today)
            if patient is not None:
                patients.append(patient)
            elif not span.reset:
                gone.append(row["patient_id"])
        verdicts = tuple(
            as_row_now(db, self._definitions, today, each.record, each.action_id, each.seq)
            for each in words.verdicts
            if each.record.change <= span.cursor
        )
        return _Page(span, tuple(patients), tuple(gone), verdicts, renamed)

    def _changed(self, db: ReadTransaction, after: int) -> list[sqlite3.Row]:
        """Whoever changed, on the roster or not: who has left it is to be forgotten."""
        return db.rows(
            "select patient_id, change from journeys where change > :after order by change limit :page",
            after=after,
            page=self._page,
        )

    def _members(self, db: ReadTransaction, today: str) -> list[sqlite3.Row]:
        return db.rows(
            f"{_MEMBERS} order by j.change limit :page",
            after=0,
            today=today,
            tomorrow=day_after(today),
            page=self._page,
        )


def _end(changes: Sequence[int], limit: int, latest: int) -> int:
    """Up to which change so many at most are all that there is."""
    return changes[-1] if len(changes) == limit else latest


_MEMBERS = (
    "select j.patient_id, j.change from journeys j where j.change > :after and (j.visit_id is not null"
    " or exists (select 1 from appointments a where a.patient_id = j.patient_id"
    " and a.site_day in (:today, :tomorrow)))"
)


def _patient_row(
    db: ReadTransaction, definitions: Definitions, patient_id: str, change: int, today: str
) -> PatientRow | None:
    """A patient as kiosks hold them; None for one who has nothing here today or tomorrow and is on no visit."""
    journey = read_journey(db, definitions, patient_id, today)
    known = db.row("select masked_name, language from patients where patient_id = :id", id=patient_id)
    assert journey is not None
    assert known is not None
    tomorrow = bookings(db, patient_id, day_after(today), day_after(day_after(today)))
    if journey.visit_id is None and not journey.appointments and not tomorrow:
        return None
    return PatientRow(
        patient_id=patient_id,
        masked_name=known["masked_name"],
        language=known["language"],
        change=change,
        bindings=bindings_of(db, patient_id),
        journey=journey,
        tomorrow=tomorrow,
    )


def _knows_more(db: ReadTransaction, request: PullRequest) -> bool:
    """Whether a kiosk has seen changes of this incarnation that the database does not have."""
    return request.server_incarnation == read_site(db).server_incarnation and request.cursor > db.latest_change()


def _first_change(db: ReadTransaction, today: str) -> int | None:
    """The change number at which today's roster began; None where no pull has come since the day's end, or where the
    clock was ahead at the last one."""
    row = db.row("select first_change from roster_day where site_day = :today", today=today)
    return int(row["first_change"]) if row else None


def _begin_day(db: WriteTransaction, today: str) -> None:
    """Who is on the roster depends on the day, so a new one begins with a snapshot for everybody.

    Its members get change numbers of the new day, so that no page of the snapshot ends at a cursor of an earlier one.
    """
    db.execute(
        "insert into roster_day values (1, :today, :change) on conflict (id) do update"
        " set site_day = excluded.site_day, first_change = excluded.first_change",
        {"today": today, "change": db.next_change()},
    )
    members = db.rows(f"{_MEMBERS} order by j.change", after=0, today=today, tomorrow=day_after(today))
    db.executemany(
        "update journeys set change = :change where patient_id = :patient_id",
        [{"change": db.next_change(), "patient_id": row["patient_id"]} for row in members],
    )


def _without_wait(found: PullAnswer) -> PullAnswer:
    return msgspec.structs.replace(found, retry_after_s=RETRY_AFTER_S)
