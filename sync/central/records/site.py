"""The site as the centre's database has it: name, time zone, day's start, walk-in desk, ticket prefix."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from sync.central.records.deciders import Deciders, decided_elsewhere, deciders_as_text, read_deciders
from sync.central.records.exams import exam_of_row
from sync.central.records.parts import Part
from sync.central.store.news import KiosksToTell
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.clock import MINUTE_MS, local_ms, site_day
from sync.ids import new_id
from sync.protocol import Site

SITE = Part(
    "site",
    (
        *("s.site_id", "s.name", "s.timezone", "s.day_starts_at", "s.languages", "s.ticket_prefix"),
        *("i.server_incarnation", "x.exam_id", "x.title", "x.public_label", "x.room"),
        "s.deciders",
    ),
    ("s.refuse_short_uids", "x.minutes", "x.overnight", "x.by_booking"),
)
SITE_SOURCE = "from site s join exams x on x.exam_id = s.desk_exam_id join incarnation i on i.id = s.id"
_SITE_QUERY = SITE.of(SITE_SOURCE)
_DEMO = "demo_hospital"  # the name of a counter
_languages = msgspec.json.Decoder(tuple[str, ...])


class NoSite(Exception):
    """The database holds no hospital yet."""


class SiteDay(msgspec.Struct, frozen=True):
    """A day of the site: its ISO date, and its beginning (UTC ms)."""

    day: str
    begin_ms: int


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """The site as kiosks get it, and the settings that only the centre needs.

    `site_id` is the identity of the site. It stays through every import, backup and restore. `deciders` say who decides
    each action.
    """

    site: Site
    site_id: str
    ticket_prefix: str
    server_incarnation: str
    deciders: Deciders

    def site_day(self, at_ms: int) -> SiteDay:
        """The day of the site that a moment belongs to, with its beginning."""
        day = self.day(at_ms)
        return SiteDay(day, _begin_ms(day, self.site.timezone, self.site.day_starts_at))

    def day(self, at_ms: int) -> str:
        """The day of the site (ISO date) that a moment belongs to."""
        return _day(at_ms // MINUTE_MS, self.site.timezone, self.site.day_starts_at)


@lru_cache(maxsize=16)
def _begin_ms(day: str, timezone: str, day_starts_at: str) -> int:
    return local_ms(day, day_starts_at, timezone)


@lru_cache(maxsize=256)
def _day(minute: int, timezone: str, day_starts_at: str) -> str:
    # Days begin on a whole minute, and every request needs its day: one entry a minute is enough.
    return site_day(minute * MINUTE_MS, timezone, day_starts_at)


def read_site(db: ReadTransaction) -> SiteSettings:
    """The settings of this site. Raises NoSite before a hospital was imported."""
    return site_of([SITE.values(row) for row in db.rows(_SITE_QUERY)])


def today_or_none(db: ReadTransaction, now_ms: int) -> str | None:
    """The present day of the site; None before a hospital was imported."""
    try:
        return read_site(db).day(now_ms)
    except NoSite:
        return None


def site_of(rows: Sequence[tuple[Any, ...]]) -> SiteSettings:
    """The settings in the rows of the part `SITE`. Raises NoSite where there is none."""
    if not rows:
        raise NoSite("this centre has no hospital yet: run kiosk-central import")
    return _settings(rows[0])


def has_site(db: ReadTransaction) -> bool:
    """Whether the database holds a hospital."""
    return db.row("select 1 from site") is not None


def write_site(
    db: WriteTransaction,
    *,
    name: str,
    timezone: str,
    day_starts_at: str,
    languages: tuple[str, ...],
    desk: str,
    ticket_prefix: str,
    refuse_short_uids: bool,
) -> None:
    """Writes the row of the site, in place of an earlier one. `desk` is the exam id of the walk-in desk.

    The first row gets a new site id, and every later one keeps it. The days of bookings are derived by its clock.
    """
    db.execute(
        "insert into site values (1, :site_id, :name, :timezone, :day_starts_at, :languages, :desk, :ticket_prefix,"
        " :refuse_short_uids, '{}')"
        " on conflict (id) do update set name = excluded.name, timezone = excluded.timezone,"
        " day_starts_at = excluded.day_starts_at, languages = excluded.languages,"
        " desk_exam_id = excluded.desk_exam_id, ticket_prefix = excluded.ticket_prefix,"
        " refuse_short_uids = excluded.refuse_short_uids",
        {
            "site_id": new_id(),
            "name": name,
            "timezone": timezone,
            "day_starts_at": day_starts_at,
            "languages": msgspec.json.encode(languages).decode(),
            "desk": desk,
            "ticket_prefix": ticket_prefix,
            "refuse_short_uids": int(refuse_short_uids),
        },
    )
    _note_clock(db)


def write_deciders(db: WriteTransaction, deciders: Deciders) -> None:
    """Writes who decides each action, and lets kiosks hear of it at once."""
    db.execute("update site set deciders = :deciders", {"deciders": deciders_as_text(deciders)})
    db.news.append(KiosksToTell(db.next_change()))


def _note_clock(db: WriteTransaction) -> None:
    """Notes the clock of a new site as that of all its days. Where it differs from the clock before, the days are by
    none until they are derived again.
    """
    db.execute(
        "insert into derived_days select 1, timezone, day_starts_at, '' from site where true"
        " on conflict (id) do update set timezone = '', after_id = ''"
        " where excluded.timezone <> derived_days.timezone or excluded.day_starts_at <> derived_days.day_starts_at"
    )


def renew_site_id(db: WriteTransaction) -> None:
    """Gives the site a new id: it is another site from now on."""
    db.execute("update site set site_id = :site_id", {"site_id": new_id()})


def is_demo(db: ReadTransaction) -> bool:
    """Whether the hospital is the demo's: its cards are known to everybody."""
    return bool(db.counter(_DEMO))


def set_demo(db: WriteTransaction, *, is_demo: bool) -> None:
    """Marks the hospital as the demo's, or as a real one."""
    db.set_counter(_DEMO, int(is_demo))


@lru_cache(maxsize=16)
def _settings(row: tuple[Any, ...]) -> SiteSettings:
    # Cached by the row itself: every request needs the settings, and they hardly ever change.
    site_id, name, timezone, day_starts_at, languages, ticket_prefix, server_incarnation, *rest = row
    exam_id, title, public_label, room, deciders_text, refuse_short_uids, minutes, overnight, by_booking = rest
    deciders = read_deciders(deciders_text)
    site = Site(
        name=name,
        timezone=timezone,
        day_starts_at=day_starts_at,
        walk_in=exam_of_row(exam_id, title, public_label, room, minutes, overnight, by_booking),
        languages=_languages.decode(languages),
        refuse_short_uids=bool(refuse_short_uids),
        decided_elsewhere=decided_elsewhere(deciders),
    )
    return SiteSettings(site, site_id, ticket_prefix, server_incarnation, deciders)
