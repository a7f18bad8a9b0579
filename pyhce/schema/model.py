"""The model in which the declaration is written: tables, columns, indexes, helpers, and the whole schema."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from functools import cached_property

from pydantic import BaseModel, ConfigDict

from pyhce.errors import DeclarationError


class Frozen(BaseModel):
    """The base of our immutable models; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Home(StrEnum):
    """How a table is distributed on the cluster; it follows from what its rows belong to."""

    PATIENT = "patient"
    """Rows of one patient: distributed by `documento_id`, in the patients' colocation group."""
    REFERENCE = "reference"
    """A small catalogue: a reference table, with a full copy on every node."""
    ID = "id"
    """A large table that patients share: distributed by `id`."""


class Area(StrEnum):
    """An area of the declaration; the data dictionary has a chapter for each."""

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
    """How a typed column is computed from its FHIR path; `expression.py` has the SQL of each kind."""

    TEXT = "text"
    """The first string, code, uri or id at the path."""
    CODE = "code"
    """The code of a Coding, or of the first Coding of a CodeableConcept that has a code."""
    CODES = "codes"
    """Every Coding at the path, as `system|code`."""
    RANGE = "range"
    """A date, dateTime, instant, Period or Timing as a range of time: `2024-02` is all of February 2024."""
    MOMENT = "moment"
    """An instant, or a dateTime with a time."""
    DATE = "date"
    """A complete date; a partial one, such as `2024-02`, gives NULL."""
    DATES = "dates"
    """A date, complete or partial, as a range of days."""
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    HAPPENED = "happened"
    """A choice of a boolean and other types (`deceased[x]`): the boolean, or true if another type is present."""
    REFERENCE = "reference"
    """The key of the first Reference to the target type: its id, or `identifier=system|value`."""
    REFERENCES = "references"
    """The keys of all References to the target type."""
    KEYS = "keys"
    """Every key by which other resources may refer to this one: its id, and `identifier=system|value` of each
    identifier."""
    NAMES = "names"
    """HumanNames or strings as search text: lower case, without accents."""


class Label(Frozen):
    """The description of a table or column, in Spanish and in English.

    Args:
        es: Spanish text.
        en: English text.
        since: the migration that changed the text; 1 if the text is as old as the table or column.
    """

    es: str
    en: str
    since: int = 1


class Column(Frozen):
    """A typed column, generated from `recurso`.

    Args:
        name: Spanish, singular (plural for arrays), ASCII snake_case.
        kind: how it is computed.
        path: FHIR path relative to the resource; `a | b` is the first alternative that is present. See `path.py`.
        label: its description.
        target: the FHIR type to which a reference must refer.
        since: the migration that adds or changes it to what is declared here.
        former: the column of the same name that it replaces, from an earlier migration.
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
        """The migration that first added a column of this name."""
        return self.former.first_migration if self.former else self.since

    def as_of(self, number: int) -> Column:
        """The column as declared at a migration: this one, or a former one of the same name.

        Before the migration that first added it, the oldest former one.
        """
        return self.former.as_of(number) if self.former and number < self.since else self


class Index(Frozen):
    """An index.

    Args:
        keys: column names, or SQL expressions over columns in parentheses.
        method: the index method, such as `btree` or `gin`.
        opclass: the operator class of the last key; empty for the default one.
        name: empty for the usual name (`table_column_idx`).
        where: the condition of a partial index, as SQL over the table's columns; empty for an index of all rows.
        since: the migration that adds it.
    """

    keys: tuple[str, ...]
    method: str = "btree"
    opclass: str = ""
    name: str = ""
    where: str = ""
    since: int = 1

    @property
    def identifiers(self) -> frozenset[str]:
        """Every name that occurs in its keys and its condition, in lower case: columns, functions, key words."""
        return frozenset(re.findall(r"[a-z_][a-z0-9_]*", " ".join((*self.keys, self.where.lower()))))


class PlainColumn(Frozen):
    """A stored column: a writer fills it.

    Args:
        name: Spanish, ASCII snake_case.
        sql_type: its PostgreSQL type.
        label: its description.
        required: whether it is NOT NULL.
        default: its default value as an SQL expression; empty for none.
        since: the migration that adds it.
    """

    name: str
    sql_type: str
    label: Label
    required: bool = True
    default: str = ""
    since: int = 1


class Table(Frozen):
    """A table: of one FHIR type, of several FHIR types (generic), or of the record itself, such as `historia`.

    Args:
        name: Spanish, singular, ASCII snake_case.
        home: how it is distributed.
        area: its chapter in the data dictionary.
        label: its description.
        fhir_type: the FHIR type of its rows; None for a generic table and for a table of the record itself.
        patient_paths: the FHIR paths at which a resource refers to its patient, in order; the first one with a value
            decides. Empty if the type never refers to a patient.
        columns: its typed columns.
        indexes: its indexes besides the primary key.
        stored: its stored columns.
        key: the columns of its primary key.
        parent: the table to which its only foreign key refers: `expediente`, or None.
        sql_schema: `public` or `hce`.
        holds_resources: whether its rows are current FHIR resources.
        since: the migration that adds it.
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
        """Its name with its schema, such as `public.paciente`."""
        return f"{self.sql_schema}.{self.name}"

    @property
    def distribution_column(self) -> str | None:
        """Its distribution column, None for a reference table."""
        return {Home.PATIENT: "documento_id", Home.ID: "id", Home.REFERENCE: None}[self.home]

    @property
    def is_generic(self) -> bool:
        """Whether its rows are resources of several types; the column `tipo` has the type."""
        return self.holds_resources and self.fhir_type is None

    @property
    def all_columns(self) -> tuple[PlainColumn | Column, ...]:
        """Its stored columns, then its typed columns."""
        return (*self.stored, *self.columns)

    def has_stored_column(self, name: str) -> bool:
        """Whether it has a stored column with this name."""
        return any(column.name == name for column in self.stored)

    @property
    def identity_columns(self) -> tuple[str, ...]:
        """The columns of its primary key without `documento_id`."""
        return tuple(name for name in self.key if name != "documento_id")


class Family(Frozen):
    """What the tables of one home share.

    Args:
        home: their home.
        history: the table of their former versions.
        staging: the table in which a load stages their rows.
        colocate_with: the first table of their colocation group. It is fixed here, so that a table that is declared
            later in front of it changes nothing. None for reference tables.
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
    """A function of the schema `hce` that typed columns call, or that saves a resource.

    Args:
        name: its name, without the schema.
        arguments: its arguments as SQL, such as `t text`.
        returns: its SQL return type.
        body: its body, without the dollar quotes.
        comment: its COMMENT ON FUNCTION.
        language: `sql` or `plpgsql`.
        strict: whether an SQL function is STRICT, so that NULL gives NULL without a call. Immutable PL/pgSQL functions
            always are.
        volatility: IMMUTABLE for every function that a typed column calls.
        definer: whether it is SECURITY DEFINER and runs as hce_writer; then hce_app may execute it, and PUBLIC may not.
        since: the migration that adds it.
        replaces: the helper that it replaces in every typed column, from its migration on; that migration recomputes
            those columns.
    """

    name: str
    arguments: str
    returns: str
    body: str
    comment: str
    language: str = "sql"
    strict: bool = False
    volatility: str = "IMMUTABLE"
    definer: bool = False
    since: int = 1
    replaces: str = ""


class DataStep(Frozen):
    """A change of stored rows that a migration needs. Writers refuse to write until it is finished.

    Args:
        number: the number of the migration.
        name: its name, unique within the migration.
        table: the new table to which the rows of its FHIR type move from the generic tables; None for another change.
    """

    number: int
    name: str
    table: str | None = None


class Schema(Frozen):
    """The whole declaration.

    Args:
        tables: every table, in the order in which they are created: the parent first.
        helpers: the functions that typed columns call.
        patient_paths: (FHIR type, its patient paths) of each type without a table of its own.
        bare_migrations: the numbers of migrations for which no table, column, index, helper or label has `since`: they
            change save functions or privileges only.
        extra_data_steps: data steps besides those that a new table needs.
    """

    tables: tuple[Table, ...]
    helpers: tuple[Helper, ...]
    patient_paths: tuple[tuple[str, tuple[str, ...]], ...]
    bare_migrations: tuple[int, ...] = ()
    extra_data_steps: tuple[DataStep, ...] = ()

    @cached_property
    def by_name(self) -> dict[str, Table]:
        """The tables by name."""
        return {table.name: table for table in self.tables}

    @cached_property
    def by_type(self) -> dict[str, Table]:
        """The tables of one FHIR type, by that type."""
        return {table.fhir_type: table for table in self.tables if table.fhir_type}

    @cached_property
    def version(self) -> int:
        """The number of the newest migration."""
        return max(self.migration_numbers())

    def migration_numbers(self) -> Iterator[int]:
        """The migration numbers that occur in the declaration, with repetitions and in no order."""
        for table in self.tables:
            yield from (table.since, table.label.since)
            yield from (since for column in table.all_columns for since in (column.since, column.label.since))
            yield from (index.since for index in table.indexes)
        yield from (helper.since for helper in self.helpers)
        yield from self.bare_migrations
        yield from (step.number for step in self.extra_data_steps)

    @cached_property
    def data_steps(self) -> tuple[DataStep, ...]:
        """All data steps in the order in which they run: rows move to new tables first."""
        moves = (
            DataStep(number=table.since, name=f"{table.fhir_type} to {table.name}", table=table.name)
            for table in self.tables
            if table.since > 1 and table.fhir_type
        )
        return (*moves, *self.extra_data_steps)

    def generic_tables_emptied_by(self, table: Table) -> tuple[Table, ...]:
        """The generic tables that no longer have resources of a table's type once the table exists."""
        homes = self.tables_for(str(table.fhir_type)) if table.fhir_type else self.tables
        return tuple(generic for generic in self.resource_tables() if generic.is_generic and generic not in homes)

    def patient_paths_of(self, fhir_type: str) -> tuple[str, ...]:
        """The FHIR paths at which a resource of this type refers to its patient, in order; empty if there are none."""
        table = self.by_type.get(fhir_type)
        return table.patient_paths if table else dict(self.patient_paths).get(fhir_type, ())

    def can_name_patient(self, fhir_type: str) -> bool:
        """Whether a resource of this type can belong to a patient.

        A Bundle of type document or message can: the patient is named by its entries.
        """
        return fhir_type == "Bundle" or bool(self.patient_paths_of(fhir_type))

    def table_for(self, fhir_type: str, *, names_patient: bool) -> Table:
        """The table for a resource of this type.

        Args:
            fhir_type: its type.
            names_patient: whether this resource refers to a patient.
        """
        table = self.by_type.get(fhir_type)
        if table and (table.home is not Home.PATIENT or names_patient):
            return table
        return self.by_name["recurso_paciente" if names_patient else "recurso_compartido"]

    def tables_for(self, fhir_type: str) -> tuple[Table, ...]:
        """Every table that may have resources of this type."""
        both = (self.table_for(fhir_type, names_patient=self.can_name_patient(fhir_type)),)
        other = self.table_for(fhir_type, names_patient=False)
        return both if other in both else (*both, other)

    def distributed_by_patient(self) -> tuple[Table, ...]:
        """The tables of the patients' colocation group, in the order in which they are created."""
        return tuple(table for table in self.tables if table.home is Home.PATIENT)

    def resource_tables(self, home: Home | None = None) -> tuple[Table, ...]:
        """The tables whose rows are current resources; those of one home if it is given."""
        return tuple(t for t in self.tables if t.holds_resources and (home is None or t.home is home))

    def histories(self, home: Home | None = None) -> tuple[Table, ...]:
        """The tables of former versions and tombstones; that of one home if it is given."""
        return tuple(self.by_name[family.history] for family in FAMILIES.values() if home in {None, family.home})

    def record_tables(self) -> tuple[Table, ...]:
        """The tables of a patient's record: those of its resources, then that of their former versions."""
        return (*self.resource_tables(Home.PATIENT), self.by_name[FAMILIES[Home.PATIENT].history])

    def table(self, name: str) -> Table:
        """A table by name.

        Raises:
            DeclarationError: no table has this name.
        """
        if name not in self.by_name:
            raise DeclarationError(
                f"table {name!r} is not declared", remedy="docs/data-dictionary.md lists the tables."
            )
        return self.by_name[name]
