"""Queue numbers that the centre gives: a prefix and a count of the day, like "C-001". A number in use is skipped."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sync.central.records.entries import entry_of_row, is_free_number, read_numbers_ahead, those_ahead
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


@dataclass(frozen=True, slots=True)
class Opening:
    """What an entry gets as it opens: its queue number, the change number of its rows, and the people before it."""

    queue_number: str
    change: int
    people_ahead: int


# The day, and the last number that was given on it.
USED_NUMBERS = Part("number", ("n.site_day",), ("n.value",))


def name_of_numbers(prefix: str) -> str:
    """SQL for the name of the counters of a prefix. `prefix` is SQL too."""
    return f"'queue_number ' || {prefix}"


def next_queue_number(db: WriteTransaction, definitions: Definitions, prefix: str, day: str, now_ms: int) -> str:
    """Takes the next queue number under a prefix on a day of the site.

    A number is skipped while an entry of the day or a live entry of an earlier day bears it, and for some hours after.
    """
    used = db.value(
        f"insert into counters values ({_NAME}, :day, 1) on conflict (name, site_day) do update"  # noqa: S608
        " set value = counters.value + 1 returning value",
        day=day,
        prefix=prefix,
    )
    return _first_free(db, definitions, prefix, day, now_ms, used)


def open_in_line(
    db: WriteTransaction, definitions: Definitions, prefix: str, day: str, entry: QueueEntry, now_ms: int, used: int
) -> Opening:
    """Takes the next queue number for an entry that is not written yet, as `next_queue_number()` does.

    Where `used` is the last number that was given on that day, one statement takes that number and the change number,
    and counts the people before the entry in its exam's line.
    """
    expected, since_day = queue_number(prefix, used + 1), day_before(day)
    live, live_states = any_of("live", definitions.live)
    ahead, of_line = those_ahead(definitions, day, entry)
    rows = db.rows(
        f"insert into counters values ('change', '', 1), ({_NAME}, :day, 1)"  # noqa: S608
        " on conflict (name, site_day) do update set value = counters.value + 1 returning name, value,"
        f" case when name = 'change' then 0 else ({ahead}) end as people_ahead,"
        f" case when name = 'change' then false else ({_may_be_borne(live)}) end as is_borne",
        day=day,
        prefix=prefix,
        number=expected,
        since_day=since_day,
        **live_states,
        **of_line,
    )
    change, number = sorted(rows, key=lambda row: row["name"] != "change")
    taken = queue_number(prefix, number["value"])
    if taken != expected or number["is_borne"]:
        taken = _first_free(db, definitions, prefix, day, now_ms, number["value"])
    return Opening(taken, change["value"], number["people_ahead"])


def skip_queue_numbers(db: WriteTransaction, prefix: str, day: str, used: int) -> None:
    """Skips the numbers up to `used` under a prefix on a day; later numbers follow the highest of both."""
    db.execute(
        f"insert into counters values ({_NAME}, :day, :used) on conflict (name, site_day) do update"  # noqa: S608
        " set value = case when counters.value > excluded.value then counters.value else excluded.value end",
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


def _first_free(db: WriteTransaction, definitions: Definitions, prefix: str, day: str, now_ms: int, used: int) -> str:
    """The number of the count `used`, or the first one after it that is not in use. Those before it are skipped."""
    number = next_number(prefix, used - 1, lambda each: _is_in_use(db, definitions, each, day, now_ms))
    if count_of(number) > used:
        skip_queue_numbers(db, prefix, day, count_of(number))
    return number


def _is_in_use(db: ReadTransaction, definitions: Definitions, number: str, day: str, now_ms: int) -> bool:
    bearers = _bearers(db, definitions, number, day_before(day))
    return any(is_in_use(_use(each, definitions, day), day, now_ms) for each in bearers)


def _may_be_borne(live: str) -> str:
    """SQL for whether `_bearers()` may find somebody. A patient with two numbers counts as a bearer of each."""
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


_NAME = name_of_numbers(":prefix")
# The end of a day is no sign of life: who was not seen by then has left long before.
_BEARERS = (
    "select e.*, j.site_day as journey_day, coalesce((select max(h.recorded_ms) from entry_history h"
    " where h.queue_id = e.queue_id and h.reason <> :day_end), e.opened_ms) as last_ms"
    " from entries e join journeys j on j.patient_id = e.patient_id"
)
