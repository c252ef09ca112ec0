"""Pull: the next page of the roster for a kiosk, at once or as soon as something changes."""

import logging
import threading
from collections.abc import Collection

import msgspec

from sync.central.centre import Centre
from sync.central.kiosks.cursors import Cursor, cursor_mac, kind_of_cursor
from sync.central.kiosks.page import PageRequest, read_page
from sync.central.kiosks.refusals import bad_cursor, of_other_site, sender_of, unsupported
from sync.central.maintenance.incarnation import begin_new_incarnation
from sync.central.records.backlogs import Told, is_news, note_backlog, read_backlog
from sync.central.records.cases import BAD_CURSOR, NewCase, has_open_case, open_case
from sync.central.records.catching_up import end_catching_up, is_catching_up
from sync.central.records.chains import read_chain
from sync.central.records.kiosks import Kiosk, note_answered, note_contact, read_kiosk
from sync.central.records.roster import begin_roster_day, first_change_of_day
from sync.central.records.site import read_site
from sync.central.records.told_seqs import last_told, note_told
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.protocol import SUPPORTED_VERSIONS, CallRefused, PullAnswer, PullRequest

log = logging.getLogger(__name__)

PAGE = 25  # patients a page; a kiosk adopts a page in one transaction, and a tap waits for that
LONGEST_WAIT_S = 30.0
MAX_POLLS = 32  # calls that wait at a time
RETRY_AFTER_S = 5.0  # for a call that cannot wait, since too many calls wait already
_LARGEST = 2**53  # of a number in a case
SEEN_EVERY_MS = 60_000  # the least time between two records of a kiosk's last contact


class PullService:
    """Answers pulls, from any thread. At most `most_waiting` calls wait at a time."""

    def __init__(
        self,
        centre: Centre,
        most_waiting: int = MAX_POLLS,
        page: int = PAGE,
        versions: Collection[int] = SUPPORTED_VERSIONS,
    ) -> None:
        """`page` is the number of patients in a page, `versions` the protocol versions that this centre speaks."""
        self._centre = centre
        self._places = threading.Semaphore(most_waiting)
        self._page = page
        self._versions = tuple(sorted(versions))

    def pull(self, kiosk_id: str, request: PullRequest) -> PullAnswer | CallRefused:
        """The next page. `kiosk_id` is the kiosk of the token.

        Waits up to `wait_s` where there is nothing new. Where too many calls wait already, the answer comes at once and
        says when to call again.
        """
        if request.protocol_version not in self._versions:
            return unsupported(self._versions)
        with self._centre.store.read() as db:
            refused = of_other_site(db, request.site_id)
        if refused is not None:
            return refused
        self._note_call(kiosk_id, request)
        answer = self._answer(kiosk_id, request)
        wait_s = min(request.wait_s, LONGEST_WAIT_S)
        if isinstance(answer, CallRefused) or wait_s <= 0 or _has_news(request, answer):
            return answer
        if not self._places.acquire(blocking=False):
            return msgspec.structs.replace(answer, retry_after_s=RETRY_AFTER_S)
        try:
            self._centre.store.news.wait(answer.cursor, wait_s)
        finally:
            self._places.release()
        return self._answer(kiosk_id, request)

    def _note_call(self, kiosk_id: str, request: PullRequest) -> None:
        """Writes the changes that a call itself causes: a new day's roster, the last contact, what waits at the
        kiosk, a new incarnation.

        Most calls change nothing, and do not wait for a writer.
        """
        with self._centre.store.read() as db:
            if not _changes_something(db, kiosk_id, request, self._centre.clock()):
                return
        with self._centre.store.write() as db:
            # Read again: another call may have begun the next day while this call waited to write.
            now_ms = self._centre.clock()
            self._note_cursor(db, kiosk_id, request, now_ms)
            today = read_site(db).day(now_ms)
            if first_change_of_day(db, today) is None:
                begin_roster_day(db, self._centre.definitions, today)
            if _has_caught_up(db, kiosk_id, request):
                end_catching_up(db, kiosk_id)
            note = note_answered if _is_answered(request) else note_contact
            note(db, kiosk_id, now_ms)
            kiosk = read_kiosk(db, kiosk_id)
            seq = _told_seq(db, kiosk, request)
            if kiosk is not None and seq is not None:
                note_told(db, kiosk_id, kiosk.epoch, seq, now_ms)
            if _is_enrolled(kiosk):
                note_backlog(db, Told(kiosk_id, request.backlog, now_ms))

    def _note_cursor(self, db: WriteTransaction, kiosk_id: str, request: PullRequest, now_ms: int) -> None:
        """Begins a new incarnation where the database was set back. Tells staff of a cursor that was made up."""
        if not _is_enrolled(read_kiosk(db, kiosk_id)):
            return
        cursor = kind_of_cursor(db, kiosk_id, request)
        if cursor is Cursor.LOST:
            log.warning("kiosk %s knows changes that the database does not: it was set back", kiosk_id)
            begin_new_incarnation(db, now_ms)
        if cursor is Cursor.MADE_UP and not has_open_case(db, BAD_CURSOR, kiosk_id):
            log.warning("kiosk %s names a cursor that it was never given", kiosk_id)
            detail = {"cursor": min(request.cursor, _LARGEST), "latest": db.latest_change()}
            open_case(db, self._centre.ids(), NewCase(BAD_CURSOR, kiosk_id, detail), now_ms)

    def _answer(self, kiosk_id: str, request: PullRequest) -> PullAnswer | CallRefused:
        with self._centre.store.read() as db:
            sender = sender_of(db, kiosk_id, request.kiosk_id)
            if isinstance(sender, CallRefused):
                return sender
            if kind_of_cursor(db, kiosk_id, request) is Cursor.MADE_UP:
                return bad_cursor(read_site(db).site_id)
            # The first read sets the moment that this transaction sees. A clock read after it names no earlier day.
            now_ms, site, definitions = self._centre.clock(), read_site(db), self._centre.definitions
            page = read_page(
                db,
                PageRequest(request, definitions, site.server_incarnation, site.day(now_ms), self._page),
            )
            is_stale = request.definitions_version != definitions.version
            chain = read_chain(db, kiosk_id, sender.epoch)
            return PullAnswer(
                site_id=site.site_id,
                server_incarnation=site.server_incarnation,
                from_cursor=page.span.from_cursor,
                cursor=page.span.cursor,
                cursor_mac=cursor_mac(db, kiosk_id, page.span.cursor),
                reset=page.span.reset,
                more=page.span.more,
                patients=page.patients,
                gone=page.gone,
                actions=definitions.granted(sender.grants),
                site=site.site,
                now_ms=now_ms,
                verdicts=page.verdicts,
                definitions=dict(definitions.document) if is_stale else None,
                renamed=page.renamed,
                blocked=page.blocked,
                unblocked=page.unblocked,
                last_seq=chain.last_seq if request.epoch == sender.epoch else None,
                backed_up_seq=chain.backed_up_seq if request.epoch == sender.epoch else 0,
                epoch=request.epoch,
                asked_cursor=request.cursor,
                versions=self._versions,
            )


def _has_news(request: PullRequest, answer: PullAnswer) -> bool:
    """Whether an answer holds anything that the kiosk must get at once."""
    parts = (answer.reset, answer.patients, answer.gone, answer.verdicts, answer.renamed, answer.definitions)
    return any(parts) or answer.cursor != request.cursor


def _changes_something(db: ReadTransaction, kiosk_id: str, request: PullRequest, now_ms: int) -> bool:
    kiosk = read_kiosk(db, kiosk_id)
    contact_is_old = kiosk is not None and _must_note(kiosk, request, now_ms)
    tells_news = _is_enrolled(kiosk) and is_news(read_backlog(db, kiosk_id), Told(kiosk_id, request.backlog, now_ms))
    begins_day = first_change_of_day(db, read_site(db).day(now_ms)) is None
    tells_more = kiosk is not None and _tells_of_waiting(db, kiosk, request)
    has_caught_up = _has_caught_up(db, kiosk_id, request)
    return (
        contact_is_old or begins_day or tells_news or tells_more or has_caught_up or _is_cursor_news(db, kiosk, request)
    )


def _has_caught_up(db: ReadTransaction, kiosk_id: str, request: PullRequest) -> bool:
    """Whether a kiosk knows of the last restore and has no action left, so that all it kept was judged."""
    is_done = request.backlog is None and request.server_incarnation == read_site(db).server_incarnation
    return is_done and is_catching_up(db, kiosk_id)


def _told_seq(db: ReadTransaction, kiosk: Kiosk | None, request: PullRequest) -> int | None:
    """The end of a kiosk's chain, as far as its pull can be believed; None where the pull says nothing of it.

    A kiosk that tells of no waiting action has none beyond those that the centre has: else it could tell a large seq
    once, and date all actions up to it as it likes. Parked actions come back under later numbers. After a restore the
    actions above the centre's last one are older than the pull, until the kiosk has heard of it.
    """
    if kiosk is None or not _is_enrolled(kiosk) or request.epoch != kiosk.epoch:
        return None
    if request.server_incarnation != read_site(db).server_incarnation or (request.backlog and request.backlog.parked):
        return None
    received = read_chain(db, kiosk.kiosk_id, kiosk.epoch).last_seq
    return max(min(request.last_seq, _LARGEST), received) if request.backlog else received


def _tells_of_waiting(db: ReadTransaction, kiosk: Kiosk, request: PullRequest) -> bool:
    """Whether a pull is the first one that tells of an action. A seq that the centre has is noted once a minute."""
    seq, before = _told_seq(db, kiosk, request), last_told(db, kiosk.kiosk_id, kiosk.epoch)
    if seq is None or request.backlog is None:
        return seq is not None and before is None
    return before is None or seq > before.seq


def _must_note(kiosk: Kiosk, request: PullRequest, now_ms: int) -> bool:
    """Whether the last record of such a call is old. Pushes record contacts too, so each kind has its own time."""
    noted_ms = kiosk.answered_ms if _is_answered(request) else kiosk.seen_ms
    return (noted_ms or 0) < now_ms - SEEN_EVERY_MS or (_is_answered(request) and kiosk.unanswered_ms is not None)


def _is_answered(request: PullRequest) -> bool:
    """Whether the answer to the pull before has arrived. Else, and after its start, a kiosk asks for a sealed one."""
    return not request.sealed


def _is_cursor_news(db: ReadTransaction, kiosk: Kiosk | None, request: PullRequest) -> bool:
    """Whether the cursor of an enrolled kiosk is to be noted: it shows a loss, or a lie that staff do not know of."""
    if kiosk is None or not _is_enrolled(kiosk):
        return False
    cursor = kind_of_cursor(db, kiosk.kiosk_id, request)
    return cursor is Cursor.LOST or (cursor is Cursor.MADE_UP and not has_open_case(db, BAD_CURSOR, kiosk.kiosk_id))


def _is_enrolled(kiosk: Kiosk | None) -> bool:
    return kiosk is not None and kiosk.revoked_ms is None
