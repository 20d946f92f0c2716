-- Work that was asked for and goes on after its answer: backups, compliance checks, restores.
CREATE TABLE job (
    id           BYTEA  NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id    TEXT COLLATE "C" NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    kind         TEXT COLLATE "C" NOT NULL CHECK (kind IN ('backup', 'restore', 'compliance_check')),
    -- 0 low, 1 normal, 2 high.
    priority     BIGINT NOT NULL CHECK (priority BETWEEN 0 AND 2),
    -- A JSON object.
    parameters   TEXT   NOT NULL,
    -- Who asked for it.
    actor        TEXT   NOT NULL,
    status       TEXT COLLATE "C" NOT NULL CHECK (status IN ('waiting', 'running', 'completed', 'failed')),
    -- How often somebody began with it.
    attempts     BIGINT NOT NULL,
    -- Until then it is in somebody's hands.
    held_until   BIGINT NOT NULL,
    requested_at BIGINT NOT NULL,
    started_at   BIGINT,
    finished_at  BIGINT,
    -- A JSON object, once it has finished.
    result       TEXT
);

CREATE INDEX job_unfinished ON job (kind, priority DESC, id) WHERE finished_at IS NULL;
CREATE INDEX job_by_tenant ON job (tenant_id, kind, id);

ALTER TABLE job ENABLE ROW LEVEL SECURITY;
ALTER TABLE job FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_in_reach ON job USING (in_reach(tenant_id));
