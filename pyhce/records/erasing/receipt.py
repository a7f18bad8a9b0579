"""The receipt of an erasure: what was erased, what stays, and what no erasure reaches. It never names the patient."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from pyhce.errors import UsageError
from pyhce.records.durable import sync_folder
from pyhce.records.erasing.retention import Retention
from pyhce.records.identity import check_document
from pyhce.schema.model import Frozen

BEYOND_REACH = (
    "input files and reject files (rejected.ndjson): loading them again restores the patient",
    "exports, and copies that applications and people made",
    "backups, WAL archives, replicas and snapshots made before; `pyhce erase --dry-run` there gives the same hashes",
    "server logs and query statistics that keep statements with their values",
    "bytes on disk that VACUUM freed and nothing has overwritten yet, and rows that an older transaction still sees",
    "the patient's name, address or narrative as plain text in resources of other people",
    "references from other resources to erased resources other than the Patient: they are dangling now",
)
"""What an erasure in the database does not reach."""
_COST = {"n": 2**15, "r": 8, "p": 1, "maxmem": 64 * 1024 * 1024, "dklen": 32}


class Outcome(StrEnum):
    """How an erasure ended."""

    DRY_RUN = "dry run"
    """Nothing was changed."""
    COMMITTING = "committing"
    """Written before the COMMIT. If a receipt still says this, `pyhce patient DOCUMENTO` shows whether it happened."""
    NOT_CHECKED = "erased, not checked"
    ERASED = "erased"
    """Erased, and a search of every table found nothing."""
    MENTIONED = "erased, mentioned"
    """Erased, but rows of others contain an identifier of the patient as plain text; a person must check them."""
    LEFT = "left"
    """Rows were found that should have been erased."""


class DocumentHash(Frozen):
    """A salted, slow hash of a document: it shows whether a receipt is about a given document, and nothing more."""

    algorithm: str = "scrypt n=32768 r=8 p=1"
    salt: str
    hash: str

    @classmethod
    def of(cls, document: str, salt: str | None = None) -> DocumentHash:
        """Hash a document; this takes some 100 ms, so that guessing is slow."""
        grain = salt or secrets.token_hex(16)
        made = hashlib.scrypt(document.encode(), salt=bytes.fromhex(grain), **_COST)
        return cls(salt=grain, hash=made.hex())

    def matches(self, document: str) -> bool:
        """Whether this is the hash of a document.

        Raises:
            UsageError: the document is not valid.
        """
        return secrets.compare_digest(DocumentHash.of(check_document(document, "DOCUMENTO"), self.salt).hash, self.hash)


class Erased(Frozen):
    """Rows that were erased from a table.

    Args:
        sha256: a hash of one line for each row, sorted: `type|source|id|version|sha256`, where the last field is the
            SHA-256 of the resource's jsonb text and exact text. It proves that a copy holds the same rows. None if the
            rows hold no resources.
    """

    table: str
    rows: int
    sha256: str | None = None


class Counted(Frozen):
    """A number of rows of a table and type. The type is empty where rows were not counted by type."""

    table: str
    type: str
    rows: int


class Erasure(Frozen):
    """The receipt.

    Args:
        document: a hash of the document.
        database_role: the role that erased, as `session_user`, with `current_user` if that is another one.
        pyhce: the release.
        record: the rows under the document, by table, with former versions and staged rows.
        elsewhere: rows about the patient that were not under the document.
        masked: rows of others whose references to the patient are masked, former versions included.
        kept: Binary and Bundle resources that stay because other records use them too.
        corrections: corrections that led to this document; they are deleted.
        left: rows that the search afterwards found and that should have been erased.
        mentions: rows of others that contain an identifier of the patient as plain text; they are unchanged.
        tables_searched: tables that were read completely.
        vacuumed: tables from which VACUUM removed the dead rows.
        beyond_reach: what no erasure reaches.
        receipt: the file of the receipt.
        retention: the date of the last care, and until when the record must be kept.
    """

    outcome: Outcome
    document: DocumentHash
    reason: str
    started_at: str
    erased_at: str | None = None
    database_role: str
    database: str
    pyhce: str
    record: tuple[Erased, ...] = ()
    elsewhere: tuple[Erased, ...] = ()
    masked: tuple[Counted, ...] = ()
    kept: int = 0
    corrections: int = 0
    left: tuple[Counted, ...] = ()
    mentions: tuple[Counted, ...] = ()
    tables_searched: int = 0
    vacuumed: tuple[str, ...] = ()
    beyond_reach: tuple[str, ...] = BEYOND_REACH
    receipt: str | None = None
    retention: Retention | None = None
    seconds: float = 0.0

    @property
    def rows(self) -> int:
        """Rows that were erased, or that would be."""
        return sum(table.rows for table in (*self.record, *self.elsewhere))

    @property
    def exit_code(self) -> int:
        """0 if everything was erased or it was a dry run, else 1."""
        return 0 if self.outcome in {Outcome.ERASED, Outcome.DRY_RUN} else 1


def digest(lines: Iterable[str]) -> str:
    """Return the hash of a table's erased rows, in hex."""
    total = hashlib.sha256()
    for line in sorted(lines, key=str.encode):
        total.update(line.encode() + b"\n")
    return total.hexdigest()


def refuse_existing_receipt(path: Path) -> None:
    """Check that a receipt can be written.

    Raises:
        UsageError: the file exists, or its folder cannot be written to.
    """
    if path.exists():
        raise UsageError(f"{path} already exists", remedy="Give a new file: a receipt never overwrites a file.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(
            f"the folder {path.parent} cannot be written to", remedy="Give --receipt FILE in a writable folder."
        )


def write_receipt(path: Path, receipt: Erasure) -> None:
    """Write a receipt atomically, with mode 0600, and sync it to disk."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            out.write(receipt.model_dump_json(indent=1) + "\n")
            out.flush()
            os.fsync(out.fileno())
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)
