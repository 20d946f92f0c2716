CREATE TABLE workflow (
    id         TEXT    NOT NULL PRIMARY KEY,
    owner_id   TEXT    NOT NULL,
    name       TEXT,
    -- JSON text.
    data       TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE execution (
    id              TEXT    NOT NULL PRIMARY KEY,
    workflow_id     TEXT    NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    -- NULL: whoever owns the workflow.
    owner_id        TEXT,
    status          TEXT    NOT NULL,
    progress        REAL    NOT NULL,
    completed_nodes INTEGER NOT NULL,
    -- 0: not known yet.
    total_nodes     INTEGER NOT NULL,
    current_node    TEXT,
    message         TEXT,
    -- Counters over execution_node, kept with it so that a report costs the same however many nodes there are.
    nodes_known     INTEGER NOT NULL DEFAULT 0,
    nodes_completed INTEGER NOT NULL DEFAULT 0,
    nodes_skipped   INTEGER NOT NULL DEFAULT 0,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL
) STRICT;

CREATE INDEX execution_by_workflow ON execution (workflow_id, id);

CREATE TABLE execution_node (
    execution_id      TEXT    NOT NULL REFERENCES execution (id) ON DELETE CASCADE,
    node_id           TEXT    NOT NULL,
    node_execution_id TEXT    NOT NULL,
    node_name         TEXT    NOT NULL,
    status            TEXT    NOT NULL,
    message           TEXT,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    PRIMARY KEY (execution_id, node_id)
) STRICT, WITHOUT ROWID;
