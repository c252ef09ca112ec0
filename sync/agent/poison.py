"""When to give up on one readable action that the centre cannot take in, and to send it as an unread record.

A refusal of the protocol comes from a centre that works, and the centre will refuse again. A bare HTTP 500 may come
from a bad upgrade or a full disk. Such a fault may pass, and must not send a healthy action into quarantine soon.
"""

from dataclasses import dataclass, replace

from sync.agent.backoff import CAP_S
from sync.agent.client import NoAnswer
from sync.protocol import CallRefused, EndCode

REFUSALS_BEFORE_UNREAD = 5  # answers of the protocol, in a row
FAILING_BEFORE_UNREAD_MS = 10 * 60 * 1000  # of other answers that report a failure
# Answers by which a server reports that it failed over this request. A proxy's 502 to 504 do not report on the server.
_FAILING = frozenset({400, 413, 422, 500})
_LONGEST_PAUSE_MS = int(CAP_S * 1000)  # between two failures: the rest of a longer silence does not count


@dataclass(frozen=True, slots=True)
class PoisonWatch:
    """The one action (by its hash) over which the centre fails: how often the centre refused it, and for how long it
    has been failing. Times are milliseconds of the monotonic clock."""

    action: str = ""
    refusals: int = 0
    failing_ms: int = 0
    last_ms: int = 0

    def after_push(self, action: str, outcome: object, now_ms: int) -> "PoisonWatch":
        """The next value after a push. `action` is the hash of the push's only action, empty where it had several.

        A push without any answer of the centre changes nothing.
        """
        refused = isinstance(outcome, CallRefused) and outcome.code is EndCode.MALFORMED
        failed = isinstance(outcome, NoAnswer) and outcome.status in _FAILING
        if not action or not (refused or failed):
            return self if isinstance(outcome, NoAnswer) else PoisonWatch()
        if action != self.action:
            return PoisonWatch(action, refusals=int(refused), last_ms=now_ms)
        since_ms = min(now_ms - self.last_ms, _LONGEST_PAUSE_MS) if failed else 0
        return replace(self, refusals=self.refusals + refused, failing_ms=self.failing_ms + since_ms, last_ms=now_ms)

    def is_poison(self, action: str) -> bool:
        """Whether the centre will never take in the action of that hash as it is."""
        return action == self.action and (
            self.refusals >= REFUSALS_BEFORE_UNREAD or self.failing_ms >= FAILING_BEFORE_UNREAD_MS
        )
