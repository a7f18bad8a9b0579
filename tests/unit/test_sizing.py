"""The size and the values computed for a number of patients."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import yaml

from pyhce.deploy.sizing import Platform, size, values_file
from pyhce.errors import UsageError

VALUES = Path(__file__).parents[2] / "values"


@pytest.mark.parametrize(("platform", "patients"), [("kind", 1000), ("minikube", 2000), ("production", 5_000_000)])
def test_the_files_in_values_are_what_the_command_generates(platform: str, patients: int) -> None:
    assert (VALUES / f"{platform}.yaml").read_text() == values_file(size(patients, Platform(platform)))


@pytest.mark.parametrize("platform", Platform)
@pytest.mark.parametrize("patients", [1, 1000, 100_000, 5_000_000, 30_000_000])
def test_the_computed_numbers_fit_each_other(platform: Platform, patients: int) -> None:
    s = size(patients, platform)
    assert 2 <= s.workers <= 64
    assert s.shards >= 2 * s.workers
    assert s.shards & (s.shards - 1) == 0
    assert s.worker_gi * s.workers * 2 / 3 >= s.data_gi
    assert s.connections >= s.clients + 20 + s.shards / s.workers
    values = yaml.safe_load(values_file(s))
    assert values["worker"]["replicas"] == s.workers
    assert values["settings"]["shared_buffers"] == f"{s.memory_gi * 256}MB"


def test_more_patients_never_get_a_smaller_installation() -> None:
    sizes = [size(n, Platform.PRODUCTION) for n in (10_000, 100_000, 1_000_000, 10_000_000)]
    for fewer, more in itertools.pairwise(sizes):
        assert (more.workers, more.shards) >= (fewer.workers, fewer.shards)
        assert more.worker_gi * more.workers >= fewer.worker_gi * fewer.workers


def test_a_number_of_patients_that_no_chart_can_hold_is_refused() -> None:
    with pytest.raises(UsageError, match="more than 64 workers"):
        size(1_000_000_000, Platform.PRODUCTION)
    with pytest.raises(UsageError, match="must be 1 or more"):
        size(0, Platform.KIND)
