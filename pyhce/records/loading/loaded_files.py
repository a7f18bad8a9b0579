"""Which files were loaded whole and without a reject: the same load again passes them over.

A file is known by the fingerprint of its bytes, together with how it was read. It is noted once every resource of it
is committed, so that a load that was killed reads again what it had not finished, and finds most of it unchanged.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.records.reading.exact_json import fingerprint
from pyhce.records.reading.input_file import STDIN, InputFile, file_fingerprint, file_size


class LoadedFiles:
    """The files of one load.

    Args:
        conn: beside the writers' connections, or in between.
        how: what else decides what a file becomes, such as the identity rules.
        again: whether to read files that were loaded before.
    """

    def __init__(self, conn: Connection[TupleRow], fuente: str, how: str, *, again: bool) -> None:
        self._conn, self._fuente, self.how, self._again = conn, fuente, how, again
        self._read: dict[str, tuple[str, int, int]] = {}
        self._written: Counter[str] = Counter()
        self._rejected: set[str] = set()

    def contains(self, path: Path) -> bool:
        """Whether a file is to be passed over. Only one whose size is known is read for it."""
        if self._again or path == STDIN or not path.is_file():
            return False
        query = "SELECT 1 FROM hce.archivo_cargado WHERE fuente = %s AND bytes = %s LIMIT 1"
        if self._conn.execute(query, (self._fuente, file_size(path))).fetchone() is None:
            return False
        try:
            return is_recorded(self._conn, self._fuente, self._name(file_fingerprint(path)))
        except OSError:  # reading it tells why
            return False

    def note_reject(self, file: str) -> None:
        """A file is read again next time: what was wrong is told again."""
        self._rejected.add(file)

    def has_rejects(self, file: str) -> bool:
        """Whether anything of a file was rejected."""
        return file in self._rejected

    def note_written(self, files: Counter[str]) -> None:
        """So many resources of these files are committed."""
        self._written.update(files)

    def end_file(self, source: InputFile, resources: int) -> None:
        """A file was read to its end; note those of which everything is written by now."""
        if source.size is not None:  # a pipe is never the same again
            self._read[source.name] = source.fingerprint(), source.size, resources
        self.record_written()

    def record_written(self) -> None:
        """Note the files of which everything is written by now."""
        for file, (bytes_fingerprint, size, count) in list(self._read.items()):
            if self._written[file] < count:
                continue
            del self._read[file], self._written[file]
            if file not in self._rejected:
                record_file(self._conn, self._fuente, self._name(bytes_fingerprint), size, count)

    def _name(self, bytes_fingerprint: str) -> str:
        """What a file is known by: its bytes and how it is read."""
        return f"{bytes_fingerprint} {self.how}"


def is_recorded(conn: Connection[TupleRow], fuente: str, name: str) -> bool:
    """Whether what has this name was loaded whole, for a source."""
    query = "SELECT 1 FROM hce.archivo_cargado WHERE fuente = %s AND huella = %s::uuid"
    return conn.execute(query, (fuente, fingerprint(name.encode()))).fetchone() is not None


def record_file(conn: Connection[TupleRow], fuente: str, name: str, size: int, count: int) -> None:
    """Note that what has this name was loaded whole: its bytes, and how many resources it has."""
    conn.execute(
        "INSERT INTO hce.archivo_cargado (fuente, huella, bytes, recursos) VALUES (%s, %s::uuid, %s, %s)"
        " ON CONFLICT DO NOTHING",
        (fuente, fingerprint(name.encode()), size, count),
    )
