"""What an answer to a pull builds on, read for many kiosks by one statement: the moment, and how each kiosk stands."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync.central.records.backlogs import KioskBacklog, backlog_of_columns
from sync.central.records.chains import Chain
from sync.central.records.kiosks import Kiosk, kiosk_of_columns
from sync.central.store.transactions import ReadTransaction, each_of


@dataclass(frozen=True, slots=True)
class Moment:
    """What a transaction sees that is the same for all kiosks.

    - `latest`: the highest change number in use.
    - `server_incarnation`, `cursor_secret`: "" for a database that was never opened.
    - `roster_day`, `first_change`: the day of the roster, and the change at which it began; "" and 0 before the first.
    """

    latest: int
    server_incarnation: str
    cursor_secret: str
    roster_day: str
    first_change: int

    def first_change_of(self, today: str) -> int | None:
        """The change number at which today's roster began.

        None where no pull has come since the last day's end, or where the clock was ahead at the last pull.
        """
        return self.first_change if self.roster_day == today else None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a kiosk stands with the centre.

    - `chain`: that of its present epoch.
    - `told_ms`: the last pull (UTC ms) that was recorded to tell the end of `chain`; None for none.
    - `backlog`: the actions that wait at the kiosk; None where none does.
    - `told_key`: its newest card key, as its last pull told it; None where none has told.
    - `is_catching_up`: it may still hold actions about rows that a restore has lost.
    - `token_ms`: when its present token was made (UTC ms); None where it has none.
    """

    kiosk: Kiosk
    chain: Chain
    told_ms: int | None
    backlog: KioskBacklog | None
    told_key: str | None
    is_catching_up: bool
    token_ms: int | None


@dataclass(frozen=True, slots=True)
class Standings:
    """The moment, and the standings of those kiosks that the centre knows."""

    moment: Moment
    of: Mapping[str, Standing]


_WIDTH = 31
# The order of tokens is that of `tokens_of_kiosk()`.
_STANDINGS = """select n.value, coalesce(i.server_incarnation, ''), coalesce(i.cursor_secret, ''),
    coalesce(r.site_day, ''), coalesce(r.first_change, 0),
    k.kiosk_id, k.name, k.ticket_prefix, k.grants, k.epoch, k.enrolled_ms, k.seen_ms, k.revoked_ms, k.answered_ms,
    k.unanswered_ms, k.renewal_asked_ms,
    c.last_seq, c.last_hash, c.times_asked, c.backed_up_seq,
    s.last_ms, y.key_id, u.since_ms,
    (select t.created_ms from tokens t
        where t.kiosk_id = k.kiosk_id and t.revoked_ms is null and t.replaced_ms is null
        order by case when t.used_ms is null then 1 else 0 end, t.created_ms, t.token_hash limit 1),
    b.kiosk_id, b.waiting, b.since_ms, b.oldest, b.parked, b.first_told_ms, b.told_ms
    from counters n
    left join incarnation i on i.id = 1
    left join roster_day r on r.id = 1
    left join kiosks k on k.kiosk_id in {kiosks}
    left join chains c on c.kiosk_id = k.kiosk_id and c.epoch = k.epoch
    left join told_seqs s on s.kiosk_id = k.kiosk_id and s.epoch = k.epoch and s.seq = coalesce(c.last_seq, 0)
    left join kiosk_card_keys y on y.kiosk_id = k.kiosk_id
    left join catching_up u on u.kiosk_id = k.kiosk_id
    left join backlogs b on b.kiosk_id = k.kiosk_id
    where n.name = 'change'"""


def read_standings(db: ReadTransaction, kiosk_ids: Collection[str] = ("",)) -> Standings:
    """The moment, and the standings of these kiosks."""
    kiosks, parameters = each_of("kiosk", kiosk_ids)
    rows = db.rows_at_once(_STANDINGS.format(kiosks=kiosks), _WIDTH, parameters)
    found = (_standing(row[5:]) for row in rows if row[5] is not None)
    return Standings(Moment(*rows[0][:5]), {each.kiosk.kiosk_id: each for each in found})


def _standing(row: Sequence[Any]) -> Standing:
    kiosk = kiosk_of_columns(*row[:11])
    last_seq, last_hash, times_asked, backed_up_seq, told_ms, told_key, catching_up_ms, token_ms, *backlog = row[11:]
    chain = Chain(kiosk.kiosk_id, kiosk.epoch)
    if last_seq is not None:
        chain = Chain(kiosk.kiosk_id, kiosk.epoch, last_seq, last_hash, times_asked, backed_up_seq)
    return Standing(
        kiosk=kiosk,
        chain=chain,
        told_ms=told_ms,
        backlog=None if backlog[0] is None else backlog_of_columns(*backlog),
        told_key=told_key,
        is_catching_up=catching_up_ms is not None,
        token_ms=token_ms,
    )
