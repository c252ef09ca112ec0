"""Queue numbers as this kiosk prints them: its prefix and a count of the day. No number is given twice.

Without a trusted clock the day is uncertain. Every function takes the connection of an open transaction.
"""

import sqlite3

from sync.clock import day_after
from sync.journey.queue_numbers import queue_number

Connection = sqlite3.Connection

_UNKNOWN_DAY = ""  # the site_day of numbers given while the clock was not trusted


def peek_queue_number(connection: Connection, prefix: str, since_day: str) -> str:
    """Returns the next queue number, such as `B-017`: one more than any given on `since_day` or later."""
    return queue_number(prefix, _last_count(connection, since_day) + 1)


def use_queue_number(connection: Connection, site_day: str, since_day: str, *, day_is_sure: bool) -> None:
    """Notes that the next number has been given on a site day, so that it is never given again.

    Where the day is not sure, the number counts for every day.
    """
    count = _last_count(connection, since_day) + 1
    for counted_day in (site_day,) if day_is_sure else (site_day, _UNKNOWN_DAY):
        _raise_count(connection, counted_day, count)


def correct_day(connection: Connection, site_day: str) -> None:
    """Moves numbers given on an unknown or a distant day to the site day that the centre names.

    The day after that one may have begun at this kiosk, so its numbers stay.
    """
    wrong_days = (day_after(site_day), _UNKNOWN_DAY)
    count = connection.execute(
        "select max(used) from queue_numbers where site_day > ? or site_day = ?", wrong_days
    ).fetchone()[0]
    if count is not None:
        connection.execute("delete from queue_numbers where site_day > ? or site_day = ?", wrong_days)
        _raise_count(connection, site_day, count)


def forget_old_days(connection: Connection, days: int) -> None:
    """Removes the counts of all but the newest `days` days. By the clock, a number could be given twice."""
    connection.execute(
        "delete from queue_numbers where site_day not in"
        " (select site_day from queue_numbers order by site_day desc limit ?)",
        (days,),
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
