"""Data sets of other programs, generated when the tests run: exports of Synthea's and clinosim's simulated hospitals.

The expected counts and contents are read with Python's json module, not with the code under test. Both programs
generate the same resources for the same seed, so the data is kept in .tools/real-data and every tier uses it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest

from pyhce.errors import UsageError
from pyhce.records.exporting.export import export
from pyhce.records.loading.load import load
from pyhce.records.loading.report import LoadReport
from pyhce.records.reading.strict import require_validator
from pyhce.schema.declaration import SCHEMA
from pyhce.verify import verify
from tests.shared.database import TestDatabase, unique
from tools import synthea
from tools.empty_columns import filled

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".tools" / "real-data"
CLINOSIM = "0.6.5"
SEED, YEARS, POPULATION = 3, 2, 15
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),  # the first run downloads Synthea's jars with Maven
]
REJECTS_BY_REASON = {"synthea-bulk": {}, "synthea-bundles": {}, "clinosim": {"not-a-resource": 1}}
"""The rejects that each data set must give. clinosim writes _generator_metadata.json, which is not a resource."""
NOT_R4 = {
    "synthea-bulk": set(),
    "synthea-bundles": set(),
    "clinosim": {
        "Coverage.extension: the array is empty",
        "DiagnosticReport.media[0].link: refers to ImagingStudy, allowed here: Media (reference-target)",
        "MedicationAdministration.dosage: unknown element in R4: timing",
    },
}
"""What --strict must find: clinosim writes empty arrays, an unknown element, and a study instead of a Media."""


def generate_synthea(to: Path, *, bundles: bool) -> None:
    """Generate three living patients, as NDJSON or as transaction Bundles; skip the test where Synthea cannot run."""
    try:
        synthea.generate(to, patients=3, seed=SEED, years=YEARS, bundles=bundles)
    except synthea.Missing as error:
        pytest.skip(str(error))
    except synthea.Failed as error:
        if "Maven" not in str(error):
            raise
        pytest.skip(str(error))


def generate_clinosim(to: Path) -> None:
    """Generate half a year of a small hospital; skip the test where clinosim is not installed."""
    try:
        installed = version("clinosim")
    except PackageNotFoundError:
        installed = "none"
    if installed != CLINOSIM:
        pytest.skip(
            f"clinosim {CLINOSIM} is needed, {installed} is installed; to enable: pip install 'pyhce[real-data]'"
        )
    work = to.with_suffix(".generated")
    asked = ["--country", "US", "--population", str(POPULATION), "--seed", str(SEED), "--format", "fhir-r4"]
    run = "import sys; from clinosim.simulator.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", run, "simulate", *asked, "--start", "2024-01-01", "--end", "2024-06-30", "-o", work],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (work / "fhir_r4").rename(to)


GENERATORS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "synthea-bulk": (f"{synthea.VERSION}-{SEED}-{YEARS}", lambda to: generate_synthea(to, bundles=False)),
    "synthea-bundles": (f"{synthea.VERSION}-{SEED}-{YEARS}", lambda to: generate_synthea(to, bundles=True)),
    "clinosim": (f"{CLINOSIM}-{SEED}-{POPULATION}", generate_clinosim),
}


def generated_folder(kind: str, scratch: Path) -> Path:
    """The folder with the data of a kind, generated if it does not exist yet."""
    stamp, make = GENERATORS[kind]
    kept = KEPT / f"{kind}-{stamp}"
    if not kept.exists():
        make(scratch / kind)
        KEPT.mkdir(parents=True, exist_ok=True)
        part = KEPT / f".{kind}-{unique()}"
        subprocess.run(["cp", "-r", scratch / kind, part], check=True)
        part.rename(kept)
    return kept


@dataclass(frozen=True)
class LoadedData:
    """Data of a kind, loaded into a source of its own, and the report of the load."""

    kind: str
    folder: Path
    source: str
    report: LoadReport


@pytest.fixture(scope="session")
def generated_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Path]]]:
    """Data of every kind, generated in parallel."""
    scratch = tmp_path_factory.mktemp("generated")
    with ThreadPoolExecutor() as pool:
        yield {kind: pool.submit(generated_folder, kind, scratch) for kind in GENERATORS}


@pytest.fixture(scope="session", params=list(GENERATORS))
def loaded(
    request: pytest.FixtureRequest,
    db: TestDatabase,
    generated_folders: dict[str, Future[Path]],
    tmp_path_factory: pytest.TempPathFactory,
) -> LoadedData:
    """Real data in the database; the test is skipped, with the reason, where the data cannot be generated."""
    folder, source = generated_folders[request.param].result(), unique()
    rejects = tmp_path_factory.mktemp("real") / "rejected"
    return LoadedData(request.param, folder, source, db.load_paths([folder], source=source, rejects=rejects))


def parsed_exactly(text: str | bytes) -> Any:
    """JSON parsed with Python's json module, every number kept as it is spelled."""
    return json.loads(text, parse_float=lambda n: ("number", n), parse_int=lambda n: ("number", n))


def resources(folder: Path) -> Iterator[dict[str, Any]]:
    """Every resource in a folder: the lines of NDJSON, the entries of Bundles."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(("_", "manifest")):
            continue
        texts = path.read_text().splitlines() if path.suffix == ".ndjson" else [path.read_text()]
        for value in map(parsed_exactly, texts):
            if value["resourceType"] == "Bundle":
                named = {
                    e["fullUrl"]: "/".join((e["resource"]["resourceType"], e["resource"]["id"])) for e in value["entry"]
                }
                yield from (with_literal_references(entry["resource"], named) for entry in value["entry"])
            else:
                yield value


def with_literal_references(value: Any, named: dict[str, str]) -> Any:
    """A value whose references by fullUrl are replaced by Type/id, as an export writes them."""
    if isinstance(value, dict):
        return {n: named.get(v, v) if n == "reference" else with_literal_references(v, named) for n, v in value.items()}
    return [with_literal_references(held, named) for held in value] if isinstance(value, list) else value


def type_and_id(resource: dict[str, Any]) -> tuple[str, str | None]:
    return resource["resourceType"], resource.get("id")


def exported_resources(db: TestDatabase, to: Path, source: str) -> list[dict[str, Any]]:
    report = export(db.conn, to, schema=SCHEMA, fuente=source)
    return [parsed_exactly(line) for file in report.files for line in (to / file.path).read_text().split("\n") if line]


def assert_exported_as_loaded(came_out: list[dict[str, Any]], went_in: list[dict[str, Any]]) -> None:
    """Assert that each resource was exported once, spelled as it was; one without an id must have got one."""
    wanted = {type_and_id(resource): resource for resource in went_in}
    assert len(wanted) == len(went_in), "the generated data has a duplicate id"
    unnamed = [resource for resource in went_in if "id" not in resource]
    found = {type_and_id(resource): resource for resource in came_out}
    given = [{n: v for n, v in r.items() if n != "id"} for key, r in found.items() if key not in wanted]
    assert given == unnamed
    assert [key for key in wanted if key[1] and found.get(key) != wanted[key]] == []
    assert len(came_out) == len(went_in)


def test_every_resource_of_real_data_is_loaded_and_counted_by_type(loaded: LoadedData) -> None:
    counted = Counter(resource["resourceType"] for resource in resources(loaded.folder))
    assert loaded.report.by_type == dict(sorted(counted.items()))
    assert loaded.report.new == loaded.report.read == counted.total() > 500
    assert loaded.report.by_reason == REJECTS_BY_REASON[loaded.kind]


def test_real_data_is_exported_as_it_was_spelled(db: TestDatabase, loaded: LoadedData, tmp_path: Path) -> None:
    assert_exported_as_loaded(exported_resources(db, tmp_path / "out", loaded.source), list(resources(loaded.folder)))


def test_loading_real_data_again_changes_nothing(db: TestDatabase, loaded: LoadedData, tmp_path: Path) -> None:
    again = db.load_paths([loaded.folder], source=loaded.source, rejects=tmp_path / "rejected")
    matched = again.conditional.get("matched", 0)  # conditional creates: the resource exists now
    assert matched == loaded.report.conditional.get("created", 0)
    assert (again.unchanged, again.read) == (loaded.report.read - matched, loaded.report.read - matched)
    assert (again.new, again.changed, again.moved, again.superseded) == (0, 0, 0, 0)


def test_real_patients_have_documents_and_their_observations_are_in_their_records(
    db: TestDatabase, loaded: LoadedData
) -> None:
    patients = loaded.report.by_type["Patient"]
    condition = "FROM paciente WHERE fuente = %s AND NOT starts_with(documento_id, 'PROV-')"
    assert db.value(f"SELECT count(*) {condition}", loaded.source) == patients
    astray = "SELECT count(*) FROM observacion WHERE fuente = %s AND starts_with(documento_id, 'PROV-')"
    assert db.value(astray, loaded.source) == 0


@pytest.mark.parametrize("loaded", ["synthea-bulk", "clinosim"], indirect=True)
def test_resources_loaded_before_their_patients_move_to_them(
    db: TestDatabase, loaded: LoadedData, tmp_path: Path
) -> None:
    patients = loaded.folder / "Patient.ndjson"
    source, rejects = unique(), tmp_path / "rejected"
    before = db.load_paths([p for p in loaded.folder.iterdir() if p != patients], source=source, rejects=rejects)
    after = db.load_paths([patients], source=source, rejects=rejects)
    assert after.moved > before.by_type["Observation"] > 0
    assert_exported_as_loaded(exported_resources(db, tmp_path / "out", source), list(resources(loaded.folder)))


def test_a_typed_column_is_filled_where_real_data_has_its_element(db: TestDatabase, loaded: LoadedData) -> None:
    every = list(filled(db.conn, loaded.source))
    assert [str(one) for one in every if one.there and not one.filled and one.reason is None] == []
    assert sum(bool(one.filled) for one in every) > 150
    if loaded.kind == "synthea-bulk":
        by_name = {f"{one.table.name}.{one.column.name}": one for one in every}
        for name in ("reclamacion.prestador_id", "reclamacion.aseguradora", "observacion.sistolica"):
            assert by_name[name].filled > 0, name


def test_verify_passes_on_real_data(db: TestDatabase, loaded: LoadedData) -> None:
    groups = ["identity", "typed columns", "routing", "round trip"]
    assert verify(db.dsn, schema=SCHEMA, groups=groups).failed == ()


def test_strict_reports_the_known_violations_of_r4_in_real_data_and_no_others(
    db: TestDatabase, loaded: LoadedData, tmp_path: Path
) -> None:
    try:
        require_validator()
    except UsageError as error:
        pytest.skip(str(error))
    rejects = tmp_path / "rejected"
    report = load(
        db.conn, [loaded.folder], schema=SCHEMA, fuente=unique(), reject_file=rejects, again=True, strict=True
    )
    lines = map(json.loads, rejects.read_text().splitlines() if rejects.exists() else [])
    problems = {problem for line in lines if line["reason"] == "not-r4" for problem in line["detail"].split("; ")}
    assert problems == NOT_R4[loaded.kind]
    assert report.read + report.rejected == loaded.report.read + loaded.report.rejected
