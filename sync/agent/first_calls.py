"""The first pull of a day comes after a random while: else all kiosks of a hospital would ask for their snapshots at
once."""

import random

from sync.agent.ledger import KioskState
from sync.clock import site_day

SPREAD_S = 5.0  # the kiosk has ended the day itself, and knows the bookings of the new one


class FirstCalls:
    """Says how long a pull waits. A kiosk that has just started, or was just enrolled, waits for nothing."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._met: tuple[str, str] | None = None  # the kiosk, and the day of its last pull

    def wait_s(self, identity: KioskState | None, now_ms: int) -> float:
        """Seconds before the next pull, asked for once before each; `now_ms` is the kiosk's clock (UTC ms)."""
        if identity is None:
            return 0.0
        before, site = self._met, identity.site
        self._met = (identity.kiosk_id, site_day(now_ms, site.timezone, site.day_starts_at))
        is_other_day = before is not None and before[0] == identity.kiosk_id and before != self._met
        return self._chance.uniform(0.0, SPREAD_S) if is_other_day else 0.0
