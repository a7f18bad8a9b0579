"""Finds the references to a patient in a resource about another patient or subject, and masks them.

A reference names the patient by the same rules as in a load: type and id, URL, condition or identifier. A masked
reference holds nothing but FHIR's reason for an absent element, because some references are mandatory:

    {"entity": {"reference": "Patient/p1", "display": "Ana"}}
    {"entity": {"extension": [{"url": ".../data-absent-reason", "valueCode": "masked"}]}}

https://hl7.org/fhir/R4/extension-data-absent-reason.html (`masked`: "due to security, privacy or related reasons").
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

from pydantic import InstanceOf

from pyhce.records.identity import DEFAULT_RULES, RuleSet
from pyhce.records.reading.exact_json import canonical, dumps, parse
from pyhce.records.reading.reference import (
    ReferenceTarget,
    at_path,
    identifiers_of,
    reference_target,
    source_and_key,
    value_of_key,
)
from pyhce.records.reading.stored_references import key_by
from pyhce.schema.expression import untyped_reference_names
from pyhce.schema.model import Frozen, Schema

ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
MASKED = {"extension": [{"url": ABSENT, "valueCode": "masked"}]}
MIN_WORD = 6
"""Characters of an identifier's value from which it is searched as plain text; shorter ones are too common."""
MIN_ID = 16
"""Characters of a FHIR id from which it is searched as plain text."""
NO_MATCH = "\x01"
"""A regular expression that no JSON text matches."""
_MEMBERS = {"reference", "type", "identifier", "display", "id", "extension", "_reference", "_type", "_display"}

ElementPath = tuple[str | int, ...]
"""The path to an element of a resource: names of members and positions in lists."""


class Verdict(StrEnum):
    """What an erasure does with a row that is not under the patient's document."""

    ERASE = "erase"
    """It is about the patient."""
    MASK = "mask"
    """It refers to the patient, but is not about them."""
    MENTION = "mention"
    """It contains an identifier of the patient as plain text; a person must check it."""


class Person(Frozen):
    """What a patient is known by.

    Args:
        document: the document of the record.
        identities: source and key of each Patient of the record, and of those that its resources name.
        ambiguous: keys that also name a Patient of another record.
        words: what is searched as plain text: values of identifiers, long ids, numbers of documents.
        attached: source, type and id of the Binary and Bundle resources that the record's resources refer to.
        rules: the identity rules of the loads.
    """

    document: str
    identities: frozenset[tuple[str, str]]
    ambiguous: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    attached: frozenset[tuple[str, str, str]] = frozenset()
    rules: InstanceOf[RuleSet] = DEFAULT_RULES

    @cached_property
    def keys_in_every_source(self) -> frozenset[str]:
        """The keys that name the patient in every source: identifiers with a system."""
        return frozenset(key for _, key in self.identities if carries_system(key))

    def is_named_by(self, fuente: str, key: str) -> bool:
        """Whether a key names this patient in a source, and no other patient."""
        known = source_and_key(fuente, key) in self.identities
        return key not in self.ambiguous and (known or key in self.keys_in_every_source)

    @cached_property
    def sources(self) -> list[str]:
        """The sources that have a key of the patient."""
        return sorted({fuente for fuente, _ in self.identities})

    @cached_property
    def reference_pattern(self) -> str:
        """A regular expression, for PostgreSQL and Python, for a reference to the patient in a resource's text."""
        ids = sorted({key for _, key in self.identities if "=" not in key})
        queries = sorted({key for _, key in self.identities if "=" in key and not key.startswith("identifier=")})
        some = [rf"(Patient/|urn:uuid:|urn:oid:)({_either(ids)})\.?[^A-Za-z0-9.-]"] if ids else []
        return "|".join([*some, *([rf"Patient\?({_either(queries)})"] if queries else [])]) or NO_MATCH

    @cached_property
    def text_pattern(self) -> str:
        """The same for the words. No digit may stand beside a number; JSON's quotes are always beside a value."""
        digits = [word for word in sorted(self.words) if word.isascii() and word[0].isdigit() and word[-1].isdigit()]
        other = sorted(self.words - set(digits))
        some = [f"[^0-9]({_either(digits)})[^0-9]"] if digits else []
        return "|".join([*some, *([_either(other)] if other else [])]) or NO_MATCH

    @cached_property
    def short_value_pattern(self) -> str:
        """The same for identifiers that are shorter than a word: they must be the whole value."""
        values = {value_of_key(key) for _, key in self.identities if key.startswith("identifier=")}
        few = sorted(value for value in values if 0 < len(value) < MIN_WORD)
        return rf'["|]({_either(few)})"' if few else NO_MATCH

    @cached_property
    def _mentions(self) -> tuple[re.Pattern[str], re.Pattern[str]]:
        return re.compile(self.text_pattern), re.compile(self.reference_pattern)

    def is_mentioned_in(self, fuente: str, text: str) -> bool:
        """Whether a resource's text contains an identifier of the patient, in a reference or elsewhere."""
        anywhere, here = self._mentions
        return bool(anywhere.search(text) or (fuente in self.sources and here.search(text)))


def carries_system(key: str) -> bool:
    """Whether a key is an identifier with a system, and so means the same in every source."""
    return re.match(r"identifier=[^|]+\|.", key) is not None


def _either(values: Sequence[str]) -> str:
    """Return a pattern for any of these values, in JSON's spelling with and without escapes of non-ASCII letters."""
    spelled = {json.dumps(value, ensure_ascii=ascii_only)[1:-1] for value in values for ascii_only in (True, False)}
    return "|".join(re.escape(text) for text in sorted(spelled))


class CandidateRow(NamedTuple):
    """A row that may name the patient; `shared` if it belongs to no patient's record."""

    type: str
    fuente: str
    patient_key: str | None
    recurso: str
    original: str | None
    shared: bool


def verdict_on(schema: Schema, person: Person, row: CandidateRow) -> Verdict | None:
    """Return what an erasure does with a row, None if the row does not concern the patient."""
    if row.patient_key is not None and person.is_named_by(row.fuente, row.patient_key):
        return Verdict.ERASE
    resource = parse(row.recurso)
    places = list(paths_to_patient(person, row.fuente, resource))
    if not places:
        texts = row.recurso, row.original or ""
        return Verdict.MENTION if any(person.is_mentioned_in(row.fuente, text) for text in texts) else None
    return Verdict.ERASE if row.shared and _is_about(schema, row.type, resource, places) else Verdict.MASK


def paths_to_patient(person: Person, fuente: str, resource: dict[str, Any]) -> Iterator[ElementPath]:
    """Yield where a resource names the patient: in references, and as a Patient that is contained or in a bundle."""
    own: set[str] = set()
    for entry in _entries(resource):
        inner = entry.get("resource")
        if isinstance(inner, dict) and inner.get("resourceType") == "Patient" and _is_person(person, fuente, inner):
            own |= {text for text in (entry.get("fullUrl"), f"Patient/{inner.get('id')}") if isinstance(text, str)}
    yield from _Finder(person, fuente, own).inside(resource, "", "", ())


def _entries(resource: dict[str, Any]) -> list[dict[str, Any]]:
    listed = resource.get("entry") if resource.get("resourceType") == "Bundle" else None
    return [entry for entry in (listed if isinstance(listed, list) else []) if isinstance(entry, dict)]


def _is_person(person: Person, fuente: str, inner: dict[str, Any], *, local: bool = False) -> bool:
    """Whether a Patient resource is this patient; `local` if its id is valid only inside its container."""
    keys = [key_by(identifier, inner, person.rules) for identifier in identifiers_of(inner)]
    return any(person.is_named_by(fuente, key) for key in (keys if local else (*keys, str(inner.get("id", "")))))


class _Finder:
    """Walks through a resource, and knows the FHIR path of each element."""

    def __init__(self, person: Person, fuente: str, own: set[str]) -> None:
        self.person, self.fuente, self.own = person, fuente, own

    def inside(self, value: Any, kind: str, path: str, steps: ElementPath) -> Iterator[ElementPath]:
        if isinstance(value, list):
            for number, item in enumerate(value):
                yield from self.inside(item, kind, path, (*steps, number))
        elif isinstance(value, dict):
            if isinstance(value.get("resourceType"), str):
                kind, path = value["resourceType"], ""
                if kind == "Patient" and steps and self._is_person(value, steps):
                    yield steps
                    return
            elif self._names(value, kind, path):
                yield steps
                return
            for name, inner in value.items():
                yield from self.inside(inner, kind, f"{path}.{name}" if path else name, (*steps, name))

    def _is_person(self, value: dict[str, Any], steps: ElementPath) -> bool:
        return _is_person(self.person, self.fuente, value, local="contained" in steps)

    def _names(self, value: dict[str, Any], kind: str, path: str) -> bool:
        """Whether a value is a Reference to the patient."""
        identifier = value.get("identifier")
        by_identifier = isinstance(identifier, dict) and isinstance(identifier.get("value"), str)
        if not isinstance(value.get("reference"), str) and not (by_identifier and value.keys() <= _MEMBERS):
            return False
        if value.get("reference") in self.own:
            return True
        found = reference_target(value) if isinstance(value.get("reference"), str) else None
        ways = [found]
        if isinstance(identifier, dict) and by_identifier:
            stated = value.get("type")
            target_type = found.type if found else stated if isinstance(stated, str) else None
            ways.append(ReferenceTarget(target_type, key_by(identifier, {}, self.person.rules)))
        return any(
            way is not None
            and self.person.is_named_by(self.fuente, way.key)
            and (way.type == "Patient" or (way.type is None and ("=" not in way.key or self._only(kind, path))))
            for way in ways
        )

    @staticmethod
    def _only(kind: str, path: str) -> bool:
        return untyped_reference_names(kind, path, "Patient")


def _is_about(schema: Schema, fhir_type: str, resource: dict[str, Any], places: list[ElementPath]) -> bool:
    """Whether a shared resource is about the patient, and does not only refer to them."""
    if fhir_type == "Bundle":
        return _is_their_bundle(resource, set(places))
    if fhir_type == "Binary":
        return ("securityContext",) in places
    listed = resource.get("contained")
    contained = listed if isinstance(listed, list) else []
    theirs = {f"#{inner.get('id')}" for n, inner in enumerate(contained) if ("contained", n) in places}
    references = (r for path in schema.patient_paths_of(fhir_type) for r in at_path(resource, path))
    return any(isinstance(r, dict) and r.get("reference") in theirs for r in references)


def _is_their_bundle(resource: dict[str, Any], places: set[ElementPath]) -> bool:
    """Whether a document bundle has the patient as subject, or has no subject and no other Patient."""
    patients = []
    for number, entry in enumerate(_entries(resource)):
        inner = entry.get("resource")
        kind = inner.get("resourceType") if isinstance(inner, dict) else None
        at: ElementPath = ("entry", number, "resource")
        if isinstance(inner, dict) and kind == "Composition" and "subject" in inner:
            return (*at, "subject") in places
        if kind == "Patient":
            patients.append(at in places)
    return bool(patients) and all(patients)


def mask_patient(person: Person, fuente: str, recurso: str, original: str | None) -> tuple[str, str | None]:
    """Return a resource and its exact text with the patient masked; numbers keep their spelling.

    The narrative of a resource that named the patient is deleted too, because it may repeat the name.

    Args:
        recurso: the resource as jsonb text.
        original: its exact text, None if jsonb holds it.
    """
    resource = parse(recurso)
    places = list(paths_to_patient(person, fuente, resource))
    if original is None:
        return dumps(_without(resource, places)), None
    exact = parse(original)
    its_own = list(paths_to_patient(person, fuente, exact))
    return dumps(_without(resource, places)), canonical(_without(exact, [*places, *its_own]))


def _without(resource: dict[str, Any], places: Sequence[ElementPath]) -> dict[str, Any]:
    for steps in places:
        around: list[Any] = [resource]
        try:
            for step in steps:
                around.append(around[-1][step])
        except (KeyError, IndexError, TypeError):
            continue  # the exact text can have other places
        _mask(around, steps)
    return resource


def _mask(around: list[Any], steps: ElementPath) -> None:
    inner, holder = around[-1], around[-2]
    if isinstance(inner, dict) and inner.get("resourceType") == "Patient":
        kept = {"id": inner["id"]} if "contained" in steps and "id" in inner else {}
        holder[steps[-1]] = {"resourceType": "Patient", **kept, **MASKED}
        if isinstance(holder, dict):
            holder.pop("fullUrl", None)
    else:
        holder[steps[-1]] = dict(MASKED)
    for outer in around[:-1]:
        if isinstance(outer, dict) and isinstance(outer.get("resourceType"), str):
            outer.pop("text", None)
