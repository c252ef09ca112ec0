"""Queue numbers that the centre gives: a prefix and a count of the day, like "C-001". A number in use is skipped."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sync.central.records.entries import entry_of_row, is_free_number, read_numbers_ahead
from sync.central.records.parts import Part
from sync.central.store.set_transaction import SetTransaction
from sync.central.store.transactions import ReadTransaction, WriteTransaction, any_of
from sync.clock import day_before
from sync.journey.day_end import outlasts_day
from sync.journey.definitions import Definitions
from sync.journey.model import BuiltIn, QueueEntry
from sync.journey.queue_numbers import NumberUse, count_of, is_in_use, next_number, queue_number


@dataclass(frozen=True, slots=True)
class _Bearer:
    """An entry that bears a number, its day and that of its journey, and the last sign of life of the number (UTC ms).

    A day's end leaves its entries in a state that is live on their day. So an entry is live while its journey is of
    its day.
    """

    entry: QueueEntry
    site_day: str
    journey_day: str
    last_ms: int

    def is_live(self, definitions: Definitions, today: str) -> bool:
        """Whether the entry is live today, though its own day may not be closed yet."""
        is_open = self.site_day == self.journey_day and self.entry.state in definitions.live
        return is_open and (self.site_day >= today or outlasts_day(definitions, self.entry))


# The day, and the last number that was given on it.
USED_NUMBERS = Part("number", ("q.site_day",), ("q.used",))


def next_queue_number(
    db: WriteTransaction, definitions: Definitions, prefix: str, day: str, now_ms: int, used: int = 0
) -> str:
    """Takes the next queue number under a prefix on a day of the site.

    A number is skipped while an entry of the day or a live entry of an earlier day bears it, and for some hours after.
    Where `used` is the last number that was given on that day, one statement is enough.
    """
    expected, since_day = queue_number(prefix, used + 1), day_before(day)
    live, live_states = any_of("live", definitions.live)
    taken = db.row(
        "insert into queue_numbers values (:day, :prefix, 1) on conflict (site_day, prefix) do update"  # noqa: S608
        f" set used = queue_numbers.used + 1 returning used, ({_may_be_borne(live)}) as is_borne",
        day=day,
        prefix=prefix,
        number=expected,
        since_day=since_day,
        **live_states,
    )
    assert taken is not None
    if (number := queue_number(prefix, taken["used"])) == expected and not taken["is_borne"]:
        return number
    number = next_number(prefix, taken["used"] - 1, lambda each: _is_in_use(db, definitions, each, day, now_ms))
    if count_of(number) > taken["used"]:
        skip_queue_numbers(db, prefix, day, count_of(number))
    return number


def skip_queue_numbers(db: WriteTransaction, prefix: str, day: str, used: int) -> None:
    """Skips the numbers up to `used` under a prefix on a day; later numbers follow the highest of both."""
    db.execute(
        "insert into queue_numbers values (:day, :prefix, :used) on conflict (site_day, prefix) do update"
        " set used = case when queue_numbers.used > excluded.used then queue_numbers.used else excluded.used end",
        {"day": day, "prefix": prefix, "used": used},
    )


def twin_of_number(
    db: ReadTransaction, definitions: Definitions, site_day: str, today: str, number: str, but: str
) -> str | None:
    """The queue id of another entry than `but` that bears a number of an entry of a day; None without one.

    It is an entry of that day. For an entry of today, it may also be a live one of an earlier day.
    """
    if is_free_number(db, number, site_day):
        return None
    found = (each for each in _bearers(db, definitions, number, day_before(site_day)) if each.entry.queue_id != but)
    is_today = site_day >= today
    twins = (e for e in found if e.site_day == site_day or (is_today and e.is_live(definitions, today)))
    return next((each.entry.queue_id for each in twins), None)


def read_twins_ahead(db: SetTransaction, definitions: Definitions, today: str, numbers: Collection[str]) -> None:
    """Reads which of these numbers are no entry's of today yet, nor a live one's of an earlier day."""
    read_numbers_ahead(db, numbers, today, day_before(today), definitions.live)


def _is_in_use(db: ReadTransaction, definitions: Definitions, number: str, day: str, now_ms: int) -> bool:
    bearers = _bearers(db, definitions, number, day_before(day))
    return any(is_in_use(_use(each, definitions, day), day, now_ms) for each in bearers)


def _may_be_borne(live: str) -> str:
    """SQL for whether `_bearers()` may find somebody. Whoever has two numbers counts as a bearer of every number."""
    return (
        "exists (select 1 from entries e where e.queue_number = :number"  # noqa: S608 (placeholders only)
        f" and (e.site_day >= :since_day or e.state in {live}))"
        " or exists (select 1 from entries e where e.label_aliases <> '[]' and e.site_day >= :since_day)"
    )


def _use(bearer: _Bearer, definitions: Definitions, day: str) -> NumberUse:
    """The use of a number by its bearer. A live entry is of this day."""
    is_live = bearer.is_live(definitions, day)
    return NumberUse(max(bearer.site_day, day) if is_live else bearer.site_day, bearer.last_ms)


def _bearers(db: ReadTransaction, definitions: Definitions, number: str, since_day: str) -> Iterator[_Bearer]:
    """The entries of `since_day` or later, and the open ones of all days, that bear a number.

    Second numbers are looked up among the entries of `since_day` or later alone: those of all days are many.
    """
    live, live_states = any_of("live", definitions.live)
    rows = db.rows(
        f"{_BEARERS} where e.queue_number = :number and e.site_day >= :since_day union all {_BEARERS}"
        f" where e.queue_number = :number and e.site_day < :since_day and e.state in {live} and e.site_day = j.site_day"
        f" union all {_BEARERS} where e.label_aliases <> '[]' and e.site_day >= :since_day"
        " and e.queue_number <> :number",
        number=number,
        since_day=since_day,
        day_end=BuiltIn.CLOSE_DAY.value,
        **live_states,
    )
    for row in rows:
        entry = entry_of_row(row)
        if number in (entry.queue_number, *entry.label_aliases):
            yield _Bearer(entry, row["site_day"], row["journey_day"], row["last_ms"])


# The end of a day is no sign of life: who was not seen by then has left long before.
_BEARERS = (
    "select e.*, j.site_day as journey_day, coalesce((select max(h.recorded_ms) from entry_history h"
    " where h.queue_id = e.queue_id and h.reason <> :day_end), e.opened_ms) as last_ms"
    " from entries e join journeys j on j.patient_id = e.patient_id"
)
