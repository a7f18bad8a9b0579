"""The FHIR paths of typed columns, and the SQL that is made from them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pyhce.errors import DeclarationError
from pyhce.schema.declaration import SCHEMA
from pyhce.schema.declaration.shorthand import code, codes, comparator, number, ref, text
from pyhce.schema.expression import expression, has_comparator
from pyhce.schema.lint import lint
from pyhce.schema.model import Column, Schema, Table

RACE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race"
FATHER = "https://fhir.minsalud.gov.co/rda/StructureDefinition/ExtensionFathersFamilyName"
REFUSED = [
    ("name.preferred('phone').family", "must name a system"),
    ("telecom.preferred().value", "must name a system"),
    ("contact.preferred().name", "calls preferred() on contact"),
    ("managingOrganization.resolve().nombre", "FHIR R4 has no element Organization.nombre"),
    ("generalPractitioner.resolve().id", "resolves generalPractitioner"),
    ("extension('http://x.example/\"a').valueCode", "has a condition"),
    ("telecom.where(system).value", "has a condition"),
    ("telecom.where(sistema = 'phone').value", "FHIR R4 has no element Patient.telecom.sistema"),
    ("where(gender = 'male').birthDate", "has a condition on gender, which is not a CodeableConcept"),
    ("name.first().family", "calls first()"),
    ("name..family", "has a syntax error at '.family'"),
]  # fmt: skip


def sql(table: str, column: Column) -> str:
    return expression(SCHEMA.table(table), column)


def test_an_extension_is_found_by_its_url_at_any_depth() -> None:
    race = code("raza", f"extension('{RACE}').extension('ombCategory').valueCoding", "Raza", "Race", since=2)
    path = f"""'$.extension[*] ? (@.url == "{RACE}").extension[*] ? (@.url == "ombCategory")'"""
    assert sql("paciente", race) == (
        f"CASE WHEN recurso ? 'extension' THEN jsonb_path_query_first(recurso, {path}) #>> '{{valueCoding,code}}' END"
    )


def test_an_extension_of_a_primitive_is_found_in_the_member_with_an_underscore() -> None:
    father = text("apellido_padre", f"name.preferred().family.extension('{FATHER}').valueString", "", "", since=2)
    begin = "(hce.nombre_vigente(recurso -> 'name') #> '{_family}')"
    path = f"""'$.extension[*] ? (@.url == "{FATHER}")'"""
    assert sql("paciente", father) == (
        f"CASE WHEN {begin} ? 'extension' THEN jsonb_path_query_first({begin}, {path}) ->> 'valueString' END"
    )


def test_an_element_of_an_array_is_found_by_a_value_or_by_a_coding() -> None:
    fax = text("fax", "telecom.where(system = 'fax', use = 'work').value", "Fax", "Fax", since=2)
    assert """? (@.system == "fax" && @.use == "work")""" in sql("paciente", fax)
    rate = number("fc", "component.where(code = 'http://loinc.org|8867-4').valueQuantity", "FC", "HR", since=2)
    assert """(exists(@.code.coding ? (@.system == "http://loinc.org" && @.code == "8867-4")))""" in sql(
        "observacion", rate
    )


def test_a_value_and_its_comparator_come_from_the_same_component() -> None:
    value, comparator_sql = (
        sql("observacion", column)
        for column in SCHEMA.table("observacion").columns
        if column.name in {"sistolica", "sistolica_comparador"}
    )
    assert value.split("hce.numero(")[1].split(" #>")[0] == comparator_sql.split("THEN ")[1].split(" #>>")[0]


@pytest.mark.parametrize(("path", "reason"), REFUSED, ids=[path for path, _ in REFUSED])
def test_an_unsupported_path_is_refused_with_the_reason(path: str, reason: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        sql("paciente", text("otra", path, "Otra", "Other", since=2))
    assert reason in str(refused.value)


def test_a_column_of_the_first_migration_is_unchanged() -> None:
    given = next(column for column in SCHEMA.table("paciente").columns if column.name == "nombre")
    assert expression(SCHEMA.table("paciente"), given, 1) == "recurso #>> '{name,0,given,0}'"
    assert (
        expression(SCHEMA.table("condicion"), code("codigo", "code", "", ""), 1) == "recurso #>> '{code,coding,0,code}'"
    )


def test_the_example_columns_of_the_documentation_break_no_rule() -> None:
    told = (Path(__file__).parents[2] / "docs/contributing/column.md").read_text("utf-8")
    (shown,) = re.findall(r"```python\n(code\(.*?)```", told, re.DOTALL)
    names = {"code": code, "text": text, "number": number, "comparator": comparator}
    own: tuple[Column, ...] = eval(f"({shown})", names)  # noqa: S307 - our own documentation
    of_patients = {"raza", "nacionalidad", "primer_apellido"}

    def with_own(table: Table) -> Table:
        added = [c for c in own if table.name == ("paciente" if c.name in of_patients else "observacion")]
        return table.model_copy(update={"columns": (*table.columns, *added)})

    tables = tuple(map(with_own, SCHEMA.tables))
    assert {column.name for column in own} > of_patients
    assert lint(Schema(tables=tables, helpers=SCHEMA.helpers, patient_paths=SCHEMA.patient_paths)) == ()


def test_a_resolved_reference_is_read_from_the_contained_resource() -> None:
    every = codes("codigos", "medicationReference.resolve().code", "Códigos", "Codes", since=2)
    assert sql("solicitud_medicamento", every) == (
        "hce.codigos(hce.contenido(recurso, recurso #>> '{medicationReference,reference}') #> '{code,coding}')"
    )


def test_every_number_from_a_quantity_has_a_comparator_column() -> None:
    made = [(t.name, c.name) for t in SCHEMA.tables for c in t.columns if t.fhir_type and has_comparator(t, c)]
    assert ("observacion", "valor") in made
    for table, name in made:
        assert f"{name}_comparador" in {column.name for column in SCHEMA.table(table).columns}


def test_a_number_from_a_quantity_without_a_comparator_column_is_refused() -> None:
    table = SCHEMA.table("meta")
    bound = number("limite", "target.detailQuantity", "Límite", "Limit", since=2)

    def found(*columns: Column) -> list[str]:
        changed = table.model_copy(update={"columns": (*table.columns, *columns)})
        tables = tuple(changed if one is table else one for one in SCHEMA.tables)
        schema = Schema(tables=tables, helpers=SCHEMA.helpers, patient_paths=SCHEMA.patient_paths)
        return [finding.what for finding in lint(schema) if finding.code == "HCL13"]

    assert found(bound) == ["meta.limite"]
    assert found(bound, comparator("limite", "target.detailQuantity")) == []


def test_a_wrong_target_after_a_resolved_reference_is_refused() -> None:
    maker = ref("fabricante_id", "medicationReference.resolve().manufacturer", "Patient", "", "", since=2)
    table = SCHEMA.table("solicitud_medicamento")
    changed = table.model_copy(update={"columns": (*table.columns, maker)})
    tables = tuple(changed if one is table else one for one in SCHEMA.tables)
    schema = Schema(tables=tables, helpers=SCHEMA.helpers, patient_paths=SCHEMA.patient_paths)
    assert [finding.code for finding in lint(schema)] == ["HCL08"]
