-- Work that was asked for and goes on after its answer: backups, compliance checks, restores.
CREATE TABLE job (
    id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id    TEXT    NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    kind         TEXT    NOT NULL CHECK (kind IN ('backup', 'restore', 'compliance_check')),
    -- 0 low, 1 normal, 2 high.
    priority     INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 2),
    -- A JSON object.
    parameters   TEXT    NOT NULL,
    -- Who asked for it.
    actor        TEXT    NOT NULL,
    status       TEXT    NOT NULL CHECK (status IN ('waiting', 'running', 'completed', 'failed')),
    -- How often somebody began with it.
    attempts     INTEGER NOT NULL,
    -- Until then it is in somebody's hands.
    held_until   INTEGER NOT NULL,
    requested_at INTEGER NOT NULL,
    started_at   INTEGER,
    finished_at  INTEGER,
    -- A JSON object, once it has finished.
    result       TEXT
) STRICT;

CREATE INDEX job_unfinished ON job (kind, priority DESC, id) WHERE finished_at IS NULL;
CREATE INDEX job_by_tenant ON job (tenant_id, kind, id);

-- The numbers of history entries are never given out twice: an incremental backup takes those behind a number, also
-- after the last ones were removed with their lead.
CREATE TABLE lead_change_numbered (
    number    INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id TEXT    NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    lead_id   BLOB    NOT NULL CHECK (length(lead_id) = 16),
    time      INTEGER NOT NULL,
    -- Who did it: a key's id, or a part of this program.
    actor     TEXT    NOT NULL,
    kind      TEXT    NOT NULL CHECK (kind IN ('created', 'updated', 'status_changed', 'deleted')),
    -- A JSON object.
    detail    TEXT    NOT NULL
) STRICT;

INSERT INTO lead_change_numbered SELECT number, tenant_id, lead_id, time, actor, kind, detail FROM lead_change ORDER BY number;
DROP TABLE lead_change;
ALTER TABLE lead_change_numbered RENAME TO lead_change;
CREATE INDEX lead_change_by_lead ON lead_change (tenant_id, lead_id, number);
