CREATE TABLE idempotency_key (
    -- Whose keys these are; two tenants may use the same one.
    scope       TEXT COLLATE "C" NOT NULL,
    key         TEXT COLLATE "C" NOT NULL,
    -- SHA-256 of the request, to tell a repeat from another request under a used key.
    fingerprint BYTEA  NOT NULL CHECK (length(fingerprint) = 32),
    status      BIGINT NOT NULL,
    body        BYTEA  NOT NULL,
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (scope, key)
);

CREATE INDEX idempotency_key_by_expiry ON idempotency_key (expires_at);

-- A tenant's answers hold its leads.
ALTER TABLE idempotency_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency_key FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_in_reach ON idempotency_key
    USING (in_reach(CASE WHEN scope LIKE 'tenant:%' THEN substr(scope, 8) END));

CREATE TABLE dead_letter (
    number      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at BIGINT NOT NULL,
    source      TEXT   NOT NULL,
    reason      TEXT   NOT NULL,
    -- As received, cut at the store's bound; event_bytes is the length it had.
    event       BYTEA  NOT NULL,
    event_bytes BIGINT NOT NULL
);

CREATE TABLE dead_letter_account (
    only_row BIGINT PRIMARY KEY CHECK (only_row = 1),
    dropped  BIGINT NOT NULL
);

INSERT INTO dead_letter_account (only_row, dropped) VALUES (1, 0);
