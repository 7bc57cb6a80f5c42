-- What all migrations make together, to be read: `make schema` writes it, nothing applies it.

CREATE FUNCTION public.artifact_words(description text, keywords text[], topics text[], category text) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN to_tsvector('simple'::regconfig, ((((((description || ' '::text) || array_to_string(keywords, ' '::text)) || ' '::text) || array_to_string(topics, ' '::text)) || ' '::text) || COALESCE(category, ''::text)));

CREATE FUNCTION public.blob_reach(p_repo bigint, p_digest text) RETURNS text
    LANGUAGE sql STABLE
    AS $$
    SELECT CASE
        WHEN r.gated THEN CASE WHEN EXISTS (
            SELECT FROM (
                SELECT m.digest, m.state,
                    (SELECT true FROM releases x WHERE x.repo = m.repo AND x.digest = m.digest LIMIT 1) AS is_release
                FROM refs f JOIN manifests m ON m.repo = f.repo AND m.digest = f.parent
                WHERE f.repo = p_repo AND f.digest = p_digest AND m.state <> 'blocked' LIMIT 5000
            ) m
            WHERE CASE WHEN m.is_release THEN m.state = 'live' ELSE (content_state(p_repo, m.digest))[1] = 'live' END
        ) THEN 'all' ELSE 'writers' END
        WHEN EXISTS (SELECT FROM refs f WHERE f.repo = p_repo AND f.digest = p_digest) THEN 'all'
        WHEN r.name ~ '^(users|orgs)/' AND NOT EXISTS (SELECT FROM manifests m WHERE m.repo = p_repo) THEN 'writers'
        ELSE 'linked'
    END FROM repositories r WHERE r.id = p_repo
$$;

CREATE FUNCTION public.buried(p_name text, p_tags text[]) RETURNS SETOF text
    LANGUAGE sql STABLE
    AS $$
    SELECT DISTINCT t.tag FROM former_names(p_name) AS n (name) JOIN tombstones t ON t.name = n.name AND t.tag = ANY (p_tags)
$$;

CREATE FUNCTION public.bury_releases() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO tombstones (name, tag)
    SELECT n.name, l.tag FROM releases l CROSS JOIN (
        SELECT old.name UNION SELECT name FROM repository_aliases WHERE repo = old.id
    ) n WHERE l.repo = old.id AND l.state IN ('published', 'quarantined', 'unpublished') ORDER BY 1, 2
    ON CONFLICT DO NOTHING;
    IF TG_OP = 'DELETE' THEN RETURN old; END IF;
    RETURN new;
END $$;

CREATE FUNCTION public.content_state(p_repo bigint, p_digest text) RETURNS text[]
    LANGUAGE plpgsql STABLE
    AS $_$
DECLARE own record; best text[]; fallback constant text := '^sha256-[0-9a-f]{64}([.](sig|att|sbom))?$';
BEGIN
    SELECT m.state, m.notice, m.subject,
        EXISTS (SELECT FROM releases x WHERE x.repo = p_repo AND x.digest = p_digest) AS is_release
    INTO own FROM manifests m WHERE m.repo = p_repo AND m.digest = p_digest;
    IF NOT FOUND THEN RETURN ARRAY['held', NULL]; END IF;
    IF own.is_release OR own.state = 'blocked' THEN RETURN ARRAY[own.state, own.notice]; END IF;
    WITH RECURSIVE up (digest, depth, is_under) AS (
        SELECT p_digest COLLATE "C", 0, false
        UNION
        SELECT n.digest, u.depth + 1, u.is_under OR m.state = 'held'
        FROM up u JOIN manifests m ON m.repo = p_repo AND m.digest = u.digest CROSS JOIN LATERAL (
            SELECT m.subject AS digest WHERE m.subject IS NOT NULL
            UNION ALL
            SELECT f.parent FROM refs f
            WHERE f.repo = p_repo AND f.digest = u.digest AND f.role = 'child' AND m.subject IS NULL
            UNION ALL
            SELECT ('sha256:' || substr(t.name, 8, 64)) COLLATE "C" FROM tags t
            WHERE t.repo = p_repo AND t.digest = u.digest AND t.name ~ fallback AND m.subject IS NULL
            LIMIT CASE u.depth WHEN 0 THEN 1000 ELSE 32 END
        ) n
        WHERE u.depth < 4 AND m.state <> 'blocked'
        AND NOT EXISTS (SELECT FROM releases x WHERE x.repo = p_repo AND x.digest = u.digest)
    ), judged AS (
        SELECT m.notice, CASE
            WHEN m.digest IS NULL THEN 'held'
            WHEN m.state = 'blocked' OR EXISTS (SELECT FROM releases x WHERE x.repo = p_repo AND x.digest = u.digest) THEN m.state
            WHEN m.state = 'live' AND m.subject IS NULL AND NOT u.is_under AND (
                EXISTS (SELECT FROM tags t WHERE t.repo = p_repo AND t.digest = u.digest AND t.name !~ fallback)
                OR NOT EXISTS (SELECT FROM tags t WHERE t.repo = p_repo AND t.digest = u.digest)
                AND NOT EXISTS (SELECT FROM refs f WHERE f.repo = p_repo AND f.digest = u.digest AND f.role = 'child')
            ) THEN 'live'
        END AS state
        FROM up u LEFT JOIN manifests m ON m.repo = p_repo AND m.digest = u.digest
    )
    SELECT ARRAY[state, notice] INTO best FROM judged WHERE state IS NOT NULL
    ORDER BY array_position(ARRAY['live', 'held', 'blocked'], state) LIMIT 1;
    IF best IS NULL THEN RETURN ARRAY['held', NULL]; END IF;
    RETURN CASE WHEN own.subject IS NOT NULL AND best[1] = 'live' THEN ARRAY['live', NULL] ELSE best END;
END $_$;

CREATE FUNCTION public.current_name(p_name text) RETURNS text
    LANGUAGE sql STABLE
    AS $$
    SELECT coalesce((
        SELECT regexp_replace(p_name, '^((users|orgs)/)?[^/]+',
            CASE n.kind WHEN 'user' THEN 'users/' WHEN 'org' THEN 'orgs/' ELSE '' END || n.slug)
        FROM namespaces n WHERE n.id = namespace_of(p_name)
    ), p_name)
$$;

CREATE FUNCTION public.ensure_repository(p_name text, p_by jsonb) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE r bigint; n bigint; most bigint; present text := p_name;
BEGIN
    LOOP
        SELECT id INTO r FROM repositories WHERE name = present AND state = 'live' FOR KEY SHARE;
        EXIT WHEN FOUND;
        SELECT o.id INTO r FROM repository_aliases a JOIN repositories o ON o.id = a.repo
        WHERE a.name = present AND o.state = 'live' FOR KEY SHARE OF o;
        EXIT WHEN FOUND;
        PERFORM 1 FROM instance FOR SHARE;
        IF (SELECT has_accounts FROM instance) THEN
            PERFORM pg_advisory_xact_lock_shared(hashtextextended('names of ' || namespace_of(present), 0));
            SELECT id, (policies ->> 'repositories')::bigint INTO n, most FROM namespaces
            WHERE id = namespace_of(present) AND state = 'live' FOR KEY SHARE;
            IF n IS NULL THEN RAISE SQLSTATE 'GT404' USING MESSAGE = 'namespace'; END IF;
            IF current_name(present) <> present THEN
                present := current_name(present);
                CONTINUE;
            END IF;
            IF most IS NOT NULL
            AND (SELECT count(*) FROM (SELECT FROM repositories WHERE namespace = n AND state = 'live' LIMIT most) x) >= most
            THEN RAISE SQLSTATE 'GT507' USING MESSAGE = 'repositories', DETAIL = most::text; END IF;
        END IF;
        INSERT INTO repositories (name, namespace) VALUES (present, n)
        ON CONFLICT (name) WHERE state = 'live' DO NOTHING RETURNING id INTO r;
        IF FOUND THEN PERFORM note_audit(p_by, 'repository.created', present, r, '{}'); END IF;
    END LOOP;
    RETURN r;
END $$;

CREATE FUNCTION public.find_repository(p_name text) RETURNS bigint
    LANGUAGE sql STABLE
    AS $$
    SELECT coalesce(
        (SELECT id FROM repositories WHERE name = p_name AND state = 'live'),
        (SELECT r.id FROM repository_aliases a JOIN repositories r ON r.id = a.repo WHERE a.name = p_name AND r.state = 'live'),
        (SELECT id FROM repositories WHERE name = current_name(p_name) AND state = 'live')
    )
$$;

CREATE FUNCTION public.finish_upload(p_name text, p_upload uuid, p_digest text, p_size bigint, p_key text, p_content bytea, p_grace interval, p_quota bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE r bigint; u uploads;
BEGIN
    r := lock_repository(p_name);
    SELECT * INTO u FROM uploads WHERE id = p_upload FOR UPDATE;
    IF u.id IS NULL OR u.repo <> r THEN RAISE SQLSTATE 'GT404' USING MESSAGE = 'upload'; END IF;
    IF u.state = 'done' AND u.digest = p_digest THEN RETURN; END IF;
    IF u.state = 'done' OR p_content IS NOT NULL AND (u.state <> 'open' OR u.received > 0) THEN
        RAISE SQLSTATE 'GT404' USING MESSAGE = 'upload';
    END IF;
    PERFORM record_blob(r, p_digest, p_size, p_key, p_content, p_grace, p_quota);
    UPDATE uploads SET state = 'done', digest = p_digest, received = p_size, hash_state = NULL,
        expires_at = clock_timestamp() + interval '1 hour'
    WHERE id = p_upload;
END $$;

CREATE FUNCTION public.former_names(p_name text) RETURNS SETOF text
    LANGUAGE sql STABLE
    AS $$
    SELECT p_name UNION
    SELECT regexp_replace(p_name, '^((users|orgs)/)?[^/]+', '\1' || s.slug) FROM slugs s WHERE s.namespace = namespace_of(p_name)
$$;

CREATE FUNCTION public.has_digest(p_namespace bigint, p_digest text) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
    SELECT EXISTS (
        SELECT FROM blob_links l JOIN repositories r ON r.id = l.repo
        WHERE l.digest = p_digest AND r.namespace = p_namespace AND r.state = 'live'
    ) OR EXISTS (
        SELECT FROM manifests m JOIN repositories r ON r.id = m.repo
        WHERE m.digest = p_digest AND r.namespace = p_namespace AND r.state = 'live'
    )
$$;

CREATE FUNCTION public.hold(p_repo bigint, p_digest text, p_size bigint, p_quota bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE n bigint; used bigint;
BEGIN
    SELECT namespace INTO n FROM repositories WHERE id = p_repo;
    IF n IS NULL THEN RETURN; END IF;
    LOOP
        INSERT INTO holdings (namespace, digest, size) VALUES (n, p_digest, p_size) ON CONFLICT DO NOTHING;
        EXIT WHEN FOUND;
        PERFORM 1 FROM holdings WHERE namespace = n AND digest = p_digest FOR KEY SHARE;
        IF FOUND THEN RETURN; END IF;
    END LOOP;
    IF p_quota IS NOT NULL THEN
        SELECT coalesce(sum(bytes), 0) INTO used FROM usage WHERE namespace = n;
        IF used + p_size > p_quota THEN
            RAISE SQLSTATE 'GT507' USING MESSAGE = 'bytes', DETAIL = used || ' ' || p_quota;
        END IF;
    END IF;
    INSERT INTO usage (namespace, bytes) VALUES (n, p_size);
END $$;

CREATE FUNCTION public.is_released(p_repo bigint, p_digest text) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
    SELECT EXISTS (
        SELECT FROM releases WHERE repo = p_repo AND digest = p_digest AND state NOT IN ('unpublished', 'expired')
    )
$$;

CREATE FUNCTION public.keep_audit() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE given bigint;
BEGIN
    IF TG_TABLE_NAME = 'audit_events' AND TG_OP = 'UPDATE' THEN
        given := NEW.number;
        NEW.number := OLD.number;
        IF OLD.number IS NULL AND NEW IS NOT DISTINCT FROM OLD THEN
            NEW.number := given;
            RETURN NEW;
        END IF;
    END IF;
    RAISE 'Audit rows and seals are neither changed nor deleted.' USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE FUNCTION public.keep_tags(p_repo bigint, p_digest text, p_tags text[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE taken text[];
BEGIN
    IF NOT EXISTS (SELECT FROM repositories WHERE id = p_repo AND gated) THEN RETURN; END IF;
    SELECT array_agg(t.name ORDER BY t.name) INTO taken FROM unnest(p_tags) AS t (name)
    WHERE name = 'latest' OR EXISTS (
        SELECT FROM releases WHERE repo = p_repo AND tag IN (name, regexp_replace(name, '^v', ''))
        AND state NOT IN ('rejected', 'expired') AND (digest <> p_digest OR state = 'unpublished')
    );
    IF taken IS NOT NULL THEN
        RAISE SQLSTATE 'GT409' USING MESSAGE = 'release', DETAIL = array_to_string(taken, ',');
    END IF;
END $$;

CREATE FUNCTION public.lease_blob(p_name text, p_digest text, p_grace interval) RETURNS TABLE(size bigint, object_key text, content bytea, reach text)
    LANGUAGE plpgsql
    AS $$
DECLARE r bigint; is_gated boolean;
BEGIN
    SELECT id, gated INTO r, is_gated FROM repositories WHERE name = p_name AND state = 'live';
    IF r IS NULL THEN RAISE SQLSTATE 'GT404' USING MESSAGE = 'repository'; END IF;
    UPDATE review SET due = clock_timestamp() + p_grace
    WHERE kind = 'link' AND repo = r AND key = p_digest AND due < clock_timestamp() + p_grace / 2;
    RETURN QUERY SELECT b.size, b.object_key, NULL::bytea, CASE
        WHEN is_gated THEN blob_reach(r, p_digest)
        WHEN EXISTS (SELECT FROM refs f WHERE f.repo = r AND f.digest = p_digest) THEN 'all'
        ELSE 'linked'
    END
    FROM blob_links l JOIN blobs b ON b.digest = l.digest
    WHERE l.repo = r AND l.digest = p_digest;
END $$;

CREATE FUNCTION public.link_blob(p_repo bigint, p_digest text, p_size bigint, p_grace interval, p_quota bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    LOOP
        INSERT INTO blob_links (repo, digest) VALUES (p_repo, p_digest) ON CONFLICT DO NOTHING;
        PERFORM 1 FROM blob_links WHERE repo = p_repo AND digest = p_digest FOR KEY SHARE;
        EXIT WHEN FOUND;
    END LOOP;
    PERFORM queue_review('link', p_repo, ARRAY[p_digest], clock_timestamp() + p_grace);
    PERFORM hold(p_repo, p_digest, p_size, p_quota);
END $$;

CREATE FUNCTION public.lock_repository(p_name text) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE r bigint;
BEGIN
    FOR i IN 1..2 LOOP
        SELECT id INTO r FROM repositories WHERE name = p_name AND state = 'live' FOR KEY SHARE;
        EXIT WHEN FOUND;
    END LOOP;
    IF r IS NULL THEN
        SELECT id INTO r FROM repositories WHERE id = find_repository(p_name) AND state = 'live' FOR KEY SHARE;
    END IF;
    IF r IS NULL THEN RAISE SQLSTATE 'GT404' USING MESSAGE = 'repository'; END IF;
    RETURN r;
END $$;

CREATE FUNCTION public.mount_blob(p_sources text[], p_guarded text[], p_target text, p_digest text, p_grace interval, p_quota bigint, p_by jsonb) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
DECLARE s bigint; t bigint; length bigint;
BEGIN
    t := ensure_repository(p_target, p_by);
    IF p_sources IS NULL THEN
        SELECT l.repo INTO s FROM blob_links l JOIN repositories r ON r.id = l.repo
        WHERE l.digest = p_digest AND r.state = 'live' LIMIT 1;
    ELSE
        SELECT r.id INTO s FROM unnest(p_sources) WITH ORDINALITY AS asked (name, place)
        JOIN repositories r ON r.name = asked.name AND r.state = 'live'
        JOIN blob_links l ON l.repo = r.id AND l.digest = p_digest
        WHERE asked.name <> ALL (p_guarded) OR blob_reach(r.id, p_digest) <> 'writers' ORDER BY place LIMIT 1;
    END IF;
    IF s IS NULL THEN RETURN false; END IF;
    PERFORM 1 FROM repositories WHERE id IN (s, t) AND state = 'live' ORDER BY id FOR KEY SHARE;
    SELECT size INTO length FROM blobs WHERE digest = p_digest FOR KEY SHARE;
    IF NOT FOUND THEN RETURN false; END IF;
    PERFORM 1 FROM blob_links WHERE repo = s AND digest = p_digest FOR KEY SHARE;
    IF NOT FOUND THEN RETURN false; END IF;
    PERFORM link_blob(t, p_digest, length, p_grace, p_quota);
    RETURN true;
END $$;

CREATE FUNCTION public.namespace_of(p_name text) RETURNS bigint
    LANGUAGE sql STABLE
    AS $$
    SELECT s.namespace FROM slugs s JOIN namespaces n ON n.id = s.namespace
    WHERE s.kind = CASE split_part(p_name, '/', 1) WHEN 'users' THEN 'user' WHEN 'orgs' THEN 'org' ELSE 'plain' END
    AND s.slug = CASE WHEN split_part(p_name, '/', 1) IN ('users', 'orgs') THEN split_part(p_name, '/', 2)
        ELSE split_part(p_name, '/', 1) END
    AND s.standing <> 'tombstone' AND n.state = 'live'
$$;

CREATE FUNCTION public.note_audit(p_by jsonb, p_action text, p_target text, p_repo bigint, p_detail jsonb) RETURNS void
    LANGUAGE sql
    AS $$
    INSERT INTO audit_events (actor, actor_name, credential, address, request_id, action, target, namespace, detail)
    SELECT (p_by ->> 'account')::bigint, p_by ->> 'name', (p_by ->> 'credential')::bigint, p_by ->> 'address',
        p_by ->> 'request_id', p_action, p_target, (SELECT namespace FROM repositories WHERE id = p_repo), p_detail
    WHERE p_by IS NOT NULL
$$;

CREATE FUNCTION public.push_manifest(p_name text, p_digest text, p_type text, p_artifact_type text, p_bytes bytea, p_subject text, p_descriptor text, p_blobs text[], p_children text[], p_sizes bigint[], p_optional text[], p_tags text[], p_sparse text, p_orphans interval, p_fixed text[], p_quota bigint, p_by jsonb) RETURNS TABLE(missing text[], wrong text[])
    LANGUAGE plpgsql
    AS $$
DECLARE r bigint; all_refs text[] := p_blobs || p_children; known text[]; gone text[]; bad text[]; here boolean; count bigint;
BEGIN
    r := ensure_repository(p_name, p_by);
    PERFORM 1 FROM blobs WHERE digest = ANY (all_refs) ORDER BY digest FOR KEY SHARE;
    PERFORM 1 FROM blob_links WHERE repo = r AND digest = ANY (all_refs) ORDER BY digest FOR KEY SHARE;
    PERFORM 1 FROM manifests WHERE repo = r AND digest = ANY (p_children || p_subject) ORDER BY digest FOR KEY SHARE;
    SELECT array(
        SELECT digest FROM blob_links WHERE repo = r AND digest = ANY (all_refs)
        UNION SELECT digest FROM manifests WHERE repo = r AND digest = ANY (p_children)
    ) INTO known;
    gone := array(SELECT unnest(all_refs) EXCEPT SELECT unnest(known) EXCEPT SELECT unnest(p_optional) ORDER BY 1);
    IF gone <> '{}' AND NOT (p_sparse = 'all' OR p_sparse = 'index' AND p_blobs = '{}' AND p_children <> '{}') THEN
        RAISE SQLSTATE 'GT400' USING MESSAGE = 'missing', DETAIL = array_to_string(gone, ',');
    END IF;
    bad := array(
        SELECT d.digest FROM unnest(all_refs, p_sizes) AS d (digest, size)
        JOIN blob_links l ON l.repo = r AND l.digest = d.digest JOIN blobs b ON b.digest = d.digest
        WHERE b.size <> d.size AND NOT EXISTS (SELECT FROM manifests m WHERE m.repo = r AND m.digest = d.digest)
        UNION
        SELECT d.digest FROM unnest(p_children, p_sizes[cardinality(p_blobs) + 1:]) AS d (digest, size)
        JOIN manifests m ON m.repo = r AND m.digest = d.digest WHERE octet_length(m.bytes) <> d.size
    );
    IF bad <> '{}' THEN RAISE SQLSTATE 'GT400' USING MESSAGE = 'size', DETAIL = array_to_string(bad, ','); END IF;
    INSERT INTO manifests (repo, digest, type, artifact_type, bytes, subject, descriptor)
    VALUES (r, p_digest, p_type, p_artifact_type, p_bytes, p_subject, p_descriptor)
    ON CONFLICT (repo, digest) DO UPDATE SET pushed_at = clock_timestamp();
    INSERT INTO refs (repo, parent, digest, role)
    SELECT r, p_digest, d.digest, max(d.role)
    FROM (SELECT unnest(p_blobs), 'blob' UNION ALL SELECT unnest(p_children), 'child') AS d (digest, role)
    GROUP BY d.digest ORDER BY 3 ON CONFLICT DO NOTHING;
    IF p_tags <> '{}' THEN
        WITH moved AS (
            INSERT INTO tags AS t (repo, name, digest) SELECT r, n, p_digest FROM unnest(p_tags) n ORDER BY n COLLATE "C"
            ON CONFLICT (repo, name) DO UPDATE SET digest = excluded.digest, moved_at = clock_timestamp(), ver = t.ver + 1
            WHERE t.digest = excluded.digest OR t.name <> ALL (p_fixed)
            RETURNING new.name, old.digest AS was, new.ver
        )
        INSERT INTO outbox (kind, repo, body)
        SELECT 'tag.moved', r, jsonb_build_object('tag', name, 'from', was, 'to', p_digest, 'version', ver) FROM moved;
        GET DIAGNOSTICS count = ROW_COUNT;
        IF count < cardinality(p_tags) THEN
            RAISE SQLSTATE 'GT409' USING MESSAGE = 'tags', DETAIL = (
                SELECT string_agg(name, ',' ORDER BY name) FROM tags
                WHERE repo = r AND name = ANY (p_fixed) AND digest <> p_digest
            );
        END IF;
        PERFORM keep_tags(r, p_digest, p_tags);
    END IF;
    SELECT EXISTS (SELECT FROM manifests WHERE repo = r AND digest = p_subject) INTO here;
    IF p_subject IS NOT NULL AND NOT here AND p_orphans IS NOT NULL THEN
        PERFORM queue_review('subject', r, ARRAY[p_subject], clock_timestamp() + p_orphans);
    END IF;
    DELETE FROM review WHERE kind = 'subject' AND repo = r AND key = p_digest;
    INSERT INTO outbox (kind, repo, body)
    VALUES ('manifest.pushed', r, jsonb_build_object('digest', p_digest, 'type', p_type, 'subject', p_subject));
    PERFORM hold(r, p_digest, octet_length(p_bytes), p_quota);
    IF p_by IS NOT NULL THEN
        PERFORM note_audit(p_by, 'manifest.pushed', p_name || '@' || p_digest, r,
            jsonb_build_object('type', p_type, 'tags', to_jsonb(p_tags)));
    END IF;
    IF here THEN PERFORM wake_release(r, p_subject); END IF;
    RETURN QUERY SELECT gone, bad;
END $$;

CREATE FUNCTION public.put_blob(p_name text, p_digest text, p_content bytea, p_grace interval, p_quota bigint, p_by jsonb) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM record_blob(
        ensure_repository(p_name, p_by), p_digest, octet_length(p_content), NULL, p_content, p_grace, p_quota
    );
END $$;

CREATE FUNCTION public.queue_holdings(p_repo bigint, p_digests text[]) RETURNS void
    LANGUAGE sql
    AS $$
    SELECT queue_review('holding', namespace, p_digests, clock_timestamp())
    FROM repositories WHERE id = p_repo AND namespace IS NOT NULL
$$;

CREATE FUNCTION public.queue_review(p_kind text, p_repo bigint, p_keys text[], p_due timestamp with time zone) RETURNS void
    LANGUAGE sql
    AS $$
    INSERT INTO review AS r (kind, repo, key, due)
    SELECT DISTINCT p_kind, p_repo, k COLLATE "C", p_due FROM unnest(p_keys) k ORDER BY 3
    ON CONFLICT (kind, repo, key)
    DO UPDATE SET due = greatest(r.due, excluded.due), since = greatest(r.since, excluded.since)
$$;

CREATE FUNCTION public.record_blob(p_repo bigint, p_digest text, p_size bigint, p_key text, p_content bytea, p_grace interval, p_quota bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE k text;
BEGIN
    LOOP
        INSERT INTO blobs (digest, size, object_key, content) VALUES (p_digest, p_size, p_key, p_content)
        ON CONFLICT (digest) DO NOTHING;
        SELECT object_key INTO k FROM blobs WHERE digest = p_digest FOR KEY SHARE;
        EXIT WHEN FOUND;
    END LOOP;
    IF k IS DISTINCT FROM p_key AND p_key IS NOT NULL THEN
        INSERT INTO doomed (object_key, due) VALUES (p_key, clock_timestamp() + interval '1 hour') ON CONFLICT DO NOTHING;
    END IF;
    PERFORM link_blob(p_repo, p_digest, p_size, p_grace, p_quota);
END $$;

CREATE FUNCTION public.shows_anything(p_repo bigint) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
    SELECT EXISTS (SELECT FROM releases x WHERE x.repo = p_repo AND x.state = 'published') OR EXISTS (
        SELECT FROM (
            SELECT t.digest FROM tags t WHERE t.repo = p_repo AND t.name !~ '^sha256-[0-9a-f]{64}'
            AND (SELECT true FROM releases x WHERE x.repo = p_repo AND x.digest = t.digest LIMIT 1) IS NULL LIMIT 1000
        ) t WHERE (content_state(p_repo, t.digest))[1] = 'live'
    )
$$;

CREATE FUNCTION public.start_upload(p_name text, p_upload uuid, p_owner text, p_algorithm text, p_life interval, p_limit integer, p_by jsonb) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE r bigint := ensure_repository(p_name, p_by);
BEGIN
    IF (SELECT count(*) FROM (SELECT FROM uploads WHERE repo = r AND state <> 'done' LIMIT p_limit) u) >= p_limit THEN
        RAISE SQLSTATE 'GT429' USING MESSAGE = 'uploads';
    END IF;
    INSERT INTO uploads (id, repo, owner, algorithm, expires_at)
    VALUES (p_upload, r, p_owner, p_algorithm, clock_timestamp() + p_life);
END $$;

CREATE FUNCTION public.wake_release(p_repo bigint, p_digest text) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE releases SET due = clock_timestamp()
    WHERE repo = p_repo AND digest = p_digest AND state IN ('received', 'awaiting-signature', 'scanning');
    IF FOUND THEN PERFORM pg_notify('releases', ''); END IF;
END $$;

CREATE TABLE public.accounts (
    id bigint NOT NULL,
    kind text NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    display_name text DEFAULT ''::text NOT NULL,
    email text,
    email_verified_at timestamp with time zone,
    is_administrator boolean DEFAULT false NOT NULL,
    must_change_password boolean DEFAULT false NOT NULL,
    state text DEFAULT 'active'::text NOT NULL,
    namespace bigint NOT NULL,
    created_by bigint,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT accounts_check CHECK (((kind = 'user'::text) OR ((NOT is_administrator) AND (email IS NULL)))),
    CONSTRAINT accounts_kind_check CHECK ((kind = ANY (ARRAY['user'::text, 'robot'::text]))),
    CONSTRAINT accounts_state_check CHECK ((state = ANY (ARRAY['active'::text, 'suspended'::text, 'deleted'::text])))
);

ALTER TABLE public.accounts ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.accounts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.artifacts (
    repo bigint NOT NULL,
    type text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    homepage text,
    category text,
    topics text[] DEFAULT '{}'::text[] NOT NULL,
    keywords text[] DEFAULT '{}'::text[] NOT NULL,
    capabilities text[] DEFAULT '{}'::text[] NOT NULL,
    license text,
    language text,
    engines text,
    latest text COLLATE pg_catalog."C",
    revision bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE public.audit_events (
    id bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    actor bigint,
    actor_name text NOT NULL,
    credential bigint,
    address text DEFAULT ''::text NOT NULL,
    request_id text DEFAULT ''::text NOT NULL,
    action text NOT NULL,
    target text NOT NULL,
    namespace bigint,
    outcome text DEFAULT 'done'::text NOT NULL,
    times integer DEFAULT 1 NOT NULL,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    number bigint,
    CONSTRAINT audit_events_outcome_check CHECK ((outcome = ANY (ARRAY['done'::text, 'denied'::text])))
);

ALTER TABLE public.audit_events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.audit_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.audit_seals (
    last bigint NOT NULL,
    first bigint NOT NULL,
    sealed_at timestamp with time zone NOT NULL,
    leaves bytea NOT NULL,
    root bytea NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT audit_seals_check CHECK ((first <= last))
);

CREATE TABLE public.blob_links (
    repo bigint NOT NULL,
    digest text NOT NULL COLLATE pg_catalog."C"
);

CREATE TABLE public.blobs (
    digest text NOT NULL COLLATE pg_catalog."C",
    size bigint NOT NULL,
    object_key text COLLATE pg_catalog."C",
    content bytea,
    pinned boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT blobs_check CHECK ((num_nonnulls(object_key, content) = 1)),
    CONSTRAINT blobs_size_check CHECK ((size >= 0))
);

CREATE TABLE public.credentials (
    id bigint NOT NULL,
    account bigint NOT NULL,
    kind text NOT NULL,
    name text DEFAULT ''::text NOT NULL,
    hint text DEFAULT ''::text NOT NULL,
    hash bytea,
    pepper_id text,
    password text,
    scope text,
    namespaces bigint[],
    repositories bigint[],
    addresses cidr[],
    email text,
    family uuid,
    parent bigint,
    replaced_by bigint,
    created_by bigint,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    last_used_at timestamp with time zone,
    last_used_from inet,
    CONSTRAINT credentials_check CHECK ((((kind = 'password'::text) = (password IS NOT NULL)) AND (num_nonnulls(hash, password) = 1))),
    CONSTRAINT credentials_kind_check CHECK ((kind = ANY (ARRAY['password'::text, 'key'::text, 'refresh'::text, 'session'::text, 'renewal'::text, 'verification'::text, 'reset'::text]))),
    CONSTRAINT credentials_scope_check CHECK ((scope = ANY (ARRAY['read-only'::text, 'publish'::text, 'admin'::text])))
);

ALTER TABLE public.credentials ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.credentials_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.dependencies (
    release bigint NOT NULL,
    ordinal integer NOT NULL,
    reference text NOT NULL,
    target text NOT NULL COLLATE pg_catalog."C",
    wanted text NOT NULL,
    relation text NOT NULL,
    is_optional boolean DEFAULT false NOT NULL,
    digest text
);

CREATE TABLE public.doomed (
    object_key text NOT NULL COLLATE pg_catalog."C",
    due timestamp with time zone NOT NULL
);

CREATE TABLE public.grants (
    id bigint NOT NULL,
    namespace bigint NOT NULL,
    repo bigint,
    team bigint,
    account bigint,
    role text NOT NULL,
    added_by bigint,
    added_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT grants_check CHECK (((num_nonnulls(team, account) = 1) AND ((repo IS NOT NULL) OR (team IS NOT NULL)))),
    CONSTRAINT grants_role_check CHECK ((role = ANY (ARRAY['admin'::text, 'write'::text, 'read'::text])))
);

ALTER TABLE public.grants ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.grants_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.holdings (
    namespace bigint NOT NULL,
    digest text NOT NULL COLLATE pg_catalog."C",
    size bigint NOT NULL
);

CREATE TABLE public.instance (
    sole boolean DEFAULT true NOT NULL,
    secret bytea NOT NULL,
    has_accounts boolean DEFAULT false NOT NULL,
    CONSTRAINT instance_sole_check CHECK (sole)
);

CREATE TABLE public.invitations (
    id bigint NOT NULL,
    namespace bigint NOT NULL,
    generation integer NOT NULL,
    account bigint NOT NULL,
    role text NOT NULL,
    invited_by bigint NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT invitations_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'admin'::text, 'write'::text, 'read'::text])))
);

ALTER TABLE public.invitations ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.invitations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.manifests (
    repo bigint NOT NULL,
    digest text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL,
    artifact_type text,
    bytes bytea NOT NULL,
    subject text COLLATE pg_catalog."C",
    descriptor text,
    state text DEFAULT 'live'::text NOT NULL,
    pushed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    pulled_at timestamp with time zone,
    notice text,
    CONSTRAINT manifests_state_check CHECK ((state = ANY (ARRAY['live'::text, 'held'::text, 'blocked'::text])))
);

CREATE TABLE public.members (
    namespace bigint NOT NULL,
    account bigint NOT NULL,
    role text NOT NULL,
    added_by bigint,
    added_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    expires_at timestamp with time zone,
    CONSTRAINT members_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'admin'::text, 'write'::text, 'read'::text])))
);

CREATE TABLE public.migrations (
    name text NOT NULL,
    applied_at timestamp with time zone DEFAULT now()
);

CREATE TABLE public.namespaces (
    id bigint NOT NULL,
    kind text NOT NULL,
    slug text NOT NULL COLLATE pg_catalog."C",
    display_name text DEFAULT ''::text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    visibility text DEFAULT 'private'::text NOT NULL,
    generation integer DEFAULT 1 NOT NULL,
    state text DEFAULT 'live'::text NOT NULL,
    policies jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    CONSTRAINT namespaces_kind_check CHECK ((kind = ANY (ARRAY['user'::text, 'org'::text, 'plain'::text]))),
    CONSTRAINT namespaces_state_check CHECK ((state = ANY (ARRAY['live'::text, 'deleting'::text, 'deleted'::text]))),
    CONSTRAINT namespaces_visibility_check CHECK ((visibility = ANY (ARRAY['public'::text, 'internal'::text, 'private'::text])))
);

ALTER TABLE public.namespaces ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.namespaces_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.outbox (
    id bigint NOT NULL,
    kind text NOT NULL,
    repo bigint NOT NULL,
    body jsonb NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    due timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

ALTER TABLE public.outbox ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.outbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.refs (
    repo bigint NOT NULL,
    parent text NOT NULL COLLATE pg_catalog."C",
    digest text NOT NULL COLLATE pg_catalog."C",
    role text NOT NULL,
    CONSTRAINT refs_role_check CHECK ((role = ANY (ARRAY['blob'::text, 'child'::text])))
);

CREATE TABLE public.releases (
    id bigint NOT NULL,
    upload uuid DEFAULT gen_random_uuid() NOT NULL,
    repo bigint NOT NULL,
    version text NOT NULL COLLATE pg_catalog."C",
    tag text NOT NULL COLLATE pg_catalog."C",
    precedence text NOT NULL COLLATE pg_catalog."C",
    digest text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL,
    state text NOT NULL,
    reason jsonb,
    config text,
    size bigint DEFAULT 0 NOT NULL,
    floating text[] DEFAULT '{}'::text[] NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    keywords text[] DEFAULT '{}'::text[] NOT NULL,
    capabilities text[] DEFAULT '{}'::text[] NOT NULL,
    license text,
    language text,
    engines text,
    readme text,
    gtype_hash text,
    deprecation jsonb,
    pushed_by bigint,
    pushed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    published_at timestamp with time zone,
    ended_at timestamp with time zone,
    due timestamp with time zone,
    attempts integer DEFAULT 0 NOT NULL,
    CONSTRAINT releases_state_check CHECK ((state = ANY (ARRAY['received'::text, 'awaiting-signature'::text, 'scanning'::text, 'published'::text, 'rejected'::text, 'quarantined'::text, 'unpublished'::text, 'expired'::text])))
);

ALTER TABLE public.releases ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.releases_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.repositories (
    id bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    state text DEFAULT 'live'::text NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    namespace bigint,
    visibility text,
    gated boolean DEFAULT false NOT NULL,
    CONSTRAINT repositories_state_check CHECK ((state = ANY (ARRAY['live'::text, 'deleting'::text]))),
    CONSTRAINT repositories_visibility_check CHECK ((visibility = ANY (ARRAY['public'::text, 'internal'::text, 'private'::text])))
);

ALTER TABLE public.repositories ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.repositories_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.repository_aliases (
    name text NOT NULL COLLATE pg_catalog."C",
    repo bigint NOT NULL
);

CREATE TABLE public.review (
    kind text NOT NULL,
    repo bigint NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    due timestamp with time zone NOT NULL,
    since timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT review_kind_check CHECK ((kind = ANY (ARRAY['link'::text, 'blob'::text, 'subject'::text, 'child'::text, 'holding'::text])))
);

CREATE TABLE public.shares (
    id bigint NOT NULL,
    release bigint NOT NULL,
    hash bytea NOT NULL,
    created_by bigint,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone
);

ALTER TABLE public.shares ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.shares_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.signing_keys (
    kid text NOT NULL COLLATE pg_catalog."C",
    use text NOT NULL,
    public jsonb NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    signs_from timestamp with time zone NOT NULL,
    verifies_until timestamp with time zone,
    CONSTRAINT signing_keys_use_check CHECK ((use = ANY (ARRAY['registry'::text, 'identity'::text])))
);

CREATE TABLE public.slugs (
    skeleton text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL,
    slug text NOT NULL COLLATE pg_catalog."C",
    namespace bigint NOT NULL,
    standing text NOT NULL,
    since timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT slugs_kind_check CHECK ((kind = ANY (ARRAY['user'::text, 'org'::text, 'plain'::text]))),
    CONSTRAINT slugs_standing_check CHECK ((standing = ANY (ARRAY['current'::text, 'alias'::text, 'tombstone'::text])))
);

CREATE TABLE public.tags (
    repo bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    digest text NOT NULL COLLATE pg_catalog."C",
    moved_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    ver bigint DEFAULT 1 NOT NULL
);

CREATE TABLE public.team_members (
    team bigint NOT NULL,
    account bigint NOT NULL
);

CREATE TABLE public.teams (
    id bigint NOT NULL,
    namespace bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    description text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

ALTER TABLE public.teams ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.teams_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.tombstones (
    name text NOT NULL COLLATE pg_catalog."C",
    tag text NOT NULL COLLATE pg_catalog."C",
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE public.uploads (
    id uuid NOT NULL,
    repo bigint NOT NULL,
    owner text NOT NULL,
    algorithm text NOT NULL,
    received bigint DEFAULT 0 NOT NULL,
    hash_state bytea,
    state text DEFAULT 'open'::text NOT NULL,
    digest text COLLATE pg_catalog."C",
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT uploads_received_check CHECK ((received >= 0)),
    CONSTRAINT uploads_state_check CHECK ((state = ANY (ARRAY['open'::text, 'finishing'::text, 'done'::text])))
);

CREATE TABLE public.usage (
    id bigint NOT NULL,
    namespace bigint NOT NULL,
    bytes bigint NOT NULL,
    is_sum boolean DEFAULT false NOT NULL
);

ALTER TABLE public.usage ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.usage_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.artifacts
    ADD CONSTRAINT artifacts_pkey PRIMARY KEY (repo);

ALTER TABLE ONLY public.audit_events
    ADD CONSTRAINT audit_events_number_key UNIQUE (number);

ALTER TABLE ONLY public.audit_events
    ADD CONSTRAINT audit_events_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.audit_seals
    ADD CONSTRAINT audit_seals_pkey PRIMARY KEY (last);

ALTER TABLE ONLY public.blob_links
    ADD CONSTRAINT blob_links_pkey PRIMARY KEY (repo, digest);

ALTER TABLE ONLY public.blobs
    ADD CONSTRAINT blobs_object_key_key UNIQUE (object_key);

ALTER TABLE ONLY public.blobs
    ADD CONSTRAINT blobs_pkey PRIMARY KEY (digest);

ALTER TABLE ONLY public.credentials
    ADD CONSTRAINT credentials_hash_key UNIQUE (hash);

ALTER TABLE ONLY public.credentials
    ADD CONSTRAINT credentials_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.dependencies
    ADD CONSTRAINT dependencies_pkey PRIMARY KEY (release, ordinal);

ALTER TABLE ONLY public.doomed
    ADD CONSTRAINT doomed_pkey PRIMARY KEY (object_key);

ALTER TABLE ONLY public.grants
    ADD CONSTRAINT grants_namespace_repo_team_account_key UNIQUE NULLS NOT DISTINCT (namespace, repo, team, account);

ALTER TABLE ONLY public.grants
    ADD CONSTRAINT grants_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.holdings
    ADD CONSTRAINT holdings_pkey PRIMARY KEY (namespace, digest);

ALTER TABLE ONLY public.instance
    ADD CONSTRAINT instance_pkey PRIMARY KEY (sole);

ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_namespace_account_key UNIQUE (namespace, account);

ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.manifests
    ADD CONSTRAINT manifests_pkey PRIMARY KEY (repo, digest);

ALTER TABLE ONLY public.members
    ADD CONSTRAINT members_pkey PRIMARY KEY (namespace, account);

ALTER TABLE ONLY public.migrations
    ADD CONSTRAINT migrations_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.namespaces
    ADD CONSTRAINT namespaces_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.refs
    ADD CONSTRAINT refs_pkey PRIMARY KEY (repo, parent, digest);

ALTER TABLE ONLY public.releases
    ADD CONSTRAINT releases_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.releases
    ADD CONSTRAINT releases_repo_tag_key UNIQUE (repo, tag);

ALTER TABLE ONLY public.releases
    ADD CONSTRAINT releases_repo_version_key UNIQUE (repo, version);

ALTER TABLE ONLY public.releases
    ADD CONSTRAINT releases_upload_key UNIQUE (upload);

ALTER TABLE ONLY public.repositories
    ADD CONSTRAINT repositories_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.repository_aliases
    ADD CONSTRAINT repository_aliases_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.review
    ADD CONSTRAINT review_pkey PRIMARY KEY (kind, repo, key);

ALTER TABLE ONLY public.shares
    ADD CONSTRAINT shares_hash_key UNIQUE (hash);

ALTER TABLE ONLY public.shares
    ADD CONSTRAINT shares_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.signing_keys
    ADD CONSTRAINT signing_keys_pkey PRIMARY KEY (kid);

ALTER TABLE ONLY public.slugs
    ADD CONSTRAINT slugs_pkey PRIMARY KEY (skeleton);

ALTER TABLE ONLY public.tags
    ADD CONSTRAINT tags_pkey PRIMARY KEY (repo, name);

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_pkey PRIMARY KEY (team, account);

ALTER TABLE ONLY public.teams
    ADD CONSTRAINT teams_namespace_name_key UNIQUE (namespace, name);

ALTER TABLE ONLY public.teams
    ADD CONSTRAINT teams_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.tombstones
    ADD CONSTRAINT tombstones_pkey PRIMARY KEY (name, tag);

ALTER TABLE ONLY public.uploads
    ADD CONSTRAINT uploads_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.usage
    ADD CONSTRAINT usage_pkey PRIMARY KEY (id);

CREATE INDEX accounts_address ON public.accounts USING btree (lower(email)) WHERE (email IS NOT NULL);

CREATE UNIQUE INDEX accounts_email ON public.accounts USING btree (lower(email)) WHERE ((state <> 'deleted'::text) AND (email_verified_at IS NOT NULL));

CREATE UNIQUE INDEX accounts_name ON public.accounts USING btree (name) WHERE (state <> 'deleted'::text);

CREATE INDEX accounts_namespace ON public.accounts USING btree (namespace);

CREATE INDEX artifacts_words ON public.artifacts USING gin (public.artifact_words(description, keywords, topics, category));

CREATE INDEX audit_action ON public.audit_events USING btree (action, number) WHERE (number IS NOT NULL);

CREATE INDEX audit_actor ON public.audit_events USING btree (actor_name, number) WHERE (number IS NOT NULL);

CREATE INDEX audit_namespace ON public.audit_events USING btree (namespace, number) WHERE (number IS NOT NULL);

CREATE INDEX audit_seals_time ON public.audit_seals USING btree (sealed_at);

CREATE INDEX audit_unsealed ON public.audit_events USING btree (id) WHERE (number IS NULL);

CREATE INDEX blob_links_digest ON public.blob_links USING btree (digest);

CREATE INDEX credentials_account ON public.credentials USING btree (account, id) WHERE (revoked_at IS NULL);

CREATE INDEX credentials_expiry ON public.credentials USING btree (expires_at) WHERE (expires_at IS NOT NULL);

CREATE INDEX credentials_family ON public.credentials USING btree (family) WHERE (family IS NOT NULL);

CREATE INDEX credentials_parent ON public.credentials USING btree (parent) WHERE (parent IS NOT NULL);

CREATE UNIQUE INDEX credentials_password ON public.credentials USING btree (account) WHERE ((kind = 'password'::text) AND (revoked_at IS NULL));

CREATE INDEX credentials_replaced ON public.credentials USING btree (replaced_by) WHERE (replaced_by IS NOT NULL);

CREATE INDEX dependencies_target ON public.dependencies USING btree (target);

CREATE INDEX doomed_due ON public.doomed USING btree (due);

CREATE INDEX grants_account ON public.grants USING btree (account) WHERE (account IS NOT NULL);

CREATE INDEX grants_repo ON public.grants USING btree (repo) WHERE (repo IS NOT NULL);

CREATE INDEX grants_team ON public.grants USING btree (team) WHERE (team IS NOT NULL);

CREATE INDEX invitations_account ON public.invitations USING btree (account);

CREATE INDEX manifests_subject ON public.manifests USING btree (repo, subject, pushed_at DESC, digest DESC) WHERE (subject IS NOT NULL);

CREATE INDEX members_account ON public.members USING btree (account);

CREATE UNIQUE INDEX namespaces_live ON public.namespaces USING btree (kind, slug) WHERE (state <> 'deleted'::text);

CREATE INDEX namespaces_retention ON public.namespaces USING btree (id) WHERE (policies ? 'retention'::text);

CREATE INDEX outbox_due ON public.outbox USING btree (due, id);

CREATE INDEX refs_digest ON public.refs USING btree (repo, digest);

CREATE INDEX releases_digest ON public.releases USING btree (repo, digest);

CREATE INDEX releases_due ON public.releases USING btree (due) WHERE (due IS NOT NULL);

CREATE INDEX releases_order ON public.releases USING btree (repo, precedence DESC, version DESC);

CREATE INDEX repositories_deleting ON public.repositories USING btree (id) WHERE (state = 'deleting'::text);

CREATE UNIQUE INDEX repositories_live_name ON public.repositories USING btree (name) WHERE (state = 'live'::text);

CREATE INDEX repositories_namespace ON public.repositories USING btree (namespace, name);

CREATE INDEX repository_aliases_repo ON public.repository_aliases USING btree (repo);

CREATE INDEX review_due ON public.review USING btree (due);

CREATE INDEX shares_release ON public.shares USING btree (release);

CREATE UNIQUE INDEX slugs_name ON public.slugs USING btree (kind, slug);

CREATE INDEX slugs_namespace ON public.slugs USING btree (namespace);

CREATE INDEX tags_digest ON public.tags USING btree (repo, digest);

CREATE INDEX team_members_account ON public.team_members USING btree (account);

CREATE INDEX uploads_expiry ON public.uploads USING btree (expires_at);

CREATE INDEX uploads_repo ON public.uploads USING btree (repo) WHERE (state <> 'done'::text);

CREATE INDEX usage_loose ON public.usage USING btree (namespace) WHERE (NOT is_sum);

CREATE INDEX usage_namespace ON public.usage USING btree (namespace) INCLUDE (bytes);

CREATE TRIGGER audit_events_stay BEFORE DELETE OR UPDATE ON public.audit_events FOR EACH ROW EXECUTE FUNCTION public.keep_audit();

CREATE TRIGGER audit_seals_stay BEFORE DELETE OR UPDATE ON public.audit_seals FOR EACH ROW EXECUTE FUNCTION public.keep_audit();

CREATE TRIGGER repositories_bury BEFORE UPDATE OF state ON public.repositories FOR EACH ROW WHEN ((old.gated AND (new.state = 'deleting'::text))) EXECUTE FUNCTION public.bury_releases();

CREATE TRIGGER repositories_bury_late BEFORE DELETE ON public.repositories FOR EACH ROW WHEN (old.gated) EXECUTE FUNCTION public.bury_releases();

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_created_by_fkey FOREIGN KEY (created_by) REFERENCES public.accounts(id);

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_namespace_fkey FOREIGN KEY (namespace) REFERENCES public.namespaces(id);

ALTER TABLE ONLY public.artifacts
    ADD CONSTRAINT artifacts_repo_fkey FOREIGN KEY (repo) REFERENCES public.repositories(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.blob_links
    ADD CONSTRAINT blob_links_digest_fkey FOREIGN KEY (digest) REFERENCES public.blobs(digest);

ALTER TABLE ONLY public.blob_links
    ADD CONSTRAINT blob_links_repo_fkey FOREIGN KEY (repo) REFERENCES public.repositories(id);

ALTER TABLE ONLY public.credentials
    ADD CONSTRAINT credentials_account_fkey FOREIGN KEY (account) REFERENCES public.accounts(id);

ALTER TABLE ONLY public.credentials
    ADD CONSTRAINT credentials_created_by_fkey FOREIGN KEY (created_by) REFERENCES public.accounts(id);

ALTER TABLE ONLY public.credentials
    ADD CONSTRAINT credentials_parent_fkey FOREIGN KEY (parent) REFERENCES public.credentials(id);

ALTER TABLE ONLY public.credentials
    ADD CONSTRAINT credentials_replaced_by_fkey FOREIGN KEY (replaced_by) REFERENCES public.credentials(id);

ALTER TABLE ONLY public.dependencies
    ADD CONSTRAINT dependencies_release_fkey FOREIGN KEY (release) REFERENCES public.releases(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.grants
    ADD CONSTRAINT grants_account_fkey FOREIGN KEY (account) REFERENCES public.accounts(id);

ALTER TABLE ONLY public.grants
    ADD CONSTRAINT grants_added_by_fkey FOREIGN KEY (added_by) REFERENCES public.accounts(id);

ALTER TABLE ONLY public.grants
    ADD CONSTRAINT grants_namespace_fkey FOREIGN KEY (namespace) REFERENCES public.namespaces(id);

ALTER TABLE ONLY public.grants
    ADD CONSTRAINT grants_repo_fkey FOREIGN KEY (repo) REFERENCES public.repositories(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.grants
    ADD CONSTRAINT grants_team_fkey FOREIGN KEY (team) REFERENCES public.teams(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.holdings
    ADD CONSTRAINT holdings_namespace_fkey FOREIGN KEY (namespace) REFERENCES public.namespaces(id);

ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_account_fkey FOREIGN KEY (account) REFERENCES public.accounts(id);

ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_invited_by_fkey FOREIGN KEY (invited_by) REFERENCES public.accounts(id);

ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_namespace_fkey FOREIGN KEY (namespace) REFERENCES public.namespaces(id);

ALTER TABLE ONLY public.manifests
    ADD CONSTRAINT manifests_repo_fkey FOREIGN KEY (repo) REFERENCES public.repositories(id);

ALTER TABLE ONLY public.members
    ADD CONSTRAINT members_account_fkey FOREIGN KEY (account) REFERENCES public.accounts(id);

ALTER TABLE ONLY public.members
    ADD CONSTRAINT members_added_by_fkey FOREIGN KEY (added_by) REFERENCES public.accounts(id);

ALTER TABLE ONLY public.members
    ADD CONSTRAINT members_namespace_fkey FOREIGN KEY (namespace) REFERENCES public.namespaces(id);

ALTER TABLE ONLY public.refs
    ADD CONSTRAINT refs_repo_parent_fkey FOREIGN KEY (repo, parent) REFERENCES public.manifests(repo, digest) ON DELETE CASCADE;

ALTER TABLE ONLY public.releases
    ADD CONSTRAINT releases_repo_fkey FOREIGN KEY (repo) REFERENCES public.repositories(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.repositories
    ADD CONSTRAINT repositories_namespace_fkey FOREIGN KEY (namespace) REFERENCES public.namespaces(id);

ALTER TABLE ONLY public.repository_aliases
    ADD CONSTRAINT repository_aliases_repo_fkey FOREIGN KEY (repo) REFERENCES public.repositories(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.shares
    ADD CONSTRAINT shares_release_fkey FOREIGN KEY (release) REFERENCES public.releases(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.slugs
    ADD CONSTRAINT slugs_namespace_fkey FOREIGN KEY (namespace) REFERENCES public.namespaces(id);

ALTER TABLE ONLY public.tags
    ADD CONSTRAINT tags_repo_digest_fkey FOREIGN KEY (repo, digest) REFERENCES public.manifests(repo, digest);

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_account_fkey FOREIGN KEY (account) REFERENCES public.accounts(id);

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_team_fkey FOREIGN KEY (team) REFERENCES public.teams(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.teams
    ADD CONSTRAINT teams_namespace_fkey FOREIGN KEY (namespace) REFERENCES public.namespaces(id);

ALTER TABLE ONLY public.uploads
    ADD CONSTRAINT uploads_repo_fkey FOREIGN KEY (repo) REFERENCES public.repositories(id);

ALTER TABLE ONLY public.usage
    ADD CONSTRAINT usage_namespace_fkey FOREIGN KEY (namespace) REFERENCES public.namespaces(id);
