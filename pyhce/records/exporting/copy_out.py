"""COPY … TO STDOUT in large blocks, with libpq's own calls: a third of the time that iterating over rows takes.

A part's rows have two columns, the resource's line and the rest of the row; each column goes to a file of its own.
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
"""How the second column ends if jsonb holds the exact text of the resource, as it does for most rows."""


class Block(NamedTuple):
    """Some rows: their number, the lines of their resources, and the lines of the rest of the rows."""

    rows: int
    lines: bytes
    rest: bytes


def copied_blocks(conn: Connection[TupleRow], statement: sql.Composed) -> Iterator[Block]:
    """Yield the rows of a COPY that reads a part."""
    for _, block in raw_blocks(conn, statement):
        yield _split_columns(block.split(b"\n")[:-1])


def _split_columns(rows: Sequence[bytes]) -> Block:
    """Split rows into their two columns."""
    lines, rests = [], []
    for row in rows:
        line, _, rest = row.partition(b"\x02")
        if not rest.endswith(_NO_ORIGINAL) and b'"urn:' in line:
            line = with_resolved_references(line, rest)
        lines.append(line)
        rests.append(rest)
    return Block(len(rows), b"\n".join((*lines, b"")), b"\n".join((*rests, b"")))


def raw_blocks(conn: Connection[TupleRow], statement: sql.Composed) -> Iterator[tuple[int, bytes]]:
    """Yield blocks of about a megabyte: the number of rows, and their bytes as the server sends them.

    A caller that stops before the end must close the connection.
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
    """As `copied_blocks`, for a query with bound parameters $1 …, which COPY does not take."""
    with RawCursor(conn) as cursor:
        rows: list[bytes] = []
        size = 0
        for line, rest in cursor.stream(query.as_string(conn).encode(), values):
            rows.append(f"{line}\x02{rest}".encode())
            size += len(rows[-1])
            if size >= _BLOCK:
                yield _split_columns(rows)
                rows, size = [], 0
        if rows:
            yield _split_columns(rows)


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
    """Check the status of a result.

    Raises:
        psycopg.Error: it has another status; with the server's message.
    """
    if result is None:
        raise errors.OperationalError("the server ended a COPY without a result")
    if result.status == status:
        return
    state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"XX000").decode()
    message = (result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or result.error_message).decode(
        "utf-8", "replace"
    )
    raise errors.lookup(state)(message)
