"""Looks of staff at patients as rows of the audit, and which of them were recorded within the last ten minutes.

The requests of a board, one every few seconds, count as one look at each patient.
"""

import threading
from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.store.transactions import WriteTransaction

SAME_LOOK_MS = 10 * 60 * 1000  # a second look of the same bearer at the same patient within this time is the same look
_View = tuple[str, AuditKind, str | None]  # who, the kind of look, the address


class Look(msgspec.Struct, frozen=True):
    """A look of one bearer at patients: of which kind, over which channel, and from which address (None: here)."""

    who: str
    kind: AuditKind
    channel: str
    address: str | None
    patient_ids: tuple[str, ...]

    @property
    def view(self) -> _View:
        """What two looks have in common that count as one."""
        return (self.who, self.kind, self.address)


class RecentLooks:
    """The memory of recorded looks. After a restart a look may be recorded twice. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recorded: dict[_View, dict[str, int]] = {}
        self._cleared_ms = 0

    def unrecorded(self, look: Look, now_ms: int) -> Look | None:
        """The part of a look that no row of the last ten minutes has; None where there is none."""
        with self._lock:
            recorded = self._recorded.get(look.view, {})
            new = tuple(each for each in look.patient_ids if not _is_same(recorded.get(each), now_ms))
        return replace(look, patient_ids=new) if new else None

    def remember(self, look: Look, now_ms: int) -> None:
        """Remembers a look that was recorded. Called after the commit: until then it may still be undone."""
        with self._lock:
            # Not at each look: a busy desk has thousands of patients in memory.
            if not _is_same(self._cleared_ms, now_ms):
                kept = {view: _recent(times, now_ms) for view, times in self._recorded.items()}
                self._recorded = {view: times for view, times in kept.items() if times}
                self._cleared_ms = now_ms
            self._recorded.setdefault(look.view, {}).update(dict.fromkeys(look.patient_ids, now_ms))

    def size(self) -> int:
        """The number of patients and bearers in memory."""
        with self._lock:
            return sum(map(len, self._recorded.values()))


def add_look(db: WriteTransaction, look: Look, now_ms: int) -> None:
    """Adds the row of a look. A row about several patients names them in its detail."""
    only = look.patient_ids[0] if len(look.patient_ids) == 1 else None
    named = {} if only else {"patient_ids": look.patient_ids}
    detail = {"from": look.address, "channel": look.channel, **named}
    note(db, look.who, look.kind, now_ms, patient_id=only, detail=detail)


def _is_same(at_ms: int | None, now_ms: int) -> bool:
    return at_ms is not None and abs(now_ms - at_ms) < SAME_LOOK_MS


def _recent(times: Mapping[str, int], now_ms: int) -> dict[str, int]:
    return {patient_id: at_ms for patient_id, at_ms in times.items() if _is_same(at_ms, now_ms)}
