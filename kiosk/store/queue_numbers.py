"""Queue numbers as this kiosk prints them: its prefix and a count of the day. A number in use is skipped.

A day begins with the first whole roster of that day, which tells the numbers of earlier days that are still in use.
Until then the count of the day before goes on. Every function takes the connection of an open transaction.
"""

import sqlite3
from collections.abc import Iterable

from sync.clock import day_after
from sync.journey.queue_numbers import IN_USE_MS, NumberUse, count_of, is_in_use, next_number

Connection = sqlite3.Connection

# The centre, or its staff, may still give the number to an entry that waits.
_IS_UNDECIDED = (
    "exists (select 1 from outbox o where o.action_id = number_uses.action_id"
    " and o.status in ('pending', 'needs_staff'))"
)
_UNKNOWN_DAY = ""  # the site_day of numbers given while the clock was not trusted


def peek_queue_number(connection: Connection, prefix: str, since_day: str, now_ms: int) -> str:
    """Returns the next queue number, such as `B-017`: the first above those given on `since_day` or later.

    A number in use is skipped. `now_ms` is the present time (UTC ms).
    """

    def in_use(number: str) -> bool:
        row = connection.execute(
            f"select site_day, last_ms, {_IS_UNDECIDED} from number_uses where queue_number = ?",  # noqa: S608
            (number,),
        ).fetchone()
        return row is not None and is_in_use(NumberUse(*row), since_day, now_ms)

    return next_number(prefix, _last_count(connection, since_day), in_use)


def use_queue_number(
    connection: Connection, number: str, action_id: str, site_day: str, now_ms: int, *, day_is_sure: bool
) -> None:
    """Notes that an action has given a number on a site day, now (UTC ms): the next one is above it.

    Where the day is not sure, the number counts for every day.
    """
    for counted_day in (site_day,) if day_is_sure else (site_day, _UNKNOWN_DAY):
        _raise_count(connection, counted_day, count_of(number))
    note_in_use(connection, [number], site_day, now_ms)
    connection.execute("update number_uses set action_id = ? where queue_number = ?", (action_id, number))


def note_in_use(connection: Connection, numbers: Iterable[str], site_day: str, now_ms: int) -> None:
    """Notes that entries of a site day bear these numbers, and that one of the entries changes now (UTC ms)."""
    connection.executemany(
        "insert into number_uses values (?, ?, ?, null) on conflict (queue_number) do update"
        " set site_day = max(site_day, excluded.site_day), last_ms = max(last_ms, excluded.last_ms)",
        [(number, site_day, now_ms) for number in numbers],
    )


def correct_day(connection: Connection, site_day: str, now_ms: int) -> None:
    """Moves numbers given on an unknown or a distant day to the site day that the centre names.

    The day after that one may have begun at this kiosk, so its numbers stay. `now_ms` is the centre's time (UTC ms).
    """
    wrong_days = (day_after(site_day), _UNKNOWN_DAY)
    count = connection.execute(
        "select max(used) from queue_numbers where site_day > ? or site_day = ?", wrong_days
    ).fetchone()[0]
    if count is not None:
        connection.execute("delete from queue_numbers where site_day > ? or site_day = ?", wrong_days)
        _raise_count(connection, site_day, count)
    # The clock was ahead. Without this the numbers would stay in use for as long as it was.
    connection.execute("update number_uses set site_day = ? where site_day > ?", (site_day, day_after(site_day)))
    connection.execute("update number_uses set last_ms = ? where last_ms > ?", (now_ms, now_ms))


def forget_old_days(connection: Connection, days: int) -> None:
    """Removes the counts of all but the newest `days` days. By the clock, a number could be given twice."""
    connection.execute(
        "delete from queue_numbers where site_day not in"
        " (select site_day from queue_numbers order by site_day desc limit ?)",
        (days,),
    )


def forget_unused(connection: Connection, since_day: str, now_ms: int) -> None:
    """Removes the uses of numbers that may be given again on a day, at a time (UTC ms)."""
    connection.execute(
        f"delete from number_uses where site_day < ? and last_ms <= ? and not {_IS_UNDECIDED}",  # noqa: S608
        (since_day, now_ms - IN_USE_MS),
    )


def _last_count(connection: Connection, since_day: str) -> int:
    count: int = connection.execute(
        "select coalesce(max(used), 0) from queue_numbers where site_day >= ? or site_day = ?",
        (since_day, _UNKNOWN_DAY),
    ).fetchone()[0]
    return count


def _raise_count(connection: Connection, site_day: str, count: int) -> None:
    connection.execute(
        "insert into queue_numbers values (?, ?) on conflict (site_day) do update set used = max(used, excluded.used)",
        (site_day, count),
    )
