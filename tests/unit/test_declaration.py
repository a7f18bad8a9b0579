"""The declaration keeps its own rules, and the files made from it are not stale."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyhce.errors import DeclarationError
from pyhce.schema import generate, r4
from pyhce.schema.declaration import SCHEMA
from pyhce.schema.declaration.shorthand import index, ref, text
from pyhce.schema.lint import check, lint
from pyhce.schema.model import Home, Schema
from pyhce.schema.render import migrations

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


def codes(schema: Schema) -> set[str]:
    return {finding.code for finding in lint(schema)}


def test_the_declaration_breaks_no_rule() -> None:
    check(SCHEMA)


@pytest.mark.parametrize("name", REQUIRED_BY_PATIENT.split())
def test_a_patients_table_is_distributed_by_documento_id(name: str) -> None:
    assert SCHEMA.table(name).distribution_column == "documento_id"


@pytest.mark.parametrize("name", REQUIRED_REFERENCE.split())
def test_a_catalogue_is_a_reference_table(name: str) -> None:
    assert SCHEMA.table(name).home is Home.REFERENCE


def test_there_are_as_many_tables_as_promised() -> None:
    homes = [table.home for table in SCHEMA.tables if table.fhir_type]
    assert len(homes) >= 41
    assert homes.count(Home.PATIENT) >= 31
    assert homes.count(Home.REFERENCE) >= 9
    assert SCHEMA.table("medicamento").distribution_column == "id"


def test_every_type_of_the_patient_compartment_has_a_way_to_its_patient() -> None:
    typed = {fhir_type for fhir_type, table in SCHEMA.by_type.items() if table.patient_paths}
    untyped = {fhir_type for fhir_type, _ in SCHEMA.patient_paths}
    # The R4 compartment, but for Group and Schedule, which are catalogues here.
    compartment = """Account AdverseEvent AllergyIntolerance Appointment AppointmentResponse AuditEvent Basic BodyStructure
    CarePlan CareTeam ChargeItem Claim ClaimResponse ClinicalImpression Communication CommunicationRequest Composition
    Condition Consent Coverage CoverageEligibilityRequest CoverageEligibilityResponse DetectedIssue DeviceRequest
    DeviceUseStatement DiagnosticReport DocumentManifest DocumentReference Encounter EnrollmentRequest EpisodeOfCare
    ExplanationOfBenefit FamilyMemberHistory Flag Goal ImagingStudy Immunization ImmunizationEvaluation
    ImmunizationRecommendation Invoice List MeasureReport Media MedicationAdministration MedicationDispense
    MedicationRequest MedicationStatement MolecularSequence NutritionOrder Observation Patient Person Procedure
    Provenance QuestionnaireResponse RelatedPerson RequestGroup ResearchSubject RiskAssessment ServiceRequest Specimen
    SupplyDelivery SupplyRequest VisionPrescription""".split()
    assert set(compartment) - typed - untyped == set()


@pytest.mark.parametrize("fhir_type", sorted(r4.RESOURCE_TYPES))
def test_every_r4_type_has_a_home(fhir_type: str) -> None:
    assert SCHEMA.homes_of(fhir_type)


def test_a_key_without_the_distribution_column_is_refused() -> None:
    assert codes(changed("observacion", key=("fuente", "id"))) == {"HCL02"}


def test_a_table_without_a_primary_key_is_refused() -> None:
    assert codes(changed("recurso_compartido", key=())) == {"HCL01"}


def test_a_patients_table_outside_the_record_is_refused() -> None:
    assert codes(changed("observacion", parent=None)) == {"HCL03"}


@pytest.mark.parametrize(("name", "code"), [("Observación", "HCL04"), ("observación", "HCL04"), ("table", "HCL05")])
def test_a_name_that_users_would_have_to_quote_is_refused(name: str, code: str) -> None:
    assert code in codes(changed("alerta", name=name))


def test_a_column_with_a_reserved_name_is_refused() -> None:
    columns = (*SCHEMA.table("alerta").columns, text("user", "status", "Usuario", "User"))
    assert codes(changed("alerta", columns=columns)) == {"HCL05"}


def test_a_column_declared_twice_is_refused() -> None:
    table = SCHEMA.table("alerta")
    assert codes(changed("alerta", columns=(*table.columns, table.columns[-1]))) == {"HCL06"}


def test_an_unknown_fhir_path_is_refused() -> None:
    columns = (*SCHEMA.table("alerta").columns, text("extra", "statuss", "Extra", "Extra"))
    assert codes(changed("alerta", columns=columns)) == {"HCL07"}


def test_a_path_that_does_not_fit_its_kind_is_refused() -> None:
    columns = (*SCHEMA.table("alerta").columns, text("extra", "period", "Extra", "Extra"))
    assert codes(changed("alerta", columns=columns)) == {"HCL07"}


@pytest.mark.parametrize("target", ["Practicioner", "Medication"])
def test_a_reference_that_cannot_name_its_target_is_refused(target: str) -> None:
    columns = (*SCHEMA.table("alerta").columns, ref("autor_id", "author", target, "Autor", "Author"))
    assert codes(changed("alerta", columns=columns)) == {"HCL08"}


def test_an_index_on_an_unknown_column_is_refused() -> None:
    assert codes(changed("alerta", indexes=(index("documento_id", "fechas"),))) == {"HCL09"}


def test_a_patient_path_that_cannot_name_a_patient_is_refused() -> None:
    assert codes(changed("alerta", patient_paths=("encounter",))) == {"HCL10"}


def test_a_helper_that_is_not_immutable_is_refused() -> None:
    helpers = tuple(h.model_copy(update={"volatility": "STABLE"}) if h.name == "dia" else h for h in SCHEMA.helpers)
    schema = Schema(tables=SCHEMA.tables, helpers=helpers, patient_paths=SCHEMA.patient_paths)
    assert codes(schema) == {"HCL11"}


def test_a_column_that_calls_an_undeclared_helper_is_refused() -> None:
    helpers = tuple(h for h in SCHEMA.helpers if h.name != "entero" and h.name != "nombres")
    schema = Schema(tables=SCHEMA.tables, helpers=helpers, patient_paths=SCHEMA.patient_paths)
    assert codes(schema) == {"HCL11"}


def test_migrations_are_numbered_without_gaps() -> None:
    columns = (*SCHEMA.table("alerta").columns, text("extra", "id", "Extra", "Extra").model_copy(update={"since": 3}))
    assert codes(changed("alerta", columns=columns)) == {"HCL12"}


def test_every_finding_is_told_at_once() -> None:
    broken = changed("alerta", key=("fuente", "id"), parent=None)
    with pytest.raises(DeclarationError, match=r"(?s)HCL02.*HCL03"):
        check(broken)


def test_a_later_migration_only_expands() -> None:
    new = text("autor", "status", "Autor", "Author").model_copy(update={"since": 2})
    first, second = migrations(changed("alerta", columns=(*SCHEMA.table("alerta").columns, new)))
    assert first.fingerprint == migrations(SCHEMA)[0].fingerprint
    assert "ADD COLUMN IF NOT EXISTS autor" in second.body
    assert "CREATE TABLE" not in second.body


@pytest.mark.parametrize("name", sorted(generate.sql_files(SCHEMA)))
def test_the_committed_init_scripts_are_what_the_declaration_gives(name: str) -> None:
    committed = (ROOT / "postgres-citus" / "init" / name).read_text(encoding="utf-8")
    assert committed == generate.sql_files(SCHEMA)[name], "stale: run `pyhce generate sql`"


@pytest.mark.parametrize("name", sorted(generate.docs_files(SCHEMA)))
def test_the_committed_data_dictionary_is_what_the_declaration_gives(name: str) -> None:
    committed = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert committed == generate.docs_files(SCHEMA)[name], "stale: run `pyhce generate docs`"


def test_no_table_is_forgotten_in_the_dictionary() -> None:
    told = generate.docs_files(SCHEMA)["data-dictionary.md"]
    assert [t.name for t in SCHEMA.tables if t.name not in told] == []


