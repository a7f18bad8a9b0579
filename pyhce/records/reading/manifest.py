"""The list of an export's files: what it is known by, and which of the files are not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pyhce.records.reading.incoming import Found, Rejected, Skipped, Where
from pyhce.records.reading.sources import COMPRESSIONS, SUFFIXES, plain_name

_BULK_LISTS = ("output", "deleted", "error")


def is_manifest(value: Any) -> bool:
    """Whether a value is the list of an export's files: of Bulk Data (output), or our own (files)."""
    return _is_bulk(value) or _is_ours(value)


def _is_bulk(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and "resourceType" not in value
        and isinstance(value.get("output"), list)
        and "transactionTime" in value
    )


def _is_ours(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and "resourceType" not in value
        and isinstance(value.get("files"), list)
        and {"resources", "snapshot"} <= value.keys()
    )


def in_manifest(where: Where, value: dict[str, Any]) -> Iterator[Found]:
    """That it is one, and each file that it names and that is not beside it."""
    yield Skipped(where, "a manifest of an export")
    manifest = Path(where.file)
    if not manifest.is_file():
        return
    for name in _names(value):
        if not any((manifest.parent / (name + ending)).exists() for ending in ("", *COMPRESSIONS)):
            yield Rejected(where, "missing-file", f"the manifest names {name}, which is not beside it", name)


def _names(value: dict[str, Any]) -> Iterator[str]:
    """The files that it names, as paths beside it. Of a URL that ends in no file's name nobody can tell."""
    if not _is_bulk(value):
        paths = (entry.get("path") for entry in value["files"] if isinstance(entry, dict))
        yield from (path for path in paths if isinstance(path, str) and _is_beside(path))
        return
    for listed in _BULK_LISTS:
        entries = value.get(listed)
        for entry in entries if isinstance(entries, list) else ():
            url = entry.get("url") if isinstance(entry, dict) else None
            name = _name(url) if isinstance(url, str) else ""
            if plain_name(Path(name)).endswith(SUFFIXES) and _is_beside(name):
                yield name


def _name(url: str) -> str:
    """What a URL names beside the manifest: a relative one all of its path, as ours do, another the last part."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    path = unquote(parts.path)
    return path if not parts.scheme and not parts.netloc and not path.startswith("/") else path.rsplit("/", 1)[-1]


def _is_beside(path: str) -> bool:
    parts = Path(path).parts
    return bool(parts) and not Path(path).is_absolute() and ".." not in parts and "\0" not in path
