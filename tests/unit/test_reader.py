"""The reader: compressed, truncated, damaged and oversized files, and files whose name does not fit."""

from __future__ import annotations

import gzip
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import zstandard

from pyhce.errors import UsageError
from pyhce.records.reading import bundles, input_file, limits, nesting, reader, spool
from pyhce.records.reading.folders import find_files
from pyhce.records.reading.input_file import InputFile, file_fingerprint
from pyhce.records.reading.prepared import prepare
from pyhce.records.reading.reader import Deletion, Incoming, Rejected, Skipped, read, scan
from pyhce.schema.declaration import SCHEMA
from tests.fuzz.rounds import run

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
def test_a_truncated_file_gives_its_complete_resources_and_one_reject(tmp_path: Path, suffix: str) -> None:
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


def test_damage_in_the_middle_or_a_wrong_suffix_is_one_reject(tmp_path: Path) -> None:
    broken = bytearray(gzip.compress(LINES))
    broken[len(broken) // 2] ^= 0xFF
    (tmp_path / "a.ndjson.gz").write_bytes(bytes(broken))
    assert kinds(tmp_path / "a.ndjson.gz")[-1] == "unreadable"
    (tmp_path / "b.json.gz").write_bytes(b"{}")
    assert kinds(tmp_path / "b.json.gz") == ["unreadable"]
    (tmp_path / "c.json.zst").write_bytes(b"{}")
    assert kinds(tmp_path / "c.json.zst") == ["unreadable"]


def test_a_line_over_the_limit_is_rejected_and_the_next_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (limits, reader):
        monkeypatch.setattr(module, "SMALL", 10_000)
        monkeypatch.setattr(module, "max_resource_bytes", lambda: 10_000)
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


def test_manifests_are_not_read_as_resources(tmp_path: Path) -> None:
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
    assert [p.name for p in find_files([tmp_path]).to_read] == ["Patient.ndjson.zst", "Condition.ndjson.gz", "x.json"]
    assert [p.name for p in find_files([tmp_path / "*.ndjson.*"]).to_read] == [
        "Patient.ndjson.zst",
        "Condition.ndjson.gz",
    ]
    assert find_files([Path("-")]).to_read == [Path("-")]
    with pytest.raises(UsageError, match="does not exist"):
        find_files([tmp_path / "*.xml"])
    with pytest.raises(UsageError, match="contains no file"):
        (tmp_path / "empty").mkdir()
        find_files([tmp_path / "empty"])


PATIENT = b'{"resourceType":"Patient","id":"%s"}'
ONE, TWO, THREE = (PATIENT % name for name in (b"p1", b"p2", b"p3"))


def bundle(*entries: bytes, kind: bytes = b"collection") -> bytes:
    return b'{"entry":[' + b",".join(entries) + b'],"type":"' + kind + b'","resourceType":"Bundle"}'


def entry(resource: bytes) -> bytes:
    return b'{"resource":' + resource + b"}"


def told(path: Path, data: bytes) -> list[str]:
    path.write_bytes(data)
    return kinds(path)


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"[" + ONE + b",\n" + TWO + b"]", ["p1", "p2"]),
        (b'[{"resourceType":"Patient",\n"id":"p1"},' + bundle(entry(TWO)) + b",1]", ["p1", "p2", "not-a-resource"]),
        (ONE + TWO + b" " + THREE, ["p1", "p2", "p3"]),
        (b'{\n"resourceType":"Patient",\n"id":"p1"}{"resourceType"\n:"Patient","id":"p2"}', ["p1", "p2"]),
        (b"\xef\xbb\xbf" + ONE + b"\n\xef\xbb\xbf" + TWO, ["p1", "p2"]),
        ((ONE + b"\n" + TWO).decode().encode("utf-16"), ["p1", "p2"]),
        ((ONE + b"\n" + TWO).decode().encode("utf-16-be"), ["p1", "p2"]),
        (ONE + b"\r\n\r\n  \r\n" + TWO + b"\r\n", ["p1", "p2"]),
        (b"\0\n" + ONE, ["not-json", "p1"]),
        (b"", []),
        (b" \n\n", []),
        (b"[]", ["skipped"]),
        (b"not JSON at all\n" + ONE, ["not-json", "p1"]),
        (b"[" + ONE + b" " + TWO + b"]\n" + THREE, ["p1", "not-json", "p3"]),
        (b"[" + ONE + b"," + TWO[:9], ["p1", "not-json"]),
        (ONE + b"\n" + TWO[:-5] + b"\n" + THREE, ["p1", "not-json", "p3"]),
        (ONE + b'\n{"resourceType":"Patient","id":"\xff"}\n' + THREE, ["p1", "not-json", "p3"]),
        (b'{"resourceType":"Patient","id":"p1","id":"p2"}', ["not-json"]),
        (
            b'{"resourceType":"Patient","id":"p1","x":' + b"[" * 10_000 + b"]" * 10_000 + b"}\n" + TWO,
            ["not-json", "p2"],
        ),
        (b'{"resourceType":"Patient","id":"p1","x":[1e400,' + b"9" * 5000 + b',"0000-99-99"]}', ["p1"]),
        (bundle(entry(ONE), b"7", entry(TWO)), ["p1", "not-an-entry", "p2"]),
        (bundle(entry(ONE), entry(TWO))[:-60], ["not-json"]),
        (
            b'{"resourceType":"Bundle","type":"batch","entry":[' + entry(ONE) + b"," + entry(TWO)[:-9],
            ["p1", "not-json"],
        ),
        (b'{"resourceType":"Bundle","type":"batch","entry":[' + entry(ONE) + b"}" + entry(TWO), ["p1", "not-json"]),
        (bundle(), ["skipped"]),
        (bundle(entry(ONE)) + bundle(entry(TWO)), ["p1", "p2"]),
        (bundle(entry(bundle(entry(ONE))), entry(TWO)), ["p1", "p2"]),
    ],
)
@pytest.mark.parametrize("chunk", [1, 7, input_file.CHUNK])
def test_every_value_in_a_file_is_read_or_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, wanted: list[str], chunk: int
) -> None:
    monkeypatch.setattr(input_file, "CHUNK", chunk)
    assert told(tmp_path / "a.json", data) == wanted


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader's limits, so small that a small bundle is a large one."""
    for module in (limits, bundles, reader):
        monkeypatch.setattr(module, "SMALL", 150)
        monkeypatch.setattr(module, "max_resource_bytes", lambda: 150)
    monkeypatch.setattr(spool, "_BLOCK", 100)
    monkeypatch.setattr(spool, "_URLS_IN_MEMORY", 2)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", ["a.json", "a.ndjson", "a.json.gz", "a.json.zst", "-"])
@pytest.mark.parametrize("indent", [None, 1])
def test_references_in_a_large_bundle_are_resolved_in_both_directions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, indent: int | None
) -> None:
    entries = [
        {
            "fullUrl": f"urn:uuid:{n}",
            "resource": {"resourceType": "Basic", "subject": {"reference": f"urn:uuid:{9 - n}"}},
        }
        for n in range(10)
    ]
    data = json.dumps({"entry": entries, "type": "batch", "resourceType": "Bundle"}, indent=indent).encode()
    compress = {".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}.get(Path(name).suffix, bytes)
    path = Path("-") if name == "-" else tmp_path / name
    if name == "-":
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    else:
        path.write_bytes(compress(data))
    found = list(read(path))
    assert [item.id for item in found if isinstance(item, Incoming)] == [str(n) for n in range(10)]
    assert [i.resource["subject"]["reference"] for i in found if isinstance(i, Incoming)] == [
        f"Basic/{9 - n}" for n in range(10)
    ]
    assert [item.where.entry for item in found] == list(range(1, 11))
    assert [item.where.line for item in found] == ([1] * 10 if indent is None else [3 + 9 * n for n in range(10)])


@pytest.mark.usefixtures("small")
def test_a_value_over_the_limit_is_rejected_and_the_next_is_read(tmp_path: Path) -> None:
    large = b'{"resourceType":"Patient","id":"%s"}' % (b"x" * 3000)
    assert told(tmp_path / "a.json", large + b"\n" + ONE) == ["too-large", "p1"]
    assert told(tmp_path / "a.json", b"[" + large + b"," + ONE + b"]") == ["too-large", "p1"]
    assert told(tmp_path / "a.json", bundle(entry(ONE), entry(large), entry(TWO))) == ["p1", "too-large", "p2"]
    document = bundle(*[entry(ONE)] * 9, kind=b"document")
    assert told(tmp_path / "a.ndjson", document + b"\n" + ONE) == ["too-large", "p1"]
    twice = bundle(*[entry(ONE)] * 9)[:-1] + b',"type":"batch"}'
    assert told(tmp_path / "a.json", twice) == ["not-json"]


def test_a_long_member_name_in_a_bundle_hides_no_entry(tmp_path: Path) -> None:
    named = bundle(entry(ONE))[:-1] + b',"%s":1}' % (b"n" * 10_000)
    assert told(tmp_path / "a.json", named) == ["p1"]


def test_a_bundle_of_separate_resources_may_have_an_invalid_id(tmp_path: Path) -> None:
    named = bundle(entry(ONE), entry(TWO))[:-1] + b',"id":"no id"}'
    assert told(tmp_path / "a.json", named) == ["p1", "p2"]
    assert told(tmp_path / "a.json", b"[" + named + b"]") == ["p1", "p2"]
    assert told(tmp_path / "a.json", bundle(entry(named))) == ["p1", "p2"]


def test_many_values_in_few_bytes_are_too_large(tmp_path: Path) -> None:
    many = b'{"resourceType":"Basic","id":"b","x":[' + b"1," * 600_000 + b"1]}"
    assert told(tmp_path / "a.ndjson", many + b"\n" + ONE) == ["too-large", "p1"]
    assert told(tmp_path / "a.json", bundle(entry(many), entry(ONE))) == ["too-large", "p1"]


@pytest.mark.parametrize("fill", [b"\0", b" ", b"\n", b"x"])
def test_a_decompression_bomb_is_abandoned_with_one_reject(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fill: bytes
) -> None:
    monkeypatch.setattr(input_file, "MAX_WITHOUT_RESOURCE", 5_000_000)
    for compress, suffix in ((gzip.compress, ".gz"), (zstandard.ZstdCompressor(level=19).compress, ".zst")):
        (tmp_path / f"a.json{suffix}").write_bytes(compress(ONE + b"\n" + b'"' + fill * 80_000_000))
        found = list(read(tmp_path / f"a.json{suffix}"))
        assert isinstance(found[0], Incoming)
        assert isinstance(found[-1], Rejected)
        assert (found[-1].reason, "the rest of the file was not read" in found[-1].detail) == ("too-large", True)


def test_a_zstandard_file_that_requests_much_memory_is_rejected(tmp_path: Path) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=30)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    (tmp_path / "a.ndjson.zst").write_bytes(compressor.compress(LINES) + compressor.flush())
    assert kinds(tmp_path / "a.ndjson.zst") == ["unreadable"]


def test_concatenated_compressed_files_are_read_to_their_end_whatever_the_name(tmp_path: Path) -> None:
    for compress in (gzip.compress, zstandard.ZstdCompressor().compress):
        both = compress(ONE + b"\n") + compress(TWO + b"\n")
        assert told(tmp_path / "a.json", both) == ["p1", "p2"]
        assert told(tmp_path / "a.json", both + b"rubbish")[-1] == "unreadable"
        assert told(tmp_path / "a.json", both[:-3])[-1] == "unreadable"


DELETE = b'{"request":{"method":"DELETE","url":"%s"}}'


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (b"transaction", ["p1", "identifier=a|b", "p1", "p2"]),
        (b"batch", ["p1", "p1", "identifier=a|b", "p2"]),
        (b"history", ["p2", "identifier=a|b", "p1", "p1"]),
    ],
)
def test_a_transaction_deletes_first_and_a_history_is_read_oldest_first(
    tmp_path: Path, kind: bytes, wanted: list[str]
) -> None:
    entries = (DELETE % b"Patient/p1", entry(ONE), DELETE % b"http://x/fhir/Patient?identifier=a%7Cb", entry(TWO))
    (tmp_path / "a.ndjson").write_bytes(bundle(*entries, kind=kind))
    found = [getattr(item, "key", getattr(item, "id", "")) for item in read(tmp_path / "a.ndjson")]
    assert found == wanted
    assert all(isinstance(item, Deletion | Incoming) for item in read(tmp_path / "a.ndjson"))


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"method": "DELETE", "url": "Patient?name=x"}, "unsupported"),
        ({"method": "DELETE", "url": "Patient?identifier=a|b&active=true"}, "unsupported"),
        ({"method": "DELETE", "url": "Patient?identifier=a|"}, "unsupported"),
        ({"method": "DELETE", "url": "Paciente/1"}, "unknown-type"),
        ({"method": "DELETE", "url": "Patient"}, "unsupported"),
        ({"method": "DELETE"}, "unsupported"),
        ({"method": "PATCH", "url": "Patient/1"}, "unsupported"),
        ({"method": "GET", "url": "Patient/1"}, "skipped"),
        ({"method": 7}, "skipped"),
    ],
)
def test_unsupported_requests_are_rejected(tmp_path: Path, request_: dict[str, str], reason: str) -> None:
    assert told(tmp_path / "a.json", bundle(json.dumps({"request": request_}).encode())) == [reason]


def test_missing_files_of_a_manifest_are_rejected(tmp_path: Path) -> None:
    names = ["Patient.ndjson", "Condition.ndjson", "x/Device.ndjson?sig=1", "opaque/123"]
    manifest = {"transactionTime": "x", "output": [{"type": "x", "url": f"https://host/{name}"} for name in names]}
    manifest["deleted"] = [{"type": "Bundle", "url": "https://host/deleted.ndjson"}]
    (tmp_path / "Patient.ndjson.gz").write_bytes(gzip.compress(ONE))
    (tmp_path / "Device.ndjson").write_bytes(b"")
    found = list(read_all(tmp_path, manifest))
    assert [item.text for item in found if isinstance(item, Rejected)] == ["Condition.ndjson", "deleted.ndjson"]
    assert {item.reason for item in found if isinstance(item, Rejected)} == {"missing-file"}


def read_all(folder: Path, manifest: dict[str, object]) -> list[object]:
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return [item for path in find_files([folder]).to_read for item in read(path)]


def test_a_file_given_twice_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(ONE)
    assert find_files([tmp_path, tmp_path / "a.json", tmp_path / "*.json"]).to_read == [tmp_path / "a.json"]


def test_a_file_that_cannot_be_opened_is_rejected(tmp_path: Path) -> None:
    assert kinds(tmp_path / "gone.json") == ["unreadable"]


@pytest.mark.parametrize("name", ["a.ndjson", "a.ndjson.gz", "a.ndjson.zst"])
def test_an_input_file_has_its_position_size_and_fingerprint(tmp_path: Path, name: str) -> None:
    compress = {".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}.get(Path(name).suffix, bytes)
    raw = compress(LINES)
    (tmp_path / name).write_bytes(raw)
    with InputFile(tmp_path / name) as source:
        assert len(list(scan(source))) == 1000
        assert (source.size, source.position) == (len(raw), len(raw))
        assert source.fingerprint() == file_fingerprint(tmp_path / name)
    (tmp_path / name).write_bytes(raw[:-1] + b"x")
    assert file_fingerprint(tmp_path / name) != source.fingerprint()


@pytest.mark.usefixtures("small")
def test_the_position_advances_with_the_entries_of_a_large_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(input_file, "CHUNK", 1000)
    (tmp_path / "a.json").write_bytes(bundle(*[entry(PATIENT % str(n).encode()) for n in range(1000)]))
    with InputFile(tmp_path / "a.json") as source:
        full_urls = [source.position for _ in read(source)]
    assert full_urls == sorted(full_urls)
    assert full_urls[0] < source.size / 2 < full_urls[-1] < source.size  # type: ignore[operator]


def test_a_bundle_larger_than_memory_is_read(tmp_path: Path) -> None:
    line = PATIENT % (b"p1" + b'","text":{"div":"' + b"x" * 4000 + b'"},"language":"es')
    with (tmp_path / "a.json").open("wb") as out:
        out.write(b'{"resourceType":"Bundle","type":"batch","entry":[' + entry(line))
        for _ in range(12):
            out.write((b"," + entry(line)) * 1000)
        out.write(b"]}")
    program = (
        "import sys; from pathlib import Path; from pyhce.records.reading.reader import read\n"
        "print(sum(1 for _ in read(Path(sys.argv[1]))))\n"
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    if not Path("/proc/self/status").exists():
        pytest.skip("only Linux tells a process's greatest memory so")
    ran = subprocess.run([sys.executable, "-c", program, str(tmp_path / "a.json")], capture_output=True, text=True)
    count, peak = map(int, ran.stdout.split())
    assert (tmp_path / "a.json").stat().st_size > 45_000_000
    assert (count, peak < 200_000) == (12_001, True)


def test_random_changes_of_inputs_break_nothing(tmp_path: Path) -> None:
    assert run(20240229, rounds=60, keep=tmp_path)["rounds"] == 60


@pytest.mark.parametrize("size", [0, 15, 241])
def test_a_limit_that_is_out_of_range_is_refused(size: int) -> None:
    with (
        pytest.raises(UsageError, match=f"{size} MB is out of range: allowed are 16 to 240 MB"),
        limits.limit_resource_size(size),
    ):
        pass


def test_the_limit_holds_within_its_block_and_the_suggested_limit_is_enough() -> None:
    many = b'{"resourceType":"Group","member":[' + b'{"entity":{"reference":"Patient/1"}},' * 500_000 + b"{}]}"
    assert len(many) > 16 * limits.MB
    told = limits.size_problem(many)
    assert told is not None
    assert f"{len(many)} bytes, more than 16 MB" in told
    with limits.limit_resource_size(int(told.rsplit(" ", 1)[1])):
        assert limits.size_problem(many) is None
    assert limits.size_problem(many) == told
    with limits.limit_resource_size(20):
        dense = limits.size_problem(many)
        assert dense is not None
        assert "values, more than" in dense
    with limits.limit_resource_size(int(dense.rsplit(" ", 1)[1])):
        assert limits.size_problem(many) is None
    assert "goes up to 240" in limits.size_message(241 * limits.MB, "resource")


@pytest.mark.parametrize("kind", [[None], {"a": 1}, 1, None])
def test_a_resource_type_that_is_not_a_string_is_rejected(tmp_path: Path, kind: Any) -> None:
    within = {"resourceType": kind, "id": "p"}
    observation = {"resourceType": "Observation", "id": "o", "subject": {"reference": "#p"}, "contained": [within]}
    patch = {"request": {"method": "PATCH", "url": ""}, "resource": within}
    history = {"resourceType": "Bundle", "type": "history", "entry": [patch]}
    path = tmp_path / "in.ndjson"
    path.write_text(f"{json.dumps(observation)}\n{json.dumps(history)}\n")
    found = list(reader.read(path))
    assert [type(item).__name__ for item in found] == ["Incoming", "Rejected"]
    assert isinstance(found[0], Incoming)
    assert prepare(SCHEMA, found[0]).patient_key is None


@pytest.mark.parametrize("python", [sys.executable, "/usr/bin/python3"])
def test_the_end_of_a_value_is_found_on_every_python(python: str) -> None:
    version = "import sys; sys.exit(sys.version_info < (3, 11))"
    if not Path(python).exists() or subprocess.run([python, "-c", version], check=False).returncode:
        pytest.skip(f"{python} is no Python 3.11 or newer")
    value = {"a": {"b": [{"c": {"d": [{"e": "}]\\"}], "f": 1}, "g": {"h": {"i": [[]]}}}]}, "j": '"'}
    code = """
import runpy, sys
nesting, data = runpy.run_path(sys.argv[1])["Nesting"], sys.argv[2].encode()
print(nesting().find_end(data, 0))
for cut in range(1, len(data)):
    two = nesting()
    assert two.find_end(data[:cut], 0) is None, cut
    assert two.find_end(data[cut:], 0) == len(data) - cut, cut
"""
    data = json.dumps(value, indent=1)
    run = [python, "-c", code, nesting.__file__, data]
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout == f"{len(data)}\n"


def test_a_possessive_repetition_ends_where_its_last_try_began() -> None:
    patterns = [found.pattern for found in vars(nesting).values() if isinstance(found, re.Pattern)]
    assert sum(pattern.count(b")*+") for pattern in patterns) > 4
    assert all(pattern.count(b")*+") == pattern.count(b"|(?!))*+") for pattern in patterns)
