-- Times are milliseconds since 1970, UTC. Ids that are UUIDs are kept as their 16 bytes. Texts are compared by their
-- bytes, as SQLite does.
--
-- What belongs to a tenant is behind row-level security, for the owner of the tables too: a transaction reaches the rows
-- of the tenant that the setting tidings.tenant names, or all with '*', or none.

CREATE FUNCTION in_reach(tenant TEXT) RETURNS BOOLEAN LANGUAGE sql STABLE PARALLEL SAFE
    RETURN tenant = current_setting('tidings.tenant', true) OR current_setting('tidings.tenant', true) = '*';

CREATE TABLE tenant (
    -- Stands before every term of the tenant's search index, so that an index entry belongs to one tenant.
    number     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         TEXT COLLATE "C" NOT NULL UNIQUE,
    slug       TEXT COLLATE "C" NOT NULL UNIQUE,
    name       TEXT    NOT NULL,
    suspended  BOOLEAN NOT NULL DEFAULT FALSE,
    created_at BIGINT  NOT NULL
);

CREATE TABLE tenant_key (
    id           BYTEA  NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id    TEXT COLLATE "C" NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    -- SHA-256 of the key's text. The handshake finds a key by this index and by nothing else.
    hash         BYTEA  NOT NULL UNIQUE CHECK (length(hash) = 32),
    -- Names joined by commas.
    permissions  TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    revoked_at   BIGINT,
    last_used_at BIGINT
);

CREATE INDEX tenant_key_by_tenant ON tenant_key (tenant_id, created_at, id);

ALTER TABLE tenant ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_in_reach ON tenant USING (in_reach(id));

ALTER TABLE tenant_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant_key FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_in_reach ON tenant_key USING (in_reach(tenant_id));
