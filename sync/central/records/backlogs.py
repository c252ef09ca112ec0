"""What each kiosk has told of its waiting actions, as rows: their number, their time, and the oldest one."""

from dataclasses import dataclass

import msgspec

from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.protocol import Backlog

ON_ITS_WAY_MS = 10_000  # a younger action is no backlog: its push is under way


class KioskBacklog(msgspec.Struct, frozen=True, kw_only=True):
    """The waiting actions of a kiosk, as its last pulls told them. Times are UTC ms by the centre's clock.

    - `waiting`, `since_ms`: their number, and the time of the oldest.
    - `oldest`: the kiosk's own number for the oldest.
    - `parked`: the number of those that the network between does not let pass.
    - `first_told_ms`, `told_ms`: the first and the last pull that told this oldest action.
    """

    kiosk_id: str
    waiting: int
    since_ms: int
    oldest: int
    parked: int
    first_told_ms: int
    told_ms: int


@dataclass(frozen=True, slots=True)
class Told:
    """What one pull tells: the kiosk, its backlog (None: nothing waits) and the time of the pull (UTC ms)."""

    kiosk_id: str
    backlog: Backlog | None
    at_ms: int


def read_backlog(db: ReadTransaction, kiosk_id: str) -> KioskBacklog | None:
    """The waiting actions of a kiosk; None where nothing waits."""
    row = db.row("select * from backlogs where kiosk_id = :kiosk_id", kiosk_id=kiosk_id)
    return backlog_of_columns(*row) if row else None


def backlog_of_columns(
    kiosk_id: str, waiting: int, since_ms: int, oldest: int, parked: int, first_told_ms: int, told_ms: int
) -> KioskBacklog:
    """The waiting actions of a kiosk from the columns of their table, in their order."""
    return KioskBacklog(
        kiosk_id=kiosk_id,
        waiting=waiting,
        since_ms=since_ms,
        oldest=oldest,
        parked=parked,
        first_told_ms=first_told_ms,
        told_ms=told_ms,
    )


def backlogs(db: ReadTransaction) -> dict[str, KioskBacklog]:
    """The waiting actions of every kiosk that is not revoked, by kiosk."""
    rows = db.rows(
        "select b.* from backlogs b join kiosks k on k.kiosk_id = b.kiosk_id where k.revoked_ms is null"
        " order by b.kiosk_id"
    )
    return {row["kiosk_id"]: backlog_of_columns(*row) for row in rows}


def is_news(before: KioskBacklog | None, told: Told) -> bool:
    """Whether a pull tells of another oldest action or of other parked ones than before, or of none any more."""
    waits = _worth_noting(told)
    if before is None or waits is None:
        return before is not None or waits is not None
    return (before.oldest, before.parked) != (_kept(waits.oldest), _kept(waits.parked))


def note_backlog(db: WriteTransaction, told: Told) -> None:
    """Records what a pull tells."""
    waits, before = _worth_noting(told), read_backlog(db, told.kiosk_id)
    db.execute("delete from backlogs where kiosk_id = :kiosk_id", {"kiosk_id": told.kiosk_id})
    if waits is None:
        return
    is_same = before is not None and before.oldest == _kept(waits.oldest)
    row = KioskBacklog(
        kiosk_id=told.kiosk_id,
        waiting=_kept(waits.waiting),
        since_ms=max(told.at_ms - _kept(waits.age_ms), 0),
        oldest=_kept(waits.oldest),
        parked=_kept(waits.parked),
        first_told_ms=before.first_told_ms if before is not None and is_same else told.at_ms,
        told_ms=told.at_ms,
    )
    db.execute(
        "insert into backlogs values (:kiosk_id, :waiting, :since_ms, :oldest, :parked, :first_told_ms, :told_ms)",
        msgspec.structs.asdict(row),
    )


def _kept(number: int) -> int:
    """A number as the database can keep it: a kiosk may claim any."""
    return max(0, min(number, 2**53))


def _worth_noting(told: Told) -> Backlog | None:
    backlog = told.backlog
    if backlog is None or (backlog.age_ms < ON_ITS_WAY_MS and not backlog.parked):
        return None
    return backlog
