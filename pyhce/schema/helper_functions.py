r"""The helpers: functions of the schema `hce` that compute typed columns.

Each helper is IMMUTABLE, checks ranges and never raises an error: "2024-02-30" gives NULL. Stored values stay as they
were computed, so a changed helper gets a new name. Helpers with several steps are PL/pgSQL: PostgreSQL inlines SQL
functions into each other and prepares the result at every call, which took a hundred times as long. The usual forms (an
instant, a literal reference, an array with one element) are recognized first by plain comparisons, because a regular
expression takes 4 to 200 µs. The rules are FHIR's: https://hl7.org/fhir/R4/datatypes.html and references.html.
"""

from __future__ import annotations

from pyhce.schema.helper_bodies import DAYS, IN_ITS_ZONE, names_body, timing_body
from pyhce.schema.later_helpers import LATER_HELPERS
from pyhce.schema.model import Helper

_DATE = r"^\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01])(T.*)?)?)?$"
_TIME = r"^\d{4}-\d{2}-\d{2}T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,30})?)?(Z|[+-](0\d|1[0-4]):[0-5]\d)?$"
_ACCENTED = "áàâäãåéèêëíìîïóòôöõúùûüñçýÁÀÂÄÃÅÉÈÊËÍÌÎÏÓÒÔÖÕÚÙÛÜÑÇÝ"
_PLAIN = "aaaaaaeeeeiiiiooooouuuuncyAAAAAAEEEEIIIIOOOOOUUUUNCY"


def _keys_body(helper: str) -> str:
    """The body of a helper that calls another one for each Reference of an array; most arrays have one element."""
    return f"""
DECLARE
    unica jsonb;
    unico text;
BEGIN
    IF jsonb_typeof(referencias) = 'array' AND jsonb_array_length(referencias) = 1 THEN
        unica := referencias -> 0;
        unico := hce.{helper}(unica, tipo);
        RETURN CASE WHEN unico IS NOT NULL THEN ARRAY[unico] END;
    END IF;
    RETURN nullif(array(
        SELECT clave
        FROM (
            SELECT
                hce.{helper}(r, tipo) AS clave,
                n
            FROM jsonb_array_elements(hce.lista(referencias)) WITH ORDINALITY AS e (r, n)
            OFFSET 0
        ) AS c
        WHERE clave IS NOT NULL
        ORDER BY n
    ), '{{}}');
END"""


def _preferred_body(values: str, *, last: str, more: str, uses: str, never: str = "", only: str = "") -> str:
    """The body of a helper that chooses the name, address or contact in use.

    A generated column cannot depend on the current date, so one with an end of its period comes after the others even
    if that end is in the future.

    Args:
        values: the argument with the array.
        last: the values of `use`, as SQL, that are chosen only if there is nothing else.
        more: a further SQL expression by which to sort.
        uses: the values of `use`, as SQL, from best to worst.
        never: the values of `use`, as SQL, that are never chosen.
        only: an SQL condition for the elements.
    """
    conditions = ["jsonb_typeof(v) = 'object'"]
    conditions += [f"coalesce(v ->> 'use', '') NOT IN ({never})"] if never else []
    conditions += [only] if only else []
    return f"""
BEGIN
    RETURN (
        SELECT v
        FROM jsonb_array_elements(hce.lista({values})) WITH ORDINALITY AS e (v, n)
        WHERE {" AND ".join(conditions)}
        ORDER BY
            coalesce(v ->> 'use', '') IN ({last}),
            v #>> '{{period,end}}' IS NOT NULL,
            {more},
            array_position(ARRAY[{uses}], coalesce(v ->> 'use', '')) NULLS LAST,
            n
        LIMIT 1
    );
END"""


HELPERS: tuple[Helper, ...] = (
    Helper(
        name="dia",
        arguments="t text",
        returns="date",
        language="plpgsql",
        comment="First day that a FHIR date or dateTime (whole or partial) may mean; NULL if it is none.",
        body=f"""
DECLARE
    mes date;
    numero integer;
BEGIN
    IF t !~ '{_DATE}' OR left(t, 4) = '0000' THEN
        RETURN NULL;
    END IF;
    mes := make_date(left(t, 4)::integer, coalesce(nullif(substr(t, 6, 2), ''), '1')::integer, 1);
    numero := coalesce(nullif(substr(t, 9, 2), ''), '1')::integer;
    IF numero > 28 AND numero > extract(day FROM mes + interval '1 month - 1 day') THEN
        RETURN NULL;
    END IF;
    RETURN mes + (numero - 1);
END""",
    ),
    Helper(
        name="dia_exacto",
        arguments="t text",
        returns="date",
        comment="A whole FHIR date; NULL if partial or none.",
        body="SELECT CASE WHEN length(t) = 10 THEN hce.dia(t) END",
    ),
    Helper(
        name="dia_siguiente",
        arguments="t text",
        returns="date",
        comment="The day after the last day that a FHIR date may mean.",
        body="""
    SELECT CASE length(t)
        WHEN 4 THEN (hce.dia(t) + interval '1 year')::date
        WHEN 7 THEN (hce.dia(t) + interval '1 month')::date
        ELSE hce.dia(t) + 1
    END""",
    ),
    Helper(
        name="dias",
        arguments="t text",
        returns="daterange",
        comment="The days that a FHIR date may mean: 1958-07 is the whole of July.",
        body="SELECT CASE WHEN hce.dia(t) IS NOT NULL THEN daterange(hce.dia(t), hce.dia_siguiente(t)) END",
    ),
    Helper(
        name="momento",
        arguments="t text",
        returns="timestamptz",
        language="plpgsql",
        comment="The moment of a FHIR instant or dateTime with a time; the installation's zone where it has none.",
        body=f"""
DECLARE
    forma text := translate(t, '123456789+', '000000000-');
    cuando timestamp;
    zona text;
BEGIN
    IF left(forma, 19) = '0000-00-00T00:00:00' AND substr(forma, 20) IN ('Z', '-00:00', '.000Z', '.000-00:00')
        AND left(t, 4) <> '0000' AND substr(t, 6, 2) BETWEEN '01' AND '12' AND substr(t, 9, 2) BETWEEN '01' AND '28'
        AND substr(t, 12, 2) <= '23' AND substr(t, 15, 2) <= '59' AND substr(t, 18, 2) <= '59'
        AND (right(t, 1) = 'Z' OR (left(right(t, 5), 2) <= '14' AND right(t, 2) <= '59'))
    THEN
        RETURN t::timestamptz;
    ELSIF t !~ '{_TIME}' THEN
        RETURN NULL;
    END IF;
    cuando := hce.dia(left(t, 10)) + make_time(
        substr(t, 12, 2)::integer,
        substr(t, 15, 2)::integer,
        coalesce(substring(t FROM '^.{{16}}:(\\d\\d(?:\\.\\d{{1,9}})?)'), '0')::double precision
    );
{IN_ITS_ZONE}""",
    ),
    Helper(
        name="rango",
        arguments="t text",
        returns="tstzrange",
        language="plpgsql",
        comment="The moments that a FHIR date, dateTime or instant may mean, in the installation's zone.",
        body=f"""
DECLARE
    cuando timestamptz;
    primero date;
BEGIN
    IF strpos(t, 'T') > 0 THEN
        cuando := hce.momento(t);
        RETURN CASE WHEN cuando IS NOT NULL THEN tstzrange(cuando, cuando, '[]') END;
    END IF;
{DAYS}""",
    ),
    Helper(
        name="rango_periodo",
        arguments="p jsonb",
        returns="tstzrange",
        language="plpgsql",
        comment="A FHIR Period as a range: an open end is unbounded, an end before its start gives NULL.",
        body="""
DECLARE
    desde tstzrange := hce.rango(p ->> 'start');
    hasta tstzrange := hce.rango(p ->> 'end');
BEGIN
    IF (desde IS NULL AND hasta IS NULL) OR lower(desde) > upper(hasta) THEN
        RETURN NULL;
    END IF;
    RETURN tstzrange(lower(desde), upper(hasta), CASE WHEN upper_inc(hasta) THEN '[]' ELSE '[)' END);
END""",
    ),
    Helper(
        name="rango_horario",
        arguments="h jsonb",
        returns="tstzrange",
        comment="A FHIR Timing as a range: its bounds, or from its first event to its last.",
        body=timing_body("rango"),
    ),
    Helper(
        name="numero",
        arguments="v jsonb",
        returns="numeric",
        comment="A JSON number with its digits; NULL if it is none.",
        body="SELECT CASE WHEN jsonb_typeof(v) = 'number' THEN (v #>> '{}')::numeric END",
    ),
    Helper(
        name="entero",
        arguments="v jsonb",
        returns="integer",
        comment="A JSON number that is a 32-bit integer; NULL if it is none.",
        body="""
    SELECT CASE
        WHEN jsonb_typeof(v) = 'number' AND v #>> '{}' ~ '^-?\\d{1,9}$' THEN (v #>> '{}')::integer
    END""",
    ),
    Helper(
        name="logico",
        arguments="v jsonb",
        returns="boolean",
        comment="A JSON boolean; NULL if it is none.",
        body="SELECT CASE WHEN jsonb_typeof(v) = 'boolean' THEN (v #>> '{}')::boolean END",
    ),
    Helper(
        name="lista",
        arguments="v jsonb",
        returns="jsonb",
        comment="An array as it is, anything else as an array of one, NULL as an empty one.",
        body="""
    SELECT CASE jsonb_typeof(v)
        WHEN 'array' THEN v
        WHEN 'object' THEN jsonb_build_array(v)
        WHEN 'string' THEN jsonb_build_array(v)
        ELSE '[]'::jsonb
    END""",
    ),
    Helper(
        name="codigos",
        arguments="codificaciones jsonb",
        returns="text[]",
        language="plpgsql",
        comment="Codings (array) as system|code, or code alone where there is no system; NULL if none.",
        body="""
DECLARE
    unica jsonb;
    unico text;
BEGIN
    IF jsonb_typeof(codificaciones) = 'array' AND jsonb_array_length(codificaciones) = 1 THEN
        unica := codificaciones -> 0;
        unico := CASE WHEN unica ->> 'code' IS NOT NULL THEN concat_ws('|', unica ->> 'system', unica ->> 'code') END;
        RETURN CASE WHEN unico IS NOT NULL THEN ARRAY[unico] END;
    END IF;
    RETURN nullif(array(
        SELECT concat_ws('|', c ->> 'system', c ->> 'code')
        FROM jsonb_array_elements(hce.lista(codificaciones)) WITH ORDINALITY AS e (c, n)
        WHERE c ->> 'code' IS NOT NULL
        ORDER BY n
    ), '{}');
END""",
    ),
    Helper(
        name="clave",
        arguments="r jsonb, tipo text",
        returns="text",
        language="plpgsql",
        comment=(
            "The key by which a FHIR Reference names a resource of the type: the id of Type/id, of an absolute URL or "
            "of urn:uuid:, else identifier=system|value of a conditional or logical reference; NULL for other types."
        ),
        body="""
DECLARE
    referencia text := r ->> 'reference';
    partes text[];
    n integer;
BEGIN
    IF referencia IS NULL THEN
        RETURN CASE
            WHEN coalesce(r ->> 'type', tipo) = tipo AND r #>> '{identifier,value}' IS NOT NULL
                THEN concat('identifier=', r #>> '{identifier,system}', '|', r #>> '{identifier,value}')
        END;
    END IF;
    partes := string_to_array(referencia, '/');
    n := cardinality(partes);
    IF n = 2 AND partes[1] = tipo AND partes[2] !~ '[^A-Za-z0-9.-]' THEN
        RETURN CASE WHEN length(partes[2]) BETWEEN 1 AND 64 THEN partes[2] END;
    ELSIF left(referencia, 1) = '#' THEN
        RETURN NULL;
    ELSIF starts_with(referencia, 'urn:uuid:') THEN
        RETURN CASE WHEN coalesce(r ->> 'type', tipo) = tipo THEN substr(referencia, 10) END;
    ELSIF starts_with(referencia, 'urn:oid:') THEN
        RETURN CASE WHEN coalesce(r ->> 'type', tipo) = tipo THEN substr(referencia, 9) END;
    ELSIF strpos(referencia, '?') > 0 THEN
        partes := string_to_array(split_part(referencia, '?', 1), '/');
        RETURN CASE
            WHEN partes[cardinality(partes)] = tipo THEN nullif(substr(referencia, strpos(referencia, '?') + 1), '')
        END;
    END IF;
    IF n >= 4 AND partes[n - 1] = '_history' AND partes[n] ~ '^[A-Za-z0-9.-]+$' AND length(partes[n]) <= 64 THEN
        n := n - 2;
    END IF;
    RETURN CASE
        WHEN n >= 2 AND partes[n - 1] = tipo AND partes[n] ~ '^[A-Za-z0-9.-]+$' AND length(partes[n]) <= 64
            THEN partes[n]
    END;
END""",
    ),
    Helper(
        name="clave_expresa",
        arguments="r jsonb, tipo text",
        returns="text",
        comment="As hce.clave, but only of a reference that itself says its type: where others may stand beside it.",
        body="""
    SELECT CASE
        WHEN r ->> 'type' IS NOT NULL OR (r ->> 'reference' IS NOT NULL AND r ->> 'reference' !~ '^urn:')
            THEN hce.clave(r, tipo)
    END""",
    ),
    Helper(
        name="claves_expresas_de",
        arguments="referencias jsonb, tipo text",
        returns="text[]",
        language="plpgsql",
        comment="As hce.claves_de, but only of references that themselves say their type.",
        body=_keys_body("clave_expresa"),
    ),
    Helper(
        name="claves_de",
        arguments="referencias jsonb, tipo text",
        returns="text[]",
        language="plpgsql",
        comment="The keys of every Reference to the type, in order; NULL if none.",
        body=_keys_body("clave"),
    ),
    Helper(
        name="claves_propias",
        arguments="id text, identificadores jsonb",
        returns="text[]",
        comment="Every key by which a Reference may name this resource: its id, and identifier=system|value of each.",
        body="""
    SELECT array_append(array(
        SELECT 'identifier=' || coalesce(i ->> 'system', '') || '|' || (i ->> 'value')
        FROM jsonb_array_elements(hce.lista(identificadores)) WITH ORDINALITY AS e (i, n)
        WHERE i ->> 'value' IS NOT NULL
        ORDER BY n
    ), id)""",
    ),
    Helper(
        name="plano",
        arguments="t text",
        returns="text",
        comment="Search text: lower case, without accents.",
        body=f"SELECT lower(translate(t, '{_ACCENTED}', '{_PLAIN}'))",
    ),
    Helper(
        name="nombres",
        arguments="v jsonb",
        returns="text",
        strict=True,
        comment="HumanNames (or plain names) as one search text: given names and surnames, lower case, no accents.",
        body=names_body("plano"),
    ),
    Helper(
        name="contenido",
        arguments="recurso jsonb, referencia text",
        returns="jsonb",
        language="plpgsql",
        comment="The contained resource that a reference (#id) names; NULL for any other reference.",
        body="""
BEGIN
    IF left(referencia, 1) <> '#' THEN
        RETURN NULL;
    END IF;
    RETURN (
        SELECT c
        FROM jsonb_array_elements(hce.lista(recurso -> 'contained')) AS e (c)
        WHERE c ->> 'id' = substr(referencia, 2)
        LIMIT 1
    );
END""",
        since=2,
    ),
    Helper(
        name="nombre_vigente",
        arguments="nombres jsonb",
        returns="jsonb",
        language="plpgsql",
        comment=(
            "The HumanName in use: official before usual, then the others; temp, anonymous, maiden and old only if "
            "there is nothing else. One whose period has an end comes after those without."
        ),
        body=_preferred_body(
            "nombres",
            last="'temp', 'anonymous', 'maiden', 'old'",
            more="v ->> 'family' IS NULL AND v -> 'given' IS NULL",
            uses="'official', 'usual', '', 'nickname', 'temp', 'anonymous', 'maiden', 'old'",
        ),
        since=2,
    ),
    Helper(
        name="direccion_vigente",
        arguments="direcciones jsonb",
        returns="jsonb",
        language="plpgsql",
        comment=(
            "The Address in use: home before work and billing, a place before a postal address; temp only if there is "
            "nothing else, old never. One whose period has an end comes after those without."
        ),
        body=_preferred_body(
            "direcciones",
            never="'old'",
            last="'temp'",
            more="coalesce(v ->> 'type', '') = 'postal'",
            uses="'home', '', 'work', 'billing'",
        ),
        since=2,
    ),
    Helper(
        name="contacto_vigente",
        arguments="contactos jsonb, sistema text",
        returns="jsonb",
        language="plpgsql",
        comment=(
            "The ContactPoint of a system (phone, email) in use: by rank, then home, mobile, work; temp only if there "
            "is nothing else, old never. One without a system is an e-mail if it has an @, else a phone. One whose "
            "period has an end comes after those without."
        ),
        body=_preferred_body(
            "contactos",
            never="'old'",
            last="'temp'",
            only=(
                "v ->> 'value' IS NOT NULL AND coalesce(\n            v ->> 'system',"
                " CASE WHEN strpos(v ->> 'value', '@') > 0 THEN 'email' ELSE 'phone' END\n        ) = sistema"
            ),
            more="hce.entero(v -> 'rank') IS NULL, hce.entero(v -> 'rank')",
            uses="'home', 'mobile', '', 'work'",
        ),
        since=2,
    ),
    *LATER_HELPERS,
)
