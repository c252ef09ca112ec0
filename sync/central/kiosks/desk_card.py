"""What a kiosk tells of a card for the desk. The answer tells nothing of whose the card is.

A word counts for the kiosk that was asked alone, for the wait under way, and for one card. A repeat of it counts too,
since its answer may have been lost: also once staff have bound or discarded the card, whose hash is gone then.
"""

from collections.abc import Callable, Collection, Mapping

from sync.central.centre import Centre
from sync.central.desk.next_card import ASK_MS
from sync.central.kiosks.refusals import of_other_site, sender_of, unsupported
from sync.central.records.desk_cards import (
    DeskCard,
    Ended,
    add_desk_card,
    desk_readers,
    end_desk_card,
    note_desk_reader,
    note_read,
    note_refused,
    note_shown,
    number_read,
    read_desk_card,
)
from sync.central.store.transactions import WriteTransaction
from sync.ids import is_uuid
from sync.protocol import SUPPORTED_VERSIONS, CallRefused, DeskCardAnswer, DeskCardRequest, DeskWord, EndCode

MOST_A_MINUTE = 20  # cards of a kiosk: no reader reads more
GRACE_MS = 5_000  # for a card that was held in time
_MAX_TEXT = 128
_MAX_REASON = 64
_Take = Callable[[WriteTransaction, str, DeskCardRequest, int], bool]


def take_desk_card(
    centre: Centre, kiosk_id: str, request: DeskCardRequest, versions: Collection[int] = SUPPORTED_VERSIONS
) -> DeskCardAnswer | CallRefused:
    """Takes a word of a kiosk. `kiosk_id` is the kiosk of the token."""
    if request.protocol_version not in versions:
        return unsupported(versions)
    if not _is_whole(request):
        return CallRefused(code=EndCode.MALFORMED, error="the word lacks its id or its card")
    with centre.store.write(brief=True) as db:
        refused = of_other_site(db, request.site_id)
        if refused is not None:
            return refused
        sender = sender_of(db, kiosk_id, request.kiosk_id)
        if isinstance(sender, CallRefused):
            return sender
        now_ms = centre.clock()
        if _reads_too_many(db, kiosk_id, request, now_ms):
            return CallRefused(code=EndCode.TRY_LATER, error="too many cards; wait a minute", retry_after_s=60.0)
        counts = _TAKES[request.word](db, kiosk_id, request, now_ms)
        return DeskCardAnswer(site_id=request.site_id, counts=counts, versions=tuple(sorted(versions)))


def _is_whole(request: DeskCardRequest) -> bool:
    if request.word is DeskWord.READER:
        return True
    if not is_uuid(request.ask_id) or len(request.reason) > _MAX_REASON:
        return False
    card = request.card
    if request.word is not DeskWord.CARD:
        return True
    return card is not None and 0 < len(card.key_id) <= _MAX_TEXT and 0 < len(card.uid_hash) <= _MAX_TEXT


def _reads_too_many(db: WriteTransaction, kiosk_id: str, request: DeskCardRequest, now_ms: int) -> bool:
    is_new = request.word is DeskWord.CARD and read_desk_card(db, request.ask_id) is None
    return is_new and number_read(db, kiosk_id, now_ms - ASK_MS) >= MOST_A_MINUTE


def _reader(db: WriteTransaction, kiosk_id: str, _: DeskCardRequest, now_ms: int) -> bool:
    note_desk_reader(db, kiosk_id, now_ms)
    return True


def _shown(db: WriteTransaction, kiosk_id: str, request: DeskCardRequest, now_ms: int) -> bool:
    asked = _awaited(db, kiosk_id, request, now_ms)
    if asked is not None and asked.shown_ms is None:
        note_shown(db, asked.ask_id, now_ms)
    return asked is not None


def _card(db: WriteTransaction, kiosk_id: str, request: DeskCardRequest, now_ms: int) -> bool:
    assert request.card is not None
    known = read_desk_card(db, request.ask_id)
    if known is None:
        return _unasked(db, kiosk_id, request, now_ms)
    if known.kiosk_id == kiosk_id and known.read_ms is not None and known.card in (request.card, None):
        return True
    asked = _awaited(db, kiosk_id, request, now_ms - GRACE_MS)
    if asked is None:
        return False
    note_read(db, asked.ask_id, request.card, now_ms, short_uid=request.short_uid)
    return True


def _unasked(db: WriteTransaction, kiosk_id: str, request: DeskCardRequest, now_ms: int) -> bool:
    """A card that nobody has asked for counts at a kiosk all of whose cards are for the desk."""
    if kiosk_id not in desk_readers(db, now_ms):
        return False
    read = DeskCard(request.ask_id, kiosk_id, "", now_ms, now_ms, now_ms, now_ms, request.card, request.short_uid)
    add_desk_card(db, read)
    return True


def _refused(db: WriteTransaction, kiosk_id: str, request: DeskCardRequest, now_ms: int) -> bool:
    asked = _awaited(db, kiosk_id, request, now_ms)
    if asked is not None:
        note_refused(db, asked.ask_id, request.reason)
    return asked is not None


def _cancelled(db: WriteTransaction, kiosk_id: str, request: DeskCardRequest, now_ms: int) -> bool:
    asked = _awaited(db, kiosk_id, request, now_ms)
    if asked is not None:
        end_desk_card(db, asked.ask_id, Ended.CANCELLED_AT_KIOSK, now_ms)
    return asked is not None


def _awaited(db: WriteTransaction, kiosk_id: str, request: DeskCardRequest, now_ms: int) -> DeskCard | None:
    """The wait under way that a word is about; None where it is none of this kiosk."""
    asked = read_desk_card(db, request.ask_id)
    return asked if asked is not None and asked.kiosk_id == kiosk_id and asked.awaits(now_ms) else None


_TAKES: Mapping[DeskWord, _Take] = {
    DeskWord.READER: _reader,
    DeskWord.SHOWN: _shown,
    DeskWord.CARD: _card,
    DeskWord.REFUSED: _refused,
    DeskWord.CANCELLED: _cancelled,
}
