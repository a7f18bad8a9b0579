"""What the server's log may keep: never a patient's document, whatever a site switches on.

Statements of ours carry documents as bound parameters, so a log of slow statements holds "documento_id = $1" and no
value, as long as it does not write parameters. Citus is different: it sends workers a statement of its own, in which a
parameter of a query on one shard is a literal (its citus_custom_scan.c, ExecuteMasterEvaluableFunctionsAndParameters).
So workers log no statement at all; the coordinator goes on logging slow ones.

What is left: hce.asignacion is a reference table, and within a transaction Citus may change its copy at the coordinator
by such a statement too. A site whose coordinator logs every statement finds the documents of a rekey or a merge there.

The settings are the database's own (ALTER DATABASE … SET), which come before postgresql.conf; Citus does not carry them
from node to node.
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
"""On every node: no DETAIL (it names the values of a key), no statement beside an error, no parameter."""
ON_WORKERS = {
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_transaction_sample_rate": "0",
    "auto_explain.log_min_duration": "-1",
}
"""On workers, whose statements hold literals."""

_CURRENT = """
    SELECT coalesce(r.rolname, ''), split_part(setting, '=', 1), substr(setting, strpos(setting, '=') + 1)
    FROM pg_db_role_setting AS s
    CROSS JOIN LATERAL unnest(s.setconfig) AS setting
    LEFT JOIN pg_roles AS r ON r.oid = s.setrole
    WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
        AND (s.setrole <> 0 OR s.setdatabase <> 0)"""


def required_settings(node: Connection[TupleRow]) -> dict[str, str]:
    """The settings of the database on a node."""
    worker = has_citus(node) and bool(scalar(node, "SELECT groupid FROM pg_dist_local_group"))
    return {**EVERYWHERE, **(ON_WORKERS if worker else {})}


def apply_log_settings(node: Connection[TupleRow]) -> bool:
    """Set them on a node; whether that changed anything. Sessions that are open keep theirs."""
    held = {name: value for role, name, value in rows(node, _CURRENT) if not role}
    missing = {name: value for name, value in required_settings(node).items() if held.get(name) != value}
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
    """What on a node would let a document into the log, in words."""
    held = rows(node, _CURRENT)
    own = {name: value for role, name, value in held if not role}
    expected = required_settings(node)
    return [
        *(f"{name} is not {value} for the database" for name, value in expected.items() if own.get(name) != value),
        *(f"role {role} has a {name} of its own" for role, name, _ in held if role and name in expected),
    ]
