"""Patients that share a document, on one PostgreSQL."""

from tests.shared.persons import *  # noqa: F403 - every test of it
