"""A unit of an export: some rows, read by one statement at one node into one file, with a second one beside it.

The second file has a line a row: what the row holds besides the resource (`pyhce.records.reading.exported_rows`).
"""

from __future__ import annotations

from psycopg import sql
from pydantic import ConfigDict, Field

from pyhce.records.exporting.snapshot import COORDINATOR, DOCUMENT_SETTING, Snapshot
from pyhce.records.line import COPY_UNESCAPED, LINE_SQL, QUICK_LINE_SQL, row_sql
from pyhce.records.writing.table_sql import table_name
from pyhce.schema.model import Frozen


class ExportSelection(Frozen):
    """What was asked for. `since` is an ISO instant; `document` never leaves this process."""

    source: str | None = None
    types: tuple[str, ...] = ()
    document: str | None = None
    since: str | None = None
    history: bool = False

    @property
    def everything(self) -> bool:
        """Whether nothing is left out but perhaps other sources."""
        return not (self.types or self.document or self.since)


class PlannedPart(Frozen):
    """Some rows of a table, of one type and one source.

    Args:
        places: (shard, node, placement) of each, as `Place` has them.
        pages: from this page of the table until before that one; all if None.
        alone: whether nothing else is in there, so that no condition is needed.
        size: bytes, about.
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
        """Where to read it."""
        return self.places[0][1] if self.direct else COORDINATOR


class WrittenPart(Frozen):
    """A unit that was read, its file, that of its rows, and the snapshots of its nodes."""

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
    """The COPY that reads a unit, a line a row."""
    return sql.SQL("COPY ({}) TO STDOUT {}").format(
        select_statement(snapshot, planned, selection), sql.SQL(COPY_UNESCAPED)
    )


def select_statement(snapshot: Snapshot, planned: PlannedPart, selection: ExportSelection) -> sql.Composed:
    """The query of a unit's lines. By way of the coordinator it takes the document as the parameter $1."""
    table = snapshot.schema.table(planned.table)
    line, kept, rows = sql.SQL(LINE_SQL), sql.SQL(row_sql(table, "recurso::text")), sql.SQL("{} WHERE {}")
    if planned.direct:  # OFFSET keeps PostgreSQL from computing the text twice; Citus cannot push it to the workers
        line, kept = sql.SQL(QUICK_LINE_SQL), sql.SQL(row_sql(table, "t"))
        rows = sql.SQL("(SELECT *, recurso::text AS t FROM {} WHERE {} OFFSET 0) AS r")
    parts = [
        rows.format(relation, condition_of_part(snapshot, planned, selection))
        for relation in relations_of_part(snapshot, planned)
    ]
    return sql.SQL(" UNION ALL ").join(sql.SQL("SELECT {}, {} FROM {}").format(line, kept, part) for part in parts)


def relations_of_part(snapshot: Snapshot, planned: PlannedPart) -> list[sql.Composable]:
    """What a unit is read from at its node: shards by their own names, or the table."""
    table = snapshot.schema.table(planned.table)
    if not planned.direct:
        return [table_name(table)]
    names = {place[:3]: place.relation for place in snapshot.placements[planned.table]}
    return [sql.SQL(names[place]) for place in planned.places]


def condition_of_part(
    snapshot: Snapshot, planned: PlannedPart, selection: ExportSelection, *, document: sql.Composable | None = None
) -> sql.Composed:
    """Which rows of these relations are a unit's; `document` is how the statement names the document wanted.

    If not given: the setting of the session, or by way of the coordinator the parameter $1. Citus would send
    current_setting() to the workers, which do not have the setting.
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
