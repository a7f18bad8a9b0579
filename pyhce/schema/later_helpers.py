"""Helpers of migration 2: replacements of earlier ones, and those that shorten an indexed value.

`helper_functions.py` has the rules for all helpers.

| helper | replaces | change |
|---|---|---|
| `instante`, `lapso` | `momento`, `rango` | a leap second (`23:59:60`) is the moment after it |
| `lapso_periodo`, `lapso_horario` | `rango_periodo`, `rango_horario` | a Period that ends before it begins is NULL |
| `sin_acentos`, `nombres_sin_acentos` | `plano`, `nombres` | all accents are removed, also `n` + U+0303 for `ñ` |
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

from pyhce.schema.helper_bodies import DAYS, IN_ITS_ZONE, names_body, timing_body
from pyhce.schema.model import Helper

SINCE = 2
LONGEST_INDEXED = 1000
"""The most bytes of an indexed value. A row of an index has at most 2,704 bytes, with up to 512 for the document."""
_HEAD = 200
_MARK = "~sha256:"
_ACCENTS = re.compile("[\u0300-\u036f]+")
_CERTAIN = (
    r"^[0-9]{4}-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])$"
)
"""Most moments; PostgreSQL parses them itself. A day that exists in every year, with a zone, without a leap second."""
_TIME = r"^\d{4}-\d{2}-\d{2}T([01]\d|2[0-3]):[0-5]\d(:([0-5]\d|60)(\.\d{1,30})?)?(Z|[+-](0\d|1[0-4]):[0-5]\d)?$"


def search_text(text: str) -> str:
    """A text as search text, as `hce.sin_acentos` makes it: lower case, without accents, for any Unicode form."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", text))).lower()


def shortened_for_index(text: str) -> str:
    """A text as an index can contain it, as `hce.acortado` makes it.

    Returns:
        The text itself if it has at most LONGEST_INDEXED bytes, else its first 200 characters and its SHA-256.
    """
    if len(text) <= LONGEST_INDEXED // 4:
        return text
    data = text.encode("utf-8", "surrogatepass")
    return text if len(data) <= LONGEST_INDEXED else f"{text[:_HEAD]}{_MARK}{hashlib.sha256(data).hexdigest()}"


MOMENTS = (
    Helper(
        name="instante",
        arguments="t text",
        returns="timestamptz",
        language="plpgsql",
        comment=(
            "The moment of a FHIR instant or dateTime with a time; the installation's zone where it has none. A leap "
            "second is the moment that follows it."
        ),
        body=f"""
DECLARE
    cuando timestamp;
    zona text;
BEGIN
    IF t ~ '{_CERTAIN}' AND left(t, 4) <> '0000' THEN
        RETURN t::timestamptz;
    ELSIF t !~ '{_TIME}' THEN
        RETURN NULL;
    END IF;
    cuando := hce.dia(left(t, 10)) + make_interval(
        hours => substr(t, 12, 2)::integer,
        mins => substr(t, 15, 2)::integer,
        secs => coalesce(substring(t FROM '^.{{16}}:(\\d\\d(?:\\.\\d{{1,9}})?)'), '0')::double precision
    );
{IN_ITS_ZONE}""",
        since=SINCE,
        replaces="momento",
    ),
    Helper(
        name="lapso",
        arguments="t text",
        returns="tstzrange",
        language="plpgsql",
        comment="The moments that a FHIR date, dateTime or instant may mean, in the installation's zone.",
        body=f"""
DECLARE
    cuando timestamptz;
    primero date;
BEGIN
    IF t ~ '{_CERTAIN}' AND left(t, 4) <> '0000' THEN  -- as instante does, without the call
        RETURN tstzrange(t::timestamptz, t::timestamptz, '[]');
    ELSIF strpos(t, 'T') > 0 THEN
        cuando := hce.instante(t);
        RETURN CASE WHEN cuando IS NOT NULL THEN tstzrange(cuando, cuando, '[]') END;
    END IF;
{DAYS}""",
        since=SINCE,
        replaces="rango",
    ),
    Helper(
        name="lapso_periodo",
        arguments="p jsonb",
        returns="tstzrange",
        language="plpgsql",
        comment="A FHIR Period as a range: an open end is unbounded, an end before its start gives NULL.",
        body="""
DECLARE
    desde tstzrange := hce.lapso(p ->> 'start');
    hasta tstzrange := hce.lapso(p ->> 'end');
    periodo tstzrange;
BEGIN
    IF (desde IS NULL AND hasta IS NULL) OR lower(desde) > upper(hasta) THEN
        RETURN NULL;
    END IF;
    periodo := tstzrange(lower(desde), upper(hasta), CASE WHEN upper_inc(hasta) THEN '[]' ELSE '[)' END);
    RETURN CASE WHEN NOT isempty(periodo) THEN periodo END;
END""",
        since=SINCE,
        replaces="rango_periodo",
    ),
    Helper(
        name="lapso_horario",
        arguments="h jsonb",
        returns="tstzrange",
        comment="A FHIR Timing as a range: its bounds, or from its first event to its last.",
        body=timing_body("lapso"),
        since=SINCE,
        replaces="rango_horario",
    ),
)

SEARCH_TEXTS = (
    Helper(
        name="sin_acentos",
        arguments="t text",
        returns="text",
        comment="Search text: lower case, without accents, whatever its Unicode form (NFC or NFD).",
        body=r"""
    SELECT CASE
        WHEN octet_length(t) = length(t) THEN lower(t)
        ELSE lower(normalize(regexp_replace(normalize(t, NFD), '[\u0300-\u036f]+', '', 'g'), NFC))
    END""",
        since=SINCE,
        replaces="plano",
    ),
    Helper(
        name="nombres_sin_acentos",
        arguments="v jsonb",
        returns="text",
        strict=True,
        comment="HumanNames (or plain names) as one search text: given names and surnames, lower case, no accents.",
        body=names_body("sin_acentos"),
        since=SINCE,
        replaces="nombres",
    ),
)

INDEXED = (
    Helper(
        name="acortado",
        arguments="t text",
        returns="text",
        language="plpgsql",
        comment=(
            f"The text as an index can hold it: as it is, or its first {_HEAD} characters, {_MARK} and its SHA-256 if "
            f"it has more than {LONGEST_INDEXED} bytes. Typed columns that are indexed hold this; "
            "recurso holds the text."
        ),
        body=f"""
BEGIN
    RETURN CASE
        WHEN octet_length(t) <= {LONGEST_INDEXED} THEN t
        ELSE left(t, {_HEAD}) || '{_MARK}'
            || encode(sha256(replace(t, chr(92), chr(92) || chr(92))::bytea), 'hex')
    END;
END""",
        since=SINCE,
    ),
    Helper(
        name="acortados",
        arguments="v text[]",
        returns="text[]",
        language="plpgsql",
        comment="Each text of an array as hce.acortado gives it.",
        body=f"""
DECLARE
    n integer;
BEGIN
    IF octet_length(v::text) <= {LONGEST_INDEXED} THEN
        RETURN v;
    END IF;
    FOR n IN 1..cardinality(v) LOOP
        IF octet_length(v[n]) > {LONGEST_INDEXED} THEN
            v[n] := hce.acortado(v[n]);
        END IF;
    END LOOP;
    RETURN v;
END""",
        since=SINCE,
    ),
)

LATER_HELPERS = (*MOMENTS, *SEARCH_TEXTS, *INDEXED)
