-- Raised with every change: what ETag and If-Match compare.
ALTER TABLE lead ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

-- How many leads there are, kept in the transaction that creates, changes or deletes one, so that no total counts rows.
CREATE TABLE lead_total (
    tenant_id TEXT    NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    status    TEXT    NOT NULL,
    source    TEXT    NOT NULL,
    count     INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, status, source)
) STRICT, WITHOUT ROWID;

-- The same by the hour in which a lead was created.
CREATE TABLE lead_hour (
    tenant_id TEXT    NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    -- The hour's beginning.
    hour      INTEGER NOT NULL,
    status    TEXT    NOT NULL,
    count     INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, hour, status)
) STRICT, WITHOUT ROWID;

INSERT INTO lead_total (tenant_id, status, source, count)
    SELECT tenant_id, status, source, count(*) FROM lead GROUP BY tenant_id, status, source;
INSERT INTO lead_hour (tenant_id, hour, status, count)
    SELECT tenant_id, created_at - created_at % 3600000, status, count(*) FROM lead GROUP BY 1, 2, 3;

-- What became of each lead.
CREATE TABLE lead_change (
    number    INTEGER PRIMARY KEY,
    tenant_id TEXT    NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    lead_id   BLOB    NOT NULL CHECK (length(lead_id) = 16),
    time      INTEGER NOT NULL,
    -- Who did it: a key's id, or a part of this program.
    actor     TEXT    NOT NULL,
    kind      TEXT    NOT NULL CHECK (kind IN ('created', 'updated', 'status_changed', 'deleted')),
    -- A JSON object.
    detail    TEXT    NOT NULL
) STRICT;

CREATE INDEX lead_change_by_lead ON lead_change (tenant_id, lead_id, number);

-- Events that were committed with what they tell of, until they have been published.
CREATE TABLE outbox (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id  TEXT    NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    event_id   TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    -- The event's data, JSON text.
    data       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    -- Until then somebody is publishing it.
    held_until INTEGER NOT NULL
) STRICT;
