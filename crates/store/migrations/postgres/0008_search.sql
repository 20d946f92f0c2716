-- What a search filters and orders its hits by goes beside their terms, so that it need not join the leads. The table is
-- written anew: to change every row of it would write every entry of its index twice.
CREATE TABLE lead_search_filtered (
    number     BIGINT   NOT NULL,
    status     TEXT COLLATE "C" NOT NULL,
    created_at BIGINT   NOT NULL,
    document   TSVECTOR NOT NULL
)
-- Room for new statuses, which then leave the index alone.
WITH (fillfactor = 90);

INSERT INTO lead_search_filtered (number, status, created_at, document)
    SELECT number, l.status, l.created_at, s.document FROM lead_search s JOIN lead l USING (number) ORDER BY number;
DROP TABLE lead_search;
ALTER TABLE lead_search_filtered RENAME TO lead_search;
ALTER TABLE lead_search
    ADD CONSTRAINT lead_search_pkey PRIMARY KEY (number),
    ADD CONSTRAINT lead_search_number_fkey FOREIGN KEY (number) REFERENCES lead (number) ON DELETE CASCADE;

-- Written at once: a list of what is pending would be read by every search until somebody has tidied up.
CREATE INDEX lead_search_terms ON lead_search USING gin (document) WITH (fastupdate = off);
