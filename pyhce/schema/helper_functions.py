r"""The functions of the schema `hce` that typed columns are computed with.

Each is plain SQL, IMMUTABLE, range-checked and never raises: "2024-02-30" gives NULL. A changed helper gets a new
name, since stored values stay as computed. FHIR's rules: https://hl7.org/fhir/R4/datatypes.html and references.html.
"""

from __future__ import annotations

from pyhce.schema.model import Helper

_DATE = r"^(\d{4})(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?$"
_TIME = r"^\d{4}-\d{2}-\d{2}T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,30})?)?(Z|[+-](0\d|1[0-4]):[0-5]\d)?$"
_LITERAL = r"(?:^|/)([A-Z][A-Za-z]{1,63})/([A-Za-z0-9.\-]{1,64})(?:/_history/[A-Za-z0-9.\-]{1,64})?$"
_ACCENTED = "áàâäãåéèêëíìîïóòôöõúùûüñçýÁÀÂÄÃÅÉÈÊËÍÌÎÏÓÒÔÖÕÚÙÛÜÑÇÝ"
_PLAIN = "aaaaaaeeeeiiiiooooouuuuncyAAAAAAEEEEIIIIOOOOOUUUUNCY"

HELPERS: tuple[Helper, ...] = (
    Helper(
        name="dia",
        arguments="t text",
        returns="date",
        comment="First day that a FHIR date or dateTime (whole or partial) may mean; NULL if it is none.",
        body=f"""
    SELECT CASE
        WHEN left(t, 10) ~ '{_DATE}' AND left(t, 4) <> '0000' AND substr(t, 11, 1) IN ('', 'T')
            AND (length(t) < 10 OR substr(t, 9, 2)::integer <= CASE substr(t, 6, 2)
                WHEN '02' THEN CASE
                    WHEN left(t, 4)::integer % 4 = 0
                        AND (left(t, 4)::integer % 100 <> 0 OR left(t, 4)::integer % 400 = 0) THEN 29
                    ELSE 28
                END
                WHEN '04' THEN 30 WHEN '06' THEN 30 WHEN '09' THEN 30 WHEN '11' THEN 30
                ELSE 31
            END)
            THEN make_date(
                left(t, 4)::integer,
                coalesce(nullif(substr(t, 6, 2), ''), '1')::integer,
                coalesce(nullif(substr(t, 9, 2), ''), '1')::integer
            )
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
        comment="The moment of a FHIR instant or dateTime with a time; the installation's zone where it has none.",
        body=f"""
    SELECT CASE
        WHEN t ~ '{_TIME}' AND hce.dia(left(t, 10)) IS NOT NULL THEN CASE
            WHEN right(t, 1) = 'Z' OR substr(t, length(t) - 5, 1) IN ('+', '-') THEN timezone(
                CASE
                    WHEN right(t, 1) = 'Z' THEN interval '0'
                    ELSE make_interval(
                        hours => substr(t, length(t) - 5, 3)::integer,
                        mins => (substr(t, length(t) - 5, 1) || right(t, 2))::integer
                    )
                END,
                hce.dia(left(t, 10)) + make_time(
                    substr(t, 12, 2)::integer,
                    substr(t, 15, 2)::integer,
                    coalesce(substring(t from '^.{{16}}:(\\d\\d(?:\\.\\d+)?)'), '0')::double precision
                )
            )
            ELSE timezone(
                hce.zona_horaria(),
                hce.dia(left(t, 10)) + make_time(
                    substr(t, 12, 2)::integer,
                    substr(t, 15, 2)::integer,
                    coalesce(substring(t from '^.{{16}}:(\\d\\d(?:\\.\\d+)?)'), '0')::double precision
                )
            )
        END
    END""",
    ),
    Helper(
        name="rango",
        arguments="t text",
        returns="tstzrange",
        comment="The moments that a FHIR date, dateTime or instant may mean, in the installation's zone.",
        body="""
    SELECT CASE
        WHEN position('T' in t) > 0 THEN CASE
            WHEN hce.momento(t) IS NOT NULL THEN tstzrange(hce.momento(t), hce.momento(t), '[]')
        END
        WHEN hce.dia(t) IS NOT NULL THEN tstzrange(
            timezone(hce.zona_horaria(), hce.dia(t)::timestamp),
            timezone(hce.zona_horaria(), hce.dia_siguiente(t)::timestamp)
        )
    END""",
    ),
    Helper(
        name="rango_periodo",
        arguments="p jsonb",
        returns="tstzrange",
        comment="A FHIR Period as a range: an open end is unbounded, an end before its start gives NULL.",
        body="""
    SELECT CASE
        WHEN desde IS NULL AND hasta IS NULL THEN NULL
        WHEN desde IS NOT NULL AND hasta IS NOT NULL AND lower(desde) > upper(hasta) THEN NULL
        ELSE tstzrange(
            lower(desde), upper(hasta), CASE WHEN hasta IS NOT NULL AND upper_inc(hasta) THEN '[]' ELSE '[)' END
        )
    END
    FROM (SELECT hce.rango(p ->> 'start') AS desde, hce.rango(p ->> 'end') AS hasta) AS r""",
    ),
    Helper(
        name="rango_horario",
        arguments="h jsonb",
        returns="tstzrange",
        comment="A FHIR Timing as a range: its bounds, or from its first event to its last.",
        body="""
    SELECT coalesce(
        hce.rango_periodo(h #> '{repeat,boundsPeriod}'),
        (
            SELECT range_merge(r) FROM (
                SELECT range_agg(hce.rango(e)) AS r
                FROM jsonb_array_elements_text(
                    CASE jsonb_typeof(h -> 'event') WHEN 'array' THEN h -> 'event' ELSE '[]' END
                ) AS e
            ) AS eventos
            WHERE NOT isempty(r)
        )
    )""",
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
        comment="Codings (array) as system|code, or code alone where there is no system; NULL if none.",
        body="""
    SELECT nullif(array(
        SELECT concat_ws('|', c ->> 'system', c ->> 'code')
        FROM jsonb_array_elements(hce.lista(codificaciones)) WITH ORDINALITY AS e (c, n)
        WHERE c ->> 'code' IS NOT NULL
        ORDER BY n
    ), '{}')""",
    ),
    Helper(
        name="clave",
        arguments="r jsonb, tipo text",
        returns="text",
        comment=(
            "The key by which a FHIR Reference names a resource of the type: the id of Type/id, of an absolute URL or "
            "of urn:uuid:, else identifier=system|value of a conditional or logical reference; NULL for other types."
        ),
        body=f"""
    SELECT CASE
        WHEN r ->> 'reference' ~ '^urn:(uuid|oid):'
            THEN CASE WHEN coalesce(r ->> 'type', tipo) = tipo THEN substr(r ->> 'reference', 10) END
        WHEN r ->> 'reference' LIKE '#%' THEN NULL
        WHEN strpos(r ->> 'reference', '?') > 0 THEN substring(r ->> 'reference' from '(?:^|/)' || tipo || '[?](.+)$')
        WHEN r ->> 'reference' IS NOT NULL THEN CASE
            WHEN substring(r ->> 'reference' from '{_LITERAL}') = tipo
                THEN (regexp_match(r ->> 'reference', '{_LITERAL}'))[2]
        END
        WHEN coalesce(r ->> 'type', tipo) = tipo AND r #>> '{{identifier,value}}' IS NOT NULL
            THEN 'identifier=' || coalesce(r #>> '{{identifier,system}}', '') || '|' || (r #>> '{{identifier,value}}')
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
        comment="As hce.claves_de, but only of references that themselves say their type.",
        body="""
    SELECT nullif(array(
        SELECT hce.clave_expresa(r, tipo)
        FROM jsonb_array_elements(hce.lista(referencias)) WITH ORDINALITY AS e (r, n)
        WHERE hce.clave_expresa(r, tipo) IS NOT NULL
        ORDER BY n
    ), '{}')""",
    ),
    Helper(
        name="claves_de",
        arguments="referencias jsonb, tipo text",
        returns="text[]",
        comment="The keys of every Reference to the type, in order; NULL if none.",
        body="""
    SELECT nullif(array(
        SELECT hce.clave(r, tipo)
        FROM jsonb_array_elements(hce.lista(referencias)) WITH ORDINALITY AS e (r, n)
        WHERE hce.clave(r, tipo) IS NOT NULL
        ORDER BY n
    ), '{}')""",
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
        comment="HumanNames (or plain names) as one search text: given names and surnames, lower case, no accents.",
        body="""
    SELECT nullif(hce.plano(string_agg(
        CASE jsonb_typeof(h)
            WHEN 'string' THEN h #>> '{}'
            ELSE concat_ws(' ',
                (SELECT string_agg(g, ' ' ORDER BY m)
                 FROM jsonb_array_elements_text(hce.lista(h -> 'given')) WITH ORDINALITY AS gs (g, m)),
                h ->> 'family',
                CASE WHEN h -> 'family' IS NULL AND h -> 'given' IS NULL THEN h ->> 'text' END
            )
        END, ' ' ORDER BY n)), '')
    FROM jsonb_array_elements(hce.lista(v)) WITH ORDINALITY AS e (h, n)""",
    ),
)
