"""The form of `documento_id`: how a document is built, parsed, and recognised as a person types it.

    document    = national / issued / provisional
    national    = [country "."] type "-" number     CC-1032456789, AR.DNI-23327755
    issued      = type "-" value "@" issuer         MR-00.12a@http://hosp-a.org/mrn
    provisional = "PROV-" 32 lower-case hex digits

A country is an ISO 3166-1 alpha-2 code; Colombian documents have none. People write a number in many ways, so it is
folded: upper case, without dots, spaces or hyphens, with its leading zeros. The value and the issuer of an issued
document are kept as they were sent, because only the issuer knows what a dot or a small letter means. In both, `%`,
`@`, white space and control characters are escaped as %XX, so that different pairs give different documents.

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
"""The country whose documents have no country code."""

TYPE = re.compile(r"[A-Z][A-Z0-9]{0,15}\Z")
COUNTRY = re.compile(r"[A-Z]{2}\Z")
_NUMBER = re.compile(r"[A-Z0-9]{1,40}\Z")
_PROVISIONAL = re.compile(r"PROV-[0-9a-f]{32}\Z")

_FULL_WIDTH = {0xFF01 + n: 0x21 + n for n in range(94)}
HYPHENS = frozenset("-‐‑‒–—−")
_SEPARATORS = HYPHENS | {"."}


_SPACES = "\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + " \u2028\u2029\u202f\u205f\u3000"
"""Together with the control characters: every character that is white space for `str.isspace`."""
_CONTROL = "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0))))
ESCAPED = "%@" + _CONTROL + _SPACES
"""The characters that are escaped as %XX; lone surrogates are escaped too, because no database stores them."""


def _escaped(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))


_TO_ESCAPE = re.compile(f"[{re.escape(ESCAPED)}\ud800-\udfff]")
_ESCAPES = re.compile("|".join([*map(_escaped, ESCAPED), "%ED%[AB][0-9A-F]%[89AB][0-9A-F]"]))
"""The escapes that `escape` writes; any other %XX that a person types is plain text."""


class Document(NamedTuple):
    """The parts of a document.

    Args:
        country: None for Colombia, and for issued and provisional documents.
        type: for example CC; PROV for a provisional document.
        value: the number, or the issued value as it was sent.
        issuer: None unless the document is issued.
    """

    country: str | None
    type: str
    value: str
    issuer: str | None


def fold_number(value: str) -> str:
    """Return a number in one spelling: upper case, without dots, spaces or hyphens, with its leading zeros."""
    if value.isascii() and value.isalnum():  # nearly every number
        return value.upper()
    kept = (char for char in value.translate(_FULL_WIDTH) if char not in _SEPARATORS and not char.isspace())
    return "".join(char.upper() if char.isascii() else char for char in kept)


def escape(text: str) -> str:
    """Escape a value or an issuer for a document."""
    return _TO_ESCAPE.sub(lambda found: _escaped(found[0]), text)


def unescape(text: str) -> str:
    """Return the value or issuer that `escape` was given."""
    return _ESCAPES.sub(lambda found: unquote(found[0], errors="surrogatepass"), text)


def national_document(country: str | None, kind: str, value: str) -> str | None:
    """Build a national document; None if the value is not a number of at most 40 letters and digits."""
    number = fold_number(value)
    if not _NUMBER.match(number):
        return None
    return f"{kind}-{number}" if country in (None, HOME_COUNTRY) else f"{country}.{kind}-{number}"


def issued_document(kind: str, value: str, issuer: str) -> str | None:
    """Build an issued document; None without a value or an issuer, or if it is longer than 512 bytes."""
    text, system = value.strip(), issuer if issuer.strip() else ""
    if not text or not system:
        return None
    document = f"{kind}-{escape(text)}@{escape(system)}"
    return document if len(document.encode()) <= MAX_BYTES else None


def provisional_document(fuente: str, key: str) -> str:
    """Build the document of a patient that has none yet; the same source and key always give the same one."""
    return PROVISIONAL + hashlib.sha256(f"{fuente}\n{key}".encode()).hexdigest()[:32]


def parse_document(document: str) -> Document:
    """Split a stored document at the first hyphen, then at the first @."""
    head, _, rest = document.partition("-")
    country, dot, kind = head.rpartition(".")
    value, at, issuer = rest.partition("@")
    return Document(country if dot else None, kind, unescape(value), unescape(issuer) if at else None)


def nuip_of(document: str) -> str | None:
    """Return the number that a Colombian keeps for life under RC, TI and CC; None for any other document.

    Different documents with the same number belong to one person, who got a new type of document with age. `verify`
    reports them; they are merged only by a person.
    """
    country, kind, value, issuer = parse_document(document)
    return value if country is None and issuer is None and kind in {"RC", "TI", "CC", "NUIP"} else None


def check_document(value: str, what: str) -> str:
    """Return a document that a person typed in its stored form.

    The type may be in small letters and a national number may have separators (`cc-1.032.456.789`). The value and the
    issuer of an issued document are taken as typed (`MR-12 a@http://hospital.example/mrn`).

    Args:
        value: the typed document.
        what: the name of the argument, for the error.

    Raises:
        UsageError: it is not a document.
    """
    found = normalize_document(value)
    if found is None:
        raise UsageError(
            f"the document given as {what} is not <type>-<number>, <country>.<type>-<number> or"
            " <type>-<value>@<issuer>",
            remedy="Give for example CC-1032456789, AR.DNI-23327755 or MR-0012@http://hospital.example/mrn. The issuer"
            " is the system of the identifier. The column documento_id holds the stored form.",
        )
    return found


def normalize_document(value: str) -> str | None:
    """As `check_document`, but None if it is not a document."""
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
