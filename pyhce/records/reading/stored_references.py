r"""The stored form of references: in `recurso`, from which typed columns are computed. The exact text is kept too.

| reference in the input | stored form | key |
|---|---|---|
| `https://own.example/fhir/Patient/7`, with a base of the source | `Patient/7` | `7` |
| `https://other.example/fhir/Patient/7`, with another base | `Patient?https://other.example/fhir/Patient/7` | the URL |
| `Patient/7/`, `/Patient/7` | `Patient/7` | `7` |
| `Patient/a_7`, an id that FHIR does not allow | `Patient/repaired-…`, see `ids` | the derived id |
| `urn:uuid:0AA0…` | `urn:uuid:0aa0…`: in UUIDs case does not matter (RFC 4122) | `0aa0…` |
| `Patient?identifier=http%3A%2F%2Fx%7C1` | `Patient?identifier=http://x\|1` | `identifier=http://x\|1` |
| `#pt`, a contained Patient with an identifier | `Patient?identifier=system\|value` | `identifier=system\|value` |
| only an identifier, where R4 allows any resource | the same with `"type": "Patient"` | `identifier=system\|value` |
| an identifier whose type gives the document CE-7 | `Patient?identifier=system\|7&documento=CE-7` | all after `?` |

Other references are stored as they came. The SQL helpers read the stored form, so Python and SQL compute the same key.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import Any
from urllib.parse import unquote

from pyhce.records.identity import (
    DEFAULT_RULES,
    DocumentRule,
    document_of_key,
    identifier_document,
    key_with_document,
    patient_document,
)
from pyhce.records.reading.bases import relative_with_derived_id, split_url
from pyhce.records.reading.reference import (
    at_path,
    every_reference,
    identifier_key,
    identifiers_of,
    json_copy,
    key_of,
    literal_target,
    own_keys,
)
from pyhce.schema.expression import untyped_reference_names
from pyhce.schema.model import Schema
from pyhce.schema.r4 import RESOURCE_TYPES, element, json_path

_URN = re.compile(r"urn:(uuid|oid):", re.IGNORECASE)
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\Z")
_RELATIVE = re.compile(r"/?([A-Z][A-Za-z]{1,63}/[A-Za-z0-9.\-]{1,64}(?:/_history/[A-Za-z0-9.\-]{1,64})?)/?\Z")

_STORED_AS_IT_IS = (
    rb'(?:[A-Z][A-Za-z]{1,63}(?:/[A-Za-z0-9.\-]{1,64}(?:/_history/[A-Za-z0-9.\-]{1,64})?"|\?[^"%\\]*"))|#'
)
may_differ = re.compile(rb'"reference":"(?!' + _STORED_AS_IT_IS + rb")").search
"""Whether the compact text of a resource has a reference whose stored form may differ."""
may_differ_in_line = re.compile(rb'"reference"\s*:\s*"(?!' + _STORED_AS_IT_IS + rb")").search
"""The same for a text with white space between members."""
may_have_a_base = re.compile(rb'"reference"\s*:\s*"[^A-Z#]').search
"""Whether a text may have an absolute reference, whose stored form depends on the bases of its source."""


def stored_form(text: str, own: Container[str]) -> str:
    """The stored form of a reference's string.

    Args:
        own: the bases of the source.
    """
    if text.startswith("#"):
        return text
    if urn := _URN.match(text):
        rest = text[urn.end() :]
        return f"urn:{urn[1].lower()}:{rest.lower() if _UUID.match(rest) else rest}"
    head, mark, query = text.partition("?")
    if mark:
        conditional = query.startswith("identifier=") and "%" in query and "&" not in query
        return f"{head}?{unquote(query)}" if conditional else text
    if relative := _RELATIVE.match(text):
        return relative[1]
    if odd := relative_with_derived_id(text):
        return odd
    if (url := split_url(text)) is None:
        return text
    base, kind, key, version = url
    return f"{kind}/{key}{version}" if base in own else f"{kind}?{base}/{kind}/{key}"


def is_relative(text: str) -> bool:
    """Whether the string of a reference is `Type/id`."""
    return _RELATIVE.match(text) is not None


def with_stored_references(resource: dict[str, Any], own: Container[str]) -> dict[str, Any]:
    """A resource with its references in stored form: the same object if they are."""
    if all(stored_form(r["reference"], own) == r["reference"] for r in every_reference(resource)):
        return resource
    changed: dict[str, Any] = json_copy(resource)
    for reference in every_reference(changed):
        reference["reference"] = stored_form(reference["reference"], own)
    return changed


def with_patient(
    schema: Schema, fhir_type: str, resource: dict[str, Any], rules: tuple[DocumentRule, ...] = DEFAULT_RULES
) -> tuple[dict[str, Any], str | None]:
    """The key of the patient that a resource names, from the first of its type's patient paths that names one.

    Returns:
        The resource with that reference in a form that SQL reads, the same object if it was; and the key, None if it
        names no patient.
    """
    for number, (reference, untyped, may_be_patient) in enumerate(_at_patient_paths(schema, fhir_type, resource)):
        key = key_of(reference, "Patient", untyped=untyped)
        members = (
            _members_for_sql(reference, resource, may_be_patient, rules)
            if key is None
            else _stated_document(reference, key, rules)
        )
        if members:
            changed = json_copy(resource)
            for at, (copied, untyped_there, _) in enumerate(_at_patient_paths(schema, fhir_type, changed)):
                if at == number:
                    copied.update(members)
                    return changed, key_of(copied, "Patient", untyped=untyped_there)
        if key:
            return resource, key
    return resource, None


def key_by(identifier: dict[str, Any], patient: dict[str, Any], rules: tuple[DocumentRule, ...]) -> str:
    """The key of a patient by an identifier. It states the document if system and value alone do not determine it.

    Without the document, a number of the type CE would find the person who has the same number as CC: under Colombia's
    RNEC, and without a system, only the type distinguishes them.
    """
    key = identifier_key(identifier)
    document = identifier_document(identifier, patient, rules)
    return key if document in {None, document_of_key(key, rules)} else key_with_document(key, document or "")


def keys_of(patient: dict[str, Any], patient_id: str, rules: tuple[DocumentRule, ...]) -> list[str]:
    """Every key by which a resource may name a Patient. Identifiers with the use `old` count too."""
    identifiers = [{name: value for name, value in i.items() if name != "use"} for i in identifiers_of(patient)]
    own = own_keys(patient, patient_id)
    return [*dict.fromkeys(key for i in identifiers if (key := key_by(i, patient, rules)) not in own), *own]


def references_to_patient(schema: Schema, fhir_type: str, resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The References at the patient paths of a type, in order of precedence."""
    return (reference for reference, _, _ in _at_patient_paths(schema, fhir_type, resource))


def _stated_document(reference: dict[str, Any], key: str, rules: tuple[DocumentRule, ...]) -> dict[str, str] | None:
    """The member to add to a logical reference whose identifier type states the document."""
    if isinstance(reference.get("reference"), str):
        return None
    whole = key_by(reference["identifier"], {}, rules)
    return {"reference": f"Patient?{whole}"} if whole != key else None


def _at_patient_paths(schema: Schema, fhir_type: str, resource: dict[str, Any]) -> Iterator[tuple[Any, bool, bool]]:
    """References at the patient paths, and whether an untyped one names a Patient: for SQL, and by R4."""
    for path in schema.patient_paths_of(fhir_type):
        untyped = untyped_reference_names(fhir_type, path, "Patient")
        found = element(fhir_type, path)
        may_be_patient = untyped or (
            path in {"subject", "for"} and found is not None and found.targets == ("Resource",)
        )
        for reference in at_path(resource, path, arrays=any(many for _, many in json_path(fhir_type, path))):
            if isinstance(reference, dict):
                yield reference, untyped, may_be_patient


def _members_for_sql(
    reference: dict[str, Any], resource: dict[str, Any], may_be_patient: bool, rules: tuple[DocumentRule, ...]
) -> dict[str, str] | None:
    """The member to add to a reference that names a patient in a form that SQL does not read; None for others."""
    text = reference.get("reference")
    if isinstance(text, str):
        contained = _contained(resource, text[1:]) if text.startswith("#") else None
        kind = contained.get("resourceType") if contained else None
        if contained and kind == "Patient" and (own := identifier_of(contained, rules)):
            return {"reference": f"Patient?{key_by(own, contained, rules)}"}
        if kind is not None and kind != "Patient":
            return None
        if named := literal_target(text):  # a typed reference, or a URN where any resource is allowed
            return {"type": "Patient"} if may_be_patient and named.type is None and "type" not in reference else None
    identifier = reference.get("identifier")
    if not isinstance(identifier, dict) or not isinstance(identifier.get("value"), str):
        return None
    if reference.get("type", "Patient" if may_be_patient else None) != "Patient":
        return None
    whole = key_by(identifier, {}, rules)
    if isinstance(text, str) or whole != identifier_key(identifier):
        return {"reference": f"Patient?{whole}"}
    return {"type": "Patient"}


def _contained(resource: dict[str, Any], key: str) -> dict[str, Any] | None:
    listed = resource.get("contained")
    contained = listed if isinstance(listed, list) else []
    return next((c for c in contained if isinstance(c, dict) and c.get("id") == key), None)


def identifier_of(patient: dict[str, Any], rules: tuple[DocumentRule, ...]) -> dict[str, Any] | None:
    """The identifier to name a Patient by: the one that gives its document, else the first with a system, else any."""
    usable = [i for i in identifiers_of(patient) if i.get("use") != "old"]
    document = patient_document(patient, rules)
    if document:
        makes = [i for i in usable if patient_document({**patient, "identifier": [i]}, rules) == document]
        if makes:
            return makes[0]
    return next((i for i in usable if isinstance(i.get("system"), str)), next(iter(usable), None))


def is_unreadable(schema: Schema, fhir_type: str, resource: dict[str, Any]) -> bool:
    """Whether a resource names its patient by a string that is not a reference, such as `7` or `Patient/7#x`."""
    return any(
        isinstance(text := reference.get("reference"), str)
        and not text.startswith("#")
        and ((named := literal_target(text)) is None or (named.type is not None and named.type not in RESOURCE_TYPES))
        for reference in references_to_patient(schema, fhir_type, resource)
    )
