"""Parts of bodies that a helper has in common with the one that replaces it."""

from __future__ import annotations

IN_ITS_ZONE = r"""    zona := substring(t FROM '(?:Z|[+-]\d\d:\d\d)$');
    RETURN CASE
        WHEN zona IS NULL THEN timezone(hce.zona_horaria(), cuando)
        WHEN zona = 'Z' THEN timezone('UTC', cuando)
        ELSE timezone(
            make_interval(hours => left(zona, 3)::integer, mins => (left(zona, 1) || right(zona, 2))::integer), cuando
        )
    END;
END"""
"""The end of a body that has set `cuando`, the local time in `t`; gives the moment in the zone of `t`."""
DAYS = """    primero := hce.dia(t);
    IF primero IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN tstzrange(
        timezone(hce.zona_horaria(), primero::timestamp),
        timezone(hce.zona_horaria(), hce.dia_siguiente(t)::timestamp)
    );
END"""
"""The end of a body for a date `t` without a time; gives the range of the days that it covers."""


def timing_body(span: str) -> str:
    """The body of a helper for a Timing: its bounds, or the range from its first event to its last.

    Args:
        span: the helper for a date or dateTime; the one for a Period has the suffix `_periodo`.
    """
    return f"""
    SELECT coalesce(
        hce.{span}_periodo(h #> '{{repeat,boundsPeriod}}'),
        (
            SELECT range_merge(r) FROM (
                SELECT range_agg(hce.{span}(e)) AS r
                FROM jsonb_array_elements_text(
                    CASE jsonb_typeof(h -> 'event') WHEN 'array' THEN h -> 'event' ELSE '[]' END
                ) AS e
            ) AS eventos
            WHERE NOT isempty(r)
        )
    )"""


def names_body(plain: str) -> str:
    """The body of a helper that joins HumanNames into one search text.

    Args:
        plain: the helper that removes accents and upper case.
    """
    return f"""
    SELECT nullif(hce.{plain}(string_agg(
        CASE jsonb_typeof(h)
            WHEN 'string' THEN h #>> '{{}}'
            ELSE concat_ws(' ',
                (SELECT string_agg(g, ' ' ORDER BY m)
                 FROM jsonb_array_elements_text(hce.lista(h -> 'given')) WITH ORDINALITY AS gs (g, m)),
                h ->> 'family',
                CASE WHEN h -> 'family' IS NULL AND h -> 'given' IS NULL THEN h ->> 'text' END
            )
        END, ' ' ORDER BY n)), '')
    FROM jsonb_array_elements(hce.lista(v)) WITH ORDINALITY AS e (h, n)"""
