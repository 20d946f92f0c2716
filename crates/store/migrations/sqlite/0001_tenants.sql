-- Times are milliseconds since 1970, UTC. Ids that are UUIDs are kept as their 16 bytes.

CREATE TABLE tenant (
    -- Stands before every term of the tenant's search index, so that an index entry belongs to one tenant.
    number     INTEGER PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    slug       TEXT    NOT NULL UNIQUE,
    name       TEXT    NOT NULL,
    suspended  INTEGER NOT NULL DEFAULT 0 CHECK (suspended IN (0, 1)),
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE tenant_key (
    id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id    TEXT    NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    -- SHA-256 of the key's text. The handshake finds a key by this index and by nothing else.
    hash         BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    -- Names joined by commas.
    permissions  TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    revoked_at   INTEGER,
    last_used_at INTEGER
) STRICT;

CREATE INDEX tenant_key_by_tenant ON tenant_key (tenant_id, created_at, id);
