"""What the database says at the moment of a scrape: the queue, cases, kiosks, the last health check, the clock."""

import msgspec

from sync.central.centre import Centre
from sync.central.maintenance.timekeeper import doubt_of
from sync.central.records.backlogs import KioskBacklog, backlogs
from sync.central.records.cases import count_open_cases
from sync.central.records.entries import count_entries_by_state
from sync.central.records.kiosks import Kiosk, kiosks
from sync.central.records.last_check import LastCheck, read_last_check
from sync.central.records.site import today_or_none


class KioskFigures(msgspec.Struct, frozen=True):
    """A kiosk that is not revoked: its last contact (UTC ms) and what waits at it, as its pulls tell."""

    kiosk_id: str
    seen_ms: int | None
    backlog: KioskBacklog | None


class Figures(msgspec.Struct, frozen=True):
    """The figures of the whole site. All hosts and workers read the same ones, but for the clock.

    `queue` is the number of entries of today in each state. `clock_offset_ms` is how far the machine's clock is ahead
    of the time that the centre uses.
    """

    queue: dict[str, int]
    open_cases: int
    kiosks: tuple[KioskFigures, ...]
    last_check: LastCheck | None
    clock_offset_ms: int


def read_figures(centre: Centre) -> Figures:
    """The figures now. Raises sqlite3.OperationalError."""
    doubt = doubt_of(centre.clock)
    with centre.store.read() as db:
        today = today_or_none(db, centre.clock())
        found = count_entries_by_state(db, today) if today else {}
        waiting = backlogs(db)
        return Figures(
            {state: found.get(state, 0) for state in centre.definitions.queue_states},
            count_open_cases(db),
            tuple(_of_kiosk(each, waiting) for each in kiosks(db) if each.revoked_ms is None),
            read_last_check(db),
            doubt.machine_ms - doubt.taken_ms if doubt else 0,
        )


def _of_kiosk(kiosk: Kiosk, waiting: dict[str, KioskBacklog]) -> KioskFigures:
    return KioskFigures(kiosk.kiosk_id, kiosk.seen_ms, waiting.get(kiosk.kiosk_id))
