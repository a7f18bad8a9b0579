"""Where the rows of a resource are: the table, and the document of the record."""

from __future__ import annotations

from typing import NamedTuple

from pyhce.schema.model import FAMILIES, Schema


class RowLocation(NamedTuple):
    """Where a resource is: its table, and its record if it has a patient."""

    table: str
    document: str | None


def history_location(schema: Schema, place: RowLocation) -> RowLocation:
    """Where the former versions of a resource at this place are."""
    return RowLocation(FAMILIES[schema.by_name[place.table].home].history, place.document)
