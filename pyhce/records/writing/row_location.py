"""Row locations: the table that stores a resource, and the document of the record that it belongs to."""

from __future__ import annotations

from typing import NamedTuple

from pyhce.schema.model import FAMILIES, Schema


class RowLocation(NamedTuple):
    """Where a resource is stored.

    Args:
        table: the name of the table.
        document: the `documento_id` of its record, None in a table that is not distributed by patient.
    """

    table: str
    document: str | None


def history_location(schema: Schema, location: RowLocation) -> RowLocation:
    """Where the former versions of a resource at this location are stored."""
    return RowLocation(FAMILIES[schema.by_name[location.table].home].history, location.document)
