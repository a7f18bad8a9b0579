"""Numbers with their nouns."""

from __future__ import annotations

import pytest

from pyhce.counted import counted


@pytest.mark.parametrize(
    ("number", "words", "text"),
    [
        (0, ("row",), "0 rows"),
        (1, ("row",), "1 row"),
        (2, ("row",), "2 rows"),
        (1, ("copy", "copies"), "1 copy"),
        (2, ("copy", "copies"), "2 copies"),
        (1, ("record is empty", "records are empty"), "1 record is empty"),
    ],
)
def test_one_is_singular_and_every_other_number_plural(number: int, words: tuple[str, ...], text: str) -> None:
    assert counted(number, *words) == text
