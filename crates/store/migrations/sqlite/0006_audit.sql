-- Who did what in a tenant. Entries are only added, each with a hash over itself and the hash before it, so that one that
-- was changed or removed shows. They outlive their tenant.
CREATE TABLE audit_entry (
    tenant_id TEXT    NOT NULL,
    -- 1, 2, 3 and so on in each tenant.
    sequence  INTEGER NOT NULL,
    time      INTEGER NOT NULL,
    actor     TEXT    NOT NULL,
    action    TEXT    NOT NULL,
    outcome   TEXT    NOT NULL,
    -- A JSON object without personal data.
    detail    TEXT    NOT NULL,
    hash      BLOB    NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (tenant_id, sequence)
) STRICT, WITHOUT ROWID;

-- The last entry of each tenant.
CREATE TABLE audit_head (
    tenant_id TEXT    NOT NULL PRIMARY KEY,
    sequence  INTEGER NOT NULL,
    hash      BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER audit_entry_is_not_changed BEFORE UPDATE ON audit_entry
BEGIN
    SELECT RAISE(ABORT, 'audit entries are not changed');
END;

CREATE TRIGGER audit_entry_is_not_removed BEFORE DELETE ON audit_entry
BEGIN
    SELECT RAISE(ABORT, 'audit entries are not removed');
END;
