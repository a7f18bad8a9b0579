"""Durations such as 90s, 5m or 1h as option values."""

from __future__ import annotations

import re

import click

_SECONDS = {"s": 1, "m": 60, "h": 3600}


class Duration(click.ParamType[float]):
    """A duration such as 90s, 5m or 1h, in seconds; a number without a unit is seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The duration in seconds."""
        if isinstance(value, float):
            return value
        parts = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h)?", str(value).strip())
        if not parts:
            self.fail(f"{value!r} is not a duration: write 90s, 5m or 1h", param, ctx)
        return float(parts[1]) * _SECONDS[parts[2] or "s"]
