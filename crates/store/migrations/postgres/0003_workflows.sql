CREATE TABLE workflow (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    owner_id   TEXT COLLATE "C" NOT NULL,
    name       TEXT,
    -- JSON text.
    data       TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE execution (
    id              TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    workflow_id     TEXT COLLATE "C" NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    -- NULL: whoever owns the workflow.
    owner_id        TEXT COLLATE "C",
    status          TEXT   NOT NULL,
    progress        DOUBLE PRECISION NOT NULL,
    completed_nodes BIGINT NOT NULL,
    -- 0: not known yet.
    total_nodes     BIGINT NOT NULL,
    current_node    TEXT,
    message         TEXT,
    -- Counters over execution_node, kept with it so that a report costs the same however many nodes there are.
    nodes_known     BIGINT NOT NULL DEFAULT 0,
    nodes_completed BIGINT NOT NULL DEFAULT 0,
    nodes_skipped   BIGINT NOT NULL DEFAULT 0,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL
);

CREATE INDEX execution_by_workflow ON execution (workflow_id, id);

CREATE TABLE execution_node (
    execution_id      TEXT COLLATE "C" NOT NULL REFERENCES execution (id) ON DELETE CASCADE,
    node_id           TEXT COLLATE "C" NOT NULL,
    node_execution_id TEXT   NOT NULL,
    node_name         TEXT   NOT NULL,
    status            TEXT   NOT NULL,
    message           TEXT,
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL,
    PRIMARY KEY (execution_id, node_id)
);
