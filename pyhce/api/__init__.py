"""Every command as a function that returns a report. `pyhce` exports the public ones.

The functions combine the packages below: `deploy`, `local` and `records`, which do not import each other, and `verify`.
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
    repair_identities,
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
    environment_on_kubernetes,
    forwarded_environment,
    generate_values,
    install,
    kubeconfig_context,
    read_chart_values,
    up_on_kubernetes,
    upgrade,
)
from pyhce.api.ledger import ledger
from pyhce.api.roles import RoleReport, RolesReport, add_role, drop_role, list_roles, rotate_role
from pyhce.api.standbys import pause, reinit, switchover
from pyhce.api.writers import connect, connect_async
from pyhce.deploy import Deployment
from pyhce.deploy.chart import merge_values, nested_value
from pyhce.errors import HceError, UsageError

__all__ = [
    "KIND",
    "Deployment",
    "HceError",
    "KubernetesReport",
    "RoleReport",
    "RolesReport",
    "UpReport",
    "UsageError",
    "add_role",
    "check_export",
    "connect",
    "connect_async",
    "delete",
    "down",
    "drop_role",
    "environment",
    "environment_on_kubernetes",
    "erase",
    "export",
    "forwarded_environment",
    "generate_docs",
    "generate_sql",
    "generate_values",
    "install",
    "kubeconfig_context",
    "ledger",
    "list_roles",
    "load",
    "merge",
    "merge_values",
    "nested_value",
    "patient",
    "pause",
    "read_chart_values",
    "register",
    "reinit",
    "rekey",
    "repair_identities",
    "resolve_dsn",
    "retention",
    "rotate_role",
    "split",
    "status",
    "switchover",
    "up",
    "up_on_kubernetes",
    "upgrade",
    "verify",
]
