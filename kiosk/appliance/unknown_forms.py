"""The cards of unknown form that were held to this kiosk, counted by their form, for IT. No card's id is in here."""

import threading
from dataclasses import dataclass, replace

MAX_FORMS = 20


@dataclass(frozen=True, slots=True)
class SeenForm:
    """A form, and how often and when last (UTC ms) such a card came. `technology` is "" where it is not known."""

    atr: str
    technology: str
    id_bytes: int
    count: int
    last_ms: int


class UnknownForms:
    """The newest 20 unknown forms since the start. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, str, int], SeenForm] = {}

    def note(self, atr: str, technology: str, id_bytes: int, now_ms: int) -> bool:
        """Counts a card. Returns whether its form is new."""
        key = (atr, technology, id_bytes)
        with self._lock:
            known = self._seen.pop(key, None)
            before = known or SeenForm(atr, technology, id_bytes, 0, now_ms)
            self._seen[key] = replace(before, count=before.count + 1, last_ms=now_ms)
            if len(self._seen) > MAX_FORMS:
                del self._seen[next(iter(self._seen))]
        return known is None

    def seen(self) -> tuple[SeenForm, ...]:
        """The forms, the newest last."""
        with self._lock:
            return tuple(self._seen.values())
