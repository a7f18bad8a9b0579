"""Where the types without a table of their own name their patient: the rest of the R4 Patient compartment.

https://hl7.org/fhir/R4/compartmentdefinition-patient.html, the path of each type's inclusion parameters, the record's
owner before others who are named. A parameter that names someone else (a performer, an author, a payee) is a path only
where R4 lets the owner be absent: where it does not, what has no patient there is a group's or a device's.
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
