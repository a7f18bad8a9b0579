"""Administration: people, organizations, places, encounters, appointments."""

from __future__ import annotations

from pyhce.schema.declaration.shorthand import (
    BY_DATE,
    code,
    codes,
    col,
    gin,
    index,
    ref,
    resources,
    text,
    when,
)
from pyhce.schema.model import Area, Home, Kind, Table

AREA = Area.ADMINISTRATION

TABLES: tuple[Table, ...] = (
    resources(
        "paciente",
        "Patient",
        AREA,
        "Pacientes",
        "Patients",
        col("claves", Kind.KEYS, "id", "Claves por las que se le nombra", "Keys by which it is named"),
        col("nombre_busqueda", Kind.NAMES, "name", "Nombres para buscar", "Names to search by"),
        text("apellidos", "name.family", "Apellidos", "Surnames"),
        text("nombre", "name.given", "Primer nombre", "First given name"),
        code("sexo", "gender", "Sexo administrativo", "Administrative gender"),
        col("fecha_nacimiento", Kind.DATE, "birthDate", "Fecha de nacimiento completa", "Whole birth date"),
        col("nacimiento", Kind.DATES, "birthDate", "Días posibles de nacimiento", "Possible birth days"),
        col("activo", Kind.BOOLEAN, "active", "Ficha activa", "Active"),
        col("fallecido_en", Kind.RANGE, "deceased[x]", "Fallecimiento", "Death"),
        text("ciudad", "address.city", "Ciudad", "City"),
        text("telefono", "telecom.value", "Primer contacto", "First contact"),
        ref(
            "organizacion_id",
            "managingOrganization",
            "Organization",
            "Organización responsable",
            "Managing organization",
        ),
        patient=("id",),
        indexes=(
            gin("claves"),
            gin("nombre_busqueda", opclass="public.gin_trgm_ops"),
            index("fecha_nacimiento"),
        ),
    ),
    resources(
        "encuentro",
        "Encounter",
        AREA,
        "Encuentros (atenciones)",
        "Encounters",
        code("estado", "status", "Estado", "Status"),
        code("clase", "class", "Clase", "Class"),
        code("tipo_atencion", "type", "Tipo de atención", "Type"),
        codes("motivos", "reasonCode", "Motivos", "Reasons"),
        when("fecha", "period", "Cuándo", "When"),
        ref("profesional_id", "participant.individual", "Practitioner", "Profesional", "Practitioner"),
        ref("organizacion_id", "serviceProvider", "Organization", "Organización", "Organization"),
        ref("ubicacion_id", "location.location", "Location", "Ubicación", "Location"),
        ref("episodio_id", "episodeOfCare", "EpisodeOfCare", "Episodio", "Episode of care"),
        patient=("subject",),
        indexes=(BY_DATE,),
    ),
    resources(
        "organizacion",
        "Organization",
        AREA,
        "Organizaciones",
        "Organizations",
        col("claves", Kind.KEYS, "id", "Claves por las que se la nombra", "Keys by which it is named"),
        text("nombre", "name", "Nombre", "Name"),
        col("nombre_busqueda", Kind.NAMES, "name", "Nombre para buscar", "Name to search by"),
        col("activo", Kind.BOOLEAN, "active", "Activa", "Active"),
        code("clase", "type", "Tipo de organización", "Type"),
        ref("parte_de_id", "partOf", "Organization", "Parte de", "Part of"),
        home=Home.REFERENCE,
        indexes=(gin("claves"),),
    ),
)
