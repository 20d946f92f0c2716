-- News of workflows and executions wait in the outbox too; they belong to no tenant.
ALTER TABLE outbox ALTER COLUMN tenant_id DROP NOT NULL;
-- Executions that have ended are kept for a while.
CREATE INDEX execution_by_end ON execution (updated_at) WHERE status IN ('completed', 'failed', 'cancelled');
