"""Freeze a migration: write its text to pyhce/schema/migrations/ and print the line for FROZEN.

    python tools/freeze_migration.py 2

Run it for the release that ships the migration. From then on every database has the same text.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pyhce.schema.declaration import SCHEMA
from pyhce.schema.frozen import FROZEN, migration_file
from pyhce.schema.render import migration

FOLDER = Path(__file__).parents[1] / "pyhce" / "schema" / "migrations"


def main() -> None:
    """Freeze the migration whose number is on the command line."""
    number = int(sys.argv[1])
    if number in FROZEN or number > SCHEMA.version:
        sys.exit(f"migration {number} is already frozen or not declared; the newest is {SCHEMA.version}")
    frozen = migration(SCHEMA, number)
    (FOLDER / migration_file(number)).write_text(frozen.body, encoding="utf-8", newline="\n")
    print(f'Add to FROZEN in pyhce/schema/frozen.py:\n    {number}: "{frozen.fingerprint}",')


if __name__ == "__main__":
    main()
