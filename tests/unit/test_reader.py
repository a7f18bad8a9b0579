"""Files as they come: compressed, cut off, damaged, too long, of another kind than their name says."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path

import pytest
import zstandard

from pyhce.errors import UsageError
from pyhce.records import incoming, reader
from pyhce.records.reader import Incoming, Rejected, Skipped, read
from pyhce.records.sources import files_in

LINES = b"".join(json.dumps({"resourceType": "Patient", "id": f"p{n}"}).encode() + b"\n" for n in range(1000))


def kinds(path: Path) -> list[str]:
    return [item.id if isinstance(item, Incoming) else getattr(item, "reason", "skipped") for item in read(path)]


@pytest.mark.parametrize("name", ["a.ndjson", "a.ndjson.gz", "a.ndjson.zst", "a.json", "a.json.gz", "a.txt"])
def test_lines_are_read_whatever_the_compression_and_the_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    compress = {".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}.get(path.suffix, bytes)
    path.write_bytes(compress(LINES))
    assert kinds(path) == [f"p{n}" for n in range(1000)]


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_file_that_was_cut_off_gives_what_is_whole_and_tells_the_rest(tmp_path: Path, suffix: str) -> None:
    noise = b"".join(
        json.dumps({"resourceType": "Patient", "id": f"p{n}", "name": [{"text": str(hash(n * 7919))}]}).encode() + b"\n"
        for n in range(200_000)
    )
    whole = gzip.compress(noise) if suffix == ".gz" else zstandard.ZstdCompressor().compress(noise)
    path = tmp_path / f"a.ndjson{suffix}"
    path.write_bytes(whole[: len(whole) // 2])
    found = kinds(path)
    assert len(found) > 1000
    assert found[:3] == ["p0", "p1", "p2"]
    assert found[-1] in {"unreadable", "not-json"}


def test_damage_in_the_middle_and_what_is_not_compressed_at_all(tmp_path: Path) -> None:
    broken = bytearray(gzip.compress(LINES))
    broken[len(broken) // 2] ^= 0xFF
    (tmp_path / "a.ndjson.gz").write_bytes(bytes(broken))
    assert kinds(tmp_path / "a.ndjson.gz")[-1] == "unreadable"
    (tmp_path / "b.json.gz").write_bytes(b"{}")
    assert kinds(tmp_path / "b.json.gz") == ["unreadable"]
    (tmp_path / "c.json.zst").write_bytes(b"{}")
    assert kinds(tmp_path / "c.json.zst") == ["unreadable"]


def test_a_line_that_is_too_long_is_passed_and_the_next_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (incoming, reader):
        monkeypatch.setattr(module, "MAX_LINE", 10_000)
        monkeypatch.setattr(module, "FEW", 10_000)
    path = tmp_path / "a.ndjson"
    path.write_bytes(LINES.splitlines()[0] + b"\n" + b'"' + b"x" * 3_000_000 + b'"\n' + LINES.splitlines()[1])
    assert kinds(path) == ["p0", "too-large", "p1"]
    whole = tmp_path / "b.json"
    whole.write_text(json.dumps({"resourceType": "Patient", "id": "x" * 20_000}, indent=1))
    (rejected,) = read(whole)
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, len(rejected.text) <= 1000) == ("too-large", True)


def test_standard_input_may_be_lines_or_one_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": json.loads(LINES.splitlines()[0])}],
    }
    for data, wanted in ((LINES, 1000), (json.dumps(bundle, indent=1).encode(), 1), (b"", 0), (b"\n\n", 0)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        assert len(kinds(Path("-"))) == wanted


def test_manifests_of_exports_are_no_resources(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    for manifest in ({"transactionTime": "x", "output": []}, {"files": [], "resources": 0, "snapshot": True}):
        path.write_text(json.dumps(manifest, indent=1))
        (skipped,) = read(path)
        assert isinstance(skipped, Skipped)
    path.write_text("{}")
    assert kinds(path) == ["not-a-resource"]


def test_folders_and_patterns_find_compressed_files_patients_first(tmp_path: Path) -> None:
    for name in ("Condition.ndjson.gz", "Patient.ndjson.zst", "sub/x.json", "readme.txt", "y.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert [p.name for p in files_in([tmp_path])] == ["Patient.ndjson.zst", "Condition.ndjson.gz", "x.json"]
    assert [p.name for p in files_in([tmp_path / "*.ndjson.*"])] == ["Condition.ndjson.gz", "Patient.ndjson.zst"]
    assert files_in([Path("-")]) == [Path("-")]
    with pytest.raises(UsageError, match="is not there"):
        files_in([tmp_path / "*.xml"])
    with pytest.raises(UsageError, match="holds no file"):
        (tmp_path / "empty").mkdir()
        files_in([tmp_path / "empty"])
