"""When a booking is, from what the hospital said of it and the clock of the site."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from sync.central.records.appointments import Schedule
from sync.central.records.site import SiteSettings
from sync.clock import day_after, local_ms
from sync.journey.grace import is_late_in_day

_YEARS = range(2000, 3000)


def schedule(settings: SiteSettings, said: str) -> Schedule:
    """The moment and the site day of an ISO 8601 text: a date, a local time, or a time with an offset.

    A date without a time is the whole day of the site. Raises ValueError for any other text, with the reason.
    """
    site, day = settings.site, _date(said)
    if day is not None:
        _refuse_year(day.year)
        start_ms = local_ms(day.isoformat(), site.day_starts_at, site.timezone)
        return Schedule(day.isoformat(), start_ms, True, day.isoformat(), day.isoformat())
    try:
        moment = datetime.fromisoformat(said)
    except ValueError as error:
        raise ValueError("is no ISO 8601 date or time") from error
    _refuse_year(moment.year)
    local = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(site.timezone))
    at_ms = int(local.timestamp() * 1000)
    own_day = settings.day(at_ms)
    next_day = day_after(own_day)
    ends_ms = local_ms(next_day, site.day_starts_at, site.timezone)
    last_day = next_day if is_late_in_day(at_ms, ends_ms) else own_day
    return Schedule(moment.isoformat(), at_ms, False, own_day, last_day)


def _date(said: str) -> date | None:
    try:
        return date.fromisoformat(said)
    except ValueError:
        return None


def _refuse_year(year: int) -> None:
    if year not in _YEARS:
        raise ValueError("is not within 2000 to 2999")
