"""Rules for the declaration, checked without a database. Each rule has a code, HCL01 to HCL13.

`pyhce generate sql` and `pyhce generate docs` refuse a declaration that breaks a rule.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from pyhce.errors import DeclarationError
from pyhce.schema import r4
from pyhce.schema.expression import expression, has_comparator
from pyhce.schema.keywords import RESERVED, SYSTEM_COLUMNS
from pyhce.schema.model import Column, ColumnKind, Frozen, Home, Schema, Table
from pyhce.schema.path import alternatives, parse_path
from pyhce.schema.render import index_name
from pyhce.schema.writer_functions import writer_functions

_NAME = re.compile(r"^[a-z][a-z0-9_]*$", re.ASCII)
_WORD = re.compile(r"[a-z_][a-z0-9_]*", re.ASCII)
_CALL = re.compile(r"([a-z_][a-z0-9_.]*)\(")
_LITERAL = re.compile(r"'[^']*'")
_COMPARTMENT = "See the R4 Patient compartment: https://hl7.org/fhir/R4/compartmentdefinition-patient.html"

_CHANGING = """
    age clock_timestamp current_date current_setting current_time current_timestamp gen_random_uuid localtime
    localtimestamp now random statement_timestamp to_char to_date to_number to_timestamp transaction_timestamp unaccent
"""

IMMUTABLE_BUILT_INS = frozenset(
    {"coalesce", "jsonb_path_query_array", "jsonb_path_query_first", "lower", "nullif", "upper"}
)
"""The built-in functions that a typed column or an index may call besides our helpers."""
CHANGING = frozenset(_CHANGING.split())
"""Built-in functions whose result depends on more than their arguments; a helper must not call them."""
_CONDITION = frozenset({"and", "is", "not", "null"})
"""The SQL words that the condition of an index may contain besides columns."""
LONGEST_TABLE = 63 - len("_documento_id_fkey")
"""PostgreSQL's limit of 63 bytes less our longest constraint suffix. A shard's suffix, `_102008`, is shorter."""
LONGEST_COLUMN = 63
LONGEST_INDEX = 63 - len("_0123456789")
"""PostgreSQL's limit less the suffix of an index on a shard."""


class LintFinding(Frozen):
    """A rule that the declaration breaks.

    Args:
        code: the code of the rule.
        table: the name of the table; for a rule about something else, of the helper, FHIR type or migration.
        column: the name of the column or index, if the finding concerns one.
        message: what is wrong.
        remedy: what to do.
    """

    code: str
    table: str
    column: str | None = None
    message: str
    remedy: str

    @property
    def what(self) -> str:
        """The name of what breaks the rule: `table` or `table.column`."""
        return f"{self.table}.{self.column}" if self.column else self.table


def check_declaration(schema: Schema) -> None:
    """Refuse a declaration that breaks a rule.

    Raises:
        DeclarationError: with one line for each finding.
    """
    found = lint(schema)
    if found:
        raise DeclarationError(
            "\n".join(f"{f.code} {f.what}: {f.message}" for f in found),
            remedy="\n".join(dict.fromkeys(f.remedy for f in found)),
        )


def lint(schema: Schema) -> tuple[LintFinding, ...]:
    """All findings: first table by table, then those that concern several tables."""
    rules = (_keys, _names, _columns, _indexes, _patients)
    found = [finding for table in schema.tables for rule in rules for finding in rule(table)]
    return (*found, *_parents(schema), *_helpers(schema), *_calls(schema), *_twice(schema), *_numbers(schema))


def _finding(code: str, table: str, column: str | None, message: str, remedy: str) -> LintFinding:
    return LintFinding(code=code, table=table, column=column, message=message, remedy=remedy)


def _keys(table: Table) -> Iterator[LintFinding]:
    if not table.key:
        remedy = "Declare a primary key: Citus moves shards by logical replication, which needs one."
        yield _finding("HCL01", table.name, None, "the table has no primary key", remedy)
        return
    if table.distribution_column and table.distribution_column not in table.key:
        message = f"the primary key lacks the distribution column {table.distribution_column}"
        remedy = "Add the column: Citus requires the distribution column in every unique key."
        yield _finding("HCL02", table.name, None, message, remedy)
    elif table.home is Home.PATIENT and table.key[0] != "documento_id":
        remedy = "Put documento_id first: every query for one patient uses it."
        yield _finding("HCL02", table.name, None, "documento_id is not the first column of the primary key", remedy)
    for name in sorted(set(table.key) - {column.name for column in table.stored}):
        message = f"the primary key has {name}, which is not a stored column"
        yield _finding("HCL09", table.name, None, message, "Use a declared stored column.")


def _names(table: Table) -> Iterator[LintFinding]:
    columns = [*(column.name for column in table.stored), *(column.name for column in table.columns)]
    yield from _name(table.name, None, LONGEST_TABLE)
    for name in columns:
        yield from _name(table.name, name, LONGEST_COLUMN)
    for name, count in Counter(columns).items():
        if count > 1:
            yield _finding("HCL06", table.name, name, "the column is declared twice", "Remove one of the two.")


def _name(table: str, column: str | None, longest: int) -> Iterator[LintFinding]:
    name = column or table
    if not _NAME.fullmatch(name):
        remedy = "Use a-z, 0-9 and _, with a letter first. Put accents into the label."
        yield _finding("HCL04", table, column, "the name is not ASCII snake_case", remedy)
    elif len(name) > longest:
        remedy = "Shorten it: constraints and Citus append a suffix, and PostgreSQL truncates names at 63 bytes."
        yield _finding("HCL04", table, column, f"the name is longer than {longest} bytes", remedy)
    if name in RESERVED or (column and name in SYSTEM_COLUMNS):
        remedy = "Choose another name: users would have to quote this one."
        yield _finding("HCL05", table, column, "the name is a reserved word of SQL", remedy)


def _columns(table: Table) -> Iterator[LintFinding]:
    if table.fhir_type is not None and table.fhir_type not in r4.RESOURCE_TYPES:
        yield _finding("HCL07", table.name, None, f"{table.fhir_type!r} is not a resource type of FHIR R4", "Use one.")
        return
    for column in table.columns:
        try:
            expression(table, column)
        except DeclarationError as error:
            yield _finding("HCL07", table.name, column.name, error.wrong, error.remedy)
            continue
        if column.kind in {ColumnKind.REFERENCE, ColumnKind.REFERENCES} and column.path != "id":
            yield from _target(table, column)
        if has_comparator(table, column) and f"{column.name}_comparador" not in {c.name for c in table.columns}:
            message = "the number is computed from a Quantity, and its comparator has no column: <0.01 would read 0.01"
            yield _finding(
                "HCL13", table.name, column.name, message, f"Declare {column.name}_comparador: comparator()."
            )


def _target(table: Table, column: Column) -> Iterator[LintFinding]:
    if column.target not in r4.RESOURCE_TYPES:
        message = (
            "the reference has no target" if column.target is None else f"{column.target!r} is not a type of FHIR R4"
        )
        yield _finding("HCL08", table.name, column.name, message, "Set target= to the type to which it must refer.")
        return
    for path in alternatives(column.path):
        at = parse_path(str(table.fhir_type), path)
        element = r4.element(at.fhir_type, at.path)
        if element and not {column.target, "Resource"} & set(element.targets):
            message = f"{path} cannot refer to {column.target}, only to {', '.join(element.targets)}"
            yield _finding("HCL08", table.name, column.name, message, "Use one of those types.")


def _indexes(table: Table) -> Iterator[LintFinding]:
    since = {column.name: table.since for column in table.stored} | {c.name: c.first_migration for c in table.columns}
    for index in table.indexes:
        name = index_name(table, index)
        used = index.identifiers
        unknown = sorted(used - set(since) - IMMUTABLE_BUILT_INS - _CONDITION)
        if unknown:
            message = f"the table has no column {', '.join(unknown)}"
            yield _finding("HCL09", table.name, name, message, "Use declared columns.")
        if len(name) > LONGEST_INDEX:
            message = f"the name of the index is longer than {LONGEST_INDEX} bytes"
            yield _finding("HCL04", table.name, name, message, "Set name= to a shorter one.")
        late = sorted(word for word in used & set(since) if since[word] > max(index.since, table.since))
        if late:
            message = f"migration {index.since} adds the index before its column {', '.join(late)}"
            yield _finding("HCL12", table.name, name, message, "Set since= to the migration of the newest column.")


def _patients(table: Table) -> Iterator[LintFinding]:
    if table.fhir_type not in r4.RESOURCE_TYPES:
        return
    yield from _patient_paths(table.name, str(table.fhir_type), table.patient_paths)
    if (table.home is Home.PATIENT) != bool(table.patient_paths):
        message = (
            "a patient table needs a patient path"
            if table.home is Home.PATIENT
            else "a shared table has a patient path"
        )
        yield _finding("HCL10", table.name, None, message, _COMPARTMENT)


def _patient_paths(name: str, fhir_type: str, paths: Iterable[str]) -> Iterator[LintFinding]:
    for path in paths:
        element = r4.element(fhir_type, path)
        names_patient = element is not None and bool({"Patient", "Resource"} & set(element.targets))
        if not names_patient and (fhir_type, path) != ("Patient", "id"):
            message = f"{fhir_type}.{path} is not a reference of R4 that can refer to a Patient"
            yield _finding("HCL10", name, None, message, _COMPARTMENT)


def _parents(schema: Schema) -> Iterator[LintFinding]:
    """A patient table refers to the record's anchor, which is created first; a staging table must not."""
    before: set[str] = set()
    for table in schema.tables:
        anchor = table.home is Home.PATIENT and table.key == ("documento_id",)
        must = table.home is Home.PATIENT and table.sql_schema == "public" and not anchor
        if table.parent is not None and table.parent not in before:
            message = f"its parent {table.parent} is not declared before it"
            yield _finding(
                "HCL03", table.name, None, message, "Put the parent first: tables are created in this order."
            )
        elif must and table.parent is None:
            message = "a patient table needs a foreign key to expediente"
            yield _finding("HCL03", table.name, None, message, "Declare parent='expediente'.")
        before.add(table.name)


def _helpers(schema: Schema) -> Iterator[LintFinding]:
    remedy = "A generated column needs immutable helpers: the result may depend on the arguments only."
    for helper in schema.helpers:
        name = f"hce.{helper.name}"
        if helper.volatility != "IMMUTABLE":
            yield _finding("HCL11", name, None, f"the helper is {helper.volatility}, not IMMUTABLE", remedy)
        for word in sorted(CHANGING & set(_WORD.findall(_LITERAL.sub("''", helper.body.lower())))):
            yield _finding("HCL11", name, None, f"the helper calls {word}, which is not immutable", remedy)
    yield from _replaced(schema)


def _replaced(schema: Schema) -> Iterator[LintFinding]:
    """A replaced helper must exist in an earlier migration, and no newer helper may call it."""
    by_name = {helper.name: helper for helper in schema.helpers}
    replaced = {helper.replaces: helper for helper in schema.helpers if helper.replaces}
    for old, new in replaced.items():
        if old not in by_name or by_name[old].since >= new.since:
            message = f"the helper replaces hce.{old}, which no earlier migration has"
            yield _finding(
                "HCL11", f"hce.{new.name}", None, message, "Set replaces= to a helper with an earlier since=."
            )
    for helper in schema.helpers:
        for called in sorted(set(re.findall(r"\bhce\.([a-z0-9_]+)\(", helper.body)) & set(replaced)):
            if helper.since >= replaced[called].since and called != helper.replaces:
                message = f"the helper calls hce.{called}, which hce.{replaced[called].name} replaces"
                yield _finding("HCL11", f"hce.{helper.name}", None, message, f"Call hce.{replaced[called].name}.")


def _calls(schema: Schema) -> Iterator[LintFinding]:
    """A typed column may call declared helpers and immutable built-in functions only."""
    known = {f"hce.{helper.name}" for helper in schema.helpers} | IMMUTABLE_BUILT_INS
    for table in schema.tables:
        for column in table.columns:
            try:
                text = _LITERAL.sub("''", expression(table, column, helpers=schema.helpers))
            except DeclarationError:
                continue  # HCL07 reports it
            for name in sorted(set(_CALL.findall(text)) - known):
                remedy = "Declare it in helper_functions.py."
                yield _finding("HCL11", table.name, column.name, f"{name} is not a declared helper", remedy)


def _twice(schema: Schema) -> Iterator[LintFinding]:
    names = Counter(name for table in schema.tables for name in (table.name, f"{table.name}_pkey"))
    names.update(index_name(table, index) for table in schema.tables for index in table.indexes)
    names.update(f"hce.{helper.name}" for helper in schema.helpers)
    names.update(
        {f"hce.{writer.name}" for writer in writer_functions(schema.tables)}
    )  # in a set: a table that is declared twice is reported above
    types = Counter(table.fhir_type for table in schema.tables if table.fhir_type)
    types.update(fhir_type for fhir_type, _ in schema.patient_paths)
    for name, count in (*names.items(), *types.items()):
        if count > 1:
            yield _finding("HCL06", name, None, "it is declared twice", "Remove one of the two.")
    for fhir_type, paths in schema.patient_paths:
        yield from _patient_paths(fhir_type, fhir_type, paths)


def _numbers(schema: Schema) -> Iterator[LintFinding]:
    used = set(schema.migration_numbers())
    for number in range(1, max(used, default=0) + 1):
        if number not in used:
            message = "nothing has this number in since=, but a later migration exists"
            yield _finding("HCL12", f"migration {number}", None, message, "Number migrations without gaps.")
