"""Settings that keep patients' documents out of the server's log.

Our statements pass documents as bound parameters. A log of slow statements therefore contains "documento_id = $1" and
no value, as long as the server does not log parameters. Citus is different: it sends workers its own statement, in
which the parameter of a query on one shard is a literal (citus_custom_scan.c,
ExecuteMasterEvaluableFunctionsAndParameters). So workers log no statements; the coordinator still logs slow ones.

One case remains. hce.asignacion is a reference table, and within a transaction Citus may change its copy on the
coordinator by such a statement. A site whose coordinator logs every statement has the documents of a rekey or a merge
in its log.

The settings belong to the database (ALTER DATABASE … SET) and take precedence over postgresql.conf. Citus does not
propagate them, so they are set on each node.
"""

from __future__ import annotations

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.citus.connection import has_citus, rows, scalar

EVERYWHERE = {
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}
"""Settings of every node: no DETAIL (it shows the values of a key), no statement with an error, no parameters."""
ON_WORKERS = {
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_transaction_sample_rate": "0",
    "auto_explain.log_min_duration": "-1",
}
"""Additional settings of workers: no statements, because they contain literals."""

_CURRENT = """
    SELECT coalesce(r.rolname, ''), split_part(setting, '=', 1), substr(setting, strpos(setting, '=') + 1)
    FROM pg_db_role_setting AS s
    CROSS JOIN LATERAL unnest(s.setconfig) AS setting
    LEFT JOIN pg_roles AS r ON r.oid = s.setrole
    WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
        AND (s.setrole <> 0 OR s.setdatabase <> 0)"""


def required_settings(node: Connection[TupleRow]) -> dict[str, str]:
    """The settings that the database must have on this node, by name."""
    worker = has_citus(node) and bool(scalar(node, "SELECT groupid FROM pg_dist_local_group"))
    return {**EVERYWHERE, **(ON_WORKERS if worker else {})}


def apply_log_settings(node: Connection[TupleRow]) -> bool:
    """Set the required settings on a node. Open sessions keep their old settings.

    Returns:
        Whether anything was changed.
    """
    current = {name: value for role, name, value in rows(node, _CURRENT) if not role}
    missing = {name: value for name, value in required_settings(node).items() if current.get(name) != value}
    if not missing:
        return False
    database = sql.Identifier(scalar(node, "SELECT current_database()"))
    with node.transaction():
        if has_citus(node):
            node.execute("SET LOCAL citus.enable_ddl_propagation TO off")
        for name, value in missing.items():
            node.execute(
                sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                    database, sql.SQL(".").join(map(sql.Identifier, name.split("."))), sql.Literal(value)
                )
            )
    return True


def log_setting_problems(node: Connection[TupleRow]) -> list[str]:
    """One sentence for each setting of a node that could let a document into the log."""
    current = rows(node, _CURRENT)
    of_database = {name: value for role, name, value in current if not role}
    expected = required_settings(node)
    return [
        *(
            f"{name} is not {value} for the database"
            for name, value in expected.items()
            if of_database.get(name) != value
        ),
        *(f"role {role} overrides {name}" for role, name, _ in current if role and name in expected),
    ]
