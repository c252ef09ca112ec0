"""Takes the row `site`."""

from typing import Any

import msgspec
from msgspec import UNSET

from sync.central.imports.outcomes import UNCHANGED, RefusedRow, RowOutcome, TakenRow
from sync.central.imports.parts import SitePart
from sync.central.records.derived_days import move_visits
from sync.central.records.exams import is_exam
from sync.central.records.kiosks import is_prefix_of_kiosk
from sync.central.records.site import NoSite, read_site, write_site
from sync.central.store.news import KiosksToTell
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.protocol import DEFAULT_LANGUAGES

_DEFAULTS: dict[str, Any] = {
    "timezone": "Asia/Seoul",
    "day_starts_at": "04:00",
    "languages": DEFAULT_LANGUAGES,
    "ticket_prefix": "C",
    "refuse_short_uids": False,
}


def take_site(db: WriteTransaction, part: SitePart, now_ms: int) -> RowOutcome:
    """Makes the site, or changes what the part names. A refused row leaves the database as it was.

    Where the time zone or the day's start changes, the visits under way go on in the day that it is then, and
    `derive_days()` has to follow.
    """
    before = site_settings(db)
    given = {name: value for name, value in msgspec.structs.asdict(part).items() if value is not UNSET}
    removed = {name: _DEFAULTS[name] for name, value in given.items() if value is None}
    after = {**_DEFAULTS, **(before or {}), **given, **removed}
    missing = [name for name in ("name", "desk") if name not in after]
    if missing:
        return RefusedRow(f"{' and '.join(missing)} is missing, and there is no site yet")
    if not is_exam(db, after["desk"]):
        return RefusedRow(f"the desk {after['desk']!r} is not among the exams")
    if is_prefix_of_kiosk(db, after["ticket_prefix"]):
        return RefusedRow(f"the ticket_prefix {after['ticket_prefix']} is a kiosk's")
    if after == before:
        return UNCHANGED
    settings = read_site(db) if before else None
    write_site(db, **after)
    if settings is not None:
        move_visits(db, settings.day(now_ms), read_site(db).day(now_ms))
        db.news.append(KiosksToTell(db.next_change()))
    return TakenRow(changed=True)


def site_settings(db: ReadTransaction) -> dict[str, Any] | None:
    """The settings of the site by the names of `SitePart`; None where there is no site yet."""
    try:
        settings = read_site(db)
    except NoSite:
        return None
    return {
        "name": settings.site.name,
        "desk": settings.site.walk_in.exam_id,
        "timezone": settings.site.timezone,
        "day_starts_at": settings.site.day_starts_at,
        "languages": settings.site.languages,
        "ticket_prefix": settings.ticket_prefix,
        "refuse_short_uids": settings.site.refuse_short_uids,
    }
