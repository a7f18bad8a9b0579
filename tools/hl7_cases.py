"""Count for how many of HL7's validator test cases `--strict` agrees with HL7's validator.

    git clone https://github.com/FHIR/fhir-test-cases
    python tools/hl7_cases.py fhir-test-cases/validator            # --list: each case on which they disagree

Used are the cases of manifest.json with version 4.0 or 4.0.1, an existing JSON file, no profile, no supporting
definitions, no packages, no logical model, and an outcome of HL7's Java validator. A case is invalid if that outcome has
an error. Two options of HL7's validator, `allow-comments` and `validateContains: IGNORE`, switch a rule off. pyhce has
no such options, so comments or contained resources are removed from these three files before they are checked.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pyhce.records.reading.strict import r4_problems

NEEDS_MORE = frozenset({"profile", "profiles", "supporting", "packages", "logical"})
COMMENT = re.compile(rb'("(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/', re.DOTALL)


class Case(NamedTuple):
    """A test case and the errors that HL7's validator reports."""

    name: str
    data: bytes
    errors: list[str]


def cases(folder: Path) -> Iterator[Case]:
    """The cases that need only R4 itself."""
    for entry in json.loads((folder / "manifest.json").read_bytes())["test-cases"]:
        path = folder / entry["file"]
        if entry.get("version") not in ("4.0", "4.0.1") or path.suffix != ".json" or NEEDS_MORE & entry.keys():
            continue
        outcome = outcome_of(folder, entry.get("java"))
        if outcome is not None and path.is_file():
            errors = [issue for issue in outcome.get("issue", []) if issue["severity"] in ("error", "fatal")]
            yield Case(entry["name"], data_to_check(entry, path.read_bytes()), [text_of(issue) for issue in errors])


def outcome_of(folder: Path, java: Any) -> dict[str, Any] | None:
    """The OperationOutcome that a case's `java` contains, or whose file it names."""
    if isinstance(java, dict):
        return dict(java.get("outcome", java))
    path = folder / "outcomes" / str(java)
    return dict(json.loads(path.read_bytes())) if java and path.is_file() else None


def text_of(issue: dict[str, Any]) -> str:
    """The position and the text of an issue."""
    return f"{(issue.get('expression') or [''])[0]}: {issue.get('details', {}).get('text', '')}"


def data_to_check(entry: dict[str, Any], data: bytes) -> bytes:
    """The data of a case without what its options tell HL7's validator to ignore."""
    if entry.get("allow-comments"):
        return COMMENT.sub(lambda match: match[1] or b"", data)
    if entry.get("validateContains") == "IGNORE":
        resource = json.loads(data)
        resource.pop("contained", None)
        return json.dumps({**resource, **unlinked(resource)}).encode()
    return data


def unlinked(resource: dict[str, Any]) -> dict[str, Any]:
    """The members of a resource that refer to contained resources, replaced by references with a display text."""
    return {
        name: {"display": "contained"}
        for name, value in resource.items()
        if isinstance(value, dict) and str(value.get("reference", "")).startswith("#")
    }


def main() -> None:
    """Print the numbers; with --list also the cases on which the two disagree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder validator of FHIR/fhir-test-cases")
    parser.add_argument("--list", action="store_true", help="list each case on which the two disagree")
    options = parser.parse_args()
    every = list(cases(options.folder))
    found = {case.name: r4_problems(case.data) for case in every}
    invalid = [case for case in every if case.errors]
    valid = [case for case in every if not case.errors]
    missed = [case for case in invalid if not found[case.name]]
    refused = [case for case in valid if found[case.name]]
    if options.list:
        for case in missed:
            print(f"not found  {case.name}\n    " + "\n    ".join(text[:160] for text in case.errors[:3]))
        for case in refused:
            print(f"refused  {case.name}\n    " + "\n    ".join(found[case.name][:3]))
    print(f"{len(every)} cases: {len(invalid) - len(missed)} of {len(invalid)} invalid ones found, ", end="")
    print(f"{len(refused)} of {len(valid)} valid ones refused")


if __name__ == "__main__":
    main()
