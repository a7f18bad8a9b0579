"""Compare the declaration with the frozen migrations.

Databases already have the objects of a frozen migration, so a change of the declaration alone would not reach them.
Every change must have the number of the migration that makes it: in `since` of a table, a column, an index, a helper, a
save function or a `Label`; for privileges in a case of `pyhce.schema.roles.grants`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pyhce.errors import DeclarationError
from pyhce.schema.frozen import FROZEN, frozen_text, statements
from pyhce.schema.model import Schema
from pyhce.schema.render import declared_sql

_CREATED = re.compile(r"CREATE (?:OR REPLACE )?(?:TABLE|INDEX|FUNCTION)(?: IF NOT EXISTS)? ([a-z0-9_.]+)")
_UNDECLARED = frozenset({"hce.migracion"})
"""Objects that a frozen migration creates and the declaration does not have."""


def check_frozen(schema: Schema) -> None:
    """Refuse a declaration that changes an object of a frozen migration.

    Raises:
        DeclarationError: with one line for each such object.
    """
    found = [problem for number in FROZEN for problem in _differences(schema, number)]
    if found:
        raise DeclarationError(
            "\n".join(found),
            remedy="Databases already have it: undo the change, and declare the new state with since= and the number "
            "of the next migration. A changed helper needs a new name; a changed label is Label(…, since=).",
        )


def _differences(schema: Schema, number: int) -> Iterator[str]:
    frozen = statements(frozen_text(number))
    declared = statements(declared_sql(schema, number))
    later = {
        _created(statement)
        for other in range(number + 1, schema.version + 1)
        for statement in statements(declared_sql(schema, other))
    }
    for statement in declared:
        if statement not in frozen:
            yield f"frozen migration {number} lacks the declared statement: {' '.join(statement.split())[:90]}"
    names = {_created(statement) for statement in declared}
    for statement in frozen:
        name = _created(statement)
        if name is None or name in names or name in _UNDECLARED:
            continue
        if name not in later:
            yield f"frozen migration {number} has {name}, which is no longer declared"
        elif " VOLATILE " not in statement:
            yield f"{name} of frozen migration {number} is declared again: only a save function can be replaced"


def _created(statement: str) -> str | None:
    found = _CREATED.match(statement)
    return found[1] if found else None
