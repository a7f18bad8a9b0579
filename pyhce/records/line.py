"""A stored resource as a line of NDJSON: in SQL for many rows, in Python for a few."""

from __future__ import annotations

import orjson

from pyhce.schema.model import Table

_CONTROLS = "".join(f"\\x{code:02x}" for code in range(1, 32))

LINE_SQL = (
    f"CASE WHEN recurso ? 'id' THEN coalesce(translate(original, E'{_CONTROLS}', repeat(' ', 31)), recurso::text)"
    " WHEN original IS NULL THEN (jsonb_build_object('id', id) || recurso)::text"
    " ELSE '{\"id\":' || to_jsonb(id)::text || ','"
    f" || substr(ltrim(translate(original, E'{_CONTROLS}', repeat(' ', 31))), 2) END"
)
"""SQL for the line of a row, from its columns id, original and recurso.

Raw control characters of `original` become spaces: they can only be white space between members, because JSON has none
in strings.
"""

QUICK_LINE_SQL = f"CASE WHEN original IS NULL AND starts_with(t, '{{\"id\": ') THEN t ELSE {LINE_SQL} END"
"""The same for rows that have `recurso::text` as t, so that a large resource is decompressed once.

jsonb writes the member `id` first, unless another name is shorter.
"""

_ROW = (
    "json_build_array(id, {document}, {patient}, version, {since}, {until}, {deleted}, {entrada},"
    " CASE WHEN original IS NULL AND (starts_with({text}, '{{\"id\": ') OR recurso ? 'id') THEN NULL ELSE {text} END,"
    " CASE WHEN original IS NULL THEN NULL WHEN recurso ? 'id' AND position('\"urn:' IN original) = 0"
    f" AND original = translate(original, E'{_CONTROLS}', repeat(' ', 31)) THEN 'true'::json"
    " ELSE to_json(original) END)::text"
)


def row_sql(table: Table, text: str) -> str:
    """SQL for a line of a file of rows, as `pyhce.records.reading.exported_rows` reads it.

    Args:
        text: the SQL expression for `recurso::text`.
    """
    current = table.holds_resources
    return _ROW.format(
        document="documento_id" if table.has_stored_column("documento_id") else "NULL",
        patient="paciente_id" if any(column.name == "paciente_id" for column in table.all_columns) else "NULL",
        since="actualizado_en" if current else "vigente_desde",
        until="NULL" if current else "vigente_hasta",
        deleted="false" if current else "borrado",
        entrada="entrada" if current else "NULL",
        text=text,
    )


COPY_UNESCAPED = "(FORMAT csv, DELIMITER E'\\x02', QUOTE E'\\x01')"
"""Options of COPY for unescaped lines: no line contains the delimiter, the quote or a line end."""


def line_of(key: str, text: str, *, has_id: bool) -> bytes:
    """The line of a resource: its text, with its id added if it came without one."""
    if has_id:
        return text.encode()
    inside = text.strip()[1:].lstrip()
    return b'{"id":' + orjson.dumps(key) + (b"" if inside == "}" else b",") + inside.encode()
