"""02: the schema is the declaration's: tables, columns, homes, keys, indexes, helpers, migrations, roles, grants."""

from __future__ import annotations

from pyhce.citus.connection import rows, scalar
from pyhce.citus.data_steps import pending_data_steps
from pyhce.citus.distribute import colocation_table, refuse_wrong_distribution
from pyhce.citus.migrate import applied_migrations
from pyhce.citus.node_privileges import DATABASE_ROLES, OWNER_SCHEMAS
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
_OPEN = (
    "SELECT EXISTS (SELECT 1 FROM pg_database d, aclexplode(coalesce(datacl, acldefault('d', datdba))) a"
    " WHERE datname = current_database() AND a.grantee = 0 AND a.privilege_type = 'CONNECT')"
)
_TYPES = {"timestamptz": "timestamp with time zone"}


def schema_version(context: Context) -> Finding:
    """Every migration is there, as this release has it, and stored rows are as it says."""
    had = applied_migrations(context.conn)
    known = {m.number: m.fingerprint for m in migrations(context.schema)}
    problems = [f"migration {n} is missing" for n in known if n not in had]
    problems += [f"migration {n} is of a newer release" for n in had if n not in known]
    problems += [f"migration {n} is of another build" for n in had if n in known and known[n] != had[n]]
    if not problems:
        problems = [
            f"stored rows are not yet what migration {step.number} says: {step.name}"
            for step in pending_data_steps(context.conn, context.schema)
        ]
    return ok_unless(problems, f"schema {max(had, default=0)}, {len(had)} migrations as declared")


def tables(context: Context) -> Finding:
    """Tables and columns: name, type, whether required, whether generated."""
    held: dict[str, dict[str, tuple[str, bool, bool]]] = {}
    for name, column, kind, required, generated in context.rows(
        "SELECT n.nspname || '.' || c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,"
        " a.attgenerated = 's' FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname IN ('public', 'hce') AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped"
    ):
        held.setdefault(name, {})[column] = (kind, required, generated)
    problems = []
    for table in context.schema.tables:
        if table.qualified not in held:
            problems.append(f"table {table.name} is missing")
            continue
        wanted = _columns(table)
        there = held[table.qualified]
        problems += [f"{table.name}.{c} is missing" for c in wanted if c not in there]
        problems += [f"{table.name}.{c} is not declared" for c in there if c not in wanted]
        problems += [
            f"{table.name}.{c} is {_told(there[c])}, declared {_told(wanted[c])}"
            for c in wanted
            if c in there and there[c] != wanted[c]
        ]
    columns = sum(len(_columns(table)) for table in context.schema.tables)
    return ok_unless(problems, f"{len(context.schema.tables)} tables, {columns} columns")


def _columns(table: Table) -> dict[str, tuple[str, bool, bool]]:
    stored = {c.name: (_TYPES.get(c.sql_type, c.sql_type), c.required, False) for c in table.stored}
    return {**stored, **{c.name: (_TYPES.get(sql_type(c), sql_type(c)), False, True) for c in table.columns}}


def _told(column: tuple[str, bool, bool]) -> str:
    kind, required, generated = column
    return kind + (" NOT NULL" if required else "") + (" generated" if generated else "")


def homes(context: Context) -> Finding:
    """Each table where the declaration says."""
    problems = [
        f"table {t.name} is not distributed"
        for t in context.schema.tables
        if t.qualified not in context.table_placements
    ]
    try:
        refuse_wrong_distribution(context.schema, context.table_placements)
    except HceError as error:
        problems.append(error.wrong)
    for table in context.schema.tables:
        held = context.table_placements.get(table.qualified)
        kind = "reference" if table.home is Home.REFERENCE else "distributed"
        if held is not None and held.kind != kind:
            problems.append(f"table {table.name} is {held.kind}, declared {kind}")
    problems += _apart(context)
    counts = {home: sum(t.home is home for t in context.schema.tables) for home in Home}
    return ok_unless(
        problems,
        f"{counts[Home.PATIENT]} tables by documento_id, {counts[Home.ID]} by id, {counts[Home.REFERENCE]} reference",
    )


def _apart(context: Context) -> list[str]:
    """Tables whose shards are not cut, or do not lie, as those of the table that they are co-located with."""
    lies: dict[str, dict[tuple[str, str], int]] = {}
    for name, low, high, group in context.rows(
        "SELECT n.nspname || '.' || c.relname, s.shardminvalue, s.shardmaxvalue, p.groupid FROM pg_dist_shard s"
        " JOIN pg_dist_placement p USING (shardid) JOIN pg_class c ON c.oid = s.logicalrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE s.shardminvalue IS NOT NULL"
    ):
        lies.setdefault(name, {})[low, high] = group
    problems = []
    for table in context.schema.tables:
        anchor = colocation_table(context.schema, table)
        held, wanted = lies.get(table.qualified, {}), lies.get(anchor.qualified, {})
        if table.home is not Home.REFERENCE and held and held != wanted:
            apart = sum(wanted.get(part) != group for part, group in held.items())
            problems.append(f"table {table.name}: {apart} of {len(held)} shards do not lie with those of {anchor.name}")
    return problems


def keys(context: Context) -> Finding:
    """Primary keys, and the one foreign key of every patient table."""
    held = {
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
        primary = held.get((table.qualified, "p"))
        if primary is None or tuple(primary[0]) != table.key:
            problems.append(f"{table.name} has not the primary key ({', '.join(table.key)})")
        foreign = held.get((table.qualified, "f"))
        if table.parent and (foreign is None or tuple(foreign) != (["documento_id"], table.parent, "c")):
            problems.append(f"{table.name} has no foreign key to {table.parent} with ON DELETE CASCADE")
    return ok_unless(
        problems, f"{len(context.schema.tables)} primary keys, and a foreign key to expediente where declared"
    )


def indexes(context: Context) -> Finding:
    """Indexes by name, valid."""
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
    """Roles on every node, and who owns the tables."""
    problems = []
    for place, conn in context.every_node():
        there = {name for (name,) in rows(conn, "SELECT rolname FROM pg_roles")}
        missing = [role for role in DATABASE_ROLES if role not in there]
        problems += [f"{place}: role {role} is missing" for role in missing]
        if missing:
            continue
        if not scalar(conn, "SELECT pg_has_role(%s, %s, 'MEMBER')", APP_ROLE, WRITER_ROLE):
            problems.append(f"{place}: {APP_ROLE} is no member of {WRITER_ROLE}, so pyhce cannot write as it")
        if scalar(conn, "SELECT pg_has_role(%s, %s, 'USAGE')", APP_ROLE, WRITER_ROLE):
            problems.append(f"{place}: {APP_ROLE} inherits the rights of {WRITER_ROLE}: psql may change any row")
    owners = dict(
        context.rows(
            "SELECT n.nspname || '.' || c.relname, pg_get_userbyid(c.relowner) FROM pg_class c"
            " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('public', 'hce') AND c.relkind = 'r'"
        )
    )
    problems += [
        f"{table.name} belongs to {owners[table.qualified]}, not to {OWNER_ROLE}"
        for table in context.schema.tables
        if owners.get(table.qualified, OWNER_ROLE) != OWNER_ROLE
    ]
    return ok_unless(problems, f"{OWNER_ROLE} owns every table; {', '.join(DATABASE_ROLES[1:])} are there")


def privileges(context: Context) -> Finding:
    """Grants on tables as declared, no more and no less, and CONNECT on every node, which Citus does not carry."""
    wanted = {
        (table.qualified, role, privilege)
        for table in context.schema.tables
        for privileges, role in grants(table, context.schema.version)
        for privilege in privileges.split(", ")
    }
    problems = []
    for place, conn in context.every_node():
        held = {tuple(row) for row in rows(conn, _GRANTS, [APP_ROLE, READONLY_ROLE, WRITER_ROLE])}
        declared = {key for key in wanted if key[0] in context.existing_tables}
        problems += [f"{place}: {role} lacks {what} on {name}" for name, role, what in sorted(declared - held)]
        problems += [
            f"{place}: {role} has {what} on {name}, which is not declared"
            for name, role, what in sorted(held - wanted)
            if name in {table.qualified for table in context.schema.tables}
        ]
        if scalar(conn, _OPEN):
            problems.append(f"{place}: anyone may connect to the database (PUBLIC)")
        for role in DATABASE_ROLES:
            if not scalar(conn, "SELECT has_database_privilege(%s, current_database(), 'CONNECT')", role):
                problems.append(f"{place}: {role} may not connect to the database")
        for schema in OWNER_SCHEMAS:
            if not scalar(conn, "SELECT has_schema_privilege(%s, %s, 'CREATE')", OWNER_ROLE, schema):
                problems.append(f"{place}: {OWNER_ROLE} may not create in {schema}, so shards cannot move there")
    return ok_unless(problems, f"grants on {len(context.schema.tables)} tables as declared, CONNECT on every node")


def comments(context: Context) -> Finding:
    """FHIR types, paths and labels, on the coordinator."""
    held = {
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
        f"{'.'.join(filter(None, key))} is not described" for key, text in wanted.items() if held.get(key) != text
    ]
    return ok_unless(problems, f"{len(wanted)} descriptions")


_REGISTER = "`pyhce register` makes what is missing; what somebody changed by hand must be changed back."
CHECKS = (
    FunctionCheck("HCE0201", GROUP, "Every migration of this release is applied", "`pyhce register`.", schema_version),
    FunctionCheck("HCE0202", GROUP, "Tables and columns are as declared", _REGISTER, tables),
    FunctionCheck("HCE0203", GROUP, "Every table is in its home", "`pyhce register`.", only_on_citus(homes)),
    FunctionCheck("HCE0204", GROUP, "Keys are as declared", _REGISTER, keys),
    FunctionCheck(
        "HCE0205", GROUP, "Indexes are there and valid", "REINDEX or recreate it as in 02-schema-fhir.sql.", indexes
    ),
    FunctionCheck("HCE0206", GROUP, "Helpers are there and immutable on every node", _REGISTER, helpers),
    FunctionCheck("HCE0207", GROUP, "Roles are there, and own what they should", _REGISTER, roles),
    FunctionCheck("HCE0208", GROUP, "Privileges are as declared on every node", _REGISTER, privileges),
    FunctionCheck(
        "HCE0209", GROUP, "Tables and columns are described", "COMMENT ON as in 02-schema-fhir.sql.", comments
    ),
    FunctionCheck("HCE0210", GROUP, "Functions that write are there, and run beside their rows", _REGISTER, writing),
)
