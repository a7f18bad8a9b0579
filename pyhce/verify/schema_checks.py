"""HCE02: tables, columns, distribution, keys, indexes, functions, migrations, roles and grants are as declared."""

from __future__ import annotations

from pyhce.citus.connection import rows, scalar
from pyhce.citus.data_steps import pending_data_steps
from pyhce.citus.distribute import colocation_table, refuse_wrong_distribution
from pyhce.citus.migrate import applied_migrations
from pyhce.citus.node_privileges import DATABASE_ROLES, OWNER_SCHEMAS
from pyhce.counted import counted
from pyhce.errors import HceError
from pyhce.schema.expression import sql_type
from pyhce.schema.model import Home, Table
from pyhce.schema.render import column_comment, index_name, migrations, table_comment
from pyhce.schema.roles import grants
from pyhce.settings import APP_ROLE, OWNER_ROLE, READONLY_ROLE, WRITER_ROLE
from pyhce.verify.context import Context, only_on_citus
from pyhce.verify.function_checks import helpers, writing
from pyhce.verify.model import Finding, FunctionCheck, ok_unless

GROUP = "schema"
_GRANTS = (
    "SELECT n.nspname || '.' || c.relname, coalesce(r.rolname, 'PUBLIC'), a.privilege_type"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a"
    " LEFT JOIN pg_roles r ON r.oid = a.grantee"
    " WHERE n.nspname IN ('public', 'hce') AND c.relkind = 'r' AND (a.grantee = 0 OR r.rolname = ANY(%s))"
)
_PUBLIC_CAN_CONNECT = (
    "SELECT EXISTS (SELECT 1 FROM pg_database d, aclexplode(coalesce(datacl, acldefault('d', datdba))) a"
    " WHERE datname = current_database() AND a.grantee = 0 AND a.privilege_type = 'CONNECT')"
)
_TYPES = {"timestamptz": "timestamp with time zone"}


def schema_version(context: Context) -> Finding:
    """Every migration of this release is applied, its data steps too, and no other."""
    stored = applied_migrations(context.conn)
    known = {m.number: m.fingerprint for m in migrations(context.schema)}
    problems = [f"migration {n} is missing" for n in known if n not in stored]
    problems += [f"migration {n} belongs to a newer release" for n in stored if n not in known]
    problems += [
        f"migration {n} differs from that of this release" for n in stored if n in known and known[n] != stored[n]
    ]
    if not problems:
        problems = [
            f"the data step {step.name!r} of migration {step.number} is not done"
            for step in pending_data_steps(context.conn, context.schema)
        ]
    return ok_unless(
        problems, f"schema {max(stored, default=0)}, {counted(len(stored), 'migration')} as in this release"
    )


def tables(context: Context) -> Finding:
    """Tables and columns are as declared: name, type, NOT NULL, generated or not."""
    stored: dict[str, dict[str, tuple[str, bool, bool]]] = {}
    for name, column, kind, required, generated in context.rows(
        "SELECT n.nspname || '.' || c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,"
        " a.attgenerated = 's' FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname IN ('public', 'hce') AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped"
    ):
        stored.setdefault(name, {})[column] = (kind, required, generated)
    problems = []
    for table in context.schema.tables:
        if table.qualified not in stored:
            problems.append(f"table {table.name} is missing")
            continue
        declared = _columns(table)
        existing = stored[table.qualified]
        problems += [f"{table.name}.{c} is missing" for c in declared if c not in existing]
        problems += [f"{table.name}.{c} is not declared" for c in existing if c not in declared]
        problems += [
            f"{table.name}.{c} is {_column_type(existing[c])}, declared {_column_type(declared[c])}"
            for c in declared
            if c in existing and existing[c] != declared[c]
        ]
    columns = sum(len(_columns(table)) for table in context.schema.tables)
    return ok_unless(problems, f"{len(context.schema.tables)} tables, {columns} columns")


def _columns(table: Table) -> dict[str, tuple[str, bool, bool]]:
    stored = {c.name: (_TYPES.get(c.sql_type, c.sql_type), c.required, False) for c in table.stored}
    return {**stored, **{c.name: (_TYPES.get(sql_type(c), sql_type(c)), False, True) for c in table.columns}}


def _column_type(column: tuple[str, bool, bool]) -> str:
    kind, required, generated = column
    return kind + (" NOT NULL" if required else "") + (" generated" if generated else "")


def distribution(context: Context) -> Finding:
    """Each table is distributed by the declared column, or is a reference table, as declared."""
    problems = [
        f"table {t.name} is not distributed" for t in context.schema.tables if t.qualified not in context.citus_tables
    ]
    try:
        refuse_wrong_distribution(context.schema, context.citus_tables)
    except HceError as error:
        problems.append(error.wrong)
    for table in context.schema.tables:
        citus_table = context.citus_tables.get(table.qualified)
        kind = "reference" if table.home is Home.REFERENCE else "distributed"
        if citus_table is not None and citus_table.kind != kind:
            problems.append(f"table {table.name} is {citus_table.kind}, declared {kind}")
    problems += _shards_not_colocated(context)
    counts = {home: sum(t.home is home for t in context.schema.tables) for home in Home}
    return ok_unless(
        problems,
        f"{counts[Home.PATIENT]} tables distributed by documento_id, {counts[Home.ID]} by id, "
        f"{counts[Home.REFERENCE]} reference tables",
    )


def _shards_not_colocated(context: Context) -> list[str]:
    """Tables with shards that have other hash ranges or nodes than those of the table they are co-located with."""
    nodes_by_range: dict[str, dict[tuple[str, str], int]] = {}
    for name, low, high, group in context.rows(
        "SELECT n.nspname || '.' || c.relname, s.shardminvalue, s.shardmaxvalue, p.groupid FROM pg_dist_shard s"
        " JOIN pg_dist_placement p USING (shardid) JOIN pg_class c ON c.oid = s.logicalrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE s.shardminvalue IS NOT NULL"
    ):
        nodes_by_range.setdefault(name, {})[low, high] = group
    problems = []
    for table in context.schema.tables:
        anchor = colocation_table(context.schema, table)
        shards, wanted = nodes_by_range.get(table.qualified, {}), nodes_by_range.get(anchor.qualified, {})
        if table.home is not Home.REFERENCE and shards and shards != wanted:
            of_all = counted(len(shards), "shard")
            apart = sum(wanted.get(hash_range) != group for hash_range, group in shards.items())
            problems.append(f"table {table.name}: {apart} of {of_all} not with those of {anchor.name}")
    return problems


def keys(context: Context) -> Finding:
    """Primary keys, and the foreign key of every patient table to its anchor, are as declared."""
    stored = {
        (name, kind): (columns, target, action)
        for name, kind, columns, target, action in context.rows(
            "SELECT n.nspname || '.' || c.relname, k.contype::text,"
            " (SELECT array_agg(a.attname::text ORDER BY o) FROM unnest(k.conkey) WITH ORDINALITY u (n, o)"
            "  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.n),"
            " (SELECT relname FROM pg_class WHERE oid = k.confrelid), k.confdeltype::text"
            " FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid"
            " JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname IN ('public', 'hce') AND k.contype IN ('p', 'f') AND k.convalidated"
        )
    }
    problems = []
    for table in context.schema.tables:
        primary = stored.get((table.qualified, "p"))
        if primary is None or tuple(primary[0]) != table.key:
            problems.append(f"{table.name} does not have the primary key ({', '.join(table.key)})")
        foreign = stored.get((table.qualified, "f"))
        if table.parent and (foreign is None or tuple(foreign) != (["documento_id"], table.parent, "c")):
            problems.append(f"{table.name} does not have the foreign key to {table.parent} with ON DELETE CASCADE")
    return ok_unless(problems, f"{len(context.schema.tables)} primary keys, and foreign keys to expediente as declared")


def indexes(context: Context) -> Finding:
    """Every declared index exists and is valid."""
    valid = dict(
        context.rows(
            "SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
            " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('public', 'hce')"
        )
    )
    wanted = [index_name(table, index) for table in context.schema.tables for index in table.indexes]
    problems = [f"index {name} is missing" for name in wanted if name not in valid]
    problems += [f"index {name} is invalid" for name in wanted if valid.get(name) is False]
    return ok_unless(problems, f"{len(wanted)} indexes")


def roles(context: Context) -> Finding:
    """Roles exist on every node with the right memberships, and the owner role owns the tables."""
    problems = []
    for address, conn in context.every_node():
        existing = {name for (name,) in rows(conn, "SELECT rolname FROM pg_roles")}
        missing = [role for role in DATABASE_ROLES if role not in existing]
        problems += [f"{address}: role {role} is missing" for role in missing]
        if missing:
            continue
        if not scalar(conn, "SELECT pg_has_role(%s, %s, 'MEMBER')", APP_ROLE, WRITER_ROLE):
            problems.append(f"{address}: {APP_ROLE} is not a member of {WRITER_ROLE}, so pyhce cannot write as it")
        if scalar(conn, "SELECT pg_has_role(%s, %s, 'USAGE')", APP_ROLE, WRITER_ROLE):
            problems.append(
                f"{address}: {APP_ROLE} inherits the privileges of {WRITER_ROLE}, so psql can change any row"
            )
    owners = dict(
        context.rows(
            "SELECT n.nspname || '.' || c.relname, pg_get_userbyid(c.relowner) FROM pg_class c"
            " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('public', 'hce') AND c.relkind = 'r'"
        )
    )
    problems += [
        f"{table.name} is owned by {owners[table.qualified]}, not by {OWNER_ROLE}"
        for table in context.schema.tables
        if owners.get(table.qualified, OWNER_ROLE) != OWNER_ROLE
    ]
    return ok_unless(problems, f"{OWNER_ROLE} owns every table; {', '.join(DATABASE_ROLES[1:])} exist")


def privileges(context: Context) -> Finding:
    """Grants on tables are as declared, no more and no less; CONNECT too, which Citus does not propagate to nodes."""
    wanted = {
        (table.qualified, role, privilege)
        for table in context.schema.tables
        for privileges, role in grants(table, context.schema.version)
        for privilege in privileges.split(", ")
    }
    problems = []
    for address, conn in context.every_node():
        granted = {tuple(row) for row in rows(conn, _GRANTS, [APP_ROLE, READONLY_ROLE, WRITER_ROLE])}
        declared = {key for key in wanted if key[0] in context.existing_tables}
        problems += [f"{address}: {role} lacks {what} on {name}" for name, role, what in sorted(declared - granted)]
        problems += [
            f"{address}: {role} has {what} on {name}, which is not declared"
            for name, role, what in sorted(granted - wanted)
            if name in {table.qualified for table in context.schema.tables}
        ]
        if scalar(conn, _PUBLIC_CAN_CONNECT):
            problems.append(f"{address}: anyone may connect to the database (PUBLIC)")
        for role in DATABASE_ROLES:
            if not scalar(conn, "SELECT has_database_privilege(%s, current_database(), 'CONNECT')", role):
                problems.append(f"{address}: {role} cannot connect to the database")
        for schema in OWNER_SCHEMAS:
            if not scalar(conn, "SELECT has_schema_privilege(%s, %s, 'CREATE')", OWNER_ROLE, schema):
                problems.append(
                    f"{address}: {OWNER_ROLE} has no CREATE privilege on schema {schema}, so shards cannot move here"
                )
    return ok_unless(problems, f"grants on {len(context.schema.tables)} tables as declared, CONNECT on every node")


def comments(context: Context) -> Finding:
    """Comments on the coordinator have the declared FHIR types, paths and labels."""
    stored = {
        (name, column): text
        for name, column, text in context.rows(
            "SELECT n.nspname || '.' || c.relname, coalesce(a.attname, ''), d.description FROM pg_description d"
            " JOIN pg_class c ON c.oid = d.objoid AND d.classoid = 'pg_class'::regclass"
            " JOIN pg_namespace n ON n.oid = c.relnamespace"
            " LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0"
            " WHERE n.nspname IN ('public', 'hce')"
        )
    }
    wanted = {(t.qualified, ""): table_comment(t) for t in context.schema.tables}
    wanted |= {(t.qualified, c.name): column_comment(t, c) for t in context.schema.tables for c in t.all_columns}
    problems = [
        f"{'.'.join(filter(None, key))} does not have the declared comment"
        for key, text in wanted.items()
        if stored.get(key) != text
    ]
    return ok_unless(problems, f"{len(wanted)} comments")


_REGISTER = "`pyhce register` creates what is missing. Undo changes that were made by hand."
CHECKS = (
    FunctionCheck("HCE0201", GROUP, "Every migration of this release is applied", "`pyhce register`", schema_version),
    FunctionCheck("HCE0202", GROUP, "Tables and columns are as declared", _REGISTER, tables),
    FunctionCheck(
        "HCE0203", GROUP, "Every table is distributed as declared", "`pyhce register`", only_on_citus(distribution)
    ),
    FunctionCheck("HCE0204", GROUP, "Primary and foreign keys are as declared", _REGISTER, keys),
    FunctionCheck(
        "HCE0205",
        GROUP,
        "Every declared index exists and is valid",
        "If it is invalid: `REINDEX INDEX NAME;`. If it is missing, run its CREATE INDEX statement of "
        "02-schema-fhir.sql, which `pyhce generate sql --to FOLDER` writes.",
        indexes,
    ),
    FunctionCheck("HCE0206", GROUP, "Every helper function exists and is IMMUTABLE on every node", _REGISTER, helpers),
    FunctionCheck("HCE0207", GROUP, "Every role exists, and hce_owner owns every table", _REGISTER, roles),
    FunctionCheck("HCE0208", GROUP, "Privileges are as declared on every node", _REGISTER, privileges),
    FunctionCheck(
        "HCE0209",
        GROUP,
        "Every table and column has its comment",
        "Run the COMMENT ON statements of 02-schema-fhir.sql, which `pyhce generate sql --to FOLDER` writes.",
        comments,
    ),
    FunctionCheck("HCE0210", GROUP, "The save functions exist and run on the node of their rows", _REGISTER, writing),
)
