"""The database under test, with short methods for queries, loads and exports."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyhce import local
from pyhce.citus.connection import DatabaseConnection, connect
from pyhce.records.exporting.export import export
from pyhce.records.loading.load import load
from pyhce.records.loading.report import LoadReport
from pyhce.records.reading.exact_json import canonical, parse
from pyhce.schema.declaration import SCHEMA

BASES = ("http://example.org/fhir", "https://example.org/fhir")


@dataclass
class TestDatabase:
    """A database that several tests share; each test loads under its own source."""

    __test__ = False
    folder: Path
    dsn: str
    conn: DatabaseConnection

    @property
    def cluster(self) -> local.LocalCluster:
        """The nodes of the database, as they run now."""
        found = local.status(self.folder).cluster
        assert found is not None
        return found

    def start(self) -> None:
        """Start the nodes that a test stopped, and open a new connection.

        Citus caches connections to workers in the old session. One to a killed worker would make a later test fail.
        """
        local.start(self.folder, engine=self.cluster.engine, port=self.cluster.coordinator.port)
        self.conn.close()
        self.conn = connect(self.dsn)

    @contextmanager
    def refusing(self, key: str) -> Iterator[None]:
        """Within the block a constraint of the site rejects Observations with this id."""
        self.conn.execute(f"ALTER TABLE observacion ADD CONSTRAINT del_sitio CHECK (id <> '{key}') NOT VALID")
        try:
            yield
        finally:
            self.conn.execute("ALTER TABLE observacion DROP CONSTRAINT del_sitio")

    def rows(self, query: str, *values: object) -> list[Any]:
        """All rows of a query."""
        return self.conn.execute(query, values or None).fetchall()

    def value(self, query: str, *values: object) -> Any:
        """The first column of the first row of a query; None without a row."""
        row = self.conn.execute(query, values or None).fetchone()
        return row[0] if row else None

    def load(self, folder: Path, *resources: object, source: str) -> LoadReport:
        """Load resources in this order, with BASES as the bases of the source.

        Args:
            folder: where the input and the rejects are written.
            resources: a dict is written as JSON, a str as it is.
            source: the source system.
        """
        path = folder / f"{uuid.uuid4().hex}.ndjson"
        lines = [r if isinstance(r, str) else json.dumps(r) for r in resources]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return self.load_paths([path], source=source, rejects=folder / "rejected.ndjson", bases=BASES)

    def load_paths(self, paths: Sequence[Path], *, source: str, rejects: Path, **options: Any) -> LoadReport:
        """Load files and folders, also files that were loaded before."""
        return load(self.conn, paths, schema=SCHEMA, fuente=source, reject_file=rejects, again=True, **options)

    def exported(self, folder: Path, source: str) -> dict[tuple[str, str], str]:
        """Export a source and return its resources by (type, id), as canonical JSON."""
        to = folder / f"export-{uuid.uuid4().hex}"
        report = export(self.conn, to, schema=SCHEMA, fuente=source)
        found = {}
        for file in report.files:
            for line in (to / file.path).read_bytes().splitlines():
                resource = parse(line)
                found[resource["resourceType"], resource["id"]] = canonical(resource)
        assert len(found) == report.resources
        return found

    def document(self, kind: str, key: str, source: str) -> str | None:
        """The document under which a resource is stored; None if it is not stored."""
        table = SCHEMA.by_type[kind].name
        found = self.rows(f"SELECT documento_id FROM {table} WHERE fuente = %s AND id = %s", source, key)
        assert len(found) < 2
        return found[0][0] if found else None

    def history(self, kind: str, key: str, source: str, table: str = "historia") -> list[Any]:
        """The former versions of a resource, as (version, resource) in order."""
        return self.rows(
            f"SELECT version, recurso FROM {table} WHERE tipo = %s AND fuente = %s AND id = %s ORDER BY version",
            kind,
            source,
            key,
        )


def unique() -> str:
    """A random text, for a source system or a document that no other test uses."""
    return uuid.uuid4().hex[:12]
