-- Tokens that are refused before their expiry: one by its id, or a user's that were issued up to a moment.
CREATE TABLE token_revocation (
    number     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       TEXT COLLATE "C" NOT NULL CHECK (kind IN ('id', 'user')),
    value      TEXT COLLATE "C" NOT NULL,
    revoked_at BIGINT NOT NULL,
    -- Forgotten then: what it revokes has expired.
    until      BIGINT NOT NULL,
    UNIQUE (kind, value)
);

CREATE INDEX token_revocation_by_end ON token_revocation (until);
