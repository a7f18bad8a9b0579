"""The folders of tests/cases: small inputs that once gave a wrong result, with the right one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

CASES = Path(__file__).parents[1] / "cases"


def case(name: str) -> Path:
    """The folder of a case's input."""
    return CASES / name / "in"


def patients(name: str) -> dict[str, dict[str, Any]]:
    """The Patients of a case's NDJSON files, by id."""
    lines = [line for path in sorted(case(name).glob("*.ndjson")) for line in path.read_text("utf-8").splitlines()]
    found = [json.loads(line) for line in lines]
    return {one["id"]: one for one in found if one["resourceType"] == "Patient"}


def expected_documents(name: str) -> dict[str, str | None]:
    """The right document of each Patient, from the lines `id: document` of EXPECTED.txt; None if provisional."""
    text = (CASES / name / "EXPECTED.txt").read_text("utf-8")
    lines = re.findall(r"^([a-z0-9-]+): ([^\s,]+)", text, re.MULTILINE)
    return {key: None if document == "provisional" else document for key, document in lines}
