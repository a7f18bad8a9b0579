"""Connections: waiting for a node that does not answer, network settings, errors of a lost node."""

from __future__ import annotations

import logging

import psycopg
import pytest
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from pyhce.citus import failover
from pyhce.citus.connection import complete_dsn, wait_for_connection
from pyhce.citus.server_errors import is_node_lost
from pyhce.errors import ConnectionFailed
from tests.conftest import free_port


def test_a_wait_for_a_node_is_logged_once_as_a_warning_and_never_with_the_password(
    caplog: pytest.LogCaptureFixture,
) -> None:
    port, lines = free_port(), []
    caplog.set_level(logging.DEBUG, logger="pyhce")
    dsn = f"host=localhost port={port} user=postgres password=not-in-the-log"
    with pytest.raises(ConnectionFailed, match=f"could not connect to localhost:{port}/hce_distribuida: "):
        wait_for_connection(dsn, timeout=0.7, progress=lines.append)
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [record.name for record in warnings] == ["pyhce.citus.connection"]
    assert f"waiting up to 1 s for localhost:{port}/hce_distribuida: " in warnings[0].getMessage()
    assert len(lines) == 1
    assert "not-in-the-log" not in caplog.text + lines[0]


def test_a_dsn_gets_the_network_defaults_and_keeps_what_it_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGSERVICE", raising=False)
    monkeypatch.delenv("PGCONNECT_TIMEOUT", raising=False)
    completed = conninfo_to_dict(complete_dsn("host=db keepalives_idle=60 connect_timeout=3"))
    assert (completed["keepalives_idle"], completed["connect_timeout"]) == ("60", "3")
    assert (completed["keepalives_interval"], completed["tcp_user_timeout"]) == ("5", "25000")


def test_the_environment_and_a_connection_service_are_not_overridden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "2")
    assert "connect_timeout" not in conninfo_to_dict(complete_dsn("host=db"))
    assert "keepalives_idle" not in conninfo_to_dict(complete_dsn("service=hospital"))
    monkeypatch.setenv("PGSERVICE", "hospital")
    assert "tcp_user_timeout" not in conninfo_to_dict(complete_dsn("host=db"))


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (psycopg.OperationalError("the connection is closed"), True),
        (psycopg.InternalError("received 2 results from command 'COMMIT'"), True),
        (psycopg.InternalError("other"), False),
        (errors.AdminShutdown("terminating connection due to administrator command"), True),
        (errors.CannotConnectNow("the database system is starting up"), True),
        (errors.ReadOnlySqlTransaction("writing to worker nodes is not currently allowed"), True),
        (errors.ConnectionFailure("connection to the remote node postgres@w:5432 failed"), True),
        (errors.InternalError_("failure on connection marked as essential: w:5432"), True),
        (errors.InternalError_("postmaster was shut down, exiting"), True),
        (errors.IoError("failed to COPY to shard 102011 on w:5432"), True),
        (errors.InternalError_("unexpected data beyond EOF"), False),
        (errors.IoError("could not write block 7"), False),
        (errors.QueryCanceled("canceling statement due to statement timeout"), False),
        (errors.DeadlockDetected("deadlock detected"), False),
        (KeyError("x"), False),
    ],
)
def test_a_lost_node_is_told_from_other_errors(error: Exception, lost: bool) -> None:
    assert is_node_lost(error) is lost


def test_a_call_that_cuts_its_own_connection_again_and_again_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failover, "_PAUSE", 0.0)
    attempts: list[int] = []

    def crash() -> None:
        attempts.append(1)
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    with pytest.raises(psycopg.OperationalError):
        failover.call_through_failover(crash, before_repeat=lambda *_: None)
    assert len(attempts) == failover.CUTS + 1
