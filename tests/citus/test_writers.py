"""Writers of all kinds at once, on a Citus cluster, for a short time; `tests/writers` does it for long."""

from pathlib import Path

import pytest

from tests.shared.database import TestDatabase
from tests.shared.stress import SEEDS, SHORT, writers_leave_each_identity_once


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_writers_of_all_kinds_leave_each_identity_once(db: TestDatabase, tmp_path: Path, seed: int) -> None:
    model = writers_leave_each_identity_once(db, tmp_path, seed, SHORT)
    assert {"load", "save", "save_many", "delete"} <= model.operations.keys()
