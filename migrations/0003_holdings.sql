-- What namespaces hold, tags that stay, who pushed, repositories that go: the functions of 0001 with what accounts need.
-- Lock order of every action: instance, namespaces, slugs, accounts, members, teams, grants, credentials; repositories,
-- repository_aliases, uploads, blobs, blob_links, manifests, tags, review, outbox, holdings, usage, audit_events; each sorted by
-- key. Reviews are queued in the order link, child, subject, blob, holding.
-- Holdings are last: a client locks one at most, its own digest's, and takes no lock after it. The sweep that takes one away holds
-- its review row and that holding alone, and clients who make one never touch that review row; so neither waits for the other
-- twice, and no circle closes.

ALTER TABLE review DROP CONSTRAINT review_kind_check;
ALTER TABLE review ADD CONSTRAINT review_kind_check CHECK (kind IN ('link', 'blob', 'subject', 'child', 'holding'));

-- A change, or what changes were folded into: those that nobody has folded yet are found by their own index.
ALTER TABLE usage ADD COLUMN is_sum boolean NOT NULL DEFAULT false;
CREATE INDEX usage_loose ON usage (namespace) WHERE NOT is_sum;

CREATE INDEX repositories_deleting ON repositories (id) WHERE state = 'deleting';
CREATE INDEX namespaces_retention ON namespaces (id) WHERE policies ? 'retention';

-- The name with the present slug of its namespace, where it has one.
CREATE FUNCTION current_name(p_name text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce((
        SELECT regexp_replace(p_name, '^((users|orgs)/)?[^/]+',
            CASE n.kind WHEN 'user' THEN 'users/' WHEN 'org' THEN 'orgs/' ELSE '' END || n.slug)
        FROM namespaces n WHERE n.id = namespace_of(p_name)
    ), p_name)
$$;

-- The live repository that a name leads to, by itself or as one that it, or its namespace, had before.
CREATE FUNCTION find_repository(p_name text) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        (SELECT id FROM repositories WHERE name = p_name AND state = 'live'),
        (SELECT r.id FROM repository_aliases a JOIN repositories r ON r.id = a.repo WHERE a.name = p_name AND r.state = 'live'),
        (SELECT id FROM repositories WHERE name = current_name(p_name) AND state = 'live')
    )
$$;

-- The live repository of this name, locked against deletion. Twice: the name may just have moved to another row. What was begun
-- under a name that it had before ends in it, too.
CREATE OR REPLACE FUNCTION lock_repository(p_name text) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
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

-- One audit row. `p_by` has the keys of registry/audit/model.py's By; null writes nothing.
CREATE FUNCTION note_audit(p_by jsonb, p_action text, p_target text, p_repo bigint, p_detail jsonb) RETURNS void
LANGUAGE sql VOLATILE AS $$
    INSERT INTO audit_events (actor, actor_name, credential, address, request_id, action, target, namespace, detail)
    SELECT (p_by ->> 'account')::bigint, p_by ->> 'name', (p_by ->> 'credential')::bigint, p_by ->> 'address',
        p_by ->> 'request_id', p_action, p_target, (SELECT namespace FROM repositories WHERE id = p_repo), p_detail
    WHERE p_by IS NOT NULL
$$;

-- The namespace of the repository holds the digest from now on. One that is new there counts, and is refused over `p_quota`:
-- uploads that have not committed yet are not seen, so by those at most it may be exceeded.
CREATE FUNCTION hold(p_repo bigint, p_digest text, p_size bigint, p_quota bigint) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
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

-- Whether a live repository of the namespace has the digest, as a blob or as a manifest.
CREATE FUNCTION has_digest(p_namespace bigint, p_digest text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM blob_links l JOIN repositories r ON r.id = l.repo
        WHERE l.digest = p_digest AND r.namespace = p_namespace AND r.state = 'live'
    ) OR EXISTS (
        SELECT FROM manifests m JOIN repositories r ON r.id = m.repo
        WHERE m.digest = p_digest AND r.namespace = p_namespace AND r.state = 'live'
    )
$$;

-- Let the sweep look whether the namespace of a repository still holds these digests.
CREATE FUNCTION queue_holdings(p_repo bigint, p_digests text[]) RETURNS void LANGUAGE sql VOLATILE AS $$
    SELECT queue_review('holding', namespace, p_digests, clock_timestamp())
    FROM repositories WHERE id = p_repo AND namespace IS NOT NULL
$$;

DROP FUNCTION ensure_repository(text);
-- The live repository of this name, or the one that had it before, made when absent: in an open registry of no namespace, else in
-- one that exists. A name with a former slug of its namespace gets the present one. The advisory lock keeps that from being changed
-- meanwhile; unlike those on rows it is a queue, which many pushers cannot jump.
CREATE FUNCTION ensure_repository(p_name text, p_by jsonb) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
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

DROP FUNCTION start_upload(text, uuid, text, text, interval, int);
-- A new session. The repository is made when absent; one with as many open sessions as it may have gets no more.
CREATE FUNCTION start_upload(
    p_name text, p_upload uuid, p_owner text, p_algorithm text, p_life interval, p_limit int, p_by jsonb
) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE r bigint := ensure_repository(p_name, p_by);
BEGIN
    IF (SELECT count(*) FROM (SELECT FROM uploads WHERE repo = r AND state <> 'done' LIMIT p_limit) u) >= p_limit THEN
        RAISE SQLSTATE 'GT429' USING MESSAGE = 'uploads';
    END IF;
    INSERT INTO uploads (id, repo, owner, algorithm, expires_at)
    VALUES (p_upload, r, p_owner, p_algorithm, clock_timestamp() + p_life);
END $$;

DROP FUNCTION link_blob(bigint, text, interval);
-- Record a link from a repository to a blob, whatever the sweep does meanwhile, and let it live until the grace ends.
CREATE FUNCTION link_blob(p_repo bigint, p_digest text, p_size bigint, p_grace interval, p_quota bigint) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    LOOP
        INSERT INTO blob_links (repo, digest) VALUES (p_repo, p_digest) ON CONFLICT DO NOTHING;
        PERFORM 1 FROM blob_links WHERE repo = p_repo AND digest = p_digest FOR KEY SHARE;
        EXIT WHEN FOUND;
    END LOOP;
    PERFORM queue_review('link', p_repo, ARRAY[p_digest], clock_timestamp() + p_grace);
    PERFORM hold(p_repo, p_digest, p_size, p_quota);
END $$;

DROP FUNCTION record_blob(bigint, text, bigint, text, bytea, interval);
-- Record a blob, whose bytes lie durably under p_key or are p_content, and its link. Where the registry has the digest
-- already, the new key is doomed.
CREATE FUNCTION record_blob(
    p_repo bigint, p_digest text, p_size bigint, p_key text, p_content bytea, p_grace interval, p_quota bigint
) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
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

DROP FUNCTION finish_upload(text, uuid, text, bigint, text, bytea, interval);
-- The last transaction of an upload. With p_content nothing was written before: the session must be untouched.
CREATE FUNCTION finish_upload(
    p_name text, p_upload uuid, p_digest text, p_size bigint, p_key text, p_content bytea, p_grace interval, p_quota bigint
) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
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

DROP FUNCTION put_blob(text, text, bytea, interval);
-- A small blob in one request: no session. The repository is made when absent.
CREATE FUNCTION put_blob(p_name text, p_digest text, p_content bytea, p_grace interval, p_quota bigint, p_by jsonb)
RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM record_blob(
        ensure_repository(p_name, p_by), p_digest, octet_length(p_content), NULL, p_content, p_grace, p_quota
    );
END $$;

DROP FUNCTION mount_blob(text, text, text, interval);
-- Mount from the first of p_sources that has the blob; null: from any repository. Both repositories by id, the blob, the source's
-- link, then the target's. False: nothing to mount.
CREATE FUNCTION mount_blob(
    p_sources text[], p_target text, p_digest text, p_grace interval, p_quota bigint, p_by jsonb
) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE s bigint; t bigint; length bigint;
BEGIN
    t := ensure_repository(p_target, p_by);
    IF p_sources IS NULL THEN
        SELECT l.repo INTO s FROM blob_links l JOIN repositories r ON r.id = l.repo
        WHERE l.digest = p_digest AND r.state = 'live' LIMIT 1;
    ELSE
        SELECT r.id INTO s FROM unnest(p_sources) WITH ORDINALITY AS asked (name, place)
        JOIN repositories r ON r.name = asked.name AND r.state = 'live'
        JOIN blob_links l ON l.repo = r.id AND l.digest = p_digest ORDER BY place LIMIT 1;
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

DROP FUNCTION push_manifest(
    text, text, text, text, bytea, text, text, text[], text[], bigint[], text[], text[], text, interval
);
-- One push: manifest, references, tags and facts. `sized` are the stated sizes of p_blobs || p_children, in order. Those of p_tags
-- that are in p_fixed too may be made, but name for ever what they name.
CREATE FUNCTION push_manifest(
    p_name text, p_digest text, p_type text, p_artifact_type text, p_bytes bytea, p_subject text, p_descriptor text,
    p_blobs text[], p_children text[], p_sizes bigint[], p_optional text[], p_tags text[], p_sparse text,
    p_orphans interval, p_fixed text[], p_quota bigint, p_by jsonb
) RETURNS TABLE (missing text[], wrong text[]) LANGUAGE plpgsql VOLATILE AS $$
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
    RETURN QUERY SELECT gone, bad;
END $$;
