"""A number with its noun, in the singular or the plural."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: `counted(1, "row")` is `1 row`, `counted(2, "row")` is `2 rows`.

    Args:
        one: the noun in the singular, or a phrase that begins with it.
        many: the plural; `one` with an s if it is empty.
    """
    return f"{number} {one}" if number == 1 else f"{number} {many or one + 's'}"
