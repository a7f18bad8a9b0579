"""FHIR's dates and times as intervals of seconds, for `start <= end`."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date

_DATE_TIME = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d:\d\d)?)?)?)?\Z", re.ASCII
)
_DAY = 86_400
_ZONES = 14 * 3_600
"""Seconds by which a time without a zone may differ from UTC."""


def surely_after(one: str, other: str) -> bool:
    """Whether a date or time is later than another, whatever its missing digits and missing zone may be."""
    first, second = _span(one), _span(other)
    if first is None or second is None:
        return False
    doubt = _ZONES if first[2] != second[2] else 0
    return first[0] - doubt > second[1]


def _span(text: str) -> tuple[float, float, bool] | None:
    """The first and last second that a text may stand for, and whether it has a zone; None if it is not a date."""
    match = _DATE_TIME.match(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        first = date(int(year), int(month or 1), int(day or 1))
        last = date(int(year), int(month or 12), int(day or monthrange(int(year), int(month or 12))[1]))
    except ValueError:
        return None
    if hour is None:
        return first.toordinal() * _DAY, last.toordinal() * _DAY + _DAY - 1, False
    start = first.toordinal() * _DAY + int(hour) * 3_600 + int(minute) * 60 + int(second or 0) - _offset(zone or "")
    if fraction:
        exact = start + float(f"0.{fraction[:15]}")
        return exact, exact, bool(zone)
    return start, start + (0.999 if second else 59.999), bool(zone)


def _offset(zone: str) -> int:
    """A zone's distance from UTC in seconds."""
    if zone in ("", "Z"):
        return 0
    distance = int(zone[1:3]) * 3_600 + int(zone[4:6]) * 60
    return distance if zone[0] == "+" else -distance
