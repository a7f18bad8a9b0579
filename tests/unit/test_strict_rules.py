"""--strict: R4's invariants and prose rules, each with a resource that breaks it and a corrected one."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest

from pyhce.errors import DeclarationError
from pyhce.records.reading.checks.dates import surely_after
from pyhce.records.reading.checks.fhirpath import compiled, holds
from pyhce.records.reading.strict import r4_problems
from pyhce.schema.r4_rules import _table

Resource = dict[str, Any]
DATA = base64.b64encode(b"lab report").decode()
SHA1 = "qIlxniy8DiDRhyfzK3TaN/uH0vg="
PATIENT = {"reference": "Patient/p1"}
DIV = '<div xmlns="http://www.w3.org/1999/xhtml">%s</div>'
UUID = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"


def made(kind: str, /, **members: Any) -> Resource:
    return {"resourceType": kind, **members}


def observation(**members: Any) -> Resource:
    return made("Observation", **{"status": "final", "code": {"text": "x"}, **members})


def patient(**members: Any) -> Resource:
    return made("Patient", **members)


def questionnaire(*items: Resource) -> Resource:
    return made("Questionnaire", status="active", item=list(items))


def document(*entries: Resource, **composition: Any) -> Resource:
    head = made("Composition", status="final", type={"text": "x"}, date="2024", author=[{"display": "x"}], title="t")
    first = {"fullUrl": "http://a.example/Composition/c", "resource": {**head, "id": "c", **composition}}
    about = {"identifier": {"value": "1"}, "timestamp": "2024-01-01T00:00:00Z"}
    return made("Bundle", type="document", **about, entry=[first, *entries])


def entry_of(url: str, resource: Resource, **members: Any) -> Resource:
    return {"fullUrl": url, "resource": resource, **members}


def narrative(inner: str) -> Resource:
    return patient(text={"status": "generated", "div": DIV % inner})


def extended(url: str, **value: Any) -> Resource:
    return {"url": url, **value}


def coded(system: str, code: str) -> Resource:
    return observation(code={"coding": [{"system": system, "code": code}]})


def allergy(code: str) -> Resource:
    system = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
    return made("AllergyIntolerance", patient=PATIENT, clinicalStatus={"coding": [{"system": system, "code": code}]})


def value_set(system: str, code: str = "404684003") -> Resource:
    return made("ValueSet", status="active", compose={"include": [{"system": system, "concept": [{"code": code}]}]})


def search_parameter(**members: Any) -> Resource:
    about = {"url": "http://x/sp", "name": "X", "status": "draft", "description": "x", "code": "x", "base": ["Patient"]}
    return made("SearchParameter", **{**about, "type": "token", **members})


def capabilities(kind: str) -> Resource:
    name = {"name": "name", "definition": "http://hl7.org/fhir/SearchParameter/Organization-name", "type": kind}
    rest = {"mode": "server", "resource": [{"type": "Organization", "searchParam": [name]}]}
    about = {"status": "active", "date": "2024", "kind": "requirements", "fhirVersion": "4.0.1", "format": ["json"]}
    return made("CapabilityStatement", **about, description="x", rest=[rest])


ORGANIZATION = made("Organization", id="o", name="x")
CONTAINED = {"contained": [ORGANIZATION], "managingOrganization": {"reference": "#o"}}
A1, A2 = (
    entry_of("http://a.example/Patient/1", patient(id="1")),
    entry_of("http://a.example/Patient/2", patient(id="2")),
)
GROUP = {"linkId": "1", "type": "group", "item": [{"linkId": "1.1", "type": "string"}]}
ASKED = {"question": "1", "operator": "exists", "answerBoolean": True}
NAMES = "http://hl7.org/fhir/StructureDefinition/humanname-mothers-family"
BIRTH_PLACE = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"

BROKEN: list[tuple[str, Resource, Resource]] = [
    # invariants of R4's definitions, as they stand there
    ("per-1", observation(effectivePeriod={"start": "2024-02-02", "end": "2024-02-01"}),
     observation(effectivePeriod={"start": "2024-02-02", "end": "2024-02-02T10:00:00Z"})),
    ("obs-3", observation(referenceRange=[{"age": {"low": {"value": 1}}}]), observation(referenceRange=[{"text": "x"}])),
    ("obs-6", observation(valueString="x", dataAbsentReason={"text": "x"}), observation(dataAbsentReason={"text": "x"})),
    ("obs-7", observation(code={"coding": [{"code": "a"}]}, valueInteger=1, component=[{"code": {"coding": [{"code": "a"}]}}]),
     observation(code={"coding": [{"code": "a"}]}, valueInteger=1, component=[{"code": {"coding": [{"code": "b"}]}}])),
    ("cpt-2", patient(telecom=[{"value": "1"}]), patient(telecom=[{"value": "1", "system": "phone"}])),
    ("pat-1", patient(contact=[{"gender": "male"}]), patient(contact=[{"name": {"text": "x"}}])),
    ("qty-3", made("Condition", subject=PATIENT, onsetAge={"value": 1, "code": "a"}),
     made("Condition", subject=PATIENT, onsetAge={"value": 1, "code": "a", "system": "http://unitsofmeasure.org"})),
    ("att-1", made("Media", status="completed", content={"data": DATA}),
     made("Media", status="completed", content={"data": DATA, "contentType": "text/plain"})),
    ("sqty-1", made("Observation", status="final", code={"text": "x"}, valueRange={"low": {"value": 1, "comparator": "<"}}),
     observation(valueRange={"low": {"value": 1}})),
    ("rng-2", observation(valueRange={"low": {"value": 2}, "high": {"value": 1}}),
     observation(valueRange={"low": {"value": 2, "unit": "g"}, "high": {"value": 1, "unit": "kg"}})),
    ("ait-1", made("AllergyIntolerance", patient=PATIENT), allergy("active")),
    ("con-4", made("Condition", subject=PATIENT, abatementDateTime="2024"), made("Condition", subject=PATIENT)),
    ("app-4", made("Appointment", status="booked", start="2024-01-01T00:00:00Z", end="2024-01-01T01:00:00Z",
                   cancelationReason={"text": "x"}, participant=[{"status": "accepted", "type": [{"text": "x"}]}]),
     made("Appointment", status="cancelled", cancelationReason={"text": "x"},
          participant=[{"status": "accepted", "type": [{"text": "x"}]}])),
    ("org-2", made("Organization", name="x", address=[{"use": "home", "text": "x"}]),
     made("Organization", name="x", address=[{"use": "work", "text": "x"}])),
    ("grp-1", made("Group", type="person", actual=False, member=[{"entity": PATIENT}]),
     made("Group", type="person", actual=True, member=[{"entity": PATIENT}])),
    ("lst-3", made("List", status="current", mode="changes", entry=[{"item": PATIENT, "date": "2024"}]),
     made("List", status="current", mode="working", entry=[{"item": PATIENT, "date": "2024"}])),
    ("que-1", questionnaire({"linkId": "1", "type": "group"}), questionnaire(GROUP)),
    ("que-2", questionnaire(GROUP, GROUP), questionnaire(GROUP)),
    ("que-7", questionnaire(GROUP, {"linkId": "2", "type": "string", "enableWhen": [{"question": "1", "operator": "exists", "answerString": "x"}]}),
     questionnaire(GROUP, {"linkId": "2", "type": "string", "enableWhen": [ASKED]})),
    ("que-12", questionnaire({"linkId": "2", "type": "string", "enableWhen": [ASKED, ASKED]}),
     questionnaire({"linkId": "2", "type": "string", "enableWhen": [ASKED, ASKED], "enableBehavior": "all"})),
    ("que-13", questionnaire({"linkId": "2", "type": "string", "initial": [{"valueString": "a"}, {"valueString": "b"}]}),
     questionnaire({"linkId": "2", "type": "string", "repeats": True, "initial": [{"valueString": "a"}, {"valueString": "b"}]})),
    ("ras-2", made("RiskAssessment", status="final", subject=PATIENT, prediction=[{"probabilityDecimal": 101}]),
     made("RiskAssessment", status="final", subject=PATIENT, prediction=[{"probabilityDecimal": 100}])),
    ("mdd-1", made("MedicationDispense", status="completed", medicationCodeableConcept={"text": "x"},
                   whenPrepared="2024-01-02T00:00:00Z", whenHandedOver="2024-01-02T04:59:00+05:00"),
     made("MedicationDispense", status="completed", medicationCodeableConcept={"text": "x"},
          whenPrepared="2024-01-02T00:00:00Z", whenHandedOver="2024-01-02T05:00:00+05:00")),
    ("csd-1", made("CodeSystem", status="active", content="complete", concept=[{"code": "a", "concept": [{"code": "a"}]}]),
     made("CodeSystem", status="active", content="complete", concept=[{"code": "a", "concept": [{"code": "b"}]}])),
    # invariants that are stated in Python
    ("ele-1", patient(name=[{"id": "x"}]), patient(name=[{"id": "x", "text": "y"}])),
    ("ele-1", patient(name=[{"given": [None, "Ana"]}]), patient(name=[{"given": ["Ana"]}])),
    ("ele-1", patient(_birthDate={"id": "x"}), patient(birthDate="2024", _birthDate={"id": "x"})),
    ("ext-1", patient(extension=[extended("http://x")]), patient(extension=[extended("http://x", valueCode="x")])),
    ("ext-1", patient(extension=[extended("http://x", valueCode="x", extension=[extended("a", valueCode="x")])]),
     patient(extension=[extended("http://x", extension=[extended("a", valueCode="x")])])),
    ("ref-1", patient(managingOrganization={"reference": "#o"}), patient(**CONTAINED)),
    ("dom-2", patient(contained=[{**ORGANIZATION, "contained": [made("Endpoint", id="e", status="active",
        connectionType={"code": "x"}, payloadType=[{"text": "x"}], address="http://x")]}], managingOrganization={"reference": "#o"}),
     patient(**CONTAINED)),
    ("dom-3", patient(contained=[ORGANIZATION]), patient(**CONTAINED)),
    ("dom-4", patient(**{**CONTAINED, "contained": [{**ORGANIZATION, "meta": {"versionId": "1"}}]}), patient(**CONTAINED)),
    ("dom-5", patient(**{**CONTAINED, "contained": [{**ORGANIZATION, "meta": {"security": [{"code": "R"}]}}]}), patient(**CONTAINED)),
    ("contained-id", patient(**{**CONTAINED, "contained": [ORGANIZATION, ORGANIZATION]}), patient(**CONTAINED)),
    ("txt-1", narrative("<script>x</script>"), narrative("<p>x</p>")),
    ("txt-1", narrative('<p onclick="x()">x</p>'), narrative('<p class="x">x</p>')),
    ("txt-1", narrative('<a href="javascript:x()">x</a>'), narrative('<a href="http://x">x</a>')),
    ("txt-1", narrative("<p>x"), narrative("<p>x &amp; &nbsp;y&#160;z</p>")),
    ("txt-1", patient(text={"status": "generated", "div": "<div>x</div>"}), narrative("x")),
    ("txt-1", patient(text={"status": "generated", "div": '<!DOCTYPE x [<!ENTITY e "y">]>' + DIV % "&e;"}), narrative("x")),
    ("txt-2", narrative("<p> \n</p>"), narrative('<img src="#i" alt="x"/>')),
    ("bdl-3", made("Bundle", type="batch", entry=[A1]), made("Bundle", type="batch", entry=[{**A1, "request": {"method": "PUT", "url": "Patient/1"}}])),
    ("bdl-3", made("Bundle", type="collection", entry=[{**A1, "request": {"method": "PUT", "url": "Patient/1"}}]), made("Bundle", type="collection", entry=[A1])),
    ("bdl-4", made("Bundle", type="transaction-response", entry=[A1]),
     made("Bundle", type="transaction-response", entry=[{**A1, "response": {"status": "200"}}])),
    ("bdl-7", made("Bundle", type="collection", entry=[A1, A1]), made("Bundle", type="collection", entry=[A1, A2])),
    ("bdl-8", made("Bundle", type="collection", entry=[entry_of("http://a.example/Patient/1/_history/2", patient(id="1"))]),
     made("Bundle", type="collection", entry=[A1])),
    ("bdl-9", {**document(), "identifier": {"system": "http://x"}}, document()),
    ("bdl-11", {**document(), "entry": [A1]}, document(A1)),
    # what R4 states in prose
    ("reference-target", observation(subject={"reference": "Practitioner/p"}), observation(subject=PATIENT)),
    ("reference-target", observation(subject={"reference": "https://x.example/fhir/Practitioner/p"}),
     observation(subject={"reference": "https://x.example/fhir/Patient/p/_history/3"})),
    ("reference-target", observation(subject={"type": "Practitioner", "identifier": {"value": "1"}}),
     observation(subject={"type": "Patient", "identifier": {"value": "1"}})),
    ("reference-target", patient(contained=[patient(id="o")], managingOrganization={"reference": "#o"}), patient(**CONTAINED)),
    ("reference-type", observation(subject={"reference": "Patient/p", "type": "Group"}), observation(subject=PATIENT)),
    ("canonical-target", made("QuestionnaireResponse", status="completed", questionnaire="http://hl7.org/fhir/ValueSet/x"),
     made("QuestionnaireResponse", status="completed", questionnaire="http://hl7.org/fhir/Questionnaire/x|1")),
    ("element-id", patient(name=[{"id": "1", "text": "a"}, {"id": "1", "text": "b"}]),
     patient(name=[{"id": "1", "text": "a"}, {"id": "2", "text": "b"}])),
    ("coding-system", coded("icd10", "x"), coded("urn:icd10", "x")),
    ("coding-system", coded("http://hl7.org/fhir/ValueSet/observation-codes", "x"), coded("http://x", "x")),
    ("code-unknown", coded("http://hl7.org/fhir/administrative-gender", "f"), coded("http://hl7.org/fhir/administrative-gender", "female")),
    ("code-form", coded("http://snomed.info/sct", "Hb1"), coded("http://snomed.info/sct", "404684003 |Clinical finding|")),
    ("required-binding", allergy("present"), allergy("active")),
    ("extension-url", patient(extension=[extended("race", valueCode="x")]), patient(extension=[extended("urn:race", valueCode="x")])),
    ("extension-value", patient(extension=[extended(BIRTH_PLACE, valueString="x")]),
     patient(extension=[extended(BIRTH_PLACE, valueAddress={"text": "x"})])),
    ("extension-place", patient(name=[{"text": "x", "extension": [extended(NAMES, valueString="x")]}]),
     patient(name=[{"family": "x", "_family": {"extension": [extended(NAMES, valueString="x")]}}])),
    ("attachment-size", made("Media", status="completed", content={"contentType": "text/plain", "data": DATA, "size": 9}),
     made("Media", status="completed", content={"contentType": "text/plain", "data": DATA, "size": 10})),
    ("attachment-hash", made("Media", status="completed", content={"contentType": "text/plain", "data": DATA, "hash": DATA}),
     made("Media", status="completed", content={"contentType": "text/plain", "data": DATA, "hash": SHA1})),
    ("attachment-data", made("Media", status="completed", content={"contentType": "text/plain", "data": "a===", "size": 1}),
     made("Media", status="completed", content={"contentType": "text/plain", "data": "YQ==", "size": 1})),
    ("string-size", patient(name=[{"text": "x" * 1_048_577}]), patient(name=[{"text": "x" * 1_048_576}])),
    ("bundle-link", made("Bundle", type="searchset", link=[{"relation": "self", "url": "x"}] * 2),
     made("Bundle", type="searchset", link=[{"relation": "self", "url": "x"}, {"relation": "next", "url": "x"}])),
    ("bundle-fullurl", made("Bundle", type="collection", entry=[entry_of("Patient/1", patient(id="1"))]), made("Bundle", type="collection", entry=[A1])),
    ("bundle-fullurl", made("Bundle", type="collection", entry=[entry_of("http://a.example/Patient/2", patient(id="1"))]),
     made("Bundle", type="collection", entry=[entry_of(UUID, patient(id="1"))])),
    ("search-id", made("Bundle", type="searchset", entry=[{"resource": patient()}]), made("Bundle", type="searchset", entry=[A1])),
    ("search-outcome", made("Bundle", type="searchset", entry=[{**A1, "search": {"mode": "outcome"}}]),
     made("Bundle", type="searchset", entry=[{"resource": made("OperationOutcome", issue=[{"severity": "error", "code": "invalid"}]),
                                              "search": {"mode": "outcome"}}])),
    ("bundle-reference", document(A1, subject={"reference": "Patient/9"}), document(A1, subject={"reference": "Patient/1"})),
    ("bundle-reference", document(subject={"reference": UUID}), document(entry_of(UUID, patient()), subject={"reference": UUID})),
    ("bundle-reference", document(A1, section=[{"title": "a", "section": [{"title": "b", "entry": [{"reference": "Observation/o"}]}]}]),
     document(A1, entry_of("http://a.example/Observation/o", observation(id="o")),
              section=[{"title": "a", "section": [{"title": "b", "entry": [{"reference": "Observation/o"}]}]}])),
    ("valueset-system", value_set("#c1"), value_set("http://snomed.info/sct")),
    ("code-form", value_set("http://snomed.info/sct", "1"), value_set("http://snomed.info/sct")),
    ("canonical-url", made("ValueSet", status="active", url="ValueSet/x"), made("ValueSet", status="active", url="http://x")),
    ("supplement", made("CodeSystem", status="active", content="complete", supplements="http://loinc.org"),
     made("CodeSystem", status="active", content="supplement", supplements="http://loinc.org")),
    ("property-code", made("CodeSystem", status="active", content="complete", property=[{"code": "a", "type": "code"}] * 2),
     made("CodeSystem", status="active", content="complete", property=[{"code": "a", "type": "code"}])),
    ("search-composite", search_parameter(type="composite"),
     search_parameter(type="composite", component=[{"definition": "http://x", "expression": "x"}] * 2)),
    ("search-base", search_parameter(expression="Organization.name"), search_parameter(expression="Patient.name")),
    ("search-derived", search_parameter(derivedFrom="http://hl7.org/fhir/SearchParameter/Patient-organization"),
     search_parameter(derivedFrom="http://hl7.org/fhir/SearchParameter/Patient-identifier")),
    ("search-type", capabilities("token"), capabilities("string")),
    ("profile-path", made("StructureDefinition", url="http://x", name="X", status="draft", kind="resource", abstract=False,
                          type="Observation", baseDefinition="http://x", derivation="constraint",
                          differential={"element": [{"id": "Observation.valueBla", "path": "Observation.valueBla"}]}),
     made("StructureDefinition", url="http://x", name="X", status="draft", kind="resource", abstract=False,
          type="Observation", baseDefinition="http://x", derivation="constraint",
          differential={"element": [{"id": "Observation.value[x]", "path": "Observation.value[x]"}]})),
]  # fmt: skip


def rules(resource: Resource) -> list[str]:
    return [problem.rpartition("(")[2].rstrip(")") for problem in r4_problems(json.dumps(resource))]


@pytest.mark.parametrize(("rule", "broken", "mended"), BROKEN, ids=[f"{n} {row[0]}" for n, row in enumerate(BROKEN)])
def test_a_broken_rule_is_reported_and_the_corrected_resource_passes(
    rule: str, broken: Resource, mended: Resource
) -> None:
    assert rule in rules(broken)
    assert r4_problems(json.dumps(mended)) == []


def test_a_problem_states_the_element_the_requirement_and_the_rule() -> None:
    contact = patient(contact=[{"name": {"text": "x"}}, {"gender": "male"}])
    expected = "SHALL at least contain a contact's details or a reference to an organization"
    assert r4_problems(json.dumps(contact)) == [f"Patient.contact[1]: {expected} (pat-1)"]
    nested = document(entry_of(UUID, contact))
    assert r4_problems(json.dumps(nested)) == [f"Bundle.entry[1].resource.contact[1]: {expected} (pat-1)"]


def test_rules_are_checked_only_if_the_structure_is_valid() -> None:
    both = patient(contact=[{"gender": "male"}], colour="red")
    assert r4_problems(json.dumps(both)) == ["Patient: unknown element in R4: colour"]


def test_no_broken_rule_contains_a_value_of_the_resource() -> None:
    secret = "1032456789"
    for _, broken, _ in BROKEN:
        marked = {**broken, "id": secret}
        assert secret not in " ".join(r4_problems(json.dumps(marked)))


def test_the_time_grows_with_the_size_of_a_resource_not_with_its_square() -> None:
    many = 10_000
    codings = [{"code": f"a{number}"} for number in range(many)]
    components = [{"code": {"coding": [{"code": f"b{number}"}]}, "valueInteger": 1} for number in range(many)]
    contained = [made("Organization", id=f"o{number}", name="x") for number in range(many)]
    performers = [{"reference": f"#o{number}"} for number in range(many)]
    large = observation(
        code={"coding": codings}, valueInteger=1, component=components, contained=contained, performer=performers
    )
    start = time.process_time()
    assert r4_problems(json.dumps(large)) == []
    assert time.process_time() - start < 8  # some 1 s; each pair of them would take minutes


def test_only_the_first_structural_problem_of_a_large_resource_is_reported() -> None:
    large = patient(name=[{"colour": "red"} for _ in range(100_000)])
    start = time.process_time()
    assert r4_problems(json.dumps(large)) == [
        "Patient.name[0]: unknown element in R4: colour",
        "there may be more: for a resource over 256 kB only the first problem is reported",
    ]
    assert time.process_time() - start < 8  # well under 1 s; all of them take minutes


def test_every_invariant_of_r4_compiles() -> None:
    expressions = [
        entry_of[2] for owner in _table()["invariants"].values() for rules in owner.values() for entry_of in rules
    ]
    assert len(expressions) > 200
    for expression in expressions:
        compiled(expression)


@pytest.mark.parametrize("expression", ["name.unknownFunction()", "a +", "a ~ b", "name)", "(a", "%unknown", "a.1"])
def test_an_unsupported_expression_is_refused_when_it_is_compiled(expression: str) -> None:
    with pytest.raises(DeclarationError):
        compiled(expression)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a.exists() and b.empty()", True),
        ("a = 'x' implies missing.exists()", False),
        ("missing = 'x' implies missing.exists()", False),  # neither true nor false: the rule is not kept
        ("missing = 'x' or a = 'x'", True),
        ("(missing = 'x' and a = 'y').not()", True),
        ("flag", True),
        ("flag.not()", False),
        ("value.exists() and value is boolean", True),
        ("list.count() = 3 and list.first() = 1 and list.tail().count() = 2", True),
        ("list.isDistinct()", False),
        ("(list | 4).count() = 3", True),
        ("list.where($this > 1).count() = 1", True),
        ("list.all($this >= 1)", True),
        ("2 in list and (3 in list).not()", True),
        ("inner.where(code = 'k').exists() xor inner.code.empty()", True),
        ("inner.select(code & '-' & code) = 'k-k'", True),
        ("only.exists() and only.hasValue().not()", True),
        ("descendants().code = 'k'", True),
        ("a.matches('^x$') and a.startsWith('x') and a.contains('x')", True),
        ("number.toInteger() > 4 and number.toInteger() <= 5", True),
        ("iif(flag, a = 'x', false)", True),
        ("%resource.a = 'x' and %context.flag", True),
    ],
)
def test_fhirpath(expression: str, expected: bool) -> None:
    element = {
        "a": "x", "flag": True, "valueBoolean": True, "list": [1, 2, 1], "inner": {"code": "k"}, "number": "5",
        "_only": {"extension": [{"url": "http://x", "valueCode": "masked"}]},
    }  # fmt: skip
    assert holds(expression, element, element) is expected


@pytest.mark.parametrize(
    ("one", "other", "after"),
    [
        ("2024-02", "2024-01-31", True),
        ("2024-01", "2024-01-31", False),
        ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00+01:00", True),
        ("2024-01-01T00:00:00.001Z", "2024-01-01T00:00:00Z", False),
        ("2024-01-01T00:00:01Z", "2024-01-01T00:00:00.5Z", True),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z", True),
        ("2024-01-02", "2024-01-01T23:00:00Z", False),  # a zone of 14 hours leaves it open
        ("9999", "0001", True),
        ("2024-02-30", "2024-01-01", False),
        ("x", "2024", False),
    ],
)
def test_a_date_is_after_another_only_if_that_is_certain(one: str, other: str, after: bool) -> None:
    assert surely_after(one, other) is after
