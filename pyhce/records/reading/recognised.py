"""Files that hold no resources, known by how their text begins, whatever they are called.

A load reads the folder that it writes its reject file into, and folders that other programs wrote. What is known here
is not read as resources: pyhce's own files, the log of a Bulk Data client, XML and archives.
"""

from __future__ import annotations

import re
from typing import NamedTuple

ENOUGH = 1000
"""Bytes of a text that tell what it is."""

_STRING = rb'"(?:[^"\\]|\\.)*+"'
_REJECTS = re.compile(
    rb'\{\s*"file":\s*' + _STRING + rb',\s*"line":\s*\d+,\s*"entry":\s*(?:null|\d+),\s*"reason":\s*"[a-z0-9-]+"'
)
_RECEIPT = re.compile(rb'\{\s*"outcome":\s*"[a-z, ]+",\s*"document":\s*\{\s*"algorithm":')
_LOG_MEMBERS = (b'"exportId"', b'"timestamp"', b'"eventId"')
"""https://github.com/smart-on-fhir/bulk-data-client/wiki/Bulk-Data-Export-Log-Items"""

XML = "XML or HTML: only FHIR in JSON is read; convert it to JSON first"
ZIP = "a zip archive: unpack it (unzip FILE -d FOLDER) and load FOLDER"
TAR = "a tar archive: unpack it (tar -xf FILE -C FOLDER) and load FOLDER"
BZIP2 = "compressed by bzip2: bzcat FILE | pyhce load -"
XZ = "compressed by xz: xzcat FILE | pyhce load -"
ARCHIVE = "an archive: unpack it and load its folder"
APPLE_DOUBLE = "macOS metadata of another file (AppleDouble)"
EMPTY = "empty"

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", ZIP),
    (b"PK\x05\x06", ZIP),
    (b"BZh", BZIP2),
    (b"\xfd7zXZ\x00", XZ),
    (b"7z\xbc\xaf\x27\x1c", ARCHIVE),
    (b"Rar!\x1a\x07", ARCHIVE),
)
_APPLE_DOUBLE = b"\x00\x05\x16\x07"
_TAR_AT, _TAR = 257, b"ustar"


class Recognised(NamedTuple):
    """A file that holds no resources.

    Args:
        what: what it is, with what to do about it if it should have been read.
        reason: the code of its reject; None if it is passed over.
    """

    what: str
    reason: str | None = None


def recognised(text: bytes) -> Recognised | None:
    """What a text is that begins so, None if it may hold resources.

    Args:
        text: without white space before it, `ENOUGH` bytes or all of it.
    """
    if text[:1] == b"{":
        return _own_or_log(text)
    if text[:1] == b"<":
        return Recognised(XML, "xml")
    if text.startswith(_APPLE_DOUBLE):
        return Recognised(APPLE_DOUBLE)
    if text[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR:
        return Recognised(TAR, "archive")
    return next((Recognised(what, "archive") for magic, what in _MAGIC if text.startswith(magic)), None)


def _own_or_log(text: bytes) -> Recognised | None:
    line = text.partition(b"\n")[0]
    if _REJECTS.match(text):
        return Recognised("a reject file of a load: correct what it lists where it came from, and load that")
    if _RECEIPT.match(text):
        return Recognised("a receipt of pyhce erase")
    if all(member in line for member in _LOG_MEMBERS) and b'"resourceType"' not in line:
        return Recognised("the log of a Bulk Data client")
    return None
