"""Queue numbers as this kiosk prints them: its prefix and a count of the day. A number in use is skipped.

A day begins with the first whole roster of that day, which tells the numbers of earlier days that are still in use.
Until then the count of the day before goes on. Every function takes the connection of an open transaction.
"""

import sqlite3
from collections.abc import Iterable

from sync.clock import day_after
from sync.journey.queue_numbers import IN_USE_MS, NumberUse, count_of, is_in_use, queue_number

Connection = sqlite3.Connection

# The centre, or its staff, may still give the number to an entry that waits.
_IS_UNDECIDED = (
    "exists (select 1 from outbox o where o.action_id = number_uses.action_id"
    " and o.status in ('pending', 'needs_staff'))"
)
_UNKNOWN_DAY = ""  # the site_day of numbers given while the clock was not trusted


def take_queue_number(
    connection: Connection,
    prefix: str,
    action_id: str,
    *,
    site_day: str,
    since_day: str,
    now_ms: int,
    day_is_sure: bool,
) -> str:
    """Gives the next queue number, such as `B-017`, to an action of a site day, now (UTC ms).

    It is the first above those given on that day, and on `since_day` or later, that is not in use. Where the day is not
    sure, the number counts for every day.
    """
    number = ""
    while not number or not _use(connection, number, action_id, site_day, since_day, now_ms):
        number = queue_number(prefix, _next_count(connection, site_day, since_day))
    if not day_is_sure:
        _raise_count(connection, _UNKNOWN_DAY, count_of(number))
    return number


def note_in_use(connection: Connection, numbers: Iterable[str], site_day: str, now_ms: int) -> None:
    """Notes that entries of a site day bear these numbers, and that one of the entries changes now (UTC ms)."""
    connection.executemany(  # none at all for no number
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


def _next_count(connection: Connection, site_day: str, since_day: str) -> int:
    """Raises the count of a day, and returns it."""
    count: int = connection.execute(
        "insert into queue_numbers values"
        " (?, 1 + (select coalesce(max(used), 0) from queue_numbers where site_day >= ? or site_day = ?))"
        " on conflict (site_day) do update set used = max(used + 1, excluded.used) returning used",
        (site_day, since_day, _UNKNOWN_DAY),
    ).fetchone()[0]
    return count


def _use(connection: Connection, number: str, action_id: str, site_day: str, since_day: str, now_ms: int) -> bool:
    """Notes that an action gives a number. Returns False, and notes nothing, where the number is in use."""
    found = connection.execute(
        "insert into number_uses values (?, ?, ?, ?)"  # noqa: S608
        # A row that is there stays as it is.
        " on conflict (queue_number) do update set queue_number = queue_number"
        f" returning action_id, site_day, last_ms, {_IS_UNDECIDED}",
        (number, site_day, now_ms, action_id),
    ).fetchone()
    if found[0] == action_id:
        return True
    if is_in_use(NumberUse(*found[1:]), since_day, now_ms):
        return False
    connection.execute(
        "update number_uses set action_id = ?, site_day = max(site_day, ?), last_ms = max(last_ms, ?)"
        " where queue_number = ?",
        (action_id, site_day, now_ms, number),
    )
    return True


def _raise_count(connection: Connection, site_day: str, count: int) -> None:
    connection.execute(
        "insert into queue_numbers values (?, ?) on conflict (site_day) do update set used = max(used, excluded.used)",
        (site_day, count),
    )
