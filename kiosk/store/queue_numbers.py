"""Queue numbers as this kiosk prints them: its prefix and a count of the day, none of them given twice.

The day is the hard part, where a clock cannot be trusted. Every function takes the connection of a transaction that is
under way.
"""

import sqlite3

from sync.clock import day_after

Connection = sqlite3.Connection


def upcoming(connection: Connection, prefix: str, since: str) -> str:
    """The label that the next queue entry gets: prefix and a count, of the days from `since` on."""
    return f"{prefix}-{_last_number(connection, since) + 1:03d}"


def use(connection: Connection, day: str, since: str, *, sure: bool) -> None:
    """That label has been given, on that site day: it is never given again. Where it is not sure which day it is, the
    number counts for whatever day it turns out to be."""
    number = _last_number(connection, since) + 1
    for counted in (day,) if sure else (day, _SOME_DAY):
        _count(connection, counted, number)


def settle(connection: Connection, day: str) -> None:
    """It is that day, by the centre's word: what was given on one that was not known, or is still far, counts for it.
    The next day may have begun here."""
    strays = (day_after(day), _SOME_DAY)
    number = connection.execute("select max(used) from labels where site_day > ? or site_day = ?", strays).fetchone()[0]
    if number is not None:
        connection.execute("delete from labels where site_day > ? or site_day = ?", strays)
        _count(connection, day, number)


def forget(connection: Connection, days: int) -> None:
    """Drops the counts of all but so many days. The newest stay whatever the clock says, or a number came twice."""
    connection.execute(
        "delete from labels where site_day not in (select site_day from labels order by site_day desc limit ?)",
        (days,),
    )


_SOME_DAY = ""  # the numbers given while nobody could say which day it was


def _last_number(connection: Connection, since: str) -> int:
    number: int = connection.execute(
        "select coalesce(max(used), 0) from labels where site_day >= ? or site_day = ?", (since, _SOME_DAY)
    ).fetchone()[0]
    return number


def _count(connection: Connection, day: str, number: int) -> None:
    connection.execute(
        "insert into labels values (?, ?) on conflict (site_day) do update set used = max(used, excluded.used)",
        (day, number),
    )
