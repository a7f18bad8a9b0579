"""Waiting for a node that does not answer: the error names it, and the log shows the wait without the password."""

from __future__ import annotations

import logging

import pytest

from pyhce.citus.connection import wait_for_connection
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
