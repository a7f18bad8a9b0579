"""Manifests: the files that an export lists, and which of them are missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from pyhce.records.reading.incoming import InputLocation, ReadItem, Rejected, Skipped
from pyhce.records.reading.input_file import COMPRESSIONS, SUFFIXES, plain_name

_BULK_LISTS = ("output", "deleted", "error")


def is_manifest(value: Any) -> bool:
    """Whether a value is a manifest: of Bulk Data (`output`), or of an early release of pyhce (`files`)."""
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


def manifest_items(where: InputLocation, value: dict[str, Any]) -> Iterator[ReadItem]:
    """The items of a manifest: a note that it is one, and a reject for each file that is missing."""
    yield Skipped(where, "a manifest of an export")
    manifest = Path(where.file)
    if not manifest.is_file():
        return
    for listed in listed_files(value):
        names = [path + ending for path in listed.paths for ending in ("", *COMPRESSIONS)]
        if not any((manifest.parent / name).exists() for name in names):
            name = listed.paths[0]
            yield Rejected(where, "missing-file", f"the manifest lists {name}, but the file does not exist", name)


class ListedFile(NamedTuple):
    """A file that a manifest lists.

    Args:
        paths: its path relative to the manifest, then the paths at which Bulk Data clients may save it instead.
        list: the manifest's list that it is in: `output`, `deleted`, `error`, or `files` in a manifest of pyhce.
    """

    paths: tuple[str, ...]
    list: str


def listed_files(value: dict[str, Any]) -> Iterator[ListedFile]:
    """The files that a manifest lists, without URLs that do not end in the name of a JSON file.

    Clients save files of other lists than `output` in a folder named after the list, and can number the files of each
    type: https://github.com/smart-on-fhir/bulk-data-client (forceStandardFileNames).
    """
    if not _is_bulk(value):
        paths = (entry.get("path") for entry in value["files"] if isinstance(entry, dict))
        yield from (ListedFile((path,), "files") for path in paths if isinstance(path, str) and _is_beside(path))
        return
    numbers: Counter[str] = Counter()
    for name in _BULK_LISTS:
        entries = value.get(name)
        for entry in entries if isinstance(entries, list) else ():
            kind, url = (entry.get("type"), entry.get("url")) if isinstance(entry, dict) else (None, None)
            numbers[str(kind)] += 1
            path = _name(url) if isinstance(url, str) else ""
            if plain_name(Path(path)).lower().endswith(SUFFIXES) and _is_beside(path):
                also = [f"{numbers[kind]}.{kind}.ndjson"] if isinstance(kind, str) and kind.isalnum() else []
                also += [] if name == "output" else [f"{name}/{one}" for one in (path, *also)]
                yield ListedFile((path, *also), name)


def _name(url: str) -> str:
    """The path of a URL's file relative to the manifest: of a relative URL its path, else the last part."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    path = unquote(parts.path)
    return path if not parts.scheme and not parts.netloc and not path.startswith("/") else path.rsplit("/", 1)[-1]


def _is_beside(path: str) -> bool:
    parts = Path(path).parts
    return bool(parts) and not Path(path).is_absolute() and ".." not in parts and "\0" not in path
