"""What a check finds: a problem, and the position of the element."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple


class RuleProblem(NamedTuple):
    """A rule that an element breaks.

    Args:
        rule: the key of R4's invariant (`per-1`), or a name for a rule that R4 states in prose (`coding-system`).
        text: the problem or the requirement, without any value of the resource.
        place: the path below the checked element, with a leading dot; "" for the element itself.
    """

    rule: str
    text: str
    place: str = ""


class Frame(NamedTuple):
    """An element on the path from the resource to the checked element.

    Args:
        step: its name in JSON, with its index in an array.
        declared: its path in the type that declares it, such as `HumanName.family`.
        type: its FHIR type.
    """

    step: str
    declared: str
    type: str


class ElementPosition(NamedTuple):
    """The position of the checked element.

    Args:
        resource: the resource that contains it.
        frames: the elements on the path to it, itself last.
    """

    resource: dict[str, Any]
    frames: list[Frame]

    @property
    def place(self) -> str:
        """The path within the resource, with a leading dot; "" for the resource itself."""
        return "".join("." + frame.step for frame in self.frames)


def array_items(value: Any) -> list[Any]:
    """The items of an array; none if the value is not an array."""
    return value if isinstance(value, list) else []


def object_items(value: Any) -> Iterator[dict[str, Any]]:
    """The items of an array that are objects."""
    return (item for item in array_items(value) if isinstance(item, dict))
