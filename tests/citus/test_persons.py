"""Patients that share a document, on a Citus cluster."""

from tests.shared.persons import *  # noqa: F403 - every test of it
