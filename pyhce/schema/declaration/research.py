"""Research and terminology: research studies, code systems, value sets, concept maps, plan definitions."""

from __future__ import annotations

from pyhce.schema.declaration.column_groups import keys
from pyhce.schema.declaration.shorthand import code, date_range, ref, resources, text
from pyhce.schema.model import Area, Column, Home, Table

AREA = Area.RESEARCH


def canonical() -> tuple[Column, ...]:
    """The columns of every canonical resource."""
    return (
        keys(),
        text("url", "url", "URL canónica", "Canonical URL"),
        text("version_publicada", "version", "Versión publicada", "Published version"),
        text("nombre", "name", "Nombre", "Name"),
        text("titulo", "title", "Título", "Title"),
        code("estado", "status", "Estado", "Status"),
        date_range("fecha", "date", "Cuándo se publicó", "When published"),
    )


TABLES: tuple[Table, ...] = (
    resources(
        "estudio_investigacion",
        "ResearchStudy",
        AREA,
        "Estudios de investigación",
        "Research studies",
        keys(),
        code("estado", "status", "Estado", "Status"),
        text("titulo", "title", "Título", "Title"),
        code("fase", "phase", "Fase", "Phase"),
        date_range("fecha", "period", "Vigencia", "Period"),
        ref("profesional_id", "principalInvestigator", "Practitioner", "Investigador principal", "Investigator"),
        ref("organizacion_id", "sponsor", "Organization", "Patrocinador", "Sponsor"),
        home=Home.REFERENCE,
    ),
    resources(
        "concepto_terminologia",
        "CodeSystem",
        AREA,
        "Sistemas de codificación y sus conceptos",
        "Code systems and their concepts",
        *canonical(),
        code("contenido", "content", "Cuánto contiene", "How much it holds"),
        home=Home.REFERENCE,
    ),
    resources(
        "conjunto_valores",
        "ValueSet",
        AREA,
        "Conjuntos de valores",
        "Value sets",
        *canonical(),
        home=Home.REFERENCE,
    ),
    resources(
        "mapeo_terminologia",
        "ConceptMap",
        AREA,
        "Mapeos entre terminologías",
        "Concept maps",
        *canonical(),
        text("origen", "sourceUri | sourceCanonical", "De", "From"),
        text("destino", "targetUri | targetCanonical", "A", "To"),
        home=Home.REFERENCE,
    ),
    resources(
        "guia_clinica",
        "PlanDefinition",
        AREA,
        "Guías y protocolos clínicos",
        "Clinical guidelines and protocols",
        *canonical(),
        code("clase", "type", "Tipo", "Type"),
        home=Home.REFERENCE,
    ),
)
