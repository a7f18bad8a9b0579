"""An Observation's value as text, such as `<0.01 mg/L`, or its components' values."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


class _Number(str):
    """A JSON number in its original spelling."""


_Reader = Callable[[Any], str | None]


def observation_value(text: str) -> str | None:
    """Return the value of an Observation, or the values of its components if it has none itself; None without any.

    Numbers keep their spelling: 5.40 stays 5.40.

    Args:
        text: the Observation as JSON.
    """
    observation = json.loads(text, parse_float=_Number, parse_int=_Number)
    own = _value(observation)
    if own is not None:
        return own
    components = observation.get("component")
    parts = [_component(one) for one in components if isinstance(one, dict)] if isinstance(components, list) else []
    return "; ".join(part for part in parts if part) or None


def _component(component: dict[str, Any]) -> str | None:
    value = _value(component)
    name = _concept(component.get("code"))
    return None if value is None else f"{name} {value}" if name else value


def _value(holder: dict[str, Any]) -> str | None:
    """Return the value[x] of an Observation or a component."""
    for name, value in holder.items():
        read = _READERS.get(name)
        if read and (found := read(value)) is not None:
            return found
    return None


def _quantity(value: Any) -> str | None:
    if not isinstance(value, dict) or not isinstance(value.get("value"), _Number):
        return None
    unit = value.get("code") or value.get("unit")
    return f"{value.get('comparator') or ''}{value['value']}" + (f" {unit}" if isinstance(unit, str) else "")


def _pair(first: str, between: str, second: str) -> _Reader:
    def read(value: Any) -> str | None:
        if not isinstance(value, dict):
            return None
        ends = _quantity(value.get(first)), _quantity(value.get(second))
        return between.join(end or "" for end in ends) if any(ends) else None

    return read


def _period(value: Any) -> str | None:
    if not isinstance(value, dict) or not (value.get("start") or value.get("end")):
        return None
    return f"{value.get('start') or ''}/{value.get('end') or ''}"


def _concept(value: Any) -> str | None:
    """Return the text of a CodeableConcept, else a display, else a code."""
    if not isinstance(value, dict):
        return None
    codings = [one for one in value.get("coding") or [] if isinstance(one, dict)]
    words = [value.get("text"), *(one.get("display") for one in codings), *(one.get("code") for one in codings)]
    return next((word for word in words if isinstance(word, str) and word), None)


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _boolean(value: Any) -> str | None:
    return json.dumps(value) if isinstance(value, bool) else None


_READERS: dict[str, _Reader] = {
    "valueQuantity": _quantity,
    "valueCodeableConcept": _concept,
    "valueString": _string,
    "valueBoolean": _boolean,
    "valueInteger": _string,
    "valueRange": _pair("low", " - ", "high"),
    "valueRatio": _pair("numerator", " : ", "denominator"),
    "valueTime": _string,
    "valueDateTime": _string,
    "valuePeriod": _period,
}
