"""The receipt of an erasure: what went, what stayed, what nobody here can reach; never whose it was."""

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
    "files that were loaded and reject files (rejected.ndjson): loading them again brings the patient back",
    "exports, and what applications and people copied",
    "backups, WAL archives, replicas and snapshots made before; proven the same by `pyhce erase --dry-run` on them",
    "server logs and query statistics, where statements are logged with their values",
    "bytes on disk that VACUUM freed and nothing has overwritten yet, and what a longer transaction still sees",
    "names, addresses and narrative of the patient written as plain text in other people's resources",
    "resources of others that lead to an erased resource other than the Patient: they lead to nothing now",
)
"""What no erasure in the database reaches."""
_COST = {"n": 2**15, "r": 8, "p": 1, "maxmem": 64 * 1024 * 1024, "dklen": 32}


class Outcome(StrEnum):
    """How an erasure ended."""

    DRY_RUN = "dry run"
    """Nothing was changed."""
    COMMITTING = "committing"
    """Written before the COMMIT; if it still says so, `pyhce patient DOCUMENTO` tells whether that came to pass."""
    NOT_CHECKED = "erased, not checked"
    ERASED = "erased"
    """Erased, and nothing was found anywhere."""
    MENTIONED = "erased, mentioned"
    """Erased, but rows of others hold an identifier of the patient as plain text: a person must look at them."""
    LEFT = "left"
    """Something was found that should have gone."""


class DocumentHash(Frozen):
    """A document as a slow salted hash: a receipt can be matched with a document, but not searched for it."""

    algorithm: str = "scrypt n=32768 r=8 p=1"
    salt: str
    hash: str

    @classmethod
    def of(cls, document: str, salt: str | None = None) -> DocumentHash:
        """The hash of a document; some 100 ms, on purpose."""
        grain = salt or secrets.token_hex(16)
        made = hashlib.scrypt(document.encode(), salt=bytes.fromhex(grain), **_COST)
        return cls(salt=grain, hash=made.hex())

    def matches(self, document: str) -> bool:
        """Whether it is the hash of this document."""
        return secrets.compare_digest(DocumentHash.of(check_document(document, "DOCUMENTO"), self.salt).hash, self.hash)


class Erased(Frozen):
    """Rows that went from a table.

    Args:
        sha256: over the rows' lines in their order: `type|source|id|version|sha256 of the resource's jsonb text and of
            the exact text beside it`, so that a copy can be proven the same. None where rows hold no resource.
    """

    table: str
    rows: int
    sha256: str | None = None


class Counted(Frozen):
    """Rows of others, counted."""

    table: str
    type: str
    rows: int


class Erasure(Frozen):
    """The receipt.

    Args:
        database_role: who did it, as the database knows them.
        record: what was under the document, by table, histories and staged rows included.
        elsewhere: rows that were about the patient without being under the document.
        masked: rows of others that referred to the patient; the references are gone, in former versions too.
        kept: Binary and Bundle that the record led to and that others lead to as well.
        corrections: former documents that led to this one.
        retention: the date of the last care, and how long the law has the record kept.
        left: what the check found that should have gone.
        mentions: rows of others that hold an identifier of the patient as plain text; they are as they were.
        tables_searched: how many tables the check read whole.
        vacuumed: tables from which the dead rows were removed.
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
        """Rows erased, or to be erased."""
        return sum(table.rows for table in (*self.record, *self.elsewhere))

    @property
    def exit_code(self) -> int:
        """1 unless everything is gone, or nothing was asked to go."""
        return 0 if self.outcome in {Outcome.ERASED, Outcome.DRY_RUN} else 1


def digest(lines: Iterable[str]) -> str:
    """The hash of a table's erased rows."""
    total = hashlib.sha256()
    for line in sorted(lines, key=str.encode):
        total.update(line.encode() + b"\n")
    return total.hexdigest()


def refuse_existing_receipt(path: Path) -> None:
    """Refuse a receipt that could not be written afterwards.

    Raises:
        UsageError: there is a file, or no folder that can be written to.
    """
    if path.exists():
        raise UsageError(f"{path} is there already", remedy="Give a new file: a receipt never overwrites another.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(
            f"{path.parent} is no folder that can be written to", remedy="Give --receipt FILE in one that can."
        )


def write_receipt(path: Path, receipt: Erasure) -> None:
    """Write a receipt whole or not at all, for its owner's eyes only, and see it on disk."""
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
