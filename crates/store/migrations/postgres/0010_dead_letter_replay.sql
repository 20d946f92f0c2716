-- What a dead letter needs to be read again as it came: the topic, the form, and the headers where they are part of it.
ALTER TABLE dead_letter ADD COLUMN topic TEXT;
ALTER TABLE dead_letter ADD COLUMN form TEXT NOT NULL DEFAULT 'unlabelled';
-- [[name, value], ...]
ALTER TABLE dead_letter ADD COLUMN headers TEXT NOT NULL DEFAULT '[]';
-- From when on it is to be taken in once more; whoever takes it puts this off for a while.
ALTER TABLE dead_letter ADD COLUMN replay_at BIGINT;
CREATE INDEX dead_letter_by_replay ON dead_letter (replay_at) WHERE replay_at IS NOT NULL;

ALTER TABLE dead_letter_account ADD COLUMN kept_bytes BIGINT NOT NULL DEFAULT 0;
UPDATE dead_letter_account SET kept_bytes = (SELECT coalesce(sum(length(event)), 0) FROM dead_letter);
