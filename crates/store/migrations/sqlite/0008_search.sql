-- What a search filters and orders its hits by, without a visit to the leads.
CREATE INDEX lead_by_number ON lead (number, status, created_at);

-- The search index once more, in one column: the rank of a term's field stands in the term, behind the tenant's number.
-- Written in the transaction that writes the lead, with rowid = lead.number.
CREATE VIRTUAL TABLE lead_search_ranked USING fts5 (
    terms,
    content = '', contentless_delete = 1, detail = 'column', tokenize = 'ascii'
);

-- The words that are in an index, with all their places. What the old one holds comes back from there.
CREATE VIRTUAL TABLE lead_search_term USING fts5vocab (lead_search, instance);
INSERT INTO lead_search_ranked (rowid, terms)
    SELECT doc, group_concat(
        substr(term, 1, 8)
        || CASE col WHEN 'name' THEN '0' WHEN 'email' THEN '1' WHEN 'notes' THEN '3' ELSE '2' END
        || substr(term, 9), ' ')
    FROM lead_search_term GROUP BY doc;
DROP TABLE lead_search_term;
DROP TABLE lead_search;
ALTER TABLE lead_search_ranked RENAME TO lead_search;
CREATE VIRTUAL TABLE lead_search_term USING fts5vocab (lead_search, instance);
