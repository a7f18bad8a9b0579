"""Frozen migrations: committed text, the same for every database that has had it.

A migration is rendered from the declaration until it is frozen. From then on its text is a file of
`pyhce/schema/migrations/`, and no change of the declaration reaches it: a label that is reworded, a helper that is
mended. What the declaration says about objects of a frozen migration must still agree with the text;
`pyhce/schema/frozen_check.py` compares them.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib.resources import files

from pyhce.errors import DeclarationError

NAMES = {1: "initial"}
"""What each migration is called; one without a name is `expand`."""

FROZEN = {
    1: "da135df2a1948cabed48297e55fd0e3d683b93d629f918f7716b8c1a8664c7f0",
    2: "122e9f1701bb04f2bf4db99b2cd7968af32ddd58864d1c3c7cecc4cce78609e2",
}
"""The frozen migrations: sha256 of each text, hexadecimal. It is noted in `hce.migracion` of every database."""

_STATEMENT = re.compile(r"(?:\$\$.*?\$\$|'(?:[^']|'')*'|[^;$'])+;", re.DOTALL)


def migration_name(number: int) -> str:
    """What a migration is called."""
    return NAMES.get(number, "expand")


def migration_file(number: int) -> str:
    """The file of a frozen migration in `pyhce/schema/migrations/`."""
    return f"{number:04}-{migration_name(number)}.sql"


@cache
def frozen_text(number: int) -> str:
    """The statements of a frozen migration.

    Raises:
        DeclarationError: the file is not the one that was frozen.
    """
    text = files("pyhce.schema").joinpath("migrations", migration_file(number)).read_text(encoding="utf-8")
    if fingerprint(text) != FROZEN[number]:
        raise DeclarationError(
            f"migration {number} was changed after it was frozen: pyhce/schema/migrations/{migration_file(number)} "
            f"has the fingerprint {fingerprint(text)[:12]}…, databases have {FROZEN[number][:12]}…",
            remedy="Restore the file; a change of the schema is a new migration (CONTRIBUTING.md, Migrations).",
        )
    return text


def fingerprint(text: str) -> str:
    """The sha256 of a migration's text, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def statements(text: str) -> tuple[str, ...]:
    """The statements of a text that was rendered here, each without what surrounds it."""
    return tuple(statement.strip() for statement in _STATEMENT.findall(text))
