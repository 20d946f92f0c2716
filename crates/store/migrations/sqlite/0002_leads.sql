CREATE TABLE lead (
    number     INTEGER PRIMARY KEY,
    id         BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    tenant_id  TEXT    NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    source     TEXT    NOT NULL,
    status     TEXT    NOT NULL CHECK (status IN ('NEW', 'CONTACTED', 'QUALIFIED', 'LOST')),
    -- A JSON object, kept as text: key order and the spelling of numbers are the sender's.
    payload    TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE INDEX lead_newest ON lead (tenant_id, created_at DESC, id DESC);
CREATE INDEX lead_newest_by_status ON lead (tenant_id, status, created_at DESC, id DESC);
CREATE INDEX lead_newest_by_source ON lead (tenant_id, source, created_at DESC, id DESC);

-- Written in the transaction that writes the lead, with rowid = lead.number. The terms come split, folded and
-- prefixed by the tenant's number; the tokenizer only has to split them at blanks.
CREATE VIRTUAL TABLE lead_search USING fts5 (
    name, email, company, phone, notes,
    content = '', contentless_delete = 1, tokenize = 'ascii'
);

CREATE TABLE metric_rollup (
    tenant_id TEXT    NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    metric    TEXT    NOT NULL,
    -- The hour's beginning.
    hour      INTEGER NOT NULL,
    count     INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, metric, hour)
) STRICT, WITHOUT ROWID;
