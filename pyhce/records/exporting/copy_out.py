"""COPY … TO STDOUT in large blocks, by libpq's own calls: a third of what an iteration row by row costs.

A unit's rows have two columns, the resource's line and what else the row holds; each goes to a file of its own.
"""

from __future__ import annotations

import select
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from psycopg import Connection, RawCursor, errors, pq, sql
from psycopg.rows import TupleRow

from pyhce.records.exporting.resolved_references import with_resolved_references

_BLOCK = 1024 * 1024
_NO_ORIGINAL = b" null]"
"""How the second column of a row ends whose exact text jsonb holds: most do."""


class Block(NamedTuple):
    """Some rows: their number, their lines, and the lines of what else they hold."""

    rows: int
    lines: bytes
    kept: bytes


def copied_blocks(conn: Connection[TupleRow], statement: sql.Composed) -> Iterator[Block]:
    """The rows of a COPY of a unit."""
    for _, block in raw_blocks(conn, statement):
        yield _apart(block.split(b"\n")[:-1])


def _apart(rows: Sequence[bytes]) -> Block:
    """Rows of two columns by column."""
    lines, kept = [], []
    for row in rows:
        line, _, rest = row.partition(b"\x02")
        if not rest.endswith(_NO_ORIGINAL) and b'"urn:' in line:
            line = with_resolved_references(line, rest)
        lines.append(line)
        kept.append(rest)
    return Block(len(rows), b"\n".join((*lines, b"")), b"\n".join((*kept, b"")))


def raw_blocks(conn: Connection[TupleRow], statement: sql.Composed) -> Iterator[tuple[int, bytes]]:
    """The number of rows and the bytes of each block, as the server writes them: a row ends with a line end.

    Whoever stops before the end is to close the connection.
    """
    wire = conn.pgconn
    wire.send_query(statement.as_string(conn).encode())
    _expect(_result(wire), pq.ExecStatus.COPY_OUT)
    rows: list[memoryview] = []
    size = 0
    get = wire.get_copy_data
    while True:
        length, row = get(1)
        if length > 0:
            rows.append(row)
            size += length
            if size >= _BLOCK:
                yield len(rows), b"".join(rows)
                rows, size = [], 0
        elif length == 0:
            _wait(wire)
        else:
            break
    _expect(_result(wire), pq.ExecStatus.COMMAND_OK)
    while wire.get_result() is not None:
        pass
    if rows:
        yield len(rows), b"".join(rows)


def selected_blocks(conn: Connection[TupleRow], query: sql.Composed, values: Sequence[str]) -> Iterator[Block]:
    """The same of a query with bound parameters $1 …, which COPY cannot have."""
    with RawCursor(conn) as cursor:
        rows: list[bytes] = []
        size = 0
        for line, kept in cursor.stream(query.as_string(conn).encode(), values):
            rows.append(f"{line}\x02{kept}".encode())
            size += len(rows[-1])
            if size >= _BLOCK:
                yield _apart(rows)
                rows, size = [], 0
        if rows:
            yield _apart(rows)


def _wait(wire: pq.abc.PGconn) -> None:
    poll = select.poll()
    poll.register(wire.socket, select.POLLIN)
    poll.poll()
    wire.consume_input()


def _result(wire: pq.abc.PGconn) -> pq.abc.PGresult | None:
    while wire.is_busy():
        _wait(wire)
    return wire.get_result()


def _expect(result: pq.abc.PGresult | None, status: pq.ExecStatus) -> None:
    """Refuse another result.

    Raises:
        psycopg.Error: what the server said.
    """
    if result is None:
        raise errors.OperationalError("the server ended a COPY without a result")
    if result.status == status:
        return
    state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"XX000").decode()
    said = (result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or result.error_message).decode("utf-8", "replace")
    raise errors.lookup(state)(said)
