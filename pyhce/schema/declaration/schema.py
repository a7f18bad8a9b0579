"""The declaration put together, in creation order: the anchor first."""

from __future__ import annotations

from pyhce.schema.declaration import (
    administration,
    care_plans,
    clinical,
    diagnostics,
    documents,
    finance,
    medication,
    people,
    research,
    security,
)
from pyhce.schema.declaration.record import (
    ANCHOR,
    ASSIGNMENT,
    DATA_STEPS,
    DISPUTE,
    GENERIC,
    HISTORY,
    INSTALLATION,
    LOADED,
    SAME_PERSON,
    STAGING,
)
from pyhce.schema.declaration.untyped import PATIENT_PATHS
from pyhce.schema.helper_functions import HELPERS
from pyhce.schema.model import DataStep, Schema
from pyhce.schema.roles import WRITER_SINCE

SCHEMA = Schema(
    tables=(
        ANCHOR,
        *administration.TABLES,
        *people.TABLES,
        *clinical.TABLES,
        *medication.TABLES,
        *diagnostics.TABLES,
        *care_plans.TABLES,
        *documents.TABLES,
        *finance.TABLES,
        *research.TABLES,
        *security.TABLES,
        *GENERIC,
        *HISTORY,
        ASSIGNMENT,
        DISPUTE,
        SAME_PERSON,
        INSTALLATION,
        LOADED,
        DATA_STEPS,
        *STAGING,
    ),
    helpers=HELPERS,
    patient_paths=PATIENT_PATHS,
    steps=(WRITER_SINCE,),
    rewrites=(DataStep(number=2, name="documents"),),
)
