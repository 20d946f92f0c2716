-- Who did what in a tenant. Entries are only added, each with a hash over itself and the hash before it, so that one that
-- was changed or removed shows. They outlive their tenant.
CREATE TABLE audit_entry (
    tenant_id TEXT COLLATE "C" NOT NULL,
    -- 1, 2, 3 and so on in each tenant.
    sequence  BIGINT NOT NULL,
    time      BIGINT NOT NULL,
    actor     TEXT   NOT NULL,
    action    TEXT   NOT NULL,
    outcome   TEXT   NOT NULL,
    -- A JSON object without personal data.
    detail    TEXT   NOT NULL,
    hash      BYTEA  NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (tenant_id, sequence)
);

-- The last entry of each tenant.
CREATE TABLE audit_head (
    tenant_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    sequence  BIGINT NOT NULL,
    hash      BYTEA  NOT NULL CHECK (length(hash) = 32)
);

CREATE FUNCTION refuse_audit_change() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit entries are neither changed nor removed';
END;
$$;

CREATE TRIGGER audit_entry_is_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();

ALTER TABLE audit_entry ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_entry FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_in_reach ON audit_entry USING (in_reach(tenant_id));

ALTER TABLE audit_head ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_head FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_in_reach ON audit_head USING (in_reach(tenant_id));
