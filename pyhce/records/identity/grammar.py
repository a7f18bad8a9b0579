"""The form of `documento_id`: built, parsed, and read back as a person types it.

    document    = national / issued / provisional
    national    = [country "."] type "-" number     CC-1032456789, AR.DNI-23327755
    issued      = type "-" value "@" issuer         MR-00.12a@http://hosp-a.org/mrn
    provisional = "PROV-" 32 lower-case hex digits

A country is an ISO 3166-1 alpha-2 code; Colombian documents have none. A number is folded (upper case; no dots, spaces
or hyphens; leading zeros kept), since it is written in many ways. The value and the issuer of an issued document stay
as they were sent, since only the issuer knows what a dot or a small letter means: in both, `%`, `@`, white space and
control characters become %XX, so that different pairs give different documents.

A document is never in a log, an error text or a URL.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple
from urllib.parse import unquote

from pyhce.errors import UsageError

PROVISIONAL = "PROV-"
MAX_BYTES = 512
HOME_COUNTRY = "CO"
"""The country whose documents are written without one."""

TYPE = re.compile(r"[A-Z][A-Z0-9]{0,15}\Z")
COUNTRY = re.compile(r"[A-Z]{2}\Z")
_NUMBER = re.compile(r"[A-Z0-9]{1,40}\Z")
_PROVISIONAL = re.compile(r"PROV-[0-9a-f]{32}\Z")

_FULL_WIDTH = {0xFF01 + n: 0x21 + n for n in range(94)}
HYPHENS = frozenset("-‐‑‒–—−")
_SEPARATORS = HYPHENS | {"."}


_SPACES = "\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + " \u2028\u2029\u202f\u205f\u3000"
"""With the control characters, every character that is white space to `str.isspace`."""
_CONTROL = "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0))))
ESCAPED = "%@" + _CONTROL + _SPACES
"""What is written as %XX, besides lone surrogates, which no database takes."""


def _escaped(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))


_TO_ESCAPE = re.compile(f"[{re.escape(ESCAPED)}\ud800-\udfff]")
_ESCAPES = re.compile("|".join([*map(_escaped, ESCAPED), "%ED%[AB][0-9A-F]%[89AB][0-9A-F]"]))
"""What `escape` writes; any other %XX in what a person types is not an escape."""


class Document(NamedTuple):
    """A document taken apart.

    Args:
        country: None for Colombia, and where the document is issued or provisional.
        type: such as CC; PROV for a provisional document.
        value: the number, or the issued value as it was sent.
        issuer: None unless the document is issued.
    """

    country: str | None
    type: str
    value: str
    issuer: str | None


def fold_number(value: str) -> str:
    """A number without the ways to write it: upper case; no dots, spaces or hyphens; leading zeros kept."""
    if value.isascii() and value.isalnum():  # nearly every number
        return value.upper()
    kept = (char for char in value.translate(_FULL_WIDTH) if char not in _SEPARATORS and not char.isspace())
    return "".join(char.upper() if char.isascii() else char for char in kept)


def escape(text: str) -> str:
    """A value or an issuer as it stands in a document."""
    return _TO_ESCAPE.sub(lambda found: _escaped(found[0]), text)


def unescape(text: str) -> str:
    """The value or issuer that `escape` was given."""
    return _ESCAPES.sub(lambda found: unquote(found[0], errors="surrogatepass"), text)


def national_document(country: str | None, kind: str, value: str) -> str | None:
    """A national document, None if the value is not a number of at most 40 letters and digits."""
    number = fold_number(value)
    if not _NUMBER.match(number):
        return None
    return f"{kind}-{number}" if country in (None, HOME_COUNTRY) else f"{country}.{kind}-{number}"


def issued_document(kind: str, value: str, issuer: str) -> str | None:
    """An issued document, None if there is no value or no issuer, or if it is longer than 512 bytes."""
    text, system = value.strip(), issuer if issuer.strip() else ""
    if not text or not system:
        return None
    document = f"{kind}-{escape(text)}@{escape(system)}"
    return document if len(document.encode()) <= MAX_BYTES else None


def provisional_document(fuente: str, key: str) -> str:
    """The document of a patient that has none yet: always the same for the same source and key."""
    return PROVISIONAL + hashlib.sha256(f"{fuente}\n{key}".encode()).hexdigest()[:32]


def parse_document(document: str) -> Document:
    """A stored document taken apart: at the first hyphen, then at the first @."""
    head, _, rest = document.partition("-")
    country, dot, kind = head.rpartition(".")
    value, at, issuer = rest.partition("@")
    return Document(country if dot else None, kind, unescape(value), unescape(issuer) if at else None)


def nuip_of(document: str) -> str | None:
    """The number that a Colombian keeps for life under RC, TI and CC; None for any other document.

    Two documents that differ and have the same one are of one person, who grew up: a finding, and no reason to merge
    without a person's word.
    """
    country, kind, value, issuer = parse_document(document)
    return value if country is None and issuer is None and kind in {"RC", "TI", "CC", "NUIP"} else None


def check_document(value: str, what: str) -> str:
    """A document that a person typed, in the form in which it is stored.

    The type may be in small letters, a national number as it is written (`cc-1.032.456.789`), the issuer of an issued
    document as it is (`MR-12 a@http://hospital.example/mrn`).

    Args:
        what: the name of the argument, for the error.

    Raises:
        UsageError: it is not a document.
    """
    found = normalize_document(value)
    if found is None:
        raise UsageError(
            f"the document given as {what} is not <type>-<number>, <country>.<type>-<number> or"
            " <type>-<value>@<issuer>",
            remedy="For example CC-1032456789, AR.DNI-23327755 or MR-0012@http://hospital.example/mrn: the issuer is"
            " the identifier's system. The column documento_id has it as it is stored.",
        )
    return found


def normalize_document(value: str) -> str | None:
    """As `check_document`, None if it is not a document."""
    text = value.strip()
    head, _, rest = text.partition("-")
    country, dot, kind = (part.strip() for part in head.upper().rpartition("."))
    if f"{kind}-" == PROVISIONAL and not dot:
        document = PROVISIONAL + rest.strip().lower()
        return document if _PROVISIONAL.match(document) else None
    if not TYPE.match(kind) or f"{kind}-" == PROVISIONAL or (dot and not COUNTRY.match(country)):
        return None
    value, at, issuer = rest.partition("@")
    if not at:
        return national_document(country or None, kind, value)
    return None if dot else issued_document(kind, unescape(value.strip()), unescape(issuer.strip()))
