"""Signatures of files that contain no resources: how their text begins, whatever their names are.

A load may read the folder that it writes its reject file to, and folders that other programs wrote to. Files that are
recognised here are not read as resources: pyhce's own files, the log of a Bulk Data client, XML and archives.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from pyhce.records.reading.entries import parse_or_none

SIGNATURE_BYTES = 8 * 1024
"""Bytes that are enough to recognise a text: a reject begins with a file's path, which may have 4096 bytes."""

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
"""What `--output json` prints for load, export, verify and an error, and the state file of `pyhce up`."""
_LOG_MEMBERS = {"exportId", "timestamp", "eventId"}
"""https://github.com/smart-on-fhir/bulk-data-client/wiki/Bulk-Data-Export-Log-Items"""

XML = "XML or HTML: only FHIR in JSON is read; convert it to JSON first"
ZIP = "a zip archive: unpack it (unzip FILE -d FOLDER) and load FOLDER"
TAR = "a tar archive: unpack it (tar -xf FILE -C FOLDER) and load FOLDER"
BZIP2 = "compressed by bzip2: bzcat FILE | pyhce load -"
XZ = "compressed by xz: xzcat FILE | pyhce load -"
ARCHIVE = "an archive: unpack it and load its folder"
APPLE_DOUBLE = "macOS metadata of another file (AppleDouble)"
REJECT_FILE = "a reject file of a load: correct the resources in their source system and load them again"
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
    """A file that contains no resources.

    Args:
        what: what it is, and what to do if it should have been read.
        reason: the reason code of its reject; None if it is passed over without a reject.
        in_lines: whether it has one JSON value on each line, so that resources may have been appended to it.
    """

    what: str
    reason: str | None = None
    in_lines: bool = False


def known_file(text: bytes) -> KnownFile | None:
    """The kind of file that begins with a text; None if it may contain resources.

    Args:
        text: the first `SIGNATURE_BYTES` bytes after leading white space, or the whole file.
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
    """Whether a line in a reject file or a log may be a resource.

    In a reject the quotes around `resourceType` are escaped. An event of a log can contain a resource.
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
