"""Rounds of the fuzz. Each depends on its seed alone; a failed one keeps its input."""

from __future__ import annotations

import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from random import Random

from tests.fuzz import strict
from tests.fuzz.checks import check
from tests.fuzz.inputs import SUFFIXES, mutated, packed, text


def run(seed: int, *, seconds: float = 0.0, rounds: int = 0, keep: Path | None = None) -> Counter[str]:
    """So many rounds, or as many as fit in the time; what came out of all, counted.

    Args:
        keep: the folder for an input that fails; the current one if None.

    Raises:
        AssertionError: an input failed; it says the seed of its round and where its input is.
    """
    total: Counter[str] = Counter()
    end = time.monotonic() + seconds
    number = 0
    with tempfile.TemporaryDirectory() as folder:
        while number < rounds or time.monotonic() < end:
            total += one(f"{seed}-{number}", Path(folder), keep or Path.cwd())
            total += one_of_the_strict_check(f"{seed}-{number}")
            number += 1
    total["rounds"] = number
    return total


def one(seed: str, folder: Path, keep: Path) -> Counter[str]:
    """The round of a seed."""
    rng = Random(seed)
    suffix = rng.choice(SUFFIXES)
    data = mutated(rng, text(rng)) if rng.random() < 0.7 else text(rng)
    raw = packed(data, suffix)
    if suffix.endswith((".gz", ".zst")) and rng.random() < 0.4:
        raw = mutated(rng, raw)
    path = folder / f"input{suffix}"
    chunk, few, max_line = rng.choice([1, 7, 64, 1000]), rng.choice([10, 300, 5000]), rng.choice([100, 3000, 50_000])
    try:
        return check(path, raw, chunk, few, max_line)
    except Exception as error:
        left = keep / f"fuzz-{seed}{suffix}"
        left.write_bytes(raw)
        how = "".join(traceback.format_exception(error)[-6:])
        raise AssertionError(f"seed {seed}, chunk {chunk}, few {few}, max_line {max_line}: {left}\n{how}") from error


STRICT_IN_A_ROUND = 5


def one_of_the_strict_check(seed: str) -> Counter[str]:
    """The resources of a seed that are held against the strict check."""
    rng = Random(f"strict {seed}")
    total: Counter[str] = Counter()
    for number in range(STRICT_IN_A_ROUND):
        try:
            total += strict.check(rng)
        except Exception as error:
            how = "".join(traceback.format_exception(error)[-6:])
            raise AssertionError(f"strict check, seed {seed}, resource {number}\n{how}") from error
    return total
