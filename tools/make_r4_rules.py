"""Write pyhce/schema/r4_rules.json.gz, the rules of FHIR R4 that `--strict` checks, from the specification's definitions.

    python tools/make_r4_rules.py hapi-fhir-validation-resources-r4-8.12.1.jar

The archive is the one of `tools/make_r4_elements.py`; HL7 dedicates its contents to the public domain (CC0).
"""

from __future__ import annotations

import gzip
import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools.make_r4_elements import NS, ROOT, _code, _value

OUT = Path(__file__).parents[1] / "pyhce" / "schema" / "r4_rules.json.gz"
IN_PYTHON = {
    "ele-1", "ext-1", "dom-2", "dom-3", "dom-4", "dom-5", "ref-1", "txt-1", "txt-2", "bdl-3", "bdl-4", "bdl-7",
    "ctm-1",
}  # fmt: skip
"""Invariants that pyhce/records/reading/checks has in Python: they apply to every element, are slow, or cannot be
expressed in the FHIRPath that pyhce evaluates."""
CORRECTED = {
    "bdl-8": "fullUrl.empty() or fullUrl.contains('/_history/').not()",
    "bdl-9": "type = 'document' implies identifier.value.exists()",
    "que-12": "enableWhen.count() > 1 implies enableBehavior.exists()",
    "ras-2": "probability.empty() or (probability is decimal).not() or (probability as decimal) <= 100",
    "trd-3": (
        "(type = 'named-event' implies name.exists()) and (type = 'periodic' implies timing.exists()) and "
        "(type.hasValue().not() or (type.startsWith('data-') implies data.exists()))"
    ),
}
"""Replacements for expressions that differ from the text of their rule, or give no result for an absent element.

bdl-9 also requires a system. The specification's examples have one, the documents of many systems do not.
"""
CLEARER_TEXTS = {
    "que-12": "with more than one enableWhen, enableBehavior is required",
    "bdl-9": "a document has an identifier with a value",
}
ELSEWHERE = {"http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"}
"""Extensions that the specification itself uses on other elements than their definition allows."""
FIXED = "http://hl7.org/fhir/"
"""Code systems under this URL belong to the specification: no later release adds codes to R4."""


def rules(definition: ElementTree.Element) -> Iterator[tuple[str, list[str]]]:
    """The invariants of a type with severity error: the path in the type, and the key, text and expression."""
    for element in definition.iterfind("f:snapshot/f:element", NS):
        path = _value(element, "f:path").partition(".")[2]
        for constraint in element.iterfind("f:constraint", NS):
            key, expression = _value(constraint, "f:key"), _value(constraint, "f:expression")
            if _value(constraint, "f:severity") == "error" and key not in IN_PYTHON:
                text = CLEARER_TEXTS.get(key, _value(constraint, "f:human")).replace(";", ",").strip().rstrip(".")
                yield path, [key, text, CORRECTED.get(key, expression)]
        profiles = {p.get("value", "") for p in element.iterfind("f:type/f:profile", NS)}
        if any(profile.endswith("/SimpleQuantity") for profile in profiles):
            yield path, ["sqty-1", "a comparator is not allowed here", "comparator.empty()"]


def canonicals(definition: ElementTree.Element) -> Iterator[tuple[str, list[str]]]:
    """The elements of type canonical, with the resource types to which they may refer."""
    for element in definition.iterfind("f:snapshot/f:element", NS):
        for kind in element.iterfind("f:type", NS):
            targets = [p.get("value", "").rsplit("/", 1)[-1] for p in kind.iterfind("f:targetProfile", NS)]
            if _code(kind) == "canonical" and targets and "Resource" not in targets:
                yield _value(element, "f:path").partition(".")[2], targets


def required_sets(definition: ElementTree.Element) -> Iterator[tuple[str, str]]:
    """The elements of type Coding or CodeableConcept with a required binding, each with its value set."""
    for element in definition.iterfind("f:snapshot/f:element", NS):
        types = {_code(kind) for kind in element.iterfind("f:type", NS)}
        if _value(element, "f:binding/f:strength") == "required" and types & {"Coding", "CodeableConcept"}:
            yield _value(element, "f:path").partition(".")[2], _value(element, "f:binding/f:valueSet").split("|")[0]


class Terms:
    """The specification's code systems and value sets."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.systems: dict[str, list[str]] = {}
        self.sets: dict[str, ElementTree.Element] = {}
        for name in ("valuesets.xml", "v3-codesystems.xml"):
            root = ElementTree.fromstring(archive.read(f"{ROOT}valueset/{name}"))
            for system in root.iterfind(".//f:CodeSystem", NS):
                if _value(system, "f:content") == "complete":
                    codes = [_value(concept, "f:code") for concept in system.iterfind(".//f:concept", NS)]
                    self.systems[_value(system, "f:url")] = codes
            self.sets |= {_value(found, "f:url"): found for found in root.iterfind(".//f:ValueSet", NS)}

    def expanded(self, url: str) -> dict[str, list[str]] | None:
        """The codes of a value set by code system; None if the definitions do not list all of them."""
        compose = self.sets[url].find("f:compose", NS) if url in self.sets else None
        if compose is None or compose.find("f:exclude", NS) is not None:
            return None
        codes_by_system: dict[str, list[str]] = {}
        for include in compose.iterfind("f:include", NS):
            system = _value(include, "f:system")
            codes = [_value(concept, "f:code") for concept in include.iterfind("f:concept", NS)]
            if include.find("f:filter", NS) is not None or include.find("f:valueSet", NS) is not None:
                return None
            if not codes and system not in self.systems:
                return None
            codes_by_system.setdefault(system, []).extend(codes or self.systems[system])
        return codes_by_system


def extensions(archive: zipfile.ZipFile) -> dict[str, list[list[str]]]:
    """The specification's extensions by URL: the types of the value, and the elements that may have the extension.

    The list of elements is empty if the definition does not give them by their paths.
    """
    found = {}
    root = ElementTree.fromstring(archive.read(ROOT + "extension/extension-definitions.xml"))
    for definition in root.iterfind(".//f:StructureDefinition", NS):
        contexts = [(_value(c, "f:type"), _value(c, "f:expression")) for c in definition.iterfind("f:context", NS)]
        kinds: list[str] = []
        for element in definition.iterfind("f:snapshot/f:element", NS):
            if _value(element, "f:path") == "Extension.value[x]" and _value(element, "f:max") != "0":
                kinds += [_code(kind) for kind in element.iterfind("f:type", NS)]
        plain = all(kind == "element" for kind, _ in contexts)
        url = _value(definition, "f:url")
        found[url] = [kinds, sorted({path for _, path in contexts}) if plain and url not in ELSEWHERE else []]
    return found


def search_parameters(archive: zipfile.ZipFile) -> dict[str, list[Any]]:
    """The specification's search parameters by URL, each with its type and its resource types."""
    entries = json.loads(archive.read(ROOT + "sp/search-parameters.json"))["entry"]
    return {e["resource"]["url"]: [e["resource"]["type"], e["resource"]["base"]] for e in entries}


def by_path(pairs: Iterator[tuple[str, Any]]) -> dict[str, list[Any]]:
    """The second parts of the pairs, grouped by the first part."""
    grouped: dict[str, list[Any]] = {}
    for path, value in pairs:
        grouped.setdefault(path, []).append(value)
    return grouped


def main(archive: str) -> None:
    """Read the archive and write the table."""
    table: dict[str, Any] = {"invariants": {}, "canonicals": {}, "required": {}}
    with zipfile.ZipFile(archive) as opened:
        terms = Terms(opened)
        for name in ("profiles-types.xml", "profiles-resources.xml"):
            root = ElementTree.fromstring(opened.read(f"{ROOT}profile/{name}"))
            for definition in root.iterfind(".//f:StructureDefinition", NS):
                if _value(definition, "f:derivation") == "constraint":
                    continue
                owner = _value(definition, "f:type")
                table["invariants"][owner] = by_path(rules(definition))
                table["canonicals"][owner] = dict(canonicals(definition))
                table["required"][owner] = {p: s for p, s in required_sets(definition) if terms.expanded(s)}
        table["extensions"] = extensions(opened)
        table["search_parameters"] = search_parameters(opened)
    used = {url for entries in table["required"].values() for url in entries.values()}
    table["sets"] = {url: terms.expanded(url) for url in sorted(used)}
    table["systems"] = {url: codes for url, codes in sorted(terms.systems.items()) if url.startswith(FIXED) and codes}
    for name in ("invariants", "canonicals", "required"):
        table[name] = {owner: entries for owner, entries in table[name].items() if entries}
    text = json.dumps(table, separators=(",", ":"), sort_keys=True).encode()
    OUT.write_bytes(gzip.compress(text, 9, mtime=0))


if __name__ == "__main__":
    main(*sys.argv[1:])
