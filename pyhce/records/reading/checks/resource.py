"""Every rule of R4 beyond the shape of a resource, held against one resource."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyhce.records.reading.checks.bundles import check_bundle
from pyhce.records.reading.checks.definitions import check_definition
from pyhce.records.reading.checks.problems import RuleProblem
from pyhce.records.reading.checks.references import check_contained
from pyhce.records.reading.checks.walk import element_problems


def broken_rules(resource: dict[str, Any], within: dict[str, str]) -> Iterator[RuleProblem]:
    """The rules that a resource breaks, each with the path of the element; resources within it are not looked at.

    Args:
        resource: one of the shape that R4 gives it.
        within: the types of what `#x` may name in it; see `types_within`.
    """
    yield from element_problems(resource, within)
    yield from check_contained(resource)
    yield from check_definition(resource)
    if resource["resourceType"] == "Bundle":
        yield from check_bundle(resource)
