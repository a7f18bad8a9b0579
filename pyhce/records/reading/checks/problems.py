"""Where a check looks, and what it says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple


class RuleProblem(NamedTuple):
    """What is wrong with an element.

    Args:
        rule: R4's key of the rule (`per-1`), or a name for a rule that R4 states in prose (`coding-system`).
        text: what is wrong or what is demanded, without any value of the resource.
        place: the path below the element that is looked at, with a leading dot; "" for the element itself.
    """

    rule: str
    text: str
    place: str = ""


class Frame(NamedTuple):
    """An element on the way from the resource to the one that is looked at.

    Args:
        step: its name in JSON, with its number in an array.
        declared: its path in the type that declares it, such as `HumanName.family`.
        type: its FHIR type.
    """

    step: str
    declared: str
    type: str


class ElementPosition(NamedTuple):
    """The element that is looked at.

    Args:
        resource: the resource that it is in.
        frames: the elements on the way to it, itself last.
    """

    resource: dict[str, Any]
    frames: list[Frame]

    @property
    def place(self) -> str:
        """The path within the resource, with a leading dot; "" for the resource itself."""
        return "".join("." + frame.step for frame in self.frames)


def array_items(value: Any) -> list[Any]:
    """An array's items; none if the value is no array."""
    return value if isinstance(value, list) else []


def object_items(value: Any) -> Iterator[dict[str, Any]]:
    """An array's items that are objects."""
    return (item for item in array_items(value) if isinstance(item, dict))
