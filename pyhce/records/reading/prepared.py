"""Resources prepared for writing: the patient that they name, the text that is stored, its fingerprint.

There are two ways to the same result. `prepare` computes it from a resource that the full parser has read.
`LineReader` does the same for most lines of NDJSON within a few microseconds. It accepts a line only if parsing and
serializing it gives the same text, apart from white space: then it is JSON without duplicate members and without
needless escapes, and can be stored as it is. Every other line takes the careful way through `reader` and `exact_json`,
which say what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import Any, NamedTuple

import msgspec
import orjson
from xxhash import xxh3_128_hexdigest

from pyhce.records.identity import DEFAULT_RULES, DocumentRule
from pyhce.records.reading.exact_json import StoredJson, stored_json
from pyhce.records.reading.ids import is_id
from pyhce.records.reading.incoming import Deletion, Incoming, InputLocation, Line
from pyhce.records.reading.stored_references import may_differ, with_patient, with_stored_references
from pyhce.records.reading.whole_bundles import subject_of
from pyhce.schema.model import Schema
from pyhce.schema.r4 import RESOURCE_TYPES, json_path

_WHITE = b" \t\r\n"
_new = tuple.__new__  # twice as fast as the constructor of a NamedTuple
_CACHED = 100_000
"""References to patients whose keys are remembered."""
_NOT_PLAIN = (msgspec.DecodeError, RecursionError, UnicodeDecodeError, TypeError, ValueError)


ResourceKey = tuple[str, str]
"""FHIR type and id, within one source."""


class PreparedResource(NamedTuple):
    """A resource with the text that is stored.

    Args:
        identity: FHIR type and id.
        patient_key: the key of the patient that it names; None if it names none.
        recurso: the text for jsonb.
        original: the exact text; None if jsonb keeps it.
        fingerprint: of the line that it came on, else of the stored text; see `exact_json.fingerprint`.
        resource: the Patient if it is one, because its identifiers are needed later; else None.
        came: the item of the reader.
        fuente: the source if it is another server's, named by its base; None for the source that is loaded.
    """

    identity: ResourceKey
    patient_key: str | None
    recurso: bytes
    original: bytes | None
    fingerprint: str
    resource: dict[str, Any] | None
    came: Incoming | Line
    fuente: str | None = None

    @property
    def file(self) -> str:
        """The name of the file that it came from."""
        return self.came.file if type(self.came) is Line else self.came.where.file

    @property
    def where(self) -> InputLocation:
        """Where it was found."""
        return self.came.where

    @property
    def exact(self) -> bytes:
        """The exact text, as an export writes it."""
        return self.recurso if self.original is None else self.original

    @property
    def text(self) -> StoredJson:
        """The stored texts as strings."""
        original = None if self.original is None else self.original.decode()
        return StoredJson(self.recurso.decode(), original, self.fingerprint)


def prepare(
    schema: Schema, incoming: Incoming, own: Set[str] = frozenset(), rules: tuple[DocumentRule, ...] = DEFAULT_RULES
) -> PreparedResource:
    """Prepare a resource that the full parser has read.

    Args:
        own: the configured bases of the source.
        rules: which identifiers are documents. A reference by such an identifier states the document.

    Raises:
        InvalidJson: the resource is nested too deeply.
    """
    fuente, bases = source_and_bases(incoming, own)
    identity = incoming.type, incoming.id
    if incoming.type == "Bundle":
        resource, key = incoming.resource, subject_of(schema, incoming.resource, incoming.id, own, rules)
    else:
        resource = with_stored_references(incoming.resource, bases)
        resource, key = with_patient(schema, incoming.type, resource, rules)
    person = incoming.resource if incoming.type == "Patient" else None
    key = key if person is None else incoming.id
    exact = incoming.exact if resource is incoming.resource else incoming.exact or incoming.resource
    text = stored_json(resource, exact)
    original = None if text.original is None else text.original.encode()
    return PreparedResource(identity, key, text.recurso.encode(), original, text.fingerprint, person, incoming, fuente)


def source_and_bases(found: Incoming | Deletion, own: Set[str]) -> tuple[str | None, Set[str]]:
    """The source of an item, None for the source that is loaded, and the bases of that source.

    If no bases are configured, the only base of a bundle is the source's own.
    """
    if found.base is None or found.base in own:
        return None, own or (found.bases if len(found.bases) == 1 else own)
    if own or len(found.bases) > 1:
        return found.base, {found.base}
    return None, {found.base}


def patient_member(schema: Schema, fhir_type: str) -> str | None:
    """The member at the first patient path of a type, if it is a single Reference; else None."""
    paths = schema.patient_paths_of(fhir_type)
    steps = json_path(fhir_type, paths[0]) if paths else ()
    return steps[0][0] if len(steps) == 1 and not steps[0][1] else None


class LineReader:
    """Prepares plain lines of NDJSON. For one thread.

    Args:
        schema: has the patient paths of each type.
        rules: which identifiers are documents.
    """

    def __init__(self, schema: Schema, rules: tuple[DocumentRule, ...] = DEFAULT_RULES) -> None:
        self._odd: list[str] = []
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(float_hook=self._number).decode
        self._schema, self._rules = schema, rules
        self._first_paths = {kind: patient_member(schema, kind) for kind in RESOURCE_TYPES - {"Bundle"}}
        self._keys: dict[str, str] = {}

    def _number(self, text: str) -> orjson.Fragment:
        """A number that is not an integer, kept in its spelling. One that jsonb might change is noted."""
        if "e" in text or "E" in text or text[0] == "-" or len(text) > 100:
            self._odd.append(text)
        return orjson.Fragment(text)

    def read(self, line: Line) -> PreparedResource | None:
        """The resource on a line; None if the line is not plain, and `reader.resources_in` must read it."""
        data = line[0].strip()
        try:
            value = self._decode(data)
            kind, key = value["resourceType"], value["id"]
            text = orjson.dumps(value)
        except (*_NOT_PLAIN, KeyError):
            self._odd.clear()
            return None
        if self._odd and self._changed():
            return None
        if text == data:
            text = data
        elif text.translate(None, _WHITE) != data.translate(None, _WHITE):
            return None
        if b"\\" in text and b"\\u" in text:
            return None
        if type(key) is not str or not is_id(key) or may_differ(text):
            return None
        person: dict[str, Any] | None = None
        try:
            patient: str | None = self._keys[value[self._first_paths[kind]]["reference"]]
        except (KeyError, TypeError):
            if type(kind) is not str or kind not in self._first_paths:
                return None
            if kind == "Patient":
                patient, person = key, value
            else:
                same, patient = with_patient(self._schema, kind, value, self._rules)
                if same is not value:
                    return None
                self._remember(kind, value, patient)
        return _new(PreparedResource, ((kind, key), patient, text, None, xxh3_128_hexdigest(data), person, line, None))

    def _changed(self) -> bool:
        """Whether jsonb would change a noted number of this line: one with an exponent, or minus zero."""
        odd, self._odd = self._odd, []
        return any("e" in text or "E" in text or len(text) > 100 or not text.strip("-0.") for text in odd)

    def _remember(self, kind: str, value: dict[str, Any], found: str | None) -> None:
        """Remember the key that a plain reference to a patient gives."""
        member = self._first_paths[kind]
        reference = value.get(member) if member else None
        literal = reference.get("reference") if type(reference) is dict else None
        if found and type(literal) is str and literal == f"Patient/{found}":
            if len(self._keys) >= _CACHED:
                self._keys.clear()
            self._keys[literal] = found
