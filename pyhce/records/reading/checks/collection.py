"""FHIRPath's collections: lists of JSON values, and navigation from them to members and children."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from functools import cache, cached_property
from typing import Any, NamedTuple

import orjson

from pyhce.schema.r4 import RESOURCE_TYPES, choice_members


class Absent:
    """A primitive with an extension and no value: it exists, but equals nothing."""


ABSENT = Absent()
Collection = list[Any]


class ReusedCollection(list[Any]):
    """A collection that is searched many times."""

    @cached_property
    def equality_keys(self) -> Set[Any]:
        """The equality keys of its items."""
        return {equality_key(item) for item in self}


class Scope(NamedTuple):
    """The context in which an expression is evaluated.

    Args:
        resource: the resource that holds the element (`%resource`).
        context: the element that the rule is about (`%context`).
        this: the item that a criterion is evaluated for (`$this`).
        memory: results that are computed once for the element, by expression.
    """

    resource: dict[str, Any]
    context: Any
    this: Any
    memory: dict[int, Collection]


def member(focus: Collection, name: str) -> Collection:
    """The values of a member of each item. For a choice (`value`) those of the member that is present."""
    found: Collection = []
    for item in focus:
        if isinstance(item, dict):
            found += _values(item, name)
    return found


def _values(item: dict[str, Any], name: str) -> Iterable[Any]:
    if name in item or "_" + name in item:
        return _joined(item.get(name), item.get("_" + name))
    members = choice_members(name)
    if members:
        for key in item:
            plain = key.removeprefix("_")
            if plain in members:
                return _joined(item.get(plain), item.get("_" + plain))
    return ()


def _joined(value: Any, beside: Any) -> Iterator[Any]:
    """The values of a member; `ABSENT` for one that has only an id or extensions."""
    values = value if isinstance(value, list) else [] if value is None else [value]
    others = beside if isinstance(beside, list) else [] if beside is None else [beside]
    for number in range(max(len(values), len(others))):
        item = values[number] if number < len(values) else None
        if item is not None:
            yield item
        elif number < len(others) and others[number] is not None:
            yield ABSENT


def children(focus: Collection) -> Collection:
    """The direct children of the items."""
    found: Collection = []
    for item in focus:
        if isinstance(item, dict):
            for key, value in item.items():
                if key != "resourceType" and not key.startswith("_"):
                    found += _joined(value, None)
    return found


def descendants(focus: Collection) -> Collection:
    """The children of the items, at any depth."""
    found: Collection = []
    level = children(focus)
    while level:
        found += level
        level = children(level)
    return found


def is_of_type(item: Any, name: str) -> bool:
    """Whether an item has a type, as far as JSON shows it. R4's rules use Boolean, decimal and resource types."""
    if name in RESOURCE_TYPES:
        return isinstance(item, dict) and item.get("resourceType") == name
    if name.lower() == "boolean":
        return isinstance(item, bool)
    return name == "decimal" and isinstance(item, int | float) and not isinstance(item, bool)


def distinct(items: Collection) -> Collection:
    """The items without duplicates."""
    return list({equality_key(item): item for item in items}.values())


def equality_key(item: Any) -> Any:
    """A key that is the same for equal items."""
    if isinstance(item, dict | list):
        return orjson.dumps(item, option=orjson.OPT_SORT_KEYS)
    if isinstance(item, bool):
        return f"boolean {item}"
    return id(item) if item is ABSENT else item


def equality_keys(items: Collection) -> Set[Any]:
    """The equality keys of the items."""
    return items.equality_keys if isinstance(items, ReusedCollection) else {equality_key(item) for item in items}


def truth(items: Collection) -> bool | None:
    """A collection as a truth value: None if it is empty; an item that is not a boolean is true."""
    if not items or items[0] is ABSENT:
        return None
    return items[0] if isinstance(items[0], bool) else True


@cache
def boolean(value: bool | None) -> Collection:
    """A truth value as a collection."""
    return [] if value is None else [value]
