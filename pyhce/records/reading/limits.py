"""The size limit of one resource. A larger one is rejected without being read into memory. A bundle may be larger.

Python needs up to 4 bytes for each character, three times (text, parsed value, stored form), and up to 200 bytes for
each value, however short it is in the text. docs/loading.md has measurements.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from pyhce.errors import UsageError

MB = 1024 * 1024
DEFAULT_MAX_RESOURCE_SIZE = 16
"""MB."""
LARGEST_MAX_RESOURCE_SIZE = 240
"""MB. PostgreSQL's jsonb holds at most 255 MB in one array, object or string."""
_BYTES_A_VALUE = 32
"""A resource may have about one value for this many bytes of the limit."""
_FULL = 3
"""A text of references only, such as a Group of 500,000 members, needs a limit of this many times its bytes."""
SMALL = 1_000_000
"""Bytes up to which a text is always within the limit: it has at most 500,000 values."""

_largest: ContextVar[int] = ContextVar("largest", default=DEFAULT_MAX_RESOURCE_SIZE * MB)


def max_resource_bytes() -> int:
    """The size limit of one resource in this thread, in bytes."""
    return _largest.get()


@contextmanager
def limit_resource_size(max_resource_size: int) -> Iterator[None]:
    """Set the size limit of one resource, in this thread.

    Args:
        max_resource_size: MB.

    Raises:
        UsageError: it is less than the default, or more than PostgreSQL can store.
    """
    if not DEFAULT_MAX_RESOURCE_SIZE <= max_resource_size <= LARGEST_MAX_RESOURCE_SIZE:
        raise UsageError(
            f"maximum resource size {max_resource_size} MB is out of range: allowed are {DEFAULT_MAX_RESOURCE_SIZE} to "
            f"{LARGEST_MAX_RESOURCE_SIZE} MB",
            remedy=f"Give a size in this range, for example --max-resource-size {4 * DEFAULT_MAX_RESOURCE_SIZE}.",
        )
    with limit_resource_bytes(max_resource_size * MB):
        yield


@contextmanager
def limit_resource_bytes(size: int) -> Iterator[None]:
    """Set the size limit of one resource in bytes, in this thread."""
    token = _largest.set(size)
    try:
        yield
    finally:
        _largest.reset(token)


def size_problem(data: bytes, what: str = "resource") -> str | None:
    """Why a text needs too much memory; None if it does not."""
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
    """The message for a text of more bytes than the limit; its values were not counted."""
    last = LARGEST_MAX_RESOURCE_SIZE * MB
    remedy = _remedy(size if size > last else min(size * _FULL, last))
    return f"{size} bytes, more than {max_resource_bytes() // MB} MB, in one {what}{remedy}"


def _remedy(size: int) -> str:
    """The option that raises the limit enough, if there is one."""
    needed = -(-size // MB)
    if needed > LARGEST_MAX_RESOURCE_SIZE:
        return f"; --max-resource-size goes up to {LARGEST_MAX_RESOURCE_SIZE}: PostgreSQL's jsonb holds no more"
    return f"; load it with --max-resource-size {needed}"
