"""What verify finds about Patients, on one PostgreSQL."""

from tests.shared.person_findings import *  # noqa: F403 - every test of it
