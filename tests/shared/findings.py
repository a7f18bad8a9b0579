"""What `pyhce verify` finds, with every case in the details: other tests of the database leave many."""

from __future__ import annotations

import pytest

from pyhce.schema.declaration import SCHEMA
from pyhce.verify import CheckResult, identity_checks, person_checks, reference_checks, verify
from tests.shared.database import TestDatabase

MANY = 1_000_000


def complete_result(db: TestDatabase, code: str) -> CheckResult:
    """The result of an identity check, with all its cases."""
    with pytest.MonkeyPatch.context() as patch:
        for module, limit in ((identity_checks, "NAMED"), (person_checks, "SHOWN"), (reference_checks, "SHOWN")):
            patch.setattr(module, limit, MANY)
        (found,) = [check for check in verify(db.dsn, schema=SCHEMA, groups=["identity"]).checks if check.code == code]
    return found
