"""Write pyhce/schema/other_versions.json.gz: what FHIR DSTU2, STU3, R4B and R5 have and R4 does not have.

    npm pack @types/fhir@0.0.41 && tar -xzf types-fhir-0.0.41.tgz
    python tools/make_other_versions.py fhir

The package (DefinitelyTyped, MIT) has a file with the resources of each version, made from HL7's definitions. The table
has the types that exist, and the members of each type with their JSON form (array, object or value).
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections import defaultdict
from pathlib import Path

VERSIONS = {"r2": "DSTU2", "r3": "STU3", "r4b": "R4B", "r5": "R5"}
OUT = Path(__file__).parent.parent / "pyhce" / "schema" / "other_versions.json.gz"

_INTERFACE = re.compile(r"^export interface (\w+)(?:<.*?>)?(?: extends (\w+))? \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_TYPE = re.compile(r"^  readonly resourceType: '(\w+)';", re.MULTILINE)
_MEMBER = re.compile(r"^  ([a-z]\w*)\??: (.*?)(?: \| undefined)?;$", re.MULTILINE)
_PLAIN = re.compile(r"(?:string|number|boolean|'.*)\Z|\('")

Shapes = dict[str, str]


def resources(text: str) -> dict[str, Shapes]:
    """The members of each resource type, with their JSON form: array, object or value."""
    declared = {name: (parent, body) for name, parent, body in _INTERFACE.findall(text)}

    def members(name: str) -> Shapes:
        parent, body = declared.get(name, ("", ""))
        own = {member: _shape(kind) for member, kind in _MEMBER.findall(body)}
        return (members(parent) if parent else {}) | own

    return {name: members(name) for name, (_, body) in declared.items() if _TYPE.search(body)}


def _shape(kind: str) -> str:
    if kind.endswith("[]"):
        return "array"
    return "value" if _PLAIN.match(kind) else "object"


def main(package: Path) -> None:
    """Compare each version with R4 and write the table."""
    r4 = resources((package / "r4.d.ts").read_text(encoding="utf-8"))
    types: dict[str, list[str]] = defaultdict(list)
    members: dict[str, dict[str, dict[str, list[str]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for file, version in VERSIONS.items():
        for kind, found in resources((package / f"{file}.d.ts").read_text(encoding="utf-8")).items():
            if kind not in r4:
                types[kind].append(version)
                continue
            for member, shape in found.items():
                if r4[kind].get(member) != shape:
                    members[kind][member][shape].append(version)
    table = {"types": types, "members": members}
    data = json.dumps(table, sort_keys=True, separators=(",", ":")).encode()
    OUT.write_bytes(gzip.compress(data, 9, mtime=0))
    print(f"{OUT}: {len(types)} types, {sum(map(len, members.values()))} members of {len(members)} types")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
