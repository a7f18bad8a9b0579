"""The declaration: every table, by clinical area."""

from pyhce.schema.declaration.schema import SCHEMA

__all__ = ["SCHEMA"]
