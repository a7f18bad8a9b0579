"""Administration, the catalogues: practitioners, organizations, places, schedules, groups."""

from __future__ import annotations

from pyhce.schema.declaration.shorthand import (
    boolean,
    code,
    codes,
    col,
    described,
    gin,
    instead,
    ref,
    resources,
    text,
    when,
)
from pyhce.schema.model import Area, Column, Home, Kind, Table

AREA = Area.ADMINISTRATION


def keys() -> Column:
    """Every key by which a reference may name the resource."""
    return col("claves", Kind.KEYS, "id", "Claves por las que se le nombra", "Keys by which it is named")


def name_in_use() -> tuple[Column, Column]:
    """Surnames and first given name of the name in use."""
    return (
        instead(text("apellidos", "name.family", "Apellidos", "Surnames"), "name.preferred().family"),
        instead(text("nombre", "name.given", "Primer nombre", "First given name"), "name.preferred().given"),
    )


def contact(former: Column | None = None) -> tuple[Column, Column]:
    """Phone and e-mail in use; `former` is what stood in the phone's column."""
    path = "telecom.preferred('phone').value | telecom.preferred('sms').value"
    return (
        instead(former, path, "Teléfono en uso", "Phone in use")
        if former
        else text("telefono", path, "Teléfono en uso", "Phone in use", since=2),
        text("correo", "telecom.preferred('email').value", "Correo electrónico en uso", "E-mail in use", since=2),
    )


TABLES: tuple[Table, ...] = (
    resources(
        "organizacion",
        "Organization",
        AREA,
        "Organizaciones",
        "Organizations",
        keys(),
        text("nombre", "name", "Nombre", "Name"),
        col("nombre_busqueda", Kind.NAMES, "name", "Nombre para buscar", "Name to search by"),
        boolean("activo", "active", "Activa", "Active"),
        code("clase", "type", "Tipo de organización", "Type"),
        instead(text("ciudad", "address.city", "Ciudad", "City"), "address.preferred().city"),
        *contact(),
        ref("parte_de_id", "partOf", "Organization", "Parte de", "Part of"),
        home=Home.REFERENCE,
        indexes=(gin("claves"),),
    ),
    resources(
        "profesional",
        "Practitioner",
        AREA,
        "Profesionales de la salud",
        "Practitioners",
        keys(),
        col("nombre_busqueda", Kind.NAMES, "name", "Nombres para buscar", "Names to search by"),
        *name_in_use(),
        *contact(),
        code("sexo", "gender", "Sexo administrativo", "Administrative gender"),
        boolean("activo", "active", "Activo", "Active"),
        home=Home.REFERENCE,
        indexes=(gin("claves"),),
    ),
    resources(
        "rol_profesional",
        "PractitionerRole",
        AREA,
        "Roles de los profesionales",
        "Practitioners' roles",
        keys(),
        boolean("activo", "active", "Activo", "Active"),
        code("rol", "code", "Rol", "Role"),
        described("code", "rol_texto"),
        codes("especialidades", "specialty", "Especialidades", "Specialties"),
        described("specialty", "especialidad_texto"),
        when("fecha", "period", "Vigencia", "Period"),
        ref("profesional_id", "practitioner", "Practitioner", "Profesional", "Practitioner"),
        ref("organizacion_id", "organization", "Organization", "Organización", "Organization"),
        ref("ubicacion_id", "location", "Location", "Primera ubicación", "First location"),
        home=Home.REFERENCE,
    ),
    resources(
        "ubicacion",
        "Location",
        AREA,
        "Ubicaciones: sedes, servicios, camas",
        "Locations: sites, wards, beds",
        keys(),
        code("estado", "status", "Estado", "Status"),
        text("nombre", "name", "Nombre", "Name"),
        code("clase", "type", "Tipo", "Type"),
        text("ciudad", "address.city", "Ciudad", "City"),
        ref("organizacion_id", "managingOrganization", "Organization", "Organización", "Organization"),
        ref("parte_de_id", "partOf", "Location", "Parte de", "Part of"),
        home=Home.REFERENCE,
        indexes=(gin("claves"),),
    ),
    resources(
        "horario_atencion",
        "Schedule",
        AREA,
        "Horarios de atención",
        "Schedules",
        keys(),
        boolean("activo", "active", "Activo", "Active"),
        codes("servicios", "serviceType", "Servicios", "Service types"),
        when("fecha", "planningHorizon", "Horizonte de planeación", "Planning horizon"),
        ref("profesional_id", "actor", "Practitioner", "Profesional", "Practitioner"),
        ref("ubicacion_id", "actor", "Location", "Ubicación", "Location"),
        home=Home.REFERENCE,
    ),
    resources(
        "grupo_pacientes",
        "Group",
        AREA,
        "Grupos de pacientes o de cosas",
        "Groups",
        keys(),
        boolean("activo", "active", "Activo", "Active"),
        code("clase", "type", "Clase de miembros", "Kind of members"),
        text("nombre", "name", "Nombre", "Name"),
        code("codigo", "code", "Qué reúne", "What it groups"),
        described("code"),
        home=Home.REFERENCE,
    ),
)
