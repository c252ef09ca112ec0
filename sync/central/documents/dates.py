"""Dates and times as systems and spreadsheets write them, in the one form that the centre reads.

Only what has one meaning is read: the year comes first and has four digits.
"""

import re
from datetime import date, datetime, time

_DATE = r"(?P<year>\d{4})(?:(?P<sep>-|/|\.)\s?(?P<month>\d{1,2})(?P=sep)\s?(?P<day>\d{1,2})\.?|(?P<digits>\d{4}))"
_HALF = r"(?:오전|오후|[AaPp][Mm])"
_CLOCK = (
    rf"(?:(?P<before>{_HALF})\s?)?(?P<hour>\d{{1,2}}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d{{1,9}})?)?"
    rf"(?:\s?(?P<after>{_HALF}))?(?:\s?(?P<zone>Z|z|[+-]\d\d:?\d\d))?"
)
_DIGITS = r"(?P<dhour>\d\d)(?P<dminute>\d\d)(?P<dsecond>\d\d)?"
_MOMENT = re.compile(rf"{_DATE}(?:(?:\s*[Tt]\s*|\s+){_CLOCK})?", re.ASCII)
_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:T(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d)?)?", re.ASCII)
_DIGITS_ALONE = re.compile(rf"(?P<year>\d{{4}})(?P<digits>\d{{4}})(?:[Tt]|\s*){_DIGITS}", re.ASCII)
_PM = frozenset({"오후", "pm"})


def iso_date(text: str) -> str | None:
    """The ISO 8601 date of a text that holds a date and no time, such as 2026.12.1; None for any other text."""
    found = iso_moment(text)
    return found if found is not None and len(found) == len("2026-12-01") else None


def iso_moment(text: str) -> str | None:
    """The ISO 8601 form of a date, or of a date with a time to the second; None for any other text.

    A fraction of a second is left out. An offset stays, and a time without one stays without.
    """
    if _ISO.fullmatch(text):
        return text if _is_in_the_calendar(text[:10]) else None  # nearly every text, and short
    found = _MOMENT.fullmatch(text.strip()) or _DIGITS_ALONE.fullmatch(text.strip())
    if found is None:
        return None
    parts = found.groupdict()
    try:
        day = _day(parts)
        clock = _time(parts)
        offset = _offset(parts.get("zone"))
    except ValueError:
        return None
    return day.isoformat() if clock is None else f"{day.isoformat()}T{clock.isoformat('seconds')}{offset}"


def _is_in_the_calendar(day: str) -> bool:
    try:
        date.fromisoformat(day)
    except ValueError:
        return False
    return True


def _day(parts: dict[str, str | None]) -> date:
    digits = parts.get("digits") or ""
    month, day = (digits[:2], digits[2:]) if digits else (parts["month"], parts["day"])
    return date(int(parts["year"] or 0), int(month or 0), int(day or 0))


def _time(parts: dict[str, str | None]) -> time | None:
    hour = parts.get("hour") or parts.get("dhour")
    if hour is None:
        return None
    minute = parts.get("minute") or parts.get("dminute") or "0"
    second = parts.get("second") or parts.get("dsecond") or "0"
    return time(_hour(int(hour), parts.get("before"), parts.get("after")), int(minute), int(second))


def _hour(hour: int, before: str | None, after: str | None) -> int:
    """The hour of 24. Raises ValueError where the text names both halves of the day, or an hour that no half has."""
    half = before or after
    if half is None:
        return hour
    if (before and after) or not 1 <= hour <= 12:
        raise ValueError("no hour of a half day")
    return hour % 12 + (12 if half.lower() in _PM else 0)


def _offset(zone: str | None) -> str:
    if not zone:
        return ""
    text = "+00:00" if zone in "Zz" else f"{zone[:3]}:{zone[-2:]}"
    datetime.fromisoformat(f"2000-01-01T00:00{text}")
    return text
