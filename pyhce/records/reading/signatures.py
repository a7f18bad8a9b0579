"""Files that hold no resources, known by how their text begins, whatever they are called.

A load reads the folder that it writes its reject file into, and folders that other programs wrote. What is known here
is not read as resources: pyhce's own files, the log of a Bulk Data client, XML and archives.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from pyhce.records.reading.entries import parse_or_none

SIGNATURE_BYTES = 8 * 1024
"""Bytes of a text that tell what it is: a reject begins with the path of a file, which may have 4096 bytes."""

_STRING = rb'"(?:[^"\\]|\\.)*+"'
_REJECTS = re.compile(
    rb'\{\s*"file":\s*' + _STRING + rb',\s*"line":\s*\d+,\s*"entry":\s*(?:null|\d+),\s*"reason":\s*"[a-z0-9-]+"'
)
_RECEIPT = re.compile(rb'\{\s*"outcome":\s*"[a-z, ]+",\s*"document":\s*\{\s*"algorithm":')
_REPORTS = re.compile(
    rb'\{\s*(?:"files":\s*\d+,\s*"passed_over":|"folder":\s*(?:null|' + _STRING + rb'),\s*"files":'
    rb'|"error":\s*' + _STRING + rb',\s*"remedy":|"engine":\s*' + _STRING + rb',\s*"schema_version":'
    rb'|"format":\s*\d+,\s*"engine":)'
)
"""What `--output json` prints of load, export, verify and an error; and the state that `pyhce up` keeps."""
_LOG_MEMBERS = {"exportId", "timestamp", "eventId"}
"""https://github.com/smart-on-fhir/bulk-data-client/wiki/Bulk-Data-Export-Log-Items"""

XML = "XML or HTML: only FHIR in JSON is read; convert it to JSON first"
ZIP = "a zip archive: unpack it (unzip FILE -d FOLDER) and load FOLDER"
TAR = "a tar archive: unpack it (tar -xf FILE -C FOLDER) and load FOLDER"
BZIP2 = "compressed by bzip2: bzcat FILE | pyhce load -"
XZ = "compressed by xz: xzcat FILE | pyhce load -"
ARCHIVE = "an archive: unpack it and load its folder"
APPLE_DOUBLE = "macOS metadata of another file (AppleDouble)"
REJECT_FILE = "a reject file of a load: correct what it lists where it came from, and load that"
RECEIPT = "a receipt of pyhce erase"
REPORT = "a report or the state of pyhce"
LOG = "the log of a Bulk Data client"
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


class KnownFile(NamedTuple):
    """A file that holds no resources.

    Args:
        what: what it is, with what to do about it if it should have been read.
        reason: the code of its reject; None if it is passed over.
        in_lines: whether each line is a value of its own, so that resources may have been put behind them.
    """

    what: str
    reason: str | None = None
    in_lines: bool = False


def known_file(text: bytes) -> KnownFile | None:
    """What a text is that begins so, None if it may hold resources.

    Args:
        text: without white space before it, `ENOUGH` bytes or all of it.
    """
    if text[:1] == b"{":
        return _own_or_log(text)
    if text[:1] == b"<":
        return KnownFile(XML, "xml")
    if text.startswith(_APPLE_DOUBLE):
        return KnownFile(APPLE_DOUBLE)
    if text[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR:
        return KnownFile(TAR, "archive")
    return next((KnownFile(what, "archive") for magic, what in _MAGIC if text.startswith(magic)), None)


def may_be_resource(line: bytes) -> bool:
    """Whether a line among those of a reject file or a log is not one of them.

    In a reject the quotes around `resourceType` are escaped; an event of a log can have one inside.
    """
    if b'"resourceType"' not in line:
        return False
    value = parse_or_none(line)
    return not isinstance(value, dict) or "resourceType" in value


def _own_or_log(text: bytes) -> KnownFile | None:
    if _REJECTS.match(text):
        return KnownFile(REJECT_FILE, in_lines=True)
    if _RECEIPT.match(text):
        return KnownFile(RECEIPT)
    if _REPORTS.match(text):
        return KnownFile(REPORT)
    line = text.partition(b"\n")[0]
    event = parse_or_none(line) if b'"exportId"' in line else None
    if isinstance(event, dict) and event.keys() >= _LOG_MEMBERS and "resourceType" not in event:
        return KnownFile(LOG, in_lines=True)
    return None
