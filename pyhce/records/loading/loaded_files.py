"""Files that were loaded whole and without a reject, in `hce.archivo_cargado`. The same load passes them over.

A file is identified by the fingerprint of its bytes and by the options that it was read with. It is recorded once all
its resources are committed: a load that was killed reads an unfinished file again, and finds most of it unchanged.
"""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.citus.failover import SteadyConnection
from pyhce.records.reading.exact_json import fingerprint
from pyhce.records.reading.input_file import STDIN, InputFile, file_fingerprint, file_size

logger = logging.getLogger(__name__)


class LoadedFiles:
    """The files of one load.

    Args:
        conn: what it does on it is safe to repeat.
        how: the options that decide what becomes of a file, such as the identity rules.
        again: read files that were loaded before, too.
    """

    def __init__(self, conn: SteadyConnection, fuente: str, how: str, *, again: bool) -> None:
        self._conn, self._fuente, self.how, self._again = conn, fuente, how, again
        self._read: dict[str, tuple[str, int, int]] = {}
        self._written: Counter[str] = Counter()
        self._rejected: set[str] = set()

    def contains(self, path: Path) -> bool:
        """Whether a file was loaded before. It is read for its fingerprint only if a loaded file has the same size."""
        if self._again or path == STDIN or not path.is_file():
            return False
        query = "SELECT 1 FROM hce.archivo_cargado WHERE fuente = %s AND bytes = %s LIMIT 1"
        size = file_size(path)
        if self._conn.run(lambda conn: conn.execute(query, (self._fuente, size)).fetchone()) is None:
            return False
        try:
            name = self._name(file_fingerprint(path))
        except OSError:  # the load will report the error
            return False
        return self._conn.run(lambda conn: is_recorded(conn, self._fuente, name))

    def note_reject(self, file: str) -> None:
        """Note that a file has a reject. It is not recorded: the next load reads it and rejects the same again."""
        self._rejected.add(file)

    def has_rejects(self, file: str) -> bool:
        """Whether anything of a file was rejected."""
        return file in self._rejected

    def note_written(self, files: Counter[str]) -> None:
        """Add the resources of each file that are committed now."""
        self._written.update(files)

    def end_file(self, source: InputFile, resources: int) -> None:
        """Note that a file was read to its end and how many resources it has; record what is committed by now."""
        if source.size is not None:  # a pipe cannot be recognised again
            self._read[source.name] = source.fingerprint(), source.size, resources
        self.record_written()

    def record_written(self) -> None:
        """Record the files whose resources are all committed."""
        for file, (bytes_fingerprint, size, count) in list(self._read.items()):
            if self._written[file] < count:
                continue
            del self._read[file], self._written[file]
            if file not in self._rejected:
                logger.debug("loaded whole: %s", file)
                self._record(self._name(bytes_fingerprint), size, count)

    def _record(self, name: str, size: int, count: int) -> None:
        self._conn.run(lambda conn: record_file(conn, self._fuente, name, size, count))

    def _name(self, bytes_fingerprint: str) -> str:
        """The name that a file is recorded under: the fingerprint of its bytes, and how it is read."""
        return f"{bytes_fingerprint} {self.how}"


def is_recorded(conn: Connection[TupleRow], fuente: str, name: str) -> bool:
    """Whether a file was recorded for a source under this name."""
    query = "SELECT 1 FROM hce.archivo_cargado WHERE fuente = %s AND huella = %s::uuid"
    return conn.execute(query, (fuente, fingerprint(name.encode()))).fetchone() is not None


def record_file(conn: Connection[TupleRow], fuente: str, name: str, size: int, count: int) -> None:
    """Record a file that was loaded whole.

    Args:
        name: what identifies it; its fingerprint is stored.
        size: its bytes.
        count: its resources.
    """
    conn.execute(
        "INSERT INTO hce.archivo_cargado (fuente, huella, bytes, recursos) VALUES (%s, %s::uuid, %s, %s)"
        " ON CONFLICT DO NOTHING",
        (fuente, fingerprint(name.encode()), size, count),
    )
