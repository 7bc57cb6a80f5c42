-- Accounts, credentials, namespaces, who may do what, audit, and what namespaces hold.
-- Lock order of every action: instance, namespaces, slugs, accounts, members, teams, grants, credentials; then that of 0001;
-- holdings, usage and audit_events last (0003 says why that cannot deadlock).

-- Open until the first account is made: then never again. That transaction locks the table of repositories before all else.
ALTER TABLE instance ADD COLUMN has_accounts boolean NOT NULL DEFAULT false;

CREATE TABLE namespaces (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('user', 'org', 'plain')),
    slug text COLLATE "C" NOT NULL,
    display_name text NOT NULL DEFAULT '',
    description text NOT NULL DEFAULT '',
    visibility text NOT NULL DEFAULT 'private' CHECK (visibility IN ('public', 'internal', 'private')),
    generation int NOT NULL DEFAULT 1,
    state text NOT NULL DEFAULT 'live' CHECK (state IN ('live', 'deleting', 'deleted')),
    policies jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    version bigint NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX namespaces_live ON namespaces (kind, slug) WHERE state <> 'deleted';

-- Every name that a namespace has or had, in one pool for users, organisations and plain namespaces: look-alikes share a
-- skeleton. Rows stay: an alias leads to its namespace, a tombstone to nothing, and neither can be claimed.
CREATE TABLE slugs (
    skeleton text COLLATE "C" PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('user', 'org', 'plain')),
    slug text COLLATE "C" NOT NULL,
    namespace bigint NOT NULL REFERENCES namespaces,
    standing text NOT NULL CHECK (standing IN ('current', 'alias', 'tombstone')),
    since timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX slugs_name ON slugs (kind, slug);
CREATE INDEX slugs_namespace ON slugs (namespace);

-- Users, and robots, which belong to a namespace and are named `<slug>+<name>`.
CREATE TABLE accounts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('user', 'robot')),
    name text COLLATE "C" NOT NULL,
    display_name text NOT NULL DEFAULT '',
    email text,
    email_verified_at timestamptz,
    is_administrator boolean NOT NULL DEFAULT false,
    must_change_password boolean NOT NULL DEFAULT false,
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'suspended', 'deleted')),
    namespace bigint NOT NULL REFERENCES namespaces,
    created_by bigint REFERENCES accounts,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (kind = 'user' OR NOT is_administrator AND email IS NULL)
);
CREATE UNIQUE INDEX accounts_name ON accounts (name) WHERE state <> 'deleted';
-- An address belongs to whoever proved it; one that is only claimed keeps nobody from it.
CREATE UNIQUE INDEX accounts_email ON accounts (lower(email)) WHERE state <> 'deleted' AND email_verified_at IS NOT NULL;
CREATE INDEX accounts_address ON accounts (lower(email)) WHERE email IS NOT NULL;
CREATE INDEX accounts_namespace ON accounts (namespace);

-- `hash` is keyed BLAKE2b-256 of a secret, `password` an argon2id string. What narrows a key (`scope` to `addresses`): null, as its
-- account. `parent` is the credential that it was made with and goes with; `email` the address that a code was sent to.
CREATE TABLE credentials (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account bigint NOT NULL REFERENCES accounts,
    kind text NOT NULL CHECK (kind IN ('password', 'key', 'refresh', 'session', 'renewal', 'verification', 'reset')),
    name text NOT NULL DEFAULT '',
    hint text NOT NULL DEFAULT '',
    hash bytea UNIQUE,
    pepper_id text,
    password text,
    scope text CHECK (scope IN ('read-only', 'publish', 'admin')),
    namespaces bigint[],
    repositories bigint[],
    addresses cidr[],
    email text,
    family uuid,
    parent bigint REFERENCES credentials,
    replaced_by bigint REFERENCES credentials,
    created_by bigint REFERENCES accounts,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    last_used_from inet,
    CHECK ((kind = 'password') = (password IS NOT NULL) AND num_nonnulls(hash, password) = 1)
);
CREATE UNIQUE INDEX credentials_password ON credentials (account) WHERE kind = 'password' AND revoked_at IS NULL;
CREATE INDEX credentials_account ON credentials (account, id) WHERE revoked_at IS NULL;
CREATE INDEX credentials_family ON credentials (family) WHERE family IS NOT NULL;
CREATE INDEX credentials_parent ON credentials (parent) WHERE parent IS NOT NULL;
CREATE INDEX credentials_replaced ON credentials (replaced_by) WHERE replaced_by IS NOT NULL;
CREATE INDEX credentials_expiry ON credentials (expires_at) WHERE expires_at IS NOT NULL;

-- Private keys are sealed with a key from the secrets file.
CREATE TABLE signing_keys (
    kid text COLLATE "C" PRIMARY KEY,
    use text NOT NULL CHECK (use IN ('registry', 'identity')),
    public jsonb NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    signs_from timestamptz NOT NULL,
    verifies_until timestamptz
);

CREATE TABLE members (
    namespace bigint NOT NULL REFERENCES namespaces,
    account bigint NOT NULL REFERENCES accounts,
    role text NOT NULL CHECK (role IN ('owner', 'admin', 'write', 'read')),
    added_by bigint REFERENCES accounts,
    added_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz,
    PRIMARY KEY (namespace, account)
);
CREATE INDEX members_account ON members (account);

CREATE TABLE teams (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    namespace bigint NOT NULL REFERENCES namespaces,
    name text COLLATE "C" NOT NULL,
    description text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (namespace, name)
);

-- Only members of the organisation are in its teams: leaving it leaves them.
CREATE TABLE team_members (
    team bigint NOT NULL REFERENCES teams ON DELETE CASCADE,
    account bigint NOT NULL REFERENCES accounts,
    PRIMARY KEY (team, account)
);
CREATE INDEX team_members_account ON team_members (account);

ALTER TABLE repositories
    ADD COLUMN namespace bigint REFERENCES namespaces,
    ADD COLUMN visibility text CHECK (visibility IN ('public', 'internal', 'private'));
CREATE INDEX repositories_namespace ON repositories (namespace, name);

-- The former names of a renamed repository. The prefix of a renamed namespace is an alias in `slugs`.
CREATE TABLE repository_aliases (
    name text COLLATE "C" PRIMARY KEY,
    repo bigint NOT NULL REFERENCES repositories ON DELETE CASCADE
);
CREATE INDEX repository_aliases_repo ON repository_aliases (repo);

-- A role for a team or an account in one repository, or, for a team, without a repository, in the whole namespace.
CREATE TABLE grants (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    namespace bigint NOT NULL REFERENCES namespaces,
    repo bigint REFERENCES repositories ON DELETE CASCADE,
    team bigint REFERENCES teams ON DELETE CASCADE,
    account bigint REFERENCES accounts,
    role text NOT NULL CHECK (role IN ('admin', 'write', 'read')),
    added_by bigint REFERENCES accounts,
    added_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (num_nonnulls(team, account) = 1 AND (repo IS NOT NULL OR team IS NOT NULL)),
    UNIQUE NULLS NOT DISTINCT (namespace, repo, team, account)
);
CREATE INDEX grants_account ON grants (account) WHERE account IS NOT NULL;
CREATE INDEX grants_team ON grants (team) WHERE team IS NOT NULL;
CREATE INDEX grants_repo ON grants (repo) WHERE repo IS NOT NULL;

-- Void once the namespace's generation has moved on.
CREATE TABLE invitations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    namespace bigint NOT NULL REFERENCES namespaces,
    generation int NOT NULL,
    account bigint NOT NULL REFERENCES accounts,
    role text NOT NULL CHECK (role IN ('owner', 'admin', 'write', 'read')),
    invited_by bigint NOT NULL REFERENCES accounts,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    UNIQUE (namespace, account)
);
CREATE INDEX invitations_account ON invitations (account);

-- What happened, written with the change itself; the sealer numbers and chains committed rows afterwards.
CREATE TABLE audit_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor bigint,
    actor_name text NOT NULL,
    credential bigint,
    address text NOT NULL DEFAULT '',
    request_id text NOT NULL DEFAULT '',
    action text NOT NULL,
    target text NOT NULL,
    namespace bigint,
    outcome text NOT NULL DEFAULT 'done' CHECK (outcome IN ('done', 'denied')),
    times int NOT NULL DEFAULT 1,
    detail jsonb NOT NULL DEFAULT '{}',
    number bigint UNIQUE
);
CREATE INDEX audit_unsealed ON audit_events (id) WHERE number IS NULL;
CREATE INDEX audit_namespace ON audit_events (namespace, number) WHERE number IS NOT NULL;
CREATE INDEX audit_actor ON audit_events (actor_name, number) WHERE number IS NOT NULL;
CREATE INDEX audit_action ON audit_events (action, number) WHERE number IS NOT NULL;

-- A seal covers the rows `first` to `last`: `leaves` are their hashes, 32 bytes each, `root` is that of their Merkle tree, `hash`
-- covers all of it and the seal before.
CREATE TABLE audit_seals (
    last bigint PRIMARY KEY,
    first bigint NOT NULL,
    sealed_at timestamptz NOT NULL,
    leaves bytea NOT NULL,
    root bytea NOT NULL,
    hash bytea NOT NULL,
    CHECK (first <= last)
);
CREATE INDEX audit_seals_time ON audit_seals (sealed_at);

-- A row is written once; the one change is its number, which it gets once.
CREATE FUNCTION keep_audit() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER audit_events_stay BEFORE UPDATE OR DELETE ON audit_events FOR EACH ROW EXECUTE FUNCTION keep_audit();
CREATE TRIGGER audit_seals_stay BEFORE UPDATE OR DELETE ON audit_seals FOR EACH ROW EXECUTE FUNCTION keep_audit();

-- The distinct digests of a namespace, and what they sum up to: one row for each change, folded by the worker.
CREATE TABLE holdings (
    namespace bigint NOT NULL REFERENCES namespaces,
    digest text COLLATE "C" NOT NULL,
    size bigint NOT NULL,
    PRIMARY KEY (namespace, digest)
);
CREATE TABLE usage (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    namespace bigint NOT NULL REFERENCES namespaces,
    bytes bigint NOT NULL
);
CREATE INDEX usage_namespace ON usage (namespace) INCLUDE (bytes);

-- The namespace that a repository of this name belongs to by its name, aliases included; null when there is none.
CREATE FUNCTION namespace_of(p_name text) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT s.namespace FROM slugs s JOIN namespaces n ON n.id = s.namespace
    WHERE s.kind = CASE split_part(p_name, '/', 1) WHEN 'users' THEN 'user' WHEN 'orgs' THEN 'org' ELSE 'plain' END
    AND s.slug = CASE WHEN split_part(p_name, '/', 1) IN ('users', 'orgs') THEN split_part(p_name, '/', 2)
        ELSE split_part(p_name, '/', 1) END
    AND s.standing <> 'tombstone' AND n.state = 'live'
$$;
