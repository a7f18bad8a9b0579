"""Country packs: rules that ship as data, a JSON file for each in `packs/`, and the choice among them."""

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
"""In the order in which they apply: a country's own rules before HL7's types, which any country uses."""

Choice = str | Path | Sequence[str | Path]
"""Names of packs and files: `colombia,chile`, a path, or several of these."""


@cache
def pack(name: str) -> RuleSet:
    """The rules of a pack."""
    file = files(__package__).joinpath("packs", f"{name}.json")
    return parse_rules(file.read_bytes(), f"{name}.json")


@cache
def _all() -> RuleSet:
    return RuleSet(rule for name in PACKS for rule in pack(name))


DEFAULT_RULES: RuleSet = _all()
"""Every pack. All may apply at once, as each rule names its system or its code system."""


def choose_rules(choice: Choice | None) -> RuleSet:
    """The rules of packs and files, in the order given: the first rule that fits an identifier judges it.

    Args:
        choice: names separated by commas, each a pack, `all`, or a JSON file; or several. None: what the variable
            PYHCE_IDENTITY_RULES says, else every pack.

    Raises:
        UsageError: there is no such pack or file, or a file holds no rules.
    """
    if choice is None:
        choice = os.environ.get(VARIABLE) or ALL
    parts = [choice] if isinstance(choice, str | Path) else list(choice)
    chosen = [part for given in parts for part in _parts(given)]
    if not chosen:
        raise UsageError("no identity rules are given", remedy=f"Give names of packs ({_names()}) or a JSON file.")
    return RuleSet(rule for part in chosen for rule in _rules(part))


def _parts(given: str | Path) -> list[str | Path]:
    """What is given as one text, taken apart at commas unless it is a file."""
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
        remedy=f"Give packs by name ({_names()}), `all`, or a JSON file of rules, separated by commas.",
    )


def _names() -> str:
    return ", ".join(PACKS)
