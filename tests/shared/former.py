"""The release before migration 2, run as a separate program: it makes databases that are then upgraded."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from psycopg.conninfo import make_conninfo

from pyhce import local
from pyhce.citus.connection import connect
from tests.conftest import SHARDS, free_port, server_folder
from tests.shared.database import TestDatabase

ROOT = Path(__file__).parents[2]
COMMIT = "bced138"
"""The last commit that makes databases at migration 1."""


@cache
def former_release() -> Path:
    """Extract the former package to a folder; skip the test if the repository has no history."""
    folder = Path(mkdtemp(prefix="pyhce-former-"))
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", COMMIT, "pyhce"], capture_output=True)
    if archive.returncode:
        pytest.skip(f"commit {COMMIT} is not in this copy of the repository: {archive.stderr.decode().strip()}")
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder


def command(*arguments: str) -> list[str]:
    """Return a command line of the former release."""
    return [sys.executable, "-m", "pyhce", *arguments]


def environment() -> dict[str, str]:
    """Return the environment with which Python imports the former release."""
    folder = former_release()
    return {**os.environ, "PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}


def former(*arguments: str, fails: bool = False) -> str:
    """Run a command of the former release; return what it printed."""
    done = subprocess.run(command(*arguments), env=environment(), capture_output=True, text=True)
    assert (done.returncode != 0) is fails, done.stdout + done.stderr
    return done.stdout + done.stderr


def unnamed(dsn: str) -> str:
    """Return a DSN with another application_name, because an upgrade ends the sessions of the former release."""
    return make_conninfo(dsn, application_name="tests")


@contextmanager
def former_database(engine: local.Engine, workers: int) -> Iterator[TestDatabase]:
    """Make a database that the former release registered."""
    former_release()
    with server_folder() as folder:
        cluster = local.start(folder, engine=engine, workers=workers, port=free_port())
        dsn = local.dsn(cluster)
        nodes = [part for node in cluster.workers for part in ("--worker", f"{node.host}:{node.port}")]
        former("register", "--dsn", dsn, "--shards", str(SHARDS), *nodes)
        with connect(unnamed(dsn)) as conn:
            yield TestDatabase(folder=folder, dsn=dsn, conn=conn)
