CREATE SCHEMA IF NOT EXISTS hce;
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;

DO $$
DECLARE
    rol text;
BEGIN
    FOREACH rol IN ARRAY ARRAY['hce_owner', 'hce_app', 'hce_readonly'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = rol) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', rol);
        END IF;
    END LOOP;
END
$$;

CREATE TABLE IF NOT EXISTS hce.migracion (
    numero integer NOT NULL,
    nombre text NOT NULL,
    huella text NOT NULL,
    aplicada_en timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT migracion_pkey PRIMARY KEY (numero)
);
ALTER TABLE hce.migracion OWNER TO hce_owner;

DO $$
BEGIN
    IF to_regprocedure('hce.zona_horaria()') IS NULL THEN
        EXECUTE format(
            'CREATE FUNCTION hce.zona_horaria() RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS %L',
            format('SELECT %L::text', current_setting('hce.zona_horaria'))
        );
    END IF;
END
$$;
COMMENT ON FUNCTION hce.zona_horaria() IS 'The zone of dates without one, fixed at installation.';

CREATE OR REPLACE FUNCTION hce.dia(t text) RETURNS date
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    mes date;
    numero integer;
BEGIN
    IF t !~ '^\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01])(T.*)?)?)?$' OR left(t, 4) = '0000' THEN
        RETURN NULL;
    END IF;
    mes := make_date(left(t, 4)::integer, coalesce(nullif(substr(t, 6, 2), ''), '1')::integer, 1);
    numero := coalesce(nullif(substr(t, 9, 2), ''), '1')::integer;
    IF numero > 28 AND numero > extract(day FROM mes + interval '1 month - 1 day') THEN
        RETURN NULL;
    END IF;
    RETURN mes + (numero - 1);
END;
$$;
COMMENT ON FUNCTION hce.dia(text) IS 'First day that a FHIR date or dateTime (whole or partial) may mean; NULL if it is none.';

CREATE OR REPLACE FUNCTION hce.dia_exacto(t text) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN length(t) = 10 THEN hce.dia(t) END
$$;
COMMENT ON FUNCTION hce.dia_exacto(text) IS 'A whole FHIR date; NULL if partial or none.';

CREATE OR REPLACE FUNCTION hce.dia_siguiente(t text) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE length(t)
        WHEN 4 THEN (hce.dia(t) + interval '1 year')::date
        WHEN 7 THEN (hce.dia(t) + interval '1 month')::date
        ELSE hce.dia(t) + 1
    END
$$;
COMMENT ON FUNCTION hce.dia_siguiente(text) IS 'The day after the last day that a FHIR date may mean.';

CREATE OR REPLACE FUNCTION hce.dias(t text) RETURNS daterange
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN hce.dia(t) IS NOT NULL THEN daterange(hce.dia(t), hce.dia_siguiente(t)) END
$$;
COMMENT ON FUNCTION hce.dias(text) IS 'The days that a FHIR date may mean: 1958-07 is the whole of July.';

CREATE OR REPLACE FUNCTION hce.momento(t text) RETURNS timestamptz
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
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
    ELSIF t !~ '^\d{4}-\d{2}-\d{2}T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,30})?)?(Z|[+-](0\d|1[0-4]):[0-5]\d)?$' THEN
        RETURN NULL;
    END IF;
    cuando := hce.dia(left(t, 10)) + make_time(
        substr(t, 12, 2)::integer,
        substr(t, 15, 2)::integer,
        coalesce(substring(t FROM '^.{16}:(\d\d(?:\.\d{1,9})?)'), '0')::double precision
    );
    zona := substring(t FROM '(?:Z|[+-]\d\d:\d\d)$');
    RETURN CASE
        WHEN zona IS NULL THEN timezone(hce.zona_horaria(), cuando)
        WHEN zona = 'Z' THEN timezone('UTC', cuando)
        ELSE timezone(
            make_interval(hours => left(zona, 3)::integer, mins => (left(zona, 1) || right(zona, 2))::integer), cuando
        )
    END;
END;
$$;
COMMENT ON FUNCTION hce.momento(text) IS 'The moment of a FHIR instant or dateTime with a time; the installation''s zone where it has none.';

CREATE OR REPLACE FUNCTION hce.rango(t text) RETURNS tstzrange
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    cuando timestamptz;
    primero date;
BEGIN
    IF strpos(t, 'T') > 0 THEN
        cuando := hce.momento(t);
        RETURN CASE WHEN cuando IS NOT NULL THEN tstzrange(cuando, cuando, '[]') END;
    END IF;
    primero := hce.dia(t);
    IF primero IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN tstzrange(
        timezone(hce.zona_horaria(), primero::timestamp),
        timezone(hce.zona_horaria(), hce.dia_siguiente(t)::timestamp)
    );
END;
$$;
COMMENT ON FUNCTION hce.rango(text) IS 'The moments that a FHIR date, dateTime or instant may mean, in the installation''s zone.';

CREATE OR REPLACE FUNCTION hce.rango_periodo(p jsonb) RETURNS tstzrange
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    desde tstzrange := hce.rango(p ->> 'start');
    hasta tstzrange := hce.rango(p ->> 'end');
BEGIN
    IF (desde IS NULL AND hasta IS NULL) OR lower(desde) > upper(hasta) THEN
        RETURN NULL;
    END IF;
    RETURN tstzrange(lower(desde), upper(hasta), CASE WHEN upper_inc(hasta) THEN '[]' ELSE '[)' END);
END;
$$;
COMMENT ON FUNCTION hce.rango_periodo(jsonb) IS 'A FHIR Period as a range: an open end is unbounded, an end before its start gives NULL.';

CREATE OR REPLACE FUNCTION hce.rango_horario(h jsonb) RETURNS tstzrange
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
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
    )
$$;
COMMENT ON FUNCTION hce.rango_horario(jsonb) IS 'A FHIR Timing as a range: its bounds, or from its first event to its last.';

CREATE OR REPLACE FUNCTION hce.numero(v jsonb) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN jsonb_typeof(v) = 'number' THEN (v #>> '{}')::numeric END
$$;
COMMENT ON FUNCTION hce.numero(jsonb) IS 'A JSON number with its digits; NULL if it is none.';

CREATE OR REPLACE FUNCTION hce.entero(v jsonb) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN jsonb_typeof(v) = 'number' AND v #>> '{}' ~ '^-?\d{1,9}$' THEN (v #>> '{}')::integer
    END
$$;
COMMENT ON FUNCTION hce.entero(jsonb) IS 'A JSON number that is a 32-bit integer; NULL if it is none.';

CREATE OR REPLACE FUNCTION hce.logico(v jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN jsonb_typeof(v) = 'boolean' THEN (v #>> '{}')::boolean END
$$;
COMMENT ON FUNCTION hce.logico(jsonb) IS 'A JSON boolean; NULL if it is none.';

CREATE OR REPLACE FUNCTION hce.lista(v jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE jsonb_typeof(v)
        WHEN 'array' THEN v
        WHEN 'object' THEN jsonb_build_array(v)
        WHEN 'string' THEN jsonb_build_array(v)
        ELSE '[]'::jsonb
    END
$$;
COMMENT ON FUNCTION hce.lista(jsonb) IS 'An array as it is, anything else as an array of one, NULL as an empty one.';

CREATE OR REPLACE FUNCTION hce.codigos(codificaciones jsonb) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
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
END;
$$;
COMMENT ON FUNCTION hce.codigos(jsonb) IS 'Codings (array) as system|code, or code alone where there is no system; NULL if none.';

CREATE OR REPLACE FUNCTION hce.clave(r jsonb, tipo text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
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
END;
$$;
COMMENT ON FUNCTION hce.clave(jsonb, text) IS 'The key by which a FHIR Reference names a resource of the type: the id of Type/id, of an absolute URL or of urn:uuid:, else identifier=system|value of a conditional or logical reference; NULL for other types.';

CREATE OR REPLACE FUNCTION hce.clave_expresa(r jsonb, tipo text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN r ->> 'type' IS NOT NULL OR (r ->> 'reference' IS NOT NULL AND r ->> 'reference' !~ '^urn:')
            THEN hce.clave(r, tipo)
    END
$$;
COMMENT ON FUNCTION hce.clave_expresa(jsonb, text) IS 'As hce.clave, but only of a reference that itself says its type: where others may stand beside it.';

CREATE OR REPLACE FUNCTION hce.claves_expresas_de(referencias jsonb, tipo text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    unica jsonb;
    unico text;
BEGIN
    IF jsonb_typeof(referencias) = 'array' AND jsonb_array_length(referencias) = 1 THEN
        unica := referencias -> 0;
        unico := hce.clave_expresa(unica, tipo);
        RETURN CASE WHEN unico IS NOT NULL THEN ARRAY[unico] END;
    END IF;
    RETURN nullif(array(
        SELECT clave
        FROM (
            SELECT
                hce.clave_expresa(r, tipo) AS clave,
                n
            FROM jsonb_array_elements(hce.lista(referencias)) WITH ORDINALITY AS e (r, n)
            OFFSET 0
        ) AS c
        WHERE clave IS NOT NULL
        ORDER BY n
    ), '{}');
END;
$$;
COMMENT ON FUNCTION hce.claves_expresas_de(jsonb, text) IS 'As hce.claves_de, but only of references that themselves say their type.';

CREATE OR REPLACE FUNCTION hce.claves_de(referencias jsonb, tipo text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    unica jsonb;
    unico text;
BEGIN
    IF jsonb_typeof(referencias) = 'array' AND jsonb_array_length(referencias) = 1 THEN
        unica := referencias -> 0;
        unico := hce.clave(unica, tipo);
        RETURN CASE WHEN unico IS NOT NULL THEN ARRAY[unico] END;
    END IF;
    RETURN nullif(array(
        SELECT clave
        FROM (
            SELECT
                hce.clave(r, tipo) AS clave,
                n
            FROM jsonb_array_elements(hce.lista(referencias)) WITH ORDINALITY AS e (r, n)
            OFFSET 0
        ) AS c
        WHERE clave IS NOT NULL
        ORDER BY n
    ), '{}');
END;
$$;
COMMENT ON FUNCTION hce.claves_de(jsonb, text) IS 'The keys of every Reference to the type, in order; NULL if none.';

CREATE OR REPLACE FUNCTION hce.claves_propias(id text, identificadores jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_append(array(
        SELECT 'identifier=' || coalesce(i ->> 'system', '') || '|' || (i ->> 'value')
        FROM jsonb_array_elements(hce.lista(identificadores)) WITH ORDINALITY AS e (i, n)
        WHERE i ->> 'value' IS NOT NULL
        ORDER BY n
    ), id)
$$;
COMMENT ON FUNCTION hce.claves_propias(text, jsonb) IS 'Every key by which a Reference may name this resource: its id, and identifier=system|value of each.';

CREATE OR REPLACE FUNCTION hce.plano(t text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT lower(translate(t, 'áàâäãåéèêëíìîïóòôöõúùûüñçýÁÀÂÄÃÅÉÈÊËÍÌÎÏÓÒÔÖÕÚÙÛÜÑÇÝ', 'aaaaaaeeeeiiiiooooouuuuncyAAAAAAEEEEIIIIOOOOOUUUUNCY'))
$$;
COMMENT ON FUNCTION hce.plano(text) IS 'Search text: lower case, without accents.';

CREATE OR REPLACE FUNCTION hce.nombres(v jsonb) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
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
    FROM jsonb_array_elements(hce.lista(v)) WITH ORDINALITY AS e (h, n)
$$;
COMMENT ON FUNCTION hce.nombres(jsonb) IS 'HumanNames (or plain names) as one search text: given names and surnames, lower case, no accents.';

CREATE TABLE IF NOT EXISTS public.expediente (
    documento_id text NOT NULL,
    provisional boolean NOT NULL DEFAULT false,
    creado_en timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT expediente_pkey PRIMARY KEY (documento_id)
);
ALTER TABLE public.expediente OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.expediente TO hce_app;
GRANT SELECT ON public.expediente TO hce_readonly;
COMMENT ON TABLE public.expediente IS 'Expediente: una persona, un documento / Record: one person, one document';
COMMENT ON COLUMN public.expediente.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.expediente.provisional IS 'Aún sin documento conocido / No document known yet';
COMMENT ON COLUMN public.expediente.creado_en IS 'Creado en / Created at';

CREATE TABLE IF NOT EXISTS public.paciente (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (id) STORED,
    claves text[] GENERATED ALWAYS AS (hce.claves_propias(id, recurso -> 'identifier')) STORED,
    nombre_busqueda text GENERATED ALWAYS AS (hce.nombres(recurso -> 'name')) STORED,
    apellidos text GENERATED ALWAYS AS (recurso #>> '{name,0,family}') STORED,
    nombre text GENERATED ALWAYS AS (recurso #>> '{name,0,given,0}') STORED,
    sexo text GENERATED ALWAYS AS (recurso ->> 'gender') STORED,
    fecha_nacimiento date GENERATED ALWAYS AS (hce.dia_exacto(recurso ->> 'birthDate')) STORED,
    nacimiento daterange GENERATED ALWAYS AS (hce.dias(recurso ->> 'birthDate')) STORED,
    activo boolean GENERATED ALWAYS AS (hce.logico(recurso -> 'active')) STORED,
    fallecido_en tstzrange GENERATED ALWAYS AS (hce.rango(recurso ->> 'deceasedDateTime')) STORED,
    ciudad text GENERATED ALWAYS AS (recurso #>> '{address,0,city}') STORED,
    telefono text GENERATED ALWAYS AS (recurso #>> '{telecom,0,value}') STORED,
    organizacion_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'managingOrganization', 'Organization')) STORED,
    CONSTRAINT paciente_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT paciente_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.paciente OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.paciente TO hce_app;
GRANT SELECT ON public.paciente TO hce_readonly;
COMMENT ON TABLE public.paciente IS 'FHIR Patient. Pacientes / Patients';
COMMENT ON COLUMN public.paciente.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.paciente.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.paciente.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.paciente.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.paciente.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.paciente.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.paciente.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.paciente.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.paciente.paciente_id IS 'Patient.id. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.paciente.claves IS 'Patient.id. Claves por las que se le nombra / Keys by which it is named';
COMMENT ON COLUMN public.paciente.nombre_busqueda IS 'Patient.name. Nombres para buscar / Names to search by';
COMMENT ON COLUMN public.paciente.apellidos IS 'Patient.name.family. Apellidos / Surnames';
COMMENT ON COLUMN public.paciente.nombre IS 'Patient.name.given. Primer nombre / First given name';
COMMENT ON COLUMN public.paciente.sexo IS 'Patient.gender. Sexo administrativo / Administrative gender';
COMMENT ON COLUMN public.paciente.fecha_nacimiento IS 'Patient.birthDate. Fecha de nacimiento completa / Whole birth date';
COMMENT ON COLUMN public.paciente.nacimiento IS 'Patient.birthDate. Días posibles de nacimiento / Possible birth days';
COMMENT ON COLUMN public.paciente.activo IS 'Patient.active. Ficha activa / Active';
COMMENT ON COLUMN public.paciente.fallecido_en IS 'Patient.deceased[x]. Fallecimiento / Death';
COMMENT ON COLUMN public.paciente.ciudad IS 'Patient.address.city. Ciudad / City';
COMMENT ON COLUMN public.paciente.telefono IS 'Patient.telecom.value. Primer contacto / First contact';
COMMENT ON COLUMN public.paciente.organizacion_id IS 'Patient.managingOrganization. Organización responsable / Managed by';

CREATE TABLE IF NOT EXISTS public.persona_relacionada (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'patient', 'Patient')) STORED,
    activo boolean GENERATED ALWAYS AS (hce.logico(recurso -> 'active')) STORED,
    parentesco text GENERATED ALWAYS AS (recurso #>> '{relationship,0,coding,0,code}') STORED,
    nombre_busqueda text GENERATED ALWAYS AS (hce.nombres(recurso -> 'name')) STORED,
    apellidos text GENERATED ALWAYS AS (recurso #>> '{name,0,family}') STORED,
    telefono text GENERATED ALWAYS AS (recurso #>> '{telecom,0,value}') STORED,
    fecha tstzrange GENERATED ALWAYS AS (hce.rango_periodo(recurso -> 'period')) STORED,
    CONSTRAINT persona_relacionada_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT persona_relacionada_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.persona_relacionada OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.persona_relacionada TO hce_app;
GRANT SELECT ON public.persona_relacionada TO hce_readonly;
COMMENT ON TABLE public.persona_relacionada IS 'FHIR RelatedPerson. Personas relacionadas: familiares, acudientes / Related persons: relatives, guardians';
COMMENT ON COLUMN public.persona_relacionada.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.persona_relacionada.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.persona_relacionada.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.persona_relacionada.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.persona_relacionada.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.persona_relacionada.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.persona_relacionada.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.persona_relacionada.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.persona_relacionada.paciente_id IS 'RelatedPerson.patient. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.persona_relacionada.activo IS 'RelatedPerson.active. Activa / Active';
COMMENT ON COLUMN public.persona_relacionada.parentesco IS 'RelatedPerson.relationship. Parentesco / Relationship';
COMMENT ON COLUMN public.persona_relacionada.nombre_busqueda IS 'RelatedPerson.name. Nombres para buscar / Names to search by';
COMMENT ON COLUMN public.persona_relacionada.apellidos IS 'RelatedPerson.name.family. Apellidos / Surnames';
COMMENT ON COLUMN public.persona_relacionada.telefono IS 'RelatedPerson.telecom.value. Primer contacto / First contact';
COMMENT ON COLUMN public.persona_relacionada.fecha IS 'RelatedPerson.period. Vigencia / Period';

CREATE TABLE IF NOT EXISTS public.encuentro (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'subject', 'Patient')) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    clase text GENERATED ALWAYS AS (recurso #>> '{class,code}') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{type,0,coding,0,code}') STORED,
    motivos text[] GENERATED ALWAYS AS (hce.codigos(jsonb_path_query_array(recurso, '$.reasonCode.coding[*]'))) STORED,
    fecha tstzrange GENERATED ALWAYS AS (hce.rango_periodo(recurso -> 'period')) STORED,
    profesional_id text GENERATED ALWAYS AS ((hce.claves_expresas_de(jsonb_path_query_array(recurso, '$.participant.individual'), 'Practitioner'))[1]) STORED,
    organizacion_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'serviceProvider', 'Organization')) STORED,
    ubicacion_id text GENERATED ALWAYS AS ((hce.claves_de(jsonb_path_query_array(recurso, '$.location.location'), 'Location'))[1]) STORED,
    episodio_id text GENERATED ALWAYS AS ((hce.claves_de(recurso -> 'episodeOfCare', 'EpisodeOfCare'))[1]) STORED,
    cita_id text GENERATED ALWAYS AS ((hce.claves_de(recurso -> 'appointment', 'Appointment'))[1]) STORED,
    CONSTRAINT encuentro_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT encuentro_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.encuentro OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.encuentro TO hce_app;
GRANT SELECT ON public.encuentro TO hce_readonly;
COMMENT ON TABLE public.encuentro IS 'FHIR Encounter. Encuentros: consultas, urgencias, hospitalizaciones / Encounters: visits, emergencies, stays';
COMMENT ON COLUMN public.encuentro.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.encuentro.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.encuentro.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.encuentro.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.encuentro.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.encuentro.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.encuentro.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.encuentro.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.encuentro.paciente_id IS 'Encounter.subject. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.encuentro.estado IS 'Encounter.status. Estado / Status';
COMMENT ON COLUMN public.encuentro.clase IS 'Encounter.class. Clase / Class';
COMMENT ON COLUMN public.encuentro.codigo IS 'Encounter.type. Tipo de atención / Type';
COMMENT ON COLUMN public.encuentro.motivos IS 'Encounter.reasonCode. Motivos / Reasons';
COMMENT ON COLUMN public.encuentro.fecha IS 'Encounter.period. Cuándo / When';
COMMENT ON COLUMN public.encuentro.profesional_id IS 'Encounter.participant.individual. Profesional / Practitioner';
COMMENT ON COLUMN public.encuentro.organizacion_id IS 'Encounter.serviceProvider. Organización / Organization';
COMMENT ON COLUMN public.encuentro.ubicacion_id IS 'Encounter.location.location. Ubicación / Location';
COMMENT ON COLUMN public.encuentro.episodio_id IS 'Encounter.episodeOfCare. Episodio / Episode of care';
COMMENT ON COLUMN public.encuentro.cita_id IS 'Encounter.appointment. Cita / Appointment';

CREATE TABLE IF NOT EXISTS public.episodio_atencion (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'patient', 'Patient')) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{type,0,coding,0,code}') STORED,
    fecha tstzrange GENERATED ALWAYS AS (hce.rango_periodo(recurso -> 'period')) STORED,
    organizacion_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'managingOrganization', 'Organization')) STORED,
    profesional_id text GENERATED ALWAYS AS (hce.clave_expresa(recurso -> 'careManager', 'Practitioner')) STORED,
    CONSTRAINT episodio_atencion_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT episodio_atencion_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.episodio_atencion OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.episodio_atencion TO hce_app;
GRANT SELECT ON public.episodio_atencion TO hce_readonly;
COMMENT ON TABLE public.episodio_atencion IS 'FHIR EpisodeOfCare. Episodios de atención / Episodes of care';
COMMENT ON COLUMN public.episodio_atencion.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.episodio_atencion.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.episodio_atencion.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.episodio_atencion.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.episodio_atencion.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.episodio_atencion.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.episodio_atencion.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.episodio_atencion.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.episodio_atencion.paciente_id IS 'EpisodeOfCare.patient. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.episodio_atencion.estado IS 'EpisodeOfCare.status. Estado / Status';
COMMENT ON COLUMN public.episodio_atencion.codigo IS 'EpisodeOfCare.type. Tipo / Type';
COMMENT ON COLUMN public.episodio_atencion.fecha IS 'EpisodeOfCare.period. Cuándo / When';
COMMENT ON COLUMN public.episodio_atencion.organizacion_id IS 'EpisodeOfCare.managingOrganization. Organización / Organization';
COMMENT ON COLUMN public.episodio_atencion.profesional_id IS 'EpisodeOfCare.careManager. Responsable / Care manager';

CREATE TABLE IF NOT EXISTS public.cita (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS ((hce.claves_expresas_de(jsonb_path_query_array(recurso, '$.participant.actor'), 'Patient'))[1]) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{serviceType,0,coding,0,code}') STORED,
    clase text GENERATED ALWAYS AS (recurso #>> '{appointmentType,coding,0,code}') STORED,
    inicio timestamptz GENERATED ALWAYS AS (hce.momento(recurso ->> 'start')) STORED,
    fin timestamptz GENERATED ALWAYS AS (hce.momento(recurso ->> 'end')) STORED,
    fecha tstzrange GENERATED ALWAYS AS (hce.rango(recurso ->> 'start')) STORED,
    profesionales text[] GENERATED ALWAYS AS (hce.claves_expresas_de(jsonb_path_query_array(recurso, '$.participant.actor'), 'Practitioner')) STORED,
    profesional_id text GENERATED ALWAYS AS ((hce.claves_expresas_de(jsonb_path_query_array(recurso, '$.participant.actor'), 'Practitioner'))[1]) STORED,
    ubicacion_id text GENERATED ALWAYS AS ((hce.claves_expresas_de(jsonb_path_query_array(recurso, '$.participant.actor'), 'Location'))[1]) STORED,
    CONSTRAINT cita_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT cita_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.cita OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.cita TO hce_app;
GRANT SELECT ON public.cita TO hce_readonly;
COMMENT ON TABLE public.cita IS 'FHIR Appointment. Citas / Appointments';
COMMENT ON COLUMN public.cita.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.cita.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.cita.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.cita.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.cita.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.cita.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.cita.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.cita.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.cita.paciente_id IS 'Appointment.participant.actor. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.cita.estado IS 'Appointment.status. Estado / Status';
COMMENT ON COLUMN public.cita.codigo IS 'Appointment.serviceType. Servicio / Service';
COMMENT ON COLUMN public.cita.clase IS 'Appointment.appointmentType. Tipo de cita / Appointment type';
COMMENT ON COLUMN public.cita.inicio IS 'Appointment.start. Inicio / Start';
COMMENT ON COLUMN public.cita.fin IS 'Appointment.end. Fin / End';
COMMENT ON COLUMN public.cita.fecha IS 'Appointment.start. Cuándo / When';
COMMENT ON COLUMN public.cita.profesionales IS 'Appointment.participant.actor. Profesionales / Practitioners';
COMMENT ON COLUMN public.cita.profesional_id IS 'Appointment.participant.actor. Primer profesional / First practitioner';
COMMENT ON COLUMN public.cita.ubicacion_id IS 'Appointment.participant.actor. Ubicación / Location';

CREATE TABLE IF NOT EXISTS public.organizacion (
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    claves text[] GENERATED ALWAYS AS (hce.claves_propias(id, recurso -> 'identifier')) STORED,
    nombre text GENERATED ALWAYS AS (recurso ->> 'name') STORED,
    nombre_busqueda text GENERATED ALWAYS AS (hce.nombres(recurso -> 'name')) STORED,
    activo boolean GENERATED ALWAYS AS (hce.logico(recurso -> 'active')) STORED,
    clase text GENERATED ALWAYS AS (recurso #>> '{type,0,coding,0,code}') STORED,
    ciudad text GENERATED ALWAYS AS (recurso #>> '{address,0,city}') STORED,
    parte_de_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'partOf', 'Organization')) STORED,
    CONSTRAINT organizacion_pkey PRIMARY KEY (fuente, id)
);
ALTER TABLE public.organizacion OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.organizacion TO hce_app;
GRANT SELECT ON public.organizacion TO hce_readonly;
COMMENT ON TABLE public.organizacion IS 'FHIR Organization. Organizaciones / Organizations';
COMMENT ON COLUMN public.organizacion.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.organizacion.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.organizacion.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.organizacion.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.organizacion.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.organizacion.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.organizacion.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.organizacion.claves IS 'Organization.id. Claves por las que se le nombra / Keys by which it is named';
COMMENT ON COLUMN public.organizacion.nombre IS 'Organization.name. Nombre / Name';
COMMENT ON COLUMN public.organizacion.nombre_busqueda IS 'Organization.name. Nombre para buscar / Name to search by';
COMMENT ON COLUMN public.organizacion.activo IS 'Organization.active. Activa / Active';
COMMENT ON COLUMN public.organizacion.clase IS 'Organization.type. Tipo de organización / Type';
COMMENT ON COLUMN public.organizacion.ciudad IS 'Organization.address.city. Ciudad / City';
COMMENT ON COLUMN public.organizacion.parte_de_id IS 'Organization.partOf. Parte de / Part of';

CREATE TABLE IF NOT EXISTS public.profesional (
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    claves text[] GENERATED ALWAYS AS (hce.claves_propias(id, recurso -> 'identifier')) STORED,
    nombre_busqueda text GENERATED ALWAYS AS (hce.nombres(recurso -> 'name')) STORED,
    apellidos text GENERATED ALWAYS AS (recurso #>> '{name,0,family}') STORED,
    nombre text GENERATED ALWAYS AS (recurso #>> '{name,0,given,0}') STORED,
    sexo text GENERATED ALWAYS AS (recurso ->> 'gender') STORED,
    activo boolean GENERATED ALWAYS AS (hce.logico(recurso -> 'active')) STORED,
    CONSTRAINT profesional_pkey PRIMARY KEY (fuente, id)
);
ALTER TABLE public.profesional OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.profesional TO hce_app;
GRANT SELECT ON public.profesional TO hce_readonly;
COMMENT ON TABLE public.profesional IS 'FHIR Practitioner. Profesionales de la salud / Practitioners';
COMMENT ON COLUMN public.profesional.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.profesional.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.profesional.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.profesional.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.profesional.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.profesional.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.profesional.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.profesional.claves IS 'Practitioner.id. Claves por las que se le nombra / Keys by which it is named';
COMMENT ON COLUMN public.profesional.nombre_busqueda IS 'Practitioner.name. Nombres para buscar / Names to search by';
COMMENT ON COLUMN public.profesional.apellidos IS 'Practitioner.name.family. Apellidos / Surnames';
COMMENT ON COLUMN public.profesional.nombre IS 'Practitioner.name.given. Primer nombre / First given name';
COMMENT ON COLUMN public.profesional.sexo IS 'Practitioner.gender. Sexo administrativo / Administrative gender';
COMMENT ON COLUMN public.profesional.activo IS 'Practitioner.active. Activo / Active';

CREATE TABLE IF NOT EXISTS public.rol_profesional (
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    claves text[] GENERATED ALWAYS AS (hce.claves_propias(id, recurso -> 'identifier')) STORED,
    activo boolean GENERATED ALWAYS AS (hce.logico(recurso -> 'active')) STORED,
    rol text GENERATED ALWAYS AS (recurso #>> '{code,0,coding,0,code}') STORED,
    especialidades text[] GENERATED ALWAYS AS (hce.codigos(jsonb_path_query_array(recurso, '$.specialty.coding[*]'))) STORED,
    fecha tstzrange GENERATED ALWAYS AS (hce.rango_periodo(recurso -> 'period')) STORED,
    profesional_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'practitioner', 'Practitioner')) STORED,
    organizacion_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'organization', 'Organization')) STORED,
    ubicacion_id text GENERATED ALWAYS AS ((hce.claves_de(recurso -> 'location', 'Location'))[1]) STORED,
    CONSTRAINT rol_profesional_pkey PRIMARY KEY (fuente, id)
);
ALTER TABLE public.rol_profesional OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.rol_profesional TO hce_app;
GRANT SELECT ON public.rol_profesional TO hce_readonly;
COMMENT ON TABLE public.rol_profesional IS 'FHIR PractitionerRole. Roles de los profesionales / Practitioners'' roles';
COMMENT ON COLUMN public.rol_profesional.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.rol_profesional.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.rol_profesional.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.rol_profesional.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.rol_profesional.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.rol_profesional.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.rol_profesional.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.rol_profesional.claves IS 'PractitionerRole.id. Claves por las que se le nombra / Keys by which it is named';
COMMENT ON COLUMN public.rol_profesional.activo IS 'PractitionerRole.active. Activo / Active';
COMMENT ON COLUMN public.rol_profesional.rol IS 'PractitionerRole.code. Rol / Role';
COMMENT ON COLUMN public.rol_profesional.especialidades IS 'PractitionerRole.specialty. Especialidades / Specialties';
COMMENT ON COLUMN public.rol_profesional.fecha IS 'PractitionerRole.period. Vigencia / Period';
COMMENT ON COLUMN public.rol_profesional.profesional_id IS 'PractitionerRole.practitioner. Profesional / Practitioner';
COMMENT ON COLUMN public.rol_profesional.organizacion_id IS 'PractitionerRole.organization. Organización / Organization';
COMMENT ON COLUMN public.rol_profesional.ubicacion_id IS 'PractitionerRole.location. Primera ubicación / First location';

CREATE TABLE IF NOT EXISTS public.ubicacion (
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    claves text[] GENERATED ALWAYS AS (hce.claves_propias(id, recurso -> 'identifier')) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    nombre text GENERATED ALWAYS AS (recurso ->> 'name') STORED,
    clase text GENERATED ALWAYS AS (recurso #>> '{type,0,coding,0,code}') STORED,
    ciudad text GENERATED ALWAYS AS (recurso #>> '{address,city}') STORED,
    organizacion_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'managingOrganization', 'Organization')) STORED,
    parte_de_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'partOf', 'Location')) STORED,
    CONSTRAINT ubicacion_pkey PRIMARY KEY (fuente, id)
);
ALTER TABLE public.ubicacion OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.ubicacion TO hce_app;
GRANT SELECT ON public.ubicacion TO hce_readonly;
COMMENT ON TABLE public.ubicacion IS 'FHIR Location. Ubicaciones: sedes, servicios, camas / Locations: sites, wards, beds';
COMMENT ON COLUMN public.ubicacion.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.ubicacion.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.ubicacion.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.ubicacion.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.ubicacion.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.ubicacion.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.ubicacion.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.ubicacion.claves IS 'Location.id. Claves por las que se le nombra / Keys by which it is named';
COMMENT ON COLUMN public.ubicacion.estado IS 'Location.status. Estado / Status';
COMMENT ON COLUMN public.ubicacion.nombre IS 'Location.name. Nombre / Name';
COMMENT ON COLUMN public.ubicacion.clase IS 'Location.type. Tipo / Type';
COMMENT ON COLUMN public.ubicacion.ciudad IS 'Location.address.city. Ciudad / City';
COMMENT ON COLUMN public.ubicacion.organizacion_id IS 'Location.managingOrganization. Organización / Organization';
COMMENT ON COLUMN public.ubicacion.parte_de_id IS 'Location.partOf. Parte de / Part of';

CREATE TABLE IF NOT EXISTS public.horario_atencion (
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    claves text[] GENERATED ALWAYS AS (hce.claves_propias(id, recurso -> 'identifier')) STORED,
    activo boolean GENERATED ALWAYS AS (hce.logico(recurso -> 'active')) STORED,
    servicios text[] GENERATED ALWAYS AS (hce.codigos(jsonb_path_query_array(recurso, '$.serviceType.coding[*]'))) STORED,
    fecha tstzrange GENERATED ALWAYS AS (hce.rango_periodo(recurso -> 'planningHorizon')) STORED,
    profesional_id text GENERATED ALWAYS AS ((hce.claves_expresas_de(recurso -> 'actor', 'Practitioner'))[1]) STORED,
    ubicacion_id text GENERATED ALWAYS AS ((hce.claves_expresas_de(recurso -> 'actor', 'Location'))[1]) STORED,
    CONSTRAINT horario_atencion_pkey PRIMARY KEY (fuente, id)
);
ALTER TABLE public.horario_atencion OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.horario_atencion TO hce_app;
GRANT SELECT ON public.horario_atencion TO hce_readonly;
COMMENT ON TABLE public.horario_atencion IS 'FHIR Schedule. Horarios de atención / Schedules';
COMMENT ON COLUMN public.horario_atencion.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.horario_atencion.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.horario_atencion.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.horario_atencion.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.horario_atencion.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.horario_atencion.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.horario_atencion.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.horario_atencion.claves IS 'Schedule.id. Claves por las que se le nombra / Keys by which it is named';
COMMENT ON COLUMN public.horario_atencion.activo IS 'Schedule.active. Activo / Active';
COMMENT ON COLUMN public.horario_atencion.servicios IS 'Schedule.serviceType. Servicios / Service types';
COMMENT ON COLUMN public.horario_atencion.fecha IS 'Schedule.planningHorizon. Horizonte de planeación / Planning horizon';
COMMENT ON COLUMN public.horario_atencion.profesional_id IS 'Schedule.actor. Profesional / Practitioner';
COMMENT ON COLUMN public.horario_atencion.ubicacion_id IS 'Schedule.actor. Ubicación / Location';

CREATE TABLE IF NOT EXISTS public.grupo_pacientes (
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    claves text[] GENERATED ALWAYS AS (hce.claves_propias(id, recurso -> 'identifier')) STORED,
    activo boolean GENERATED ALWAYS AS (hce.logico(recurso -> 'active')) STORED,
    clase text GENERATED ALWAYS AS (recurso ->> 'type') STORED,
    nombre text GENERATED ALWAYS AS (recurso ->> 'name') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{code,coding,0,code}') STORED,
    CONSTRAINT grupo_pacientes_pkey PRIMARY KEY (fuente, id)
);
ALTER TABLE public.grupo_pacientes OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.grupo_pacientes TO hce_app;
GRANT SELECT ON public.grupo_pacientes TO hce_readonly;
COMMENT ON TABLE public.grupo_pacientes IS 'FHIR Group. Grupos de pacientes o de cosas / Groups';
COMMENT ON COLUMN public.grupo_pacientes.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.grupo_pacientes.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.grupo_pacientes.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.grupo_pacientes.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.grupo_pacientes.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.grupo_pacientes.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.grupo_pacientes.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.grupo_pacientes.claves IS 'Group.id. Claves por las que se le nombra / Keys by which it is named';
COMMENT ON COLUMN public.grupo_pacientes.activo IS 'Group.active. Activo / Active';
COMMENT ON COLUMN public.grupo_pacientes.clase IS 'Group.type. Clase de miembros / Kind of members';
COMMENT ON COLUMN public.grupo_pacientes.nombre IS 'Group.name. Nombre / Name';
COMMENT ON COLUMN public.grupo_pacientes.codigo IS 'Group.code. Qué reúne / What it groups';

CREATE TABLE IF NOT EXISTS public.condicion (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'subject', 'Patient')) STORED,
    estado text GENERATED ALWAYS AS (recurso #>> '{clinicalStatus,coding,0,code}') STORED,
    verificacion text GENERATED ALWAYS AS (recurso #>> '{verificationStatus,coding,0,code}') STORED,
    categoria text GENERATED ALWAYS AS (recurso #>> '{category,0,coding,0,code}') STORED,
    severidad text GENERATED ALWAYS AS (recurso #>> '{severity,coding,0,code}') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{code,coding,0,code}') STORED,
    codigos text[] GENERATED ALWAYS AS (hce.codigos(recurso #> '{code,coding}')) STORED,
    fecha tstzrange GENERATED ALWAYS AS (coalesce(hce.rango(recurso ->> 'onsetDateTime'), hce.rango_periodo(recurso -> 'onsetPeriod'), hce.rango(recurso ->> 'recordedDate'))) STORED,
    resuelta tstzrange GENERATED ALWAYS AS (coalesce(hce.rango(recurso ->> 'abatementDateTime'), hce.rango_periodo(recurso -> 'abatementPeriod'))) STORED,
    encuentro_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'encounter', 'Encounter')) STORED,
    profesional_id text GENERATED ALWAYS AS (coalesce(hce.clave_expresa(recurso -> 'recorder', 'Practitioner'), hce.clave_expresa(recurso -> 'asserter', 'Practitioner'))) STORED,
    CONSTRAINT condicion_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT condicion_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.condicion OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.condicion TO hce_app;
GRANT SELECT ON public.condicion TO hce_readonly;
COMMENT ON TABLE public.condicion IS 'FHIR Condition. Condiciones: diagnósticos y problemas / Conditions: diagnoses and problems';
COMMENT ON COLUMN public.condicion.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.condicion.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.condicion.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.condicion.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.condicion.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.condicion.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.condicion.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.condicion.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.condicion.paciente_id IS 'Condition.subject. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.condicion.estado IS 'Condition.clinicalStatus. Estado clínico / Clinical status';
COMMENT ON COLUMN public.condicion.verificacion IS 'Condition.verificationStatus. Verificación / Verification status';
COMMENT ON COLUMN public.condicion.categoria IS 'Condition.category. Categoría / Category';
COMMENT ON COLUMN public.condicion.severidad IS 'Condition.severity. Severidad / Severity';
COMMENT ON COLUMN public.condicion.codigo IS 'Condition.code. Diagnóstico / Diagnosis';
COMMENT ON COLUMN public.condicion.codigos IS 'Condition.code. Todas sus codificaciones / All its codings';
COMMENT ON COLUMN public.condicion.fecha IS 'Condition.onset[x] | Condition.recordedDate. Inicio, o registro / Onset, or recorded';
COMMENT ON COLUMN public.condicion.resuelta IS 'Condition.abatement[x]. Resolución / Abatement';
COMMENT ON COLUMN public.condicion.encuentro_id IS 'Condition.encounter. Encuentro / Encounter';
COMMENT ON COLUMN public.condicion.profesional_id IS 'Condition.recorder | Condition.asserter. Quien la registró / Recorder';

CREATE TABLE IF NOT EXISTS public.procedimiento (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'subject', 'Patient')) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    categoria text GENERATED ALWAYS AS (recurso #>> '{category,coding,0,code}') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{code,coding,0,code}') STORED,
    codigos text[] GENERATED ALWAYS AS (hce.codigos(recurso #> '{code,coding}')) STORED,
    motivos text[] GENERATED ALWAYS AS (hce.codigos(jsonb_path_query_array(recurso, '$.reasonCode.coding[*]'))) STORED,
    fecha tstzrange GENERATED ALWAYS AS (coalesce(hce.rango(recurso ->> 'performedDateTime'), hce.rango_periodo(recurso -> 'performedPeriod'))) STORED,
    encuentro_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'encounter', 'Encounter')) STORED,
    profesional_id text GENERATED ALWAYS AS ((hce.claves_expresas_de(jsonb_path_query_array(recurso, '$.performer.actor'), 'Practitioner'))[1]) STORED,
    ubicacion_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'location', 'Location')) STORED,
    CONSTRAINT procedimiento_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT procedimiento_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.procedimiento OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.procedimiento TO hce_app;
GRANT SELECT ON public.procedimiento TO hce_readonly;
COMMENT ON TABLE public.procedimiento IS 'FHIR Procedure. Procedimientos / Procedures';
COMMENT ON COLUMN public.procedimiento.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.procedimiento.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.procedimiento.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.procedimiento.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.procedimiento.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.procedimiento.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.procedimiento.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.procedimiento.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.procedimiento.paciente_id IS 'Procedure.subject. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.procedimiento.estado IS 'Procedure.status. Estado / Status';
COMMENT ON COLUMN public.procedimiento.categoria IS 'Procedure.category. Categoría / Category';
COMMENT ON COLUMN public.procedimiento.codigo IS 'Procedure.code. Procedimiento / Procedure';
COMMENT ON COLUMN public.procedimiento.codigos IS 'Procedure.code. Todas sus codificaciones / All its codings';
COMMENT ON COLUMN public.procedimiento.motivos IS 'Procedure.reasonCode. Motivos / Reasons';
COMMENT ON COLUMN public.procedimiento.fecha IS 'Procedure.performed[x]. Cuándo / When';
COMMENT ON COLUMN public.procedimiento.encuentro_id IS 'Procedure.encounter. Encuentro / Encounter';
COMMENT ON COLUMN public.procedimiento.profesional_id IS 'Procedure.performer.actor. Profesional / Practitioner';
COMMENT ON COLUMN public.procedimiento.ubicacion_id IS 'Procedure.location. Ubicación / Location';

CREATE TABLE IF NOT EXISTS public.alergia_intolerancia (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'patient', 'Patient')) STORED,
    estado text GENERATED ALWAYS AS (recurso #>> '{clinicalStatus,coding,0,code}') STORED,
    verificacion text GENERATED ALWAYS AS (recurso #>> '{verificationStatus,coding,0,code}') STORED,
    clase text GENERATED ALWAYS AS (recurso ->> 'type') STORED,
    categoria text GENERATED ALWAYS AS (recurso #>> '{category,0}') STORED,
    criticidad text GENERATED ALWAYS AS (recurso ->> 'criticality') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{code,coding,0,code}') STORED,
    codigos text[] GENERATED ALWAYS AS (hce.codigos(recurso #> '{code,coding}')) STORED,
    fecha tstzrange GENERATED ALWAYS AS (coalesce(hce.rango(recurso ->> 'onsetDateTime'), hce.rango_periodo(recurso -> 'onsetPeriod'), hce.rango(recurso ->> 'recordedDate'))) STORED,
    encuentro_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'encounter', 'Encounter')) STORED,
    CONSTRAINT alergia_intolerancia_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT alergia_intolerancia_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.alergia_intolerancia OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.alergia_intolerancia TO hce_app;
GRANT SELECT ON public.alergia_intolerancia TO hce_readonly;
COMMENT ON TABLE public.alergia_intolerancia IS 'FHIR AllergyIntolerance. Alergias e intolerancias / Allergies and intolerances';
COMMENT ON COLUMN public.alergia_intolerancia.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.alergia_intolerancia.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.alergia_intolerancia.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.alergia_intolerancia.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.alergia_intolerancia.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.alergia_intolerancia.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.alergia_intolerancia.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.alergia_intolerancia.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.alergia_intolerancia.paciente_id IS 'AllergyIntolerance.patient. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.alergia_intolerancia.estado IS 'AllergyIntolerance.clinicalStatus. Estado clínico / Clinical status';
COMMENT ON COLUMN public.alergia_intolerancia.verificacion IS 'AllergyIntolerance.verificationStatus. Verificación / Verification status';
COMMENT ON COLUMN public.alergia_intolerancia.clase IS 'AllergyIntolerance.type. Alergia o intolerancia / Allergy or intolerance';
COMMENT ON COLUMN public.alergia_intolerancia.categoria IS 'AllergyIntolerance.category. Categoría / Category';
COMMENT ON COLUMN public.alergia_intolerancia.criticidad IS 'AllergyIntolerance.criticality. Criticidad / Criticality';
COMMENT ON COLUMN public.alergia_intolerancia.codigo IS 'AllergyIntolerance.code. Sustancia / Substance';
COMMENT ON COLUMN public.alergia_intolerancia.codigos IS 'AllergyIntolerance.code. Todas sus codificaciones / All its codings';
COMMENT ON COLUMN public.alergia_intolerancia.fecha IS 'AllergyIntolerance.onset[x] | AllergyIntolerance.recordedDate. Inicio, o registro / Onset, or recorded';
COMMENT ON COLUMN public.alergia_intolerancia.encuentro_id IS 'AllergyIntolerance.encounter. Encuentro / Encounter';

CREATE TABLE IF NOT EXISTS public.inmunizacion (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'patient', 'Patient')) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{vaccineCode,coding,0,code}') STORED,
    codigos text[] GENERATED ALWAYS AS (hce.codigos(recurso #> '{vaccineCode,coding}')) STORED,
    fecha tstzrange GENERATED ALWAYS AS (hce.rango(recurso ->> 'occurrenceDateTime')) STORED,
    lote text GENERATED ALWAYS AS (recurso ->> 'lotNumber') STORED,
    encuentro_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'encounter', 'Encounter')) STORED,
    profesional_id text GENERATED ALWAYS AS ((hce.claves_expresas_de(jsonb_path_query_array(recurso, '$.performer.actor'), 'Practitioner'))[1]) STORED,
    CONSTRAINT inmunizacion_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT inmunizacion_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.inmunizacion OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.inmunizacion TO hce_app;
GRANT SELECT ON public.inmunizacion TO hce_readonly;
COMMENT ON TABLE public.inmunizacion IS 'FHIR Immunization. Vacunas aplicadas / Immunizations';
COMMENT ON COLUMN public.inmunizacion.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.inmunizacion.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.inmunizacion.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.inmunizacion.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.inmunizacion.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.inmunizacion.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.inmunizacion.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.inmunizacion.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.inmunizacion.paciente_id IS 'Immunization.patient. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.inmunizacion.estado IS 'Immunization.status. Estado / Status';
COMMENT ON COLUMN public.inmunizacion.codigo IS 'Immunization.vaccineCode. Vacuna / Vaccine';
COMMENT ON COLUMN public.inmunizacion.codigos IS 'Immunization.vaccineCode. Todas sus codificaciones / All its codings';
COMMENT ON COLUMN public.inmunizacion.fecha IS 'Immunization.occurrence[x]. Cuándo / When';
COMMENT ON COLUMN public.inmunizacion.lote IS 'Immunization.lotNumber. Lote / Lot number';
COMMENT ON COLUMN public.inmunizacion.encuentro_id IS 'Immunization.encounter. Encuentro / Encounter';
COMMENT ON COLUMN public.inmunizacion.profesional_id IS 'Immunization.performer.actor. Profesional / Practitioner';

CREATE TABLE IF NOT EXISTS public.antecedente_familiar (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'patient', 'Patient')) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    parentesco text GENERATED ALWAYS AS (recurso #>> '{relationship,coding,0,code}') STORED,
    codigos text[] GENERATED ALWAYS AS (hce.codigos(jsonb_path_query_array(recurso, '$.condition.code.coding[*]'))) STORED,
    fecha tstzrange GENERATED ALWAYS AS (hce.rango(recurso ->> 'date')) STORED,
    CONSTRAINT antecedente_familiar_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT antecedente_familiar_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.antecedente_familiar OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.antecedente_familiar TO hce_app;
GRANT SELECT ON public.antecedente_familiar TO hce_readonly;
COMMENT ON TABLE public.antecedente_familiar IS 'FHIR FamilyMemberHistory. Antecedentes familiares / Family history';
COMMENT ON COLUMN public.antecedente_familiar.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.antecedente_familiar.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.antecedente_familiar.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.antecedente_familiar.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.antecedente_familiar.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.antecedente_familiar.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.antecedente_familiar.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.antecedente_familiar.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.antecedente_familiar.paciente_id IS 'FamilyMemberHistory.patient. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.antecedente_familiar.estado IS 'FamilyMemberHistory.status. Estado / Status';
COMMENT ON COLUMN public.antecedente_familiar.parentesco IS 'FamilyMemberHistory.relationship. Parentesco / Relationship';
COMMENT ON COLUMN public.antecedente_familiar.codigos IS 'FamilyMemberHistory.condition.code. Enfermedades / Conditions';
COMMENT ON COLUMN public.antecedente_familiar.fecha IS 'FamilyMemberHistory.date. Cuándo se registró / When recorded';

CREATE TABLE IF NOT EXISTS public.evaluacion_riesgo (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'subject', 'Patient')) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{code,coding,0,code}') STORED,
    fecha tstzrange GENERATED ALWAYS AS (coalesce(hce.rango(recurso ->> 'occurrenceDateTime'), hce.rango_periodo(recurso -> 'occurrencePeriod'))) STORED,
    encuentro_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'encounter', 'Encounter')) STORED,
    condicion_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'condition', 'Condition')) STORED,
    profesional_id text GENERATED ALWAYS AS (hce.clave_expresa(recurso -> 'performer', 'Practitioner')) STORED,
    CONSTRAINT evaluacion_riesgo_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT evaluacion_riesgo_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.evaluacion_riesgo OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.evaluacion_riesgo TO hce_app;
GRANT SELECT ON public.evaluacion_riesgo TO hce_readonly;
COMMENT ON TABLE public.evaluacion_riesgo IS 'FHIR RiskAssessment. Evaluaciones de riesgo / Risk assessments';
COMMENT ON COLUMN public.evaluacion_riesgo.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.evaluacion_riesgo.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.evaluacion_riesgo.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.evaluacion_riesgo.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.evaluacion_riesgo.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.evaluacion_riesgo.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.evaluacion_riesgo.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.evaluacion_riesgo.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.evaluacion_riesgo.paciente_id IS 'RiskAssessment.subject. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.evaluacion_riesgo.estado IS 'RiskAssessment.status. Estado / Status';
COMMENT ON COLUMN public.evaluacion_riesgo.codigo IS 'RiskAssessment.code. Tipo de evaluación / Type';
COMMENT ON COLUMN public.evaluacion_riesgo.fecha IS 'RiskAssessment.occurrence[x]. Cuándo / When';
COMMENT ON COLUMN public.evaluacion_riesgo.encuentro_id IS 'RiskAssessment.encounter. Encuentro / Encounter';
COMMENT ON COLUMN public.evaluacion_riesgo.condicion_id IS 'RiskAssessment.condition. Condición evaluada / Condition assessed';
COMMENT ON COLUMN public.evaluacion_riesgo.profesional_id IS 'RiskAssessment.performer. Profesional / Practitioner';

CREATE TABLE IF NOT EXISTS public.impresion_clinica (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'subject', 'Patient')) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{code,coding,0,code}') STORED,
    resumen text GENERATED ALWAYS AS (recurso ->> 'summary') STORED,
    fecha tstzrange GENERATED ALWAYS AS (coalesce(hce.rango(recurso ->> 'effectiveDateTime'), hce.rango_periodo(recurso -> 'effectivePeriod'), hce.rango(recurso ->> 'date'))) STORED,
    encuentro_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'encounter', 'Encounter')) STORED,
    profesional_id text GENERATED ALWAYS AS (hce.clave_expresa(recurso -> 'assessor', 'Practitioner')) STORED,
    CONSTRAINT impresion_clinica_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT impresion_clinica_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.impresion_clinica OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.impresion_clinica TO hce_app;
GRANT SELECT ON public.impresion_clinica TO hce_readonly;
COMMENT ON TABLE public.impresion_clinica IS 'FHIR ClinicalImpression. Impresiones clínicas / Clinical impressions';
COMMENT ON COLUMN public.impresion_clinica.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.impresion_clinica.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.impresion_clinica.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.impresion_clinica.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.impresion_clinica.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.impresion_clinica.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.impresion_clinica.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.impresion_clinica.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.impresion_clinica.paciente_id IS 'ClinicalImpression.subject. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.impresion_clinica.estado IS 'ClinicalImpression.status. Estado / Status';
COMMENT ON COLUMN public.impresion_clinica.codigo IS 'ClinicalImpression.code. Tipo / Type';
COMMENT ON COLUMN public.impresion_clinica.resumen IS 'ClinicalImpression.summary. Resumen / Summary';
COMMENT ON COLUMN public.impresion_clinica.fecha IS 'ClinicalImpression.effective[x] | ClinicalImpression.date. Cuándo / When';
COMMENT ON COLUMN public.impresion_clinica.encuentro_id IS 'ClinicalImpression.encounter. Encuentro / Encounter';
COMMENT ON COLUMN public.impresion_clinica.profesional_id IS 'ClinicalImpression.assessor. Profesional / Practitioner';

CREATE TABLE IF NOT EXISTS public.alerta (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'subject', 'Patient')) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    categoria text GENERATED ALWAYS AS (recurso #>> '{category,0,coding,0,code}') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{code,coding,0,code}') STORED,
    fecha tstzrange GENERATED ALWAYS AS (hce.rango_periodo(recurso -> 'period')) STORED,
    encuentro_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'encounter', 'Encounter')) STORED,
    CONSTRAINT alerta_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT alerta_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.alerta OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.alerta TO hce_app;
GRANT SELECT ON public.alerta TO hce_readonly;
COMMENT ON TABLE public.alerta IS 'FHIR Flag. Alertas / Flags';
COMMENT ON COLUMN public.alerta.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.alerta.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.alerta.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.alerta.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.alerta.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.alerta.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.alerta.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.alerta.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.alerta.paciente_id IS 'Flag.subject. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.alerta.estado IS 'Flag.status. Estado / Status';
COMMENT ON COLUMN public.alerta.categoria IS 'Flag.category. Categoría / Category';
COMMENT ON COLUMN public.alerta.codigo IS 'Flag.code. Alerta / Flag';
COMMENT ON COLUMN public.alerta.fecha IS 'Flag.period. Vigencia / Period';
COMMENT ON COLUMN public.alerta.encuentro_id IS 'Flag.encounter. Encuentro / Encounter';

CREATE TABLE IF NOT EXISTS public.dispositivo (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'patient', 'Patient')) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{type,coding,0,code}') STORED,
    fabricante text GENERATED ALWAYS AS (recurso ->> 'manufacturer') STORED,
    modelo text GENERATED ALWAYS AS (recurso ->> 'modelNumber') STORED,
    serie text GENERATED ALWAYS AS (recurso ->> 'serialNumber') STORED,
    organizacion_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'owner', 'Organization')) STORED,
    ubicacion_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'location', 'Location')) STORED,
    CONSTRAINT dispositivo_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT dispositivo_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.dispositivo OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.dispositivo TO hce_app;
GRANT SELECT ON public.dispositivo TO hce_readonly;
COMMENT ON TABLE public.dispositivo IS 'FHIR Device. Dispositivos de pacientes / Patients'' devices';
COMMENT ON COLUMN public.dispositivo.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.dispositivo.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.dispositivo.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.dispositivo.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.dispositivo.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.dispositivo.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.dispositivo.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.dispositivo.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.dispositivo.paciente_id IS 'Device.patient. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.dispositivo.estado IS 'Device.status. Estado / Status';
COMMENT ON COLUMN public.dispositivo.codigo IS 'Device.type. Tipo / Type';
COMMENT ON COLUMN public.dispositivo.fabricante IS 'Device.manufacturer. Fabricante / Manufacturer';
COMMENT ON COLUMN public.dispositivo.modelo IS 'Device.modelNumber. Modelo / Model';
COMMENT ON COLUMN public.dispositivo.serie IS 'Device.serialNumber. Número de serie / Serial number';
COMMENT ON COLUMN public.dispositivo.organizacion_id IS 'Device.owner. Propietario / Owner';
COMMENT ON COLUMN public.dispositivo.ubicacion_id IS 'Device.location. Ubicación / Location';

CREATE TABLE IF NOT EXISTS public.medicamento (
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    claves text[] GENERATED ALWAYS AS (hce.claves_propias(id, recurso -> 'identifier')) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{code,coding,0,code}') STORED,
    codigos text[] GENERATED ALWAYS AS (hce.codigos(recurso #> '{code,coding}')) STORED,
    forma text GENERATED ALWAYS AS (recurso #>> '{form,coding,0,code}') STORED,
    organizacion_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'manufacturer', 'Organization')) STORED,
    CONSTRAINT medicamento_pkey PRIMARY KEY (fuente, id)
);
ALTER TABLE public.medicamento OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.medicamento TO hce_app;
GRANT SELECT ON public.medicamento TO hce_readonly;
COMMENT ON TABLE public.medicamento IS 'FHIR Medication. Medicamentos / Medications';
COMMENT ON COLUMN public.medicamento.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.medicamento.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.medicamento.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.medicamento.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.medicamento.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.medicamento.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.medicamento.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.medicamento.claves IS 'Medication.id. Claves por las que se le nombra / Keys by which it is named';
COMMENT ON COLUMN public.medicamento.estado IS 'Medication.status. Estado / Status';
COMMENT ON COLUMN public.medicamento.codigo IS 'Medication.code. Código / Code';
COMMENT ON COLUMN public.medicamento.codigos IS 'Medication.code. Todas sus codificaciones / All its codings';
COMMENT ON COLUMN public.medicamento.forma IS 'Medication.form. Forma farmacéutica / Form';
COMMENT ON COLUMN public.medicamento.organizacion_id IS 'Medication.manufacturer. Fabricante / Manufacturer';

CREATE TABLE IF NOT EXISTS public.solicitud_medicamento (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'subject', 'Patient')) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    intencion text GENERATED ALWAYS AS (recurso ->> 'intent') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{medicationCodeableConcept,coding,0,code}') STORED,
    codigos text[] GENERATED ALWAYS AS (hce.codigos(recurso #> '{medicationCodeableConcept,coding}')) STORED,
    medicamento_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'medicationReference', 'Medication')) STORED,
    fecha tstzrange GENERATED ALWAYS AS (hce.rango(recurso ->> 'authoredOn')) STORED,
    encuentro_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'encounter', 'Encounter')) STORED,
    profesional_id text GENERATED ALWAYS AS (hce.clave_expresa(recurso -> 'requester', 'Practitioner')) STORED,
    CONSTRAINT solicitud_medicamento_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT solicitud_medicamento_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.solicitud_medicamento OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.solicitud_medicamento TO hce_app;
GRANT SELECT ON public.solicitud_medicamento TO hce_readonly;
COMMENT ON TABLE public.solicitud_medicamento IS 'FHIR MedicationRequest. Fórmulas médicas / Medication requests';
COMMENT ON COLUMN public.solicitud_medicamento.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.solicitud_medicamento.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.solicitud_medicamento.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.solicitud_medicamento.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.solicitud_medicamento.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.solicitud_medicamento.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.solicitud_medicamento.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.solicitud_medicamento.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.solicitud_medicamento.paciente_id IS 'MedicationRequest.subject. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.solicitud_medicamento.estado IS 'MedicationRequest.status. Estado / Status';
COMMENT ON COLUMN public.solicitud_medicamento.intencion IS 'MedicationRequest.intent. Intención / Intent';
COMMENT ON COLUMN public.solicitud_medicamento.codigo IS 'MedicationRequest.medicationCodeableConcept. Medicamento, codificado / Medication, coded';
COMMENT ON COLUMN public.solicitud_medicamento.codigos IS 'MedicationRequest.medicationCodeableConcept. Todas sus codificaciones / All its codings';
COMMENT ON COLUMN public.solicitud_medicamento.medicamento_id IS 'MedicationRequest.medicationReference. Medicamento / Medication';
COMMENT ON COLUMN public.solicitud_medicamento.fecha IS 'MedicationRequest.authoredOn. Cuándo se formuló / When written';
COMMENT ON COLUMN public.solicitud_medicamento.encuentro_id IS 'MedicationRequest.encounter. Encuentro / Encounter';
COMMENT ON COLUMN public.solicitud_medicamento.profesional_id IS 'MedicationRequest.requester. Quien formula / Requester';

CREATE TABLE IF NOT EXISTS public.dispensacion_medicamento (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (coalesce(hce.clave(recurso -> 'subject', 'Patient'), (hce.claves_expresas_de(recurso -> 'receiver', 'Patient'))[1])) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{medicationCodeableConcept,coding,0,code}') STORED,
    codigos text[] GENERATED ALWAYS AS (hce.codigos(recurso #> '{medicationCodeableConcept,coding}')) STORED,
    medicamento_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'medicationReference', 'Medication')) STORED,
    fecha tstzrange GENERATED ALWAYS AS (coalesce(hce.rango(recurso ->> 'whenHandedOver'), hce.rango(recurso ->> 'whenPrepared'))) STORED,
    cantidad numeric GENERATED ALWAYS AS (hce.numero(recurso #> '{quantity,value}')) STORED,
    unidad text GENERATED ALWAYS AS (coalesce(recurso #>> '{quantity,code}', recurso #>> '{quantity,unit}')) STORED,
    solicitud_id text GENERATED ALWAYS AS ((hce.claves_de(recurso -> 'authorizingPrescription', 'MedicationRequest'))[1]) STORED,
    profesional_id text GENERATED ALWAYS AS ((hce.claves_expresas_de(jsonb_path_query_array(recurso, '$.performer.actor'), 'Practitioner'))[1]) STORED,
    CONSTRAINT dispensacion_medicamento_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT dispensacion_medicamento_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.dispensacion_medicamento OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.dispensacion_medicamento TO hce_app;
GRANT SELECT ON public.dispensacion_medicamento TO hce_readonly;
COMMENT ON TABLE public.dispensacion_medicamento IS 'FHIR MedicationDispense. Medicamentos dispensados / Medication dispenses';
COMMENT ON COLUMN public.dispensacion_medicamento.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.dispensacion_medicamento.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.dispensacion_medicamento.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.dispensacion_medicamento.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.dispensacion_medicamento.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.dispensacion_medicamento.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.dispensacion_medicamento.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.dispensacion_medicamento.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.dispensacion_medicamento.paciente_id IS 'MedicationDispense.subject | MedicationDispense.receiver. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.dispensacion_medicamento.estado IS 'MedicationDispense.status. Estado / Status';
COMMENT ON COLUMN public.dispensacion_medicamento.codigo IS 'MedicationDispense.medicationCodeableConcept. Medicamento, codificado / Medication, coded';
COMMENT ON COLUMN public.dispensacion_medicamento.codigos IS 'MedicationDispense.medicationCodeableConcept. Todas sus codificaciones / All its codings';
COMMENT ON COLUMN public.dispensacion_medicamento.medicamento_id IS 'MedicationDispense.medicationReference. Medicamento / Medication';
COMMENT ON COLUMN public.dispensacion_medicamento.fecha IS 'MedicationDispense.whenHandedOver | MedicationDispense.whenPrepared. Cuándo se entregó o preparó / When handed over or prepared';
COMMENT ON COLUMN public.dispensacion_medicamento.cantidad IS 'MedicationDispense.quantity. Cantidad / Quantity';
COMMENT ON COLUMN public.dispensacion_medicamento.unidad IS 'MedicationDispense.quantity.code | MedicationDispense.quantity.unit. Unidad / Unit';
COMMENT ON COLUMN public.dispensacion_medicamento.solicitud_id IS 'MedicationDispense.authorizingPrescription. Fórmula / Prescription';
COMMENT ON COLUMN public.dispensacion_medicamento.profesional_id IS 'MedicationDispense.performer.actor. Quien dispensa / Dispenser';

CREATE TABLE IF NOT EXISTS public.administracion_medicamento (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'subject', 'Patient')) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{medicationCodeableConcept,coding,0,code}') STORED,
    codigos text[] GENERATED ALWAYS AS (hce.codigos(recurso #> '{medicationCodeableConcept,coding}')) STORED,
    medicamento_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'medicationReference', 'Medication')) STORED,
    fecha tstzrange GENERATED ALWAYS AS (coalesce(hce.rango(recurso ->> 'effectiveDateTime'), hce.rango_periodo(recurso -> 'effectivePeriod'))) STORED,
    dosis numeric GENERATED ALWAYS AS (hce.numero(recurso #> '{dosage,dose,value}')) STORED,
    unidad text GENERATED ALWAYS AS (coalesce(recurso #>> '{dosage,dose,code}', recurso #>> '{dosage,dose,unit}')) STORED,
    encuentro_id text GENERATED ALWAYS AS (hce.clave_expresa(recurso -> 'context', 'Encounter')) STORED,
    solicitud_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'request', 'MedicationRequest')) STORED,
    profesional_id text GENERATED ALWAYS AS ((hce.claves_expresas_de(jsonb_path_query_array(recurso, '$.performer.actor'), 'Practitioner'))[1]) STORED,
    CONSTRAINT administracion_medicamento_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT administracion_medicamento_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.administracion_medicamento OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.administracion_medicamento TO hce_app;
GRANT SELECT ON public.administracion_medicamento TO hce_readonly;
COMMENT ON TABLE public.administracion_medicamento IS 'FHIR MedicationAdministration. Medicamentos administrados / Medication administrations';
COMMENT ON COLUMN public.administracion_medicamento.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.administracion_medicamento.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.administracion_medicamento.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.administracion_medicamento.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.administracion_medicamento.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.administracion_medicamento.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.administracion_medicamento.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.administracion_medicamento.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.administracion_medicamento.paciente_id IS 'MedicationAdministration.subject. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.administracion_medicamento.estado IS 'MedicationAdministration.status. Estado / Status';
COMMENT ON COLUMN public.administracion_medicamento.codigo IS 'MedicationAdministration.medicationCodeableConcept. Medicamento, codificado / Medication, coded';
COMMENT ON COLUMN public.administracion_medicamento.codigos IS 'MedicationAdministration.medicationCodeableConcept. Todas sus codificaciones / All its codings';
COMMENT ON COLUMN public.administracion_medicamento.medicamento_id IS 'MedicationAdministration.medicationReference. Medicamento / Medication';
COMMENT ON COLUMN public.administracion_medicamento.fecha IS 'MedicationAdministration.effective[x]. Cuándo / When';
COMMENT ON COLUMN public.administracion_medicamento.dosis IS 'MedicationAdministration.dosage.dose. Dosis / Dose';
COMMENT ON COLUMN public.administracion_medicamento.unidad IS 'MedicationAdministration.dosage.dose.code | MedicationAdministration.dosage.dose.unit. Unidad / Unit';
COMMENT ON COLUMN public.administracion_medicamento.encuentro_id IS 'MedicationAdministration.context. Encuentro / Encounter';
COMMENT ON COLUMN public.administracion_medicamento.solicitud_id IS 'MedicationAdministration.request. Fórmula / Request';
COMMENT ON COLUMN public.administracion_medicamento.profesional_id IS 'MedicationAdministration.performer.actor. Quien administra / Performer';

CREATE TABLE IF NOT EXISTS public.declaracion_medicamento (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'subject', 'Patient')) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{medicationCodeableConcept,coding,0,code}') STORED,
    codigos text[] GENERATED ALWAYS AS (hce.codigos(recurso #> '{medicationCodeableConcept,coding}')) STORED,
    medicamento_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'medicationReference', 'Medication')) STORED,
    fecha tstzrange GENERATED ALWAYS AS (coalesce(hce.rango(recurso ->> 'effectiveDateTime'), hce.rango_periodo(recurso -> 'effectivePeriod'), hce.rango(recurso ->> 'dateAsserted'))) STORED,
    encuentro_id text GENERATED ALWAYS AS (hce.clave_expresa(recurso -> 'context', 'Encounter')) STORED,
    CONSTRAINT declaracion_medicamento_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT declaracion_medicamento_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.declaracion_medicamento OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.declaracion_medicamento TO hce_app;
GRANT SELECT ON public.declaracion_medicamento TO hce_readonly;
COMMENT ON TABLE public.declaracion_medicamento IS 'FHIR MedicationStatement. Medicamentos que el paciente toma / Medication statements';
COMMENT ON COLUMN public.declaracion_medicamento.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.declaracion_medicamento.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.declaracion_medicamento.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.declaracion_medicamento.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.declaracion_medicamento.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.declaracion_medicamento.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.declaracion_medicamento.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.declaracion_medicamento.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.declaracion_medicamento.paciente_id IS 'MedicationStatement.subject. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.declaracion_medicamento.estado IS 'MedicationStatement.status. Estado / Status';
COMMENT ON COLUMN public.declaracion_medicamento.codigo IS 'MedicationStatement.medicationCodeableConcept. Medicamento, codificado / Medication, coded';
COMMENT ON COLUMN public.declaracion_medicamento.codigos IS 'MedicationStatement.medicationCodeableConcept. Todas sus codificaciones / All its codings';
COMMENT ON COLUMN public.declaracion_medicamento.medicamento_id IS 'MedicationStatement.medicationReference. Medicamento / Medication';
COMMENT ON COLUMN public.declaracion_medicamento.fecha IS 'MedicationStatement.effective[x] | MedicationStatement.dateAsserted. Cuándo / When';
COMMENT ON COLUMN public.declaracion_medicamento.encuentro_id IS 'MedicationStatement.context. Encuentro / Encounter';

CREATE TABLE IF NOT EXISTS public.observacion (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (coalesce(hce.clave(recurso -> 'subject', 'Patient'), (hce.claves_expresas_de(recurso -> 'performer', 'Patient'))[1])) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    categoria text GENERATED ALWAYS AS (recurso #>> '{category,0,coding,0,code}') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{code,coding,0,code}') STORED,
    codigos text[] GENERATED ALWAYS AS (hce.codigos(recurso #> '{code,coding}')) STORED,
    fecha tstzrange GENERATED ALWAYS AS (coalesce(hce.rango(recurso ->> 'effectiveDateTime'), hce.rango_periodo(recurso -> 'effectivePeriod'), hce.rango_horario(recurso -> 'effectiveTiming'), hce.rango(recurso ->> 'effectiveInstant'))) STORED,
    valor numeric GENERATED ALWAYS AS (coalesce(hce.numero(recurso #> '{valueQuantity,value}'), hce.numero(recurso -> 'valueInteger'))) STORED,
    unidad text GENERATED ALWAYS AS (coalesce(recurso #>> '{valueQuantity,code}', recurso #>> '{valueQuantity,unit}')) STORED,
    valor_texto text GENERATED ALWAYS AS (recurso ->> 'valueString') STORED,
    valor_codigo text GENERATED ALWAYS AS (recurso #>> '{valueCodeableConcept,coding,0,code}') STORED,
    encuentro_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'encounter', 'Encounter')) STORED,
    profesional_id text GENERATED ALWAYS AS ((hce.claves_expresas_de(recurso -> 'performer', 'Practitioner'))[1]) STORED,
    especimen_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'specimen', 'Specimen')) STORED,
    CONSTRAINT observacion_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT observacion_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.observacion OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.observacion TO hce_app;
GRANT SELECT ON public.observacion TO hce_readonly;
COMMENT ON TABLE public.observacion IS 'FHIR Observation. Observaciones: signos vitales, laboratorio, hallazgos / Observations: vital signs, laboratory, findings';
COMMENT ON COLUMN public.observacion.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.observacion.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.observacion.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.observacion.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.observacion.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.observacion.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.observacion.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.observacion.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.observacion.paciente_id IS 'Observation.subject | Observation.performer. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.observacion.estado IS 'Observation.status. Estado / Status';
COMMENT ON COLUMN public.observacion.categoria IS 'Observation.category. Categoría / Category';
COMMENT ON COLUMN public.observacion.codigo IS 'Observation.code. Qué se observó / What was observed';
COMMENT ON COLUMN public.observacion.codigos IS 'Observation.code. Todas sus codificaciones / All its codings';
COMMENT ON COLUMN public.observacion.fecha IS 'Observation.effective[x]. Cuándo vale / When it holds';
COMMENT ON COLUMN public.observacion.valor IS 'Observation.value[x]. Valor numérico / Numeric value';
COMMENT ON COLUMN public.observacion.unidad IS 'Observation.valueQuantity.code | Observation.valueQuantity.unit. Unidad / Unit';
COMMENT ON COLUMN public.observacion.valor_texto IS 'Observation.valueString. Valor en texto / Text value';
COMMENT ON COLUMN public.observacion.valor_codigo IS 'Observation.valueCodeableConcept. Valor codificado / Coded value';
COMMENT ON COLUMN public.observacion.encuentro_id IS 'Observation.encounter. Encuentro / Encounter';
COMMENT ON COLUMN public.observacion.profesional_id IS 'Observation.performer. Profesional / Practitioner';
COMMENT ON COLUMN public.observacion.especimen_id IS 'Observation.specimen. Espécimen / Specimen';

CREATE TABLE IF NOT EXISTS public.informe_diagnostico (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'subject', 'Patient')) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    categoria text GENERATED ALWAYS AS (recurso #>> '{category,0,coding,0,code}') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{code,coding,0,code}') STORED,
    codigos text[] GENERATED ALWAYS AS (hce.codigos(recurso #> '{code,coding}')) STORED,
    fecha tstzrange GENERATED ALWAYS AS (coalesce(hce.rango(recurso ->> 'effectiveDateTime'), hce.rango_periodo(recurso -> 'effectivePeriod'), hce.rango(recurso ->> 'issued'))) STORED,
    conclusion text GENERATED ALWAYS AS (recurso ->> 'conclusion') STORED,
    encuentro_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'encounter', 'Encounter')) STORED,
    profesional_id text GENERATED ALWAYS AS ((hce.claves_expresas_de(recurso -> 'performer', 'Practitioner'))[1]) STORED,
    organizacion_id text GENERATED ALWAYS AS ((hce.claves_expresas_de(recurso -> 'performer', 'Organization'))[1]) STORED,
    observaciones text[] GENERATED ALWAYS AS (hce.claves_de(recurso -> 'result', 'Observation')) STORED,
    CONSTRAINT informe_diagnostico_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT informe_diagnostico_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.informe_diagnostico OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.informe_diagnostico TO hce_app;
GRANT SELECT ON public.informe_diagnostico TO hce_readonly;
COMMENT ON TABLE public.informe_diagnostico IS 'FHIR DiagnosticReport. Informes de diagnóstico / Diagnostic reports';
COMMENT ON COLUMN public.informe_diagnostico.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.informe_diagnostico.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.informe_diagnostico.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.informe_diagnostico.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.informe_diagnostico.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.informe_diagnostico.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.informe_diagnostico.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.informe_diagnostico.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.informe_diagnostico.paciente_id IS 'DiagnosticReport.subject. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.informe_diagnostico.estado IS 'DiagnosticReport.status. Estado / Status';
COMMENT ON COLUMN public.informe_diagnostico.categoria IS 'DiagnosticReport.category. Categoría / Category';
COMMENT ON COLUMN public.informe_diagnostico.codigo IS 'DiagnosticReport.code. Qué informa / What it reports';
COMMENT ON COLUMN public.informe_diagnostico.codigos IS 'DiagnosticReport.code. Todas sus codificaciones / All its codings';
COMMENT ON COLUMN public.informe_diagnostico.fecha IS 'DiagnosticReport.effective[x] | DiagnosticReport.issued. Cuándo vale, o se emitió / When it holds, or was issued';
COMMENT ON COLUMN public.informe_diagnostico.conclusion IS 'DiagnosticReport.conclusion. Conclusión / Conclusion';
COMMENT ON COLUMN public.informe_diagnostico.encuentro_id IS 'DiagnosticReport.encounter. Encuentro / Encounter';
COMMENT ON COLUMN public.informe_diagnostico.profesional_id IS 'DiagnosticReport.performer. Profesional / Practitioner';
COMMENT ON COLUMN public.informe_diagnostico.organizacion_id IS 'DiagnosticReport.performer. Organización / Organization';
COMMENT ON COLUMN public.informe_diagnostico.observaciones IS 'DiagnosticReport.result. Resultados / Results';

CREATE TABLE IF NOT EXISTS public.solicitud_servicio (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'subject', 'Patient')) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    intencion text GENERATED ALWAYS AS (recurso ->> 'intent') STORED,
    prioridad text GENERATED ALWAYS AS (recurso ->> 'priority') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{code,coding,0,code}') STORED,
    codigos text[] GENERATED ALWAYS AS (hce.codigos(recurso #> '{code,coding}')) STORED,
    fecha tstzrange GENERATED ALWAYS AS (coalesce(hce.rango(recurso ->> 'authoredOn'), hce.rango(recurso ->> 'occurrenceDateTime'), hce.rango_periodo(recurso -> 'occurrencePeriod'), hce.rango_horario(recurso -> 'occurrenceTiming'))) STORED,
    encuentro_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'encounter', 'Encounter')) STORED,
    profesional_id text GENERATED ALWAYS AS (hce.clave_expresa(recurso -> 'requester', 'Practitioner')) STORED,
    CONSTRAINT solicitud_servicio_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT solicitud_servicio_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.solicitud_servicio OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.solicitud_servicio TO hce_app;
GRANT SELECT ON public.solicitud_servicio TO hce_readonly;
COMMENT ON TABLE public.solicitud_servicio IS 'FHIR ServiceRequest. Órdenes: exámenes, procedimientos, remisiones / Service requests: tests, procedures, referrals';
COMMENT ON COLUMN public.solicitud_servicio.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.solicitud_servicio.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.solicitud_servicio.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.solicitud_servicio.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.solicitud_servicio.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.solicitud_servicio.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.solicitud_servicio.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.solicitud_servicio.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.solicitud_servicio.paciente_id IS 'ServiceRequest.subject. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.solicitud_servicio.estado IS 'ServiceRequest.status. Estado / Status';
COMMENT ON COLUMN public.solicitud_servicio.intencion IS 'ServiceRequest.intent. Intención / Intent';
COMMENT ON COLUMN public.solicitud_servicio.prioridad IS 'ServiceRequest.priority. Prioridad / Priority';
COMMENT ON COLUMN public.solicitud_servicio.codigo IS 'ServiceRequest.code. Qué se pide / What is asked for';
COMMENT ON COLUMN public.solicitud_servicio.codigos IS 'ServiceRequest.code. Todas sus codificaciones / All its codings';
COMMENT ON COLUMN public.solicitud_servicio.fecha IS 'ServiceRequest.authoredOn | ServiceRequest.occurrence[x]. Cuándo se pidió / When asked for';
COMMENT ON COLUMN public.solicitud_servicio.encuentro_id IS 'ServiceRequest.encounter. Encuentro / Encounter';
COMMENT ON COLUMN public.solicitud_servicio.profesional_id IS 'ServiceRequest.requester. Quien pide / Requester';

CREATE TABLE IF NOT EXISTS public.especimen (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'subject', 'Patient')) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{type,coding,0,code}') STORED,
    fecha tstzrange GENERATED ALWAYS AS (coalesce(hce.rango(recurso #>> '{collection,collectedDateTime}'), hce.rango_periodo(recurso #> '{collection,collectedPeriod}'), hce.rango(recurso ->> 'receivedTime'))) STORED,
    profesional_id text GENERATED ALWAYS AS (hce.clave_expresa(recurso #> '{collection,collector}', 'Practitioner')) STORED,
    CONSTRAINT especimen_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT especimen_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.especimen OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.especimen TO hce_app;
GRANT SELECT ON public.especimen TO hce_readonly;
COMMENT ON TABLE public.especimen IS 'FHIR Specimen. Especímenes y muestras / Specimens';
COMMENT ON COLUMN public.especimen.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.especimen.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.especimen.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.especimen.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.especimen.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.especimen.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.especimen.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.especimen.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.especimen.paciente_id IS 'Specimen.subject. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.especimen.estado IS 'Specimen.status. Estado / Status';
COMMENT ON COLUMN public.especimen.codigo IS 'Specimen.type. Tipo de muestra / Type';
COMMENT ON COLUMN public.especimen.fecha IS 'Specimen.collection.collected[x] | Specimen.receivedTime. Cuándo se tomó o recibió / Collected or received';
COMMENT ON COLUMN public.especimen.profesional_id IS 'Specimen.collection.collector. Quien la tomó / Collector';

CREATE TABLE IF NOT EXISTS public.estudio_imagen (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'subject', 'Patient')) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    modalidad text GENERATED ALWAYS AS (recurso #>> '{modality,0,code}') STORED,
    codigos text[] GENERATED ALWAYS AS (hce.codigos(jsonb_path_query_array(recurso, '$.procedureCode.coding[*]'))) STORED,
    fecha tstzrange GENERATED ALWAYS AS (hce.rango(recurso ->> 'started')) STORED,
    series numeric GENERATED ALWAYS AS (hce.numero(recurso -> 'numberOfSeries')) STORED,
    encuentro_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'encounter', 'Encounter')) STORED,
    profesional_id text GENERATED ALWAYS AS (coalesce((hce.claves_expresas_de(recurso -> 'interpreter', 'Practitioner'))[1], hce.clave_expresa(recurso -> 'referrer', 'Practitioner'))) STORED,
    CONSTRAINT estudio_imagen_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT estudio_imagen_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.estudio_imagen OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.estudio_imagen TO hce_app;
GRANT SELECT ON public.estudio_imagen TO hce_readonly;
COMMENT ON TABLE public.estudio_imagen IS 'FHIR ImagingStudy. Estudios de imagen / Imaging studies';
COMMENT ON COLUMN public.estudio_imagen.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.estudio_imagen.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.estudio_imagen.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.estudio_imagen.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.estudio_imagen.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.estudio_imagen.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.estudio_imagen.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.estudio_imagen.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.estudio_imagen.paciente_id IS 'ImagingStudy.subject. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.estudio_imagen.estado IS 'ImagingStudy.status. Estado / Status';
COMMENT ON COLUMN public.estudio_imagen.modalidad IS 'ImagingStudy.modality. Modalidad / Modality';
COMMENT ON COLUMN public.estudio_imagen.codigos IS 'ImagingStudy.procedureCode. Procedimientos / Procedures';
COMMENT ON COLUMN public.estudio_imagen.fecha IS 'ImagingStudy.started. Cuándo empezó / Started';
COMMENT ON COLUMN public.estudio_imagen.series IS 'ImagingStudy.numberOfSeries. Series / Series';
COMMENT ON COLUMN public.estudio_imagen.encuentro_id IS 'ImagingStudy.encounter. Encuentro / Encounter';
COMMENT ON COLUMN public.estudio_imagen.profesional_id IS 'ImagingStudy.interpreter | ImagingStudy.referrer. Quien interpreta / Interpreter';

CREATE TABLE IF NOT EXISTS public.plan_cuidado (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'subject', 'Patient')) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    intencion text GENERATED ALWAYS AS (recurso ->> 'intent') STORED,
    categoria text GENERATED ALWAYS AS (recurso #>> '{category,0,coding,0,code}') STORED,
    titulo text GENERATED ALWAYS AS (recurso ->> 'title') STORED,
    fecha tstzrange GENERATED ALWAYS AS (coalesce(hce.rango_periodo(recurso -> 'period'), hce.rango(recurso ->> 'created'))) STORED,
    encuentro_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'encounter', 'Encounter')) STORED,
    profesional_id text GENERATED ALWAYS AS (hce.clave_expresa(recurso -> 'author', 'Practitioner')) STORED,
    metas text[] GENERATED ALWAYS AS (hce.claves_de(recurso -> 'goal', 'Goal')) STORED,
    CONSTRAINT plan_cuidado_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT plan_cuidado_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.plan_cuidado OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.plan_cuidado TO hce_app;
GRANT SELECT ON public.plan_cuidado TO hce_readonly;
COMMENT ON TABLE public.plan_cuidado IS 'FHIR CarePlan. Planes de cuidado / Care plans';
COMMENT ON COLUMN public.plan_cuidado.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.plan_cuidado.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.plan_cuidado.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.plan_cuidado.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.plan_cuidado.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.plan_cuidado.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.plan_cuidado.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.plan_cuidado.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.plan_cuidado.paciente_id IS 'CarePlan.subject. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.plan_cuidado.estado IS 'CarePlan.status. Estado / Status';
COMMENT ON COLUMN public.plan_cuidado.intencion IS 'CarePlan.intent. Intención / Intent';
COMMENT ON COLUMN public.plan_cuidado.categoria IS 'CarePlan.category. Categoría / Category';
COMMENT ON COLUMN public.plan_cuidado.titulo IS 'CarePlan.title. Título / Title';
COMMENT ON COLUMN public.plan_cuidado.fecha IS 'CarePlan.period | CarePlan.created. Vigencia / Period';
COMMENT ON COLUMN public.plan_cuidado.encuentro_id IS 'CarePlan.encounter. Encuentro / Encounter';
COMMENT ON COLUMN public.plan_cuidado.profesional_id IS 'CarePlan.author. Autor / Author';
COMMENT ON COLUMN public.plan_cuidado.metas IS 'CarePlan.goal. Metas / Goals';

CREATE TABLE IF NOT EXISTS public.equipo_cuidado (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (coalesce(hce.clave(recurso -> 'subject', 'Patient'), (hce.claves_expresas_de(jsonb_path_query_array(recurso, '$.participant.member'), 'Patient'))[1])) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    nombre text GENERATED ALWAYS AS (recurso ->> 'name') STORED,
    fecha tstzrange GENERATED ALWAYS AS (hce.rango_periodo(recurso -> 'period')) STORED,
    encuentro_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'encounter', 'Encounter')) STORED,
    profesionales text[] GENERATED ALWAYS AS (hce.claves_expresas_de(jsonb_path_query_array(recurso, '$.participant.member'), 'Practitioner')) STORED,
    organizacion_id text GENERATED ALWAYS AS ((hce.claves_de(recurso -> 'managingOrganization', 'Organization'))[1]) STORED,
    CONSTRAINT equipo_cuidado_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT equipo_cuidado_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.equipo_cuidado OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.equipo_cuidado TO hce_app;
GRANT SELECT ON public.equipo_cuidado TO hce_readonly;
COMMENT ON TABLE public.equipo_cuidado IS 'FHIR CareTeam. Equipos de cuidado / Care teams';
COMMENT ON COLUMN public.equipo_cuidado.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.equipo_cuidado.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.equipo_cuidado.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.equipo_cuidado.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.equipo_cuidado.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.equipo_cuidado.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.equipo_cuidado.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.equipo_cuidado.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.equipo_cuidado.paciente_id IS 'CareTeam.subject | CareTeam.participant.member. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.equipo_cuidado.estado IS 'CareTeam.status. Estado / Status';
COMMENT ON COLUMN public.equipo_cuidado.nombre IS 'CareTeam.name. Nombre / Name';
COMMENT ON COLUMN public.equipo_cuidado.fecha IS 'CareTeam.period. Vigencia / Period';
COMMENT ON COLUMN public.equipo_cuidado.encuentro_id IS 'CareTeam.encounter. Encuentro / Encounter';
COMMENT ON COLUMN public.equipo_cuidado.profesionales IS 'CareTeam.participant.member. Profesionales / Practitioners';
COMMENT ON COLUMN public.equipo_cuidado.organizacion_id IS 'CareTeam.managingOrganization. Organización / Organization';

CREATE TABLE IF NOT EXISTS public.meta (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'subject', 'Patient')) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'lifecycleStatus') STORED,
    logro text GENERATED ALWAYS AS (recurso #>> '{achievementStatus,coding,0,code}') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{description,coding,0,code}') STORED,
    descripcion text GENERATED ALWAYS AS (recurso #>> '{description,text}') STORED,
    fecha tstzrange GENERATED ALWAYS AS (hce.rango(recurso ->> 'startDate')) STORED,
    CONSTRAINT meta_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT meta_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.meta OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.meta TO hce_app;
GRANT SELECT ON public.meta TO hce_readonly;
COMMENT ON TABLE public.meta IS 'FHIR Goal. Metas de salud / Goals';
COMMENT ON COLUMN public.meta.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.meta.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.meta.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.meta.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.meta.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.meta.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.meta.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.meta.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.meta.paciente_id IS 'Goal.subject. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.meta.estado IS 'Goal.lifecycleStatus. Estado / Lifecycle status';
COMMENT ON COLUMN public.meta.logro IS 'Goal.achievementStatus. Logro / Achievement';
COMMENT ON COLUMN public.meta.codigo IS 'Goal.description. Meta / Goal';
COMMENT ON COLUMN public.meta.descripcion IS 'Goal.description.text. Descripción / Description';
COMMENT ON COLUMN public.meta.fecha IS 'Goal.startDate. Inicio / Start';

CREATE TABLE IF NOT EXISTS public.tarea (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (coalesce(hce.clave_expresa(recurso -> 'for', 'Patient'), hce.clave_expresa(recurso -> 'focus', 'Patient'))) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    intencion text GENERATED ALWAYS AS (recurso ->> 'intent') STORED,
    prioridad text GENERATED ALWAYS AS (recurso ->> 'priority') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{code,coding,0,code}') STORED,
    motivos text[] GENERATED ALWAYS AS (hce.codigos(recurso #> '{reasonCode,coding}')) STORED,
    fecha tstzrange GENERATED ALWAYS AS (coalesce(hce.rango_periodo(recurso -> 'executionPeriod'), hce.rango(recurso ->> 'authoredOn'))) STORED,
    encuentro_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'encounter', 'Encounter')) STORED,
    profesional_id text GENERATED ALWAYS AS (hce.clave_expresa(recurso -> 'owner', 'Practitioner')) STORED,
    CONSTRAINT tarea_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT tarea_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.tarea OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.tarea TO hce_app;
GRANT SELECT ON public.tarea TO hce_readonly;
COMMENT ON TABLE public.tarea IS 'FHIR Task. Tareas / Tasks';
COMMENT ON COLUMN public.tarea.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.tarea.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.tarea.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.tarea.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.tarea.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.tarea.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.tarea.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.tarea.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.tarea.paciente_id IS 'Task.for | Task.focus. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.tarea.estado IS 'Task.status. Estado / Status';
COMMENT ON COLUMN public.tarea.intencion IS 'Task.intent. Intención / Intent';
COMMENT ON COLUMN public.tarea.prioridad IS 'Task.priority. Prioridad / Priority';
COMMENT ON COLUMN public.tarea.codigo IS 'Task.code. Qué hay que hacer / What is to be done';
COMMENT ON COLUMN public.tarea.motivos IS 'Task.reasonCode. Motivos / Reasons';
COMMENT ON COLUMN public.tarea.fecha IS 'Task.executionPeriod | Task.authoredOn. Cuándo / When';
COMMENT ON COLUMN public.tarea.encuentro_id IS 'Task.encounter. Encuentro / Encounter';
COMMENT ON COLUMN public.tarea.profesional_id IS 'Task.owner. Responsable / Owner';

CREATE TABLE IF NOT EXISTS public.composicion (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (coalesce(hce.clave_expresa(recurso -> 'subject', 'Patient'), (hce.claves_expresas_de(recurso -> 'author', 'Patient'))[1], (hce.claves_expresas_de(jsonb_path_query_array(recurso, '$.attester.party'), 'Patient'))[1])) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{type,coding,0,code}') STORED,
    titulo text GENERATED ALWAYS AS (recurso ->> 'title') STORED,
    fecha tstzrange GENERATED ALWAYS AS (hce.rango(recurso ->> 'date')) STORED,
    encuentro_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'encounter', 'Encounter')) STORED,
    profesional_id text GENERATED ALWAYS AS ((hce.claves_expresas_de(recurso -> 'author', 'Practitioner'))[1]) STORED,
    organizacion_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'custodian', 'Organization')) STORED,
    CONSTRAINT composicion_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT composicion_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.composicion OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.composicion TO hce_app;
GRANT SELECT ON public.composicion TO hce_readonly;
COMMENT ON TABLE public.composicion IS 'FHIR Composition. Documentos clínicos estructurados / Compositions';
COMMENT ON COLUMN public.composicion.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.composicion.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.composicion.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.composicion.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.composicion.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.composicion.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.composicion.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.composicion.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.composicion.paciente_id IS 'Composition.subject | Composition.author | Composition.attester.party. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.composicion.estado IS 'Composition.status. Estado / Status';
COMMENT ON COLUMN public.composicion.codigo IS 'Composition.type. Tipo de documento / Type';
COMMENT ON COLUMN public.composicion.titulo IS 'Composition.title. Título / Title';
COMMENT ON COLUMN public.composicion.fecha IS 'Composition.date. Cuándo se escribió / When written';
COMMENT ON COLUMN public.composicion.encuentro_id IS 'Composition.encounter. Encuentro / Encounter';
COMMENT ON COLUMN public.composicion.profesional_id IS 'Composition.author. Autor / Author';
COMMENT ON COLUMN public.composicion.organizacion_id IS 'Composition.custodian. Custodio / Custodian';

CREATE TABLE IF NOT EXISTS public.referencia_documento (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (coalesce(hce.clave(recurso -> 'subject', 'Patient'), (hce.claves_expresas_de(recurso -> 'author', 'Patient'))[1])) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{type,coding,0,code}') STORED,
    categorias text[] GENERATED ALWAYS AS (hce.codigos(jsonb_path_query_array(recurso, '$.category.coding[*]'))) STORED,
    titulo text GENERATED ALWAYS AS (recurso #>> '{content,0,attachment,title}') STORED,
    url text GENERATED ALWAYS AS (recurso #>> '{content,0,attachment,url}') STORED,
    fecha tstzrange GENERATED ALWAYS AS (coalesce(hce.rango(recurso ->> 'date'), hce.rango_periodo(recurso #> '{context,period}'))) STORED,
    encuentro_id text GENERATED ALWAYS AS ((hce.claves_expresas_de(jsonb_path_query_array(recurso, '$.context.encounter[*]'), 'Encounter'))[1]) STORED,
    profesional_id text GENERATED ALWAYS AS ((hce.claves_expresas_de(recurso -> 'author', 'Practitioner'))[1]) STORED,
    CONSTRAINT referencia_documento_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT referencia_documento_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.referencia_documento OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.referencia_documento TO hce_app;
GRANT SELECT ON public.referencia_documento TO hce_readonly;
COMMENT ON TABLE public.referencia_documento IS 'FHIR DocumentReference. Referencias a documentos / Document references';
COMMENT ON COLUMN public.referencia_documento.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.referencia_documento.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.referencia_documento.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.referencia_documento.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.referencia_documento.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.referencia_documento.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.referencia_documento.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.referencia_documento.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.referencia_documento.paciente_id IS 'DocumentReference.subject | DocumentReference.author. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.referencia_documento.estado IS 'DocumentReference.status. Estado / Status';
COMMENT ON COLUMN public.referencia_documento.codigo IS 'DocumentReference.type. Tipo de documento / Type';
COMMENT ON COLUMN public.referencia_documento.categorias IS 'DocumentReference.category. Categorías / Categories';
COMMENT ON COLUMN public.referencia_documento.titulo IS 'DocumentReference.content.attachment.title. Título / Title';
COMMENT ON COLUMN public.referencia_documento.url IS 'DocumentReference.content.attachment.url. Dónde está / Where it is';
COMMENT ON COLUMN public.referencia_documento.fecha IS 'DocumentReference.date | DocumentReference.context.period. Cuándo se escribió / When written';
COMMENT ON COLUMN public.referencia_documento.encuentro_id IS 'DocumentReference.context.encounter. Encuentro / Encounter';
COMMENT ON COLUMN public.referencia_documento.profesional_id IS 'DocumentReference.author. Autor / Author';

CREATE TABLE IF NOT EXISTS public.consentimiento (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'patient', 'Patient')) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    alcance text GENERATED ALWAYS AS (recurso #>> '{scope,coding,0,code}') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{category,0,coding,0,code}') STORED,
    decision text GENERATED ALWAYS AS (recurso #>> '{provision,type}') STORED,
    fecha tstzrange GENERATED ALWAYS AS (hce.rango(recurso ->> 'dateTime')) STORED,
    vigencia tstzrange GENERATED ALWAYS AS (hce.rango_periodo(recurso #> '{provision,period}')) STORED,
    organizacion_id text GENERATED ALWAYS AS ((hce.claves_de(recurso -> 'organization', 'Organization'))[1]) STORED,
    CONSTRAINT consentimiento_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT consentimiento_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.consentimiento OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.consentimiento TO hce_app;
GRANT SELECT ON public.consentimiento TO hce_readonly;
COMMENT ON TABLE public.consentimiento IS 'FHIR Consent. Consentimientos / Consents';
COMMENT ON COLUMN public.consentimiento.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.consentimiento.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.consentimiento.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.consentimiento.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.consentimiento.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.consentimiento.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.consentimiento.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.consentimiento.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.consentimiento.paciente_id IS 'Consent.patient. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.consentimiento.estado IS 'Consent.status. Estado / Status';
COMMENT ON COLUMN public.consentimiento.alcance IS 'Consent.scope. Alcance / Scope';
COMMENT ON COLUMN public.consentimiento.codigo IS 'Consent.category. Categoría / Category';
COMMENT ON COLUMN public.consentimiento.decision IS 'Consent.provision.type. Permite o niega / Permit or deny';
COMMENT ON COLUMN public.consentimiento.fecha IS 'Consent.dateTime. Cuándo se dio / When given';
COMMENT ON COLUMN public.consentimiento.vigencia IS 'Consent.provision.period. Vigencia / Period';
COMMENT ON COLUMN public.consentimiento.organizacion_id IS 'Consent.organization. Organización / Organization';

CREATE TABLE IF NOT EXISTS public.respuesta_cuestionario (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (coalesce(hce.clave_expresa(recurso -> 'subject', 'Patient'), hce.clave_expresa(recurso -> 'source', 'Patient'), hce.clave_expresa(recurso -> 'author', 'Patient'))) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    cuestionario text GENERATED ALWAYS AS (recurso ->> 'questionnaire') STORED,
    fecha tstzrange GENERATED ALWAYS AS (hce.rango(recurso ->> 'authored')) STORED,
    encuentro_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'encounter', 'Encounter')) STORED,
    profesional_id text GENERATED ALWAYS AS (hce.clave_expresa(recurso -> 'author', 'Practitioner')) STORED,
    CONSTRAINT respuesta_cuestionario_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT respuesta_cuestionario_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.respuesta_cuestionario OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.respuesta_cuestionario TO hce_app;
GRANT SELECT ON public.respuesta_cuestionario TO hce_readonly;
COMMENT ON TABLE public.respuesta_cuestionario IS 'FHIR QuestionnaireResponse. Respuestas a cuestionarios / Questionnaire responses';
COMMENT ON COLUMN public.respuesta_cuestionario.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.respuesta_cuestionario.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.respuesta_cuestionario.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.respuesta_cuestionario.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.respuesta_cuestionario.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.respuesta_cuestionario.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.respuesta_cuestionario.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.respuesta_cuestionario.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.respuesta_cuestionario.paciente_id IS 'QuestionnaireResponse.subject | QuestionnaireResponse.source | QuestionnaireResponse.author. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.respuesta_cuestionario.estado IS 'QuestionnaireResponse.status. Estado / Status';
COMMENT ON COLUMN public.respuesta_cuestionario.cuestionario IS 'QuestionnaireResponse.questionnaire. Cuestionario / Questionnaire';
COMMENT ON COLUMN public.respuesta_cuestionario.fecha IS 'QuestionnaireResponse.authored. Cuándo se respondió / When answered';
COMMENT ON COLUMN public.respuesta_cuestionario.encuentro_id IS 'QuestionnaireResponse.encounter. Encuentro / Encounter';
COMMENT ON COLUMN public.respuesta_cuestionario.profesional_id IS 'QuestionnaireResponse.author. Autor / Author';

CREATE TABLE IF NOT EXISTS public.comunicacion (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (coalesce(hce.clave(recurso -> 'subject', 'Patient'), (hce.claves_expresas_de(recurso -> 'recipient', 'Patient'))[1], hce.clave_expresa(recurso -> 'sender', 'Patient'))) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    categoria text GENERATED ALWAYS AS (recurso #>> '{category,0,coding,0,code}') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{topic,coding,0,code}') STORED,
    fecha tstzrange GENERATED ALWAYS AS (coalesce(hce.rango(recurso ->> 'sent'), hce.rango(recurso ->> 'received'))) STORED,
    encuentro_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'encounter', 'Encounter')) STORED,
    profesional_id text GENERATED ALWAYS AS (hce.clave_expresa(recurso -> 'sender', 'Practitioner')) STORED,
    CONSTRAINT comunicacion_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT comunicacion_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.comunicacion OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.comunicacion TO hce_app;
GRANT SELECT ON public.comunicacion TO hce_readonly;
COMMENT ON TABLE public.comunicacion IS 'FHIR Communication. Comunicaciones / Communications';
COMMENT ON COLUMN public.comunicacion.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.comunicacion.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.comunicacion.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.comunicacion.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.comunicacion.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.comunicacion.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.comunicacion.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.comunicacion.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.comunicacion.paciente_id IS 'Communication.subject | Communication.recipient | Communication.sender. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.comunicacion.estado IS 'Communication.status. Estado / Status';
COMMENT ON COLUMN public.comunicacion.categoria IS 'Communication.category. Categoría / Category';
COMMENT ON COLUMN public.comunicacion.codigo IS 'Communication.topic. Tema / Topic';
COMMENT ON COLUMN public.comunicacion.fecha IS 'Communication.sent | Communication.received. Cuándo se envió o recibió / When sent or received';
COMMENT ON COLUMN public.comunicacion.encuentro_id IS 'Communication.encounter. Encuentro / Encounter';
COMMENT ON COLUMN public.comunicacion.profesional_id IS 'Communication.sender. Quien la envía / Sender';

CREATE TABLE IF NOT EXISTS public.cobertura (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (coalesce(hce.clave(recurso -> 'beneficiary', 'Patient'), hce.clave_expresa(recurso -> 'subscriber', 'Patient'), hce.clave_expresa(recurso -> 'policyHolder', 'Patient'), (hce.claves_expresas_de(recurso -> 'payor', 'Patient'))[1])) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{type,coding,0,code}') STORED,
    afiliacion text GENERATED ALWAYS AS (recurso ->> 'subscriberId') STORED,
    fecha tstzrange GENERATED ALWAYS AS (hce.rango_periodo(recurso -> 'period')) STORED,
    organizacion_id text GENERATED ALWAYS AS ((hce.claves_expresas_de(recurso -> 'payor', 'Organization'))[1]) STORED,
    CONSTRAINT cobertura_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT cobertura_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.cobertura OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.cobertura TO hce_app;
GRANT SELECT ON public.cobertura TO hce_readonly;
COMMENT ON TABLE public.cobertura IS 'FHIR Coverage. Coberturas: afiliaciones y seguros / Coverages';
COMMENT ON COLUMN public.cobertura.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.cobertura.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.cobertura.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.cobertura.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.cobertura.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.cobertura.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.cobertura.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.cobertura.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.cobertura.paciente_id IS 'Coverage.beneficiary | Coverage.subscriber | Coverage.policyHolder | Coverage.payor. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.cobertura.estado IS 'Coverage.status. Estado / Status';
COMMENT ON COLUMN public.cobertura.codigo IS 'Coverage.type. Tipo / Type';
COMMENT ON COLUMN public.cobertura.afiliacion IS 'Coverage.subscriberId. Número de afiliación / Subscriber id';
COMMENT ON COLUMN public.cobertura.fecha IS 'Coverage.period. Vigencia / Period';
COMMENT ON COLUMN public.cobertura.organizacion_id IS 'Coverage.payor. Quien paga / Payor';

CREATE TABLE IF NOT EXISTS public.reclamacion (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'patient', 'Patient')) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{type,coding,0,code}') STORED,
    uso text GENERATED ALWAYS AS (recurso ->> 'use') STORED,
    total numeric GENERATED ALWAYS AS (hce.numero(recurso #> '{total,value}')) STORED,
    moneda text GENERATED ALWAYS AS (recurso #>> '{total,currency}') STORED,
    fecha tstzrange GENERATED ALWAYS AS (coalesce(hce.rango_periodo(recurso -> 'billablePeriod'), hce.rango(recurso ->> 'created'))) STORED,
    profesional_id text GENERATED ALWAYS AS (hce.clave_expresa(recurso -> 'provider', 'Practitioner')) STORED,
    organizacion_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'insurer', 'Organization')) STORED,
    cobertura_id text GENERATED ALWAYS AS ((hce.claves_de(jsonb_path_query_array(recurso, '$.insurance.coverage'), 'Coverage'))[1]) STORED,
    CONSTRAINT reclamacion_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT reclamacion_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.reclamacion OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.reclamacion TO hce_app;
GRANT SELECT ON public.reclamacion TO hce_readonly;
COMMENT ON TABLE public.reclamacion IS 'FHIR Claim. Reclamaciones y facturas a aseguradores / Claims';
COMMENT ON COLUMN public.reclamacion.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.reclamacion.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.reclamacion.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.reclamacion.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.reclamacion.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.reclamacion.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.reclamacion.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.reclamacion.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.reclamacion.paciente_id IS 'Claim.patient. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.reclamacion.estado IS 'Claim.status. Estado / Status';
COMMENT ON COLUMN public.reclamacion.codigo IS 'Claim.type. Tipo / Type';
COMMENT ON COLUMN public.reclamacion.uso IS 'Claim.use. Uso / Use';
COMMENT ON COLUMN public.reclamacion.total IS 'Claim.total. Total / Total';
COMMENT ON COLUMN public.reclamacion.moneda IS 'Claim.total.currency. Moneda / Currency';
COMMENT ON COLUMN public.reclamacion.fecha IS 'Claim.billablePeriod | Claim.created. Período facturado / Billable period';
COMMENT ON COLUMN public.reclamacion.profesional_id IS 'Claim.provider. Prestador / Provider';
COMMENT ON COLUMN public.reclamacion.organizacion_id IS 'Claim.insurer. Asegurador / Insurer';
COMMENT ON COLUMN public.reclamacion.cobertura_id IS 'Claim.insurance.coverage. Cobertura / Coverage';

CREATE TABLE IF NOT EXISTS public.explicacion_beneficio (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'patient', 'Patient')) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{type,coding,0,code}') STORED,
    resultado text GENERATED ALWAYS AS (recurso ->> 'outcome') STORED,
    diagnosticos text[] GENERATED ALWAYS AS (hce.codigos(jsonb_path_query_array(recurso, '$.diagnosis.diagnosisCodeableConcept.coding[*]'))) STORED,
    pagado numeric GENERATED ALWAYS AS (hce.numero(recurso #> '{payment,amount,value}')) STORED,
    moneda text GENERATED ALWAYS AS (recurso #>> '{payment,amount,currency}') STORED,
    fecha tstzrange GENERATED ALWAYS AS (coalesce(hce.rango_periodo(recurso -> 'billablePeriod'), hce.rango(recurso ->> 'created'))) STORED,
    reclamacion_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'claim', 'Claim')) STORED,
    organizacion_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'insurer', 'Organization')) STORED,
    CONSTRAINT explicacion_beneficio_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT explicacion_beneficio_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.explicacion_beneficio OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.explicacion_beneficio TO hce_app;
GRANT SELECT ON public.explicacion_beneficio TO hce_readonly;
COMMENT ON TABLE public.explicacion_beneficio IS 'FHIR ExplanationOfBenefit. Explicaciones de beneficios / Explanations of benefit';
COMMENT ON COLUMN public.explicacion_beneficio.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.explicacion_beneficio.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.explicacion_beneficio.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.explicacion_beneficio.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.explicacion_beneficio.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.explicacion_beneficio.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.explicacion_beneficio.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.explicacion_beneficio.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.explicacion_beneficio.paciente_id IS 'ExplanationOfBenefit.patient. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.explicacion_beneficio.estado IS 'ExplanationOfBenefit.status. Estado / Status';
COMMENT ON COLUMN public.explicacion_beneficio.codigo IS 'ExplanationOfBenefit.type. Tipo / Type';
COMMENT ON COLUMN public.explicacion_beneficio.resultado IS 'ExplanationOfBenefit.outcome. Resultado / Outcome';
COMMENT ON COLUMN public.explicacion_beneficio.diagnosticos IS 'ExplanationOfBenefit.diagnosis.diagnosisCodeableConcept. Diagnósticos / Diagnoses';
COMMENT ON COLUMN public.explicacion_beneficio.pagado IS 'ExplanationOfBenefit.payment.amount. Pagado / Paid';
COMMENT ON COLUMN public.explicacion_beneficio.moneda IS 'ExplanationOfBenefit.payment.amount.currency. Moneda / Currency';
COMMENT ON COLUMN public.explicacion_beneficio.fecha IS 'ExplanationOfBenefit.billablePeriod | ExplanationOfBenefit.created. Período facturado / Billable period';
COMMENT ON COLUMN public.explicacion_beneficio.reclamacion_id IS 'ExplanationOfBenefit.claim. Reclamación / Claim';
COMMENT ON COLUMN public.explicacion_beneficio.organizacion_id IS 'ExplanationOfBenefit.insurer. Asegurador / Insurer';

CREATE TABLE IF NOT EXISTS public.estudio_investigacion (
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    claves text[] GENERATED ALWAYS AS (hce.claves_propias(id, recurso -> 'identifier')) STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    titulo text GENERATED ALWAYS AS (recurso ->> 'title') STORED,
    fase text GENERATED ALWAYS AS (recurso #>> '{phase,coding,0,code}') STORED,
    fecha tstzrange GENERATED ALWAYS AS (hce.rango_periodo(recurso -> 'period')) STORED,
    profesional_id text GENERATED ALWAYS AS (hce.clave_expresa(recurso -> 'principalInvestigator', 'Practitioner')) STORED,
    organizacion_id text GENERATED ALWAYS AS (hce.clave(recurso -> 'sponsor', 'Organization')) STORED,
    CONSTRAINT estudio_investigacion_pkey PRIMARY KEY (fuente, id)
);
ALTER TABLE public.estudio_investigacion OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.estudio_investigacion TO hce_app;
GRANT SELECT ON public.estudio_investigacion TO hce_readonly;
COMMENT ON TABLE public.estudio_investigacion IS 'FHIR ResearchStudy. Estudios de investigación / Research studies';
COMMENT ON COLUMN public.estudio_investigacion.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.estudio_investigacion.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.estudio_investigacion.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.estudio_investigacion.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.estudio_investigacion.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.estudio_investigacion.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.estudio_investigacion.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.estudio_investigacion.claves IS 'ResearchStudy.id. Claves por las que se le nombra / Keys by which it is named';
COMMENT ON COLUMN public.estudio_investigacion.estado IS 'ResearchStudy.status. Estado / Status';
COMMENT ON COLUMN public.estudio_investigacion.titulo IS 'ResearchStudy.title. Título / Title';
COMMENT ON COLUMN public.estudio_investigacion.fase IS 'ResearchStudy.phase. Fase / Phase';
COMMENT ON COLUMN public.estudio_investigacion.fecha IS 'ResearchStudy.period. Vigencia / Period';
COMMENT ON COLUMN public.estudio_investigacion.profesional_id IS 'ResearchStudy.principalInvestigator. Investigador principal / Investigator';
COMMENT ON COLUMN public.estudio_investigacion.organizacion_id IS 'ResearchStudy.sponsor. Patrocinador / Sponsor';

CREATE TABLE IF NOT EXISTS public.concepto_terminologia (
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    claves text[] GENERATED ALWAYS AS (hce.claves_propias(id, recurso -> 'identifier')) STORED,
    url text GENERATED ALWAYS AS (recurso ->> 'url') STORED,
    version_publicada text GENERATED ALWAYS AS (recurso ->> 'version') STORED,
    nombre text GENERATED ALWAYS AS (recurso ->> 'name') STORED,
    titulo text GENERATED ALWAYS AS (recurso ->> 'title') STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    fecha tstzrange GENERATED ALWAYS AS (hce.rango(recurso ->> 'date')) STORED,
    contenido text GENERATED ALWAYS AS (recurso ->> 'content') STORED,
    CONSTRAINT concepto_terminologia_pkey PRIMARY KEY (fuente, id)
);
ALTER TABLE public.concepto_terminologia OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.concepto_terminologia TO hce_app;
GRANT SELECT ON public.concepto_terminologia TO hce_readonly;
COMMENT ON TABLE public.concepto_terminologia IS 'FHIR CodeSystem. Sistemas de codificación y sus conceptos / Code systems and their concepts';
COMMENT ON COLUMN public.concepto_terminologia.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.concepto_terminologia.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.concepto_terminologia.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.concepto_terminologia.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.concepto_terminologia.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.concepto_terminologia.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.concepto_terminologia.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.concepto_terminologia.claves IS 'CodeSystem.id. Claves por las que se le nombra / Keys by which it is named';
COMMENT ON COLUMN public.concepto_terminologia.url IS 'CodeSystem.url. URL canónica / Canonical URL';
COMMENT ON COLUMN public.concepto_terminologia.version_publicada IS 'CodeSystem.version. Versión publicada / Published version';
COMMENT ON COLUMN public.concepto_terminologia.nombre IS 'CodeSystem.name. Nombre / Name';
COMMENT ON COLUMN public.concepto_terminologia.titulo IS 'CodeSystem.title. Título / Title';
COMMENT ON COLUMN public.concepto_terminologia.estado IS 'CodeSystem.status. Estado / Status';
COMMENT ON COLUMN public.concepto_terminologia.fecha IS 'CodeSystem.date. Cuándo se publicó / When published';
COMMENT ON COLUMN public.concepto_terminologia.contenido IS 'CodeSystem.content. Cuánto contiene / How much it holds';

CREATE TABLE IF NOT EXISTS public.conjunto_valores (
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    claves text[] GENERATED ALWAYS AS (hce.claves_propias(id, recurso -> 'identifier')) STORED,
    url text GENERATED ALWAYS AS (recurso ->> 'url') STORED,
    version_publicada text GENERATED ALWAYS AS (recurso ->> 'version') STORED,
    nombre text GENERATED ALWAYS AS (recurso ->> 'name') STORED,
    titulo text GENERATED ALWAYS AS (recurso ->> 'title') STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    fecha tstzrange GENERATED ALWAYS AS (hce.rango(recurso ->> 'date')) STORED,
    CONSTRAINT conjunto_valores_pkey PRIMARY KEY (fuente, id)
);
ALTER TABLE public.conjunto_valores OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.conjunto_valores TO hce_app;
GRANT SELECT ON public.conjunto_valores TO hce_readonly;
COMMENT ON TABLE public.conjunto_valores IS 'FHIR ValueSet. Conjuntos de valores / Value sets';
COMMENT ON COLUMN public.conjunto_valores.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.conjunto_valores.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.conjunto_valores.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.conjunto_valores.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.conjunto_valores.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.conjunto_valores.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.conjunto_valores.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.conjunto_valores.claves IS 'ValueSet.id. Claves por las que se le nombra / Keys by which it is named';
COMMENT ON COLUMN public.conjunto_valores.url IS 'ValueSet.url. URL canónica / Canonical URL';
COMMENT ON COLUMN public.conjunto_valores.version_publicada IS 'ValueSet.version. Versión publicada / Published version';
COMMENT ON COLUMN public.conjunto_valores.nombre IS 'ValueSet.name. Nombre / Name';
COMMENT ON COLUMN public.conjunto_valores.titulo IS 'ValueSet.title. Título / Title';
COMMENT ON COLUMN public.conjunto_valores.estado IS 'ValueSet.status. Estado / Status';
COMMENT ON COLUMN public.conjunto_valores.fecha IS 'ValueSet.date. Cuándo se publicó / When published';

CREATE TABLE IF NOT EXISTS public.mapeo_terminologia (
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    claves text[] GENERATED ALWAYS AS (hce.claves_propias(id, recurso -> 'identifier')) STORED,
    url text GENERATED ALWAYS AS (recurso ->> 'url') STORED,
    version_publicada text GENERATED ALWAYS AS (recurso ->> 'version') STORED,
    nombre text GENERATED ALWAYS AS (recurso ->> 'name') STORED,
    titulo text GENERATED ALWAYS AS (recurso ->> 'title') STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    fecha tstzrange GENERATED ALWAYS AS (hce.rango(recurso ->> 'date')) STORED,
    origen text GENERATED ALWAYS AS (coalesce(recurso ->> 'sourceUri', recurso ->> 'sourceCanonical')) STORED,
    destino text GENERATED ALWAYS AS (coalesce(recurso ->> 'targetUri', recurso ->> 'targetCanonical')) STORED,
    CONSTRAINT mapeo_terminologia_pkey PRIMARY KEY (fuente, id)
);
ALTER TABLE public.mapeo_terminologia OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.mapeo_terminologia TO hce_app;
GRANT SELECT ON public.mapeo_terminologia TO hce_readonly;
COMMENT ON TABLE public.mapeo_terminologia IS 'FHIR ConceptMap. Mapeos entre terminologías / Concept maps';
COMMENT ON COLUMN public.mapeo_terminologia.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.mapeo_terminologia.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.mapeo_terminologia.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.mapeo_terminologia.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.mapeo_terminologia.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.mapeo_terminologia.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.mapeo_terminologia.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.mapeo_terminologia.claves IS 'ConceptMap.id. Claves por las que se le nombra / Keys by which it is named';
COMMENT ON COLUMN public.mapeo_terminologia.url IS 'ConceptMap.url. URL canónica / Canonical URL';
COMMENT ON COLUMN public.mapeo_terminologia.version_publicada IS 'ConceptMap.version. Versión publicada / Published version';
COMMENT ON COLUMN public.mapeo_terminologia.nombre IS 'ConceptMap.name. Nombre / Name';
COMMENT ON COLUMN public.mapeo_terminologia.titulo IS 'ConceptMap.title. Título / Title';
COMMENT ON COLUMN public.mapeo_terminologia.estado IS 'ConceptMap.status. Estado / Status';
COMMENT ON COLUMN public.mapeo_terminologia.fecha IS 'ConceptMap.date. Cuándo se publicó / When published';
COMMENT ON COLUMN public.mapeo_terminologia.origen IS 'ConceptMap.sourceUri | ConceptMap.sourceCanonical. De / From';
COMMENT ON COLUMN public.mapeo_terminologia.destino IS 'ConceptMap.targetUri | ConceptMap.targetCanonical. A / To';

CREATE TABLE IF NOT EXISTS public.guia_clinica (
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    claves text[] GENERATED ALWAYS AS (hce.claves_propias(id, recurso -> 'identifier')) STORED,
    url text GENERATED ALWAYS AS (recurso ->> 'url') STORED,
    version_publicada text GENERATED ALWAYS AS (recurso ->> 'version') STORED,
    nombre text GENERATED ALWAYS AS (recurso ->> 'name') STORED,
    titulo text GENERATED ALWAYS AS (recurso ->> 'title') STORED,
    estado text GENERATED ALWAYS AS (recurso ->> 'status') STORED,
    fecha tstzrange GENERATED ALWAYS AS (hce.rango(recurso ->> 'date')) STORED,
    clase text GENERATED ALWAYS AS (recurso #>> '{type,coding,0,code}') STORED,
    CONSTRAINT guia_clinica_pkey PRIMARY KEY (fuente, id)
);
ALTER TABLE public.guia_clinica OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.guia_clinica TO hce_app;
GRANT SELECT ON public.guia_clinica TO hce_readonly;
COMMENT ON TABLE public.guia_clinica IS 'FHIR PlanDefinition. Guías y protocolos clínicos / Clinical guidelines and protocols';
COMMENT ON COLUMN public.guia_clinica.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.guia_clinica.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.guia_clinica.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.guia_clinica.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.guia_clinica.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.guia_clinica.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.guia_clinica.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.guia_clinica.claves IS 'PlanDefinition.id. Claves por las que se le nombra / Keys by which it is named';
COMMENT ON COLUMN public.guia_clinica.url IS 'PlanDefinition.url. URL canónica / Canonical URL';
COMMENT ON COLUMN public.guia_clinica.version_publicada IS 'PlanDefinition.version. Versión publicada / Published version';
COMMENT ON COLUMN public.guia_clinica.nombre IS 'PlanDefinition.name. Nombre / Name';
COMMENT ON COLUMN public.guia_clinica.titulo IS 'PlanDefinition.title. Título / Title';
COMMENT ON COLUMN public.guia_clinica.estado IS 'PlanDefinition.status. Estado / Status';
COMMENT ON COLUMN public.guia_clinica.fecha IS 'PlanDefinition.date. Cuándo se publicó / When published';
COMMENT ON COLUMN public.guia_clinica.clase IS 'PlanDefinition.type. Tipo / Type';

CREATE TABLE IF NOT EXISTS public.procedencia (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS ((hce.claves_expresas_de(recurso -> 'target', 'Patient'))[1]) STORED,
    actividad text GENERATED ALWAYS AS (recurso #>> '{activity,coding,0,code}') STORED,
    registrado_en timestamptz GENERATED ALWAYS AS (hce.momento(recurso ->> 'recorded')) STORED,
    fecha tstzrange GENERATED ALWAYS AS (coalesce(hce.rango_periodo(recurso -> 'occurredPeriod'), hce.rango(recurso ->> 'occurredDateTime'), hce.rango(recurso ->> 'recorded'))) STORED,
    profesionales text[] GENERATED ALWAYS AS (hce.claves_expresas_de(jsonb_path_query_array(recurso, '$.agent.who'), 'Practitioner')) STORED,
    organizacion_id text GENERATED ALWAYS AS (coalesce((hce.claves_expresas_de(jsonb_path_query_array(recurso, '$.agent.who'), 'Organization'))[1], (hce.claves_expresas_de(jsonb_path_query_array(recurso, '$.agent.onBehalfOf'), 'Organization'))[1])) STORED,
    CONSTRAINT procedencia_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT procedencia_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.procedencia OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.procedencia TO hce_app;
GRANT SELECT ON public.procedencia TO hce_readonly;
COMMENT ON TABLE public.procedencia IS 'FHIR Provenance. Procedencia de los datos de pacientes / Provenance of patients'' data';
COMMENT ON COLUMN public.procedencia.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.procedencia.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.procedencia.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.procedencia.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.procedencia.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.procedencia.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.procedencia.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.procedencia.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.procedencia.paciente_id IS 'Provenance.target. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.procedencia.actividad IS 'Provenance.activity. Actividad / Activity';
COMMENT ON COLUMN public.procedencia.registrado_en IS 'Provenance.recorded. Cuándo se registró / When recorded';
COMMENT ON COLUMN public.procedencia.fecha IS 'Provenance.occurred[x] | Provenance.recorded. Cuándo ocurrió / When it happened';
COMMENT ON COLUMN public.procedencia.profesionales IS 'Provenance.agent.who. Profesionales / Practitioners';
COMMENT ON COLUMN public.procedencia.organizacion_id IS 'Provenance.agent.who | Provenance.agent.onBehalfOf. Organización / Organization';

CREATE TABLE IF NOT EXISTS public.evento_auditoria (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    paciente_id text GENERATED ALWAYS AS (coalesce((hce.claves_expresas_de(jsonb_path_query_array(recurso, '$.entity.what'), 'Patient'))[1], (hce.claves_expresas_de(jsonb_path_query_array(recurso, '$.agent.who'), 'Patient'))[1])) STORED,
    codigo text GENERATED ALWAYS AS (recurso #>> '{type,code}') STORED,
    subtipos text[] GENERATED ALWAYS AS (hce.codigos(recurso -> 'subtype')) STORED,
    accion text GENERATED ALWAYS AS (recurso ->> 'action') STORED,
    resultado text GENERATED ALWAYS AS (recurso ->> 'outcome') STORED,
    fecha tstzrange GENERATED ALWAYS AS (hce.rango(recurso ->> 'recorded')) STORED,
    profesional_id text GENERATED ALWAYS AS ((hce.claves_expresas_de(jsonb_path_query_array(recurso, '$.agent.who'), 'Practitioner'))[1]) STORED,
    CONSTRAINT evento_auditoria_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT evento_auditoria_pkey PRIMARY KEY (documento_id, fuente, id)
);
ALTER TABLE public.evento_auditoria OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.evento_auditoria TO hce_app;
GRANT SELECT ON public.evento_auditoria TO hce_readonly;
COMMENT ON TABLE public.evento_auditoria IS 'FHIR AuditEvent. Eventos de auditoría sobre pacientes / Audit events about patients';
COMMENT ON COLUMN public.evento_auditoria.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.evento_auditoria.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.evento_auditoria.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.evento_auditoria.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.evento_auditoria.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.evento_auditoria.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.evento_auditoria.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.evento_auditoria.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';
COMMENT ON COLUMN public.evento_auditoria.paciente_id IS 'AuditEvent.entity.what | AuditEvent.agent.who. Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.evento_auditoria.codigo IS 'AuditEvent.type. Tipo / Type';
COMMENT ON COLUMN public.evento_auditoria.subtipos IS 'AuditEvent.subtype. Subtipos / Subtypes';
COMMENT ON COLUMN public.evento_auditoria.accion IS 'AuditEvent.action. Acción / Action';
COMMENT ON COLUMN public.evento_auditoria.resultado IS 'AuditEvent.outcome. Resultado / Outcome';
COMMENT ON COLUMN public.evento_auditoria.fecha IS 'AuditEvent.recorded. Cuándo / When';
COMMENT ON COLUMN public.evento_auditoria.profesional_id IS 'AuditEvent.agent.who. Quien lo hizo / Who did it';

CREATE TABLE IF NOT EXISTS public.recurso_paciente (
    documento_id text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    tipo text NOT NULL,
    id text NOT NULL,
    paciente_id text,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    CONSTRAINT recurso_paciente_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT recurso_paciente_pkey PRIMARY KEY (documento_id, fuente, tipo, id)
);
ALTER TABLE public.recurso_paciente OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.recurso_paciente TO hce_app;
GRANT SELECT ON public.recurso_paciente TO hce_readonly;
COMMENT ON TABLE public.recurso_paciente IS 'Recursos de un paciente sin tabla propia / A patient''s resources of types without a table';
COMMENT ON COLUMN public.recurso_paciente.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.recurso_paciente.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.recurso_paciente.tipo IS 'Tipo FHIR del recurso / FHIR type';
COMMENT ON COLUMN public.recurso_paciente.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.recurso_paciente.paciente_id IS 'Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.recurso_paciente.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.recurso_paciente.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.recurso_paciente.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.recurso_paciente.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.recurso_paciente.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';

CREATE TABLE IF NOT EXISTS public.recurso_compartido (
    fuente text NOT NULL DEFAULT '',
    tipo text NOT NULL,
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    actualizado_en timestamptz NOT NULL DEFAULT now(),
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    CONSTRAINT recurso_compartido_pkey PRIMARY KEY (fuente, tipo, id)
);
ALTER TABLE public.recurso_compartido OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.recurso_compartido TO hce_app;
GRANT SELECT ON public.recurso_compartido TO hce_readonly;
COMMENT ON TABLE public.recurso_compartido IS 'Recursos sin paciente de tipos sin tabla propia / Resources that name no patient, of types without a table';
COMMENT ON COLUMN public.recurso_compartido.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.recurso_compartido.tipo IS 'Tipo FHIR del recurso / FHIR type';
COMMENT ON COLUMN public.recurso_compartido.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.recurso_compartido.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.recurso_compartido.actualizado_en IS 'Vigente desde / Current since';
COMMENT ON COLUMN public.recurso_compartido.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.recurso_compartido.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN public.recurso_compartido.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';

CREATE TABLE IF NOT EXISTS public.historia (
    documento_id text NOT NULL,
    tipo text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    paciente_id text,
    vigente_desde timestamptz NOT NULL,
    vigente_hasta timestamptz NOT NULL,
    borrado boolean NOT NULL DEFAULT false,
    recurso jsonb NOT NULL,
    original text,
    CONSTRAINT historia_documento_id_fkey FOREIGN KEY (documento_id)
    REFERENCES public.expediente (documento_id) ON DELETE CASCADE,
    CONSTRAINT historia_pkey PRIMARY KEY (documento_id, tipo, fuente, id, version)
);
ALTER TABLE public.historia OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.historia TO hce_app;
GRANT SELECT ON public.historia TO hce_readonly;
COMMENT ON TABLE public.historia IS 'Versiones anteriores y lápidas / Former versions and tombstones';
COMMENT ON COLUMN public.historia.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN public.historia.tipo IS 'Tipo FHIR del recurso / FHIR type';
COMMENT ON COLUMN public.historia.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.historia.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.historia.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.historia.paciente_id IS 'Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN public.historia.vigente_desde IS 'Vigente desde / Current from';
COMMENT ON COLUMN public.historia.vigente_hasta IS 'Vigente hasta / Current until';
COMMENT ON COLUMN public.historia.borrado IS 'Lápida: aquí se borró el recurso / Tombstone: the resource was deleted here';
COMMENT ON COLUMN public.historia.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.historia.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';

CREATE TABLE IF NOT EXISTS public.historia_compartida (
    tipo text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    vigente_desde timestamptz NOT NULL,
    vigente_hasta timestamptz NOT NULL,
    borrado boolean NOT NULL DEFAULT false,
    recurso jsonb NOT NULL,
    original text,
    CONSTRAINT historia_compartida_pkey PRIMARY KEY (tipo, fuente, id, version)
);
ALTER TABLE public.historia_compartida OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.historia_compartida TO hce_app;
GRANT SELECT ON public.historia_compartida TO hce_readonly;
COMMENT ON TABLE public.historia_compartida IS 'Versiones anteriores y lápidas / Former versions and tombstones';
COMMENT ON COLUMN public.historia_compartida.tipo IS 'Tipo FHIR del recurso / FHIR type';
COMMENT ON COLUMN public.historia_compartida.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.historia_compartida.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.historia_compartida.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.historia_compartida.vigente_desde IS 'Vigente desde / Current from';
COMMENT ON COLUMN public.historia_compartida.vigente_hasta IS 'Vigente hasta / Current until';
COMMENT ON COLUMN public.historia_compartida.borrado IS 'Lápida: aquí se borró el recurso / Tombstone: the resource was deleted here';
COMMENT ON COLUMN public.historia_compartida.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.historia_compartida.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';

CREATE TABLE IF NOT EXISTS public.historia_referencia (
    tipo text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    vigente_desde timestamptz NOT NULL,
    vigente_hasta timestamptz NOT NULL,
    borrado boolean NOT NULL DEFAULT false,
    recurso jsonb NOT NULL,
    original text,
    CONSTRAINT historia_referencia_pkey PRIMARY KEY (tipo, fuente, id, version)
);
ALTER TABLE public.historia_referencia OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.historia_referencia TO hce_app;
GRANT SELECT ON public.historia_referencia TO hce_readonly;
COMMENT ON TABLE public.historia_referencia IS 'Versiones anteriores y lápidas / Former versions and tombstones';
COMMENT ON COLUMN public.historia_referencia.tipo IS 'Tipo FHIR del recurso / FHIR type';
COMMENT ON COLUMN public.historia_referencia.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN public.historia_referencia.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN public.historia_referencia.version IS 'Versión de la fila / Row version';
COMMENT ON COLUMN public.historia_referencia.vigente_desde IS 'Vigente desde / Current from';
COMMENT ON COLUMN public.historia_referencia.vigente_hasta IS 'Vigente hasta / Current until';
COMMENT ON COLUMN public.historia_referencia.borrado IS 'Lápida: aquí se borró el recurso / Tombstone: the resource was deleted here';
COMMENT ON COLUMN public.historia_referencia.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN public.historia_referencia.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';

CREATE TABLE IF NOT EXISTS hce.asignacion (
    documento_calculado text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    paciente_id text NOT NULL DEFAULT '',
    documento_id text NOT NULL,
    creado_en timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT asignacion_pkey PRIMARY KEY (documento_calculado, fuente, paciente_id)
);
ALTER TABLE hce.asignacion OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON hce.asignacion TO hce_app;
GRANT SELECT ON hce.asignacion TO hce_readonly;
COMMENT ON TABLE hce.asignacion IS 'Documentos corregidos o fusionados a mano: qué usar en lugar de lo que dice la fuente / Documents corrected or merged by hand: what to use instead of what the source says';
COMMENT ON COLUMN hce.asignacion.documento_calculado IS 'Documento según la fuente / Document by the source';
COMMENT ON COLUMN hce.asignacion.fuente IS 'Sistema de origen ('''' con paciente_id '''': todos) / Source system';
COMMENT ON COLUMN hce.asignacion.paciente_id IS 'Patient afectado ('''' es todos) / Patient concerned ('''' is all)';
COMMENT ON COLUMN hce.asignacion.documento_id IS 'Documento que vale / Document that holds';
COMMENT ON COLUMN hce.asignacion.creado_en IS 'Creado en / Created at';

CREATE TABLE IF NOT EXISTS hce.instalacion (
    id uuid NOT NULL,
    zona_horaria text NOT NULL,
    creado_en timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT instalacion_pkey PRIMARY KEY (id)
);
ALTER TABLE hce.instalacion OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON hce.instalacion TO hce_app;
GRANT SELECT ON hce.instalacion TO hce_readonly;
COMMENT ON TABLE hce.instalacion IS 'Esta instalación: un solo renglón / This installation: one row';
COMMENT ON COLUMN hce.instalacion.id IS 'Identidad / Identity';
COMMENT ON COLUMN hce.instalacion.zona_horaria IS 'Zona de las fechas sin zona / Zone of dates without one';
COMMENT ON COLUMN hce.instalacion.creado_en IS 'Creado en / Created at';

CREATE TABLE IF NOT EXISTS hce.archivo_cargado (
    fuente text NOT NULL,
    huella uuid NOT NULL,
    bytes bigint NOT NULL,
    recursos integer NOT NULL,
    cargado_en timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT archivo_cargado_pkey PRIMARY KEY (fuente, huella)
);
ALTER TABLE hce.archivo_cargado OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON hce.archivo_cargado TO hce_app;
GRANT SELECT ON hce.archivo_cargado TO hce_readonly;
COMMENT ON TABLE hce.archivo_cargado IS 'Archivos cargados por entero y sin rechazos: otra carga los pasa por alto / Files loaded whole and without a reject: another load passes them over';
COMMENT ON COLUMN hce.archivo_cargado.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN hce.archivo_cargado.huella IS 'Huella de sus bytes y de cómo se leyó / Fingerprint of its bytes and how it was read';
COMMENT ON COLUMN hce.archivo_cargado.bytes IS 'Tamaño en bytes / Size in bytes';
COMMENT ON COLUMN hce.archivo_cargado.recursos IS 'Recursos leídos / Resources read';
COMMENT ON COLUMN hce.archivo_cargado.cargado_en IS 'Cargado en / Loaded at';

CREATE TABLE IF NOT EXISTS hce.carga (
    documento_id text NOT NULL,
    lote uuid NOT NULL,
    orden integer NOT NULL,
    tipo text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    paciente_id text,
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    CONSTRAINT carga_pkey PRIMARY KEY (documento_id, lote, orden)
);
ALTER TABLE hce.carga OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON hce.carga TO hce_app;
COMMENT ON TABLE hce.carga IS 'Filas en carga (vacía fuera de una transacción) / Staged rows (empty outside a load)';
COMMENT ON COLUMN hce.carga.documento_id IS 'Documento de identidad / Identity document';
COMMENT ON COLUMN hce.carga.lote IS 'Lote de carga / Load batch';
COMMENT ON COLUMN hce.carga.orden IS 'Orden en el lote / Order in the batch';
COMMENT ON COLUMN hce.carga.tipo IS 'Tipo FHIR del recurso / FHIR type';
COMMENT ON COLUMN hce.carga.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN hce.carga.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN hce.carga.paciente_id IS 'Paciente que nombra el recurso / Patient that the resource names';
COMMENT ON COLUMN hce.carga.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN hce.carga.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN hce.carga.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';

CREATE TABLE IF NOT EXISTS hce.carga_compartida (
    lote uuid NOT NULL,
    orden integer NOT NULL,
    tipo text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    CONSTRAINT carga_compartida_pkey PRIMARY KEY (id, lote, orden)
);
ALTER TABLE hce.carga_compartida OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON hce.carga_compartida TO hce_app;
COMMENT ON TABLE hce.carga_compartida IS 'Filas en carga (vacía fuera de una transacción) / Staged rows (empty outside a load)';
COMMENT ON COLUMN hce.carga_compartida.lote IS 'Lote de carga / Load batch';
COMMENT ON COLUMN hce.carga_compartida.orden IS 'Orden en el lote / Order in the batch';
COMMENT ON COLUMN hce.carga_compartida.tipo IS 'Tipo FHIR del recurso / FHIR type';
COMMENT ON COLUMN hce.carga_compartida.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN hce.carga_compartida.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN hce.carga_compartida.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN hce.carga_compartida.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN hce.carga_compartida.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';

CREATE TABLE IF NOT EXISTS hce.carga_referencia (
    lote uuid NOT NULL,
    orden integer NOT NULL,
    tipo text NOT NULL,
    fuente text NOT NULL DEFAULT '',
    id text NOT NULL,
    recurso jsonb NOT NULL,
    original text,
    entrada uuid,
    CONSTRAINT carga_referencia_pkey PRIMARY KEY (id, lote, orden)
);
ALTER TABLE hce.carga_referencia OWNER TO hce_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON hce.carga_referencia TO hce_app;
COMMENT ON TABLE hce.carga_referencia IS 'Filas en carga (vacía fuera de una transacción) / Staged rows (empty outside a load)';
COMMENT ON COLUMN hce.carga_referencia.lote IS 'Lote de carga / Load batch';
COMMENT ON COLUMN hce.carga_referencia.orden IS 'Orden en el lote / Order in the batch';
COMMENT ON COLUMN hce.carga_referencia.tipo IS 'Tipo FHIR del recurso / FHIR type';
COMMENT ON COLUMN hce.carga_referencia.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN hce.carga_referencia.id IS 'Identificador lógico FHIR / FHIR logical id';
COMMENT ON COLUMN hce.carga_referencia.recurso IS 'Recurso FHIR / FHIR resource';
COMMENT ON COLUMN hce.carga_referencia.original IS 'Texto exacto, si jsonb lo altera / Exact text, where jsonb changes it';
COMMENT ON COLUMN hce.carga_referencia.entrada IS 'Huella del texto del que se cargó; NULL: compárese el contenido / Fingerprint of the text it was loaded from; NULL: compare the content';

CREATE OR REPLACE FUNCTION hce.guardar_persona_relacionada(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.persona_relacionada (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.persona_relacionada AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'RelatedPerson' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'RelatedPerson', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.persona_relacionada AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.persona_relacionada AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_persona_relacionada(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_encuentro(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.encuentro (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.encuentro AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Encounter' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'Encounter', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.encuentro AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.encuentro AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_encuentro(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_episodio_atencion(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.episodio_atencion (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.episodio_atencion AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'EpisodeOfCare' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'EpisodeOfCare', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.episodio_atencion AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.episodio_atencion AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_episodio_atencion(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_cita(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.cita (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.cita AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Appointment' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'Appointment', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.cita AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.cita AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_cita(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_organizacion(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.organizacion (fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, NULL
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.organizacion AS t
        WHERE t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia_referencia AS h
            WHERE h.tipo = 'Organization' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia_referencia (tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            'Organization', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF anterior THEN
            UPDATE public.organizacion AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.organizacion AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_organizacion(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_profesional(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.profesional (fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, NULL
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.profesional AS t
        WHERE t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia_referencia AS h
            WHERE h.tipo = 'Practitioner' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia_referencia (tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            'Practitioner', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF anterior THEN
            UPDATE public.profesional AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.profesional AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_profesional(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_rol_profesional(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.rol_profesional (fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, NULL
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.rol_profesional AS t
        WHERE t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia_referencia AS h
            WHERE h.tipo = 'PractitionerRole' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia_referencia (tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            'PractitionerRole', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF anterior THEN
            UPDATE public.rol_profesional AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.rol_profesional AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_rol_profesional(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_ubicacion(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.ubicacion (fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, NULL
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.ubicacion AS t
        WHERE t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia_referencia AS h
            WHERE h.tipo = 'Location' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia_referencia (tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            'Location', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF anterior THEN
            UPDATE public.ubicacion AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.ubicacion AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_ubicacion(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_horario_atencion(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.horario_atencion (fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, NULL
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.horario_atencion AS t
        WHERE t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia_referencia AS h
            WHERE h.tipo = 'Schedule' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia_referencia (tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            'Schedule', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF anterior THEN
            UPDATE public.horario_atencion AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.horario_atencion AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_horario_atencion(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_grupo_pacientes(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.grupo_pacientes (fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, NULL
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.grupo_pacientes AS t
        WHERE t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia_referencia AS h
            WHERE h.tipo = 'Group' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia_referencia (tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            'Group', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF anterior THEN
            UPDATE public.grupo_pacientes AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.grupo_pacientes AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_grupo_pacientes(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_condicion(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.condicion (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.condicion AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Condition' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'Condition', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.condicion AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.condicion AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_condicion(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_procedimiento(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.procedimiento (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.procedimiento AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Procedure' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'Procedure', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.procedimiento AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.procedimiento AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_procedimiento(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_alergia_intolerancia(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.alergia_intolerancia (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.alergia_intolerancia AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'AllergyIntolerance' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'AllergyIntolerance', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.alergia_intolerancia AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.alergia_intolerancia AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_alergia_intolerancia(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_inmunizacion(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.inmunizacion (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.inmunizacion AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Immunization' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'Immunization', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.inmunizacion AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.inmunizacion AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_inmunizacion(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_antecedente_familiar(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.antecedente_familiar (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.antecedente_familiar AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'FamilyMemberHistory' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'FamilyMemberHistory', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.antecedente_familiar AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.antecedente_familiar AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_antecedente_familiar(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_evaluacion_riesgo(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.evaluacion_riesgo (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.evaluacion_riesgo AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'RiskAssessment' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'RiskAssessment', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.evaluacion_riesgo AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.evaluacion_riesgo AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_evaluacion_riesgo(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_impresion_clinica(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.impresion_clinica (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.impresion_clinica AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'ClinicalImpression' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'ClinicalImpression', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.impresion_clinica AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.impresion_clinica AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_impresion_clinica(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_alerta(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.alerta (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.alerta AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Flag' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'Flag', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.alerta AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.alerta AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_alerta(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_dispositivo(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.dispositivo (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.dispositivo AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Device' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'Device', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.dispositivo AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.dispositivo AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_dispositivo(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_medicamento(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.medicamento (fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, NULL
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.medicamento AS t
        WHERE t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia_compartida AS h
            WHERE h.tipo = 'Medication' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia_compartida (tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            'Medication', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF anterior THEN
            UPDATE public.medicamento AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.medicamento AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_medicamento(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_solicitud_medicamento(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.solicitud_medicamento (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.solicitud_medicamento AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'MedicationRequest' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'MedicationRequest', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.solicitud_medicamento AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.solicitud_medicamento AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_solicitud_medicamento(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_dispensacion_medicamento(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.dispensacion_medicamento (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.dispensacion_medicamento AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'MedicationDispense' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'MedicationDispense', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.dispensacion_medicamento AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.dispensacion_medicamento AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_dispensacion_medicamento(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_administracion_medicamento(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.administracion_medicamento (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.administracion_medicamento AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'MedicationAdministration' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'MedicationAdministration', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.administracion_medicamento AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.administracion_medicamento AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_administracion_medicamento(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_declaracion_medicamento(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.declaracion_medicamento (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.declaracion_medicamento AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'MedicationStatement' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'MedicationStatement', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.declaracion_medicamento AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.declaracion_medicamento AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_declaracion_medicamento(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_observacion(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.observacion (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.observacion AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Observation' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'Observation', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.observacion AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.observacion AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_observacion(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_informe_diagnostico(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.informe_diagnostico (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.informe_diagnostico AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'DiagnosticReport' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'DiagnosticReport', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.informe_diagnostico AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.informe_diagnostico AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_informe_diagnostico(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_solicitud_servicio(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.solicitud_servicio (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.solicitud_servicio AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'ServiceRequest' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'ServiceRequest', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.solicitud_servicio AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.solicitud_servicio AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_solicitud_servicio(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_especimen(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.especimen (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.especimen AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Specimen' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'Specimen', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.especimen AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.especimen AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_especimen(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_estudio_imagen(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.estudio_imagen (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.estudio_imagen AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'ImagingStudy' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'ImagingStudy', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.estudio_imagen AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.estudio_imagen AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_estudio_imagen(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_plan_cuidado(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.plan_cuidado (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.plan_cuidado AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'CarePlan' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'CarePlan', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.plan_cuidado AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.plan_cuidado AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_plan_cuidado(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_equipo_cuidado(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.equipo_cuidado (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.equipo_cuidado AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'CareTeam' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'CareTeam', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.equipo_cuidado AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.equipo_cuidado AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_equipo_cuidado(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_meta(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.meta (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.meta AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Goal' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'Goal', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.meta AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.meta AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_meta(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_tarea(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.tarea (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.tarea AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Task' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'Task', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.tarea AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.tarea AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_tarea(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_composicion(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.composicion (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.composicion AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Composition' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'Composition', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.composicion AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.composicion AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_composicion(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_referencia_documento(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.referencia_documento (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.referencia_documento AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'DocumentReference' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'DocumentReference', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.referencia_documento AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.referencia_documento AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_referencia_documento(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_consentimiento(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.consentimiento (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.consentimiento AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Consent' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'Consent', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.consentimiento AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.consentimiento AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_consentimiento(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_respuesta_cuestionario(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.respuesta_cuestionario (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.respuesta_cuestionario AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'QuestionnaireResponse' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'QuestionnaireResponse', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.respuesta_cuestionario AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.respuesta_cuestionario AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_respuesta_cuestionario(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_comunicacion(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.comunicacion (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.comunicacion AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Communication' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'Communication', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.comunicacion AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.comunicacion AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_comunicacion(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_cobertura(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.cobertura (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.cobertura AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Coverage' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'Coverage', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.cobertura AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.cobertura AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_cobertura(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_reclamacion(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.reclamacion (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.reclamacion AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Claim' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'Claim', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.reclamacion AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.reclamacion AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_reclamacion(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_explicacion_beneficio(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.explicacion_beneficio (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.explicacion_beneficio AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'ExplanationOfBenefit' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'ExplanationOfBenefit', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.explicacion_beneficio AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.explicacion_beneficio AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_explicacion_beneficio(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_estudio_investigacion(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.estudio_investigacion (fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, NULL
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.estudio_investigacion AS t
        WHERE t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia_referencia AS h
            WHERE h.tipo = 'ResearchStudy' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia_referencia (tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            'ResearchStudy', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF anterior THEN
            UPDATE public.estudio_investigacion AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.estudio_investigacion AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_estudio_investigacion(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_concepto_terminologia(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.concepto_terminologia (fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, NULL
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.concepto_terminologia AS t
        WHERE t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia_referencia AS h
            WHERE h.tipo = 'CodeSystem' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia_referencia (tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            'CodeSystem', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF anterior THEN
            UPDATE public.concepto_terminologia AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.concepto_terminologia AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_concepto_terminologia(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_conjunto_valores(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.conjunto_valores (fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, NULL
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.conjunto_valores AS t
        WHERE t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia_referencia AS h
            WHERE h.tipo = 'ValueSet' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia_referencia (tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            'ValueSet', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF anterior THEN
            UPDATE public.conjunto_valores AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.conjunto_valores AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_conjunto_valores(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_mapeo_terminologia(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.mapeo_terminologia (fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, NULL
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.mapeo_terminologia AS t
        WHERE t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia_referencia AS h
            WHERE h.tipo = 'ConceptMap' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia_referencia (tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            'ConceptMap', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF anterior THEN
            UPDATE public.mapeo_terminologia AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.mapeo_terminologia AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_mapeo_terminologia(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_guia_clinica(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.guia_clinica (fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, NULL
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.guia_clinica AS t
        WHERE t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia_referencia AS h
            WHERE h.tipo = 'PlanDefinition' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia_referencia (tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            'PlanDefinition', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF anterior THEN
            UPDATE public.guia_clinica AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.guia_clinica AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_guia_clinica(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_procedencia(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.procedencia (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.procedencia AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Provenance' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'Provenance', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.procedencia AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.procedencia AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_procedencia(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_evento_auditoria(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.evento_auditoria (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.evento_auditoria AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'AuditEvent' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, 'AuditEvent', p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.evento_auditoria AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        ELSE
            UPDATE public.evento_auditoria AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_evento_auditoria(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_recurso_paciente(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.recurso_paciente (documento_id, fuente, tipo, id, paciente_id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_tipo, p_id, p_paciente_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, t.paciente_id
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.recurso_paciente AS t
        WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.tipo = p_tipo AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = p_tipo AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia (documento_id, paciente_id, tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_documento_id, p_paciente_id, p_tipo, p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = 'HCE01';
            END IF;
        END IF;
        IF anterior THEN
            UPDATE public.recurso_paciente AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.tipo = p_tipo AND t.id = p_id;
        ELSE
            UPDATE public.recurso_paciente AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada, paciente_id = p_paciente_id
            WHERE t.documento_id = p_documento_id AND t.fuente = p_fuente AND t.tipo = p_tipo AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_recurso_paciente(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';

CREATE OR REPLACE FUNCTION hce.guardar_recurso_compartido(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_version IS NOT NULL THEN
        INSERT INTO public.recurso_compartido (fuente, tipo, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_fuente, p_tipo, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, NULL
        INTO version, previo, original_previo, desde, paciente_previo
        FROM public.recurso_compartido AS t
        WHERE t.fuente = p_fuente AND t.tipo = p_tipo AND t.id = p_id;
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        IF version > 1 THEN
            PERFORM 1 FROM public.historia_compartida AS h
            WHERE h.tipo = p_tipo AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        anterior := hce.momento(nuevo #>> '{meta,lastUpdated}') < hce.momento(previo #>> '{meta,lastUpdated}');
        ahora := clock_timestamp();
        INSERT INTO public.historia_compartida (tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            p_tipo, p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        IF anterior THEN
            UPDATE public.recurso_compartido AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE t.fuente = p_fuente AND t.tipo = p_tipo AND t.id = p_id;
        ELSE
            UPDATE public.recurso_compartido AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada
            WHERE t.fuente = p_fuente AND t.tipo = p_tipo AND t.id = p_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = 'HCE01';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION hce.guardar_recurso_compartido(text, text, text, text, text, text, text, uuid, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (a former version came again), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
CREATE INDEX IF NOT EXISTS paciente_fuente_id_idx ON public.paciente USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS paciente_claves_idx ON public.paciente USING gin (claves);
CREATE INDEX IF NOT EXISTS paciente_nombre_busqueda_idx ON public.paciente USING gin (nombre_busqueda public.gin_trgm_ops);
CREATE INDEX IF NOT EXISTS paciente_fecha_nacimiento_idx ON public.paciente USING btree (fecha_nacimiento);
CREATE INDEX IF NOT EXISTS persona_relacionada_fuente_id_idx ON public.persona_relacionada USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS encuentro_fuente_id_idx ON public.encuentro USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS encuentro_documento_id_fecha_idx ON public.encuentro USING btree (documento_id, (lower(fecha)));
CREATE INDEX IF NOT EXISTS episodio_atencion_fuente_id_idx ON public.episodio_atencion USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS cita_fuente_id_idx ON public.cita USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS cita_documento_id_fecha_idx ON public.cita USING btree (documento_id, (lower(fecha)));
CREATE INDEX IF NOT EXISTS cita_profesionales_idx ON public.cita USING gin (profesionales);
CREATE INDEX IF NOT EXISTS cita_profesional_id_inicio_idx ON public.cita USING btree (profesional_id, inicio);
CREATE INDEX IF NOT EXISTS organizacion_claves_idx ON public.organizacion USING gin (claves);
CREATE INDEX IF NOT EXISTS profesional_claves_idx ON public.profesional USING gin (claves);
CREATE INDEX IF NOT EXISTS ubicacion_claves_idx ON public.ubicacion USING gin (claves);
CREATE INDEX IF NOT EXISTS condicion_fuente_id_idx ON public.condicion USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS condicion_documento_id_fecha_idx ON public.condicion USING btree (documento_id, (lower(fecha)));
CREATE INDEX IF NOT EXISTS condicion_documento_id_codigo_idx ON public.condicion USING btree (documento_id, codigo);
CREATE INDEX IF NOT EXISTS condicion_documento_id_encuentro_id_idx ON public.condicion USING btree (documento_id, encuentro_id);
CREATE INDEX IF NOT EXISTS condicion_codigos_idx ON public.condicion USING gin (codigos);
CREATE INDEX IF NOT EXISTS procedimiento_fuente_id_idx ON public.procedimiento USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS procedimiento_documento_id_fecha_idx ON public.procedimiento USING btree (documento_id, (lower(fecha)));
CREATE INDEX IF NOT EXISTS procedimiento_documento_id_codigo_idx ON public.procedimiento USING btree (documento_id, codigo);
CREATE INDEX IF NOT EXISTS procedimiento_documento_id_encuentro_id_idx ON public.procedimiento USING btree (documento_id, encuentro_id);
CREATE INDEX IF NOT EXISTS alergia_intolerancia_fuente_id_idx ON public.alergia_intolerancia USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS inmunizacion_fuente_id_idx ON public.inmunizacion USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS inmunizacion_documento_id_fecha_idx ON public.inmunizacion USING btree (documento_id, (lower(fecha)));
CREATE INDEX IF NOT EXISTS antecedente_familiar_fuente_id_idx ON public.antecedente_familiar USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS evaluacion_riesgo_fuente_id_idx ON public.evaluacion_riesgo USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS impresion_clinica_fuente_id_idx ON public.impresion_clinica USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS alerta_fuente_id_idx ON public.alerta USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS dispositivo_fuente_id_idx ON public.dispositivo USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS medicamento_claves_idx ON public.medicamento USING gin (claves);
CREATE INDEX IF NOT EXISTS solicitud_medicamento_fuente_id_idx ON public.solicitud_medicamento USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS solicitud_medicamento_documento_id_fecha_idx ON public.solicitud_medicamento USING btree (documento_id, (lower(fecha)));
CREATE INDEX IF NOT EXISTS solicitud_medicamento_documento_id_codigo_idx ON public.solicitud_medicamento USING btree (documento_id, codigo);
CREATE INDEX IF NOT EXISTS dispensacion_medicamento_fuente_id_idx ON public.dispensacion_medicamento USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS dispensacion_medicamento_documento_id_fecha_idx ON public.dispensacion_medicamento USING btree (documento_id, (lower(fecha)));
CREATE INDEX IF NOT EXISTS administracion_medicamento_fuente_id_idx ON public.administracion_medicamento USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS administracion_medicamento_documento_id_fecha_idx ON public.administracion_medicamento USING btree (documento_id, (lower(fecha)));
CREATE INDEX IF NOT EXISTS declaracion_medicamento_fuente_id_idx ON public.declaracion_medicamento USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS observacion_fuente_id_idx ON public.observacion USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS observacion_documento_id_fecha_idx ON public.observacion USING btree (documento_id, (lower(fecha)));
CREATE INDEX IF NOT EXISTS observacion_documento_id_codigo_idx ON public.observacion USING btree (documento_id, codigo);
CREATE INDEX IF NOT EXISTS observacion_documento_id_encuentro_id_idx ON public.observacion USING btree (documento_id, encuentro_id);
CREATE INDEX IF NOT EXISTS observacion_codigos_idx ON public.observacion USING gin (codigos);
CREATE INDEX IF NOT EXISTS informe_diagnostico_fuente_id_idx ON public.informe_diagnostico USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS informe_diagnostico_documento_id_fecha_idx ON public.informe_diagnostico USING btree (documento_id, (lower(fecha)));
CREATE INDEX IF NOT EXISTS solicitud_servicio_fuente_id_idx ON public.solicitud_servicio USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS solicitud_servicio_documento_id_fecha_idx ON public.solicitud_servicio USING btree (documento_id, (lower(fecha)));
CREATE INDEX IF NOT EXISTS especimen_fuente_id_idx ON public.especimen USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS estudio_imagen_fuente_id_idx ON public.estudio_imagen USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS plan_cuidado_fuente_id_idx ON public.plan_cuidado USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS equipo_cuidado_fuente_id_idx ON public.equipo_cuidado USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS meta_fuente_id_idx ON public.meta USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS tarea_fuente_id_idx ON public.tarea USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS tarea_profesional_id_estado_idx ON public.tarea USING btree (profesional_id, estado);
CREATE INDEX IF NOT EXISTS composicion_fuente_id_idx ON public.composicion USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS referencia_documento_fuente_id_idx ON public.referencia_documento USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS referencia_documento_documento_id_fecha_idx ON public.referencia_documento USING btree (documento_id, (lower(fecha)));
CREATE INDEX IF NOT EXISTS consentimiento_fuente_id_idx ON public.consentimiento USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS respuesta_cuestionario_fuente_id_idx ON public.respuesta_cuestionario USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS comunicacion_fuente_id_idx ON public.comunicacion USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS cobertura_fuente_id_idx ON public.cobertura USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS reclamacion_fuente_id_idx ON public.reclamacion USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS reclamacion_documento_id_fecha_idx ON public.reclamacion USING btree (documento_id, (lower(fecha)));
CREATE INDEX IF NOT EXISTS explicacion_beneficio_fuente_id_idx ON public.explicacion_beneficio USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS explicacion_beneficio_documento_id_fecha_idx ON public.explicacion_beneficio USING btree (documento_id, (lower(fecha)));
CREATE INDEX IF NOT EXISTS procedencia_fuente_id_idx ON public.procedencia USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS evento_auditoria_fuente_id_idx ON public.evento_auditoria USING btree (fuente, id);
CREATE INDEX IF NOT EXISTS evento_auditoria_documento_id_fecha_idx ON public.evento_auditoria USING btree (documento_id, (lower(fecha)));
CREATE INDEX IF NOT EXISTS recurso_paciente_fuente_tipo_id_idx ON public.recurso_paciente USING btree (fuente, tipo, id);
CREATE INDEX IF NOT EXISTS recurso_paciente_documento_id_tipo_idx ON public.recurso_paciente USING btree (documento_id, tipo);
CREATE INDEX IF NOT EXISTS historia_fuente_tipo_id_idx ON public.historia USING btree (fuente, tipo, id);

INSERT INTO hce.instalacion (id, zona_horaria)
SELECT
    gen_random_uuid() AS id,
    hce.zona_horaria() AS zona_horaria
WHERE NOT EXISTS (SELECT 1 FROM hce.instalacion);

GRANT USAGE ON SCHEMA hce TO hce_app, hce_readonly;
GRANT USAGE ON SCHEMA public TO hce_app, hce_readonly;
GRANT SELECT ON hce.migracion TO hce_app, hce_readonly;
