"""The chart that ships with pyhce, and values for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pyhce.errors import HceError, UsageError

_IN_PACKAGE = Path(__file__).parent / "chart"
_IN_CHECKOUT = Path(__file__).parents[2] / "charts" / "hce-citus"


def find_chart(chart: Path | str | None = None) -> Path | str:
    """The chart to install: `chart` if given, else the one in the installed package, else the checkout's.

    Args:
        chart: a folder, an archive, or a URL that begins with oci: or https:.

    Raises:
        UsageError: `chart` is a path that does not exist.
        HceError: neither the package nor a checkout holds a chart.
    """
    if chart is not None:
        if not str(chart).startswith(("oci:", "https:")) and not Path(chart).exists():
            raise UsageError(
                f"the chart {chart} does not exist", remedy="Give the path of a chart's folder or archive, or oci://…"
            )
        return chart
    for folder in (_IN_PACKAGE, _IN_CHECKOUT):
        if (folder / "Chart.yaml").is_file():
            return folder
    raise HceError("this installation of pyhce contains no chart", remedy="Name a chart with --chart.")


def read_values(path: Path) -> dict[str, Any]:
    """The values in a file; {} if it is empty.

    Raises:
        UsageError: the file cannot be read, or is not a YAML map.
    """
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise UsageError(f"could not read the values file {path}: {reason}", remedy="Give a YAML file.") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UsageError(
            f"the values file {path} is not a map of values",
            remedy="Write `name: value` lines; charts/hce-citus/values.yaml shows every value.",
        )
    return values


def merge_values(*parts: Mapping[str, Any]) -> dict[str, Any]:
    """Values merged as Helm merges them: maps key by key, and of anything else the later part wins."""
    merged: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            before = merged.get(key)
            both_maps = isinstance(before, Mapping) and isinstance(value, Mapping)
            merged[key] = merge_values(before, value) if both_maps else value  # type: ignore[arg-type]
    return merged


def parse_assignments(assignments: Sequence[str]) -> dict[str, Any]:
    """The values of `--set a.b=c` options, the later over the earlier.

    Whole numbers, true, false, "" and YAML lists such as [a, b] are read as such; everything else is text.

    Raises:
        UsageError: an assignment has no `=`, no name, or an empty part in its name.
    """
    import yaml

    values: dict[str, Any] = {}
    for text in assignments:
        path, equals, value = text.partition("=")
        if not equals or not path or ".." in path:
            raise UsageError(
                f"could not read {text!r} as NAME=VALUE", remedy="Write a value as --set worker.replicas=3"
            )
        try:
            parsed: Any = yaml.safe_load(value) if value else ""
        except (yaml.YAMLError, ValueError):
            parsed = value
        if not isinstance(parsed, bool | int | list | dict):
            # Text, as in Helm: YAML would make a number of the tag 1.10 and a date of 2024-01-01.
            parsed = "" if parsed == "" else value if not isinstance(parsed, str) else parsed
        values = merge_values(values, nested_value(path, parsed))
    return values


def nested_value(path: str, value: Any) -> dict[str, Any]:
    """The values {a: {b: value}} for the path a.b."""
    first, *more = path.split(".", 1)
    return {first: nested_value(more[0], value) if more else value}
