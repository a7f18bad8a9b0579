"""PostgreSQL servers on this machine, without Docker or Kubernetes."""

from pyhce.local.cluster import (
    DeleteReport,
    FolderContents,
    LocalCluster,
    LocalNode,
    LocalStatus,
    StopReport,
    contents,
    delete,
    dsn,
    engine_for,
    environment,
    psql_program,
    start,
    status,
    stop,
)
from pyhce.local.engine import Engine, find_engine
from pyhce.local.folder import default_folder, passwords, write_private
from pyhce.local.standbys import read_ha

__all__ = [
    "DeleteReport",
    "Engine",
    "FolderContents",
    "LocalCluster",
    "LocalNode",
    "LocalStatus",
    "StopReport",
    "contents",
    "default_folder",
    "delete",
    "dsn",
    "engine_for",
    "environment",
    "find_engine",
    "passwords",
    "psql_program",
    "read_ha",
    "start",
    "status",
    "stop",
    "write_private",
]
