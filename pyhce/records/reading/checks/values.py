"""Values: the size and hash of an attachment, and FHIR's length limit."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator
from typing import Any

from pyhce.counted import counted
from pyhce.records.reading.checks.problems import RuleProblem

MOST_CHARACTERS = 1024 * 1024
"""Characters of a string, at most: https://hl7.org/fhir/R4/datatypes.html#string."""


def check_attachment(attachment: dict[str, Any]) -> Iterator[RuleProblem]:
    """Check an Attachment's size and hash against its data: https://hl7.org/fhir/R4/datatypes.html#attachment."""
    data, size, digest = (attachment.get(name) for name in ("data", "size", "hash"))
    if not isinstance(data, str) or (size is None and digest is None):
        return
    try:
        content = base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        yield RuleProblem("attachment-data", "the data is not base64", ".data")
        return
    if size is not None and size != len(content):
        yield RuleProblem(
            "attachment-size", f"the size is {size}, but the data has {counted(len(content), 'byte')}", ".size"
        )
    if (
        isinstance(digest, str)
        and digest != base64.b64encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode()
    ):
        yield RuleProblem("attachment-hash", "the hash must be the SHA-1 of the data, in base64", ".hash")


def check_length(value: str) -> Iterator[RuleProblem]:
    """Check that a string has at most 1,048,576 characters."""
    if len(value) > MOST_CHARACTERS:
        yield RuleProblem("string-size", f"{len(value)} characters; a string may have {MOST_CHARACTERS}")
