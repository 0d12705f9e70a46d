-- Sums that are kept beside the journals: one row for each group of counters.
CREATE TABLE hitl_tallies (
    name TEXT PRIMARY KEY,
    counts TEXT NOT NULL -- a JSON object of counter and sum
) STRICT, WITHOUT ROWID;

-- The place of the first entry that the tallies do not count; NULL if they count all.
ALTER TABLE hitl_threads ADD COLUMN uncounted INTEGER;

-- Older programs did not count.
UPDATE hitl_threads SET uncounted = 0;

CREATE INDEX hitl_threads_uncounted ON hitl_threads (id) WHERE uncounted IS NOT NULL;
