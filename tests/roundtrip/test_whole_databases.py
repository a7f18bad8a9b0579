"""Whole data sets, on each engine: loaded, exported with their history, loaded into an empty database, compared.

    PYHCE_DATA=folder,folder python tests/run.py roundtrip

Each folder of PYHCE_DATA is loaded with its name as the source. The cases of tests/cases and the data of Synthea and
clinosim are tried as well. The test prints a line for each data set: resources, former versions, tables, rows,
differences.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyhce import local
from tests.conftest import registered_database
from tests.shared.database import TestDatabase
from tests.shared.real_data import GENERATORS, generated_folder
from tests.shared.round_trips import back, filled, out
from tests.shared.whole import compared_tables, contents, differences, emptied, rows_of

DATA_FOLDERS = [Path(name) for name in os.environ.get("PYHCE_DATA", "").split(",") if name]


@pytest.fixture(params=["one", "citus"], scope="module")
def db(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    """A registered database of each engine."""
    engine: local.Engine = request.getfixturevalue("embedded_engine" if request.param == "one" else "citus_engine")
    with registered_database(engine, 0 if request.param == "one" else 2) as database:
        yield database


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("data", ["cases", *GENERATORS, *map(str, DATA_FOLDERS)])
def test_a_data_set_is_equal_after_export_and_load(
    db: TestDatabase, data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    emptied(db)
    if data == "cases":
        filled(db, tmp_path)
    else:
        folder = generated_folder(data, tmp_path) if data in GENERATORS else Path(data)
        db.load_paths([folder], source=folder.name, rejects=tmp_path / "r")
    before = contents(db)
    start = time.monotonic()
    report = out(db, tmp_path / "out", history=True)
    emptied(db)
    loaded = back(db, tmp_path / "out")
    seconds = time.monotonic() - start
    found = differences(before, contents(db))
    filled_tables = sum(1 for rows in before.values() if rows)
    engine = "Citus" if db.cluster.workers else "one node"
    summary = (
        f"{Path(data).name} on {engine}: {report.resources} resources, {report.versions} former versions,"
        f" {report.corrections} corrections; {len(compared_tables())} tables compared, {filled_tables} with rows,"
        f" {rows_of(before)} rows; tables that differ: {len(found)}; exported and loaded in {seconds:.0f} s"
    )
    with capsys.disabled():
        print(f"\n{summary}", flush=True)
    assert found == {}
    assert (loaded.restored, loaded.rejected) == (report.resources, 0)
