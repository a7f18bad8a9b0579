"""Resources of nearly valid structure, so that the rules of --strict are reached, and what must hold for them."""

from __future__ import annotations

import copy
import json
import time
from collections import Counter, defaultdict
from functools import cache
from random import Random
from typing import Any

from pyhce.records.reading import strict
from tests.fuzz.inputs import resources

MOST_SECONDS = 10.0
"""For one resource, of about 20 kB before parts of it are repeated."""
MOST_BYTES = 100_000
"""Bytes up to which a resource is changed further: nested repetitions would fill the memory."""
ODD_TEXTS = (
    "#", "#x", "http://", "urn:uuid:", "urn:oid:1", "Patient/1", "http://a/Patient/1/_history/2", "2024-02-30", "0001",
    "9999-12-31T23:59:60.999999999999999999+14:00", "2024-01-01", "<div xmlns='http://www.w3.org/1999/xhtml'>&nbsp;&x;</div>",
    "<div", "'", "\\", "(((", "*", "1", "-1", "99999999999999999999999", "\ud800", "\u00a0", "==", "aGk=", " ", "$this",
    "http://snomed.info/sct", "http://hl7.org/fhir/administrative-gender", "document", "transaction", "exists",
)  # fmt: skip
ODD_NUMBERS = (0, -1, 1, 2**31 - 1, 1e300, -1e-300, 0.1, 100.0000001)


class Broken(AssertionError):
    """Something that must hold of the strict check does not."""


@cache
def parts() -> dict[str, list[Any]]:
    """What the examples hold under each member's name."""
    found: dict[str, list[Any]] = defaultdict(list)
    for resource in resources():
        for holder, key in full_urls(resource):
            if isinstance(key, str):
                found[key].append(holder[key])
    return found


def full_urls(value: Any) -> list[tuple[Any, Any]]:
    """Every object or array in a value, with each of its keys."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        held = waiting.pop()
        keys = held.keys() if isinstance(held, dict) else range(len(held)) if isinstance(held, list) else ()
        for key in keys:
            found.append((held, key))
            waiting.append(held[key])
    return found


def nearly(rng: Random) -> dict[str, Any]:
    """A resource of the examples with other parts, some of them in resources that contain it."""
    resource = copy.deepcopy(rng.choice(resources()))
    for _ in range(rng.choice([1, 1, 2, 5])):
        holder, key = rng.choice(full_urls(resource))
        if isinstance(key, str) and key == "resourceType":
            continue
        _change(rng, holder, key)
        if len(json.dumps(resource)) > MOST_BYTES:
            break
    if rng.random() < 0.15:
        outer = copy.deepcopy(rng.choice(resources()))
        outer.setdefault("contained", []).append(resource)
        return outer
    if rng.random() < 0.25:
        kind = rng.choice(
            ["document", "message", "transaction", "batch-response", "searchset", "collection", "history"]
        )
        entries = [_entry(rng, resource), *(_entry(rng, rng.choice(resources())) for _ in range(rng.randint(0, 5)))]
        rng.shuffle(entries)
        return {"resourceType": "Bundle", "type": kind, "entry": entries}
    return resource


def _entry(rng: Random, resource: dict[str, Any]) -> dict[str, Any]:
    url = rng.choice(["urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", f"http://x/{resource['resourceType']}/1", "x"])
    entry: dict[str, Any] = {"fullUrl": url, "resource": resource}
    if rng.random() < 0.2:
        entry["search"] = {"mode": rng.choice(["match", "outcome"])}
    if rng.random() < 0.3:
        entry["request"] = {"method": "PUT", "url": "x"}
    return entry


def _change(rng: Random, holder: Any, key: Any) -> None:
    """Another value in a place, of the type that the place had."""
    value = holder[key]
    chance = rng.random()
    if chance < 0.2 and isinstance(holder, dict):
        del holder[key]
    elif chance < 0.5 and isinstance(key, str):
        holder[key] = copy.deepcopy(rng.choice(parts().get(key, [value])))
    elif isinstance(value, list) and value:
        holder[key] = value * rng.choice([2, 2, 3, 300])
    elif isinstance(value, str):
        holder[key] = rng.choice([*ODD_TEXTS, value + rng.choice(ODD_TEXTS)])
    elif isinstance(value, int | float) and not isinstance(value, bool):
        holder[key] = rng.choice(ODD_NUMBERS)
    elif isinstance(value, dict):
        for _ in range(rng.choice([1, 40])):
            value = {"extension": [{"url": "http://x", "extension": [value]}]} if rng.random() < 0.3 else value
        holder[key] = value


def check(rng: Random) -> Counter[str]:
    """Hold a resource against the strict check and see whether what it says is as it must be.

    Raises:
        Broken: it is not.
    """
    resource = nearly(rng)
    secret = f"Qz{rng.getrandbits(64):x}"
    texts = [
        (holder, key) for holder, key in full_urls(resource) if isinstance(holder[key], str) and key != "resourceType"
    ]
    if texts and rng.random() < 0.5:
        holder, key = rng.choice(texts)
        holder[key] = secret
    start = time.process_time()
    text = json.dumps(resource, ensure_ascii=True)
    told = strict.r4_problems(text)
    if time.process_time() - start > MOST_SECONDS:
        raise Broken(f"it took {time.process_time() - start:.0f} s: {text[:2000]}")
    if len(told) > strict.MOST_PROBLEMS + 1 or not all(isinstance(problem, str) and problem for problem in told):
        raise Broken(f"it said {told!s:.500}")
    if secret in " ".join(told):
        raise Broken(f"it told a value: {told!s:.500}")
    if strict.r4_problems(text) != told:
        raise Broken("it said something else the second time")
    by_rule = any(problem.endswith(")") for problem in told)
    return Counter({"strict": 1, "strict: a rule broken": by_rule, "strict: nothing wrong": not told})
