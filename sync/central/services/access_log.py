"""The access log: which staff member looked at which patient, for the audit.

The requests of a board, one every few seconds, count as one look at each patient.
"""

import threading
from collections.abc import Sequence

from sync.central.records.audit import note
from sync.central.store.sqlite import Store

SAME_LOOK_MS = 10 * 60 * 1000  # a second look of the same bearer at the same patient within this time is the same look
_View = tuple[str, str, str | None]  # who, the kind of look, the address


class AccessLog:
    """Records looks: each once in ten minutes, the patients of one look in one row. May be called from any thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        # The time of the last recorded look at each patient. After a restart a look may be recorded twice.
        self._recorded: dict[_View, dict[str, int]] = {}

    def record(self, who: str, kind: str, address: str | None, patient_ids: Sequence[str], now_ms: int) -> None:
        """Records that a bearer looked at these patients. Durable when it returns, or durable already."""
        view = (who, kind, address)
        with self._lock:
            recent = {each: at_ms for each, at_ms in self._recorded.get(view, {}).items() if _same(at_ms, now_ms)}
        new = [patient_id for patient_id in patient_ids if patient_id not in recent]
        if not new:
            return
        only = new[0] if len(new) == 1 else None
        detail = {"from": address} if only else {"from": address, "patient_ids": new}
        with self._store.write() as db:
            note(db, who, f"look:{kind}", now_ms, patient_id=only, detail=detail)
        with self._lock:
            # After the commit: a look that could not be written is not recorded.
            self._recorded = {each: times for each, times in self._recorded.items() if _any_recent(times, now_ms)}
            self._recorded[view] = {**recent, **dict.fromkeys(new, now_ms)}


def _same(at_ms: int, now_ms: int) -> bool:
    return abs(now_ms - at_ms) < SAME_LOOK_MS


def _any_recent(times: dict[str, int], now_ms: int) -> bool:
    return any(_same(at_ms, now_ms) for at_ms in times.values())
