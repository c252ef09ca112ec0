"""Tokens and codes that were refused, counted in the audit: one row for each address, kind and token in ten minutes.

A row holds the address, and the id of a token, which is no secret; never a token or a code. A flood of invented tokens
makes few rows: beyond `TOKENS_OF_ONE` an address has one row for all its other tokens, and beyond `MOST_ROWS` one
row counts for all other addresses.
"""

import ipaddress

from sync.central.centre import Centre
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.looks import SAME_LOOK_MS
from sync.central.records.tallies import Counted, Tally

TOKENS_OF_ONE = 8
MOST_ROWS = 64  # of refusals within ten minutes
_REFUSED = "refused:"
NOBODY_KNOWN = "unknown"  # who, for a token or a code that names nobody


def note_refusal(
    centre: Centre, kind: AuditKind, address: str | None, who: str = NOBODY_KNOWN, token_id: str | None = None
) -> None:
    """Counts a refusal. `who` is the bearer of a token that is known. It is written within seconds (`Tallies`)."""
    now_ms = centre.clock()
    begin_ms = now_ms - now_ms % SAME_LOOK_MS
    end_ms = begin_ms + SAME_LOOK_MS
    origin = origin_of(address or "")
    finest = Tally(kind, who, begin_ms, end_ms, (origin, token_id))
    of_address = Tally(kind, NOBODY_KNOWN, begin_ms, end_ms, (origin, None))
    of_all = Tally(kind, NOBODY_KNOWN, begin_ms, end_ms, (None, None))
    tally = _first_with_room(centre, finest, of_address, of_all)
    names = dict(zip(("from", "token"), tally.about, strict=True))
    centre.tallies.add(tally, Counted(1, now_ms, {name: value for name, value in names.items() if value is not None}))


def origin_of(address: str) -> str:
    """Whom failures are counted for: an IPv4 address, or the /64 of an IPv6 one, where one machine has many."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return address if found.version == 4 else str(ipaddress.ip_network((found, 64), strict=False))


def _first_with_room(centre: Centre, finest: Tally, of_address: Tally, of_all: Tally) -> Tally:
    refusals = [each for each in centre.tallies.of_period(finest.begin_ms) if each.kind.startswith(_REFUSED)]
    of_one = [each for each in refusals if (each.kind, each.about[0]) == (finest.kind, finest.about[0])]
    has_room = len(refusals) < MOST_ROWS
    if finest in refusals or (has_room and len(of_one) < TOKENS_OF_ONE):
        return finest
    return of_address if of_address in refusals or has_room else of_all
