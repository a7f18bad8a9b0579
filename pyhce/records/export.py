"""Export: every resource as it came in, NDJSON, a file for each type, as FHIR's Bulk Data does.

https://hl7.org/fhir/uv/bulkdata/: one resource a line, `Type.ndjson`.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO
from urllib.parse import quote

import orjson
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.errors import UsageError
from pyhce.records.homes import table_name
from pyhce.schema.model import Frozen, Home, Schema, Table

ROWS_AT_ONCE = 500


class ExportedFile(Frozen):
    """A file of an export."""

    path: str
    type: str
    fuente: str
    count: int
    sha256: str


class ExportReport(Frozen):
    """What an export wrote; also kept in the folder as `manifest.json`.

    Args:
        snapshot: whether all files show one moment: so on one node; on a cluster each shard shows its own.
    """

    folder: str
    files: tuple[ExportedFile, ...]
    resources: int
    snapshot: bool
    seconds: float


def export(
    conn: Connection[TupleRow],
    folder: Path,
    *,
    schema: Schema,
    fuente: str | None = None,
    types: Sequence[str] = (),
    document: str | None = None,
) -> ExportReport:
    """Write every resource to `folder`, those of a source other than '' to a subfolder of its name.

    Members and numbers are spelled as they came in. A resource that came without an id gets the one it is kept under.

    Args:
        fuente: one source only; all if None.
        types: these FHIR types only.
        document: one patient's resources only.

    Raises:
        UsageError: the folder is not empty.
    """
    start = time.monotonic()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not an empty folder", remedy="Give a new one: an export never overwrites.")
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / ".partial"
    partial.mkdir()
    citus = conn.execute("SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')").fetchone()
    with conn.transaction(), ExitStack() as stack:
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        out = _Files(partial, stack)
        for table in schema.resource_tables(Home.PATIENT if document else None):
            for kind, source, line in _lines(conn, table, fuente, types, document):
                out.write(kind, source, line)
    files = out.finish(folder)
    partial.rmdir()
    report = ExportReport(
        folder=str(folder),
        files=files,
        resources=sum(file.count for file in files),
        snapshot=not (citus and citus[0]),
        seconds=round(time.monotonic() - start, 2),
    )
    (folder / "manifest.json").write_text(report.model_dump_json(indent=1) + "\n")
    return report


def _lines(
    conn: Connection[TupleRow], table: Table, fuente: str | None, types: Sequence[str], document: str | None
) -> Iterator[tuple[str, str, bytes]]:
    """Type, source and line of every resource of a table."""
    if types and table.fhir_type and table.fhir_type not in types:
        return
    conditions: list[sql.Composable] = [sql.SQL("true")]
    if fuente is not None:
        conditions.append(sql.SQL("fuente = {}").format(sql.Literal(fuente)))
    if types and table.generic:
        conditions.append(sql.SQL("tipo = ANY({})").format(sql.Literal(list(types))))
    if document is not None:
        conditions.append(sql.SQL("documento_id = {}").format(sql.Literal(document)))
    kind = sql.Identifier("tipo") if table.generic else sql.Literal(table.fhir_type)
    query = sql.SQL(
        "SELECT {}, fuente, id, recurso ? 'id', coalesce(original, recurso::text) FROM {} WHERE {} ORDER BY fuente, id"
    ).format(kind, table_name(table), sql.SQL(" AND ").join(conditions))
    with conn.cursor(name="pyhce_export") as cursor:
        cursor.itersize = ROWS_AT_ONCE
        cursor.execute(query)
        for fhir_type, source, key, has_id, text in cursor:
            yield fhir_type, source, line_of(key, text, has_id=has_id)


def line_of(key: str, text: str, *, has_id: bool) -> bytes:
    """A resource's line: its text, with its id if it came without one."""
    if has_id:
        return text.encode()
    inside = text.strip()[1:].lstrip()
    return b'{"id":' + orjson.dumps(key) + (b"" if inside == "}" else b",") + inside.encode()


class _Files:
    """The files being written, by source and type."""

    def __init__(self, partial: Path, stack: ExitStack) -> None:
        self.partial, self.stack = partial, stack
        self.open: dict[tuple[str, str], tuple[Path, IO[bytes]]] = {}
        self.counts: dict[tuple[str, str], int] = {}
        self.hashes: dict[tuple[str, str], hashlib._Hash] = {}

    def write(self, fhir_type: str, fuente: str, line: bytes) -> None:
        """One line to its file."""
        key = (fuente, fhir_type)
        if key not in self.open:
            path = self.partial / f"{len(self.open)}.ndjson"
            self.open[key] = path, self.stack.enter_context(path.open("wb"))
            self.counts[key], self.hashes[key] = 0, hashlib.sha256()
        self.open[key][1].write(line + b"\n")
        self.hashes[key].update(line + b"\n")
        self.counts[key] += 1

    def finish(self, folder: Path) -> tuple[ExportedFile, ...]:
        """Every file under its own name."""
        done = []
        for (fuente, fhir_type), (path, _) in sorted(self.open.items()):
            home = folder / _folder_name(fuente) if fuente else folder
            home.mkdir(exist_ok=True)
            target = home / f"{fhir_type}.ndjson"
            path.rename(target)
            done.append(
                ExportedFile(
                    path=str(target.relative_to(folder)),
                    type=fhir_type,
                    fuente=fuente,
                    count=self.counts[fuente, fhir_type],
                    sha256=self.hashes[fuente, fhir_type].hexdigest(),
                )
            )
        return tuple(done)


def _folder_name(fuente: str) -> str:
    """A source's name as a folder's: what a file system may refuse is percent-encoded."""
    kept = quote(fuente, safe="")
    return kept if len(kept) <= 100 else f"{kept[:80]}-{hashlib.sha256(fuente.encode()).hexdigest()[:16]}"
