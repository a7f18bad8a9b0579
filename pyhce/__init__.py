"""hce-citus: an electronic health record database on PostgreSQL and Citus."""

# By name: `pyhce.verify` is the function, and `pyhce.verify.model` still a module.
from pyhce import sample
from pyhce.api import (
    Deployment,
    HceError,
    UsageError,
    connect,
    connect_async,
    delete,
    down,
    environment,
    export,
    load,
    merge,
    patient,
    register,
    rekey,
    status,
    up,
    verify,
)
from pyhce.version import __version__

__all__ = [
    "Deployment",
    "HceError",
    "UsageError",
    "__version__",
    "connect",
    "connect_async",
    "delete",
    "down",
    "environment",
    "export",
    "load",
    "merge",
    "patient",
    "register",
    "rekey",
    "sample",
    "status",
    "up",
    "verify",
]
