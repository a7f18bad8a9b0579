"""Ids that are not FHIR's, and names in options, on one PostgreSQL."""

from tests.shared.ids import *  # noqa: F403 - every test of it
