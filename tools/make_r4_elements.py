"""Write pyhce/schema/r4.json.gz, the elements of FHIR R4, from the specification's definitions.

    python tools/make_r4_elements.py hapi-fhir-validation-resources-r4-8.12.1.jar

The archive (Maven: ca.uhn.hapi.fhir:hapi-fhir-validation-resources-r4) has profiles-resources.xml,
profiles-types.xml, search-parameters.json and fhir-single.xsd of FHIR 4.0.1, which HL7 dedicates to the public domain
(CC0).
"""

from __future__ import annotations

import gzip
import json
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

NS = {"f": "http://hl7.org/fhir"}
XSD = {"xs": "http://www.w3.org/2001/XMLSchema"}
EXTENSION = "http://hl7.org/fhir/StructureDefinition/"
ROOT = "org/hl7/fhir/r4/model/"
OUT = Path(__file__).parent.parent / "pyhce" / "schema" / "r4.json.gz"

# https://hl7.org/fhir/R4/compartmentdefinition-patient.html (4.0.1), which the archive lacks: type: inclusion criteria.
PATIENT_COMPARTMENT = """
Account: subject; AdverseEvent: subject; AllergyIntolerance: patient recorder asserter; Appointment: actor;
AppointmentResponse: actor; AuditEvent: patient; Basic: patient author; BodyStructure: patient;
CarePlan: patient performer; CareTeam: patient participant; ChargeItem: subject; Claim: patient payee;
ClaimResponse: patient; ClinicalImpression: subject; Communication: subject sender recipient;
CommunicationRequest: subject sender recipient requester; Composition: subject author attester;
Condition: patient asserter; Consent: patient; Coverage: policy-holder subscriber beneficiary payor;
CoverageEligibilityRequest: patient; CoverageEligibilityResponse: patient; DetectedIssue: patient;
DeviceRequest: subject performer; DeviceUseStatement: subject; DiagnosticReport: subject;
DocumentManifest: subject author recipient; DocumentReference: subject author; Encounter: patient;
EnrollmentRequest: subject; EpisodeOfCare: patient; ExplanationOfBenefit: patient payee; FamilyMemberHistory: patient;
Flag: patient; Goal: patient; Group: member; ImagingStudy: patient; Immunization: patient;
ImmunizationEvaluation: patient; ImmunizationRecommendation: patient; Invoice: subject patient recipient;
List: subject source; MeasureReport: patient; Media: subject; MedicationAdministration: patient performer subject;
MedicationDispense: subject patient receiver; MedicationRequest: subject; MedicationStatement: subject;
MolecularSequence: patient; NutritionOrder: patient; Observation: subject performer; Patient: link; Person: patient;
Procedure: patient performer; Provenance: patient; QuestionnaireResponse: subject author; RelatedPerson: patient;
RequestGroup: subject participant; ResearchSubject: individual; RiskAssessment: subject; Schedule: actor;
ServiceRequest: subject performer; Specimen: subject; SupplyDelivery: patient; SupplyRequest: subject;
VisionPrescription: patient
"""


def definitions(archive: zipfile.ZipFile, name: str) -> dict[str, dict]:
    """The StructureDefinitions of types, not those of profiles, by name."""
    found = {}
    root = ElementTree.fromstring(archive.read(ROOT + "profile/" + name))
    for definition in root.iterfind(".//f:StructureDefinition", NS):
        if _value(definition, "f:derivation") == "constraint":
            continue
        found[_value(definition, "f:type")] = {
            "kind": _value(definition, "f:kind"),
            "abstract": _value(definition, "f:abstract") == "true",
            "elements": dict(_elements(definition)),
            "bindings": dict(_bindings(definition)),
            "pattern": _pattern(definition),
        }
    return found


def _elements(definition):
    for element in definition.iterfind("f:snapshot/f:element", NS):
        path = _value(element, "f:path")
        if "." not in path:
            continue
        types = [_code(t) for t in element.iterfind("f:type", NS)]
        targets = {t for kind in element.iterfind("f:type", NS) for t in _targets(kind)}
        content = _value(element, "f:contentReference")
        yield (
            path.split(".", 1)[1],
            [
                ["#" + content.split("#", 1)[1].split(".", 1)[1]] if content else types,
                int(_value(element, "f:max") not in ("0", "1")),
                int(_value(element, "f:min") != "0"),
                sorted(targets),
            ],
        )


def _bindings(definition):
    """The elements of type code with a required binding, each with the name of the binding."""
    for element in definition.iterfind("f:snapshot/f:element", NS):
        types = [_code(t) for t in element.iterfind("f:type", NS)]
        if _value(element, "f:binding/f:strength") == "required" and types == ["code"]:
            path = _value(element, "f:path").split(".", 1)[1]
            yield path, _extension(element.find("f:binding", NS), "elementdefinition-bindingName", "f:valueString")


def _pattern(definition):
    """The regular expression of a primitive's text, "" if there is none."""
    name = _value(definition, "f:type")
    for element in definition.iterfind("f:snapshot/f:element", NS):
        if _value(element, "f:path") == name + ".value":
            return _extension(element.find("f:type", NS), "regex", "f:valueString")
    return ""


def _extension(element, name, value):
    for extension in element.iterfind("f:extension", NS):
        if extension.get("url") == EXTENSION + name:
            return _value(extension, value)
    return ""


def code_lists(archive: zipfile.ZipFile) -> dict[str, list[str]]:
    """The codes of each binding for which the XML schema lists them."""
    root = ElementTree.fromstring(archive.read(ROOT + "schema/fhir-single.xsd"))
    return {
        simple.get("name").removesuffix("-list"): [e.get("value") for e in simple.iterfind(".//xs:enumeration", XSD)]
        for simple in root.iterfind("xs:simpleType", XSD)
        if simple.get("name").endswith("-list")
    }


def _code(kind):
    code = _value(kind, "f:code")
    return "string" if code.startswith("http://hl7.org/fhirpath/") else code


def _targets(kind):
    """The types to which a Reference may refer: Resource if it has no profile; none for another type of element."""
    if _code(kind) != "Reference":
        return []
    named = [p.get("value").rsplit("/", 1)[-1] for p in kind.iterfind("f:targetProfile", NS)]
    return named or ["Resource"]


def _value(element, path):
    found = element.find(path, NS)
    return found.get("value") if found is not None else ""


def patient_parameters(archive: zipfile.ZipFile) -> dict[str, dict[str, str]]:
    """The search parameters of each type that may refer to a patient, with their expressions."""
    found: dict[str, dict[str, str]] = {}
    for entry in json.loads(archive.read(ROOT + "sp/search-parameters.json"))["entry"]:
        parameter = entry["resource"]
        if parameter.get("type") == "reference" and "Patient" in parameter.get("target", []):
            for base in parameter["base"]:
                expressions = [e.strip() for e in parameter["expression"].split("|")]
                mine = [e for e in expressions if e.lstrip("(").startswith(base + ".")]
                found.setdefault(base, {})[parameter["code"]] = " | ".join(mine)
    return found


def patient_compartment() -> dict[str, list[str]]:
    """The search parameters that put a resource of each type into the Patient compartment."""
    pairs = (line.split(": ") for line in " ".join(PATIENT_COMPARTMENT.split()).split("; "))
    return {kind: codes.split() for kind, codes in pairs}


def main(archive: str) -> None:
    """Read the archive and write the table."""
    with zipfile.ZipFile(archive) as opened:
        types = definitions(opened, "profiles-types.xml")
        resources = definitions(opened, "profiles-resources.xml")
        parameters = patient_parameters(opened)
        lists = code_lists(opened)
    named = sorted({**types, **resources}.items())
    bindings = {n: {p: b for p, b in d["bindings"].items() if lists.get(b)} for n, d in named}
    used = {b for by_element in bindings.values() for b in by_element.values()}
    table = {
        "resources": sorted(n for n, d in resources.items() if d["kind"] == "resource" and not d["abstract"]),
        "elements": {n: d["elements"] for n, d in named if d["kind"] != "primitive-type"},
        "bindings": {n: by_element for n, by_element in bindings.items() if by_element},
        "codes": {b: lists[b] for b in sorted(used)},
        "patterns": {n: d["pattern"] for n, d in named if d["kind"] == "primitive-type"},
        "patient_compartment": patient_compartment(),
        "patient_parameters": {n: parameters[n] for n in sorted(parameters)},
    }
    text = json.dumps(table, separators=(",", ":"), sort_keys=True).encode()
    OUT.write_bytes(gzip.compress(text, 9, mtime=0))


if __name__ == "__main__":
    main(*sys.argv[1:])
