"""Documents and messages, which are stored whole: the patient that one is about, and its entries as rows.

`--open-documents` stores the entries as rows too. An entry named by `urn:uuid` gets a new id: senders that fill in
templates use the same UUID for several persons. If the entry belongs to a patient, its id is computed from the UUID and
the patient. So two documents about one person give the same ids, and documents about two persons never do.

https://hl7.org/fhir/R4/documents.html: a document is about the subject of its Composition. A message is about the
patient of what its MessageHeader has in focus: https://hl7.org/fhir/R4/messaging.html.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Set
from typing import Any

from pyhce.records.identity import DEFAULT_RULES, DocumentRule
from pyhce.records.reading.bases import split_url
from pyhce.records.reading.entries import base_of_url, id_from_url, with_resolved_references
from pyhce.records.reading.exact_json import canonical
from pyhce.records.reading.ids import id_problem, id_text
from pyhce.records.reading.incoming import Incoming, ReadItem, Rejected, Skipped, resource_problem
from pyhce.records.reading.reference import at_path, json_copy, key_of
from pyhce.records.reading.spool import FullUrls
from pyhce.records.reading.stored_references import (
    identifier_of,
    is_relative,
    key_by,
    references_to_patient,
    stored_form,
    with_patient,
    with_stored_references,
)
from pyhce.schema.model import Schema
from pyhce.schema.r4 import RESOURCE_TYPES
from pyhce.verify.patient_comparison import traits_of

DOCUMENT_TAG = "urn:pyhce:document"
"""The system of the `meta.tag` of such a row. The tag's code is the document, `Bundle/<id>`."""

_URN = re.compile(r"urn:(uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z|oid:)", re.IGNORECASE)


def bases_of(bundle: dict[str, Any]) -> frozenset[str]:
    """The base URLs of the fullUrls of a bundle."""
    return frozenset(
        base
        for entry in _entries(bundle)
        if (base := base_of_url(entry.get("fullUrl"), str(entry["resource"].get("resourceType"))))
    )


def subject_of(
    schema: Schema,
    bundle: dict[str, Any],
    bundle_id: str,
    own: Set[str],
    rules: tuple[DocumentRule, ...] = DEFAULT_RULES,
) -> str | None:
    """The key of the patient that a document or message is about; None if it cannot be determined.

    A Patient in the bundle is named by an identifier, not by its id: many senders number the entries of each document,
    so the same id may be another person in the next one.

    Args:
        bundle_id: the id under which the bundle is stored.
        own: the configured bases of the source.
    """
    bases = own or bases_of(bundle)
    entries = _Entries(bundle, bundle_id, bases if own or len(bases) == 1 else frozenset(), rules)
    first = next(iter(_entries(bundle)), None)
    if first is None:
        return None
    head, url = first["resource"], first.get("fullUrl")
    if bundle.get("type") == "document" and head.get("resourceType") == "Composition":
        header = {name: head[name] for name in ("resourceType", "subject", "contained") if name in head}
        return entries.patient_of(schema, header, url)
    if bundle.get("type") != "message" or head.get("resourceType") != "MessageHeader":
        return None
    focus = [target for reference in at_path(head, "focus") if (target := entries.at(reference, url))]
    found = {entries.patient_of(schema, *target) for target in focus}
    return found.pop() if len(found) == 1 else None


def _entries(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    listed = bundle.get("entry")
    return [
        entry
        for entry in (listed if isinstance(listed, list) else [])
        if isinstance(entry, dict) and isinstance(entry.get("resource"), dict)
    ]


class _Entries:
    """The entries of a bundle by the strings that references may name them with."""

    def __init__(self, bundle: dict[str, Any], bundle_id: str, own: Set[str], rules: tuple[DocumentRule, ...]) -> None:
        self.bundle_id, self.own, self.rules = bundle_id, own, rules
        self._by: dict[str, tuple[dict[str, Any], Any]] = {}
        self._ambiguous: set[str] = set()
        for entry in _entries(bundle):
            resource, url = entry["resource"], entry.get("fullUrl")
            if (key := id_text(resource)) is not None:
                name = stored_form(f"{resource.get('resourceType')}/{key}", ())
                self._ambiguous |= {name} & self._by.keys()
                self._by[name] = resource, url
        for name in self._ambiguous:
            del self._by[name]
        for entry in reversed(_entries(bundle)):
            if isinstance(entry.get("fullUrl"), str):
                self._by[stored_form(entry["fullUrl"], ())] = entry["resource"], entry["fullUrl"]

    def at(self, reference: Any, url: Any) -> tuple[dict[str, Any], Any] | None:
        """The resource and fullUrl of the entry that a reference names; see R4 bundle.html#references.

        Args:
            url: the fullUrl of the referring entry.
        """
        text = reference.get("reference") if isinstance(reference, dict) else None
        if not isinstance(text, str) or text.startswith("#"):
            return None
        referrer = split_url(url) if isinstance(url, str) else None
        spelled = stored_form(text, ())
        same_server = self._by.get(stored_form(f"{referrer[0]}/{spelled}", ())) if referrer else None
        return same_server or self._by.get(spelled)

    def patient_of(self, schema: Schema, resource: dict[str, Any], url: Any) -> str | None:
        """The key of the patient that a resource names, or of the resource itself if it is a Patient."""
        kind = resource.get("resourceType")
        if resource_problem(resource) or not isinstance(kind, str):
            return None
        if kind == "Patient":
            return self._key_of_patient(resource, url)
        base = base_of_url(url, kind)
        changed: dict[str, Any] = json_copy(with_stored_references(resource, self.own))
        came, stored = (references_to_patient(schema, kind, one) for one in (resource, changed))
        for reference, instead in zip(came, stored, strict=True):
            target = self.at(reference, url)
            if target and target[0].get("resourceType") == "Patient":
                if key := self._key_of_patient(*target):
                    instead["reference"] = f"Patient?{key}"
            elif not target and instead.get("reference") in self._ambiguous:
                instead["reference"] = "#"  # two entries have this id: it names neither
            elif base and base not in self.own and isinstance(text := instead.get("reference"), str):
                instead["reference"] = stored_form(f"{base}/{text}", self.own) if is_relative(text) else text
        return with_patient(schema, kind, changed, self.rules)[1]

    def _key_of_patient(self, patient: dict[str, Any], url: Any) -> str | None:
        identifier = identifier_of(patient, self.rules)
        if identifier is not None:
            return key_by(identifier, patient, self.rules)
        if isinstance(url, str) and _URN.match(url):
            traits = traits_of(patient)
            said = "\n".join([traits.birth or "", traits.sex or "", *sorted(traits.words)]).strip()
            return _hashed_id(said or f"Bundle/{self.bundle_id}", url.lower())
        text = url if isinstance(url, str) else f"Patient/{patient.get('id')}"
        return key_of({"reference": stored_form(text, self.own)}, "Patient")

    def id_of(self, schema: Schema, number: int, entry: dict[str, Any]) -> str:
        """The id of the row for an entry."""
        resource, url = entry["resource"], entry.get("fullUrl")
        kind = str(resource.get("resourceType"))
        if isinstance(url, str) and base_of_url(url, kind):
            return id_from_url(url, kind) or _hashed_id(f"Bundle/{self.bundle_id}", url)
        if not isinstance(url, str) or not _URN.match(url):
            return _hashed_id(f"Bundle/{self.bundle_id}", url or resource.get("id") or number)
        if kind not in RESOURCE_TYPES or (not schema.patient_paths_of(kind) and kind != "Patient"):
            return id_from_url(url, kind) or _hashed_id(f"Bundle/{self.bundle_id}", url)
        key = self.patient_of(schema, resource, url)
        if kind == "Patient" and key and "=" not in key:
            return key
        return _hashed_id(key or f"Bundle/{self.bundle_id}", url.lower())


def filed_entries(
    bundle: Incoming, schema: Schema, own: Set[str], rules: tuple[DocumentRule, ...] = DEFAULT_RULES
) -> Iterator[ReadItem]:
    """The entries of a document or message as separate resources, each with a tag that names the document.

    An entry keeps its id only if the fullUrl shows that it is an id of the source. An id that is valid in this document
    only (`urn:uuid:transient-1`) is replaced by one that is unique to the document. The UUID of a resource that belongs
    to a patient is replaced by an id that is unique to the UUID and the patient. References are rewritten to match.

    Args:
        own: the configured bases of the source.
    """
    entries = _entries(bundle.resource)
    bases = bases_of(bundle.resource)
    named = _Entries(bundle.resource, bundle.id, own or (bases if len(bases) == 1 else frozenset()), rules)
    with FullUrls() as full_urls:
        ids = []
        for number, entry in enumerate(entries, 1):
            resource, url = entry["resource"], entry.get("fullUrl")
            kind = str(resource.get("resourceType"))
            ids.append(named.id_of(schema, number, entry))
            if isinstance(url, str):
                full_urls.add(url, kind, ids[-1])
            if base_of_url(url, kind) is None and isinstance(resource.get("id"), str):
                name = f"{kind}/{resource['id']}"
                known = full_urls.get(name)  # two entries have this id: it names neither
                full_urls.add(
                    name, kind, ids[-1] if known in {None, (kind, ids[-1])} else _hashed_id(f"Bundle/{bundle.id}", name)
                )
        for number, (entry, key) in enumerate(zip(entries, ids, strict=True), 1):
            resource, where = entry["resource"], bundle.where._replace(entry=bundle.where.entry or number)
            if problem := resource_problem(resource):
                yield Rejected(where, *problem, text=canonical(resource))
            elif resource["resourceType"] == "Bundle":
                yield Skipped(where, "a bundle within a document")
            else:
                kind = resource["resourceType"]
                base = base_of_url(entry.get("fullUrl"), kind)
                filed = Incoming(where, kind, key, _tagged(resource, key, bundle.id), base=base, bases=bases)
                yield with_resolved_references(filed, full_urls)._replace(exact=None)


def _hashed_id(owner: str, name: object) -> str:
    """An id for a name that is valid within a document or for a patient only: always the same for both."""
    return "sha-" + hashlib.sha256(f"{owner}\n{name}".encode("utf-8", "surrogatepass")).hexdigest()[:48]


def _tagged(resource: dict[str, Any], key: str, document: str) -> dict[str, Any]:
    filed: dict[str, Any] = json_copy(resource)
    if id_problem(resource) is None:  # else `admit` decides, by the id that it came with
        filed["id"] = key
    meta = filed.get("meta")
    meta = dict(meta) if isinstance(meta, dict) else {}
    tags = meta.get("tag")
    meta["tag"] = [*(tags if isinstance(tags, list) else []), {"system": DOCUMENT_TAG, "code": f"Bundle/{document}"}]
    filed["meta"] = meta
    return filed
