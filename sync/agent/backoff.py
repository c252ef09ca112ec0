"""How long to wait after a failure, and when to tell people that the centre is away."""

import random
from dataclasses import dataclass, replace

CAP_S = 60.0
FIRST_S = 0.5
FAILURES_TO_OFFLINE = 2


def full_jitter(failures: int, chance: random.Random, retry_after_s: float | None = None) -> float:
    """Seconds until the next try after so many failures in a row: random(0, min(60, 0.5 · 2ⁿ)), and never less than
    what the centre asked for (that, too, capped, so that no answer can silence a kiosk)."""
    wait = chance.uniform(0, min(CAP_S, FIRST_S * 2 ** min(failures, 16)))
    return max(wait, min(retry_after_s or 0.0, CAP_S))


@dataclass(frozen=True, slots=True)
class Reachability:
    """Online or offline, as people are told: the outcome of recent calls, with hysteresis. A network interface that is
    up says nothing."""

    online: bool = False
    failures: int = 0

    def after(self, succeeded: bool) -> "Reachability":
        """The next value: one success brings it online, two failures in a row take it offline."""
        if succeeded:
            return Reachability(online=True)
        failures = self.failures + 1
        return replace(self, failures=failures, online=self.online and failures < FAILURES_TO_OFFLINE)
