"""Resources as an application gives them, dicts or JSON texts, prepared to be written."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator, Mapping, Set
from decimal import Decimal
from typing import Any, NamedTuple

from pyhce.errors import UsageError
from pyhce.records.identity import DEFAULT_RULES, DocumentRule
from pyhce.records.reading.exact_json import TOO_DEEP, ExactNumber, InvalidJson, is_too_deep, parse
from pyhce.records.reading.incoming import ConditionSignal, Incoming, InputLocation, Rejected, Skipped
from pyhce.records.reading.prepared import PreparedResource, prepare
from pyhce.records.reading.reader import resources_of
from pyhce.records.reading.repair_ids import REMEDY, admit
from pyhce.schema.model import Schema, Table

Resource = Mapping[str, Any] | str | bytes
"""A FHIR resource: a dict, or a JSON text. In a text every number keeps its spelling (72.50)."""

_HERE = InputLocation("the resource given", 1)


class InvalidResource(UsageError):
    """The input is not a valid FHIR resource. `reason` is the code that a load writes to its reject file."""

    def __init__(self, reason: str, detail: str) -> None:
        remedy = 'Give a FHIR R4 resource as a dict or as JSON text: {"resourceType": "Observation", …}.'
        if reason == "invalid-id":
            remedy = "Give a valid FHIR id, or none, or open the writer with `pyhce.connect(repair_ids=True)`."
        super().__init__(f"not a valid FHIR resource ({reason}): {detail}", remedy=remedy)
        self.reason = reason


class ReadOptions(NamedTuple):
    """How resources are read.

    Args:
        own: the source's own base URLs.
        rules: which identifiers are documents.
        fuente: the source.
        repair_ids: whether a resource whose id is not a valid FHIR id gets a derived id.
    """

    own: Set[str] = frozenset()
    rules: tuple[DocumentRule, ...] = DEFAULT_RULES
    fuente: str = ""
    repair_ids: bool = False


DEFAULT_READ_OPTIONS = ReadOptions()


class ResourceToSave(NamedTuple):
    """A resource that is prepared to be written.

    Args:
        table: the table that it is to be stored in.
        fresh: whether its id is a new UUID, so that it cannot be stored yet.
    """

    prepared: PreparedResource
    table: Table
    fresh: bool

    @property
    def type(self) -> str:
        """Its FHIR type."""
        return self.prepared.identity[0]

    @property
    def id(self) -> str:
        """Its id."""
        return self.prepared.identity[1]

    @property
    def key(self) -> str | None:
        """The key of the patient that it names, None if it names no patient."""
        return self.prepared.patient_key


def resource_to_save(schema: Schema, resource: Resource, reading: ReadOptions = DEFAULT_READ_OPTIONS) -> ResourceToSave:
    """Prepare one resource. Without an id it gets a new UUID.

    Raises:
        InvalidResource: the input is not a valid FHIR resource, or a Bundle that does not hold exactly one.
    """
    found = list(resources_to_save(schema, resource, reading))
    if len(found) != 1:
        raise InvalidResource("not-one-resource", f"a Bundle with {len(found)} resources; use save_many()")
    return found[0]


def resources_to_save(
    schema: Schema, resource: Resource, reading: ReadOptions = DEFAULT_READ_OPTIONS
) -> Iterator[ResourceToSave]:
    """Prepare a resource, or the resources of a Bundle.

    A single resource without an id gets a new UUID. An entry of a Bundle without an id gets one as in `load`.

    Raises:
        InvalidResource: the input, or an entry, is not a valid FHIR resource.
    """
    try:
        value = parse(resource) if isinstance(resource, str | bytes) else _value(resource)
    except InvalidJson as error:
        raise InvalidResource("not-json", str(error)) from error
    except RecursionError as error:
        raise InvalidResource("not-json", TOO_DEEP) from error
    if is_too_deep(value):
        raise InvalidResource("not-json", TOO_DEEP)
    for item in resources_of(_HERE, value):
        if isinstance(item, ConditionSignal):
            raise InvalidResource("condition", "an entry with ifNoneExist or PUT Type?…; use `pyhce load`")
        if isinstance(item, Rejected):
            raise InvalidResource(item.reason, item.detail)
        if not isinstance(item, Incoming):
            what = item.what if isinstance(item, Skipped) else "an entry that deletes; use delete()"
            raise InvalidResource("not-one-resource", what)
        yield _prepared(schema, item, reading, new=item.resource is value and "id" not in value)


def _prepared(schema: Schema, item: Incoming, reading: ReadOptions, *, new: bool) -> ResourceToSave:
    admitted = admit(item, reading.own, reading.fuente, repair=reading.repair_ids)
    if isinstance(admitted, Rejected):
        raise InvalidResource(admitted.reason, admitted.detail.removesuffix(f"; {REMEDY}"))
    incoming = admitted.item._replace(id=str(uuid.uuid4())) if new else admitted.item
    try:
        prepared = prepare(schema, incoming, reading.own, reading.rules)
    except InvalidJson as error:
        raise InvalidResource("not-json", str(error)) from error
    table = schema.table_for(incoming.type, names_patient=prepared.patient_key is not None)
    return ResourceToSave(prepared, table, fresh=new)


def _value(value: Any) -> Any:
    """Convert Python values to what `parse` returns. A Decimal keeps its digits."""
    if value is None or isinstance(value, str | bool | ExactNumber):
        return value
    if isinstance(value, int | Decimal | float):
        if not math.isfinite(value):
            raise InvalidJson(f"{value} is not a JSON number")
        return ExactNumber(repr(float(value)) if isinstance(value, float) else str(value))
    if isinstance(value, Mapping):
        not_text = next((name for name in value if not isinstance(name, str)), None)
        if not_text is not None:
            raise InvalidJson(f"a member name is of type {type(not_text).__name__}, not str")
        return {name: _value(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_value(member) for member in value]
    raise InvalidJson(f"{type(value).__name__} is not a JSON type; give dates as text, and models as JSON text")
