-- Artifacts, their releases, what these depend on, and who may see what is not published.
-- Lock order: repositories, artifacts, uploads, blobs, blob_links, manifests, tags, review, outbox, holdings, usage, audit_events,
-- releases, dependencies, tombstones; each sorted by key.

-- Whether it has or had a release: only there reads ask for more than a link.
ALTER TABLE repositories ADD COLUMN gated boolean NOT NULL DEFAULT false;

-- `held`: for writers alone. `blocked`: for nobody. `notice`: said to whoever pulls a live one; else why it may not be pulled.
ALTER TABLE manifests ADD CONSTRAINT manifests_state_check CHECK (state IN ('live', 'held', 'blocked'));
ALTER TABLE manifests ADD COLUMN notice text;

-- What a publisher may change of an artifact, and what its latest release says of it.
CREATE TABLE artifacts (
    repo bigint PRIMARY KEY REFERENCES repositories ON DELETE CASCADE,
    type text NOT NULL,
    description text NOT NULL DEFAULT '',
    homepage text,
    category text,
    topics text[] NOT NULL DEFAULT '{}',
    keywords text[] NOT NULL DEFAULT '{}',
    capabilities text[] NOT NULL DEFAULT '{}',
    license text,
    language text,
    engines text,
    latest text COLLATE "C",
    revision bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- One version of an artifact. `tag` is the version with `_` for `+`. `precedence` sorts as versions do. `floating`: tags that
-- move to it when it is published. `due`: when the worker looks at it (again).
CREATE TABLE releases (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    upload uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    repo bigint NOT NULL REFERENCES repositories ON DELETE CASCADE,
    version text COLLATE "C" NOT NULL,
    tag text COLLATE "C" NOT NULL,
    precedence text COLLATE "C" NOT NULL,
    digest text COLLATE "C" NOT NULL,
    type text NOT NULL,
    state text NOT NULL CHECK (state IN ('received', 'awaiting-signature', 'scanning', 'published', 'rejected', 'quarantined',
        'unpublished', 'expired')),
    reason jsonb,
    config text,
    size bigint NOT NULL DEFAULT 0,
    floating text[] NOT NULL DEFAULT '{}',
    description text NOT NULL DEFAULT '',
    keywords text[] NOT NULL DEFAULT '{}',
    capabilities text[] NOT NULL DEFAULT '{}',
    license text,
    language text,
    engines text,
    readme text,
    gtype_hash text,
    deprecation jsonb,
    pushed_by bigint,
    pushed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    published_at timestamptz,
    ended_at timestamptz,
    due timestamptz,
    attempts int NOT NULL DEFAULT 0,
    UNIQUE (repo, version),
    UNIQUE (repo, tag)
);
CREATE INDEX releases_order ON releases (repo, precedence DESC, version DESC);
CREATE INDEX releases_digest ON releases (repo, digest);
CREATE INDEX releases_due ON releases (due) WHERE due IS NOT NULL;

-- Who may see what. Asked only where the repository is gated, except for blobs that no manifest refers to.

-- What a manifest is to those who are no writers, {state, notice}. A release is what itself says. Referrers, and what a tag
-- `sha256-<hex>` names, are what their subject is; what an index contains is the best of what its indexes are, unless it is plain
-- and has a tag of its own. What is held and no release is live only under a release. Absent, or too deep: held.
CREATE FUNCTION content_state(p_repo bigint, p_digest text) RETURNS text[] LANGUAGE plpgsql STABLE AS $$
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
END $$;

-- Who may read a blob that the repository is linked to: `all` who may pull there, as a manifest that they may pull refers to it;
-- all the same where none needs to (`linked`); `writers`, where only held content refers to it, or nothing was pushed yet.
-- EXISTS of a release would be answered from a table of all of them.
CREATE FUNCTION blob_reach(p_repo bigint, p_digest text) RETURNS text LANGUAGE sql STABLE AS $$
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

-- Whether anything in a gated repository is for those who are no writers: a published release, or a plain tag.
CREATE FUNCTION shows_anything(p_repo bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM releases x WHERE x.repo = p_repo AND x.state = 'published') OR EXISTS (
        SELECT FROM (
            SELECT t.digest FROM tags t WHERE t.repo = p_repo AND t.name !~ '^sha256-[0-9a-f]{64}'
            AND (SELECT true FROM releases x WHERE x.repo = p_repo AND x.digest = t.digest LIMIT 1) IS NULL LIMIT 1000
        ) t WHERE (content_state(p_repo, t.digest))[1] = 'live'
    )
$$;

DROP FUNCTION lease_blob(text, text, interval);
-- A writer's look at a blob: an unreferenced link that is due soon is leased for another grace period first. `reach` is no more
-- than `linked` unless all who may pull may have it.
CREATE FUNCTION lease_blob(p_name text, p_digest text, p_grace interval)
RETURNS TABLE (size bigint, object_key text, content bytea, reach text) LANGUAGE plpgsql VOLATILE AS $$
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

DROP FUNCTION mount_blob(text[], text, text, interval, bigint, jsonb);
-- Mount from the first of p_sources that has the blob; null: from any repository. Those that are in p_guarded too give only what
-- is not for their writers alone. Both repositories by id, the blob, the source's link, then the target's. False: nothing to mount.
CREATE FUNCTION mount_blob(
    p_sources text[], p_guarded text[], p_target text, p_digest text, p_grace interval, p_quota bigint, p_by jsonb
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

-- What a release names: `target` is the name of a repository as it was then, `wanted` an npm range.
CREATE TABLE dependencies (
    release bigint NOT NULL REFERENCES releases ON DELETE CASCADE,
    ordinal int NOT NULL,
    reference text NOT NULL,
    target text COLLATE "C" NOT NULL,
    wanted text NOT NULL,
    relation text NOT NULL,
    is_optional boolean NOT NULL DEFAULT false,
    digest text,
    PRIMARY KEY (release, ordinal)
);
CREATE INDEX dependencies_target ON dependencies (target);

-- Versions of repositories that are gone: no repository of the name gets them again.
CREATE TABLE tombstones (
    name text COLLATE "C" NOT NULL,
    tag text COLLATE "C" NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (name, tag)
);

-- What is searched in: words that publishers write of an artifact; its name stands in repositories.
CREATE FUNCTION artifact_words(description text, keywords text[], topics text[], category text) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN to_tsvector('pg_catalog.simple', description || ' ' || array_to_string(keywords, ' ') || ' '
        || array_to_string(topics, ' ') || ' ' || coalesce(category, ''));
CREATE INDEX artifacts_words ON artifacts USING gin (artifact_words(description, keywords, topics, category));

-- Links that show a snapshot to whoever has one. `hash`: SHA-256 of the secret, which is known to nobody else.
CREATE TABLE shares (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    release bigint NOT NULL REFERENCES releases ON DELETE CASCADE,
    hash bytea NOT NULL UNIQUE,
    created_by bigint,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX shares_release ON shares (release);

-- Releases, as they are written ----------------------------------------------------------------------------------------------------

-- The manifest of a release that stays until it is unpublished: no policy takes it, nor a tag of it.
CREATE FUNCTION is_released(p_repo bigint, p_digest text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM releases WHERE repo = p_repo AND digest = p_digest AND state NOT IN ('unpublished', 'expired')
    )
$$;

-- The versions of a repository that goes are never used again, under none of its names.
CREATE FUNCTION bury_releases() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tombstones (name, tag)
    SELECT n.name, l.tag FROM releases l CROSS JOIN (
        SELECT old.name UNION SELECT name FROM repository_aliases WHERE repo = old.id
    ) n WHERE l.repo = old.id AND l.state IN ('published', 'quarantined', 'unpublished') ORDER BY 1, 2
    ON CONFLICT DO NOTHING;
    IF TG_OP = 'DELETE' THEN RETURN old; END IF;
    RETURN new;
END $$;
CREATE TRIGGER repositories_bury BEFORE UPDATE OF state ON repositories FOR EACH ROW
WHEN (old.gated AND new.state = 'deleting') EXECUTE FUNCTION bury_releases();
-- Once more: a push that was under way may have published since.
CREATE TRIGGER repositories_bury_late BEFORE DELETE ON repositories FOR EACH ROW
WHEN (old.gated) EXECUTE FUNCTION bury_releases();

-- A name, and the ones that were the same when its namespace had another slug.
CREATE FUNCTION former_names(p_name text) RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT p_name UNION
    SELECT regexp_replace(p_name, '^((users|orgs)/)?[^/]+', '\1' || s.slug) FROM slugs s WHERE s.namespace = namespace_of(p_name)
$$;

-- Those of the tags that were versions of a repository that is gone, and had the name, be it as a former one.
CREATE FUNCTION buried(p_name text, p_tags text[]) RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT DISTINCT t.tag FROM former_names(p_name) AS n (name) JOIN tombstones t ON t.name = n.name AND t.tag = ANY (p_tags)
$$;

-- Refuses tags that a release has, or had, for whatever else comes: its version, with a v before it or not, and `latest`. Called when
-- the tags have been written: whoever writes the same ones has committed, or waits.
CREATE FUNCTION keep_tags(p_repo bigint, p_digest text, p_tags text[]) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
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

-- A referrer has come: whoever waits for it looks again.
CREATE FUNCTION wake_release(p_repo bigint, p_digest text) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    UPDATE releases SET due = clock_timestamp()
    WHERE repo = p_repo AND digest = p_digest AND state IN ('received', 'awaiting-signature', 'scanning');
    IF FOUND THEN PERFORM pg_notify('releases', ''); END IF;
END $$;

-- One push: as before, but for tags of releases, and for releases that wait for a referrer.
CREATE OR REPLACE FUNCTION push_manifest(
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
