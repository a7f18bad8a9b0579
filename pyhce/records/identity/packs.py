"""Country packs, the identity rules that are part of pyhce: a JSON file each in `packs/`; and how they are chosen."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from pyhce.errors import UsageError
from pyhce.records.identity.rules import RuleSet, parse_rules, read_rules

ALL = "all"
VARIABLE = "PYHCE_IDENTITY_RULES"
PACKS: tuple[str, ...] = (
    "colombia",
    "argentina",
    "brazil",
    "chile",
    "costa-rica",
    "ecuador",
    "mexico",
    "paraguay",
    "peru",
    "uruguay",
    "usa",
    "international",
)
"""In the order in which they apply: countries' own rules before HL7's types, which every country uses."""

Choice = str | Path | Sequence[str | Path]
"""Names of packs separated by commas, such as `colombia,chile`; a path; or a sequence of these."""


@cache
def pack(name: str) -> RuleSet:
    """Return the rules of a pack."""
    file = files(__package__).joinpath("packs", f"{name}.json")
    return parse_rules(file.read_bytes(), f"{name}.json")


@cache
def _all() -> RuleSet:
    return RuleSet(rule for name in PACKS for rule in pack(name))


DEFAULT_RULES: RuleSet = _all()
"""All packs. They can apply together because each rule names its system or its code system."""


def choose_rules(choice: Choice | None) -> RuleSet:
    """Return the rules of packs and files in the given order; the first rule that fits an identifier decides.

    Args:
        choice: packs, `all` or JSON files, separated by commas or in a sequence. None for the value of the environment
            variable PYHCE_IDENTITY_RULES, or for every pack if that is not set.

    Raises:
        UsageError: there is no such pack or file, or a file has no valid rules.
    """
    if choice is None:
        choice = os.environ.get(VARIABLE) or ALL
    parts = [choice] if isinstance(choice, str | Path) else list(choice)
    chosen = [part for given in parts for part in _parts(given)]
    if not chosen:
        raise UsageError(
            "no identity rules are given", remedy=f"Give packs ({_names()}), `all`, or a JSON file of rules."
        )
    return RuleSet(rule for part in chosen for rule in _rules(part))


def _parts(given: str | Path) -> list[str | Path]:
    """Split one text at commas, unless it is the name of a file."""
    if isinstance(given, Path) or Path(given).is_file():
        return [Path(given)]
    return [part.strip() for part in given.split(",") if part.strip()]


def _rules(part: str | Path) -> RuleSet:
    if isinstance(part, Path):
        return read_rules(part)
    if part.lower() == ALL:
        return DEFAULT_RULES
    if part.lower() in PACKS:
        return pack(part.lower())
    if part.endswith(".json") or "/" in part or Path(part).is_file():
        return read_rules(Path(part))
    raise UsageError(
        f"there is no pack of identity rules named {part!r}, and no such file",
        remedy=f"Give packs ({_names()}), `all`, or JSON files of rules, separated by commas.",
    )


def _names() -> str:
    return ", ".join(PACKS)
