"""Groups of columns that several tables share."""

from __future__ import annotations

from pyhce.schema.declaration.shorthand import col, recomputed, text
from pyhce.schema.model import Column, ColumnKind


def keys() -> Column:
    """The column of all keys by which a reference may refer to the resource."""
    return col("claves", ColumnKind.KEYS, "id", "Claves por las que se le nombra", "Keys by which it is named")


def name_in_use() -> tuple[Column, Column]:
    """The columns of the surnames and the first given name, from the name in use."""
    return (
        recomputed(text("apellidos", "name.family", "Apellidos", "Surnames"), "name.preferred().family"),
        recomputed(text("nombre", "name.given", "Primer nombre", "First given name"), "name.preferred().given"),
    )


def contact(former: Column | None = None) -> tuple[Column, Column]:
    """The columns of the phone and the e-mail address in use.

    Args:
        former: the column that the phone's column replaces, if the table had one.
    """
    path = "telecom.preferred('phone').value | telecom.preferred('sms').value"
    return (
        recomputed(former, path, "Teléfono en uso", "Phone in use")
        if former
        else text("telefono", path, "Teléfono en uso", "Phone in use", since=2),
        text("correo", "telecom.preferred('email').value", "Correo electrónico en uso", "E-mail in use", since=2),
    )
