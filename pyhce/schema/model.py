"""The model of a table: what the declaration is written in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from functools import cached_property

from pydantic import BaseModel, ConfigDict

from pyhce.errors import DeclarationError


class Frozen(BaseModel):
    """A value that never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Home(StrEnum):
    """Where the rows of a table live on the cluster."""

    PATIENT = "patient"
    """Distributed by `documento_id`, in the patients' colocation group."""
    REFERENCE = "reference"
    """A reference table: a small catalogue, whole on every node."""
    ID = "id"
    """Distributed by `id`: shared between patients and large."""


class Area(StrEnum):
    """A clinical area of the declaration."""

    ADMINISTRATION = "administration"
    CLINICAL = "clinical"
    MEDICATION = "medication"
    DIAGNOSTICS = "diagnostics"
    CARE_PLANS = "care plans"
    DOCUMENTS = "documents"
    FINANCE = "finance"
    RESEARCH = "research and terminology"
    SECURITY = "security"
    GENERIC = "generic"
    RECORD = "record"


class ColumnKind(StrEnum):
    """How a typed column is computed from its FHIR path; `expression.py` holds the SQL of each."""

    TEXT = "text"
    """The first string, code, uri or id that is there at the path."""
    CODE = "code"
    """The code of the first Coding of a CodeableConcept that has one, or of a Coding."""
    CODES = "codes"
    """Every Coding at the path, as `system|code`."""
    RANGE = "range"
    """A dateTime, date, instant, Period or Timing as the range of moments it may mean."""
    MOMENT = "moment"
    """An instant, or a dateTime that is one."""
    DATE = "date"
    """A whole date; a partial one gives NULL."""
    DATES = "dates"
    """A date, partial or not, as the range of days it may mean."""
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    HAPPENED = "happened"
    """A choice of a boolean and other types (`deceased[x]`): the boolean, or true if one of the others is there."""
    REFERENCE = "reference"
    """The key (id part) of the first Reference to the target type."""
    REFERENCES = "references"
    """The keys of every Reference to the target type."""
    KEYS = "keys"
    """Every key by which other resources may name this one: its id, and `identifier=system|value`."""
    NAMES = "names"
    """HumanNames or strings as search text: lower case, without accents."""


class Label(Frozen):
    """What a thing is called, in the users' two languages.

    Args:
        since: the migration that says these words; 1 also for a thing that came later in these words.
    """

    es: str
    en: str
    since: int = 1


class Column(Frozen):
    """A typed column, always generated from `recurso`.

    Args:
        name: Spanish, singular (plural for arrays), ASCII snake_case.
        kind: how it is computed.
        path: FHIR path relative to the resource; `a | b` takes the first that is there.
        target: the FHIR type that a reference must name.
        since: the migration that brought it, as it is here.
        former: what an earlier migration had in its place, under the same name.
    """

    name: str
    kind: ColumnKind
    path: str
    label: Label
    target: str | None = None
    since: int = 1
    former: Column | None = None

    @property
    def first_migration(self) -> int:
        """The migration that brought a column of this name."""
        return self.former.first_migration if self.former else self.since

    def as_of(self, number: int) -> Column:
        """The column as it is after a migration; the first one of its name if it came later."""
        return self.former.as_of(number) if self.former and number < self.since else self


class Index(Frozen):
    """An index. `keys` are column names or SQL expressions over them in brackets.

    Args:
        where: the rows that it holds, as SQL over the table's columns; empty for every row.
    """

    keys: tuple[str, ...]
    method: str = "btree"
    opclass: str = ""
    name: str = ""
    where: str = ""
    since: int = 1

    @property
    def identifiers(self) -> frozenset[str]:
        """Every name that its keys and its condition use, in lower case."""
        return frozenset(re.findall(r"[a-z_][a-z0-9_]*", " ".join((*self.keys, self.where.lower()))))


class PlainColumn(Frozen):
    """A stored column that a writer fills."""

    name: str
    sql_type: str
    label: Label
    required: bool = True
    default: str = ""
    since: int = 1


class Table(Frozen):
    """A table: a FHIR type's, a generic one (`fhir_type` None) or one of the record itself.

    Args:
        patient_paths: where the resource names its patient, the first match wins; empty when it never does.
        stored: the stored columns of a table that is not FHIR's; for FHIR tables they follow from the home.
        key: the primary key's columns; for FHIR tables it follows from the home.
        parent: the only hard foreign key, to the anchor of the record.
    """

    name: str
    home: Home
    area: Area
    label: Label
    fhir_type: str | None = None
    patient_paths: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    indexes: tuple[Index, ...] = ()
    stored: tuple[PlainColumn, ...] = ()
    key: tuple[str, ...] = ()
    parent: str | None = None
    sql_schema: str = "public"
    holds_resources: bool = True
    since: int = 1

    @property
    def qualified(self) -> str:
        """The name with its schema."""
        return f"{self.sql_schema}.{self.name}"

    @property
    def distribution_column(self) -> str | None:
        """The distribution column, None for a reference table."""
        return {Home.PATIENT: "documento_id", Home.ID: "id", Home.REFERENCE: None}[self.home]

    @property
    def is_generic(self) -> bool:
        """Whether it holds resources of any type, told apart by the column `tipo`."""
        return self.holds_resources and self.fhir_type is None

    @property
    def all_columns(self) -> tuple[PlainColumn | Column, ...]:
        """The stored columns, then the typed ones."""
        return (*self.stored, *self.columns)

    def has_stored_column(self, name: str) -> bool:
        """Whether it has a stored column of this name."""
        return any(column.name == name for column in self.stored)

    @property
    def identity_columns(self) -> tuple[str, ...]:
        """The key's columns within a source system, without the patient."""
        return tuple(name for name in self.key if name != "documento_id")


class Family(Frozen):
    """What the tables of one home share: where their former versions and their staged rows are kept.

    Args:
        colocate_with: the table that Citus co-locates the others with; fixed, whatever is declared later. Reference
            tables need none.
    """

    home: Home
    history: str
    staging: str
    colocate_with: str | None = None


FAMILIES = {
    Home.PATIENT: Family(home=Home.PATIENT, history="historia", staging="carga", colocate_with="expediente"),
    Home.ID: Family(
        home=Home.ID, history="historia_compartida", staging="carga_compartida", colocate_with="medicamento"
    ),
    Home.REFERENCE: Family(home=Home.REFERENCE, history="historia_referencia", staging="carga_referencia"),
}


class Helper(Frozen):
    """A function of the schema `hce` that typed columns are computed with."""

    name: str
    arguments: str
    returns: str
    body: str
    comment: str
    language: str = "sql"
    strict: bool = False
    """Whether it is not even called for a NULL; PL/pgSQL ones never are."""
    volatility: str = "IMMUTABLE"
    definer: bool = False
    """Whether it runs with the rights of hce_writer; hce_app may call it, PUBLIC may not."""
    since: int = 1
    replaces: str = ""
    """The helper in whose place every typed column calls this one since its migration; that migration computes those
    columns anew."""


class DataStep(Frozen):
    """A change of stored rows that a migration needs; writers wait until it is done.

    Args:
        number: the migration.
        table: the table that takes the rows of its type from the generic tables; None for another change.
    """

    number: int
    name: str
    table: str | None = None


class Schema(Frozen):
    """The whole declaration."""

    tables: tuple[Table, ...]
    helpers: tuple[Helper, ...]
    patient_paths: tuple[tuple[str, tuple[str, ...]], ...]
    """The patient paths of the types without a table of their own."""
    bare_migrations: tuple[int, ...] = ()
    """Migrations that bring what no object here says: functions that write, privileges."""
    extra_data_steps: tuple[DataStep, ...] = ()
    """Changes of stored rows besides those that new tables need."""

    @cached_property
    def by_name(self) -> dict[str, Table]:
        """Tables by name."""
        return {table.name: table for table in self.tables}

    @cached_property
    def by_type(self) -> dict[str, Table]:
        """Tables by the FHIR type that is their own."""
        return {table.fhir_type: table for table in self.tables if table.fhir_type}

    @cached_property
    def version(self) -> int:
        """The number of the newest migration."""
        return max(self.migration_numbers())

    def migration_numbers(self) -> Iterator[int]:
        """The migrations that brought something, in no order."""
        for table in self.tables:
            yield from (table.since, table.label.since)
            yield from (since for column in table.all_columns for since in (column.since, column.label.since))
            yield from (index.since for index in table.indexes)
        yield from (helper.since for helper in self.helpers)
        yield from self.bare_migrations
        yield from (step.number for step in self.extra_data_steps)

    @cached_property
    def data_steps(self) -> tuple[DataStep, ...]:
        """The changes of stored rows that migrations need, in the order to make them: first rows to new tables."""
        moves = (
            DataStep(number=table.since, name=f"{table.fhir_type} to {table.name}", table=table.name)
            for table in self.tables
            if table.since > 1 and table.fhir_type
        )
        return (*moves, *self.extra_data_steps)

    def generic_tables_emptied_by(self, table: Table) -> tuple[Table, ...]:
        """The generic tables that hold no resource of a table's type any more, once the table is there."""
        homes = self.tables_for(str(table.fhir_type)) if table.fhir_type else self.tables
        return tuple(generic for generic in self.resource_tables() if generic.is_generic and generic not in homes)

    def patient_paths_of(self, fhir_type: str) -> tuple[str, ...]:
        """Where a resource of this type names its patient, in order; empty when it never does."""
        table = self.by_type.get(fhir_type)
        return table.patient_paths if table else dict(self.patient_paths).get(fhir_type, ())

    def can_name_patient(self, fhir_type: str) -> bool:
        """Whether resources of this type can belong to a patient; those of a document or message do by its entries."""
        return fhir_type == "Bundle" or bool(self.patient_paths_of(fhir_type))

    def table_for(self, fhir_type: str, *, names_patient: bool) -> Table:
        """The table where a resource of this type lives."""
        table = self.by_type.get(fhir_type)
        if table and (table.home is not Home.PATIENT or names_patient):
            return table
        return self.by_name["recurso_paciente" if names_patient else "recurso_compartido"]

    def tables_for(self, fhir_type: str) -> tuple[Table, ...]:
        """Every table where a resource of this type may live."""
        both = (self.table_for(fhir_type, names_patient=self.can_name_patient(fhir_type)),)
        other = self.table_for(fhir_type, names_patient=False)
        return both if other in both else (*both, other)

    def distributed_by_patient(self) -> tuple[Table, ...]:
        """The tables of the patients' colocation group, parents first."""
        return tuple(table for table in self.tables if table.home is Home.PATIENT)

    def resource_tables(self, home: Home | None = None) -> tuple[Table, ...]:
        """The tables whose rows are resources."""
        return tuple(t for t in self.tables if t.holds_resources and (home is None or t.home is home))

    def histories(self, home: Home | None = None) -> tuple[Table, ...]:
        """The tables of former versions and tombstones."""
        return tuple(self.by_name[family.history] for family in FAMILIES.values() if home in {None, family.home})

    def record_tables(self) -> tuple[Table, ...]:
        """The tables of which a patient's record consists: its resources, then their former versions."""
        return (*self.resource_tables(Home.PATIENT), self.by_name[FAMILIES[Home.PATIENT].history])

    def table(self, name: str) -> Table:
        """A table by name.

        Raises:
            DeclarationError: there is no such table.
        """
        if name not in self.by_name:
            raise DeclarationError(f"there is no table {name!r}", remedy="`pyhce generate docs` lists the tables.")
        return self.by_name[name]
