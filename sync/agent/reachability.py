"""Whether the kiosk shows itself online: judged by the outcome of calls over time, never by the network interface."""

from dataclasses import dataclass, replace

OFFLINE_AFTER_S = 8.0  # a restart of the centre takes up to five seconds, and a cut must show within fifteen
ONLINE_AFTER_S = 3.0
RETRY_WITHIN_S = 2.0  # the longest wait between two calls before a failing kiosk shows itself offline


@dataclass(frozen=True, slots=True)
class Reachability:
    """What calls have shown up to a moment. Times are seconds of one monotonic clock.

    - `failing_since_s`: the first call since the last answer that got none.
    - `current_since_s`: the roster was made up to date, and no call has failed since.
    - `has_failed`: whether any call has failed. The first answer of a kiosk without a failure counts at once.
    """

    online: bool = False
    failing_since_s: float | None = None
    current_since_s: float | None = None
    has_failed: bool = False

    @property
    def changes_at_s(self) -> float | None:
        """When `online` changes if no further call ends; None for never."""
        if self.online:
            return None if self.failing_since_s is None else self.failing_since_s + OFFLINE_AFTER_S
        if self.current_since_s is None:
            return None
        return self.current_since_s + (ONLINE_AFTER_S if self.has_failed else 0.0)

    @property
    def is_in_doubt(self) -> bool:
        """Whether calls fail, and the kiosk still shows itself online."""
        return self.online and self.failing_since_s is not None

    def at(self, now_s: float) -> "Reachability":
        """The value at a moment without a call."""
        changes_at_s = self.changes_at_s
        due = changes_at_s is not None and now_s >= changes_at_s
        return replace(self, online=not self.online) if due else self

    def after_failure(self, now_s: float) -> "Reachability":
        """The value after a call without an answer."""
        since_s = now_s if self.failing_since_s is None else self.failing_since_s
        return replace(self.at(now_s), failing_since_s=since_s, current_since_s=None, has_failed=True).at(now_s)

    def after_answer(self, now_s: float, *, is_current: bool) -> "Reachability":
        """The value after an answer. `is_current`: it has made the roster up to date.

        A kiosk that is offline comes back with a current roster alone: else it would show old queues as new ones.
        """
        since_s = now_s if self.current_since_s is None and is_current else self.current_since_s
        return replace(self.at(now_s), failing_since_s=None, current_since_s=since_s).at(now_s)
