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
