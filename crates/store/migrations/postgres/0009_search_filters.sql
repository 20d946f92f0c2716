-- A term says by itself, behind the tenant's number, what the field that it is in is worth, so that the index alone ranks the
-- hits. A search for a frequent word among few leads (of a day, of a status) begins with those leads. The table is written
-- anew, as in 0008; the index on the status takes the use from the room that was left for it.
-- Nothing is written meanwhile that the new table would not have.
LOCK TABLE lead, lead_search IN SHARE ROW EXCLUSIVE MODE;
CREATE TABLE lead_search_filtered (
    number     BIGINT   NOT NULL,
    -- The tenant's number.
    tenant     BIGINT   NOT NULL,
    status     TEXT COLLATE "C" NOT NULL,
    created_at BIGINT   NOT NULL,
    document   TSVECTOR NOT NULL
);

INSERT INTO lead_search_filtered (number, tenant, status, created_at, document)
    SELECT s.number, t.number, s.status, s.created_at, coalesce(
        (SELECT array_to_tsvector(array_agg(substr(lexeme, 1, 8) || rank || substr(lexeme, 9)))
         FROM unnest(s.document) AS term (lexeme, positions, weights),
             LATERAL (SELECT DISTINCT CASE weight WHEN 'A' THEN '0' WHEN 'B' THEN '1' WHEN 'C' THEN '2' ELSE '3' END AS rank
                      FROM unnest(term.weights) AS weight) AS field),
        '')
    FROM lead_search s JOIN lead l USING (number) JOIN tenant t ON t.id = l.tenant_id ORDER BY s.number;
DROP TABLE lead_search;
ALTER TABLE lead_search_filtered RENAME TO lead_search;
ALTER TABLE lead_search
    ADD CONSTRAINT lead_search_pkey PRIMARY KEY (number),
    ADD CONSTRAINT lead_search_number_fkey FOREIGN KEY (number) REFERENCES lead (number) ON DELETE CASCADE;
CREATE INDEX lead_search_newest_by_status ON lead_search (tenant, status, created_at);

-- Written at once: a list of what is pending would be read by every search until somebody has tidied up.
CREATE INDEX lead_search_terms ON lead_search USING gin (document) WITH (fastupdate = off);
ANALYZE lead_search;
