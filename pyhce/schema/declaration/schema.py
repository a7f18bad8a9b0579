"""The declaration put together, in creation order: the anchor first."""

from __future__ import annotations

from pyhce.schema.declaration import administration, diagnostics
from pyhce.schema.declaration.record import ANCHOR, ASSIGNMENT, GENERIC, HISTORY, INSTALLATION, STAGING
from pyhce.schema.declaration.untyped import PATIENT_PATHS
from pyhce.schema.helper_functions import HELPERS
from pyhce.schema.model import Schema

SCHEMA = Schema(
    tables=(
        ANCHOR,
        *administration.TABLES,
        *diagnostics.TABLES,
        *GENERIC,
        *HISTORY,
        ASSIGNMENT,
        INSTALLATION,
        *STAGING,
    ),
    helpers=HELPERS,
    patient_paths=PATIENT_PATHS,
)
