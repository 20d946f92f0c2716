-- Tokens that are refused before their expiry: one by its id, or a user's that were issued up to a moment.
CREATE TABLE token_revocation (
    -- AUTOINCREMENT: numbers are never used twice, so that what is new stands above the highest number seen.
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       TEXT    NOT NULL CHECK (kind IN ('id', 'user')),
    value      TEXT    NOT NULL,
    revoked_at INTEGER NOT NULL,
    -- Forgotten then: what it revokes has expired.
    until      INTEGER NOT NULL,
    UNIQUE (kind, value)
) STRICT;

CREATE INDEX token_revocation_by_end ON token_revocation (until);
