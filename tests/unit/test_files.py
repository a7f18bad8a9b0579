"""Which files a load reads, which it reports as skipped, and where it writes rejects."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest
from pydantic import BaseModel

from pyhce import api
from pyhce.cli.load import show_files
from pyhce.cli.output import console
from pyhce.errors import UsageError
from pyhce.local.engine import Engine
from pyhce.local.folder import FolderState
from pyhce.records.erasing.receipt import DocumentHash, Erasure, Outcome
from pyhce.records.exporting.export import ExportReport
from pyhce.records.loading.fhir_versions import LOOKED_AT, FhirVersions, OtherVersion
from pyhce.records.loading.reject_file import RejectFile
from pyhce.records.loading.report import FilesNoted, LoadReport
from pyhce.records.reading import first_value, folders, signatures
from pyhce.records.reading.finished_export import ExportCheck
from pyhce.records.reading.folders import find_files
from pyhce.records.reading.input_file import InputFile, printable
from pyhce.records.reading.manifest_lists import ManifestLists
from pyhce.records.reading.prepared import LineReader, PreparedResource, prepare
from pyhce.records.reading.reader import Incoming, InputLocation, Line, Rejected, read, resources_in, scan
from pyhce.schema.declaration import SCHEMA
from pyhce.schema.other_versions import signs_of_other_versions, versions_with_type
from pyhce.schema.r4 import RESOURCE_TYPES
from pyhce.verify.model import VerificationReport
from tests.shared.cases import CASES, case

PATIENT = b'{"resourceType":"Patient","id":"%s"}'
REJECT = Rejected(InputLocation("a.ndjson", 3), "not-json", "what is wrong", '{"not": "json')


def told(path: Path, lists_errors: bool | None = None) -> tuple[list[str], InputFile]:
    """The ids that came of a file, or the reasons of its rejects; and what was said of the file."""
    with InputFile(path) as source:
        source.lists_errors = lists_errors
        found = list(read(source))
    return [i.id if isinstance(i, Incoming) else getattr(i, "reason", "skipped") for i in found], source


def test_each_file_of_a_folder_is_read_or_reported_with_the_reason() -> None:
    found = find_files([case("28-file-names")])
    assert sorted(path.name for path in found.to_read) == [
        "A.JSON", "B.NDJSON", "empty.json", "g.json", "h.ndjson.gz.json", "i.fhir.json",
    ]  # fmt: skip
    assert {path.name: why for path, why in found.not_read} == {
        "._f.ndjson": signatures.APPLE_DOUBLE,
        "c.txt": folders.OTHER_NAME,
        "d.ndjson.bz2": signatures.BZIP2,
        "e.zip": signatures.ZIP,
        "noext": folders.OTHER_NAME,
    }
    assert told(case("28-file-names") / "empty.json")[1].not_read == signatures.EMPTY


def test_file_name_extensions_are_case_insensitive(tmp_path: Path) -> None:
    (tmp_path / "A.NDJSON.GZ").write_bytes(gzip.compress(PATIENT % b"a"))
    (tmp_path / "b.Json").write_bytes(PATIENT % b"b")
    assert [told(path)[0] for path in find_files([tmp_path]).to_read] == [["a"], ["b"]]
    (tmp_path / "C.NDJSON.GZ").write_bytes(PATIENT % b"c")
    assert told(tmp_path / "C.NDJSON.GZ")[0] == ["unreadable"], "its name says that it is compressed"


def test_links_pipes_and_unreadable_folders_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, beside = tmp_path / "in", tmp_path / "beside"
    inside.mkdir()
    beside.mkdir()
    (inside / "a.json").write_bytes(PATIENT % b"a")
    (beside / "b.json").write_bytes(PATIENT % b"b")
    (inside / "dead.json").symlink_to(tmp_path / "nothing.json")
    (inside / "loop.json").symlink_to(inside / "loop.json")
    (inside / "good.json").symlink_to(beside / "b.json")
    (inside / "beside").symlink_to(beside)
    os.mkfifo(inside / "pipe.json")
    found = find_files([inside])
    assert [path.name for path in found.to_read] == ["a.json", "good.json"]
    assert {path.name: why for path, why in found.not_read} == {
        "dead.json": folders.DEAD_LINK,
        "loop.json": folders.DEAD_LINK,
        "beside": folders.LINKED_FOLDER,
        "pipe.json": folders.NO_FILE,
    }
    assert [path.name for path in find_files([inside / "beside"]).to_read] == ["b.json"], "named, as the remedy says"
    for path in (inside / "dead.json", inside / "loop.json", inside / "dea*.json"):
        with pytest.raises(UsageError, match=r"dead\.json|loop\.json"):
            find_files([path])
    with pytest.raises(UsageError, match="File name too long"):
        find_files([inside / ("x" * 300)])
    (inside / "closed").mkdir()
    scandir = os.scandir

    def closed(path: str) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)  # the superuser may open every folder
    assert "Permission denied" in {path.name: why for path, why in find_files([inside]).not_read}["closed"]


def test_a_file_given_by_path_is_read_whatever_its_name(tmp_path: Path) -> None:
    for name in ("notes.txt", "noending"):
        (tmp_path / name).write_bytes(PATIENT % b"x")
    (tmp_path / "a.json").write_bytes(PATIENT % b"a")
    found = find_files([tmp_path, tmp_path / "notes.txt"])
    assert [path.name for path in found.to_read] == ["a.json", "notes.txt"]
    assert [path.name for path, _ in found.not_read] == ["noending"]
    (tmp_path / "a.json").unlink()
    with pytest.raises(UsageError, match=r"contains no file .*; it contains noending: the name does not end"):
        find_files([tmp_path])


def packed(folder: Path, what: str) -> Path:
    """A file that holds two resources of NDJSON and is packed in some way."""
    text = PATIENT % b"p1" + b"\n" + PATIENT % b"p2" + b"\n"
    path = folder / {"bzip2": "x.ndjson.bz2", "xz": "x.ndjson.xz", "zip": "x.zip"}.get(what, "x.tar")
    if what == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.ndjson", text)
    elif what in {"tar", "tar.gz"}:
        path = path.with_name(f"x.{what}")
        with tarfile.open(path, "w:gz" if what == "tar.gz" else "w") as archive:
            held = tarfile.TarInfo("x.ndjson")
            held.size = len(text)
            archive.addfile(held, io.BytesIO(text))
    else:
        path.write_bytes(bz2.compress(text) if what == "bzip2" else lzma.compress(text))
    return path


@pytest.mark.parametrize("what", ["bzip2", "xz", "zip", "tar", "tar.gz"])
def test_an_archive_is_one_reject_and_the_command_in_its_detail_works(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    path = packed(tmp_path / "in", what)
    found, source = told(path)
    assert found == ["archive"], "named on the command line"
    (tmp_path / "in" / "a.json").write_bytes(PATIENT % b"a")
    [(_, why)] = find_files([tmp_path / "in"]).not_read
    assert why == source.not_read, "in a folder it is told by its name"
    (tmp_path / "in" / "renamed.json").write_bytes(path.read_bytes())
    assert told(tmp_path / "in" / "renamed.json")[0] == ["archive"], "known by what it is"
    command = why.partition("(")[2].partition(")")[0] or why.partition(": ")[2]
    if shutil.which(command.split()[0]) is None:
        pytest.skip(f"there is no {command.split()[0]} here")
    to = tmp_path / "unpacked"
    to.mkdir()
    words = [{"FILE": str(path), "FOLDER": str(to)}.get(word, word) for word in command.partition(" | ")[0].split()]
    done = subprocess.run(words, check=True, capture_output=True)
    if " | pyhce load -" in command:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(done.stdout)))
        assert told(Path("-"))[0] == ["p1", "p2"]
    else:
        assert [told(one)[0] for one in find_files([to]).to_read] == [["p1", "p2"]]


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_an_xml_file_of_any_length_is_one_reject(tmp_path: Path, encoding: str, compress: type[bytes]) -> None:
    text = (case("22-other-versions") / "xml-as.json").read_text()
    path = tmp_path / "x.json"
    path.write_bytes(compress(("\n " + text).encode(encoding)))
    found, source = told(path)
    assert (found, source.not_read) == (["xml"], signatures.XML)
    page = tmp_path / "page.ndjson"
    page.write_text("<!DOCTYPE html>\n<html>\n<body>503</body>\n")
    assert told(page)[0] == ["xml"]


def test_a_reject_file_is_recognised_by_its_contents_whatever_its_name(tmp_path: Path) -> None:
    rejects = RejectFile(tmp_path / "rejected.ndjson")
    rejects.write(REJECT._replace(where=InputLocation('quote"d \\ name.json', 1, 4), text=(PATIENT % b"p").decode()))
    rejects.write(REJECT)
    rejects.close()
    assert rejects.path is not None
    written = rejects.path.read_bytes()
    again = b"\n".join(json.dumps(json.loads(line)).encode() for line in written.splitlines())
    for name, data in (("old.ndjson", written), ("zipped.json.gz", gzip.compress(written)), ("spaced.json", again)):
        (tmp_path / name).write_bytes(data)
        found, source = told(tmp_path / name)
        assert found == []
        assert str(source.not_read).startswith("a reject file of a load")
    cut = tmp_path / "cut.ndjson"
    cut.write_bytes(written[:-20])
    assert told(cut)[0] == [], "of a load that was killed"
    mixed = tmp_path / "mixed.ndjson"
    mixed.write_bytes(written + PATIENT % b"p" + b'\n{"resourceType":"Patient",\n')
    found, source = told(mixed)
    assert (found, source.not_read) == (["p", "not-json"], None), "what was put behind it is read"
    other = tmp_path / "resources.ndjson"
    other.write_bytes(PATIENT % b"p" + b"\n" + written)
    assert told(other)[0] == ["p", "not-a-resource", "not-a-resource"], "a file that begins with a resource is read"


def test_the_receipt_of_an_erasure_is_not_read_as_a_resource(tmp_path: Path) -> None:
    for outcome in Outcome:
        document = DocumentHash(salt="00", hash="11")
        receipt = Erasure(
            outcome=outcome, document=document, reason="r", started_at="t", database_role="x", database="y", pyhce="z"
        )
        for indent in (1, None):
            (tmp_path / "erasure.json").write_text(receipt.model_dump_json(indent=indent))
            found, source = told(tmp_path / "erasure.json")
            assert (found, source.not_read) == ([], "a receipt of pyhce erase")


def test_reports_and_state_files_of_pyhce_are_not_read_as_resources(tmp_path: Path) -> None:
    kept: list[BaseModel] = [
        LoadReport(files=3),
        ExportReport.model_construct(folder="/backup", files=()),
        ExportCheck.model_construct(folder="/backup", files=3),
        VerificationReport.model_construct(engine="PostgreSQL", schema_version=2),
        FolderState.model_construct(format=1, engine=Engine.model_construct(), nodes=()),
    ]
    for report in kept:
        (tmp_path / "report.json").write_text(report.model_dump_json(indent=2))
        found, source = told(tmp_path / "report.json")
        assert (found, source.not_read) == ([], "a report or the state of pyhce"), type(report).__name__
    (tmp_path / "report.json").write_text('{"error": "x is not there", "remedy": "Give it.", "exit_code": 2}')
    assert told(tmp_path / "report.json")[1].not_read == "a report or the state of pyhce"


def test_the_summary_names_files_that_were_not_read_and_files_of_other_versions() -> None:
    names = tuple(f"in/{number}[/b].txt" for number in range(7))
    report = LoadReport(
        not_read=(FilesNoted(what=folders.OTHER_NAME, files=names, count=40),),
        noted=(FilesNoted(what=first_value.ERRORS, files=("e.ndjson",), count=1),),
        other_versions=(OtherVersion(file="e.ndjson", version="R5", resources=3, elements=("Encounter.class",)),),
        other_versions_rest=2,
    )
    with console.capture() as captured:
        show_files(report)
    shown = " ".join(captured.get().split())
    assert f"40 files not read: {folders.OTHER_NAME} ({', '.join(names[:5])}, …)" in shown
    assert f"1 file with {first_value.ERRORS} (e.ndjson)" in shown
    assert "3 resources of FHIR R5 in e.ndjson (Encounter.class)" in shown
    assert "2 more files" in shown


def test_a_local_database_in_the_folder_is_one_line_of_the_report(tmp_path: Path) -> None:
    (tmp_path / "hce" / "base").mkdir(parents=True)
    (tmp_path / "hce" / "PG_VERSION").write_text("18")
    (tmp_path / "hce" / "base" / "1234").write_bytes(b"")
    (tmp_path / "a.json").write_bytes(PATIENT % b"a")
    assert find_files([tmp_path]) == ([tmp_path / "a.json"], [(tmp_path / "hce", folders.DATA_FOLDER)])


def test_each_load_has_its_own_reject_file_that_only_the_owner_can_read(tmp_path: Path) -> None:
    asked = tmp_path / "rejected.ndjson"
    asked.write_text("mine\n")
    made = [RejectFile(asked) for _ in range(8)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rejected.ndjson"], "made at the first reject"
    start = threading.Barrier(len(made))

    def reject(one: RejectFile) -> None:
        start.wait(10)
        for _ in range(20):
            one.write(REJECT)
        one.close()

    threads = [threading.Thread(target=reject, args=(one,)) for one in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.path.name for one in made if one.path} == {f"rejected-{n}.ndjson" for n in range(2, 10)}
    for one in made:
        assert one.path is not None
        assert stat.S_IMODE(one.path.stat().st_mode) == 0o600
        assert len(one.path.read_text().splitlines()) == 20
    assert asked.read_text() == "mine\n"


def test_a_reject_file_that_cannot_be_created_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for asked, why in (
        (tmp_path / "nowhere" / "r.ndjson", "No such file or directory"),
        (tmp_path / "file" / "r.ndjson", "Not a directory"),
        (tmp_path, "Is a directory"),
        (tmp_path / ("x" * 300), "File name too long"),
    ):
        with pytest.raises(UsageError, match=why) as refused:
            RejectFile(asked)
        assert "--rejects FILE" in refused.value.remedy
    RejectFile(tmp_path / "r.ndjson").close()
    device = RejectFile(Path("/dev/null"))
    device.write(REJECT)
    device.close()


def test_a_name_that_is_not_utf_8_can_be_printed(tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path / "a") + b"\xf1.json"))
    odd.write_bytes(b"{")
    assert printable(odd) == f"{tmp_path}/a\\xf1.json"
    rejects = RejectFile(tmp_path / "rejected.ndjson")
    with InputFile(odd) as source:
        for item in read(source):
            assert isinstance(item, Rejected)
            rejects.write(item)
    rejects.close()
    assert json.loads((tmp_path / "rejected.ndjson").read_text())["file"] == printable(odd)


def test_the_log_and_the_errors_of_a_bulk_data_client_are_reported(tmp_path: Path) -> None:
    folder, listed = case("04-bulk-export"), ManifestLists()
    assert told(folder / "log.ndjson")[1].not_read == "the log of a Bulk Data client"
    rotated = tmp_path / "log1.ndjson"
    event = {
        "exportId": "e",
        "timestamp": "t",
        "eventId": "download_request",
        "eventDetail": {"resourceType": "Patient"},
    }
    rotated.write_text(f"{json.dumps(event)}\n" * 2)
    assert told(rotated)[1].not_read == signatures.LOG
    roles = {path.name: listed.has_errors(path) for path in find_files([folder]).to_read}
    assert roles == {
        "Patient.000.ndjson.gz": False,
        "Observation.000.ndjson": False,
        "AllergyIntolerance.000.ndjson": False,
        "deleted.000.ndjson": False,
        "error.000.ndjson": True,
        "log.ndjson": None,
        "manifest.json": None,
    }
    found, source = told(folder / "error.000.ndjson", lists_errors=True)
    assert (found, source.notes[first_value.ERRORS]) == (["skipped"], 1)


def test_files_listed_in_a_manifest_are_found_where_clients_save_them(tmp_path: Path) -> None:
    url = "https://x.example/files/{}"
    manifest = {
        "transactionTime": "2024-05-01T10:00:00Z",
        "output": [{"type": "Patient", "url": url.format(f"{n}.ndjson")} for n in "ab"],
        "error": [{"type": "OperationOutcome", "url": url.format("e.ndjson")}],
        "deleted": [{"type": "Bundle", "url": url.format("d.ndjson")}],
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert told(tmp_path / "manifest.json")[0] == ["skipped", *["missing-file"] * 4]
    for name in ("1.Patient.ndjson", "2.Patient.ndjson.gz", "deleted/d.ndjson", "error/1.OperationOutcome.ndjson"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert told(tmp_path / "manifest.json")[0] == ["skipped"]
    listed = ManifestLists()
    assert listed.has_errors(tmp_path / "error" / "1.OperationOutcome.ndjson") is True
    assert listed.has_errors(tmp_path / "2.Patient.ndjson.gz") is False
    assert listed.list_of(tmp_path / "deleted" / "d.ndjson") == "deleted"
    ours = {"files": [{"path": "north/OperationOutcome.ndjson"}], "resources": 1, "snapshot": True}
    (tmp_path / "ours" / "north").mkdir(parents=True)
    (tmp_path / "ours" / "manifest.json").write_text(json.dumps(ours))
    assert listed.has_errors(tmp_path / "ours" / "north" / "OperationOutcome.ndjson") is False
    (tmp_path / "other.ndjson").write_bytes(b"")
    assert listed.in_order(find_files([tmp_path]).to_read)[-1] == tmp_path / "deleted" / "d.ndjson"


def test_outcomes_without_an_id_are_errors_unless_a_manifest_lists_them_as_data(tmp_path: Path) -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "processing"}]}
    path = tmp_path / "1.ndjson"
    path.write_text(f"{json.dumps(outcome)}\n{(PATIENT % b'p').decode()}\n{json.dumps(outcome)}\n")
    assert told(path)[0] == ["skipped", "p", "skipped"], "what else is in the file is kept"
    assert told(path, lists_errors=False)[0][1] == "p"
    assert "skipped" not in told(path, lists_errors=False)[0]
    path.write_text(json.dumps({**outcome, "id": "kept"}))
    assert told(path)[0] == ["kept"]
    assert told(path, lists_errors=True)[0] == ["skipped"]


@pytest.mark.parametrize(
    ("text", "found", "several"),
    [
        ('{"resourceType":"Patient",\n "id":"a"}\n{"resourceType":"Patient",\n"id":"b"}\n', ["a", "b"], True),
        ('{"resourceType":"Patient","id":"a"}\n{\n"resourceType":"Patient",\n"id":"b"\n}\n', ["a", "b"], True),
        ('{"resourceType":"Patient","id":"a"}\r\n{\r\n"resourceType":"Patient",\r\n"id":"b"}\r\n', ["a", "b"], True),
        ('[\n{"resourceType":"Patient","id":"a"},\n{"resourceType":"Patient","id":"b"}]', ["a", "b"], True),
        ('{"resourceType":"Patient","contained":[\n{"resourceType":"Patient","id":"c"}\n],"id":"a"}', ["a"], True),
        ('{"resourceType":"Patient","id":"a\n{"resourceType":"Patient","id":"b"}\n', ["not-json", "b"], False),
        ('{"resourceType":"Patient","id":"a",\n{"resourceType":"Patient","id":"b"}\n', ["not-json", "b"], False),
        ('{"resourceType":"Patient","id":"a"}\n{\n{"resourceType":"Patient","id":"b"}', ["a", "not-json", "b"], False),
        ('{"resourceType":"Patient","id":"a"}\n   {"x":1,\n{"resourceType":"Patient","id":"b"}',
         ["a", "not-json", "b"], False),
        ('{"resourceType":"Patient",\n "id":"a",\n "name":[', ["not-json"], True),
        ('{"resourceType":"Patient","id":"a', ["not-json"], False),
    ],
)  # fmt: skip
def test_json_over_several_lines_is_read_whatever_the_file_name(
    tmp_path: Path, text: str, found: list[str], several: bool
) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(text.encode())
    ids, source = told(path)
    assert (ids, source.notes[first_value.SEVERAL_LINES] > 0) == (found, several)


def test_many_broken_lines_are_rejected_one_by_one_and_quickly(tmp_path: Path) -> None:
    lines = [PATIENT % str(n).encode() if n % 2 else b'{"resourceType":"Patient","name":[{' for n in range(20_000)]
    (tmp_path / "a.ndjson").write_bytes(b"\n".join(lines))
    with InputFile(tmp_path / "a.ndjson") as source:
        found = list(scan(source))
    assert [item.line for item in found if isinstance(item, Line)] == [*range(1, 20_001)]
    assert not source.notes


def version_of(path: Path) -> OtherVersion | None:
    """What is told of a file's version."""
    versions, lines = FhirVersions(), LineReader(SCHEMA)
    for item in scan(path):
        for one in _ready(lines, item):
            if one.identity[0] not in versions.settled_types:
                versions.inspect(one)
    return versions.report(path.name)


def _ready(lines: LineReader, item: object) -> list[PreparedResource]:
    if isinstance(item, Line):
        quick = lines.read(item)
        found = [quick] if quick else [prepare(SCHEMA, one) for one in resources_in(item) if isinstance(one, Incoming)]
        return found
    return [prepare(SCHEMA, item)] if isinstance(item, Incoming) else []


def test_files_of_other_versions_are_reported_once_with_the_elements_that_show_the_version() -> None:
    folder = case("22-other-versions")
    r5, stu3, r4b = (version_of(folder / name) for name in ("r5.ndjson", "stu3.ndjson", "r4b.ndjson"))
    assert r5 is not None
    assert (r5.version, r5.resources) == ("R5", 2)
    assert r5.elements == ("MedicationRequest.medication", "Encounter.actualPeriod", "Encounter.class")
    assert stu3 is not None
    assert (stu3.version, stu3.resources) == ("STU3", 4)
    assert stu3.elements[0] == "Patient.animal"
    assert r4b is None, "its two resources are of types that R4 has not: they are rejected"
    details = [item.detail for item in read(folder / "r4b.ndjson") if isinstance(item, Rejected)]
    assert [detail.rpartition("; ")[2] for detail in details] == ["it is a type of R4B or R5"] * 2


def test_only_the_first_resources_of_each_type_are_examined_unless_one_is_of_another_version(tmp_path: Path) -> None:
    plain = '{"resourceType":"Encounter","id":"e%d","status":"finished","class":{"code":"AMB"}}'
    r5 = '{"resourceType":"Encounter","id":"r%d","status":"completed","class":[{"coding":[{"code":"AMB"}]}]}'
    path = tmp_path / "e.ndjson"
    path.write_text("".join(f"{plain % n}\n" for n in range(LOOKED_AT)) + f"{r5 % 1}\n")
    assert version_of(path) is None
    path.write_text("".join(f"{plain % n}\n" for n in range(LOOKED_AT - 1)) + "".join(f"{r5 % n}\n" for n in range(50)))
    found = version_of(path)
    assert found is not None
    assert (found.version, found.resources, found.elements) == ("R5", 50, ("Encounter.class",))


@pytest.mark.parametrize(
    ("resource", "versions"),
    [
        ({"resourceType": "Patient", "animal": {}}, {"DSTU2", "STU3"}),
        ({"resourceType": "Patient", "careProvider": []}, {"DSTU2"}),
        ({"resourceType": "Condition", "clinicalStatus": "active"}, {"DSTU2", "STU3"}),
        ({"resourceType": "CapabilityStatement", "fhirVersion": "3.0.2"}, {"STU3"}),
        ({"resourceType": "CapabilityStatement", "fhirVersion": "5.0.0"}, {"R5"}),
        ({"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}, None),
        ({"resourceType": "Encounter", "class": {"code": "AMB"}}, None),
        ({"resourceType": "Patient", "nonsense": 1}, None),
    ],
)
def test_a_sign_of_another_version_is_an_element_that_only_that_version_has(
    resource: dict[str, object], versions: set[str] | None
) -> None:
    found = signs_of_other_versions(resource)
    assert {version for signs in found.values() for version in signs} == (versions or set())


def test_r4_resources_have_no_sign_of_another_version() -> None:
    looked = 0
    for path in CASES.glob("*/in/*"):
        if "22-other-versions" in path.parts:
            continue
        for item in read(path):
            if isinstance(item, Incoming):
                looked += 1
                assert signs_of_other_versions(item.resource) == {}, item.where
    assert looked > 100
    assert not any(versions_with_type(kind) for kind in RESOURCE_TYPES)
    assert versions_with_type("ProcedureRequest") == ("DSTU2", "STU3")


def test_an_empty_path_is_refused_and_is_not_the_current_folder() -> None:
    with pytest.raises(UsageError, match="a path is empty"):
        api.load(["a.json", ""], dsn="host=/nowhere")
    run = [sys.executable, "-m", "pyhce", "load", "", "--dsn", "host=/nowhere"]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert (done.returncode, "a path is empty" in done.stderr) == (2, True)
