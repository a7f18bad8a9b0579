"""Each rule of the declaration reports its violation, and nothing else."""

from __future__ import annotations

import pytest

from pyhce.errors import DeclarationError
from pyhce.schema.declaration import SCHEMA
from pyhce.schema.declaration.record import ANCHOR, GENERIC
from pyhce.schema.declaration.shorthand import BY_DATE, code, col, date_range, index, ref, resources, text
from pyhce.schema.keywords import RESERVED
from pyhce.schema.lint import LONGEST_TABLE, LintFinding, check_declaration, lint
from pyhce.schema.model import Area, ColumnKind, Helper, Home, Index, Schema

FIRST = tuple(helper for helper in SCHEMA.helpers if helper.since == 1)
"""The helpers of migration 1; none of them replaces another one."""
FLAG = resources(
    "alerta",
    "Flag",
    Area.CLINICAL,
    "Alertas",
    "Flags",
    code("codigo", "code", "Alerta", "Flag"),
    date_range("fecha", "period", "Vigencia", "Period"),
    ref("autor_id", "author", "Practitioner", "Autor", "Author"),
    patient=("subject",),
    indexes=(BY_DATE,),
)
ORGANIZATION = resources(
    "organizacion",
    "Organization",
    Area.ADMINISTRATION,
    "Organizaciones",
    "Organizations",
    col("claves", ColumnKind.KEYS, "id", "Claves", "Keys"),
    home=Home.REFERENCE,
)
MEDICATION = resources("medicamento", "Medication", Area.MEDICATION, "Medicamentos", "Medications", home=Home.ID)
SMALL = Schema(
    tables=(ANCHOR, FLAG, ORGANIZATION, MEDICATION, *GENERIC),
    helpers=FIRST,
    patient_paths=(("Basic", ("subject", "author")),),
)
EXTRA = text("extra", "status", "Extra", "Extra")


def changed(table: str, /, **members: object) -> Schema:
    """The small declaration with one table changed."""
    tables = tuple(t.model_copy(update=members) if t.name == table else t for t in SMALL.tables)
    return SMALL.model_copy(update={"tables": tables})


def with_column(**members: object) -> Schema:
    """The small declaration with one more column of alerta."""
    return changed("alerta", columns=(*FLAG.columns, EXTRA.model_copy(update=members)))


def with_index(added: Index) -> Schema:
    """The small declaration with one more index of alerta."""
    return changed("alerta", indexes=(*FLAG.indexes, added))


def with_helper(**members: object) -> Schema:
    """The small declaration with the helper `dia` changed."""
    helpers = tuple(h.model_copy(update=members) if h.name == "dia" else h for h in FIRST)
    return SMALL.model_copy(update={"helpers": helpers})


def with_new_helper(**members: object) -> Schema:
    """The small declaration with one more helper, of migration 2."""
    added = Helper(name="dia_nuevo", arguments="t text", returns="date", body="SELECT hce.dia(t)", comment="A day.")
    more = added.model_copy(update={"since": 2, **members})
    return SMALL.model_copy(update={"helpers": (*FIRST, more)})


def only(schema: Schema) -> LintFinding:
    """The single finding."""
    (finding,) = lint(schema)
    return finding


def code_and_place(schema: Schema) -> tuple[str, str, str | None]:
    """Code, table and column of the single finding."""
    finding = only(schema)
    return finding.code, finding.table, finding.column


def test_the_whole_declaration_breaks_no_rule() -> None:
    check_declaration(SCHEMA)


def test_the_small_declaration_breaks_no_rule() -> None:
    assert lint(SMALL) == ()


def test_a_table_without_a_primary_key_is_refused() -> None:
    assert code_and_place(changed("organizacion", key=())) == ("HCL01", "organizacion", None)


@pytest.mark.parametrize(
    ("table", "key"),
    [("alerta", ("fuente", "id")), ("alerta", ("fuente", "documento_id", "id")), ("medicamento", ("fuente",))],
)
def test_a_key_without_the_distribution_column_in_first_place_is_refused(table: str, key: tuple[str, ...]) -> None:
    assert code_and_place(changed(table, key=key)) == ("HCL02", table, None)


def test_a_key_with_an_unknown_column_is_refused() -> None:
    assert code_and_place(changed("alerta", key=("documento_id", "origen", "id"))) == ("HCL09", "alerta", None)


def test_a_patients_table_without_a_parent_is_refused() -> None:
    assert code_and_place(changed("alerta", parent=None)) == ("HCL03", "alerta", None)


def test_a_parent_that_comes_later_is_refused() -> None:
    later = Schema(tables=(FLAG, ANCHOR), helpers=FIRST, patient_paths=())
    assert code_and_place(later) == ("HCL03", "alerta", None)


@pytest.mark.parametrize("name", ["atención", "Alertas", "1alerta", "_alerta", "alerta clinica", "a" * 46, "alerta\n"])
def test_a_table_name_that_is_not_short_ascii_snake_case_is_refused(name: str) -> None:
    assert code_and_place(changed("alerta", name=name, indexes=())) == ("HCL04", name, None)


def test_a_table_name_of_the_greatest_length_is_accepted() -> None:
    assert lint(changed("alerta", name="a" * LONGEST_TABLE, indexes=())) == ()


@pytest.mark.parametrize("name", ["señal", "codigoExtra", "c" * 64])
def test_a_column_name_that_is_not_short_ascii_snake_case_is_refused(name: str) -> None:
    assert code_and_place(with_column(name=name)) == ("HCL04", "alerta", name)


def test_an_index_name_that_is_too_long_is_refused() -> None:
    assert code_and_place(with_index(Index(keys=("codigo",), name="i" * 63)))[0] == "HCL04"


@pytest.mark.parametrize("name", ["table", "user", "references", "offset"])
def test_a_table_with_a_reserved_name_is_refused(name: str) -> None:
    assert code_and_place(changed("alerta", name=name)) == ("HCL05", name, None)


@pytest.mark.parametrize("name", ["user", "end", "ctid"])
def test_a_column_with_a_reserved_name_is_refused(name: str) -> None:
    assert code_and_place(with_column(name=name)) == ("HCL05", "alerta", name)


def test_spanish_words_of_the_domain_are_not_reserved() -> None:
    assert {"fecha", "valor", "estado", "meta", "cita", "clase", "total"} & RESERVED == set()


def test_a_column_declared_twice_is_refused() -> None:
    assert code_and_place(with_column(name="codigo")) == ("HCL06", "alerta", "codigo")


def test_a_typed_column_with_the_name_of_a_stored_one_is_refused() -> None:
    assert code_and_place(with_column(name="recurso")) == ("HCL06", "alerta", "recurso")


def test_an_index_declared_twice_is_refused() -> None:
    assert code_and_place(with_index(BY_DATE)) == ("HCL06", "alerta_documento_id_fecha_idx", None)


def test_a_table_declared_twice_is_refused() -> None:
    again = MEDICATION.model_copy(update={"fhir_type": "Substance", "indexes": ()})
    found = lint(SMALL.model_copy(update={"tables": (*SMALL.tables, again)}))
    assert {(f.code, f.table) for f in found} == {("HCL06", "medicamento"), ("HCL06", "medicamento_pkey")}


def test_a_fhir_type_with_two_tables_is_refused() -> None:
    again = MEDICATION.model_copy(update={"name": "farmaco", "indexes": ()})
    assert code_and_place(SMALL.model_copy(update={"tables": (*SMALL.tables, again)})) == ("HCL06", "Medication", None)


def test_a_type_with_a_table_and_with_separate_patient_paths_is_refused() -> None:
    paths = (*SMALL.patient_paths, ("Flag", ("subject",)))
    assert code_and_place(SMALL.model_copy(update={"patient_paths": paths})) == ("HCL06", "Flag", None)


def test_a_helper_declared_twice_is_refused() -> None:
    helpers = (*FIRST, FIRST[0])
    assert code_and_place(SMALL.model_copy(update={"helpers": helpers})) == ("HCL06", f"hce.{helpers[0].name}", None)


@pytest.mark.parametrize("path", ["statuss", "code.codings", "period.begin", "", "status |"])
def test_an_unknown_fhir_path_is_refused(path: str) -> None:
    assert code_and_place(with_column(path=path)) == ("HCL07", "alerta", "extra")


@pytest.mark.parametrize(
    ("kind", "path"), [(ColumnKind.TEXT, "period"), (ColumnKind.RANGE, "code"), (ColumnKind.KEYS, "identifier")]
)
def test_a_path_that_does_not_fit_its_kind_is_refused(kind: ColumnKind, path: str) -> None:
    assert code_and_place(with_column(kind=kind, path=path)) == ("HCL07", "alerta", "extra")


def test_an_unknown_fhir_type_is_refused() -> None:
    assert code_and_place(changed("medicamento", fhir_type="Medicamento")) == ("HCL07", "medicamento", None)


def test_a_typed_column_of_a_generic_table_is_refused() -> None:
    assert code_and_place(changed("recurso_compartido", columns=(EXTRA,))) == ("HCL07", "recurso_compartido", "extra")


@pytest.mark.parametrize("target", [None, "Practicioner", "Medication"])
@pytest.mark.parametrize("kind", [ColumnKind.REFERENCE, ColumnKind.REFERENCES])
def test_a_reference_that_cannot_name_its_target_is_refused(kind: ColumnKind, target: str | None) -> None:
    assert code_and_place(with_column(kind=kind, path="author", target=target)) == ("HCL08", "alerta", "extra")


def test_an_index_on_an_unknown_column_is_refused() -> None:
    finding = only(with_index(index("documento_id", "(upper(fechas))")))
    assert (finding.code, finding.what) == ("HCL09", "alerta.alerta_documento_id_fechas_idx")
    assert "fechas" in finding.message


@pytest.mark.parametrize("path", ["encounter", "subjects", "code", "id"])
def test_a_patient_path_that_cannot_name_a_patient_is_refused(path: str) -> None:
    assert code_and_place(changed("alerta", patient_paths=(path,))) == ("HCL10", "alerta", None)


def test_a_wrong_patient_path_of_a_type_without_a_table_is_refused() -> None:
    assert code_and_place(SMALL.model_copy(update={"patient_paths": (("Basic", ("code",)),)})) == (
        "HCL10",
        "Basic",
        None,
    )


def test_a_patients_table_without_a_path_to_the_patient_is_refused() -> None:
    columns = tuple(c for c in FLAG.columns if c.name != "paciente_id")
    assert code_and_place(changed("alerta", patient_paths=(), columns=columns)) == ("HCL10", "alerta", None)


def test_a_shared_table_with_a_path_to_the_patient_is_refused() -> None:
    group = ORGANIZATION.model_copy(update={"fhir_type": "Group", "patient_paths": ("member.entity",)})
    assert code_and_place(changed("organizacion", **dict(group))) == ("HCL10", "organizacion", None)


def test_the_patient_path_of_patient_is_its_id() -> None:
    table = resources("paciente", "Patient", Area.ADMINISTRATION, "Pacientes", "Patients", patient=("id",))
    assert lint(SMALL.model_copy(update={"tables": (*SMALL.tables, table)})) == ()


@pytest.mark.parametrize("volatility", ["STABLE", "VOLATILE"])
def test_a_helper_that_is_not_immutable_is_refused(volatility: str) -> None:
    assert code_and_place(with_helper(volatility=volatility)) == ("HCL11", "hce.dia", None)


@pytest.mark.parametrize("body", ["SELECT now()::date", "SELECT CURRENT_DATE", "SELECT to_date(t, 'YYYY-MM-DD')"])
def test_a_helper_that_calls_a_function_that_is_not_immutable_is_refused(body: str) -> None:
    assert code_and_place(with_helper(body=body)) == ("HCL11", "hce.dia", None)


def test_a_column_that_calls_an_undeclared_helper_is_refused() -> None:
    helpers = tuple(h for h in FIRST if h.name != "rango_periodo")
    assert code_and_place(SMALL.model_copy(update={"helpers": helpers})) == ("HCL11", "alerta", "fecha")


def test_a_gap_between_migrations_is_refused() -> None:
    assert code_and_place(with_column(since=3)) == ("HCL12", "migration 2", None)


def test_an_index_older_than_its_column_is_refused() -> None:
    columns = (*FLAG.columns, EXTRA.model_copy(update={"since": 2}))
    schema = changed("alerta", columns=columns, indexes=(*FLAG.indexes, index("extra")))
    assert code_and_place(schema) == ("HCL12", "alerta", "alerta_extra_idx")
    assert lint(changed("alerta", columns=columns, indexes=(*FLAG.indexes, index("extra", since=2)))) == ()


def test_the_error_has_every_finding_and_remedy() -> None:
    broken = changed("alerta", key=("fuente", "id"), parent=None)
    with pytest.raises(DeclarationError, match=r"(?s)HCL02 alerta: .*HCL03 alerta: ") as caught:
        check_declaration(broken)
    assert "parent='expediente'" in caught.value.remedy


def test_every_code_has_a_remedy() -> None:
    broken = changed("alerta", key=(), parent=None, columns=(*FLAG.columns, *FLAG.columns), patient_paths=("code",))
    assert all(finding.remedy and finding.message for finding in lint(broken))


def test_a_helper_may_call_the_one_that_it_replaces() -> None:
    assert lint(with_new_helper(replaces="dia")) == lint(with_new_helper())


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"replaces": "dia_de_nadie"}, "the helper replaces hce.dia_de_nadie, which no earlier migration has"),
        ({"replaces": "dia", "since": 1}, "the helper replaces hce.dia, which no earlier migration has"),
    ],
)
def test_a_helper_that_replaces_no_earlier_one_is_refused(members: dict[str, object], message: str) -> None:
    assert message in [finding.message for finding in lint(with_new_helper(**members))]


def test_a_new_helper_that_calls_a_replaced_one_is_refused() -> None:
    schema = with_new_helper(replaces="dia")
    caller = Helper(
        name="otro", arguments="t text", returns="date", body="SELECT hce.dia(t)", comment="A day.", since=2
    )
    found = lint(schema.model_copy(update={"helpers": (*schema.helpers, caller)}))
    assert "the helper calls hce.dia, which hce.dia_nuevo replaces" in [finding.message for finding in found]


def test_the_condition_of_an_index_has_declared_columns_only() -> None:
    assert lint(with_index(Index(keys=("documento_id",), where="codigo IS NOT NULL"))) == ()
    assert code_and_place(with_index(Index(keys=("documento_id",), where="nada IS NOT NULL")))[0] == "HCL09"
