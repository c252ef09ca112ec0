"""The rows of a page: the part of the roster between two changes, read and encoded once for all kiosks that ask for
it.

Change numbers are taken in the transaction that writes, so their order is commit order: a kiosk that has one change has
every change before it. What a page says of its span holds for good: a row that changes later has a later number, and
comes again. So a page may be used a little later than it was read. The kiosk then asks for the changes since.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from sync.cards import CardHash
from sync.central.records.card_blocks import CardBlock, blocks_in_force, changed_blocks
from sync.central.records.roster import changes_of_members, changes_of_patients
from sync.central.records.roster_rows import Changed, roster_rows
from sync.central.store.transactions import ReadTransaction
from sync.journey.definitions import Definitions
from sync.protocol import PatientRow

BLOCKS_A_ROW = 20  # a blocked card is so much smaller than a patient's row
MOST_BYTES = 32 * 1024 * 1024  # of the pages that are kept
KEPT_MS = 3000  # how long a page is used after something has changed; kiosks that begin a day come together
_WORTH_KEEPING = 100  # rows; a smaller page is read again sooner than its kiosk could ask twice


@dataclass(frozen=True, slots=True)
class Span:
    """Which page: the changes above `after`, in a roster of the day `today`, with at most `rows` patients.

    `after` is None for the first page of a snapshot. The roster of the day began with `first_change`, in the
    incarnation `server_incarnation`.
    """

    after: int | None
    rows: int
    today: str
    first_change: int
    server_incarnation: str


@dataclass(frozen=True, slots=True)
class RosterPage:
    """The rows of a page, complete up to the change `end`.

    `members` are the last members of an answer as JSON, with the bracket that ends it: they follow a `PageHead`.
    `named` are the ids of the patients, `gone` those of patients who have left the roster.
    """

    end: int
    members: bytes
    named: tuple[str, ...]
    gone: tuple[str, ...]


class _Members(msgspec.Struct, frozen=True):
    """What a PullAnswer has after its PageHead."""

    patients: Sequence[PatientRow] = ()
    blocked: Sequence[CardHash] = ()
    unblocked: Sequence[CardHash] = ()

    def encoded(self) -> bytes:
        return msgspec.json.encode(self)[1:]


NO_ROWS = RosterPage(0, _Members().encoded(), (), ())


@dataclass(frozen=True, slots=True)
class _Kept:
    """A page with the last change when it was read, and the time of that (UTC ms)."""

    page: RosterPage
    latest: int
    at_ms: int

    def holds(self, latest: int, now_ms: int) -> bool:
        """Whether the page is used for another kiosk."""
        is_large = len(self.page.named) + len(self.page.gone) >= _WORTH_KEEPING
        is_cut = self.page.end < self.latest
        return latest == self.latest or ((is_large or is_cut) and 0 <= now_ms - self.at_ms < KEPT_MS)


class Pages:
    """The pages of one version of the rules. May be used from any thread: each page is read once."""

    def __init__(self, definitions: Definitions, most_bytes: int = MOST_BYTES) -> None:
        self._definitions = definitions
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[Span, _Kept] = OrderedDict()  # the last one used is the last
        self._bytes = 0

    def page(self, db: ReadTransaction, span: Span, latest: int, now_ms: int) -> RosterPage:
        """The page of a span, as of a moment not long ago. `latest` is the last change that the transaction sees."""
        with self._lock:
            kept = self._kept.get(span)
            if kept is None or not kept.holds(latest, now_ms):
                kept = _Kept(read_rows(db, self._definitions, span, latest), latest, now_ms)
                self._keep(span, kept)
            self._kept.move_to_end(span)
            return kept.page

    def _keep(self, span: Span, kept: _Kept) -> None:
        before = self._kept.pop(span, None)
        self._kept[span] = kept
        self._bytes += len(kept.page.members) - (len(before.page.members) if before else 0)
        while self._bytes > self._most_bytes and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest.page.members)


def read_rows(db: ReadTransaction, definitions: Definitions, span: Span, until: int) -> RosterPage:
    """The page of a span up to a change. It ends where its patients or its blocked cards are cut at a page's length."""
    most_blocks = BLOCKS_A_ROW * span.rows
    if span.after is None:
        changes = changes_of_members(db, definitions, span.today, until, span.rows)
        blocks = blocks_in_force(db, until, most_blocks)
    else:
        changes = changes_of_patients(db, span.after, until, span.rows)
        blocks = changed_blocks(db, span.after, until, most_blocks)
    end_of_blocks = end_of([block.change for block in blocks], most_blocks, until)
    end = min(end_of(changes, span.rows, until), end_of_blocks)
    changed = roster_rows(db, definitions, span.today, changes[0] - 1, min(changes[-1], end)) if changes else []
    return _page(span, changed, [block for block in blocks if block.change <= end], end)


def end_of(changes: Sequence[int], limit: int, latest: int) -> int:
    """The change up to which a list that was read with a limit is complete."""
    return changes[-1] if len(changes) == limit else latest


def _page(span: Span, changed: Sequence[Changed], blocks: Sequence[CardBlock], end: int) -> RosterPage:
    patients = [each.row for each in changed if each.row is not None]
    blocked = [card for block in blocks if block.in_force for card in block.cards]
    unblocked = [card for block in blocks if not block.in_force for card in block.cards]
    return RosterPage(
        end=end,
        members=_Members(patients, blocked, unblocked).encoded(),
        named=tuple(each.patient_id for each in patients),
        # A snapshot names nobody who has left: its kiosk forgets whom it does not name.
        gone=tuple(each.patient_id for each in changed if each.row is None) if span.after is not None else (),
    )
