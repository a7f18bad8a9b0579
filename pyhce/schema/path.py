"""Parse the FHIR path of a typed column into a position: an SQL expression, and the JSON members from there.

The language is the part of FHIRPath that a generated column can compute:

    component.valueQuantity                                    members, through arrays
    onset[x] | recordedDate                                    the first alternative that is present
    extension('http://example.org/race').valueCode             an extension by its URL
    name.family.extension('http://example.org/a').valueString  an extension of a primitive, which is in `_family`
    telecom.where(system = 'email').value                      elements of an array with a value
    component.where(code = 'http://loinc.org|8480-6')          … with a coding, `system|code` or `code`
    where(code = 'http://loinc.org|8480-6').valueQuantity      the resource itself, if it has this coding
    name.preferred().family                                    the name, address or contact in use
    telecom.preferred('phone').value                           the contact in use of one system
    medicationReference.resolve().code                         the contained resource to which a reference refers
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from pyhce.errors import DeclarationError
from pyhce.schema import r4

_STEP = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9]*(?:\[x\])?)(?P<call>\((?P<arguments>(?:[^()']|'[^']*')*)\))?(?:\.|$)")
_CONDITION = re.compile(r"\s*([A-Za-z.]+)\s*=\s*'([^']*)'\s*(?:,|$)")
_LITERAL = re.compile(r"\s*'([^']*)'\s*")
_IN_USE = {
    "HumanName": "hce.nombre_vigente",
    "Address": "hce.direccion_vigente",
    "ContactPoint": "hce.contacto_vigente",
}


JsonSteps = tuple[tuple[str, bool], ...]


class PathPosition(NamedTuple):
    """The position of a value in a resource.

    For example `component.where(code = 'http://loinc.org|8480-6').valueQuantity` of an Observation is
    `PathPosition("recurso", "Observation", "component.valueQuantity", {"component": "[*] ? (…)"}, "")`.

    Args:
        root: the SQL expression of the JSON value at which the search begins.
        fhir_type: the FHIR type of that value.
        path: the members from there, joined by dots, without conditions.
        conditions: jsonpath filters, each by the part of `path` to which it belongs.
        only_if: an SQL condition; if it does not hold, the column is NULL. Empty for none.
    """

    root: str
    fhir_type: str
    path: str
    conditions: dict[str, str]
    only_if: str

    def with_path(self, path: str) -> PathPosition:
        """The position with the same root and another path."""
        return self._replace(path=path)

    @property
    def steps(self) -> JsonSteps:
        """The JSON members of the path, each with whether it is an array."""
        return r4.json_path(self.fhir_type, self.path)

    def after_steps(self, count: int) -> tuple[str, JsonSteps]:
        """The position after the first steps of the path, without a choice among the elements of an array.

        Returns:
            The SQL expression of the JSON value there, and the remaining steps.
        """
        members = ",".join(name for name, _ in self.steps[:count])
        sql = f"{self.root} -> '{members}'" if count == 1 else f"{self.root} #> '{{{members}}}'"
        return (sql if count else self.root), self.steps[count:]

    def first_match(self) -> tuple[str, JsonSteps]:
        """The first element that meets the last condition; without conditions the root.

        A value and its comparator are read from the same element, because both columns use this one.

        Returns:
            The SQL expression of the element, and the remaining steps.
        """
        if not self.conditions:
            return self.root, self.steps
        count = list(self.conditions)[-1].count(".") + 1
        return f"jsonb_path_query_first({self.root}, '{self.jsonpath(self.steps[:count])}')", self.steps[count:]

    def jsonpath(self, steps: JsonSteps) -> str:
        """The jsonpath of every value at the end of these steps, with the conditions; lax mode unwraps arrays."""
        parts, walked = ["$"], ""
        for name, _ in steps:
            walked = f"{walked}.{name}".lstrip(".")
            parts.append(f".{name}{self.conditions.get(walked, '')}")
        return "".join(parts)


def plain_jsonpath(steps: JsonSteps) -> str:
    """The jsonpath of every value at the end of these steps, without conditions."""
    return "".join(("$", *(f".{name}" for name, _ in steps)))


def alternatives(path: str) -> list[str]:
    """The alternatives of a path (`a | b`), in order."""
    return re.split(r"\s+\|\s+", path.strip())


def parse_path(fhir_type: str, path: str) -> PathPosition:
    """The position of one alternative of a path, in a resource of a FHIR type.

    Raises:
        DeclarationError: the path has a syntax error or a function that is not supported, or R4 has no such element.
    """
    found = PathPosition("recurso", fhir_type, "", {}, "")
    position = 0
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            raise _refused(path, f"has a syntax error at {path[position:]!r}")
        position = step.end()
        found = _step(found, path, step["name"], step["arguments"] if step["call"] else None)
    return found


def _step(found: PathPosition, path: str, name: str, arguments: str | None) -> PathPosition:
    if arguments is None:
        return found.with_path(f"{found.path}.{name}".lstrip("."))
    if name in {"extension", "modifierExtension"}:
        at = _extension_owner(found)
        return _filtered(at.with_path(f"{at.path}.{name}".lstrip(".")), path, f"url = {arguments}")
    if name == "where":
        return _filtered(found, path, arguments) if found.path else _resource_with_coding(found, path, arguments)
    if name == "resolve" and not arguments:
        return _resolved(found, path)
    if name == "preferred":
        return _preferred(found, path, arguments)
    raise _refused(path, f"calls {name}(), which a typed column does not support")


def _extension_owner(found: PathPosition) -> PathPosition:
    """The position of the extensions: of a primitive the member with an underscore (`_family`), else the element."""
    element = r4.element(found.fhir_type, found.path) if found.path else None
    if element is None or r4.is_complex(element.types[0]) or element.types[0] in {"BackboneElement", "Element"}:
        return found
    begin, steps = found.first_match()
    members = [member for name, many in steps for member in ((name, "0") if many else (name,))]
    at = next(number for number in reversed(range(len(members))) if members[number] != "0")
    members[at] = f"_{members[at]}"
    return PathPosition(f"({begin} #> '{{{','.join(members)}}}')", "Element", "", {}, found.only_if)


def _filtered(found: PathPosition, path: str, text: str) -> PathPosition:
    """The values at a position that meet the conditions."""
    condition = " && ".join(_condition(found, path, name, value) for name, value in _conditions(path, text))
    return found._replace(conditions={**found.conditions, found.path: f"[*] ? ({condition})"})


def _conditions(path: str, text: str) -> list[tuple[str, str]]:
    found = _CONDITION.findall(text)
    if not found or _CONDITION.sub("", text).strip() or '"' in text or "\\" in text:
        raise _refused(path, f"has a condition that does not have the form member = 'value': {text!r}")
    return found


def _condition(found: PathPosition, path: str, name: str, value: str) -> str:
    element = r4.element(found.fhir_type, f"{found.path}.{name}")
    if element is None:
        raise unknown_element(found.fhir_type, f"{found.path}.{name}")
    if element.types[0] not in {"CodeableConcept", "Coding"}:
        return f"@.{name} == {json.dumps(value)}"
    system, _, code = value.rpartition("|")
    where = [f"@.system == {json.dumps(system)}"] if system else []
    inside = ".coding" if element.types[0] == "CodeableConcept" else ""
    return f"exists(@.{name}{inside} ? ({' && '.join([*where, f'@.code == {json.dumps(code)}'])}))"


def _resource_with_coding(found: PathPosition, path: str, text: str) -> PathPosition:
    """The resource itself, if it has a coding: `where(…)` at the beginning of a path."""
    conditions = []
    for name, value in _conditions(path, text):
        element = r4.element(found.fhir_type, name)
        if element is None or element.types != ("CodeableConcept",) or element.many:
            raise _refused(path, f"has a condition on {name}, which is not a CodeableConcept of {found.fhir_type}")
        system, _, code = value.rpartition("|")
        wanted = json.dumps([{**({"system": system} if system else {}), "code": code}])
        conditions.append(f"{found.root} #> '{{{name},coding}}' @> '{wanted}'")
    return found._replace(only_if=" AND ".join(conditions))


def _resolved(found: PathPosition, path: str) -> PathPosition:
    """The contained resource to which a reference refers."""
    element = r4.element(found.fhir_type, found.path)
    if element is None:
        raise unknown_element(found.fhir_type, found.path)
    if len(element.targets) != 1 or any(many for _, many in found.steps) or found.conditions:
        raise _refused(path, f"resolves {found.path}, which is not a single Reference to one type")
    members = ",".join([*(name for name, _ in found.steps), "reference"])
    root = f"hce.contenido({found.root}, {found.root} #>> '{{{members}}}')"
    return PathPosition(root, element.targets[0], "", {}, found.only_if)


def _preferred(found: PathPosition, path: str, arguments: str) -> PathPosition:
    """The name, address or contact in use."""
    element = r4.element(found.fhir_type, found.path)
    helper = _IN_USE.get(element.types[0]) if element else None
    if element is None or helper is None or found.conditions or len(found.steps) != 1:
        raise _refused(path, f"calls preferred() on {found.path}, which is not a name, address or contact")
    literal = _LITERAL.fullmatch(arguments)
    system = f", '{literal[1]}'" if literal else ""
    if (element.types[0] == "ContactPoint") != bool(system):
        raise _refused(
            path, "must name a system in preferred('phone') for a contact, and must not for a name or an address"
        )
    return PathPosition(f"{helper}({found.root} -> '{found.path}'{system})", element.types[0], "", {}, found.only_if)


def unknown_element(fhir_type: str, path: str) -> DeclarationError:
    """The error for an element that R4 does not have."""
    return DeclarationError(
        f"FHIR R4 has no element {fhir_type}.{path}",
        remedy=f"See the definition of {fhir_type}: https://hl7.org/fhir/R4/{fhir_type.lower()}.html",
    )


def _refused(path: str, why: str) -> DeclarationError:
    return DeclarationError(f"the path {path!r} {why}", remedy="pyhce/schema/path.py lists what a path may contain.")
