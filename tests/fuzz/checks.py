"""What must hold for every input: no exception, nothing lost, the exact text kept, bounded time."""

from __future__ import annotations

import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any

from pyhce.records.identity import DEFAULT_RULES, check_document, document_of_key, patient_document
from pyhce.records.reading import bundles, first_value, input_file, limits, reader
from pyhce.records.reading.exact_json import MAX_DEPTH, ExactNumber, InvalidJson, stored_json
from pyhce.records.reading.first_value import SEVERAL_LINES
from pyhce.records.reading.prepared import LineReader, prepare
from pyhce.records.reading.reader import Deletion, Incoming, Line, Rejected, Skipped
from pyhce.records.reading.reference import every_reference, own_keys, reference_target
from pyhce.records.reading.strict import r4_problems
from pyhce.schema.declaration import SCHEMA
from tests.fuzz.inputs import unpacked

MOST_SECONDS = 20.0
"""For one input of at most about 4 MB."""
LINES = LineReader(SCHEMA)
NUL = re.compile(r"\x00|(?<!\\)(?:\\\\)*\\u0000")


class Broken(AssertionError):
    """A property does not hold."""


@contextmanager
def sizes(chunk: int, few: int, max_line: int) -> Iterator[None]:
    """The reader's limits, made small so that a small input reaches them."""
    patched = [(input_file, "CHUNK", chunk)]
    patched += [(module, "SMALL", few) for module in (limits, bundles, first_value, reader)]
    original = [(module, name, getattr(module, name)) for module, name, _ in patched]
    try:
        for module, name, value in patched:
            setattr(module, name, value)
        with limits.limit_resource_bytes(max_line):
            yield
    finally:
        for module, name, value in original:
            setattr(module, name, value)


def check(path: Path, data: bytes, chunk: int, few: int, max_line: int) -> Counter[str]:
    """Read a file and check every property; the number of items by class.

    Raises:
        Broken: a property does not hold.
    """
    path.write_bytes(data)
    plain = unpacked(data, path.suffix)
    chunk = max(chunk, len(plain or data) // 5_000)  # a byte at a time takes too long
    start = time.process_time()
    with input_file.InputFile(path) as source:
        found = list(reader.read(source))
    with sizes(chunk, limits.SMALL, limits.max_resource_bytes()):
        pieces = list(reader.read(path))
    if pieces != found and plain is not None:  # of a damaged file more is seen in small pieces
        ours, theirs = next((a, b) for a, b in zip_longest(found, pieces) if a != b)
        raise Broken(f"the result differs when read in pieces of {chunk}: {ours!s:.500} / {theirs!s:.500}")
    with sizes(chunk, few, max_line):
        few_bytes = list(reader.read(path))
    for item in [*found, *few_bytes]:
        if not isinstance(item, Incoming | Deletion | Rejected | Skipped):
            raise Broken(f"{type(item).__name__} came out")
    for item in found:
        if isinstance(item, Incoming):
            _take(item)
    rejected = any(isinstance(item, Rejected) for item in found)
    if plain is None and not rejected:
        raise Broken("a damaged file without a reject")
    reported = source.not_read or any(isinstance(item, Rejected) and item.reason == "unreadable" for item in found)
    if plain is not None and not reported:
        _account(path, plain, found, several_lines=SEVERAL_LINES in source.notes)
    if time.process_time() - start > MOST_SECONDS:
        raise Broken(f"it took {time.process_time() - start:.0f} s")
    source = input_file.InputFile(path)
    with source:
        for line in reader.scan(source):
            if isinstance(line, Line):
                _plain(line)
        if source.fingerprint() != input_file.file_fingerprint(path) or source.position != len(data):
            raise Broken("the fingerprint or the position is wrong")
    return Counter(type(item).__name__ for item in found)


def _plain(line: Line) -> None:
    """Check that `LineReader`, if it accepts a line, gives the same result as the careful way."""
    quick = LINES.read(line)
    if quick is None:
        return
    careful = list(reader.resources_in(line))
    if len(careful) != 1 or not isinstance(careful[0], Incoming):
        raise Broken(f"{line.where}: taken as plain, and it is {careful!s:.300}")
    slow = prepare(SCHEMA, careful[0])
    if slow[:4] != quick[:4] or (line.data.strip() == quick.recurso and slow.fingerprint != quick.fingerprint):
        raise Broken(f"{line.where}: {quick[:5]!s:.300} by the quick way, {slow[:5]!s:.300} by the careful one")


def _take(item: Incoming) -> None:
    """Do with a resource what a load does, as far as no database is needed."""
    came = item.exact if item.exact is not None else item.resource
    try:
        text = stored_json(item.resource, item.exact)
    except InvalidJson:
        return
    kept = json.loads(text.original or text.recurso, parse_float=str, parse_int=str)
    if kept != _spelled(came):
        raise Broken(f"{item.where}: what is stored is not what came")
    if NUL.search(text.recurso):
        raise Broken(f"{item.where}: jsonb cannot hold a NUL")
    text.recurso.encode()
    assert text.fingerprint
    r4_problems(text.recurso)
    for reference in every_reference(item.resource):
        reference_target(reference)
    keyed = [document_of_key(key, DEFAULT_RULES) for key in own_keys(item.resource, item.id)]
    for document in {patient_document(item.resource, DEFAULT_RULES), *keyed} - {None}:
        if check_document(str(document), "DOCUMENTO") != document:
            raise Broken(f"{item.where}: its document cannot be typed back")
    made = prepare(SCHEMA, item, rules=DEFAULT_RULES)
    if json.loads(made.exact, parse_float=str, parse_int=str) != _spelled(came):
        raise Broken(f"{item.where}: what is stored with its references resolved is not what came")


def _spelled(value: Any) -> Any:
    """A value with its numbers as texts."""
    if isinstance(value, dict):
        return {name: _spelled(held) for name, held in value.items()}
    if isinstance(value, list):
        return [_spelled(held) for held in value]
    return value.text if isinstance(value, ExactNumber) else value


def _account(path: Path, plain: bytes, found: list[Any], *, several_lines: bool) -> None:
    """As many came out as went in, where a simple count can tell; what cannot be read was told.

    Args:
        several_lines: whether the reader took it for JSON over several lines, whatever its name says.
    """
    if plain[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in plain[:2]:
        return  # another encoding
    plain = plain.removeprefix(b"\xef\xbb\xbf")
    by_line: dict[int, list[Any]] = defaultdict(list)
    for item in found:
        by_line[item.where.line].append(item)
    lines = plain.split(b"\n")
    full = [line.strip() for line in lines if line.strip()]
    if not full:
        return
    whole = _simple(plain)
    in_lines = ".ndjson" in path.name and not several_lines and len(full) > 1
    if whole is not None and not in_lines:
        if _number_of(whole) is not None and len(found) != _number_of(whole):
            raise Broken(f"{len(found)} came out of {_number_of(whole)}")
        return
    if not in_lines or b"\xef\xbb\xbf" in plain:
        unmarked = plain.replace(b"\xef\xbb\xbf", b"")  # the reader takes a byte order mark between values for a space
        if not any(isinstance(item, Rejected) for item in found) and _several(unmarked) is False:
            raise Broken("it is no JSON, and nothing was said")
        return
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        value = _simple(line)
        came = by_line[number]
        if not came:
            raise Broken(f"nothing came of line {number}")
        if value is not None and _number_of(value) is not None and len(came) != _number_of(value):
            raise Broken(f"{len(came)} came of line {number}, in which are {_number_of(value)}")
        if value is None and not any(isinstance(item, Rejected) for item in came) and _several(line) is False:
            raise Broken(f"line {number} is no JSON, and nothing was said")


def _simple(text: bytes) -> Any:
    """A JSON text by Python's own parser; None if it is none."""
    try:
        return json.loads(
            text.decode(), parse_float=str, parse_int=str, parse_constant=_refuse, object_pairs_hook=_once
        )
    except (ValueError, RecursionError):
        return None


def _several(text: bytes) -> bool:
    """Whether a text is several JSON values one after another."""
    decoder = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_refuse, object_pairs_hook=_once)
    try:
        rest = text.decode().strip()
        while rest:
            _, end = decoder.raw_decode(rest)
            rest = rest[end:].strip()
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(name: str) -> Any:
    raise ValueError(name)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("twice")
    return dict(pairs)


def _number_of(value: Any) -> int | None:
    """How many come of a value; None if that is not simple to tell."""
    if isinstance(value, list):
        counts = [_number_of(item) if not isinstance(item, list) else 1 for item in value]
        return None if None in counts else sum(c for c in counts if c is not None) or 1
    if _depth(value) > MAX_DEPTH - 5 or not isinstance(value, dict):
        return None if isinstance(value, dict) else 1
    if "output" in value or "files" in value:
        return None
    if value.get("resourceType") != "Bundle" or value.get("type") in ("document", "message"):
        return 1
    entries = value.get("entry")
    if not isinstance(entries, list):
        return 1
    total = 0
    for entry in entries:
        inner = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(inner, dict) and inner.get("resourceType") == "Bundle":
            return None
        total += 1
    return total or 1


def _depth(value: Any) -> int:
    waiting, deepest = [(value, 0)], 0
    while waiting:
        held, depth = waiting.pop()
        deepest = max(deepest, depth)
        inner = held.values() if isinstance(held, dict) else held if isinstance(held, list) else ()
        waiting += [(item, depth + 1) for item in inner]
    return deepest
