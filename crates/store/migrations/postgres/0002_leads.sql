CREATE TABLE lead (
    number     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         BYTEA  NOT NULL UNIQUE CHECK (length(id) = 16),
    tenant_id  TEXT COLLATE "C" NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    source     TEXT COLLATE "C" NOT NULL,
    status     TEXT COLLATE "C" NOT NULL CHECK (status IN ('NEW', 'CONTACTED', 'QUALIFIED', 'LOST')),
    -- A JSON object, kept as text: key order and the spelling of numbers are the sender's.
    payload    TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE INDEX lead_newest ON lead (tenant_id, created_at DESC, id DESC);
CREATE INDEX lead_newest_by_status ON lead (tenant_id, status, created_at DESC, id DESC);
CREATE INDEX lead_newest_by_source ON lead (tenant_id, source, created_at DESC, id DESC);

-- Written in the transaction that writes the lead. The terms come split, folded and prefixed by the tenant's number.
-- The policies cannot guard this table, because a search may not use its index before a policy has been asked about
-- every row; it is joined with the lead, which is guarded.
CREATE TABLE lead_search (
    number   BIGINT   NOT NULL PRIMARY KEY REFERENCES lead (number) ON DELETE CASCADE,
    document TSVECTOR NOT NULL
);

-- Written at once: a list of what is pending would be read by every search until somebody has tidied up.
CREATE INDEX lead_search_terms ON lead_search USING gin (document) WITH (fastupdate = off);

CREATE TABLE metric_rollup (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    metric    TEXT COLLATE "C" NOT NULL,
    -- The hour's beginning.
    hour      BIGINT NOT NULL,
    count     BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, metric, hour)
);

ALTER TABLE lead ENABLE ROW LEVEL SECURITY;
ALTER TABLE lead FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_in_reach ON lead USING (in_reach(tenant_id));

ALTER TABLE metric_rollup ENABLE ROW LEVEL SECURITY;
ALTER TABLE metric_rollup FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_in_reach ON metric_rollup USING (in_reach(tenant_id));
