"""Walk through the elements of a resource and check each against R4's definition of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyhce.records.reading.checks.codes import check_coding, check_required
from pyhce.records.reading.checks.extensions import check_extension
from pyhce.records.reading.checks.fhirpath import holds
from pyhce.records.reading.checks.narrative import check_narrative
from pyhce.records.reading.checks.problems import ElementPosition, Frame, RuleProblem
from pyhce.records.reading.checks.references import check_canonical, check_reference
from pyhce.records.reading.checks.structure import ELEMENT, Member, ObjectKind, members
from pyhce.records.reading.checks.values import MOST_CHARACTERS, check_attachment, check_length
from pyhce.schema.r4_rules import Invariant, invariants


def element_problems(resource: dict[str, Any], within: dict[str, str]) -> list[RuleProblem]:
    """The problems of a resource's elements, with their paths.

    Args:
        resource: a resource of valid structure. Resources within it are not checked.
        within: the types that `#x` names in it; see `types_within`.
    """
    walk = _Walk(resource, within)
    kind = ObjectKind(resource["resourceType"], "")
    walk.rules(invariants(kind.owner, ""), resource)
    walk.object(resource, kind)
    return walk.found


class _Walk:
    """Walks through one resource and collects its problems."""

    def __init__(self, resource: dict[str, Any], within: dict[str, str]) -> None:
        self.spot, self.within = ElementPosition(resource, []), within
        self.found: list[RuleProblem] = []
        self.ids: set[str] = set()

    def tell(self, problems: Iterable[RuleProblem]) -> None:
        """Add the problems that a check found in the current element."""
        for said in problems:
            self.found.append(said._replace(place=self.spot.place + said.place))

    def rules(self, rules: Iterable[Invariant], element: Any) -> None:
        """Check the invariants of an element."""
        for rule in rules:
            if not holds(rule.expression, element, self.spot.resource):
                self.tell([RuleProblem(rule.key, rule.text)])

    def object(self, value: dict[str, Any], kind: ObjectKind) -> None:
        """Check the members of an object."""
        known = members(kind)
        for name, content in value.items():
            beside = name.startswith("_")
            member = known.get(name[1:] if beside else name)
            if member is None or (member.inside is None and member.type == "Resource"):
                continue
            if isinstance(content, list):
                for number, item in enumerate(content):
                    self._item(value, f"{name}[{number}]", item, kind, member, number)
            elif beside:
                self._beside(value.get(name[1:]), content, name, kind, member)
            else:
                self._element(content, name, kind, member)

    def _item(self, owner: dict[str, Any], step: str, item: Any, kind: ObjectKind, member: Member, number: int) -> None:
        """Check an item of an array. A null is allowed if the array `_name` has an extension at its index."""
        name = step.partition("[")[0]
        if name.startswith("_"):
            if item is not None:
                values = owner.get(name[1:])
                value = values[number] if isinstance(values, list) and number < len(values) else None
                self._beside(value, item, step, kind, member)
        elif item is not None:
            self._element(item, step, kind, member)
        elif not _at(owner.get("_" + name), number):
            self.found.append(RuleProblem("ele-1", "null without an extension", f"{self.spot.place}.{step}"))

    def _beside(self, value: Any, sibling: Any, step: str, kind: ObjectKind, member: Member) -> None:
        """Check the object beside a primitive: its id and extensions."""
        if not isinstance(sibling, dict):
            return
        self.spot.frames.append(Frame(step, f"{kind.owner}.{member.path}", member.type))
        if value is None and "extension" not in sibling:
            self.tell([RuleProblem("ele-1", "an element must have a value or an extension, not only an id")])
        self._id(sibling)
        self.object(sibling, ELEMENT)
        self.spot.frames.pop()

    def _element(self, value: Any, step: str, kind: ObjectKind, member: Member) -> None:
        if member.inside is None:
            if isinstance(value, str) and (member.canonical or member.rules or len(value) > MOST_CHARACTERS):
                self.spot.frames.append(Frame(step, f"{kind.owner}.{member.path}", member.type))
                self._text(value, member)
                self.spot.frames.pop()
            return
        if not isinstance(value, dict):
            return
        self.spot.frames.append(Frame(step, f"{kind.owner}.{member.path}", member.type))
        if len(value) == 1 and "id" in value:
            self.tell([RuleProblem("ele-1", "an element must have a value or an extension, not only an id")])
        if member.type != "ElementDefinition":  # the differential and the snapshot use the same ids
            self._id(value)
        self._typed(value, member)
        self.rules(member.rules, value)
        self.object(value, member.inside)
        self.spot.frames.pop()

    def _text(self, value: str, member: Member) -> None:
        if member.canonical:
            self.tell(check_canonical(value, member.canonical))
        if member.type in ("string", "markdown"):
            self.tell(check_length(value))
        self.rules(member.rules, value)

    def _id(self, value: dict[str, Any]) -> None:
        key = value.get("id")
        if isinstance(key, str):
            if key in self.ids:
                self.tell([RuleProblem("element-id", "another element of the resource has the same id", ".id")])
            self.ids.add(key)

    def _typed(self, value: dict[str, Any], member: Member) -> None:
        """Run the checks for the element's type."""
        match member.type:
            case "Reference":
                self.tell(check_reference(value, member.targets, self.within))
            case "Coding":
                self.tell(check_coding(value))
            case "Extension":
                self.tell(check_extension(value, self.spot.frames, self.spot.resource["resourceType"]))
            case "Attachment":
                self.tell(check_attachment(value))
            case "Narrative" if isinstance(value.get("div"), str):
                self.tell(check_narrative(value["div"]))
        if member.required:
            self.tell(check_required(value, member.required))


def _at(beside: Any, number: int) -> bool:
    """Whether an array has an item other than null at an index."""
    return isinstance(beside, list) and number < len(beside) and beside[number] is not None
