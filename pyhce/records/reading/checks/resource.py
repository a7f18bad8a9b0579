"""All rules of R4 beyond the structure, for one resource."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyhce.records.reading.checks.bundles import check_bundle
from pyhce.records.reading.checks.definitions import check_definition
from pyhce.records.reading.checks.problems import RuleProblem
from pyhce.records.reading.checks.references import check_contained
from pyhce.records.reading.checks.walk import element_problems


def broken_rules(resource: dict[str, Any], within: dict[str, str]) -> Iterator[RuleProblem]:
    """The rules that a resource breaks, with the path of each element. Resources within it are not checked.

    Args:
        resource: a resource of valid structure.
        within: the types that `#x` names in it; see `types_within`.
    """
    yield from element_problems(resource, within)
    yield from check_contained(resource)
    yield from check_definition(resource)
    if resource["resourceType"] == "Bundle":
        yield from check_bundle(resource)
