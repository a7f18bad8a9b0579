"""What verify finds about Patients, on a Citus cluster."""

from tests.shared.person_findings import *  # noqa: F403 - every test of it
