"""The inputs that the fuzz starts from, and the changes it makes."""

from __future__ import annotations

import contextlib
import copy
import gzip
import io
import json
import re
import tarfile
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import zstandard

from pyhce import sample

EXAMPLES = Path(__file__).parents[2].parent / "shared" / "fhir-examples" / "r4-examples.tar.gz"
SUFFIXES = (".json", ".ndjson", ".json.gz", ".ndjson.gz", ".json.zst", ".ndjson.zst", ".txt")

ODD_NUMBERS = (
    b"1e400",
    b"-0",
    b"-0.0",
    b"1" * 5000,
    b"1.0E+2",
    b"0.1e-999",
    b"01",
    b"1.",
    b"NaN",
    b"-Infinity",
    b"1e1",
)
ODD_BYTES = (
    b"\0",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\\ud800",
    b"\\u0000",
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\n",
    b"\r\n",
    b"\n\n",
    b"null",
    b"{}",
    b"[]",
    b'""',
    b'"entry"',
    b'"Bundle"',
    b'"entry":[',
    b'"resourceType"',
    b'{"resourceType":"Patient"}',
    b'"id":"x",',
    b"\x1e",
    b" " * 5000,
    b"9" * 400,
    b"\xf0\x9f\x98\x80",
    b"/*x*/",
    b"\\u0042undle",
    b"<",
    b"PK\x03\x04",
    b'{"file":"a","line":1,"entry":null,"reason":"not-json"',
    b'{"exportId":"e","timestamp":"t","eventId":"kickoff"}\n',
    b'{"resourceType":"OperationOutcome"}\n',
    b'{"resourceType":"Patient",\n"id":"y"}\n',
)
ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    "",
    " ",
    "x" * 3000,
    "\0",
    "\ud800",
    "0000-00-00",
    "9999-99-99",
    "2024-02-30T25:61:61Z",
    "urn:uuid:",
    "Patient/",
    "Patient?",
    "#",
    "/",
    "Patient/" + "x" * 65,
    "?identifier=",
    [],
    {},
    [[]],
    [None],
    {"": None},
    {"reference": []},
    {"reference": "Patient/x", "type": 1},
    [{"value": {}}],
    {"coding": "x"},
    "DELETE",
    "PATCH",
    "history",
    "document",
    "Bundle",
    "Patient",
    {"resourceType": "Bundle", "entry": []},
    {"method": "DELETE", "url": "Patient/1"},
)


@cache
def resources() -> tuple[dict[str, Any], ...]:
    """Resources that begin it: the sample's, and the official examples where they are."""
    found: list[dict[str, Any]] = []
    for path in sorted(Path(str(sample.__file__)).parent.rglob("*")):
        if path.suffix in {".json", ".ndjson"}:
            for text in path.read_text().splitlines() if path.suffix == ".ndjson" else [path.read_text()]:
                value = json.loads(text)
                found += [e["resource"] for e in value["entry"]] if value.get("entry") else [value]
    if EXAMPLES.exists():
        with tarfile.open(EXAMPLES) as archive:
            files = [archive.extractfile(member) for member in archive if member.name.endswith(".json")]
            found += [json.loads(file.read()) for file in files if file]
    return tuple(resource for resource in found if len(json.dumps(resource)) < 20_000)


def bundle(rng: Random) -> dict[str, Any]:
    """A bundle of a few resources, with references by fullUrl, deletions and entries without a resource."""
    entries: list[dict[str, Any]] = []
    for number in range(rng.randint(0, 6)):
        resource = copy.deepcopy(rng.choice(resources()))
        if rng.random() < 0.3:
            resource.pop("id", None)
        if rng.random() < 0.5:
            resource["subject"] = {"reference": f"urn:uuid:{rng.randint(0, 6)}"}
        url = rng.choice([f"urn:uuid:{number}", f"http://x/fhir/{resource.get('resourceType')}/{number}", "http://x"])
        entry = {"fullUrl": url, "resource": resource, "request": {"method": "PUT", "url": "x"}}
        if rng.random() < 0.2:
            del entry["resource"]
            url = rng.choice(["Patient/1", "Patient?identifier=a|b", "Patient?name=x", "x"])
            entry["request"] = {"method": rng.choice(["DELETE", "GET", "PATCH"]), "url": url}
        if rng.random() < 0.1:
            entry["resource"] = bundle(rng)
        entries.append(entry)
    kind = rng.choice(["transaction", "batch", "history", "collection", "searchset", "document", "message"])
    members = [("resourceType", "Bundle"), ("type", kind), ("entry", entries), ("total", 1)]
    rng.shuffle(members)
    return dict(members)


def text(rng: Random) -> bytes:
    """The plain text of a file."""
    values = [bundle(rng) if rng.random() < 0.4 else rng.choice(resources()) for _ in range(rng.randint(1, 6))]
    if rng.random() < 0.5:
        values = [changed(rng, copy.deepcopy(value)) for value in values]
    indent = rng.choice([None, None, 1])
    written = []
    for value in values:
        with contextlib.suppress(RecursionError):  # as deep as Python itself can write
            written.append(json.dumps(value, indent=indent, ensure_ascii=rng.random() < 0.5))
    written = written or ["{}"]
    whole = rng.choice(["\n", "\n", "\n", "\r\n", "", " "]).join(written)
    if rng.random() < 0.1:
        whole = "[" + ",".join(written) + "]"
    elif rng.random() < 0.3:
        whole = written[0]
    encoding = rng.choice(["utf-16", "utf-16-le", "utf-8-sig"]) if rng.random() < 0.1 else "utf-8"
    return whole.encode(encoding, "surrogatepass")


def packed(data: bytes, suffix: str) -> bytes:
    """As a file of that name holds it."""
    if suffix.endswith(".gz"):
        return gzip.compress(data, 1)
    return zstandard.ZstdCompressor(level=1).compress(data) if suffix.endswith(".zst") else data


def unpacked(data: bytes, suffix: str) -> bytes | None:
    """What a file holds, by other means than ours; None if it is damaged."""
    try:
        if suffix.endswith(".gz"):
            return gzip.decompress(data)
        if suffix.endswith(".zst"):
            with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True) as stream:
                return stream.read()
    except (OSError, EOFError, ValueError, zstandard.ZstdError):
        return None
    except Exception as error:  # zlib.error is a class of its own
        if type(error).__name__ == "error":
            return None
        raise
    return data


def changed(rng: Random, value: Any) -> Any:
    """A JSON value with another one in some place."""
    full_urls: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        held = waiting.pop()
        keys = held.keys() if isinstance(held, dict) else range(len(held)) if isinstance(held, list) else ()
        for key in keys:
            full_urls.append((held, key))
            waiting.append(held[key])
    for _ in range(rng.randint(1, 3)):
        if not full_urls:
            return rng.choice(ODD_VALUES)
        holder, key = rng.choice(full_urls)
        try:
            if rng.random() < 0.3:
                del holder[key]
            elif rng.random() < 0.1:
                for _ in range(rng.choice([3, 220])):
                    holder[key] = [holder[key]] if rng.random() < 0.5 else {"a": holder[key]}
            else:
                holder[key] = copy.deepcopy(rng.choice(ODD_VALUES))
        except (IndexError, KeyError):
            continue
    return value


def mutated(rng: Random, data: bytes) -> bytes:
    """Bytes changed in a few places."""
    for _ in range(rng.choice([0, 1, 1, 1, 2, 5])):
        data = rng.choice(_MUTATIONS)(rng, data)
    return data[:4_000_000]


def _place(rng: Random, data: bytes) -> tuple[int, int]:
    start = rng.randint(0, len(data))
    return start, min(len(data), start + rng.choice([1, 1, 2, 10, 100, 3000]))


def _flip(rng: Random, data: bytes) -> bytes:
    if not data:
        return data
    held = bytearray(data)
    for _ in range(rng.choice([1, 1, 3])):
        held[rng.randrange(len(held))] ^= 1 << rng.randrange(8)
    return bytes(held)


def _cut(rng: Random, data: bytes) -> bytes:
    return data[: rng.randint(0, len(data))] if rng.random() < 0.7 else data[rng.randint(0, len(data)) :]


def _drop(rng: Random, data: bytes) -> bytes:
    start, end = _place(rng, data)
    return data[:start] + data[end:]


def _twice(rng: Random, data: bytes) -> bytes:
    start, end = _place(rng, data)
    return data[:end] + data[start:end] * rng.choice([1, 1, 2, 300]) + data[end:]


def _shuffle(rng: Random, data: bytes) -> bytes:
    full_urls = sorted(rng.randint(0, len(data)) for _ in range(4))
    chunks = [data[a:b] for a, b in zip([0, *full_urls], [*full_urls, len(data)], strict=True)]
    rng.shuffle(chunks)
    return b"".join(chunks)


def _insert(rng: Random, data: bytes) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + rng.choice(ODD_BYTES) * rng.choice([1, 1, 1, 2, 50]) + data[at:]


def _number(rng: Random, data: bytes) -> bytes:
    return _replaced(rng, data, rb"-?\d+(?:\.\d+)?", rng.choice(ODD_NUMBERS))


def _string(rng: Random, data: bytes) -> bytes:
    new = rng.choice([b'"' + b"x" * 200_000 + b'"', b'"\\ud83d"', b'"\xff"', b'"\\u0000"', b"1", b"{}", b'"id":1,"id"'])
    return _replaced(rng, data, rb'"[^"\\\n]{0,80}"', new)


def _replaced(rng: Random, data: bytes, pattern: bytes, new: bytes) -> bytes:
    found = list(re.finditer(pattern, data[:200_000]))
    if not found:
        return data
    match = rng.choice(found)
    return data[: match.start()] + new + data[match.end() :]


def _nest(rng: Random, data: bytes) -> bytes:
    start, end = _place(rng, data)
    depth = rng.choice([1, 201, 3000, 10_000])
    opening, closing = rng.choice([(b"[", b"]"), (b'{"a":', b"}"), (b"[", b""), (b"", b"}")])
    return data[:start] + opening * depth + data[start:end] + closing * depth + data[end:]


_MUTATIONS = (_flip, _flip, _cut, _drop, _twice, _shuffle, _insert, _insert, _number, _string, _nest)
