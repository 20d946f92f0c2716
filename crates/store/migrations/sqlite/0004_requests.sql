CREATE TABLE idempotency_key (
    -- Whose keys these are; two tenants may use the same one.
    scope       TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    -- SHA-256 of the request, to tell a repeat from another request under a used key.
    fingerprint BLOB    NOT NULL CHECK (length(fingerprint) = 32),
    status      INTEGER NOT NULL,
    body        BLOB    NOT NULL,
    expires_at  INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_key_by_expiry ON idempotency_key (expires_at);

CREATE TABLE dead_letter (
    -- AUTOINCREMENT: numbers are never used twice, so the newest N rows are those above the last number less N.
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at INTEGER NOT NULL,
    source      TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    -- As received, cut at the store's bound; event_bytes is the length it had.
    event       BLOB    NOT NULL,
    event_bytes INTEGER NOT NULL
) STRICT;

CREATE TABLE dead_letter_account (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    dropped  INTEGER NOT NULL
) STRICT;

INSERT INTO dead_letter_account (only_row, dropped) VALUES (1, 0);
