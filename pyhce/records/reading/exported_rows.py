"""The rows of an export: a line of `Type.ndjson` and the same line of `Type.ndjson.rows`; see `finished_export`.

A line of the file of rows is a JSON array: id, document, key of the patient, version, since, until, deleted,
fingerprint of the input, `recurso`, `original`. `recurso` is null if it equals the resource's line. `original` is null
if there is none, and true if it equals the resource's line.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, NamedTuple, TypeAlias

import msgspec
import orjson

from pyhce.errors import HceError
from pyhce.records.reading.exact_json import fingerprint
from pyhce.records.reading.finished_export import ROWS
from pyhce.records.reading.incoming import Line
from pyhce.records.reading.prepared import PreparedResource

_Row: TypeAlias = tuple[
    str, str | None, str | None, int, str, str | None, bool, str | None, str | None, str | bool | None
]
_decode = msgspec.json.Decoder(_Row).decode


class ExportedRow(NamedTuple):
    """A row of an export, current or former.

    Args:
        ready: the resource as it is stored.
        document: the document of its record.
        since, until: the time in which it was the current version, ISO 8601; `until` is None if it still is.
        deleted: whether it is a tombstone.
        entrada: the fingerprint of the text that it was loaded from; None if it is unknown.
    """

    prepared: PreparedResource
    document: str | None
    version: int
    since: str
    until: str | None
    deleted: bool
    entrada: str | None

    @property
    def entrada_hex(self) -> str | None:
        """The fingerprint without hyphens, as look-ups return it."""
        return self.entrada and self.entrada.replace("-", "")


def read_exported_rows(
    lines: IO[bytes], rows: IO[bytes], *, fhir_type: str, fuente: str, file: str
) -> Iterator[ExportedRow]:
    """The rows of a file of resources and its file of rows.

    Args:
        lines: the file of resources, or of former versions.
        rows: the file of rows.
        fuente: the source of the resources.
        file: the name of the first file, for messages.

    Raises:
        HceError: a line of the file of rows was not written by pyhce.
    """
    for number, (line, row) in enumerate(zip(lines, rows, strict=True), 1):
        try:
            key, document, patient, version, since, until, deleted, entrada, stored, exact = _decode(row)
        except msgspec.DecodeError as error:
            raise HceError(
                f"line {number} of {file}.{ROWS} was not written by pyhce",
                remedy="Use the release of pyhce that made the export, or a newer one, or export again.",
            ) from error
        text = line[:-1]
        recurso = text if stored is None else stored.encode()
        original = None if exact is None or exact is False else text if exact is True else exact.encode()
        came = fingerprint(recurso) if entrada is None else entrada.replace("-", "")
        person = orjson.loads(recurso) if fhir_type == "Patient" and until is None else None
        prepared = PreparedResource(
            (fhir_type, key), patient if person is None else key, recurso, original, came, person,
            Line(b"", number, file), fuente or None,
        )  # fmt: skip
        yield ExportedRow(prepared, document, version, since, until, deleted, entrada)
