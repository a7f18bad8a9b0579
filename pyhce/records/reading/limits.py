"""How large one resource may be: what is larger is rejected, not read into memory. A bundle may be larger.

Python needs up to 4 bytes for a character, for text, value and what is stored, and up to 200 bytes for each value,
however few of them it has in the text: docs/loading.md has what was measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from pyhce.errors import UsageError

MB = 1024 * 1024
DEFAULT_MAX_RESOURCE_SIZE = 16
LARGEST_MAX_RESOURCE_SIZE = 240
"""In MB: PostgreSQL's jsonb holds 255 in one array, object or string."""
_BYTES_A_VALUE = 32
"""Bytes of the size for each value that a resource may have, about."""
_FULL = 3
"""How much more than its bytes a text takes of the limit if it is all references: a Group of 500,000 members does."""
SMALL = 1_000_000
"""Bytes of a text that is never too large: it has at most 500,000 values."""

_largest: ContextVar[int] = ContextVar("largest", default=DEFAULT_MAX_RESOURCE_SIZE * MB)


def max_resource_bytes() -> int:
    """Bytes that one resource may have, in this thread."""
    return _largest.get()


@contextmanager
def limit_resource_size(max_resource_size: int) -> Iterator[None]:
    """Read resources of at most so many MB, in this thread.

    Raises:
        UsageError: it is less than the default, or more than PostgreSQL holds.
    """
    if not DEFAULT_MAX_RESOURCE_SIZE <= max_resource_size <= LARGEST_MAX_RESOURCE_SIZE:
        raise UsageError(
            f"resources of at most {max_resource_size} MB: the limit is from {DEFAULT_MAX_RESOURCE_SIZE} to "
            f"{LARGEST_MAX_RESOURCE_SIZE} MB",
            remedy=f"Give one of these, for example --max-resource-size {4 * DEFAULT_MAX_RESOURCE_SIZE}.",
        )
    with limit_resource_bytes(max_resource_size * MB):
        yield


@contextmanager
def limit_resource_bytes(size: int) -> Iterator[None]:
    """Read resources of at most so many bytes, in this thread."""
    token = _largest.set(size)
    try:
        yield
    finally:
        _largest.reset(token)


def size_problem(data: bytes, what: str = "resource") -> str | None:
    """Why a text would take too much memory, None if it would not."""
    if len(data) <= SMALL:
        return None
    if len(data) > max_resource_bytes():
        return size_message(len(data), what)
    values = data.count(b",") + data.count(b"{") + data.count(b"[")
    most = max(max_resource_bytes() // _BYTES_A_VALUE, SMALL // 2)
    if values <= most:
        return None
    return f"about {values} values, more than {most}, in one {what}{_remedy(values * _BYTES_A_VALUE)}"


def size_message(size: int, what: str) -> str:
    """What is wrong with a text of more bytes than a resource may have: its values were not counted."""
    last = LARGEST_MAX_RESOURCE_SIZE * MB
    remedy = _remedy(size if size > last else min(size * _FULL, last))
    return f"{size} bytes, more than {max_resource_bytes() // MB} MB, in one {what}{remedy}"


def _remedy(size: int) -> str:
    """The setting that would take it, if one does."""
    needed = -(-size // MB)
    if needed > LARGEST_MAX_RESOURCE_SIZE:
        return f"; --max-resource-size goes up to {LARGEST_MAX_RESOURCE_SIZE}: PostgreSQL's jsonb holds no more"
    return f"; load it with --max-resource-size {needed}"
