"""How many of HL7's own validator cases `--strict` judges as HL7's validator does.

    git clone https://github.com/FHIR/fhir-test-cases
    python tools/hl7_cases.py fhir-test-cases/validator            # --list: each case that is judged otherwise

Of manifest.json these are taken: version 4.0 or 4.0.1, a JSON file that is there, no profile, no supporting
definitions, no packages, no logical model, and an outcome of HL7's Java validator. A case is wrong if that outcome has
an error. Two options of HL7's validator switch a rule off, `allow-comments` and `validateContains: IGNORE`; pyhce has
no such options, so comments, or contained resources, are taken out of those three files before they are checked.
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
    """A case and what HL7's validator says of it."""

    name: str
    data: bytes
    errors: list[str]


def cases(folder: Path) -> Iterator[Case]:
    """The cases that need nothing but R4 itself."""
    for held in json.loads((folder / "manifest.json").read_bytes())["test-cases"]:
        path = folder / held["file"]
        if held.get("version") not in ("4.0", "4.0.1") or path.suffix != ".json" or NEEDS_MORE & held.keys():
            continue
        outcome = outcome_of(folder, held.get("java"))
        if outcome is not None and path.is_file():
            errors = [issue for issue in outcome.get("issue", []) if issue["severity"] in ("error", "fatal")]
            yield Case(held["name"], as_asked(held, path.read_bytes()), [text_of(issue) for issue in errors])


def outcome_of(folder: Path, java: Any) -> dict[str, Any] | None:
    """The OperationOutcome that a case's `java` gives or names."""
    if isinstance(java, dict):
        return dict(java.get("outcome", java))
    path = folder / "outcomes" / str(java)
    return dict(json.loads(path.read_bytes())) if java and path.is_file() else None


def text_of(issue: dict[str, Any]) -> str:
    """An issue's place and text."""
    return f"{(issue.get('expression') or [''])[0]}: {issue.get('details', {}).get('text', '')}"


def as_asked(held: dict[str, Any], data: bytes) -> bytes:
    """A case's text without what its options tell HL7's validator to overlook."""
    if held.get("allow-comments"):
        return COMMENT.sub(lambda match: match[1] or b"", data)
    if held.get("validateContains") == "IGNORE":
        resource = json.loads(data)
        resource.pop("contained", None)
        return json.dumps({**resource, **unlinked(resource)}).encode()
    return data


def unlinked(resource: dict[str, Any]) -> dict[str, Any]:
    """A resource's members that refer to contained resources, as references by a display text."""
    return {
        name: {"display": "contained"}
        for name, value in resource.items()
        if isinstance(value, dict) and str(value.get("reference", "")).startswith("#")
    }


def main() -> None:
    """Print the numbers, with --list also the cases that are judged otherwise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder validator of FHIR/fhir-test-cases")
    parser.add_argument("--list", action="store_true", help="list each case that is judged otherwise")
    given = parser.parse_args()
    held = list(cases(given.folder))
    found = {case.name: r4_problems(case.data) for case in held}
    wrong = [case for case in held if case.errors]
    right = [case for case in held if not case.errors]
    missed = [case for case in wrong if not found[case.name]]
    refused = [case for case in right if found[case.name]]
    if given.list:
        for case in missed:
            print(f"not found  {case.name}\n    " + "\n    ".join(text[:160] for text in case.errors[:3]))
        for case in refused:
            print(f"refused  {case.name}\n    " + "\n    ".join(found[case.name][:3]))
    print(f"{len(held)} cases: {len(wrong) - len(missed)} of {len(wrong)} wrong ones found, ", end="")
    print(f"{len(refused)} of {len(right)} right ones refused")


if __name__ == "__main__":
    main()
