"""The whole declaration: every table in the order in which it is created, `expediente` first."""

from __future__ import annotations

from pyhce.schema.declaration import (
    care_plans,
    catalogues,
    clinical,
    diagnostics,
    documents,
    finance,
    medication,
    patients,
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
from pyhce.schema.declaration.types_without_table import PATIENT_PATHS
from pyhce.schema.helper_functions import HELPERS
from pyhce.schema.model import DataStep, Schema
from pyhce.schema.roles import WRITER_SINCE

SCHEMA = Schema(
    tables=(
        ANCHOR,
        *patients.TABLES,
        *catalogues.TABLES,
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
    bare_migrations=(WRITER_SINCE,),
    extra_data_steps=(DataStep(number=2, name="documents"),),
)
