"""A part of an export: some rows, which one statement reads from one node into one file.

A second file has one line for each row, with the row's other columns (`pyhce.records.reading.exported_rows`).
"""

from __future__ import annotations

from psycopg import sql
from pydantic import ConfigDict, Field

from pyhce.records.exporting.snapshot import COORDINATOR, DOCUMENT_SETTING, Snapshot
from pyhce.records.line import COPY_UNESCAPED, LINE_SQL, QUICK_LINE_SQL, row_sql
from pyhce.records.writing.table_sql import table_name
from pyhce.schema.model import Frozen


class ExportSelection(Frozen):
    """What an export was asked for.

    Args:
        source: None for all sources.
        types: FHIR types; all if empty.
        document: one patient's resources only. It is never written to a file, a log or a statement.
        since: an ISO instant; what changed from then on.
        history: former versions and tombstones too.
    """

    source: str | None = None
    types: tuple[str, ...] = ()
    document: str | None = None
    since: str | None = None
    history: bool = False

    @property
    def everything(self) -> bool:
        """Whether the export holds everything of its source or sources."""
        return not (self.types or self.document or self.since)


class PlannedPart(Frozen):
    """Which rows a part is to hold: rows of one table, of one type and one source.

    Args:
        places: the placements that they are in, each as (shard, node, placement); see `ShardPlacement`.
        pages: the first page of the table and the page after the last one; None for the whole table.
        alone: whether the placements hold nothing else, so that the statement needs no condition.
        direct: whether the node is read over a connection of its own, not through the coordinator.
        size: bytes, estimated.
        rows: rows, estimated.
    """

    table: str
    type: str
    source: str
    places: tuple[tuple[int, int, int], ...]
    pages: tuple[int, int] | None = None
    alone: bool = False
    direct: bool = True
    size: int = 0
    rows: int = 0

    @property
    def node(self) -> int:
        """The group id of the node to connect to."""
        return self.places[0][1] if self.direct else COORDINATOR


class WrittenPart(Frozen):
    """A part that was written, as the journal keeps it.

    Args:
        planned: which rows it holds.
        file: its name in the work folder, such as `000001.part`.
        count: rows.
        bytes, sha256: of the file.
        rows_bytes, rows_sha256: of the second file.
        snapshots: `pg_current_snapshot()` of each node that it was read from.
    """

    model_config = ConfigDict(populate_by_name=True)

    planned: PlannedPart = Field(validation_alias="unit", serialization_alias="unit")
    file: str
    count: int
    bytes: int
    sha256: str
    rows_bytes: int = 0
    rows_sha256: str = ""
    snapshots: dict[int, str]


def copy_statement(snapshot: Snapshot, planned: PlannedPart, selection: ExportSelection) -> sql.Composed:
    """Return the COPY that reads a part, one line for each row."""
    return sql.SQL("COPY ({}) TO STDOUT {}").format(
        select_statement(snapshot, planned, selection), sql.SQL(COPY_UNESCAPED)
    )


def select_statement(snapshot: Snapshot, planned: PlannedPart, selection: ExportSelection) -> sql.Composed:
    """Return the query of a part's lines. Through the coordinator its parameter $1 is the document."""
    table = snapshot.schema.table(planned.table)
    line, kept, rows = sql.SQL(LINE_SQL), sql.SQL(row_sql(table, "recurso::text")), sql.SQL("{} WHERE {}")
    if planned.direct:  # OFFSET 0 keeps PostgreSQL from computing the text twice; Citus cannot push it down
        line, kept = sql.SQL(QUICK_LINE_SQL), sql.SQL(row_sql(table, "t"))
        rows = sql.SQL("(SELECT *, recurso::text AS t FROM {} WHERE {} OFFSET 0) AS r")
    parts = [
        rows.format(relation, condition_of_part(snapshot, planned, selection))
        for relation in relations_of_part(snapshot, planned)
    ]
    return sql.SQL(" UNION ALL ").join(sql.SQL("SELECT {}, {} FROM {}").format(line, kept, part) for part in parts)


def relations_of_part(snapshot: Snapshot, planned: PlannedPart) -> list[sql.Composable]:
    """Return the relations to read on the node: the shards by their own names, or the table."""
    table = snapshot.schema.table(planned.table)
    if not planned.direct:
        return [table_name(table)]
    names = {place[:3]: place.relation for place in snapshot.placements[planned.table]}
    return [sql.SQL(names[place]) for place in planned.places]


def condition_of_part(
    snapshot: Snapshot, planned: PlannedPart, selection: ExportSelection, *, document: sql.Composable | None = None
) -> sql.Composed:
    """Return the condition that selects a part's rows from its relations.

    Args:
        document: the expression for the document. By default the session setting, or the parameter $1 through the
            coordinator, because Citus would evaluate current_setting() on the workers, which do not have the setting.
    """
    table = snapshot.schema.table(planned.table)
    parts: list[sql.Composable] = [sql.SQL("true")]
    if not planned.alone:
        parts.append(sql.SQL("fuente = {}").format(sql.Literal(planned.source)))
        if table.has_stored_column("tipo"):
            parts.append(sql.SQL("tipo = {}").format(sql.Literal(planned.type)))
    if selection.since is not None:
        time_column = sql.Identifier("actualizado_en" if table.holds_resources else "vigente_hasta")
        parts.append(sql.SQL("{} >= {}::timestamptz").format(time_column, sql.Literal(selection.since)))
    if selection.document is not None:
        setting = sql.SQL("current_setting({})").format(sql.Literal(DOCUMENT_SETTING))
        parts.append(sql.SQL("documento_id = {}").format(document or (setting if snapshot.direct else sql.SQL("$1"))))
    if planned.pages is not None:
        parts += [
            sql.SQL("ctid {} {}::tid").format(sql.SQL(sign), sql.Literal(f"({page},0)"))
            for sign, page in zip((">=", "<"), planned.pages, strict=True)
        ]
    return sql.SQL(" AND ").join(parts)
