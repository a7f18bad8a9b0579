"""What the rows of an export hold besides the resources, read beside them line by line; see `exported`.

A line is a JSON array: id, document, key of the patient, version, since, until, deleted, fingerprint of the input,
`recurso`, `original`. `recurso` is null where the line of the resource is that text. `original` is null where there is
none, true where the line of the resource is that text.
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
        document: the record that it was in.
        since, until: between which it was the current one, ISO; `until` is None of one that is current.
        deleted: whether it is a tombstone.
        entrada: the fingerprint of the text it was loaded from, None if it is not known.
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
        """The fingerprint without hyphens, as look-ups give it."""
        return self.entrada and self.entrada.replace("-", "")


def read_exported_rows(
    lines: IO[bytes], rows: IO[bytes], *, fhir_type: str, fuente: str, file: str
) -> Iterator[ExportedRow]:
    """The rows of two files that belong together.

    Raises:
        HceError: a line is not as an export writes it.
    """
    for number, (line, row) in enumerate(zip(lines, rows, strict=True), 1):
        try:
            key, document, patient, version, since, until, deleted, entrada, stored, exact = _decode(row)
        except msgspec.DecodeError as error:
            raise HceError(
                f"line {number} of {file}.{ROWS} is not as pyhce writes it",
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
