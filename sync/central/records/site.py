"""The site as the centre's database has it: name, time zone, day's start, walk-in desk, ticket prefix."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from sync.central.store.transactions import ReadTransaction
from sync.clock import MINUTE_MS, site_day
from sync.journey.model import Exam, ExamId
from sync.protocol import Site

_languages = msgspec.json.Decoder(tuple[str, ...])


class NoSite(Exception):
    """The database holds no hospital yet."""


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """The site as kiosks get it, and the settings that only the centre needs."""

    site: Site
    ticket_prefix: str
    server_incarnation: str

    def day(self, at_ms: int) -> str:
        """The day of the site (ISO date) that a moment belongs to."""
        return _day(at_ms // MINUTE_MS, self.site.timezone, self.site.day_starts_at)


@lru_cache(maxsize=256)
def _day(minute: int, timezone: str, day_starts_at: str) -> str:
    # Days begin on a whole minute, and every request needs its day: one entry a minute is enough.
    return site_day(minute * MINUTE_MS, timezone, day_starts_at)


def read_site(db: ReadTransaction) -> SiteSettings:
    """The settings of this site. Raises NoSite before a hospital was imported."""
    row = db.row(
        "select s.name, s.timezone, s.day_starts_at, s.languages, s.ticket_prefix, i.server_incarnation, e.*"
        " from site s join exams e on e.exam_id = s.desk_exam_id join incarnation i on i.id = s.id"
    )
    if row is None:
        raise NoSite("the database holds no hospital yet: import one, or make the demo one")
    return _settings(tuple(row))


@lru_cache(maxsize=16)
def _settings(row: tuple[Any, ...]) -> SiteSettings:
    # Cached by the row itself: every request needs the settings, and they hardly ever change.
    name, timezone, day_starts_at, languages, ticket_prefix, server_incarnation, *desk = row
    site = Site(
        name=name,
        timezone=timezone,
        day_starts_at=day_starts_at,
        walk_in=_exam(*desk),
        languages=_languages.decode(languages),
    )
    return SiteSettings(site, ticket_prefix, server_incarnation)


def _exam(exam_id: str, title: str, public_label: str, room: str, minutes: int, overnight: int) -> Exam:
    return Exam(ExamId(exam_id), title, public_label, room, minutes, bool(overnight))
