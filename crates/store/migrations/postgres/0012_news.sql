-- News of workflows and executions wait in the outbox too; they belong to no tenant.
ALTER TABLE outbox ALTER COLUMN tenant_id DROP NOT NULL;
-- Each kind is looked for by itself, also when many of the other wait.
CREATE INDEX outbox_event_by_hold ON outbox (held_until) WHERE tenant_id IS NOT NULL;
CREATE INDEX outbox_news_by_hold ON outbox (held_until) WHERE tenant_id IS NULL;
-- Executions that have ended are kept for a while.
CREATE INDEX execution_by_end ON execution (updated_at) WHERE status IN ('completed', 'failed', 'cancelled');
