-- The search index answers without the leads: a lead's status is a term of it, its hits are ordered by the leads' numbers,
-- and the leads of a span of days are found between two numbers. Prefixes of one and of two characters (behind the
-- tenant's number and the rank of the field) have entries of their own.
CREATE VIRTUAL TABLE lead_search_filtered USING fts5 (
    terms,
    content = '', contentless_delete = 1, detail = none, prefix = '10 11', tokenize = 'ascii'
);
INSERT INTO lead_search_filtered (rowid, terms)
    SELECT doc, terms || ' ' || tenant || 's' || (SELECT status FROM lead WHERE number = doc)
    FROM (SELECT doc, group_concat(term, ' ') AS terms, substr(min(term), 1, 8) AS tenant
          FROM lead_search_term GROUP BY doc);
DROP TABLE lead_search_term;
DROP TABLE lead_search;
ALTER TABLE lead_search_filtered RENAME TO lead_search;
CREATE VIRTUAL TABLE lead_search_term USING fts5vocab (lead_search, instance);

-- The leads that were created on a day (since 1970) have numbers in this span; a deleted lead may leave it too wide.
CREATE TABLE lead_search_day (
    tenant_id TEXT    NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    day       INTEGER NOT NULL,
    lowest    INTEGER NOT NULL,
    highest   INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, day)
) STRICT, WITHOUT ROWID;
INSERT INTO lead_search_day (tenant_id, day, lowest, highest)
    -- Days begin at midnight, also before 1970.
    SELECT tenant_id, (created_at - (created_at % 86400000 + 86400000) % 86400000) / 86400000, min(number), max(number)
    FROM lead GROUP BY 1, 2;

-- When a lead was created, without a visit to the leads.
DROP INDEX lead_by_number;
CREATE INDEX lead_created_by_number ON lead (number, created_at);
