"""Where the chart is, and values for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pyhce.errors import HceError, UsageError

_SHIPPED = Path(__file__).parent / "chart"
_CHECKOUT = Path(__file__).parents[2] / "charts" / "hce-citus"


def find_chart(given: Path | str | None = None) -> Path | str:
    """The chart: the one given (a folder, an archive, oci://…), the one that ships, else the checkout's.

    Raises:
        HceError: there is none.
    """
    if given is not None:
        if not str(given).startswith(("oci:", "https:")) and not Path(given).exists():
            raise UsageError(f"there is no chart {given}", remedy="Give a chart's folder, its archive, or oci://…")
        return given
    for place in (_SHIPPED, _CHECKOUT):
        if (place / "Chart.yaml").is_file():
            return place
    raise HceError("the chart did not come with this installation", remedy="Name it with --chart.")


def read_values(path: Path) -> dict[str, Any]:
    """A values file.

    Raises:
        UsageError: it is no YAML map.
    """
    import yaml

    try:
        held = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        said = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise UsageError(f"the values file {path} cannot be read: {said}", remedy="Give a YAML file.") from error
    if held is None:
        return {}
    if not isinstance(held, dict):
        raise UsageError(f"the values file {path} holds no map of values", remedy="helm show values shows the form.")
    return held


def merge_values(*parts: Mapping[str, Any]) -> dict[str, Any]:
    """Values over values, map by map, as helm does; the later wins."""
    whole: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            held = whole.get(key)
            both = isinstance(held, Mapping) and isinstance(value, Mapping)
            whole[key] = merge_values(held, value) if both else value  # type: ignore[arg-type]
    return whole


def parse_assignments(assignments: Sequence[str]) -> dict[str, Any]:
    """`--set a.b=c` as values; whole numbers, true, false, "" and YAML's [lists] are read, the rest is text.

    Raises:
        UsageError: it is no assignment.
    """
    import yaml

    whole: dict[str, Any] = {}
    for text in assignments:
        path, equals, value = text.partition("=")
        if not equals or not path or ".." in path:
            raise UsageError(f"{text!r} is no value", remedy="Write it as --set worker.replicas=3")
        try:
            read: Any = yaml.safe_load(value) if value else ""
        except (yaml.YAMLError, ValueError):
            read = value
        if not isinstance(read, bool | int | list | dict):  # 1.10 is a tag and 2024-01-01 too, as for helm
            read = "" if read == "" else value if not isinstance(read, str) else read
        whole = merge_values(whole, nested_value(path, read))
    return whole


def nested_value(path: str, value: Any) -> dict[str, Any]:
    """a.b and a value as the values {a: {b: value}}."""
    first, *more = path.split(".", 1)
    return {first: nested_value(more[0], value) if more else value}
