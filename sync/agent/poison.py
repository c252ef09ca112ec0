"""When one action is at fault, not the network: it is sent as an unread record then, and parked at last.

A firewall may refuse one body by any status, a reset, a page or silence, so no list of answers tells it. A push
fails by its own content where another push passes right after it. A push without actions is that other push.
"""

from dataclasses import dataclass, replace

from sync.protocol import Pushed

PAUSE_S = 5.0  # between two pushes of an action that fails alone: a firewall may lock out a fast client
BATCHES_BEFORE_ALONE = 2  # the first one may have met an outage that was over with the next call
FAILURES_BEFORE_UNREAD = 2
# An unread record is judged like any other, so it costs nothing. A parked action waits, so a fault that passes soon, as
# in a restart of the centre, must not park it. With calls that time out after 10 s, it is parked within 90 s of
# its first push.
FAILURES_BEFORE_PARKED = 3
FAILING_BEFORE_PARKED_MS = 30_000
TRIAL_EVERY_MS = 15 * 60_000  # parked actions are tried again after this time, and at each start


@dataclass(frozen=True, slots=True)
class FailedPush:
    """A push that failed: the number of its actions, the hash of the first, and what was said of it."""

    number: int
    action: str
    unread: bool
    words: str

    @classmethod
    def of(cls, actions: list[Pushed], reason: str) -> "FailedPush":
        """The failure of a push. `reason` quotes nothing of its content."""
        words = f"the network does not let an action pass ({reason}), while other calls pass"
        return cls(len(actions), actions[0].hash, actions[0].opaque is not None, words)


@dataclass(frozen=True, slots=True)
class PoisonWatch:
    """The action (by its hash) that fails alone: how often it has failed as it is and unread, and since when unread.

    `parked` counts the actions that were parked since the last one that passed. Each of them doubles the time for the
    next: where no action passes, the content of one is not the cause. Times are milliseconds of the monotonic clock.
    """

    action: str = ""
    failures: int = 0
    unread_failures: int = 0
    unread_since_ms: int = 0
    parked: int = 0

    def after_failure(self, action: str, now_ms: int, *, unread: bool) -> "PoisonWatch":
        """The next value after a push of that action alone has failed, while the network passes others."""
        before = self if action == self.action else PoisonWatch(action, parked=self.parked)
        if not unread:
            return replace(before, failures=before.failures + 1)
        since_ms = before.unread_since_ms if before.unread_failures else now_ms
        return replace(before, unread_failures=before.unread_failures + 1, unread_since_ms=since_ms)

    def after_parking(self) -> "PoisonWatch":
        """The next value after that action was parked."""
        return PoisonWatch(parked=self.parked + 1)

    @property
    def pauses(self) -> bool:
        """Whether the next push of that action waits. The first failure may be a lost answer, so it costs no time."""
        return self.failures + self.unread_failures > 1

    def goes_unread(self, action: str) -> bool:
        """Whether the action of that hash goes as an unread record."""
        return action == self.action and self.failures >= FAILURES_BEFORE_UNREAD

    def is_stuck(self, action: str, now_ms: int) -> bool:
        """Whether the action of that hash does not pass in any form."""
        failing_ms = FAILING_BEFORE_PARKED_MS << min(self.parked, _MOST_DOUBLED)
        is_failing = self.unread_failures >= FAILURES_BEFORE_PARKED and now_ms - self.unread_since_ms >= failing_ms
        return action == self.action and is_failing


_MOST_DOUBLED = 7  # to 75 minutes


@dataclass(frozen=True, slots=True)
class Trials:
    """The parked actions that are still to be tried in this round, and the time of the next round."""

    next_ms: int = 0
    left: tuple[Pushed, ...] = ()

    def first(self) -> "tuple[Pushed | None, Trials]":
        """The next action to try, if any, and the trials after it."""
        return (self.left[0], replace(self, left=self.left[1:])) if self.left else (None, self)
