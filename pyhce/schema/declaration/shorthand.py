"""Short functions with which the declaration is written; each returns an object of the model."""

from __future__ import annotations

from pyhce.schema.model import Area, Column, ColumnKind, Home, Index, Label, PlainColumn, Table
from pyhce.schema.path import alternatives


def col(
    name: str, kind: ColumnKind, path: str, es: str, en: str, *, target: str | None = None, since: int = 1
) -> Column:
    """A typed column."""
    return Column(name=name, kind=kind, path=path, label=Label(es=es, en=en), target=target, since=since)


def text(name: str, path: str, es: str, en: str, *, since: int = 1) -> Column:
    """A column of the first string, code, uri or id at the path."""
    return col(name, ColumnKind.TEXT, path, es, en, since=since)


def code(name: str, path: str, es: str, en: str, *, since: int = 1) -> Column:
    """A column of the code of a Coding, or of the first Coding of a CodeableConcept that has a code."""
    return col(name, ColumnKind.CODE, path, es, en, since=since)


def codes(name: str, path: str, es: str, en: str, *, since: int = 1) -> Column:
    """A column of all Codings, as `system|code`."""
    return col(name, ColumnKind.CODES, path, es, en, since=since)


def date_range(name: str, path: str, es: str, en: str, *, since: int = 1) -> Column:
    """A column of a date, dateTime, instant, Period or Timing as a range of time."""
    return col(name, ColumnKind.RANGE, path, es, en, since=since)


def ref(name: str, path: str, target: str, es: str, en: str, *, since: int = 1) -> Column:
    """A column of the key of the first Reference to a type."""
    return col(name, ColumnKind.REFERENCE, path, es, en, target=target, since=since)


def refs(name: str, path: str, target: str, es: str, en: str, *, since: int = 1) -> Column:
    """A column of the keys of all References to a type."""
    return col(name, ColumnKind.REFERENCES, path, es, en, target=target, since=since)


def number(name: str, path: str, es: str, en: str, *, since: int = 1) -> Column:
    """A column of a decimal or integer, with all its digits."""
    return col(name, ColumnKind.NUMBER, path, es, en, since=since)


def boolean(name: str, path: str, es: str, en: str, *, since: int = 1) -> Column:
    """A column of a boolean."""
    return col(name, ColumnKind.BOOLEAN, path, es, en, since=since)


def happened(name: str, path: str, es: str, en: str, *, since: int = 1) -> Column:
    """A boolean column of a choice of a boolean and other types, such as `deceased[x]`: whether it happened."""
    return col(name, ColumnKind.HAPPENED, path, es, en, since=since)


def comparator(of: str, quantity: str, *, since: int = 2) -> Column:
    """The column of a Quantity's comparator: `<`, `<=`, `>=` or `>`; NULL if the number is the exact value.

    Each number column of a Quantity needs one (HCL13).

    Args:
        of: the name of the number's column.
        quantity: the FHIR path of the Quantity.
    """
    return text(
        f"{of}_comparador", f"{quantity}.comparator", f"Comparador de {of} (<, >): no es el valor exacto",
        f"Comparator of {of} (<, >): not the exact value", since=since,
    )  # fmt: skip


def concept_text(path: str, name: str = "codigo_texto", *, since: int = 2) -> Column:
    """A column of the text of a CodeableConcept, or of the first display of its Codings if it has no text.

    Args:
        path: the FHIR path of the CodeableConcept.
        name: the name of the column.
    """
    words = " | ".join(f"{one}.{member}" for one in alternatives(path) for member in ("text", "coding.display"))
    of = name.removesuffix("_texto")
    return text(name, words, f"Texto de {of}, codificado o no", f"Words of {of}, coded or not", since=since)


def recomputed(former: Column, path: str, es: str = "", en: str = "", *, since: int = 2) -> Column:
    """A column that a migration computes from another path, and that keeps its name.

    Args:
        former: the column before the migration.
        path: the new FHIR path.
        es: the new Spanish label; the former one if empty.
        en: the new English label; the former one if empty.
    """
    label = Label(es=es or former.label.es, en=en or former.label.en)
    return former.model_copy(update={"path": path, "label": label, "since": since, "former": former})


def index(*keys: str, method: str = "btree", opclass: str = "", where: str = "", since: int = 1) -> Index:
    """An index on columns, or on expressions in parentheses."""
    return Index(keys=keys, method=method, opclass=opclass, where=where, since=since)


def gin(column: str, *, opclass: str = "", since: int = 1) -> Index:
    """A GIN index on an array or a search text."""
    return index(column, method="gin", opclass=opclass, since=since)


BY_DATE = index("documento_id", "(lower(fecha))")
"""The index for one patient's resources by date."""

_DOCUMENT = PlainColumn(
    name="documento_id", sql_type="text", label=Label(es="Documento de identidad", en="Identity document")
)
_TYPE = PlainColumn(name="tipo", sql_type="text", label=Label(es="Tipo FHIR del recurso", en="FHIR type"))
_SOURCE = PlainColumn(
    name="fuente", sql_type="text", default="''", label=Label(es="Sistema de origen", en="Source system")
)
_ID = PlainColumn(name="id", sql_type="text", label=Label(es="Identificador lógico FHIR", en="FHIR logical id"))
_VERSION = PlainColumn(
    name="version", sql_type="integer", default="1", label=Label(es="Versión de la fila", en="Row version")
)
_UPDATED = PlainColumn(
    name="actualizado_en",
    sql_type="timestamptz",
    default="now()",
    label=Label(es="Vigente desde", en="Current since"),
)
_RESOURCE = PlainColumn(name="recurso", sql_type="jsonb", label=Label(es="Recurso FHIR", en="FHIR resource"))
_ORIGINAL = PlainColumn(
    name="original",
    sql_type="text",
    required=False,
    label=Label(es="Texto exacto, si jsonb lo altera", en="Exact text, where jsonb changes it"),
)
_INPUT = PlainColumn(
    name="entrada",
    sql_type="uuid",
    required=False,
    label=Label(
        es="Huella del texto del que se cargó; NULL: compárese el contenido",
        en="Fingerprint of the text it was loaded from; NULL: compare the content",
    ),
)
_PATIENT = PlainColumn(
    name="paciente_id",
    sql_type="text",
    required=False,
    label=Label(es="Paciente que nombra el recurso", en="Patient that the resource names"),
)
_ORDER = PlainColumn(name="orden", sql_type="integer", label=Label(es="Orden en el lote", en="Order in the batch"))
_PROTOCOL = PlainColumn(
    name="protocolo",
    sql_type="integer",
    label=Label(es="Protocolo de quien escribe", en="Protocol of the writer"),
    since=2,
)
_BATCH = PlainColumn(name="lote", sql_type="uuid", label=Label(es="Lote de carga", en="Load batch"))
_FROM = PlainColumn(name="vigente_desde", sql_type="timestamptz", label=Label(es="Vigente desde", en="Current from"))
_TO = PlainColumn(name="vigente_hasta", sql_type="timestamptz", label=Label(es="Vigente hasta", en="Current until"))
_DELETED = PlainColumn(
    name="borrado",
    sql_type="boolean",
    default="false",
    label=Label(es="Lápida: aquí se borró el recurso", en="Tombstone: the resource was deleted here"),
)


def resources(
    name: str,
    fhir_type: str | None,
    area: Area,
    es: str,
    en: str,
    *columns: Column,
    home: Home = Home.PATIENT,
    patient: tuple[str, ...] = (),
    indexes: tuple[Index, ...] = (),
    since: int = 1,
) -> Table:
    """A table of FHIR resources; its stored columns, key and parent follow from its home.

    A patient table gets the column `paciente_id` and an index on `(fuente, id)`: Citus cannot have a unique key without
    the distribution column, so the loader uses this index to find a resource. For other homes the primary key begins
    with these columns.

    Args:
        name: the Spanish name.
        fhir_type: the FHIR type; None for a generic table.
        area: the chapter in the data dictionary.
        es: the Spanish label.
        en: the English label.
        columns: the typed columns.
        home: how the table is distributed.
        patient: the patient paths.
        indexes: further indexes.
        since: the migration that adds the table.
    """
    by_patient = home is Home.PATIENT
    key = (*(("documento_id",) if by_patient else ()), "fuente", *(() if fhir_type else ("tipo",)), "id")
    stored = (
        *((_DOCUMENT,) if by_patient else ()),
        _SOURCE,
        *(() if fhir_type else (_TYPE,)),
        _ID,
        *((_PATIENT,) if by_patient and not fhir_type else ()),
        _VERSION,
        _UPDATED,
        _RESOURCE,
        _ORIGINAL,
        _INPUT,
    )
    patient_id = Column(
        name="paciente_id",
        kind=ColumnKind.REFERENCE,
        path=" | ".join(patient),
        target="Patient",
        label=_PATIENT.label,
    )
    identity = index("fuente", *(() if fhir_type else ("tipo",)), "id")
    return Table(
        name=name,
        home=home,
        area=area,
        label=Label(es=es, en=en),
        fhir_type=fhir_type,
        patient_paths=patient,
        columns=(*((patient_id,) if by_patient and fhir_type else ()), *columns),
        indexes=(*((identity,) if by_patient else ()), *indexes),
        stored=stored,
        key=key,
        parent="expediente" if by_patient else None,
        since=since,
    )


def history(name: str, home: Home, *, since: int = 1) -> Table:
    """The table of former versions and tombstones for the tables of one home."""
    by_patient = home is Home.PATIENT
    first = (_DOCUMENT,) if by_patient else ()
    last = (_PATIENT,) if by_patient else ()
    return Table(
        name=name,
        home=home,
        area=Area.RECORD,
        label=Label(es="Versiones anteriores y lápidas", en="Former versions and tombstones"),
        stored=(*first, _TYPE, _SOURCE, _ID, _VERSION, *last, _FROM, _TO, _DELETED, _RESOURCE, _ORIGINAL),
        key=(*(c.name for c in first), "tipo", "fuente", "id", "version"),
        indexes=(index("fuente", "tipo", "id"),) if by_patient else (),
        parent="expediente" if by_patient else None,
        holds_resources=False,
        since=since,
    )


def staging(name: str, home: Home, *, since: int = 1) -> Table:
    """The table in which the loader stages a batch within a transaction; empty outside of one."""
    by_patient = home is Home.PATIENT
    first = (_DOCUMENT,) if by_patient else ()
    last = (_PATIENT,) if by_patient else ()
    return Table(
        name=name,
        home=home,
        area=Area.RECORD,
        label=Label(es="Filas en carga (vacía fuera de una transacción)", en="Staged rows (empty outside a load)"),
        stored=(*first, _BATCH, _ORDER, _TYPE, _SOURCE, _ID, *last, _RESOURCE, _ORIGINAL, _INPUT, _PROTOCOL),
        key=(*((*(c.name for c in first), "lote", "orden") if by_patient else ("id", "lote", "orden")),),
        sql_schema="hce",
        holds_resources=False,
        since=since,
    )
