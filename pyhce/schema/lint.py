"""Rules that the declaration must keep, checked before any database is near."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from pyhce.errors import DeclarationError
from pyhce.schema import r4
from pyhce.schema.expression import expression
from pyhce.schema.keywords import RESERVED
from pyhce.schema.model import Column, Frozen, Home, Kind, Schema, Table
from pyhce.schema.render import index_name

_NAME = re.compile(r"^[a-z][a-z0-9_]*$")
_CALL = re.compile(r"([a-z_][a-z0-9_.]*)\(")
_LITERAL = re.compile(r"'[^']*'")
IMMUTABLE_BUILT_INS = frozenset({"coalesce", "jsonb_path_query_array", "lower", "upper"})
LONGEST_TABLE = 63 - len("_0123456789")
"""PostgreSQL's 63 bytes, less what Citus appends to a shard's name."""


class Finding(Frozen):
    """A rule that a declared thing breaks."""

    code: str
    what: str
    message: str
    remedy: str


def check(schema: Schema) -> None:
    """Refuse a declaration that breaks a rule.

    Raises:
        DeclarationError: with every finding.
    """
    found = lint(schema)
    if found:
        raise DeclarationError(
            "\n".join(f"{f.code} {f.what}: {f.message}" for f in found),
            remedy="\n".join(dict.fromkeys(f.remedy for f in found)),
        )


def lint(schema: Schema) -> tuple[Finding, ...]:
    """Every rule that the declaration breaks."""
    found = [finding for table in schema.tables for finding in (*_keys(table), *_names(table), *_columns(table))]
    found += [finding for table in schema.tables for finding in (*_indexes(table), *_patients(table))]
    return (*found, *_helpers(schema), *_calls(schema), *_twice(schema), *_numbers(schema))


def _keys(table: Table) -> Iterator[Finding]:
    if not table.key:
        yield Finding(
            code="HCL01", what=table.name, message="there is no primary key",
            remedy="Declare one: Citus moves shards by logical replication, which needs it.",
        )  # fmt: skip
        return
    if table.distribution_column and table.distribution_column not in table.key:
        yield Finding(
            code="HCL02", what=table.name,
            message=f"the primary key lacks the distribution column {table.distribution_column}",
            remedy="Citus holds no unique key without the distribution column: put it in.",
        )  # fmt: skip
    if table.home is Home.PATIENT and table.key[0] != "documento_id":
        yield Finding(
            code="HCL02", what=table.name, message="documento_id does not lead the primary key",
            remedy="Put documento_id first: it serves every question about one patient.",
        )  # fmt: skip
    if (
        table.home is Home.PATIENT
        and table.name != "expediente"
        and table.parent != "expediente"
        and table.sql_schema == "public"
    ):
        yield Finding(
            code="HCL03", what=table.name, message="a patient's table has no foreign key to expediente",
            remedy="Declare parent='expediente'.",
        )  # fmt: skip


def _names(table: Table) -> Iterator[Finding]:
    names = [table.name, *(c.name for c in table.stored), *(c.name for c in table.columns)]
    for name in names:
        what = table.name if name == table.name else f"{table.name}.{name}"
        if not _NAME.match(name):
            yield Finding(
                code="HCL04", what=what, message="the name is not ASCII snake_case",
                remedy="Use a-z, 0-9 and _, beginning with a letter; accents belong in the label.",
            )  # fmt: skip
        if name in RESERVED:
            yield Finding(
                code="HCL05", what=what, message="the name is a reserved word of SQL",
                remedy="Choose another: users would have to quote it.",
            )  # fmt: skip
    if len(table.name) > LONGEST_TABLE:
        yield Finding(
            code="HCL04", what=table.name, message=f"the name is longer than {LONGEST_TABLE} bytes",
            remedy="Shorten it: Citus appends the shard's number.",
        )  # fmt: skip
    for name, count in Counter(names[1:]).items():
        if count > 1:
            yield Finding(
                code="HCL06", what=f"{table.name}.{name}", message="the column is declared twice", remedy="Drop one."
            )


def _columns(table: Table) -> Iterator[Finding]:
    for column in table.columns:
        what = f"{table.name}.{column.name}"
        try:
            expression(table, column)
        except DeclarationError as error:
            yield Finding(code="HCL07", what=what, message=error.wrong, remedy=error.remedy)
            continue
        if column.kind in {Kind.REFERENCE, Kind.REFERENCES}:
            yield from _target(table, column, what)


def _target(table: Table, column: Column, what: str) -> Iterator[Finding]:
    if column.path == "id":
        return
    if column.target not in r4.RESOURCE_TYPES:
        yield Finding(
            code="HCL08", what=what, message=f"the target {column.target!r} is no FHIR R4 type", remedy="Name one."
        )
        return
    for path in column.path.split("|"):
        element = r4.element(str(table.fhir_type), path.strip())
        if element and not {column.target, "Resource"} & set(element.targets):
            yield Finding(
                code="HCL08", what=what,
                message=f"{path.strip()} cannot name a {column.target}, only {', '.join(element.targets)}",
                remedy="Choose one of those.",
            )  # fmt: skip


def _indexes(table: Table) -> Iterator[Finding]:
    known = {c.name for c in table.stored} | {c.name for c in table.columns}
    for index in table.indexes:
        name = index_name(table, index)
        used = {word for key in index.keys for word in re.findall(r"[a-z_][a-z0-9_]*", key)}
        unknown = sorted(used - known - IMMUTABLE_BUILT_INS)
        if unknown:
            yield Finding(
                code="HCL09",
                what=name,
                message=f"there is no column {', '.join(unknown)}",
                remedy="Name a declared one.",
            )
        if len(name) > LONGEST_TABLE:
            yield Finding(
                code="HCL04",
                what=name,
                message=f"the name is longer than {LONGEST_TABLE} bytes",
                remedy="Give it a name.",
            )


def _patients(table: Table) -> Iterator[Finding]:
    if not table.fhir_type:
        return
    yield from _patient_paths(table.name, table.fhir_type, table.patient_paths)
    if table.home is Home.PATIENT and not table.patient_paths:
        yield Finding(
            code="HCL10", what=table.name, message="a patient's table has no path to the patient",
            remedy="Declare where the resource names its patient.",
        )  # fmt: skip


def _patient_paths(what: str, fhir_type: str, paths: tuple[str, ...]) -> Iterator[Finding]:
    for path in paths:
        element = r4.element(fhir_type, path)
        if fhir_type == "Patient" and path == "id":
            continue
        if element is None or not {"Patient", "Resource"} & set(element.targets):
            yield Finding(
                code="HCL10", what=what, message=f"{fhir_type}.{path} is no R4 reference that can name a Patient",
                remedy="See the R4 Patient compartment: https://hl7.org/fhir/R4/compartmentdefinition-patient.html",
            )  # fmt: skip


def _helpers(schema: Schema) -> Iterator[Finding]:
    for helper in schema.helpers:
        if helper.volatility != "IMMUTABLE":
            yield Finding(
                code="HCL11", what=f"hce.{helper.name}", message=f"the helper is {helper.volatility}, not IMMUTABLE",
                remedy="A stored column needs immutable helpers: depend on the arguments alone.",
            )  # fmt: skip


def _calls(schema: Schema) -> Iterator[Finding]:
    """Functions that typed columns call: declared helpers, or built-in immutable ones."""
    known = {f"hce.{helper.name}" for helper in schema.helpers} | IMMUTABLE_BUILT_INS
    for table in schema.tables:
        for column in table.columns:
            try:
                text = _LITERAL.sub("''", expression(table, column))
            except DeclarationError:
                continue
            for name in sorted(set(_CALL.findall(text)) - known):
                yield Finding(
                    code="HCL11", what=f"{table.name}.{column.name}", message=f"{name} is no declared helper",
                    remedy="Declare it in helper_functions.py.",
                )  # fmt: skip


def _twice(schema: Schema) -> Iterator[Finding]:
    names = Counter(table.name for table in schema.tables)
    names.update(index_name(table, index) for table in schema.tables for index in table.indexes)
    types = Counter(table.fhir_type for table in schema.tables if table.fhir_type)
    types.update(fhir_type for fhir_type, _ in schema.patient_paths)
    for name, count in (*names.items(), *types.items()):
        if count > 1:
            yield Finding(code="HCL06", what=str(name), message="it is declared twice", remedy="Drop one.")
    for fhir_type, paths in schema.patient_paths:
        yield from _patient_paths(fhir_type, fhir_type, paths)


def _numbers(schema: Schema) -> Iterator[Finding]:
    used = set(schema.sinces())
    for number in range(1, max(used) + 1):
        if number not in used:
            yield Finding(
                code="HCL12", what=f"migration {number}", message="nothing came with it, but with a later one",
                remedy="Number migrations without gaps.",
            )  # fmt: skip
