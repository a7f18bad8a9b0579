"""The patient paths of the FHIR types without a table of their own: the rest of the R4 Patient compartment.

The paths are those of the inclusion parameters in https://hl7.org/fhir/R4/compartmentdefinition-patient.html, the
subject of the resource before other persons. A parameter for another person (performer, author, payee) is a path only
if R4 allows the subject to be absent. Where R4 requires the subject and it is not a patient, the resource belongs to a
group or a device, not to that other person.
"""

from __future__ import annotations

PATIENT_PATHS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Account", ("subject",)),
    ("AdverseEvent", ("subject",)),
    ("AppointmentResponse", ("actor",)),
    ("Basic", ("subject", "author")),
    ("BodyStructure", ("patient",)),
    ("ChargeItem", ("subject",)),
    ("ClaimResponse", ("patient",)),
    ("CommunicationRequest", ("subject", "sender", "recipient", "requester")),
    ("CoverageEligibilityRequest", ("patient",)),
    ("CoverageEligibilityResponse", ("patient",)),
    ("DetectedIssue", ("patient",)),
    ("DeviceRequest", ("subject", "performer")),
    ("DeviceUseStatement", ("subject",)),
    ("DocumentManifest", ("subject", "author", "recipient")),
    ("EnrollmentRequest", ("candidate",)),
    ("GuidanceResponse", ("subject",)),
    ("ImmunizationEvaluation", ("patient",)),
    ("ImmunizationRecommendation", ("patient",)),
    ("Invoice", ("subject", "recipient")),
    ("List", ("subject", "source")),
    ("MeasureReport", ("subject",)),
    ("Media", ("subject",)),
    ("MolecularSequence", ("patient",)),
    ("NutritionOrder", ("patient",)),
    ("Person", ("link.target",)),
    ("RequestGroup", ("subject", "action.participant")),
    ("ResearchSubject", ("individual",)),
    ("SupplyDelivery", ("patient",)),
    ("SupplyRequest", ("deliverTo", "requester")),
    ("VisionPrescription", ("patient",)),
)
