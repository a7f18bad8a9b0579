"""What users import: every verb of the command line, as a function that returns a report.

Each composes the parts below it; this is the only place where they meet.
"""

from pyhce.api.database import (
    UpReport,
    check_export,
    delete,
    down,
    environment,
    erase,
    export,
    generate_docs,
    generate_sql,
    load,
    merge,
    patient,
    register,
    rekey,
    resolve_dsn,
    retention,
    split,
    status,
    up,
    verify,
)
from pyhce.api.kubernetes import (
    KIND,
    KubernetesReport,
    context_of,
    environment_on,
    generate_values,
    install,
    reaching_environment,
    read_given,
    up_on,
    upgrade,
)
from pyhce.api.writing import connect, connect_async
from pyhce.deploy import Deployment
from pyhce.deploy.chart import merged, nested
from pyhce.errors import HceError, UsageError

__all__ = [
    "KIND",
    "Deployment",
    "HceError",
    "KubernetesReport",
    "UpReport",
    "UsageError",
    "check_export",
    "connect",
    "connect_async",
    "context_of",
    "delete",
    "down",
    "environment",
    "environment_on",
    "erase",
    "export",
    "generate_docs",
    "generate_sql",
    "generate_values",
    "install",
    "load",
    "merge",
    "merged",
    "nested",
    "patient",
    "reaching_environment",
    "read_given",
    "register",
    "rekey",
    "resolve_dsn",
    "retention",
    "split",
    "status",
    "up",
    "up_on",
    "upgrade",
    "verify",
]
