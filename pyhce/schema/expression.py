"""How a typed column is computed: its kind and FHIR path as an SQL expression over `recurso`."""

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
"""A number after every migration: an expression as it is now."""
FIRST_PRESENT_SINCE = 2
"""The migration since which a text or code out of an array is the first that is there: before, the first member's."""
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
    """The generated column's SQL expression, as it is after a migration.

    Raises:
        DeclarationError: the FHIR path is not one of R4's, or does not fit the kind.
    """
    if table.fhir_type is None:
        raise DeclarationError(
            f"{table.name}.{column.name}: a generic table has no FHIR path", remedy="Leave the column out."
        )
    then = column.as_of(number)
    parts = [_alternative(table.fhir_type, then, path, number) for path in alternatives(then.path)]
    flat = [part for alternative in parts for part in alternative]
    sql = flat[0] if len(flat) == 1 else f"coalesce({', '.join(flat)})"
    newest = _successors(number, helpers)
    sql = _HELPER.sub(lambda call: f"hce.{newest.get(call[1], call[1])}(", sql)
    shorten = _SHORTEN.get(sql_type(then)) if needs_shortening(table, then, number) else None
    known = any(helper.name == shorten and helper.since <= number for helper in helpers)
    return f"hce.{shorten}({sql})" if known else sql


def needs_shortening(table: Table, column: Column, number: int = NEWEST) -> bool:
    """Whether an index holds a text of any length, after a migration: a row of an index has at most 2,704 bytes.

    Typed columns come from data. An index of trigrams takes any text.
    """
    keys = {
        word for index in table.indexes if index.since <= number for key in index.keys for word in _WORD.findall(key)
    }
    return column.kind in _LONG and column.name in keys


def _successors(number: int, helpers: Iterable[Helper]) -> dict[str, str]:
    """The helpers that another one has replaced by a migration, each with the newest one in its place."""
    found: dict[str, str] = {}
    for helper in sorted((h for h in helpers if h.replaces and h.since <= number), key=lambda h: h.since):
        found = {old: helper.name if new == helper.replaces else new for old, new in found.items()}
        found[helper.replaces] = helper.name
    return found


def concrete_paths(fhir_type: str, path: str) -> list[tuple[str, str]]:
    """A path of members with its FHIR type, a choice (`value[x]`) as each concrete member it may be.

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
    """SQL conditions on `recurso`, one of which holds if a resource has a value where a column looks for it.

    Args:
        more: a jsonpath filter that the value must meet.
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
            f"{fhir_type}.{path} cannot be read as {column.kind.value}", remedy="Choose a kind that fits its FHIR type."
        )
    return found


def _guarded(at: PathPosition, sql: str) -> str:
    """An expression that looks only where there is something: most resources have no component, few an extension."""
    first = next(iter(at.conditions), "").split(".")[0]
    only_if = at.only_if or (f"{at.root} ? '{first}'" if first else "")
    return f"CASE WHEN {only_if} THEN {sql} END" if only_if else sql


class ColumnValue(NamedTuple):
    """A value that a column reads: where it is, its FHIR type, the column, and the migration as of which."""

    at: PathPosition
    kind: str
    column: Column
    number: int

    def inside(self, path: str) -> ColumnValue:
        """A member of the value."""
        return self._replace(at=self.at.with_path(f"{self.at.path}.{path}"))


def untyped_reference_names(fhir_type: str, path: str, target: str) -> bool:
    """Whether a Reference at the path that does not say its type (a urn, an identifier alone) names a `target`.

    It does where R4 allows nothing else there, and a record's `subject` without a type is its patient.
    """
    element = r4.element(fhir_type, path)
    return element is not None and (
        element.targets == (target,)
        or (target == "Patient" and path in {"subject", "for"} and target in element.targets)
    )


def _text_at(asked: ColumnValue) -> str:
    """The first string at a place."""
    begin, steps = asked.at.first_match()
    first = _get(begin, steps, text=True)
    if asked.number < FIRST_PRESENT_SINCE or not any(many for _, many in steps):
        return first
    begin, rest = (begin, steps) if asked.at.conditions else asked.at.after_steps(1)
    return f"coalesce({first}, jsonb_path_query_first({begin}, '{plain_jsonpath(rest)} ? (@ != null)') #>> '{{}}')"


def _json_at(asked: ColumnValue) -> str:
    """The first value at a place."""
    return _get(*asked.at.first_match(), text=False)


def _get(begin: str, steps: JsonSteps, *, text: bool) -> str:
    """The first value at the end of steps."""
    members = [member for name, many in steps for member in ((name, "0") if many else (name,))]
    if len(members) == 1:
        return f"{begin} {'->>' if text else '->'} '{members[0]}'"
    return f"{begin} #>{'>' if text else ''} '{{{','.join(members)}}}'"


def _every(asked: ColumnValue) -> str:
    """All values at a place as one JSON array."""
    at = asked.at
    if len(at.steps) == 1 and not at.conditions:
        return f"{at.root} -> '{at.path}'"
    tail = "[*]" if at.steps[-1][1] and at.path not in at.conditions else ""
    if at.conditions or asked.column.since < FIRST_PRESENT_SINCE:
        return f"jsonb_path_query_array({at.root}, '{at.jsonpath(at.steps)}{tail}')"
    begin, rest = at.after_steps(1)
    return f"jsonb_path_query_array({begin}, '{plain_jsonpath(rest)}{tail}')"


_STRINGS = {"string", "code", "uri", "url", "canonical", "id", "oid", "uuid", "markdown", "date", "dateTime", "instant"}
_CODED = {"CodeableConcept": "coding.code", "Coding": "code", "CodeableReference": "concept.coding.code"}
_QUANTITIES = {"Quantity", "Age", "Duration", "Distance", "Count"}
_NUMBERS = {"decimal", "integer", "positiveInt", "unsignedInt"}


def _text(asked: ColumnValue) -> str | None:
    return _text_at(asked) if asked.kind in _STRINGS else None


def _code(asked: ColumnValue) -> str | None:
    if asked.kind == "code":
        return _text_at(asked)
    return _text_at(asked.inside(_CODED[asked.kind])) if asked.kind in _CODED else None


def _codes(asked: ColumnValue) -> str | None:
    if asked.kind == "CodeableConcept":
        at = asked.at
        if at.conditions or any(many for _, many in at.steps):
            return f"hce.codigos({_every(asked.inside('coding'))})"
        return f"hce.codigos({at.root} #> '{{{at.path.replace('.', ',')},coding}}')"
    return f"hce.codigos({_every(asked)})" if asked.kind == "Coding" else None


def _range(asked: ColumnValue) -> str | None:
    if asked.kind in {"date", "dateTime", "instant"}:
        return f"hce.rango({_text_at(asked)})"
    helper = {"Period": "hce.rango_periodo", "Timing": "hce.rango_horario"}.get(asked.kind)
    return f"{helper}({_json_at(asked)})" if helper else None


def _call(helper: str, types: set[str], at: Callable[[ColumnValue], str]) -> Callable[[ColumnValue], str | None]:
    def build(asked: ColumnValue) -> str | None:
        return f"{helper}({at(asked)})" if asked.kind in types else None

    return build


def _number(asked: ColumnValue) -> str | None:
    if asked.kind in {*_QUANTITIES, "Money"}:
        return f"hce.numero({_json_at(asked.inside('value'))})"
    return f"hce.numero({_json_at(asked)})" if asked.kind in _NUMBERS else None


def has_comparator(table: Table, column: Column) -> bool:
    """Whether a number is made of a Quantity, whose comparator says that it is not the number (`<0.01`)."""
    if column.kind is not ColumnKind.NUMBER:
        return False
    places = [parse_path(str(table.fhir_type), path) for path in alternatives(column.path)]
    kinds = {kind for at in places for _, kind in concrete_paths(at.fhir_type, at.path)}
    return bool(kinds & _QUANTITIES)


def _happened(asked: ColumnValue) -> str | None:
    if asked.kind == "boolean":
        return f"hce.logico({_json_at(asked)})"
    return f"nullif({_json_at(asked)} IS NOT NULL, false)"


def _reference(asked: ColumnValue) -> str | None:
    if asked.kind != "Reference":
        return None
    target = str(asked.column.target)
    said = not untyped_reference_names(asked.at.fhir_type, asked.at.path, target)
    if asked.at.conditions or any(many for _, many in asked.at.steps):
        helper = "hce.claves_expresas_de" if said else "hce.claves_de"
        return f"({helper}({_every(asked)}, '{target}'))[1]"
    return f"{'hce.clave_expresa' if said else 'hce.clave'}({_json_at(asked)}, '{target}')"


def _references(asked: ColumnValue) -> str | None:
    if asked.kind != "Reference":
        return None
    target = str(asked.column.target)
    helper = (
        "hce.claves_de"
        if untyped_reference_names(asked.at.fhir_type, asked.at.path, target)
        else "hce.claves_expresas_de"
    )
    return f"{helper}({_every(asked)}, '{target}')"


def _names(asked: ColumnValue) -> str | None:
    return (
        f"hce.nombres({asked.at.root} -> '{asked.at.steps[0][0]}')" if asked.kind in {"HumanName", "string"} else None
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
