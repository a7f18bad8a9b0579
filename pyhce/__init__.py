"""hce-citus: an electronic health record database on PostgreSQL and Citus."""

# By name: `pyhce.verify` is the function, and `pyhce.verify.model` still a module.
from pyhce import sample
from pyhce.api import (
    Deployment,
    HceError,
    UsageError,
    check_export,
    connect,
    connect_async,
    delete,
    down,
    environment,
    erase,
    export,
    load,
    merge,
    patient,
    register,
    rekey,
    retention,
    split,
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
    "check_export",
    "connect",
    "connect_async",
    "delete",
    "down",
    "environment",
    "erase",
    "export",
    "load",
    "merge",
    "patient",
    "register",
    "rekey",
    "retention",
    "sample",
    "split",
    "status",
    "up",
    "verify",
]
