"""Who has a case open at this moment, as rows: a lease each, which its socket renews."""

import msgspec

from sync.central.store.connection import Row
from sync.central.store.transactions import ReadTransaction, WriteTransaction

LEASE_MS = 30_000  # a viewer whose process has died is gone after this time


class Viewer(msgspec.Struct, frozen=True):
    """A person who has a case open. `viewer_id` is the page's: a person may have several."""

    viewer_id: str
    exception_id: str
    name: str
    since_ms: int


def look_at(db: WriteTransaction, viewer: Viewer) -> None:
    """Notes that a page shows a case, in place of the one before. Leases that have run out go."""
    db.execute("delete from case_viewers where until_ms < :now_ms", {"now_ms": viewer.since_ms})
    before = _case_of(db, viewer.viewer_id)
    if before is not None and before != viewer.exception_id:
        db.announce_case(before)
    db.execute(
        "insert into case_viewers values (:viewer_id, :exception_id, :name, :since_ms, :until_ms)"
        " on conflict (viewer_id) do update set exception_id = excluded.exception_id, name = excluded.name,"
        " since_ms = excluded.since_ms, until_ms = excluded.until_ms",
        {**msgspec.structs.asdict(viewer), "until_ms": viewer.since_ms + LEASE_MS},
    )
    db.announce_case(viewer.exception_id)


def renew_look(db: WriteTransaction, viewer_id: str, now_ms: int) -> bool:
    """Renews a lease. Returns False where it has run out and was deleted."""
    renewed = db.execute(
        "update case_viewers set until_ms = :until_ms where viewer_id = :viewer_id",
        {"until_ms": now_ms + LEASE_MS, "viewer_id": viewer_id},
    )
    return renewed.rowcount == 1


def look_away(db: WriteTransaction, viewer_id: str) -> None:
    """Ends a lease."""
    before = _case_of(db, viewer_id)
    if before is not None:
        db.execute("delete from case_viewers where viewer_id = :viewer_id", {"viewer_id": viewer_id})
        db.announce_case(before)


def viewers(db: ReadTransaction, now_ms: int) -> list[Viewer]:
    """Those who have a case open now, in the order in which they opened it."""
    rows = db.rows(
        "select * from case_viewers where until_ms >= :now_ms order by since_ms, viewer_id limit 500", now_ms=now_ms
    )
    return [_viewer(row) for row in rows]


def _case_of(db: ReadTransaction, viewer_id: str) -> str | None:
    row = db.row("select exception_id from case_viewers where viewer_id = :viewer_id", viewer_id=viewer_id)
    return str(row["exception_id"]) if row else None


def _viewer(row: Row) -> Viewer:
    return Viewer(row["viewer_id"], row["exception_id"], row["name"], row["since_ms"])
