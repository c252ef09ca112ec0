"""When the centre chokes on one action that the kiosk can read: how long it is sent as it is before it is sent unread.

An answer of the protocol is the word of a centre that runs, and it will say the same again. A bare HTTP 500 is not: it
may come of a bad upgrade or a full disk, and passes. A healthy action must not end in quarantine by it.
"""

from dataclasses import dataclass, replace

from sync.agent.backoff import CAP_S
from sync.agent.client import NoAnswer
from sync.protocol import CallRefused, EndCode

REFUSED_BEFORE_UNREAD = 5  # answers of the protocol, in a row
FAILING_BEFORE_UNREAD_MS = 10 * 60 * 1000  # of any other answers that say that it failed
# Answers by which a server says that it failed over this very request; a proxy's 502 to 504 tell of no server at all.
_FAILING = frozenset({400, 413, 422, 500})
_BETWEEN_TWO_MS = int(CAP_S * 1000)  # a longer silence was not the centre's failing


@dataclass(frozen=True, slots=True)
class PoisonWatch:
    """On which action alone (its hash) the centre chokes: how often it refused it, and for how long it has been failing
    over it. Times are of the monotonic clock."""

    on: str = ""
    refused: int = 0
    failing_ms: int = 0
    last_ms: int = 0

    def after(self, alone: str, outcome: object, now_ms: int) -> "PoisonWatch":
        """The next value, after what came of a push. `alone` is the hash of the only action in it, else empty. No
        answer at all says nothing."""
        refused = isinstance(outcome, CallRefused) and outcome.code is EndCode.MALFORMED
        failed = isinstance(outcome, NoAnswer) and outcome.status in _FAILING
        if not alone or not (refused or failed):
            return self if isinstance(outcome, NoAnswer) else PoisonWatch()
        if alone != self.on:
            return PoisonWatch(alone, refused=int(refused), last_ms=now_ms)
        since_ms = min(now_ms - self.last_ms, _BETWEEN_TWO_MS) if failed else 0
        return replace(self, refused=self.refused + refused, failing_ms=self.failing_ms + since_ms, last_ms=now_ms)

    def for_good(self, action: str) -> bool:
        """Whether there is no hope left that it takes in the action of that hash as it is."""
        return action == self.on and (
            self.refused >= REFUSED_BEFORE_UNREAD or self.failing_ms >= FAILING_BEFORE_UNREAD_MS
        )
