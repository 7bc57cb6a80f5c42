-- What all migrations make together, to be read: `make schema` writes it, nothing applies it.

CREATE FUNCTION public.ensure_repository(p_name text) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE r bigint;
BEGIN
    LOOP
        SELECT id INTO r FROM repositories WHERE name = p_name AND state = 'live' FOR KEY SHARE;
        EXIT WHEN FOUND;
        INSERT INTO repositories (name) VALUES (p_name) ON CONFLICT (name) WHERE state = 'live' DO NOTHING;
    END LOOP;
    RETURN r;
END $$;

CREATE FUNCTION public.finish_upload(p_name text, p_upload uuid, p_digest text, p_size bigint, p_key text, p_grace interval) RETURNS text
    LANGUAGE plpgsql
    AS $$
DECLARE r bigint; u uploads; k text;
BEGIN
    r := lock_repository(p_name);
    SELECT * INTO u FROM uploads WHERE id = p_upload FOR UPDATE;
    IF u.id IS NULL OR u.repo <> r THEN RAISE SQLSTATE 'GT404' USING MESSAGE = 'upload'; END IF;
    IF u.state = 'done' THEN RETURN 'done'; END IF;
    LOOP
        INSERT INTO blobs (digest, size, object_key) VALUES (p_digest, p_size, p_key) ON CONFLICT (digest) DO NOTHING;
        SELECT object_key INTO k FROM blobs WHERE digest = p_digest FOR KEY SHARE;
        EXIT WHEN FOUND;
    END LOOP;
    IF k <> p_key THEN
        INSERT INTO doomed (object_key, due) VALUES (p_key, clock_timestamp() + interval '1 hour') ON CONFLICT DO NOTHING;
    END IF;
    PERFORM link_blob(r, p_digest, p_grace);
    UPDATE uploads SET state = 'done', expires_at = clock_timestamp() + interval '1 hour', hash_state = NULL
    WHERE id = p_upload;
    RETURN k;
END $$;

CREATE FUNCTION public.lease_blob(p_name text, p_digest text, p_grace interval) RETURNS TABLE(size bigint, object_key text, referenced boolean)
    LANGUAGE plpgsql
    AS $$
DECLARE r bigint;
BEGIN
    SELECT id INTO r FROM repositories WHERE name = p_name AND state = 'live';
    IF r IS NULL THEN RAISE SQLSTATE 'GT404' USING MESSAGE = 'repository'; END IF;
    UPDATE review SET due = clock_timestamp() + p_grace
    WHERE kind = 'link' AND repo = r AND key = p_digest AND due < clock_timestamp() + p_grace / 2;
    RETURN QUERY SELECT b.size, b.object_key, EXISTS (SELECT FROM refs f WHERE f.repo = r AND f.digest = p_digest)
    FROM blob_links l JOIN blobs b ON b.digest = l.digest
    WHERE l.repo = r AND l.digest = p_digest;
END $$;

CREATE FUNCTION public.link_blob(p_repo bigint, p_digest text, p_grace interval) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    LOOP
        INSERT INTO blob_links (repo, digest) VALUES (p_repo, p_digest) ON CONFLICT DO NOTHING;
        PERFORM 1 FROM blob_links WHERE repo = p_repo AND digest = p_digest FOR KEY SHARE;
        EXIT WHEN FOUND;
    END LOOP;
    PERFORM queue_review('link', p_repo, ARRAY[p_digest], clock_timestamp() + p_grace);
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
    IF r IS NULL THEN RAISE SQLSTATE 'GT404' USING MESSAGE = 'repository'; END IF;
    RETURN r;
END $$;

CREATE FUNCTION public.mount_blob(p_source text, p_target text, p_digest text, p_grace interval) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
DECLARE s bigint; t bigint;
BEGIN
    t := ensure_repository(p_target);
    IF p_source IS NULL THEN
        SELECT l.repo INTO s FROM blob_links l JOIN repositories r ON r.id = l.repo
        WHERE l.digest = p_digest AND r.state = 'live' LIMIT 1;
    ELSE
        SELECT id INTO s FROM repositories WHERE name = p_source AND state = 'live';
    END IF;
    IF s IS NULL THEN RETURN false; END IF;
    PERFORM 1 FROM repositories WHERE id IN (s, t) AND state = 'live' ORDER BY id FOR KEY SHARE;
    PERFORM 1 FROM blobs WHERE digest = p_digest FOR KEY SHARE;
    IF NOT FOUND THEN RETURN false; END IF;
    PERFORM 1 FROM blob_links WHERE repo = s AND digest = p_digest FOR KEY SHARE;
    IF NOT FOUND THEN RETURN false; END IF;
    PERFORM link_blob(t, p_digest, p_grace);
    RETURN true;
END $$;

CREATE FUNCTION public.push_manifest(p_name text, p_digest text, p_type text, p_artifact_type text, p_bytes bytea, p_subject text, p_descriptor text, p_blobs text[], p_children text[], p_sizes bigint[], p_optional text[], p_tags text[], p_sparse text, p_orphans interval) RETURNS TABLE(missing text[], wrong text[])
    LANGUAGE plpgsql
    AS $$
DECLARE r bigint; all_refs text[] := p_blobs || p_children; known text[]; gone text[]; bad text[]; here boolean;
BEGIN
    r := ensure_repository(p_name);
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
            RETURNING new.name, old.digest AS was, new.ver
        )
        INSERT INTO outbox (kind, repo, body)
        SELECT 'tag.moved', r, jsonb_build_object('tag', name, 'from', was, 'to', p_digest, 'version', ver) FROM moved;
    END IF;
    SELECT EXISTS (SELECT FROM manifests WHERE repo = r AND digest = p_subject) INTO here;
    IF p_subject IS NOT NULL AND NOT here AND p_orphans IS NOT NULL THEN
        PERFORM queue_review('subject', r, ARRAY[p_subject], clock_timestamp() + p_orphans);
    END IF;
    DELETE FROM review WHERE kind = 'subject' AND repo = r AND key = p_digest;
    INSERT INTO outbox (kind, repo, body)
    VALUES ('manifest.pushed', r, jsonb_build_object('digest', p_digest, 'type', p_type, 'subject', p_subject));
    RETURN QUERY SELECT gone, bad;
END $$;

CREATE FUNCTION public.queue_review(p_kind text, p_repo bigint, p_keys text[], p_due timestamp with time zone) RETURNS void
    LANGUAGE sql
    AS $$
    INSERT INTO review AS r (kind, repo, key, due)
    SELECT DISTINCT p_kind, p_repo, k COLLATE "C", p_due FROM unnest(p_keys) k ORDER BY 3
    ON CONFLICT (kind, repo, key)
    DO UPDATE SET due = greatest(r.due, excluded.due), since = greatest(r.since, excluded.since)
$$;

CREATE TABLE public.blob_links (
    repo bigint NOT NULL,
    digest text NOT NULL COLLATE pg_catalog."C"
);

CREATE TABLE public.blobs (
    digest text NOT NULL COLLATE pg_catalog."C",
    size bigint NOT NULL,
    object_key text NOT NULL COLLATE pg_catalog."C",
    pinned boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT blobs_size_check CHECK ((size >= 0))
);

CREATE TABLE public.doomed (
    object_key text NOT NULL COLLATE pg_catalog."C",
    due timestamp with time zone NOT NULL
);

CREATE TABLE public.instance (
    sole boolean DEFAULT true NOT NULL,
    secret bytea NOT NULL,
    CONSTRAINT instance_sole_check CHECK (sole)
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
    pulled_at timestamp with time zone
);

CREATE TABLE public.migrations (
    name text NOT NULL,
    applied_at timestamp with time zone DEFAULT now()
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

CREATE TABLE public.repositories (
    id bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    state text DEFAULT 'live'::text NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT repositories_state_check CHECK ((state = ANY (ARRAY['live'::text, 'deleting'::text])))
);

ALTER TABLE public.repositories ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.repositories_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.review (
    kind text NOT NULL,
    repo bigint NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    due timestamp with time zone NOT NULL,
    since timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT review_kind_check CHECK ((kind = ANY (ARRAY['link'::text, 'blob'::text, 'subject'::text, 'child'::text])))
);

CREATE TABLE public.tags (
    repo bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    digest text NOT NULL COLLATE pg_catalog."C",
    moved_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    ver bigint DEFAULT 1 NOT NULL
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

ALTER TABLE ONLY public.blob_links
    ADD CONSTRAINT blob_links_pkey PRIMARY KEY (repo, digest);

ALTER TABLE ONLY public.blobs
    ADD CONSTRAINT blobs_object_key_key UNIQUE (object_key);

ALTER TABLE ONLY public.blobs
    ADD CONSTRAINT blobs_pkey PRIMARY KEY (digest);

ALTER TABLE ONLY public.doomed
    ADD CONSTRAINT doomed_pkey PRIMARY KEY (object_key);

ALTER TABLE ONLY public.instance
    ADD CONSTRAINT instance_pkey PRIMARY KEY (sole);

ALTER TABLE ONLY public.manifests
    ADD CONSTRAINT manifests_pkey PRIMARY KEY (repo, digest);

ALTER TABLE ONLY public.migrations
    ADD CONSTRAINT migrations_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.refs
    ADD CONSTRAINT refs_pkey PRIMARY KEY (repo, parent, digest);

ALTER TABLE ONLY public.repositories
    ADD CONSTRAINT repositories_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.review
    ADD CONSTRAINT review_pkey PRIMARY KEY (kind, repo, key);

ALTER TABLE ONLY public.tags
    ADD CONSTRAINT tags_pkey PRIMARY KEY (repo, name);

ALTER TABLE ONLY public.uploads
    ADD CONSTRAINT uploads_pkey PRIMARY KEY (id);

CREATE INDEX blob_links_digest ON public.blob_links USING btree (digest);

CREATE INDEX doomed_due ON public.doomed USING btree (due);

CREATE INDEX manifests_subject ON public.manifests USING btree (repo, subject, pushed_at DESC, digest DESC) WHERE (subject IS NOT NULL);

CREATE INDEX outbox_due ON public.outbox USING btree (due, id);

CREATE INDEX refs_digest ON public.refs USING btree (repo, digest);

CREATE UNIQUE INDEX repositories_live_name ON public.repositories USING btree (name) WHERE (state = 'live'::text);

CREATE INDEX review_due ON public.review USING btree (due);

CREATE INDEX tags_digest ON public.tags USING btree (repo, digest);

CREATE INDEX uploads_expiry ON public.uploads USING btree (expires_at);

CREATE INDEX uploads_repo ON public.uploads USING btree (repo) WHERE (state <> 'done'::text);

ALTER TABLE ONLY public.blob_links
    ADD CONSTRAINT blob_links_digest_fkey FOREIGN KEY (digest) REFERENCES public.blobs(digest);

ALTER TABLE ONLY public.blob_links
    ADD CONSTRAINT blob_links_repo_fkey FOREIGN KEY (repo) REFERENCES public.repositories(id);

ALTER TABLE ONLY public.manifests
    ADD CONSTRAINT manifests_repo_fkey FOREIGN KEY (repo) REFERENCES public.repositories(id);

ALTER TABLE ONLY public.refs
    ADD CONSTRAINT refs_repo_parent_fkey FOREIGN KEY (repo, parent) REFERENCES public.manifests(repo, digest) ON DELETE CASCADE;

ALTER TABLE ONLY public.tags
    ADD CONSTRAINT tags_repo_digest_fkey FOREIGN KEY (repo, digest) REFERENCES public.manifests(repo, digest);

ALTER TABLE ONLY public.uploads
    ADD CONSTRAINT uploads_repo_fkey FOREIGN KEY (repo) REFERENCES public.repositories(id);
