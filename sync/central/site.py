"""What the centre's database says of its own site: name, days, walk-in desk, numbers."""

from dataclasses import dataclass

import msgspec

from sync.central.exams import exam_of_row
from sync.central.store import Reading, Writing
from sync.clock import site_day
from sync.protocol import Site


class NoSite(Exception):
    """The database holds no hospital yet."""


@dataclass(frozen=True, slots=True)
class Here:
    """The site as kiosks are told of it, with what is the centre's alone."""

    site: Site
    ticket_prefix: str
    server_incarnation: str

    def day(self, at_ms: int) -> str:
        """The day of the site that a moment belongs to."""
        return site_day(at_ms, self.site.timezone, self.site.day_starts_at)


def here(db: Reading) -> Here:
    """This site. Raises NoSite before anything was imported."""
    row = db.row(
        "select s.name, s.timezone, s.day_starts_at, s.languages, s.ticket_prefix, i.server_incarnation, e.*"
        " from site s join exams e on e.exam_id = s.desk_exam_id join incarnation i on i.id = s.id"
    )
    if row is None:
        raise NoSite("the database holds no hospital yet: import one, or make the demo one")
    languages = msgspec.json.decode(row["languages"], type=tuple[str, ...])
    site = Site(
        name=row["name"],
        timezone=row["timezone"],
        day_starts_at=row["day_starts_at"],
        walk_in=exam_of_row(row),
        languages=languages,
    )
    return Here(site, row["ticket_prefix"], row["server_incarnation"])


def next_label(db: Writing, prefix: str, day: str) -> str:
    """The next queue number under a prefix on a day of the site, like "C-001"."""
    used = db.value(
        "insert into labels values (:day, :prefix, 1)"
        " on conflict (site_day, prefix) do update set used = labels.used + 1 returning used",
        day=day,
        prefix=prefix,
    )
    return f"{prefix}-{used:03d}"
