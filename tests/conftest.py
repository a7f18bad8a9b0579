"""What all tiers share: real servers, made once a session in folders of their own."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
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
"""Enough that a patient's are some of several on each worker; a cluster of 32 is tested on Kubernetes."""


settings.register_profile("pyhce", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("pyhce")  # a busy machine is no reason to fail


def free_port(count: int = 4) -> int:
    """The first of `count` free ports in a row."""
    first = 10000 + os.getpid() % 1000 * 20  # twenty for each process, below those that the kernel gives to clients
    for port in range(first, 32768, count):
        try:
            for offset in range(count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port + offset))
        except OSError:
            continue
        return port
    raise AssertionError("no free port")


@contextmanager
def server_folder() -> Iterator[Path]:
    """A folder that the server's account can reach, unlike pytest's own."""
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
    """A place for a server of one test's own."""
    with server_folder() as folder:
        yield folder


@pytest.fixture
def port() -> int:
    """The first of four free ports."""
    return free_port()


@contextmanager
def registered_database(engine: local.Engine, workers: int, schema: Schema = SCHEMA) -> Iterator[TestDatabase]:
    """A registered database."""
    with server_folder() as folder:
        cluster = local.start(folder, engine=engine, workers=workers, port=free_port())
        register(
            local.dsn(cluster),
            schema=schema,
            workers=[Node(host=n.host, port=n.port) for n in cluster.workers],
            passwords=local.passwords(folder),
            shard_count=SHARDS,
        )
        made = TestDatabase(folder=folder, dsn=local.dsn(cluster), conn=connect(local.dsn(cluster)))
        try:
            yield made
        finally:
            made.conn.close()  # perhaps another one than at first: tests restart the server


@pytest.fixture(scope="session")
def embedded_engine() -> local.Engine:
    """The PostgreSQL of the wheel."""
    try:
        return local.find_engine(citus=False)
    except HceError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def citus_engine() -> local.Engine:
    """The PostgreSQL with Citus of this machine."""
    try:
        return local.find_engine(citus=True)
    except HceError as error:
        pytest.skip(str(error))
