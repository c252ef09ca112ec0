"""How long to wait after a failure, and when to show that the centre is away."""

import random
from dataclasses import dataclass, replace

CAP_S = 60.0
FIRST_S = 0.5
FAILURES_TO_OFFLINE = 2


def full_jitter(failures: int, chance: random.Random, retry_after_s: float | None = None) -> float:
    """Seconds until the next try after `failures` in a row: random(0, min(60, 0.5 · 2ⁿ)), and at least `retry_after_s`.

    The centre's wish is capped at 60 s too, so that no answer can silence a kiosk.
    """
    wait = chance.uniform(0, min(CAP_S, FIRST_S * 2 ** min(failures, 16)))
    return max(wait, min(retry_after_s or 0.0, CAP_S))


@dataclass(frozen=True, slots=True)
class Reachability:
    """Whether the kiosk shows itself online: judged by the outcome of recent calls, with hysteresis. The state of the
    network interface does not count."""

    online: bool = False
    failures: int = 0

    def after_call(self, succeeded: bool) -> "Reachability":
        """The next value. One success brings the kiosk online, two failures in a row take it offline."""
        if succeeded:
            return Reachability(online=True)
        failures = self.failures + 1
        return replace(self, failures=failures, online=self.online and failures < FAILURES_TO_OFFLINE)
