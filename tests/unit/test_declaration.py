"""The declaration keeps its rules, and the committed files that are made from it are up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyhce import deploy
from pyhce.records.identity.check import IdentifierCheck
from pyhce.schema import generate, r4
from pyhce.schema.declaration import SCHEMA
from pyhce.schema.declaration.shorthand import index
from pyhce.schema.expression import expression, needs_shortening, sql_type
from pyhce.schema.lint import check_declaration
from pyhce.schema.model import ColumnKind, Home, Schema, Table
from pyhce.verify import checks_document

ROOT = Path(__file__).parents[2]
REQUIRED_BY_PATIENT = """
paciente persona_relacionada encuentro episodio_atencion cita condicion observacion procedimiento alergia_intolerancia
inmunizacion solicitud_medicamento dispensacion_medicamento administracion_medicamento declaracion_medicamento
informe_diagnostico solicitud_servicio especimen estudio_imagen plan_cuidado equipo_cuidado meta consentimiento
composicion referencia_documento cobertura reclamacion explicacion_beneficio respuesta_cuestionario dispositivo
antecedente_familiar evaluacion_riesgo impresion_clinica alerta tarea comunicacion procedencia evento_auditoria
recurso_paciente expediente historia
"""
REQUIRED_REFERENCE = """
profesional rol_profesional organizacion ubicacion horario_atencion grupo_pacientes estudio_investigacion
concepto_terminologia mapeo_terminologia guia_clinica
"""


def changed(table: str, /, **members: object) -> Schema:
    """The declaration with one table changed."""
    tables = tuple(t.model_copy(update=members) if t.name == table else t for t in SCHEMA.tables)
    return Schema(tables=tables, helpers=SCHEMA.helpers, patient_paths=SCHEMA.patient_paths)


def test_the_declaration_breaks_no_rule() -> None:
    check_declaration(SCHEMA)


@pytest.mark.parametrize("name", REQUIRED_BY_PATIENT.split())
def test_a_patients_table_is_distributed_by_documento_id(name: str) -> None:
    assert SCHEMA.table(name).distribution_column == "documento_id"


@pytest.mark.parametrize("name", REQUIRED_REFERENCE.split())
def test_a_catalogue_is_a_reference_table(name: str) -> None:
    assert SCHEMA.table(name).home is Home.REFERENCE


def test_the_number_of_tables_is_at_least_the_promised_one() -> None:
    homes = [table.home for table in SCHEMA.tables if table.fhir_type]
    assert len(homes) >= 41
    assert homes.count(Home.PATIENT) >= 31
    assert homes.count(Home.REFERENCE) >= 9
    assert SCHEMA.table("medicamento").distribution_column == "id"


def test_every_type_of_the_patient_compartment_has_a_patient_path() -> None:
    typed = {fhir_type for fhir_type, table in SCHEMA.by_type.items() if table.patient_paths}
    untyped = {fhir_type for fhir_type, _ in SCHEMA.patient_paths}
    # The R4 compartment except Group and Schedule, which are catalogues here.
    compartment = """
    Account AdverseEvent AllergyIntolerance Appointment AppointmentResponse AuditEvent Basic BodyStructure
    CarePlan CareTeam ChargeItem Claim ClaimResponse ClinicalImpression Communication CommunicationRequest Composition
    Condition Consent Coverage CoverageEligibilityRequest CoverageEligibilityResponse DetectedIssue DeviceRequest
    DeviceUseStatement DiagnosticReport DocumentManifest DocumentReference Encounter EnrollmentRequest EpisodeOfCare
    ExplanationOfBenefit FamilyMemberHistory Flag Goal ImagingStudy Immunization ImmunizationEvaluation
    ImmunizationRecommendation Invoice List MeasureReport Media MedicationAdministration MedicationDispense
    MedicationRequest MedicationStatement MolecularSequence NutritionOrder Observation Patient Person Procedure
    Provenance QuestionnaireResponse RelatedPerson RequestGroup ResearchSubject RiskAssessment ServiceRequest Specimen
    SupplyDelivery SupplyRequest VisionPrescription
    """
    assert set(compartment.split()) - typed - untyped == set()


@pytest.mark.parametrize("table", [t for t in SCHEMA.tables if t.fhir_type], ids=lambda table: table.name)
def test_a_type_with_a_required_subject_has_no_other_patient_path(table: Table) -> None:
    owner = r4.element(str(table.fhir_type), table.patient_paths[0]) if table.patient_paths else None
    mixed = {"beneficiary", "for", "target", "entity.what", "participant.actor", "id"}
    if owner and owner.required and table.patient_paths[0] not in mixed:
        assert len(table.patient_paths) == 1


@pytest.mark.parametrize("table", [t for t in SCHEMA.tables if t.fhir_type], ids=lambda table: table.name)
def test_the_indexes_by_encounter_and_by_code_are_declared(table: Table) -> None:
    indexed = {index.keys for index in table.indexes}
    if table.name in {"condicion", "observacion", "procedimiento"}:
        assert {("documento_id", "codigo"), ("documento_id", "encuentro_id")} <= indexed
    if table.home is not Home.PATIENT:
        assert [column.name for column in table.columns if column.kind is ColumnKind.KEYS] == ["claves"]


@pytest.mark.parametrize("fhir_type", sorted(r4.RESOURCE_TYPES))
def test_every_r4_type_has_a_table(fhir_type: str) -> None:
    assert SCHEMA.tables_for(fhir_type)


@pytest.mark.parametrize("name", sorted(generate.sql_files(SCHEMA)))
def test_the_committed_init_scripts_are_what_the_declaration_gives(name: str) -> None:
    committed = (ROOT / "postgres-citus" / "init" / name).read_text(encoding="utf-8")
    assert committed == generate.sql_files(SCHEMA)[name], "stale: run `pyhce generate sql`"


@pytest.mark.parametrize("name", sorted(generate.docs_files(SCHEMA)))
def test_the_committed_data_dictionary_is_what_the_declaration_gives(name: str) -> None:
    committed = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert committed == generate.docs_files(SCHEMA)[name], "stale: run `pyhce generate docs`"


def test_the_committed_list_of_checks_is_what_the_checks_say() -> None:
    more = (IdentifierCheck(), *deploy.CHECKS)
    assert (ROOT / "docs" / "checks.md").read_text(encoding="utf-8") == checks_document(more), (
        "run `pyhce generate docs`"
    )


def test_the_dictionary_has_every_table() -> None:
    told = generate.docs_files(SCHEMA)["data-dictionary.md"]
    assert [t.name for t in SCHEMA.tables if t.name not in told] == []


BOUNDED = {
    "documento_id", "documento_calculado", "fuente", "otra_fuente", "tipo", "id", "paciente_id", "otro_paciente_id",
    "paso",
}  # fmt: skip
"""Stored texts with their own limit: a document 512 bytes, a source 1,000, a type and an id 64; `paso` is ours."""


@pytest.mark.parametrize("table", SCHEMA.tables, ids=lambda table: table.name)
def test_no_indexed_text_can_be_longer_than_an_index_row(table: Table) -> None:
    words = {word for held in table.indexes for word in held.identifiers} | set(table.key)
    stored = {column.name for column in table.stored if column.sql_type.startswith("text")}
    typed = {column.name for column in table.columns if sql_type(column) in {"text", "text[]"}}
    assert words & stored <= BOUNDED
    for column in table.columns:
        if column.name in words & typed and column.kind is not ColumnKind.NAMES:
            assert needs_shortening(table, column)
            assert expression(table, column).startswith(("hce.acortado(", "hce.acortados("))
    for held in table.indexes:
        names = {column.name for column in table.columns if column.kind is ColumnKind.NAMES} & held.identifiers
        assert not names or held.opclass == "public.gin_trgm_ops", "trigrams are short for any text"


def test_a_column_is_shortened_from_the_migration_that_adds_its_index() -> None:
    table = SCHEMA.table("alerta")
    later = table.model_copy(update={"indexes": (*table.indexes, index("documento_id", "estado", since=7))})
    column = next(column for column in table.columns if column.name == "estado")
    assert not expression(later, column, 6).startswith("hce.acortado(")
    assert expression(later, column, 7) == f"hce.acortado({expression(later, column, 6)})"
