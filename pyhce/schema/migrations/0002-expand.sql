DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'hce_writer') THEN
        CREATE ROLE hce_writer NOLOGIN;
    END IF;
END
$$;
ALTER ROLE hce_app NOINHERIT;
GRANT hce_writer TO hce_app;
GRANT USAGE ON SCHEMA hce TO hce_writer;
GRANT USAGE ON SCHEMA public TO hce_writer;
GRANT SELECT ON hce.migracion TO hce_writer;


CREATE OR REPLACE FUNCTION hce.contenido(recurso jsonb, referencia text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
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
END;
$$;
COMMENT ON FUNCTION hce.contenido(jsonb, text) IS 'The contained resource that a reference (#id) names; NULL for any other reference.';

CREATE OR REPLACE FUNCTION hce.nombre_vigente(nombres jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN (
        SELECT v
        FROM jsonb_array_elements(hce.lista(nombres)) WITH ORDINALITY AS e (v, n)
        WHERE jsonb_typeof(v) = 'object'
        ORDER BY
            coalesce(v ->> 'use', '') IN ('temp', 'anonymous', 'maiden', 'old'),
            v #>> '{period,end}' IS NOT NULL,
            v ->> 'family' IS NULL AND v -> 'given' IS NULL,
            array_position(ARRAY['official', 'usual', '', 'nickname', 'temp', 'anonymous', 'maiden', 'old'], coalesce(v ->> 'use', '')) NULLS LAST,
            n
        LIMIT 1
    );
END;
$$;
COMMENT ON FUNCTION hce.nombre_vigente(jsonb) IS 'The HumanName in use: official before usual, then the others; temp, anonymous, maiden and old only if there is nothing else. One whose period has an end comes after those without.';

CREATE OR REPLACE FUNCTION hce.direccion_vigente(direcciones jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN (
        SELECT v
        FROM jsonb_array_elements(hce.lista(direcciones)) WITH ORDINALITY AS e (v, n)
        WHERE jsonb_typeof(v) = 'object' AND coalesce(v ->> 'use', '') NOT IN ('old')
        ORDER BY
            coalesce(v ->> 'use', '') IN ('temp'),
            v #>> '{period,end}' IS NOT NULL,
            coalesce(v ->> 'type', '') = 'postal',
            array_position(ARRAY['home', '', 'work', 'billing'], coalesce(v ->> 'use', '')) NULLS LAST,
            n
        LIMIT 1
    );
END;
$$;
COMMENT ON FUNCTION hce.direccion_vigente(jsonb) IS 'The Address in use: home before work and billing, a place before a postal address; temp only if there is nothing else, old never. One whose period has an end comes after those without.';

CREATE OR REPLACE FUNCTION hce.contacto_vigente(contactos jsonb, sistema text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN (
        SELECT v
        FROM jsonb_array_elements(hce.lista(contactos)) WITH ORDINALITY AS e (v, n)
        WHERE jsonb_typeof(v) = 'object' AND coalesce(v ->> 'use', '') NOT IN ('old') AND v ->> 'value' IS NOT NULL AND coalesce(
            v ->> 'system', CASE WHEN strpos(v ->> 'value', '@') > 0 THEN 'email' ELSE 'phone' END
        ) = sistema
        ORDER BY
            coalesce(v ->> 'use', '') IN ('temp'),
            v #>> '{period,end}' IS NOT NULL,
            hce.entero(v -> 'rank') IS NULL, hce.entero(v -> 'rank'),
            array_position(ARRAY['home', 'mobile', '', 'work'], coalesce(v ->> 'use', '')) NULLS LAST,
            n
        LIMIT 1
    );
END;
$$;
COMMENT ON FUNCTION hce.contacto_vigente(jsonb, text) IS 'The ContactPoint of a system (phone, email) in use: by rank, then home, mobile, work; temp only if there is nothing else, old never. One without a system is an e-mail if it has an @, else a phone. One whose period has an end comes after those without.';

CREATE OR REPLACE FUNCTION hce.instante(t text) RETURNS timestamptz
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    cuando timestamp;
    zona text;
BEGIN
    IF t ~ '^[0-9]{4}-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])$' AND left(t, 4) <> '0000' THEN
        RETURN t::timestamptz;
    ELSIF t !~ '^\d{4}-\d{2}-\d{2}T([01]\d|2[0-3]):[0-5]\d(:([0-5]\d|60)(\.\d{1,30})?)?(Z|[+-](0\d|1[0-4]):[0-5]\d)?$' THEN
        RETURN NULL;
    END IF;
    cuando := hce.dia(left(t, 10)) + make_interval(
        hours => substr(t, 12, 2)::integer,
        mins => substr(t, 15, 2)::integer,
        secs => coalesce(substring(t FROM '^.{16}:(\d\d(?:\.\d{1,9})?)'), '0')::double precision
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
COMMENT ON FUNCTION hce.instante(text) IS 'The moment of a FHIR instant or dateTime with a time; the installation''s zone where it has none. A leap second is the moment that follows it.';

CREATE OR REPLACE FUNCTION hce.lapso(t text) RETURNS tstzrange
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    cuando timestamptz;
    primero date;
BEGIN
    IF t ~ '^[0-9]{4}-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])$' AND left(t, 4) <> '0000' THEN  -- as instante does, without the call
        RETURN tstzrange(t::timestamptz, t::timestamptz, '[]');
    ELSIF strpos(t, 'T') > 0 THEN
        cuando := hce.instante(t);
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
COMMENT ON FUNCTION hce.lapso(text) IS 'The moments that a FHIR date, dateTime or instant may mean, in the installation''s zone.';

CREATE OR REPLACE FUNCTION hce.lapso_periodo(p jsonb) RETURNS tstzrange
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
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
END;
$$;
COMMENT ON FUNCTION hce.lapso_periodo(jsonb) IS 'A FHIR Period as a range: an open end is unbounded, an end before its start gives NULL.';

CREATE OR REPLACE FUNCTION hce.lapso_horario(h jsonb) RETURNS tstzrange
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(
        hce.lapso_periodo(h #> '{repeat,boundsPeriod}'),
        (
            SELECT range_merge(r) FROM (
                SELECT range_agg(hce.lapso(e)) AS r
                FROM jsonb_array_elements_text(
                    CASE jsonb_typeof(h -> 'event') WHEN 'array' THEN h -> 'event' ELSE '[]' END
                ) AS e
            ) AS eventos
            WHERE NOT isempty(r)
        )
    )
$$;
COMMENT ON FUNCTION hce.lapso_horario(jsonb) IS 'A FHIR Timing as a range: its bounds, or from its first event to its last.';

CREATE OR REPLACE FUNCTION hce.sin_acentos(t text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN octet_length(t) = length(t) THEN lower(t)
        ELSE lower(normalize(regexp_replace(normalize(t, NFD), '[\u0300-\u036f]+', '', 'g'), NFC))
    END
$$;
COMMENT ON FUNCTION hce.sin_acentos(text) IS 'Search text: lower case, without accents, whatever its Unicode form (NFC or NFD).';

CREATE OR REPLACE FUNCTION hce.nombres_sin_acentos(v jsonb) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT nullif(hce.sin_acentos(string_agg(
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
COMMENT ON FUNCTION hce.nombres_sin_acentos(jsonb) IS 'HumanNames (or plain names) as one search text: given names and surnames, lower case, no accents.';

CREATE OR REPLACE FUNCTION hce.acortado(t text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN CASE
        WHEN octet_length(t) <= 1000 THEN t
        ELSE left(t, 200) || '~sha256:'
            || encode(sha256(replace(t, chr(92), chr(92) || chr(92))::bytea), 'hex')
    END;
END;
$$;
COMMENT ON FUNCTION hce.acortado(text) IS 'The text as an index can hold it: as it is, or its first 200 characters, ~sha256: and its SHA-256 if it has more than 1000 bytes. Typed columns that are indexed hold this; recurso holds the text.';

CREATE OR REPLACE FUNCTION hce.acortados(v text[]) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    n integer;
BEGIN
    IF octet_length(v::text) <= 1000 THEN
        RETURN v;
    END IF;
    FOR n IN 1..cardinality(v) LOOP
        IF octet_length(v[n]) > 1000 THEN
            v[n] := hce.acortado(v[n]);
        END IF;
    END LOOP;
    RETURN v;
END;
$$;
COMMENT ON FUNCTION hce.acortados(text[]) IS 'Each text of an array as hce.acortado gives it.';

CREATE TABLE IF NOT EXISTS hce.documento_en_disputa (
    documento_calculado text NOT NULL,
    fuente text NOT NULL,
    paciente_id text NOT NULL,
    CONSTRAINT documento_en_disputa_pkey PRIMARY KEY (documento_calculado, fuente, paciente_id)
);
ALTER TABLE hce.documento_en_disputa OWNER TO hce_owner;
GRANT SELECT ON hce.documento_en_disputa TO hce_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON hce.documento_en_disputa TO hce_writer;
GRANT SELECT ON hce.documento_en_disputa TO hce_readonly;
COMMENT ON TABLE hce.documento_en_disputa IS 'Pacientes que dicen tener un documento y quedan aparte, porque contradicen a otro que lo tiene / Patients that state a document and are kept apart, as they contradict another that has it';
COMMENT ON COLUMN hce.documento_en_disputa.documento_calculado IS 'Documento según la fuente / Document by the source';
COMMENT ON COLUMN hce.documento_en_disputa.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN hce.documento_en_disputa.paciente_id IS 'Patient que queda aparte / Patient';
CREATE INDEX IF NOT EXISTS documento_en_disputa_fuente_paciente_id_idx ON hce.documento_en_disputa USING btree (fuente, paciente_id);

CREATE TABLE IF NOT EXISTS hce.misma_persona (
    fuente text NOT NULL,
    paciente_id text NOT NULL,
    otra_fuente text NOT NULL,
    otro_paciente_id text NOT NULL,
    CONSTRAINT misma_persona_pkey PRIMARY KEY (fuente, paciente_id, otra_fuente, otro_paciente_id)
);
ALTER TABLE hce.misma_persona OWNER TO hce_owner;
GRANT SELECT ON hce.misma_persona TO hce_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON hce.misma_persona TO hce_writer;
GRANT SELECT ON hce.misma_persona TO hce_readonly;
COMMENT ON TABLE hce.misma_persona IS 'Pares de Patient que se contradicen y que alguien confirmó como la misma persona / Pairs of Patients that contradict each other and were confirmed as one person';
COMMENT ON COLUMN hce.misma_persona.fuente IS 'Sistema de origen / Source system';
COMMENT ON COLUMN hce.misma_persona.paciente_id IS 'Patient / Patient';
COMMENT ON COLUMN hce.misma_persona.otra_fuente IS 'Sistema de origen del otro / The other''s source';
COMMENT ON COLUMN hce.misma_persona.otro_paciente_id IS 'El otro Patient / The other Patient';

CREATE TABLE IF NOT EXISTS hce.paso_datos (
    numero integer NOT NULL,
    paso text NOT NULL,
    informe jsonb NOT NULL DEFAULT '{}',
    hasta text,
    terminado_en timestamptz,
    CONSTRAINT paso_datos_pkey PRIMARY KEY (numero, paso)
);
ALTER TABLE hce.paso_datos OWNER TO hce_owner;
GRANT SELECT ON hce.paso_datos TO hce_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON hce.paso_datos TO hce_writer;
GRANT SELECT ON hce.paso_datos TO hce_readonly;
COMMENT ON TABLE hce.paso_datos IS 'Cambios de filas que una migración exige, con su avance / Changes of stored rows that a migration needs, with their progress';
COMMENT ON COLUMN hce.paso_datos.numero IS 'Migración / Migration';
COMMENT ON COLUMN hce.paso_datos.paso IS 'Nombre del paso / Name of the step';
COMMENT ON COLUMN hce.paso_datos.informe IS 'Conteos hasta ahora / Counts so far';
COMMENT ON COLUMN hce.paso_datos.hasta IS 'Hasta dónde llegó, mientras no termine / How far it has come, until it is done';
COMMENT ON COLUMN hce.paso_datos.terminado_en IS 'Terminado en / Done at';

ALTER TABLE hce.asignacion ADD COLUMN IF NOT EXISTS expediente_creado_en timestamptz;
COMMENT ON COLUMN hce.asignacion.expediente_creado_en IS 'Cuándo se creó el expediente que se fusionó / When the record that was merged had been created';

ALTER TABLE hce.carga ADD COLUMN IF NOT EXISTS protocolo integer NOT NULL;
COMMENT ON COLUMN hce.carga.protocolo IS 'Protocolo de quien escribe / Protocol of the writer';

ALTER TABLE hce.carga_compartida ADD COLUMN IF NOT EXISTS protocolo integer NOT NULL;
COMMENT ON COLUMN hce.carga_compartida.protocolo IS 'Protocolo de quien escribe / Protocol of the writer';

ALTER TABLE hce.carga_referencia ADD COLUMN IF NOT EXISTS protocolo integer NOT NULL;
COMMENT ON COLUMN hce.carga_referencia.protocolo IS 'Protocolo de quien escribe / Protocol of the writer';

ALTER TABLE public.paciente
    DROP COLUMN IF EXISTS claves,
    DROP COLUMN IF EXISTS nombre_busqueda,
    DROP COLUMN IF EXISTS apellidos,
    DROP COLUMN IF EXISTS nombre,
    DROP COLUMN IF EXISTS fallecido,
    DROP COLUMN IF EXISTS fallecido_en,
    DROP COLUMN IF EXISTS ciudad,
    DROP COLUMN IF EXISTS telefono,
    DROP COLUMN IF EXISTS correo,
    ADD COLUMN claves text[]
    GENERATED ALWAYS AS (hce.acortados(hce.claves_propias(id, recurso -> 'identifier'))) STORED,
    ADD COLUMN nombre_busqueda text
    GENERATED ALWAYS AS (hce.nombres_sin_acentos(recurso -> 'name')) STORED,
    ADD COLUMN apellidos text
    GENERATED ALWAYS AS (hce.nombre_vigente(recurso -> 'name') ->> 'family') STORED,
    ADD COLUMN nombre text
    GENERATED ALWAYS AS (coalesce(hce.nombre_vigente(recurso -> 'name') #>> '{given,0}', jsonb_path_query_first(hce.nombre_vigente(recurso -> 'name') -> 'given', '$ ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN fallecido boolean
    GENERATED ALWAYS AS (coalesce(hce.logico(recurso -> 'deceasedBoolean'), nullif(recurso -> 'deceasedDateTime' IS NOT NULL, false))) STORED,
    ADD COLUMN fallecido_en tstzrange
    GENERATED ALWAYS AS (hce.lapso(recurso ->> 'deceasedDateTime')) STORED,
    ADD COLUMN ciudad text
    GENERATED ALWAYS AS (hce.direccion_vigente(recurso -> 'address') ->> 'city') STORED,
    ADD COLUMN telefono text
    GENERATED ALWAYS AS (coalesce(hce.contacto_vigente(recurso -> 'telecom', 'phone') ->> 'value', hce.contacto_vigente(recurso -> 'telecom', 'sms') ->> 'value')) STORED,
    ADD COLUMN correo text
    GENERATED ALWAYS AS (hce.contacto_vigente(recurso -> 'telecom', 'email') ->> 'value') STORED;
COMMENT ON COLUMN public.paciente.claves IS 'Patient.id. Claves por las que se le nombra / Keys by which it is named';
COMMENT ON COLUMN public.paciente.nombre_busqueda IS 'Patient.name. Nombres para buscar / Names to search by';
COMMENT ON COLUMN public.paciente.apellidos IS 'Patient.name.preferred().family. Apellidos / Surnames';
COMMENT ON COLUMN public.paciente.nombre IS 'Patient.name.preferred().given. Primer nombre / First given name';
COMMENT ON COLUMN public.paciente.fallecido IS 'Patient.deceased[x]. Falleció / Deceased';
COMMENT ON COLUMN public.paciente.fallecido_en IS 'Patient.deceased[x]. Fallecimiento / Death';
COMMENT ON COLUMN public.paciente.ciudad IS 'Patient.address.preferred().city. Ciudad / City';
COMMENT ON COLUMN public.paciente.telefono IS 'Patient.telecom.preferred(''phone'').value | Patient.telecom.preferred(''sms'').value. Teléfono en uso / Phone in use';
COMMENT ON COLUMN public.paciente.correo IS 'Patient.telecom.preferred(''email'').value. Correo electrónico en uso / E-mail in use';

ALTER TABLE public.persona_relacionada
    DROP COLUMN IF EXISTS parentesco,
    DROP COLUMN IF EXISTS nombre_busqueda,
    DROP COLUMN IF EXISTS apellidos,
    DROP COLUMN IF EXISTS telefono,
    DROP COLUMN IF EXISTS correo,
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN parentesco text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{relationship,0,coding,0,code}', jsonb_path_query_first(recurso -> 'relationship', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN nombre_busqueda text
    GENERATED ALWAYS AS (hce.nombres_sin_acentos(recurso -> 'name')) STORED,
    ADD COLUMN apellidos text
    GENERATED ALWAYS AS (hce.nombre_vigente(recurso -> 'name') ->> 'family') STORED,
    ADD COLUMN telefono text
    GENERATED ALWAYS AS (coalesce(hce.contacto_vigente(recurso -> 'telecom', 'phone') ->> 'value', hce.contacto_vigente(recurso -> 'telecom', 'sms') ->> 'value')) STORED,
    ADD COLUMN correo text
    GENERATED ALWAYS AS (hce.contacto_vigente(recurso -> 'telecom', 'email') ->> 'value') STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (hce.lapso_periodo(recurso -> 'period')) STORED;
COMMENT ON COLUMN public.persona_relacionada.parentesco IS 'RelatedPerson.relationship. Parentesco / Relationship';
COMMENT ON COLUMN public.persona_relacionada.nombre_busqueda IS 'RelatedPerson.name. Nombres para buscar / Names to search by';
COMMENT ON COLUMN public.persona_relacionada.apellidos IS 'RelatedPerson.name.preferred().family. Apellidos / Surnames';
COMMENT ON COLUMN public.persona_relacionada.telefono IS 'RelatedPerson.telecom.preferred(''phone'').value | RelatedPerson.telecom.preferred(''sms'').value. Teléfono en uso / Phone in use';
COMMENT ON COLUMN public.persona_relacionada.correo IS 'RelatedPerson.telecom.preferred(''email'').value. Correo electrónico en uso / E-mail in use';
COMMENT ON COLUMN public.persona_relacionada.fecha IS 'RelatedPerson.period. Vigencia / Period';

ALTER TABLE public.encuentro
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS codigo_texto,
    DROP COLUMN IF EXISTS motivo_texto,
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{type,0,coding,0,code}', jsonb_path_query_first(recurso -> 'type', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(coalesce(recurso #>> '{type,0,text}', jsonb_path_query_first(recurso -> 'type', '$.text ? (@ != null)') #>> '{}'), coalesce(recurso #>> '{type,0,coding,0,display}', jsonb_path_query_first(recurso -> 'type', '$.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN motivo_texto text
    GENERATED ALWAYS AS (coalesce(coalesce(recurso #>> '{reasonCode,0,text}', jsonb_path_query_first(recurso -> 'reasonCode', '$.text ? (@ != null)') #>> '{}'), coalesce(recurso #>> '{reasonCode,0,coding,0,display}', jsonb_path_query_first(recurso -> 'reasonCode', '$.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (hce.lapso_periodo(recurso -> 'period')) STORED;
COMMENT ON COLUMN public.encuentro.codigo IS 'Encounter.type. Tipo de atención / Type';
COMMENT ON COLUMN public.encuentro.codigo_texto IS 'Encounter.type.text | Encounter.type.coding.display. Texto de codigo, codificado o no / Words of codigo, coded or not';
COMMENT ON COLUMN public.encuentro.motivo_texto IS 'Encounter.reasonCode.text | Encounter.reasonCode.coding.display. Texto de motivo, codificado o no / Words of motivo, coded or not';
COMMENT ON COLUMN public.encuentro.fecha IS 'Encounter.period. Cuándo / When';

ALTER TABLE public.episodio_atencion
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS codigo_texto,
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{type,0,coding,0,code}', jsonb_path_query_first(recurso -> 'type', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(coalesce(recurso #>> '{type,0,text}', jsonb_path_query_first(recurso -> 'type', '$.text ? (@ != null)') #>> '{}'), coalesce(recurso #>> '{type,0,coding,0,display}', jsonb_path_query_first(recurso -> 'type', '$.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (hce.lapso_periodo(recurso -> 'period')) STORED;
COMMENT ON COLUMN public.episodio_atencion.codigo IS 'EpisodeOfCare.type. Tipo / Type';
COMMENT ON COLUMN public.episodio_atencion.codigo_texto IS 'EpisodeOfCare.type.text | EpisodeOfCare.type.coding.display. Texto de codigo, codificado o no / Words of codigo, coded or not';
COMMENT ON COLUMN public.episodio_atencion.fecha IS 'EpisodeOfCare.period. Cuándo / When';

ALTER TABLE public.cita
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS codigo_texto,
    DROP COLUMN IF EXISTS clase,
    DROP COLUMN IF EXISTS inicio,
    DROP COLUMN IF EXISTS fin,
    DROP COLUMN IF EXISTS fecha,
    DROP COLUMN IF EXISTS profesionales,
    DROP COLUMN IF EXISTS profesional_id,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{serviceType,0,coding,0,code}', jsonb_path_query_first(recurso -> 'serviceType', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(coalesce(recurso #>> '{serviceType,0,text}', jsonb_path_query_first(recurso -> 'serviceType', '$.text ? (@ != null)') #>> '{}'), coalesce(recurso #>> '{serviceType,0,coding,0,display}', jsonb_path_query_first(recurso -> 'serviceType', '$.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN clase text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{appointmentType,coding,0,code}', jsonb_path_query_first(recurso -> 'appointmentType', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN inicio timestamptz
    GENERATED ALWAYS AS (hce.instante(recurso ->> 'start')) STORED,
    ADD COLUMN fin timestamptz
    GENERATED ALWAYS AS (hce.instante(recurso ->> 'end')) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (hce.lapso(recurso ->> 'start')) STORED,
    ADD COLUMN profesionales text[]
    GENERATED ALWAYS AS (hce.acortados(hce.claves_expresas_de(jsonb_path_query_array(recurso, '$.participant.actor'), 'Practitioner'))) STORED,
    ADD COLUMN profesional_id text
    GENERATED ALWAYS AS (hce.acortado((hce.claves_expresas_de(jsonb_path_query_array(recurso, '$.participant.actor'), 'Practitioner'))[1])) STORED;
COMMENT ON COLUMN public.cita.codigo IS 'Appointment.serviceType. Servicio / Service';
COMMENT ON COLUMN public.cita.codigo_texto IS 'Appointment.serviceType.text | Appointment.serviceType.coding.display. Texto de codigo, codificado o no / Words of codigo, coded or not';
COMMENT ON COLUMN public.cita.clase IS 'Appointment.appointmentType. Tipo de cita / Appointment type';
COMMENT ON COLUMN public.cita.inicio IS 'Appointment.start. Inicio / Start';
COMMENT ON COLUMN public.cita.fin IS 'Appointment.end. Fin / End';
COMMENT ON COLUMN public.cita.fecha IS 'Appointment.start. Cuándo / When';
COMMENT ON COLUMN public.cita.profesionales IS 'Appointment.participant.actor. Profesionales / Practitioners';
COMMENT ON COLUMN public.cita.profesional_id IS 'Appointment.participant.actor. Primer profesional / First practitioner';

ALTER TABLE public.organizacion
    DROP COLUMN IF EXISTS claves,
    DROP COLUMN IF EXISTS nombre_busqueda,
    DROP COLUMN IF EXISTS clase,
    DROP COLUMN IF EXISTS ciudad,
    DROP COLUMN IF EXISTS telefono,
    DROP COLUMN IF EXISTS correo,
    ADD COLUMN claves text[]
    GENERATED ALWAYS AS (hce.acortados(hce.claves_propias(id, recurso -> 'identifier'))) STORED,
    ADD COLUMN nombre_busqueda text
    GENERATED ALWAYS AS (hce.nombres_sin_acentos(recurso -> 'name')) STORED,
    ADD COLUMN clase text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{type,0,coding,0,code}', jsonb_path_query_first(recurso -> 'type', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN ciudad text
    GENERATED ALWAYS AS (hce.direccion_vigente(recurso -> 'address') ->> 'city') STORED,
    ADD COLUMN telefono text
    GENERATED ALWAYS AS (coalesce(hce.contacto_vigente(recurso -> 'telecom', 'phone') ->> 'value', hce.contacto_vigente(recurso -> 'telecom', 'sms') ->> 'value')) STORED,
    ADD COLUMN correo text
    GENERATED ALWAYS AS (hce.contacto_vigente(recurso -> 'telecom', 'email') ->> 'value') STORED;
COMMENT ON COLUMN public.organizacion.claves IS 'Organization.id. Claves por las que se le nombra / Keys by which it is named';
COMMENT ON COLUMN public.organizacion.nombre_busqueda IS 'Organization.name. Nombre para buscar / Name to search by';
COMMENT ON COLUMN public.organizacion.clase IS 'Organization.type. Tipo de organización / Type';
COMMENT ON COLUMN public.organizacion.ciudad IS 'Organization.address.preferred().city. Ciudad / City';
COMMENT ON COLUMN public.organizacion.telefono IS 'Organization.telecom.preferred(''phone'').value | Organization.telecom.preferred(''sms'').value. Teléfono en uso / Phone in use';
COMMENT ON COLUMN public.organizacion.correo IS 'Organization.telecom.preferred(''email'').value. Correo electrónico en uso / E-mail in use';

ALTER TABLE public.profesional
    DROP COLUMN IF EXISTS claves,
    DROP COLUMN IF EXISTS nombre_busqueda,
    DROP COLUMN IF EXISTS apellidos,
    DROP COLUMN IF EXISTS nombre,
    DROP COLUMN IF EXISTS telefono,
    DROP COLUMN IF EXISTS correo,
    ADD COLUMN claves text[]
    GENERATED ALWAYS AS (hce.acortados(hce.claves_propias(id, recurso -> 'identifier'))) STORED,
    ADD COLUMN nombre_busqueda text
    GENERATED ALWAYS AS (hce.nombres_sin_acentos(recurso -> 'name')) STORED,
    ADD COLUMN apellidos text
    GENERATED ALWAYS AS (hce.nombre_vigente(recurso -> 'name') ->> 'family') STORED,
    ADD COLUMN nombre text
    GENERATED ALWAYS AS (coalesce(hce.nombre_vigente(recurso -> 'name') #>> '{given,0}', jsonb_path_query_first(hce.nombre_vigente(recurso -> 'name') -> 'given', '$ ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN telefono text
    GENERATED ALWAYS AS (coalesce(hce.contacto_vigente(recurso -> 'telecom', 'phone') ->> 'value', hce.contacto_vigente(recurso -> 'telecom', 'sms') ->> 'value')) STORED,
    ADD COLUMN correo text
    GENERATED ALWAYS AS (hce.contacto_vigente(recurso -> 'telecom', 'email') ->> 'value') STORED;
COMMENT ON COLUMN public.profesional.claves IS 'Practitioner.id. Claves por las que se le nombra / Keys by which it is named';
COMMENT ON COLUMN public.profesional.nombre_busqueda IS 'Practitioner.name. Nombres para buscar / Names to search by';
COMMENT ON COLUMN public.profesional.apellidos IS 'Practitioner.name.preferred().family. Apellidos / Surnames';
COMMENT ON COLUMN public.profesional.nombre IS 'Practitioner.name.preferred().given. Primer nombre / First given name';
COMMENT ON COLUMN public.profesional.telefono IS 'Practitioner.telecom.preferred(''phone'').value | Practitioner.telecom.preferred(''sms'').value. Teléfono en uso / Phone in use';
COMMENT ON COLUMN public.profesional.correo IS 'Practitioner.telecom.preferred(''email'').value. Correo electrónico en uso / E-mail in use';

ALTER TABLE public.rol_profesional
    DROP COLUMN IF EXISTS rol,
    DROP COLUMN IF EXISTS rol_texto,
    DROP COLUMN IF EXISTS especialidad_texto,
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN rol text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{code,0,coding,0,code}', jsonb_path_query_first(recurso -> 'code', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN rol_texto text
    GENERATED ALWAYS AS (coalesce(coalesce(recurso #>> '{code,0,text}', jsonb_path_query_first(recurso -> 'code', '$.text ? (@ != null)') #>> '{}'), coalesce(recurso #>> '{code,0,coding,0,display}', jsonb_path_query_first(recurso -> 'code', '$.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN especialidad_texto text
    GENERATED ALWAYS AS (coalesce(coalesce(recurso #>> '{specialty,0,text}', jsonb_path_query_first(recurso -> 'specialty', '$.text ? (@ != null)') #>> '{}'), coalesce(recurso #>> '{specialty,0,coding,0,display}', jsonb_path_query_first(recurso -> 'specialty', '$.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (hce.lapso_periodo(recurso -> 'period')) STORED;
COMMENT ON COLUMN public.rol_profesional.rol IS 'PractitionerRole.code. Rol / Role';
COMMENT ON COLUMN public.rol_profesional.rol_texto IS 'PractitionerRole.code.text | PractitionerRole.code.coding.display. Texto de rol, codificado o no / Words of rol, coded or not';
COMMENT ON COLUMN public.rol_profesional.especialidad_texto IS 'PractitionerRole.specialty.text | PractitionerRole.specialty.coding.display. Texto de especialidad, codificado o no / Words of especialidad, coded or not';
COMMENT ON COLUMN public.rol_profesional.fecha IS 'PractitionerRole.period. Vigencia / Period';

ALTER TABLE public.ubicacion
    DROP COLUMN IF EXISTS claves,
    DROP COLUMN IF EXISTS clase,
    ADD COLUMN claves text[]
    GENERATED ALWAYS AS (hce.acortados(hce.claves_propias(id, recurso -> 'identifier'))) STORED,
    ADD COLUMN clase text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{type,0,coding,0,code}', jsonb_path_query_first(recurso -> 'type', '$.coding.code ? (@ != null)') #>> '{}')) STORED;
COMMENT ON COLUMN public.ubicacion.claves IS 'Location.id. Claves por las que se le nombra / Keys by which it is named';
COMMENT ON COLUMN public.ubicacion.clase IS 'Location.type. Tipo / Type';

ALTER TABLE public.horario_atencion
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (hce.lapso_periodo(recurso -> 'planningHorizon')) STORED;
COMMENT ON COLUMN public.horario_atencion.fecha IS 'Schedule.planningHorizon. Horizonte de planeación / Planning horizon';

ALTER TABLE public.grupo_pacientes
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS codigo_texto,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{code,coding,0,code}', jsonb_path_query_first(recurso -> 'code', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{code,text}', coalesce(recurso #>> '{code,coding,0,display}', jsonb_path_query_first(recurso -> 'code', '$.coding.display ? (@ != null)') #>> '{}'))) STORED;
COMMENT ON COLUMN public.grupo_pacientes.codigo IS 'Group.code. Qué reúne / What it groups';
COMMENT ON COLUMN public.grupo_pacientes.codigo_texto IS 'Group.code.text | Group.code.coding.display. Texto de codigo, codificado o no / Words of codigo, coded or not';

ALTER TABLE public.condicion
    DROP COLUMN IF EXISTS estado,
    DROP COLUMN IF EXISTS verificacion,
    DROP COLUMN IF EXISTS categoria,
    DROP COLUMN IF EXISTS severidad,
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS codigos,
    DROP COLUMN IF EXISTS codigo_texto,
    DROP COLUMN IF EXISTS fecha,
    DROP COLUMN IF EXISTS resuelta,
    DROP COLUMN IF EXISTS encuentro_id,
    ADD COLUMN estado text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{clinicalStatus,coding,0,code}', jsonb_path_query_first(recurso -> 'clinicalStatus', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN verificacion text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{verificationStatus,coding,0,code}', jsonb_path_query_first(recurso -> 'verificationStatus', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN categoria text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{category,0,coding,0,code}', jsonb_path_query_first(recurso -> 'category', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN severidad text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{severity,coding,0,code}', jsonb_path_query_first(recurso -> 'severity', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (hce.acortado(coalesce(recurso #>> '{code,coding,0,code}', jsonb_path_query_first(recurso -> 'code', '$.coding.code ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN codigos text[]
    GENERATED ALWAYS AS (hce.acortados(hce.codigos(recurso #> '{code,coding}'))) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{code,text}', coalesce(recurso #>> '{code,coding,0,display}', jsonb_path_query_first(recurso -> 'code', '$.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (coalesce(hce.lapso(recurso ->> 'onsetDateTime'), hce.lapso_periodo(recurso -> 'onsetPeriod'), hce.lapso(recurso ->> 'recordedDate'))) STORED,
    ADD COLUMN resuelta tstzrange
    GENERATED ALWAYS AS (coalesce(hce.lapso(recurso ->> 'abatementDateTime'), hce.lapso_periodo(recurso -> 'abatementPeriod'))) STORED,
    ADD COLUMN encuentro_id text
    GENERATED ALWAYS AS (hce.acortado(hce.clave(recurso -> 'encounter', 'Encounter'))) STORED;
COMMENT ON COLUMN public.condicion.estado IS 'Condition.clinicalStatus. Estado clínico / Clinical status';
COMMENT ON COLUMN public.condicion.verificacion IS 'Condition.verificationStatus. Verificación / Verification status';
COMMENT ON COLUMN public.condicion.categoria IS 'Condition.category. Categoría / Category';
COMMENT ON COLUMN public.condicion.severidad IS 'Condition.severity. Severidad / Severity';
COMMENT ON COLUMN public.condicion.codigo IS 'Condition.code. Diagnóstico / Diagnosis';
COMMENT ON COLUMN public.condicion.codigos IS 'Condition.code. Todas sus codificaciones / All its codings';
COMMENT ON COLUMN public.condicion.codigo_texto IS 'Condition.code.text | Condition.code.coding.display. Texto de codigo, codificado o no / Words of codigo, coded or not';
COMMENT ON COLUMN public.condicion.fecha IS 'Condition.onset[x] | Condition.recordedDate. Inicio, o registro / Onset, or recorded';
COMMENT ON COLUMN public.condicion.resuelta IS 'Condition.abatement[x]. Resolución / Abatement';
COMMENT ON COLUMN public.condicion.encuentro_id IS 'Condition.encounter. Encuentro / Encounter';

ALTER TABLE public.procedimiento
    DROP COLUMN IF EXISTS categoria,
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS codigo_texto,
    DROP COLUMN IF EXISTS motivo_texto,
    DROP COLUMN IF EXISTS fecha,
    DROP COLUMN IF EXISTS encuentro_id,
    ADD COLUMN categoria text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{category,coding,0,code}', jsonb_path_query_first(recurso -> 'category', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (hce.acortado(coalesce(recurso #>> '{code,coding,0,code}', jsonb_path_query_first(recurso -> 'code', '$.coding.code ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{code,text}', coalesce(recurso #>> '{code,coding,0,display}', jsonb_path_query_first(recurso -> 'code', '$.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN motivo_texto text
    GENERATED ALWAYS AS (coalesce(coalesce(recurso #>> '{reasonCode,0,text}', jsonb_path_query_first(recurso -> 'reasonCode', '$.text ? (@ != null)') #>> '{}'), coalesce(recurso #>> '{reasonCode,0,coding,0,display}', jsonb_path_query_first(recurso -> 'reasonCode', '$.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (coalesce(hce.lapso(recurso ->> 'performedDateTime'), hce.lapso_periodo(recurso -> 'performedPeriod'))) STORED,
    ADD COLUMN encuentro_id text
    GENERATED ALWAYS AS (hce.acortado(hce.clave(recurso -> 'encounter', 'Encounter'))) STORED;
COMMENT ON COLUMN public.procedimiento.categoria IS 'Procedure.category. Categoría / Category';
COMMENT ON COLUMN public.procedimiento.codigo IS 'Procedure.code. Procedimiento / Procedure';
COMMENT ON COLUMN public.procedimiento.codigo_texto IS 'Procedure.code.text | Procedure.code.coding.display. Texto de codigo, codificado o no / Words of codigo, coded or not';
COMMENT ON COLUMN public.procedimiento.motivo_texto IS 'Procedure.reasonCode.text | Procedure.reasonCode.coding.display. Texto de motivo, codificado o no / Words of motivo, coded or not';
COMMENT ON COLUMN public.procedimiento.fecha IS 'Procedure.performed[x]. Cuándo / When';
COMMENT ON COLUMN public.procedimiento.encuentro_id IS 'Procedure.encounter. Encuentro / Encounter';

ALTER TABLE public.alergia_intolerancia
    DROP COLUMN IF EXISTS estado,
    DROP COLUMN IF EXISTS verificacion,
    DROP COLUMN IF EXISTS categoria,
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS codigo_texto,
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN estado text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{clinicalStatus,coding,0,code}', jsonb_path_query_first(recurso -> 'clinicalStatus', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN verificacion text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{verificationStatus,coding,0,code}', jsonb_path_query_first(recurso -> 'verificationStatus', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN categoria text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{category,0}', jsonb_path_query_first(recurso -> 'category', '$ ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{code,coding,0,code}', jsonb_path_query_first(recurso -> 'code', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{code,text}', coalesce(recurso #>> '{code,coding,0,display}', jsonb_path_query_first(recurso -> 'code', '$.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (coalesce(hce.lapso(recurso ->> 'onsetDateTime'), hce.lapso_periodo(recurso -> 'onsetPeriod'), hce.lapso(recurso ->> 'recordedDate'))) STORED;
COMMENT ON COLUMN public.alergia_intolerancia.estado IS 'AllergyIntolerance.clinicalStatus. Estado clínico / Clinical status';
COMMENT ON COLUMN public.alergia_intolerancia.verificacion IS 'AllergyIntolerance.verificationStatus. Verificación / Verification status';
COMMENT ON COLUMN public.alergia_intolerancia.categoria IS 'AllergyIntolerance.category. Categoría / Category';
COMMENT ON COLUMN public.alergia_intolerancia.codigo IS 'AllergyIntolerance.code. Sustancia / Substance';
COMMENT ON COLUMN public.alergia_intolerancia.codigo_texto IS 'AllergyIntolerance.code.text | AllergyIntolerance.code.coding.display. Texto de codigo, codificado o no / Words of codigo, coded or not';
COMMENT ON COLUMN public.alergia_intolerancia.fecha IS 'AllergyIntolerance.onset[x] | AllergyIntolerance.recordedDate. Inicio, o registro / Onset, or recorded';

ALTER TABLE public.inmunizacion
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS codigo_texto,
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{vaccineCode,coding,0,code}', jsonb_path_query_first(recurso -> 'vaccineCode', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{vaccineCode,text}', coalesce(recurso #>> '{vaccineCode,coding,0,display}', jsonb_path_query_first(recurso -> 'vaccineCode', '$.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (hce.lapso(recurso ->> 'occurrenceDateTime')) STORED;
COMMENT ON COLUMN public.inmunizacion.codigo IS 'Immunization.vaccineCode. Vacuna / Vaccine';
COMMENT ON COLUMN public.inmunizacion.codigo_texto IS 'Immunization.vaccineCode.text | Immunization.vaccineCode.coding.display. Texto de codigo, codificado o no / Words of codigo, coded or not';
COMMENT ON COLUMN public.inmunizacion.fecha IS 'Immunization.occurrence[x]. Cuándo / When';

ALTER TABLE public.antecedente_familiar
    DROP COLUMN IF EXISTS parentesco,
    DROP COLUMN IF EXISTS codigo_texto,
    DROP COLUMN IF EXISTS fallecido,
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN parentesco text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{relationship,coding,0,code}', jsonb_path_query_first(recurso -> 'relationship', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(coalesce(recurso #>> '{condition,0,code,text}', jsonb_path_query_first(recurso -> 'condition', '$.code.text ? (@ != null)') #>> '{}'), coalesce(recurso #>> '{condition,0,code,coding,0,display}', jsonb_path_query_first(recurso -> 'condition', '$.code.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN fallecido boolean
    GENERATED ALWAYS AS (coalesce(hce.logico(recurso -> 'deceasedBoolean'), nullif(recurso -> 'deceasedAge' IS NOT NULL, false), nullif(recurso -> 'deceasedRange' IS NOT NULL, false), nullif(recurso -> 'deceasedDate' IS NOT NULL, false), nullif(recurso -> 'deceasedString' IS NOT NULL, false))) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (hce.lapso(recurso ->> 'date')) STORED;
COMMENT ON COLUMN public.antecedente_familiar.parentesco IS 'FamilyMemberHistory.relationship. Parentesco / Relationship';
COMMENT ON COLUMN public.antecedente_familiar.codigo_texto IS 'FamilyMemberHistory.condition.code.text | FamilyMemberHistory.condition.code.coding.display. Texto de codigo, codificado o no / Words of codigo, coded or not';
COMMENT ON COLUMN public.antecedente_familiar.fallecido IS 'FamilyMemberHistory.deceased[x]. Falleció / Deceased';
COMMENT ON COLUMN public.antecedente_familiar.fecha IS 'FamilyMemberHistory.date. Cuándo se registró / When recorded';

ALTER TABLE public.evaluacion_riesgo
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS codigo_texto,
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{code,coding,0,code}', jsonb_path_query_first(recurso -> 'code', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{code,text}', coalesce(recurso #>> '{code,coding,0,display}', jsonb_path_query_first(recurso -> 'code', '$.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (coalesce(hce.lapso(recurso ->> 'occurrenceDateTime'), hce.lapso_periodo(recurso -> 'occurrencePeriod'))) STORED;
COMMENT ON COLUMN public.evaluacion_riesgo.codigo IS 'RiskAssessment.code. Tipo de evaluación / Type';
COMMENT ON COLUMN public.evaluacion_riesgo.codigo_texto IS 'RiskAssessment.code.text | RiskAssessment.code.coding.display. Texto de codigo, codificado o no / Words of codigo, coded or not';
COMMENT ON COLUMN public.evaluacion_riesgo.fecha IS 'RiskAssessment.occurrence[x]. Cuándo / When';

ALTER TABLE public.impresion_clinica
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS codigo_texto,
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{code,coding,0,code}', jsonb_path_query_first(recurso -> 'code', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{code,text}', coalesce(recurso #>> '{code,coding,0,display}', jsonb_path_query_first(recurso -> 'code', '$.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (coalesce(hce.lapso(recurso ->> 'effectiveDateTime'), hce.lapso_periodo(recurso -> 'effectivePeriod'), hce.lapso(recurso ->> 'date'))) STORED;
COMMENT ON COLUMN public.impresion_clinica.codigo IS 'ClinicalImpression.code. Tipo / Type';
COMMENT ON COLUMN public.impresion_clinica.codigo_texto IS 'ClinicalImpression.code.text | ClinicalImpression.code.coding.display. Texto de codigo, codificado o no / Words of codigo, coded or not';
COMMENT ON COLUMN public.impresion_clinica.fecha IS 'ClinicalImpression.effective[x] | ClinicalImpression.date. Cuándo / When';

ALTER TABLE public.alerta
    DROP COLUMN IF EXISTS categoria,
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS codigo_texto,
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN categoria text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{category,0,coding,0,code}', jsonb_path_query_first(recurso -> 'category', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{code,coding,0,code}', jsonb_path_query_first(recurso -> 'code', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{code,text}', coalesce(recurso #>> '{code,coding,0,display}', jsonb_path_query_first(recurso -> 'code', '$.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (hce.lapso_periodo(recurso -> 'period')) STORED;
COMMENT ON COLUMN public.alerta.categoria IS 'Flag.category. Categoría / Category';
COMMENT ON COLUMN public.alerta.codigo IS 'Flag.code. Alerta / Flag';
COMMENT ON COLUMN public.alerta.codigo_texto IS 'Flag.code.text | Flag.code.coding.display. Texto de codigo, codificado o no / Words of codigo, coded or not';
COMMENT ON COLUMN public.alerta.fecha IS 'Flag.period. Vigencia / Period';

ALTER TABLE public.dispositivo
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS codigo_texto,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{type,coding,0,code}', jsonb_path_query_first(recurso -> 'type', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{type,text}', coalesce(recurso #>> '{type,coding,0,display}', jsonb_path_query_first(recurso -> 'type', '$.coding.display ? (@ != null)') #>> '{}'))) STORED;
COMMENT ON COLUMN public.dispositivo.codigo IS 'Device.type. Tipo / Type';
COMMENT ON COLUMN public.dispositivo.codigo_texto IS 'Device.type.text | Device.type.coding.display. Texto de codigo, codificado o no / Words of codigo, coded or not';

ALTER TABLE public.medicamento
    DROP COLUMN IF EXISTS claves,
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS codigo_texto,
    DROP COLUMN IF EXISTS forma,
    ADD COLUMN claves text[]
    GENERATED ALWAYS AS (hce.acortados(hce.claves_propias(id, recurso -> 'identifier'))) STORED,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{code,coding,0,code}', jsonb_path_query_first(recurso -> 'code', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{code,text}', coalesce(recurso #>> '{code,coding,0,display}', jsonb_path_query_first(recurso -> 'code', '$.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN forma text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{form,coding,0,code}', jsonb_path_query_first(recurso -> 'form', '$.coding.code ? (@ != null)') #>> '{}')) STORED;
COMMENT ON COLUMN public.medicamento.claves IS 'Medication.id. Claves por las que se le nombra / Keys by which it is named';
COMMENT ON COLUMN public.medicamento.codigo IS 'Medication.code. Código / Code';
COMMENT ON COLUMN public.medicamento.codigo_texto IS 'Medication.code.text | Medication.code.coding.display. Texto de codigo, codificado o no / Words of codigo, coded or not';
COMMENT ON COLUMN public.medicamento.forma IS 'Medication.form. Forma farmacéutica / Form';

ALTER TABLE public.solicitud_medicamento
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS codigos,
    DROP COLUMN IF EXISTS codigo_texto,
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (hce.acortado(coalesce(coalesce(recurso #>> '{medicationCodeableConcept,coding,0,code}', jsonb_path_query_first(recurso -> 'medicationCodeableConcept', '$.coding.code ? (@ != null)') #>> '{}'), coalesce(hce.contenido(recurso, recurso #>> '{medicationReference,reference}') #>> '{code,coding,0,code}', jsonb_path_query_first(hce.contenido(recurso, recurso #>> '{medicationReference,reference}') -> 'code', '$.coding.code ? (@ != null)') #>> '{}')))) STORED,
    ADD COLUMN codigos text[]
    GENERATED ALWAYS AS (coalesce(hce.codigos(recurso #> '{medicationCodeableConcept,coding}'), hce.codigos(hce.contenido(recurso, recurso #>> '{medicationReference,reference}') #> '{code,coding}'))) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{medicationCodeableConcept,text}', coalesce(recurso #>> '{medicationCodeableConcept,coding,0,display}', jsonb_path_query_first(recurso -> 'medicationCodeableConcept', '$.coding.display ? (@ != null)') #>> '{}'), hce.contenido(recurso, recurso #>> '{medicationReference,reference}') #>> '{code,text}', coalesce(hce.contenido(recurso, recurso #>> '{medicationReference,reference}') #>> '{code,coding,0,display}', jsonb_path_query_first(hce.contenido(recurso, recurso #>> '{medicationReference,reference}') -> 'code', '$.coding.display ? (@ != null)') #>> '{}'), recurso #>> '{medicationReference,display}')) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (hce.lapso(recurso ->> 'authoredOn')) STORED;
COMMENT ON COLUMN public.solicitud_medicamento.codigo IS 'MedicationRequest.medicationCodeableConcept | MedicationRequest.medicationReference.resolve().code. Medicamento, codificado aquí o contenido / Medication, coded here or contained';
COMMENT ON COLUMN public.solicitud_medicamento.codigos IS 'MedicationRequest.medicationCodeableConcept | MedicationRequest.medicationReference.resolve().code. Todas sus codificaciones / All its codings';
COMMENT ON COLUMN public.solicitud_medicamento.codigo_texto IS 'MedicationRequest.medicationCodeableConcept.text | MedicationRequest.medicationCodeableConcept.coding.display | MedicationRequest.medicationReference.resolve().code.text | MedicationRequest.medicationReference.resolve().code.coding.display | MedicationRequest.medicationReference.display. Texto de codigo, codificado o no / Words of codigo, coded or not';
COMMENT ON COLUMN public.solicitud_medicamento.fecha IS 'MedicationRequest.authoredOn. Cuándo se formuló / When written';

ALTER TABLE public.dispensacion_medicamento
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS codigos,
    DROP COLUMN IF EXISTS codigo_texto,
    DROP COLUMN IF EXISTS fecha,
    DROP COLUMN IF EXISTS cantidad_comparador,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (coalesce(coalesce(recurso #>> '{medicationCodeableConcept,coding,0,code}', jsonb_path_query_first(recurso -> 'medicationCodeableConcept', '$.coding.code ? (@ != null)') #>> '{}'), coalesce(hce.contenido(recurso, recurso #>> '{medicationReference,reference}') #>> '{code,coding,0,code}', jsonb_path_query_first(hce.contenido(recurso, recurso #>> '{medicationReference,reference}') -> 'code', '$.coding.code ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN codigos text[]
    GENERATED ALWAYS AS (coalesce(hce.codigos(recurso #> '{medicationCodeableConcept,coding}'), hce.codigos(hce.contenido(recurso, recurso #>> '{medicationReference,reference}') #> '{code,coding}'))) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{medicationCodeableConcept,text}', coalesce(recurso #>> '{medicationCodeableConcept,coding,0,display}', jsonb_path_query_first(recurso -> 'medicationCodeableConcept', '$.coding.display ? (@ != null)') #>> '{}'), hce.contenido(recurso, recurso #>> '{medicationReference,reference}') #>> '{code,text}', coalesce(hce.contenido(recurso, recurso #>> '{medicationReference,reference}') #>> '{code,coding,0,display}', jsonb_path_query_first(hce.contenido(recurso, recurso #>> '{medicationReference,reference}') -> 'code', '$.coding.display ? (@ != null)') #>> '{}'), recurso #>> '{medicationReference,display}')) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (coalesce(hce.lapso(recurso ->> 'whenHandedOver'), hce.lapso(recurso ->> 'whenPrepared'))) STORED,
    ADD COLUMN cantidad_comparador text
    GENERATED ALWAYS AS (recurso #>> '{quantity,comparator}') STORED;
COMMENT ON COLUMN public.dispensacion_medicamento.codigo IS 'MedicationDispense.medicationCodeableConcept | MedicationDispense.medicationReference.resolve().code. Medicamento, codificado aquí o contenido / Medication, coded here or contained';
COMMENT ON COLUMN public.dispensacion_medicamento.codigos IS 'MedicationDispense.medicationCodeableConcept | MedicationDispense.medicationReference.resolve().code. Todas sus codificaciones / All its codings';
COMMENT ON COLUMN public.dispensacion_medicamento.codigo_texto IS 'MedicationDispense.medicationCodeableConcept.text | MedicationDispense.medicationCodeableConcept.coding.display | MedicationDispense.medicationReference.resolve().code.text | MedicationDispense.medicationReference.resolve().code.coding.display | MedicationDispense.medicationReference.display. Texto de codigo, codificado o no / Words of codigo, coded or not';
COMMENT ON COLUMN public.dispensacion_medicamento.fecha IS 'MedicationDispense.whenHandedOver | MedicationDispense.whenPrepared. Cuándo se entregó o preparó / When handed over or prepared';
COMMENT ON COLUMN public.dispensacion_medicamento.cantidad_comparador IS 'MedicationDispense.quantity.comparator. Comparador de cantidad (<, >): no es el valor exacto / Comparator of cantidad (<, >): not the exact value';

ALTER TABLE public.administracion_medicamento
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS codigos,
    DROP COLUMN IF EXISTS codigo_texto,
    DROP COLUMN IF EXISTS fecha,
    DROP COLUMN IF EXISTS dosis_comparador,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (coalesce(coalesce(recurso #>> '{medicationCodeableConcept,coding,0,code}', jsonb_path_query_first(recurso -> 'medicationCodeableConcept', '$.coding.code ? (@ != null)') #>> '{}'), coalesce(hce.contenido(recurso, recurso #>> '{medicationReference,reference}') #>> '{code,coding,0,code}', jsonb_path_query_first(hce.contenido(recurso, recurso #>> '{medicationReference,reference}') -> 'code', '$.coding.code ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN codigos text[]
    GENERATED ALWAYS AS (coalesce(hce.codigos(recurso #> '{medicationCodeableConcept,coding}'), hce.codigos(hce.contenido(recurso, recurso #>> '{medicationReference,reference}') #> '{code,coding}'))) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{medicationCodeableConcept,text}', coalesce(recurso #>> '{medicationCodeableConcept,coding,0,display}', jsonb_path_query_first(recurso -> 'medicationCodeableConcept', '$.coding.display ? (@ != null)') #>> '{}'), hce.contenido(recurso, recurso #>> '{medicationReference,reference}') #>> '{code,text}', coalesce(hce.contenido(recurso, recurso #>> '{medicationReference,reference}') #>> '{code,coding,0,display}', jsonb_path_query_first(hce.contenido(recurso, recurso #>> '{medicationReference,reference}') -> 'code', '$.coding.display ? (@ != null)') #>> '{}'), recurso #>> '{medicationReference,display}')) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (coalesce(hce.lapso(recurso ->> 'effectiveDateTime'), hce.lapso_periodo(recurso -> 'effectivePeriod'))) STORED,
    ADD COLUMN dosis_comparador text
    GENERATED ALWAYS AS (recurso #>> '{dosage,dose,comparator}') STORED;
COMMENT ON COLUMN public.administracion_medicamento.codigo IS 'MedicationAdministration.medicationCodeableConcept | MedicationAdministration.medicationReference.resolve().code. Medicamento, codificado aquí o contenido / Medication, coded here or contained';
COMMENT ON COLUMN public.administracion_medicamento.codigos IS 'MedicationAdministration.medicationCodeableConcept | MedicationAdministration.medicationReference.resolve().code. Todas sus codificaciones / All its codings';
COMMENT ON COLUMN public.administracion_medicamento.codigo_texto IS 'MedicationAdministration.medicationCodeableConcept.text | MedicationAdministration.medicationCodeableConcept.coding.display | MedicationAdministration.medicationReference.resolve().code.text | MedicationAdministration.medicationReference.resolve().code.coding.display | MedicationAdministration.medicationReference.display. Texto de codigo, codificado o no / Words of codigo, coded or not';
COMMENT ON COLUMN public.administracion_medicamento.fecha IS 'MedicationAdministration.effective[x]. Cuándo / When';
COMMENT ON COLUMN public.administracion_medicamento.dosis_comparador IS 'MedicationAdministration.dosage.dose.comparator. Comparador de dosis (<, >): no es el valor exacto / Comparator of dosis (<, >): not the exact value';

ALTER TABLE public.declaracion_medicamento
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS codigos,
    DROP COLUMN IF EXISTS codigo_texto,
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (coalesce(coalesce(recurso #>> '{medicationCodeableConcept,coding,0,code}', jsonb_path_query_first(recurso -> 'medicationCodeableConcept', '$.coding.code ? (@ != null)') #>> '{}'), coalesce(hce.contenido(recurso, recurso #>> '{medicationReference,reference}') #>> '{code,coding,0,code}', jsonb_path_query_first(hce.contenido(recurso, recurso #>> '{medicationReference,reference}') -> 'code', '$.coding.code ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN codigos text[]
    GENERATED ALWAYS AS (coalesce(hce.codigos(recurso #> '{medicationCodeableConcept,coding}'), hce.codigos(hce.contenido(recurso, recurso #>> '{medicationReference,reference}') #> '{code,coding}'))) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{medicationCodeableConcept,text}', coalesce(recurso #>> '{medicationCodeableConcept,coding,0,display}', jsonb_path_query_first(recurso -> 'medicationCodeableConcept', '$.coding.display ? (@ != null)') #>> '{}'), hce.contenido(recurso, recurso #>> '{medicationReference,reference}') #>> '{code,text}', coalesce(hce.contenido(recurso, recurso #>> '{medicationReference,reference}') #>> '{code,coding,0,display}', jsonb_path_query_first(hce.contenido(recurso, recurso #>> '{medicationReference,reference}') -> 'code', '$.coding.display ? (@ != null)') #>> '{}'), recurso #>> '{medicationReference,display}')) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (coalesce(hce.lapso(recurso ->> 'effectiveDateTime'), hce.lapso_periodo(recurso -> 'effectivePeriod'), hce.lapso(recurso ->> 'dateAsserted'))) STORED;
COMMENT ON COLUMN public.declaracion_medicamento.codigo IS 'MedicationStatement.medicationCodeableConcept | MedicationStatement.medicationReference.resolve().code. Medicamento, codificado aquí o contenido / Medication, coded here or contained';
COMMENT ON COLUMN public.declaracion_medicamento.codigos IS 'MedicationStatement.medicationCodeableConcept | MedicationStatement.medicationReference.resolve().code. Todas sus codificaciones / All its codings';
COMMENT ON COLUMN public.declaracion_medicamento.codigo_texto IS 'MedicationStatement.medicationCodeableConcept.text | MedicationStatement.medicationCodeableConcept.coding.display | MedicationStatement.medicationReference.resolve().code.text | MedicationStatement.medicationReference.resolve().code.coding.display | MedicationStatement.medicationReference.display. Texto de codigo, codificado o no / Words of codigo, coded or not';
COMMENT ON COLUMN public.declaracion_medicamento.fecha IS 'MedicationStatement.effective[x] | MedicationStatement.dateAsserted. Cuándo / When';

ALTER TABLE public.observacion
    DROP COLUMN IF EXISTS categoria,
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS codigos,
    DROP COLUMN IF EXISTS codigo_texto,
    DROP COLUMN IF EXISTS fecha,
    DROP COLUMN IF EXISTS valor_comparador,
    DROP COLUMN IF EXISTS unidad,
    DROP COLUMN IF EXISTS valor_texto,
    DROP COLUMN IF EXISTS valor_codigo,
    DROP COLUMN IF EXISTS valor_logico,
    DROP COLUMN IF EXISTS valor_fecha,
    DROP COLUMN IF EXISTS sistolica,
    DROP COLUMN IF EXISTS sistolica_comparador,
    DROP COLUMN IF EXISTS diastolica,
    DROP COLUMN IF EXISTS diastolica_comparador,
    DROP COLUMN IF EXISTS componentes,
    DROP COLUMN IF EXISTS encuentro_id,
    ADD COLUMN categoria text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{category,0,coding,0,code}', jsonb_path_query_first(recurso -> 'category', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (hce.acortado(coalesce(recurso #>> '{code,coding,0,code}', jsonb_path_query_first(recurso -> 'code', '$.coding.code ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN codigos text[]
    GENERATED ALWAYS AS (hce.acortados(hce.codigos(recurso #> '{code,coding}'))) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{code,text}', coalesce(recurso #>> '{code,coding,0,display}', jsonb_path_query_first(recurso -> 'code', '$.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (coalesce(hce.lapso(recurso ->> 'effectiveDateTime'), hce.lapso_periodo(recurso -> 'effectivePeriod'), hce.lapso_horario(recurso -> 'effectiveTiming'), hce.lapso(recurso ->> 'effectiveInstant'))) STORED,
    ADD COLUMN valor_comparador text
    GENERATED ALWAYS AS (recurso #>> '{valueQuantity,comparator}') STORED,
    ADD COLUMN unidad text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{valueQuantity,code}', recurso #>> '{valueQuantity,unit}', CASE WHEN recurso ? 'component' THEN jsonb_path_query_first(recurso, '$.component[*] ? (exists(@.code.coding ? (@.system == "http://loinc.org" && @.code == "8480-6")))') #>> '{valueQuantity,code}' END, CASE WHEN recurso ? 'component' THEN jsonb_path_query_first(recurso, '$.component[*] ? (exists(@.code.coding ? (@.system == "http://loinc.org" && @.code == "8480-6")))') #>> '{valueQuantity,unit}' END)) STORED,
    ADD COLUMN valor_texto text
    GENERATED ALWAYS AS (coalesce(recurso ->> 'valueString', recurso #>> '{valueCodeableConcept,text}', coalesce(recurso #>> '{valueCodeableConcept,coding,0,display}', jsonb_path_query_first(recurso -> 'valueCodeableConcept', '$.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN valor_codigo text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{valueCodeableConcept,coding,0,code}', jsonb_path_query_first(recurso -> 'valueCodeableConcept', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN valor_logico boolean
    GENERATED ALWAYS AS (hce.logico(recurso -> 'valueBoolean')) STORED,
    ADD COLUMN valor_fecha tstzrange
    GENERATED ALWAYS AS (coalesce(hce.lapso(recurso ->> 'valueDateTime'), hce.lapso_periodo(recurso -> 'valuePeriod'))) STORED,
    ADD COLUMN sistolica numeric
    GENERATED ALWAYS AS (coalesce(CASE WHEN recurso ? 'component' THEN hce.numero(jsonb_path_query_first(recurso, '$.component[*] ? (exists(@.code.coding ? (@.system == "http://loinc.org" && @.code == "8480-6")))') #> '{valueQuantity,value}') END, CASE WHEN recurso #> '{code,coding}' @> '[{"system": "http://loinc.org", "code": "8480-6"}]' THEN hce.numero(recurso #> '{valueQuantity,value}') END)) STORED,
    ADD COLUMN sistolica_comparador text
    GENERATED ALWAYS AS (coalesce(CASE WHEN recurso ? 'component' THEN jsonb_path_query_first(recurso, '$.component[*] ? (exists(@.code.coding ? (@.system == "http://loinc.org" && @.code == "8480-6")))') #>> '{valueQuantity,comparator}' END, CASE WHEN recurso #> '{code,coding}' @> '[{"system": "http://loinc.org", "code": "8480-6"}]' THEN recurso #>> '{valueQuantity,comparator}' END)) STORED,
    ADD COLUMN diastolica numeric
    GENERATED ALWAYS AS (coalesce(CASE WHEN recurso ? 'component' THEN hce.numero(jsonb_path_query_first(recurso, '$.component[*] ? (exists(@.code.coding ? (@.system == "http://loinc.org" && @.code == "8462-4")))') #> '{valueQuantity,value}') END, CASE WHEN recurso #> '{code,coding}' @> '[{"system": "http://loinc.org", "code": "8462-4"}]' THEN hce.numero(recurso #> '{valueQuantity,value}') END)) STORED,
    ADD COLUMN diastolica_comparador text
    GENERATED ALWAYS AS (coalesce(CASE WHEN recurso ? 'component' THEN jsonb_path_query_first(recurso, '$.component[*] ? (exists(@.code.coding ? (@.system == "http://loinc.org" && @.code == "8462-4")))') #>> '{valueQuantity,comparator}' END, CASE WHEN recurso #> '{code,coding}' @> '[{"system": "http://loinc.org", "code": "8462-4"}]' THEN recurso #>> '{valueQuantity,comparator}' END)) STORED,
    ADD COLUMN componentes text[]
    GENERATED ALWAYS AS (hce.codigos(jsonb_path_query_array(recurso -> 'component', '$.code.coding[*]'))) STORED,
    ADD COLUMN encuentro_id text
    GENERATED ALWAYS AS (hce.acortado(hce.clave(recurso -> 'encounter', 'Encounter'))) STORED;
COMMENT ON COLUMN public.observacion.categoria IS 'Observation.category. Categoría / Category';
COMMENT ON COLUMN public.observacion.codigo IS 'Observation.code. Qué se observó / What was observed';
COMMENT ON COLUMN public.observacion.codigos IS 'Observation.code. Todas sus codificaciones / All its codings';
COMMENT ON COLUMN public.observacion.codigo_texto IS 'Observation.code.text | Observation.code.coding.display. Texto de codigo, codificado o no / Words of codigo, coded or not';
COMMENT ON COLUMN public.observacion.fecha IS 'Observation.effective[x]. Cuándo vale / When it holds';
COMMENT ON COLUMN public.observacion.valor_comparador IS 'Observation.valueQuantity.comparator. Comparador de valor (<, >): no es el valor exacto / Comparator of valor (<, >): not the exact value';
COMMENT ON COLUMN public.observacion.unidad IS 'Observation.valueQuantity.code | Observation.valueQuantity.unit | Observation.component.where(code = ''http://loinc.org|8480-6'').valueQuantity.code | Observation.component.where(code = ''http://loinc.org|8480-6'').valueQuantity.unit. Unidad del valor, o de la presión sistólica / Unit of the value, or of the systolic pressure';
COMMENT ON COLUMN public.observacion.valor_texto IS 'Observation.valueString | Observation.valueCodeableConcept.text | Observation.valueCodeableConcept.coding.display. Valor en texto, o el texto del valor codificado / Text value, or the words of the coded value';
COMMENT ON COLUMN public.observacion.valor_codigo IS 'Observation.valueCodeableConcept. Valor codificado / Coded value';
COMMENT ON COLUMN public.observacion.valor_logico IS 'Observation.valueBoolean. Valor lógico / Boolean value';
COMMENT ON COLUMN public.observacion.valor_fecha IS 'Observation.valueDateTime | Observation.valuePeriod. Valor que es fecha / Value that is a date';
COMMENT ON COLUMN public.observacion.sistolica IS 'Observation.component.where(code = ''http://loinc.org|8480-6'').valueQuantity | Observation.where(code = ''http://loinc.org|8480-6'').valueQuantity. Presión sistólica / Systolic pressure';
COMMENT ON COLUMN public.observacion.sistolica_comparador IS 'Observation.component.where(code = ''http://loinc.org|8480-6'').valueQuantity.comparator | Observation.where(code = ''http://loinc.org|8480-6'').valueQuantity.comparator. Comparador de sistolica / Comparator of sistolica';
COMMENT ON COLUMN public.observacion.diastolica IS 'Observation.component.where(code = ''http://loinc.org|8462-4'').valueQuantity | Observation.where(code = ''http://loinc.org|8462-4'').valueQuantity. Presión diastólica / Diastolic pressure';
COMMENT ON COLUMN public.observacion.diastolica_comparador IS 'Observation.component.where(code = ''http://loinc.org|8462-4'').valueQuantity.comparator | Observation.where(code = ''http://loinc.org|8462-4'').valueQuantity.comparator. Comparador de diastolica / Comparator of diastolica';
COMMENT ON COLUMN public.observacion.componentes IS 'Observation.component.code. Codificaciones de sus componentes / Codings of its components';
COMMENT ON COLUMN public.observacion.encuentro_id IS 'Observation.encounter. Encuentro / Encounter';

ALTER TABLE public.informe_diagnostico
    DROP COLUMN IF EXISTS categoria,
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS codigo_texto,
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN categoria text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{category,0,coding,0,code}', jsonb_path_query_first(recurso -> 'category', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{code,coding,0,code}', jsonb_path_query_first(recurso -> 'code', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{code,text}', coalesce(recurso #>> '{code,coding,0,display}', jsonb_path_query_first(recurso -> 'code', '$.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (coalesce(hce.lapso(recurso ->> 'effectiveDateTime'), hce.lapso_periodo(recurso -> 'effectivePeriod'), hce.lapso(recurso ->> 'issued'))) STORED;
COMMENT ON COLUMN public.informe_diagnostico.categoria IS 'DiagnosticReport.category. Categoría / Category';
COMMENT ON COLUMN public.informe_diagnostico.codigo IS 'DiagnosticReport.code. Qué informa / What it reports';
COMMENT ON COLUMN public.informe_diagnostico.codigo_texto IS 'DiagnosticReport.code.text | DiagnosticReport.code.coding.display. Texto de codigo, codificado o no / Words of codigo, coded or not';
COMMENT ON COLUMN public.informe_diagnostico.fecha IS 'DiagnosticReport.effective[x] | DiagnosticReport.issued. Cuándo vale, o se emitió / When it holds, or was issued';

ALTER TABLE public.solicitud_servicio
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS codigo_texto,
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{code,coding,0,code}', jsonb_path_query_first(recurso -> 'code', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{code,text}', coalesce(recurso #>> '{code,coding,0,display}', jsonb_path_query_first(recurso -> 'code', '$.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (coalesce(hce.lapso(recurso ->> 'authoredOn'), hce.lapso(recurso ->> 'occurrenceDateTime'), hce.lapso_periodo(recurso -> 'occurrencePeriod'), hce.lapso_horario(recurso -> 'occurrenceTiming'))) STORED;
COMMENT ON COLUMN public.solicitud_servicio.codigo IS 'ServiceRequest.code. Qué se pide / What is asked for';
COMMENT ON COLUMN public.solicitud_servicio.codigo_texto IS 'ServiceRequest.code.text | ServiceRequest.code.coding.display. Texto de codigo, codificado o no / Words of codigo, coded or not';
COMMENT ON COLUMN public.solicitud_servicio.fecha IS 'ServiceRequest.authoredOn | ServiceRequest.occurrence[x]. Cuándo se pidió / When asked for';

ALTER TABLE public.especimen
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS codigo_texto,
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{type,coding,0,code}', jsonb_path_query_first(recurso -> 'type', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{type,text}', coalesce(recurso #>> '{type,coding,0,display}', jsonb_path_query_first(recurso -> 'type', '$.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (coalesce(hce.lapso(recurso #>> '{collection,collectedDateTime}'), hce.lapso_periodo(recurso #> '{collection,collectedPeriod}'), hce.lapso(recurso ->> 'receivedTime'))) STORED;
COMMENT ON COLUMN public.especimen.codigo IS 'Specimen.type. Tipo de muestra / Type';
COMMENT ON COLUMN public.especimen.codigo_texto IS 'Specimen.type.text | Specimen.type.coding.display. Texto de codigo, codificado o no / Words of codigo, coded or not';
COMMENT ON COLUMN public.especimen.fecha IS 'Specimen.collection.collected[x] | Specimen.receivedTime. Cuándo se tomó o recibió / Collected or received';

ALTER TABLE public.estudio_imagen
    DROP COLUMN IF EXISTS modalidad,
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN modalidad text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{modality,0,code}', jsonb_path_query_first(recurso -> 'modality', '$.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (hce.lapso(recurso ->> 'started')) STORED;
COMMENT ON COLUMN public.estudio_imagen.modalidad IS 'ImagingStudy.modality. Modalidad / Modality';
COMMENT ON COLUMN public.estudio_imagen.fecha IS 'ImagingStudy.started. Cuándo empezó / Started';

ALTER TABLE public.plan_cuidado
    DROP COLUMN IF EXISTS categoria,
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN categoria text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{category,0,coding,0,code}', jsonb_path_query_first(recurso -> 'category', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (coalesce(hce.lapso_periodo(recurso -> 'period'), hce.lapso(recurso ->> 'created'))) STORED;
COMMENT ON COLUMN public.plan_cuidado.categoria IS 'CarePlan.category. Categoría / Category';
COMMENT ON COLUMN public.plan_cuidado.fecha IS 'CarePlan.period | CarePlan.created. Vigencia / Period';

ALTER TABLE public.equipo_cuidado
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (hce.lapso_periodo(recurso -> 'period')) STORED;
COMMENT ON COLUMN public.equipo_cuidado.fecha IS 'CareTeam.period. Vigencia / Period';

ALTER TABLE public.meta
    DROP COLUMN IF EXISTS logro,
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN logro text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{achievementStatus,coding,0,code}', jsonb_path_query_first(recurso -> 'achievementStatus', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{description,coding,0,code}', jsonb_path_query_first(recurso -> 'description', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (hce.lapso(recurso ->> 'startDate')) STORED;
COMMENT ON COLUMN public.meta.logro IS 'Goal.achievementStatus. Logro / Achievement';
COMMENT ON COLUMN public.meta.codigo IS 'Goal.description. Meta / Goal';
COMMENT ON COLUMN public.meta.fecha IS 'Goal.startDate. Inicio / Start';

ALTER TABLE public.tarea
    DROP COLUMN IF EXISTS estado,
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS codigo_texto,
    DROP COLUMN IF EXISTS motivo_texto,
    DROP COLUMN IF EXISTS fecha,
    DROP COLUMN IF EXISTS profesional_id,
    ADD COLUMN estado text
    GENERATED ALWAYS AS (hce.acortado(recurso ->> 'status')) STORED,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{code,coding,0,code}', jsonb_path_query_first(recurso -> 'code', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{code,text}', coalesce(recurso #>> '{code,coding,0,display}', jsonb_path_query_first(recurso -> 'code', '$.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN motivo_texto text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{reasonCode,text}', coalesce(recurso #>> '{reasonCode,coding,0,display}', jsonb_path_query_first(recurso -> 'reasonCode', '$.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (coalesce(hce.lapso_periodo(recurso -> 'executionPeriod'), hce.lapso(recurso ->> 'authoredOn'))) STORED,
    ADD COLUMN profesional_id text
    GENERATED ALWAYS AS (hce.acortado(hce.clave_expresa(recurso -> 'owner', 'Practitioner'))) STORED;
COMMENT ON COLUMN public.tarea.estado IS 'Task.status. Estado / Status';
COMMENT ON COLUMN public.tarea.codigo IS 'Task.code. Qué hay que hacer / What is to be done';
COMMENT ON COLUMN public.tarea.codigo_texto IS 'Task.code.text | Task.code.coding.display. Texto de codigo, codificado o no / Words of codigo, coded or not';
COMMENT ON COLUMN public.tarea.motivo_texto IS 'Task.reasonCode.text | Task.reasonCode.coding.display. Texto de motivo, codificado o no / Words of motivo, coded or not';
COMMENT ON COLUMN public.tarea.fecha IS 'Task.executionPeriod | Task.authoredOn. Cuándo / When';
COMMENT ON COLUMN public.tarea.profesional_id IS 'Task.owner. Responsable / Owner';

ALTER TABLE public.composicion
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS codigo_texto,
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{type,coding,0,code}', jsonb_path_query_first(recurso -> 'type', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{type,text}', coalesce(recurso #>> '{type,coding,0,display}', jsonb_path_query_first(recurso -> 'type', '$.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (hce.lapso(recurso ->> 'date')) STORED;
COMMENT ON COLUMN public.composicion.codigo IS 'Composition.type. Tipo de documento / Type';
COMMENT ON COLUMN public.composicion.codigo_texto IS 'Composition.type.text | Composition.type.coding.display. Texto de codigo, codificado o no / Words of codigo, coded or not';
COMMENT ON COLUMN public.composicion.fecha IS 'Composition.date. Cuándo se escribió / When written';

ALTER TABLE public.referencia_documento
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS codigo_texto,
    DROP COLUMN IF EXISTS titulo,
    DROP COLUMN IF EXISTS url,
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{type,coding,0,code}', jsonb_path_query_first(recurso -> 'type', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{type,text}', coalesce(recurso #>> '{type,coding,0,display}', jsonb_path_query_first(recurso -> 'type', '$.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN titulo text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{content,0,attachment,title}', jsonb_path_query_first(recurso -> 'content', '$.attachment.title ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN url text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{content,0,attachment,url}', jsonb_path_query_first(recurso -> 'content', '$.attachment.url ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (coalesce(hce.lapso(recurso ->> 'date'), hce.lapso_periodo(recurso #> '{context,period}'))) STORED;
COMMENT ON COLUMN public.referencia_documento.codigo IS 'DocumentReference.type. Tipo de documento / Type';
COMMENT ON COLUMN public.referencia_documento.codigo_texto IS 'DocumentReference.type.text | DocumentReference.type.coding.display. Texto de codigo, codificado o no / Words of codigo, coded or not';
COMMENT ON COLUMN public.referencia_documento.titulo IS 'DocumentReference.content.attachment.title. Título / Title';
COMMENT ON COLUMN public.referencia_documento.url IS 'DocumentReference.content.attachment.url. Dónde está / Where it is';
COMMENT ON COLUMN public.referencia_documento.fecha IS 'DocumentReference.date | DocumentReference.context.period. Cuándo se escribió / When written';

ALTER TABLE public.consentimiento
    DROP COLUMN IF EXISTS alcance,
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS codigo_texto,
    DROP COLUMN IF EXISTS fecha,
    DROP COLUMN IF EXISTS vigencia,
    ADD COLUMN alcance text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{scope,coding,0,code}', jsonb_path_query_first(recurso -> 'scope', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{category,0,coding,0,code}', jsonb_path_query_first(recurso -> 'category', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(coalesce(recurso #>> '{category,0,text}', jsonb_path_query_first(recurso -> 'category', '$.text ? (@ != null)') #>> '{}'), coalesce(recurso #>> '{category,0,coding,0,display}', jsonb_path_query_first(recurso -> 'category', '$.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (hce.lapso(recurso ->> 'dateTime')) STORED,
    ADD COLUMN vigencia tstzrange
    GENERATED ALWAYS AS (hce.lapso_periodo(recurso #> '{provision,period}')) STORED;
COMMENT ON COLUMN public.consentimiento.alcance IS 'Consent.scope. Alcance / Scope';
COMMENT ON COLUMN public.consentimiento.codigo IS 'Consent.category. Categoría / Category';
COMMENT ON COLUMN public.consentimiento.codigo_texto IS 'Consent.category.text | Consent.category.coding.display. Texto de codigo, codificado o no / Words of codigo, coded or not';
COMMENT ON COLUMN public.consentimiento.fecha IS 'Consent.dateTime. Cuándo se dio / When given';
COMMENT ON COLUMN public.consentimiento.vigencia IS 'Consent.provision.period. Vigencia / Period';

ALTER TABLE public.respuesta_cuestionario
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (hce.lapso(recurso ->> 'authored')) STORED;
COMMENT ON COLUMN public.respuesta_cuestionario.fecha IS 'QuestionnaireResponse.authored. Cuándo se respondió / When answered';

ALTER TABLE public.comunicacion
    DROP COLUMN IF EXISTS categoria,
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS codigo_texto,
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN categoria text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{category,0,coding,0,code}', jsonb_path_query_first(recurso -> 'category', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{topic,coding,0,code}', jsonb_path_query_first(recurso -> 'topic', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{topic,text}', coalesce(recurso #>> '{topic,coding,0,display}', jsonb_path_query_first(recurso -> 'topic', '$.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (coalesce(hce.lapso(recurso ->> 'sent'), hce.lapso(recurso ->> 'received'))) STORED;
COMMENT ON COLUMN public.comunicacion.categoria IS 'Communication.category. Categoría / Category';
COMMENT ON COLUMN public.comunicacion.codigo IS 'Communication.topic. Tema / Topic';
COMMENT ON COLUMN public.comunicacion.codigo_texto IS 'Communication.topic.text | Communication.topic.coding.display. Texto de codigo, codificado o no / Words of codigo, coded or not';
COMMENT ON COLUMN public.comunicacion.fecha IS 'Communication.sent | Communication.received. Cuándo se envió o recibió / When sent or received';

ALTER TABLE public.cobertura
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS codigo_texto,
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{type,coding,0,code}', jsonb_path_query_first(recurso -> 'type', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{type,text}', coalesce(recurso #>> '{type,coding,0,display}', jsonb_path_query_first(recurso -> 'type', '$.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (hce.lapso_periodo(recurso -> 'period')) STORED;
COMMENT ON COLUMN public.cobertura.codigo IS 'Coverage.type. Tipo / Type';
COMMENT ON COLUMN public.cobertura.codigo_texto IS 'Coverage.type.text | Coverage.type.coding.display. Texto de codigo, codificado o no / Words of codigo, coded or not';
COMMENT ON COLUMN public.cobertura.fecha IS 'Coverage.period. Vigencia / Period';

ALTER TABLE public.reclamacion
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS codigo_texto,
    DROP COLUMN IF EXISTS fecha,
    DROP COLUMN IF EXISTS profesional_id,
    DROP COLUMN IF EXISTS prestador_id,
    DROP COLUMN IF EXISTS aseguradora,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{type,coding,0,code}', jsonb_path_query_first(recurso -> 'type', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{type,text}', coalesce(recurso #>> '{type,coding,0,display}', jsonb_path_query_first(recurso -> 'type', '$.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (coalesce(hce.lapso_periodo(recurso -> 'billablePeriod'), hce.lapso(recurso ->> 'created'))) STORED,
    ADD COLUMN profesional_id text
    GENERATED ALWAYS AS (coalesce(hce.clave_expresa(recurso -> 'provider', 'Practitioner'), (hce.claves_expresas_de(jsonb_path_query_array(recurso -> 'careTeam', '$.provider'), 'Practitioner'))[1])) STORED,
    ADD COLUMN prestador_id text
    GENERATED ALWAYS AS (hce.clave_expresa(recurso -> 'provider', 'Organization')) STORED,
    ADD COLUMN aseguradora text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{insurer,display}', coalesce(recurso #>> '{insurance,0,coverage,display}', jsonb_path_query_first(recurso -> 'insurance', '$.coverage.display ? (@ != null)') #>> '{}'))) STORED;
COMMENT ON COLUMN public.reclamacion.codigo IS 'Claim.type. Tipo / Type';
COMMENT ON COLUMN public.reclamacion.codigo_texto IS 'Claim.type.text | Claim.type.coding.display. Texto de codigo, codificado o no / Words of codigo, coded or not';
COMMENT ON COLUMN public.reclamacion.fecha IS 'Claim.billablePeriod | Claim.created. Período facturado / Billable period';
COMMENT ON COLUMN public.reclamacion.profesional_id IS 'Claim.provider | Claim.careTeam.provider. Profesional que presta / Practitioner who provides';
COMMENT ON COLUMN public.reclamacion.prestador_id IS 'Claim.provider. Organización prestadora / Provider organization';
COMMENT ON COLUMN public.reclamacion.aseguradora IS 'Claim.insurer.display | Claim.insurance.coverage.display. Nombre de la aseguradora / Name of the insurer';

ALTER TABLE public.explicacion_beneficio
    DROP COLUMN IF EXISTS codigo,
    DROP COLUMN IF EXISTS codigo_texto,
    DROP COLUMN IF EXISTS fecha,
    DROP COLUMN IF EXISTS profesional_id,
    DROP COLUMN IF EXISTS prestador_id,
    DROP COLUMN IF EXISTS aseguradora,
    DROP COLUMN IF EXISTS cobertura_id,
    ADD COLUMN codigo text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{type,coding,0,code}', jsonb_path_query_first(recurso -> 'type', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN codigo_texto text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{type,text}', coalesce(recurso #>> '{type,coding,0,display}', jsonb_path_query_first(recurso -> 'type', '$.coding.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (coalesce(hce.lapso_periodo(recurso -> 'billablePeriod'), hce.lapso(recurso ->> 'created'))) STORED,
    ADD COLUMN profesional_id text
    GENERATED ALWAYS AS (coalesce(hce.clave_expresa(recurso -> 'provider', 'Practitioner'), (hce.claves_expresas_de(jsonb_path_query_array(recurso -> 'careTeam', '$.provider'), 'Practitioner'))[1])) STORED,
    ADD COLUMN prestador_id text
    GENERATED ALWAYS AS (hce.clave_expresa(recurso -> 'provider', 'Organization')) STORED,
    ADD COLUMN aseguradora text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{insurer,display}', coalesce(recurso #>> '{insurance,0,coverage,display}', jsonb_path_query_first(recurso -> 'insurance', '$.coverage.display ? (@ != null)') #>> '{}'))) STORED,
    ADD COLUMN cobertura_id text
    GENERATED ALWAYS AS ((hce.claves_de(jsonb_path_query_array(recurso -> 'insurance', '$.coverage'), 'Coverage'))[1]) STORED;
COMMENT ON COLUMN public.explicacion_beneficio.codigo IS 'ExplanationOfBenefit.type. Tipo / Type';
COMMENT ON COLUMN public.explicacion_beneficio.codigo_texto IS 'ExplanationOfBenefit.type.text | ExplanationOfBenefit.type.coding.display. Texto de codigo, codificado o no / Words of codigo, coded or not';
COMMENT ON COLUMN public.explicacion_beneficio.fecha IS 'ExplanationOfBenefit.billablePeriod | ExplanationOfBenefit.created. Período facturado / Billable period';
COMMENT ON COLUMN public.explicacion_beneficio.profesional_id IS 'ExplanationOfBenefit.provider | ExplanationOfBenefit.careTeam.provider. Profesional que presta / Practitioner who provides';
COMMENT ON COLUMN public.explicacion_beneficio.prestador_id IS 'ExplanationOfBenefit.provider. Organización prestadora / Provider organization';
COMMENT ON COLUMN public.explicacion_beneficio.aseguradora IS 'ExplanationOfBenefit.insurer.display | ExplanationOfBenefit.insurance.coverage.display. Nombre de la aseguradora / Name of the insurer';
COMMENT ON COLUMN public.explicacion_beneficio.cobertura_id IS 'ExplanationOfBenefit.insurance.coverage. Cobertura / Coverage';

ALTER TABLE public.estudio_investigacion
    DROP COLUMN IF EXISTS fase,
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN fase text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{phase,coding,0,code}', jsonb_path_query_first(recurso -> 'phase', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (hce.lapso_periodo(recurso -> 'period')) STORED;
COMMENT ON COLUMN public.estudio_investigacion.fase IS 'ResearchStudy.phase. Fase / Phase';
COMMENT ON COLUMN public.estudio_investigacion.fecha IS 'ResearchStudy.period. Vigencia / Period';

ALTER TABLE public.concepto_terminologia
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (hce.lapso(recurso ->> 'date')) STORED;
COMMENT ON COLUMN public.concepto_terminologia.fecha IS 'CodeSystem.date. Cuándo se publicó / When published';

ALTER TABLE public.conjunto_valores
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (hce.lapso(recurso ->> 'date')) STORED;
COMMENT ON COLUMN public.conjunto_valores.fecha IS 'ValueSet.date. Cuándo se publicó / When published';

ALTER TABLE public.mapeo_terminologia
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (hce.lapso(recurso ->> 'date')) STORED;
COMMENT ON COLUMN public.mapeo_terminologia.fecha IS 'ConceptMap.date. Cuándo se publicó / When published';

ALTER TABLE public.guia_clinica
    DROP COLUMN IF EXISTS fecha,
    DROP COLUMN IF EXISTS clase,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (hce.lapso(recurso ->> 'date')) STORED,
    ADD COLUMN clase text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{type,coding,0,code}', jsonb_path_query_first(recurso -> 'type', '$.coding.code ? (@ != null)') #>> '{}')) STORED;
COMMENT ON COLUMN public.guia_clinica.fecha IS 'PlanDefinition.date. Cuándo se publicó / When published';
COMMENT ON COLUMN public.guia_clinica.clase IS 'PlanDefinition.type. Tipo / Type';

ALTER TABLE public.procedencia
    DROP COLUMN IF EXISTS actividad,
    DROP COLUMN IF EXISTS registrado_en,
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN actividad text
    GENERATED ALWAYS AS (coalesce(recurso #>> '{activity,coding,0,code}', jsonb_path_query_first(recurso -> 'activity', '$.coding.code ? (@ != null)') #>> '{}')) STORED,
    ADD COLUMN registrado_en timestamptz
    GENERATED ALWAYS AS (hce.instante(recurso ->> 'recorded')) STORED,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (coalesce(hce.lapso_periodo(recurso -> 'occurredPeriod'), hce.lapso(recurso ->> 'occurredDateTime'), hce.lapso(recurso ->> 'recorded'))) STORED;
COMMENT ON COLUMN public.procedencia.actividad IS 'Provenance.activity. Actividad / Activity';
COMMENT ON COLUMN public.procedencia.registrado_en IS 'Provenance.recorded. Cuándo se registró / When recorded';
COMMENT ON COLUMN public.procedencia.fecha IS 'Provenance.occurred[x] | Provenance.recorded. Cuándo ocurrió / When it happened';

ALTER TABLE public.evento_auditoria
    DROP COLUMN IF EXISTS fecha,
    ADD COLUMN fecha tstzrange
    GENERATED ALWAYS AS (hce.lapso(recurso ->> 'recorded')) STORED;
COMMENT ON COLUMN public.evento_auditoria.fecha IS 'AuditEvent.recorded. Cuándo / When';
CREATE INDEX IF NOT EXISTS paciente_claves_idx ON public.paciente USING gin (claves);
CREATE INDEX IF NOT EXISTS paciente_nombre_busqueda_idx ON public.paciente USING gin (nombre_busqueda public.gin_trgm_ops);
CREATE INDEX IF NOT EXISTS encuentro_documento_id_fecha_idx ON public.encuentro USING btree (documento_id, (lower(fecha)));
CREATE INDEX IF NOT EXISTS cita_documento_id_fecha_idx ON public.cita USING btree (documento_id, (lower(fecha)));
CREATE INDEX IF NOT EXISTS cita_profesionales_idx ON public.cita USING gin (profesionales);
CREATE INDEX IF NOT EXISTS cita_profesional_id_inicio_idx ON public.cita USING btree (profesional_id, inicio);
CREATE INDEX IF NOT EXISTS organizacion_claves_idx ON public.organizacion USING gin (claves);
CREATE INDEX IF NOT EXISTS profesional_claves_idx ON public.profesional USING gin (claves);
CREATE INDEX IF NOT EXISTS ubicacion_claves_idx ON public.ubicacion USING gin (claves);
CREATE INDEX IF NOT EXISTS condicion_documento_id_fecha_idx ON public.condicion USING btree (documento_id, (lower(fecha)));
CREATE INDEX IF NOT EXISTS condicion_documento_id_codigo_idx ON public.condicion USING btree (documento_id, codigo);
CREATE INDEX IF NOT EXISTS condicion_documento_id_encuentro_id_idx ON public.condicion USING btree (documento_id, encuentro_id);
CREATE INDEX IF NOT EXISTS condicion_codigos_idx ON public.condicion USING gin (codigos);
CREATE INDEX IF NOT EXISTS procedimiento_documento_id_fecha_idx ON public.procedimiento USING btree (documento_id, (lower(fecha)));
CREATE INDEX IF NOT EXISTS procedimiento_documento_id_codigo_idx ON public.procedimiento USING btree (documento_id, codigo);
CREATE INDEX IF NOT EXISTS procedimiento_documento_id_encuentro_id_idx ON public.procedimiento USING btree (documento_id, encuentro_id);
CREATE INDEX IF NOT EXISTS inmunizacion_documento_id_fecha_idx ON public.inmunizacion USING btree (documento_id, (lower(fecha)));
CREATE INDEX IF NOT EXISTS medicamento_claves_idx ON public.medicamento USING gin (claves);
CREATE INDEX IF NOT EXISTS solicitud_medicamento_documento_id_fecha_idx ON public.solicitud_medicamento USING btree (documento_id, (lower(fecha)));
CREATE INDEX IF NOT EXISTS solicitud_medicamento_documento_id_codigo_idx ON public.solicitud_medicamento USING btree (documento_id, codigo);
CREATE INDEX IF NOT EXISTS dispensacion_medicamento_documento_id_fecha_idx ON public.dispensacion_medicamento USING btree (documento_id, (lower(fecha)));
CREATE INDEX IF NOT EXISTS administracion_medicamento_documento_id_fecha_idx ON public.administracion_medicamento USING btree (documento_id, (lower(fecha)));
CREATE INDEX IF NOT EXISTS observacion_documento_id_fecha_idx ON public.observacion USING btree (documento_id, (lower(fecha)));
CREATE INDEX IF NOT EXISTS observacion_documento_id_codigo_idx ON public.observacion USING btree (documento_id, codigo);
CREATE INDEX IF NOT EXISTS observacion_documento_id_encuentro_id_idx ON public.observacion USING btree (documento_id, encuentro_id);
CREATE INDEX IF NOT EXISTS observacion_codigos_idx ON public.observacion USING gin (codigos);
CREATE INDEX IF NOT EXISTS observacion_documento_id_fecha_sistolica_idx ON public.observacion USING btree (documento_id, (lower(fecha)), sistolica) WHERE sistolica IS NOT NULL;
CREATE INDEX IF NOT EXISTS informe_diagnostico_documento_id_fecha_idx ON public.informe_diagnostico USING btree (documento_id, (lower(fecha)));
CREATE INDEX IF NOT EXISTS solicitud_servicio_documento_id_fecha_idx ON public.solicitud_servicio USING btree (documento_id, (lower(fecha)));
CREATE INDEX IF NOT EXISTS tarea_profesional_id_estado_idx ON public.tarea USING btree (profesional_id, estado);
CREATE INDEX IF NOT EXISTS referencia_documento_documento_id_fecha_idx ON public.referencia_documento USING btree (documento_id, (lower(fecha)));
CREATE INDEX IF NOT EXISTS reclamacion_documento_id_fecha_idx ON public.reclamacion USING btree (documento_id, (lower(fecha)));
CREATE INDEX IF NOT EXISTS explicacion_beneficio_documento_id_fecha_idx ON public.explicacion_beneficio USING btree (documento_id, (lower(fecha)));
CREATE INDEX IF NOT EXISTS evento_auditoria_documento_id_fecha_idx ON public.evento_auditoria USING btree (documento_id, (lower(fecha)));
DROP FUNCTION IF EXISTS hce.guardar_persona_relacionada(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_encuentro(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_episodio_atencion(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_cita(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_organizacion(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_profesional(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_rol_profesional(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_ubicacion(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_horario_atencion(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_grupo_pacientes(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_condicion(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_procedimiento(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_alergia_intolerancia(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_inmunizacion(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_antecedente_familiar(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_evaluacion_riesgo(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_impresion_clinica(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_alerta(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_dispositivo(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_medicamento(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_solicitud_medicamento(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_dispensacion_medicamento(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_administracion_medicamento(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_declaracion_medicamento(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_observacion(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_informe_diagnostico(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_solicitud_servicio(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_especimen(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_estudio_imagen(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_plan_cuidado(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_equipo_cuidado(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_meta(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_tarea(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_composicion(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_referencia_documento(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_consentimiento(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_respuesta_cuestionario(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_comunicacion(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_cobertura(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_reclamacion(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_explicacion_beneficio(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_estudio_investigacion(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_concepto_terminologia(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_conjunto_valores(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_mapeo_terminologia(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_guia_clinica(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_procedencia(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_evento_auditoria(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_recurso_paciente(text, text, text, text, text, text, text, uuid, integer);
DROP FUNCTION IF EXISTS hce.guardar_recurso_compartido(text, text, text, text, text, text, text, uuid, integer);

CREATE OR REPLACE FUNCTION hce.guardar_persona_relacionada(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.persona_relacionada (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'RelatedPerson' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_persona_relacionada(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_persona_relacionada(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_persona_relacionada(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_persona_relacionada(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_encuentro(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.encuentro (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Encounter' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_encuentro(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_encuentro(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_encuentro(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_encuentro(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_episodio_atencion(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.episodio_atencion (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'EpisodeOfCare' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_episodio_atencion(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_episodio_atencion(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_episodio_atencion(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_episodio_atencion(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_cita(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.cita (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Appointment' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_cita(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_cita(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_cita(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_cita(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_organizacion(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia_referencia AS h
            WHERE h.tipo = 'Organization' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
COMMENT ON FUNCTION hce.guardar_organizacion(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_organizacion(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_organizacion(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_organizacion(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_profesional(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia_referencia AS h
            WHERE h.tipo = 'Practitioner' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
COMMENT ON FUNCTION hce.guardar_profesional(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_profesional(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_profesional(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_profesional(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_rol_profesional(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia_referencia AS h
            WHERE h.tipo = 'PractitionerRole' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
COMMENT ON FUNCTION hce.guardar_rol_profesional(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_rol_profesional(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_rol_profesional(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_rol_profesional(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_ubicacion(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia_referencia AS h
            WHERE h.tipo = 'Location' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
COMMENT ON FUNCTION hce.guardar_ubicacion(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_ubicacion(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_ubicacion(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_ubicacion(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_horario_atencion(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia_referencia AS h
            WHERE h.tipo = 'Schedule' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
COMMENT ON FUNCTION hce.guardar_horario_atencion(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_horario_atencion(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_horario_atencion(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_horario_atencion(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_grupo_pacientes(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia_referencia AS h
            WHERE h.tipo = 'Group' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
COMMENT ON FUNCTION hce.guardar_grupo_pacientes(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_grupo_pacientes(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_grupo_pacientes(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_grupo_pacientes(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_condicion(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.condicion (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Condition' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_condicion(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_condicion(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_condicion(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_condicion(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_procedimiento(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.procedimiento (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Procedure' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_procedimiento(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_procedimiento(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_procedimiento(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_procedimiento(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_alergia_intolerancia(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.alergia_intolerancia (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'AllergyIntolerance' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_alergia_intolerancia(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_alergia_intolerancia(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_alergia_intolerancia(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_alergia_intolerancia(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_inmunizacion(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.inmunizacion (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Immunization' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_inmunizacion(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_inmunizacion(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_inmunizacion(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_inmunizacion(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_antecedente_familiar(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.antecedente_familiar (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'FamilyMemberHistory' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_antecedente_familiar(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_antecedente_familiar(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_antecedente_familiar(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_antecedente_familiar(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_evaluacion_riesgo(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.evaluacion_riesgo (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'RiskAssessment' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_evaluacion_riesgo(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_evaluacion_riesgo(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_evaluacion_riesgo(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_evaluacion_riesgo(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_impresion_clinica(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.impresion_clinica (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'ClinicalImpression' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_impresion_clinica(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_impresion_clinica(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_impresion_clinica(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_impresion_clinica(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_alerta(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.alerta (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Flag' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_alerta(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_alerta(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_alerta(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_alerta(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_dispositivo(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.dispositivo (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Device' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_dispositivo(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_dispositivo(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_dispositivo(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_dispositivo(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_medicamento(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia_compartida AS h
            WHERE h.tipo = 'Medication' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
COMMENT ON FUNCTION hce.guardar_medicamento(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_medicamento(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_medicamento(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_medicamento(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_solicitud_medicamento(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.solicitud_medicamento (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'MedicationRequest' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_solicitud_medicamento(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_solicitud_medicamento(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_solicitud_medicamento(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_solicitud_medicamento(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_dispensacion_medicamento(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.dispensacion_medicamento (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'MedicationDispense' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_dispensacion_medicamento(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_dispensacion_medicamento(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_dispensacion_medicamento(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_dispensacion_medicamento(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_administracion_medicamento(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.administracion_medicamento (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'MedicationAdministration' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_administracion_medicamento(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_administracion_medicamento(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_administracion_medicamento(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_administracion_medicamento(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_declaracion_medicamento(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.declaracion_medicamento (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'MedicationStatement' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_declaracion_medicamento(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_declaracion_medicamento(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_declaracion_medicamento(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_declaracion_medicamento(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_observacion(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.observacion (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Observation' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_observacion(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_observacion(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_observacion(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_observacion(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_informe_diagnostico(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.informe_diagnostico (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'DiagnosticReport' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_informe_diagnostico(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_informe_diagnostico(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_informe_diagnostico(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_informe_diagnostico(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_solicitud_servicio(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.solicitud_servicio (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'ServiceRequest' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_solicitud_servicio(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_solicitud_servicio(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_solicitud_servicio(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_solicitud_servicio(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_especimen(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.especimen (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Specimen' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_especimen(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_especimen(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_especimen(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_especimen(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_estudio_imagen(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.estudio_imagen (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'ImagingStudy' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_estudio_imagen(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_estudio_imagen(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_estudio_imagen(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_estudio_imagen(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_plan_cuidado(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.plan_cuidado (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'CarePlan' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_plan_cuidado(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_plan_cuidado(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_plan_cuidado(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_plan_cuidado(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_equipo_cuidado(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.equipo_cuidado (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'CareTeam' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_equipo_cuidado(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_equipo_cuidado(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_equipo_cuidado(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_equipo_cuidado(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_meta(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.meta (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Goal' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_meta(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_meta(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_meta(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_meta(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_tarea(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.tarea (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Task' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_tarea(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_tarea(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_tarea(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_tarea(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_composicion(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.composicion (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Composition' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_composicion(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_composicion(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_composicion(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_composicion(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_referencia_documento(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.referencia_documento (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'DocumentReference' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_referencia_documento(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_referencia_documento(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_referencia_documento(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_referencia_documento(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_consentimiento(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.consentimiento (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Consent' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_consentimiento(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_consentimiento(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_consentimiento(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_consentimiento(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_respuesta_cuestionario(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.respuesta_cuestionario (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'QuestionnaireResponse' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_respuesta_cuestionario(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_respuesta_cuestionario(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_respuesta_cuestionario(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_respuesta_cuestionario(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_comunicacion(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.comunicacion (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Communication' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_comunicacion(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_comunicacion(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_comunicacion(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_comunicacion(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_cobertura(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.cobertura (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Coverage' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_cobertura(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_cobertura(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_cobertura(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_cobertura(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_reclamacion(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.reclamacion (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Claim' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_reclamacion(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_reclamacion(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_reclamacion(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_reclamacion(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_explicacion_beneficio(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.explicacion_beneficio (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'ExplanationOfBenefit' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_explicacion_beneficio(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_explicacion_beneficio(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_explicacion_beneficio(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_explicacion_beneficio(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_estudio_investigacion(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia_referencia AS h
            WHERE h.tipo = 'ResearchStudy' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
COMMENT ON FUNCTION hce.guardar_estudio_investigacion(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_estudio_investigacion(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_estudio_investigacion(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_estudio_investigacion(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_concepto_terminologia(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia_referencia AS h
            WHERE h.tipo = 'CodeSystem' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
COMMENT ON FUNCTION hce.guardar_concepto_terminologia(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_concepto_terminologia(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_concepto_terminologia(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_concepto_terminologia(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_conjunto_valores(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia_referencia AS h
            WHERE h.tipo = 'ValueSet' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
COMMENT ON FUNCTION hce.guardar_conjunto_valores(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_conjunto_valores(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_conjunto_valores(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_conjunto_valores(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_mapeo_terminologia(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia_referencia AS h
            WHERE h.tipo = 'ConceptMap' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
COMMENT ON FUNCTION hce.guardar_mapeo_terminologia(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_mapeo_terminologia(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_mapeo_terminologia(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_mapeo_terminologia(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_guia_clinica(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia_referencia AS h
            WHERE h.tipo = 'PlanDefinition' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
COMMENT ON FUNCTION hce.guardar_guia_clinica(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_guia_clinica(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_guia_clinica(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_guia_clinica(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_procedencia(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.procedencia (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'Provenance' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_procedencia(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_procedencia(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_procedencia(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_procedencia(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_evento_auditoria(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.evento_auditoria (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = 'AuditEvent' AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_evento_auditoria(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_evento_auditoria(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_evento_auditoria(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_evento_auditoria(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_recurso_paciente(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO public.recurso_paciente (documento_id, fuente, tipo, id, paciente_id, version, actualizado_en, recurso, original, entrada)
        VALUES (p_documento_id, p_fuente, p_tipo, p_id, p_paciente_id, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia AS h
            WHERE h.documento_id = p_documento_id AND h.tipo = p_tipo AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
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
COMMENT ON FUNCTION hce.guardar_recurso_paciente(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_recurso_paciente(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_recurso_paciente(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_recurso_paciente(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;

CREATE OR REPLACE FUNCTION hce.guardar_recurso_compartido(p_documento_id text, p_fuente text, p_tipo text, p_id text, p_paciente_id text, p_recurso text, p_original text, p_entrada uuid, p_version integer, p_protocolo integer, OUT resultado text, OUT version integer) RETURNS record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF p_protocolo IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes 2', p_protocolo
            USING ERRCODE = 'HCE02', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
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
        anterior := hce.instante(nuevo #>> '{meta,lastUpdated}') < hce.instante(previo #>> '{meta,lastUpdated}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM public.historia_compartida AS h
            WHERE h.tipo = p_tipo AND h.fuente = p_fuente AND h.id = p_id AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
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
COMMENT ON FUNCTION hce.guardar_recurso_compartido(text, text, text, text, text, text, text, uuid, integer, integer) IS 'Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id that is nowhere else: one more than that of its last version in the history.';
ALTER FUNCTION hce.guardar_recurso_compartido(text, text, text, text, text, text, text, uuid, integer, integer) OWNER TO hce_writer;
REVOKE ALL ON FUNCTION hce.guardar_recurso_compartido(text, text, text, text, text, text, text, uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hce.guardar_recurso_compartido(text, text, text, text, text, text, text, uuid, integer, integer) TO hce_app;
REVOKE DELETE, INSERT, UPDATE ON public.expediente FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.expediente TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.paciente FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.paciente TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.persona_relacionada FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.persona_relacionada TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.encuentro FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.encuentro TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.episodio_atencion FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.episodio_atencion TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.cita FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.cita TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.organizacion FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.organizacion TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.profesional FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.profesional TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.rol_profesional FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.rol_profesional TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.ubicacion FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.ubicacion TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.horario_atencion FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.horario_atencion TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.grupo_pacientes FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.grupo_pacientes TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.condicion FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.condicion TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.procedimiento FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.procedimiento TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.alergia_intolerancia FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.alergia_intolerancia TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.inmunizacion FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.inmunizacion TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.antecedente_familiar FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.antecedente_familiar TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.evaluacion_riesgo FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.evaluacion_riesgo TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.impresion_clinica FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.impresion_clinica TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.alerta FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.alerta TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.dispositivo FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.dispositivo TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.medicamento FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.medicamento TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.solicitud_medicamento FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.solicitud_medicamento TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.dispensacion_medicamento FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.dispensacion_medicamento TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.administracion_medicamento FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.administracion_medicamento TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.declaracion_medicamento FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.declaracion_medicamento TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.observacion FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.observacion TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.informe_diagnostico FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.informe_diagnostico TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.solicitud_servicio FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.solicitud_servicio TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.especimen FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.especimen TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.estudio_imagen FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.estudio_imagen TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.plan_cuidado FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.plan_cuidado TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.equipo_cuidado FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.equipo_cuidado TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.meta FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.meta TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.tarea FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.tarea TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.composicion FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.composicion TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.referencia_documento FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.referencia_documento TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.consentimiento FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.consentimiento TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.respuesta_cuestionario FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.respuesta_cuestionario TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.comunicacion FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.comunicacion TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.cobertura FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.cobertura TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.reclamacion FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.reclamacion TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.explicacion_beneficio FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.explicacion_beneficio TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.estudio_investigacion FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.estudio_investigacion TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.concepto_terminologia FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.concepto_terminologia TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.conjunto_valores FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.conjunto_valores TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.mapeo_terminologia FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.mapeo_terminologia TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.guia_clinica FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.guia_clinica TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.procedencia FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.procedencia TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.evento_auditoria FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.evento_auditoria TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.recurso_paciente FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.recurso_paciente TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.recurso_compartido FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.recurso_compartido TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.historia FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.historia TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.historia_compartida FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.historia_compartida TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON public.historia_referencia FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON public.historia_referencia TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON hce.asignacion FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON hce.asignacion TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON hce.instalacion FROM hce_app;
GRANT SELECT ON hce.instalacion TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON hce.archivo_cargado FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON hce.archivo_cargado TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON hce.carga FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON hce.carga TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON hce.carga_compartida FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON hce.carga_compartida TO hce_writer;
REVOKE DELETE, INSERT, UPDATE ON hce.carga_referencia FROM hce_app;
GRANT DELETE, INSERT, SELECT, UPDATE ON hce.carga_referencia TO hce_writer;
