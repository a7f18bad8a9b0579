"""Frozen migrations: their text is a committed file, the same for every database.

A migration is rendered from the declaration until it is frozen with the release that ships it. From then on its text is
a file in `pyhce/schema/migrations/`, which no change of the declaration changes. The declaration of the objects that a
frozen migration creates must still agree with that text; `pyhce/schema/frozen_check.py` compares the two.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib.resources import files

from pyhce.errors import DeclarationError

NAMES = {1: "initial"}
"""The names of migrations; the default is `expand`."""

FROZEN = {
    1: "da135df2a1948cabed48297e55fd0e3d683b93d629f918f7716b8c1a8664c7f0",
    2: "122e9f1701bb04f2bf4db99b2cd7968af32ddd58864d1c3c7cecc4cce78609e2",
}
"""The frozen migrations, each with the SHA-256 of its text in hexadecimal; `hce.migracion` has the same."""

_STATEMENT = re.compile(r"(?:\$\$.*?\$\$|'(?:[^']|'')*'|[^;$'])+;", re.DOTALL)


def migration_name(number: int) -> str:
    """The name of a migration."""
    return NAMES.get(number, "expand")


def migration_file(number: int) -> str:
    """The name of a frozen migration's file in `pyhce/schema/migrations/`."""
    return f"{number:04}-{migration_name(number)}.sql"


@cache
def frozen_text(number: int) -> str:
    """The SQL text of a frozen migration.

    Raises:
        DeclarationError: the file has changed since the migration was frozen.
    """
    text = files("pyhce.schema").joinpath("migrations", migration_file(number)).read_text(encoding="utf-8")
    if fingerprint(text) != FROZEN[number]:
        raise DeclarationError(
            f"migration {number} was changed after it was frozen: pyhce/schema/migrations/{migration_file(number)} "
            f"has the fingerprint {fingerprint(text)[:12]}…, databases have {FROZEN[number][:12]}…",
            remedy=f"Restore the file: git checkout -- pyhce/schema/migrations/{migration_file(number)}. A change of "
            "the schema is a new migration: docs/contributing/migration.md.",
        )
    return text


def fingerprint(text: str) -> str:
    """The SHA-256 of a migration's text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def statements(text: str) -> tuple[str, ...]:
    """The statements of an SQL text that the template rendered, without surrounding white space."""
    return tuple(statement.strip() for statement in _STATEMENT.findall(text))
