-- Raised with every change: what ETag and If-Match compare.
ALTER TABLE lead ADD COLUMN version BIGINT NOT NULL DEFAULT 1;

-- How many leads there are, kept in the transaction that creates, changes or deletes one, so that no total counts rows.
CREATE TABLE lead_total (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    status    TEXT COLLATE "C" NOT NULL,
    source    TEXT COLLATE "C" NOT NULL,
    count     BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, status, source)
);

-- The same by the hour in which a lead was created.
CREATE TABLE lead_hour (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    -- The hour's beginning.
    hour      BIGINT NOT NULL,
    status    TEXT COLLATE "C" NOT NULL,
    count     BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, hour, status)
);

INSERT INTO lead_total (tenant_id, status, source, count)
    SELECT tenant_id, status, source, count(*) FROM lead GROUP BY tenant_id, status, source;
INSERT INTO lead_hour (tenant_id, hour, status, count)
    SELECT tenant_id, created_at - created_at % 3600000, status, count(*) FROM lead GROUP BY 1, 2, 3;

-- What became of each lead.
CREATE TABLE lead_change (
    number    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    lead_id   BYTEA  NOT NULL CHECK (length(lead_id) = 16),
    time      BIGINT NOT NULL,
    -- Who did it: a key's id, or a part of this program.
    actor     TEXT   NOT NULL,
    kind      TEXT   NOT NULL CHECK (kind IN ('created', 'updated', 'status_changed', 'deleted')),
    -- A JSON object.
    detail    TEXT   NOT NULL
);

CREATE INDEX lead_change_by_lead ON lead_change (tenant_id, lead_id, number);

-- Events that were committed with what they tell of, until they have been published.
CREATE TABLE outbox (
    number     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id  TEXT COLLATE "C" NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    event_id   TEXT   NOT NULL,
    kind       TEXT   NOT NULL,
    -- The event's data, JSON text.
    data       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    -- Until then somebody is publishing it.
    held_until BIGINT NOT NULL
);

ALTER TABLE lead_total ENABLE ROW LEVEL SECURITY;
ALTER TABLE lead_total FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_in_reach ON lead_total USING (in_reach(tenant_id));

ALTER TABLE lead_hour ENABLE ROW LEVEL SECURITY;
ALTER TABLE lead_hour FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_in_reach ON lead_hour USING (in_reach(tenant_id));

ALTER TABLE lead_change ENABLE ROW LEVEL SECURITY;
ALTER TABLE lead_change FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_in_reach ON lead_change USING (in_reach(tenant_id));

ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE outbox FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_in_reach ON outbox USING (in_reach(tenant_id));
