"""Resources ready to be written: which patient they name, the text that is stored and its fingerprint.

`LineReader` makes most lines of NDJSON ready at a few microseconds each. A line is taken so only if parsing and
writing it again gives the very same bytes: then it is JSON without a member twice, without needless escapes, and may
be sent as it is. Whatever is not so plain goes the careful way of `reader` and `spelling`, which says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import orjson
from xxhash import xxh3_128_hexdigest

from pyhce.records.reading.incoming import Incoming, Line, Where, is_id
from pyhce.records.reading.reference import at_path, key_of
from pyhce.records.reading.spelling import Stored, stored
from pyhce.schema.expression import untyped_names
from pyhce.schema.model import Schema
from pyhce.schema.r4 import RESOURCE_TYPES, json_path

_WHITE = b" \t\r\n"
_new = tuple.__new__  # twice as quick as a NamedTuple's own
_CACHED = 100_000
"""References to patients that are remembered, so as to read each of them once."""
_NOT_PLAIN = (msgspec.DecodeError, RecursionError, UnicodeDecodeError, TypeError, ValueError)


Identity = tuple[str, str]
"""FHIR type and id."""


class Ready(NamedTuple):
    """A resource with the text that will be stored, as bytes: most go as they came.

    Args:
        identity: FHIR type and id.
        key: the key of the patient that it names, None if it names none.
        fingerprint: of the text as it came if that is one line, else of what is stored; see `spelling.fingerprint`.
        resource: the resource itself, for a Patient only: its identifiers are read again.
    """

    identity: Identity
    key: str | None
    recurso: bytes
    original: bytes | None
    fingerprint: str
    resource: dict[str, Any] | None
    came: Incoming | Line

    @property
    def file(self) -> str:
        """The file that it was found in."""
        return self.came.file if type(self.came) is Line else self.came.where.file

    @property
    def where(self) -> Where:
        """Where it was found."""
        return self.came.where

    @property
    def exact(self) -> bytes:
        """The text as it came, as far as it is kept."""
        return self.recurso if self.original is None else self.original

    @property
    def text(self) -> Stored:
        """What is stored, as text."""
        original = None if self.original is None else self.original.decode()
        return Stored(self.recurso.decode(), original, self.fingerprint)


def ready(schema: Schema, incoming: Incoming) -> Ready:
    """A resource that was read with care, ready to be written.

    Raises:
        NotJson: it is nested too deeply.
    """
    key = patient_key(schema, incoming.type, incoming.id, incoming.resource)
    text = stored(incoming.resource, incoming.exact)
    original = None if text.original is None else text.original.encode()
    kept = incoming.resource if incoming.type == "Patient" else None
    recurso = text.recurso.encode()
    identity = incoming.type, incoming.id
    return Ready(identity, key, recurso, original, text.fingerprint, kept, incoming)


def patient_key(schema: Schema, fhir_type: str, resource_id: str, resource: dict[str, Any]) -> str | None:
    """The key of the patient that a resource names, by the first of its type's patient paths that names one."""
    if fhir_type == "Patient":
        return resource_id
    for path in schema.paths_of(fhir_type):
        untyped = untyped_names(fhir_type, path, "Patient")
        arrays = any(many for _, many in json_path(fhir_type, path))
        for reference in at_path(resource, path, arrays=arrays):
            key = key_of(reference, "Patient", untyped=untyped)
            if key:
                return key
    return None


def first_member(schema: Schema, fhir_type: str) -> str | None:
    """The member of a resource that names its patient first, where it is one Reference and no array."""
    paths = schema.paths_of(fhir_type)
    steps = json_path(fhir_type, paths[0]) if paths else ()
    return steps[0][0] if len(steps) == 1 and not steps[0][1] else None


class LineReader:
    """Lines of NDJSON to resources that are ready, the plain ones; for one thread.

    Args:
        schema: tells where each type names its patient.
    """

    def __init__(self, schema: Schema) -> None:
        self._odd: list[str] = []
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(float_hook=self._number).decode
        self._schema = schema
        self._first_paths = {kind: first_member(schema, kind) for kind in RESOURCE_TYPES - {"Bundle"}}
        self._keys: dict[str, str] = {}

    def _number(self, text: str) -> orjson.Fragment:
        """A number that is no integer, to be written as it was spelled; one that jsonb would change is noted."""
        if "e" in text or "E" in text or text[0] == "-" or len(text) > 100:
            self._odd.append(text)
        return orjson.Fragment(text)

    def read(self, line: Line) -> Ready | None:
        """A line's resource, None if it is not plain: then `reader.resources_in` says what it is."""
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
        if type(key) is not str or not is_id(key):
            return None
        try:
            patient: str | None = self._keys[value[self._first_paths[kind]]["reference"]]
        except (KeyError, TypeError):
            if type(kind) is not str or kind not in self._first_paths:
                return None
            patient = self._patient(kind, key, value)
        kept = value if kind == "Patient" else None
        return _new(Ready, ((kind, key), patient, text, None, xxh3_128_hexdigest(data), kept, line))

    def _changed(self) -> bool:
        """Whether jsonb would change one of the odd numbers of this line: an exponent, or zero with a minus."""
        odd, self._odd = self._odd, []
        return any("e" in text or "E" in text or len(text) > 100 or not text.strip("-0.") for text in odd)

    def _patient(self, kind: str, key: str, value: dict[str, Any]) -> str | None:
        """The key of the patient; that of a plain reference is remembered."""
        found = patient_key(self._schema, kind, key, value)
        member = self._first_paths[kind]
        reference = value.get(member) if member else None
        literal = reference.get("reference") if type(reference) is dict else None
        if found and type(literal) is str and literal == f"Patient/{found}":
            if len(self._keys) >= _CACHED:
                self._keys.clear()
            self._keys[literal] = found
        return found
