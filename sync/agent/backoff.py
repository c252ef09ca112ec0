"""How long to wait after a failure."""

import math
import random

CAP_S = 60.0
FIRST_S = 0.5


def full_jitter(
    failures: int, chance: random.Random, retry_after_s: float | None = None, longest_s: float = CAP_S
) -> float:
    """Seconds until the next try after `failures` in a row: random(0, min(60, 0.5 · 2ⁿ)), and at least `retry_after_s`.

    The centre's wish is capped at 60 s too, so that no answer can silence a kiosk. `longest_s` takes the place of the
    60 s where it is less.
    """
    wait = chance.uniform(0, min(CAP_S, longest_s, FIRST_S * 2 ** min(failures, 16)))
    return max(wait, min(retry_after_s or 0.0, CAP_S))


def most_failures(longest_s: float) -> int:
    """The number of failures whose wait may reach `longest_s`. More of them in the same time count no more.

    A kiosk in doubt calls often. Those calls must not make the waits long once the doubt is over.
    """
    return math.ceil(math.log2(longest_s / FIRST_S))
