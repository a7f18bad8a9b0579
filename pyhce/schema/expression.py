"""The SQL expression of a typed column, made from its kind and its FHIR path."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from pyhce.errors import DeclarationError
from pyhce.schema import r4
from pyhce.schema.helper_functions import HELPERS
from pyhce.schema.model import Column, ColumnKind, Helper, Table
from pyhce.schema.path import JsonSteps, PathPosition, alternatives, parse_path, plain_jsonpath, unknown_element

NEWEST = 1_000_000
"""A number after every migration; it gives the current expression."""
FIRST_PRESENT_SINCE = 2
"""The migration since which a text or code from an array is the first one that is present.

Before it, it was the one of the first element: of `[{"display": "x"}, {"code": "A"}]` the code was NULL, now it is `A`.
"""
_LONG = {
    ColumnKind.TEXT,
    ColumnKind.CODE,
    ColumnKind.CODES,
    ColumnKind.REFERENCE,
    ColumnKind.REFERENCES,
    ColumnKind.KEYS,
}
_SHORTEN = {"text": "acortado", "text[]": "acortados"}
_WORD = re.compile(r"[a-z_][a-z0-9_]*")
_HELPER = re.compile(r"\bhce\.([a-z0-9_]+)\(")

SQL_TYPES = {
    ColumnKind.TEXT: "text",
    ColumnKind.CODE: "text",
    ColumnKind.CODES: "text[]",
    ColumnKind.RANGE: "tstzrange",
    ColumnKind.MOMENT: "timestamptz",
    ColumnKind.DATE: "date",
    ColumnKind.DATES: "daterange",
    ColumnKind.NUMBER: "numeric",
    ColumnKind.INTEGER: "integer",
    ColumnKind.BOOLEAN: "boolean",
    ColumnKind.HAPPENED: "boolean",
    ColumnKind.REFERENCE: "text",
    ColumnKind.REFERENCES: "text[]",
    ColumnKind.KEYS: "text[]",
    ColumnKind.NAMES: "text",
}


def sql_type(column: Column) -> str:
    """The column's PostgreSQL type."""
    return SQL_TYPES[column.kind]


def expression(table: Table, column: Column, number: int = NEWEST, helpers: Iterable[Helper] = HELPERS) -> str:
    """The SQL expression of a generated column, as it is after a migration.

    Args:
        table: the table of the column.
        column: the column.
        number: the number of the migration.
        helpers: the declared helpers; one that another one replaces by then is not called.

    Raises:
        DeclarationError: R4 has no such path, its FHIR type does not fit the kind, or the table is generic.
    """
    if table.fhir_type is None:
        raise DeclarationError(
            f"{table.name}.{column.name}: a generic table cannot have typed columns", remedy="Remove the column."
        )
    column_then = column.as_of(number)
    parts = [_alternative(table.fhir_type, column_then, path, number) for path in alternatives(column_then.path)]
    flat = [part for alternative in parts for part in alternative]
    sql = flat[0] if len(flat) == 1 else f"coalesce({', '.join(flat)})"
    newest = _successors(number, helpers)
    sql = _HELPER.sub(lambda call: f"hce.{newest.get(call[1], call[1])}(", sql)
    shorten = _SHORTEN.get(sql_type(column_then)) if needs_shortening(table, column_then, number) else None
    exists = any(helper.name == shorten and helper.since <= number for helper in helpers)
    return f"hce.{shorten}({sql})" if exists else sql


def needs_shortening(table: Table, column: Column, number: int = NEWEST) -> bool:
    """Whether the texts of a column must be shortened after a migration, because an index contains the column.

    A row of a B-tree index has at most 2,704 bytes, and data may have a text of any length. An index of trigrams takes
    any text.

    Args:
        table: the table of the column.
        column: the column.
        number: the number of the migration.
    """
    keys = {
        word for index in table.indexes if index.since <= number for key in index.keys for word in _WORD.findall(key)
    }
    return column.kind in _LONG and column.name in keys


def _successors(number: int, helpers: Iterable[Helper]) -> dict[str, str]:
    """The helpers that are replaced after a migration, each with the newest one that replaces it."""
    found: dict[str, str] = {}
    for helper in sorted((h for h in helpers if h.replaces and h.since <= number), key=lambda h: h.since):
        found = {old: helper.name if new == helper.replaces else new for old, new in found.items()}
        found[helper.replaces] = helper.name
    return found


def concrete_paths(fhir_type: str, path: str) -> list[tuple[str, str]]:
    """A path with its FHIR type; a choice as each of its members.

    `value[x]` of an Observation gives `("valueQuantity", "Quantity")`, `("valueCodeableConcept", "CodeableConcept")` …

    Raises:
        DeclarationError: R4 has no such element.
    """
    if not path.endswith("[x]"):
        return [(path, _element(fhir_type, path).types[0])]
    stem = path.removesuffix("[x]")
    types = r4.choice_types(fhir_type, path)
    if not types:
        raise unknown_element(fhir_type, path)
    return [(stem + kind[0].upper() + kind[1:], kind) for kind in types]


def presence_conditions(table: Table, column: Column, more: str = "") -> list[str]:
    """SQL conditions on `recurso`; one of them is true if a resource has a value at the path of a column.

    Args:
        table: the table of the column.
        column: the column.
        more: a jsonpath filter that the value must also meet.
    """
    found = []
    for path in alternatives(column.path):
        at = parse_path(str(table.fhir_type), path)
        concrete = [at] if path == "id" else [at.with_path(one) for one, _ in concrete_paths(at.fhir_type, at.path)]
        only_if = f"{at.only_if} AND " if at.only_if else ""
        found += [f"({only_if}jsonb_path_exists({one.root}, '{one.jsonpath(one.steps)} {more}'))" for one in concrete]
    return found


def _element(fhir_type: str, path: str) -> r4.Element:
    found = r4.element(fhir_type, path)
    if found is None:
        raise unknown_element(fhir_type, path)
    return found


def _alternative(fhir_type: str, column: Column, path: str, number: int) -> list[str]:
    if path == "id":
        return ["hce.claves_propias(id, recurso -> 'identifier')" if column.kind is ColumnKind.KEYS else "id"]
    at = parse_path(fhir_type, path)
    found = [
        _guarded(at, sql)
        for concrete, kind in concrete_paths(at.fhir_type, at.path)
        if (sql := _BUILDERS[column.kind](ColumnValue(at.with_path(concrete), kind, column, number)))
    ]
    if not found:
        raise DeclarationError(
            f"a column of kind {column.kind.value} cannot be computed from {fhir_type}.{path}",
            remedy="Choose a kind that fits the element's FHIR type.",
        )
    return found


def _guarded(at: PathPosition, sql: str) -> str:
    """The expression in a CASE that first tests for the member; most resources have no component or extension."""
    first = next(iter(at.conditions), "").split(".")[0]
    only_if = at.only_if or (f"{at.root} ? '{first}'" if first else "")
    return f"CASE WHEN {only_if} THEN {sql} END" if only_if else sql


class ColumnValue(NamedTuple):
    """A value from which a column is computed.

    Args:
        at: its position.
        kind: its FHIR type.
        column: the column.
        number: the migration after which the expression is wanted.
    """

    at: PathPosition
    kind: str
    column: Column
    number: int

    def inside(self, path: str) -> ColumnValue:
        """The value at a path inside this one."""
        return self._replace(at=self.at.with_path(f"{self.at.path}.{path}"))


def untyped_reference_names(fhir_type: str, path: str, target: str) -> bool:
    """Whether a Reference at this path without a type (a urn, or only an identifier) refers to the target type.

    It does where R4 allows no other type, and `subject` or `for` without a type is the patient.

    Args:
        fhir_type: the type of the resource that has the Reference.
        path: the path of the Reference.
        target: the type to which it may refer.
    """
    element = r4.element(fhir_type, path)
    return element is not None and (
        element.targets == (target,)
        or (target == "Patient" and path in {"subject", "for"} and target in element.targets)
    )


def _text_at(value: ColumnValue) -> str:
    """SQL of the first string at the value's position."""
    begin, steps = value.at.first_match()
    first = _get(begin, steps, text=True)
    if value.number < FIRST_PRESENT_SINCE or not any(many for _, many in steps):
        return first
    begin, rest = (begin, steps) if value.at.conditions else value.at.after_steps(1)
    return f"coalesce({first}, jsonb_path_query_first({begin}, '{plain_jsonpath(rest)} ? (@ != null)') #>> '{{}}')"


def _json_at(value: ColumnValue) -> str:
    """SQL of the first value at the value's position, as jsonb."""
    return _get(*value.at.first_match(), text=False)


def _get(begin: str, steps: JsonSteps, *, text: bool) -> str:
    """SQL of the value at the end of these steps; of each array the first element."""
    members = [member for name, many in steps for member in ((name, "0") if many else (name,))]
    if len(members) == 1:
        return f"{begin} {'->>' if text else '->'} '{members[0]}'"
    return f"{begin} #>{'>' if text else ''} '{{{','.join(members)}}}'"


def _every(value: ColumnValue) -> str:
    """SQL of all values at the value's position, as one JSON array."""
    at = value.at
    if len(at.steps) == 1 and not at.conditions:
        return f"{at.root} -> '{at.path}'"
    tail = "[*]" if at.steps[-1][1] and at.path not in at.conditions else ""
    if at.conditions or value.column.since < FIRST_PRESENT_SINCE:
        return f"jsonb_path_query_array({at.root}, '{at.jsonpath(at.steps)}{tail}')"
    begin, rest = at.after_steps(1)
    return f"jsonb_path_query_array({begin}, '{plain_jsonpath(rest)}{tail}')"


_STRINGS = {"string", "code", "uri", "url", "canonical", "id", "oid", "uuid", "markdown", "date", "dateTime", "instant"}
_CODED = {"CodeableConcept": "coding.code", "Coding": "code", "CodeableReference": "concept.coding.code"}
_QUANTITIES = {"Quantity", "Age", "Duration", "Distance", "Count"}
_NUMBERS = {"decimal", "integer", "positiveInt", "unsignedInt"}


def _text(value: ColumnValue) -> str | None:
    return _text_at(value) if value.kind in _STRINGS else None


def _code(value: ColumnValue) -> str | None:
    if value.kind == "code":
        return _text_at(value)
    return _text_at(value.inside(_CODED[value.kind])) if value.kind in _CODED else None


def _codes(value: ColumnValue) -> str | None:
    if value.kind == "CodeableConcept":
        at = value.at
        if at.conditions or any(many for _, many in at.steps):
            return f"hce.codigos({_every(value.inside('coding'))})"
        return f"hce.codigos({at.root} #> '{{{at.path.replace('.', ',')},coding}}')"
    return f"hce.codigos({_every(value)})" if value.kind == "Coding" else None


def _range(value: ColumnValue) -> str | None:
    if value.kind in {"date", "dateTime", "instant"}:
        return f"hce.rango({_text_at(value)})"
    helper = {"Period": "hce.rango_periodo", "Timing": "hce.rango_horario"}.get(value.kind)
    return f"{helper}({_json_at(value)})" if helper else None


def _call(helper: str, types: set[str], at: Callable[[ColumnValue], str]) -> Callable[[ColumnValue], str | None]:
    def build(value: ColumnValue) -> str | None:
        return f"{helper}({at(value)})" if value.kind in types else None

    return build


def _number(value: ColumnValue) -> str | None:
    if value.kind in {*_QUANTITIES, "Money"}:
        return f"hce.numero({_json_at(value.inside('value'))})"
    return f"hce.numero({_json_at(value)})" if value.kind in _NUMBERS else None


def has_comparator(table: Table, column: Column) -> bool:
    """Whether a numeric column is computed from a Quantity, which may have a comparator (`<0.01`)."""
    if column.kind is not ColumnKind.NUMBER:
        return False
    places = [parse_path(str(table.fhir_type), path) for path in alternatives(column.path)]
    kinds = {kind for at in places for _, kind in concrete_paths(at.fhir_type, at.path)}
    return bool(kinds & _QUANTITIES)


def _happened(value: ColumnValue) -> str | None:
    if value.kind == "boolean":
        return f"hce.logico({_json_at(value)})"
    return f"nullif({_json_at(value)} IS NOT NULL, false)"


def _reference(value: ColumnValue) -> str | None:
    if value.kind != "Reference":
        return None
    target = str(value.column.target)
    needs_type = not untyped_reference_names(value.at.fhir_type, value.at.path, target)
    if value.at.conditions or any(many for _, many in value.at.steps):
        helper = "hce.claves_expresas_de" if needs_type else "hce.claves_de"
        return f"({helper}({_every(value)}, '{target}'))[1]"
    return f"{'hce.clave_expresa' if needs_type else 'hce.clave'}({_json_at(value)}, '{target}')"


def _references(value: ColumnValue) -> str | None:
    if value.kind != "Reference":
        return None
    target = str(value.column.target)
    helper = (
        "hce.claves_de"
        if untyped_reference_names(value.at.fhir_type, value.at.path, target)
        else "hce.claves_expresas_de"
    )
    return f"{helper}({_every(value)}, '{target}')"


def _names(value: ColumnValue) -> str | None:
    return (
        f"hce.nombres({value.at.root} -> '{value.at.steps[0][0]}')" if value.kind in {"HumanName", "string"} else None
    )


_BUILDERS: dict[ColumnKind, Callable[[ColumnValue], str | None]] = {
    ColumnKind.TEXT: _text,
    ColumnKind.CODE: _code,
    ColumnKind.CODES: _codes,
    ColumnKind.RANGE: _range,
    ColumnKind.MOMENT: _call("hce.momento", {"instant", "dateTime"}, _text_at),
    ColumnKind.DATE: _call("hce.dia_exacto", {"date", "dateTime"}, _text_at),
    ColumnKind.DATES: _call("hce.dias", {"date"}, _text_at),
    ColumnKind.NUMBER: _number,
    ColumnKind.INTEGER: _call("hce.entero", {"integer", "positiveInt", "unsignedInt"}, _json_at),
    ColumnKind.BOOLEAN: _call("hce.logico", {"boolean"}, _json_at),
    ColumnKind.HAPPENED: _happened,
    ColumnKind.REFERENCE: _reference,
    ColumnKind.REFERENCES: _references,
    ColumnKind.KEYS: lambda _: None,
    ColumnKind.NAMES: _names,
}
