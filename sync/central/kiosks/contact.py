"""What a pull itself writes: the last contact, what waits at the kiosk, how far its chain was, a new day's roster.

Most pulls change nothing. Each of these is written once a minute, or where it is news.
"""

import logging
import zlib

from sync.central.centre import Centre
from sync.central.kiosks.answering import Asked, Present, present_of
from sync.central.kiosks.cursors import Cursor, has_whole_roster, kind_of_cursor
from sync.central.maintenance.incarnation import begin_new_incarnation
from sync.central.records.backlogs import Told, is_news, note_backlog
from sync.central.records.card_keys import note_told_key
from sync.central.records.cases import BAD_CURSOR, NewCase, open_or_repeat
from sync.central.records.catching_up import end_catching_up
from sync.central.records.kiosks import Kiosk, note_answered, note_contact
from sync.central.records.roster import begin_roster_day
from sync.central.records.standings import Standing, read_standings
from sync.central.records.told_seqs import ToldEnd, note_told, noted_at
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.protocol import PullRequest

log = logging.getLogger(__name__)

SEEN_EVERY_MS = 60_000  # the longest time between two records of the last contact of a kiosk that calls
_LARGEST = 2**53  # of a number in a case
_LONGEST_ID = 128  # characters of a card key's id
_HASH_LENGTH = 64  # of SHA-256 in hex


def changes_something(db: ReadTransaction, present: Present, standing: Standing | None, asked: Asked) -> bool:
    """Whether a pull is to be noted. The moment and the standing are those of the transaction."""
    if present.moment.first_change_of(present.today) is None:
        return True
    if standing is None:
        return False
    request, now_ms = asked.request, present.now_ms
    return (
        _is_contact_old(standing.kiosk, request, now_ms)
        or _tells_more(db, present, standing, request)
        or _has_caught_up(present, standing, request)
        or (_is_enrolled(standing) and _tells_news(present, standing, asked))
    )


def noted_every_ms(kiosk_id: str) -> int:
    """How long a record of a kiosk's last contact is young enough.

    Kiosks that come back together, as after an outage, differ in it. Else all of them would be noted in one second of
    each minute, and those who act would wait for that.
    """
    return SEEN_EVERY_MS - zlib.crc32(kiosk_id.encode()) % (SEEN_EVERY_MS // 2)


def note_pull(db: WriteTransaction, centre: Centre, asked: Asked) -> None:
    """Writes what a pull changes."""
    # Read again: another call may have begun the next day while this call waited to write.
    standings = read_standings(db, (asked.kiosk_id,))
    standing, request, kiosk_id = standings.of.get(asked.kiosk_id), asked.request, asked.kiosk_id
    present = present_of(db, centre, standings.moment)
    if standing is not None and _is_enrolled(standing):
        present = _note_cursor(db, centre, present, asked)
    if present.moment.first_change_of(present.today) is None:
        begin_roster_day(db, centre.definitions, present.today)
    if standing is None:
        return
    if _has_caught_up(present, standing, request):
        end_catching_up(db, kiosk_id)
    note = note_answered if _is_answered(request) else note_contact
    note(db, kiosk_id, present.now_ms)
    told = _told_end(present, standing, request)
    if told is not None:
        note_told(db, kiosk_id, told, present.now_ms)
    if _is_enrolled(standing):
        if request.card_key_id and _tells_other_key(standing, request.card_key_id):
            note_told_key(db, kiosk_id, request.card_key_id)
        note_backlog(db, Told(kiosk_id, request.backlog, present.now_ms))


def _note_cursor(db: WriteTransaction, centre: Centre, present: Present, asked: Asked) -> Present:
    """Begins a new incarnation where the database was set back. Tells staff of a cursor that was made up.

    Returns the present after that.
    """
    kiosk_id, request = asked.kiosk_id, asked.request
    cursor = kind_of_cursor(present.moment, kiosk_id, request)
    if cursor is Cursor.MADE_UP:
        log.warning("kiosk %s names a cursor that it was never given", kiosk_id)
        detail = {"cursor": min(request.cursor, _LARGEST), "latest": present.moment.latest}
        new = NewCase(BAD_CURSOR, kiosk_id, detail, matter=BAD_CURSOR)
        open_or_repeat(db, centre.ids(), new, present.now_ms)
    if cursor is not Cursor.LOST:
        return present
    log.warning("kiosk %s knows changes that the database does not: it was set back", kiosk_id)
    begin_new_incarnation(db, present.now_ms)
    return present_of(db, centre, read_standings(db).moment)


def _has_caught_up(present: Present, standing: Standing, request: PullRequest) -> bool:
    """Whether a kiosk has nothing left from before the last restore: no action, and no row of the roster.

    A tap may name what such a row tells until the last page of the snapshot has come.
    """
    moment = present.moment
    knows_restore = request.backlog is None and request.server_incarnation == moment.server_incarnation
    return standing.is_catching_up and knows_restore and has_whole_roster(moment, standing.kiosk.kiosk_id, request)


def _told_end(present: Present, standing: Standing, request: PullRequest) -> ToldEnd | None:
    """The end of a kiosk's chain, as far as its pull can be believed; None where the pull says nothing of it.

    A kiosk that tells of no waiting action has none beyond those that the centre has: else it could tell a large seq
    once, and date all actions up to it as it likes. Nor does an action count without the hash that binds the kiosk to
    it. Parked actions come back under later numbers. After a restore the
    actions above the centre's last one are older than the pull, until the kiosk has heard of it.
    """
    kiosk, received = standing.kiosk, standing.chain.last_seq
    if not _is_enrolled(standing) or request.epoch != kiosk.epoch:
        return None
    is_of_now = request.server_incarnation == present.moment.server_incarnation
    if not is_of_now or (request.backlog and request.backlog.parked):
        return None
    if request.backlog is None or not request.chain_hash or request.last_seq <= received:
        return ToldEnd(kiosk.epoch, received)
    return ToldEnd(kiosk.epoch, min(request.last_seq, _LARGEST), request.chain_hash[:_HASH_LENGTH])


def _tells_more(db: ReadTransaction, present: Present, standing: Standing, request: PullRequest) -> bool:
    """Whether a pull tells another seq than the one noted within the last minute.

    The kiosk's last contact is no measure of that: a push is one too, and tells nothing.
    """
    told = _told_end(present, standing, request)
    if told is None:
        return False
    is_received = told.seq == standing.chain.last_seq
    noted_ms = standing.told_ms if is_received else noted_at(db, standing.kiosk.kiosk_id, told)
    return noted_ms is None or noted_ms < present.now_ms - noted_every_ms(standing.kiosk.kiosk_id)


def _tells_news(present: Present, standing: Standing, asked: Asked) -> bool:
    """Whether an enrolled kiosk tells of other waiting actions, of another card key, or of a loss or a lie."""
    told = Told(asked.kiosk_id, asked.request.backlog, present.now_ms)
    return (
        is_news(standing.backlog, told)
        or _tells_other_key(standing, asked.request.card_key_id)
        or kind_of_cursor(present.moment, asked.kiosk_id, asked.request) is not Cursor.PAST
    )


def _tells_other_key(standing: Standing, key_id: str | None) -> bool:
    """Whether a pull names another newest card key than the kiosk's pulls before. Operators see which have the new."""
    return bool(key_id) and len(key_id or "") <= _LONGEST_ID and standing.told_key != key_id


def _is_contact_old(kiosk: Kiosk, request: PullRequest, now_ms: int) -> bool:
    """Whether the last record of such a call is old. Pushes record contacts too, so each kind has its own time."""
    noted_ms = kiosk.answered_ms if _is_answered(request) else kiosk.seen_ms
    return (noted_ms or 0) < now_ms - noted_every_ms(kiosk.kiosk_id) or (
        _is_answered(request) and kiosk.unanswered_ms is not None
    )


def _is_answered(request: PullRequest) -> bool:
    """Whether the answer to the pull before has arrived. Else, and after its start, a kiosk asks for a sealed one."""
    return not request.sealed


def _is_enrolled(standing: Standing) -> bool:
    return standing.kiosk.revoked_ms is None
