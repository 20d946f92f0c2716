-- News of workflows and executions wait in the outbox too; they belong to no tenant.
CREATE TABLE outbox_with_news (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id  TEXT    REFERENCES tenant (id) ON DELETE CASCADE,
    event_id   TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    -- The event's data, JSON text.
    data       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    -- Until then somebody is publishing it.
    held_until INTEGER NOT NULL
) STRICT;
INSERT INTO outbox_with_news SELECT * FROM outbox;
-- Numbers go on behind the last that was ever given.
INSERT OR REPLACE INTO sqlite_sequence (rowid, name, seq)
    SELECT (SELECT rowid FROM sqlite_sequence WHERE name = 'outbox_with_news'), 'outbox_with_news', seq
    FROM sqlite_sequence WHERE name = 'outbox';
DROP TABLE outbox;
ALTER TABLE outbox_with_news RENAME TO outbox;
-- Each kind is looked for by itself, also when many of the other wait.
CREATE INDEX outbox_event_by_hold ON outbox (held_until) WHERE tenant_id IS NOT NULL;
CREATE INDEX outbox_news_by_hold ON outbox (held_until) WHERE tenant_id IS NULL;
-- Executions that have ended are kept for a while.
CREATE INDEX execution_by_end ON execution (updated_at) WHERE status IN ('completed', 'failed', 'cancelled');
