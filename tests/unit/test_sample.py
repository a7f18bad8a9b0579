"""The sample patients are valid FHIR, whole, and what their tool writes."""

from __future__ import annotations

import importlib.util
import json
import warnings
from pathlib import Path

import pytest

from pyhce import sample
from pyhce.records.reader import Incoming, read
from pyhce.records.reference import every_reference, named

TOOL = Path(__file__).parents[2] / "tools" / "make_sample.py"
RESOURCES = [item for path in sample.files() for item in read(path)]


def test_the_committed_files_are_what_the_tool_writes() -> None:
    spec = importlib.util.spec_from_file_location("make_sample", TOOL)
    assert spec and spec.loader
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    committed = {path.name: path.read_text(encoding="utf-8") for path in sample.files()}
    assert committed == tool.files(), "stale: run python tools/make_sample.py"


@pytest.mark.parametrize("path", sample.files(), ids=lambda path: path.stem)
def test_every_resource_is_valid_r4(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the validator's own deprecations
        from fhir.resources.R4B import get_fhir_model_class

        for item in read(path):
            assert isinstance(item, Incoming)
            get_fhir_model_class(item.type).model_validate(json.loads(json.dumps(item.resource, default=plain)))


def plain(number: object) -> float:
    """A spelled number as a float."""
    return float(str(number))


def test_every_reference_leads_to_a_resource_that_ships() -> None:
    there = {(item.type, item.id) for item in RESOURCES if isinstance(item, Incoming)}
    lost = [
        reference["reference"]
        for item in RESOURCES
        if isinstance(item, Incoming)
        for reference in every_reference(item.resource)
        if (found := named(reference)) and "=" not in found.key and (found.type, found.key) not in there
    ]
    assert lost == []


def test_ids_are_unique_and_some_twenty_patients_ship() -> None:
    keys = [(item.type, item.id) for item in RESOURCES if isinstance(item, Incoming)]
    assert len(keys) == len(RESOURCES) == len(set(keys))
    assert 20 <= sum(kind == "Patient" for kind, _ in keys) <= 25
