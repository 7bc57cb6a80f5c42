-- Repositories, blobs, manifests, tags, uploads, and the queues of the sweep.
-- Lock order of every action: repositories, uploads, blobs, blob_links, manifests, tags, review, outbox; each sorted by key.

CREATE TABLE instance (
    sole boolean PRIMARY KEY DEFAULT true CHECK (sole),
    secret bytea NOT NULL
);

CREATE TABLE repositories (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    state text NOT NULL DEFAULT 'live' CHECK (state IN ('live', 'deleting')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX repositories_live_name ON repositories (name) WHERE state = 'live';

CREATE TABLE blobs (
    digest text COLLATE "C" PRIMARY KEY,
    size bigint NOT NULL CHECK (size >= 0),
    object_key text COLLATE "C" NOT NULL UNIQUE,
    pinned boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE blob_links (
    repo bigint NOT NULL REFERENCES repositories,
    digest text COLLATE "C" NOT NULL REFERENCES blobs,
    PRIMARY KEY (repo, digest)
);
CREATE INDEX blob_links_digest ON blob_links (digest);

CREATE TABLE manifests (
    repo bigint NOT NULL REFERENCES repositories,
    digest text COLLATE "C" NOT NULL,
    type text NOT NULL,
    artifact_type text,
    bytes bytea NOT NULL,
    subject text COLLATE "C",
    descriptor text,
    state text NOT NULL DEFAULT 'live',
    pushed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    pulled_at timestamptz,
    PRIMARY KEY (repo, digest)
);
CREATE INDEX manifests_subject ON manifests (repo, subject, pushed_at DESC, digest DESC) WHERE subject IS NOT NULL;

-- No foreign key on digest: a descriptor may be absent (sparse), foreign, or a blob of an index.
CREATE TABLE refs (
    repo bigint NOT NULL,
    parent text COLLATE "C" NOT NULL,
    digest text COLLATE "C" NOT NULL,
    role text NOT NULL CHECK (role IN ('blob', 'child')),
    PRIMARY KEY (repo, parent, digest),
    FOREIGN KEY (repo, parent) REFERENCES manifests (repo, digest) ON DELETE CASCADE
);
CREATE INDEX refs_digest ON refs (repo, digest);

CREATE TABLE tags (
    repo bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    digest text COLLATE "C" NOT NULL,
    moved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ver bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (repo, name),
    FOREIGN KEY (repo, digest) REFERENCES manifests (repo, digest)
);
CREATE INDEX tags_digest ON tags (repo, digest);

CREATE TABLE uploads (
    id uuid PRIMARY KEY,
    repo bigint NOT NULL REFERENCES repositories,
    owner text NOT NULL,
    algorithm text NOT NULL,
    received bigint NOT NULL DEFAULT 0 CHECK (received >= 0),
    hash_state bytea,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'finishing', 'done')),
    digest text COLLATE "C",
    expires_at timestamptz NOT NULL
);
CREATE INDEX uploads_repo ON uploads (repo) WHERE state <> 'done';
CREATE INDEX uploads_expiry ON uploads (expires_at);

CREATE TABLE review (
    kind text NOT NULL CHECK (kind IN ('link', 'blob', 'subject', 'child')),
    repo bigint NOT NULL,
    key text COLLATE "C" NOT NULL,
    due timestamptz NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (kind, repo, key)
);
CREATE INDEX review_due ON review (due);

CREATE TABLE doomed (
    object_key text COLLATE "C" PRIMARY KEY,
    due timestamptz NOT NULL
);
CREATE INDEX doomed_due ON doomed (due);

CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    repo bigint NOT NULL,
    body jsonb NOT NULL,
    attempts int NOT NULL DEFAULT 0,
    due timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX outbox_due ON outbox (due, id);

INSERT INTO instance (secret)
SELECT decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex');

-- Queue work for the sweep; of two dates the later one holds. A volatile function: each statement has its own snapshot.
CREATE FUNCTION queue_review(p_kind text, p_repo bigint, p_keys text[], p_due timestamptz) RETURNS void
LANGUAGE sql VOLATILE AS $$
    INSERT INTO review AS r (kind, repo, key, due)
    SELECT DISTINCT p_kind, p_repo, k COLLATE "C", p_due FROM unnest(p_keys) k ORDER BY 3
    ON CONFLICT (kind, repo, key)
    DO UPDATE SET due = greatest(r.due, excluded.due), since = greatest(r.since, excluded.since)
$$;

-- The live repository of this name, locked against deletion. Twice: the name may just have moved to another row.
CREATE FUNCTION lock_repository(p_name text) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE r bigint;
BEGIN
    FOR i IN 1..2 LOOP
        SELECT id INTO r FROM repositories WHERE name = p_name AND state = 'live' FOR KEY SHARE;
        EXIT WHEN FOUND;
    END LOOP;
    IF r IS NULL THEN RAISE SQLSTATE 'GT404' USING MESSAGE = 'repository'; END IF;
    RETURN r;
END $$;

-- The live repository of this name, made when absent.
CREATE FUNCTION ensure_repository(p_name text) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE r bigint;
BEGIN
    LOOP
        SELECT id INTO r FROM repositories WHERE name = p_name AND state = 'live' FOR KEY SHARE;
        EXIT WHEN FOUND;
        INSERT INTO repositories (name) VALUES (p_name) ON CONFLICT (name) WHERE state = 'live' DO NOTHING;
    END LOOP;
    RETURN r;
END $$;

-- Record a link from a repository to a blob, whatever the sweep does meanwhile, and let it live until the grace ends.
CREATE FUNCTION link_blob(p_repo bigint, p_digest text, p_grace interval) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    LOOP
        INSERT INTO blob_links (repo, digest) VALUES (p_repo, p_digest) ON CONFLICT DO NOTHING;
        PERFORM 1 FROM blob_links WHERE repo = p_repo AND digest = p_digest FOR KEY SHARE;
        EXIT WHEN FOUND;
    END LOOP;
    PERFORM queue_review('link', p_repo, ARRAY[p_digest], clock_timestamp() + p_grace);
END $$;

-- The second transaction of an upload: its bytes lie durably under p_key. Answers the key that the blob keeps.
CREATE FUNCTION finish_upload(p_name text, p_upload uuid, p_digest text, p_size bigint, p_key text, p_grace interval)
RETURNS text LANGUAGE plpgsql VOLATILE AS $$
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

-- Mount: both repositories by id, the blob, the source's link, then the target's. False: nothing to mount.
CREATE FUNCTION mount_blob(p_source text, p_target text, p_digest text, p_grace interval)
RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
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

-- One push: manifest, references, tags and facts. `sized` are the stated sizes of p_blobs || p_children, in order.
CREATE FUNCTION push_manifest(
    p_name text, p_digest text, p_type text, p_artifact_type text, p_bytes bytea, p_subject text, p_descriptor text,
    p_blobs text[], p_children text[], p_sizes bigint[], p_optional text[], p_tags text[], p_sparse text,
    p_orphans interval
) RETURNS TABLE (missing text[], wrong text[]) LANGUAGE plpgsql VOLATILE AS $$
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

-- A writer's look at a blob: an unreferenced link that is due soon is leased for another grace period first.
CREATE FUNCTION lease_blob(p_name text, p_digest text, p_grace interval)
RETURNS TABLE (size bigint, object_key text, referenced boolean) LANGUAGE plpgsql VOLATILE AS $$
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
