"""Where the types without a table of their own name their patient."""

from __future__ import annotations

PATIENT_PATHS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("NutritionOrder", ("patient",)),
    ("VisionPrescription", ("patient",)),
)
