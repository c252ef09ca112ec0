"""Staff's looks at patients, for the audit: a board that asks every few seconds is one look at each, not thousands."""

import threading
from collections.abc import Sequence

from sync.central.records.audit import note
from sync.central.store.sqlite import Store

SAME_LOOK_MS = 10 * 60 * 1000  # within so long another look of the same bearer at the same patient is the same one
_Eye = tuple[str, str, str | None]  # who, what they looked at, from which address


class AccessLog:
    """Notes looks, each once in ten minutes, and the patients of one look in one row. May be called from any thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._seen: dict[_Eye, dict[str, int]] = {}  # when whom; a restart forgets it, and notes a look once more

    def note(self, who: str, kind: str, origin: str | None, patient_ids: Sequence[str], now_ms: int) -> None:
        """Notes that somebody looked at these patients. Durable once it returns, or was so before."""
        eye = (who, kind, origin)
        with self._lock:
            seen = {patient_id: at_ms for patient_id, at_ms in self._seen.get(eye, {}).items() if _same(at_ms, now_ms)}
        fresh = [patient_id for patient_id in patient_ids if patient_id not in seen]
        if not fresh:
            return
        alone = fresh[0] if len(fresh) == 1 else None
        detail = {"from": origin} if alone else {"from": origin, "patient_ids": fresh}
        with self._store.write() as db:
            note(db, who, f"look:{kind}", now_ms, patient_id=alone, detail=detail)
        with self._lock:
            # Only now: what could not be written was not noted.
            self._seen = {each: when for each, when in self._seen.items() if _recent(when, now_ms)}
            self._seen[eye] = {**seen, **dict.fromkeys(fresh, now_ms)}


def _same(at_ms: int, now_ms: int) -> bool:
    return abs(now_ms - at_ms) < SAME_LOOK_MS


def _recent(when: dict[str, int], now_ms: int) -> bool:
    return any(_same(at_ms, now_ms) for at_ms in when.values())
