"""hce-citus: an electronic health record database on PostgreSQL and Citus."""

import gc
import logging

_enabled = gc.isenabled()
gc.disable()  # imports create no garbage; looking for it would take a tenth of their time
try:
    # `pyhce.verify` is the function. `from pyhce.verify.model import …` still imports the module.
    from pyhce import sample
    from pyhce.api import (
        Deployment,
        HceError,
        UsageError,
        add_role,
        check_export,
        connect,
        connect_async,
        delete,
        down,
        drop_role,
        environment,
        erase,
        export,
        list_roles,
        load,
        merge,
        patient,
        register,
        reinit,
        rekey,
        repair_identities,
        retention,
        rotate_role,
        split,
        status,
        switchover,
        up,
        verify,
    )
    from pyhce.version import __version__
finally:
    if _enabled:
        gc.enable()

logging.getLogger("pyhce").addHandler(logging.NullHandler())  # an application decides what is shown

__all__ = [
    "Deployment",
    "HceError",
    "UsageError",
    "__version__",
    "add_role",
    "check_export",
    "connect",
    "connect_async",
    "delete",
    "down",
    "drop_role",
    "environment",
    "erase",
    "export",
    "list_roles",
    "load",
    "merge",
    "patient",
    "register",
    "reinit",
    "rekey",
    "repair_identities",
    "retention",
    "rotate_role",
    "sample",
    "split",
    "status",
    "switchover",
    "up",
    "verify",
]
