"""A resource as an application gives it, a dict or a JSON text, made ready to be written."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator, Mapping, Set
from decimal import Decimal
from typing import Any, NamedTuple

from pyhce.errors import UsageError
from pyhce.records.identity import DEFAULT_RULES, DocumentRule
from pyhce.records.reading.exact_json import ExactNumber, InvalidJson, parse
from pyhce.records.reading.incoming import ConditionSignal, Incoming, InputLocation, Rejected, Skipped
from pyhce.records.reading.prepared import PreparedResource
from pyhce.records.reading.prepared import prepare as made_ready
from pyhce.records.reading.reader import resources_of
from pyhce.records.reading.repair_ids import REMEDY, admit
from pyhce.schema.model import Schema, Table

Resource = Mapping[str, Any] | str | bytes
"""A FHIR resource: a dict, or JSON text, in which every number keeps its spelling."""

_HERE = InputLocation("the resource given", 1)


class InvalidResource(UsageError):
    """What was given is no FHIR resource; `reason` is the code that a load puts into its reject file."""

    def __init__(self, reason: str, detail: str) -> None:
        remedy = 'Give a FHIR R4 resource as a dict or as JSON text: {"resourceType": "Observation", …}.'
        if reason == "invalid-id":
            remedy = "Give an id that FHIR allows or none, or write with pyhce.connect(repair_ids=True)."
        super().__init__(f"no FHIR resource ({reason}): {detail}", remedy=remedy)
        self.reason = reason


class ReadOptions(NamedTuple):
    """What decides how a resource is read.

    Args:
        own: the source's own bases.
        rules: which identifiers are documents.
        fuente: the source.
        repair_ids: whether a resource whose id is not FHIR's gets a derived one.
    """

    own: Set[str] = frozenset()
    rules: tuple[DocumentRule, ...] = DEFAULT_RULES
    fuente: str = ""
    repair_ids: bool = False


DEFAULT_READ_OPTIONS = ReadOptions()


class ResourceToSave(NamedTuple):
    """A resource ready to be written.

    Args:
        table: where it is to be.
        fresh: whether its id was made here, so that nothing can be under it.
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
        """The key of the patient that it names, None if it names none."""
        return self.prepared.patient_key


def resource_to_save(schema: Schema, resource: Resource, reading: ReadOptions = DEFAULT_READ_OPTIONS) -> ResourceToSave:
    """One resource; one without an id gets a new UUID.

    Raises:
        InvalidResource: it is no FHIR resource, or a Bundle of several.
    """
    found = list(resources_to_save(schema, resource, reading))
    if len(found) != 1:
        raise InvalidResource("not-one-resource", f"a Bundle with {len(found)} resources: save_many takes it")
    return found[0]


def resources_to_save(
    schema: Schema, resource: Resource, reading: ReadOptions = DEFAULT_READ_OPTIONS
) -> Iterator[ResourceToSave]:
    """A resource, or those of a Bundle; one without an id of its own gets a new UUID, in a Bundle as `load` does.

    Raises:
        InvalidResource: something is no FHIR resource.
    """
    try:
        value = parse(resource) if isinstance(resource, str | bytes) else _value(resource)
    except InvalidJson as error:
        raise InvalidResource("not-json", str(error)) from error
    except RecursionError as error:
        raise InvalidResource("not-json", "nested too deeply") from error
    for item in resources_of(_HERE, value):
        if isinstance(item, ConditionSignal):
            raise InvalidResource("condition", "an entry with ifNoneExist or PUT Type?…: pyhce load takes it")
        if isinstance(item, Rejected):
            raise InvalidResource(item.reason, item.detail)
        if not isinstance(item, Incoming):
            what = item.what if isinstance(item, Skipped) else "an entry that deletes: there is delete()"
            raise InvalidResource("not-one-resource", what)
        yield _ready(schema, item, reading, new=item.resource is value and "id" not in value)


def _ready(schema: Schema, item: Incoming, reading: ReadOptions, *, new: bool) -> ResourceToSave:
    taken = admit(item, reading.own, reading.fuente, repair=reading.repair_ids)
    if isinstance(taken, Rejected):
        raise InvalidResource(taken.reason, taken.detail.removesuffix(f"; {REMEDY}"))
    incoming = taken.item._replace(id=str(uuid.uuid4())) if new else taken.item
    try:
        made = made_ready(schema, incoming, reading.own, reading.rules)
    except InvalidJson as error:
        raise InvalidResource("not-json", str(error)) from error
    table = schema.table_for(incoming.type, names_patient=made.patient_key is not None)
    return ResourceToSave(made, table, fresh=new)


def _value(value: Any) -> Any:
    """Python's values as `parse` gives them; a Decimal keeps its digits."""
    if value is None or isinstance(value, str | bool | ExactNumber):
        return value
    if isinstance(value, int | Decimal | float):
        if not math.isfinite(value):
            raise InvalidJson(f"{value} is no JSON number")
        return ExactNumber(repr(float(value)) if isinstance(value, float) else str(value))
    if isinstance(value, Mapping):
        odd = next((name for name in value if not isinstance(name, str)), None)
        if odd is not None:
            raise InvalidJson(f"the name of a member is {type(odd).__name__}, not str")
        return {name: _value(held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [_value(held) for held in value]
    raise InvalidJson(f"{type(value).__name__} is no JSON value: give dates as text, models as their JSON text")
