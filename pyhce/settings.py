"""Names and defaults that users' scripts rely on. They never change."""

from __future__ import annotations

from typing import Final

DATABASE: Final = "hce_distribuida"
NODE_PORT: Final = 30007
COORDINATOR_POD: Final = "citus-coordinator-0.citus-nodes."
"""The beginning of the coordinator's name in Citus, in an installation of the chart without standbys."""
SUPERUSER: Final = "postgres"
OWNER_ROLE: Final = "hce_owner"
APP_ROLE: Final = "hce_app"
WRITER_ROLE: Final = "hce_writer"
READONLY_ROLE: Final = "hce_readonly"
LOGIN_ROLES: Final = (SUPERUSER, APP_ROLE, READONLY_ROLE)
DEFAULT_TIME_ZONE: Final = "America/Bogota"
DEFAULT_SHARD_COUNT: Final = 32
DEFAULT_WORKERS: Final = 2
