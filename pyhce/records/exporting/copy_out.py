"""COPY … TO STDOUT in large blocks, by libpq's own calls: a third of what an iteration row by row costs."""

from __future__ import annotations

import select
from collections.abc import Iterator, Sequence

from psycopg import Connection, RawCursor, errors, pq, sql
from psycopg.rows import TupleRow

_BLOCK = 1024 * 1024


def blocks(conn: Connection[TupleRow], statement: sql.Composed) -> Iterator[tuple[int, bytes]]:
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


def selected(conn: Connection[TupleRow], query: sql.Composed, values: Sequence[str]) -> Iterator[tuple[int, bytes]]:
    """The same of a query with bound parameters $1 …, which COPY cannot have: its one column, a line a row."""
    with RawCursor(conn) as cursor:
        lines, size = [], 0
        for (line,) in cursor.stream(query.as_string(conn).encode(), values):
            lines.append(line.encode() + b"\n")
            size += len(lines[-1])
            if size >= _BLOCK:
                yield len(lines), b"".join(lines)
                lines, size = [], 0
        if lines:
            yield len(lines), b"".join(lines)


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
