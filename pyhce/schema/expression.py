"""How a typed column is computed: its kind and FHIR path as an SQL expression over `recurso`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from pyhce.errors import DeclarationError
from pyhce.schema import r4
from pyhce.schema.helper_functions import HELPERS
from pyhce.schema.model import Column, Helper, Kind, Table

NEWEST = 1_000_000
"""A number after every migration: an expression as it is now."""
_HELPER = re.compile(r"\bhce\.([a-z0-9_]+)\(")

SQL_TYPES = {
    Kind.TEXT: "text",
    Kind.CODE: "text",
    Kind.CODES: "text[]",
    Kind.RANGE: "tstzrange",
    Kind.MOMENT: "timestamptz",
    Kind.DATE: "date",
    Kind.DATES: "daterange",
    Kind.NUMBER: "numeric",
    Kind.INTEGER: "integer",
    Kind.BOOLEAN: "boolean",
    Kind.REFERENCE: "text",
    Kind.REFERENCES: "text[]",
    Kind.KEYS: "text[]",
    Kind.NAMES: "text",
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
    then = column.at(number)
    parts = [_one(table.fhir_type, then, path.strip()) for path in then.path.split("|")]
    flat = [part for alternatives in parts for part in alternatives]
    sql = flat[0] if len(flat) == 1 else f"coalesce({', '.join(flat)})"
    newest = _successors(number, helpers)
    return _HELPER.sub(lambda call: f"hce.{newest.get(call[1], call[1])}(", sql)


def _successors(number: int, helpers: Iterable[Helper]) -> dict[str, str]:
    """The helpers that another one has replaced by a migration, each with the newest one in its place."""
    found: dict[str, str] = {}
    for helper in sorted((h for h in helpers if h.replaces and h.since <= number), key=lambda h: h.since):
        found = {old: helper.name if new == helper.replaces else new for old, new in found.items()}
        found[helper.replaces] = helper.name
    return found


def concrete_paths(fhir_type: str, path: str) -> list[tuple[str, str]]:
    """A path with its FHIR type, a choice (`value[x]`) as each concrete member it may be.

    Raises:
        DeclarationError: R4 has no such element.
    """
    if not path.endswith("[x]"):
        return [(path, _element(fhir_type, path).types[0])]
    stem = path.removesuffix("[x]")
    types = r4.choice_types(fhir_type, path)
    if not types:
        raise _unknown(fhir_type, path)
    return [(stem + kind[0].upper() + kind[1:], kind) for kind in types]


def _element(fhir_type: str, path: str) -> r4.Element:
    found = r4.element(fhir_type, path)
    if found is None:
        raise _unknown(fhir_type, path)
    return found


def _unknown(fhir_type: str, path: str) -> DeclarationError:
    return DeclarationError(
        f"FHIR R4 has no element {fhir_type}.{path}",
        remedy=f"See the definition of {fhir_type}: https://hl7.org/fhir/R4/{fhir_type.lower()}.html",
    )


def _one(fhir_type: str, column: Column, path: str) -> list[str]:
    if path == "id":
        return ["hce.claves_propias(id, recurso -> 'identifier')" if column.kind is Kind.KEYS else "id"]
    found = [
        sql
        for concrete, kind in concrete_paths(fhir_type, path)
        if (sql := _BUILDERS[column.kind](fhir_type, concrete, kind, column))
    ]
    if not found:
        raise DeclarationError(
            f"{fhir_type}.{path} cannot be read as {column.kind.value}", remedy="Choose a kind that fits its FHIR type."
        )
    return found


def untyped_names(fhir_type: str, path: str, target: str) -> bool:
    """Whether a Reference at the path that does not say its type (a urn, an identifier alone) names a `target`.

    It does where R4 allows nothing else there, and a record's `subject` without a type is its patient.
    """
    element = r4.element(fhir_type, path)
    return element is not None and (
        element.targets == (target,)
        or (target == "Patient" and path in {"subject", "for"} and target in element.targets)
    )


def _steps(fhir_type: str, path: str) -> str:
    """The JSON members from the resource to the first value at the path."""
    members: list[str] = []
    for name, many in r4.json_path(fhir_type, path):
        members += [name, "0"] if many else [name]
    return ",".join(members)


def _text_at(fhir_type: str, path: str) -> str:
    steps = _steps(fhir_type, path)
    return f"recurso ->> '{steps}'" if "," not in steps else f"recurso #>> '{{{steps}}}'"


def _json_at(fhir_type: str, path: str) -> str:
    steps = _steps(fhir_type, path)
    return f"recurso -> '{steps}'" if "," not in steps else f"recurso #> '{{{steps}}}'"


def _json_at_last(fhir_type: str, path: str) -> str:
    """The last member as it is, an array included, where nothing before it is one."""
    return f"recurso #> '{{{','.join(name for name, _ in r4.json_path(fhir_type, path))}}}'"


def _every(fhir_type: str, path: str) -> str:
    """All values at the path as one JSON array (jsonpath's lax mode opens arrays on the way)."""
    steps = r4.json_path(fhir_type, path)
    if len(steps) == 1:
        return f"recurso -> '{steps[0][0]}'"
    tail = "[*]" if steps[-1][1] else ""
    return f"jsonb_path_query_array(recurso, '$.{'.'.join(name for name, _ in steps)}{tail}')"


_STRINGS = {"string", "code", "uri", "url", "canonical", "id", "oid", "uuid", "markdown", "date", "dateTime", "instant"}
_CODED = {"CodeableConcept": "coding.code", "Coding": "code", "CodeableReference": "concept.coding.code"}


def _text(fhir_type: str, path: str, kind: str, _: Column) -> str | None:
    return _text_at(fhir_type, path) if kind in _STRINGS else None


def _code(fhir_type: str, path: str, kind: str, _: Column) -> str | None:
    if kind == "code":
        return _text_at(fhir_type, path)
    return _text_at(fhir_type, f"{path}.{_CODED[kind]}") if kind in _CODED else None


def _codes(fhir_type: str, path: str, kind: str, _: Column) -> str | None:
    if kind == "CodeableConcept":
        many = any(array for _, array in r4.json_path(fhir_type, path))
        codings = _every(fhir_type, path + ".coding") if many else _json_at_last(fhir_type, path + ".coding")
        return f"hce.codigos({codings})"
    return f"hce.codigos({_every(fhir_type, path)})" if kind == "Coding" else None


def _range(fhir_type: str, path: str, kind: str, _: Column) -> str | None:
    if kind in {"date", "dateTime", "instant"}:
        return f"hce.rango({_text_at(fhir_type, path)})"
    helper = {"Period": "hce.rango_periodo", "Timing": "hce.rango_horario"}.get(kind)
    return f"{helper}({_json_at(fhir_type, path)})" if helper else None


def _call(helper: str, types: set[str], at: Callable[[str, str], str]) -> Callable[[str, str, str, Column], str | None]:
    def build(fhir_type: str, path: str, kind: str, _: Column) -> str | None:
        return f"{helper}({at(fhir_type, path)})" if kind in types else None

    return build


def _number(fhir_type: str, path: str, kind: str, _: Column) -> str | None:
    if kind in {"Quantity", "Age", "Money", "Duration", "Distance", "Count", "SimpleQuantity"}:
        return f"hce.numero({_json_at(fhir_type, path + '.value')})"
    if kind in {"decimal", "integer", "positiveInt", "unsignedInt"}:
        return f"hce.numero({_json_at(fhir_type, path)})"
    return None


def _reference(fhir_type: str, path: str, kind: str, column: Column) -> str | None:
    if kind != "Reference":
        return None
    said = not untyped_names(fhir_type, path, str(column.target))
    if any(many for _, many in r4.json_path(fhir_type, path)):
        helper = "hce.claves_expresas_de" if said else "hce.claves_de"
        return f"({helper}({_every(fhir_type, path)}, '{column.target}'))[1]"
    return f"{'hce.clave_expresa' if said else 'hce.clave'}({_json_at(fhir_type, path)}, '{column.target}')"


def _references(fhir_type: str, path: str, kind: str, column: Column) -> str | None:
    if kind != "Reference":
        return None
    helper = "hce.claves_de" if untyped_names(fhir_type, path, str(column.target)) else "hce.claves_expresas_de"
    return f"{helper}({_every(fhir_type, path)}, '{column.target}')"


_BUILDERS: dict[Kind, Callable[[str, str, str, Column], str | None]] = {
    Kind.TEXT: _text,
    Kind.CODE: _code,
    Kind.CODES: _codes,
    Kind.RANGE: _range,
    Kind.MOMENT: _call("hce.momento", {"instant", "dateTime"}, _text_at),
    Kind.DATE: _call("hce.dia_exacto", {"date", "dateTime"}, _text_at),
    Kind.DATES: _call("hce.dias", {"date"}, _text_at),
    Kind.NUMBER: _number,
    Kind.INTEGER: _call("hce.entero", {"integer", "positiveInt", "unsignedInt"}, _json_at),
    Kind.BOOLEAN: _call("hce.logico", {"boolean"}, _json_at),
    Kind.REFERENCE: _reference,
    Kind.REFERENCES: _references,
    Kind.KEYS: lambda *_: None,
    Kind.NAMES: lambda fhir_type, path, kind, _: (
        f"hce.nombres({_json_at_whole(fhir_type, path)})" if kind in {"HumanName", "string"} else None
    ),
}


def _json_at_whole(fhir_type: str, path: str) -> str:
    """The member as it is, an array included."""
    return f"recurso -> '{r4.json_path(fhir_type, path)[0][0]}'"
